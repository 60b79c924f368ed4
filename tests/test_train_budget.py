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
from striate.train.budget import answer_in_time, clock_of, look_again
from striate.train.clock import Clock

PLAN = tiny_plan(minutes=1, epochs=None)


@pytest.mark.parametrize(
    ("precision", "trained", "minutes", "wide"),
    [("bf16", False, 9, torch.bfloat16), ("bf16", False, 1e-9, torch.float32), ("bf16", True, 1e-9, torch.bfloat16),
     ("fp32", False, 9, None), ("fp32", True, 9, None)],
)  # fmt: skip
def test_the_clock_measures_the_way_that_scores_are_found(
    precision: str, trained: bool, minutes: float, wide: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch as it is answered in fp32, and where the training is in bf16 a wide one in that, unless there is no time
    to learn what it could be sure of, or what was learned says otherwise; none is mirrored."""
    seen, whole = [], passes.Passes.logits

    def listen(self: passes.Passes, pictures: np.ndarray, way: passes.Way) -> object:
        seen.append((len(pictures), way.size, len(self.views), way.dtype))
        return whole(self, pictures, way)

    monkeypatch.setattr(passes, "LARGE", 1.0)
    monkeypatch.setattr(passes, "LARGEST_BATCH", 16)
    monkeypatch.setattr(passes.Passes, "batch", 8)
    monkeypatch.setattr(passes.Passes, "logits", listen)
    monkeypatch.setattr(passes.Passes, "_judged", lambda self, pictures: 0.0)
    network, plan = build(LINE, (1, 8, 8), 2), replace(PLAN, mirror=True, minutes=minutes)
    clock = clock_of(plan, network, job_of(), precision, trained=trained)
    assert set(seen) == {(8, 8, 1, torch.float32)} | ({(16, 16, 1, wide)} if wide else set())
    assert clock.scoring > 0


@pytest.mark.parametrize("mirror", [False, True])
def test_what_takes_long_is_looked_at_once(mirror: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine so slow that a single batch takes a twentieth of the budget: one batch is all that is asked for. Five
    times (three parts, twins, and calibration) 80 pictures take as long as 12.5 batches, twice that where mirrored."""
    asked, now = [], [0.0]

    def slow(self: passes.Passes, pictures: np.ndarray, way: passes.Way) -> object:
        asked.append(len(pictures))
        now[0] += 3.0
        yield torch.zeros(len(pictures), 2, dtype=torch.float64)

    monkeypatch.setattr(passes.Passes, "logits", slow)
    monkeypatch.setattr(budget, "time", type("Time", (), {"monotonic": staticmethod(lambda: now[0])}))
    clock = clock_of(replace(PLAN, mirror=mirror), build(LINE, (1, 8, 8), 2), job_of(), "fp32")
    assert asked == [32]
    assert clock.scoring == pytest.approx(1.05 * 3 * (12.5 * (1 + mirror) + budget.DRAWN / 32))


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


def test_answers_are_averaged_only_where_that_fits_into_the_budget() -> None:
    """Scores that take more than 15 % of a minute are had without mirror images, for which nothing is set aside."""
    for scoring, mirror, expected, left in ((8, True, True, 8), (10, True, False, 6), (10, False, False, 10)):
        training = training_with(Clock(time.monotonic() + 50, scoring, turning=4), mirror=mirror)
        answer_in_time(training, job_of())
        assert training.plan.mirror is expected
        assert training.clock.scoring == left


@pytest.mark.parametrize(("measured", "kept", "looks"), [([9, 5], 9, 1), ([40, 11], 11, 2), ([40, 42], 40, 2)])
def test_a_second_look_is_not_misled_by_other_work(
    measured: list[float], kept: float, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where scores seem to take far longer than was set aside, that is measured once more, and the lesser counts."""
    left = iter(measured)
    monkeypatch.setattr(budget, "clock_of", lambda *_, trained: Clock(0, next(left)))
    training = training_with(Clock(time.monotonic() + 50, scoring=8))
    training.place = replace(training.place, progress=0.5)
    assert look_again(training, job_of(), 1)
    assert training.clock.scoring == kept
    assert len(list(left)) == 2 - looks
