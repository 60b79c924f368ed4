"""A budget in minutes: what is set aside of it for the scores and the report, as this machine takes for them.

Looking costs time too. So it begins with a single batch, and what takes long is looked at once.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from striate.data.sample import PARTS
from striate.errors import StriateError
from striate.export.model import Model
from striate.export.passes import Way
from striate.network.build import Network
from striate.train.clock import Clock
from striate.train.dataset import TWIN, Dataset, Job
from striate.train.events import Note
from striate.train.loop import Training
from striate.train.plan import Plan

SCORING = 0.15  # of a budget: what answers averaged over turned pictures may take
MEASURING = 0.015  # of a budget: what takes longer is not timed a second time
ANSWERED = 5e10  # operations that are timed to tell how long scoring takes
TRIED = 1.5e11  # and those that may be spent on timing a large request, which is answered in bf16
COMPARED = 4  # how often answers on a picture are held against its target
LEAST_REPORT = 2.2  # seconds that figures and report take at the least


def clock_of(plan: Plan, network: Network, job: Job, precision: str) -> Clock | None:
    """The clock of a budget, with what scoring, as a model in this precision does it, and the report will take set
    aside; None without a budget."""
    if plan.minutes is None:
        return None
    data, allowed = job.data, MEASURING * 60 * plan.minutes
    model = Model(network, data.task, job.preparation, plan.mirror, precision=precision)
    parts = [data.scored_rows(part) for part in (*PARTS, TWIN)]
    asked = data.task.calibrated + data.task.tunes  # how often validation pictures are answered before the scores
    requests = [*map(len, parts), *[len(data.rows("validation"))] * asked]
    passes, rows = model.passes, max(parts, key=len)
    few = min(len(rows), passes.within(ANSWERED), passes.many - 1)
    look = _answering(model, data, rows[: min(few, passes.batch)], allowed)
    if passes.batch < few and 2 * few * look.each < allowed:
        look = _answering(model, data, rows[:few], allowed)
    large = sum(count for count in requests if count >= passes.many and precision == "bf16")
    seconds = look.each * (sum(requests) - large) + _judging(data, rows[: len(look.said)], look.said)
    if large and passes.within(TRIED) >= passes.many:
        look = _answering(model, data, rows[: passes.many], allowed)
        seconds += look.once
    elif large and data.task.by_pixel:
        seconds += look.each  # of the trial
        look = _answering(model, data, rows[: passes.wide], allowed, passes.half)
        large += 1
    seconds += look.each * large
    return Clock(job.started + 60 * plan.minutes, scoring=1.05 * seconds, report=LEAST_REPORT)


def answer_in_time(training: Training, job: Job) -> None:
    """Give up the average over mirrored and turned pictures where that would take much of a budget, and raise where
    scores and report alone would take all of it, with one in which half is for training."""
    plan, clock = training.plan, training.clock
    if clock is None:
        return
    if plan.mirror and clock.scoring > SCORING * 60 * plan.minutes:
        training.plan = plan = replace(plan, mirror=False)
        training.clock = clock = clock_of(plan, training.network, job, training.precision)
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


class _Look(NamedTuple):
    """How long a request took: seconds once, for what is tried and loaded at its first time, and for each picture; and
    what was said of them."""

    once: float
    each: float
    said: Sequence


def _answering(model: Model, data: Dataset, rows: np.ndarray, allowed: float, way: Way | None = None) -> _Look:
    """A request for these pictures; where its first time takes more seconds than `allowed` it is the only one. way: as
    of `Passes.logits`."""
    times: list[float] = []
    while not times or (len(times) == 1 and times[0] < allowed):
        begun = time.monotonic()
        said = model.answers(np.asarray(data.store.pictures[rows]), data.sizes[rows], way)
        answered = time.monotonic()
        if data.task.spatial:  # what is drawn on pictures is read, compared and shown at their own size
            data.task.errors(data.targets_of(rows), said)
        times.append(answered - begun + COMPARED * (time.monotonic() - answered))
    return _Look(times[0] - times[-1], times[-1] / len(rows), said)


def _judging(data: Dataset, rows: np.ndarray, said: Sequence) -> float:
    """Seconds that the scores of all parts take, whatever the number of pictures. What they need is loaded by then."""
    truth = data.targets_of(rows)
    for _ in range(2):
        begun = time.monotonic()
        data.task.scores(truth, said, data.task.floor(truth))
        seconds = time.monotonic() - begun
    return len(PARTS) * seconds
