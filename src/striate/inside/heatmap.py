"""Heatmaps: where on a picture the evidence for a score lies. Six methods, each with what it promises.

They work on any network and for any scalar of its output. What a map is worth is another question: see `trust`.
"""

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.draw import lines, maps, pixels
from striate.errors import StriateError, nearest, say
from striate.files import write_bytes
from striate.inside.axes import on_picture
from striate.inside.capture import Picture, capture
from striate.inside.field import Fields
from striate.inside.question import CHUNK, Baseline, Question, Score, ask, filled, gradient_of

Drawn = tuple[Tensor, dict[str, Any]]  # a map (*grid), and what else of a Heatmap the method knows

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
PLACES = 256  # about so many windows are covered, one after the other
GAP = 0.05  # of the difference to be explained; a larger gap is said


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heatmap:
    """Where the evidence for a score lies, and all that is needed to read the map.

    map: (*grid) float32, on the layer's grid (gradcam, hirescam, layercam) or the picture's. Not scaled: the unit
        is the score's own. on_picture: the same at the size of `picture` (C, *spatial), by linear interpolation.
    method, layer: names; layer is "" where the method looks at the whole network.
    target: the scalar that is explained, in words. score: its value for this picture.
    maximum, total: of `map`. signed: whether values below 0 (evidence against) can occur.
    gap: what integrated gradients adds up to, minus the difference of scores that it should; else None.
    baseline: what stands in for "no picture", in words; "" where the method needs none.
    warning: what a reader must know before believing the map; "" if nothing.
    request: the arguments of `heatmap` that make the same map of another network.
    drawn: uint8 (H, W, 3), the map on the picture as a model was given it; None: `save` draws it on `picture`.
    """

    map: np.ndarray = field(repr=False)
    on_picture: np.ndarray = field(repr=False)
    picture: np.ndarray = field(repr=False)
    method: str
    layer: str = ""
    target: str
    score: float
    maximum: float
    total: float
    signed: bool = True
    gap: float | None = None
    baseline: str = ""
    warning: str = ""
    request: dict[str, object] = field(default_factory=dict, repr=False)
    drawn: np.ndarray | None = field(default=None, repr=False)

    @property
    def said(self) -> str:
        """What is explained, by which method at which layer, in which numbers, and what speaks against it."""
        how = METHODS[self.method].label + (f" at {self.layer}" if self.layer else "")
        strongest = max(float(self.map.max()), float(self.map.min()), key=abs)
        numbers = f"strongest {say(strongest)}, in all {say(self.total)}"
        return f"Evidence for {self.target} (score {say(self.score)}), by {how}: {numbers}. {self.warning}".strip()

    def save(self, path: str | Path, verdict: str = "") -> None:
        """Write the map on its picture as a PNG file, with its legend, what it explains, and the verdict on it."""
        seen, frame = self._seen(), tuple(side // 2 for side in self.map.shape[:-2])
        heat = enlarge(self.map[frame], seen.shape[:2]) if self.map.ndim > 1 else self.on_picture
        write_bytes(Path(path), maps.heat_sheet(seen, heat, f"{self.said} {verdict}", signed=self.signed))

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the map on its picture, evidence for it orange and against it blue."""
        return pixels.picture_png(self._seen(), 256)

    def _seen(self) -> np.ndarray:
        """The map on its picture, uint8 (H, W, 3); of a block of frames its middle one."""
        if self.drawn is not None:
            return self.drawn
        if self.map.ndim == 1:
            return lines.lines(self.picture.T, self.on_picture)
        frame = tuple(side // 2 for side in self.on_picture.shape[:-2])
        picture = pixels.visible(self.picture[slice(None), *frame].transpose(1, 2, 0))
        return maps.overlay(picture, self.on_picture[frame], signed=self.signed)


def heatmap(
    network: nn.Module,
    picture: Picture,
    method: str = "hirescam",
    *,
    layer: int | str | None = None,
    score: Score | None = None,
    versus: Score | None = None,
    baseline: Baseline | None = None,
    **settings: object,
) -> Heatmap:
    """The heatmap of one picture (C, *spatial), prepared as the network takes it; one to three spatial axes.

    method: a key of METHODS. layer: name or index for the class activation maps; by default the last that has more than
        one place and feeds the score, of an ensemble that of all members. score: a class (index of the output; the
        highest by default), or a function from one picture's output to one number. versus: the difference to this.
    A closing Softmax or Sigmoid module is left out, so that the score is a logit.
    baseline: of occlusion and integrated_gradients: a number (0), "mean" (of each channel) or a picture.
    settings: window, stride (pixels, also per axis) or places (how many) of occlusion; steps of integrated_gradients.
    The network is left as found: modes, hooks, weights, gradients and random state.
    """
    given = _given(method, {"layer": layer, "baseline": baseline, **settings})
    with ask(network, picture, score, versus) as question:
        drawn, facts = METHODS[method].draw(question, **given)
        value = float(question.scores(question.picture)[0])
    values = drawn.detach().double().cpu()
    given |= {"layer": facts["layer"]} if "layer" in facts else {}
    facts |= {"maximum": float(values.max()), "total": float(values.sum())}
    warnings = [METHODS[method].warning, facts.pop("warning", ""), _poverty(values)]
    return Heatmap(
        map=values.float().numpy(),
        on_picture=enlarge(values.numpy(), question.picture.shape[2:]),
        picture=question.picture[0].detach().float().cpu().numpy(),
        method=method,
        target=question.words(),
        score=value,
        warning=" ".join(warning for warning in warnings if warning),
        request={**given, "method": method, "score": question.score, "versus": versus},
        **facts,
    )


def _given(method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that are not None; an error if the method does not know one."""
    if method not in METHODS:
        raise StriateError("a heatmap is made by one of the methods", received=method, remedy=nearest(method, METHODS))
    known = list(inspect.signature(METHODS[method].draw).parameters)[1:]
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if name not in known:
            rule = f"{method} takes {', '.join(known) or 'no settings'}"
            raise StriateError(rule, received=name, remedy="leave it out")
    return given


def enlarge(map: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A map (*grid) at another size, float32, by linear interpolation between the middles of its cells."""
    values = torch.from_numpy(np.ascontiguousarray(map, np.float32))[None, None]
    return F.interpolate(values, tuple(size), mode=LINEAR[map.ndim], align_corners=False)[0, 0].numpy()


def _poverty(values: Tensor) -> str:
    if not values.isfinite().all():
        return "The map holds values that are no finite numbers."
    if not values.any():
        return "The map is zero everywhere: there is nothing to see in it."
    return "" if values.max() > 0 else "No place speaks for the target: cut at zero, the map would be empty."


Explained = tuple[Tensor, Tensor]  # a layer's values (C, *grid), and the gradient of the score by them


def _layers(question: Question, layer: int | str | None) -> tuple[list[Explained], str]:
    """The layer with its gradient, and its name; of an ensemble the same layer of every member, with * for a member."""
    recording = capture(question.network, question.picture, gradients=True)
    score, names = question.of(recording.output[None])[0], [item.name for item in recording.layers]
    fields = Fields(recording)
    lies, answers = on_picture(fields), _answers(fields)
    maps = [i for i, values in enumerate(recording.values) if lies[i] and values[0].numel() > 1]

    def explained(index: int) -> Explained | None:
        gradient = gradient_of(score, recording.values[index]) if index in maps else None
        return None if gradient is None else (recording.values[index], gradient)

    wanted = _named(names, layer)
    if layer is None:
        order = sorted(maps, key=lambda index: (index in answers, -index))  # the answer itself only if need be
        last = next((index for index in order if index < len(names) - 1 and explained(index)), None)
        wanted = [] if last is None else _named(names, _MEMBER.sub(r"\1*.", names[last]))
    found = [one for one in map(explained, wanted) if one]
    if found and len(found) == len(wanted):
        return found, names[wanted[0]] if len(wanted) == 1 else _MEMBER.sub(r"\1*.", names[wanted[0]])
    rule = (
        "a class activation map needs a layer whose feature maps have more than one place, lie as the picture does and "
        "lead to the score"
    )
    remedy = f"choose one of {', '.join(names[i] for i in maps)}" if maps else "try occlusion"
    raise StriateError(rule, received=layer, where="layer", remedy=remedy)


def _answers(fields: Fields) -> set[int]:
    """The last layer, and those from which only steps place by place lead to it: they hold the answer itself."""
    layers, found = fields.recording.layers, {len(fields.recording.layers) - 1}
    for layer in layers[-2::-1]:
        readers = [each.index for each in layers if layer.index in each.inputs]
        if readers and all(reader in found and fields.keeps_places(reader) for reader in readers):
            found.add(layer.index)
    return found


_MEMBER = re.compile(r"^(ensemble\d+\.)(?:\d+|\*)\.")


def _named(names: list[str], layer: int | str | None) -> list[int]:
    """Which layers are meant: those of all members where the member is a *."""
    every = [i for i, name in enumerate(names) if "*" in str(layer) and _MEMBER.sub(r"\1*.", name) == layer]
    if every or layer is None:
        return every
    if layer in names:
        return [names.index(layer)]
    if isinstance(layer, int) and 0 <= layer < len(names):
        return [layer]
    rule = f"a layer is a name, or a number from 0 to {len(names) - 1}"
    raise StriateError(rule, received=layer, where="layer", remedy=nearest(str(layer), names))


def _cam(weigh: Callable[[Tensor, Tensor], Tensor], **facts: object) -> Callable[..., Drawn]:
    """Draws a class activation map: what `weigh` makes of a layer's values and their gradient (C, *grid)."""

    def draw(question: Question, layer: int | str | None = None) -> Drawn:
        found, name = _layers(question, layer)
        return sum(weigh(values, gradient) for values, gradient in found), {"layer": name, **facts}

    return draw


def _mean(gradient: Tensor) -> Tensor:
    return gradient.mean(tuple(range(1, gradient.ndim)), keepdim=True)


def _gradient(question: Question) -> Drawn:
    return question.gradients(question.picture)[0].abs().amax(0), {"signed": False}


def _integrated_gradients(question: Question, baseline: Baseline | None = None, steps: int = 50) -> Drawn:
    if steps < 1:
        raise StriateError("integrated gradients take one step at least", received=steps, where="steps")
    start, words = filled(question.picture, baseline)
    way = question.picture - start
    points, weights = (torch.from_numpy(values / 2).to(way) for values in np.polynomial.legendre.leggauss(steps))
    column = (-1, *[1] * (way.ndim - 1))
    gradients = question.gradients(start + (points + 0.5).reshape(column) * way)
    drawn = ((weights.reshape(column) * gradients).sum(0).double() * way[0]).sum(0)
    after, before = question.scores(torch.cat([question.picture, start])).tolist()
    gap = float(drawn.sum()) - (after - before)
    warning = f"It adds up to {after - before + gap:.4g} instead of {after - before:.4g}; more steps would help."
    is_wide = abs(gap) > GAP * abs(after - before) + 1e-4
    return drawn, {"baseline": words, "gap": gap, "warning": warning if is_wide else ""}


def _occlusion(
    question: Question,
    baseline: Baseline | None = None,
    window: int | tuple[int, ...] | None = None,
    stride: int | tuple[int, ...] | None = None,
    places: int = PLACES,
) -> Drawn:
    fill, words = filled(question.picture, baseline)
    sides = tuple(question.picture.shape[2:])
    if places < 1:
        raise StriateError("occlusion covers one place at least", received=places, where="places")
    usual = tuple(math.ceil(side / round(places ** (1 / len(sides)))) for side in sides)
    strides = _per_axis(stride, usual if window is None else _per_axis(window, sides))
    windows = _per_axis(window, tuple(min(2 * step, side) for step, side in zip(strides, sides, strict=False)))
    given = list(zip(sides, windows, strides, strict=False))
    fits = len(windows) == len(strides) == len(sides)
    if not fits or not all(0 < step <= width <= side for side, width, step in given):
        rule = "an occluding window fits into the picture, and its stride leaves no gaps"
        raise StriateError(rule, received=f"window {windows}, stride {strides} on {sides}")
    lines = [_line(*each).to(fill.device) for each in given]
    whole = question.scores(question.picture)
    drop = torch.zeros(sides, dtype=torch.float64, device=fill.device)
    every_place = np.indices([len(line) for line in lines]).reshape(len(lines), -1)
    for start in range(0, every_place.shape[1], count := max(1, CHUNK // fill.numel())):
        places = every_place[:, start : start + count]
        some = reduce(_crossed, (line[at] for line, at in zip(lines, places, strict=True)))
        without = question.scores(torch.where(some[:, None], fill, question.picture))
        drop += torch.tensordot(whole - without, some.double(), 1)
    covered = reduce(_crossed, (line.sum(0)[None] for line in lines))[0]
    return drop / covered, {"baseline": words}


def _line(side: int, window: int, stride: int) -> Tensor:
    """(places, side) bool: what the window covers of one axis at each of its places; the last ones may be cut off."""
    first, at = torch.arange(0, side - window + stride, stride)[:, None], torch.arange(side)
    return (at >= first) & (at < first + window)


def _crossed(some: Tensor, line: Tensor) -> Tensor:
    """(N, *sides, side) from (N, *sides) and (N, side), each with each."""
    return some[..., None] * line.reshape(len(line), *[1] * (some.ndim - 1), -1)


def _per_axis(value: int | tuple[int, ...] | None, usual: tuple[int, ...]) -> tuple[int, ...]:
    return usual if value is None else (value,) * len(usual) if isinstance(value, int) else tuple(value)


@dataclass(frozen=True)
class Method:
    """label: as its authors write it. note: what it does and whose it is. warning: what always holds against it."""

    draw: Callable[..., Drawn] = field(repr=False)
    label: str
    note: str
    warning: str = ""


METHODS = {
    "hirescam": Method(
        _cam(lambda values, gradient: (gradient.double() * values).sum(0)),
        "HiResCAM",
        "Feature maps times gradient, place by place, summed over channels (Draelos & Carin 2020). With one dense "
        "layer after it, the map and the bias add up to the score.",
    ),
    "gradcam": Method(
        _cam(lambda values, gradient: (_mean(gradient).double() * values).sum(0)),
        "Grad-CAM",
        "Feature maps, each times its mean gradient, summed (Selvaraju et al. 2017). The mean can light up places that "
        "were not used.",
    ),
    "occlusion": Method(
        _occlusion,
        "Occlusion",
        "How far the score falls when a window is covered there (Zeiler & Fergus 2014). Depends on window and fill; "
        "misses evidence that is there twice.",
    ),
    "integrated_gradients": Method(
        _integrated_gradients,
        "Integrated gradients",
        "Pixels times their mean gradient on the way from the baseline (Sundararajan et al. 2017). Adds up to the "
        "difference of the two scores; depends on the baseline.",
    ),
    "layercam": Method(
        _cam(lambda values, gradient: (gradient.clamp(min=0).double() * values).sum(0).clamp(min=0), signed=False),
        "LayerCAM",
        "Feature maps times positive gradient, place by place (Jiang et al. 2021). Finer in early layers.",
        "LayerCAM hardly changes when the last layer's weights are drawn anew: it shows what a layer responds to more "
        "than why.",
    ),
    "gradient": Method(
        _gradient,
        "Gradient",
        "How strongly the score reacts to each pixel, without sign (Simonyan et al. 2014). Sensitivity, not evidence.",
    ),
}
