"""Quick networks: small trainings whose only use is what they say about the data.

A probe is our own network, narrow and on small pictures, trained for a fixed amount of
arithmetic, so that the same pictures and seed give the same answers whatever else the machine does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from striate.data.batches import PREDICT_BATCH, Batches, scale, standardise
from striate.data.prepare import Preparation
from striate.data.sample import Sample
from striate.data.split import folds
from striate.device import repeatable, threads_for
from striate.network.build import Network, build
from striate.network.summary import total_operations
from striate.network.weights import whiten_all
from striate.tasks.classification import Classification
from striate.tasks.multilabel import Multilabel
from striate.train.loop import Training, shrunk
from striate.train.plan import Facts, auto_line, make_plan
from striate.train.settings import Settings

SIDE = 24  # pixels of the longer side that a probe sees, where nothing else is asked for
WIDE = 1e11  # operations from which a probe is twice as wide, in batches twice as large,
WIDE_EACH = 1.5e8  # if there are as many for each picture
EPOCHS, STEPS = 20, 300  # the larger of the two bounds the training: small sets are learned by then
STEP = 1e8  # operations that a step is worth besides its arithmetic: what it takes to begin one
BATCH = 128  # pictures of which the norms' figures are taken in the end


@dataclass(frozen=True)
class Lesson:
    """Pictures with what is known of them, to teach small networks and to ask them.

    pictures: (N, H, W, C) of a store. targets: (N,) class numbers, (N, K) of bool which of the labels `classes` each
    has, or (N, K) numbers of the columns `classes`. kin: (N,) the same number for pictures that belong together, which
    are never both learned from and asked about.
    """

    pictures: np.ndarray
    targets: np.ndarray
    classes: Sequence[str]
    preparation: Preparation
    device: torch.device
    kin: np.ndarray


def quick_network(
    lesson: Lesson, rows: np.ndarray, *, operations: float, seed: int, recipe: str = "none", side: int = SIDE
) -> Network:
    """A small network trained on `rows` with about `operations` operations; torch's state stays as it is.

    rows: those to learn from; with more of them than can be seen once, evenly spaced ones. recipe: the random changes.
    side: pixels of the longer side that it sees.
    """
    pictures, preparation, device = lesson.pictures, lesson.preparation, lesson.device
    (height, width, channels), share = pictures.shape[1:], _share(*pictures.shape[1:3], side)
    wide = 2 if operations >= max(WIDE, WIDE_EACH * len(rows)) else 1
    shape = (channels, round(height * share), round(width * share))
    line = auto_line(*shape, 16 * wide) if min(shape[1:]) > 2 else "flatten, dense classes"
    network = build(line, shape, len(lesson.classes), seed)
    size = min(32 * wide, len(rows))
    step = 3 * size * total_operations(network, shape) + STEP
    rows = rows[:: max(1, round(len(rows) / size * step / operations))]
    labels, classes = lesson.targets.dtype == bool, tuple(lesson.classes)
    encoded = torch.from_numpy(lesson.targets[rows].astype(np.float32 if labels else np.int64))
    batches = Batches(pictures, rows, encoded, preparation, device)
    epochs = min(operations / step, max(EPOCHS * batches.steps(size), STEPS)) / batches.steps(size)
    settings = Settings(
        network=network.text, epochs=max(round(epochs), 1), batch_size=size, augment=recipe, seed=seed,
        optimizer="muon", lr=0.2, weight_decay=5e-4, smoothing=0.1, balance="none",
    )  # fmt: skip
    task = Multilabel(classes) if labels else Classification(classes)
    facts = Facts(shape=preparation.shape, task=task, counts=(len(rows),))
    plan = replace(make_plan(settings, facts), sizes=((1.0, share),))
    with repeatable(device), threads_for(step):
        whiten_all(network, _seen(pictures[rows[:: max(1, len(rows) // 200)]], preparation, torch.device("cpu"), side))
        network = network.to(device, memory_format=torch.channels_last)
        training = Training(network, task, plan, batches, None, "fp32")
        for _ in training.run():
            pass
        return training.settled(0, size=BATCH)


@torch.inference_mode()
def quick_logits(network: nn.Module, lesson: Lesson, rows: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(len(rows), classes) what a `quick_network` says of these pictures, looked at with a longer side of `side`
    pixels."""
    batches = (lesson.pictures[rows[first : first + PREDICT_BATCH]] for first in range(0, len(rows), PREDICT_BATCH))
    seen = (_seen(pictures, lesson.preparation, lesson.device, side) for pictures in batches)
    return np.concatenate([network(x).double().cpu().numpy() for x in seen])


def fold_of(targets: np.ndarray, kin: np.ndarray, k: int, seed: int) -> np.ndarray:
    """(N,) folds 0 to k - 1 of pictures with class numbers `targets` (N,): every class spread evenly, pictures with the
    same number in `kin` (N,) in one fold."""
    names = [str(row) for row in range(len(targets))]
    samples = [
        Sample(path=name, source=Path(), target=str(target), group=str(group))
        for name, target, group in zip(names, targets, kin, strict=True)
    ]
    return folds(samples, names, k, seed)


def _share(height: int, width: int, side: int) -> float:
    """The share of the side at which pictures are looked at; of very long ones the shorter side keeps 8 pixels."""
    return min(1.0, max(side / max(height, width), 8 / min(height, width)))


def _seen(pictures: np.ndarray, preparation: Preparation, device: torch.device, side: int) -> Tensor:
    """Pictures of the store as a probe sees them: scaled, shrunk, standardised."""
    scaled = scale(pictures, preparation, device)
    x = standardise(shrunk(scaled, _share(*scaled.shape[2:], side)), preparation)
    return x.contiguous(memory_format=torch.channels_last)
