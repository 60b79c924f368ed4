"""A model's network over many pictures: in batches of one size, in fp32, or in bf16 where that pays and is right.

A small request is answered in fp32 and small batches. A large one is answered in wide batches, and in bf16 if the
model's own first pictures say that it is faster on this machine and that the answers agree; pictures on which it could
tip a decision, or change a probability by more than APART, are then asked again in fp32. So the size of a request can
change an answer's numbers by rounding, and not what is decided. Of masks, whose every pixel is a decision, bf16 is used
where it leaves all but one in a thousand of them as they are.

The batches of a large request run side by side, each on a core of its own: threads that share one batch wait for each
other at the end of every layer, and much longer while processes that decode hold a core.
"""

import copy
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from striate.data.batches import scale, standardise
from striate.data.prepare import Preparation
from striate.device import BF16_GAIN, fastest_precision, in_bf16, memory_format, threads_for
from striate.export.answers import said
from striate.inside.embedding import embed
from striate.network.blocks import BATCHNORMS, CONVOLUTIONS
from striate.network.build import Network, logits_of
from striate.network.quick import quicken_all
from striate.network.summary import total_operations
from striate.tasks.task import Task

BATCH_OPERATIONS = 4e9  # of one batch, so that the memory and delay of a single picture stay small
LARGE = 2e10  # operations of a request from which on bf16 is tried: 0.2 s of two cores, several times the trial
WIDER = 4  # times as many pictures in a wide batch: every pass also brings all weights into the kernels' order
LARGEST_BATCH, LONGEST_CHUNK = 32, 512  # pictures
CHUNK_BYTES, CHUNK_OPERATIONS = 16_000_000, 4e11  # of a chunk of a large request, so that memory and delay are bounded
LANES = 8  # batches side by side, at most
APART = 0.01  # by how much a probability may differ in bf16
FACTOR = 4  # a decision must be further away than this many times the largest difference of logits that was seen
SAME = 0.999  # of the pixels of a mask
TRIED = 5e10  # operations of the trial with masks
AGAIN = 0.3  # of the pictures, asked again: with more, bf16 gains little


class Way(NamedTuple):
    """How a request is answered: by which network, how many pictures per pass, in which type."""

    network: nn.Module
    size: int
    dtype: torch.dtype = torch.float32


class Passes:
    """The passes of one model.

    batch: pictures per pass of a small request, few enough for the processor's cache; `wide` of a large one. Always the
    same and filled up with zeros, so that no picture's answer depends on those beside it. precision: "fp32"; "bf16"
    where it is known to be faster, which leaves the comparison; "auto" measures that too, and runs the batches of a
    large request side by side, which on some machines changes the last bits. Other fields as in Model.
    """

    def __init__(
        self, network: nn.Module, task: Task, preparation: Preparation, mirror: bool, temperature: float, precision: str
    ) -> None:
        self.network, self.task, self.preparation = network, task, preparation
        self.temperature, self.precision = temperature, precision
        _, height, width = (1, *preparation.shape.seen)[-3:]
        self.views = task.views(mirror, height == width)
        self._error: float | None = None  # of bf16, in logits: the largest seen; inf where it is not to be used

    @cached_property
    def operations(self) -> float:
        return max(total_operations(self.network, self.preparation.shape.seen), 1)

    @cached_property
    def batch(self) -> int:
        return int(min(max(2 ** int(np.log2(max(BATCH_OPERATIONS / self.operations, 1))), 1), LARGEST_BATCH))

    @property
    def wide(self) -> int:
        return min(WIDER * self.batch, LARGEST_BATCH)

    @property
    def many(self) -> int:
        """Pictures of a request that is large."""
        return max(2, math.ceil(LARGE / self.operations / len(self.views) / self.wide)) * self.wide

    def within(self, operations: float) -> int:
        """Pictures, at least one, that are answered with so many operations."""
        return max(int(operations / self.operations / len(self.views)), 1)

    def chunk(self, way: Way | None) -> int:
        """Pictures to hand over at a time, where their number is not known; way: of the request, None at its start."""
        few = self.many if self.many <= LONGEST_CHUNK else 4 * self.batch
        if way is None or way.size < self.wide:
            return few
        room = min(CHUNK_BYTES / self.preparation.shape.bytes, CHUNK_OPERATIONS / self.operations, LONGEST_CHUNK)
        return max(few, int(room))

    def way_for(self, pictures: np.ndarray) -> Way:
        """How a request is answered that begins with these pictures (N, H, W, C)."""
        if len(pictures) < self.many or not (self.task.decides or self.task.by_pixel):
            return Way(self.network, self.batch)
        return self.large_way(pictures)

    def large_way(self, pictures: np.ndarray) -> Way:
        """How a large request is answered that has these pictures; in bf16 if these say so."""
        if self._error is None:
            able = self.precision != "fp32" and isinstance(self.network, Network)
            some = pictures[:: len(pictures) // LARGEST_BATCH or 1][:LARGEST_BATCH]  # folders come class by class
            self._error = self._judged(some) if able else math.inf
        return Way(self.network, self.wide) if self._error == math.inf else self.half

    def logits(self, pictures: np.ndarray, way: Way | None = None) -> Iterator[Tensor]:
        """(B, outputs) float64 on the processor, for some pictures (N, H, W, C) at a time; way: from `way_for`, for
        the request that they are part of."""
        way = self.way_for(pictures) if way is None else way
        wide = self.precision == "auto" and (len(pictures) >= self.many or way.dtype == torch.bfloat16)
        lanes = min(torch.get_num_threads(), LANES) if wide else 1
        if way.network is self.network or self.task.by_pixel or self._error is None:  # without a doubt, or unasked
            yield from self._each(way, pictures, lanes)
            return
        said = torch.cat(list(self._each(way, pictures, lanes)))
        again, _ = self._doubtful(said, self._error)
        if again.any():
            full = Way(self.network, self.wide)
            said[again] = torch.cat(list(self._each(full, pictures[np.flatnonzero(again)], lanes)))
        yield said

    def input(self, pictures: np.ndarray) -> Tensor:
        """Prepared pictures (N, H, W, C) as the network gets them (N, C, H, W), where it is."""
        device = next(self.network.parameters()).device
        return standardise(scale(pictures, self.preparation, device), self.preparation)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """(N, D) float32: what prepared pictures (N, H, W, C) have become before the last layer, see `embedding.embed`;
        in one pass each, without mirror images; of an ensemble those of all members, side by side."""
        ours = self.network.members() if isinstance(self.network, Network) else ()
        members = [one for one in ours if isinstance(one, nn.Module)] or [self.network.eval()]
        starts = range(0, len(pictures), self.batch)
        batches = (self.input(np.array(pictures[start : start + self.batch])) for start in starts)
        rows = (torch.cat([embed(member.eval(), x) for member in members], dim=1) for x in batches)
        return torch.cat([each.cpu() for each in rows]).numpy()

    def note(self, logits: Tensor) -> str:
        """What lies between the one pass that is looked at, with these (1, outputs), and the answer; "" for nothing."""
        views = len(self.views)
        others = "with the mirror image's" if views == 2 else f"over {views} turns and mirrorings"
        told = [f"averaged {others}"] * (views > 1)
        told += [f"made from logits divided by {self.temperature:.4g}"] * (self.temperature != 1)
        alone = said(self.task, next(iter(self.task.decode(logits.cpu() / self.temperature))))
        one = "layers and maps are of one pass" + f", which alone says {alone}" * (views > 1)
        return f"The answer is {' and '.join(told)}; {one}." if told else ""

    @property
    def half(self) -> Way:
        """In bf16."""
        working, _ = in_bf16(_folded(self.network.eval()))
        if next(working.parameters()).device.type == "cpu":
            quicken_all(working)
        return Way(working, self.wide, torch.bfloat16)

    def _doubtful(self, logits: Tensor, error: float) -> tuple[np.ndarray, np.ndarray]:
        """(N,) whether an error of the logits could matter, and (N, K) the probabilities."""
        logits, error = logits / self.temperature, error / self.temperature
        chances = np.stack([self.task.per_class(answer) for answer in self.task.decode(logits)])
        moved = 2 * error * (chances * (1 - chances)).max(axis=1)  # by two logits that err in opposite directions
        safe = (self.task.margin(logits) > FACTOR * error).numpy() & (moved <= APART)
        return ~safe, chances

    def _judged(self, pictures: np.ndarray) -> float:
        """`_error` by a batch in both precisions: inf where bf16 is not faster here, or not close enough to fp32."""
        device, timed = next(self.network.parameters()).device, self.precision == "auto"
        if timed and fastest_precision("auto", device, len(self.preparation.shape.seen) - 1) != "bf16":
            return math.inf
        rounds = [pictures[: self.wide], pictures] if timed else [pictures]  # the first of each also loads its kernels
        if self.task.by_pixel:
            rounds = [pictures[: self.within(TRIED)]]
        ways, said = (Way(self.network, self.wide), self.half), []
        best = dict.fromkeys(ways, math.inf)  # seconds per picture
        try:
            with threads_for(1) if timed else nullcontext():  # other work on the machine then slows both alike
                for some in rounds:
                    for way in ways:
                        begun = time.perf_counter()
                        said.append(torch.cat(list(self._each(way, some))))
                        best[way] = min(best[way], (time.perf_counter() - begun) / len(some))
        except RuntimeError:  # a layer without such kernels
            return math.inf
        if timed and best[ways[0]] < BF16_GAIN * best[ways[1]]:
            return math.inf
        full, low = said[-2:]
        if self.task.by_pixel:
            return 0.0 if (full.argmax(1) == low.argmax(1)).double().mean() >= SAME else math.inf
        error = float((full - low).abs().max())
        (again, sure), (_, unsure) = (self._doubtful(logits, error) for logits in (full, low))
        right = again.mean() <= AGAIN and np.abs(sure - unsure)[~again].max() <= APART
        return error if right else math.inf

    def _each(self, way: Way, pictures: np.ndarray, lanes: int = 1) -> Iterator[Tensor]:
        """The logits of a batch at a time; lanes: how many run side by side, which share the threads."""
        starts = range(0, len(pictures), way.size)
        if lanes == 1:
            yield from (self._pass(way, pictures[start : start + way.size]) for start in starts)
            return
        before = torch.get_num_threads()
        pool = ThreadPoolExecutor(lanes, "lane", torch.set_num_threads, (before // lanes,))
        try:
            yield from pool.map(lambda start: self._pass(way, pictures[start : start + way.size]), starts)
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(before)  # of the threads that begin from now on

    @torch.inference_mode()
    def _pass(self, way: Way, pictures: np.ndarray) -> Tensor:
        """The logits of at most one batch."""
        full = np.zeros((way.size, *pictures.shape[1:]), pictures.dtype)
        full[: len(pictures)] = pictures
        network, layout = way.network.eval(), memory_format(len(self.preparation.shape.seen) + 1)
        x, mean = self.input(full), 0.0
        for element in self.views:
            seen = turned(x, element).to(way.dtype).contiguous(memory_format=layout)
            mean = mean + self.task.turned_back(logits_of(network, seen).float(), element) / len(self.views)
        return mean[: len(pictures)].double().cpu()


def _folded(network: nn.Module) -> nn.Module:
    """A copy whose convolutions do the work of the batch norms right after them."""
    copied = copy.deepcopy(network)
    for layers in [module for module in copied.modules() if isinstance(module, nn.Sequential)]:
        for (first, conv), (second, norm) in pairwise(list(layers.named_children())):
            if type(conv) in CONVOLUTIONS and isinstance(norm, BATCHNORMS):
                layers.add_module(first, nn.utils.fuse_conv_bn_eval(conv, norm))
                delattr(layers, second)
    return copied


def turned(x: Tensor, element: tuple[int, int]) -> Tensor:
    """Pictures (B, C, ..., W) after a symmetry: mirrored or not, then turned by so many quarters."""
    mirrored, quarters = element
    x = x.flip(-1) if mirrored else x
    return torch.rot90(x, quarters, (-2, -1)) if quarters else x
