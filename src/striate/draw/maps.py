"""What a network sees, as PNG bytes: all feature maps of one layer, the strongest of every layer, a heatmap on its
picture. Every number keeps its colour: the legend is painted by the scale that painted the maps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np

from striate.draw import pixels, style
from striate.draw.canvas import GAP, LEGEND, LINE, MARGIN, TITLE, Canvas, columns_for, outline
from striate.draw.colours import Scale, scale_of
from striate.errors import say

Box = tuple[int, int, int, int]  # half-open (y0, y1, x0, x1)

MOST = 256  # maps on one sheet
ROWS = 40  # layers on one picture of a network
FRAME = 4  # dots round a chosen map
_COLUMNS = 10  # maps of a layer on one picture of a network
_WIDTH, _NARROWEST, _PICTURE, _TILE, _NAME, _HEAT = 1600, 96, 340, 104, 330, 800


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One layer: its name, a word about it, its maps (C, *grid) or values (n,), and what its channels are called."""

    name: str
    note: str
    maps: np.ndarray
    channels: Sequence[str] = ()


def layer_sheet(
    maps: np.ndarray, title: str, *, picture: np.ndarray, field: Box, at: tuple[int, ...], note: str
) -> bytes:
    """All feature maps of a layer, numbered, with their legend, beside the picture.

    maps: (C, *grid) or (n,). picture: uint8 (H, W, 1 or 3). at: channel and place of a number that is marked, with the
    slice of a volume; field: the box of the picture that it can see. Of more than 256 maps those around the marked
    channel are shown.
    """
    is_line, maps = np.ndim(maps) == 2, _as_maps(maps, at[1] if len(at) == 4 else None)
    first, (down, across) = at[0] // MOST * MOST, (0, 0, *at[1:])[-2:]
    shown, scale = maps[first : first + MOST], scale_of(maps)
    columns = columns_for(len(shown))
    widest = 220 if maps[0].size > 1 else _NARROWEST
    side = min(widest, max(_NARROWEST, (_WIDTH - 2 * MARGIN) // columns - GAP))
    tiles = [_banded(pixels.fitted(scale.paint(one), side), is_line) for one in shown]
    seen = pixels.fitted(pixels.three_channels(picture), _PICTURE)
    rest = f"\nmaps {first} to {first + len(shown) - 1} of {len(maps):,}" if len(maps) > len(shown) else ""
    left, top = MARGIN + _PICTURE + 2 * GAP, MARGIN + 60
    below = top + max(len(seen), 80 + LINE * (note + rest).count("\n") + LINE) + 2 * GAP
    width = max(columns * (side + GAP) - GAP, 900) + 2 * MARGIN
    canvas = Canvas(width, below + math.ceil(len(tiles) / columns) * (len(tiles[0]) + LINE + GAP) + MARGIN)
    canvas.write(title, MARGIN, MARGIN, width - 2 * MARGIN, fontsize=TITLE)
    canvas.paste(outline(seen, field, len(seen) / len(picture)), MARGIN, top, framed=True)
    canvas.legend(scale, left, top + 4)
    canvas.write(note + rest, left, top + 80, width - left - MARGIN, color=style.MUTED)
    for place, tile in enumerate(tiles):
        x, y = MARGIN + place % columns * (side + GAP), below + place // columns * (len(tile) + LINE + GAP)
        canvas.paste(tile, x, y, framed=True)
        if place + first == at[0]:
            box = (0, maps.shape[2], across, across + 1) if is_line else (down, down + 1, across, across + 1)
            times = max(tile.shape[:2]) / max(maps.shape[1:])
            canvas.paste(_marked(tile, box, times), x - FRAME, y - FRAME)
        value = f": {say(float(shown[place, 0, 0]))}" if maps[0].size == 1 else ""
        canvas.write(f"{place + first}{value}", x + tile.shape[1] / 2, y + len(tile) + 6, side + GAP / 2, ha="center")
    return canvas.png()


def _marked(tile: np.ndarray, box: Box, times: float) -> np.ndarray:
    """The tile with a box framed, which has `times` dots per place, and a broad frame round all of it."""
    drawn = outline(tile, box, times)
    framed = np.full((drawn.shape[0] + 2 * FRAME, drawn.shape[1] + 2 * FRAME, 3), style.rgb(style.MARK), np.uint8)
    framed[FRAME:-FRAME, FRAME:-FRAME] = drawn
    return framed


def network_sheet(
    picture: np.ndarray, rows: Sequence[Row], title: str, *, about: tuple[str, str] = ("picture", "")
) -> bytes:
    """The picture, and for every layer its strongest maps, each layer on its own scale; strongest first.

    about: what the picture shows, and its size in words. Of more than 40 layers evenly spaced ones are shown.
    """
    kept = [rows[place] for place in np.linspace(0, len(rows) - 1, min(len(rows), ROWS)).round().astype(int)]
    tiles = [_strongest_tiles(row) for row in kept]
    seen = _filled(pixels.three_channels(picture), _TILE)
    heights = [max(len(tile) + LINE * len(words.split("\n")) for tile, words in row) for row in tiles]
    steps = [max(height, 3 * LINE) + 2 * GAP for height in [len(seen), *heights]]
    left, step_x = MARGIN + _NAME + GAP, _TILE + GAP
    width, y = left + _COLUMNS * step_x - GAP + MARGIN, MARGIN + 60
    canvas = Canvas(width, y + sum(steps) + MARGIN)
    more = f" · {len(kept)} of {len(rows)} layers" if len(kept) < len(rows) else ""
    canvas.write(title + more, MARGIN, MARGIN, width - 2 * MARGIN, fontsize=TITLE)
    noun, size = about
    canvas.write(noun, MARGIN, y, _NAME, fontweight="bold")
    size = size or f"{picture.shape[0]} × {picture.shape[1]}"
    canvas.write(size, MARGIN, y + LINE, _NAME, color=style.MUTED)
    canvas.paste(seen, left, y, framed=True)
    for row, shown, step in zip(kept, tiles, steps, strict=False):
        y += step
        canvas.write(row.name, MARGIN, y, _NAME, fontweight="bold")
        ends = f"{say(float(np.min(row.maps)))} to {say(float(np.max(row.maps)))}"
        canvas.write(f"{row.note}\n{ends}", MARGIN, y + LINE, _NAME, color=style.MUTED)
        for column, (tile, words) in enumerate(shown):
            x = left + column * step_x
            canvas.paste(tile, x, y, framed=True)
            canvas.write(words, x + tile.shape[1] / 2, y + len(tile) + 6, step_x - 6, ha="center", color=style.MUTED)
    return canvas.png()


def _strongest_tiles(row: Row) -> list[tuple[np.ndarray, str]]:
    """The row's strongest maps in its own colours, each with what stands below it."""
    scale, maps, is_line = scale_of(row.maps), _as_maps(row.maps), np.ndim(row.maps) == 2
    tiles = []
    for channel in strongest(maps)[:_COLUMNS]:
        words = row.channels[channel] if row.channels else str(channel)
        value = f"\n{say(float(maps[channel, 0, 0]))}" if maps[0].size == 1 else ""
        tile = _filled(scale.paint(maps[channel]), _TILE // 2 if value else _TILE)
        tiles.append((_banded(tile, is_line), words + value))
    return tiles


def overlay(picture: np.ndarray, heat: np.ndarray, *, signed: bool) -> np.ndarray:
    """A heatmap on its picture, uint8 (H, W, 3): the stronger the evidence, the less of the picture shows through.

    picture: uint8 (H, W, 1 or 3). heat: (H, W). Evidence against (below 0) is blue, evidence for orange; a map without
    sign goes from dark to light. The full colour stands for the map's own largest value, which must be told beside it.
    """
    grey = pixels.three_channels(picture).astype(np.float64).mean(axis=2, keepdims=True)
    ground = np.repeat(70 + 185 * grey / 255, 3, axis=2)
    values = np.nan_to_num(np.asarray(heat, dtype=np.float64))
    scale = _heat_scale(values, signed=signed)
    reach = scale.high
    share = (np.abs(values) / (reach or 1.0))[..., None]
    # The diverging colours fade to white by themselves; taking the full hue keeps weak evidence visible.
    colour = scale.paint(np.sign(values) * reach) if signed else scale.paint(values)
    return np.rint(ground + 0.85 * share * (colour - ground)).astype(np.uint8)


def heat_sheet(drawn: np.ndarray, heat: np.ndarray, words: str, *, signed: bool) -> bytes:
    """A heatmap on its picture, uint8 (H, W, 3), with the legend of the values drawn (*grid) and words below it."""
    seen, words = _filled(drawn, _HEAT), fill(words, _HEAT // 11)
    below = MARGIN + len(seen) + GAP
    canvas = Canvas(_HEAT + 2 * MARGIN, below + 80 + LINE * (words.count("\n") + 1) + MARGIN)
    canvas.paste(seen, MARGIN, MARGIN, framed=True)
    canvas.legend(_heat_scale(np.nan_to_num(heat), signed=signed), MARGIN + (_HEAT - LEGEND) // 2, below)
    canvas.write(words, MARGIN, below + 80, _HEAT)
    return canvas.png()


def _heat_scale(values: np.ndarray, *, signed: bool) -> Scale:
    reach = float(np.abs(values).max(initial=0.0))
    return Scale(-reach if signed else 0.0, reach, signed)


def strongest(maps: np.ndarray) -> np.ndarray:
    """Channel numbers of maps (C, H, W) or values (n,), the one with the largest absolute value first."""
    peaks = np.abs(np.nan_to_num(np.asarray(maps, dtype=np.float64))).reshape(len(maps), -1).max(axis=1)
    return np.argsort(-peaks, kind="stable")


def _as_maps(values: np.ndarray, plane: int | None = None) -> np.ndarray:
    """(C, H, W), whatever a layer's values are: a vector is maps of one cell, a line one row, a volume one slice."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 4:
        return values[:, values.shape[1] // 2 if plane is None else plane]
    return values.reshape(len(values), *([1] * (3 - values.ndim)), *values.shape[1:])


def _banded(tile: np.ndarray, is_line: bool) -> np.ndarray:
    """The tile of a line as a band that is high enough to be seen; only here, as lines may be long and many."""
    return tile[:1].repeat(max(1, tile.shape[1] // 5), axis=0) if is_line else tile


def _filled(tile: np.ndarray, side: int) -> np.ndarray:
    """A tile whose longer side is `side` dots exactly; small ones grow by repeating pixels."""
    height, width = tile.shape[:2]
    if max(height, width) >= side:
        return pixels.fitted(tile, side)
    high, wide = (max(1, round(side * n / max(height, width))) for n in (height, width))
    return tile[np.arange(high) * height // high][:, np.arange(wide) * width // wide]
