"""Striate's own training steps, as `striate train` does them: python striate_step.py NETWORK BATCH [DEVICE].

NETWORK is "hela", "auto" or "resnet18". A step here holds all that a training's step holds: taking a batch from
the 8-bit store, random changes (for auto), standardising, the step itself, and keeping the average of the weights.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from drawn import pictures
from turns import serve

from striate import device as machine
from striate.augment.apply import augment
from striate.augment.recipe import parse
from striate.data.batches import Batches, standardise
from striate.data.measure import measure
from striate.data.prepare import Shape
from striate.network.build import build
from striate.network.summary import summarise, total_operations
from striate.tasks.classification import Classification
from striate.train.checkpoint import Place
from striate.train.events import Step
from striate.train.loop import Training
from striate.train.plan import Facts, make_plan
from striate.train.settings import settings_from

CLASSES, PICTURES = 10, 2048
SHAPES = {"hela": (1, 50, 50), "auto": (3, 32, 32), "resnet18": (3, 128, 128)}


def training_of(name: str, batch: int, device: torch.device, precision: str = "auto") -> Training:
    """A training in the middle of its schedule that goes on for as long as it is asked to, at full picture size."""
    channels, height, width = SHAPES[name]
    stored, labels = pictures(PICTURES if name != "resnet18" else 8 * batch, height, channels, CLASSES)
    plain = {"optimizer": "sgd", "momentum": 0, "lr": 0.01, "augment": "none"}
    options = {} if name == "auto" else {"network": name, "batch_size": batch, **plain}
    counts = (5000 // CLASSES,) * CLASSES  # auto is planned for a set of 5,000
    settings = settings_from({**options, **({"batch_size": batch} if batch else {})})
    shape, task = Shape(height=height, width=width, channels=channels), Classification(tuple(map(str, range(CLASSES))))
    plan = make_plan(settings, Facts(shape=shape, task=task, counts=counts))
    plan = replace(plan, epochs=1_000_000, sizes=((1.0, 1.0),))
    network = build(plan.line, SHAPES[name], CLASSES, plan.seed).to(device, memory_format=torch.channels_last)
    rows = np.arange(len(stored))
    preparation = measure(stored, rows, shape)
    batches = Batches(stored, rows, torch.from_numpy(labels), preparation, device)
    first = standardise(next(batches.in_order(16)).pictures, preparation)
    chosen, _ = machine.choose_precision(precision, device, network, first)
    middle = Place(progress=0.5)
    return Training(network, task, plan, batches, validation=None, precision=chosen, place=middle)


def operations(training: Training) -> int:
    """Multiplications and additions of one picture's training step, in convolutions and dense layers alone.

    Forward; weight gradients where weights are trained; input gradients where something before is trained.
    """
    total, wanted = 0, False
    for row in summarise(training.network, training.network.input_shape):
        trained = row.parameters > row.fixed
        total += row.operations * (1 + (row.fixed == 0) + wanted)
        wanted = wanted or trained
    return total


def steps_of(training: Training) -> Callable[[int], dict]:
    events = training.run()

    def run(count: int) -> dict:
        """So many training steps."""
        begun, done = time.perf_counter(), 0
        while done < count:
            event = next(events)
            done += isinstance(event, Step)
        return {"seconds": time.perf_counter() - begun, "loss": event.loss}

    return run


def batches_of(training: Training) -> Callable[[int], dict]:
    recipe = parse(training.plan.recipe)
    epochs = iter(range(10**9))

    def prepare(count: int) -> dict:
        """What stands before the arithmetic of so many steps: batches, random changes, standardising."""
        done, begun = 0, time.perf_counter()
        while done < count:
            epoch = next(epochs)
            for batch in training.batches.epoch(training.plan.batch_size, seed=0, epoch=epoch):
                numbers = torch.from_numpy(batch.rows)
                changed = augment(batch.pictures, recipe, seed=0, epoch=epoch, sample_ids=numbers)
                x = standardise(changed, training.batches.preparation)
                x.to(training.masters.dtype, memory_format=torch.channels_last)
                done += 1
                if done == count:
                    break
        return {"seconds": time.perf_counter() - begun}

    return prepare


def main(name: str, batch: int, device: str = "cpu") -> None:
    machine.keep_memory()
    training = training_of(name, batch, torch.device(device))
    size = training.plan.batch_size
    work = 3 * size * total_operations(training.network, training.network.input_shape)
    run = steps_of(training)
    with machine.repeatable(torch.device(device)), machine.threads_for(work):
        run(1)  # what is learned no more by now is known then
        about = {
            "batch": size, "precision": training.precision, "threads": torch.get_num_threads(),
            "parameters": sum(p.numel() for p in training.network.parameters()),
            "operations": operations(training), "line": training.network.text, "recipe": training.plan.recipe,
        }  # fmt: skip
        serve(about, run=run, prepare=batches_of(training))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
