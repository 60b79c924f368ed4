"""Labels that may be wrong: quick networks are asked about the pictures that they have not learned."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from scipy.special import softmax

from striate.check.labels import Suspects, label_finding, rank_labels, write_suspects
from striate.train.dataset import Dataset
from striate.train.plan import auto_recipe
from striate.train.probe import SIDE, Lesson, fold_of, quick_logits, quick_network
from striate.train.symmetry import LEAST_PICTURES, choose_symmetry

FOLDS, ROUNDS = 4, 2
PER_PICTURE = 1e9  # operations
LEAST, MOST = 1e11, 6e12  # operations in all: a few seconds to two or three minutes of one core
GOOD = 0.9  # share of the labels agreed with, below which pictures that have them are looked at with more pixels,
FINER, FINER_WORTH = 64, 6  # so many, for so many times the operations
LEAST_GAIN = 1.5  # times the pixels of a side, for that to show something new
AGAIN, AGAIN_WORTH = 0.15, 0.5  # share of the pictures that is looked at again, and of the operations, for that


def suspects(lesson: Lesson, *, seed: int = 0, operations: float | None = None) -> Suspects:
    """Which of the pictures have a label that networks doubt which have not learned them.

    operations: of all networks together, by default in proportion to the pictures and bounded; more where these
    agree with few labels, and more can be seen in larger pictures: what both say is then averaged, each weighted by the
    square of how much more often than the largest class it is right. The most doubtful pictures are then looked at
    again, by a network that learned all others: few wrong labels are left among these to mislead it. Nothing is said of
    fewer than LEAST_PICTURES, nor where all belong together.
    """
    count, height, width, channels = lesson.pictures.shape
    if count < LEAST_PICTURES or len(np.unique(lesson.kin)) < 2:
        return rank_labels(np.zeros((0, len(lesson.classes))), np.zeros(0, np.int64))
    targets, operations = lesson.targets, operations or min(max(PER_PICTURE * count, LEAST), MOST)
    symmetry, _ = choose_symmetry(lesson, np.arange(count), operations=min(operations / 4, 4e10), seed=seed)
    recipe = str(auto_recipe(channels, symmetry))
    said, side = [_held_out(lesson, seed, recipe, SIDE, operations)], SIDE
    if _agreed(said[0], targets) < GOOD and max(height, width) >= LEAST_GAIN * SIDE:
        side, operations = FINER, min(FINER_WORTH * operations, MOST)
        said.append(_held_out(lesson, seed, recipe, side, operations))
    usual = np.bincount(targets).max() / len(targets)
    weights = [max(_agreed(logits, targets) - usual, 0.01) ** 2 for logits in said]
    logits = np.average(said, axis=0, weights=weights)
    doubted = rank_labels(softmax(logits, axis=-1), targets).rows[: round(AGAIN * count)]
    others = np.flatnonzero(~np.isin(lesson.kin, lesson.kin[doubted]))
    if len(doubted) and len(others) >= LEAST_PICTURES:
        own = {"operations": AGAIN_WORTH * operations, "seed": seed + FOLDS * ROUNDS, "recipe": recipe, "side": side}
        network = quick_network(lesson, others, **own)
        again = quick_logits(network, lesson, doubted, side)
        logits[doubted] = (logits[doubted] + again) / 2  # with the second look alone some clean sets were accused
    return rank_labels(softmax(logits, axis=-1), targets)


def _agreed(logits: np.ndarray, targets: np.ndarray) -> float:
    return float((logits.argmax(axis=1) == targets).mean())


def _held_out(lesson: Lesson, seed: int, recipe: str, side: int, operations: float) -> np.ndarray:
    """Logits (N, classes) by networks that have not learned the picture."""
    logits = np.zeros((len(lesson.targets), len(lesson.classes)))
    for turn in range(ROUNDS):
        fold = fold_of(lesson.targets, lesson.kin, FOLDS, seed + turn)
        for number in np.unique(fold):  # of two groups there are two
            learned, asked = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            own, each = seed + FOLDS * turn + int(number), operations / FOLDS / ROUNDS
            network = quick_network(lesson, learned, operations=each, seed=own, recipe=recipe, side=side)
            logits[asked] += quick_logits(network, lesson, asked, side) / ROUNDS
    return logits


def with_doubts(folder: Path, data: Dataset, held: Iterable[tuple[np.ndarray, Sequence]]) -> Dataset:
    """The data with a finding on the labels that a run's own models doubt, where pictures have one each; writes
    suspects.csv.

    held: rows (N,) of the store that were held out, and the answers to them; a picture that several models answered is
    there several times.
    """
    task = data.task
    if not task.one_label:
        return data
    rows, answers = (list(chain(*parts)) for parts in zip(*held, strict=True))
    unique, place, times = np.unique(np.array(rows, int), return_inverse=True, return_counts=True)
    mean = np.zeros((len(unique), len(task.classes)))
    np.add.at(mean, place, np.reshape([task.per_class(answer) for answer in answers], (-1, len(task.classes))))
    found = rank_labels(mean / times[:, None], data.encoded(unique).numpy())
    found = replace(found, rows=unique[found.rows])
    write_suspects(folder / "suspects.csv", found, data.names, task.classes, data.parts)
    if not found.pictures:  # every class has too few held-out pictures for a judgement
        return data
    finding = label_finding(found, data.names, task.classes, "the network")
    return replace(data, check=replace(data.check, findings=[*data.check.findings, finding]))
