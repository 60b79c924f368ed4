"""What a set consists of: counts, sizes, kinds of file, what could not be read, classes that are too small."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from striate.check.case import MOST, Case
from striate.check.finding import SHOWN, Finding
from striate.data.content import FORMATS, IMAGE_SUFFIXES
from striate.data.folder import is_picture_name, other_labels
from striate.data.grouping import PATIENT
from striate.data.prepare import DEPTHS
from striate.data.sample import LeftOut, class_order, evenly, number_text, unknown_in
from striate.errors import counted, first_few

FEW = 20  # pictures of a class, below which no score of it means much
RATIOS = (10.0, 3.0)  # most frequent to rarest class: a caution, a note
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_NARROW = 0.02  # of a picture's own range
SLIP, ENOUGH = 20.0, 20  # times as far from the median as all others; numbers below which that says nothing
LISTED = 4  # kinds named in a sentence


def inventory(case: Case) -> Iterator[Finding]:
    """What is there, as notes; and what of it asks for a look."""
    yield _found(case)
    yield from _left_out(case)
    yield from _mended(case)
    yield from _unknown(case)
    yield from _ungrouped(case)
    yield from _wrong_names(case)
    if case.form == "picture":
        yield from _pages(case)
        yield from _apart(case)
        yield from _narrow(case)
    if case.one_label:
        yield from _classes(case)
    yield from _constant(case)
    yield from _slips(case)


def _found(case: Case) -> Finding:
    facts, count = case.facts, len(case.samples)
    sizes = Counter(zip(facts["width"].tolist(), facts["height"].tolist(), strict=True))
    kinds = {
        "sizes": Counter({f"{width}×{height}": n for (width, height), n in sizes.items()}),
        "formats": Counter(np.array([*FORMATS, "array"], object)[facts["format"]].tolist()),
        "channels": Counter({1: "grey", 3: "colour"}.get(n, f"{n} channels") for n in facts["channels"].tolist()),
        "depths": Counter(np.array(DEPTHS, object)[facts["depth"]].tolist()),
    }
    if case.form in ("series", "text"):
        unit = "letters" if case.form == "text" else "values"
        kinds = {"lengths": Counter({f"{width:,} {unit}": n for width, n in Counter(facts["width"].tolist()).items()})}
        if case.form == "series":
            kinds["channels"] = Counter(counted(n, "channel") for n in facts["channels"].tolist())
    said = "; ".join(_mixture(counts) for counts in kinds.values())
    hidden = f" {counted(case.hidden, 'hidden file')} passed over." if case.hidden else ""
    kinds_of = f" of {counted(len(case.classes), 'class')}" if case.one_label else ""
    what = f"{counted(count, 'picture')}{kinds_of}: {said}.{hidden}"
    figures = {name: dict(counts.most_common(100)) for name, counts in kinds.items()}
    some, figures = case.some(evenly(range(count), SHOWN)), {**figures, "hidden": case.hidden}
    return Finding(kind="found", level="note", what=what, count=count, groups=some, figures=figures)


def _mixture(counts: Counter) -> str:
    """ "PNG" or "PNG (90), JPEG (10)"."""
    if len(counts) == 1:
        return next(iter(counts))
    return first_few([f"{name} ({n:,})" for name, n in counts.most_common()], LISTED)


_REASONS = (  # how the reason begins or what it holds, one word for programs, what it is
    ("truncated", "truncated", "cut short"),
    ("damaged", "damaged", "damaged"),
    ("empty file", "empty", "empty"),
    ("not a picture", "not-a-picture", "not a picture, whatever the name says"),
    ("not the picture itself", "not-a-picture", "only the name of a picture that lies elsewhere"),
    ("is not supported", "unsupported", "of a kind that Striate does not read"),
    ("channels? where", "other-channels", "of another number of channels than the rest"),
    ("is no label", "no-label", "without a class, by a word that usually says that it is missing"),
    ("", "left-out", "not used"),
)
_MENDS = {
    "no-label": "If the word names a class, write it otherwise, for example in full.",
    "other-channels": "If the first channel shows the same in all pictures, --channels 0, takes that one of each.",
    "left-out": "Each reason says what to mend: the file, or the line of the table.",
}


def _left_out(case: Case) -> Iterator[Finding]:
    kinds: defaultdict[int, list[LeftOut]] = defaultdict(list)
    for item in case.left_out:
        kinds[next(n for n, (words, _, _) in enumerate(_REASONS) if re.search(words, item.reason))].append(item)
    table = next((item.path for item in case.left_out if re.fullmatch(r"(?i)[^/]+\.[ct]sv", item.path)), "")
    for number, items in sorted(kinds.items()):
        _, kind, words = _REASONS[number]
        reasons = Counter(item.reason for item in items)
        yield Finding(
            kind=kind, level="note" if kind == "left-out" else "caution", count=len(items),
            what=f"{counted(len(items), 'file')} {'is' if len(items) == 1 else 'are'} {words}: {_examples(items)}.",
            done="Left out; data.csv lists each with its reason.",
            change=_MENDS.get(kind, "Fetch or save these files anew, or take them out of the folder.")
            + f" --labels {table} takes the labels of that table." * (bool(table) and kind == "not-a-picture"),
            groups=tuple((item.path,) for item in items[:MOST]), figures={"reasons": dict(reasons.most_common(100))},
        )  # fmt: skip


def _mended(case: Case) -> Iterator[Finding]:
    if case.mended:
        pictures = list(dict.fromkeys(item.path for item in case.mended))
        yield Finding(
            kind="mended", level="caution", count=len(pictures), groups=tuple((path,) for path in pictures[:MOST]),
            what=f"{counted(len(case.mended), 'label')} of {counted(len(pictures), 'picture')} "
            f"cannot be used as written: {_examples(case.mended)}.",
            done="Mended or dropped; data.csv lists each with its reason.",
            change="Correct them in the files of labels.",
            figures={"reasons": {f"{item.path}: {item.reason}": 1 for item in case.mended[:100]}},
        )  # fmt: skip


def _unknown(case: Case) -> Iterator[Finding]:
    each = [unknown_in(sample.target) for sample in case.samples]
    counts = Counter(name for names in each for name in names)
    listed = first_few([f"{name} ({count:,})" for name, count in counts.most_common()], 20)
    yield from case.about(
        [row for row, names in enumerate(each) if names], kind="unknown-labels", level="caution",
        what=f"Of some of {counted(len(each), 'picture')} it is not known whether they have the label: {listed}.",
        done="There it counts in no loss and in no score.",
        change="If a blank or -1 says no, or yes, write 0 or 1 for it into the table.",
        figures={"counts": dict(counts)},
    )  # fmt: skip


def _ungrouped(case: Case) -> Iterator[Finding]:
    rows = [row for row, sample in enumerate(case.samples) if sample.group is None]
    yield from case.about(
        rows if len(rows) < len(case.samples) else [], kind="ungrouped", level="caution",
        what=f"{len(rows):,} of {counted(len(case.samples), 'picture')} have no group.",
        done="Each stands alone: if several are of one group, they may be learned from and tested on.",
        change="If they have groups too, let --group match their paths, or fill in the table's column.",
    )  # fmt: skip
    patients = case.facts["patient"][case.facts["patient"] > 0]
    files = (PATIENT, len(np.unique(patients)))
    said = case.perhaps or (files if 1 < files[1] < len(patients) else None)
    if said and len(rows) == len(case.samples):
        yield Finding(
            kind="unused-groups", level="caution", count=len(rows),
            what=f"{said[0]!r} has {said[1]:,} values for {counted(len(rows), 'picture')}.",
            done="Pictures of one value were not kept together: if they are of one patient, the scores are too good.",
            change=f"--group {said[0]!r} keeps them in one part.",
        )  # fmt: skip


def _examples(items: Sequence[LeftOut]) -> str:
    return first_few([item.said for item in items], 2)


def _wrong_names(case: Case) -> Iterator[Finding]:
    """Files whose ending names another format than they have."""
    rows, kinds = [], Counter()
    for row, number in enumerate(case.facts["format"].tolist()):
        suffix = PurePosixPath(case.path(row)).suffix.lower()
        said = IMAGE_SUFFIXES.get(suffix)
        if said and number < len(FORMATS) and said != FORMATS[number]:
            rows.append(row)
            kinds[f"{FORMATS[number]} named {suffix}"] += 1
    yield from case.about(
        rows, kind="wrong-ending", level="note" if len(rows) > len(case.samples) / 2 else "caution",
        what=f"{counted(len(rows), 'file')} of another format than the name says: {_mixture(kinds)}.",
        done="Read by what they hold, not by their names, and used.", figures={"kinds": dict(kinds)},
        change="Look whether they are the pictures that you meant: a download that failed may be one.",
    )  # fmt: skip


def _pages(case: Case) -> Iterator[Finding]:
    rows = np.flatnonzero(case.facts["pages"] > 1)
    pages = int(case.facts["pages"][rows].sum())
    used = f"Page {case.page} of each is used (the first is 0)."
    used = f"Of every value the {case.page} over all pages is used." if isinstance(case.page, str) else used
    yield from case.about(
        rows, kind="pages", level="caution" if case.page == 0 and 2 * len(rows) >= len(case.samples) else "note",
        what=f"{counted(len(rows), 'file')} of several pages, slices or frames, {pages:,} in all.",
        done=used, figures={"pages": pages},
        change="--page N takes another, --page max or mean the largest or mean value over all; --form volume takes all "
        "of a file together.",
    )  # fmt: skip


def _apart(case: Case) -> Iterator[Finding]:
    words, sets = case.apart
    if words:
        option = f"--channels{'=' if words[0].startswith('-') else ' '}{','.join(words)}"
        yield Finding(
            kind="channels-apart", level="caution", count=sum(map(len, sets)), groups=case.groups(sets),
            what=f"By their names {len(sets):,} pictures have their {len(words)} channels in files of their own.",
            done="Each file counts as a picture, and the same field may be in several parts.",
            change=f"{option} reads the files of a field as one picture.", figures={"option": option},
        )  # fmt: skip


def _narrow(case: Case) -> Iterator[Finding]:
    """Deep pictures whose range is taken by a few pixels, which may be what is to be seen or hide it."""
    facts = case.facts
    deep = np.flatnonzero((facts["depth"] != DEPTHS.index("uint8")) & (facts["high"] > facts["low"]))
    if not len(deep):
        return
    low, high = np.percentile(facts["thumb"][deep], (5, 95), axis=(1, 2))
    rows = deep[high - low <= _NARROW * 255]
    yield from case.about(
        rows if 2 * len(rows) > len(case.samples) else rows[:0], kind="narrow", level="note",
        what=f"In {counted(len(rows), 'picture')} nine tenths lie within {100 * _NARROW:.0f} % of the range of values.",
        done="If a few pixels of many values take the rest of the scale, little of it is left for all others.",
        change="If these are a scale bar, hot pixels or the like, crop the pictures or set such pixels to the median.",
    )  # fmt: skip


def _classes(case: Case) -> Iterator[Finding]:
    counts = {name: int(count) for name, count in zip(case.classes, np.bincount(case.labels), strict=True)}
    single = [name for name, count in counts.items() if count == 1]
    yield from case.about(
        [row for row, sample in enumerate(case.samples) if counts[sample.label] == 1], kind="single", level="problem",
        what=f"{counted(len(single), 'class')} of one picture only: {first_few(single)}.",
        done="Training will stop here: what is learned from cannot also be tested on.",
        change="Add pictures to such a class, or take it out.",
    )  # fmt: skip
    if len(counts) == 1:
        yield Finding(
            kind="one-class", level="problem", count=len(case.samples),
            what=f"All pictures are of one class, {case.classes[0]!r}.", done="Training will stop here.",
            change=f"Give the folder of the class folders, or {other_labels(item.path for item in case.left_out)}.",
        )  # fmt: skip
    if lost := _lost(case):
        yield Finding(
            kind="lost-class", level="problem", count=len(lost),
            what=f"No picture of {counted(len(lost), 'class')} can be read: {first_few(lost)}.",
            done="Not among what is learned.", change="Mend or fetch its pictures, or take the class out.",
        )  # fmt: skip
    yield from _imbalance({name: count for name, count in counts.items() if count > 1})
    near: defaultdict[str, list[str]] = defaultdict(list)
    for name in counts:
        near["".join(filter(str.isalnum, _ZEROS.sub("", name.casefold()))) or name].append(name)
    several = [names for names in near.values() if len(names) > 1]
    pairs = [" and ".join(map(repr, names)) for names in several]
    yield from case.about(
        [row for row, sample in enumerate(case.samples) if any(sample.label in names for names in several)],
        kind="class-names", level="caution", what=f"Classes with nearly the same name: {first_few(pairs)}.",
        done="They are kept apart.", change="If they are one, give them one name, of the folder or in the table.",
    )  # fmt: skip


def _lost(case: Case) -> list[str]:
    """The classes of pictures that are left out, and of no other; a word for a missing class is none."""
    pictures = (item for item in case.left_out if is_picture_name(item.path) or "is not supported" in item.reason)
    return class_order({item.label for item in pictures if "is no label" not in item.reason} - {"", *case.classes})


def _imbalance(counts: dict[str, int]) -> Iterator[Finding]:
    if len(counts) < 2:
        return
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    ratio = counts[most] / counts[least]
    if ratio >= RATIOS[1]:
        share = counts[most] / sum(counts.values())
        yield Finding(
            kind="imbalance", level="caution" if ratio >= RATIOS[0] else "note", count=counts[least],
            what=f"Class {most!r} has {ratio:.1f} times as many pictures as {least!r} ({counts[most]:,} to "
            f"{counts[least]:,}): always answering {most!r} would be right for {100 * share:.0f} %.",
            done="Training weighs rare classes more where it must; scores stand beside what guessing gives.",
            change="Read the balanced accuracy. --balance none, weights or sampling decides it by hand.",
            figures={"ratio": ratio, "counts": counts},
        )  # fmt: skip
    few = {name: count for name, count in counts.items() if count < FEW}
    if few:
        listed = first_few([f"{name} ({count})" for name, count in few.items()])
        yield Finding(
            kind="few", level="caution", count=sum(few.values()), figures={"counts": few},
            what=f"{counted(len(few), 'class')} of fewer than {FEW} pictures: {listed}.",
            done="They are used; their scores will hang on very few test pictures.",
            change="Add pictures, or use --folds 5, which tests on every picture once.",
        )  # fmt: skip


def _constant(case: Case) -> Iterator[Finding]:
    rows = np.flatnonzero(case.facts["high"] <= case.facts["low"])
    yield from case.about(
        rows, kind="constant", level="caution", done="They are used.",
        what=f"{counted(len(rows), 'picture')} of one single value: nothing is on them.",
        change="Take them out of the folder, unless an empty picture is what the class means.",
    )  # fmt: skip


def _slips(case: Case) -> Iterator[Finding]:
    """Few numbers so much further from the median than all others that they may be slips of the pen."""
    for name, values in zip(case.names, case.numbers.T, strict=False):
        if len(values) < ENOUGH:
            return
        usual = float(np.median(values))
        rows = np.flatnonzero(apart(np.abs(values / 2 - usual / 2)))  # halves do not overflow
        listed = first_few([f"{case.path(row)} {number_text(values[row])}" for row in rows], 3)
        yield from case.about(
            rows, kind="far-number", level="caution",
            what=f"{counted(len(rows), 'number')} of {name!r} at least {SLIP:.0f} times as far from the median, "
            f"{number_text(usual)}, as all others: {listed}.",
            done="Used; what is learned of all others suffers, as all are brought to one scale.",
            change="If they are slips or stand for a missing number, correct them in the table or take the lines out.",
        )  # fmt: skip


def apart(away: np.ndarray) -> np.ndarray:
    """(K,) of bool: which of these distances from a median are beyond a gap that honest numbers do not have.

    The gap is SLIP times what is before it, twice as much among ENOUGH, and more where the others reach far themselves,
    in units of their own median: so long tails, as of prices, seldom have one. At most a tenth of all is beyond.
    """
    order = np.sort(away[away > 0])
    if len(order) < ENOUGH:
        return np.zeros(len(away), bool)
    before, behind = order[:-1], order[1:]
    wide = behind / np.maximum(SLIP * (1 + ENOUGH / len(order)), before / np.median(order)) > before
    wide[: int(0.9 * len(order)) - 1] = False
    return away > (before[wide.argmax()] if wide.any() else np.inf)
