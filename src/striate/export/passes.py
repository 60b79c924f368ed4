"""A model's network over many pictures: in batches of one size, in fp32, or in bf16 where that pays and is right.

A small request is always answered in fp32. A large one is answered in bf16 if the model's own first pictures say that
it is faster on this machine and that the answers agree; pictures on which it could tip a decision are then asked again
in fp32. So the size of a request can change an answer's numbers by bf16's rounding, and never what is decided.
"""

import math
import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from striate.data.batches import scale, standardise
from striate.data.prepare import Preparation
from striate.device import BF16_GAIN, Threads, fastest_precision, in_bf16, memory_format, threads_for
from striate.network.build import Network
from striate.network.summary import total_operations
from striate.tasks.task import Task, logits_of

BATCH_OPERATIONS = 4e9  # of one batch, so that the memory and delay of a single picture stay small
LARGE = 2e10  # operations of a request from which on bf16 is tried: 0.2 s of two cores, several times the trial
WIDER = 8  # times as many pictures in a batch in bf16: every pass also brings all weights into the kernels' order
LARGEST_BATCH, LONGEST_CHUNK = 32, 512  # pictures
APART = 0.005  # by how much what is said may differ in bf16; half of what is promised
FACTOR = 4  # a decision must be further away than this many times the largest difference seen
NEAR_SHARE = 0.25  # of the pictures asked again: with more, bf16 gains nothing


class Passes:
    """The passes of one model.

    batch: pictures per pass, few enough for the processor's cache. Always the same and filled up with zeros, so that
    no picture's answer depends on those beside it; in bf16 `wide`. precision: "fp32"; "bf16" where it is known to be
    faster, which leaves the comparison; "auto" measures that too. Other fields as of Model.
    """

    def __init__(
        self, network: nn.Module, task: Task, preparation: Preparation, mirror: bool, temperature: float, precision: str
    ) -> None:
        self.network, self.task, self.preparation = network, task, preparation
        self.mirror, self.temperature, self.precision = mirror, temperature, precision
        self._near: float | None = None  # logits; decisions nearer than that are made in fp32: inf for all of them
        self._threads: dict[bool, Threads] = {}  # processes that decode want the processor too

    @cached_property
    def _operations(self) -> float:
        return max(total_operations(self.network, self.preparation.shape.seen), 1)

    @cached_property
    def batch(self) -> int:
        return int(min(max(2 ** int(np.log2(max(BATCH_OPERATIONS / self._operations, 1))), 1), LARGEST_BATCH))

    @property
    def wide(self) -> int:
        return min(WIDER * self.batch, LARGEST_BATCH)

    @property
    def many(self) -> int:
        """Pictures of a request that is large enough for bf16."""
        return max(2, math.ceil(LARGE / self._operations / (1 + self.mirror) / self.wide)) * self.wide

    @property
    def chunk(self) -> int:
        """Pictures to hand over at a time, where their number is not known."""
        return self.many if self.many <= LONGEST_CHUNK else 4 * self.batch

    def network_for(self, pictures: np.ndarray) -> nn.Module:
        """What a request is computed with that begins with these pictures (N, H, W, C): the network, or a bf16 copy."""
        able = self.precision != "fp32" and self.task.decides and isinstance(self.network, Network)
        if not able or len(pictures) < self.many:
            return self.network
        if self._near is None:
            self._near = self._judged(np.asarray(pictures[: self.wide]))
        return self.network if self._near == math.inf else in_bf16(self.network)[0].eval()

    def logits(self, pictures: np.ndarray, network: nn.Module | None = None) -> Iterator[Tensor]:
        """(B, outputs) float64 on the processor, for some pictures (N, H, W, C) at a time; network: as of
        `network_for`, for the request that they are part of."""
        network = self.network_for(pictures) if network is None else network
        is_half = network is not self.network
        threads = self._threads.setdefault(is_half, Threads()) if is_half or len(pictures) > self.batch else None
        if not is_half:
            yield from self._each(network, pictures, threads)
            return
        said = torch.cat(list(self._each(network, pictures, threads)))
        near = self._nearer(said, self._near)
        if len(near):
            said[near] = torch.cat(list(self._each(self.network, pictures[near])))
        yield said

    def _nearer(self, logits: Tensor, near: float) -> np.ndarray:
        """The places of pictures whose decision is not further than that from another."""
        return np.flatnonzero(~(self.task.margin(logits / self.temperature) > near / self.temperature).numpy())

    def _judged(self, pictures: np.ndarray) -> float:
        """`_near` by a batch in both precisions: inf where bf16 is not faster here, or not close enough to fp32."""
        device, timed = next(self.network.parameters()).device, self.precision == "auto"
        if timed and fastest_precision("auto", device, len(self.preparation.shape.seen) - 1) != "bf16":
            return math.inf
        half, taken, said = in_bf16(self.network)[0].eval(), [], []
        try:
            with threads_for(1):  # so that other work on the machine slows both alike
                for some in (pictures[: self.batch], pictures):  # the first of each also loads its kernels
                    for network in (self.network, half):
                        begun = time.perf_counter()
                        said.append(torch.cat(list(self._each(network, some))))
                        taken.append(time.perf_counter() - begun)
        except RuntimeError:  # a layer without such kernels
            return math.inf
        if timed and taken[2] < BF16_GAIN * taken[3]:
            return math.inf
        full, low = said[2:]
        near = FACTOR * float((full - low).abs().max())
        sure = [[self.task.per_class(one) for one in self.task.decode(x / self.temperature)] for x in (full, low)]
        close = np.abs(np.subtract(*sure)).max() <= APART
        return near if close and len(self._nearer(full, near)) <= NEAR_SHARE * len(full) else math.inf

    def _each(self, network: nn.Module, pictures: np.ndarray, threads: Threads | None = None) -> Iterator[Tensor]:
        """The logits of a batch at a time."""
        is_half, before = network is not self.network, torch.get_num_threads()
        size, network = self.wide if is_half else self.batch, network.eval()
        for first in range(0, len(pictures), size):
            part = np.asarray(pictures[first : first + size])
            full = np.zeros((size, *part.shape[1:]), part.dtype)
            full[: len(part)] = part
            begun = time.monotonic()
            if threads is not None:
                threads.choose()
            logits = self._pass(network, full, is_half)[: len(part)]
            if threads is not None:
                threads.took(time.monotonic() - begun)
                torch.set_num_threads(before)
            yield logits

    @torch.inference_mode()
    def _pass(self, network: nn.Module, pictures: np.ndarray, is_half: bool) -> Tensor:
        device, layout = next(network.parameters()).device, memory_format(len(self.preparation.shape.seen) + 1)
        x = standardise(scale(pictures, self.preparation, device), self.preparation)
        x = (x.bfloat16() if is_half else x).contiguous(memory_format=layout)
        logits = logits_of(network, x)
        if self.mirror:
            seen = logits_of(network, x.flip(-1).contiguous(memory_format=layout))
            logits = (logits.float() + self.task.unmirrored(seen.float())) / 2
        return logits.double().cpu()
