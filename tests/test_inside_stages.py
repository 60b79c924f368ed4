"""Which layers stand for all of a network."""

import torch

from striate.inside.trace import stage_ends, trace
from striate.network.build import build

LINE = "conv 4 3, relu, maxpool 2, conv 8 3, relu, dropout 0.5, maxpool 2, conv 8 3, relu, globalavgpool, dense classes"


def ends(line: str, most: int) -> list[str]:
    layers = trace(build(line, (1, 16, 16), 3), torch.zeros(1, 16, 16)).layers
    return [layers[index].name for index in stage_ends(layers, most)]


def test_the_last_layer_of_every_size_stands_for_it() -> None:
    """ReLUs, which come last at 16, 8 and 4 pixels, and the pools that make maps of other sizes between them."""
    assert ends(LINE, 9) == ["relu1", "maxpool1", "relu2", "relu3"]
    assert ends(LINE, 2) == ["relu1", "relu3"]


def test_the_first_member_stands_for_an_ensemble() -> None:
    """Its layers are those of the network alone; the others' are left out."""
    assert ends(f"ensemble 3 ({LINE})", 9) == [f"ensemble1.1.{name}" for name in ends(LINE, 9)]
