"""From a plan to a training that can begin: network, first filters, batches, precision."""

import copy
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from striate import device as machine
from striate.check.doctor import remembered
from striate.data.batches import Batches, scale, standardise
from striate.errors import StriateError, counted
from striate.network.auto import series_line, text_line, volume_line
from striate.network.blocks import Whiten2d
from striate.network.build import Network, build
from striate.network.quick import multiply_filters
from striate.network.summary import count_text, total_operations
from striate.network.weights import whiten_all
from striate.train import plan as planning
from striate.train.budget import clock_of
from striate.train.dataset import Job
from striate.train.events import Note, Watch
from striate.train.loop import Training
from striate.train.plan import Plan

CHECKED_PIXELS = 1 << 16  # on which bf16 is held against fp32, at the most
MEASURED_SIDE = 192  # pixels, at which the speed of larger pictures is measured too
WHITENED = 1 << 26  # numbers of the pictures that first filters are made from, at the most


def speed_of(job: Job, line: str = "") -> float | None:
    """Training operations per second of this machine, None without a budget of minutes, which alone needs them.

    line: the network to measure, in place of auto's.
    """
    if job.settings.minutes is None:
        return None
    shape = job.data.store.shape
    most = min(job.data.task.crop or MEASURED_SIDE, MEASURED_SIDE)
    height, width = (min(side, most) for side in (shape.height, shape.width))
    precision = machine.fastest_precision(job.settings.precision, job.device, len(shape.seen) - 1)
    seen = (shape.channels, height, width) if shape.form == "picture" else shape.seen
    line = line or auto_of(job)(shape.channels, height, width, 32)
    return planning.measure_speed(line, seen, job.device, precision)


def auto_of(job: Job) -> Callable[[int, int, int, int], str]:
    """What makes the line of `--network auto`: the model whose weights are given, else the task for pictures, and the
    form for everything else."""
    data, shape = job.data, job.data.store.shape
    if job.given and job.settings.network == "auto":
        line = job.given.line_for(data.task)
        return lambda *sizes: line
    if shape.form == "volume":
        return partial(volume_line, frames=shape.frames)
    return {"picture": data.task.auto_line, "series": series_line, "text": text_line}[shape.form]


def network_of(plan: Plan, job: Job) -> Network:
    data, preparation = job.data, job.preparation
    network = build(plan.line, data.store.shape.seen, data.task.outputs, plan.seed)
    data.task.require_output(network.output_shape)
    if any(isinstance(layer, Whiten2d) for layer in network.modules()):
        rows, most = data.rows("train"), WHITENED // math.prod(data.store.pictures.shape[1:])
        sample = np.asarray(data.store.pictures[rows[:: max(1, len(rows) // min(500, max(most // 2, 1)))]])
        whiten_all(network, standardise(scale(sample, preparation, torch.device("cpu")), preparation))
    if job.given:
        job.tell(Note(f"Weights   {job.given.give(network, data.task.classes)}"))
    return network.to(job.device, memory_format=machine.memory_format(len(network.input_shape) + 1))


def training_of(plan: Plan, network: Network, job: Job) -> Training:
    data, preparation, device = job.data, job.preparation, job.device
    if plan.patience is not None and not len(data.rows("validation")):
        rule, remedy = "--patience waits for a validation part to get better", "raise --val, or leave --patience out"
        raise StriateError(rule, received="no validation pictures", where=data.found.root, remedy=remedy)

    def batches(part: str, balance: bool = False) -> Batches:
        rows = data.rows(part)
        targets = data.encoded(rows)
        kinds = targets.numpy() if balance else None
        return Batches(data.store.pictures, rows, targets, preparation, device, kinds)

    learning = batches("train", plan.balance == "sampling")
    precision, reason = _precision_of(plan, network, learning, job)
    weights = None
    if plan.balance == "weights":
        common = data.task.commonness(data.targets_of(data.rows("train")))
        weights = torch.from_numpy(planning.class_weights(tuple(common))).to(device)
    _tell_plan(plan, network, f"on {device} in {precision} ({reason})", job.tell)
    return Training(
        network=network,
        task=data.task,
        plan=plan,
        batches=learning,
        validation=batches("validation") if len(data.rows("validation")) else None,
        precision=precision,
        class_weights=weights,
        clock=clock_of(plan, network, job, precision),
    )


def _precision_of(plan: Plan, network: Network, batches: Batches, job: Job) -> tuple[str, str]:
    """The precision and the reason for it, by `choose_precision` on one batch, which is as large as those of the
    training where that is not slow: how a layer computes depends on how many pictures there are. What was found is kept
    for the next start on this machine."""
    shape, data = job.preparation.shape, job.data
    pixels = math.prod(min(side, plan.crop or side) for side in shape.seen[1:])
    count = min(max(CHECKED_PIXELS // pixels, 1), plan.batch_size)

    def make() -> dict[str, str]:
        first = next(batches.in_order(count)).pictures
        first = standardise(first[..., : plan.crop or None, : plan.crop or None], job.preparation)
        computing = copy.deepcopy(network)
        if job.device.type == "cpu":
            multiply_filters(computing)
        precision, reason = machine.choose_precision(job.settings.precision, job.device, computing, first)
        return {"precision": precision, "reason": reason}

    asked = (plan.line, count, plan.crop, plan.seed, job.settings.precision, machine.fingerprint(job.device), shape)
    found = remembered("precision", data.found, data.store, make, *asked)
    return found["precision"], found["reason"]


def _tell_plan(plan: Plan, network: Network, where: str, tell: Watch) -> None:
    operations = count_text(total_operations(network, network.input_shape))
    parameters = sum(p.numel() for p in network.parameters())
    budget = counted(plan.minutes, "minute") if plan.minutes else counted(plan.epochs, "epoch")
    tell(Note(f"Network   {plan.line if len(plan.line) < 90 else plan.line[:87] + '...'}"))
    tell(Note(f"          {parameters:,} parameters, {operations} operations per picture"))
    tell(Note(f"Training  {budget}, batches of {plan.batch_size}, {plan.optimizer}, {where}"))
    tell(Note(f"          random changes: {plan.recipe}"))
