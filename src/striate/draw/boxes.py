"""Boxes drawn on a picture, each in the colour of its class, with its name where there is room for it."""

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from striate.draw import style
from striate.draw.pixels import fitted, three_channels

# The brightest first; classes beyond them begin again.
_ORDER = (style.YELLOW, style.SKY, style.AMBER, style.GREEN, style.PINK, style.ORANGE, style.BLUE)
COLOURS = tuple(map(style.rgb, _ORDER))
LEAST = 480  # pixels of the longer side, so that words can be read
_LETTER = 12  # pixels, of a picture of LEAST
_DASH = 4


def colour_of(number: int) -> tuple[int, int, int]:
    """Red, green and blue of the class with this number."""
    return COLOURS[number % len(COLOURS)]


def draw_boxes(
    picture: np.ndarray,
    corners: np.ndarray,
    kinds: Sequence[int],
    captions: Sequence[str] = (),
    dashed: Sequence[bool] = (),
) -> np.ndarray:
    """A uint8 picture (H, W, 1 or 3) with its boxes (N, 4) of half-open x0, y0, x1, y1, as uint8 (h, w, 3).

    Small pictures are enlarged by a whole number first. kinds: the class number of each box, for its colour. captions:
    a word for each, or none. dashed: boxes to draw so, e.g. true ones beside those that were found, with their words
    at the lower edge. Large boxes are drawn first, so that small ones in front of them stay visible.
    """
    plain = _roomy(picture)
    times = plain.shape[1] / picture.shape[1]
    image = Image.fromarray(np.ascontiguousarray(plain))
    pen, thick = ImageDraw.Draw(image), max(2, round(max(image.size) / 300))
    font = _font(plain)
    corners = np.asarray(corners, np.float64).reshape(-1, 4)
    order = np.argsort(-(corners[:, 2:] - corners[:, :2]).prod(axis=1), kind="stable")
    for place in order:
        x0, y0, x1, y1 = (round(float(value) * times) for value in corners[place])
        edges = (max(x0, 0), max(y0, 0), min(max(x1 - 1, x0), image.width - 1), min(max(y1 - 1, y0), image.height - 1))
        if edges[2] < edges[0] or edges[3] < edges[1]:
            continue
        colour = colour_of(kinds[place])
        is_dashed = len(dashed) > place and dashed[place]
        if is_dashed:
            _dashes(pen, edges, colour, thick)
        else:
            pen.rectangle(edges, outline=(0, 0, 0), width=thick + 1)  # its rim is seen on a ground of the box's colour
            pen.rectangle(edges, outline=colour, width=thick)
        if len(captions) > place and captions[place]:
            _caption(pen, image.size, edges, captions[place], colour, font, below=is_dashed)
    return np.asarray(image)


def captioned(picture: np.ndarray, words: str) -> np.ndarray:
    """A uint8 picture (H, W, 1 or 3) above a white strip with these words, as uint8 (h, w, 3); small ones enlarged."""
    plain = _roomy(picture)
    font, wide = _font(plain), plain.shape[1]
    lines = "\n".join(textwrap.wrap(words, max(int(wide // font.getlength("m")), 1)))
    high = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((4, 4), lines, font=font)[3] + 6
    strip = Image.new("RGB", (wide, int(high)), "white")
    ImageDraw.Draw(strip).text((4, 4), lines, font=font, fill="black")
    return np.concatenate([plain, np.asarray(strip)])


def _roomy(picture: np.ndarray) -> np.ndarray:
    """The picture in colour, enlarged by a whole number if words beside it could not be read."""
    plain = three_channels(picture)
    return fitted(plain, LEAST) if max(picture.shape[:2]) < LEAST else plain


def _font(picture: np.ndarray) -> ImageFont.FreeTypeFont:
    """The font for words on it, which grow with it."""
    return style.font("DejaVuSans.ttf", round(_LETTER * max(1.0, max(picture.shape[:2]) / 960)))


def _dashes(pen: ImageDraw.ImageDraw, edges: Sequence[int], colour: tuple[int, int, int], thick: int) -> None:
    """A frame of the colour and black in turn, which is seen on any ground."""
    x0, y0, x1, y1 = edges
    pen.rectangle(tuple(edges), outline=(0, 0, 0), width=thick)
    step = 2 * _DASH * thick
    for start in range(x0, x1 + 1, step):
        end = min(start + step // 2, x1)
        pen.rectangle((start, y0, end, min(y0 + thick - 1, y1)), fill=colour)
        pen.rectangle((start, max(y1 - thick + 1, y0), end, y1), fill=colour)
    for start in range(y0, y1 + 1, step):
        end = min(start + step // 2, y1)
        pen.rectangle((x0, start, min(x0 + thick - 1, x1), end), fill=colour)
        pen.rectangle((max(x1 - thick + 1, x0), start, x1, end), fill=colour)


def _caption(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    edges: Sequence[int],
    words: str,
    colour: tuple[int, int, int],
    font: ImageFont.FreeTypeFont,
    *,
    below: bool,
) -> None:
    """Words on a ground of the box's colour: above (or below) the box where there is room, else inside at that edge."""
    left, top, right, bottom = pen.textbbox((0, 0), words, font=font)
    wide, high = right - left + 4, bottom - top + 4
    x = max(0, min(edges[0], size[0] - wide))
    y = edges[1] - high if edges[1] >= high else edges[1]
    if below:
        y = edges[3] + 1 if edges[3] + high < size[1] else edges[3] + 1 - high
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    pen.rectangle((x, y, x + wide - 1, y + high - 1), fill=colour)
    pen.text((x + 2 - left, y + 2 - top), words, font=font, fill=(0, 0, 0) if bright > 110 else (255, 255, 255))
