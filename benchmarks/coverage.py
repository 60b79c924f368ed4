"""Whether the numbers hold what they say: python benchmarks/coverage.py [OUT.json] [--parts intervals folds stability]

intervals: how often the 95 % intervals of a report hold the true score, known by a sample of 400,000 from the same
simulated classifier. folds: groups parted by stratified grouped folds (none should be), and how even the classes stay.
stability: the share of old pictures that keep their part when pictures are added.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import record

sys.path.insert(0, str(record.ROOT / "src"))

from striate.data.sample import Sample
from striate.data.split import folds, split
from striate.evaluate.scores import classification_scores

SETTINGS = ((60, 2), (100, 5), (180, 2), (400, 4), (2000, 10))  # pictures of a test part, classes
SKILLS = {"fair": 1.2, "good": 2.6, "excellent": 4.5}
TRUE = 400_000  # pictures behind a true score
SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "log_loss", "calibration_error")
Draw = tuple[np.ndarray, np.ndarray]


def predictions(random: np.random.Generator, count: int, classes: int, skill: float) -> Draw:
    """Truths (count,) and probabilities (count, classes) of a classifier; the last class is the rarest, by half."""
    shares = np.linspace(1, 0.5, classes)
    truth = random.choice(classes, count, p=shares / shares.sum())
    logits = random.normal(0, 1, (count, classes)) * 1.3
    logits[np.arange(count), truth] += skill
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return truth, powers / powers.sum(axis=1, keepdims=True)


def intervals(asked: argparse.Namespace) -> dict:
    """Coverage of every score: share of the repeats in which the interval holds the true value."""
    found = {}
    for count, classes in SETTINGS:
        names = [str(label) for label in range(classes)]
        for skill, strength in SKILLS.items():
            random = np.random.default_rng([count, classes, int(10 * strength)])
            truth = classification_scores(*predictions(random, TRUE, classes, strength), names, 0)
            held, widths = Counter(), Counter()
            for _ in range(asked.repeats):
                scores = classification_scores(*predictions(random, count, classes, strength), names, 0)
                for name in SCORES:
                    low, high = scores[name]["low"], scores[name]["high"]
                    held[name] += low <= truth[name]["value"] <= high
                    widths[name] += high - low
            found[f"{count} pictures, {classes} classes, {skill}"] = {
                name: {
                    "true": round(truth[name]["value"], 4), "coverage": held[name] / asked.repeats,
                    "width": round(widths[name] / asked.repeats, 4),
                }
                for name in SCORES
            }  # fmt: skip
            print(
                count, classes, skill, {name: round(100 * held[name] / asked.repeats, 1) for name in SCORES}, flush=True
            )
    means = {name: float(np.mean([one[name]["coverage"] for one in found.values()])) for name in SCORES}
    return {"repeats": asked.repeats, "settings": found, "mean_coverage": means}


def drawn_sets(number: int, seed: int) -> Iterator[tuple[list[Sample], list[str], list[list[int]]]]:
    """Sets of 40 to 2,000 pictures: classes of unlike size, some with groups, copies or look-alikes."""
    for draw in range(number):
        random = np.random.default_rng([seed, draw])
        count, classes = int(random.integers(40, 2000)), int(random.integers(2, 8))
        shares = random.dirichlet(np.full(classes, 4.0))
        groups = int(random.integers(12, 200)) if draw % 2 else 0
        home = random.choice(classes, max(groups, 1), p=shares)  # the class of most pictures of a group
        samples = []
        for row in range(count):
            group = int(random.integers(groups)) if groups else None
            label = home[group] if groups and random.random() < 0.9 else random.choice(classes, p=shares)
            named = None if group is None else f"g{group}"
            samples.append(Sample(path=f"{label}/{row}.png", source=Path("x"), target=f"c{label}", group=named))
        contents = [random.bytes(8).hex() for _ in samples]
        for copy, original in random.integers(count, size=(count // 50, 2)):
            contents[copy] = contents[original]
        yield samples, contents, [sorted(set(pair)) for pair in random.integers(count, size=(count // 50, 2)).tolist()]


def parted(places: np.ndarray, samples: list[Sample], contents: list[str], together: list[list[int]]) -> int:
    """Groups, copies and look-alikes that are in more than one place."""
    where: dict[object, set] = {}
    for row, sample in enumerate(samples):
        where.setdefault(("bytes", contents[row]), set()).add(places[row])
        if sample.group is not None:
            where.setdefault(("group", sample.group), set()).add(places[row])
    for number, rows in enumerate(together):
        where[("alike", number)] = {places[row] for row in rows}
    return sum(len(found) > 1 for found in where.values())


def grouped_folds(asked: argparse.Namespace) -> dict:
    wrong = {"folds": 0, "split": 0}
    uneven = []
    for samples, contents, together in drawn_sets(asked.sets, 1):
        places = folds(samples, contents, 5, seed=3, together=together)
        wrong["folds"] += parted(places, samples, contents, together)
        parts = np.asarray(split(samples, contents, seed=3, together=together))
        wrong["split"] += parted(parts, samples, contents, together)
        if samples[0].group is None:
            for name, count in Counter(sample.target for sample in samples).items():
                each = np.bincount([places[row] for row, s in enumerate(samples) if s.target == name], minlength=5)
                uneven.append(float(np.abs(each - count / 5).max()))
    return {
        "sets": asked.sets,
        "parted": wrong,
        "pictures_from_even": {"most": max(uneven), "mean": float(np.mean(uneven))},
    }


ADDED = {"new class, 30 %": 0.3, "one class, 10 %": 0.1, "all, 5 %": 0.05, "all, 50 %": 0.5}


def stability(asked: argparse.Namespace) -> dict:
    """The least and the mean share of old pictures that keep their part (and fold), for additions of several kinds."""
    kept: dict[str, list[float]] = {}
    for samples, contents, together in drawn_sets(asked.sets, 2):
        before = divided(samples, contents, together)
        for name, share in ADDED.items():
            more, added = additions(samples, name, share)
            moved = [[row + len(more) for row in rows] for rows in together]
            after = divided([*more, *samples], [*added, *contents], moved)
            kind = "grouped" if samples[0].group else "single pictures"
            for what, places in after.items():
                same = float(np.mean(before[what] == places[len(more) :]))
                kept.setdefault(f"{what}, {kind}, {name}", []).append(same)
    shown = {
        name: {"mean": float(np.mean(v)), "least": min(v), "below_95": sum(x < 0.95 for x in v), "sets": len(v)}
        for name, v in kept.items()
    }
    for name, values in shown.items():
        print(name, {key: round(value, 3) for key, value in values.items()}, flush=True)
    return {"sets": asked.sets, "kept": shown}


def divided(samples: list[Sample], contents: list[str], together: list[list[int]]) -> dict[str, np.ndarray]:
    parts = np.asarray(split(samples, contents, together=together), object)
    return {"part": parts, "fold": folds(samples, contents, 5, together=together)}


def additions(samples: list[Sample], name: str, share: float) -> tuple[list[Sample], list[str]]:
    """New pictures and their contents; in groups of their own of eight where the old ones have groups."""
    random = np.random.default_rng(len(samples))
    targets = {"new": ["new"], "one": [samples[0].target]}.get(name[:3], [sample.target for sample in samples])
    more = [
        Sample(path=f"more/{row}.png", source=Path("x"), target=str(random.choice(targets)),
               group=None if samples[0].group is None else f"new{row // 8}")
        for row in range(max(1, round(share * len(samples))))
    ]  # fmt: skip
    return more, [random.bytes(8).hex() for _ in more]


PARTS = {"intervals": intervals, "folds": grouped_folds, "stability": stability}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "coverage.json")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--sets", type=int, default=200)
    asked = parser.parse_args()
    result = record.begin("coverage", {name: value for name, value in vars(asked).items() if name != "out"})
    for name in asked.parts:
        result[name] = PARTS[name](asked)
        record.write(asked.out, result)
    print({name: result[name] for name in ("folds",) if name in result})


if __name__ == "__main__":
    main()
