"""The machine: device names, seeds that leave no trace, and bf16 only where it gives the right numbers."""

from itertools import accumulate
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from striate import device
from striate.errors import StriateError
from striate.network.build import build

CPU = torch.device("cpu")
CONVOLUTIONS = dict(device._CONVOLUTIONS)
LINE = "conv 4 3, batchnorm, relu, residual(conv 4 3), globalavgpool, dense 3"


def batch() -> torch.Tensor:
    return torch.randn(4, 1, 10, 10, generator=torch.Generator().manual_seed(0))


def test_device_names() -> None:
    """auto and cpu are always there; what torch does not know, or this machine lacks, is refused."""
    assert device.choose_device("cpu") == CPU
    assert device.choose_device("auto").type in {"cpu", "cuda"}
    for name in ("gpu", "cuda:99", "tpu", ""):
        with pytest.raises(StriateError, match="where: --device"):
            device.choose_device(name)


@pytest.mark.parametrize("name", ["meta", "xla", "hpu"])
def test_devices_that_cannot_compute_are_refused(name: str) -> None:
    """torch knows more device words than it can train on here."""
    with pytest.raises(StriateError, match="where: --device"):
        device.choose_device(name)


def test_a_device_without_float64_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apple's GPUs compute in float32 alone and say so by a TypeError; the scores need more."""
    plain = torch.zeros

    def zeros(*sizes: object, device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        if device.type == "mps" and dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return plain(*sizes, dtype=dtype)

    monkeypatch.setattr(device.torch, "zeros", zeros)
    with pytest.raises(StriateError, match=r"for float64 too. received: mps.*use auto, cpu"):
        device.choose_device("mps")


def test_seeded_leaves_no_trace() -> None:
    """Inside, the numbers follow from the seed alone; outside, torch's stream goes on as if nothing had been."""
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    first = torch.rand(2)
    with device.seeded(3, 14):
        inside = torch.rand(5)
    rest = torch.rand(2)
    assert torch.equal(torch.cat([first, rest]), expected)
    with device.seeded(3, 14):
        assert torch.equal(torch.rand(5), inside)
    for others in ((3, 15), (4, 14), (31, 4), (3,)):
        with device.seeded(*others):
            assert not torch.equal(torch.rand(5), inside)


def test_seeded_restores_after_an_error() -> None:
    """An exception inside does not change the outer stream."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), device.seeded(5):
        torch.rand(3) @ torch.rand(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_sound_layers_have_no_fault_in_bf16() -> None:
    """On correct kernels no layer is named, and the network keeps mode, hooks, weights and gradients."""
    network = build(LINE, (1, 10, 10), 3).train()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    assert device.bf16_faults(network, batch()) == []
    assert network.training
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert all(not module._forward_pre_hooks for module in network.modules())


class WrongInBf16(nn.Conv2d):
    """A convolution with the kind of fault that real releases had: right in fp32, off by 10 % in bf16."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = super().forward(x)
        return out * 1.1 if out.dtype == torch.bfloat16 else out


class WrongGradient(nn.Conv2d):
    """Right outputs in both, but the bf16 gradient of the input is lost."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.detach() + 0 * x if x.dtype == torch.bfloat16 else x)


@pytest.mark.parametrize("kind", [WrongInBf16, WrongGradient])
def test_a_planted_fault_is_found_by_name(kind: type[nn.Conv2d]) -> None:
    """Only the wrong layer is named, whether its outputs or its gradients are wrong, and fp32 is used."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), kind(4, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    assert device.bf16_faults(network, batch()) == ["2"]
    assert device.choose_precision("bf16", CPU, network, batch()) == ("fp32", "bf16 gives wrong numbers here in 2")


@pytest.mark.parametrize("mode", [False, True])
def test_looking_for_faults_leaves_every_mode(mode: bool) -> None:
    """A norm that was frozen in a network that trains stays frozen, and one that trains in a resting network too."""
    network = build(LINE, (1, 10, 10), 3).train(not mode)
    network.batchnorm1.train(mode)
    modes = [module.training for module in network.modules()]
    device.bf16_faults(network, batch())
    assert [module.training for module in network.modules()] == modes


def test_terms_that_cancel_are_no_fault() -> None:
    """Numbers near 1 times weights that sum to almost nothing: rounding changes the sum, and nothing is wrong."""
    network, x = (
        nn.Sequential(nn.Linear(256, 1, bias=False)),
        1 + 0.003 * torch.rand(8, 256, generator=torch.manual_seed(0)),
    )
    with torch.no_grad():
        network[0].weight -= network[0].weight.mean()
        error = network.bfloat16()(x.bfloat16()).float() - network.float()(x)
        assert error.norm() > 2 * device.BF16_ERROR * network(x).norm()
    assert device.bf16_faults(network, x) == []


def test_a_layer_that_gives_not_a_number_is_a_fault() -> None:
    """NaN in bf16 counts as wrong."""

    class Broken(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = super().forward(x)
            return out * float("nan") if out.dtype == torch.bfloat16 else out

    network = nn.Sequential(nn.Flatten(), Broken(100, 2))
    assert device.bf16_faults(network, batch()) == ["1"]


def test_precision_is_chosen_by_speed_and_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """fp32 when asked or when bf16 does not pay; bf16 when it pays and agrees; the reason says so."""
    network = build(LINE, (1, 10, 10), 3)
    assert device.choose_precision("fp32", CPU, network, batch()) == ("fp32", "asked for")
    assert device.choose_precision("bf16", CPU, network, batch()) == ("bf16", "asked for, and agrees with fp32")
    monkeypatch.setattr(device, "bf16_gain", lambda where, axes: 0.4)
    assert device.choose_precision("auto", CPU, network, batch())[0] == "fp32"
    monkeypatch.setattr(device, "bf16_gain", lambda where, axes: 2.0)
    chosen, reason = device.choose_precision("auto", CPU, network, batch())
    assert (chosen, reason) == ("bf16", "bf16 is 2.0 times as fast on this machine, and agrees with fp32")
    monkeypatch.setattr(device, "_agrees", lambda layer, x: not isinstance(layer, nn.Linear))
    assert device.choose_precision("auto", CPU, network, batch()) == (
        "fp32",
        "bf16 gives wrong numbers here in dense1",
    )


def test_a_gain_beyond_belief_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rounds in which other work holds up fp32 a hundredfold do not end the probe: the third says 3."""
    took = [1, 1, 100, 1, 100, 1] + [3, 1] * 3
    clock = accumulate(step for seconds in took for step in (0, seconds))
    monkeypatch.setattr(device, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    device.bf16_gain.cache_clear()
    assert device.bf16_gain(CPU, 3) == 3
    device.bf16_gain.cache_clear()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_the_gain_is_a_positive_number(axes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe runs on any machine, with the very convolution that slides along so many axes, and once."""
    used = []
    kernels = {n: (lambda *args, n=n, f=f, **more: used.append(n) or f(*args, **more)) for n, f in CONVOLUTIONS.items()}
    monkeypatch.setattr(device, "_CONVOLUTIONS", kernels)
    device.bf16_gain.cache_clear()
    assert device.bf16_gain(CPU, axes) == device.bf16_gain(CPU, axes) > 0
    assert set(used) == {axes}
    assert len(used) <= 12


def test_the_precision_to_expect(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for; else bf16 where it is measured to pay for convolutions along so many axes."""
    monkeypatch.setattr(device, "bf16_gain", lambda where, axes: {1: 0.9, 2: 5.0}[axes])
    assert [device.fastest_precision("auto", CPU, axes) for axes in (1, 2)] == ["fp32", "bf16"]
    assert [device.fastest_precision(asked, CPU, 1) for asked in ("fp32", "bf16")] == ["fp32", "bf16"]


def test_a_copy_in_bf16_shares_all_but_filters() -> None:
    """Pairs name every weight of convolutions and dense layers once; norms are one and the same; fp32 is untouched."""
    network = build(LINE, (1, 10, 10), 3)
    working, pairs = device.in_bf16(network)
    named = {id(weight): name for name, weight in network.named_parameters()}
    halves = {id(weight): name for name, weight in working.named_parameters()}
    assert [named[id(full)] for full, _ in pairs] == [halves[id(half)] for _, half in pairs]
    assert {named[id(full)] for full, _ in pairs} == {name for name in named.values() if "norm" not in name}
    assert all(torch.equal(full.bfloat16(), half) for full, half in pairs)
    assert all(weight.dtype == torch.float32 for weight in network.parameters())
    assert working.batchnorm1.running_var is network.batchnorm1.running_var
    assert working.batchnorm1.weight is network.batchnorm1.weight


def test_repeatable_restores_the_switches() -> None:
    """Denormal floats count as zero inside and not after, also when an exception ends the block."""
    tiny = torch.tensor([1e-40])
    assert float(tiny * 0.5) > 0
    with device.repeatable(CPU):
        assert float(tiny * 0.5) == 0
    assert float(tiny * 0.5) > 0
    with pytest.raises(RuntimeError), device.repeatable(CPU):
        torch.rand(3) @ torch.rand(2)
    assert float(tiny * 0.5) > 0


def test_the_fingerprint_names_what_decides_bits() -> None:
    """Processor, torch build, threads and device are in it, as plain values."""
    facts = device.fingerprint(CPU)
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert facts["device"] == "cpu"
    assert all(isinstance(value, str | int) and value != "" for value in facts.values())


def test_threads_follow_what_steps_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """The faster count is used; the slower one is tried again at most for a small share of the time."""
    clock, chosen = [0.0], []
    monkeypatch.setattr("striate.device.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("torch.set_num_threads", chosen.append)
    threads = device.Threads()

    def steps(number: int, seconds: dict[int, float]) -> list[int]:
        chosen.clear()
        for _ in range(number):
            threads.choose()
            clock[0] += seconds[chosen[-1]]
            threads.took(seconds[chosen[-1]])
        return list(chosen)

    idle = steps(200, {1: 0.10, 2: 0.06})
    assert set(idle[:2]) == {1, 2}
    assert idle.count(1) * 0.10 <= 0.08 * sum({1: 0.10, 2: 0.06}[n] for n in idle) + 0.2
    busy = steps(200, {1: 0.12, 2: 2.4})
    assert busy[20:].count(2) * 2.4 <= 0.08 * sum({1: 0.12, 2: 2.4}[n] for n in busy) + 2.4
    assert steps(6000, {1: 0.10, 2: 0.06})[-50:].count(2) >= 40
