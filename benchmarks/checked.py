"""What was put to the proof, as sections of a page: traps before `check`, its speed, deep pictures, the intervals.

Every function takes the records of one kind, each with "file", the name of its JSON file without its ending.
"""

from collections.abc import Sequence

from phrases import about, figure, joined, mean_and_sd, percent, table


def traps(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """What was found of every planted trap, and what was cried over clean sets."""
    parts = []
    for one in records:
        rows = []
        for name, got in one["summary"].items():
            shares = [percent(got[key]) if got[key] is not None else "" for key in ("recall", "precision")]
            besides = ", ".join(f"{kind} {count}×" for kind, count in got["others"].items())
            found = f"{got['found']} of {got['sets']}" if name in planted(one) else "nothing planted"
            rows.append((name, found, *shares, besides, f"{got['seconds']:.1f} s"))
        header = ("trap", "found", "recall", "precision", "cried besides", "median time")
        crashed = sum(got["crashed"] for got in one["summary"].values())
        found, sets = (sum(got[key] for got in planted(one).values()) for key in ("found", "sets"))
        loud = [f"{clean['set']} (seed {clean['seed']})" for clean in one["clean"] if clean["alarms"]]
        words = f"Found: {found} of {sets}. Crashes: {crashed}. "
        words += f"Clean sets with a false alarm: {len(loud)} of {len(one['clean'])}"
        words += f" ({', '.join(loud)})." if loud else "."
        parts += [about(one), words, table(header, rows, right=(1, 2, 3, 5))]
        parts.append(figure(one, pictures, "Share of the sets in which each trap was found."))
    return joined(parts)


def planted(one: dict) -> dict[str, dict]:
    """The summary of all traps that are one: some only rearrange a set, and there is nothing to be found."""
    return {name: got for name, got in one["summary"].items() if not name.endswith(", clean")}


def scale_check(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Time and memory of a first and a second check, by size."""
    parts = []
    for one in records:
        rows = []
        for size, got in one["sizes"].items():
            for words, run in (("first", got["first"]), ("second", got["second"])):
                failed = f"exit {run['exit']}" if run["exit"] else ""
                times = f"{run['seconds']:,.1f} s", f"{run['cpu_seconds']:,.1f} s", f"{run['peak_mb']:,} MB"
                rows.append((f"{int(size):,}", words, *times, f"{got['load']:g}", failed))
        told = "Without" if one["settings"]["quick"] else "With"
        header = ("pictures", "check", "wall time", "of the processors", "peak memory", "load after", "")
        parts += [about(one), f"{told} the search for wrong labels; one run of each."]
        parts.append(table(header, rows, right=(0, 2, 3, 4, 5)))
    return joined(parts)


def deep_levels(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Accuracy of every form of the same pictures, and its distance from the stretched one."""
    parts = []
    for one in records:
        rows = []
        for form, got in one["forms"].items():
            if "refused" in got:
                rows.append((form, "refused", "", "", ""))
                continue
            mine, apart = got["accuracy"], got["from_stretched"]
            spread = f"{100 * apart['low']:+.1f} to {100 * apart['high']:+.1f} points"
            reach = f"{percent(mine['low'])} to {percent(mine['high'])}"
            rows.append((form, mean_and_sd(mine), reach, spread, mine["n"]))
        settings = one["settings"]
        words = f"{settings['each']} training pictures of each class, {settings['epochs']} epochs."
        header = ("form", "test accuracy", "range", "from the stretched, seed by seed", "n")
        parts += [about(one), words, table(header, rows, right=(1, 2, 3, 4))]
        parts.append(figure(one, pictures, "Test accuracy of every seed; the line is the mean."))
    return joined(parts)


def coverage(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """How often intervals hold the truth, how well groups are kept, how little moves when pictures are added."""
    parts = []
    for one in records:
        parts.append(about(one))
        parts += [tell(one[name]) for name, tell in _COVERED.items() if name in one]
    return joined(parts)


def _intervals(got: dict) -> str:
    rows = []
    for name, mean in got["mean_coverage"].items():
        each = [setting[name]["coverage"] for setting in got["settings"].values()]
        rows.append((name.replace("_", " "), percent(mean), f"{percent(min(each))} to {percent(max(each))}"))
    words = f"**95 % intervals**: {got['repeats']:,} test parts in each of {len(got['settings'])} settings."
    return f"{words}\n\n{table(('score', 'hold the true value, mean', 'by setting'), rows, right=(1, 2))}"


def _folds(got: dict) -> str:
    told = got["pictures_from_even"]
    return (
        f"**Folds and parts** of {got['sets']} drawn sets: groups, copies or look-alikes parted by folds "
        f"{got['parted']['folds']}, by the split {got['parted']['split']}. A class is at most {told['most']:.1f} and "
        f"on average {told['mean']:.1f} pictures of a fold away from even."
    )


def _stability(got: dict) -> str:
    rows = [(name, percent(kept["mean"]), percent(kept["least"]), kept["sets"]) for name, kept in got["kept"].items()]
    header = ("what is kept when pictures are added", "mean", "least", "sets")
    return f"**Old pictures keep their part.**\n\n{table(header, rows, right=(1, 2, 3))}"


_COVERED = {"intervals": _intervals, "folds": _folds, "stability": _stability}
