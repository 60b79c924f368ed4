"""What a report shows from inside: a test picture's feature maps, and where the evidence for answers lay."""

import contextlib
import math
import time
from collections.abc import Mapping, Sequence

import numpy as np

from striate.data.shown import shown as drawn
from striate.errors import StriateError
from striate.evaluate.facts import HeatmapPicture
from striate.export.evidence import heatmap_of
from striate.export.model import Model
from striate.inside.heatmap import METHODS
from striate.network.summary import total_operations
from striate.tasks.task import Task
from striate.train.dataset import Dataset
from striate.train.loop import Training

METHOD = "hirescam"
MISTAKES, HITS = 3, 3  # pictures with a heatmap
PASSES = 600  # of one picture through the network, to test its heatmap
SHARE = 0.01  # of a training's work that testing heatmaps may take
LITTLE = 1e10  # operations that are always spent; under a second
WRITING = 0.5  # seconds before the end of a budget, in which the report is written


def layer_picture(model: Model, data: Dataset, predicted: Mapping[str, Sequence]) -> bytes:
    """The first test picture (of another part, where there is none) on its way through the network, as PNG; predicted:
    the answers to the scored rows of every part."""
    part = next(part for part in ("test", "validation", "train") if len(predicted[part]))
    row = data.scored_rows(part)[0]
    return model.look_at(data.store.pictures[row], data.names[row], predicted[part][0]).stages()


def heatmap_facts(model: Model, data: Dataset, training: Training, answers: Sequence) -> dict[str, object]:
    """`heatmaps` and `heatmap_method` of a report: the test part's worst and best answers, as many as a budget of
    minutes has time left for, one at least, and tested as time allows.

    answers: to the test part's rows.
    """
    rows, task, shape, shown = data.scored_rows("test"), model.task, data.store.shape, []
    targets, tested = data.targets_of(rows), _tested(model, training)
    wrong = task.worst(targets, answers, MISTAKES)
    chosen = dict.fromkeys([*wrong, *task.best(targets, answers, HITS)])
    with contextlib.suppress(StriateError):  # a network without feature maps has no heatmap
        begun, end = time.monotonic(), training.clock.deadline - WRITING if training.clock else math.inf
        for index in chosen:
            now = time.monotonic()
            if shown and now + (now - begun) / len(shown) > end:
                break
            output = task.output_of(answers[index])
            stored = np.asarray(data.store.pictures[rows[index]])
            heat = heatmap_of(model.passes, stored, output, METHOD)
            verdict = model.trust(heat).verdict if len(shown) < tested else ""
            shown.append(
                HeatmapPicture(
                    picture=drawn(stored, shape),
                    overlay=heat.drawn,
                    **said_of(task, data, rows[index], answers[index]),
                    layer=heat.layer,
                    maximum=heat.maximum,
                    total=heat.total,
                    explained=model.classes[output],
                    right=index not in wrong,
                    verdict=verdict,
                )
            )
    told = {"heatmaps": shown, "heatmap_method": f"{METHODS[METHOD].label}: {METHODS[METHOD].note}"}
    return told if task.shares else told | {"heatmap_ends": ("speaks for a lower number", "for a higher one")}


def said_of(task: Task, data: Dataset, row: int, answer: object) -> dict[str, object]:
    """What a report says of any picture that was answered."""
    said = {"truth": task.told(data.targets[row]), "predicted": task.say(answer), "path": data.names[row]}
    return {**said, "confidence": task.confidence(answer)}


def _tested(model: Model, training: Training) -> int:
    """How many heatmaps to test: all where it is cheap, else as many as a small share of the training's work pays."""
    network, most = model.network, MISTAKES + HITS
    if most * PASSES * total_operations(network, training.network.input_shape) < LITTLE:
        return most
    return int(min(SHARE * 3 * training.place.step * training.plan.batch_size / PASSES, most))
