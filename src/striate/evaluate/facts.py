"""Everything that a report says, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from striate.check.finding import Check


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture about scores: a PNG file, what it shows in words, and what to see in it.

    title: of a figure that shares its row with others; "" for one that has a row of its own. name: its CSS class.
    """

    png: bytes
    alt: str
    caption: str
    title: str = ""
    name: str = "chart"


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakePicture:
    """A wrong prediction: uint8 picture (H, W, 1 or 3), truth and answer in words, confidence 0 to 1 where there is
    one, the sample's path."""

    picture: np.ndarray
    truth: str
    predicted: str
    confidence: float | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapPicture(MistakePicture):
    """Where the evidence for an answer, wrong or right, lay on its picture.

    overlay: uint8 (H, W, 3), the heatmap on the picture, of the evidence for `explained` at `layer`. right: whether the
    answer is. maximum, total: of the map, in the score's unit. verdict: what the tests of the map say, in one
    sentence; "" where it was not tested.
    """

    overlay: np.ndarray
    layer: str
    maximum: float
    total: float
    explained: str
    right: bool
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """Everything that the page says, as plain data; what is empty or None has no place on the page.

    run: where the results lie; created: date and time; seconds: wall time of the whole run.
    form: what is learned from, one of prepare.FORMS.
    warnings: what must be said beside the test score.
    data: (name, value) rows such as folder, kind, sizes, depth, channels, hidden files.
    classes: per class name, its pictures per part, in the order shown.
    left_out: (path, reason) of every file that is not used; notes: warnings in sentences.
    split: one sentence on how; split_table: rows whose first is the header.
    network: the one-line text; summary: the table of its layers as text.
    settings, machine: (name, value) rows.
    scores: per part, its record of scores.json. random_split, runs: as there; spread: the runs' scores as a PNG file.
    check: what was found in the data; thumbnails: uint8 pictures of it by path.
    figures: about the first part with scores, in the order shown. curves ... layers: PNG files as bytes.
    heatmaps: mistakes first, then hits; heatmap_method: what they are, in a sentence or two; heatmap_ends: what values
    below and above 0 speak for. legend: what is drawn on mistakes, in a sentence; "" where nothing is.
    commands: (command line, what it does).
    """

    title: str
    run: str
    created: str
    version: str
    seconds: float
    form: str = "picture"
    headline: str = ""
    warnings: Sequence[str] = ()
    data: Sequence[tuple[str, object]] = ()
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    split: str = ""
    split_table: Sequence[Sequence[object]] = ()
    network: str = ""
    summary: str = ""
    settings: Sequence[tuple[str, object]] = ()
    machine: Sequence[tuple[str, object]] = ()
    scores: Mapping[str, dict] = field(default_factory=dict)
    random_split: dict | None = None
    runs: Sequence[dict] = ()
    spread: bytes | None = None
    check: Check | None = None
    thumbnails: Mapping[str, np.ndarray] = field(default_factory=dict)
    curves: bytes | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    augmentation: bytes | None = None
    changed: bool = True  # at random, in training
    filters: bytes | None = None
    layers: bytes | None = None
    mistakes: Sequence[MistakePicture] = ()
    heatmaps: Sequence[HeatmapPicture] = ()
    heatmap_method: str = ""
    heatmap_ends: tuple[str, str] = ("evidence against", "evidence for the answer given")
    legend: str = ""
    commands: Sequence[tuple[str, str]] = ()
