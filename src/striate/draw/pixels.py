"""Arrays of numbers become arrays of 8-bit pixels, and those the bytes of a PNG file."""

import io

import numpy as np
from PIL import Image

from striate.draw import style

_BELOW, _ABOVE = style.rgb(style.BLUE), style.rgb(style.ORANGE)  # the two ends of the diverging map


def to_uint8(picture: np.ndarray, low: float = 0.5, high: float = 99.5) -> np.ndarray:
    """The picture in 8 bits for the eye, same shape: the `low` percentile becomes 0, the `high` one 255.

    8-bit pictures come back as they are; others are stretched, all channels alike so that colours keep
    their hue. Not-a-number becomes 0; a picture of one value becomes middle grey.
    """
    picture = np.asarray(picture)
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype == bool:
        return picture.astype(np.uint8) * np.uint8(255)
    values = picture.astype(np.float64)
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(picture.shape, dtype=np.uint8)
    bottom, top = np.percentile(values[known], [low, high])
    if top <= bottom:
        # A few bright dots on an even ground: the percentiles agree, the extremes do not.
        bottom, top = values[known].min(), values[known].max()
    if top <= bottom:
        return np.where(known, 128, 0).astype(np.uint8)
    scaled = (np.where(known, values, bottom) - bottom) / (top - bottom)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def visible(picture: np.ndarray) -> np.ndarray:
    """A picture (H, W, C) of any depth as uint8 (H, W, 1 or 3).

    With any other number of channels each is stretched by itself and gets a hue of its own, as in fluorescence
    microscopy, the first one red; where all are bright the sum is white.
    """
    channels = picture.shape[2]
    if channels in (1, 3):
        return to_uint8(picture)
    turns = (np.arange(channels)[:, None] / channels + np.array([0, 2, 1]) / 3) % 1
    hues = np.clip(np.abs(6 * turns - 3) - 1, 0, 1)  # of full colour, as red, green and blue
    light = sum(to_uint8(picture[:, :, c])[:, :, None] * hues[c] for c in range(channels))
    return np.rint(np.clip(light / max(1.0, channels / 4), 0, 255)).astype(np.uint8)


def diverging(values: np.ndarray, reach: float | None = None) -> np.ndarray:
    """Colours (..., 3) of uint8 for signed values: blue below 0, white at 0, orange above.

    reach: the absolute value that gets the full colour; by default the largest one.
    """
    values = np.nan_to_num(np.asarray(values, dtype=np.float64))
    reach = float(np.abs(values).max(initial=0)) if reach is None else reach
    share = np.clip(values / reach, -1, 1)[..., None] if reach > 0 else np.zeros((*values.shape, 1))
    end = np.where(share < 0, _BELOW, _ABOVE)
    return np.rint(255 + np.abs(share) * (end - 255)).astype(np.uint8)


def three_channels(picture: np.ndarray) -> np.ndarray:
    """A uint8 picture (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    picture = picture[:, :, None] if picture.ndim == 2 else picture
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, :3]


def grown(picture: np.ndarray, times: int) -> np.ndarray:
    """Pixels (H, W, ...) each as a square of `times` x `times`."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def fitted(picture: np.ndarray, side: int) -> np.ndarray:
    """A uint8 picture (H, W, 3) whose longer side is at most `side` pixels.

    Small pictures grow by a whole number, so that each pixel stays a sharp square; large ones shrink.
    """
    height, width = picture.shape[:2]
    times = side // max(height, width)
    if times >= 1:
        return grown(picture, times)
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(size, Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR))


def picture_png(picture: np.ndarray, side: int | None = None) -> bytes:
    """A uint8 picture (H, W), (H, W, 1) or (H, W, 3) as a PNG file, fitted to `side` pixels if given."""
    colours = three_channels(np.asarray(picture))
    colours = colours if side is None else fitted(colours, side)
    buffer = io.BytesIO()
    # `optimize` takes twelve times as long, for files that are 7 % smaller (photographs of 512×400)
    Image.fromarray(np.ascontiguousarray(colours)).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()
