"""What Striate learned, and how well, as sections of a page: classes, series, boxes, areas, numbers and labels.

Every function takes the records of one kind, each with "file", the name of its JSON file without its ending.
"""

from collections.abc import Sequence

from phrases import about, figure, joined, mean_and_sd, percent, slowest, table, with_interval

NUMBERS = ("rmse", "mae")  # scores in the unit of what was learned; all others are shares


def accuracy(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Test accuracy over seeds, each of which also divides the pictures anew."""
    parts = []
    for one in records:
        options = " ".join(one.get("settings", one)["options"]) or "default"
        rows = [
            (name, options, mean_and_sd(got), got["n"], f"{got['slowest_seconds']:.1f} s")
            for name, got in one["sets"].items()
        ]
        parts += [about(one), table(("set", "options", "test accuracy", "n", "slowest"), rows, right=(2, 3, 4))]
    return joined(parts)


def series(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Accuracies and times of every set."""
    parts = []
    for one in records:
        rows = []
        for name, got in one["sets"].items():
            done = [run for run in got["runs"] if "accuracy" in run]
            told = ", ".join(percent(run["accuracy"]) for run in done)
            busy = max((run["processor_seconds"] for run in done), default=0.0)
            loads = f"{min(run['load'] for run in done):.1f} to {max(run['load'] for run in done):.1f}" if done else ""
            rows.append((name, f"{done[0]['n']:,}" if done else "", told, slowest(done), f"{busy:.0f} s", loads))
        header = ("set", "test series", "accuracy by seed", "slowest run", "of the processors", "load before a run")
        parts += [about(one), table(header, rows, right=(1, 3, 4, 5))]
    return joined(parts)


def detection(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Average precision of every contender, seed by seed."""
    parts = []
    for one in records:
        rows = []
        for name in dict.fromkeys(run["contender"] for run in one["runs"]):
            runs = [run for run in one["runs"] if run["contender"] == name]
            fifty = ", ".join(with_interval(_with_own_interval(run, "map50")) for run in runs)
            strict = ", ".join(with_interval(_with_own_interval(run, "map50_95")) for run in runs)
            kinds = {kind: sum(run["ap50"][kind] for run in runs) / len(runs) for kind in runs[0]["ap50"]}
            each = ", ".join(f"{kind} {percent(value)}" for kind, value in kinds.items())
            rows.append((name, len(runs), fifty, strict, each, slowest(runs)))
        settings = one["settings"]
        parts += [about(one), f"**{settings['set']}**, {settings['minutes']:g} minutes"]
        header = ("contender", "seeds", "mAP50 by seed", "mAP50-95 by seed", "AP50 by class, mean", "slowest run")
        parts.append(table(header, rows, right=(1, 5)))
    return joined(parts)


def _with_own_interval(run: dict, name: str) -> dict:
    """pycocotools' value, with the interval around Striate's own where that says the same."""
    own = run["about"].get(name, {})
    return {**own, "value": run[name]} if abs(own.get("value", -1) - run[name]) < 0.0005 else {"value": run[name]}


def segmentation(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """Overlap with the true areas, set by set."""
    parts = []
    for one in records:
        rows = []
        for name, got in one["sets"].items():
            runs = runs_of(got)
            shown = [", ".join(_share_of(run, score) for run in runs) for score in ("iou", "dice", "object_f1")]
            always = ", ".join(percent(run["baseline"]) for run in runs)
            rows.append((name, runs[0]["n"], len(runs), *shown, always, slowest(runs)))
        header = ("set", "test pictures", "seeds", "IoU by seed", "Dice by seed", "objects, F1", "baseline", "slowest")
        parts += [about(one), table(header, rows, right=(1, 2, 7))]
        parts.append(figure(one, pictures, "IoU of every set with its 95 % interval; the grey mark is the baseline."))
    return joined(parts)


def runs_of(got: dict) -> list[dict]:
    """The runs of a set; the first records of areas held one run and no list."""
    return got.get("runs", [got])


def _share_of(run: dict, score: str) -> str:
    return with_interval(run["scores"][score]) if score in run["scores"] else ""


def numbers_and_labels(records: Sequence[dict], pictures: dict[str, str]) -> str:
    """The main score beside those of answers that need no picture, a row for every run."""
    parts = []
    for one in records:
        rows = []
        for name, got in one["sets"].items():
            for run in got["runs"]:
                test = run["test"]
                held = with_interval(test["coverage"]) if "coverage" in test else ""
                words = name, run["seed"], test["n"], *_main_of(test), held
                rows.append((*words, test.get("leaked", 0), slowest([run])))
        header = ("set", "seed", "n", "test", "without a picture", "90 % intervals hold", "leaked", "wall time")
        parts += [about(one), f"{one['settings']['minutes']:g} minutes", table(header, rows, right=(1, 2, 5, 6, 7))]
        parts.append(figure(one, pictures, "Test error over that of always the mean, with its 95 % interval."))
    return joined(parts)


def _main_of(test: dict) -> tuple[str, str]:
    """A test part's main score with its interval, and what is scored without looking at a picture."""
    name = test["main"]
    score, title = test[name], name.upper() if name in NUMBERS else name.replace("_", " ").replace("f1", "F1")
    if name not in NUMBERS:
        return f"{title} {with_interval(score)}", f"{test['baseline_is']}: {percent(test['baseline'])}"
    others = [f"{words}: {floor[name]:#.3g}" for words, floor in test["baselines"].items()]
    return f"{title} {score['value']:#.3g} [{score['low']:#.3g}, {score['high']:#.3g}]", "; ".join(others)
