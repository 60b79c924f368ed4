"""Charts of a run, each as PNG bytes: its curves, and what its answers are worth, for every task."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.draw import style
from striate.draw.boxes import colour_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_AGREED = {
    "color": style.MUTED,
    "linewidth": 1,
    "linestyle": (0, (4, 3)),
}  # where prediction and truth agree, or chance lies
_DOTS = {"marker": "o", "markersize": 4, "linestyle": "", "markeredgewidth": 0}
_BARS = {"precision": style.BLUE, "recall": style.ORANGE, "f1": style.MUTED}

CURVES = (style.BLUE, style.ORANGE, style.GREEN, style.AMBER, style.SKY, style.PINK)  # in one chart


def curves(history: Sequence[Mapping[str, object]], label: Callable[[str], str] = str.capitalize) -> bytes:
    """Loss, hits and learning rate over the epochs.

    history: one row per epoch with "epoch" and any of "train_loss", "validation_loss", the same with another word,
    such as "train_accuracy" (0 to 1), and "learning_rate"; a missing or empty value leaves a gap. label: makes the
    title of that word.
    """
    from matplotlib.ticker import MaxNLocator

    figure = style.new_figure(9, 4.2)
    grid = figure.add_gridspec(2, 2, height_ratios=[4, 1])
    history = history or [{"epoch": 1}]
    shares = [name.removeprefix("train_") for name in history[0] if name.startswith("train_") and name != "train_loss"]
    share = shares[0] if shares else "accuracy"
    panels = {name: figure.add_subplot(grid[0, column]) for column, name in enumerate(("loss", share))}
    rate = figure.add_subplot(grid[1, :])
    epochs = _column(history, "epoch")
    for name, axes in panels.items():
        style.plain_axes(axes)
        _title(axes, label(name))
        _line(axes, epochs, _column(history, f"train_{name}"), style.BLUE, "train")
        _line(axes, epochs, _column(history, f"validation_{name}"), style.ORANGE, "validation")
    panels["loss"].set_ylim(bottom=0)
    panels[share].set_ylim(top=1.005)
    _in_percent(panels[share].yaxis, decimals=None)
    panels["loss"].legend(frameon=False, fontsize=8, labelcolor=style.INK)
    style.plain_axes(rate)
    _line(rate, epochs, _column(history, "learning_rate"), style.MUTED, "learning rate")
    rate.set_ylim(bottom=0)
    rate.yaxis.set_major_locator(MaxNLocator(2))
    _title(rate, "Learning rate")
    _name(rate, "epoch")
    for axes in (*panels.values(), rate):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, min_n_ticks=1))
        # Given outright, because one epoch or none has no range of its own.
        axes.set_xlim(epochs.min(initial=1), epochs.max(initial=2))
    return style.to_png(figure)


def confusion(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """Confusion matrix (K, K) of counts: blue where right, orange where wrong, deeper for more of the row.

    Up to 12 classes each cell says count and row share, up to 30 its count; beyond that colour speaks.
    """
    matrix = np.asarray(matrix)
    count = len(classes)
    side = float(np.clip(2.4 + 0.46 * count, 4.0, 11.5))
    figure = style.new_figure(side + 0.6, side)
    axes = figure.add_subplot()
    totals = matrix.sum(axis=1, keepdims=True)
    share = matrix / np.maximum(totals, 1)
    axes.imshow(_cell_colours(share), interpolation="nearest", aspect="equal")
    for edge in axes.spines.values():
        edge.set_visible(False)
    if count <= 30:
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(which="minor", color=style.PAPER, linewidth=1.5)
        _cell_texts(axes, matrix, share)
    _class_ticks(axes, classes)
    _name(axes, "predicted class", "true class", size=9)
    return style.to_png(figure)


def calibration(bins: Mapping[str, np.ndarray]) -> bytes:
    """How often the network is right at each confidence, against the diagonal where both agree.

    bins: arrays of equal length "low", "high", "count", "confidence" and "accuracy" (NaN where empty).
    """
    from matplotlib.ticker import MaxNLocator

    figure = style.new_figure(5.2, 5.2)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})
    table = {name: np.asarray(column, dtype=np.float64) for name, column in bins.items()}
    filled = table["count"] > 0
    middle, width = (table["low"] + table["high"]) / 2, table["high"] - table["low"]
    style.plain_axes(upper, grid="both")
    upper.plot([0, 1], [0, 1], **_AGREED)
    upper.bar(middle[filled], table["accuracy"][filled], width[filled] * 0.86, color=style.BLUE, alpha=0.22)
    line = {"color": style.BLUE, "marker": "o", "markersize": 5, "linewidth": 1.6, "clip_on": False}
    upper.plot(table["confidence"][filled], table["accuracy"][filled], **line)
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    _title(upper, "Share that is right")
    style.plain_axes(lower)
    lower.bar(middle, table["count"], width * 0.86, color=style.MUTED, alpha=0.55)
    lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    _title(lower, "How many")
    _name(lower, "confidence of the network")
    for axis in (upper.xaxis, upper.yaxis):
        _in_percent(axis)
    return style.to_png(figure)


def roc(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], dots: Sequence[tuple[float, float, str]] = ()) -> bytes:
    """Receiver operating curves: the share of a class that is found over that of the others that is called so.

    curves: by name, shares of the others and of the class, both rising from 0 to 1; up to len(CURVES) of them. dots:
    places on them, and what is written there.
    """
    figure = style.new_figure(5.2, 5.2)
    axes = style.plain_axes(figure.add_subplot(), grid="both")
    axes.plot([0, 1], [0, 1], **_AGREED)
    for colour, (name, (others, found)) in zip(CURVES, curves.items(), strict=False):
        label = style.legible(style.shorten(name, 40))
        axes.plot(others, found, color=colour, linewidth=1.8, label=label, clip_on=False)
    for across, up, words in dots:
        axes.plot(across, up, color=style.ORANGE, marker="o", markersize=5, clip_on=False)
        axes.annotate(words, (across, up), (7, -11), textcoords="offset points", fontsize=8, color=style.INK)
    axes.set(xlim=(0, 1), ylim=(0, 1.005))
    axes.legend(frameon=False, fontsize=8, labelcolor=style.INK, loc="lower right")
    _name(axes, "share of the others that is called so (1 − specificity)", "share that is found (sensitivity, recall)")
    for axis in (axes.xaxis, axes.yaxis):
        _in_percent(axis)
    return style.to_png(figure)


def runs(
    scores: Mapping[str, Mapping[str, float | None]], whole: Mapping[str, float | None], name: str = "Accuracy"
) -> bytes:
    """A score of every run with its 95 % interval, and that over all of them as a band.

    scores: "value", "low" and "high" (None where there is none) by the name of the run. name: what it is called; the
    accuracy alone is shown in percent.
    """
    figure = style.new_figure(8, float(np.clip(0.9 + 0.26 * len(scores), 1.6, 9)))
    axes = style.plain_axes(figure.add_subplot(), grid="x")
    known = {run: score for run, score in scores.items() if score["value"] is not None}
    if whole["low"] is not None:
        axes.axvspan(whole["low"], whole["high"], color=style.BLUE, alpha=0.12, linewidth=0)
    if whole["value"] is not None:
        axes.axvline(whole["value"], color=style.BLUE, linewidth=1.4)
    for place, score in enumerate(known.values()):
        axes.plot([score["low"], score["high"]], [place, place], color=style.MUTED, linewidth=1.6)
        axes.plot(score["value"], place, color=style.ORANGE, marker="o", markersize=6)
    axes.set_yticks(range(len(known)), known)
    axes.set_ylim(len(known) - 0.4, -0.6)
    if name == "Accuracy":
        _in_percent(axes.xaxis, decimals=None)
    _title(axes, f"{name} of every run on its test part; blue: over all of them")
    return style.to_png(figure)


def recall_curves(curves: Mapping[str, np.ndarray]) -> bytes:
    """Precision over recall for every class, from arrays of precision at evenly spaced recalls from 0 to 1."""
    figure = style.new_figure(6.4, 4.4)
    axes = style.plain_axes(figure.subplots(), grid="both")
    for number, (name, precision) in enumerate(curves.items()):
        red, green, blue = colour_of(number)
        shade = 0.65 if green > 200 else 1.0  # yellow cannot be seen on white
        colour = (shade * red / 255, shade * green / 255, shade * blue / 255)
        label = f"{style.legible(style.shorten(name, 24))}, AP50 {np.mean(precision):.3f}"
        axes.plot(np.linspace(0, 1, len(precision)), precision, color=colour, linewidth=2, label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    if curves:
        axes.legend(loc="lower left", frameon=False, fontsize=8)
    return style.to_png(figure)


def scatter(truth: np.ndarray, predicted: np.ndarray, name: str, reach: np.ndarray | None = None) -> bytes:
    """Predicted against true numbers (N,), with the line where both agree, and a band that reaches `reach` (N,) from
    each prediction to both sides."""
    figure = style.new_figure(5.2, 5.2)
    axes = style.plain_axes(figure.add_subplot(), grid="both")
    ends = _ends(truth, predicted)
    if reach is not None:
        order = np.argsort(predicted)
        sides = (predicted - reach)[order], (predicted + reach)[order]
        axes.fill_betweenx(predicted[order], *sides, color=style.BLUE, alpha=0.1, linewidth=0)
    axes.plot(ends, ends, **_AGREED)
    axes.plot(truth, predicted, color=style.BLUE, alpha=_alpha(len(truth)), **_DOTS)
    axes.set(xlim=ends, ylim=ends)
    _name(axes, f"true {name}", f"predicted {name}")
    return style.to_png(figure)


def errors(truth: np.ndarray, predicted: np.ndarray, name: str) -> bytes:
    """How often which error of N numbers is made, and the errors over the true numbers."""
    figure = style.new_figure(5.2, 5.2)
    upper, lower = figure.subplots(2, 1)
    wrong = np.asarray(predicted, np.float64) - truth
    style.plain_axes(upper)
    upper.hist(wrong, bins=int(np.clip(len(wrong) ** 0.5, 5, 50)), color=style.BLUE, alpha=0.6)
    upper.axvline(0, **_AGREED)
    _name(upper, f"predicted minus true {name}", "pictures")
    style.plain_axes(lower, grid="both")
    lower.axhline(0, **_AGREED)
    lower.plot(truth, wrong, color=style.BLUE, alpha=_alpha(len(wrong)), **_DOTS)
    _name(lower, f"true {name}", "predicted minus true")
    return style.to_png(figure)


def labels(per_label: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> bytes:
    """Precision, recall and F1 ("value", "low", "high", 0 to 1, None where there is none) of every label as bars."""
    names = style.class_labels(list(per_label))
    figure = style.new_figure(8, float(np.clip(1.2 + 0.5 * len(names), 2, 14)))
    axes = style.plain_axes(figure.add_subplot(), grid="x")
    places = np.arange(len(names))
    for shift, (score, colour) in zip((-0.26, 0, 0.26), _BARS.items(), strict=True):
        found = [row[score] for row in per_label.values()]
        known = [place for place, one in enumerate(found) if one["value"] is not None]
        values = np.array([found[place]["value"] for place in known])
        ends = np.array([[found[place]["low"], found[place]["high"]] for place in known]).reshape(-1, 2).T
        axes.barh(places[known] + shift, values, 0.22, color=colour, alpha=0.75, label=score.replace("f1", "F1"))
        axes.hlines(places[known] + shift, *ends, color=style.INK, linewidth=1)
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    _in_percent(axes.xaxis)
    axes.legend(frameon=False, fontsize=8, labelcolor=style.INK, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return style.to_png(figure)


def _column(history: Sequence[Mapping[str, object]], name: str) -> np.ndarray:
    values = [row.get(name) for row in history]
    numbers = np.array([np.nan if value in (None, "") else float(str(value)) for value in values])
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _line(axes: "Axes", x: np.ndarray, y: np.ndarray, colour: str, label: str) -> None:
    marker = "o" if len(x) <= 25 else ""
    axes.plot(x, y, color=colour, linewidth=1.8, marker=marker, markersize=3.5, label=label, clip_on=False)


def _title(axes: "Axes", text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9.5, color=style.INK, fontweight="bold")


def _name(axes: "Axes", x: str, y: str = "", *, size: int = 8) -> None:
    """Say below (and at the left of) the axes what they count."""
    axes.set_xlabel(style.shorten(x, 60), fontsize=size, color=style.MUTED)
    if y:
        axes.set_ylabel(style.shorten(y, 60), fontsize=size, color=style.MUTED)


def _in_percent(axis: "Axis", *, decimals: int | None = 0) -> None:
    """Shares of 1 told in percent; without `decimals` with as many as the range needs."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals, symbol=" %"))


def _ends(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    low, high = (float(f(np.concatenate([truth, predicted]))) for f in (np.min, np.max))
    margin = 0.04 * (high - low) or 1.0
    return np.array([low - margin, high + margin])


def _alpha(count: int) -> float:
    """Dots are paler where there are many."""
    return float(np.clip(60 / max(count, 1), 0.15, 0.7))


def _cell_colours(share: np.ndarray) -> np.ndarray:
    """RGB (K, K, 3) from 0 to 1; the root lifts rare mistakes out of the white."""
    blue, orange, ground = (np.array(style.rgb(colour)) / 255 for colour in (style.BLUE, style.ORANGE, "#f4f6f9"))
    right = np.eye(len(share), dtype=bool)[..., None]
    depth = np.where(right, share[..., None], share[..., None] ** 0.45)
    return ground + depth * (np.where(right, blue, orange) - ground)


def _cell_texts(axes: "Axes", matrix: np.ndarray, share: np.ndarray) -> None:
    count = len(matrix)
    size = 9 if count <= 12 else 7
    for row, column in np.argwhere(matrix > 0):
        deep = share[row, column] > (0.55 if row == column else 0.3)
        colour = style.PAPER if deep else style.INK
        text = f"{matrix[row, column]:,}"
        if count <= 12:
            text += f"\n{_percent(share[row, column])} %"
        written = axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
        # Inside the axes anyway; measuring them all would take most of the time.
        written.set_in_layout(False)


def _percent(share: float) -> str:
    """0 and 100 where it is so alone: of millions of pixels a few are wrong."""
    value = 100 * share
    if 99.9 < value < 100:
        return ">99.9"
    return "<0.1" if value < 0.1 else f"{round(value, int(not 0.5 <= value < 99.5)):g}"


def _class_ticks(axes: "Axes", classes: Sequence[str]) -> None:
    count = len(classes)
    labels = style.class_labels(classes)
    size = float(np.clip(420 / max(count, 1) * 1.35, 5, 9))
    steep = count > 30 or max(map(len, labels)) > 5
    axes.set_xticks(range(count), labels, rotation=90 if count > 12 else (40 if steep else 0))
    if steep and count <= 12:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(range(count), labels)
    axes.tick_params(which="both", length=0, labelsize=size, colors=style.INK)
