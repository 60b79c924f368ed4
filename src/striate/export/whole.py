"""A whole model as a graph: all that stands between prepared pictures and answers.

That is scaling, the network, the mean over mirrored views, the temperature, the closing softmax or sigmoid. `onnx`
writes it as a file for other programs, `page` into a page that a browser computes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from striate.data.prepare import REACH, Preparation
from striate.export.agreement import require_line
from striate.export.graph import FLOAT, Graph, Value, layers
from striate.export.passes import Passes, Way
from striate.tasks.task import Task

PICTURES = "pictures"
ASKED = 2  # pictures whose answers are known


@dataclass(frozen=True)
class Ending:
    """What becomes of the logits (N, K, ...): the output's name, as nodes of a graph, and the same in torch."""

    name: str
    write: Callable[[Graph, str, Task], str]
    compute: Callable[[Tensor, Task], Tensor]


def _softmax(graph: Graph, given: str, task: Task) -> str:
    return graph.node("Softmax", given, axis=1)


def _two(graph: Graph, given: str, task: Task) -> str:
    second = graph.node("Sigmoid", given)
    return graph.node("Concat", graph.node("Sub", graph.number(1.0), second), second, axis=1)


def _numbers(graph: Graph, given: str, task: Task) -> str:
    scales, centres = (graph.constant(np.float32(values)) for values in (task.scales, task.centres))
    return graph.node("Add", graph.node("Mul", given, scales), centres)


# By `Task.ending`; "two" is "softmax" of a network with one output.
ENDINGS = {
    "softmax": Ending("probabilities", _softmax, lambda logits, task: logits.softmax(dim=1)),
    "two": Ending("probabilities", _two, lambda logits, task: torch.cat([1 - logits.sigmoid(), logits.sigmoid()], 1)),
    "sigmoid": Ending(
        "probabilities", lambda graph, given, task: graph.node("Sigmoid", given), lambda logits, task: logits.sigmoid()
    ),
    "numbers": Ending(
        "numbers", _numbers, lambda logits, task: logits * torch.tensor(task.scales) + torch.tensor(task.centres)
    ),
    "none": Ending("logits", lambda graph, given, task: given, lambda logits, task: logits),
}


@dataclass(frozen=True)
class Written:
    """What was written: the shapes of input and output in words, how far the answers to `Whole.pictures` are from
    torch's at most, None where that shows only later, and in words how it went with test pictures."""

    takes: str
    gives: str
    apart: float | None
    tested: str = ""


@dataclass(frozen=True)
class Whole:
    """A graph from the value PICTURES, (N, H, W, C) as the model prepares them, to `gives`, (N, K) or (N, K, h, w), see
    ENDINGS; pictures: ASKED of noise, then others, and expected: what torch answers them."""

    graph: Graph
    gives: str
    pictures: np.ndarray
    expected: np.ndarray


def whole(passes: Passes, others: Sequence[np.ndarray] = ()) -> Whole:
    """others: (n, H, W, C) prepared pictures. Raises StriateError where the network is not a line of layers."""
    require_line(passes.network, "other programs get a network that is a line of layers")
    task, pictures = passes.task, np.concatenate([_drawn(passes.preparation), *others])
    exactly = Way(passes.network, passes.batch)
    with torch.inference_mode():
        logits = torch.cat(list(passes.logits(pictures, exactly))) / passes.temperature
        ending = ENDINGS["two" if task.ending == "softmax" and logits.shape[1] == 1 else task.ending]
        expected = ending.compute(logits, task).float().numpy()
        graph = Graph()
        last = _written(graph, passes, pictures[:ASKED])
    graph.node("Identity", ending.write(graph, last, task), name=ending.name)
    return Whole(graph, ending.name, pictures, expected)


def _drawn(preparation: Preparation) -> np.ndarray:
    """(ASKED, H, W, C) prepared pictures of noise, over the range that the training part has."""
    noise = np.random.default_rng(0).random((ASKED, *preparation.shape.stored), np.float32)
    low, high = (_each(values, preparation) for values in (preparation.low, preparation.high))
    return (low + noise * (high - low)).astype(preparation.shape.depth)


def _each(values: tuple[float, ...], preparation: Preparation) -> np.ndarray:
    """Figures of channels for every channel of every frame, as stored."""
    return np.resize(np.float32(values), preparation.shape.stored[2])


def _written(graph: Graph, passes: Passes, pictures: np.ndarray) -> str:
    """All nodes up to the logits, divided by the temperature; torch goes along, for the shapes."""
    preparation, task, network = passes.preparation, passes.task, passes.network.eval()
    seen, answers = Value(_prepared(graph, preparation), passes.input(pictures)), []
    for element in passes.views:
        y = layers(graph, network.up_to_logits(), graph.turned(seen, element))
        answers.append(_turned_back(graph, y, element, task))
    total = graph.node("Sum", *answers) if len(answers) > 1 else answers[0]
    return graph.node("Div", total, graph.number(len(answers) * passes.temperature))


def _prepared(graph: Graph, preparation: Preparation) -> str:
    """What `scale` and `standardise` do."""
    low, high, mean, std = (
        _each(values, preparation) for values in (preparation.low, preparation.high, preparation.mean, preparation.std)
    )
    x = graph.node("Cast", PICTURES, to=FLOAT)
    for offset, unit, reach in ((low, high - low, REACH), (mean, std, None)):
        x = graph.node("Sub", x, graph.constant(offset))
        x = graph.node("Div", x, graph.constant(unit))
        x = graph.node("Clip", x, *map(graph.number, reach)) if reach else x
    x, shape = graph.node("Transpose", x, perm=[0, 3, 1, 2]), preparation.shape
    if shape.axes == 1:
        return graph.node("Reshape", x, graph.constant(np.array([0, shape.channels, -1])))
    if shape.axes == 3:
        sizes = [0, shape.frames, shape.channels, shape.height, shape.width]
        return graph.node("Transpose", graph.node("Reshape", x, graph.constant(np.array(sizes))), perm=[0, 2, 1, 3, 4])
    return x


def _turned_back(graph: Graph, y: Value, element: tuple[int, int], task: Task) -> str:
    """What `Task.turned_back` does: maps are turned back; outputs change places and signs as numbered ones do."""
    mirrored, quarters = element
    y = graph.turned(y, (False, -quarters % 4))
    if not mirrored:
        return y.name
    y = graph.turned(y, (task.spatial, 0))
    count = y.tensor.shape[1]
    numbered = (
        task.unmirrored(torch.arange(1.0, count + 1).view(1, count, *[1] * (y.tensor.ndim - 2))).flatten().numpy()
    )
    order, signs = np.abs(numbered).astype(np.int64) - 1, np.sign(numbered).astype(np.float32)
    name = y.name
    if (order != np.arange(count)).any():
        name = graph.node("Gather", name, graph.constant(order), axis=1)
    return graph.node("Mul", name, graph.per_channel(signs, y.tensor)) if (signs < 0).any() else name
