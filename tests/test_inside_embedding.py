"""What a network's last layer goes by, against plain torch."""

import numpy as np
import pytest
import torch
from torch import nn

from striate.errors import StriateError
from striate.inside.embedding import embed
from striate.network.build import build

LINE = "conv 4 3, relu, maxpool 2, flatten, dense 6, relu, dense classes, softmax"


def test_a_dense_layer_goes_by_what_the_layers_before_it_give() -> None:
    """Weights and bias of the last layer on these numbers are the network's logits."""
    network, x = build(LINE, (1, 8, 8), 3, seed=0).eval(), torch.randn(5, 1, 8, 8)
    rows = embed(network, x)
    assert rows.shape == (5, 6)
    last = [layer for layer in network if isinstance(layer, nn.Linear)][-1]
    torch.testing.assert_close(rows @ last.weight.T + last.bias, network.logits(x))


def test_maps_are_told_by_their_means() -> None:
    """Of a network that ends in a convolution the mean of each map that it is given."""
    maps, x = build("conv 5 3, relu, conv classes 1", (2, 6, 7), 3, seed=1).eval(), torch.randn(4, 2, 6, 7)
    torch.testing.assert_close(embed(maps, x), maps[1](maps[0](x)).mean((2, 3)))


class HeadFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Linear(3, 2), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x.flatten(1)))


def test_the_last_layer_is_the_one_that_works_last() -> None:
    """Not the one that was written down last: its input is what the layers before it give."""
    network, x = HeadFirst(), torch.randn(5, 1, 2, 2)
    torch.testing.assert_close(embed(network, x), network.body(x.flatten(1)).detach())


def test_a_strangers_network_has_one_too_and_keeps_no_hook() -> None:
    """Any torch module will do; one without weights is refused; nothing stays behind."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).eval()
    x = torch.randn(2, 1, 2, 2)
    np.testing.assert_array_equal(embed(network, x), network[:3](x).detach())
    assert not any(layer._forward_pre_hooks for layer in network.modules())
    tokens = nn.Sequential(nn.Flatten(2), nn.Linear(4, 3))  # a row of numbers for each of five places
    x = torch.randn(2, 5, 2, 2)
    torch.testing.assert_close(embed(tokens, x), x.flatten(2).mean(1))
    with pytest.raises(StriateError, match="has weights"):
        embed(nn.Sequential(nn.Flatten(), nn.ReLU()), x)


class Keyword(nn.Module):
    """Calls its last layer by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(input=x.flatten(1))


def test_layers_may_be_called_by_keyword() -> None:
    """What is given by name is what the layer goes by, too."""
    x = torch.randn(3, 1, 2, 2)
    torch.testing.assert_close(embed(Keyword().eval(), x), x.flatten(1))
