"""Charts of numbers and of several labels, each as PNG bytes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from striate.draw import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    axes.plot(ends, ends, color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot(truth, predicted, color=style.BLUE, alpha=_alpha(len(truth)), **_DOTS)
    axes.set(xlim=ends, ylim=ends)
    _words(axes, f"true {name}", f"predicted {name}")
    return style.to_png(figure)


def errors(truth: np.ndarray, predicted: np.ndarray, name: str) -> bytes:
    """How often which error of N numbers is made, and the errors over the true numbers."""
    figure = style.new_figure(5.2, 5.2)
    upper, lower = figure.subplots(2, 1)
    wrong = np.asarray(predicted, np.float64) - truth
    style.plain_axes(upper)
    upper.hist(wrong, bins=int(np.clip(len(wrong) ** 0.5, 5, 50)), color=style.BLUE, alpha=0.6)
    upper.axvline(0, color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    _words(upper, f"predicted minus true {name}", "pictures")
    style.plain_axes(lower, grid="both")
    lower.axhline(0, color=style.MUTED, linewidth=1, linestyle=(0, (4, 3)))
    lower.plot(truth, wrong, color=style.BLUE, alpha=_alpha(len(wrong)), **_DOTS)
    _words(lower, f"true {name}", "predicted minus true")
    return style.to_png(figure)


def labels(per_label: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> bytes:
    """Precision, recall and F1 ("value", "low", "high", 0 to 1, None where there is none) of every label as bars."""
    from matplotlib.ticker import PercentFormatter

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
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    axes.legend(frameon=False, fontsize=8, labelcolor=style.INK, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return style.to_png(figure)


_DOTS = {"marker": "o", "markersize": 4, "linestyle": "", "markeredgewidth": 0}
_BARS = {"precision": style.BLUE, "recall": style.ORANGE, "f1": style.MUTED}


def _ends(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    low, high = (float(f(np.concatenate([truth, predicted]))) for f in (np.min, np.max))
    margin = 0.04 * (high - low) or 1.0
    return np.array([low - margin, high + margin])


def _alpha(count: int) -> float:
    """Dots are paler where there are many."""
    return float(np.clip(60 / max(count, 1), 0.15, 0.7))


def _words(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(style.shorten(x, 60), fontsize=8, color=style.MUTED)
    axes.set_ylabel(style.shorten(y, 60), fontsize=8, color=style.MUTED)
