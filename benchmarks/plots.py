"""Results as charts, PNG bytes each, in the look of Striate's own charts."""

import itertools
from collections.abc import Callable

import numpy as np

from striate.draw import style

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


def _plain(axes, title: str, grid: str = "x"):
    style.plain_axes(axes, grid=grid)
    axes.set_title(style.legible(title), fontsize=9, color=style.INK, loc="left")
    return axes


CHARTS: dict[str, Callable[[dict], bytes | None]] = {"step": step, "race": race, "intake": intake, "dial": dial}
