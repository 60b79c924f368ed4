"""What is compared when pictures are asked whether they show the same: three views of their small likenesses.

`contrast` leaves of a picture what stands out from its surroundings, so that light, contrast and gamma hardly count
(local normalisation: Pinto, Cox and DiCarlo, PLoS Computational Biology 4, 2008). `rings` describes it on circles
around the centre by Fourier coefficients along the angle; turning a picture only turns their phases and mirroring
conjugates them, so that their magnitudes find a picture in any position (circular harmonics: Hsu and Arsenault,
Applied Optics 21, 1982). `Plain` takes light and colours as they are, for copies that keep their frame.
"""

import functools
from collections.abc import Iterator

import numpy as np

from striate.check.nearest import over_blocks
from striate.data.looks import SIDE

RINGS, ORDERS = 10, 8
_COLOURS = 4  # side of the map of colours
_FINE, _WIDE = 0.8, 4.0  # pixels of a likeness of 32
_MOST_FILLED = 0.45  # of a picture
# 1 - likeness²: what saving anew, resizing and retouching change is less; stripes may be as near by accident, where
# most of their kind are far apart
MOST_APART = 0.015
_BLUR = 1.0  # pixels of a plain likeness: what resizing and saving anew change is finer


def contrast(looks: np.ndarray) -> np.ndarray:
    """(K, S, S) float32: detail between _FINE and _WIDE over its local strength, NaN where a picture was filled up."""
    side, seen = looks.shape[1], ~filled(looks)
    values = looks.astype(np.float32)
    floor = 0.15 * (values.std(axis=(1, 2), keepdims=True) + 1)
    narrow, broad = blur(side, _FINE * side / SIDE), blur(side, _WIDE * side / SIDE)
    band = _mean(narrow, values, seen) - _mean(broad, values, seen)
    strength = np.sqrt(np.maximum(_mean(broad, band * band, seen), 0))
    return np.where(seen, band / (strength + floor), np.float32(np.nan))


def filled(looks: np.ndarray) -> np.ndarray:
    """(K, S, S) bool: what turning a picture left empty: black or white from a corner on, up to a sharp edge, and not
    most of the picture."""
    extreme = (looks <= 3) | (looks >= 252)
    found = np.zeros_like(extreme)
    corners = np.s_[:, :: looks.shape[1] - 1, :: looks.shape[2] - 1]
    found[corners] = extreme[corners]
    some = np.flatnonzero(found.any(axis=(1, 2)))
    grown, before = found[some], -1
    while grown.sum() != before:
        before = grown.sum()
        grown = _wider(grown) & extreme[some]
    beside = _wider(_wider(grown)) & ~grown
    light = (looks[some] > 127) == (np.where(grown, looks[some], 0).max(axis=(1, 2), keepdims=True) > 127)
    blunt = (beside & light).sum(axis=(1, 2)) > 0.7 * beside.sum(axis=(1, 2))
    found[some] = grown & ~(blunt | (grown.mean(axis=(1, 2)) > _MOST_FILLED))[:, None, None]
    return found


def _wider(area: np.ndarray) -> np.ndarray:
    """`area` (K, S, S) of bool and the pixels beside it, along its corners too."""
    tall = area.copy()
    tall[:, 1:] |= area[:, :-1]
    tall[:, :-1] |= area[:, 1:]
    wide = tall.copy()
    wide[:, :, 1:] |= tall[:, :, :-1]
    wide[:, :, :-1] |= tall[:, :, 1:]
    return wide


def _mean(blur: np.ndarray, values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """`values` blurred along both sides, where only what is seen counts."""
    if seen.all():
        return blur @ values @ blur.T
    return (blur @ (values * seen) @ blur.T) / np.maximum(blur @ seen.astype(np.float32) @ blur.T, np.float32(1e-3))


@functools.cache
def blur(side: int, sigma: float) -> np.ndarray:
    steps = np.arange(side)
    weights = np.exp(-((steps[:, None] - steps) ** 2) / (2 * sigma**2))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def lengths(shapes: np.ndarray) -> np.ndarray:
    """(K, 2) half the width and height of pictures of shapes (K, 2: height, width), in halves of the shorter side,
    in steps of 5 % and at most 3."""
    steps = np.clip(np.rint(20 * np.log(shapes[:, 1] / shapes[:, 0])), -22, 22) / 20
    return np.exp(np.stack([np.maximum(steps, 0), np.maximum(-steps, 0)], axis=1)).astype(np.float32)


def rings(looks: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """(K, RINGS, ORDERS + 1) complex64 on circles of the true picture, the largest of radius 1, the shorter side's
    half; halves (K, 2) as `lengths` gives them."""
    found = np.empty((len(looks), RINGS, ORDERS + 1), np.complex64)
    for half in np.unique(halves, axis=0):
        rows, circles = np.flatnonzero((halves == half).all(axis=1)), _circles(*half.tolist())

        def of(block: slice, rows: np.ndarray = rows, circles: np.ndarray = circles) -> np.ndarray:
            return np.nan_to_num(contrast(looks[rows[block]])).reshape(-1, SIDE * SIDE) @ circles

        values = np.concatenate(list(over_blocks(len(rows), 512, of)))
        real, imaginary = np.split(values, 2, axis=1)
        found[rows] = (real + 1j * imaginary).reshape(-1, RINGS, ORDERS + 1)
    return found


@functools.lru_cache(maxsize=32)
def _circles(wide: float, tall: float) -> np.ndarray:
    """(S * S, 2 * RINGS * (ORDERS + 1)): real and imaginary parts of the functions that `rings` projects on."""
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    across, down = axis * wide, (axis * tall)[:, None]
    radius, angle = np.hypot(down, across), np.arctan2(down, across)
    made = []
    for centre in (np.arange(RINGS) + 0.7) / RINGS * 0.97:
        ring = np.exp(-((radius - centre) ** 2) / (2 * (0.6 / RINGS) ** 2)) * (radius <= 1.02)
        ring *= np.sqrt(centre) / ring.sum()
        most = centre * RINGS * 2.5 + 1  # a small circle has few pixels to tell orders by
        made += [ring * np.exp(-1j * order * angle) * (order <= most) for order in range(ORDERS + 1)]
    functions = np.array(made).reshape(len(made), -1).T
    return np.concatenate([functions.real, functions.imag], axis=1).astype(np.float32)


def unturned(coefficients: np.ndarray) -> np.ndarray:
    """(K, 48) unit vectors, the same for a picture turned or mirrored: magnitudes, whitened over the set."""
    sizes = np.abs(coefficients).reshape(len(coefficients), -1)
    sizes = sizes[:, sizes.std(axis=0) > 1e-6]
    return whitened(sizes - sizes.mean(axis=0), 48)


def whitened(values: np.ndarray, most: int) -> np.ndarray:
    """(N, most) unit vectors of the strongest principal components of `values` (N, d) of mean 0, each of equal weight;
    d of them where there are fewer."""
    strengths, axes = np.linalg.eigh(values.T @ values / len(values))
    strengths, axes = strengths[::-1][:most], axes[:, ::-1][:, :most]
    return unit(values @ (axes / np.sqrt(np.maximum(strengths, 0) + 1e-3 * strengths[0] + 1e-12)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def views(maps: np.ndarray) -> Iterator[np.ndarray]:
    """The eight ways in which (..., S, S) can be turned by quarters and mirrored, as it is first."""
    for side in (maps, maps[..., ::-1]):
        for quarters in range(4):
            yield np.rot90(side, quarters, (-2, -1))


class Plain:
    """Features of pictures as they are, from their facts' looks (N, S, S) and tints (N, T, T, 3): light, and the map of
    its colours."""

    most_power = 6.0

    def __init__(self, looks: np.ndarray, tints: np.ndarray) -> None:
        self.looks, self.tints = looks, tints
        self.light = looks.shape[1] * looks.shape[2]

    def features(self, block: slice) -> Iterator[np.ndarray]:
        """Unit vectors (K, F) of each of the eight views."""
        looks = self.looks[block]
        seen = ~filled(looks)
        smooth = _mean(blur(SIDE, _BLUR), looks.astype(np.float32), seen)
        light = _standard(smooth.reshape(len(looks), -1), seen.reshape(len(looks), -1)).reshape(looks.shape)
        for values, colour in zip(views(light), colours(self.tints[block]), strict=True):
            yield unit(np.concatenate([values.reshape(len(values), -1), colour], axis=1))

    def likeness(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(..., K, M) of features (..., K, F) and (..., M, F): 1 for the same, whether or not one is a negative."""
        turned = np.swapaxes(second, -1, -2)
        held = np.abs(first[..., : self.light] @ turned[..., : self.light, :])
        held += first[..., self.light :] @ turned[..., self.light :, :]
        return np.clip(held, 0, 1, out=held)

    def limit(self, alike: np.ndarray) -> np.ndarray:
        """How much rarer than a whole set allows a pair must be, in powers of ten, that is so much `alike`."""
        return np.where(1 - alike**2 < MOST_APART, 0, -np.inf)


def _standard(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(K, n) with mean 0 and deviation 1 over the pixels `seen`, 0 elsewhere."""
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    values = np.where(seen, values - (values * seen).sum(axis=1, keepdims=True) / count, 0)
    return values / (np.sqrt((values * values).sum(axis=1, keepdims=True) / count) + 1).astype(np.float32)


def colours(tints: np.ndarray) -> Iterator[np.ndarray]:
    """(K, 32) of each of the eight views: red against green and yellow against blue, over the picture's contrast."""
    cells = tints.astype(np.float32).reshape(len(tints), _COLOURS, tints.shape[1] // _COLOURS, _COLOURS, -1, 3)
    red, green, blue = cells.mean(axis=(2, 4)).transpose(3, 0, 1, 2)
    opposed = np.stack([red - green, (red + green) / 2 - blue], axis=1)
    light = ((red + green + blue) / 3).var(axis=(1, 2))
    opposed *= (4 / (np.sqrt(light + (opposed**2).mean(axis=(1, 2, 3))) + 4))[:, None, None, None]
    for view in views(opposed):
        yield view.reshape(len(view), -1)
