"""The pictures of a training: found, decoded once, checked and divided into parts."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from striate import files
from striate.check.doctor import check_store
from striate.check.finding import Check
from striate.data.blocks import blocks, in_time, kin_in_time
from striate.data.guard import rest
from striate.data.prepare import Preparation
from striate.data.sample import PARTS, Found, LeftOut, Sample, Target, bytes_of, class_order, evenly
from striate.data.sources import read_source, require_trainable
from striate.data.split import VALIDATED, folds, kin_of, require_folds, split, twins, validation_share
from striate.data.store import Store, build_store
from striate.data.survey import Survey, survey
from striate.data.wording import extent
from striate.errors import StriateError, counted, first_few
from striate.evaluate.seal import opened_before
from striate.network.catalog import CATALOG
from striate.tasks.task import Task, task_kind
from striate.train.events import Decoded, Note, Watch, in_words_of
from striate.train.learnable import learnable
from striate.train.listed import all_left_out, write_listed
from striate.train.plan import require_fit, shape_of
from striate.train.settings import PLACES, Settings

if TYPE_CHECKING:  # a check needs no model
    from striate.train.given import Given

COMPARING = 0.1  # of a budget in minutes may go into seeking pictures that look alike
TRAIN_SCORED = 2_500  # the score of more training pictures says nothing new
FEW_SCORED = 20  # the same where every picture has many answers
CHOSEN = "what is chosen by them (temperature, thresholds, where --patience ends) knows no other class"
TWIN, UNUSED = "twin", ""  # in place of a part, for rows that are in none
Source = str | Path | tuple | None  # None: the digits


@dataclass(frozen=True, kw_only=True)
class Division:
    """How the pictures of a run are divided: by a seed; with this `fold` (from 1) of `folds` (0: none) as test part."""

    seed: int = 0
    fold: int = 0
    folds: int = 0


@dataclass(frozen=True)
class Dataset:
    """The pictures of a run, decoded, checked and divided.

    parts: the part of every row of the store, TWIN or UNUSED. task: with the classes, in order. check: what was found.
    kin: (K,) the same number for rows that belong together: by group, by content, by looks; of blocks in time by
    group or as neighbours. aside: rows that the division uses for nothing, and why. empty: parts that were asked for
    and have no pictures. opened: earlier runs that have opened most of these test pictures, and how often.
    """

    found: Found
    survey: Survey
    store: Store
    parts: np.ndarray
    task: Task
    check: Check
    kin: np.ndarray
    aside: Mapping[int, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    opened: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def samples(self) -> list[Sample]:
        """The sample of every row of the store."""
        return [self.found.samples[i] for i in self.store.kept]

    @cached_property
    def targets(self) -> list[Target]:
        return [sample.target for sample in self.samples]

    def targets_of(self, rows: Iterable[int]) -> list[Target]:
        """The targets of some rows of the store."""
        return [self.targets[row] for row in rows]

    @property
    def sizes(self) -> np.ndarray:
        """(K, 2) height and width of every picture before it was made to fit."""
        return np.stack([self.store.facts["height"], self.store.facts["width"]], axis=1).astype(np.int64)

    def encoded(self, rows: np.ndarray) -> torch.Tensor:
        """(len(rows), ...) the targets of rows as the task learns them."""
        return self.task.encode(self.targets_of(rows), self.sizes[rows], self.store.shape)

    @cached_property
    def names(self) -> list[str]:
        """The path of every row of the store, as in data.csv."""
        return [sample.path for sample in self.samples]

    @property
    def left_out(self) -> list[LeftOut]:
        return all_left_out(self.found, self.store, self.check.set_aside | self.aside)

    @property
    def used(self) -> np.ndarray:
        """The rows that are not set aside."""
        return np.flatnonzero(self.parts != UNUSED)

    def leaked(self, part: str) -> np.ndarray:
        """Which scored rows of a part, as bool, belong together with training pictures, which given parts may cause."""
        return np.isin(self.kin[self.scored_rows(part)], self.kin[self.parts == "train"])

    def contents(self, part: str) -> list[str]:
        """The hash of every picture of a part."""
        return [self.store.contents[row] for row in self.rows(part)]

    def rows(self, part: str) -> np.ndarray:
        return np.flatnonzero(self.parts == part)

    def scored_rows(self, part: str) -> np.ndarray:
        """Rows of a part that are scored: all, or evenly spaced ones of a large training part; where pictures have many
        answers each, of about as many as are tested."""
        rows = self.rows(part)
        most = max(len(self.rows("test")), FEW_SCORED) if self.task.spatial else TRAIN_SCORED
        return evenly(rows, most) if part == "train" else rows

    def counts(self, part: str) -> dict[str, int]:
        """Pictures per class in a part."""
        return self.task.counts(self.targets_of(self.rows(part)))

    @property
    def cautions(self) -> list[str]:
        """What to know of the pictures before believing the scores; files left out are told elsewhere."""
        unread = {item.path for item in (*self.found.left_out, *self.store.left_out)}
        said = [
            f"{found.what} {found.done}".strip()
            for found in self.check.findings
            if found.level != "note"
            and not unread.issuperset(found.examples or [None])
            and not (self.aside and found.kind == "near-duplicates")  # neighbours in time, which borders keep apart
        ]
        said += self.found.notes
        for part, so in (("test", "who always answers so has 100 %"), ("validation", CHOSEN)):
            counts = self.counts(part)
            shown, unshown = ([name for name in counts if bool(counts[name]) is there] for there in (True, False))
            if len(shown) == 1 and self.task.one_label:
                said.append(f"All {part} pictures are of the class {shown[0]!r}: {so}.")
            elif shown and unshown and part == "test":
                said.append(f"No test picture shows {first_few(unshown)}: the test scores say nothing of that.")
        if self.empty:
            why = "what belongs together (of one group, alike) stays in one part, and there is too little to divide"
            said.append(f"No pictures for the {' and the '.join(self.empty)} part: {why}.")
        leaks = {part: int(self.leaked(part).sum()) for part in PARTS[1:]}
        if any(leaks.values()) and all(found.kind != "leak" for found in self.check.findings):  # by group alone
            counts = " and ".join(f"{count:,} of the {part} part" for part, count in leaks.items() if count)
            said.append(f"Pictures of a group that is in the training part too, as given: {counts}.")
        return said

    def fingerprint(self) -> str:
        """A hash of what is learned from: every kept picture's name, content, part and target."""
        digest = hashlib.sha256()
        for sample, content, part in zip(self.samples, self.store.contents, self.parts, strict=True):
            digest.update(f"{sample.path}\0{content}\0{part}\n".encode("utf-8", errors="surrogateescape"))
            is_set = isinstance(sample.target, tuple) and all(isinstance(one, str) for one in sample.target)
            for some in bytes_of(tuple(sorted(sample.target)) if is_set else sample.target):  # labels in any order
                digest.update(some)
        if (order := class_order(self.task.classes)) != sorted(order):  # which runs of before had: outputs would move
            digest.update(b"whole numbers in the order of their values")
        return digest.hexdigest()


@dataclass(frozen=True)
class Job:
    """One training as it was asked for, with its pictures.

    preparation: measured on the training part. tell: takes every event. started: seconds of
    time.monotonic() at which a budget of minutes began. source: where the pictures came from. parent: the folder of
    several runs, where this is one of them. given: the weights to begin with.
    """

    settings: Settings
    data: Dataset
    preparation: Preparation
    device: torch.device
    tell: Watch
    started: float
    source: str
    division: Division
    parent: Path | None = None
    given: "Given | None" = None


def find(source: Source, settings: Settings) -> Found:
    """The samples of a source, with labels and groups as asked for."""
    places = {name: getattr(settings, name) for name in PLACES}
    if settings.task is not None:
        places["task"] = task_kind(settings.task).targets or settings.task
    found = read_source(source, **places, apart=settings.pick.words)
    found = in_time(found) if settings.split == "blocks" else found
    return found if settings.task is None else replace(found, task=settings.task)


def open_store(found: Found, settings: Settings, tell: Watch) -> tuple[Survey, Store]:
    """What the headers say, and all pictures decoded once, in the shape that a training would have."""
    pick = replace(settings.pick, volume=found.form == "volume")
    looked = survey(found.samples, pick=pick, workers=settings.workers)
    kind = task_kind(found.task)
    shape = shape_of(found.form, settings, looked, kind.side(found), kind)
    require_fit(found, settings, kind, shape)
    store = build_store(
        found.samples, Path(settings.out) / files.STORE, shape, workers=settings.workers,
        progress=lambda done, total: tell(Decoded(done, total)),
        fixed_channels=settings.channels is not None or settings.network in CATALOG,
    )  # fmt: skip
    rest()
    return looked, store


def read_dataset(
    source: Source, settings: Settings, tell: Watch, division: Division, run: Path | None = None
) -> Dataset:
    """Find, decode, check and divide the pictures.

    run: the folder of a run that goes on, whose own openings of the test part are not those of another.
    """
    found = find(source, settings)
    require_trainable(found)
    looked, store = open_store(found, settings, tell)
    check = check_store(found, store, math.inf if settings.minutes is None else 60 * settings.minutes * COMPARING)
    found, task = learnable(found, store, check, settings)
    kin = kin_of([found.samples[i] for i in store.kept], store.contents, check.together)
    data = Dataset(found, looked, store, np.full(len(kin), UNUSED, object), task, check, kin)
    data = divided(data, settings, division)
    tested = [store.contents[row] for row in data.used] if division.folds else data.contents("test")
    data = replace(data, opened=opened_before(Path(settings.out), tested, run))
    _tell(data, in_words_of(found.form, tell), f" (fold 1 of {division.folds})" if division.folds else "")
    return data


def in_use(store: Store, check: Check) -> tuple[np.ndarray, list[list[int]]]:
    """The rows of the store that are not set aside, and groups of places among them that belong together by looks."""
    rows = np.setdiff1d(np.arange(len(store.kept)), list(check.set_aside))
    place = {int(row): number for number, row in enumerate(rows)}
    together = [[place[row] for row in group if row in place] for group in check.together]
    return rows, [group for group in together if len(group) > 1]


def divided(data: Dataset, settings: Settings, division: Division) -> Dataset:
    """The same pictures in the parts of a division; nothing is read again."""
    data = (_in_blocks if settings.split == "blocks" else _by_content)(data, settings, division)
    return replace(data, task=data.task.fitted(data.targets_of(data.rows("train"))))


def _by_content(data: Dataset, settings: Settings, division: Division) -> Dataset:
    """The same pictures in parts that follow from their content and a seed."""
    used, together = in_use(data.store, data.check)
    samples, contents = [data.samples[row] for row in used], [data.store.contents[row] for row in used]
    if division.folds:
        if {*PARTS[1:]} & {*data.found.parts}:
            rule = "folds divide pictures that have no test or validation part of their own"
            remedy = "give the folder of the training pictures alone, or leave --folds out"
            raise StriateError(rule, received="parts as given", where="--folds", remedy=remedy)
        fold = folds(samples, contents, division.folds, division.seed, together)
        require_folds(samples, fold, division.folds)
        samples = [
            replace(sample, part="test" if number + 1 == division.fold else None)
            for sample, number in zip(samples, fold, strict=True)
        ]
    usual = validation_share(sum(sample.part in (None, "train") for sample in samples), len(data.task.classes))
    shares = {"test": settings.test, "validation": usual if settings.val is None else settings.val}
    parts = np.full(len(data.store.kept), UNUSED, object)
    parts[used] = split(samples, contents, **shares, seed=division.seed, together=together)
    held = twins(samples, contents, parts[used], together) if settings.test and data.task.one_label else []
    parts[used[held]] = TWIN
    empty = tuple(part for part, share in shares.items() if share > 0 and part not in parts)
    return replace(data, parts=parts, empty=empty)


def _in_blocks(data: Dataset, settings: Settings, division: Division) -> Dataset:
    """The same pictures in parts that follow each other in the order given."""
    used, _ = in_use(data.store, data.check)
    samples, contents = [data.samples[row] for row in used], [data.store.contents[row] for row in used]
    validation, fold = VALIDATED if settings.val is None else settings.val, (division.fold, division.folds)
    named, beside = blocks(samples, contents, test=settings.test, validation=validation, fold=fold)
    parts, kin = np.full(len(data.store.kept), UNUSED, object), np.arange(len(data.store.kept))
    parts[used] = named
    for rows in (np.flatnonzero(parts == part) for part in PARTS):
        kin[rows] = rows[kin_in_time([data.samples[row] for row in rows])]
    part_of, aside = dict(zip(data.names, parts, strict=True)), {int(used[row]): why for row, why in beside.items()}
    check = replace(data.check, findings=[one.in_blocks(part_of) for one in data.check.findings])
    return replace(data, parts=parts, kin=kin, check=check, aside=aside)


def _tell(data: Dataset, tell: Watch, fold: str) -> None:
    shape, classes = data.store.shape, data.task.classes
    kinds = f"{shape.depth} " + {1: "grey", 3: "colour"}.get(shape.channels, f"{shape.channels}-channel")
    kinds = kinds if shape.form == "picture" else extent(shape)
    what = f"of {len(classes)} classes" if data.task.one_label else f"for {data.task.name}"
    tell(Note(f"Found     {len(data.used):,} pictures {what} ({first_few(classes)}), {kinds}"))
    if data.found.labels:
        tell(Note(f"Labels    from {data.found.labels}"))
    if data.left_out:
        shown = first_few([item.said for item in data.left_out], 3)
        tell(Note(f"Left out  {len(data.left_out):,}: {shown}; all are listed in data.csv"))
    if data.found.hidden:
        tell(Note(f"Hidden    {data.found.hidden:,} hidden files and folders passed over"))
    groups = len({sample.group for sample in data.samples} - {None})
    sizes = ", ".join(f"{p} {len(data.rows(p)):,}" for p in PARTS) + f" in {counted(groups, 'group')}" * (groups > 0)
    tell(Note(f"Split     {sizes}{fold}" + (f" ({', '.join(given)} as given)" if (given := data.found.parts) else "")))
    if held := len(data.rows(TWIN)):
        tell(Note(f"Twins     {held:,} look-alikes of training pictures held out, to show what they would score"))
    for caution in data.cautions:
        tell(Note(f"Mind      {caution}"))
    if data.opened:
        many = f"{len(data.opened):,} earlier run{'s' * (len(data.opened) > 1)}"
        tell(Note(f"Mind      These test pictures were opened by {many}: {first_few(list(data.opened))}."))


def write_data(folder: Path, data: Dataset) -> None:
    """data.csv: every file, its class, part and group, and why if it was left out; check.json: what was found."""
    used = [(sample, part) for sample, part in zip(data.samples, data.parts, strict=True) if part != UNUSED]
    write_listed(folder, used, data.left_out, data.found.mended)
    files.write_json(folder / "check.json", data.check.to_dict())
