"""What a straight line tells from a picture's light, texture and layout: which random changes keep numbers true.

Pictures that come with numbers are few and often large, and quick networks on small ones learn nothing of them. A
ridge regression (Hoerl and Kennard 1970) on simple figures does, within a second: asked about pictures that it has
not seen, as they are and turned, it still knows the number where turning keeps it true (cells are counted), and knows
it wrongly where it does not (a needle is read, a place is told).
"""

from collections.abc import Sequence

import numpy as np

from striate.augment.geometry import IDENTITY, MIRRORED
from striate.check.nearest import over_blocks

Element = tuple[int, int]  # one of geometry's symmetries: mirrored or not, then turned by so many quarters

FOLDS = 10
RIDGE = 2.0  # for each picture: with little to go by, no single figure is to decide
_AT_ONCE = 1 << 16  # pixels, which stay in the processor's cache
FIELDS, LEAST_SIDE = 4, 8  # fields (or pixels) along a side whose light is noted; pixels of the coarsest texture


def figures(pictures: np.ndarray) -> np.ndarray:
    """(N, F) figures of pictures (N, H, W, C): mean and spread of every channel, the light of FIELDS x FIELDS fields,
    and on every scale the strength of steps in four directions, and whether those up are steeper than those down."""
    block = max(_AT_ONCE // pictures[0, :, :, 0].size, 1)
    greys = over_blocks(len(pictures), block, lambda some: _grey(pictures[some]).ravel())
    every = np.concatenate(list(greys))
    centre, spread = float(every.mean()), max(float(every.std()), 1e-9)
    found = over_blocks(len(pictures), block, lambda some: _figures(pictures[some], centre, spread))
    return np.concatenate(list(found)).astype(np.float64)


def _grey(pictures: np.ndarray) -> np.ndarray:
    return pictures.mean(axis=3, dtype=np.float32)


def _figures(pictures: np.ndarray, centre: float, spread: float) -> np.ndarray:
    grey = (_grey(pictures) - np.float32(centre)) / np.float32(spread)
    found = [_light(pictures.astype(np.float32))]
    rows, columns = (min(FIELDS, side) for side in grey.shape[1:])
    for band in np.array_split(grey, rows, axis=1):
        found.append(np.stack([field.mean(axis=(1, 2)) for field in np.array_split(band, columns, axis=2)], axis=1))
    while min(grey.shape[1:]) >= LEAST_SIDE:
        corner, above, left, here = grey[:, :-1, :-1], grey[:, :-1, 1:], grey[:, 1:, :-1], grey[:, 1:, 1:]
        steps = np.stack([here - above, here - left, here - corner, left - above], axis=1)
        found.append(np.log(np.abs(steps).mean(axis=(2, 3)) + 1e-6))
        squares = steps * steps
        found.append((squares * steps).mean(axis=(2, 3)) / (squares.mean(axis=(2, 3)) + 1e-9) ** 1.5)
        height, width = (side // 2 for side in grey.shape[1:])
        grey = grey[:, : 2 * height, : 2 * width].reshape(-1, height, 2, width, 2).mean(axis=(2, 4))
    return np.concatenate(found, axis=1)


def _light(values: np.ndarray) -> np.ndarray:
    """(N, 2 C) mean and spread of every channel."""
    return np.concatenate([values.mean(axis=(1, 2)), values.std(axis=(1, 2))], axis=1)


def known_numbers(
    pictures: np.ndarray, numbers: np.ndarray, kin: np.ndarray, turn: Element, seed: int
) -> dict[Element, np.ndarray]:
    """What is known of the numbers (N, K) of pictures (N, H, W, C) as they are, mirrored and after `turn`: of each
    (K, N) by how much the squared error is smaller than that of always saying the mean, where 1 is the variance of the
    column.

    kin: (N,) the same number for pictures that belong together, which are never both learned from and asked about.
    """
    elements = (IDENTITY, MIRRORED, turn)
    seen = [figures(turned(pictures, element)) for element in elements]
    return dict(zip(elements, _known(seen, numbers, kin, seed, RIDGE), strict=True))


def told_by_light(pictures: np.ndarray, numbers: np.ndarray, kin: np.ndarray, seed: int) -> float:
    """The share (0..1) of the numbers' variance that mean and spread of the channels alone tell, of the column of which
    they tell most. Shapes as for `known_numbers`."""
    light = _light(pictures.astype(np.float32)).astype(np.float64)
    (known,) = _known([np.concatenate([light, light**2], axis=1)], numbers, kin, seed, RIDGE / 40)
    return float(np.clip(known.mean(axis=1).max(), 0, 1))


def _known(
    seen: Sequence[np.ndarray], numbers: np.ndarray, kin: np.ndarray, seed: int, ridge: float
) -> list[np.ndarray]:
    """Knowledge (K, N) of numbers (N, K) by each of several sets of figures (N, F), the line learned from the first;
    none where all pictures belong together."""
    groups, place = np.unique(kin, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(groups))[place] % FOLDS
    standard = (numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), 1e-9)
    middle = seen[0].mean(axis=0)
    spread = np.maximum(seen[0].std(axis=0), 1e-5 * (1 + np.abs(middle)))  # what float32 rounds away tells nothing
    seen = [(values - middle) / spread for values in seen]
    known = [np.zeros(standard.shape) for _ in seen]
    for number in range(min(FOLDS, len(groups)) if len(groups) > 1 else 0):
        learned, asked = fold != number, fold == number
        x, mean = seen[0][learned], standard[learned].mean(axis=0)
        weights = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(x.shape[1]), x.T @ (standard[learned] - mean))
        wrong = standard[asked] - mean
        for gain, values in zip(known, seen, strict=True):
            gain[asked] = wrong**2 - (wrong - values[asked] @ weights) ** 2
    return [gain.T for gain in known]


def turned(pictures: np.ndarray, element: Element) -> np.ndarray:
    """Pictures (N, H, W, C) after a symmetry."""
    mirrored, quarters = element
    return np.ascontiguousarray(np.rot90(pictures[:, :, ::-1] if mirrored else pictures, quarters, axes=(1, 2)))
