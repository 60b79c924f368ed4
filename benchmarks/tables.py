"""Results beside other libraries as sections of a page: what is better than which, and what was not measured.

Every function takes the records of one kind, each with "file", the name of its JSON file without its ending.
"""

from collections.abc import Sequence

from phrases import about, figure, joined, mean_and_sd, missing, number, percent, signed, table, times, verdict


def step(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Rates of the training step and how far apart they are."""
    parts = []
    for one in records:
        parts.append(about(one))
        for name, case in one["cases"].items():
            parts.append(f"**{name}**\n\n{_step_table(case)}{_share(case)}{missing(case)}")
        parts.append(figure(one, pictures, "Pictures per second of every contender; longer is better."))
    return joined(parts)


def _step_table(case: dict) -> str:
    rows = []
    for name, got in case["contenders"].items():
        if "pictures_per_second" not in got:
            continue
        faster, rate = got.get("striate_is_faster_by"), got["pictures_per_second"]["median"]
        shown = (times(faster), verdict(faster)) if faster else ("", "")
        rows.append((name, got["precision"], number(rate), *shown, f"{got['peak_mb']:,.0f} MB"))
    header = ("contender", "precision", "pictures/s", "Striate is faster by", "", "peak memory")
    return table(header, rows, right=(2, 3, 5))


def _share(case: dict) -> str:
    """A sentence on the matrix rate, where it was measured."""
    ours, limit = case["contenders"].get("striate", {}), case["contenders"].get("matmul")
    if not limit or "share_of_matmul" not in ours:
        return ""
    share, rate = ours["share_of_matmul"], number(limit["gigaoperations_per_second"])
    return (
        f"\n\nIts convolutions and dense layers (nothing else is counted as work, everything is counted as time) reach "
        f"{percent(share['median'])} [{percent(share['low'])}, {percent(share['high'])}] of the {rate} G operations "
        f"per second at which torch multiplies {ours['precision']} matrices in the same run."
    )


def race(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Accuracy after a budget that counts from the start of the process."""
    parts = []
    for one in records:
        parts.append(about(one))
        for name, got in one["sets"].items():
            split = "its own split" if got["own_split"] else "a fixed fifth set aside for testing"
            head = f"**{name}**: {got['train']:,} pictures to learn from, {got['test']:,} to be tested on, "
            head += f"{got['classes']} classes, {split}."
            parts.append(f"{head}\n\n{_race_table(got)}\n\n{_race_verdict(got)}")
        if one.get("not_measured"):
            parts.append(f"Not measured: {', '.join(one['not_measured'])}.")
        parts.append(figure(one, pictures, "Test accuracy of every run; the line is the mean."))
    return joined(parts)


def _race_table(got: dict) -> str:
    rows = []
    for title, entry in got["entries"].items():
        name, _, seconds = title.partition("@")
        scored = entry["accuracy"]
        problems = [f"{entry[kind]} {kind}" for kind in ("late", "failed") if entry[kind]]
        taken = [run["seconds"] for run in entry["runs"] if "seconds" in run]
        rows.append((
            name, f"{float(seconds):g} s", mean_and_sd(scored) if scored else "none in time",
            f"{percent(scored['low'])} to {percent(scored['high'])}" if scored else "", scored["n"] if scored else 0,
            f"{max(taken):.1f} s" if taken else "", ", ".join(problems),
        ))  # fmt: skip
    return table(("contender", "budget", "test accuracy", "range", "n", "slowest", ""), rows, right=(1, 2, 3, 4, 5))


def _race_verdict(got: dict) -> str:
    """Striate beside the best other library at the largest budget that both had, and how soon it gets there."""
    ours, last, name, best = best_peer(got)
    if not ours or not best:
        return "Striate and another library have not both been measured here."
    text = f"The best other library after {last:g} s is {name} with {percent(best['mean'])}."
    if last in ours:
        apart = 100 * (ours[last]["mean"] - best["mean"])
        text += (
            f" Striate is {abs(apart):.1f} points {'ahead' if apart > 0 else 'behind'}; {overlap(ours[last], best)}."
        )
    reached = [seconds for seconds, mine in sorted(ours.items()) if mine["mean"] >= best["mean"]]
    return text + (f" Striate has reached that with {reached[0]:g} s." if reached else " Striate has not reached that.")


def best_peer(got: dict) -> tuple[dict[float, dict], float, str, dict | None]:
    """Striate's accuracies by budget, and at the other libraries' largest budget the best one and its accuracies."""
    ours, peers = {}, {}
    for title, entry in got["entries"].items():
        name, _, seconds = title.partition("@")
        if not entry["accuracy"]:
            continue
        if name == "striate":
            ours[float(seconds)] = entry["accuracy"]
        else:
            peers[name, float(seconds)] = entry["accuracy"]
    if not peers:
        return ours, 0.0, "", None
    last = max(seconds for _, seconds in peers)
    name = max((name for name, seconds in peers if seconds == last), key=lambda name: peers[name, last]["mean"])
    return ours, last, name, peers[name, last]


def overlap(one: dict, other: dict) -> str:
    """How the runs of two contenders lie to each other, in words; of a single run each nothing can be said."""
    if min(one["n"], other["n"]) < 2:
        return "one run each"
    return "no run of the one reaches a run of the other" if no_overlap(one, other) else "the runs overlap"


def no_overlap(one: dict, other: dict) -> bool:
    return one["low"] > other["high"] or one["high"] < other["low"]


def intake(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Files into the store, small pictures by the million, the way into a step, and the first step."""
    parts = []
    for one in records:
        parts.append(about(one))
        for name, tell in (("large", _large), ("scaling", _scaling), ("share", _way_in), ("start", _start)):
            parts += [tell(one[name])] if name in one else []
        parts.append(figure(one, pictures, "Microseconds per picture against the number of pictures."))
    return joined(parts)


def _large(got: dict) -> str:
    faster, ours = got["contenders"]["Pillow"]["striate_is_faster_by"], got["contenders"]["striate"]["seconds"]
    return (
        f"**Large photographs.** {got['files']} JPEG files of 12 megapixels ({got['megabytes']:,.0f} MB) are in the "
        f"store as {got['stored_as']} after {ours['median']:.2f} s; Pillow opening and resizing them, one process per "
        f"core, takes {times(faster)} as long. The mean grey of a stored picture differs from Pillow's by at most "
        f"{got['mean_grey_apart_at_most']:.2f} of 255."
    )


def _scaling(got: dict) -> str:
    rows = []
    for size, item in got["sizes"].items():
        each = [item["microseconds_per_picture"][part]["median"] for part in ("index", "store", "open")]
        rows.append((f"{int(size):,}", *(f"{value:.1f} µs" for value in each), f"{item['peak_mb']:,.0f} MB"))
    header = ("pictures", "listed, each", "stored, each", "opened again, each", "peak memory")
    sentence = f"Listing and storing a picture takes {signed(growth(got))} against the smallest folder."
    return f"**Many small pictures** (16×16 PNG).\n\n{table(header, rows, right=range(5))}\n\n{sentence}"


def growth(got: dict) -> float:
    """How much longer a picture takes, listed and stored, in the largest folder than in the smallest; 0 is as long."""
    both = [
        sum(item["microseconds_per_picture"][part]["median"] for part in ("index", "store"))
        for item in got["sizes"].values()
    ]
    return both[-1] / both[0] - 1


def _way_in(got: dict) -> str:
    share = got["share"]
    return (
        f"**The way into a step.** Taking a batch of {got['batch']} from the store, the random changes "
        f"({got['recipe']}) and standardising are {percent(share['median'])} [{percent(share['low'])}, "
        f"{percent(share['high'])}] of a training step of `auto` on 32×32 colour pictures, in {got['precision']}."
    )


def _start(got: dict) -> str:
    first, second = got["first"], got["second"]
    return (
        f"**The first step** is done {first['median']:.1f} s after the process was started on {got['files']:,} new "
        f"photographs, and {second['median']:.1f} s [{second['low']:.1f}, {second['high']:.1f}] after it when they are "
        f"in the store."
    )


def predict(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Whole processes from start to answers."""
    parts = []
    for one in records:
        parts.append(about(one))
        parts += [_folder(network, got) for network, got in one["folder"].items()]
        parts += [f"**One picture, cold, network {name}**{_processes(got)}" for name, got in one["cold"].items()]
    return joined(parts)


def _folder(network: str, got: dict) -> str:
    same = f", {percent(got['same_class'])} of the answers the same class" if "same_class" in got else ""
    return f"**From folder to table, network {network}**: {got.get('pictures', 0):,} pictures{same}{_processes(got)}"


def _processes(got: dict) -> str:
    rows = []
    for name, item in got["contenders"].items():
        faster, seconds = item.get("striate_is_faster_by"), item["seconds"]["median"]
        rows.append((name, f"{seconds:.2f} s", *((times(faster), verdict(faster)) if faster else ("", ""))))
    header = ("contender", "process start to end", "Striate is faster by", "")
    return f"\n\n{table(header, rows, right=(1, 2))}{missing(got)}"


def dial(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Wall time over the minutes asked for."""
    parts = []
    for one in records:
        rows = []
        for run in one["runs"]:
            shown = ("failed", run.get("failed", ""), "")
            if "seconds" in run:
                score = f"{run['score']} {run['value']:.3f}"
                shown = (f"{run['seconds']:.1f} s", signed(run["over_budget"] - 1), score)
            rows.append((run["set"], run["network"], f"{run['minutes']:g}", *shown))
        header = ("set", "network", "`--minutes`", "wall time", "against the budget", "test score")
        parts += [about(one), table(header, rows, right=(2, 3, 4, 5))]
        parts.append(figure(one, pictures, "Wall time over budget; the band is 5 % either way."))
    return joined(parts)
