"""The training loop: batches in, better weights out, events on the way.

It knows a network, batches and the task protocol, and neither files nor screens. The schedule is a share
of work done, 0 to 1: a budget of epochs advances it by equal steps, a budget of minutes by the clock.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.augment.apply import augment, cropped, sources_of
from striate.augment.recipe import parse
from striate.data.batches import Batch, Batches, standardise
from striate.device import Threads, in_bf16, memory_format, seeded
from striate.errors import StriateError
from striate.network.blocks import BATCHNORMS, Whiten2d
from striate.network.build import Network, logits_of
from striate.tasks.task import Task
from striate.train.checkpoint import Place
from striate.train.clock import Clock
from striate.train.events import Epoch, Event, Step
from striate.train.optimize import Average, Masters, Optimizer
from striate.train.plan import Plan

WARM_UP = 0.15  # share of the schedule in which the learning rate rises
LAGGING = 50  # steps within which the running figures of norms lag behind the weights
SETTLING = 4  # batches that the norms' figures are measured on anew


@dataclass
class Training:
    """One training under way; `run` yields events and leaves the weights to keep in `average.network`.

    stop: set it (by Ctrl-C) to end after the running step with what has been learned.
    best: with patience, the averaged weights of the best epoch.
    """

    network: Network
    task: Task
    plan: Plan
    batches: Batches
    validation: Batches | None
    precision: str
    class_weights: Tensor | None = None
    clock: Clock | None = None
    place: Place = field(default_factory=Place)
    best: dict[str, Tensor] = field(default_factory=dict)
    stop: bool = False

    def __post_init__(self) -> None:
        self.masters = Masters(self.network, self.precision)
        self.optimizer = Optimizer(self.network, self.plan, self.masters.dtype)
        self._first = [layer.bias for layer in self.network.modules() if isinstance(layer, Whiten2d)]
        self.average = Average(self.network)
        self.recipe = parse(self.plan.recipe)
        self._step_seconds = self._own_seconds = self._ended = 0.0
        validating = len(self.validation) / self.plan.batch_size if self.validation is not None else 0.0
        self._closing = (SETTLING + validating) / 3  # steps that the end of an epoch takes, until one was seen
        self._kept: nn.Module | None = None
        self.threads: Threads | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Everything that the next epoch depends on, by name."""
        groups = {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.tensors(),
            "best": self.best,
        }
        return {f"{group}/{name}": tensor for group, named in groups.items() for name, tensor in named.items()}

    def load(self, place: Place, tensors: dict[str, Tensor]) -> None:
        """Go on from a checkpoint."""
        groups: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}, "best": {}}
        for name, tensor in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = tensor.to(self.batches.device)
        self.network.load_state_dict(groups["network"])
        self.average.network.load_state_dict(groups["average"])
        self.optimizer.load(groups["optimizer"])
        self.masters.lower()
        self.best, self.place = groups["best"], place

    def run(self) -> Iterator[Event]:
        """Train from `place` to the end of the budget; after each Epoch event `place` stands at its end."""
        self.threads, self._ended = Threads() if self.clock is not None else None, time.monotonic()
        while self.place.progress < 1 and not self.stop and not self._patience_is_out():
            yield from self._epoch()
        for bias in self._first:  # as the network was built: what was learned is not called fixed
            bias.requires_grad_()
        kept = self._kept if self.place.progress >= 1 else None  # else its norms are those of smaller pictures
        self.average.network.load_state_dict(self.best or (kept or self.settled(self.place.step)).state_dict())

    def _epoch(self) -> Iterator[Event]:
        plan, place, started = self.plan, self.place, time.monotonic()
        losses = hits = seen = 0.0
        measure = self.task.measure
        step, progress, factor, moved = place.step, place.progress, 0.0, 0.0
        self.masters.working.train()
        for batch in self.batches.epoch(plan.batch_size, seed=plan.seed, epoch=place.epoch):
            if self.threads is not None:
                self.threads.choose()
            begun = time.monotonic()
            factor = _factor(progress)
            with seeded(plan.seed, step):
                loss, right = self._step(batch, place.epoch, progress)
            count = len(batch.rows)
            losses, hits, seen = losses + loss * count, hits + right, seen + count
            ended = time.monotonic()
            if self.threads is not None:
                self.threads.took(ended - begun)
            took, self._ended = ended - self._ended, ended  # with what lies between: validation, files, snapshots
            self._step_seconds = 0.9 * (self._step_seconds or took) + 0.1 * took
            self._own_seconds = 0.9 * (self._own_seconds or ended - begun) + 0.1 * (ended - begun)
            advance = self._advance(progress, step, took)
            step, progress, moved = step + 1, min(1.0, progress + advance), moved + advance
            if step % Average.EVERY == 0:
                self.average.update(self.network, moved)
                moved = 0.0
            seconds = time.monotonic() - started
            yield Step(
                epoch=place.epoch + 1, epochs=plan.epochs, progress=progress,
                loss=losses / seen, hits=hits / seen, measure=measure,
                pictures_per_second=seen / seconds, seconds_left=self._seconds_left(progress, advance),
            )  # fmt: skip
            if progress >= 1 or self.stop:
                break
        if moved:  # at the end of every epoch, so that a checkpoint and a stopped training lack no step
            self.average.update(self.network, moved)
        kept = self._kept = self.settled(step, progress)
        validated = self.validate(progress, kept)
        self._closing = (time.monotonic() - self._ended) / max(self._own_seconds, 1e-9)
        weights = self.average.network.state_dict().values()
        ends = [float(end) for tensor in weights for end in torch.aminmax(tensor)]  # 20 times as fast as isfinite
        finite = math.isfinite(validated[0] or 0) and all(map(math.isfinite, ends))
        if not finite:  # neither a checkpoint nor a model is made of these
            raise self._ran_away("weights beyond all numbers", place.epoch)
        seconds = time.monotonic() - started
        self.place = replace(
            place, epoch=place.epoch + 1, step=step, progress=progress, seconds=place.seconds + seconds
        )
        self._remember_best(validated[0], kept)
        yield Epoch(
            epoch=self.place.epoch, seconds=self.place.seconds, learning_rate=plan.lr * factor,
            train_loss=losses / seen, train_hits=hits / seen, validation_loss=validated[0],
            validation_hits=validated[1], pictures_per_second=seen / seconds, measure=measure,
        )  # fmt: skip

    def _ran_away(self, received: object, epoch: int) -> StriateError:
        rule, remedy = "the loss must stay a finite number", f"lower --lr (it was {self.plan.lr:g})"
        return StriateError(rule, received=f"{received} in epoch {epoch + 1}", where="training", remedy=remedy)

    def changed(self, pictures: Tensor, targets: Tensor, chance: dict) -> tuple[Tensor, Tensor]:
        """Scaled pictures (B, C, H, W) after the random changes of `chance` (see `augment`), and encoded targets that
        follow them."""
        if self.task.moves and self.recipe.moves:
            sources = sources_of(self.recipe, *pictures.shape[2:], **chance)
            targets = self.task.move(targets, sources.to(targets.device), self.recipe)
        return augment(pictures, self.recipe, **chance), targets

    def _step(self, batch: Batch, epoch: int, progress: float) -> tuple[float, float]:
        """One step of the optimizer; the batch's mean loss and the sum of its hits.

        The loss told is without smoothing and class weights, so that it can be held against validation's.
        """
        chance = {"seed": self.plan.seed, "epoch": epoch, "sample_ids": torch.from_numpy(batch.ids)}
        changed, targets = self.changed(batch.pictures, batch.targets, chance)
        if self.plan.crop:
            changed, targets = cropped([changed, targets], self.plan.crop, **chance)
        x = standardise(self._resized(changed, progress), self.batches.preparation)
        x = x.to(self.masters.dtype, memory_format=memory_format(x.ndim))
        self.masters.zero_grad()
        for bias in self._first:  # learned by then (Jordan 2024); no gradient then has to come down to the pixels
            bias.requires_grad_(progress < WARM_UP)
        is_plain = self.class_weights is None and not self.plan.smoothing
        members, value, hits = self.masters.working.members(), 0.0, 0.0
        for member in members:
            logits = _learning(member, x)
            loss = self.task.loss(logits, targets, self.class_weights, self.plan.smoothing)
            loss.backward()
            logits = logits.detach()
            told = loss.detach() if is_plain else self.task.loss(logits, targets, None, 0.0)
            value, hits = value + float(told) / len(members), hits + self.task.hits(logits, targets) / len(members)
        if not math.isfinite(value):
            raise self._ran_away(value, epoch)
        self.masters.step(self.optimizer, _factor(progress))
        return value, hits

    def _resized(self, pictures: Tensor, progress: float) -> Tensor:
        """Smaller pictures early in the schedule: a step costs less while there is much to learn."""
        return shrunk(pictures, next(share for until, share in self.plan.sizes if progress < until or until >= 1))

    def _advance(self, progress: float, step: int, took: float) -> float:
        """The share of the schedule that one step is worth, which ended `took` seconds after the one before."""
        if self.clock is None:
            total = self.plan.epochs * self.batches.steps(self.plan.batch_size)
            return 1.0 - progress if step + 1 >= total else 1.0 / total
        left = self.clock.left() - self._closing * self._own_seconds  # the last epoch ends like all others
        return (1 - progress) * took / (left + took) if left > self._step_seconds else 1 - progress

    def _seconds_left(self, progress: float, advance: float) -> float:
        if self.clock is not None:
            return max(self.clock.left(), 0.0)
        return (1 - progress) / max(advance, 1e-9) * self._step_seconds

    def settled(self, step: int, progress: float = 1.0, size: int = 0) -> nn.Module:
        """The averaged network; after few steps a copy, its norms measured anew at the size now trained on. size: of
        the batches, if not as trained with."""
        if step >= LAGGING:
            return self.average.network
        network, size = copy.deepcopy(self.average.network).eval(), size or self.plan.batch_size
        norms = [layer for layer in network.modules() if isinstance(layer, BATCHNORMS)]
        for norm in norms:
            norm.train().reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
        batches = self.batches.epoch(size, seed=self.plan.seed, epoch=0)
        with torch.no_grad():
            for batch in islice(batches, SETTLING if norms else 0):
                network(standardise(self._resized(batch.pictures, progress), self.batches.preparation))
        return network.eval()

    @torch.inference_mode()
    def validate(self, progress: float = 1.0, network: nn.Module | None = None) -> tuple[float | None, float | None]:
        """Mean loss and hits of `network`, or the averaged weights, on the validation part, at the size now trained on,
        in the precision trained in."""
        if self.validation is None:
            return None, None
        network, losses, hits = (network or self.average.network).eval(), 0.0, 0.0
        if self.precision == "bf16":
            network, _ = in_bf16(network)
        for batch in self.validation.in_order():
            seen = standardise(self._resized(batch.pictures, progress), self.validation.preparation)
            logits = logits_of(network, seen.to(self.masters.dtype)).float()
            losses += float(self.task.loss(logits, batch.targets, None, 0.0)) * len(batch.rows)
            hits += self.task.hits(logits, batch.targets)
        return losses / len(self.validation), hits / len(self.validation)

    def _remember_best(self, loss: float | None, kept: nn.Module) -> None:
        if loss is None or (self.place.best_loss is not None and loss >= self.place.best_loss):
            return
        self.place = replace(self.place, best_loss=loss, best_epoch=self.place.epoch)
        if self.plan.patience is not None:
            self.best = {name: tensor.clone() for name, tensor in kept.state_dict().items()}

    def _patience_is_out(self) -> bool:
        waited = self.place.epoch - self.place.best_epoch
        return self.plan.patience is not None and self.place.best_loss is not None and waited >= self.plan.patience


def _learning(member: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The logits of a batch."""
    try:
        return member(x).float()
    except ValueError as error:  # torch's, of a norm behind flatten, a global pool or maps of one pixel
        if len(x) > 1:
            raise
        rule, remedy = "batchnorm takes its mean over several values of a map", "use --batch-size 2 or more"
        raise StriateError(rule, received="one picture at a time", where="training", remedy=remedy) from error


def shrunk(pictures: Tensor, share: float) -> Tensor:
    """Pictures (B, C, H, W) at `share` (0..1) of their side."""
    if share == 1:
        return pictures
    size = [max(round(side * share), 1) for side in pictures.shape[2:]]
    return F.interpolate(pictures, size=size, mode="bilinear", antialias=True)


def _factor(progress: float) -> float:
    """Learning rate as a share of its highest: up in a straight line, then down to zero."""
    return min((progress + 1e-3) / WARM_UP, (1 - progress) / (1 - WARM_UP))
