"""What stands at the beginning of a training: the speed that is planned by, the precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_training import LINE, facts, job_of

from striate.data.batches import Batches
from striate.data.prepare import Shape
from striate.network.build import build
from striate.train import assemble
from striate.train.plan import make_plan
from striate.train.settings import Settings


@pytest.mark.parametrize(("asked", "gain", "expected"), [("auto", 5, "bf16"), ("auto", 1, "fp32"), ("fp32", 5, "fp32")])
def test_the_plan_goes_by_the_speed_in_the_precision_to_come(
    asked: str, gain: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bf16 where it is measured to pay, unless fp32 is asked for; pictures no larger than speed is measured at."""
    monkeypatch.setattr(assemble.machine, "bf16_gain", lambda where, axes: gain)
    monkeypatch.setattr(assemble, "MEASURED_SIDE", 6)
    monkeypatch.setattr(assemble.planning, "measure_speed", lambda *asked: asked)
    monkeypatch.setattr(assemble, "auto_of", lambda job: lambda *sizes: f"line for {sizes}")
    job = job_of(precision=asked)
    assert assemble.speed_of(job) == ("line for (1, 6, 6, 32)", (1, 6, 6), job.device, expected)


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
