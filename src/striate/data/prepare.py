"""The one way from a decoded picture to the numbers a network is trained on and predicts from.

Two steps. `fit` (here, NumPy) gives every picture the same size, channels and depth and is what the
store keeps; the scaling by figures measured on the training part is applied by `batches` in torch.
Training, prediction, serving and export all pass through both.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image

from striate.data.header import Pick
from striate.data.symbols import as_channels
from striate.errors import counted

DEPTHS = ("uint8", "uint16", "float32")
FORMS = {"picture": 2, "series": 1, "text": 1, "volume": 3}  # what a sample can be, and its axes besides channels
REACH = (-1.0, 2.0)  # of scaled values: hot and dead pixels are cut off here, or a few would outweigh the picture
GREY = np.array([0.2989, 0.5870, 0.1140], np.float32)  # Rec. 601 luma, as the tutorials write it


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What every picture is made into before it is stored: `height` x `width` pixels, `channels`
    (1 grey, 3 RGB, or as many as the pictures have) of `depth` ("uint8", "uint16" or "float32").

    page, picked: which page of a file or projection, and which of its channels; () for all (see Pick). mirrored:
    pictures keep their form: too large ones are made smaller, none larger, and what is left of the size is filled with
    their mirror images; else they are stretched.
    form: one of FORMS. A series or a text is kept as a picture of one row. A volume is kept as a picture whose
    channels are those of its first frame, then of the next, ...: `frames` of them.
    """

    height: int
    width: int
    channels: int
    depth: str = "uint8"
    page: int | str = 0
    picked: tuple[int, ...] | tuple[str, ...] = ()
    mirrored: bool = False
    form: str = "picture"
    frames: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "picked", self.pick.channels)  # JSON has lists

    @property
    def pick(self) -> Pick:
        """What is taken from each file."""
        return Pick(page=self.page, channels=self.picked, volume=self.form == "volume")

    @property
    def stored(self) -> tuple[int, int, int]:
        """The axes (H, W, C) of one row of the store."""
        return self.height, self.width, self.channels * self.frames

    @property
    def bytes(self) -> int:
        """Of one row of the store."""
        return math.prod(self.stored) * np.dtype(self.depth).itemsize

    @property
    def seen(self) -> tuple[int, ...]:
        """The axes of one sample as a network takes it: (C, L), (C, H, W) or (C, D, H, W)."""
        return self.channels, *(self.frames, self.height, self.width)[3 - self.axes :]

    @property
    def axes(self) -> int:
        """Of a sample besides its channels: 1 of a series or a text, 2 of a picture, 3 of a volume."""
        return FORMS[self.form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """Everything between a picture file and the first layer; it travels inside the model file.

    low, high: per channel, the stored values that become 0 and 1 (measured on the training part for
        16-bit and float pictures, 0 and 255 for 8-bit ones). Scaled values are cut off at REACH.
    mean, std: per channel, of the scaled training pictures; the network sees (scaled - mean) / std.
    """

    shape: Shape
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def to_dict(self) -> dict:
        return asdict(self)

    def strange(self, picture: np.ndarray) -> str:
        """What to know of a prepared picture whose values look like those of another scale than was learned; or ""."""
        if self.shape.depth == "uint8" or self.shape.form == "series":  # which have their scale; lines may be flat
            return ""
        (low, high), (least, most) = (min(self.low), max(self.high)), (float(picture.min()), float(picture.max()))
        cut = np.mean(np.abs(picture - (low + high) / 2) > (REACH[1] - 0.5) * (high - low))
        is_odd = cut > 0.05 or most - least < 0.1 * (high - low)
        return f"Values {least:g} to {most:g}, where {low:g} to {high:g} were learned from." if is_odd else ""

    @classmethod
    def from_dict(cls, values: dict) -> "Preparation":
        figures = {name: tuple(float(v) for v in values[name]) for name in ("low", "high", "mean", "std")}
        return cls(shape=Shape(**values["shape"]), **figures)


def fit(picture: np.ndarray, shape: Shape, channels: int = 0) -> np.ndarray:
    """`picture` (H, W, C) of uint8, uint16 or float32 as (height, width, channels) of `shape.depth`.

    Depth is never lost: 8-bit values in a deeper set are stretched (x 257 to 16 bits), grey becomes
    RGB by copying, RGB becomes grey by 0.2989 R + 0.5870 G + 0.1140 B, alpha must be gone already.
    Resizing is antialiased (triangle filter) and stretches to the asked size, unless `shape.mirrored`. A text is cut or
    filled up to it. The frames (H, W, D x C) of a volume, C `channels` each, are stretched to the asked number as well.
    """
    size = shape.height, shape.width
    if shape.form == "text":
        return as_channels(picture, shape.width)
    if shape.form == "picture":
        prepared = _depth(_channels(picture, shape.channels), shape.depth)
        prepared = _resize(prepared, *size_in(shape, *picture.shape[:2]))
        return continued(prepared, *size) if shape.mirrored else prepared
    channels = channels if channels and shape.form == "volume" else shape.channels
    frames, rest = divmod(picture.shape[2], channels)
    if rest or (shape.form == "series" and frames > 1):
        raise ValueError(f"{counted(picture.shape[2], 'channel')} where {shape.channels} are expected")
    flat = _depth(_channels(picture.reshape(len(picture), -1, channels), shape.channels), shape.depth)
    return _resize(_stretched(flat.reshape(*picture.shape[:2], -1), frames, shape.frames), *size)


def size_in(shape: Shape, height: int, width: int) -> tuple[int, int]:
    """The height and width that `fit` brings a picture of this size to, before it is mirrored."""
    size = shape.height, shape.width
    return placed(height, width, *size) if shape.mirrored else size


def resized(image: Image.Image, height: int, width: int) -> Image.Image:
    """An 8-bit image in another size."""
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _stretched(volume: np.ndarray, have: int, wanted: int) -> np.ndarray:
    """(H, W, wanted x C) of (H, W, have x C): as many frames as are asked for."""
    if have == wanted:
        return volume
    height, width, channels = *volume.shape[:2], volume.shape[2] // have
    columns = volume.reshape(height * width, have, channels).transpose(1, 0, 2)
    return _resize(columns, wanted, height * width).transpose(1, 0, 2).reshape(height, width, wanted * channels)


def placed(height: int, width: int, grid_height: int, grid_width: int) -> tuple[int, int]:
    """The size at which a picture lies in the upper left of a mirrored grid: its own, or smaller in the same form."""
    share = min(1.0, grid_height / height, grid_width / width)
    return max(1, round(share * height)), max(1, round(share * width))


def continued(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pixels or labels (h, w, ...) of a picture that is no larger, continued to the right and below by mirroring."""
    rows, columns = (
        np.minimum(np.arange(new) % (2 * old), 2 * old - 1 - np.arange(new) % (2 * old))
        for new, old in zip((height, width), pixels.shape[:2], strict=True)
    )
    return np.ascontiguousarray(pixels[np.ix_(rows, columns)])


def _channels(picture: np.ndarray, wanted: int) -> np.ndarray:
    have = picture.shape[2]
    if have == wanted:
        return picture
    if wanted == 1 and have == 3:
        grey = picture.astype(np.float32) @ GREY
        return _as_type(grey, picture.dtype)[:, :, None]
    if have == 1 and wanted == 3:  # colour; the channels of a stain each are not one another's copies
        return np.repeat(picture, wanted, axis=2)
    hint = " (in an array channels come last)" if len(picture) in (1, wanted) else ""
    raise ValueError(f"{counted(have, 'channel')} where {wanted} {'is' if wanted == 1 else 'are'} expected{hint}")


def _depth(picture: np.ndarray, depth: str) -> np.ndarray:
    if picture.dtype == depth:
        return picture
    if depth == "uint16" and picture.dtype == np.uint8:
        return picture.astype(np.uint16) * np.uint16(257)
    if depth == "float32" and picture.dtype in (np.uint8, np.uint16):
        return picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
    if depth == "uint8" and picture.dtype == np.uint16:
        return (picture // 257).astype(np.uint8)
    raise ValueError(f"{picture.dtype} pixels where whole numbers from 0 to {np.iinfo(depth).max:,} are expected")


def _resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    channels = picture.shape[2]
    if (height, width) == picture.shape[:2]:
        return np.ascontiguousarray(picture)
    if picture.dtype == np.uint8 and channels in (1, 3):
        flat = picture[:, :, 0] if channels == 1 else picture
        image = Image.fromarray(np.ascontiguousarray(flat))
        return np.asarray(resized(image, height, width)).reshape(height, width, channels)
    planes = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
        for plane in np.ascontiguousarray(picture.transpose(2, 0, 1)).astype(np.float32)
    ]
    return _as_type(np.stack(planes, axis=2), picture.dtype)


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    top = np.iinfo(dtype).max
    return np.clip(np.rint(values), 0, top).astype(dtype)
