"""A white sheet, dot for dot: tiles are pasted, frames drawn, words written that stay within their width."""

import math
from typing import TYPE_CHECKING

import numpy as np

from striate.draw import style
from striate.draw.colours import Scale
from striate.errors import say

if TYPE_CHECKING:
    from matplotlib.backend_bases import RendererBase
    from matplotlib.text import Text

MARGIN, GAP = 24, 16  # dots
LETTER, TITLE = 7.5, 10.0  # points
LINE = 30  # dots from one line of words to the next
LEGEND = 360  # dots from the low end of a scale to its high end


class Canvas:
    """Places are in dots from the upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.dots = np.full((height, width, 3), 255, dtype=np.uint8)
        self._words: list[tuple[float, float, str, float, dict]] = []

    def paste(self, tile: np.ndarray, x: int, y: int, *, framed: bool = False) -> None:
        """A uint8 tile (H, W, 3), with a thin grey frame if asked."""
        height, width = tile.shape[:2]
        if framed:
            self.dots[y - 2 : y + height + 2, x - 2 : x + width + 2] = 224
        self.dots[y : y + height, x : x + width] = tile

    def write(self, text: str, x: float, y: float, widest: float, **look: object) -> None:
        """Words from (x, y) on, or centred there with ha="center"; each line is cut to `widest` dots."""
        self._words.append((x, y, text, widest, {"fontsize": LETTER, "color": style.INK, **look}))

    def legend(self, scale: Scale, x: int, y: int) -> None:
        """The scale's own colours from its low end to its high end, with the numbers below."""
        bar = scale.paint(np.linspace(scale.low, scale.high, LEGEND))[None].repeat(20, axis=0)
        self.paste(bar, x, y, framed=True)
        marks = {0.0: (scale.low, "left"), 1.0: (scale.high, "right")}
        if scale.signed:
            marks[0.5] = (0.0, "center")
        for share, (value, side) in marks.items():
            self.write(say(value), x + share * LEGEND, y + 26, LEGEND / 3, ha=side, color=style.MUTED)

    def png(self) -> bytes:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        height, width = self.dots.shape[:2]
        # The hundredth of a dot keeps a size such as 1599.9999 from being cut to 1599.
        inches = ((size + 0.01) / style.DOTS_PER_INCH for size in (width, height))
        figure = style.new_figure(*inches, arranged=False)
        measure = FigureCanvasAgg(figure).get_renderer()
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow(self.dots, interpolation="none", aspect="auto", extent=(0, width, height, 0))
        for x, y, words, widest, look in self._words:
            text = axes.text(x, y, "", va="top", linespacing=1.25, **look)
            kept = [_cut(line, widest, text, measure) for line in words.split("\n")]
            text.set_text(style.legible("\n".join(kept)))
        return style.to_png(figure)


def outline(tile: np.ndarray, box: tuple[float, float, float, float], times: float = 1.0) -> np.ndarray:
    """A copy of a uint8 tile (H, W, 3) with a thin frame round the half-open box (y0, y1, x0, x1).

    times: dots per unit of the box. The box grows to 3 dots each way where it is smaller, and never leaves the tile.
    """
    drawn, (height, width) = tile.copy(), tile.shape[:2]
    y0, y1, x0, x1 = (round(times * edge) for edge in box)
    y0, x0 = max(min(y0, height - 3), 0), max(min(x0, width - 3), 0)
    y1, x1 = min(max(y1, y0 + 3), height), min(max(x1, x0 + 3), width)
    drawn[y0:y1, x0:x1] = style.rgb(style.MARK)
    inner = slice(y0 + 2, max(y1 - 2, y0 + 2)), slice(x0 + 2, max(x1 - 2, x0 + 2))
    drawn[inner] = tile[inner]
    return drawn


def columns_for(count: int) -> int:
    """In how many columns so many small tiles stand."""
    return min(16, max(1, math.ceil(math.sqrt(2.5 * count))))


def _cut(line: str, widest: float, text: "Text", measure: "RendererBase") -> str:
    """The line, cut in the middle until it is no wider than `widest` dots in the look of `text`."""
    longest, cut = len(line), line
    while True:
        text.set_text(style.legible(cut))
        have = text.get_window_extent(measure).width
        if have <= widest or longest <= 1:
            return cut
        longest = max(1, min(longest - 1, math.floor(longest * widest / have)))
        cut = style.shorten(line, longest)
