"""Sheets of pictures, each as PNG bytes: many pictures, kernels, a picture beside its feature map."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from striate.draw import pixels, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from matplotlib.text import Text

_SHEET_WIDTH, _GAP, _MARGIN = 1600, 16, 24
_NARROWEST, _LINE_HEIGHT, _TITLE_HEIGHT, _LETTER = 96, 30, 64, 7.5
_MOST_KERNELS = 256


def picture_sheet(
    pictures: Sequence[np.ndarray], captions: Sequence[str] = (), columns: int = 8, title: str = ""
) -> bytes:
    """Pictures in rows of `columns`, each above its caption; captions too wide for their cell are cut.

    pictures: uint8 arrays (H, W, 1 or 3), sizes may differ. Small ones are enlarged by a whole number.
    captions: one per picture or none; a line break starts a second line.
    """
    columns = max(1, min(columns, len(pictures)))
    side = max(_NARROWEST, (_SHEET_WIDTH - 2 * _MARGIN - _GAP * (columns - 1)) // columns)
    # One picture alone would otherwise be blown up over the whole page.
    tiles = [pixels.fitted(pixels.three_channels(picture), min(side, 400)) for picture in pictures]
    return _sheet(tiles, [str(caption) for caption in captions], columns, title)


def kernels(weights: np.ndarray, title: str = "") -> bytes:
    """The kernels (filters, channels, kh, kw) of a layer, numbered from 0, as squares of one scale.

    Three channels are shown as colours around middle grey. One channel is blue below 0, white at 0 and
    orange above; of any other number of channels the mean is shown so.
    """
    weights = np.nan_to_num(np.asarray(weights, dtype=np.float64))
    shown = weights[:_MOST_KERNELS]
    in_colour = weights.shape[1] == 3
    values = shown.transpose(0, 2, 3, 1) if in_colour else shown.mean(axis=1)
    reach = float(np.abs(values).max(initial=0))
    if in_colour:
        painted = np.rint(127.5 + 127.5 * values / (reach or 1.0)).astype(np.uint8)
    else:
        painted = pixels.diverging(values, reach)
    columns = min(16, max(1, math.ceil(math.sqrt(2.5 * len(shown)))))
    side = min(160, max(_NARROWEST, 1200 // columns))
    tiles = [pixels.fitted(tile, side) for tile in painted]
    notes = [title] if title else []
    if len(weights) > len(shown):
        notes.append(f"the first {len(shown)} of {len(weights):,}")
    if not in_colour and weights.shape[1] > 1:
        notes.append(f"mean over {weights.shape[1]} channels")
    notes.append(f"grey is 0, black −{reach:.2g}, white {reach:.2g}" if in_colour else _legend(reach))
    return _sheet(tiles, [str(number) for number in range(len(tiles))], columns, " · ".join(notes), framed=True)


def side_by_side(picture: np.ndarray, feature_map: np.ndarray, title: str, formula: str = "") -> bytes:
    """A uint8 picture (H, W, 1 or 3) and what a filter makes of it (h, w), with sizes, range and formula.

    A map with values below 0 is blue below and orange above 0; one without is grey from low to high.
    """
    feature_map = np.asarray(feature_map, dtype=np.float64)
    known = feature_map[np.isfinite(feature_map)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    signed = low < -0.01 * max(abs(high), abs(low))
    # A few strong edges would otherwise bleach the rest of the map.
    reach = float(np.percentile(np.abs(known), 99.5)) or max(abs(low), abs(high)) if signed else 0.0
    grey = pixels.three_channels(pixels.to_uint8(feature_map))
    shapes = [picture.shape, feature_map.shape]
    figure = style.new_figure(9, 1.2 + 4.2 * float(np.clip(max(h / w for h, w, *_ in shapes), 0.2, 2)))
    panels = figure.subplots(1, 2)
    figure.suptitle(style.legible(title), x=0.016, ha="left", fontsize=12, color=style.INK)
    _panel(panels[0], pixels.three_channels(picture), f"picture, {_size(picture)}")
    shown = pixels.diverging(feature_map, reach) if signed else grey
    _panel(panels[1], shown, f"feature map, {_size(feature_map)}")
    scale = f" · {_legend(reach)}" if signed else ", black to white"
    panels[1].set_xlabel(f"{_number(low)} to {_number(high)}{scale}", fontsize=8, color=style.MUTED)
    if formula:
        figure.supxlabel(style.legible(style.shorten(formula, 120)), fontsize=8.5, color=style.INK)
    return style.to_png(figure)


def _sheet(tiles: list[np.ndarray], captions: list[str], columns: int, title: str, *, framed: bool = False) -> bytes:
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    wide = max([_NARROWEST, *(tile.shape[1] for tile in tiles)])
    high = max([1, *(tile.shape[0] for tile in tiles)])
    top = _MARGIN + (_TITLE_HEIGHT if title else 0)
    step_x, step_y = wide + _GAP, high + _GAP + lines * _LINE_HEIGHT
    rows = math.ceil(len(tiles) / columns)
    size = max(columns * step_x - _GAP, 640 if title else 0) + 2 * _MARGIN, top + rows * step_y + _MARGIN
    canvas = np.full((size[1], size[0], 3), 255, dtype=np.uint8)
    corners = []
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        x, y = _MARGIN + column * step_x, top + row * step_y
        _paste(canvas, tile, x + (wide - tile.shape[1]) // 2, y + (high - tile.shape[0]) // 2, framed)
        corners.append((x + wide / 2, y + high + 6))
    return _lettered(canvas, list(zip(corners, captions, strict=False)), wide + _GAP // 2, title)


def _paste(canvas: np.ndarray, tile: np.ndarray, x: int, y: int, framed: bool) -> None:
    height, width = tile.shape[:2]
    if framed:
        canvas[y - 2 : y + height + 2, x - 2 : x + width + 2] = 224
    canvas[y : y + height, x : x + width] = tile


def _lettered(canvas: np.ndarray, captions: list[tuple[tuple[float, float], str]], widest: int, title: str) -> bytes:
    """The canvas dot for dot, with its title and centred captions of at most `widest` dots."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    height, width = canvas.shape[:2]
    # The hundredth of a dot keeps a size such as 1599.9999 from being cut to 1599.
    figure = style.new_figure(
        (width + 0.01) / style.DOTS_PER_INCH, (height + 0.01) / style.DOTS_PER_INCH, arranged=False
    )
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(canvas, interpolation="none", aspect="auto", extent=(0, width, height, 0))
    if title:
        text = axes.text(_MARGIN, _MARGIN, "", fontsize=10, color=style.INK, va="top")
        _write(renderer, text, title, width - 2 * _MARGIN)
    for (x, y), caption in captions:
        text = axes.text(x, y, "", fontsize=_LETTER, color=style.INK, ha="center", va="top", linespacing=1.25)
        _write(renderer, text, caption, widest)
    return style.to_png(figure)


def _write(renderer: "RendererBase", text: "Text", words: str, widest: float) -> None:
    """Set `words`, each line cut in the middle until it is no wider than `widest` dots."""
    kept = []
    for line in words.split("\n"):
        longest, cut = len(line), line
        while True:
            text.set_text(style.legible(cut))
            have = text.get_window_extent(renderer).width
            if have <= widest or longest <= 1:
                break
            longest = max(1, min(longest - 1, math.floor(longest * widest / have)))
            cut = style.shorten(line, longest)
        kept.append(cut)
    text.set_text(style.legible("\n".join(kept)))


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


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
