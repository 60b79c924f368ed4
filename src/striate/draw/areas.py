"""Label maps on pictures: areas in thin colour, their outlines in full colour, the true outlines in white."""

import colorsys
import functools

import numpy as np

from striate.draw import style
from striate.draw.pixels import grown, three_channels

GROWN = 320  # dots to which smaller pictures are enlarged, so that outlines do not cover what they surround
_FIRST = (style.AMBER, style.SKY, style.GREEN, style.PINK, style.ORANGE, style.BLUE, style.YELLOW)
_TURN = 0.61803398875  # of the circle of hues: no two of these are near each other for long
_TINT = 0.35


@functools.cache
def class_colours(count: int) -> np.ndarray:
    """(count, 3) uint8: black for the first class, then colours that are far apart."""
    hues = [colorsys.hsv_to_rgb(number * _TURN % 1, 0.75 - 0.3 * (number % 2), 0.95) for number in range(count)]
    further = [tuple(round(255 * part) for part in hue) for hue in hues]
    return np.array([(0, 0, 0), *map(style.rgb, _FIRST), *further][:count], np.uint8)


def palette() -> np.ndarray:
    """(256, 3) uint8 for index files: the colours of classes, and white for 255."""
    return np.concatenate([class_colours(255), np.full((1, 3), 255, np.uint8)])


def with_areas(
    picture: np.ndarray,
    told: np.ndarray,
    truth: np.ndarray | None = None,
    background: int | None = 0,
    objects: np.ndarray | None = None,
) -> np.ndarray:
    """A uint8 picture (H, W, 1 or 3) with label maps (H, W) drawn on it, as (H', W', 3); small ones grow.

    told: its areas are tinted and outlined in the colours of their classes, the background's not. truth: outlined in
    white on black. objects: numbers (H, W) whose areas are outlined as well. Labels of 255 are not drawn.
    """
    times = max(1, GROWN // max(picture.shape[:2]))
    drawn = grown(three_channels(picture), times)
    told = grown(told, times)
    shown = told != 255 if background is None else (told != 255) & (told != background)
    colours = class_colours(256)[told]
    drawn[shown] = np.rint((1 - _TINT) * drawn[shown] + _TINT * colours[shown]).astype(np.uint8)
    rim = outlines(told, both=True)
    if objects is not None:
        rim |= outlines(grown(objects, times), unknown=-1)
    rim &= shown
    drawn[rim] = colours[rim]
    if truth is not None:
        from scipy.ndimage import binary_dilation

        edge = outlines(grown(truth, times))
        drawn[binary_dilation(edge)] = 0
        drawn[edge] = 255
    return drawn


def outlines(labels: np.ndarray, *, both: bool = False, unknown: int = 255) -> np.ndarray:
    """Which pixels (H, W) have another label to the right or below, or on any side if `both`; those beside unknown
    pixels have not."""
    rim = np.zeros(labels.shape, bool)
    for mine, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        differ = (labels[mine] != labels[other]) & (labels[mine] != unknown) & (labels[other] != unknown)
        rim[mine] |= differ
        rim[other] |= differ & both
    return rim
