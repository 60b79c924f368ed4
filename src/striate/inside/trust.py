"""What a heatmap is worth: the same picture asked again of a network that knows nothing, and of the network without
the pixels that the map names. A map that fails here explains nothing; one that passes is not thereby proved right.
"""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from striate.device import seeded
from striate.errors import StriateError
from striate.inside.heatmap import Heatmap, enlarge, heatmap
from striate.inside.question import Question, Score, ask, filled
from striate.statistics import ranks

SHARES = np.linspace(0, 1, 11)  # of the pixels taken away or given back
RANDOMS = 4  # random maps that stand beside the map, and their opposites, which cost nothing more
TWINS = 3  # networks with random weights; for a map of more than LARGE places one will do, as it has many ranks
LARGE = 256
CELLS = 64  # of pictures and maps looked at coarsely
LIKE = 0.8  # rank correlation from which two maps count as the same

Map = np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trust:
    """The evidence beside a heatmap.

    twin: (*grid) the same method on the network with random weights; None for a map that cannot be drawn again.
    correlation: Spearman's, of map and twin, mean over several twins; near 1 = the map ignores the weights. NaN where
        one of them is even. edges: the same with the picture's Sobel edges, both averaged over about 64 cells.
    deletion, insertion: the score with a share of the pixels (`shares`) taken away or given back, highest first, as
        {"map", "random", "edges"}; random is the mean over several random maps of the same grid.
    areas: under these curves, {"deletion": {"map": ...}, "insertion": ...}: deletion should be low, insertion high.
    agreement: Spearman's with the map of another method (`other`), at the picture's size.
    fill: what stands in for pixels taken away. failed: the map explains nothing, as it ignores what was learned or is
        even. verdict: one sentence. warnings: all that speaks against the map.
    """

    twin: Map | None
    correlation: float
    edges: float
    shares: Map
    deletion: dict[str, Map]
    insertion: dict[str, Map]
    areas: dict[str, dict[str, float]]
    agreement: float
    other: str
    fill: str
    failed: bool = False
    verdict: str = ""
    warnings: tuple[str, ...] = ()


def trust(network: nn.Module, picture: Tensor, heat: Heatmap, *, seed: int = 0) -> Trust:
    """The evidence beside a heatmap of this network and picture; the network is left as found."""

    def redraw(other: nn.Module) -> Map:
        return heatmap(other, picture, **heat.request).map

    asked = {name: heat.request[name] for name in ("score", "versus")}
    other = "hirescam" if heat.method == "occlusion" else "occlusion"
    found = judge(network, picture, heat.map, redraw, **asked, other=other, seed=seed, target=heat.target)
    return replace(found, warnings=(*found.warnings, *([heat.warning] if heat.warning else [])))


def judge(
    network: nn.Module,
    picture: Tensor,
    map: Map,
    redraw: Callable[[nn.Module], Map] | None = None,
    *,
    score: Score = 0,
    versus: Score | None = None,
    other: str = "occlusion",
    seed: int = 0,
    target: str = "",
) -> Trust:
    """The evidence beside any map (*grid) that is said to explain a score, wherever it comes from.

    redraw: makes the map of another network; without it nobody can tell whether the map depends on the weights.
    other: the method that the map is compared with; integrated gradients where a network has no maps for it.
    target: the score in words, for the verdict.
    """
    map = np.asarray(map, np.float64)
    with ask(network, picture, score, versus) as question:
        fill, words = filled(question.picture, "mean")
        rivals = _rivals(question.picture, map, seed)
        curves = _curves(question, fill, rivals, seed)
    count = 0 if redraw is None else TWINS if map.size <= LARGE else 1
    twins = [redraw(randomised(network, question.picture, seed + number)) for number in range(count)]
    second = _beside(network, picture, other, score=score, versus=versus)
    areas = (curves[..., 1:] + curves[..., :-1]).mean(-1) / 2  # by trapezoids: the mean score
    found = Trust(
        twin=twins[0] if twins else None,
        correlation=_mean([rank_correlation(map, twin) for twin in twins]),
        edges=rank_correlation(_coarse(rivals[0]), _coarse(rivals[1])),
        shares=SHARES,
        deletion=_named(curves[:, 0]),
        insertion=_named(curves[:, 1]),
        areas={"deletion": _named(areas[:, 0]), "insertion": _named(areas[:, 1])},
        agreement=rank_correlation(rivals[0], second.on_picture),
        other=second.method,
        fill=words,
    )
    return _with_verdict(found, rivals[0], areas[:, 1] - areas[:, 0], target or question.words())


def _beside(network: nn.Module, picture: Tensor, other: str, **asked: Any) -> Heatmap:
    """The map of another method; where no layer has maps for HiResCAM, that of integrated gradients."""
    try:
        return heatmap(network, picture, other, **asked, **({"places": CELLS} if other == "occlusion" else {}))
    except StriateError:
        if other != "hirescam":
            raise
        return heatmap(network, picture, "integrated_gradients", **asked)


def _rivals(picture: Tensor, map: Map, seed: int) -> list[Map]:
    """At the picture's size: the map, the edges of the picture made grey, and random maps of the map's grid."""
    size, random = tuple(picture.shape[2:]), np.random.default_rng(seed)
    if map.ndim != len(size):
        raise StriateError("a map has one axis per axis of the picture", received=f"{map.shape} for {size}")
    edges = sobel(picture[0].mean(0).double().cpu().numpy())
    return [enlarge(each, size) for each in (map, edges, *(random.random(map.shape) for _ in range(RANDOMS)))]


def _with_verdict(found: Trust, map: Map, gains: Map, target: str) -> Trust:
    faults, doubts = _weighed(found, map, gains)
    verdict = (
        f"Shows where evidence for {target} came from: the map changes with the weights, and its insertion less its "
        "deletion beats random maps and an edge filter; it is no proof that the network reasons as you do."
    )
    if faults:
        verdict = f"This does not explain {target}: the map {faults[0]}."
    elif doubts:
        verdict = f"Weak evidence for what speaks for {target}: the map {', and '.join(doubts)}."
    warnings = tuple(f"The map {text}." for text in (*faults, *doubts))
    return replace(found, failed=bool(faults), verdict=verdict, warnings=warnings)


def _weighed(found: Trust, map: Map, gains: Map) -> tuple[list[str], list[str]]:
    """What refutes a map, and what only weakens it. gains: insertion minus deletion area of map, edges and randoms."""
    if not _ranks(map).any():
        return ["is the same everywhere, or not finite"], []
    faults, doubts = [], []
    if found.correlation > LIKE:
        faults.append(
            f"does not depend on the weights: random ones give the same (rank correlation {found.correlation:.2f})"
        )
    elif np.isnan(found.correlation) and found.edges > LIKE:
        faults.append(f"is an edge filter's, whatever the network has learned (rank correlation {found.edges:.2f})")
    elif np.isnan(found.correlation):
        doubts.append("was not compared with that of random weights, so it may not depend on what was learned")
    better = int((gains[2:] >= gains[0]).sum())
    if better:
        doubts.append(f"is no better than chance: {better} of {2 * RANDOMS} random maps do as well")
    if gains[1] >= gains[0]:
        doubts.append("is no better than an edge filter, which never sees the network")
    return faults, doubts


def rank_correlation(first: Map, second: Map) -> float:
    """Spearman's, -1 to 1, of two maps of the same shape; equal values share their mean rank. NaN if one is even."""
    a, b = (rank - rank.mean() for rank in map(_ranks, (first, second)))
    length = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / length) if length else float("nan")


def _ranks(map: Map) -> Map:
    """Of all values of a map, in a row; zeros for one that is even, or not finite."""
    values = np.asarray(map, np.float64).ravel()
    is_even = not np.isfinite(values).all() or np.ptp(values) <= 1e-6 * np.abs(values).max()
    return np.zeros(len(values)) if is_even else ranks(values)


def sobel(grey: Map) -> Map:
    """How steep a picture (*spatial) is at each place, in any direction: an edge filter that knows no network."""
    from scipy import ndimage

    return ndimage.generic_gradient_magnitude(grey, ndimage.sobel, mode="mirror")


@torch.inference_mode(False)
@torch.no_grad()
def randomised(network: nn.Module, picture: Tensor, seed: int) -> nn.Module:
    """A copy of the network that has learned nothing (Adebayo et al. 2018); the network itself is not touched.

    Every parameter, frozen ones too, is drawn anew from a normal distribution: weights with mean 0 and the root mean
    square that they had, vectors (biases, norms) with their mean and deviation. So signals stay as strong as they
    were in every layer; with torch's first values they die out in many networks, and a dead twin lets every map pass.
    Running statistics belong to the old weights, so they are measured again on `picture` (1, C, *spatial) and its
    mirror images.
    """
    kept = (value for module in network.modules() for value in vars(module).values() if isinstance(value, Tensor))
    twin = copy.deepcopy(network, {id(value): value.detach().clone() for value in kept}).float()
    random = torch.Generator().manual_seed(seed)
    for parameter in twin.parameters():
        values = parameter.double().cpu()
        fresh = torch.randn(values.shape, dtype=torch.float64, generator=random)
        if parameter.ndim > 1:
            parameter.copy_(fresh * values.square().mean().sqrt())
        elif parameter.numel() > 1:
            parameter.copy_(values.mean() + fresh * values.std())
    norms = [module for module in twin.eval().modules() if hasattr(module, "reset_running_stats")]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of what comes
        norm.train()
    if norms:
        axes = range(2, picture.ndim)
        flips = [flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)]
        with seeded(seed):
            twin(torch.cat([picture.flip(flip) for flip in flips]))
    return twin.eval()


def _curves(question: Question, fill: Tensor, rivals: list[Map], seed: int) -> Map:
    """(rivals, 2, shares): scores while each map's highest pixels go (deletion) and come (insertion); ties by lot.

    The first two rivals are followed by the random ones and then by their opposites, with the lowest pixels first.
    """
    bare, whole = question.scores(torch.cat([fill, question.picture])).tolist()
    curves = []
    for map in rivals:
        lots = np.random.default_rng(seed).random(map.size)
        rank = np.empty(map.size, np.int64)
        rank[np.lexsort((lots, -map.ravel()))] = np.arange(map.size)
        high = torch.from_numpy(rank < np.round(SHARES[1:-1] * map.size)[:, None]).reshape(-1, 1, *map.shape)
        high = high.to(fill.device)
        both = [torch.where(high, fill, question.picture), torch.where(high, question.picture, fill)]
        gone, come = question.scores(torch.cat(both)).reshape(2, -1).tolist()
        curves.append([[whole, *gone, bare], [bare, *come, whole]])
    found = np.array(curves)
    return np.concatenate([found, found[2:, ::-1, ::-1]])


def _mean(values: list[float]) -> float:
    """Of those that are numbers; NaN if none is."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _coarse(map: Map) -> Map:
    """Means over about CELLS cells, so that a blurred or shifted copy still counts as the same."""
    cells = [min(side, round(CELLS ** (1 / map.ndim))) for side in map.shape]
    for axis, count in enumerate(cells):
        map = np.stack([part.mean(axis) for part in np.array_split(map, count, axis)], axis)
    return map


def _named(rows: Map) -> dict[str, Any]:
    return {"map": rows[0], "edges": rows[1], "random": rows[2:].mean(0)}
