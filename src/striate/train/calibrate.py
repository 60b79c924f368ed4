"""What the validation part has to say of a trained network: how sure it may be, and what its task chooses by it."""

from dataclasses import replace

import numpy as np

from striate.export.model import Model
from striate.train.dataset import Dataset
from striate.train.scoring import Picked, answers_of

LEAST = 20  # validation pictures; fewer say too little about confidence


def calibrated(model: Model, data: Dataset) -> Model:
    """The model with its temperature, and its task tuned to its answers on the validation part."""
    if model.task.calibrated:
        model = replace(model, temperature=calibrate(model, data))
    rows = data.rows("validation")
    if not model.task.tunes or not len(rows):
        return model
    tuned = model.task.tuned(data.targets_of(rows), answers_of(model, data, rows), data.kin[rows])
    return replace(model, task=tuned)


def calibrate(model: Model, data: Dataset) -> float:
    """The temperature with the lowest loss on the validation part (Guo et al. 2017), from 0.2 to 5.

    1.0 where the validation part is small. One factor for all logits: no class changes, only confidence.
    """
    rows = data.rows("validation")
    if len(rows) < LEAST:
        return 1.0
    logits = model.logits(Picked(data.store.pictures, rows))
    truth = data.encoded(rows)

    def loss(log_temperature: float) -> float:
        return float(data.task.loss(logits / np.exp(log_temperature), truth, None, 0.0))

    grid = np.linspace(np.log(0.2), np.log(5.0), 65)
    best = grid[int(np.argmin([loss(point) for point in grid]))]
    fine = np.linspace(best - 0.05, best + 0.05, 41)
    return float(np.exp(fine[int(np.argmin([loss(point) for point in fine]))]))
