"""The possible receptive field: right by hand, equal to what NaN reaches, and never smaller than the actual one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from zoo import ZOO, Lambda, drawn

from striate.inside.trace import Trace, trace

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def conv(kernel: int, **settings: int) -> nn.Module:
    return nn.Conv1d(1, 1, kernel, **settings)


@pytest.mark.parametrize(
    ("layers", "place", "box"),
    [
        ([conv(3)], 4, (4, 7)),
        ([conv(3), conv(3)], 4, (4, 9)),
        ([conv(3, padding=1)], 0, (0, 2)),  # cut at the edge
        ([conv(5, stride=3)], 2, (6, 11)),
        ([conv(3, dilation=4)], 1, (1, 10)),
        ([conv(1, padding=1), conv(2, dilation=2)], 19, (18, 19)),  # its other half falls on padding
        ([nn.MaxPool1d(2), conv(3, padding=1)], 3, (4, 10)),
        ([nn.MaxPool1d(2), nn.MaxPool1d(2), conv(3)], 1, (4, 16)),
        ([conv(3, padding=1), nn.AvgPool1d(3, 2, 1)], 5, (8, 13)),
        ([nn.ConvTranspose1d(1, 1, 2, 2)], 5, (2, 3)),  # one input each
        ([nn.ConvTranspose1d(1, 1, 3, 2, 1)], 5, (2, 4)),  # two where they overlap
        ([nn.ConvTranspose1d(1, 1, 3, 2, 1)], 4, (2, 3)),
        ([conv(3, stride=2), nn.Upsample(scale_factor=2)], 7, (6, 9)),
        ([conv(1), nn.Upsample(scale_factor=2, mode="linear")], 1, (0, 2)),
        ([nn.AdaptiveAvgPool1d(3)], 1, (6, 14)),  # floor(20/3) to ceil(40/3)
        ([nn.ReflectionPad1d(2)], 0, (2, 3)),
        ([nn.ConstantPad1d(2, 0.0)], 1, (0, 0)),  # sees nothing
        ([nn.CircularPad1d(1), conv(3)], 0, (0, 20)),  # both ends: the box around them is all
        ([conv(1), nn.GroupNorm(1, 1)], 3, (0, 20)),
        ([conv(1), nn.BatchNorm1d(1), nn.ReLU()], 3, (3, 4)),
    ],
)
def test_by_hand(layers: list[nn.Module], place: int, box: tuple[int, int]) -> None:
    """One axis of 20 numbers: what the last layer sees at a place."""
    seen = trace(nn.Sequential(*layers), torch.randn(1, 20))
    assert seen.field(len(seen.layers) - 1, place) == box
    assert seen.layers[-1].facts["field"] == "exact"


def test_branches_and_axes_by_hand() -> None:
    """A sum of a 1×5 and a 3×1 filter sees the box around both; a part of a joined map only its own branch."""
    network = Lambda(
        lambda self, x: torch.cat([self.wide(x), self.high(x)], 1)[:, :1] + self.high(x),
        wide=nn.Conv2d(1, 1, (1, 5), padding=(0, 2)),
        high=nn.Conv2d(1, 1, (3, 1), padding=(1, 0)),
    )
    seen = trace(network, torch.randn(1, 9, 11))
    names = [layer.name for layer in seen.layers]
    assert names == ["wide", "high", "cat", "getitem", "high:2", "add"]
    assert seen.field("wide", 4, 5) == (4, 5, 3, 8)
    assert seen.field("high", 4, 5) == (3, 6, 5, 6)
    assert seen.field("cat", 4, 5) == seen.field("add", 4, 5) == (3, 6, 3, 8)
    assert seen.field("getitem", 4, 5) == (4, 5, 3, 8)
    assert seen.lineage("add", 0, 0) == (
        *((-1, (0, 2, 0, 3)), (0, (0, 1, 0, 1)), (2, (0, 1, 0, 1)), (3, (0, 1, 0, 1))),
        *((4, (0, 1, 0, 1)), (5, (0, 1, 0, 1))),
    )


def test_unknown_operations_see_everything() -> None:
    """After an operation that is not in the table the field is the whole picture, and is called an upper bound."""
    network = nn.Sequential(nn.Conv1d(1, 1, 3), Lambda(lambda self, x: torch.cumsum(x, 2)), nn.Conv1d(1, 1, 3))
    seen = trace(network, torch.randn(1, 20))
    assert [layer.facts["field"] for layer in seen.layers] == ["exact", "upper bound", "upper bound"]
    assert [seen.field(layer, 0) for layer in range(3)] == [(0, 3), (0, 20), (0, 20)]


def inside(seen: Trace, box: tuple[int, ...]) -> np.ndarray:
    """The box as a mask over the picture."""
    mask = np.zeros(seen.picture.shape[1:], bool)
    mask[tuple(slice(*pair) for pair in zip(box[::2], box[1::2], strict=True))] = True
    return mask


def random_places(seen: Trace, count: int, seed: int) -> list[tuple[int, ...]]:
    random = np.random.default_rng(seed)
    chosen = random.integers(len(seen.layers), size=count)
    return [(int(n), *(int(random.integers(s)) for s in seen.layers[n].output_shape or (1,))) for n in chosen]


@pytest.mark.parametrize("name", ["vgg", *list(ZOO)[1:14], *list(ZOO)[14:16], "digits", "lenet5"])
def test_the_actual_field_lies_in_the_possible_one(name: str) -> None:
    """No pixel outside the box has a gradient, in any family of networks."""
    network, picture = drawn(name)
    seen, reached = trace(network, picture), 0
    for layer, channel, *at in random_places(seen, 12, 0):
        actual = seen.actual_field(layer, channel, *at)
        assert actual.shape == picture.shape[1:]
        assert not actual[~inside(seen, seen.field(layer, *at))].any()
        reached += bool(actual.any())
    assert reached > 2


BLOCKS = st.one_of(
    st.tuples(st.just("conv"), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("up"), st.integers(1, 4), st.integers(1, 3), st.integers(0, 1), st.integers(1, 2)),
    st.tuples(st.sampled_from(["max", "avg"]), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1), st.booleans()),
    st.tuples(st.sampled_from(["residual", "join", "depthwise"]), st.integers(1, 3), st.integers(1, 2)),
    st.tuples(st.sampled_from(["nearest", "reflect", "crop", "flip", "adaptive", "norm"])),
)


class Random(nn.Module):
    """A network of drawn blocks; those that do not fit the maps any more are left out."""

    def __init__(self, blocks: list[tuple]) -> None:
        super().__init__()
        self.blocks, self.first, self.layers = blocks, nn.Conv2d(2, 2, 1), nn.ModuleList()
        for kind, *values in blocks:
            self.layers.append(
                self.make(kind, *values) if kind in {"conv", "up", "depthwise", "norm"} else nn.Identity()
            )
            if kind in {"residual", "join"}:
                size, dilation = values
                self.layers[-1] = nn.Conv2d(2, 2, 2 * size - 1, padding=(size - 1) * dilation, dilation=dilation)

    @staticmethod
    def make(kind: str, *values: int) -> nn.Module:
        if kind == "conv":
            return nn.Conv2d(2, 2, *values[:3], dilation=values[3])
        if kind == "up":
            size, stride, padding, dilation = values
            return nn.ConvTranspose2d(2, 2, size, stride, min(padding, size - 1), dilation=dilation)
        return nn.BatchNorm2d(2) if kind == "norm" else nn.Conv2d(2, 2, values[0], stride=values[1], groups=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for (kind, *values), layer in zip(self.blocks, self.layers, strict=True):
            size = min(x.shape[2:])
            if kind in {"conv", "depthwise"}:
                span = (values[0] - 1) * (values[3] if kind == "conv" else 1) + 1
                x = layer(x) if span <= size else x
            elif kind in {"max", "avg"}:
                kernel, stride, padding, ceil = values
                pool = F.max_pool2d if kind == "max" else F.avg_pool2d
                x = pool(x, kernel, stride, min(padding, kernel // 2), ceil_mode=ceil) if kernel <= size else x
            elif kind == "up":
                x = layer(x) if 1 < size < 30 else x
            elif kind in {"residual", "join"}:
                y = layer(x)
                x = x + y if kind == "residual" else torch.cat([x, y], 1)[:, 1:3]
            elif kind == "nearest":
                x = F.interpolate(x, scale_factor=1.5) if size < 20 else x
            elif kind == "reflect":
                x = F.pad(x, (1, 0, 0, 1), mode="reflect") if size > 1 else x
            elif kind == "crop":
                x = x[:, :, 1:, :-1] if size > 2 else x
            elif kind == "adaptive":
                x = F.adaptive_avg_pool2d(x, (3, 2)) if size > 3 else x
            else:
                x = x.flip(3) if kind == "flip" else layer(x)
        return x


@settings(max_examples=40, deadline=None)
@given(blocks=st.lists(BLOCKS, min_size=1, max_size=5), height=st.integers(5, 9), width=st.integers(5, 9))
def test_random_networks(blocks: list[tuple], height: int, width: int) -> None:
    """The box is the smallest around all pixels whose NaN reaches the number, and no gradient lies outside it.

    NaN goes through every sum, product and maximum, so one picture per pixel shows exactly what is read.
    """
    torch.manual_seed(len(blocks))
    network = Random(blocks).eval()
    seen = trace(network, torch.randn(2, height, width) + 1)
    spoilt = torch.ones(height * width, 2, height, width)
    spoilt.view(height * width, 2, -1)[torch.arange(height * width), :, torch.arange(height * width)] = torch.nan
    with torch.no_grad():
        reached = network(spoilt).isnan().any(1).reshape(height, width, *seen.output.shape[1:]).numpy()
    last = len(seen.layers) - 1
    random = np.random.default_rng(0)
    for _ in range(4):
        at = tuple(int(random.integers(size)) for size in seen.output.shape[1:])
        mask = reached[(slice(None), slice(None), *at)]
        rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
        around = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if mask.any() else (0, 0, 0, 0)
        assert seen.field(last, *at) == around
        actual = seen.actual_field(last, int(random.integers(2)), *at)
        assert not actual[~inside(seen, around)].any()
