"""Results as charts, PNG bytes each, in the look of Striate's own charts."""

import itertools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import numpy as np
from checked import planted
from learned import NUMBERS, runs_of

from striate.draw import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THEIRS = "#98a2b3"


def step(record: dict) -> bytes:
    """Bars of pictures per second, one panel per network and batch, Striate in blue."""
    cases = {
        name: {
            who: got["pictures_per_second"] for who, got in case["contenders"].items() if "pictures_per_second" in got
        }
        for name, case in record["cases"].items()
    }
    heights = [max(len(rates), 1) for rates in cases.values()]
    figure = style.new_figure(7, 0.9 + 0.34 * sum(heights) + 0.35 * len(heights))
    panels = figure.subplots(len(cases), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, rates) in zip(panels, cases.items(), strict=True):
        _plain(axes, name)
        places = np.arange(len(rates))[::-1]
        medians = np.array([rate["median"] for rate in rates.values()])
        errors = np.array([[rate["median"] - rate["low"], rate["high"] - rate["median"]] for rate in rates.values()]).T
        colours = [style.BLUE if who == "striate" else THEIRS for who in rates]
        axes.barh(places, medians, 0.62, color=colours, xerr=errors, error_kw={"ecolor": style.INK, "elinewidth": 0.8})
        axes.set_yticks(places, list(rates), fontsize=8, color=style.INK)
    panels[-1].set_xlabel("pictures per second", fontsize=8, color=style.MUTED)
    return style.to_png(figure)


def race(record: dict) -> bytes:
    """Every run's test accuracy as a point, one panel per set."""
    sets = record["sets"]
    heights = [max(len(got["entries"]), 1) for got in sets.values()]
    figure = style.new_figure(7, 0.9 + 0.3 * sum(heights) + 0.35 * len(heights))
    panels = figure.subplots(len(sets), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, got) in zip(panels, sets.items(), strict=True):
        _plain(axes, name)
        titles = list(got["entries"])
        for place, title in enumerate(reversed(titles)):
            scored = got["entries"][title]["accuracy"]
            if not scored:
                continue
            colour = style.BLUE if title.startswith("striate@") else style.MUTED
            values = [100 * value for value in scored["values"]]
            axes.scatter(values, [place] * len(values), s=18, color=colour, alpha=0.7, linewidths=0)
            axes.plot([100 * scored["mean"]] * 2, [place - 0.3, place + 0.3], color=colour, linewidth=1.6)
        shown = [title.replace("@", ", ") + " s" for title in reversed(titles)]
        axes.set_yticks(range(len(titles)), shown, fontsize=8, color=style.INK)
        axes.set_ylim(-0.6, len(titles) - 0.4)
    panels[-1].set_xlabel("test accuracy in %", fontsize=8, color=style.MUTED)
    return style.to_png(figure)


def segmentation(record: dict) -> bytes:
    """IoU of every run with its 95 % interval, one line per set; a grey mark is what a constant answer scores."""
    axes, figure = _lines(record["sets"], "IoU of the test part")
    for place, got in enumerate(reversed(record["sets"].values())):
        for run in runs_of(got):
            score = run["scores"]["iou"]
            _with_reach(axes, place, *(100 * score[name] for name in ("low", "value", "high")))
            axes.plot([100 * run["baseline"]] * 2, [place - 0.25, place + 0.25], color=THEIRS, linewidth=2)
    axes.set_xlim(0, 100)
    return _finished(figure, axes, "%")


def numbers_and_labels(record: dict) -> bytes | None:
    """The test error of every run over that of the constant answer, one line per set of numbers."""
    sets = {
        name: [run["test"] for run in got["runs"] if run["test"]["main"] in NUMBERS]
        for name, got in record["sets"].items()
    }
    sets = {name: tests for name, tests in sets.items() if tests}
    if not sets:
        return None
    axes, figure = _lines(sets, "Test error over that of the constant answer")
    for place, tests in enumerate(reversed(sets.values())):
        for test in tests:
            score, floor = test[test["main"]], test["baseline"]
            _with_reach(axes, place, *(100 * score[name] / floor for name in ("low", "value", "high")))
    axes.axvline(100, color=THEIRS, linewidth=2)
    axes.set_xlim(left=0)
    return _finished(figure, axes, "%")


def traps(record: dict) -> bytes:
    """The share of the sets in which each trap was found, fewest first."""
    shares = {name: got["found"] / got["sets"] for name, got in planted(record).items()}
    shares = dict(sorted(shares.items(), key=lambda item: item[1]))
    axes, figure = _lines(shares, "Traps found, share of the sets")
    places = range(len(shares))[::-1]
    axes.barh(places, [100 * share for share in shares.values()], 0.62, color=style.BLUE)
    axes.set_xlim(0, 100)
    return _finished(figure, axes, "%")


def deep_levels(record: dict) -> bytes | None:
    """The test accuracy of every seed, one line per form of the same pictures."""
    forms = {form: got["accuracy"] for form, got in record["forms"].items() if "accuracy" in got}
    if not forms:
        return None
    axes, figure = _lines(forms, "The same pictures in other forms")
    for place, got in enumerate(reversed(forms.values())):
        values = [100 * value for value in got["values"]]
        axes.scatter(values, [place] * len(values), s=22, color=style.BLUE, alpha=0.7, linewidths=0)
        axes.plot([100 * got["mean"]] * 2, [place - 0.3, place + 0.3], color=style.BLUE, linewidth=1.6)
    axes.set_xlim(0, 102)
    return _finished(figure, axes, "test accuracy in %")


def intake(record: dict) -> bytes | None:
    """Time per picture against the number of pictures; None where that was not measured."""
    if "scaling" not in record:
        return None
    sizes = {int(size): got["microseconds_per_picture"] for size, got in record["scaling"]["sizes"].items()}
    figure = style.new_figure(6, 3)
    axes = _plain(figure.add_subplot(), "Many small pictures", grid="y")
    for part, words, colour in (("store", "stored", style.BLUE), ("index", "listed", style.ORANGE)):
        axes.plot(list(sizes), [got[part]["median"] for got in sizes.values()], "o-", color=colour, label=words)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pictures", fontsize=8, color=style.MUTED)
    axes.set_ylabel("µs per picture", fontsize=8, color=style.MUTED)
    axes.legend(frameon=False, fontsize=8, labelcolor=style.INK)
    return style.to_png(figure)


def dial(record: dict) -> bytes | None:
    """Wall time over budget against the budget, a point per run."""
    done = [run for run in record["runs"] if "seconds" in run]
    if not done:
        return None
    figure = style.new_figure(6, 3)
    axes = _plain(figure.add_subplot(), "Wall time over the minutes asked for", grid="y")
    axes.axhspan(95, 105, color=style.GRID, linewidth=0)
    colours = itertools.cycle((style.BLUE, style.ORANGE, style.GREEN))
    for name, colour in zip(sorted({run["network"] for run in done}), colours, strict=False):
        mine = [run for run in done if run["network"] == name]
        x, y = [run["minutes"] for run in mine], [100 * run["over_budget"] for run in mine]
        axes.scatter(x, y, s=20, color=colour, alpha=0.7, linewidths=0, label=name)
    budgets = sorted({run["minutes"] for run in done})
    axes.set_xscale("log")
    axes.set_xticks(budgets, [f"{minutes:g}" for minutes in budgets])
    axes.minorticks_off()
    axes.set_xlabel("minutes asked for", fontsize=8, color=style.MUTED)
    axes.set_ylabel("%", fontsize=8, color=style.MUTED)
    axes.legend(frameon=False, fontsize=8, labelcolor=style.INK)
    return style.to_png(figure)


def _lines(names: Collection[str], title: str) -> "tuple[Axes, Figure]":
    """One panel with a line for each name, the first at the top."""
    figure = style.new_figure(7, 0.9 + 0.3 * len(names))
    axes = _plain(figure.add_subplot(), title)
    axes.set_yticks(range(len(names)), [style.legible(name) for name in list(names)[::-1]], fontsize=8, color=style.INK)
    axes.set_ylim(-0.6, len(names) - 0.4)
    return axes, figure


def _with_reach(axes: "Axes", place: int, low: float, value: float, high: float) -> None:
    """A point with its interval."""
    axes.plot([low, high], [place] * 2, color=style.BLUE, alpha=0.5, linewidth=1.6)
    axes.scatter(value, place, s=22, color=style.BLUE, linewidths=0)


def _finished(figure: "Figure", axes: "Axes", unit: str) -> bytes:
    axes.set_xlabel(unit, fontsize=8, color=style.MUTED)
    return style.to_png(figure)


def _plain(axes, title: str, grid: str = "x"):
    style.plain_axes(axes, grid=grid)
    axes.set_title(style.legible(title), fontsize=9, color=style.INK, loc="left")
    return axes


CHARTS: dict[str, Callable[[dict], bytes | None]] = {
    "step": step, "race": race, "segmentation": segmentation, "numbers-and-labels": numbers_and_labels, "traps": traps,
    "deep_levels": deep_levels, "intake": intake, "dial": dial,
}  # fmt: skip
