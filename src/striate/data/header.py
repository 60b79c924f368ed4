"""What is known about a picture before its pixels are read, the limits on it, and how it is refused."""

from dataclasses import dataclass, field

MAX_SIDE = 20_000  # pixels
MAX_PIXELS = 100_000_000
MAX_UNPACKED = 400_000_000  # bytes of pixels: what a header can make us allocate, several times over
MAX_PAGES = 65_536  # pages or frames that are counted
MOST_WORKERS = 256  # processes that decode
PROJECTIONS = ("max", "mean")  # of every value over all pages


class Unreadable(Exception):
    """A picture that cannot be used. `reason` is a phrase for people, `code` one word for programs.

    Codes: empty, missing, link, folder, special, permission, text, unsupported, damaged, size, package,
    values, pick, memory; time and crash of what ended its decoder.
    """

    def __init__(self, reason: str, code: str = "damaged") -> None:
        self.reason, self.code = reason, code
        super().__init__(reason)


def no_memory() -> Unreadable:
    return Unreadable("needs more memory than there is for one picture", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Which part of a file is the picture.

    page: the number of a page, slice or frame, from 0, or one of PROJECTIONS. channels: which channels, in this
    order, or the words in which the names of their files differ (see `apart`); () for all.
    volume: all pages, with the channels of one behind those of the other. written: a TIFF's numbers, as in a mask.
    """

    page: int | str = 0
    channels: tuple[int, ...] | tuple[str, ...] = ()
    volume: bool = False
    written: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON makes a list of it

    @property
    def number(self) -> int:
        """Of the page that a header speaks of."""
        return 0 if isinstance(self.page, str) else self.page

    @property
    def words(self) -> tuple[str, ...]:
        """Of channels in files of their own."""
        return self.channels if isinstance(next(iter(self.channels), 0), str) else ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of channels in one file."""
        return () if self.words else self.channels


WHOLE = Pick()  # the first page with all its channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Size in pixels (after the EXIF orientation), channels (1 grey, 3 RGB, or n), depth ("uint8",
    "uint16" or "float32"), format ("PNG", "JPEG", ..., "array") and pages of a picture not yet decoded.

    coarse: the sum of a JPEG's first quantisation table, which grows as its quality falls, or the number of a
        TIFF's compression, 1 for none; 0 for all else. patient: a hash of a DICOM file's PatientID, 0 without one.
    """

    height: int
    width: int
    channels: int
    depth: str
    format: str
    pages: int = 1
    coarse: int = field(default=0, compare=False)
    patient: int = field(default=0, compare=False)


def require_size(height: int, width: int, pixel_bytes: int) -> None:
    """Raise Unreadable for an empty picture or one above the limits: called before any decoding.

    pixel_bytes: of one pixel with all its channels, while it is unpacked.
    """
    if height < 1 or width < 1 or pixel_bytes < 1:
        raise Unreadable(f"the picture has no pixels ({width} × {height})", "size")
    if (max(height, width) > MAX_SIDE and min(height, width) > 1) or height * width > MAX_PIXELS:
        raise Unreadable(
            f"too large: {width:,} × {height:,} pixels; at most {MAX_SIDE:,} per side"
            f" and {MAX_PIXELS // 1_000_000} million in all",
            "size",
        )
    if height * width * pixel_bytes > MAX_UNPACKED:
        raise Unreadable(
            f"too large: {width:,} × {height:,} pixels of {pixel_bytes:,} bytes;"
            f" at most {MAX_UNPACKED // 1_000_000} MB in all",
            "size",
        )


def require_page(page: int, pages: int) -> None:
    """Raise Unreadable unless a file of `pages` pages has the page numbered `page`."""
    if not 0 <= page < pages:
        raise Unreadable(f"page {page} is asked for, and it has {pages:,} (the first is 0)", "pick")


def chosen(channels: int, pick: Pick) -> list[int]:
    """The numbers of the channels that `pick` takes out of `channels`, in order; Unreadable when there are fewer."""
    wanted = list(pick.numbers or range(channels))
    if not all(0 <= number < channels for number in wanted):
        asked = ", ".join(map(str, wanted))
        raise Unreadable(f"channels {asked} are asked for, and it has {channels} (the first is 0)", "pick")
    return wanted
