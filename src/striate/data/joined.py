"""Groups of rows that links connect."""

from collections import defaultdict
from collections.abc import Iterable


def joined(count: int, links: Iterable[tuple[int, int, bool]], most: float = float("inf")) -> list[list[int]]:
    """All rows from 0 to count - 1 in groups (union-find), each sorted, in the order of their first.

    links: two rows, and whether they surely belong together. One that is not sure may not make a group greater than
    `most`; so the surest links come first.
    """
    parent, size = list(range(count)), [1] * count

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other, sure in links:
        one, other = sorted((root(one), root(other)))
        if one != other and (sure or size[one] + size[other] <= most):
            parent[other] = one
            size[one] += size[other]
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for row in range(count):
        groups[root(row)].append(row)
    return list(groups.values())
