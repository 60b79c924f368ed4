"""Where on a prepared picture a model's evidence lies, in the model's own names and the picture's own form."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from torch import Tensor

from striate.data.arrays import word_of
from striate.data.shown import with_heat
from striate.errors import StriateError, nearest
from striate.export.passes import Passes
from striate.inside.capture import capture
from striate.inside.heatmap import Heatmap, enlarge, heatmap
from striate.tasks.task import Task


def heatmap_of(
    passes: Passes, stored: np.ndarray, of: int, method: str, versus: int | None = None, **settings: object
) -> Heatmap:
    """The heatmap of a prepared picture (H, W, C) for output number `of`, or for it rather than `versus`, drawn in the
    picture's own form; method and settings as for `striate.heatmap`."""
    if versus == of:
        received = f"{passes.task.classes[of]} twice"
        raise StriateError("a heatmap holds one class against another", received=received, where="versus")
    task, network, x = passes.task, passes.network, passes.input(np.array(stored[None]))[0].contiguous()
    whole, numbers = capture(network, x).output, [of] if versus is None else [of, versus]
    scores = {name: score_of(task, n, whole) for name, n in zip(("score", "versus"), numbers, strict=False)}
    found = heatmap(network, x, method, **scores, **settings)
    drawn = with_heat(stored, partial(enlarge, found.map), passes.preparation.shape, signed=found.signed)
    return replace(found, target=" minus ".join(task.classes[n] for n in numbers), drawn=drawn)


def score_of(task: Task, index: int, whole: Tensor) -> int | Callable[[Tensor], Tensor]:
    """What a heatmap for output `index` explains: the number of an output, or a function of the whole output.

    whole: what the network gives for the whole picture, which says where objects and areas are told.
    """
    if not 0 <= index < len(task.classes):
        rule = f"a class is a number from 0 to {len(task.classes) - 1}"
        raise StriateError(rule, received=index, where="target, versus")
    if task.one_label and whole.shape == (len(task.classes),):
        return index  # the task's own score is just that
    return lambda output: task.score(output[None], index, whole[None].to(output))[0]


def output_named(task: Task, name: object) -> int:
    """The number of the output that is called so (7 as well as "7")."""
    if (word := word_of(name)) not in task.classes:
        raise StriateError("a heatmap explains one of the outputs", received=word, remedy=nearest(word, task.classes))
    return task.classes.index(word)
