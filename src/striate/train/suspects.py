"""Labels that may be wrong: quick networks are asked about the pictures that they have not learned."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from striate.check.labels import Suspects, label_finding, rank_labels, write_suspects
from striate.data.prepare import Preparation
from striate.train.dataset import Dataset
from striate.train.plan import auto_recipe
from striate.train.probe import fold_of, quick_logits, quick_network
from striate.train.symmetry import LEAST_PICTURES, choose_symmetry

FOLDS, ROUNDS = 4, 2
PER_PICTURE = 1e9  # operations
LEAST, MOST = 1e11, 6e12  # operations in all: a few seconds to two or three minutes of one core


def suspects(
    pictures: np.ndarray,
    targets: np.ndarray,
    classes: Sequence[str],
    preparation: Preparation,
    device: torch.device,
    *,
    together: Sequence[Sequence[int]] = (),
    seed: int = 0,
    operations: float | None = None,
) -> Suspects:
    """Which of the pictures (N, H, W, C) of a store have a label that networks doubt which have not learned them.

    targets: (N,) class numbers. together: rows that look alike and so are never both learned and asked about.
    operations: of all networks together, by default in proportion to the pictures and bounded. Nothing is said of
    fewer than LEAST_PICTURES.
    """
    if len(pictures) < LEAST_PICTURES:
        return rank_labels(np.zeros((0, len(classes))), np.zeros(0, np.int64))
    rows, kin = np.arange(len(pictures)), np.arange(len(pictures))
    for group in together:
        kin[list(group)] = group[0]
    operations = operations or min(max(PER_PICTURE * len(rows), LEAST), MOST)
    symmetry, _ = choose_symmetry(
        pictures, rows, targets, classes, preparation, device, kin=kin, operations=min(operations / 4, 4e10), seed=seed
    )
    recipe = auto_recipe(pictures.shape[3], symmetry)
    logits = np.zeros((len(rows), len(classes)))
    for turn in range(ROUNDS):
        fold = fold_of(targets, kin, FOLDS, seed + turn)
        for number in range(FOLDS):
            learned, asked = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            network = quick_network(
                pictures, learned, targets, classes, preparation, device,
                operations=operations / FOLDS / ROUNDS, seed=seed + FOLDS * turn + number, recipe=str(recipe),
            )  # fmt: skip
            logits[asked] += quick_logits(network, pictures, asked, preparation, device) / ROUNDS
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return rank_labels(chances / chances.sum(axis=1, keepdims=True), targets)


def with_doubts(folder: Path, data: Dataset, rows: np.ndarray, chances: np.ndarray) -> Dataset:
    """The data with a finding on the labels that a run's own models doubt; writes suspects.csv.

    rows: (N,) of the store, held out; one that several models answered is there several times. chances: (N, classes).
    """
    unique, place, times = np.unique(rows, return_inverse=True, return_counts=True)
    mean = np.zeros((len(unique), len(data.task.classes)))
    np.add.at(mean, place, chances)
    truth = data.encoded(unique).numpy()
    found = rank_labels(mean / times[:, None], truth)
    found = replace(found, rows=unique[found.rows])
    write_suspects(folder / "suspects.csv", found, data.names, data.task.classes, data.parts)
    finding = label_finding(found, data.names, data.task.classes, "the network")
    return replace(data, check=replace(data.check, findings=[*data.check.findings, finding]))
