"""Filters that a person can choose by hand, and the arithmetic of sliding one over a picture.

Everything here is a weighted sum: the filter is laid on the picture as it is written (not turned
round), weights and pixels under it are multiplied and the products summed. Mathematics calls that
cross-correlation; convolutional networks call it convolution, and so do we. NumPy only.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from striate.errors import StriateError, nearest
from striate.inside import kernels
from striate.inside.kernels import gabor, gaussian, kernel, kernel_names  # noqa: F401 - as `filters.gabor` too

Padding = str | int
PADDINGS = ("valid", "same", "reflect")
GREY_WEIGHTS = np.array([0.2989, 0.5870, 0.1140])  # Rec. 601 luma, as the tutorials write it
BAND_VALUES = 1 << 18  # products are summed in bands of about this many values: 2 MB stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilterResult:
    """What a filter made of a picture.

    grey: (H, W) float64, the picture that was filtered, in its own units.
    kernels: the filter's weights, each (kh, kw); two for "sobel", one for every other filter.
    feature_map: (H', W') float64, in the picture's units; values may be negative.
    formula: how H' and W' follow from H, W, filter, padding and stride, in numbers.
    """

    grey: np.ndarray
    kernels: tuple[np.ndarray, ...]
    feature_map: np.ndarray
    formula: str


def to_grey(picture: np.ndarray) -> np.ndarray:
    """`picture` (H, W), (H, W, 1) or (H, W, 3) as (H, W) float64: 0.2989 R + 0.5870 G + 0.1140 B."""
    values = _picture(picture)
    if values.shape[2:] in ((), (1,)):
        return values.reshape(values.shape[:2]).astype(np.float64)
    if values.shape[2] == 3:
        red, green, blue = (values[:, :, channel] * GREY_WEIGHTS[channel] for channel in range(3))
        return red + green + blue
    remedy = "drop the other channels, as --channels 0, does"
    raise StriateError("a picture made grey has 1 or 3 channels", received=values.shape[2], remedy=remedy)


def output_size(width: int, filter: int, padding: Padding, stride: int, dilation: int = 1) -> int:
    """How many places a filter visits along one side: ((W - F + 2P) / S) + 1, rounded down.

    With dilation D the filter spans D · (F - 1) + 1 pixels, which then stand for F. "valid" is P = 0;
    "same" and "reflect" give W / S rounded up. An integer `padding` is P.
    """
    return _along(width, filter, padding, stride, dilation).places


def convolve(
    picture: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: Padding = "valid", dilation: int = 1
) -> np.ndarray:
    """The feature map of one filter, float64: at every place the weighted sum of the pixels under it.

    picture: (H, W) or (H, W, C). A kernel (kh, kw) filters every channel alone and keeps their
    number; a kernel (kh, kw, C) sums over the channels too, as a layer of a network does, and gives
    (H', W'). As in networks the kernel is not turned round.

    padding: "valid" stays inside the picture; "same" adds zeros until H' is H / stride rounded up,
    the odd one after (below, right); "reflect" adds as much by mirroring without repeating the edge
    pixel (`numpy.pad` and torch "reflect", SciPy "mirror"); an integer adds so many zeros all round.
    """
    values, weights = _picture(picture), _weights(kernel, picture)
    sides = [_along(values.shape[axis], weights.shape[axis], padding, stride, dilation) for axis in (0, 1)]
    rows, columns = (side.places for side in sides)
    padded = _pad(values, [(side.before, side.after) for side in sides], padding == "reflect")
    out = np.zeros((rows, columns, *(values.shape[2:] if weights.ndim == 2 else ())))
    # A band of rows at a time keeps the temporary products small for a picture of any size.
    step = max(1, BAND_VALUES // max(1, out[0].size))
    for top in range(0, rows, step):
        band = out[top : top + step]
        for place in zip(*np.nonzero(weights), strict=True):  # a weight of zero adds nothing
            first_row, first_column = top * stride + place[0] * dilation, place[1] * dilation
            under = padded[
                first_row : first_row + (len(band) - 1) * stride + 1 : stride,
                first_column : first_column + (columns - 1) * stride + 1 : stride,
                *place[2:],
            ]
            band += under * weights[place]
    return out


def sobel(picture: np.ndarray, stride: int = 1, padding: Padding = "valid") -> np.ndarray:
    """How steep the picture is at every place, in any direction: √(sobel-x² + sobel-y²), float64."""
    across, down = (convolve(picture, kernel(name), stride, padding) for name in ("sobel-x", "sobel-y"))
    return np.hypot(across, down)


def weighted_sum(patch: np.ndarray, kernel: np.ndarray) -> float:
    """One value of a feature map: pixels times weights of the same place, summed."""
    pixels, weights = np.asarray(patch, np.float64), np.asarray(kernel, np.float64)
    if pixels.shape != weights.shape:
        raise StriateError("patch and filter must have the same shape", received=f"{pixels.shape} and {weights.shape}")
    return math.fsum((pixels * weights).ravel())


def pool(picture: np.ndarray, size: int, stride: int | None = None, how: str = "max") -> np.ndarray:
    """The largest ("max") or mean ("average") value of every `size` x `size` patch, float64.

    `stride` is by default `size`: the patches meet without overlap. Pixels at the right and lower
    edge that fill no whole patch are left out. Channels (H, W, C) are pooled one by one.
    """
    if how not in ("max", "average"):
        raise StriateError("pooling is max or average", received=how, remedy=nearest(how, ("max", "average")))
    values, stride = _picture(picture), size if stride is None else stride
    for side in values.shape[:2]:
        _along(side, size, "valid", stride, 1)  # which says what is wrong with these
    patches = sliding_window_view(values.astype(np.float64), (size, size), axis=(0, 1))[::stride, ::stride]
    return patches.max(axis=(-2, -1)) if how == "max" else patches.mean(axis=(-2, -1))


def filter_picture(
    picture: np.ndarray, kernel: str | np.ndarray, stride: int = 1, padding: Padding = "valid"
) -> FilterResult:
    """The picture made grey, a filter (name, text or weights (kh, kw)) and the feature map it gives.

    "sobel" is the length of two answers (see `sobel`); every other filter is one weighted sum.
    """
    grey = to_grey(picture)
    if isinstance(kernel, str) and kernel.strip().lower() == "sobel":
        used = (kernels.kernel("sobel-x"), kernels.kernel("sobel-y"))
        feature_map = sobel(grey, stride, padding)
    else:
        used = (kernels.kernel(kernel) if isinstance(kernel, str) else _weights(kernel, grey),)
        feature_map = convolve(grey, used[0], stride, padding)
    height, width = used[0].shape
    across = size_formula(grey.shape[1], width, padding, stride)
    down = size_formula(grey.shape[0], height, padding, stride)
    formula = across if across == down else f"width {across}, height {down}"
    return FilterResult(grey=grey, kernels=used, feature_map=feature_map, formula=formula)


def size_formula(width: int, filter: int, padding: Padding, stride: int) -> str:
    """`output_size` worked in numbers: "((480 − 3 + 2·0)/1) + 1 = 478"; ⌊ ⌋ where it is rounded down."""
    span, before, after, size = _along(width, filter, padding, stride, 1)
    added = f"2·{before}" if before == after else f"({before} + {after})"
    whole = (width - span + before + after) % stride == 0
    left, right = ("(", ")") if whole else ("⌊", "⌋")
    return f"{left}({width} − {span} + {added})/{stride}{right} + 1 = {size}"


def _picture(picture: np.ndarray) -> np.ndarray:
    values = np.asarray(picture)
    if values.ndim not in (2, 3) or values.dtype.kind not in "biuf":
        raise StriateError(
            "a picture is an array of numbers (height, width) or (height, width, channels)",
            received=f"shape {values.shape} of {values.dtype}",
        )
    return values


def _weights(kernel: np.ndarray, picture: np.ndarray) -> np.ndarray:
    weights, channels = np.asarray(kernel, np.float64), np.shape(picture)[2:]
    if weights.ndim == 2 or (weights.ndim == 3 and weights.shape[2:] == channels):
        return weights
    raise StriateError(
        "a filter is an array (height, width), or (height, width, channels) with the picture's channels",
        received=f"filter {weights.shape}, picture {np.shape(picture)}",
    )


class _Side(NamedTuple):
    """Along one side: how many pixels a filter spans, how many are added before and after, and the places it visits."""

    span: int
    before: int
    after: int
    places: int


def _along(width: int, filter: int, padding: Padding, stride: int, dilation: int) -> _Side:
    for name, value in {"filter size": filter, "stride": stride, "dilation": dilation}.items():
        if value < 1 or value != int(value):
            raise StriateError(f"{name} is a whole number of pixels, 1 or more", received=value)
    span = dilation * (filter - 1) + 1
    if padding == "valid":
        added = 0
    elif padding in ("same", "reflect"):
        added = max((-(-width // stride) - 1) * stride + span - width, 0)
    elif isinstance(padding, int) and padding >= 0:
        added = 2 * padding
    else:
        raise StriateError(
            "padding is valid, same, reflect or a whole number of pixels, 0 or more",
            received=padding,
            remedy=nearest(str(padding), PADDINGS),
        )
    if span > width + added:
        raise StriateError(
            "a filter must not be larger than the picture under it",
            received=f"{span} pixels on {width + added}",
            remedy="choose a smaller filter, a larger picture or padding same",
        )
    return _Side(span, added // 2, added - added // 2, (width - span + added) // stride + 1)


def _pad(picture: np.ndarray, margins: list[tuple[int, int]], reflect: bool) -> np.ndarray:
    if not any(map(any, margins)):
        return picture
    if reflect and any(max(margin) >= side for margin, side in zip(margins, picture.shape, strict=False)):
        raise StriateError(
            "mirroring needs a picture larger than the margin that it fills",
            received=f"margins {margins}, picture {picture.shape[:2]}",
            remedy="choose padding same or a smaller filter",
        )
    return np.pad(picture, [*margins, *[(0, 0)] * (picture.ndim - 2)], mode="reflect" if reflect else "constant")
