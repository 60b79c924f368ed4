"""What a model file holds: a network that is a line of layers, and facts that fit each other."""

import math

from torch import nn

from striate.data.prepare import DEPTHS, FORMS, Preparation
from striate.errors import StriateError
from striate.network.build import Network
from striate.tasks.task import Task


def require_agreement(network: Network, task: Task, preparation: Preparation, temperature: float) -> None:
    """Raise ValueError where a forged or foreign header would fail later, in the middle of a prediction."""
    shape = preparation.shape
    figures = (preparation.low, preparation.high, preparation.mean, preparation.std)
    is_finite = all(math.isfinite(value) for values in figures for value in values)
    classes = task.classes if isinstance(task.classes, tuple) else ()
    rules = {
        "there are classes, and their names are words": classes and all(isinstance(name, str) for name in classes),
        "pictures have a depth that is known": shape.depth in DEPTHS,
        "pictures have a form that is known": shape.form in FORMS,
        "pictures have the shape of the network": network.input_shape == shape.seen,
        "there is one figure per channel": is_finite and {len(values) for values in figures} == {shape.channels},
        "the standard deviation is above 0": all(value > 0 for value in preparation.std),
        "the temperature is above 0": 0 < temperature < math.inf,
    }
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise ValueError(f"not so: {broken[0]}")
    task.require_output(network.output_shape)


def require_line(network: nn.Module, rule: str) -> None:
    """Raise StriateError with this rule for a network that no line of layers describes."""
    if not isinstance(network, Network):
        remedy = "build it with striate.network(line, ...)"
        raise StriateError(rule, received=type(network).__name__, remedy=remedy)
