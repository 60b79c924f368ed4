"""What stands at the beginning of a training: the speed that is planned by, the time that is set aside."""

import re
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import picture
from drawn_training import facts

from striate.data.batches import Batches
from striate.data.prepare import Preparation, Shape
from striate.export import passes
from striate.network.build import build
from striate.network.summary import total_operations
from striate.tasks.classification import Classification
from striate.train import assemble
from striate.train.plan import make_plan
from striate.train.settings import Settings

LINE = "conv 4 3, relu, globalavgpool, dense 2"


def job_of(**asked: object) -> SimpleNamespace:
    """What a job has of 100 drawn pictures, 80 of them scored in each part."""
    shape = Shape(height=8, width=8, channels=1)
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    pictures = np.stack([picture(n % 2, n)[:, :, None] for n in range(100)])
    rows = lambda part: np.arange(80)  # noqa: E731
    data = SimpleNamespace(
        task=Classification(("a", "b")), store=SimpleNamespace(pictures=pictures, shape=shape),
        sizes=np.full((100, 2), 8), rows=rows, scored_rows=rows,
    )  # fmt: skip
    preparation = Preparation(shape=shape, **figures)
    settings = Settings(minutes=1.0, **asked)
    return SimpleNamespace(
        data=data, preparation=preparation, settings=settings, started=time.monotonic(), device=torch.device("cpu"),
        tell=lambda event: None,
    )  # fmt: skip


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_clock_measures_the_way_that_scores_are_found(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many pictures as are answered in fp32, and where the training is in bf16 as many as are answered in it."""
    seen, whole = [], passes.Passes.logits

    def listen(self: passes.Passes, pictures: np.ndarray, way: passes.Way | None = None) -> object:
        seen.append((len(pictures), self.way_for(pictures).dtype))
        return whole(self, pictures, way)

    monkeypatch.setattr(passes, "LARGE", 1.0)
    monkeypatch.setattr(passes.Passes, "logits", listen)
    plan = SimpleNamespace(minutes=1, mirror=False)
    clock = assemble._clock(plan, build(LINE, (1, 8, 8), 2), job_of(), precision)
    assert seen == 2 * [(63, torch.float32)] + 2 * [(64, torch.bfloat16)] * (precision == "bf16")
    assert clock.scoring > 0


def test_a_budget_that_scores_alone_use_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network too slow for its minutes: it is said before the training."""
    said, job = [], job_of()
    job.tell, job.started = said.append, time.monotonic()
    monkeypatch.setattr(assemble, "_answering", lambda model, data, count: (count, count))
    assemble._clock(SimpleNamespace(minutes=9, mirror=False), build(LINE, (1, 8, 8), 2), job, "fp32")
    assert not said
    assemble._clock(SimpleNamespace(minutes=1, mirror=False), build(LINE, (1, 8, 8), 2), job, "fp32")
    assert re.search(r"scores and report take about \d+ s .*, and (59|60) s of the budget are left; give", said[0].text)
    job.started -= 65
    assemble._clock(SimpleNamespace(minutes=1, mirror=False), build(LINE, (1, 8, 8), 2), job, "fp32")
    assert re.search(r"the 60 s of the budget were used up [56] s before the first step; give more", said[1].text)


@pytest.mark.parametrize(("asked", "gain", "expected"), [("auto", 5, "bf16"), ("auto", 1, "fp32"), ("fp32", 5, "fp32")])
def test_the_plan_goes_by_the_speed_in_the_precision_to_come(
    asked: str, gain: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bf16 where it is measured to pay, unless fp32 is asked for; pictures no larger than speed is measured at."""
    monkeypatch.setattr(assemble.machine, "bf16_gain", lambda where, axes: gain)
    monkeypatch.setattr(assemble, "MEASURED_SIDE", 6)
    monkeypatch.setattr(assemble.planning, "measure_speed", lambda *facts: (*facts[1:3], *facts[5:]))
    monkeypatch.setattr(assemble, "auto_of", lambda data: None)
    assert assemble.speed_of(job_of(precision=asked)) == (6, 6, (), expected)


def test_answers_are_averaged_only_where_that_fits_into_the_budget() -> None:
    """320 pictures, each also mirrored: a slow machine answers once, a fast one twice; without minutes always twice."""
    network, job = build(LINE, (1, 8, 8), 2), job_of()
    plan = make_plan(Settings(network=LINE, minutes=0.1, augment="hflip"), facts())
    both = 2 * 4 * 80 * total_operations(network, (1, 8, 8))
    assert plan.mirror
    for speed, mirror in ((both / (0.14 * 6), True), (both / (0.16 * 6), False), (None, True)):
        assert assemble.answered_in_time(plan, network, job, speed).mirror is mirror


@pytest.mark.parametrize(("side", "crop", "checked"), [(8, 0, 64), (64, 0, 16), (64, 32, 64), (512, 0, 1)])
def test_bf16_is_tried_on_a_whole_batch_of_small_pictures(
    side: int, crop: int, checked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers choose how they compute by the number of pictures: as many as a step has, up to 65,536 pixels in all."""
    seen, job = [], job_of()
    job.preparation, job.data.found = replace(job.preparation, shape=Shape(height=side, width=side, channels=1)), None
    plan = replace(make_plan(Settings(network=LINE, batch_size=64), facts(side, side)), crop=crop)
    pictures = np.zeros((100, side, side, 1), np.uint8)
    batches = Batches(pictures, np.arange(100), torch.zeros(100), job.preparation, job.device)
    monkeypatch.setattr(assemble, "remembered", lambda name, found, store, make, *asked: make())
    monkeypatch.setattr(assemble.machine, "choose_precision", lambda *asked: seen.append(asked[3]) or ("fp32", ""))
    assemble._precision_of(plan, build(LINE, (1, side, side), 2), batches, job)
    assert tuple(seen[0].shape) == (checked, 1, crop or side, crop or side)


@pytest.mark.parametrize(("line", "times"), [(LINE, 0), (f"whiten 8 2, {LINE}", 1)])
def test_pictures_are_prepared_for_whitening_alone(line: str, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 500 pictures are scaled where first filters are made from them, and otherwise none."""
    scaled, whole = [], assemble.scale
    monkeypatch.setattr(assemble, "scale", lambda *given: scaled.append(len(given[0])) or whole(*given))
    job = job_of()
    job.given = None
    plan = make_plan(Settings(network=line, epochs=1), facts())
    assemble.network_of(plan, job)
    assert len(scaled) == times
