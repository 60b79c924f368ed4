"""Sheets of pictures, each as PNG bytes: many pictures, kernels, a picture beside its feature map."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.draw import lines, pixels, style
from striate.draw.canvas import GAP, LINE, MARGIN, TITLE, Canvas, columns_for
from striate.errors import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHEET_WIDTH, _NARROWEST, _TITLE_HEIGHT = 1600, 96, 64
_MOST_KERNELS = 256


def picture_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str] = (), columns: int = 8, title: str = ""
) -> bytes:
    """Pictures in rows of `columns`, each above its caption; captions too wide for their cell are cut.

    pictures: uint8 arrays (H, W, 1 or 3), sizes may differ. Small ones are enlarged by a whole number.
    captions: one per picture or none; a line break starts a second line.
    """
    columns = max(1, min(columns, len(pictures)))
    side = max(_NARROWEST, (_SHEET_WIDTH - 2 * MARGIN - GAP * (columns - 1)) // columns)
    # One picture alone would otherwise be blown up over the whole page.
    tiles = [pixels.fitted(pixels.three_channels(picture), min(side, 400)) for picture in pictures]
    return _sheet(tiles, [str(caption) for caption in captions], columns, title)


def kernels(weights: np.ndarray) -> bytes:
    """The kernels (filters, channels, kh, kw) of a layer, numbered from 0, as squares of one scale.

    Three channels are shown as colours around middle grey. One channel is blue below 0, white at 0 and
    orange above; of any other number of channels the mean is shown so. Those of series (filters, channels, k) are
    curves; of those of volumes the middle plane is shown.
    """
    weights = np.nan_to_num(np.asarray(weights, dtype=np.float64))
    if weights.ndim == 5:
        weights = weights[:, :, weights.shape[2] // 2]
    shown, channels = weights[:_MOST_KERNELS], weights.shape[1]
    is_mean = weights.ndim == 4 and channels != 3
    values = shown.mean(axis=1) if is_mean else shown
    reach = float(np.abs(values).max(initial=0))
    if is_mean:
        painted, legend = pixels.diverging(values, reach), _legend(reach)
    elif weights.ndim == 4:
        painted = np.rint(127.5 + 127.5 * values.transpose(0, 2, 3, 1) / (reach or 1.0)).astype(np.uint8)
        legend = f"grey is 0, black −{reach:.2g}, white {reach:.2g}"
    else:
        painted = [lines.curve(kernel, reach) for kernel in values]
        legend = f"from left to right, the middle is 0, the edges are ±{reach:.2g}"
    columns = columns_for(len(shown))
    tiles = [pixels.fitted(tile, min(160, max(_NARROWEST, 1200 // columns))) for tile in painted]
    more = f"the first {len(shown)} of {len(weights):,}" if len(weights) > len(shown) else ""
    mean = f"mean over {channels} channels" if is_mean and channels > 1 else ""
    said = " · ".join(note for note in (more, mean, legend) if note)
    return _sheet(tiles, [str(place) for place in range(len(tiles))], columns, said, framed=True)


def side_by_side(picture: np.ndarray, feature_map: np.ndarray, title: str, formula: str = "") -> bytes:
    """A picture (H, W[, 1 or 3]) and what a filter makes of it (h, w), with sizes, range and formula.

    A map with values below 0 is blue below and orange above 0; one without is grey from low to high, as a picture is
    that has not 8 bits.
    """
    feature_map = np.asarray(feature_map, dtype=np.float64)
    known = feature_map[np.isfinite(feature_map)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    signed = low < -0.01 * max(abs(high), abs(low))
    # A few strong edges would otherwise bleach the rest of the map.
    reach = float(np.percentile(np.abs(known), 99.5)) or max(abs(low), abs(high)) if signed else 0.0
    shapes = [picture.shape, feature_map.shape]
    figure = style.new_figure(9, 1.2 + 4.2 * float(np.clip(max(h / w for h, w, *_ in shapes), 0.2, 2)))
    panels = figure.subplots(1, 2)
    figure.suptitle(style.legible(title), x=0.016, ha="left", fontsize=12, color=style.INK)
    _panel(panels[0], pixels.three_channels(pixels.to_uint8(picture, 0, 100)), f"picture, {_size(picture)}")
    grey = pixels.three_channels(pixels.to_uint8(feature_map, 0, 100))
    shown = pixels.diverging(feature_map, reach) if signed else grey
    _panel(panels[1], shown, f"feature map, {_size(feature_map)}")
    scale = f" · {_legend(reach)}" if signed else ", black to white"
    panels[1].set_xlabel(f"{say(low)} to {say(high)}{scale}", fontsize=8, color=style.MUTED)
    if formula:
        figure.supxlabel(style.legible(style.shorten(formula, 120)), fontsize=8.5, color=style.INK)
    return style.to_png(figure)


def _sheet(tiles: list[np.ndarray], captions: list[str], columns: int, title: str, *, framed: bool = False) -> bytes:
    words = max((caption.count("\n") + 1 for caption in captions), default=0)
    wide = max([_NARROWEST, *(tile.shape[1] for tile in tiles)])
    high = max([1, *(tile.shape[0] for tile in tiles)])
    top = MARGIN + (_TITLE_HEIGHT if title else 0)
    step_x, step_y = wide + GAP, high + GAP + words * LINE
    rows = math.ceil(len(tiles) / columns)
    width = max(columns * step_x - GAP, 640 if title else 0) + 2 * MARGIN
    canvas = Canvas(width, top + rows * step_y + MARGIN)
    canvas.write(title, MARGIN, MARGIN, width - 2 * MARGIN, fontsize=TITLE)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        x, y = MARGIN + column * step_x, top + row * step_y
        canvas.paste(tile, x + (wide - tile.shape[1]) // 2, y + (high - tile.shape[0]) // 2, framed=framed)
        if place < len(captions):
            canvas.write(captions[place], x + wide / 2, y + high + 6, wide + GAP // 2, ha="center")
    return canvas.png()


def _panel(axes: "Axes", picture: np.ndarray, title: str) -> None:
    axes.imshow(picture, interpolation="antialiased")
    axes.set(xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set_color(style.GRID)
    axes.set_title(title, loc="left", fontsize=9, color=style.MUTED)


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]} × {array.shape[1]}"


def _legend(reach: float) -> str:
    return f"blue −{reach:.3g}, white 0, orange {reach:.3g}"
