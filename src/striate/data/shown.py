"""A sample for the eye, whatever its form: the picture itself, a line, letters, or the middle of a volume."""

import numpy as np

from striate.data.prepare import Shape
from striate.data.symbols import spelled
from striate.draw import lines, maps, pixels

SIDE = 160  # dots to which smaller pictures grow below their heatmap


def shown(stored: np.ndarray, shape: Shape) -> np.ndarray:
    """uint8 (H, W, 1 or 3) of a row (H, W, C) of the store; of a volume its middle frame."""
    match shape.form:
        case "series":
            return lines.lines(stored[0])
        case "text":
            return lines.letters(spelled(stored))
    return pixels.visible(_middle(stored, shape))


def with_heat(stored: np.ndarray, heat: np.ndarray, shape: Shape, *, signed: bool) -> np.ndarray:
    """uint8 (H, W, 3): the same with a heatmap on it; heat: of the size that the network sees."""
    match shape.form:
        case "series":
            return lines.lines(stored[0], heat)
        case "text":
            return lines.letters(spelled(stored), heat)
        case "volume":
            heat = heat[len(heat) // 2]
    picture = pixels.visible(_middle(stored, shape))
    times = max(1, SIDE // max(picture.shape[:2]))
    grown = picture.repeat(times, axis=0).repeat(times, axis=1)
    return maps.overlay(grown, heat.repeat(times, axis=0).repeat(times, axis=1), signed=signed)


def _middle(stored: np.ndarray, shape: Shape) -> np.ndarray:
    first = shape.frames // 2 * shape.channels
    return stored[:, :, first : first + shape.channels] if shape.frames > 1 else stored
