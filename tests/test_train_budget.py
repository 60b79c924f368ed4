"""What is set aside of a budget in minutes for scores and report, before the first step."""

import re
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_training import LINE, job_of, tiny_plan, tiny_training

from striate.errors import StriateError
from striate.export import passes
from striate.network.build import build
from striate.train import budget
from striate.train.budget import answer_in_time, clock_of
from striate.train.clock import Clock

PLAN = tiny_plan(minutes=1, epochs=None)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_clock_measures_the_way_that_scores_are_found(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch, as many as are answered in fp32, and where the training is in bf16 as many as are answered in it."""
    seen, whole = [], passes.Passes.logits

    def listen(self: passes.Passes, pictures: np.ndarray, way: passes.Way | None = None) -> object:
        seen.append((len(pictures), self.way_for(pictures).dtype))
        return whole(self, pictures, way)

    monkeypatch.setattr(passes, "LARGE", 1.0)
    monkeypatch.setattr(passes.Passes, "logits", listen)
    clock = clock_of(PLAN, build(LINE, (1, 8, 8), 2), job_of(), precision)
    large = 2 * [(64, torch.bfloat16)] * (precision == "bf16")
    assert seen == 2 * [(32, torch.float32)] + 2 * [(63, torch.float32)] + large
    assert clock.scoring > 0


def test_what_takes_long_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine so slow that a single batch takes a twentieth of the budget: one batch is all that is asked for."""
    asked, now = [], [0.0]

    def slow(self: passes.Passes, pictures: np.ndarray, way: passes.Way | None = None) -> object:
        asked.append(len(pictures))
        now[0] += 3.0
        yield torch.zeros(len(pictures), 2, dtype=torch.float64)

    monkeypatch.setattr(passes.Passes, "logits", slow)
    monkeypatch.setattr(budget, "time", type("Time", (), {"monotonic": staticmethod(lambda: now[0])}))
    clock = clock_of(PLAN, build(LINE, (1, 8, 8), 2), job_of(), "fp32")
    assert asked == [32]
    assert clock.scoring == pytest.approx(1.05 * 4 * 80 * 3 / 32 + 1.05 * 80 * 3 / 32, rel=0.3)


def training_with(clock: Clock | None, **plan: object) -> object:
    return tiny_training(replace(PLAN, **plan), clock=clock)


def test_a_budget_that_scores_alone_use_up_is_told() -> None:
    """A network too slow for its minutes: it is said before the training, or refused where no minute could do it."""
    said, job = [], job_of()
    job.tell, now = said.append, time.monotonic()
    answer_in_time(training_with(None), job)
    answer_in_time(training_with(Clock(now + 50, scoring=40, report=2)), job)
    assert not said
    answer_in_time(training_with(Clock(now + 30, scoring=40, report=2)), job)
    assert re.search(r"scores and report take about 42 s .*, and (29|30) s of the budget are left; give", said[0].text)
    answer_in_time(training_with(Clock(now - 5, scoring=40, report=2)), job)
    assert re.search(r"the 60 s of the budget were used up [56] s before the first step; give more", said[1].text)
    with pytest.raises(StriateError, match=r"scores are part of a budget.*give 2.[12] minutes"):
        answer_in_time(training_with(Clock(now + 50, scoring=60, report=2)), job)


def test_answers_are_averaged_only_where_that_fits_into_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores that take more than 15 % of a minute are had without mirror images, which is measured anew."""
    monkeypatch.setattr(budget, "clock_of", lambda plan, *others: Clock(time.monotonic() + 50, scoring=5 + plan.mirror))
    for scoring, mirror, expected in ((8, True, True), (10, True, False), (10, False, False)):
        training = training_with(Clock(time.monotonic() + 50, scoring=scoring), mirror=mirror)
        answer_in_time(training, job_of())
        assert training.plan.mirror is expected
        assert training.clock.scoring == (scoring if expected == mirror else 5)
