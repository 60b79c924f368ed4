"""What is noted of every picture while it is decoded, so that the checks need not open any file again."""

import numpy as np
from PIL import Image

from striate.data.content import FORMATS
from striate.data.header import Header
from striate.data.prepare import DEPTHS, GREY

THUMB, TINT = 32, 8  # sides in pixels
FACTS = np.dtype(
    [
        ("bytes", np.int64),  # of the file
        ("height", np.int32),  # of the whole picture, upright
        ("width", np.int32),
        ("pages", np.int32),
        ("channels", np.uint8),
        ("depth", np.uint8),  # its number in DEPTHS
        ("format", np.uint8),  # its number in FORMATS, len(FORMATS) for an array
        ("low", np.float32),  # least and greatest value, and their mean and standard deviation, as stored in the file
        ("high", np.float32),
        ("mean", np.float32),
        ("std", np.float32),
        ("border", np.float32, 4),  # mean of the outermost pixels: top, right, bottom, left
        ("corners", np.float32, 4),  # mean of the outermost tenth: top left, top right, bottom right, bottom left
        ("thumb", np.uint8, (THUMB, THUMB)),  # grey, stretched to the picture's own range
        ("tint", np.uint8, (TINT, TINT, 3)),  # colour, on the scale of the depth (of its own range, if not 8-bit)
    ]
)


def facts_of(picture: np.ndarray, header: Header, size: int) -> np.ndarray:
    """One record of FACTS for a decoded picture (H, W, C), its header and the bytes of its file."""
    facts = np.zeros((), FACTS)
    facts["bytes"], facts["pages"], facts["channels"] = size, header.pages, min(header.channels, 255)
    facts["height"], facts["width"], facts["depth"] = header.height, header.width, DEPTHS.index(header.depth)
    facts["format"] = FORMATS.index(header.format) if header.format in FORMATS else len(FORMATS)
    grey = picture.astype(np.float32)
    grey = grey @ GREY if picture.shape[2] == 3 else grey.mean(axis=2)
    facts["low"], facts["high"], facts["mean"], facts["std"] = grey.min(), grey.max(), grey.mean(), grey.std()
    facts["border"] = [grey[0].mean(), grey[:, -1].mean(), grey[-1].mean(), grey[:, 0].mean()]
    tall, wide = (max(1, side // 10) for side in grey.shape)
    corners = grey[:tall, :wide], grey[:tall, -wide:], grey[-tall:, -wide:], grey[-tall:, :wide]
    facts["corners"] = [corner.mean() for corner in corners]
    spread = max(float(facts["high"] - facts["low"]), 1e-12)
    facts["thumb"] = _small((grey - facts["low"]) * (255 / spread), THUMB)
    three = picture if picture.shape[2] == 3 else np.repeat(picture[:, :, :1], 3, axis=2)
    shift, scale = (0.0, 1.0) if picture.dtype == np.uint8 else (float(facts["low"]), 255 / spread)
    facts["tint"] = np.stack([_small((plane - shift) * scale, TINT) for plane in three.transpose(2, 0, 1)], axis=2)
    return facts


def _small(values: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.clip(np.rint(np.asarray(image.resize((side, side), Image.Resampling.BOX))), 0, 255).astype(np.uint8)
