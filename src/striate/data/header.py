"""What is known about a picture before its pixels are read, the limits on it, and how it is refused."""

from dataclasses import dataclass

MAX_SIDE = 20_000  # pixels
MAX_PIXELS = 100_000_000
MAX_VALUES = 400_000_000  # pixels times channels: what a hostile header can make us allocate


class Unreadable(Exception):
    """A picture that cannot be used. `reason` is a phrase for people, `code` one word for programs.

    Codes: empty, missing, link, folder, special, permission, text, unsupported, damaged, size, package,
    values.
    """

    def __init__(self, reason: str, code: str = "damaged") -> None:
        self.reason, self.code = reason, code
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Which part of a file is the picture.

    page: the number of a page, slice or frame, from 0. channels: which channels, in this order; () for all.
    """

    page: int = 0
    channels: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Size in pixels (after the EXIF orientation), channels (1 grey, 3 RGB, or n), depth ("uint8",
    "uint16" or "float32"), format ("PNG", "JPEG", ..., "array") and pages of a picture not yet decoded."""

    height: int
    width: int
    channels: int
    depth: str
    format: str
    pages: int = 1


def require_size(height: int, width: int, channels: int = 1) -> None:
    """Raise Unreadable for an empty picture or one above the limits: called before any decoding."""
    if height < 1 or width < 1 or channels < 1:
        raise Unreadable(f"the picture has no pixels ({width} × {height})", "size")
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        raise Unreadable(
            f"too large: {width:,} × {height:,} pixels; at most {MAX_SIDE:,} per side"
            f" and {MAX_PIXELS // 1_000_000} million in all",
            "size",
        )
    if height * width * channels > MAX_VALUES:
        raise Unreadable(f"too large: {width:,} × {height:,} pixels of {channels:,} channels", "size")
