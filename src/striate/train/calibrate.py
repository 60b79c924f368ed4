"""What is set by the validation part after the training: how sure answers are, and what the task chooses by them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from torch import Tensor

from striate.evaluate.intervals import clusters_worth
from striate.export.model import Model
from striate.train.dataset import Dataset
from striate.train.scoring import Picked, answers_of

LEAST = 20  # validation pictures; fewer say too little about confidence
ENDS = np.log([0.2, 5.0])  # of the logarithm of the temperature
USUAL = 0.5  # its standard deviation around 0, as far as is known before any picture is seen


def calibrated(model: Model, data: Dataset) -> Model:
    """The model with its temperature, and its task tuned to its answers on the validation part."""
    rows, task = data.rows("validation"), model.task
    if not len(rows):
        return model
    if task.calibrated:
        logits = model.logits(Picked(data.store.pictures, rows))
        model = replace(model, temperature=_temperature(logits, data, rows))
        answers = task.decode(logits / model.temperature, data.sizes[rows])
    elif task.tunes:
        answers = answers_of(model, data, rows)
    if not task.tunes:
        return model
    return replace(model, task=task.tuned(data.targets_of(rows), list(answers), data.kin[rows]))


def _temperature(logits: Tensor, data: Dataset, rows: np.ndarray) -> float:
    """The temperature with the lowest loss on the validation part (Guo et al. 2017), see `temperature_of`.

    1.0 where the validation part is small. One factor for all logits: no class changes, only confidence.
    """
    if len(rows) < LEAST:
        return 1.0
    truth = data.encoded(rows)

    def loss(log_temperature: float) -> float:
        return float(data.task.loss(logits / np.exp(log_temperature), truth, None, 0.0))

    return temperature_of(loss, clusters_worth(data.kin[rows], len(rows)))


def temperature_of(loss: Callable[[float], float], count: float) -> float:
    """The likeliest temperature from 0.2 to 5, by the loss of its logarithm, a mean over `count` pictures or clusters.

    Temperatures near 1 are likelier beforehand, which decides where pictures are few: 20 that are all right would ask
    for the lowest temperature there is, and be far too sure of the next mistake.
    """

    def surprise(log_temperature: float) -> float:
        return loss(log_temperature) + (log_temperature / USUAL) ** 2 / (2 * count)

    grid = np.linspace(*ENDS, 65)
    best = min(grid, key=surprise)
    return float(np.exp(min(np.clip(np.linspace(best - 0.05, best + 0.05, 41), *ENDS), key=surprise)))
