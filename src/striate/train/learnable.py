"""The task, with the classes that can be learned: each needs pictures, some of them for training."""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from striate.check.finding import Check
from striate.data.sample import Found, class_order
from striate.data.sources import require_trainable
from striate.data.store import Store
from striate.errors import StriateError, first_few
from striate.evaluate.check_section import Seen
from striate.tasks.task import Task, task_kind
from striate.train.listed import all_left_out
from striate.train.settings import Settings


def task_of(found: Found, store: Store, settings: Settings) -> Task:
    """The task of all pictures of the store. Raises StriateError where there is nothing to learn."""
    return task_kind(found.task).of(found, [found.samples[i].target for i in store.kept], asdict(settings))


def with_targets(found: Found, store: Store, task: Task | None) -> Seen:
    """Draws the target of a row of the store on its picture, where targets lie on pictures."""

    def seen(row: int, picture: np.ndarray) -> np.ndarray:
        size = np.array([[store.facts[side][row] for side in ("height", "width")]], np.int64)
        return task.seen(picture, task.encode([found.samples[store.kept[row]].target], size, store.shape)[0])

    return seen if task and task.spatial else lambda row, picture: picture


def learnable(found: Found, store: Store, check: Check, settings: Settings) -> tuple[Found, Task]:
    """What can be learned of what was found, and the task, once it is sure that classes keep enough pictures."""
    used = np.setdiff1d(store.kept, store.kept[list(check.set_aside)])
    require_trainable(replace(found, left_out=all_left_out(found, store, check.set_aside)), used)
    task = task_of(found, store, settings)
    remaining = task.counts([found.samples[i].target for i in used])
    if gone := class_order(name for name, count in remaining.items() if not count):
        rule = "every class needs pictures that are not under another class too"
        remedy = "`striate check` shows which pictures are there twice"
        raise StriateError(rule, received=f"none of {first_few(gone)}", where=found.root, remedy=remedy)
    return without_unseen(found, used, task)


def without_unseen(found: Found, used: Sequence[int], task: Task) -> tuple[Found, Task]:
    """`found`, where it notes that, and `task` without classes that only validation or test pictures show; used: the
    places of the samples that are learned from, or scored."""
    seen = task.counts([found.samples[i].target for i in used if found.samples[i].part in (None, "train")])
    unseen = [name for name, count in seen.items() if not count]
    if not unseen or len(unseen) == len(seen):
        return found, task
    smaller = replace(task, classes=tuple(name for name in task.classes if seen[name]))
    known = [smaller.known(sample.target) for sample in found.samples]
    if any(target is None for target, _ in known):  # the task needs all of a target
        return found, task
    pairs = list(zip(found.samples, known, strict=True))
    mended = [sample.left_out(said) for sample, (_, said) in pairs if said]
    note = f"No training picture shows {first_few(unseen)}, which cannot be learned: it is left out of the other parts."
    samples = [replace(sample, target=target) for sample, (target, _) in pairs]
    return replace(found, samples=samples, mended=[*found.mended, *mended], notes=(*found.notes, note)), smaller
