"""Numbers to colours by table: one for what starts at zero, one for what has a sign. Pixels and legends read the same.

The tables have 256 rows of red, green and blue. What is not a number is magenta, in neither table.
"""

import functools
from dataclasses import dataclass

import numpy as np

from striate.draw.pixels import diverging as _two_sided

NOT_A_NUMBER = np.array([255, 0, 255], np.uint8)
# Every third row of viridis; importing matplotlib for it would cost the page half a second.
_VIRIDIS = bytes.fromhex(
    "440154450559460a5d470e61471365481769481b6d481f70482374482677472a7a472e7c46327e453581443983433d84424086414487"
    "3f47883e4a893d4e8a3b518b3a548c38588c375b8d355e8d34618d32648e31678e306a8e2e6d8e2d708e2c728e2b758e2a788e297b8e"
    "277e8e26818e25838e24868e23898e228c8d218f8d20928c1f948c1f978b1f9a8a1e9d891fa0881fa28721a58522a88425ab8227ad81"
    "2ab07f2eb37c32b67a37b8783bbb7540bd7246c06f4cc26c52c56958c7655ec96265cb5e6ccd5a73d0567ad15181d34d89d54890d743"
    "98d83ea0da39a8db34b0dd2fb8de29c0df25c8e020d0e11cd8e219dfe318e7e419efe51cf6e620fde725"
)
_NIGHT = np.array([22, 29, 39])  # the ground of the dark pages


@functools.cache
def sequential() -> np.ndarray:
    """(256, 3) uint8 from dark to light, evenly for the eye: viridis (Smith and van der Walt 2015), CC0."""
    known = np.frombuffer(_VIRIDIS, np.uint8).reshape(-1, 3)
    rows, places = np.arange(256), np.arange(0, 256, 3)
    return np.rint(np.stack([np.interp(rows, places, known[:, part]) for part in range(3)], axis=1)).astype(np.uint8)


@functools.cache
def diverging() -> np.ndarray:
    """(256, 3) uint8: blue below zero, white at zero (between rows 127 and 128), orange above."""
    return _two_sided(np.linspace(-1, 1, 256), 1.0)


@functools.cache
def diverging_dark() -> np.ndarray:
    """(256, 3) uint8: the same around the ground of a dark page; light blue and light orange at the ends."""
    share = np.linspace(-1, 1, 256)[:, None]
    end = np.where(share < 0, (104, 190, 245), (248, 160, 96))
    return np.rint(_NIGHT + np.abs(share) * (end - _NIGHT)).astype(np.uint8)


def tables() -> dict[str, list]:
    """All three by name, as a page takes them."""
    return {table.__name__: table().tolist() for table in (sequential, diverging, diverging_dark)}


@dataclass(frozen=True, slots=True)
class Scale:
    """What number gets what colour: from `low` to `high` through one of the tables.

    A signed scale is even on both sides of zero; one without a sign starts at 0.
    """

    low: float
    high: float
    signed: bool

    def paint(self, values: np.ndarray) -> np.ndarray:
        """(..., 3) uint8 colours; numbers beyond the ends get the colour of the end, NaN gets magenta."""
        values = np.asarray(values, dtype=np.float64)
        table = diverging() if self.signed else sequential()
        reach = self.high - self.low
        share = (np.nan_to_num(values, posinf=self.high, neginf=self.low) - self.low) / (reach if reach > 0 else 1.0)
        painted = table[np.rint(255 * np.clip(share, 0, 1)).astype(np.intp)]
        return np.where(np.isnan(values)[..., None], NOT_A_NUMBER, painted)


def scale_of(values: np.ndarray) -> Scale:
    """The scale that holds every finite value: with a sign as soon as one of them lies below zero."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    low, high = float(known.min(initial=0.0)), float(known.max(initial=0.0))
    reach = max(-low, high)
    return Scale(-reach, reach, True) if low < 0 else Scale(0.0, high, False)
