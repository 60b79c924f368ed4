"""Pictures of another kind than the rest: by size, colour, depth, light and fineness."""

from collections.abc import Iterator

import numpy as np

from striate.check.case import Case
from striate.check.finding import Finding
from striate.data.prepare import DEPTHS
from striate.errors import counted

RARE = 0.1  # of the pictures: what is more frequent is no outlier but a second kind
TIMES = 4.0  # larger or smaller than the median, along a side
FAR = 8.0  # robust standard deviations from the median
LEAST = 20  # pictures, for a word on light


def outliers(case: Case) -> Iterator[Finding]:
    """Few pictures that differ from the many."""
    yield from _sizes(case)
    yield from _colours(case)
    yield from _depths(case)
    yield from _light(case)


def _few(case: Case, odd: np.ndarray) -> np.ndarray:
    """The rows that are `odd` (K,), if they are few enough to be outliers; else none."""
    rows = np.flatnonzero(odd)
    return rows if len(rows) <= max(1, RARE * len(case.samples)) else rows[:0]


def _sizes(case: Case) -> Iterator[Finding]:
    sides = np.sqrt(case.facts["height"] * case.facts["width"].astype(float))
    usual = float(np.median(sides))
    away = np.abs(np.log(sides / usual))
    spread = 1.4826 * float(np.median(away))
    rows = _few(case, away > max(np.log(TIMES), 4 * spread))
    odd = case.facts[away.argmax()]
    yield from case.about(
        rows,
        kind="odd-size",
        level="caution",
        what=f"{counted(len(rows), 'picture')} of quite another size, such as {odd['width']:,} × {odd['height']:,} "
        f"pixels where a side of {usual:,.0f} is usual.",
        done="Used, brought to the size of all others: what is on them may look larger or smaller.",
        change="Cut or scale them so that things have their usual size, or take them out.",
        figures={"usual_side": usual},
    )


def _colours(case: Case) -> Iterator[Finding]:
    channels = case.facts["channels"]
    kinds, counts = np.unique(channels, return_counts=True)
    usual = kinds[counts.argmax()]
    listed = " and ".join(f"{n:,} {'grey' if kind == 1 else 'colour'}" for kind, n in zip(kinds, counts, strict=True))
    yield from case.about(
        np.flatnonzero(channels != usual),
        kind="mixed-colour",
        level="caution",
        what=f"Pictures of different modes: {listed}.",
        done="Grey ones were copied to all channels, so that all look alike to the network.",
        change="--channels 1 makes all pictures grey, if colour does not matter.",
    )
    colourless = np.ptp(case.facts["tint"].astype(int), axis=3).max(axis=(1, 2)) <= 1
    rows = _few(case, colourless & (channels == 3) & (usual == 3))
    yield from case.about(
        rows,
        kind="colourless",
        level="note",
        what=f"{counted(len(rows), 'colour picture')} without any colour.",
        done="Used as they are.",
        change="--channels 1 makes all pictures grey, if colour does not matter.",
    )


def _depths(case: Case) -> Iterator[Finding]:
    kinds, counts = np.unique(case.facts["depth"], return_counts=True)
    listed = " and ".join(f"{n:,} of {DEPTHS[kind]}" for kind, n in zip(kinds, counts, strict=True))
    yield from case.about(
        np.flatnonzero(case.facts["depth"] != kinds[counts.argmax()]),
        kind="mixed-depth",
        level="caution",
        what=f"Pictures of different depths: {listed}.",
        done="Whole numbers were brought to one scale by the range of their type, fractions left as they are.",
        change="Save all pictures at one depth if the same number should mean the same light.",
    )


def _light(case: Case) -> Iterator[Finding]:
    """Brightness, contrast and fineness far outside what is usual in this set."""
    facts, full = case.facts, case.scale
    if len(facts) < LEAST:
        return
    plain = facts["high"] > facts["low"]
    values = np.stack([facts["mean"] / full, *(np.log(facts[name] / full + 1e-3) for name in ("std", "detail"))])
    centre = np.median(values, axis=1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(values - centre), axis=1, keepdims=True)
    away = np.abs(values - centre) / np.maximum(spread, [[0.02], [0.1], [0.1]])
    furthest = away.max(axis=0)
    rows = _few(case, (furthest > FAR) & plain)
    rows = rows[np.argsort(-furthest[rows], kind="stable")]
    yield from case.about(
        rows,
        kind="odd-light",
        level="caution",
        what=f"{counted(len(rows), 'picture')} far outside the usual brightness, contrast or fineness of this set.",
        done="Used as they are.",
        change="Look whether they are pictures of the same kind; take out what is not.",
    )
