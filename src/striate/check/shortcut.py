"""Whether a class can be told without looking at what the pictures show: by their files, light, colour or border.

A network takes the easiest way that its training pictures offer (Geirhos et al. 2020, "Shortcut learning in deep
neural networks"). So each family of numbers below gets a small decision tree of its own, which must tell every class
from all others on pictures that it has not seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from striate.check.case import Case, half_of
from striate.check.finding import Finding
from striate.check.standing import BESIDE, RINGS, apart_of, standing_of
from striate.check.tree import Table, predicted
from striate.data.content import FORMATS
from striate.data.prepare import DEPTHS
from striate.errors import counted
from striate.statistics import auroc, wilson

MOST, FEWEST, CLASSES = 2500, 10, 20  # pictures looked at, least of a class, classes tried
WRAPPING = 60  # bytes of a PNG that are not pixels
HEAVIER = 1.2  # least ratio of the bytes that the same content takes in the files of two classes
FURTHER = 0.2  # of the way from guessing to certainty that a border tells more than all inside of it
SHIFT = 0.25  # least |2 AUC - 1| of darkest, middle and brightest pixels alike, for a difference of light

Columns = np.ndarray  # (N, features)


@dataclass(frozen=True)
class Told:
    """How well one family tells one class from the others: balanced accuracies, `low` the lower end of 95 %."""

    label: int
    right: float
    low: float


def shortcuts(case: Case) -> list[Finding]:
    """One finding for each family of numbers that tells a class.

    Trees are grown only where a class is left for which all else holds that a finding needs.
    """
    if not case.one_label:
        return []
    often = np.argsort(-np.bincount(case.labels[case.singles], minlength=len(case.classes)), kind="stable")[:CLASSES]
    labels = case.labels[rows := half_of(often, case.labels, case.singles, MOST)]
    kinds = [int(kind) for kind in often if np.sum(labels == kind) >= FEWEST]
    if len(kinds) < 2:
        return []
    tried = kinds[:1] if len(kinds) == 2 else kinds
    looked = _Looked(case, rows, labels)
    found: list[Finding] = []
    for family in FAMILIES:
        if {finding.figures["by"] for finding in found} & set(family.unless):
            continue
        able = [kind for kind in tried if family.able(looked, kind)]
        if not able or not len((table := Table(family.columns(looked))).values):
            continue
        best = max((_told(table, labels, kind) for kind in tried), key=lambda told: told.low)
        if best.label in able and 2 * best.low - 1 >= family.least and family.holds(looked, best):
            found.append(_finding(family, best, looked))
    return found


@dataclass(frozen=True)
class _Looked:
    """The pictures looked at."""

    case: Case
    rows: np.ndarray
    labels: np.ndarray

    @cached_property
    def facts(self) -> np.ndarray:
        return self.case.facts[self.rows]

    @cached_property
    def scale(self) -> np.ndarray:
        return self.case.scale[self.rows]

    @cached_property
    def values(self) -> np.ndarray:
        """(N, 32, 32) the thumbs as shares of the scale."""
        low, high = self.facts["low"][:, None, None], self.facts["high"][:, None, None]
        return (low + self.facts["thumb"] * ((high - low) / 255)) / self.scale[:, None, None]

    @cached_property
    def light(self) -> Columns:
        """Darkest, dark, middle, bright and brightest pixels (0, 10, 50, 90, 100 %), as shares of the scale."""
        return np.percentile(self.values.reshape(len(self.rows), -1), (0, 10, 50, 90, 100), axis=1).T

    @cached_property
    def counts(self) -> np.ndarray:
        return np.bincount(self.labels, minlength=len(self.case.classes))

    @cached_property
    def relief(self) -> np.ndarray:
        """(4, N, 32, 32) the values, and red, green and blue beside them, each against the picture's own middle one."""
        tint = self.facts["tint"].transpose(3, 0, 1, 2) / np.float32(255)
        hue = tint - tint.mean(axis=0)
        hue -= np.median(hue, axis=(2, 3), keepdims=True)
        return np.concatenate([[self.values - self.light[:, 2, None, None]], hue.repeat(4, axis=2).repeat(4, axis=3)])

    @cached_property
    def apart(self) -> np.ndarray:
        """(4, classes, 32, 32) how far each class stands out at every pixel, in grey and in each colour."""
        return np.stack([apart_of(plane, self.labels, self.counts) for plane in self.relief])

    @cached_property
    def standing(self) -> np.ndarray:
        """(4, classes) in which of them a class has what may be a mark near the border."""
        return standing_of(self.apart, self.counts)


def _told(table: Table, labels: np.ndarray, kind: int) -> Told:
    """How well a small tree tells class `kind` from the others, on pictures that it has not seen."""
    mine = labels == kind
    right = predicted(table, mine) == mine
    counts = [(int(right[side].sum()), int(side.sum())) for side in (mine, ~mine)]
    return Told(kind, float(np.mean([k / n for k, n in counts])), float(np.mean([wilson(k, n)[0] for k, n in counts])))


def _format(looked: _Looked) -> Columns:
    names = ("format", "channels", "depth", "pages", "coarse")
    return np.stack([looked.facts[name].astype(float) for name in names], axis=1)


def _size(looked: _Looked) -> Columns:
    height, width = looked.facts["height"].astype(float), looked.facts["width"].astype(float)
    return np.stack([height, width, height / width], axis=1)


def _bytes(looked: _Looked) -> Columns:
    """log(bytes of the file for each byte that its content takes when we pack it): no matter of busy or plain.

    The same for files that are packed by other means than ours: of JPEG and TIFF the format says how.
    """
    return np.log(looked.facts["bytes"] / _content(looked))[:, None]


def _content(looked: _Looked) -> np.ndarray:
    facts = looked.facts
    packed = facts["height"] * facts["width"] * facts["packed"].astype(float) + WRAPPING
    return np.where(facts["packed"] > 0, packed, facts["bytes"])


def _heavier(looked: _Looked, kind: int) -> bool:
    """Whether the files differ by more than contents of different kinds make them: as a share of what the content
    takes and of the pixels (which are all that counts where nothing is packed), and in bytes."""
    facts, values, mine = looked.facts, _bytes(looked)[:, 0], looked.labels == kind
    plain = np.log(facts["bytes"] / (facts["height"] * facts["width"].astype(float)))
    more = facts["bytes"] - np.exp(np.median(values[~mine])) * _content(looked)
    apart = [abs(np.median(column[mine]) - np.median(column[~mine])) for column in (values, plain)]
    return bool(min(apart) >= np.log(HEAVIER) and abs(np.median(more[mine])) >= WRAPPING)


def _shifted(looked: _Looked, kind: int) -> bool:
    """Whether all of the picture is lighter or darker, darkest and brightest pixels alike: ink leaves the ground, one
    of both, as it is, but mixes with it in what lies between."""
    moved = [2 * auroc(column, looked.labels == kind) - 1 for column in looked.light.T[::2]]
    return min(moved) >= SHIFT or max(moved) <= -SHIFT


def _tint(looked: _Looked) -> Columns:
    """The mean colour without its brightness: shares that sum to 1."""
    mean = looked.facts["tint"].astype(float).mean(axis=(1, 2))
    return np.round(mean / np.maximum(mean.sum(axis=1, keepdims=True), 1), 6)


def _border(looked: _Looked) -> Columns:
    """The outermost pixels, the corners and the outer blocks, as they are and against the middle value."""
    facts, full, ring = looked.facts, looked.scale[:, None], _blocks(looked.values)[:, RINGS == 0]
    return _beside_middle(looked, np.concatenate([facts["border"] / full, facts["corners"] / full, ring], axis=1))


def _beside_middle(looked: _Looked, columns: Columns) -> Columns:
    return np.concatenate([columns, columns - looked.light[:, 2:3]], axis=1)


def _mark(looked: _Looked) -> Columns:
    """The pixels outside the middle quarter that differ most between the others and a class that has a mark there."""
    columns = []
    for plane, apart, stands in zip(looked.relief, looked.apart, looked.standing, strict=True):
        telling = np.argsort(-apart[stands][:, BESIDE], kind="stable")[:, :8]
        columns.append(plane[:, BESIDE][:, np.unique(telling)])
    return np.concatenate(columns, axis=1)


def _blocks(values: np.ndarray) -> Columns:
    """(N, 8, 8) means of blocks."""
    return values.reshape(len(values), 8, 4, 8, 4).mean(axis=(2, 4))


def _framed(looked: _Looked, told: Told) -> bool:
    """Whether the border is right on FURTHER more of the way from guessing to certainty than all inside of it, blocks
    and lines, which tell of fine stripes what blocks do not."""
    inside = _blocks(looked.values)[:, RINGS > 0], looked.facts["within"] / looked.scale[:, None]
    tables = [Table(_beside_middle(looked, columns)) for columns in inside]
    rights = [_told(table, looked.labels, told.label).right for table in tables if len(table.values)]
    return 2 * (told.right - max(rights, default=0)) >= FURTHER


def _marked(looked: _Looked, kind: int) -> bool:
    return bool(looked.standing[:, kind].any())


def _pair(values: np.ndarray, mine: np.ndarray, form: str = "{:,.0f}") -> tuple[str, str]:
    return form.format(np.median(values[mine])), form.format(np.median(values[~mine]))


def _of_formats(looked: _Looked, mine: np.ndarray) -> str:
    names = [*FORMATS, "array"]

    def commonest(facts: np.ndarray) -> str:
        kinds, counts = np.unique(facts[["format", "channels", "depth", "coarse"]], return_counts=True)
        kind, channels, depth, coarse = kinds[counts.argmax()].tolist()
        how = {"JPEG": f" of quality {_quality(coarse)}", "TIFF": f" of compression {coarse}"}.get(names[kind], "")
        return f"{names[kind]}{how if coarse > 1 else ''}, {counted(channels, 'channel')}, {DEPTHS[depth]}"

    return f" (mostly {commonest(looked.facts[mine])} against {commonest(looked.facts[~mine])})"


def _quality(coarse: int) -> int:
    """The quality from 1 to 100 at which libjpeg would write a first table of this sum; at 50 it is 3,688."""
    scale = 100 * coarse / 3688
    return round(100 - scale / 2 if scale <= 100 else 5000 / scale)


def _of_sizes(looked: _Looked, mine: np.ndarray) -> str:
    (w0, w1), (h0, h1) = (_pair(looked.facts[side], mine) for side in ("width", "height"))
    return f" (typically {w0} × {h0} pixels against {w1} × {h1})"


def _of_bytes(looked: _Looked, mine: np.ndarray) -> str:
    values = _bytes(looked)[:, 0]
    times = float(np.exp(np.median(values[mine]) - np.median(values[~mine])))
    more = f"{times:.1f} times the bytes" if times >= 1.05 else f"{100 * times:.0f} % of the bytes"
    return f" (for the same content {more} of the others)"


def _of_light(looked: _Looked, mine: np.ndarray) -> str:
    own, other = _pair(100 * looked.facts["mean"] / looked.scale, mine, "{:.3g}")
    return f" (mean brightness {own} % of the scale against {other} %)"


@dataclass(frozen=True)
class Family:
    """Numbers that say nothing of what a picture shows.

    least: from this share of the way from guessing to certainty on (95 % sure) it is told. able: what must be so of the
    class whatever a tree says; holds: what must be so of what it said. unless: families that, once found, explain this
    one too. detail: in what the class, pictures (N,) of bool, differs from the others.
    """

    name: str
    level: str
    least: float
    columns: Callable[[_Looked], Columns]
    words: str
    change: str
    able: Callable[[_Looked, int], bool] = lambda *_: True
    holds: Callable[[_Looked, Told], bool] = lambda *_: True
    unless: tuple[str, ...] = ()
    detail: Callable[[_Looked, np.ndarray], str] = lambda *_: ""


_SAVE_ALIKE = "Save all pictures in one way from the originals, or take more pictures of each class in every way."
_COVER = "Crop the border, or cover the mark (scale bar, label, frame) in the pictures of all classes."
FAMILIES = (
    Family(
        "format", "problem", 0.4, _format, "the file format, colour mode, depth or compression", _SAVE_ALIKE
        + " --channels 1 makes all pictures grey, if only the colour mode differs.", detail=_of_formats,
    ),
    Family(
        "size", "problem", 0.4, _size, "the size of the pictures in pixels", "Cut or scan all classes at one size. If "
        "they are cut-outs whose size means something, nothing is wrong, but the network sees all at one size.",
        detail=_of_sizes,
    ),
    Family(
        "light", "caution", 0.4, lambda looked: looked.light, "how bright the whole picture is", "If the light "
        "came with the day or the microscope and not with the class, take pictures of all classes under the same "
        "light; --augment 'brightness=0.3 contrast=0.3' makes brightness useless to the network.", _shifted,
        detail=_of_light,
    ),
    Family(
        "bytes", "problem", 0.5, _bytes, "the bytes of the files", _SAVE_ALIKE, _heavier, unless=("format",),
        detail=_of_bytes,
    ),
    Family(
        "tint", "caution", 0.6, _tint, "the mean colour of the picture", "If the colour came with the staining or the "
        "camera and not with the class, --channels 1 makes all pictures grey.", unless=("format", "light"),
    ),
    Family("border", "problem", 0.5, _border, "what lies at the border or in the corners", _COVER, holds=_framed),
    Family("mark", "problem", 0.5, _mark, "a place near the border", _COVER, _marked, unless=("border",)),
)  # fmt: skip


def _finding(family: Family, told: Told, looked: _Looked) -> Finding:
    case, mine = looked.case, looked.labels == told.label
    name = case.classes[told.label]
    who = f"Class {name!r} can be told from all others"
    if len(case.classes) == 2:
        who = f"Classes {name!r} and {case.classes[1 - told.label]!r} can be told apart"
    right = f"{100 * told.right:.0f} % right where guessing gives 50 %{family.detail(looked, mine)}"
    return Finding(
        kind="shortcut",
        level=family.level,
        what=f"{who} by {family.words} alone: {right}.",
        count=int(np.sum(case.labels == told.label)),
        done="Nothing was changed: a network may learn this instead of what the pictures show.",
        change=family.change,
        groups=case.groups(
            side[np.linspace(0, len(side) - 1, 4).astype(int)] for side in (looked.rows[mine], looked.rows[~mine])
        ),
        figures={"by": family.name, "class": name, "balanced_accuracy": told.right, "low": told.low},
    )
