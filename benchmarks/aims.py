"""What this project set itself, beside what was measured: one row per aim, "not measured" where that is so."""

from collections.abc import Iterator

from phrases import has_units, met, percent, signed, table, times
from tables import best_peer, growth, no_overlap, overlap

# How many times faster than each; set for a processor with units for bf16 matrices.
STEP = {
    ("hela", "torch fp32"): 5.0,
    ("hela", "Keras TensorFlow fp32"): 3.5,
    ("hela", "Keras TensorFlow mixed bf16"): 2.0,
    ("resnet18", "torch fp32"): 3.0,
    ("resnet18", "torch autocast bf16"): 1.2,
}
SHARE, LARGE, GROWTH, MEMORY, WAY_IN, START = 0.45, 3.0, 0.15, 2000.0, 0.1, 3.0
FOLDER, COLD, COLD_PEER = 3.0, 2.0, "yolo classify predict"
SOON, KEPT = 20.0, 0.05  # seconds; share of a budget in minutes, either way
MOST = 1_000_000  # pictures

Row = tuple[str, str, str, str]
Records = dict[str, list[dict]]


def rows(records: Records) -> list[Row]:
    """(what, aim, measured, met or not) of every aim; several rows where there are several results."""
    found = []
    for name, tell in _TOLD.items():
        told = [(f"{what} (`{one['file']}`)", *rest) for one in records[name] for what, *rest in tell(one)]
        found += told or [(_NOTHING[name], "", "not measured", "")]
    return found


def section(records: Records) -> str:
    return table(("what", "aim", "measured", ""), rows(records))


def _step(one: dict) -> Iterator[Row]:
    """On a processor with units for bf16 matrices every ratio; without, never slower than torch. On a GPU nothing."""
    if one["machine"].get("gpu"):
        return
    units = has_units(one)
    for name, case in one["cases"].items():
        for peer, got in case["contenders"].items():
            aim = STEP.get((case["network"], peer)) if units else {"torch fp32": 1.0}.get(peer)
            faster = got.get("striate_is_faster_by")
            if aim and faster:
                yield f"step of {name}, against {peer}", f"{aim:g}×", times(faster), met(faster["median"] >= aim)
        share = case["contenders"].get("striate", {}).get("share_of_matmul")
        if share:
            verdict = met(share["median"] >= SHARE) if units else "no units for bf16"
            yield f"step of {name}, share of the matrix rate", percent(SHARE), percent(share["median"]), verdict


def _race(one: dict) -> Iterator[Row]:
    for name, got in one["sets"].items():
        ours, last, peer, best = best_peer(got)
        if not ours or not best:
            continue
        if last in ours:
            apart = ours[last]["mean"] - best["mean"]
            what = f"{name} after {last:g} s, against the best other library"
            measured = f"{100 * apart:+.1f} points ({peer}), {overlap(ours[last], best)}"
            single = min(ours[last]["n"], best["n"]) < 2
            verdict = "no spread known" if single else met(apart > 0 and no_overlap(ours[last], best))
            yield what, "ahead, no overlap", measured, verdict
        early = [seconds for seconds in ours if seconds <= SOON]
        if early:
            mine = ours[max(early)]["mean"]
            what = f"{name}: what {peer} reaches in {last:g} s ({percent(best['mean'])})"
            yield what, f"with {SOON:g} s", f"{percent(mine)} with {max(early):g} s", met(mine >= best["mean"])


def _intake(one: dict) -> Iterator[Row]:
    if "large" in one:
        faster = one["large"]["contenders"]["Pillow"]["striate_is_faster_by"]
        yield "large photographs stored, against Pillow", f"{LARGE:g}×", times(faster), met(faster["median"] >= LARGE)
    if "scaling" in one:
        sizes, more = one["scaling"]["sizes"], growth(one["scaling"])
        most, peak = max(map(int, sizes)), max(item["peak_mb"] for item in sizes.values())
        far = most >= MOST
        what = f"time per picture in a folder of {most:,}, against the smallest"
        yield (
            what,
            f"within {percent(GROWTH)}",
            signed(more),
            met(abs(more) <= GROWTH) if far else "a million is not measured",
        )
        aim = f"under {MEMORY:,.0f} MB"
        yield (
            f"peak memory with {most:,} pictures",
            aim,
            f"{peak:,.0f} MB",
            met(peak < MEMORY) if far else "a million is not measured",
        )
    if "share" in one:
        share = one["share"]["share"]["median"]
        yield "the way into a step of `auto`", f"under {percent(WAY_IN)} of it", percent(share), met(share < WAY_IN)
    if "start" in one:
        second = one["start"]["second"]["median"]
        yield "first step of a second start", f"under {START:g} s", f"{second:.1f} s", met(second < START)


def _predict(one: dict) -> Iterator[Row]:
    for key, words, aim in (("folder", "from folder to table", FOLDER), ("cold", "one picture, cold", COLD)):
        for network, got in one[key].items():
            for peer, item in got["contenders"].items():
                faster = item.get("striate_is_faster_by")
                if faster and (key == "folder" or peer == COLD_PEER):
                    yield (
                        f"{words}, {network}, against {peer}",
                        f"{aim:g}×",
                        times(faster),
                        met(faster["median"] >= aim),
                    )


def _dial(one: dict) -> Iterator[Row]:
    kept = sum("seconds" in run and abs(run["over_budget"] - 1) <= KEPT for run in one["runs"])
    count = len(one["runs"])
    yield "`--minutes` kept", f"within {percent(KEPT)}, always", f"{kept} of {count} runs", met(kept == count)


_TOLD = {"step": _step, "race": _race, "intake": _intake, "predict": _predict, "dial": _dial}
_NOTHING = {
    "step": "training step against the other libraries",
    "race": "accuracy against time",
    "intake": "the way in",
    "predict": "predicting",
    "dial": "`--minutes` kept",
}
