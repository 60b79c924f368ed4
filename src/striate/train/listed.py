"""data.csv: every file that was found, what became of it, and why."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from striate import files
from striate.data.sample import Found, LeftOut, Sample, text_of
from striate.data.store import Store


def all_left_out(found: Found, store: Store, why: Mapping[int, str]) -> list[LeftOut]:
    """Every file that is not used; why: of those that can be read, the rows of the store and the reason."""
    aside = [found.samples[store.kept[row]].left_out(reason) for row, reason in sorted(why.items())]
    return [*found.left_out, *store.left_out, *aside]


def write_listed(
    folder: Path, used: Iterable[tuple[Sample, str]], left_out: Iterable[LeftOut], mended: Iterable[LeftOut]
) -> None:
    """Writes data.csv: every file, its class, part and group, and why if it was left out. used: with their part."""
    rows = [(item.path, text_of(item.target), part, item.group or "", "used", "") for item, part in used]
    rows += [(item.path, item.label, item.part, "", "left out", item.reason) for item in left_out]
    rows += [(item.path, item.label, item.part, "", "mended", item.reason) for item in mended]
    files.write_csv(folder / "data.csv", ("path", "label", "part", "group", "status", "reason"), rows)
