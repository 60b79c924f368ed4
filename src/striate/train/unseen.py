"""Classes that no training picture shows, where the parts are given: they cannot be learned."""

from collections.abc import Sequence
from dataclasses import replace

from striate.data.sample import Found
from striate.errors import first_few
from striate.tasks.task import Task


def without_unseen(found: Found, used: Sequence[int], task: Task) -> tuple[Found, Task]:
    """`found` and `task` without the objects of classes that only validation or test pictures show, and what is said of
    them; used: the places of the samples that are learned from, or scored."""
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
