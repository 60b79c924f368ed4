"""The decoder, against arrays that were written with Pillow, tifffile and by hand."""

import io
import logging
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn_files import GREY8, RANDOM, RGB8, RGB16, chunk, png, png16, saved, set_tag, tiff
from PIL import Image

from striate.data.decode import Unreadable, decode, look


def reason(source: object) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(source)
    assert caught.value.code
    return caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
def test_colour_is_read_as_written(kind: str) -> None:
    """A lossless 8-bit RGB file gives back the very pixels, whatever the format."""
    data = saved(Image.fromarray(RGB8), kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode(data), RGB8)
    header = look(data)
    assert (header.height, header.width, header.channels, header.depth, header.format) == (13, 17, 3, "uint8", kind)


def test_jpeg_and_gif_are_read() -> None:
    """A flat JPEG keeps its colour within two levels, a grey GIF its very values."""
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    assert np.abs(decode(saved(flat, "JPEG", quality=95)).astype(int) - [200, 100, 50]).max() <= 2
    np.testing.assert_array_equal(decode(saved(Image.fromarray(GREY8), "GIF"))[:, :, 0], GREY8)


def test_first_frame_of_an_animation() -> None:
    """Of an animated GIF the first frame is used."""
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert set(decode(data).ravel().tolist()) == {10}


def test_modes_become_grey_or_rgb() -> None:
    """1-bit is black and white, LA and L are grey, palette and CMYK are RGB."""
    bits = GREY8 > 127
    np.testing.assert_array_equal(decode(saved(Image.fromarray(bits), "PNG"))[:, :, 0], bits * 255)
    assert decode(saved(Image.fromarray(GREY8).convert("LA"), "PNG")).shape == (13, 17, 1)
    palette = Image.fromarray(RGB8).quantize(16)
    np.testing.assert_array_equal(decode(saved(palette, "PNG")), np.asarray(palette.convert("RGB")))
    cyan = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    assert decode(saved(cyan, "TIFF"))[0, 0].tolist() == [0, 255, 255]


def test_transparency_is_laid_on_white() -> None:
    """Half-transparent black is mid grey, fully transparent red is white, in 8 and 16 bits."""
    half = Image.new("RGBA", (2, 2), (0, 0, 0, 128))
    assert decode(saved(half, "PNG"))[0, 0].tolist() == [127, 127, 127]
    clear = np.zeros((2, 2, 4), np.uint16)
    clear[..., 0] = 65535
    assert decode(png16(clear, 6))[0, 0].tolist() == [65535] * 3
    clear[..., 3] = 65535 // 5 * 2
    assert decode(png16(clear, 6))[0, 0].tolist() == [65535, 39321, 39321]


def test_palette_and_key_transparency_are_laid_on_white() -> None:
    """A transparent palette entry and a transparent colour key become white."""
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    assert decode(saved(palette, "PNG", transparency=0)).tolist() == [[[255, 255, 255], [0, 0, 255]]]
    grey = np.array([[[5], [9]]], np.uint16)
    assert decode(png16(grey, 0, chunk(b"tRNS", struct.pack(">H", 9)))).tolist() == [[[5], [65535]]]


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_keeps_all_of_them(colour: int, channels: int) -> None:
    """Every 16-bit PNG kind gives the written numbers, not their upper bytes."""
    pixels = RANDOM.integers(0, 65536, (9, 7, channels), dtype=np.uint16)
    if colour in (4, 6):
        pixels[..., -1] = 65535
    shown = pixels[..., :-1] if colour in (4, 6) else pixels
    got = decode(png16(pixels, colour))
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, shown)
    header = look(png16(pixels, colour))
    assert (header.channels, header.depth) == (shown.shape[2], "uint16")


def test_png_of_16_bits_interlaced() -> None:
    """Adam7 of one 2 × 1 picture: pass 1 holds the first pixel, pass 6 the second."""
    raw = b"\0" + struct.pack(">3H", 1, 500, 65535) + b"\0" + struct.pack(">3H", 4, 300, 7)
    assert decode(png(2, 1, 16, 2, raw, interlaced=1)).tolist() == [[[1, 500, 65535], [4, 300, 7]]]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"planarconfig": "separate"},
        {"tile": (16, 16)},
        {"rowsperstrip": 4},
    ],
)
def test_tiff_of_16_bit_colour_is_exact(options: dict) -> None:
    """Byte order, compression, planes, tiles and strips make no difference to 16-bit RGB."""
    pixels = RGB16 if "planarconfig" not in options else RGB16.transpose(2, 0, 1)
    data = tiff(np.ascontiguousarray(pixels), photometric="rgb", **options)
    np.testing.assert_array_equal(decode(data), RGB16)
    assert (look(data).channels, look(data).depth) == (3, "uint16")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float16", "float32", "float64"])
def test_tiff_depths(dtype: str) -> None:
    """uint8 and uint16 stay, everything else becomes float32 of the same values."""
    pixels = np.arange(35).reshape(5, 7).astype(dtype)
    got = decode(tiff(pixels, photometric="minisblack"))
    assert got.dtype == (dtype if dtype in ("uint8", "uint16") else "float32")
    np.testing.assert_array_equal(got[:, :, 0], pixels)
    assert look(tiff(pixels, photometric="minisblack")).depth == got.dtype.name


def test_tiff_of_many_channels() -> None:
    """Five channels stay five, white-is-zero is inverted, associated alpha is laid on white."""
    five = RANDOM.integers(0, 4096, (6, 5, 5), dtype=np.uint16)
    data = tiff(five, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(decode(data), five)
    assert look(data).channels == 5
    np.testing.assert_array_equal(decode(tiff(GREY8, photometric="miniswhite"))[:, :, 0], 255 - GREY8)
    half = np.full((2, 2, 4), 128, np.uint8)
    assert decode(tiff(half, photometric="rgb", extrasamples=["assocalpha"]))[0, 0].tolist() == [255] * 3


def test_exif_orientation() -> None:
    """Each of the eight orientations shows the same scene, and nonsense changes nothing."""
    scene = np.zeros((8, 16), np.uint8)
    scene[:, :8], scene[:4, :8] = 80, 200
    stored = {
        1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1], 5: scene.T,
        6: np.rot90(scene), 7: np.rot90(scene, 2).T, 8: np.rot90(scene, -1), 99: scene,
    }  # fmt: skip
    for number, pixels in stored.items():
        exif = Image.Exif()
        exif[274] = number
        image = Image.fromarray(np.ascontiguousarray(pixels))
        for kind in ("JPEG", "PNG", "TIFF"):
            data = saved(image, kind, exif=exif)
            assert np.abs(decode(data)[:, :, 0].astype(int) - scene).max() <= 6, (number, kind)
            assert (look(data).height, look(data).width) == scene.shape


def test_orientation_of_deep_pictures() -> None:
    """The orientation also turns 16-bit PNG and 16-bit colour TIFF."""
    exif = Image.Exif()
    exif[274] = 6
    turned = np.rot90(RGB16, -1)
    np.testing.assert_array_equal(decode(png16(RGB16, 2, chunk(b"eXIf", exif.tobytes()[6:]))), turned)
    np.testing.assert_array_equal(decode(tiff(RGB16, photometric="rgb", extratags=[(274, 3, 1, 6, True)])), turned)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_a_file_cut_short_is_refused(kind: str) -> None:
    """Half of a file of any format is refused, and so is what remains at any shorter cut."""
    data = saved(Image.fromarray(RGB8), kind)
    for end in range(1, len(data) // 2 + 1, max(1, len(data) // 60)):
        assert reason(data[:end])


def test_a_wrong_checksum_is_refused() -> None:
    """One flipped bit in the pixel data of a PNG does not go unnoticed."""
    data = bytearray(saved(Image.fromarray(RGB8), "PNG"))
    data[-30] ^= 4
    assert "checksum" in reason(bytes(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"name,label\n1,2\n", "text"),
        ("Datei;Behandlung\nmöwe.png;gekühlt\n".encode("cp1252"), "text, not a picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (b"%PDF-1.7\n", "format PDF is not supported"),
        (b"PK\x03\x04" + bytes(40), "format ZIP is not supported"),
        (b"\0\0\0\x20ftypavif" + bytes(40), "format AVIF is not supported"),
        (b"P5\n2 2\n255\n1234", "format PNM is not supported"),
        (bytes(2000), "zeros only"),
        (bytes(range(1, 256)), "unknown kind of file"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, words: str) -> None:
    """The reason tells what the file is instead."""
    assert words in reason(data)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """Folders, broken links, absent files and pipes are refused at once, without waiting."""
    (tmp_path / "link.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path) == "directory, not a picture"
    assert reason(tmp_path / "link.png") == "broken link"
    assert reason(tmp_path / "pipe.png") == "not a regular file"
    assert reason(tmp_path / "absent.png") == "no such file"


def test_bombs_cost_no_memory() -> None:
    """Headers that claim enormous pictures are refused before anything is allocated."""
    zeros = zlib.compress(bytes(50_000_000))
    webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\0" * 2 + bytes(40)
    for data in (
        png(60_000, 60_000, 8, 2, zeros[:100]),
        png(20_000, 20_000, 16, 2, zeros[:100]),
        set_tag(tiff(RGB16, photometric="rgb"), 256, 65_535),
        webp,
        b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0," + bytes(30),
    ):
        tracemalloc.start()
        assert "too large" in reason(data)
        with pytest.raises(Unreadable):
            look(data)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
        tracemalloc.stop()


def test_a_tiff_strip_that_swells_is_refused() -> None:
    """A deflate strip of 400 MB behind an 8 × 8 header is refused without unpacking it."""
    small = tiff(np.zeros((8, 8, 3), np.uint16), photometric="rgb", compression="zlib")
    offset = tifffile.TiffFile(io.BytesIO(small)).pages[0].dataoffsets[0]
    bomb = zlib.compress(bytes(400_000_000), 1)
    data = set_tag(small, 279, len(bomb))[:offset] + bomb
    tracemalloc.start()
    assert "swells" in reason(data)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_arrays() -> None:
    """Arrays of 8, 16 bits, bools and floats are taken; NaN, words and odd shapes are not."""
    np.testing.assert_array_equal(decode(GREY8)[:, :, 0], GREY8)
    np.testing.assert_array_equal(decode(GREY8 > 99)[:, :, 0], (GREY8 > 99) * 255)
    assert decode(RGB16.astype(">u2")).dtype == np.uint16
    assert decode(np.ones((2, 2))).dtype == np.float32
    assert "NaN" in reason(np.full((2, 2), np.nan))
    assert "beyond 3.4e38" in reason(np.full((2, 2), 1e300))
    assert "not supported" in reason(np.array([["a", "b"]]))
    assert "shape (3,)" in reason(np.zeros(3))
    assert "no pixels" in reason(np.zeros((0, 3)))


def test_libraries_stay_silent(caplog: pytest.LogCaptureFixture) -> None:
    """Odd files raise no warning and log nothing, and the process's own filters are as before."""
    exif = Image.Exif()
    exif[274] = 1
    odd = saved(Image.fromarray(RGB8), "JPEG", exif=exif).replace(b"Exif\0\0II*\0\x08", b"Exif\0\0II*\0\xff")
    before = list(warnings.filters), logging.getLogger("PIL").level
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(odd).shape == RGB8.shape
    assert not caplog.records
    assert (list(warnings.filters), logging.getLogger("PIL").level) == before


def test_decoding_needs_no_torch() -> None:
    """The readers of data load neither torch nor scikit-learn."""
    names = "decode, sources, survey, split, store, measure"
    code = f"import sys; from striate.data import {names}; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
