"""The pictures of a training: found, decoded once, checked and divided into parts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from striate import files
from striate.data.prepare import Preparation
from striate.data.sample import PARTS, Found, LeftOut
from striate.data.sources import read_digits, read_source, require_trainable
from striate.data.split import split
from striate.data.store import Store, build_store
from striate.data.survey import Survey, survey
from striate.errors import first_few
from striate.network.catalog import CATALOG
from striate.tasks.task import Task, make_task
from striate.train.events import Decoded, Note, Watch
from striate.train.plan import picture_shape
from striate.train.settings import Settings

TRAIN_SCORED = 2_500  # the score of more training pictures says nothing new
Source = str | Path | tuple | None  # None: the digits


@dataclass(frozen=True)
class Dataset:
    """The pictures of a run, decoded and divided.

    parts: the part of every row of the store. task: with the classes, in order.
    """

    found: Found
    survey: Survey
    store: Store
    parts: np.ndarray
    task: Task

    @property
    def targets(self) -> list[str]:
        return [self.found.samples[i].target for i in self.store.kept]

    @property
    def names(self) -> list[str]:
        """The path of every row of the store, as in data.csv."""
        return [self.found.samples[i].path for i in self.store.kept]

    @property
    def left_out(self) -> list[LeftOut]:
        return [*self.found.left_out, *self.store.left_out]

    def rows(self, part: str) -> np.ndarray:
        return np.flatnonzero(self.parts == part)

    def scored_rows(self, part: str) -> np.ndarray:
        """Rows of a part that are scored: all, or evenly spaced ones of a large training part."""
        rows = self.rows(part)
        return rows[:: -(-len(rows) // TRAIN_SCORED)] if part == "train" and len(rows) else rows

    def counts(self, part: str) -> dict[str, int]:
        """Pictures per class in a part."""
        targets, mask = np.asarray(self.targets, dtype=object), self.parts == part
        return {name: int(np.sum(mask & (targets == name))) for name in self.task.classes}

    @property
    def cautions(self) -> list[str]:
        """What to know of the pictures before believing the scores."""
        alike: dict[str, list[str]] = {}
        for name in self.task.classes:
            alike.setdefault("".join(name.casefold().split()), []).append(repr(name))
        near = [" and ".join(names) for names in alike.values() if len(names) > 1]
        said = [f"Class names that differ only in case or spaces are kept apart: {first_few(near)}."] if near else []
        depths = self.survey.depths
        if len(depths) > 1:
            mixed = ", ".join(f"{name} ({count:,})" for name, count in depths.most_common())
            said.append(f"Depths are mixed, whole numbers each on its full scale, fractions as they are: {mixed}.")
        return said + self._copies()

    def _copies(self) -> list[str]:
        """Pictures that are there twice where it matters: learned and tested, or under two classes."""
        learned = {self.store.contents[row] for row in self.rows("train")}
        said = [
            f"Pictures of the {part} part that are also in the training part, as given: {count:,}."
            for part in PARTS[1:]
            if (count := sum(self.store.contents[row] in learned for row in self.rows(part)))
        ]
        labels: dict[str, set[str]] = {}
        for content, target in zip(self.store.contents, self.targets, strict=True):
            labels.setdefault(content, set()).add(target)
        if twice := sum(len(names) > 1 for names in labels.values()):
            said.append(f"Pictures that are there under more than one class: {twice:,}.")
        return said

    def fingerprint(self) -> str:
        """A hash of what is learned from: every kept picture's name, content and part."""
        digest = hashlib.sha256()
        for row, index in enumerate(self.store.kept):
            line = f"{self.found.samples[index].path}\0{self.store.contents[row]}\0{self.parts[row]}\n"
            digest.update(line.encode("utf-8", errors="surrogateescape"))
        return digest.hexdigest()


@dataclass(frozen=True)
class Job:
    """One training as it was asked for, with its pictures.

    preparation: measured on the training part. tell: takes every event. started: seconds of
    time.monotonic() at which a budget of minutes began.
    """

    settings: Settings
    data: Dataset
    preparation: Preparation
    device: torch.device
    tell: Watch
    started: float


def read_dataset(source: Source, settings: Settings, tell: Watch) -> Dataset:
    """Find, decode, check and divide the pictures."""
    found = read_digits() if source is None else read_source(source, group=settings.group)
    require_trainable(found)
    looked = survey(found.samples)
    shape = picture_shape(settings, looked)
    store = build_store(
        found.samples,
        Path(settings.out) / ".store",
        shape,
        workers=settings.workers,
        progress=lambda done, total: tell(Decoded(done, total)),
        fixed_channels=settings.channels is not None or settings.network in CATALOG,
    )
    require_trainable(found, store.kept)
    kept = [found.samples[i] for i in store.kept]
    parts = np.asarray(split(kept, store.contents, test=settings.test, validation=settings.val, seed=settings.seed))
    classes = sorted({sample.target for sample in kept})
    data = Dataset(found, looked, store, parts, make_task("classification", classes))
    _tell(data, tell)
    return data


def _tell(data: Dataset, tell: Watch) -> None:
    shape, classes = data.store.shape, data.task.classes
    kinds = f"{shape.depth} " + {1: "grey", 3: "colour"}.get(shape.channels, f"{shape.channels}-channel")
    tell(Note(f"Found     {len(data.store.kept):,} pictures of {len(classes)} classes ({first_few(classes)}), {kinds}"))
    if data.left_out:
        shown = [f"{item.path} ({item.reason})" for item in data.left_out]
        tell(Note(f"Left out  {len(shown):,}: {first_few(shown, 3)}; all are listed in data.csv"))
    if data.found.hidden:
        tell(Note(f"Hidden    {data.found.hidden:,} hidden files and folders passed over"))
    sizes = ", ".join(f"{part} {len(data.rows(part)):,}" for part in PARTS)
    given = [part for part in PARTS if any(sample.part == part for sample in data.found.samples)]
    tell(Note(f"Split     {sizes}" + (f" ({', '.join(given)} as given)" if given else "")))
    for caution in data.cautions:
        tell(Note(f"Mind      {caution}"))


def write_data(folder: Path, data: Dataset) -> None:
    """data.csv: every file, its class, part and group, and why if it was left out."""
    rows = [
        (sample.path, sample.target, part, sample.group or "", "used", "")
        for sample, part in zip((data.found.samples[i] for i in data.store.kept), data.parts, strict=True)
    ]
    rows += [(item.path, item.label, item.part, "", "left out", item.reason) for item in data.left_out]
    files.write_csv(folder / "data.csv", ("path", "label", "part", "group", "status", "reason"), rows)
