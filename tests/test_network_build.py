"""Text to torch.nn: shapes against the textbook formulas, "same" as TensorFlow has it, and seeds."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.signal import correlate2d
from torch import nn

from striate.errors import StriateError
from striate.network.build import Network, build


def shape_of(line: str, input_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that torch really gives for one picture; what the builder foretold must be the same."""
    network = build(line, input_shape, 2).eval()
    with torch.no_grad():
        real = tuple(network(torch.zeros(2, *input_shape)).shape[1:])
    assert network.output_shape == real
    return real


@settings(deadline=None, max_examples=60)
@given(
    size=st.integers(1, 40), window=st.integers(1, 7), padding=st.integers(0, 3), stride=st.integers(1, 5),
    kind=st.sampled_from(["conv 3 {} stride={} padding={}", "maxpool {} {} {}", "avgpool {} {} {}"]),
)  # fmt: skip
def test_output_size_is_the_formula(size: int, window: int, padding: int, stride: int, kind: str) -> None:
    """Explicit padding gives floor((W - F + 2P) / S) + 1 along both axes."""
    if "pool" in kind:
        padding = min(padding, window // 2)
    line = kind.format(window, stride, padding)
    if size + 2 * padding < window:
        with pytest.raises(StriateError, match="a window must fit into its maps"):
            build(line, (2, size, size + 3), 2)
        return
    expected = [(side - window + 2 * padding) // stride + 1 for side in (size, size + 3)]
    assert shape_of(line, (2, size, size + 3)) == (3 if "conv" in kind else 2, *expected)


@pytest.mark.parametrize(
    ("size", "window", "stride", "expected"),
    # TensorFlow's "same": ceil(W / S), whatever the window: ceil(7/2) = 4, ceil(8/3) = 3, ceil(5/1) = 5 ...
    [(7, 3, 2, 4), (8, 3, 2, 4), (8, 5, 3, 3), (5, 4, 1, 5), (6, 2, 2, 3), (1, 7, 1, 1), (10, 1, 4, 3), (50, 4, 1, 50)],
)
@pytest.mark.parametrize("kind", ["conv 3 {} stride={} padding=same", "maxpool {} {} same"])
def test_same_gives_the_size_over_the_stride(size: int, window: int, stride: int, expected: int, kind: str) -> None:
    """The hand-worked sizes of "same" for odd and even windows, for convolutions and max pools."""
    assert shape_of(kind.format(window, stride), (2, size, size))[1:] == (expected, expected)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_same_holds_for_dilated_windows(size: int, window: int, stride: int, dilation: int) -> None:
    """ceil(W / S) holds with dilation too."""
    line = f"conv 1 {window} stride={stride} dilation={dilation}"
    assert shape_of(line, (1, size, size))[1:] == (math.ceil(size / stride),) * 2


def test_valid_is_without_padding() -> None:
    """padding=valid is padding=0: 10×12 by 3×5 gives 8×8."""
    assert shape_of("conv 1 3x5 padding=valid", (1, 10, 12)) == (1, 8, 8)
    assert shape_of("conv 1 3x5 padding=0", (1, 10, 12)) == (1, 8, 8)
    assert shape_of("conv 1 3x5 padding=1x2", (1, 10, 12)) == (1, 10, 12)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (2, 2), (4, 3), (3, 6), (5, 5)])
def test_same_of_an_even_kernel_equals_scipy(height: int, width: int) -> None:
    """An even "same" window has its extra row and column below and to the right.

    SciPy's full correlation holds every overlap; the "same" map of TensorFlow is the part of it that
    starts after ceil((F - 1) / 2) rows of overlap, because only floor((F - 1) / 2) rows lie above.
    """
    random = np.random.default_rng(height * 10 + width)
    picture, kernel = random.normal(size=(9, 11)), random.normal(size=(height, width))
    network = build(f"conv 1 {height}x{width} bias=no", (1, 9, 11), 2).double()
    convolution = next(layer for layer in network if isinstance(layer, nn.Conv2d))
    with torch.no_grad():
        convolution.weight.copy_(torch.from_numpy(kernel)[None, None])
        ours = network(torch.from_numpy(picture)[None, None])[0, 0].numpy()
    full = correlate2d(picture, kernel, mode="full")
    top, left = math.ceil((height - 1) / 2), math.ceil((width - 1) / 2)
    np.testing.assert_allclose(ours, full[top : top + 9, left : left + 11], atol=1e-12)
    if height % 2 and width % 2:
        np.testing.assert_allclose(ours, correlate2d(picture, kernel, mode="same"), atol=1e-12)


def test_same_maxpool_never_answers_with_its_padding() -> None:
    """Padding counts as minus infinity for a maximum: negative pictures stay as they are at the rim."""
    network = build("maxpool 2 1 same", (1, 3, 3), 2)
    picture = -torch.arange(1.0, 10).reshape(1, 1, 3, 3)
    # Each value with its right, lower and lower-right neighbour; the first of them is the largest.
    assert torch.equal(network(picture), picture)


def test_avgpool_leaves_the_padding_out_of_its_mean() -> None:
    """A 3×3 mean over ones is one everywhere, at the rim too."""
    assert torch.allclose(build("avgpool 3 1 same", (1, 4, 4), 2)(torch.ones(1, 1, 4, 4)), torch.ones(4, 4))
    assert torch.allclose(build("avgpool 3 1 1", (1, 4, 4), 2)(torch.ones(1, 1, 4, 4)), torch.ones(4, 4))


@pytest.mark.parametrize(
    ("line", "input_shape", "expected"),
    [
        ("conv 4 3 stride=2", (2, 9), (4, 5)),
        ("conv 4 3 padding=valid, maxpool 2", (2, 9), (4, 3)),
        ("conv 4 3 padding=valid, maxpool 2", (1, 8, 9, 10), (4, 3, 3, 4)),
        ("conv 4 1x2x3 padding=valid, batchnorm", (1, 8, 9, 10), (4, 8, 8, 8)),
        ("conv 4 3, globalavgpool, dense 3", (1, 6, 6, 6), (3,)),
        ("globalmaxpool, batchnorm", (5, 7), (5,)),
        ("groupnorm 3, conv 4 3, groupnorm groups=2", (3, 8, 9), (4, 8, 9)),
        ("flatten, groupnorm 2", (2, 3), (6,)),
        ("flatten", (3, 4, 5), (60,)),
        ("conv 6 3 groups=3", (3, 5, 5), (6, 5, 5)),
    ],
)
def test_series_pictures_and_volumes(line: str, input_shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """The same words make 1-, 2- and 3-dimensional networks, by the shape they are given."""
    assert shape_of(line, input_shape) == expected


def test_twenty_by_twenty_by_ten_gives_4000_inputs() -> None:
    """Flattening 10 maps of 20×20 gives a dense layer 4,000 inputs."""
    dense = build("flatten, dense 7", (10, 20, 20), 2)[-1]
    assert dense.in_features == 4000


def test_residual_adds_its_input() -> None:
    """residual(f) is f(x) + x where the shape stays; with another shape the input passes a 1×1 convolution."""
    network = build("residual(relu)", (2, 3, 3), 2)
    x = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), x + x.clamp(min=0))
    wider = build("residual(conv 5 3 stride=2 bias=no)", (2, 7, 7), 2)
    block = wider[0]
    body = block.body(x7 := torch.ones(1, 2, 7, 7))
    pooled = nn.functional.avg_pool2d(x7, 2, ceil_mode=True, count_include_pad=False)
    by_hand = torch.einsum("oc,bchw->bohw", block.shortcut[-1].weight[:, :, 0, 0], pooled)
    assert wider.output_shape == (5, 4, 4)
    assert torch.allclose(wider(x7), body + by_hand, atol=1e-6)


def test_skip_puts_its_input_beside_what_its_layers_make() -> None:
    """skip(relu) is x and relu(x); after a pool the maps come back to the size of x, also when that is odd."""
    x = torch.randn(1, 2, 7, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(build("skip(relu)", (2, 7, 5), 2)(x), torch.cat([x, x.clamp(min=0)], dim=1))
    pooled = build("skip(maxpool 2)", (2, 7, 5), 2)
    small = nn.functional.max_pool2d(x, 2)[0].numpy()
    rows, columns = (np.clip((np.arange(n) + 0.5) * m / n - 0.5, 0, m - 1) for n, m in ((7, 3), (5, 2)))
    by_hand = [ndimage.map_coordinates(m, np.meshgrid(rows, columns, indexing="ij"), order=1) for m in small]
    assert pooled.output_shape == (4, 7, 5)
    assert np.allclose(pooled(x)[0, 2:].numpy(), by_hand, atol=1e-6)
    assert build("skip(maxpool 2, conv 3 3)", (2, 9), 2).output_shape == (5, 9)
    assert build("skip(maxpool 2, conv 3 3)", (2, 4, 6, 5), 2).output_shape == (5, 4, 6, 5)


def test_an_ensemble_says_the_mean_of_its_members() -> None:
    """Three members of other random values; the logits are the mean of what each says, before a softmax."""
    network = build("ensemble 3 (conv 4 3, relu, flatten, dense classes), softmax", (2, 5, 5), 3, seed=1)
    x = torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    said = torch.stack([member(x) for member in network.members()])
    assert len(said) == 3
    assert min((one - other).abs().max() for one, other in itertools.combinations(said, 2)) > 0.01
    assert torch.allclose(network.logits(x), said.mean(0), atol=1e-6)
    assert torch.allclose(network(x), said.mean(0).softmax(1), atol=1e-6)
    plain = build("relu, softmax", (3,), 3)
    assert torch.equal(plain.members()[0](x[:, 0, 0, :3]), x[:, 0, 0, :3].relu())


def test_repetition_makes_separate_layers() -> None:
    """2*(conv 3) has two convolutions with weights of their own."""
    network = build("2*(conv 3)", (3, 5, 5), 2)
    first, second = network
    assert first is not second
    assert not torch.equal(first.weight, second.weight)


def test_classes_becomes_the_number() -> None:
    """The word classes is replaced everywhere, and the stored line holds the number."""
    network = build("flatten, 2*(dense classes)", (1, 1, 9), 7)
    assert network.text == "flatten, 2*(dense 7)"
    assert network.output_shape == (7,)
    assert [name for name, _ in network.named_children()] == ["flatten1", "dense1", "dense2"]


def test_a_network_is_rebuilt_from_its_own_text() -> None:
    """Text and input shape are enough: the rebuilt network takes the weights and gives the same outputs."""
    line = "whiten 6 2, conv 4 4 stride=2, batchnorm, silu, residual(conv 8 3), globalmaxpool, dense classes, scale 0.5"
    first = build(line, (1, 12, 10), 3, seed=4).eval()
    second = Network(first.text, first.input_shape).eval()
    second.load_state_dict(first.state_dict())
    x = torch.randn(2, 1, 12, 10, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first(x), second(x))


def test_the_seed_decides_the_weights_and_nothing_else_changes() -> None:
    """Same seed, same weights; another seed, others; torch's own random state is as before."""
    torch.manual_seed(123)
    before = torch.get_rng_state()
    one, again, other = (build("conv 4 3, flatten, dense 5", (1, 6, 6), 2, seed=s) for s in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, again.state_dict()[name])
        assert weights.ndim < 2 or not torch.equal(weights, other.state_dict()[name])


def test_logits_leave_a_closing_softmax_out() -> None:
    """softmax(logits) is the output; without a closing softmax or sigmoid logits are the output."""
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    soft = build("flatten, dense 5, softmax", (1, 4, 4), 5)
    assert torch.allclose(soft.logits(x).softmax(dim=1), soft(x))
    one = build("flatten, dense 1, sigmoid", (1, 4, 4), 5)
    assert torch.allclose(one.logits(x).sigmoid(), one(x))
    plain = build("flatten, dense 5", (1, 4, 4), 5)
    assert torch.equal(plain.logits(x), plain(x))


@pytest.mark.parametrize(
    ("line", "input_shape", "told"),
    [
        ("dense 3", (1, 5, 5), "dense takes one row of numbers. received: dense 3 on 1×5×5"),
        ("flatten, conv 3", (1, 5, 5), "conv takes feature maps. received: conv 3 on 25"),
        ("flatten, maxpool", (1, 5, 5), "maxpool takes feature maps"),
        ("conv 3 7 padding=valid", (1, 5, 5), "use larger pictures (--img-size) or fewer layers"),
        ("3*(maxpool 2)", (1, 5, 5), "a window must fit into its maps. received: maxpool 2 on 1×1×1"),
        ("conv 4 3 groups=2", (1, 5, 5), "groups must divide 1 input channels and 4 filters"),
        ("conv 3 3x3x3", (1, 5, 5), "kernel has one number, or one per axis (2)"),
        ("maxpool 2 padding=2", (1, 5, 5), "padding of a pool is at most half its size"),
        ("avgpool 2 padding=same", (1, 5, 5), "avgpool pads on both sides alike"),
        ("residual(conv 2 3 padding=valid)", (1, 9, 9), "a shortcut must reach the size of its body, 2×7×7"),
        ("skip(flatten)", (1, 5, 5), "a skip puts feature maps beside feature maps"),
        ("skip(globalavgpool)", (3, 5, 5), "a skip puts feature maps beside feature maps"),
        ("residual(conv 2 3, shortcut(conv 3 3))", (1, 9, 9), "a shortcut must reach the size of its body, 2×9×9"),
        ("residual(flatten)", (1, 5, 5), "a shortcut must reach the size of its body, 25"),
        ("residual(globalavgpool)", (3, 5, 5), "a shortcut must reach the size of its body, 3"),
        ("flatten, residual(dense 3)", (1, 5, 5), "residual takes feature maps"),
        ("whiten 4", (1, 5), "whiten takes pictures"),
        ("conv 3, whiten 4", (3, 5, 5), "whiten is the first layer of a network"),
        ("2*(whiten 4)", (4, 5, 5), "whiten is the first layer of a network"),
        ("ensemble 2 (relu, skip(whiten 4))", (1, 5, 5), "whiten is the first layer of a network"),
        ("flatten, dense 999999999, dense 999999999", (1, 64, 64), "weights, not 4,095,999,995,904"),
        ("conv 99999 3, conv 99999 3", (1, 5, 5), "one layer has at most 1,000,000,000 weights"),
        ("konv 3", (1, 5, 5), "did you mean 'conv'?"),
    ],
)
def test_a_network_that_cannot_be_built_says_where(line: str, input_shape: tuple[int, ...], told: str) -> None:
    """Layers that do not fit together are named with the shape that reaches them and a way out."""
    with pytest.raises(StriateError) as problem:
        build(line, input_shape, 2)
    assert told in str(problem.value)
