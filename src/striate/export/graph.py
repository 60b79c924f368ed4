"""The nodes of an ONNX graph, and every layer of the notation as some of them."""

from collections.abc import Callable, Iterable, Iterator
from math import prod, sqrt
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from striate.errors import StriateError
from striate.export.passes import turned
from striate.network import blocks

FLOAT = 1  # ONNX's number for float32


class Value(NamedTuple):
    """A value of the graph: its name, and what torch has there for the pictures that go along."""

    name: str
    tensor: Tensor


class Node(NamedTuple):
    """One operation of ONNX, with one output."""

    kind: str
    inputs: tuple[str, ...]
    name: str
    attributes: dict[str, object]


class Graph:
    """Nodes in the order in which they run; constants that are alike are kept once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.made: dict[str, nn.Module] = {}  # by the name of a value: the layer that gives it
        self._constants: dict[tuple, tuple[str, np.ndarray]] = {}

    @property
    def constants(self) -> dict[str, np.ndarray]:
        """By name: float32, and int64 for sizes and places."""
        return dict(self._constants.values())

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: object) -> str:
        """Add a node of one output, whose name comes back."""
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(kind, inputs, name, attributes))
        return name

    def constant(self, values: np.ndarray | Tensor) -> str:
        array = np.ascontiguousarray(values.detach().cpu().numpy() if isinstance(values, Tensor) else values)
        key = array.shape, array.dtype.str, array.tobytes()
        return self._constants.setdefault(key, (f"constant_{len(self._constants)}", array))[0]

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def per_channel(self, values: np.ndarray | Tensor, like: Tensor) -> str:
        """A constant (C, 1, ...) that goes with maps (B, C, ...)."""
        return self.constant(values.reshape(-1, *[1] * (like.ndim - 2)))

    def turned(self, x: Value, element: tuple[int, int]) -> Value:
        """Mirrored or not along the last axis, then turned by so many quarters in the last two."""
        mirrored, quarters = element
        name, tensor = x
        axes = [*range(tensor.ndim - 2), tensor.ndim - 1, tensor.ndim - 2]
        if bool(mirrored) != (quarters in (1, 2)):  # of both, one would undo the other
            name = self._flipped(name, tensor.ndim - 1)
        if quarters in (1, 3):
            name = self.node("Transpose", name, perm=axes)
        if quarters in (2, 3):
            name = self._flipped(name, tensor.ndim - 1 - (quarters == 2))
        return Value(name, turned(tensor, element))

    def _flipped(self, name: str, axis: int) -> str:
        backwards = (np.array([number]) for number in (-1, np.iinfo(np.int64).min, axis, -1))
        return self.node("Slice", name, *map(self.constant, backwards))


def layers(graph: Graph, several: Iterable[nn.Module], x: Value) -> Value:
    """What layers one after the other make of a value."""
    for layer in several:
        write = next((write for kinds, write in _WRITERS if isinstance(layer, kinds)), None)
        if write is None:
            rule, remedy = "a graph can hold every layer of the notation", "use the model file"
            raise StriateError(rule, received=type(layer).__name__, remedy=remedy)
        name = write(graph, layer, x)
        if name != x.name:
            graph.made.setdefault(name, layer)  # the innermost, where several have it from one
        x = Value(name, layer(x.tensor))
    return x


def _inside(graph: Graph, layer: nn.Module, x: Value) -> Iterator[str]:
    """What each of the layers inside makes of the same value."""
    return (layers(graph, [part], x).name for part in layer.children())


def _skip(graph: Graph, layer: blocks.Skip, x: Value) -> str:
    inner = layers(graph, [layer.body], x)
    name, spatial = inner.name, x.tensor.shape[2:]
    if inner.tensor.shape[2:] != spatial:
        kept = graph.node("Gather", graph.node("Shape", name), graph.constant(np.array([0, 1])))
        sizes = graph.node("Concat", kept, graph.constant(np.array(spatial)), axis=0)
        how = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}
        name = graph.node("Resize", name, "", "", sizes, **how)
    return graph.node("Concat", x.name, name, axis=1)


def _conv(graph: Graph, layer: nn.Conv2d, x: Value) -> str:
    inputs = [graph.constant(one) for one in (layer.weight, layer.bias) if one is not None]
    more = {"dilations": list(layer.dilation), "group": layer.groups}
    return graph.node("Conv", x.name, *inputs, **_window(layer, x.tensor), **more)


def _avgpool(graph: Graph, layer: nn.AvgPool2d, x: Value) -> str:
    more = {"ceil_mode": int(layer.ceil_mode), "count_include_pad": int(layer.count_include_pad)}
    return graph.node("AveragePool", x.name, **_window(layer, x.tensor), **more)


def _window(layer: nn.Module, x: Tensor) -> dict[str, list[int]]:
    """The sizes of a window that slides, one per axis."""
    kernel, stride, padding = (
        np.broadcast_to(size, x.ndim - 2).tolist() for size in (layer.kernel_size, layer.stride, layer.padding)
    )
    return {"kernel_shape": kernel, "strides": stride, "pads": padding * 2}


def _pad(graph: Graph, layer: blocks.SamePad, x: Value) -> str:
    before, after = zip(*layer.amounts(tuple(x.tensor.shape[2:])), strict=True)
    pads = graph.constant(np.array([0, 0, *before, 0, 0, *after]))
    return graph.node("Pad", x.name, pads, graph.number(layer.value))


def _dense(graph: Graph, layer: nn.Linear, x: Value) -> str:
    inputs = [graph.constant(one) for one in (layer.weight, layer.bias) if one is not None]
    return graph.node("Gemm", x.name, *inputs, transB=1)


def _batchnorm(graph: Graph, layer: nn.BatchNorm2d, x: Value) -> str:
    figures = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
    return graph.node("BatchNormalization", x.name, *map(graph.constant, figures), epsilon=layer.eps)


def _groupnorm(graph: Graph, layer: nn.GroupNorm, x: Value) -> str:
    groups = graph.node("Reshape", x.name, graph.constant(np.array([0, layer.num_groups, -1])))
    plain = (graph.constant(np.full(layer.num_groups, value, np.float32)) for value in (1, 0))
    normed = graph.node("InstanceNormalization", groups, *plain, epsilon=layer.eps)
    back = graph.node("Reshape", normed, graph.constant(np.array([0, *x.tensor.shape[1:]])))
    scaled = graph.node("Mul", back, graph.per_channel(layer.weight, x.tensor))
    return graph.node("Add", scaled, graph.per_channel(layer.bias, x.tensor))


def _flatten(graph: Graph, layer: blocks.Flatten, x: Value) -> str:
    axes = [0, *range(2, x.tensor.ndim), 1]
    last = graph.node("Transpose", x.name, perm=axes) if x.tensor.ndim > 2 else x.name
    return graph.node("Reshape", last, graph.constant(np.array([0, prod(x.tensor.shape[1:])])))


def _global(kind: str) -> Callable:
    def write(graph: Graph, layer: nn.Module, x: Value) -> str:
        return graph.node(kind, x.name, axes=list(range(2, x.tensor.ndim)), keepdims=0)

    return write


def _gelu(graph: Graph, layer: nn.GELU, x: Value) -> str:
    share = graph.node("Erf", graph.node("Div", x.name, graph.number(sqrt(2))))
    return graph.node("Mul", x.name, graph.node("Mul", graph.node("Add", share, graph.number(1)), graph.number(0.5)))


def _plain(kind: str, **own: str) -> Callable:
    """A node with attributes of its own that are the layer's, by their names there."""

    def write(graph: Graph, layer: nn.Module, x: Value) -> str:
        return graph.node(kind, x.name, **{name: getattr(layer, field) for name, field in own.items()})

    return write


_WRITERS: list[tuple[type | tuple[type, ...], Callable[[Graph, nn.Module, Value], str]]] = [
    (nn.Sequential, lambda graph, layer, x: layers(graph, layer, x).name),
    (blocks.Residual, lambda graph, layer, x: graph.node("Add", *_inside(graph, layer, x))),
    (blocks.Skip, _skip),
    (blocks.Ensemble, lambda graph, layer, x: graph.node("Mean", *_inside(graph, layer, x))),
    (blocks.CONVOLUTIONS, _conv),
    (blocks.MAXPOOLS, lambda graph, layer, x: graph.node("MaxPool", x.name, **_window(layer, x.tensor))),
    (blocks.AVGPOOLS, _avgpool),
    (blocks.SamePad, _pad),
    (nn.Linear, _dense),
    (blocks.BATCHNORMS, _batchnorm),
    (nn.GroupNorm, _groupnorm),
    (blocks.Flatten, _flatten),
    (blocks.GlobalMaxPool, _global("ReduceMax")),
    (blocks.GlobalAvgPool, _global("ReduceMean")),
    (blocks.Scale, lambda graph, layer, x: graph.node("Mul", x.name, graph.number(layer.factor))),
    (blocks.Dropout, lambda graph, layer, x: x.name),
    (nn.ReLU, _plain("Relu")),
    (nn.LeakyReLU, _plain("LeakyRelu", alpha="negative_slope")),
    (nn.ELU, _plain("Elu", alpha="alpha")),
    (nn.SiLU, lambda graph, layer, x: graph.node("Mul", x.name, graph.node("Sigmoid", x.name))),
    (nn.GELU, _gelu),
    (nn.Tanh, _plain("Tanh")),
    (nn.Sigmoid, _plain("Sigmoid")),
    (nn.Softmax, _plain("Softmax", axis="dim")),
]
