"""A budget in minutes: how much of it the scores and the report will need on this machine.

Measuring takes time too, so a single batch is measured, without its turned copies.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from striate import device as machine
from striate.data.sample import PARTS
from striate.errors import StriateError
from striate.export.model import Model
from striate.export.passes import LARGEST_BATCH, Passes, Way
from striate.network.build import Network
from striate.network.summary import total_operations
from striate.train.clock import Clock
from striate.train.dataset import TWIN, Dataset, Job
from striate.train.events import Note
from striate.train.illustrate import SHARE
from striate.train.loop import Training
from striate.train.plan import Plan

SCORING = 0.15  # of a budget: what answers averaged over turned pictures may take
MEASURING = 0.01  # of a budget: what takes longer is timed once,
ROUNDS = 4  # and everything else so often at the most
LEAST_STEPS = 100  # in fewer nothing is learned that bf16 could be sure of
DRAWN = 16  # passes of one picture for what a report shows of layers and evidence, at the least
COMPARED = 4  # how often answers on a picture are held against its target
SURPRISE = 1.5  # times what was set aside for scores: what takes longer is measured once more
LEARNED = 0.3  # of a schedule; from then on it is known how long the answers of what was learned take
LEAST_REPORT = 2.2  # seconds that figures and report take at the least,
REPORT_FIGURES = 2.0  # for each processor second of the first figure,
REPORT_PIXEL = 3e-6  # and for each pixel of a picture, where answers are drawn on pictures


def clock_of(plan: Plan, network: Network, job: Job, precision: str, *, trained: bool = False) -> Clock | None:
    """The clock of a budget, which sets time aside for scoring in this precision and for the report; None without one.

    trained: whether the network has learned enough to be asked whether bf16 will do for its answers; before that bf16
    is assumed, where LEAST_STEPS steps are still to come.
    """
    if plan.minutes is None:
        return None
    data, allowed, end = job.data, MEASURING * 60 * plan.minutes, job.started + 60 * plan.minutes
    model = Model(network, data.task, job.preparation, plan.mirror, precision=precision)
    parts = [data.scored_rows(part) for part in (*PARTS, TWIN)]
    requests = [*map(len, parts)]
    if data.task.calibrated or data.task.tunes:  # by answers to the validation part, before the scores
        requests.append(len(data.rows("validation")))
    passes, plain, rows = model.passes, replace(model, mirror=False).passes, max(parts, key=len)
    with machine.threads_for(3 * plan.batch_size * total_operations(network, network.input_shape)):  # as for scores
        each, logits = _passing(plain, Way(network, passes.batch), data, rows[: passes.batch], allowed)
        reading, judging = _reading(data, rows[: passes.batch], logits, allowed)
        passing = sum(requests) * each
        halved = precision == "bf16" and (data.task.decides or data.task.by_pixel)
        if large := sum(count for count in requests if count >= passes.many and halved):
            begun, way = time.monotonic(), Way(network, passes.wide)
            if trained:
                way = plain.large_way(np.asarray(data.store.pictures[rows[:: len(rows) // LARGEST_BATCH or 1]]))
            elif end - begun > LEAST_STEPS * 3 * plan.batch_size * each:
                way = plain.half
            passing += time.monotonic() - begun  # for the trial
            passing += large * (_passing(plain, way, data, rows[: passes.wide], allowed)[0] - each)
    turning = 1.05 * passing * (len(passes.views) - 1)
    scoring = 1.05 * (passing + sum(requests) * reading + judging + DRAWN * each) + turning
    return Clock(end, scoring, LEAST_REPORT, turning)


def answer_in_time(training: Training, job: Job) -> None:
    """Give up averaging over mirrored and turned pictures where that would take much of a budget.

    Raises StriateError where scores and report alone would take all of it; its remedy is a budget of which half is left
    for training.
    """
    plan, clock = training.plan, training.clock
    if clock is None:
        return
    if plan.mirror and clock.scoring > SCORING * 60 * plan.minutes:
        training.plan = plan = replace(plan, mirror=False)
        clock.scoring -= clock.turning
    needed, left = clock.scoring + clock.report, clock.deadline - time.monotonic()
    if needed > 60 * plan.minutes:
        enough = math.ceil(10 * (2 * needed + time.monotonic() - job.started) / 60) / 10
        rule, received = "scores are part of a budget", f"{plan.minutes:g} minutes, and scores of {clock.scoring:.0f} s"
        remedy = f"give {enough:g} minutes, or a smaller network or fewer pixels (--img-size)"
        raise StriateError(rule, received=received, where="--minutes", remedy=remedy)
    if needed > left:
        told = f"scores and report take about {needed:.0f} s with this network, and {left:.0f} s of the budget are left"
        if left <= 0:
            told = f"the {60 * plan.minutes:.0f} s of the budget were used up {-left:.0f} s before the first step"
        job.tell(Note(f"Mind      {told}; give more --minutes"))


def look_again(training: Training, job: Job, threads: int) -> bool:
    """Set aside what scores take by what was learned, measured on so many threads; False where it is too early."""
    clock = training.clock
    if clock is None or not LEARNED < training.place.progress < 1:
        return False
    torch.set_num_threads(threads)
    look = partial(clock_of, training.plan, training.average.network, job, training.precision, trained=True)
    scoring = look().scoring
    if scoring > SURPRISE * clock.scoring:  # perhaps other work on the machine, which may have passed
        scoring = min(scoring, look().scoring)
    clock.scoring = scoring
    return True


def set_aside_report(training: Training, first_figure: float) -> None:
    """Set aside what the report takes; first_figure: processor seconds of the first figure."""
    plan, clock = training.plan, training.clock
    if clock is not None:
        pixels = plan.height * plan.width if training.task.spatial else 0
        extra = 60 * SHARE * plan.minutes + REPORT_PIXEL * pixels
        clock.report = max(LEAST_REPORT, REPORT_FIGURES * first_figure) + extra


def _passing(passes: Passes, way: Way, data: Dataset, rows: np.ndarray, allowed: float) -> tuple[float, Tensor]:
    """Seconds that the network takes for a picture, and the logits of all of them."""
    pictures = np.asarray(data.store.pictures[rows])
    seconds, logits = _timed(lambda: torch.cat(list(passes.logits(pictures, way))), allowed)
    return seconds / len(rows), logits


def _reading(data: Dataset, rows: np.ndarray, logits: Tensor, allowed: float) -> tuple[float, float]:
    """Seconds that decoding the answer to a picture takes, and those for the scores of all parts, whatever their size.
    What scores need is loaded by then."""
    task, truth = data.task, data.targets_of(rows)
    seconds, said = _timed(lambda: list(task.decode(logits, data.sizes[rows])), allowed)
    if task.spatial:  # what is drawn on pictures is compared and shown at their own size
        seconds += COMPARED * _timed(lambda: task.errors(truth, said), allowed)[0]
    task.scores(truth[:1], said[:1], task.floor(truth[:1]))
    return seconds / len(rows), len(PARTS) * _timed(lambda: task.scores(truth, said, task.floor(truth)), allowed)[0]


def _timed(function: Callable[[], Any], allowed: float) -> tuple[float, Any]:
    """The seconds that a function takes, the least of a few times, and what it gives."""
    times: list[float] = []
    while len(times) < ROUNDS and sum(times) < allowed:
        begun = time.monotonic()
        found = function()
        times.append(time.monotonic() - begun)
    return min(times), found
