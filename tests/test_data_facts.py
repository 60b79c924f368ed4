"""What is noted of a picture: against NumPy on all of its pixels, and exact where a check relies on it."""

import io
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from striate.data.decode import look
from striate.data.facts import FACTS, THUMB, TINT, facts_of_all
from striate.data.header import Header


def facts_of(picture: np.ndarray, header: Header, size: int) -> np.ndarray:
    return facts_of_all([picture], [header], [size])[0]


def drawn(height: int, width: int, channels: int, dtype: str) -> np.ndarray:
    """Soft blobs with a little noise, using a part of the range."""
    random = np.random.default_rng(height + width)
    y, x = np.mgrid[:height, :width] / max(height, width)
    planes = [
        np.sin(5 * y + n) * np.cos(4 * x - n) + 0.1 * random.standard_normal((height, width)) for n in range(channels)
    ]
    values = np.stack(planes, axis=2) * 0.15 + 0.5
    return (values * {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]).astype(dtype)


def within(grey: np.ndarray) -> list[float]:
    """Means of the rows and columns a third and two thirds down and across, without their outer eighths."""
    height, width = grey.shape
    rows, columns = (np.repeat(grey, 8, axis=axis) for axis in (0, 1))  # eighths of a pixel, of which one may be cut
    y, x = slice(height, 7 * height), slice(width, 7 * width)
    return [
        columns[height // 3, x].mean(), rows[y, 2 * width // 3].mean(),
        columns[2 * height // 3, x].mean(), rows[y, width // 3].mean(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((32, 32, 1), "uint8"),
        ((64, 96, 1), "uint8"),
        ((50, 41, 1), "uint16"),
        ((7, 3, 1), "float32"),
        ((96, 64, 5), "float32"),
    ],
)
def test_small_pictures_are_measured_whole(shape: tuple[int, int, int], dtype: str) -> None:
    """Least, greatest, mean, spread, neighbours, borders and corners are those of every pixel."""
    picture = drawn(*shape, dtype)
    grey = picture.astype(np.float64).mean(axis=2)
    facts = facts_of(picture, look(picture), 99)
    assert (facts["bytes"], facts["height"], facts["width"], facts["channels"]) == (99, *shape)
    expected = {
        "low": grey.min(),
        "high": grey.max(),
        "mean": grey.mean(),
        "std": grey.std(),
        "detail": np.mean([np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1)]),
        "border": [grey[0].mean(), grey[:, -1].mean(), grey[-1].mean(), grey[:, 0].mean()],
        "within": within(grey),
    }
    tall, wide = max(1, shape[0] // 10), max(1, shape[1] // 10)
    parts = grey[:tall, :wide], grey[:tall, -wide:], grey[-tall:, -wide:], grey[-tall:, :wide]
    expected["corners"] = [part.mean() for part in parts]
    for name, value in expected.items():
        np.testing.assert_allclose(facts[name], value, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((64, 96, 1), "uint8"), ((96, 64, 1), "uint16"), ((256, 192, 1), "uint8")]
)
def test_the_thumb_is_the_mean_of_squares(shape: tuple[int, int, int], dtype: str) -> None:
    """Every pixel of the thumb is the mean of its part of the picture, stretched to the picture's own range."""
    picture = drawn(*shape, dtype)
    grey = picture[:, :, 0].astype(np.float64)
    blocks = grey.reshape(THUMB, shape[0] // THUMB, THUMB, shape[1] // THUMB).mean(axis=(1, 3))
    stretched = (blocks - grey.min()) / (grey.max() - grey.min()) * 255
    assert np.abs(facts_of(picture, look(picture), 1)["thumb"] - stretched).max() <= 0.51


def test_the_tint_keeps_colour() -> None:
    """Every pixel of the tint is the mean colour of an eighth by an eighth; grey has three equal values."""
    picture = drawn(40, 64, 3, "uint8")
    blocks = picture.reshape(TINT, 5, TINT, 8, 3).mean(axis=(1, 3))
    assert np.abs(facts_of(picture, look(picture), 1)["tint"] - blocks).max() <= 0.51
    grey = facts_of(picture[:, :, :1], look(picture[:, :, :1]), 1)["tint"]
    assert np.abs(grey - blocks[:, :, :1]).max() <= 0.51


def test_large_pictures_keep_their_extremes() -> None:
    """One pixel among a million shows; the rest is near to what all pixels give."""
    picture = np.full((900, 1200, 3), 90, np.uint8)
    flat = facts_of(picture, look(picture), 1)
    assert (flat["low"], flat["high"], flat["std"]) == (90, 90, 0)
    picture[517, 333] = 200
    assert facts_of(picture, look(picture), 1)["high"] == 200
    deep = drawn(900, 1200, 1, "uint16")
    facts = facts_of(deep, look(deep), 1)
    np.testing.assert_allclose(facts["mean"], deep.mean(), rtol=0.02)
    np.testing.assert_allclose(facts["std"], deep.std(), rtol=0.05)
    np.testing.assert_allclose(facts["border"][0], deep[0].mean(), rtol=1e-4)
    np.testing.assert_allclose(facts["within"], within(deep[..., 0].astype(float)), rtol=0.01)


def test_a_narrow_spread_far_from_zero_is_kept() -> None:
    """One dark pixel under a bright, even field does not drown the field's own spread."""
    picture = np.full((200, 200, 1), 60_000, np.uint16)
    picture[::2] += 10
    picture[0, 0] = 0
    np.testing.assert_allclose(facts_of(picture, look(picture), 1)["std"], picture.std(), rtol=1e-3)


def test_what_packing_takes() -> None:
    """Bytes per pixel of the differences between rows, of formats that are packed so or not at all."""
    picture = drawn(20, 24, 3, "uint8")
    picture[:] = np.sort(picture, axis=0)  # so that the row above is nearer than the pixel before
    header = look(picture)
    kinds = ("PNG", 0), ("TIFF", 1), ("TIFF", 5), ("JPEG", 900), ("WEBP", 0), ("GIF", 0), ("array", 0)
    told = [facts_of(picture, replace(header, format=kind, coarse=way), 1)["packed"] for kind, way in kinds]
    each = len(zlib.compress(np.diff(picture, axis=0).tobytes(), 1)) / (19 * 24)
    np.testing.assert_allclose(told, [each, each, 0, 0, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("kind", ["stripes across", "stripes down", "a patch in the middle", "noise"])
def test_what_packing_takes_is_what_a_png_takes(kind: str) -> None:
    """Of a picture larger than what is packed of it, within a tenth of the bytes that Pillow writes."""
    random, (y, x) = np.random.default_rng(0), np.mgrid[:240, :240]
    grey = {
        "stripes across": 128 + 60 * np.sin(y) + random.normal(0, 5, y.shape),
        "stripes down": 128 + 60 * np.sin(x) + random.normal(0, 5, y.shape),
        "a patch in the middle": np.where(np.hypot(y - 120, x - 120) < 40, random.normal(120, 20, y.shape), 230),
        "noise": random.uniform(0, 255, y.shape),
    }[kind].astype(np.uint8)
    Image.fromarray(grey).save(file := io.BytesIO(), "PNG")
    header = replace(look(grey), format="PNG")
    told = facts_of(grey[..., None], header, 1)["packed"] * grey.size
    assert told == pytest.approx(len(file.getvalue()), rel=0.1)


def test_one_pixel() -> None:
    """The smallest picture has facts as well, and a record is what the store's table holds."""
    facts = facts_of(np.full((1, 1, 1), 9, np.uint8), look(np.full((1, 1), 9, np.uint8)), 1)
    assert facts.dtype == FACTS
    assert (facts["mean"], facts["std"], facts["detail"]) == (9, 0, 0)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((28, 28, 1), "uint8"),
        ((64, 96, 1), "uint8"),
        ((41, 50, 3), "uint8"),
        ((3, 7, 3), "uint16"),
        ((20, 20, 5), "float32"),
        ((1, 1, 1), "uint8"),
        ((140, 150, 1), "uint8"),
        ((300, 301, 3), "uint8"),
    ],
)
def test_what_is_noted_does_not_hang_on_company(shape: tuple[int, int, int], dtype: str) -> None:
    """Pictures noted together have bit for bit the facts that each has alone, in any order and number."""
    pictures = [np.roll(drawn(*shape, dtype) // (n % 3 + 1), n, axis=1).astype(dtype) for n in range(9)]
    headers = [look(picture) for picture in pictures]
    alone = [
        facts_of(picture, header, n).tobytes()
        for n, (picture, header) in enumerate(zip(pictures, headers, strict=True))
    ]
    for some in (slice(0, 9), slice(4, 6), slice(None, None, -1), slice(1, 9, 3)):
        sizes = list(range(9))[some]
        assert facts_of_all(pictures[some], headers[some], sizes).tobytes() == b"".join(alone[some])
