"""One forward pass, recorded: every operation that a network runs, with its numbers.

Hooks on modules alone would miss what networks do in between (F.relu, x + y, torch.cat), and a function mode
alone would not know where in the network it is; so both are used. Nothing of the network is changed.
"""

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from threading import get_ident
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from striate.device import evaluated, exact_products, seeded
from striate.errors import StriateError
from striate.inside import operations
from striate.inside.operations import LAST, MOVES, SILENT, Call, Source, changed, every

Picture = Tensor | np.ndarray
PICTURE = -1  # the index under which layers name the picture as their input


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One operation of the forward pass.

    index: its place in the order of execution. name: unique; the module's path where that module ran just this
    operation ("features.0"), else path and operation ("layer1.0.add"); a second call gets ":2".
    kind: the operation in one word. module: the class of the module that is this layer, or "".
    input_shape, output_shape: without the batch axis. inputs: indices of the layers it reads, -1 for the picture.
    parameters: how many weights and biases it uses. facts: kernel, stride, padding ... as far as it has them, and
    under "field" whether its possible receptive field is "exact" or an "upper bound".
    arithmetic: whether each of its numbers can be explained.
    """

    index: int
    name: str
    kind: str
    module: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    inputs: tuple[int, ...]
    parameters: int
    facts: dict[str, Any]
    arithmetic: bool


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A forward pass of one picture. Weights are not copied: change them, and the ledgers disagree.

    values: per layer its output without the batch axis. output: the (first) tensor that the network returned.
    With gradients, `torch.autograd.grad(f(output), values[i])` is the gradient at layer i.
    """

    layers: tuple[Layer, ...]
    values: list[Tensor]
    arguments: list[Call]
    picture: Tensor
    output: Tensor


def capture(network: nn.Module, picture: Picture, *, gradients: bool = False) -> Recording:
    """Run one picture through any network in eval mode and float32, and record every operation.

    picture: (C, L), (C, H, W) or (C, D, H, W), or the same with a batch axis of 1. A network in another
    precision is run with float32 copies of its weights. Mode, hooks, weights, buffers, gradients and random
    state are left as they were, also when the network raises.
    """
    picture = picture if isinstance(picture, Tensor) else torch.from_numpy(np.array(picture, np.float32))
    known = in_float32(network)
    device = next(iter(known.values()), picture).device
    with at_rest(network, device, gradients):
        start = _without_batch(network, picture.detach()).to(device, torch.float32, copy=True)
        start.requires_grad_(gradients)  # a leaf: gradients may be asked for it too
        recorder = _Recorder(network, known, gradients)
        flow = recorder.tag(start.unsqueeze(0).clone(), PICTURE)
        try:
            with recorder.watching(network), recorder:
                result = torch.func.functional_call(network, known, (flow,))
        except (RuntimeError, ValueError, IndexError, TypeError, AssertionError) as error:
            rule = "a network must run on the picture it is given"
            raise StriateError(rule, received=f"{tuple(start.shape)}: {error}", where=type(network).__name__) from error
        output = next((t for t in every(Tensor, result) if t.is_floating_point()), None)
        if output is None or not recorder.entries:
            raise StriateError("a network returns a tensor that it made from the picture", received=type(result))
        return recorder.recording(start, output[0] if output.ndim and len(output) == 1 else output)


@contextlib.contextmanager
def at_rest(network: nn.Module, device: torch.device, gradients: bool = True) -> Iterator[None]:
    """Inside, the network is in eval mode and works in float32 with fixed chance; afterwards it is as it was found."""
    with (
        torch.inference_mode(False),
        torch.set_grad_enabled(gradients),
        torch.autocast(device.type, enabled=False),
        seeded(0),
        exact_products(),
        evaluated(network),
    ):
        yield


def in_float32(network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers to run a network with; buffers are copies, as a pass may change them."""
    known = {name: p.detach() for name, p in network.named_parameters()}
    known |= {name: b.detach().clone() for name, b in network.named_buffers()}
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in known.items()}


@dataclass(slots=True, eq=False)
class _Frame:
    """A running call of a module, and the operations seen in it so far."""

    path: str
    module: nn.Module | None
    entries: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    kind: str
    frame: _Frame
    value: Tensor
    call: Call
    sources: tuple[Source, ...]
    parameters: int
    loose: bool


class _Recorder(TorchFunctionMode):
    """Sees every function of torch that is called inside, and tags the tensors that flow with their layer."""

    def __init__(self, network: nn.Module, known: dict[str, Tensor], gradients: bool) -> None:
        super().__init__()
        self.gradients, self.entries, self.frames, self.thread = gradients, [], [_Frame("", None)], get_ident()
        self.loose = False  # whether a number from the picture has left torch, and may come back anywhere
        # With gradients a copy of a view flows on, so a change in place no longer reaches the layer it is a view of.
        self.views: dict[int, int] = {}
        self.stale: set[int] = set()
        self.token = object()  # marks our tags: a tensor that a module keeps may carry one of an earlier pass
        self.sizes = {id(known[name]): known[name].numel() for name, _ in network.named_parameters()}
        plain = (v for module in network.modules() for v in vars(module).values() if isinstance(v, Tensor))
        self.constants = {id(tensor): tensor for tensor in (*known.values(), *plain)}

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if not operations.gives_tensors(func):
            return func(*args, **kwargs)
        kind, read_args, read_kwargs = operations.kind_of(func), changed(args, self._read), changed(kwargs, self._read)
        settings, seen = operations.bind(kind, read_args, read_kwargs), tuple(every(Source, (read_args, read_kwargs)))
        call = Call(func, read_args, read_kwargs, settings)
        target = args[0] if operations.in_place(func, args, settings, kwargs) else None
        if target is not None and seen and kind not in SILENT:
            before, after = getattr(self._read(target), "layer", None), target.clone()
            result = func(after, *args[1:], **kwargs)
            self._record(kind, after, call, seen, target)
            self._overwritten(before)
            return target if result is after else result
        result = func(*args, **kwargs)
        if not seen or kind in operations.FRESH:
            for tensor in every(Tensor, (target, result)):
                self.tag(tensor, None)
            return result
        if kind in SILENT and isinstance(result, Tensor) and not operations.draws(kind, args, kwargs):
            before = args[0] if args else kwargs["input"]
            if result.dtype == before.dtype:
                return self.tag(result, seen[0].layer)
        self.loose |= kind in operations.LEAVING and not any(True for _ in every(Tensor, result))
        numbers = itertools.count()
        return changed(result, lambda t: self._record(kind, t, replace(call, result=next(numbers)), seen))

    def tag(self, tensor: Tensor, layer: int | None) -> Tensor:
        """Remember on the tensor itself which layer it shows (None: it does not depend on the picture)."""
        if id(tensor) not in self.constants:
            tensor._striate = (self.token, layer, tensor._version)
        return tensor

    def _seen(self, tensor: Tensor) -> bool:
        return getattr(tensor, "_striate", (None,))[0] is self.token or id(tensor) in self.constants

    def _read(self, tensor: Tensor) -> Tensor | Source:
        """The `Source` of a tensor that flows; a constant stays as it is."""
        if not self._seen(tensor):
            layer = self._unknown("unseen", tensor)
        elif id(tensor) in self.constants:
            return tensor
        else:
            _, layer, version = tensor._striate
            if version != tensor._version and not self._is_as_stored(layer, tensor):
                layer = self._unknown("changed", tensor)  # behind our back, e.g. through a view of it
            if layer in self.stale:
                rule = "gradients need a network that does not change parts of its maps in place"
                raise StriateError(rule, received=self.entries[layer].kind, where=self.frames[-1].path)
        last = tensor.ndim in LAST and tensor.is_contiguous(memory_format=LAST[tensor.ndim])
        return tensor if layer is None else Source(layer, tuple(tensor.shape), last)

    def _overwritten(self, layer: int | None) -> None:
        """A layer was changed in place, and is now the latest one."""
        if layer in self.views:
            self.views[len(self.entries) - 1] = self.views[layer]
            self.stale.add(self.views[layer])
        self.stale.update(view for view, base in self.views.items() if base == layer)

    def _is_as_stored(self, layer: int | None, tensor: Tensor) -> bool:
        """Whether a tensor of which some part may have been changed still holds what the layer gave."""
        return layer not in {None, PICTURE} and torch.equal(self.entries[layer].value.reshape(tensor.shape), tensor)

    def _unknown(self, kind: str, tensor: Tensor) -> int:
        """A layer for a tensor whose origin was not seen; it may depend on everything so far."""
        self._record(kind, tensor.detach().clone(), Call(), (self._latest(),))
        self.tag(tensor, len(self.entries) - 1)
        return len(self.entries) - 1

    def _latest(self) -> Source:
        return Source(len(self.entries) - 1, (1, *self.entries[-1].value.shape) if self.entries else ())

    def _record(
        self, kind: str, value: Tensor, call: Call, seen: tuple[Source, ...], target: Tensor | None = None
    ) -> Tensor:
        """Store `value` as a layer; return what flows on: `target`, if the operation changed that in place."""
        stored = value[0] if value.ndim and len(value) == 1 else value
        if target is not None:
            flow = target.copy_(stored)
        elif self.gradients:  # the stored tensor lies on the way, and a copy of it goes on
            if kind in MOVES and value._is_view():
                self.views[len(self.entries)] = self.views.get(seen[0].layer, seen[0].layer)
            # In the layout of `value`: with another one the backward of batchnorm mistakes places (channels-last).
            flow = torch.empty_like(value).copy_(stored)
        else:
            flow, stored = value, stored.clone()
        call = replace(call, shape=tuple(value.shape))
        used = {id(tensor) for tensor in every(Tensor, (call.args, call.kwargs))}
        for frame in self.frames:
            frame.entries.append(len(self.entries))
        parameters = sum(self.sizes.get(key, 0) for key in used)
        self.entries.append(_Entry(kind, self.frames[-1], stored, call, seen, parameters, self.loose))
        return self.tag(flow, len(self.entries) - 1)

    @contextlib.contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Inside, the modules of the network tell when they start and end, in this thread: others may use them too."""
        with contextlib.ExitStack() as stack:
            for path, module in network.named_modules():
                stack.callback(module.register_forward_pre_hook(partial(self._enter, path), prepend=True).remove)
                stack.callback(module.register_forward_hook(self._leave).remove)
            yield

    def _enter(self, path: str, module: nn.Module, args: tuple) -> None:
        self.frames += [_Frame(path, module)] * (get_ident() == self.thread)

    def _leave(self, module: nn.Module, args: tuple, output: Any) -> Any:
        """A module ends. One that changed no number (flatten, dropout), or worked unseen, becomes a layer here."""
        if get_ident() != self.thread:
            return output
        frame = self.frames[-1]
        with torch._C.DisableTorchFunction():
            if not isinstance(output, Tensor):
                pass
            elif not self._seen(output):
                output = self._record(type(module).__name__, output, Call(), (self._latest(),))
            elif len(args) == 1 and not list(module.children()) and not isinstance(module, nn.Sequential):
                output = self._moved(frame, module, args[0], output)
        self.frames.pop()
        return output

    def _moved(self, frame: _Frame, module: nn.Module, start: Any, output: Tensor) -> Tensor:
        """One layer for a module that only moved numbers, in place of its steps; `output` if it did more."""
        steps = [self.entries[index] for index in frame.entries]
        if any(step.kind not in MOVES for step in steps) or not isinstance(start, Tensor):
            return output
        before, after = self._read(start), self._read(output)
        latest = frame.entries[-1] if steps else getattr(before, "layer", None)
        one = len(steps) == 1 and steps[0].call.shape == output.shape
        if one or not isinstance(before, Source) or not isinstance(after, Source) or after.layer != latest:
            return output
        for outer in self.frames:
            del outer.entries[len(outer.entries) - len(steps) :]
        del self.entries[len(self.entries) - len(steps) :]
        self.views = {view: base for view, base in self.views.items() if view < len(self.entries)}
        kind = "rearrange" if steps else "identity" if start.shape == output.shape else "reshape"
        call = Call(partial(operations.in_eval, module), (before,), {}, {"input": before})
        return self._record(kind, output.view_as(output), call, (before,))

    def recording(self, picture: Tensor, output: Tensor) -> Recording:
        """Everything seen, as plain records."""
        layers: list[Layer] = []
        for index, (entry, name) in enumerate(zip(self.entries, _names(self.entries), strict=True)):
            known = not operations.unknown(entry.kind, entry.call)
            inputs = tuple(dict.fromkeys(source.layer for source in entry.sources))
            unsure = not known or entry.loose or any(layers[i].facts["field"] != "exact" for i in inputs if i >= 0)
            shape = entry.sources[0].shape
            layers.append(
                Layer(
                    index=index,
                    name=name,
                    kind=entry.kind,
                    module=_class_name(entry.frame),
                    input_shape=shape[1:] if shape[:1] == (1,) else shape,
                    output_shape=tuple(entry.value.shape),
                    inputs=inputs,
                    parameters=entry.parameters,
                    facts=operations.facts(entry.call.settings or {}) | {"field": "upper bound" if unsure else "exact"},
                    arithmetic=known,
                )
            )
        values, calls = zip(*((entry.value, entry.call) for entry in self.entries), strict=True)
        return Recording(tuple(layers), list(values), list(calls), picture, output)


def _names(entries: list[_Entry]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for entry in entries:
        path, alone = entry.frame.path, len(entry.frame.entries) == 1
        name = path if path and alone else f"{path}.{entry.kind}".lstrip(".")
        name += f"[{entry.call.result}]" if entry.call.result else ""
        counts[name] += 1
        yield name if counts[name] == 1 else f"{name}:{counts[name]}"


def _class_name(frame: _Frame) -> str:
    if frame.module is None or (len(frame.entries) > 1 and list(frame.module.children())):
        return ""
    return type(frame.module).__name__


def _without_batch(network: nn.Module, picture: Tensor) -> Tensor:
    """The picture without its batch axis, told from the number of axes that its layers slide along."""
    sized = (_SIZED.fullmatch(type(module).__name__) for module in network.modules())
    axes = max((int(match[1]) for match in sized if match), default=0)
    if picture.ndim < 2 or not picture.is_floating_point():
        raise StriateError("a picture is a tensor of numbers", received=f"{tuple(picture.shape)} of {picture.dtype}")
    batched = picture.ndim == axes + 2 if axes else picture.ndim in {4, 5} and len(picture) == 1
    if batched and len(picture) != 1:
        rule = "one picture is traced at a time"
        raise StriateError(rule, received=f"{len(picture)} pictures", remedy="give pictures[0]")
    return picture[0] if batched else picture


_SIZED = re.compile(r"(?!.*Norm1d)\w*([123])d")  # BatchNorm1d takes vectors too
