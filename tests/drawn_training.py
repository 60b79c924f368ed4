"""A training on pictures drawn in memory, small enough for hundreds of steps in a second."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import TINY, picture
from torch.utils._python_dispatch import TorchDispatchMode

from striate.data.batches import Batches
from striate.data.measure import measure
from striate.data.prepare import Preparation, Shape
from striate.network.build import build
from striate.tasks.classification import Classification
from striate.train.loop import Training
from striate.train.plan import Facts, Plan, make_plan
from striate.train.settings import Settings, settings_from

CPU = torch.device("cpu")
LINE = "conv 4 3, relu, globalavgpool, dense 2"


def facts(height: int = 8, width: int = 8, channels: int = 1, counts: tuple[int, ...] = (50, 50)) -> Facts:
    """What is known of so many pictures of each class."""
    task = Classification(tuple(map(str, range(len(counts)))))
    return Facts(shape=Shape(height=height, width=width, channels=channels), task=task, counts=counts)


def job_of(**asked: object) -> SimpleNamespace:
    """What a job has of 100 drawn pictures, 80 of them scored in each part."""
    shape = Shape(height=8, width=8, channels=1)
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    pictures = np.stack([picture(n % 2, n)[:, :, None] for n in range(100)])
    rows = lambda part: np.arange(80)  # noqa: E731
    data = SimpleNamespace(
        task=Classification(("a", "b")), store=SimpleNamespace(pictures=pictures, shape=shape),
        sizes=np.full((100, 2), 8), rows=rows, scored_rows=rows, 
        targets_of=lambda rows: ["ab"[row % 2] for row in rows],
    )  # fmt: skip
    preparation = Preparation(shape=shape, **figures)
    settings = Settings(**{"minutes": 1.0, **asked})
    return SimpleNamespace(
        data=data, preparation=preparation, settings=settings, started=time.monotonic(), device=torch.device("cpu"),
        tell=lambda event: None,
    )  # fmt: skip


def tiny_plan(counts: tuple[int, ...] = (12, 12), **changes: object) -> Plan:
    """A plan for 8×8 grey pictures; `changes` are options of train, or numbers of the plan itself."""
    options = {"network": TINY, "epochs": 3, "batch_size": 8, "augment": "none", "optimizer": "sgd", "lr": 0.05}
    inner = {name: changes.pop(name) for name in ("sizes", "filter_lr", "filter_momentum") if name in changes}
    plan = make_plan(settings_from({**options, **changes}), facts(counts=counts))
    return replace(plan, **inner)


def tiny_training(plan: Plan, counts: tuple[int, ...] = (12, 12), checked: int = 4, **more: object) -> Training:
    """A training by that plan on drawn pictures, `checked` of each class for validation (0: none)."""
    labels = [label for label, count in enumerate(counts) for _ in range(count + checked)]
    numbers = [number for count in counts for number in range(count + checked)]
    pictures = np.stack([picture(*pair)[:, :, None] for pair in zip(labels, numbers, strict=True)])
    learned = np.array([number >= checked for number in numbers])
    targets = torch.tensor(labels)
    preparation = measure(pictures, np.flatnonzero(learned), Shape(height=8, width=8, channels=1))

    def batches(mask: np.ndarray, balance: bool = False) -> Batches:
        rows = np.flatnonzero(mask)
        kinds = targets[rows].numpy() if balance else None
        return Batches(pictures, rows, targets[torch.from_numpy(rows)], preparation, CPU, kinds)

    task = Classification(tuple("abc"[: len(counts)]))
    network = build(plan.line, (1, 8, 8), task.outputs, plan.seed)
    return Training(
        network=network.to(memory_format=torch.channels_last),
        task=task,
        plan=plan,
        batches=batches(learned, plan.balance == "sampling"),
        validation=batches(~learned) if checked else None,
        precision=more.pop("precision", "fp32"),
        **more,
    )


def hurried(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.2) -> None:
    """Every step moves the clock on by so much more than it takes: a budget of minutes is over in moments."""
    now, step, skipped = time.monotonic, Training._step, [0.0]

    def stepped(self: Training, *arguments: object) -> tuple[float, int]:
        skipped[0] += seconds
        return step(self, *arguments)

    monkeypatch.setattr(Training, "_step", stepped)
    monkeypatch.setattr(time, "monotonic", lambda: now() + skipped[0])


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that an operation hands over."""

    most = 0

    def __torch_dispatch__(
        self, operation: Callable, types: object, given: tuple = (), named: Mapping | None = None
    ) -> object:
        out = operation(*given, **(named or {}))
        if isinstance(out, torch.Tensor):
            self.most = max(self.most, out.untyped_storage().nbytes())
        return out
