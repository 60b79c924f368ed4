"""Names that say which pictures belong together: a patient, a slide, a film, an hour at the microscope.

Names are only names, so the pictures are asked too: how often is the most alike picture of the same class one with
the same name part, against how often by chance? Plain counters and random letters say nothing of the kind.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from striate.check.case import Case
from striate.check.finding import Finding

MOST = 2000  # pictures whose most alike ones are sought
COMMON = 0.6  # least share of the names that are built alike
SURE, LIFT = 5.0, 0.05  # standard deviations above chance, and shares of the pictures above it, that are evidence
FILM = 0.5  # share from which consecutive numbers are a film and not just an order in which pictures came
SHUFFLES = 200
WORDS = re.compile(
    r"(?i)(?<![a-z])(patient|pat|subject|subj|participant|person|donor|volunteer|animal|mouse|rat|slide|biopsy|"
    r"specimen|section|case|plate|well|video|movie|film|clip|scene|session)(?![a-z])"
)
_TOKENS = re.compile(r"[^\W\d_]+|\d+|[\W_]+"), re.compile(r"[^\W_]+|[\W_]+")  # the second for ids such as 5f82c2d9


@dataclass(frozen=True)
class Naming:
    """One way to read groups from names: the value of --group, and the group of every picture, -1 without one.

    word: whether a name says what it is. restarts: whether the last number begins anew in every group. run: whether
    it is a stretch of consecutive numbers, which is looked for only where nothing else is found. folders: whether
    these are the names of folders.
    """

    option: str
    groups: np.ndarray
    names: Sequence[str]
    word: bool
    restarts: bool = False
    run: bool = False
    folders: bool = False


@dataclass(frozen=True)
class Evidence:
    """How often a picture's most alike one of its class shares its group, by chance, and standard deviations above."""

    share: float
    chance: float
    deviations: float

    @property
    def holds(self) -> bool:
        return self.deviations >= SURE and self.share - self.chance >= LIFT


def series(case: Case) -> list[Finding]:
    """At most one finding: the coarsest grouping that the pictures bear out, else one that a name plainly says; rows of
    an array have numbers alone."""
    named = [sample for sample in case.samples if case.form != "picture" or isinstance(sample.source, Path)]
    if 2 * sum(sample.group is None for sample in named) < len(case.samples) or not named or case.apart[0]:
        return []
    different = {naming.groups.tobytes(): naming for naming in reversed(list(_namings(case)))}
    folders = {folder for sample in case.samples for folder in sample.path.split("/")[:-1] if folder.isalpha()}
    namings = [naming for naming in different.values() if _is_plausible(naming.groups, case.kinds)]
    namings = [naming for naming in namings if naming.folders or not folders.issuperset(naming.names)]  # but classes
    namings.sort(key=lambda naming: (int(naming.groups.max()), int(np.sum(naming.groups < 0))))
    for run in (False, True):
        tried = [naming for naming in namings if naming.run == run]
        if best := _coarsest(tried, case.kinds, case.facts):
            return [_finding(case, *best)]
    said = [naming for naming in namings if not naming.run and (naming.word or naming.restarts)]
    fronts = [naming.groups for naming in said if naming.option.startswith("(")]  # slide 1 of each patient parts these
    whole = [one for one in said if all(_nests(one.groups, front) or _nests(front, one.groups) for front in fronts)]
    return [_finding(case, one, None) for one in whole[:1]]


def _coarsest(namings: Sequence[Naming], labels: np.ndarray, facts: np.ndarray) -> tuple[Naming, Evidence] | None:
    """Of those that the pictures bear out the one with the fewest groups, if it says more than finer ones in it."""
    proven = [(naming, found) for naming in namings if (found := evidence(naming.groups, labels, facts)).holds]
    for place, (naming, found) in enumerate(proven):
        finer = next((other.groups for other, _ in proven[place + 1 :] if _nests(other.groups, naming.groups)), None)
        if finer is None or evidence(naming.groups, labels, facts, finer).holds:
            return naming, found
    return None


def evidence(groups: np.ndarray, labels: np.ndarray, facts: np.ndarray, apart: np.ndarray | None = None) -> Evidence:
    """Whether pictures of one group are more alike than others of their class, by a permutation test.

    groups: (K,) numbers, -1 for none. facts: (K,) of FACTS; of the two looks taken from them the one that shows more
    counts. apart: (K,) numbers; pictures with the same one are never compared, so that only what goes beyond counts,
    and those of other classes are: names with the class in them part a patient by it.
    """
    rows, best = _whole_groups(groups), Evidence(0.0, 0.0, 0.0)
    random = np.random.default_rng(0)
    kinds = [np.flatnonzero(labels[rows] == kind) for kind in np.unique(labels[rows])]
    within, never = (kinds, None) if apart is None else ([np.arange(len(rows))], apart[rows])
    for look in _looks(facts[rows]):
        twin = _most_alike(look, within, never)
        asked = np.flatnonzero(twin >= 0)
        if len(asked) < 10:
            return best
        mine = groups[rows]
        share, by_chance = float((mine[twin[asked]] == mine[asked]).mean()), []
        for _ in range(SHUFFLES):
            mixed = mine.copy()
            for kind in kinds:
                mixed[kind] = random.permutation(mine[kind])
            by_chance.append(float((mixed[twin[asked]] == mixed[asked]).mean()))
        chance, spread = float(np.mean(by_chance)), float(np.std(by_chance)) + 0.5 / len(asked)
        found = Evidence(share, chance, (share - chance) / spread)
        best = max(best, found, key=lambda item: item.deviations)
    return best


def _whole_groups(groups: np.ndarray) -> np.ndarray:
    """Rows of groups of two or more, whole groups spread over the set, about MOST in all."""
    counts = np.bincount(groups[groups >= 0], minlength=1)
    kept = np.flatnonzero(counts > 1)
    order = np.random.default_rng(0).permutation(kept)
    taken = order[: max(2, int(np.searchsorted(np.cumsum(counts[order]), MOST)))]
    return np.flatnonzero(np.isin(groups, taken))[: 2 * MOST]


def _most_alike(look: np.ndarray, kinds: Sequence[np.ndarray], apart: np.ndarray | None) -> np.ndarray:
    """Of each row the most alike other one of its kind, by the distance of standardised features; -1 for none."""
    look = (look - look.mean(axis=0)) / (look.std(axis=0) + 0.05 * look.std() + 1e-6)
    twin = np.full(len(look), -1)
    for kind in kinds:
        values = look[kind]
        squares = np.einsum("ij,ij->i", values, values)
        distances = squares[:, None] + squares - 2 * values @ values.T
        np.fill_diagonal(distances, np.inf)
        if apart is not None:
            distances[(apart[kind][:, None] == apart[kind]) & (apart[kind] >= 0)] = np.inf
        nearest = distances.argmin(axis=1)
        has = np.isfinite(distances[np.arange(len(kind)), nearest])
        twin[kind[has]] = kind[nearest[has]]
    return twin


def _looks(facts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where which colours lie; and which colours, contrasts and fineness there are, wherever they lie."""
    colours = facts["tint"].reshape(len(facts), -1, 3).astype(np.float32)
    marks = (5, 25, 50, 75, 95)
    full = np.array([255, 65535, 1.0])[facts["depth"]]
    logs = [30 * np.log(np.abs(facts[name]) / full + 1e-4) for name in ("mean", "std", "detail")]
    shades = np.percentile(facts["thumb"].reshape(len(facts), -1), marks, axis=1).T
    anywhere = [*np.percentile(colours, marks, axis=1), shades, np.stack(logs, axis=1)]
    return colours.reshape(len(facts), -1), np.concatenate(anywhere, axis=1).astype(np.float32)


def _is_plausible(groups: np.ndarray, labels: np.ndarray) -> bool:
    """Several pictures to most groups, and several groups to most classes."""
    known = groups >= 0
    counts = np.bincount(groups[known], minlength=1)
    together = counts[counts > 1].sum()
    if together < len(groups) / 2 or np.sum(counts > 1) < 3 or len(counts) > known.sum() / 1.5:
        return False
    alone = [kind for kind in np.unique(labels) if len(np.unique(groups[known & (labels == kind)])) < 2]
    return len(alone) < len(np.unique(labels)) / 2


def _nests(fine: np.ndarray, coarse: np.ndarray) -> bool:
    """Whether pictures with one `fine` group have one `coarse` group."""
    both = (fine >= 0) & (coarse >= 0)
    return both.any() and len(np.unique(np.stack([fine[both], coarse[both]]), axis=1).T) == len(np.unique(fine[both]))


def _namings(case: Case) -> Iterator[Naming]:
    yield from _of_folders(case)
    paths = [sample.path for sample in case.samples]
    end = r"\.\w+$" if all("." in path for path in paths[:100]) else "$"
    for mixed, token in enumerate(_TOKENS):
        tokens = [token.findall(PurePosixPath(path).stem) for path in paths]
        built = [_shape(words, mixed) for words in tokens]
        shapes = Counter(built)
        shape, count = shapes.most_common(1)[0]
        if count >= COMMON * len(paths):
            columns = _columns([words for words, one in zip(tokens, built, strict=True) if one == shape])
            every = _patterns(columns)
            yield from (_read(paths, option + end, rest and rest + end, run) for option, rest, run in every)
        front = _front(shapes, count)
        begun = [words for words, one in zip(tokens, built, strict=True) if one[: len(front)] == front]
        columns = _columns([words[: len(front)] for words in begun])
        yield from (_read(paths, f"(?:^|/){option}[^/]*$") for option in _fronts(columns, len(columns)))


def _of_folders(case: Case) -> Iterator[Naming]:
    """The folders below those of the classes: all of them, and the upper ones alone."""
    above = {_depth(sample.path, sample.label) for sample in case.samples}
    below = [sample.path.split("/")[_depth(sample.path, sample.label) : -1] for sample in case.samples]
    whole = ["/".join(folders) for folders in below]
    if any(whole):
        found = _numbered(whole)
        yield Naming("parent", *found, word=any(WORDS.search(name) for name in found[1]), folders=True)
    for count in range(1, max(map(len, below)) if len(above) == 1 else 0):
        option = "^" + "[^/]+/" * next(iter(above)) + "(" + "/".join(["[^/]+"] * count) + ")/"
        yield replace(_read([sample.path for sample in case.samples], option), folders=True)


def _read(paths: Sequence[str], option: str, rest: str = "", run: bool = False) -> Naming:
    """What an expression reads from the paths; rest: the one that reads the last number of the name."""
    found = [re.search(option, path) for path in paths]
    groups, names = _numbered([match.group(1) if match else "" for match in found])
    remains = [re.search(rest, path) for path in paths] if rest else []
    counters = np.array([int(match.group(1)) if match else -1 for match in remains])
    word = any(WORDS.search(name.replace("_", " ")) for name in names[:50])
    return Naming(option, groups, names, word, bool(remains) and _restarts(groups, counters), run)


def _depth(path: str, target: str) -> int:
    """How many folders lead to the class and into it; all where none is named like it."""
    folders = path.split("/")[:-1]
    return folders.index(target) + 1 if target in folders else len(folders)


def _front(shapes: Counter, count: int) -> tuple[str, ...]:
    """The longest beginning up to a sign that COMMON of the names have, more of them than the `count` whose whole
    shape is the same; () for none. What follows may be anything: letters at random, a word that some names have."""
    total, best = sum(shapes.values()), ()
    for length in range(1, len(shapes.most_common(1)[0][0]) + 1):
        fronts = Counter()
        for shape, number in shapes.items():
            fronts[shape[:length]] += number
        front, number = fronts.most_common(1)[0]
        if number < COMMON * total or number <= count:
            break
        best = front if front[-1] not in ("9", "a", "x") else best
    return best


def _columns(alike: Sequence[Sequence[str]]) -> list[Counter]:
    """The words in each place of names that are built alike."""
    return [Counter(column) for column in zip(*alike, strict=True)]


def _shape(tokens: Sequence[str], mixed: bool) -> tuple[str, ...]:
    """The kind of every token, of signs themselves; mixed: letters and digits are one kind."""
    kinds = ("x", "x") if mixed else ("9", "a")
    return tuple(kinds[not token.isdigit()] if token.isalnum() else token for token in tokens)


def _numbered(names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(K,) the number of each name among the sorted different ones, -1 for the empty one; and those."""
    known = sorted(set(names) - {""})
    numbers = {name: number for number, name in enumerate(known)}
    return np.array([numbers.get(name, -1) for name in names]), known


def _patterns(columns: Sequence[Counter]) -> Iterator[tuple[str, str, bool]]:
    """Expressions whose bracket is the front of a name up to a varying token, one token, or a run of numbers.

    With each goes an expression for the last number of the name, where the bracket leaves that out, and whether it
    takes hundreds or tens of consecutive numbers together.
    """
    varying = [place for place, words in enumerate(columns) if _varies(words)]
    parts = [_written(words) for words in columns]
    last = varying[-1] if varying else -1
    is_number = bool(columns) and all(map(str.isdigit, columns[last]))
    rest = "".join(parts[:last]) + f"({parts[last]})" + "".join(parts[last + 1 :]) if is_number else ""
    for front in _fronts(columns, last):
        yield front, rest, False
    for place in varying[1:]:
        first = place - 1 if next(iter(columns[place - 1])).isalpha() else place
        if first:
            before, own = "".join(parts[:first]), "".join(parts[first : place + 1])
            yield f"{before}({own})" + "".join(parts[place + 1 :]), "", False
    if is_number:
        after = "".join(parts[last + 1 :])
        for tail in (r"\d?\d", r"\d"):
            yield f"({''.join(parts[:last])}\\d*?){tail}{after}", "", True


def _fronts(columns: Sequence[Counter], last: int) -> Iterator[str]:
    """Expressions whose bracket is the front of a name up to a varying token before the token `last`."""
    parts = [_written(words) for words in columns]
    for place, words in enumerate(columns[: max(last, 0)]):
        if _varies(words):
            yield f"({''.join(parts[: place + 1])})" + "".join(parts[place + 1 :])


def _varies(words: Counter) -> bool:
    """Whether a place of the names holds different words or numbers."""
    return len(words) > 1 and next(iter(words)).isalnum()


def _written(words: Counter) -> str:
    """An expression for one token: itself where it never changes, unless it is a number."""
    first, word = next(iter(words)), "".join(words)
    if word.isdigit():
        return r"\d+"
    if len(words) == 1 or not first.isalnum():
        return re.escape(first).replace(r"\-", "-").replace(r"\ ", " ")
    return r"[^\W_]+" if not word.isalpha() else "[A-Za-z]+" if word.isascii() else r"[^\W\d_]+"


def _restarts(groups: np.ndarray, counters: np.ndarray) -> bool:
    """Whether the last number begins at 0 or 1 anew in nearly every group, as tiles and frames are counted."""
    known = (groups >= 0) & (counters >= 0)
    if not known.any():
        return False
    lowest = np.full(groups.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(lowest, groups[known], counters[known])
    return bool(np.mean(lowest[np.unique(groups[known])] <= 1) > 0.9)


def _finding(case: Case, naming: Naming, found: Evidence | None) -> Finding:
    groups, count = naming.groups, len(naming.names)
    known = groups >= 0
    rows = [np.flatnonzero(groups == group) for group in range(count)]
    rows = [group for group in rows if len(group) > 1]
    crossing = sum(len(set(case.kinds[group])) > 1 for group in rows)
    parted = sum(len(set(case.parts[group])) > 1 for group in rows)
    example = case.path(int(known.argmax())).rpartition("/")[2]
    where = "the folders below the classes" if naming.folders else f"names such as {example!r}"
    what = f"By {where} the pictures fall into {count:,} groups (such as {naming.names[0]!r})"
    if found:
        alike = "the most alike one" + " of the class" * case.one_label
        what += (
            f", and they look it: for {100 * found.share:.0f} % of the pictures {alike} is of the same group, "
            f"by chance for {100 * found.chance:.0f} %"
        )
    what += "." + (f" Groups with several classes: {crossing:,}." if crossing else "")
    what += f" Groups in more than one of the given parts: {parted:,}." if parted else ""
    option = f"--group '{naming.option}'" if naming.option != "parent" else "--group parent"
    change = f"If a group is one patient, slide or film: {option} keeps each in one part."
    if parted:
        change += " Parts that are given are kept, so divide the folder anew, or give it without parts."
    return Finding(
        kind="series",
        level="problem" if found and (not naming.run or found.share >= FILM) else "caution",
        what=what,
        count=int(known.sum()),
        done="They were not kept together: if they belong together, the scores are too good.",
        change=change,
        groups=case.groups(rows),
        figures={
            "option": option, "groups": count, "across_classes": crossing, "across_parts": parted,
            "share": found.share if found else None, "chance": found.chance if found else None,
        },
    )  # fmt: skip
