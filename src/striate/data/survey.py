"""A first look at the pictures: sizes, channels and depth from their headers, to choose one shape."""

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median_low

from striate.data.guard import load_each
from striate.data.header import WHOLE, Pick
from striate.data.load import Want
from striate.data.prepare import DEPTHS
from striate.data.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Counts over the pictures looked at.

    sizes: (height, width) in pixels after the EXIF orientation; channels: 1 grey, 3 RGB, or n;
    depths: "uint8", "uint16", "float32"; formats: "PNG", ..., "array"; pages: how many a file has.
    """

    sizes: Counter[tuple[int, int]]
    channel_counts: Counter[int]
    depths: Counter[str]
    formats: Counter[str]
    pages: Counter[int] = field(default_factory=Counter)

    @property
    def typical_size(self) -> tuple[int, int]:
        """Median height and median width, in pixels; (0, 0) when nothing was readable."""
        heights, widths = zip(*self.sizes.elements(), strict=True) if self.sizes else ([0], [0])
        return median_low(heights), median_low(widths)

    def longer_side(self, share: float) -> int:
        """The least number of pixels that the longer side of this share of the pictures does not exceed."""
        return _least(map(max, self.sizes.elements()), share)

    @property
    def typical_pages(self) -> int:
        """Median number of pages: the frames of volumes."""
        return median_low(self.pages.elements()) if self.pages else 0

    def width_of(self, share: float) -> int:
        """The least width that this share of the pictures does not exceed."""
        return _least((width for _, width in self.sizes.elements()), share)

    @property
    def same_size(self) -> bool:
        """Whether all pictures looked at have one size."""
        return len(self.sizes) == 1

    @property
    def channels(self) -> int:
        """That with which most can be used: colour takes grey ones too, any other number those that have it alone."""
        counts = self.channel_counts
        return min(counts, key=lambda n: (-counts[n] - (n == 3) * counts[1], n), default=1)

    @property
    def depth(self) -> str:
        """The deepest of all, so that no picture loses any: float32 over uint16 over uint8."""
        return max(self.depths, key=DEPTHS.index, default="uint8")


def _least(sides: Iterable[int], share: float) -> int:
    ordered = sorted(sides)
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else 0


def survey(samples: Sequence[Sample], limit: int = 5000, pick: Pick = WHOLE, workers: int = 0) -> Survey:
    """What the headers of `samples` say; of more than `limit`, those chosen by a hash of their path.

    pick: the page and channels that will be used; a file that lacks them counts as unreadable. workers: processes that
    read headers (0: this one, unprotected). No pixel is decoded. Pictures with an unreadable header are passed over.
    """
    sources = ((sample.path, sample.source) for sample in _chosen(samples, limit))
    looked = load_each(sources, Want(header=True, pick=pick), workers)
    headers = [one.header for _, one in looked if one.header is not None]
    return Survey(
        sizes=Counter((header.height, header.width) for header in headers),
        channel_counts=Counter(header.channels for header in headers),
        depths=Counter(header.depth for header in headers),
        formats=Counter(header.format for header in headers),
        pages=Counter(header.pages for header in headers),
    )


def _chosen(samples: Sequence[Sample], limit: int) -> Sequence[Sample]:
    if len(samples) <= limit:
        return samples

    def rank(sample: Sample) -> bytes:
        return hashlib.blake2b(sample.path.encode("utf-8", "surrogateescape"), digest_size=8).digest()

    return heapq.nsmallest(limit, samples, key=rank)
