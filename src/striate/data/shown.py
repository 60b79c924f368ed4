"""A sample for the eye, whatever its form: the picture itself, a line, letters, or the middle of a volume."""

from collections.abc import Callable

import numpy as np

from striate.data.prepare import Shape
from striate.data.symbols import spelled
from striate.draw import lines, maps, pixels

SIDE = 160  # dots to which smaller pictures grow below their heatmap


def shown(stored: np.ndarray, shape: Shape, frame: int | None = None) -> np.ndarray:
    """uint8 (H, W, 1 or 3) of a row (H, W, C) of the store; of a volume this frame, or its middle one."""
    match shape.form:
        case "series":
            return lines.lines(stored[0])
        case "text":
            return lines.letters(spelled(stored))
    return pixels.visible(_frame(stored, shape, frame))


def with_heat(
    stored: np.ndarray, heat: Callable[[tuple[int, ...]], np.ndarray], shape: Shape, *, signed: bool
) -> np.ndarray:
    """uint8 (H, W, 3): the same with a heatmap on it; heat: gives the map at any size, with the axes of the form."""
    if shape.form == "series":
        return lines.lines(stored[0], heat((shape.width,)))
    if shape.form == "text":
        return lines.letters(spelled(stored), heat((shape.width,)))
    picture = pixels.visible(_frame(stored, shape))
    times = max(1, SIDE // max(picture.shape[:2]))
    grown = pixels.grown(picture, times)
    size = grown.shape[:2] if shape.form == "picture" else (shape.frames, *grown.shape[:2])
    values = heat(size)
    return maps.overlay(grown, values if shape.form == "picture" else values[shape.frames // 2], signed=signed)


def box_of(field: tuple[int, ...], drawn: np.ndarray, shape: Shape) -> tuple[int, int, int, int]:
    """(y0, y1, x0, x1) on a drawn sample of the part that a half-open box of what the network sees covers."""
    if shape.axes > 1:
        return field[-4:]
    height, width = drawn.shape[:2]
    first, last = field
    if shape.form == "series":
        return 0, height, first * width // shape.width, -(-last * width // shape.width)
    (top, left), (bottom, right) = divmod(first, lines.COLUMNS), divmod(max(last - 1, first), lines.COLUMNS)
    sides = (left * lines.WIDE, (right + 1) * lines.WIDE) if top == bottom else (0, width)
    return min(top * lines.TALL, height - 3), min((bottom + 1) * lines.TALL, height), *sides


def _frame(stored: np.ndarray, shape: Shape, frame: int | None = None) -> np.ndarray:
    first = (shape.frames // 2 if frame is None else frame) * shape.channels
    return stored[:, :, first : first + shape.channels] if shape.frames > 1 else stored
