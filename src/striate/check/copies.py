"""The same picture more than once: copies, look-alikes, under two classes, in two given parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from striate.check.case import Case
from striate.check.finding import Finding
from striate.data.sample import class_order, names_of, text_of, unknown_in
from striate.errors import counted

SAME = 0.1  # of the standard deviation of all numbers: those of one picture that differ by less do not contradict
LEAK = 0.02  # of a part: fewer look-alikes, without any copy, are a caution only


def copies(case: Case) -> Iterator[Finding]:
    """Copies and look-alikes, conflicts of classes, and leaks between the parts that the user gave."""
    exact, near = case.alike.copies, case.alike.near
    known = set(map(tuple, exact))
    looser = [rows for rows in near if tuple(rows) not in known]
    yield from _duplicates(case, [rows for rows in exact if len(_said(case, rows)) == 1])
    yield from _near(case, looser)
    yield from _conflicts(case, exact, looser)
    yield from _leaks(case, near)


def set_aside(case: Case) -> dict[int, str]:
    """Rows whose very content is there under more than one class, or with other numbers or objects, with the reason."""
    aside = {}
    for rows in case.alike.copies:
        if len(names := _said(case, rows)) > 1:
            aside |= {row: f"the same content stands under {' and '.join(map(repr, names))}" for row in rows}
    return aside


def _classes(case: Case, rows: Sequence[int]) -> list[str]:
    """Under which they stand, in order."""
    return class_order(case.samples[row].label for row in rows[: 1 if _may_agree(case, rows) else None])


def _said(case: Case, rows: Sequence[int]) -> list[str]:
    """All that contradicts itself about one file: its classes, its numbers, which objects it has."""
    near = np.ptp(case.numbers[rows], axis=0) <= SAME * case.spread
    if _may_agree(case, rows) or (len(near) and near.all()):
        rows = rows[:1]
    return class_order(text_of(case.samples[row].target) for row in rows)


def _may_agree(case: Case, rows: Sequence[int]) -> bool:
    """Whether labels that are not known are all in which pictures differ."""
    told = [(set(names_of(case.samples[row].target)), set(unknown_in(case.samples[row].target))) for row in rows]
    there = set().union(*(names for names, _ in told))
    return any(doubts for _, doubts in told) and all(there <= names | doubts for names, doubts in told)


def _parts(case: Case, rows: Sequence[int]) -> set[str]:
    """In which they are, of those that the user gave."""
    return {case.parts[row] for row in rows}


def _stay(case: Case, groups: Sequence[Sequence[int]], who: str, why: str) -> str:
    """What is done with groups: parts that are given are kept."""
    if any(len(_parts(case, rows)) > 1 for rows in groups):
        return f"{who} in one part, except where the parts that you gave have them on both sides."
    return f"{who} in one part, {why}."


def _duplicates(case: Case, exact: Sequence[Sequence[int]]) -> Iterator[Finding]:
    if exact:
        surplus = sum(len(rows) - 1 for rows in exact)
        yield Finding(
            kind="duplicates",
            level="caution",
            what=f"{counted(surplus, 'exact copy')} of other files, in {counted(len(exact), 'group')}.",
            count=surplus,
            done=_stay(case, exact, "Copies stay", "so none is learned and tested"),
            change="Delete all but one of each group, unless they should count more than once.",
            groups=case.groups(exact),
            figures={"groups": len(exact)},
        )


def _near(case: Case, looser: Sequence[Sequence[int]]) -> Iterator[Finding]:
    if looser:
        held = sum(map(len, looser))
        yield Finding(
            kind="near-duplicates",
            level="problem" if held > len(case.samples) / 10 else "caution",
            what=f"{counted(held, 'picture')} look like others (saved anew, resized, cropped, turned, mirrored or "
            f"recoloured), in {counted(len(looser), 'group')}.",
            count=held,
            done=_stay(case, looser, "Each group stays", "since a random split would test on what was learned"),
            change="Nothing needs to be done. Take the copies out if a picture should count once.",
            groups=case.groups(looser),
            figures={"groups": len(looser), "share": held / len(case.samples)},
        )


def _conflicts(case: Case, exact: Sequence[Sequence[int]], looser: Sequence[Sequence[int]]) -> Iterator[Finding]:
    what = "classes" if case.one_label else "labels"
    for kind, groups, said, same, level, done in (
        (
            "two-labels", exact, _said, "the same content", "problem",
            "All of them were set aside: none is learned or tested.",
        ),
        (
            "two-labels-near", looser, _classes, "what looks like the same picture", "caution",
            "They are used, since look-alikes may differ in what matters. "
            + _stay(case, looser, "Each group stays", "so that none is learned and tested"),
        ),
    ):  # fmt: skip
        torn = [rows for rows in groups if len(said(case, rows)) > 1]
        if torn:
            held = sum(map(len, torn))
            yield Finding(
                kind=kind,
                level=level,
                what=f"{counted(held, 'picture')} in {counted(len(torn), 'group')} where {same} stands under several "
                f"{what} (such as {' and '.join(map(repr, said(case, torn[0])))}).",
                count=held,
                done=done,
                change="Decide which is right and delete the others.",
                groups=case.groups(torn),
                figures={"groups": len(torn)},
            )


def _leaks(case: Case, near: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """Pictures of a given validation or test part that the training part, or the other of the two, has as well."""
    for part, others in (("test", ("train", "validation")), ("validation", ("train",))):
        inside = [rows for rows in near if part in (met := _parts(case, rows)) and not met.isdisjoint(others)]
        own = [row for rows in inside for row in rows if case.parts[row] == part]
        if own:
            learned = {case.contents[row] for rows in inside for row in rows if case.parts[row] in others}
            exact, total = sum(case.contents[row] in learned for row in own), int((case.parts == part).sum())
            there = " or the ".join(name for name in others if name in case.parts)
            yield Finding(
                kind="leak",
                level="problem" if exact or len(own) >= LEAK * total else "caution",
                what=f"{counted(len(own), 'picture')} of the {part} part as given ({100 * len(own) / total:.1f} %) "
                f"{'is' if len(own) == 1 else 'are'} also in the {there} part: {exact:,} as exact copies, "
                f"{len(own) - exact:,} as look-alikes.",
                count=len(own),
                done="The parts were kept as given; a training scores the part with and without them.",
                change=f"Delete them from the {part} part, or give the folder without parts.",
                groups=case.groups(inside),
                figures={"part": part, "of": total, "exact": exact},
            )
