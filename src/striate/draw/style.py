"""One look for every chart: colours that colour-blind readers tell apart, and text that any font can show.

Charts are built with matplotlib's objects, never with pyplot, so nothing here changes a user's settings.
matplotlib itself is imported by the functions that draw.
"""

import functools
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFont

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Two dots for each point of the page, so that charts stay sharp on dense screens and in print.
DOTS_PER_INCH = 200
INK, MUTED, GRID, PAPER = "#1d2433", "#667085", "#e4e7ec", "#ffffff"
# Okabe and Ito's palette without black; blue for what is right or learned from, orange for wrong or held back.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
AMBER, SKY, PINK, YELLOW = "#e69f00", "#56b4e9", "#cc79a7", "#f0e442"
MARK = "#e6007e"  # of a chosen pixel: in no scale, so it is seen on every map
# Tried in this order for letters that DejaVu Sans lacks; only those that are installed are used.
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "FreeSans",
)


def new_figure(width: float, height: float, *, arranged: bool = True) -> "Figure":
    """An empty white figure of width x height inches; `arranged` keeps labels from overlapping."""
    from matplotlib.figure import Figure

    layout = "constrained" if arranged else None
    figure = Figure(figsize=(width, height), facecolor=PAPER, layout=layout, dpi=DOTS_PER_INCH)
    if arranged:
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    return figure


def plain_axes(axes: "Axes", *, grid: str = "y") -> "Axes":
    """The axes without frame, with a light grid ("x", "y", "both" or "") and muted small ticks."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=8, length=0)
    axes.set_axisbelow(True)
    axes.set_facecolor(PAPER)
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)
    return axes


def to_png(figure: "Figure") -> bytes:
    """The figure as the bytes of a PNG file; the same figure gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if text.get_fontfamily() != ["monospace"]:
            text.set_fontfamily(list(_families()))
    for axes in figure.axes:
        axes.tick_params(labelfontfamily=list(_families()))
    canvas = FigureCanvasAgg(figure)
    # figure.savefig would draw everything twice.
    canvas.draw()
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])).save(buffer, format="PNG")
    return buffer.getvalue()


def legible(text: object) -> str:
    """Text that can be drawn without warning: letters that no installed font has become a small box.

    Dollar signs stay dollar signs (matplotlib would read them as the start of a formula).
    """
    glyphs = _glyphs()
    spaced = (" " if character in "\t\r\v\f" else character for character in str(text))
    shown = "".join(c if c == "\n" or ord(c) in glyphs else "□" for c in spaced)
    return shown.replace("$", r"\$")


def class_labels(classes: Sequence[str]) -> list[str]:
    """Class names for the edge of a chart: legible, shortened, and numbered from 0 where letters are lost."""
    labels = []
    for number, name in enumerate(classes):
        line = " ".join(str(name).split())
        label = legible(shorten(line, 24))
        labels.append(f"{number} {label}" if "□" in label and "□" not in line else label)
    return labels


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of a colour written #rrggbb."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def shorten(text: str, longest: int) -> str:
    """Text of at most `longest` characters; what is too much is cut from the middle."""
    if len(text) <= longest:
        return text
    head = longest // 2
    tail = max(longest - 1 - head, 0)
    return f"{text[:head]}…{text[len(text) - tail :]}"


@functools.cache
def font(file: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of matplotlib's own for pictures that Pillow writes on; size: pixels."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", file), size)


@functools.cache
def _families() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return tuple(name for name in _FONTS if name in installed)


@functools.cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[name]))) for name in _families()]
    return frozenset(code for font in fonts for code in font.get_charmap())
