"""The machine: device, precision, threads and randomness. The only place with torch-wide switches.

bf16 is used only where two things hold: a measured probe says that it is faster (on processors without
matrix units it is several times slower), and the network's own layers give the same numbers in bf16 as
in fp32 (some kernels of some releases do not).
"""

import contextlib
import copy
import ctypes
import functools
import hashlib
import os
import platform
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import StriateError

PRECISIONS = ("auto", "fp32", "bf16")
BF16_GAIN = 1.3  # bf16 must be this much faster in the probe; below it the conversions eat the gain
SMALL_STEP = 2e9  # operations; about 20 ms of one core
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # numbers of glibc's mallopt
BF16_ERROR = 0.03  # relative; bf16 keeps 8 bits, so sound kernels stay below about 0.01
_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_LOWERED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """The device named "auto", "cpu", "cuda" or "cuda:1"; "auto" takes a GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device).item()  # "meta" has no values, "mps" no such numbers
    except (RuntimeError, AssertionError, NotImplementedError, ImportError, TypeError) as error:
        rule = "the device must be one that this machine's torch can use, for float64 too"
        remedy = "use auto, cpu" + (", cuda" if torch.cuda.is_available() else "")
        raise StriateError(rule, received=name, where="--device", remedy=remedy) from error
    return device


def in_bf16(network: nn.Module) -> tuple[nn.Module, list[tuple[Tensor, Tensor]]]:
    """A copy of a network that computes in bf16, and every fp32 weight it has a copy of, with that copy.

    Convolutions and dense layers hold bf16 copies of the weights; everything else (norms, their statistics, layers that
    say that they need `full_precision`) is shared with the fp32 network.
    """
    lowered = [module for module in network.modules() if _is_lowered(module)]
    masters = [weight for module in lowered for weight in module.parameters(recurse=False)]
    copied = set(map(id, masters))
    kept = {id(one): one for one in (*network.parameters(), *network.buffers()) if id(one) not in copied}
    working = copy.deepcopy(network, kept)
    halves = []
    for module in working.modules():
        if _is_lowered(module):
            halves += module.to(torch.bfloat16).parameters(recurse=False)
    return working, list(zip(masters, halves, strict=True))


def _is_lowered(module: nn.Module) -> bool:
    return isinstance(module, _LOWERED) and not getattr(module, "full_precision", False)


@functools.cache
def bf16_gain(device: torch.device, axes: int = 2) -> float:
    """How many times faster a bf16 training step of a convolution of width 3 is than its fp32 step, here.

    axes: that it slides along: 1 for series, 2 for pictures, 3 for volumes; their kernels differ. The two take turns
    and the best of five counts, so that other work on the machine does not decide; a first round in which bf16 is far
    slower ends it, and two in which it is believably faster. On one thread, under 0.1 s on a processor, and measured
    once in a process. 1.0 where bf16 cannot be run at all.
    """
    side, kernel = {1: 576, 2: 24, 3: 6}[axes], (3,) * axes
    x = torch.ones(8, 64, *(side,) * axes, device=device).contiguous(memory_format=memory_format(axes + 2))
    weight = torch.ones(64, 64, *kernel, device=device)

    def seconds(dtype: torch.dtype) -> float:
        inputs = [tensor.to(dtype).requires_grad_() for tensor in (x, weight)]
        started = time.perf_counter()
        _CONVOLUTIONS[axes](*inputs, padding=1).sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    times: list[tuple[float, float]] = []
    try:
        with threads_for(1):
            seconds(torch.float32), seconds(torch.bfloat16)  # the first of each also loads its kernels
            while len(times) < 5 and not (times and times[0][1] > 2 * times[0][0]):
                times.append((seconds(torch.float32), seconds(torch.bfloat16)))
                full, half = map(min, zip(*times, strict=True))
                if len(times) > 1 and 2 * BF16_GAIN < full / half < 20:  # more is other work's doing
                    break
    except RuntimeError:
        return 1.0
    return full / half


def bf16_faults(network: nn.Module, batch: Tensor) -> list[str]:
    """Names of convolutions and dense layers whose bf16 outputs or gradients are not those of fp32 on the same numbers.

    Every layer gets the input that `batch` (B, C, H, W) brings it, rounded to bf16 like its weights: rounding is no
    fault, even where large terms cancel. An empty list means all agree.
    """
    inputs: dict[str, Tensor] = {}
    layers = {name: module for name, module in network.named_modules() if _is_lowered(module)}
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: inputs.__setitem__(name, args[0].detach()))
        for name, module in layers.items()
    ]
    try:
        with torch.no_grad(), evaluated(network):
            network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [name for name, x in inputs.items() if not _agrees(layers[name], x)]


def _agrees(layer: nn.Module, x: Tensor) -> bool:
    def results(dtype: torch.dtype) -> list[Tensor]:
        rounded = {name: p.detach().bfloat16().to(dtype) for name, p in layer.named_parameters()}
        tensors = {name: p.requires_grad_() for name, p in rounded.items()}
        source = x.bfloat16().to(dtype).requires_grad_()
        out = torch.func.functional_call(layer, tensors, (source,))
        weight = torch.linspace(-1, 1, out.numel(), device=out.device).bfloat16().float().reshape(out.shape)
        grads = torch.autograd.grad((out.float() * weight).sum(), [source, tensors["weight"]])
        return [out.detach().float(), *(g.float() for g in grads)]

    with torch.enable_grad():
        pairs = zip(results(torch.float32), results(torch.bfloat16), strict=True)
        return all((a - b).norm() <= BF16_ERROR * a.norm() + 1e-6 for a, b in pairs)


def fastest_precision(asked: str, device: torch.device, axes: int) -> str:
    """The precision to expect for "auto", "bf16" or "fp32" before there is a network: what is asked for or pays."""
    if asked == "auto":
        return "bf16" if bf16_gain(device, axes) >= BF16_GAIN else "fp32"
    return asked


def choose_precision(asked: str, device: torch.device, network: nn.Module, batch: Tensor) -> tuple[str, str]:
    """("bf16" or "fp32", the reason in words) for "auto", "bf16" or "fp32"."""
    axes, reason = batch.ndim - 2, "asked for"
    if asked == "auto":
        reason = f"bf16 is {bf16_gain(device, axes):.1f} times as fast on this machine"
    if fastest_precision(asked, device, axes) == "fp32":
        return "fp32", reason
    if faults := bf16_faults(network, batch):
        return "fp32", f"bf16 gives wrong numbers here in {', '.join(faults[:3])}"
    return "bf16", f"{reason}, and agrees with fp32"


def memory_format(axes: int) -> torch.memory_format:
    """How batches (B, C, ...) with so many axes in all, and the filters for them, lie in memory: channels last, for
    which the kernels are fastest, where torch has that (pictures and volumes)."""
    return {4: torch.channels_last, 5: torch.channels_last_3d}.get(axes, torch.contiguous_format)


@contextlib.contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Inside, torch's global randomness is a function of `numbers`; afterwards it is as it was before."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    # Not torch.manual_seed: where no GPU is in use it writes down the call stack, every time.
    generators = [torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ())]
    states = [generator.get_state() for generator in generators]
    try:
        for generator in generators:
            generator.manual_seed(int.from_bytes(digest, "little") >> 1)
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


@contextlib.contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Inside, kernels give the same bits every time and denormal floats count as zero; then as before.

    Processor kernels are repeatable as they are, and asking torch for it would import its compiler (3 s). On a GPU
    a few have no such form (the gradient of a pool over volumes), and are used as they are.
    """
    torch.set_flush_denormal(True)
    before = torch.are_deterministic_algorithms_enabled()
    with warnings.catch_warnings() if device.type == "cuda" else contextlib.nullcontext():
        if device.type == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
            warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation")
        try:
            yield
        finally:
            torch.set_flush_denormal(False)
            if device.type == "cuda":
                torch.use_deterministic_algorithms(before)


def keep_memory() -> None:
    """From now on memory that was freed stays with this process (glibc on Linux; elsewhere nothing happens).

    By default every large tensor is a new mapping, and its pages are fetched and cleared one by one in each step.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


@contextlib.contextmanager
def evaluated(network: nn.Module) -> Iterator[None]:
    """Inside, the network is in eval mode; then every module is as it was before."""
    modes = {module: module.training for module in network.modules()}
    try:
        for module in modes:
            module.training = False  # not by eval(), which some modules make more of
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextlib.contextmanager
def on_signals(numbers: Iterable[int], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Inside, `handler` takes these signals; then as before. Elsewhere than in the main thread nothing changes."""
    told = numbers if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, handler) for number in told}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Inside, float32 products are float32 products: no TF32 and no bfloat16 in their place; then as before."""
    cuda, cudnn, mkldnn = torch.backends.cuda, torch.backends.cudnn, torch.backends.mkldnn
    places = (cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


@contextlib.contextmanager
def threads_for(operations: float) -> Iterator[None]:
    """Inside, steps of few operations run on one thread; then as before.

    Handing a small step round costs about what it saves, and twenty times its length once other work keeps a
    core busy. The rule looks at the work alone, so that the same training always has the same threads.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if operations < SMALL_STEP else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Threads:
    """How many threads steps run on, one or all, by what they take; where no bits are promised to be repeated.

    Once other work holds a core, a step on all threads can take twenty times as long as on one, and other work
    comes and goes: the slower choice is tried again whenever that costs no more than a small share of the time.
    """

    SHARE = 0.04  # of the time, spent on trying

    def __init__(self) -> None:
        self._took: dict[int, float] = dict.fromkeys({torch.get_num_threads(), 1}, 0.0)
        self._tried: dict[int, float] = {}
        self._count = 1

    def choose(self) -> None:
        """Set the threads of the step that begins now."""
        now, self._count = time.monotonic(), min(self._took, key=self._took.__getitem__)
        for count, seconds in self._took.items():
            if seconds < self.SHARE * (now - self._tried.get(count, -float("inf"))):
                self._count = count
        torch.set_num_threads(self._count)

    def took(self, seconds: float) -> None:
        """What the step took."""
        before = self._took[self._count] or seconds
        self._took[self._count] = 0.5 * before + 0.5 * seconds
        self._tried[self._count] = time.monotonic()


def fingerprint(device: torch.device) -> dict[str, str | int]:
    """What must be equal for two runs to promise equal bits: processor, torch build, threads, device."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }


def _processor() -> str:
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
