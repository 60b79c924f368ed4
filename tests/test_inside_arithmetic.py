"""The ledger of a number: it adds up to the stored value, and its rows are what stands in the maps and weights."""

import inspect
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from zoo import ZOO, Lambda, drawn

from striate.errors import say
from striate.inside import elementwise
from striate.inside.elementwise import ACTIVATIONS, Term
from striate.inside.trace import Explanation, Trace, trace
from striate.inside.written import ledger_table

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
PIXELS = 40


def places(seen: Trace, count: int, seed: int = 0) -> list[tuple[int, ...]]:
    """(layer, channel, *position) of random numbers, every layer with a known arithmetic in turn."""
    random = np.random.default_rng(seed)
    layers = [layer for layer in seen.layers if layer.arithmetic]
    count = max(count, len(layers))
    chosen = [layers[number % len(layers)] for number in range(count)]
    return [(layer.index, *(int(random.integers(size)) for size in layer.output_shape or (1,))) for layer in chosen]


@pytest.mark.parametrize("name", ZOO)
def test_every_ledger_adds_up(name: str) -> None:
    """Recomputed in float64 from what the layer read, the number is the stored one within float32 rounding."""
    network, picture = drawn(name)
    seen = trace(network, picture)
    assert {layer.kind for layer in seen.layers if not layer.arithmetic} <= {"round"}
    for layer, *at in places(seen, PIXELS):
        found = seen.explain(layer, *at)
        assert found.available
        assert found.stored == (seen.maps(layer)[tuple(at)] if seen.maps(layer).shape else seen.maps(layer))
        assert found.agrees, f"{found.name} {at}: stored {found.stored}, {found.formula}"
        assert math.isclose(found.value, found.stored, rel_tol=1e-4, abs_tol=1e-4)
        check_rows(seen, found)


def check_rows(seen: Trace, found: Explanation) -> None:
    """The rows give the value by their rule; each patch is cut from its map, and its padding lies outside."""
    shares = [term.value for term in found.terms]
    addends = [value for _, value in found.addends]
    if found.rule in {"sum", "mean"}:
        total = math.fsum([*shares, *addends]) / (found.divisor or 1.0)
        assert math.isclose(found.value, total, rel_tol=1e-9, abs_tol=1e-9)
    elif found.rule == "maximum":
        (term,) = found.terms
        assert term.patch[found.chosen] == found.value == shares[0]
        assert (term.patch if term.padding is None else term.patch[~term.padding]).max() == found.value
    elif found.rule == "softmax":
        assert math.isclose(found.divisor, math.fsum(shares), rel_tol=1e-9)
        share = shares[found.chosen[0]] / found.divisor
        assert math.isclose(found.value, share if found.kind == "softmax" else math.log(share), rel_tol=1e-9)
    elif found.rule == "copy":
        assert [found.value] == [*shares, *addends]
    else:
        assert found.rule in {"affine", "function"}
        assert found.terms
    for term in found.terms:
        if term.patch is not None:
            check_patch(seen, found, term)


def check_patch(seen: Trace, found: Explanation, term: Term) -> None:
    """Every cell is the map's number at origin + cell · step, or 0 and marked where that lies outside."""
    source = seen.picture if term.source == -1 else seen.maps(term.source)
    if source.ndim == 1:
        source = source[:, None]
    if source.ndim == 0:
        source = source[None, None]
    assert term.patch.ndim == source.ndim - 1 == len(term.origin) == len(term.step)
    lines = list(zip(term.origin, term.step, term.patch.shape, source.shape[1:], strict=True))
    at = np.ix_(*(origin + step * np.arange(count) for origin, step, count, _ in lines))
    inside = np.ones(term.patch.shape, bool)
    for axis, (_, _, _, size) in zip(at, lines, strict=True):
        inside &= (axis >= 0) & (axis < size)
    there = source[(term.channel, *(axis.clip(0, size - 1) for axis, (_, _, _, size) in zip(at, lines, strict=True)))]
    np.testing.assert_array_equal(inside, np.ones_like(inside) if term.padding is None else ~term.padding)
    np.testing.assert_array_equal(term.patch, np.where(inside, there, 0))
    if term.kernel is not None:
        assert term.kernel.shape == term.patch.shape
        assert math.isclose((term.patch * term.kernel).sum(), term.value, rel_tol=1e-9, abs_tol=1e-9)
    elif found.rule in {"sum", "mean"}:
        assert math.isclose(term.patch.sum(), term.value, rel_tol=1e-9, abs_tol=1e-9)


def test_a_convolution_by_hand() -> None:
    """3×3 on [[1..9]] with zeros around: the corner has four cells inside, with weights 5, 6, 8, 9, and bias 10."""
    conv = nn.Conv2d(1, 1, 3, padding=1)
    conv.weight.data = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    conv.bias.data.fill_(10)
    found = trace(conv, torch.arange(1.0, 10.0).reshape(1, 3, 3)).explain(0, 0, 0, 0)
    (term,) = found.terms
    assert term.value == 1 * 5 + 2 * 6 + 4 * 8 + 5 * 9 == 94
    assert found.value == found.stored == 104
    assert found.addends == (("bias", 10.0),)
    assert term.patch.tolist() == [[0, 0, 0], [0, 1, 2], [0, 4, 5]]
    assert term.padding.tolist() == [[True, True, True], [True, False, False], [True, False, False]]
    assert (term.origin, term.step) == ((-1, -1), (1, 1))
    assert found.formula == "94 (patch × kernel, summed over 1 input channel) + 10 (bias) = 104 (shown rounded)"


def test_groups_stride_and_dilation_by_hand() -> None:
    """The second of two groups reads channels 2 and 3; stride 2 and dilation 3 give places 2 and 5."""
    conv = nn.Conv1d(4, 2, 2, stride=2, dilation=3, groups=2, bias=False)
    conv.weight.data = torch.tensor([[[1.0, 1], [1, 1]], [[2, 3], [4, 5]]])
    found = trace(conv, torch.arange(32.0).reshape(4, 8)).explain(0, 1, 1)
    assert [(term.channel, term.label) for term in found.terms] == [(2, "input channel 2"), (3, "input channel 3")]
    assert [term.patch.tolist() for term in found.terms] == [[18, 21], [26, 29]]
    assert [(term.origin, term.step) for term in found.terms] == [((2,), (3,))] * 2
    assert found.value == 18 * 2 + 21 * 3 + 26 * 4 + 29 * 5


def test_a_transposed_convolution_by_hand() -> None:
    """Stride 2, kernel [a b c]: an even place gets a·next + c·this, written from left to right; an odd one b·this."""
    conv = nn.ConvTranspose1d(1, 1, 3, stride=2, padding=0, bias=False)
    conv.weight.data = torch.tensor([[[100.0, 10, 1]]])
    seen = trace(conv, torch.tensor([[1.0, 2, 3]]))
    assert seen.maps(0)[0].tolist() == [100, 10, 201, 20, 302, 30, 3]
    (term,) = seen.explain(0, 0, 4).terms
    assert (term.patch.tolist(), term.kernel.tolist(), term.origin) == ([2, 3], [1, 100], (1,))
    (term,) = seen.explain(0, 0, 6).terms
    assert (term.patch.tolist(), term.kernel.tolist(), term.padding) == ([3], [1], None)


def test_ties_of_a_max_pool() -> None:
    """The first of the largest is chosen, as torch does (checked with its indices), and the others are counted."""
    picture = torch.tensor([[[1.0, 5, 5], [5, 0, 5], [-1, -1, -1]]])
    found = trace(nn.MaxPool2d(2, 1), picture).explain(0, 0, 0, 0)
    assert (found.value, found.chosen, found.ties) == (5, (0, 1), 1)
    _, indices = F.max_pool2d(picture, 2, 1, return_indices=True)
    assert int(indices[0, 0, 0]) == 1
    padded = trace(nn.MaxPool2d(3, 2, 1), -picture.abs() - 1).explain(0, 0, 0, 0)  # zeros around are not taken
    assert (padded.value, padded.chosen, padded.ties) == (-1, (2, 2), 0)


@pytest.mark.parametrize(
    ("pool", "divisor"),
    [
        (nn.AvgPool2d(3, 2, 1), 9),
        (nn.AvgPool2d(3, 2, 1, count_include_pad=False), 4),
        (nn.AvgPool2d(3, 2, 1, divisor_override=7), 7),
        (nn.AdaptiveAvgPool2d(2), 9),
        (nn.AdaptiveAvgPool2d(1), 25),
    ],
)
def test_divisors_at_a_corner(pool: nn.Module, divisor: int) -> None:
    """What an average pool divides by at the first corner of a 5×5 picture."""
    assert trace(pool, torch.randn(1, 5, 5)).explain(0, 0, 0, 0).divisor == divisor


def test_divisor_of_ceil_mode() -> None:
    """A 2×2 window that ceil_mode lets hang over the edge of 3×3 counts only what it covers: 2 rows by 1 column."""
    found = trace(nn.AvgPool2d(2, 2, ceil_mode=True), torch.arange(9.0).reshape(1, 3, 3)).explain(0, 0, 0, 1)
    assert (found.value, found.divisor) == ((2 + 5) / 2, 2)
    assert found.terms[0].padding.tolist() == [[False, True], [False, True]]


def test_norms_are_written_out() -> None:
    """(3 − 1) / √(3.75 + 0.25) · 5 + 6 = 11, with all four numbers in the formula."""
    norm = nn.BatchNorm2d(1, eps=0.25)
    norm.running_mean.fill_(1), norm.running_var.fill_(3.75), norm.weight.data.fill_(5), norm.bias.data.fill_(6)
    found = trace(norm, torch.full((1, 2, 2), 3.0)).explain(0, 0, 1, 1)
    assert (found.rule, found.value) == ("affine", 11)
    assert "(3 − 1) / √(3.75 + 0.25) · 5 + 6 = 11 (mean 1, variance 3.75, gamma 5, beta 6)" in found.formula


def test_alpha_weighs_what_torch_weighs() -> None:
    """In `add` and `sub` the second operand, in `rsub`, which takes the first from the second, the first."""

    class Alpha(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.rsub(torch.sub(torch.add(x, 1, alpha=5), x, alpha=3), 1, alpha=2)

    found = [trace(Alpha(), torch.full((1, 2, 2), 4.0)).explain(layer, 0, 1, 1) for layer in range(3)]
    assert [(each.value, each.agrees) for each in found] == [(9, True), (-3, True), (7, True)]


def test_softmax_subtracts_the_largest() -> None:
    """Logits of 1,000 do not overflow: 1 / (1 + e) at the smaller of two that differ by 1."""
    found = trace(nn.Sequential(nn.Flatten(), nn.Softmax(1)), torch.tensor([[[1000.0, 1001.0]]])).explain(1, 0)
    assert math.isclose(found.value, 1 / (1 + math.e), rel_tol=1e-12)
    assert "exp(1000 − 1001)" in found.formula


@pytest.mark.parametrize("layer", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_softmax_lists_every_number_it_divides_by(layer: nn.Module) -> None:
    """One term per number of the row, exp(x − largest), with the x that was read; their sum divides."""
    logits = [0.5, 2.0, -1.0, 2.0]
    seen = trace(nn.Sequential(nn.Flatten(), layer), torch.tensor([[logits]]))
    found = seen.explain(1, 2)
    assert [term.value for term in found.terms] == pytest.approx([math.exp(x - 2) for x in logits], rel=1e-12)
    assert [float(term.patch.item()) for term in found.terms] == logits
    assert found.divisor == pytest.approx(math.fsum(math.exp(x - 2) for x in logits), rel=1e-12)
    assert (found.chosen, found.agrees) == ((2,), True)
    told = ledger_table(seen, [found])
    assert all(f"exp of input channel {channel} " in told for channel in range(4))
    assert re.search(f"^  sum of exp +{say(found.divisor)}$", told, re.M)
    assert "exp(−1 − 2) / " in told


def formulas() -> dict[str, str]:
    """What the page copies as NumPy, by the kind of a layer; of norms as "affine"."""
    text = (Path(elementwise.__file__).parents[1] / "web/copy.js").read_text(encoding="utf-8")
    affine = re.search(r'^const AFFINE = "(.+)";$', text, re.M)[1]
    return {"affine": affine, **dict(re.findall(r'^  "([\w-]+)": "(.+)",$', text, re.M))}


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_can_be_copied_as_numpy(name: str) -> None:
    """The page's line for it gives what the ledger's own formula gives, on both sides of zero."""
    how = formulas()
    _, function = elementwise._FUNCTIONS[name]
    named = [
        each for each in inspect.signature(function).parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    numbers = {each.name: 0.25 + 0.5 * place for place, each in enumerate(named[1:])} if len(named) > 1 else {}
    for x in (0.3, 0.7, 2.5, *(() if name in {"log", "sqrt", "pow"} else (-0.4, -7.0))):
        told = eval(how[name], {"np": np, "math": math, "x": np.float64(x), **numbers})
        assert float(told) == pytest.approx(float(function(np.float64(x), **numbers)), rel=1e-12), x


def test_numbers_of_norms_and_products_are_told_in_full() -> None:
    """With them the page's line gives the value, to the last digits that the shown formula has rounded away."""
    torch.manual_seed(2)
    norm = nn.BatchNorm2d(2).eval()
    for values in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        values.uniform_(0.1, 0.9)

    class Squared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, x: Tensor) -> Tensor:
            seen = self.norm(x)
            return seen * (seen + 1)

    seen, how = trace(Squared(), torch.rand(2, 3, 3)), formulas()
    for layer, kind in ((0, "affine"), (2, "mul")):
        found = seen.explain(layer, 1, 2, 0)
        given = {"x": found.terms[0].value, **found.numbers}
        assert eval(how[kind], {"np": np, **given}) == pytest.approx(found.value, rel=1e-12)


def test_a_dense_layer_is_folded_back_to_its_map() -> None:
    """Whatever order a map was flattened in, each term is one map with the weights that fall on it."""
    network, picture = drawn("digits")  # flattens with the channels last
    seen = trace(network, picture)
    found = seen.explain("dense1", 3, full=True)
    source = seen.index("maxpool2")
    assert [(term.source, term.channel) for term in found.terms] == [(source, channel) for channel in range(64)]
    weights = seen.kernels("dense1")[3].reshape(7, 7, 64)
    for channel in (0, 17, 63):
        np.testing.assert_array_equal(found.terms[channel].kernel.astype(np.float32), weights[:, :, channel])
        np.testing.assert_array_equal(found.terms[channel].patch, seen.maps(source)[channel])


def test_only_the_largest_of_many_terms_carry_their_patch() -> None:
    """Of 100 terms the 64 largest have patch and kernel; with `full` all; the values are the same."""
    seen = trace(nn.Conv2d(100, 2, 1), torch.randn(100, 3, 3))
    short, full = seen.explain(0, 1, 1, 1), seen.explain(0, 1, 1, 1, full=True)
    assert [term.value for term in short.terms] == [term.value for term in full.terms]
    with_patch = [abs(term.value) for term in short.terms if term.patch is not None]
    without = [abs(term.value) for term in short.terms if term.patch is None]
    assert (len(with_patch), len(without)) == (64, 36)
    assert min(with_patch) >= max(without)
    assert all(term.patch is not None and term.kernel is not None for term in full.terms)


def test_a_wrong_number_is_found_out() -> None:
    """If the stored value were not what its inputs give, the ledger would say so: it reads the layer before."""
    network, picture = drawn("vgg")
    seen = trace(network, picture)
    at = (2, 3, 4, 5)
    assert seen.explain(*at).agrees
    seen.recording.values[2][3, 4, 5] += 1e-3
    found = seen.explain(*at)
    assert not found.agrees
    assert math.isclose(found.difference, -1e-3, rel_tol=1e-2)
    network[0][2].weight.data *= 1.01  # and a network that was changed afterwards
    assert not seen.explain(2, 3, 4, 6).agrees


def test_unknown_operations_are_not_guessed() -> None:
    """They show the stored value and say so; settings outside the table count as unknown, too."""
    network = Lambda(lambda self, x: F.interpolate(torch.fmod(x, 0.5), scale_factor=2, mode="bicubic"))
    seen = trace(network, torch.randn(1, 4, 4))
    found = [seen.explain(layer, 0, 1, 1) for layer in range(2)]
    assert [each.available for each in found] == [False, False]
    assert [each.rule for each in found] == ["none", "none"]
    assert found[0].reason == "arithmetic not available for fmod"
    assert found[1].reason == "arithmetic not available for interpolate with mode bicubic"
    assert found[0].value == found[0].stored == seen.maps(0)[0, 1, 1]


@pytest.mark.parametrize("weight", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite(weight: float) -> None:
    """NaN and infinities are recomputed as such, agree, and become words in JSON."""
    conv = nn.Conv2d(1, 1, 1, bias=False)
    conv.weight.data.fill_(weight)
    found = trace(conv, torch.ones(1, 2, 2)).explain(0, 0, 0, 0)
    assert found.agrees
    text = json.dumps(found.as_dict(), allow_nan=False)
    word = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(weight)]
    assert json.loads(text)["value"] == json.loads(text)["terms"][0]["kernel"][0][0] == word


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: run on a machine with an NVIDIA GPU")
@pytest.mark.parametrize("name", ["vgg", "resnet", "unet", "mobilenet", "normed", "digits"])
def test_on_a_gpu(name: str) -> None:
    """Ledgers add up there too, as products are not rounded to TF32."""
    network, picture = drawn(name)
    seen = trace(network.cuda(), picture)
    assert all(seen.explain(layer, *at).agrees for layer, *at in places(seen, PIXELS))


def test_dropout_in_a_module_that_moves_numbers() -> None:
    """A module that shuffles and drops is explained as in eval mode, though the network has been set to train."""
    shuffle = Lambda(lambda self, x: F.dropout(x.flip(2).permute(0, 2, 3, 1), 0.5, self.training))
    seen = trace(nn.Sequential(nn.Conv2d(2, 2, 1), shuffle).train(), torch.randn(2, 3, 3))
    assert [layer.kind for layer in seen.layers] == ["conv", "rearrange"]
    found = seen.explain(1, 0, 1, 1)
    assert found.agrees
    assert (found.terms[0].source, found.terms[0].channel, found.terms[0].origin) == (0, 1, (2, 1))
    assert shuffle.training


@pytest.mark.parametrize("scale", [1.012, 2.012])
@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((2, 30), torch.contiguous_format),
        ((2, 9, 6), torch.contiguous_format),
        ((4, 70, 3), torch.contiguous_format),
        ((4, 70, 3), torch.channels_last),
        ((4, 70, 70), torch.contiguous_format),
        ((4, 70, 70), torch.channels_last),
        ((2, 9, 4, 3), torch.contiguous_format),
        ((2, 9, 4, 3), torch.channels_last_3d),
    ],
)
def test_nearest_by_a_factor_near_one_or_two(scale: float, shape: tuple[int, ...], layout: torch.memory_format) -> None:
    """Which kernel of torch runs decides whether the factor counts or the sides do; ledger and field follow."""
    network = Lambda(lambda self, x: F.interpolate(x.contiguous(memory_format=layout), scale_factor=scale))
    seen = trace(network, torch.randn(shape))
    for y in range(seen.layers[-1].output_shape[1]):
        at = (1, y, *[1] * (len(shape) - 2))
        found = seen.explain(len(seen.layers) - 1, *at)
        assert found.agrees
        assert found.value == seen.maps(len(seen.layers) - 1)[at]
        place = tuple(slice(*pair) for pair in zip(found.field[::2], found.field[1::2], strict=True))
        assert seen.picture[1][place].tolist() == np.reshape(found.value, [1] * len(place)).tolist()
