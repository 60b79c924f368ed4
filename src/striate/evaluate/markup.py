"""Pieces of a HTML page: whatever is not already `Html` is escaped before it gets in."""

import base64
import html
import struct
from collections.abc import Sequence

import numpy as np

from striate.draw.pixels import picture_png
from striate.evaluate import named

MOST_OPEN = 30
_SMALL_BAR = '<svg class="small" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def safe(value: object) -> Html:
    """The value as HTML: `Html` as it is, anything else escaped, without control or broken characters."""
    if isinstance(value, Html):
        return value
    text = str(value).encode("utf-8", errors="replace").decode("utf-8")
    kept = "".join(c if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160) else " " for c in text)
    return Html(html.escape(kept, quote=True))


def join(*pieces: object) -> Html:
    return Html("".join(safe(piece) for piece in pieces))


def element(tag: str, *content: object, **attributes: object) -> Html:
    """One element; `class_` stands for class, an underscore for the dash in other names; None is left out."""
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    written = "".join(f' {name}="{safe(value)}"' for name, value in given.items())
    return Html(f"<{tag}{written}>{join(*content)}</{tag}>")


def cards(*blocks: Html) -> Html:
    """Every block that is not empty, as a card of its own."""
    return join(*(element("div", block, class_="card") for block in blocks if block))


def quiet(text: str) -> Html:
    return element("p", text, class_="quiet")


def table(header: Sequence[object], rows: Sequence[Sequence[object]], *, words: int = 1, name: str = "") -> Html:
    """A table that scrolls by itself; the first `words` columns are text, the others figures."""

    def line(cells: Sequence[object], tag: str) -> Html:
        written = (element(tag, cell, class_=None if n < words else "figure") for n, cell in enumerate(cells))
        return element("tr", *written)

    head = element("thead", line(header, "th"))
    body = element("tbody", *(line(row, "td") for row in rows))
    return element("div", element("table", head, body, class_=name or None), class_="scroll")


def pairs(facts: Sequence[tuple[str, object]]) -> Html:
    """Names and values as a list of definitions."""
    rows = (element("div", element("dt", name), element("dd", value)) for name, value in facts)
    return element("dl", *rows)


def picture(png: bytes, alt: str, *, name: str, dense: int = 2) -> Html:
    """An image inside the page; `dense` dots of the PNG make one point of the page."""
    width, height = struct.unpack(">II", png[16:24])
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    sizes = f'width="{round(width / dense)}" height="{round(height / dense)}"'
    return Html(f'<img class="{safe(name)}" {sizes} alt="{safe(alt)}" src="{source}">')


def figure(png: bytes, alt: str, caption: str, *, name: str) -> Html:
    return element("figure", picture(png, alt, name=name), element("figcaption", caption))


def framed(pixels: np.ndarray, alt: str, side: int) -> Html:
    """A uint8 picture (H, W, 1 or 3), its longer side brought to `side` dots, in a frame."""
    return element("div", picture(picture_png(pixels, side), alt, name="tiny", dense=1), class_="frame")


def folded(title: str, body: Html, count: int) -> Html:
    """The body under its title; of more than MOST_OPEN items, folded away until the reader asks for it."""
    if count <= MOST_OPEN:
        return join(element("h3", title), body)
    return element("details", element("summary", title), body)


def interval(score: dict, name: str) -> Html:
    """The score and, smaller, its 95 % interval."""
    value, _, ends = named.interval(score, name).partition(" [")
    told = element("span", value, class_="value")
    return join(told, " ", element("span", "[", ends, class_="range")) if ends else told


def interval_bar(score: dict, floor: float, floor_name: str) -> Html:
    """A drawing of a share with its interval on a line from 0 to 100 %, and the baseline to beat."""
    value, low, high = (1000 * score[end] for end in ("value", "low", "high"))
    ends = f"{low / 10:.1f} – {high / 10:.1f} %"
    x, label = 1000 * floor, f"{floor_name}: {100 * floor:.1f} %"
    anchor = "start" if x < 500 else "end"
    said = f"{value / 10:.1f} %, 95 % interval {ends}; {label}"
    parts = [
        '<line class="axis" x1="0" y1="40" x2="1000" y2="40"/>',
        *(f'<line class="tick" x1="{x}" y1="34" x2="{x}" y2="46"/>' for x in range(0, 1001, 250)),
        f'<rect class="band" x="{low:.1f}" y="30" width="{max(high - low, 4):.1f}" height="20" rx="6"/>',
        f'<circle class="dot" cx="{value:.1f}" cy="40" r="9"/>',
        f'<text class="strong" x="{min(max((low + high) / 2, 85), 915):.1f}" y="16">{ends}</text>',
        f'<line class="floor" x1="{x:.1f}" y1="22" x2="{x:.1f}" y2="58"/>',
        f'<text class="faint {anchor}" x="{x:.1f}" y="78">{safe(label)}</text>',
    ]
    head = f'<svg class="interval" viewBox="-12 0 1024 84" role="img" aria-label="{safe(said)}">'
    return Html(f"{head}{''.join(parts)}</svg>")


def small_bar(score: dict) -> Html:
    """A share with its interval as a bar of one line's height; empty where it is not defined."""
    if score["value"] is None:
        return Html("")
    value, low, high = (100 * score[end] for end in ("value", "low", "high"))
    return Html(
        f'{_SMALL_BAR}<rect class="ground" width="100" height="10"/>'
        f'<rect class="fill" width="{value:.1f}" height="10"/>'
        f'<rect class="reach" x="{low:.1f}" y="4" width="{max(high - low, 0.6):.1f}" height="2"/></svg>'
    )


def stacked_bar(counts: Sequence[int], most: int) -> Html:
    """Counts of one class side by side, on a scale where `most` fills the line."""
    x, parts = 0.0, []
    for place, count in enumerate(counts):
        width = 100 * count / max(most, 1)
        parts.append(f'<rect class="part{place}" x="{x:.2f}" width="{width:.2f}" height="10"/>')
        x += width
    return Html(f"{_SMALL_BAR}{''.join(parts)}</svg>")
