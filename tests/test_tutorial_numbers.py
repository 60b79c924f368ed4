"""Every number that the five tutorials work out, worked out by this program."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from striate.inside import filters
from striate.network.build import network

FOUR_BY_FOUR = np.array([[1, 3, 2, 1], [4, 6, 5, 0], [7, 2, 9, 8], [1, 2, 3, 4]])


def test_weighted_sum_is_3_3() -> None:
    """(0.4·1) + (0.2·0) + (1.0·1) + (0.7·0) + (0.1·2) + (0.2·0) + (0.7·1) + (0.3·0) + (1.0·1) = 3.3."""
    patch = np.array([[0.4, 0.2, 1.0], [0.7, 0.1, 0.2], [0.7, 0.3, 1.0]])
    kernel = filters.kernel("1 0 1; 0 2 0; 1 0 1")
    assert filters.weighted_sum(patch, kernel) == pytest.approx(3.3, abs=1e-15)
    picture = np.zeros((6, 6))
    picture[:3, :3] = patch
    feature_map = filters.convolve(picture, kernel, stride=1)
    assert feature_map.shape == (4, 4)
    assert feature_map[0, 0] == pytest.approx(3.3, abs=1e-14)


def test_high_pass_step_is_175() -> None:
    """Centre 200 gives 4 · 200 - (up + left + right + down) = 175, so the four neighbours sum to 625.

    The pixel at the upper left is 150, but the filter's corner weighs 0: like the other corners it
    may have any value. Neighbours of 150, 150, 150 and 175 make the tutorial's step.
    """
    patch = np.array([[150, 150, 225], [150, 200, 150], [225, 175, 225]])
    kernel = filters.kernel("0 -1 0; -1 4 -1; 0 -1 0")
    np.testing.assert_array_equal(kernel, filters.kernel("highpass"))
    assert kernel[0, 0] * patch[0, 0] == 0
    assert patch[0, 1] + patch[1, 0] + patch[1, 2] + patch[2, 1] == 625
    assert filters.weighted_sum(patch, kernel) == 175
    other_corners = patch.copy()
    other_corners[[0, 0, 2, 2], [0, 2, 0, 2]] = [0, 255, 17, 99]
    assert filters.weighted_sum(other_corners, kernel) == 175


def test_weights_of_edge_filters_sum_to_zero() -> None:
    """An edge filter neither brightens nor darkens: on an even picture its map is zero."""
    for name in ("edge", "highpass", "horizontal", "vertical"):
        assert filters.kernel(name).sum() == 0
        assert not filters.convolve(np.full((5, 5), 200), filters.kernel(name)).any()


def test_ten_by_three_gives_eight() -> None:
    """A 10 x 10 picture under a 3 x 3 filter with stride 1: ((10 - 3) / 1) + 1 = 8."""
    assert filters.output_size(10, 3, "valid", 1) == 8
    assert filters.convolve(np.ones((10, 10)), np.ones((3, 3))).shape == (8, 8)
    assert torch.nn.Conv2d(1, 1, 3)(torch.ones(1, 1, 10, 10)).shape == (1, 1, 8, 8)
    assert filters.size_formula(10, 3, 0, 1) == "((10 − 3 + 2·0)/1) + 1 = 8"


def test_padding_by_one_keeps_ten() -> None:
    """With a row and column of zeros on each side the output is as large as the picture."""
    assert filters.output_size(10, 3, 1, 1) == 10
    padded, same = (filters.convolve(np.ones((10, 10)), np.ones((3, 3)), 1, how) for how in (1, "same"))
    np.testing.assert_array_equal(padded, same)
    assert padded[0, 0] == 4  # five of the nine pixels under the corner are zeros


def test_a_border_of_one_is_lost_without_padding() -> None:
    """A 3 x 3 filter loses one pixel on every side: two in width and two in height."""
    assert filters.convolve(np.ones((6, 9)), np.ones((3, 3))).shape == (4, 7)


def test_even_filters_keep_fifty() -> None:
    """The HeLa network's 4 x 4 filters with `same` leave 50 x 50; its 2 x 2 pool with stride 1 gives 49."""
    assert filters.output_size(50, 4, "same", 1) == 50
    assert filters.output_size(50, 2, "valid", 1) == 49


@pytest.mark.parametrize(("how", "wanted"), [("max", [[6, 5], [7, 9]]), ("average", [[3.5, 2.0], [3.0, 6.0]])])
def test_pooling_four_to_two(how: str, wanted: list[list[float]]) -> None:
    """4 x 4 in patches of 2 x 2 with stride 2: ((4 - 2) / 2) + 1 = 2 each way, largest or mean of four."""
    np.testing.assert_array_equal(filters.pool(FOUR_BY_FOUR, 2, 2, how), wanted)
    values = torch.tensor(FOUR_BY_FOUR, dtype=torch.float32)[None]
    layer = {"max": functional.max_pool2d, "average": functional.avg_pool2d}[how]
    np.testing.assert_array_equal(layer(values, 2, 2)[0].numpy(), wanted)


def test_max_pooling_picks_140_and_90() -> None:
    """In the tutorial's red and yellow patches the largest values are 140 and 90."""
    patches = np.array([[29, 140, 45, 90], [12, 78, 3, 17]])
    np.testing.assert_array_equal(filters.pool(patches, 2), [[140, 90]])


def test_global_pooling_leaves_one_value_per_map() -> None:
    """A pool as large as the map leaves one number per channel."""
    maps = np.stack([FOUR_BY_FOUR, 2 * FOUR_BY_FOUR], axis=2)
    np.testing.assert_array_equal(filters.pool(maps, 4), [[[9, 18]]])
    np.testing.assert_array_equal(filters.pool(maps, 4, how="average"), [[[3.625, 7.25]]])


def through(line: str, values: list[float]) -> torch.Tensor:
    """What the layers of a network's line make of a row of numbers, in float64."""
    made = network(f"flatten, {line}", (1, 1, len(values)), classes=len(values)).double().eval()
    return made(torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1)).detach().flatten()


def test_flatten_gives_4000_inputs() -> None:
    """20 pixels high, 20 wide and 10 deep are 4,000 inputs of a dense layer; 28 x 28 are 784."""
    for shape, inputs in (((10, 20, 20), 4000), ((1, 28, 28), 784)):
        assert network("flatten, dense classes", shape, classes=10).dense1.weight.shape == (10, inputs)


def test_relu_and_max_pooling_change_places() -> None:
    """ReLU(MaxPool(Conv(x))) = MaxPool(ReLU(Conv(x))), value by value."""
    lines = ("conv 4 3, maxpool 2, relu", "conv 4 3, relu, maxpool 2")
    first, second = (network(line, (3, 12, 12), classes=4, seed=0) for line in lines)
    assert torch.equal(first.conv1.weight, second.conv1.weight)
    pictures = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    pooled = first(pictures).detach()
    assert torch.equal(pooled, second(pictures).detach())
    assert pooled.shape == (2, 4, 6, 6)
    assert float(pooled.min()) == 0 < float(pooled.max())


def test_relu_by_hand() -> None:
    """x for x above 0, else 0."""
    assert through("relu", [-3.0, 0.0, 2.5]).tolist() == [0, 0, 2.5]


def test_leaky_relu_by_hand() -> None:
    """0.001 x for x below 0, else x."""
    assert through("leaky-relu 0.001", [-2.0, 0.0, 3.0]).tolist() == pytest.approx([-0.002, 0, 3])


def test_sigmoid_by_hand() -> None:
    """1 / (1 + e^-x): a half at 0, three quarters at ln 3, a quarter at -ln 3."""
    assert through("sigmoid", [0, math.log(3), -math.log(3)]).tolist() == pytest.approx([0.5, 0.75, 0.25])


def test_softmax_by_hand() -> None:
    """e^x over their sum: 0, ln 2 and ln 5 share out as 1, 2 and 5 eighths."""
    shares = through("softmax", [0, math.log(2), math.log(5)])
    assert shares.tolist() == pytest.approx([0.125, 0.25, 0.625])


def test_grey_of_pure_red_and_of_purple() -> None:
    """[255, 0, 0] and [200, 0, 200] by 0.2989 R + 0.5870 G + 0.1140 B are 76.2195 and 82.58."""
    colours = np.array([[[255, 0, 0], [200, 0, 200]]], np.uint8)
    np.testing.assert_allclose(filters.to_grey(colours), [[76.2195, 82.58]])
