"""Series as lines and texts as letters, with a heatmap as the ground that they stand on."""

import numpy as np
from PIL import Image, ImageDraw

from striate.draw import style
from striate.draw.pixels import diverging

# Strongest on white first, with a darker yellow; channels beyond them begin anew.
PALETTE = (style.BLUE, style.ORANGE, style.GREEN, style.PINK, style.SKY, "#b58900", style.INK)
WIDTH, HEIGHT, SIDE = 480, 200, 96  # pixels of a series, and of a kernel
TOGETHER, LANES = 3, 16  # channels
COLUMNS, ROWS, LETTER = 48, 8, 15  # of a text; size of a letter in pixels
TALL, WIDE = LETTER + 5, LETTER * 3 // 5  # pixels of the cell that a letter stands in
_FINE = 3  # each pixel is drawn as so many squared, so that lines are smooth
_GROUND = 0.55  # strength of the colours behind a line


def lines(series: np.ndarray, heat: np.ndarray | None = None) -> np.ndarray:
    """(HEIGHT, WIDTH, 3) uint8: a series (L, C) as one line per channel, from left to right.

    Each channel is stretched to its own range, as those of a picture are; more than TOGETHER lie one below the other
    instead of over each other, at most LANES of them. heat: (L,) values along the series, blue
    below 0 and orange above behind the lines.
    """
    values = np.asarray(series, np.float64)[:, :LANES]
    ground = Image.fromarray(_ground(heat)).resize((WIDTH * _FINE, HEIGHT * _FINE), Image.Resampling.BOX)
    pen, margin = ImageDraw.Draw(ground), 0.06
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    shares = np.where(high > low, (values - low) / np.where(high > low, high - low, 1), 0.5)
    x = (np.arange(len(values)) + 0.5) / len(values) * WIDTH * _FINE
    lanes = values.shape[1] if values.shape[1] > TOGETHER else 1
    y = (np.arange(values.shape[1]) % lanes + 1 - margin - shares * (1 - 2 * margin)) * HEIGHT * _FINE / lanes
    thick = round(WIDTH * _FINE / 240)
    for channel in reversed(range(values.shape[1])):
        points = list(zip(x.tolist(), y[:, channel].tolist(), strict=True))
        pen.line(points, fill=PALETTE[channel % len(PALETTE)], width=thick, joint="curve")
    return np.asarray(ground.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def curve(kernel: np.ndarray, reach: float) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: a kernel (C, K) of a series as one line per channel, with a dot for each number.

    The middle is 0, `reach` the upper edge. Of more channels than there are colours the numbers are shown as squares.
    """
    channels, count = kernel.shape
    if channels > len(PALETTE):
        rows, columns = (np.arange(SIDE) * n // SIDE for n in (channels, count))
        return diverging(kernel, reach)[rows][:, columns]
    fine = SIDE * _FINE
    image = Image.new("RGB", (fine, fine), "white")
    pen = ImageDraw.Draw(image)
    pen.line([(0, fine / 2), (fine, fine / 2)], fill=style.MUTED, width=_FINE)
    x = (np.arange(count) + 0.5) / count * fine
    y = (0.5 - 0.45 * kernel / (reach or 1.0)) * fine
    for channel in reversed(range(channels)):
        points = list(zip(x.tolist(), y[channel].tolist(), strict=True))
        pen.line(points, fill=PALETTE[channel], width=2 * _FINE)
        for across, down in points:
            dot = (across - 2 * _FINE, down - 2 * _FINE, across + 2 * _FINE, down + 2 * _FINE)
            pen.ellipse(dot, fill=PALETTE[channel])
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def letters(text: str, heat: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint8: a text in lines of COLUMNS letters, at most ROWS of them; heat: (n,), the ground of each."""
    font, text = style.font("DejaVuSansMono.ttf", LETTER), text[: COLUMNS * ROWS] or " "
    cells = np.zeros((-(-len(text) // COLUMNS), COLUMNS))
    if heat is not None:
        cells.flat[: min(len(text), len(heat))] = heat[: len(text)]
    image = Image.fromarray(_pale(cells).repeat(TALL, axis=0).repeat(WIDE, axis=1))
    pen = ImageDraw.Draw(image)
    for place, letter in enumerate(text):
        row, column = divmod(place, COLUMNS)
        pen.text((column * WIDE, row * TALL + 1), letter, fill=style.INK, font=font)
    return np.asarray(image)


def _ground(heat: np.ndarray | None) -> np.ndarray:
    if heat is None:
        return np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    places = (np.arange(WIDTH) + 0.5) / WIDTH * len(heat) - 0.5
    row = np.interp(places, np.arange(len(heat)), np.nan_to_num(np.asarray(heat, np.float64)))
    return np.ascontiguousarray(np.broadcast_to(_pale(row), (HEIGHT, WIDTH, 3)))


def _pale(values: np.ndarray) -> np.ndarray:
    return np.rint(255 - _GROUND * (255 - diverging(values).astype(np.float64))).astype(np.uint8)
