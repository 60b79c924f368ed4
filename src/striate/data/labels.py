"""Pictures of a folder that get their class from a pattern in their name, or from a table joined by name or number."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from striate.data.apart import called, files_of
from striate.data.columns import COLUMNS, cell_at, read_layout, read_lines
from striate.data.content import IMAGE_SUFFIXES
from striate.data.folder import is_picture_name, number_key, part_named, read_flat, tables_in, with_parts
from striate.data.sample import Asked, Found, LeftOut, Row, Sample
from striate.data.table import Claims, unused_words
from striate.data.targets import CLASS, NUMBERS, meaning_of, number_words
from striate.errors import StriateError, first_few
from striate.files import readable

NAMES = ("id", "image_id", "img_id", "id_code", "image_name", "name", "uid", "case", "case_id", *COLUMNS["path"])
_WHOLE, _DIGITS, _ZEROS = re.compile(r"(\d+)(?:[.,]0+)?"), re.compile(r"\d+"), re.compile(r"(?<!\d)0+(?=\d)")
_BY_NAME, _BY_NUMBER = 1, 3  # the loosest ways to find a picture by its name, and by its number
_BARE = 4  # the way to find a picture that is called by a number alone
_FEW = 8  # pictures of one name that are looked at one by one
_FEW_LINES = 1000  # from which it is told whether a table names pictures at all
_LOOKED_AT = 20_000  # lines from which the column of names is told


def label_by_pattern(folder: Path, pattern: str, task: str | None = None) -> Found:
    """The pictures anywhere in `folder`, each with the label that a regular expression finds in its file name.

    The label is the bracket named `label`, else the first one, else the whole match; brackets named `group`
    and `part` give these. A pattern with a "/" is searched in the path below the folder. task: where it is said; else
    labels mean what they would in a table, but numbers are classes. A picture that does not match is left out;
    StriateError when none does.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise _no_pattern(pattern, error) from None
    found, samples, left_out = _flat(folder), [], []
    for sample in found.samples:
        path = unicodedata.normalize("NFC", sample.path)
        labelled = _by_match(sample, expression.search(path if "/" in pattern else path.rpartition("/")[2]))
        (samples if isinstance(labelled, Sample) else left_out).append(labelled)
    if not samples:
        raise _no_pattern(pattern, f"none of {len(found.samples):,} pictures, for example {found.samples[0].path}")
    cells = [(sample.target,) for sample in samples]
    meaning = meaning_of(cells, (0,), ("label",), task)
    if task is None and meaning.task == NUMBERS:  # what numbers a name holds is less plain than a column of them
        meaning = meaning_of(cells, (0,), ("label",), CLASS)
    meant = [(sample, *meaning.target((sample.target,))) for sample in samples]
    samples = [replace(sample, target=target) for sample, target, problem in meant if not problem]
    left_out += [sample.left_out(problem) for sample, _, problem in meant if problem]
    samples.sort(key=lambda sample: number_key(sample.path))
    said = f"the names, by {pattern}{number_words(meaning.task, samples)}"
    left_out = found.left_out + left_out
    return replace(found, kind="names", samples=samples, left_out=left_out, labels=said, **meaning.about)


def label_by_table(folder: Path, file: Path, asked: Asked) -> Found:
    """The pictures anywhere in `folder`, each with the label of its line in the table `file` and in the order of these.

    A line belongs to the picture of that name: as it is written, then whatever the case and without the ending,
    then without zeros before numbers, then by number alone, where "123" is `IMG_00123.png`. Folders may be missing
    on either side; where both have some, the shorter path must be the end of the longer. A line that fits no
    picture or several, and a picture without a line, is left out with the reason. Raises StriateError when
    nothing fits.
    """
    return _labelled(folder, file, asked)[0]


def _labelled(folder: Path, file: Path, asked: Asked) -> tuple[Found, int, int]:
    """The same, and how many lines of the table and how many pictures are left over."""
    found, first = _flat(folder), {}
    one_each = [s for s in found.samples if first.setdefault(tuple(files_of(s.source, asked.apart)), s) is s]
    found = replace(found, samples=one_each)  # of several channels
    index, table = _Index([sample.path for sample in one_each], asked.apart), read_lines(file, asked)
    layout = read_layout(table, partial(_name_column, file, index), lambda cell: bool(index.find(cell)[1]))
    join, matches = _Join(meaning=layout.meaning), [(*index.find(row.name), row) for row in layout.rows()]
    for looseness, fits, row in sorted(matches, key=lambda match: match[0]):
        _take(join, found.samples, looseness, fits, row)
    samples, bare = _pictures(join, found.samples, file.name)
    own = os.path.realpath(file)
    others = [item for item in found.left_out if os.path.realpath(os.path.join(found.root, item.path)) != own]  # noqa: PTH118
    lost = [item for _, item in sorted(join.left_out, key=lambda item: item[0])]
    said = layout.said + number_words(layout.meaning.task, samples) + unused_words(layout)
    found = replace(found, samples=samples, left_out=others + lost + bare, labels=said, **layout.about)
    return found, len(lost), len(bare)


def fitting_table(folder: Path, asked: Asked) -> Found | None:
    """The same with the one table that lies in `folder`, or None when there is none, or it does not give half of the
    pictures (or half of its own lines) a label, of two or more."""
    tables = tables_in(folder)
    if len(tables) != 1:
        return None
    try:
        found, lost, bare = _labelled(folder, tables[0], asked)
    except StriateError:
        return None
    various = len({sample.target for sample in found.samples}) > 1
    return found if various and len(found.samples) >= min(lost, bare) else None


def naming_table(folder: Path, found: Found) -> str | None:
    """Where class folders are called alike but for numbers (images_001, images_002): the longest table in `folder` with
    a column of which most cells name one of the pictures, and with none of these classes in any cell."""
    classes, fitting = set(found.classes), []
    if len(classes) < 2 or len(stems := {_DIGITS.sub("", name).strip("_- ") for name in classes}) > 1 or "" in stems:
        return None
    index = _Index([sample.path for sample in found.samples])
    for file in tables_in(folder):
        try:
            lines = read_lines(file).rows
        except StriateError:
            continue
        looked = lines[1 :: -(-len(lines) // _FEW_LINES)]
        named = (sum(index.find(cell)[0] < _BY_NUMBER for cell in column) for column in zip(*looked, strict=False))
        if 2 * max(named, default=0) > len(looked) and not any(classes & set(cells) for cells in lines):
            fitting.append((len(lines), file.name))
    return max(fitting)[1] if fitting else None


def _flat(folder: Path) -> Found:
    """Every picture below `folder`, without a class; in a part where the folders are called so."""
    found = read_flat(folder)
    return replace(found, samples=with_parts(found.samples))


def _by_match(sample: Sample, match: re.Match | None) -> Sample | LeftOut:
    if match is None:
        return sample.left_out("its name does not match --label-regex")
    named = match.groupdict()
    label = named["label"] if "label" in named else match[1 if match.re.groups else 0]
    part, problem = part_named(named.get("part") or "")
    problem = problem if label else "--label-regex finds an empty label in its name"
    target, group = readable((label or "").strip()), named.get("group") or None
    sample = replace(sample, target=target, group=group, part=part or sample.part)
    return sample.left_out(problem) if problem else sample


def _no_pattern(pattern: str, problem: object) -> StriateError:
    rule = "--label-regex is a regular expression that finds the class in the names of pictures"
    remedy = "for example --label-regex '_(cat|dog)_', or '^([a-z]+)' for cat001.png"
    return StriateError(rule, received=repr(pattern), where=problem, remedy=remedy)


class _Index:
    """Pictures by their names: exact, without case and ending, without zeros before numbers, and by the one number
    that tells them apart. words: of channels, which say nothing of the picture."""

    def __init__(self, paths: Iterable[str], words: Sequence[str] = ()) -> None:
        self.words, self.paths = words, [unicodedata.normalize("NFC", called(path, words)) for path in paths]
        self.whole, self.ends = _by_key(self.paths), {}
        stems = [_stem(path.rpartition("/")[2]) for path in self.paths]
        shared = re.sub(r"\d+$", "", os.path.commonprefix(stems)) if len(stems) > 1 else ""  # noqa: RUF071
        numbers = [
            told or _number(stem[len(shared) :]) for stem, told in zip(stems, _telling_numbers(stems), strict=True)
        ]
        bare = (number if stem.isdecimal() else None for stem, number in zip(stems, numbers, strict=True))
        names = (path.rpartition("/")[2] for path in self.paths)
        bald = (_bald(stem) for stem in stems)
        keys = ((str, names), (_stem, stems), (_bald, bald), (_number, numbers), (_number, bare))
        self.ways = [(key, _by_key(of)) for key, of in keys]  # of comparing names, from exact to loose

    def find(self, written: str) -> tuple[int, list[int]]:
        """How loosely (0 to 3) a name as written in a table is found, and the pictures that it fits."""
        path = unicodedata.normalize("NFC", called(written, self.words)).replace("\\", "/").removeprefix("./")
        if path in self.whole:
            return 0, self.whole[path]
        folders, _, name = path.rpartition("/")
        by_number = _BY_NUMBER if _WHOLE.fullmatch(name) else _BARE  # HAM_118 is not ISIC_118, but it may be 118
        for looseness, way in enumerate((*range(_BY_NUMBER), by_number)):
            if fits := self._agreeing(way, self.ways[way][0](name) or "", folders.casefold()):
                return looseness, fits
        return _BY_NUMBER, []

    def _agreeing(self, way: int, key: str, folders: str) -> list[int]:
        """The pictures of one key whose folders agree with `folders`: the shorter of both is the end of the longer."""
        pictures = self.ways[way][1].get(key, [])
        if len(pictures) > _FEW and (way, key) not in self.ends:
            ends = self.ends[way, key] = defaultdict(list)  # by each end of their folders, and by the whole behind \0
            for number in pictures:
                folder = self._folder(number)
                for end in (f"\0{folder}", *_ends(folder)):
                    ends[end].append(number)
        if len(pictures) <= _FEW:
            return [n for n in pictures if folders in _ends(self._folder(n)) or self._folder(n) in _ends(folders)]
        ends = self.ends[way, key]
        shorter = [number for end in _ends(folders)[1:] for number in ends.get(f"\0{end}", ())]
        return sorted({*shorter, *ends.get(folders, ())}) if shorter else ends.get(folders, [])

    def _folder(self, number: int) -> str:
        return self.paths[number].rpartition("/")[0].casefold()


def _by_key(keys: Iterable[str | None]) -> dict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        if key:
            found[key].append(number)
    return found


def _stem(name: str) -> str:
    stem, dot, ending = name.rpartition(".")  # quicker than a Path, and there may be a million
    return (stem if (dot + ending).lower() in IMAGE_SUFFIXES else name).casefold()


def _bald(name: str) -> str:
    return _ZEROS.sub("", _stem(name))


def _number(name: str) -> str | None:
    """The only number in a name, without zeros before it; 7.0 is 7."""
    stem = _stem(name)
    whole = _WHOLE.fullmatch(stem)
    runs = [whole[1]] if whole else _DIGITS.findall(stem)
    return (runs[0].lstrip("0") or "0") if len(runs) == 1 else None


def _telling_numbers(stems: list[str]) -> list[str | None]:
    """Of each name the number, without zeros before it, at the one place where those of its pattern differ."""
    told, alike = [None] * len(stems), defaultdict(list)
    runs = [[run.lstrip("0") or "0" for run in _DIGITS.findall(stem)] for stem in stems]
    for number, stem in enumerate(stems):
        alike[_DIGITS.sub("0", stem)].append(number)
    for names in alike.values():
        places = zip(*(runs[number] for number in names), strict=True)
        varied = [place for place, values in enumerate(places) if len(set(values)) > 1]
        for number in names if len(varied) == 1 else ():
            told[number] = runs[number][varied[0]]
    return told


def _ends(folder: str) -> list[str]:
    """A path, what is left of it without its first folder, and so on down to nothing."""
    words = folder.split("/") if folder else []
    return ["/".join(words[first:]) for first in range(len(words) + 1)]


def _name_column(file: Path, index: _Index, first: list[str], others: list[list[str]]) -> int:
    """The column whose cells name most pictures; of equals by name, with a known title, then the first of files."""
    looked = others[:: -(-len(others) // _LOOKED_AT)]
    hits: list[dict[int, int]] = [{} for _ in first]  # per column: picture → how loosely it was found
    for cells in looked:
        for column, cell in enumerate(cells[: len(first)]):
            looseness, fits = index.find(cell)
            if len(fits) == 1:
                hits[column][fits[0]] = looseness
    most = max(map(len, hits))
    if not most:
        rule = "a column of the table must name pictures of the folder"
        received = f"{first_few(looked[0])}; a picture is called {first_few(index.paths, 1)}"
        raise StriateError(rule, received=received, where=file, remedy="give their folder, or a line per picture")
    best = [column for column, found in enumerate(hits) if 2 * len(found) > most]
    strict = [column for column in best if sum(how < _BY_NUMBER for how in hits[column].values()) * 2 > most]
    chosen = strict or best
    titles = [first[column].casefold() for column in chosen]
    known = [title for title in NAMES if title in titles]
    as_files = [n for n in strict if any(is_picture_name(cell_at(cells, n)) for cells in looked)]
    if len(titles) > 1 and not known and not as_files:
        rule = "there must be no doubt which column of a table names the pictures"
        received = f"the columns {first_few([first[column] for column in chosen])}"
        remedy = "call it path or id, in the first line or with --columns"
        raise StriateError(rule, received=received, where=file, remedy=remedy)
    return chosen[titles.index(known[0])] if known else (as_files or chosen)[0]


@dataclass(slots=True, kw_only=True)
class _Join(Claims):
    """Pictures are their numbers. how: how loosely each was found."""

    how: dict[int, int] = field(default_factory=dict)
    doubtful: dict[int, tuple[int, list[int], str]] = field(default_factory=dict)  # by id: the list that fits
    left_out: list[tuple[int, LeftOut]] = field(default_factory=list)  # with the number of the line


def _take(join: _Join, samples: list[Sample], looseness: int, fits: list[int], row: Row) -> None:
    """Give the line `row` to the picture that it fits, or list why not."""
    problem = row.problem
    if not problem and len(fits) != 1:
        if id(fits) not in join.doubtful:  # thousands of lines may fit the same thousands of pictures
            said = f"fits {first_few([samples[number].path for number in fits], 3)}" if fits else "no such picture"
            join.doubtful[id(fits)] = row.line, fits, said
        problem = join.doubtful[id(fits)][2]
    if not problem:
        how = join.how.setdefault(fits[0], looseness)
        if looseness in (how, _BY_NAME) and join.claim(fits[0], row):  # a looser number may have meant another picture
            return
        problem = f"the same picture as in line {join.rows[fits[0]].line}"
    lone = samples[fits[0]] if len(fits) == 1 else None
    item = row.left_out(problem, lone.path, lone.part) if lone else row.left_out(problem)
    join.left_out.append((row.line, item))


def _pictures(join: _Join, samples: list[Sample], table: str) -> tuple[list[Sample], list[LeftOut]]:
    """The pictures with their labels, in the order of the lines, and those without one."""
    labelled, bare, told = {}, [], {item.path for _, item in join.left_out}
    doubtful = {number: line for line, fits, _ in join.doubtful.values() for number in fits}
    for number, sample in enumerate(samples):
        if number in join.clashes:
            parted = replace(sample, part=join.rows[number].part or sample.part)
            bare.append(parted.left_out(join.clash(number)))
        elif number in join.rows:
            row = join.rows[number]
            labelled[row.line] = replace(sample, target=row.target, group=row.group, part=row.part or sample.part)
        elif number in doubtful:
            bare.append(sample.left_out(f"line {doubtful[number]} fits other pictures too"))
        elif sample.path not in told:
            bare.append(sample.left_out(f"named by no line of {table}"))
    return [labelled[line] for line in sorted(labelled)], bare
