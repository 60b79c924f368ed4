"""What differs between tasks, and only that: the contract. Which tasks there are stands in `table`.

Training, prediction, report and page know this contract and never a concrete task.
Legend: N samples, B of them in a batch, K outputs with a name ("classes"); an answer is what a task makes of the
network's output for one picture, in whatever form suits it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from striate.augment.geometry import IDENTITY, MIRRORED
from striate.augment.recipe import Recipe
from striate.data.prepare import Shape
from striate.data.sample import Found, Target, class_order, names_of, text_of
from striate.errors import StriateError, nearest
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters
from striate.network.auto import auto_line
from striate.network.build import shape_text
from striate.tasks.table import TASKS

END_FLAT = "end it with `flatten, dense classes` or `globalavgpool, dense classes`"  # the remedy for one without
Floor = Mapping[str, object]  # what the task's `floor` said of the training part


@dataclass(frozen=True)
class Task(ABC):
    """A task with all it has learned from the training part beside the network's weights.

    classes: the names of the K outputs, in order. Every other field of a task is plain data too: it is stored in the
    model file and passed to the constructor again.

    name: the key in the table of tasks. targets: the task whose kind of targets it learns from; "" for its own.
    measure: the share that `hits` counts, named in history.csv. one_label: every picture is of one class; then parts
    are drawn class by class, symmetries are tried and labels doubted. spatial: targets lie on the picture, so it keeps
    its size while training, and mirroring it is always right. tunes: whether `tuned` does anything. calibrated:
    whether logits may be divided by a temperature, since answers are probabilities. tabular: whether `read` knows an
    answer from its row in predictions.csv. shares: whether `per_class` gives shares from 0 to 1, which are shown in
    percent. error_is: what `errors` counts, legend: what `drawn` shows ("" for nothing), unit: of `score`, all in
    words. longest: pixels of the shorter side that `--network auto` brings large pictures to, unless
    `side` looks at the targets; step: what sides are multiples of then. mirrored: pictures keep their form (see
    Shape). crop: the side of the squares that training is on, 0 for whole pictures. batch_pixels: of a whole batch,
    where every pixel is an answer and it is not pictures that count, else 0. smooths: whether the loss knows smoothing
    (see `loss`). decides: whether there is a `margin`. by_pixel: whether every pixel of the logits decides for one of
    the classes. ending: what makes answers of logits in an exported file: "softmax", "sigmoid", "numbers" (times
    `scales`, plus `centres`), "none". written: as what answers are written, in words by the name's ending ("": folder).
    """

    classes: tuple[str, ...]

    name: ClassVar[str]
    targets: ClassVar[str] = ""
    measure: ClassVar[str] = "accuracy"
    one_label: ClassVar[bool] = False
    spatial: ClassVar[bool] = False
    tunes: ClassVar[bool] = False
    calibrated: ClassVar[bool] = False
    tabular: ClassVar[bool] = False
    shares: ClassVar[bool] = True
    decides: ClassVar[bool] = False
    by_pixel: ClassVar[bool] = False
    error_is: ClassVar[str] = ""
    legend: ClassVar[str] = ""
    unit: ClassVar[str] = "a logit, not a probability"
    longest: ClassVar[int] = 64
    step: ClassVar[int] = 4
    batch_pixels: ClassVar[int] = 0
    mirrored: ClassVar[bool] = False
    crop: ClassVar[int] = 0
    smooths: ClassVar[bool] = True
    ending: ClassVar[str] = "none"
    written: ClassVar[Mapping[str, str]] = {".csv": "FILE.csv"}

    # What is learned.

    @classmethod
    def side(cls, found: Found) -> int:
        """Pixels of the shorter side that `--network auto` brings larger pictures to."""
        return cls.longest

    @classmethod
    def of(cls, found: Found, targets: Sequence[Target], options: Mapping[str, object]) -> Self:
        """The task for these N targets; options: the settings of the training, by name."""
        return cls(tuple(class_order(name for target in targets for name in names_of(target))) or found.names)

    def fitted(self, targets: Sequence[Target]) -> Self:
        """The same with what is measured on the targets of the training part alone."""
        return self

    def tuned(self, targets: Sequence[Target], answers: Sequence, clusters: Clusters = None) -> Self:
        """The same with what is chosen by the trained network's answers on the validation part, such as thresholds.

        There is one answer at least. clusters: (N,) the same number for pictures that belong together.
        """
        return self

    def trial(self, targets: Sequence[Target]) -> tuple[np.ndarray, tuple[str, ...]] | None:
        """What symmetries are tried by: the class number of each target (N,) and the names of the classes, which labels
        it has (N, K) of bool and their names, or numbers (N, K) and the names of the columns. None: untried."""
        return None

    def counts(self, targets: Sequence[Target]) -> dict[str, int]:
        """How many of the targets speak of each class, for tables."""
        named = [names_of(target) for target in targets]
        return {name: sum(name in names for names in named) for name in self.classes}

    def commonness(self, targets: Sequence[Target]) -> Sequence[float]:
        """(K,) how common each class is in the targets of the training part, where `--balance weights` evens that."""
        return list(self.counts(targets).values())

    def auto_line(self, channels: int, height: int, width: int, base: int) -> str:
        """The network of `--network auto` for pictures of this size, `base` filters wide at first."""
        return auto_line(channels, height, width, base)

    @property
    def symmetry(self) -> tuple[str, str]:
        """Which symmetry keeps targets true that lie on the picture, and why."""
        return "mirror", "targets are mirrored with their picture"

    def recipe(self, usual: Recipe) -> Recipe:
        """The random changes of `--augment auto`, from those that are usual for pictures with these channels."""
        return usual

    @property
    def outputs(self) -> int:
        """How many numbers (or maps) the network ends in, for which the word `classes` of its line stands."""
        return len(self.classes)

    def require_output(self, shape: tuple[int, ...]) -> None:
        """Raise StriateError where a network's output for one picture, of this shape, is not what the task needs."""
        if shape != (self.outputs,):
            rule = "the network ends in one row with one number per output"
            received = f"{shape_text(shape)} for {self.outputs} outputs"
            raise StriateError(rule, received=received, where="--network", remedy=END_FLAT)

    @abstractmethod
    def encode(self, targets: Sequence[Target], sizes: np.ndarray, shape: Shape) -> Tensor:
        """(N, ...) tensor of the targets; sizes: (N, 2) height, width of the pictures before they got this shape."""

    def move(self, encoded: Tensor, sources: Tensor, recipe: Recipe) -> Tensor:
        """Encoded targets (B, ...) of pictures that were moved; `sources` (B, 2, 3): see augment.apply.sources_of."""
        return encoded

    @property
    def moves(self) -> bool:
        """Whether `move` changes anything."""
        return self.spatial

    @abstractmethod
    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Mean loss of a batch of logits (B, ...); `weights` holds one factor per class, where classes are weighed."""

    @abstractmethod
    def hits(self, logits: Tensor, encoded: Tensor) -> float:
        """The sum over a batch of what `measure` names: a number from 0 to 1 for each picture."""

    # What is answered.

    def views(self, mirror: bool, square: bool) -> tuple[tuple[int, int], ...]:
        """The symmetries (see geometry) of a picture over which its answer is the mean; mirror: whether mirror images
        were learned from too, square: whether pictures are."""
        return (IDENTITY, MIRRORED) if mirror else (IDENTITY,)

    def turned_back(self, logits: Tensor, element: tuple[int, int]) -> Tensor:
        """The logits of pictures after one of `views` as they stand for the pictures themselves."""
        mirrored, quarters = element
        logits = torch.rot90(logits, -quarters, (2, 3)) if quarters else logits
        return self.unmirrored(logits) if mirrored else logits

    def unmirrored(self, logits: Tensor) -> Tensor:
        """The logits of mirrored pictures (left-right) as they stand for the pictures themselves."""
        return logits.flip(-1) if self.spatial else logits

    @abstractmethod
    def decode(self, logits: Tensor, sizes: np.ndarray | None = None) -> Sequence:
        """B answers; sizes: (B, 2) height, width of the pictures' own, where answers are given in their pixels (None:
        in those of the network's input)."""

    def margin(self, logits: Tensor) -> Tensor:
        """(B,) by how much some logit, or two against each other, must change before another class is named; asked only
        where a task `decides`: answers of few decisions can be checked for being near to another."""
        raise NotImplementedError(self.name)

    def score(self, logits: Tensor, index: int, whole: Tensor | None = None) -> Tensor:
        """(B,) the scalar that a heatmap for output `index` explains; where logits are maps, a task says it itself.

        whole: (1, ...) logits of the whole picture, where these are of it with parts covered: they say which places of
        the maps are asked about, so that every one of them is asked the same question.
        """
        return logits[:, index]

    def per_class(self, answer: object) -> np.ndarray:
        """(K,) float64: what an answer says of every output, for lists: a probability, a value, a share."""
        return np.asarray(answer, np.float64)

    def by_class(self, answer: object) -> dict[str, float]:
        """The same by the names of the outputs."""
        return dict(zip(self.classes, self.per_class(answer).tolist(), strict=True))

    def output_of(self, answer: object) -> int:
        """The output that an answer is about, which a heatmap explains first."""
        return int(np.argmax(self.per_class(answer)))

    @abstractmethod
    def target_of(self, answer: object) -> Target:
        """The answer in the form of a target."""

    def confidence(self, answer: object) -> float | None:
        """How sure an answer is, 0 to 1; None where a task has no such number."""
        return None

    def told(self, target: Target) -> str:
        """A true target in a few words."""
        return text_of(target)

    def say(self, answer: object) -> str:
        """An answer in a few words."""
        return text_of(self.target_of(answer))

    def record(self, answer: object) -> dict:
        """An answer as plain data for JSON, named as in a Prediction, and in a few words ("said")."""
        told = {"predicted": self.target_of(answer), "confidence": self.confidence(answer)}
        return {**told, "probabilities": self.by_class(answer), "said": self.say(answer)}

    def png(self, answer: object) -> bytes | None:
        """An answer that is a picture itself as a PNG file."""
        return None

    # How it is told.

    def header(self) -> tuple[str, ...]:
        """The columns of an answer in predictions.csv."""
        return ("predicted",)

    def row(self, answer: object) -> tuple[str, ...]:
        """The cells of an answer below `header`."""
        return (self.say(answer),)

    def read(self, row: Mapping[str, str]) -> object:
        """The answer that `row` wrote, from a line of predictions.csv by column; asked only where it is `tabular`."""
        raise NotImplementedError(self.name)

    def known(self, target: Target) -> tuple[Target | None, str]:
        """What of a target can be scored, None for nothing, and in words what cannot; "" where all can."""
        unknown = [name for name in names_of(target) if name not in self.classes]
        return (None, f"class {unknown[0]!r} is not one of the model's") if unknown else (target, "")

    def floor(self, targets: Sequence[Target]) -> dict[str, object]:
        """What an answer without looking would be, from the training part's targets: plain data for `scores`."""
        return {}

    @abstractmethod
    def scores(self, targets: Sequence[Target], answers: Sequence, floor: Floor, clusters: Clusters = None) -> dict:
        """The record of one part for scores.json.

        {"n", "main": the name of the score that counts, "baseline": its value for `floor`, "baseline_is": in words,
        and scores by name as {"value", "low", "high"}, None for what is not defined}. clusters: (N,) the same number
        for pictures that belong together.
        """

    @abstractmethod
    def errors(self, targets: Sequence[Target], answers: Sequence) -> np.ndarray:
        """(N,) how wrong each answer is, 0 for one that is right; a column of predictions.csv."""

    def worst(self, targets: Sequence[Target], answers: Sequence, most: int) -> list[int]:
        """The places of up to `most` answers that are wrong, the worst first."""
        errors = self.errors(targets, answers)
        order = np.argsort(-errors, kind="stable")
        return order[errors[order] > 0][:most].tolist()

    def best(self, targets: Sequence[Target], answers: Sequence, most: int) -> list[int]:
        """The places of up to `most` answers that are worth a look as the best."""
        return np.argsort(self.errors(targets, answers), kind="stable")[:most].tolist()

    def figures(self, targets: Sequence[Target], answers: Sequence, record: dict) -> dict[str, Figure]:
        """Figures for the report about one part, with one answer at least; each is also written as NAME.png."""
        return {}

    def drawn(self, picture: np.ndarray, answer: object, target: Target | None = None) -> np.ndarray:
        """A picture (H, W, 1 or 3) of uint8 with an answer drawn on it, and the truth if it is known.

        The answer is in pixels of the picture's own size, and so is the truth; the picture may have been stretched.
        """
        return picture

    def seen(self, picture: np.ndarray, encoded: Tensor) -> np.ndarray:
        """A picture (H, W, 1 or 3) of uint8 as it is stored with its target on it, of which `encoded` is."""
        return picture

    def joined(self, answers: Sequence, tiles: Sequence[tuple[int, int, int, int]], size: tuple[int, int]) -> object:
        """The answer to a picture of this height and width, from those to tiles of it, half-open y0, y1, x0, x1."""
        rule = "pictures are cut into tiles where objects or areas are found on them"
        raise StriateError(rule, received=f"a model for {self.name}", where="--tiles", remedy="leave it out")

    def columns(self) -> tuple[str, ...]:
        """The columns of an answer in the table of `striate predict`."""
        return self.header()

    def lines(self, answer: object) -> list[tuple[str, ...]]:
        """The cells of an answer below `columns`: one line, or one for each thing on the picture."""
        return [self.row(answer)]

    def save(self, out: Path, told: Sequence[tuple[str, object, tuple[int, int] | None]]) -> None:
        """Write answers in another form than a table: that of `written` which the name of the file or folder chooses.

        told: (path of the picture, answer, its own height and width) of every picture that was read. Files in a folder
        are called by `files.own_names`.
        """
        raise NotImplementedError(self.name)


@dataclass(frozen=True)
class Paired(Task):
    """A task whose answers are (K, 2): what is said of every output, and one number beside it."""

    def per_class(self, answer: np.ndarray) -> np.ndarray:
        return np.asarray(answer)[:, 0]

    def stacked(self, answers: Sequence[np.ndarray]) -> np.ndarray:
        """(N, K, 2) float64 of N answers, or none."""
        return np.array(answers, np.float64).reshape(-1, len(self.classes), 2)


def task_kind(name: str) -> type[Task]:
    """The class of the task of that name."""
    if name not in TASKS:
        received, remedy = repr(name), nearest(str(name), list(TASKS))
        raise StriateError(f"a task is one of {', '.join(TASKS)}", received=received, where="--task", remedy=remedy)
    module, _, kind = TASKS[name].partition(":")
    return getattr(import_module(module), kind)


def make_task(name: str, facts: Mapping[str, object]) -> Task:
    """The task of that name with its fields, as a model file holds them; lists become tuples.

    Raises TypeError where they are no fields of the task, and StriateError where there is no such task.
    """
    return task_kind(name)(**{key: _frozen(value) for key, value in facts.items()})


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
