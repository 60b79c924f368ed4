"""Weight updates against torch's own optimizers and the singular value decomposition."""

import numpy as np
import pytest
import torch
from drawn_training import tiny_plan, tiny_training
from torch import nn

from striate.network.build import build
from striate.train.optimize import Average, Masters, Optimizer, _orthogonal

LINE = "conv 4 3, batchnorm, relu, flatten, dense 3"


def gradients(network: nn.Module, step: int) -> None:
    """The same made-up gradients for every network of the same shape."""
    draw = torch.Generator().manual_seed(step)
    for weights in network.parameters():
        weights.grad = torch.randn(weights.shape, generator=draw)


def torchs(kind: str, network: nn.Module, lr: float, decay: float, momentum: float) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if kind == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](groups, lr=lr)


@pytest.mark.parametrize(("kind", "momentum"), [("sgd", 0.9), ("sgd", 0.0), ("adam", 0.9), ("adamw", 0.9)])
def test_steps_equal_torchs(kind: str, momentum: float) -> None:
    """Ten steps with changing learning rates and weight decay: the weights are those of torch.optim."""
    ours, theirs = build(LINE, (1, 6, 6), 3), build(LINE, (1, 6, 6), 3)
    plan = tiny_plan(optimizer=kind, lr=0.1, weight_decay=0.02, momentum=momentum)
    mine, other = Optimizer(ours, plan), torchs(kind, theirs, 0.1, 0.02, momentum)
    for step in range(10):
        factor = (step + 1) / 10
        for network in (ours, theirs):
            gradients(network, step)
        for group in other.param_groups:
            group["lr"] = 0.1 * factor
        mine.step(factor)
        other.step()
    for name, weights in ours.state_dict().items():
        torch.testing.assert_close(weights, theirs.state_dict()[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "muon"])
def test_a_saved_state_goes_on_bit_for_bit(kind: str) -> None:
    """Three steps, a copy through `tensors` and `load`, three more: the same bits as six in a row."""
    plan = tiny_plan(optimizer=kind, weight_decay=0.01)
    whole, first = (build(LINE, (1, 6, 6), 3).to(memory_format=torch.channels_last) for _ in range(2))
    straight, before = Optimizer(whole, plan), Optimizer(first, plan)
    for step in range(6):
        gradients(whole, step)
        straight.step(0.7)
    for step in range(3):
        gradients(first, step)
        before.step(0.7)
    second = build(LINE, (1, 6, 6), 3, seed=9).to(memory_format=torch.channels_last)
    second.load_state_dict(first.state_dict())
    after = Optimizer(second, plan)
    after.load({name: value.clone() for name, value in before.tensors().items()})
    for step in range(3, 6):
        gradients(second, step)
        after.step(0.7)
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, second.state_dict()[name]), name


def test_weights_that_are_fixed_or_without_a_gradient_stay() -> None:
    """A whitening layer's filters are never touched; neither is a weight that got no gradient."""
    for kind in ("sgd", "adam", "muon"):
        network = build("whiten 4 2, relu, flatten, dense 3", (1, 4, 4), 3)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        optimizer = Optimizer(network, tiny_plan(optimizer=kind, weight_decay=0.1))
        network.whiten1.bias.grad = torch.ones(4)
        optimizer.step(1.0)
        changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
        assert changed == ["whiten1.bias"]


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (16, 16, 3, 3), (24, 1, 3, 3), (64, 16, 3, 3)])
def test_muons_update_is_nearly_orthogonal(shape: tuple[int, ...]) -> None:
    """Singular values near 1, and the singular directions of the gradient itself.

    The polynomial acts on singular values alone, so U'XV of the update is diagonal for the gradient's U, V.
    """
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    matrix = gradient.reshape(shape[0], -1).double().numpy()
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    update = _orthogonal(gradient).reshape(shape[0], -1).double().numpy()
    turned = left.T @ update @ right.T
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=2e-4)
    kept = values > 0.25 * values.max()  # smaller ones need more than three steps
    assert kept.sum() >= 0.5 * len(values)
    assert np.diag(turned)[kept].min() > 0.6
    assert np.diag(turned).max() < 1.3
    expected = values / np.linalg.norm(matrix)
    for _ in range(3):
        expected = 3.4445 * expected - 4.7750 * expected**3 + 2.0315 * expected**5
    np.testing.assert_allclose(np.diag(turned), expected, atol=2e-4)


def test_muons_step_by_hand() -> None:
    """Filters: norm sqrt(count), then minus rate times the orthogonal update; the rest is SGD."""
    network, twin = build(LINE, (1, 6, 6), 3), build(LINE, (1, 6, 6), 3)
    plan = tiny_plan(optimizer="muon", lr=0.1, momentum=0.8, filter_lr=0.3, filter_momentum=0.6, weight_decay=0.05)
    optimizer, other = Optimizer(network, plan), torchs("sgd", twin, 0.1, 0.05, 0.8)
    momentum, filters = torch.zeros(4, 1, 3, 3), network.conv1.weight.detach().clone()
    for step in range(3):
        gradients(network, step)
        gradients(twin, step)
        gradient = network.conv1.weight.grad.clone()
        momentum = 0.6 * momentum + gradient
        filters = filters * 2 / filters.norm() - 0.3 * 0.5 * _orthogonal(gradient + 0.6 * momentum)
        optimizer.step(0.5)
        for group in other.param_groups:
            group["lr"] = 0.05
        other.step()
    torch.testing.assert_close(network.conv1.weight.detach(), filters, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(network.dense1.weight, twin.dense1.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(network.batchnorm1.weight, twin.batchnorm1.weight, rtol=1e-5, atol=1e-6)


def test_muons_products_in_bf16() -> None:
    """Of a layer with many filters the update differs from that in fp32 by what bf16 rounds; of one with few not."""
    updates = []
    for dtype in (torch.float32, torch.bfloat16):
        network = build("conv 128 3 bias=no, conv 8 3 bias=no, globalavgpool, dense classes", (16, 6, 6), 3)
        optimizer = Optimizer(network, tiny_plan(optimizer="muon", filter_lr=0.3), dtype)
        gradients(network, 0)
        before = [
            layer.weight * len(layer.weight) ** 0.5 / layer.weight.norm() for layer in (network.conv1, network.conv2)
        ]
        optimizer.step(1.0)
        updates.append([old - layer.weight for old, layer in zip(before, (network.conv1, network.conv2), strict=True)])
    (many, few), (many_in_bf16, few_in_bf16) = updates
    assert torch.equal(few, few_in_bf16)
    assert 1e-4 < (many - many_in_bf16).norm() / many.norm() < 0.03


def test_the_update_of_nothing_is_nothing() -> None:
    """A zero gradient gives a finite update of zeros."""
    assert torch.equal(_orthogonal(torch.zeros(4, 2, 3, 3)), torch.zeros(4, 2, 3, 3))


def test_the_average_by_hand() -> None:
    """Each update moves by its share of the memory, at most all the way; whole numbers are left alone."""
    network = build("flatten, dense 1, batchnorm", (1, 1, 1), 1)
    average = Average(network)
    start = average.network.dense1.weight.clone()
    with torch.no_grad():
        network.dense1.weight.fill_(1.0)
        network.batchnorm1.running_var.fill_(5.0)
    average.update(network, 0.25 * Average.MEMORY)
    torch.testing.assert_close(average.network.dense1.weight, 0.75 * start + 0.25)
    assert float(average.network.batchnorm1.running_var) == pytest.approx(0.75 * 1 + 0.25 * 5)
    average.update(network, 3 * Average.MEMORY)
    assert float(average.network.dense1.weight) == 1.0
    assert not average.network.dense1.weight.requires_grad
    assert network.dense1.weight.requires_grad


def test_fp32_has_one_network() -> None:
    """Without bf16 the learning network and the computing one are the same object."""
    network = build(LINE, (1, 6, 6), 3)
    assert Masters(network, "fp32").working is network


def test_bf16_copies_filters_and_shares_norms() -> None:
    """Convolutions and dense layers compute in bf16; whitening and norms with their statistics are shared."""
    network = build("whiten 4 2, conv 4 3, batchnorm, relu, residual(conv 4 3), flatten, dense 3", (1, 6, 6), 3)
    masters = Masters(network, "bf16")
    kinds = {name: weights.dtype for name, weights in masters.working.named_parameters()}
    lowered = {name for name, kind in kinds.items() if kind == torch.bfloat16}
    assert lowered == {name for name in kinds if not name.startswith(("batchnorm", "whiten"))}
    assert masters.working.whiten1.bias is network.whiten1.bias
    assert all(weights.dtype == torch.float32 for weights in network.parameters())
    norm, shared = network.batchnorm1, masters.working.batchnorm1
    assert norm.weight is shared.weight
    assert norm.running_mean is shared.running_mean
    masters.working.train()(torch.randn(8, 1, 6, 6).to(torch.bfloat16))
    assert norm.running_mean.abs().sum() > 0
    assert int(norm.num_batches_tracked) == 1


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "muon"])
@pytest.mark.parametrize("piece", [1 << 18, 20])
def test_bf16_gradients_reach_the_masters_and_weights_come_back(
    kind: str, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optimizer given the bf16 gradients in fp32 comes to the same weights; afterwards the bf16 weights are the
    masters', rounded. Going through the larger weights a few rows at a time changes nothing."""
    monkeypatch.setattr(Masters, "PIECE", piece)
    plan = tiny_plan(optimizer=kind, lr=0.1, weight_decay=0.02)
    network, twin = (build(LINE, (1, 6, 6), 3).to(memory_format=torch.channels_last) for _ in range(2))
    masters, optimizer, other = Masters(network, "bf16"), Optimizer(network, plan), Optimizer(twin, plan)
    for _ in range(3):
        masters.working.train()(torch.randn(8, 1, 6, 6).to(torch.bfloat16)).float().square().mean().backward()
        for mine, copied in zip(twin.parameters(), masters.working.parameters(), strict=True):
            mine.grad = copied.grad.float()
        masters.step(optimizer, 0.7)
        other.step(0.7)
        for name, weights in twin.state_dict().items():
            if "running" not in name and "tracked" not in name:
                torch.testing.assert_close(network.state_dict()[name], weights, rtol=1e-6, atol=1e-7)
        assert torch.equal(masters.working.conv1.weight, network.conv1.weight.to(torch.bfloat16))
        assert torch.equal(masters.working.dense1.weight, network.dense1.weight.to(torch.bfloat16))
        assert torch.equal(masters.working.dense1.bias, network.dense1.bias.to(torch.bfloat16))
        masters.zero_grad()
        assert all(weights.grad is None for net in (network, masters.working) for weights in net.parameters())


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_bf16_learns_like_fp32(optimizer: str) -> None:
    """After five steps of the same training the losses differ by less than 2 %."""
    losses = {}
    for precision in ("fp32", "bf16"):
        line = "conv 8 3, batchnorm, relu, maxpool 2, conv 8 3, relu, globalavgpool, dense classes"
        plan = tiny_plan(network=line, optimizer=optimizer, batch_size=4, lr=0.02)
        training, seen = tiny_training(plan, precision=precision), []
        for event in training.run():
            seen.append(event.loss)
            if len(seen) == 5:
                break
        losses[precision] = seen[-1]
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)
    assert losses["bf16"] != losses["fp32"]
