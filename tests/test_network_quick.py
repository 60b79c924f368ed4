"""The layers of the copy that trains in bf16, against the plain layers of torch."""

import copy

import pytest
import torch
from drawn_training import tiny_plan, tiny_training
from torch import Tensor, nn

from striate.device import bf16_faults
from striate.network.build import build
from striate.network.quick import Conv2d, Linear, Relu, ReluPool, ResidualOver, add_over, multiply_filters, quicken

SHAPE = (8, 11, 10)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in bf16, channels last."""
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(torch.bfloat16)
    return numbers.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else numbers


def forth_and_back(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """The output, and the gradient of x for a drawn gradient of the output."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    out = network.train()(x)
    out.backward(drawn(*out.shape, seed=2))
    return out.detach(), x.grad


@pytest.mark.parametrize(
    "line",
    [
        "relu",
        "relu, conv 8 4",
        "relu, conv 8 3 stride=2",
        "relu, maxpool 2",
        "relu, maxpool 3 stride=2 padding=1, dropout 0.5",
        "relu, maxpool 3 stride=1",
        "conv 8 3, relu, residual(relu, conv 8 3), relu, maxpool 2 padding=same",
        "conv 8 3, batchnorm, relu, residual(conv 8 3, batchnorm, relu, conv 8 3), relu, flatten, dense 5, relu",
        "relu, conv 8 3, residual(conv 8 3, silu), residual(conv 8 3, relu), residual(conv 4 3 stride=2)",
    ],
)
def test_they_give_the_bits_of_plain_layers(line: str) -> None:
    """Outputs and gradients, of maps of odd and even sides."""
    plain = build(line, SHAPE, 1).to(torch.bfloat16)
    quick = copy.deepcopy(plain)
    quicken(quick)
    add_over(quick)
    assert any(isinstance(layer, Relu) for layer in quick.modules())
    assert ("residual" in line) is any(isinstance(layer, ResidualOver) for layer in quick.modules())
    assert list(quick.state_dict()) == list(plain.state_dict())
    for mine, theirs in zip(
        forth_and_back(quick, drawn(6, *SHAPE)), forth_and_back(plain, drawn(6, *SHAPE)), strict=True
    ):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("pictures", [1, 6, 7])
def test_a_pool_at_a_step_of_one(pictures: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs have the bits of plain layers, gradients at most the rounding of a sum of four, also in pieces."""
    monkeypatch.setattr("striate.network.quick.PIECE", 2 * 8 * 11 * 10)
    plain = build("relu, maxpool 2 stride=1", SHAPE, 1)
    quick = copy.deepcopy(plain)
    quicken(quick)
    assert isinstance(quick.relu1, ReluPool)
    (out, gradient), (expected, exact) = (forth_and_back(net, drawn(pictures, *SHAPE)) for net in (quick, plain))
    assert torch.equal(out, expected)
    torch.testing.assert_close(gradient, exact, rtol=2**-6, atol=2**-6)


def test_equal_neighbours_share_no_gradient() -> None:
    """Of four equal values the first gets all; where nothing rises above 0 nobody gets anything."""
    pool = ReluPool(None)
    for value, expected in ((1.0, [[1.0, 0.0], [0.0, 0.0]]), (-1.0, [[0.0, 0.0], [0.0, 0.0]])):
        x = torch.full((1, 1, 2, 2), value, dtype=torch.bfloat16, requires_grad=True)
        pool(x).sum().backward()
        assert x.grad[0, 0].tolist() == expected


def test_dropout_after_a_pool() -> None:
    """A quarter of the values is 0 and the rest 4/3 times as large; gradients flow where values do; never in use."""
    network = build("relu, maxpool 2 stride=1, dropout 0.25", (8, 33, 33), 1)
    quicken(network)
    x = torch.ones(16, 8, 33, 33, dtype=torch.bfloat16)
    out, gradient = forth_and_back(network, x)
    third = torch.tensor(4 / 3).to(torch.bfloat16)
    assert set(out.unique().tolist()) == {0.0, float(third)}
    assert float((out == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    exact = torch.where(out > 0, drawn(*out.shape, seed=2).float() * 4 / 3, 0.0)
    torch.testing.assert_close(gradient[:, :, :-1, :-1].float(), exact, rtol=2**-7, atol=0)
    assert torch.equal(forth_and_back(network, x)[0], out)  # the same seed, the same values
    assert torch.equal(network.eval()(x), torch.ones(16, 8, 32, 32, dtype=torch.bfloat16))


@pytest.mark.parametrize(
    ("side", "filters", "kernel", "stride", "padding", "bias"),
    [
        (4, 32, 3, 1, 1, True), (7, 24, (3, 2), 2, (1, 0), False), (5, 12, 3, (1, 2), 1, True), (4, 64, 1, 1, 0, False),
        (4, 8, 3, 1, 1, True), (7, 4, (3, 5), 1, (1, 2), False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pictures", [2, 6])
def test_convolutions_of_small_maps(side: int, filters: int, kernel, stride, padding, bias: bool, pictures) -> None:
    """In fp32: output, and the gradients of input, filters and bias, are torch's, found as products or side by side."""
    plain = nn.Conv2d(8, filters, kernel, stride, padding, bias=bias)
    quick = copy.deepcopy(plain)
    multiply_filters(nn.Sequential(quick))
    assert isinstance(quick, Conv2d)
    results = []
    for layer in (quick, plain):
        x = drawn(pictures, 8, side, side + 1).float().requires_grad_()
        out = layer(x)
        out.backward(drawn(*out.shape, seed=2).float())
        results.append([out.detach(), x.grad, *(weights.grad for weights in layer.parameters())])
    assert type(plain(x).grad_fn) is not type(quick(x).grad_fn)
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [True, False])
def test_dense_layers(bias: bool) -> None:
    """In fp32: output, and the gradients of input, weights and bias, are torch's."""
    plain = nn.Linear(30, 7, bias=bias)
    quick = nn.Sequential(copy.deepcopy(plain))
    multiply_filters(quick)
    assert type(quick[0]) is Linear
    results = []
    for layer in (quick, plain):
        x = drawn(5, 30).float().requires_grad_()
        out = layer(x)
        out.backward(drawn(5, 7, seed=2).float())
        results.append([out.detach(), x.grad, *(weights.grad for weights in layer.parameters())])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_products_agree_in_bf16() -> None:
    """The check of a machine's kernels finds no fault in them, whatever share of the work is a product."""
    network = build("conv 32 3, relu, conv 64 3 stride=2, conv 64 3 bias=no, conv 8 1, flatten, dense 3", (8, 6, 6), 3)
    multiply_filters(network)
    for pictures in (1, 4, 30):
        assert bf16_faults(network, drawn(pictures, 8, 6, 6).float()) == []


def test_a_training_repeats_bit_for_bit() -> None:
    """Two trainings of one seed in bf16, with every one of these layers, end in the same weights."""
    line = "conv 16 4, relu, conv 16 4, relu, maxpool 2 stride=1, dropout 0.2, conv 32 3 stride=4, relu"
    line += ", flatten, dense classes"
    ends = []
    for _ in range(2):
        training = tiny_training(tiny_plan(network=line, batch_size=4, epochs=2), precision="bf16")
        for _ in training.run():
            pass
        kinds = {type(layer) for layer in training.masters.working.modules()}
        assert {Relu, ReluPool, Conv2d} <= kinds
        assert {type(layer) for layer in training.network.modules()}.isdisjoint({Relu, ReluPool, Conv2d})
        ends.append(training.network.state_dict())
    assert all(torch.equal(weights, ends[1][name]) for name, weights in ends[0].items())
