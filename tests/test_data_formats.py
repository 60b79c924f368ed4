"""The matrix of formats: each kind of file is read to the very numbers that were written, or refused with a reason."""

import io
import json
import struct
import sys
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn_files import (
    GREY8,
    RANDOM,
    RGB8,
    RGB16,
    chunk,
    dicom,
    interlaced,
    npy,
    packed,
    plain_tiff,
    png,
    png16,
    saved,
    set_tag,
    tiff,
    tiff_matrix,
)
from PIL import Image

from striate.data.decode import decode, look
from striate.data.header import Pick, Unreadable
from striate.data.load import Want, load
from striate.data.prepare import Preparation, Shape
from striate.data.sources import read_source

STACK = RANDOM.integers(0, 65536, (2, 3, 5, 9, 7), dtype=np.uint16)  # T, Z, C, Y, X


def refused(data: object, pick: Pick = Pick()) -> str:  # noqa: B008 - it is frozen
    with pytest.raises(Unreadable) as caught:
        decode(data, pick=pick)
    return caught.value.reason


def require_read(data: object, picture: np.ndarray, name: str = "", pick: Pick = Pick()) -> None:  # noqa: B008
    """`data` decodes to `picture` (H, W, C), and its header says so beforehand."""
    got, header = decode(data, pick=pick), look(data, pick)
    assert got.shape == picture.shape, name
    np.testing.assert_array_equal(got, picture, name)
    assert (header.height, header.width, header.channels, header.depth) == (*got.shape, got.dtype.name), name


DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_tiff_matrix(dtype: str) -> None:
    """Type × colour × compression × predictor × byte order × strips, tiles, planes, BigTIFF: the values written."""
    deep = dtype if dtype in ("uint8", "uint16") else "float32"
    for name, data, picture in tiff_matrix(dtype):
        require_read(data, picture.astype(deep), name)


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1])
def test_tiff_of_packed_bits(bits: int, photometric: int) -> None:
    """Fewer than 8 bits are stretched to 0..255, 10 to 14 bits keep their values; white-is-zero is turned round."""
    values = RANDOM.integers(0, 2**bits, (9, 7))
    shown = values if photometric else 2**bits - 1 - values
    picture = (shown * (255 // (2**bits - 1))).astype(np.uint8) if bits < 8 else shown.astype(np.uint16)
    require_read(plain_tiff(packed(values, bits), 7, 9, bits, photometric), picture[..., None])


@pytest.mark.parametrize("compression", [None, "lzw", "jpeg2000"])
def test_tiff_of_deep_colour(compression: str | None) -> None:
    """16-bit RGB with LZW and JPEG 2000 without loss, with alpha on white, and through a 16-bit palette."""
    require_read(tiff(RGB16, photometric="rgb", compression=compression), RGB16)
    clear = np.dstack([RGB16, np.zeros((13, 17), np.uint16)])
    white = tiff(clear, photometric="rgb", compression=compression, extrasamples=["unassalpha"])
    require_read(white, np.full_like(RGB16, 65535))
    if compression != "jpeg2000":
        palette = RANDOM.integers(0, 65536, (3, 65536), dtype=np.uint16)
        deep = tiff(RGB16[:, :, 0], photometric="palette", colormap=palette, compression=compression)
        require_read(deep, palette.T[RGB16[:, :, 0]])


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4"])
def test_white_is_zero_at_any_depth(dtype: str) -> None:
    """The least number is the lightest: u8 and i2 are turned round as u1 is, end for end."""
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = np.array([[least, most, least + most // 3]], dtype)
    turned = np.array([[most, least, most - most // 3]], dtype)
    require_read(tiff(values, photometric="miniswhite"), decode(turned))
    deep = plain_tiff(packed(np.array([[5, 2**20 - 1]]), 20), 2, 1, 20, 0)
    assert decode(deep)[0, :, 0].tolist() == [2**20 - 6, 0]


@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_tables_of_8_bits(bits: int) -> None:
    """A palette whose largest value is below 256 holds bytes, and is no row of nearly black colours."""
    values, table = RANDOM.integers(0, 2**bits, (9, 7)), RANDOM.integers(0, 256, (3, 2**bits))
    pixels, wanted = values.astype("u2" if bits > 8 else "u1"), table.T[values].astype(np.uint8)
    for factor in (1, 257):
        body = packed(values, bits) if bits < 8 else pixels.tobytes()
        data = plain_tiff(body, 7, 9, bits, 3, t320=0)
        entry = struct.pack("<HHII", 320, 3, table.size, len(data))
        data = data.replace(struct.pack("<HHII", 320, 4, 1, 0), entry) + (table * factor).astype("<u2").tobytes()
        require_read(data, wanted * np.uint16(257) if bits == 16 else wanted)


def test_tiff_in_eight_bit_kinds() -> None:
    """CMYK, palette, YCbCr-JPEG, grey JPEG and fax: as Pillow's own conversion, or as drawn."""
    image = Image.fromarray(RGB8)
    for compression in ("raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"):
        cmyk = image.convert("CMYK")
        require_read(saved(cmyk, "TIFF", compression=compression), np.asarray(cmyk.convert("RGB")), compression)
        few = image.quantize(16)
        require_read(saved(few, "TIFF", compression=compression), np.asarray(few.convert("RGB")), compression)
    black = Image.fromarray(GREY8 > 127)
    for compression in ("group3", "group4", "raw"):
        require_read(saved(black, "TIFF", compression=compression), ((GREY8 > 127) * np.uint8(255))[..., None])
    flat = tiff(np.full((32, 32, 3), (200, 100, 50), np.uint8), photometric="rgb", compression="jpeg")
    assert np.abs(decode(flat).astype(int) - (200, 100, 50)).max() <= 3
    grey = tiff(np.full((32, 32), 90, np.uint8), photometric="minisblack", compression="jpeg")
    np.testing.assert_array_equal(decode(grey)[:, :, 0], tifffile.imread(io.BytesIO(grey)))


def test_tiff_never_loses_channels() -> None:
    """Planes apart that are packed as JPEG, or more of them than colours, are read whole or refused."""
    for channels in range(2, 6):
        planes = np.full((channels, 32, 32), 90, np.uint8)
        for kind in ["minisblack", "rgb"][: 1 + (channels > 2)]:
            data = tiff(planes, photometric=kind, planarconfig="separate", compression="jpeg")
            if kind == "rgb" and channels < 5:  # the fourth of them is alpha
                assert np.abs(decode(data).astype(int) - (90 if channels == 3 else 197)).max() <= 3
            else:
                assert f"in {channels} channels, colours {kind.upper()}, compression JPEG" in refused(data)


@pytest.mark.parametrize(("dtype", "least", "span"), [("u4", 2**31, 300), ("u4", 2**24, 300), ("i8", -(2**60), 9000)])
def test_numbers_that_float32_makes_equal_are_refused(dtype: str, least: int, span: int) -> None:
    """Whole numbers near to each other and far from 0 keep no levels; those that are as far apart as large do."""
    values = (least + RANDOM.integers(0, span, (13, 17))).astype(dtype)
    for data in (tiff(values, photometric="minisblack"), npy(values), values):
        assert "24 bits of float32; subtract the least" in refused(data)
    np.testing.assert_array_equal(decode(values - least)[..., 0], values - least)
    wide = values.copy()
    wide[0, 0] = 0
    assert decode(wide).dtype == np.float32
    even = (values // 2**40 if dtype == "i8" else values >> 9 << 9).astype(dtype)
    np.testing.assert_array_equal(decode(even)[..., 0], even)


def test_float64_is_refused_only_where_it_matters() -> None:
    """Levels of a picture are lost at 1e6 + 0..1; those of one value's own noise, or of 0..1, are not."""
    noise = RANDOM.random((13, 17))
    assert "subtract the least" in refused(1e6 + noise)
    for values in (noise, 0.1 + 1e-12 * noise, np.full((13, 17), 0.1), 1000 + noise * 300):
        np.testing.assert_allclose(decode(values)[..., 0], values, rtol=1e-7)


def test_tiff_that_is_refused() -> None:
    """Complex numbers, deep CMYK and LAB, NaN, alpha that has no meaning: said, never cut to 8 bits."""
    cmyk = RANDOM.integers(0, 65536, (9, 7, 4), dtype=np.uint16)
    assert "not supported" in refused(tiff(np.ones((4, 4), np.complex64), photometric="minisblack"))
    assert "24 bits" in refused(plain_tiff(bytes(3 * 63), 7, 9, 24))
    assert "colours SEPARATED" in refused(tiff(cmyk, photometric="separated"))
    assert "not supported" in refused(tiff(RGB16, photometric="cielab"))
    assert "NaN" in refused(tiff(np.full((4, 4), np.nan, np.float32), photometric="minisblack"))
    wide = tiff(np.ones((4, 4, 4), np.int16), photometric="rgb", extrasamples=["unassalpha"])
    assert "transparency" in refused(wide)
    assert "compression JPEGXL" in refused(set_tag(tiff(RGB16, photometric="rgb"), 259, 50002))
    assert "volume" in refused(tiff(STACK[0, :, 0], volumetric=True, tile=(16, 16, 16), photometric="minisblack"))


def test_png_of_every_kind() -> None:
    """Grey of 1, 2, 4 bits is stretched; 16 bits of any colour pass through interlacing and colour keys unharmed."""
    for bits in (1, 2, 4):
        values = RANDOM.integers(0, 2**bits, (9, 7))
        rows = packed(values, bits)
        raw = b"".join(b"\0" + rows[n : n + len(rows) // 9] for n in range(0, len(rows), len(rows) // 9))
        require_read(png(7, 9, bits, 0, raw), (values * (255 // (2**bits - 1))).astype(np.uint8)[..., None])
    for colour, channels in ((0, 1), (2, 3), (4, 2), (6, 4)):
        deep = RANDOM.integers(0, 65536, (9, 11, channels), dtype=np.uint16)
        opaque = deep[..., :1] if channels < 3 else deep[..., :3]
        if colour in (4, 6):
            deep[..., -1] = 65535
        require_read(interlaced(deep, colour), opaque)
        require_read(png16(deep, colour), opaque)
    keyed = png16(RGB16, 2, chunk(b"tRNS", RGB16[3, 4].astype(">u2").tobytes()))
    picture = RGB16.copy()
    picture[3, 4] = 65535
    require_read(keyed, picture)
    palette = chunk(b"PLTE", bytes((255, 0, 0, 0, 0, 255, 9, 9, 9))), chunk(b"tRNS", bytes((0, 255, 255)))
    require_read(png(3, 1, 2, 3, b"\0\x18", *palette), np.array([[[255, 255, 255], [0, 0, 255], [9, 9, 9]]], np.uint8))


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_clear_grey_of_a_png(bits: int) -> None:
    """Pixels of the grey that a tRNS chunk names are white, at each depth, and no others change."""
    values = np.arange(16).reshape(2, 8) % 2**bits
    raw = b"".join(b"\0" + packed(row[None], bits) for row in values)
    data = png(8, 2, bits, 0, raw, chunk(b"tRNS", bytes((0, 1))))
    top = 65535 if bits == 16 else 255
    shown = np.where(values == 1, top, values * (top // (2**bits - 1)))
    require_read(data, shown.astype(np.uint16 if bits == 16 else np.uint8)[..., None])


@pytest.mark.parametrize("bits", [8, 16])
def test_orientation_wherever_a_png_tells_it(bits: int) -> None:
    """In eXIf before or behind the pixels, or as text in the way of ImageMagick: pixels and header are turned alike."""
    pixels = RANDOM.integers(0, 2**bits, (4, 9))
    raw = b"".join(b"\0" + packed(row[None], bits) for row in pixels)
    exif = Image.Exif()
    exif[274] = 6
    body = exif.tobytes()
    text = zlib.compress(b"\nexif\n%8d\n" % len(body) + body.hex().encode() + b"\n")
    for extra in (chunk(b"eXIf", body[6:]), chunk(b"zTXt", b"Raw profile type exif\0\0" + text)):
        early = png(9, 4, bits, 0, raw, extra)
        late = png(9, 4, bits, 0, raw)[:-12] + extra + early[-12:]
        for data in (early, late):
            turned = np.rot90(pixels, -1).astype(np.uint16 if bits == 16 else np.uint8)
            require_read(data, turned[..., None])


def test_jpeg_kinds() -> None:
    """Grey JPEG has one channel; CMYK, which Adobe inverts, becomes the colour that was meant; 12 bits are refused."""
    assert decode(saved(Image.new("L", (16, 16), 77), "JPEG"))[0, 0].tolist() == [77]
    cyan = saved(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95)
    assert np.abs(decode(cyan)[0, 0].astype(int) - (0, 255, 255)).max() <= 3
    twelve = bytearray(saved(Image.new("L", (16, 16), 77), "JPEG"))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    assert refused(bytes(twelve)) == "JPEG of 12 bits is not supported"
    for mark, name in ((b"\xff\xc3", "lossless JPEG"), (b"\xff\xf7", "JPEG-LS")):
        assert refused(saved(Image.new("L", (16, 16)), "JPEG").replace(b"\xff\xc0", mark)) == f"{name} is not supported"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_all_nine_orientations_give_one_array(kind: str) -> None:
    """0 (unknown) to 8: how the scene was stored makes no difference. JPEG blocks turn with it, within 4 levels."""
    scene = np.zeros((16, 32), np.uint8)
    scene[:, :16], scene[:8, :16], scene[8:, 24:] = 80, 200, 140
    turned = (scene, scene, scene[:, ::-1], scene[::-1, ::-1], scene[::-1])
    turned += (scene.T, np.rot90(scene), np.rot90(scene, 2).T, np.rot90(scene, -1))
    for number, pixels in enumerate(turned):
        exif = Image.Exif()
        exif[274] = number
        more = {"lossless": True} if kind == "WEBP" else {}
        data = saved(Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB"), kind, exif=exif, **more)
        assert np.abs(decode(data).astype(int) - scene[..., None]).max() <= (4 if kind == "JPEG" else 0), number
        assert (look(data).height, look(data).width) == scene.shape


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize(
    ("dialect", "axes"),
    [("ome", "TZCYX"), ("ome", "CZTYX"), ("json", "TZCYX"), ("json", "CZTYX"), ("imagej", "TZCYX")],
)
def test_pages_are_channels_where_the_file_says_so(dialect: str, axes: str, compression: str | None) -> None:
    """OME, tifffile and ImageJ, which has one order: axis C becomes channels, z and t are pages, however they lie."""
    lying = STACK if axes == "TZCYX" else STACK.transpose(2, 1, 0, 3, 4)
    more = {"ome": {"ome": True}, "imagej": {"imagej": True}, "json": {}}[dialect]
    data = tiff(lying, photometric="minisblack", metadata={"axes": axes}, compression=compression, **more)
    pages = STACK if axes == "TZCYX" else STACK.transpose(1, 0, 2, 3, 4)  # the axis on the left turns slowest
    for page, planes in enumerate(pages.reshape(6, 5, 9, 7)):
        require_read(data, planes.transpose(1, 2, 0), f"page {page}", Pick(page=page))
    assert look(data).pages == 6
    require_read(data, pages[0, 1][[3, 0]].transpose(1, 2, 0), pick=Pick(page=1, channels=(3, 0)))
    assert refused(data, Pick(page=6)) == "page 6 is asked for, and it has 6 (the first is 0)"
    assert refused(data, Pick(channels=(0, 5))) == "channels 0, 5 are asked for, and it has 5 (the first is 0)"


def test_imagej_hyperstack_with_one_directory() -> None:
    """ImageJ writes large stacks as one directory, with all planes behind the first."""
    data = tiff(STACK[:, :, :1], imagej=True, metadata={"axes": "TZCYX"})
    end = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    alone = bytearray(data)
    at = end.offset + 2 + 12 * len(end.tags)
    alone[at : at + 4] = bytes(4)  # no next directory
    for page, plane in enumerate(STACK[:, :, 0].reshape(6, 9, 7)):
        require_read(bytes(alone), plane[..., None], pick=Pick(page=page))
    assert "truncated" in refused(bytes(alone[: end.dataoffsets[0] + 6 * end.nbytes - 1]), Pick(page=5))


def test_plain_pages_stay_pictures() -> None:
    """Without words about axes each page is a picture of its own kind."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in (RGB16, GREY8, RGB8):
            writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    data = file.getvalue()
    for page, picture in enumerate((RGB16, GREY8[..., None], RGB8)):
        require_read(data, picture, pick=Pick(page=page))
    assert look(data).pages == 3
    assert look(tiff(RGB8, photometric="rgb")).pages == 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "MPO"])
def test_frames_are_pages(kind: str) -> None:
    """Animations and MPO: the header counts the frames, and a frame is read by its number."""
    frames = [Image.new("RGB", (16, 16), (level, 2 * level, 0)) for level in (20, 60, 120)]
    more = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "MPO" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **more)
    assert look(data).pages == 3
    for page, frame in enumerate(frames):
        assert np.abs(decode(data, pick=Pick(page=page)).astype(int) - np.asarray(frame)).max() <= 3 * (kind == "MPO")
    require_read(data, decode(data, pick=Pick(page=2))[:, :, [2, 0]], pick=Pick(page=2, channels=(2, 0)))
    assert "it has 3" in refused(data, Pick(page=3))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_projection_over_all_pages(dtype: str) -> None:
    """NumPy's maximum and mean (rounded, but of fractions) over pages read one by one, of the depth of the file."""
    stack = (RANDOM.random((6, 9, 7)) * 250).astype(dtype)
    data = tiff(stack, photometric="minisblack", metadata={"axes": "ZYX"})
    mean = stack.mean(axis=0, dtype=np.float64)
    require_read(data, stack.max(axis=0)[..., None], pick=Pick(page="max"))
    require_read(data, (mean if dtype == "float32" else np.rint(mean)).astype(dtype)[..., None], pick=Pick(page="mean"))
    shape = Shape(height=9, width=7, channels=1, depth=dtype, page="max")
    again = Shape(**json.loads(json.dumps(asdict(shape))))  # as a model file holds it
    assert np.array_equal(load(data, Want(shape=again)).picture[..., 0], stack.max(axis=0))
    assert look(data, Pick(page="max")).pages == 6


def test_a_projection_of_frames_channels_and_single_pictures() -> None:
    """Channels are chosen in every page; of one page the projection is that page; unlike pages have none."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((20, 90, 7), (60, 40, 8), (30, 50, 9))]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert decode(data, pick=Pick(page="max"))[3, 4].tolist() == [60, 90, 9]
    assert decode(data, pick=Pick(page="mean", channels=(1, 0)))[3, 4].tolist() == [60, 37]
    for single in (RGB8, saved(Image.fromarray(RGB8), "PNG"), npy(RGB8), tiff(RGB8)):
        require_read(single, RGB8, pick=Pick(page="mean"))
    stacks = [tiff(np.stack([page, page + 1]), photometric="minisblack") for page in STACK[0, 0, :2]]
    fields = decode([*stacks], pick=Pick(page="max"))
    assert np.array_equal(fields, STACK[0, 0, :2].transpose(1, 2, 0) + 1)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in (GREY8, RGB8):
            writer.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", metadata=None)
    assert "different sizes or kinds" in refused(file.getvalue(), Pick(page="max"))


def test_picks_of_pictures_and_arrays() -> None:
    """Channels are taken in the order given, of colour after transparency is laid on white, and of arrays too."""
    require_read(saved(Image.fromarray(RGB8), "PNG"), RGB8[:, :, [1]], pick=Pick(channels=(1,)))
    require_read(RGB16, RGB16[:, :, [2, 2, 0]], pick=Pick(channels=(2, 2, 0)))
    clear = np.dstack([RGB8, np.full((13, 17), 255, np.uint8)])
    assert "it has 3" in refused(saved(Image.fromarray(clear), "PNG"), Pick(channels=(3,)))
    assert "page 1" in refused(RGB8, Pick(page=1))


def test_picks_travel_with_the_preparation() -> None:
    """Through JSON and back; a model file from before picks existed reads as the whole first page."""
    figures = {"low": (0.0, 0.0), "high": (1.0, 1.0), "mean": (0.5, 0.5), "std": (1.0, 1.0)}
    made = Preparation(shape=Shape(height=4, width=5, channels=2, page=3, picked=(4, 0)), **figures)
    again = Preparation.from_dict(json.loads(json.dumps(made.to_dict())))
    assert again == made
    assert again.shape.pick == Pick(page=3, channels=(4, 0))
    old = json.loads(json.dumps(made.to_dict()))
    del old["shape"]["page"], old["shape"]["picked"]
    assert Preparation.from_dict(old).shape.pick == Pick()


def test_npy() -> None:
    """Arrays (H, W) and (H, W, C) of any number type and order, and (C, H, W) as torch has them; never objects."""
    for pixels in (GREY8, RGB16, RGB8.astype(">f4"), np.asfortranarray(RGB16), GREY8 > 99):
        require_read(npy(pixels), decode(np.ascontiguousarray(pixels)))
    require_read(npy(np.ascontiguousarray(RGB16.transpose(2, 0, 1))), RGB16)
    require_read(npy(RGB16[:4]), RGB16[:4])
    file = io.BytesIO()
    np.save(file, np.array([[print]], object), allow_pickle=True)
    assert "type object" in refused(file.getvalue())
    assert "type complex64" in refused(npy(np.ones((3, 3), np.complex64)))
    assert "shape (3,)" in refused(npy(np.ones(3)))
    assert "truncated" in refused(npy(RGB16)[:-1])
    lying = npy(GREY8).replace(b"(13, 17)", b"(9999, 9999)")
    assert refused(lying)


def test_the_patient_of_dicom_files(tmp_path: Path) -> None:
    """Files of one PatientID are one group, also across classes; those without one stand alone; no name is kept."""
    pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
    for place, name in (("a/1", "Ann"), ("a/2", ""), ("b/1", "Ann"), ("b/2", "Bob")):
        file = tmp_path / f"{place}.dcm"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(dicom(GREY8, **({"PatientID": name} if name else {})))
    one, none, again, other = (sample.group for sample in read_source(tmp_path, group="PatientID").samples)
    assert one == again != other
    assert (none, "Ann" in one) == (None, False)
    facts = load(tmp_path / "a/1.dcm", Want(noted=True, shape=Shape(height=8, width=8, channels=1))).facts
    assert f"{facts['patient']:016x}" == one


def test_dicom() -> None:
    """Rescaled to the modality's unit, MONOCHROME1 turned round, frames as pages, windows left alone."""
    pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
    values = RANDOM.integers(0, 4096, (9, 7), dtype=np.uint16)
    require_read(dicom(values, WindowCenter="40", WindowWidth="80"), values[..., None])
    scaled = dicom(values, RescaleSlope="0.5", RescaleIntercept="-1024")
    require_read(scaled, (values * 0.5 - 1024).astype(np.float32)[..., None])
    require_read(dicom(values, "MONOCHROME1", BitsStored=12, HighBit=11), 4095 - values[..., None])
    require_read(dicom(values.astype(np.int16) - 2000), (values.astype(np.float32) - 2000)[..., None])
    require_read(dicom(GREY8), GREY8[..., None])
    require_read(dicom(RGB8, "RGB"), RGB8)
    frames = np.stack([values, values[::-1]])
    require_read(dicom(frames), frames[1][..., None], pick=Pick(page=1))
    assert look(dicom(frames)).pages == 2
    assert "page 2" in refused(dicom(frames), Pick(page=2))
    assert "kind HSV" in refused(dicom(values, "HSV"))
    assert "DICOM" in refused(dicom(values)[:-20])


@pytest.mark.parametrize("of", ["Shared", "PerFrame"])
def test_dicom_values_of_functional_groups(of: str) -> None:
    """Enhanced CT and MR tell slope and intercept for all frames or for each, not in the file's own attributes."""
    pydicom = pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
    frames, groups, slopes = RANDOM.integers(0, 4096, (3, 9, 7), dtype=np.uint16), [], (1, 2, 0.5)
    for slope in slopes if of == "PerFrame" else slopes[:1]:
        values, group = pydicom.Dataset(), pydicom.Dataset()
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = str(slope), "-1024", "HU"
        group.PixelValueTransformationSequence = [values]
        groups.append(group)
    data = dicom(frames, **{f"{of}FunctionalGroupsSequence": groups})
    for page, slope in enumerate(slopes):
        wanted = frames[page] * (slope if of == "PerFrame" else 1) - 1024.0
        require_read(data, wanted.astype(np.float32)[..., None], pick=Pick(page=page))


@pytest.mark.parametrize("kind", ["RLE", "MONOCHROME2", "YBR_FULL_422", "RGB"])
def test_packed_dicom(kind: str) -> None:
    """Run lengths come back as they were, JPEG as Pillow itself unpacks it; other sizes and JPEG 2000 are refused."""
    pydicom = pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
    from pydicom.encaps import encapsulate

    if kind == "RLE":
        for pixels, photometric in ((RGB16[..., 0].copy(), "MONOCHROME2"), (RGB8, "RGB")):
            data = pydicom.dcmread(io.BytesIO(dicom(pixels, photometric)))
            data.compress(pydicom.uid.RLELossless)
            require_read(written(data), pixels.reshape(*pixels.shape[:2], -1))
        return
    pixels = GREY8 if kind == "MONOCHROME2" else RGB8
    jpeg = saved(Image.fromarray(pixels), "JPEG", subsampling=2 if "422" in kind else 0)
    data = pydicom.dcmread(io.BytesIO(dicom(pixels, "MONOCHROME2" if pixels is GREY8 else "RGB")))
    data.file_meta.TransferSyntaxUID, data.PhotometricInterpretation = pydicom.uid.JPEGBaseline8Bit, kind
    data.add_new("PixelData", "OB", encapsulate([jpeg]))
    require_read(written(data), decode(jpeg))
    data.Rows = 99
    assert "damaged DICOM" in refused(written(data))
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000
    assert "packed as JPEG 2000 Image Compression is not" in refused(written(data))


def written(data: object) -> bytes:
    file = io.BytesIO()
    data.save_as(file)
    return file.getvalue()


def test_dicom_that_is_older_than_its_files_or_no_picture() -> None:
    """A data set without what files begin with is read, in either spelling; a report is no damaged picture, and frames
    whose number is not told are not mixed into one."""
    pydicom = pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
    data = pydicom.dcmread(io.BytesIO(dicom(GREY8)))
    for implicit in (True, False):
        file = io.BytesIO()
        pydicom.Dataset(data).save_as(file, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        require_read(file.getvalue(), GREY8[..., None])
    frames = pydicom.dcmread(io.BytesIO(dicom(np.stack([GREY8] * 5))))
    del frames.NumberOfFrames
    assert "cannot reshape" in refused(written(frames))
    del data.Rows, data.Columns, data.PixelData, data.PhotometricInterpretation
    assert "DICOM without a picture" in refused(written(data))
    assert "format NIfTI is not supported" in refused(b"\x5c\1\0\0" + bytes(348))


def test_dicom_of_other_bits_is_refused() -> None:
    """12 bits kept in the upper part of 16 are not the numbers below them."""
    pytest.importorskip("pydicom", reason="pip install 'striate[dicom]'")
    assert "stored bits above others" in refused(dicom(RGB16[..., 0] << 4, BitsStored=12, HighBit=15))


def test_dicom_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without pydicom leaves the file out with the command that helps, whichever way it is asked."""
    monkeypatch.setitem(sys.modules, "pydicom", None)
    for ask in (decode, look):
        with pytest.raises(Unreadable, match=r"^DICOM needs: pip install 'striate\[dicom\]'$"):
            ask(bytes(128) + b"DICM" + bytes(40))


@pytest.mark.usefixtures("quick")
def test_five_channels_from_file_to_answer(tmp_path: Path) -> None:
    """Two channels picked out of five of an OME file: trained on, looked at, predicted, all by the same pick."""
    import striate

    for label, bright in (("a", 1), ("b", 3)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(8):
            planes = RANDOM.integers(100, 200, (5, 12, 12), dtype=np.uint16)
            planes[bright, 3:9, 3:9] += 3000
            data = tiff(planes, ome=True, metadata={"axes": "CYX"}, compression="lzw", photometric="minisblack")
            (tmp_path / "pictures" / label / f"{number}.ome.tif").write_bytes(data)
    network = "conv 4 3, relu, globalmaxpool, dense classes"
    run = striate.train(tmp_path / "pictures", network=network, channels=(3, 1), epochs=1, out=tmp_path, workers=0)
    shape = run.model.preparation.shape
    assert (shape.channels, shape.picked, shape.depth) == (2, (3, 1), "uint16")
    assert {"page": 0, "picked": (3, 1)}.items() <= asdict(shape).items()
    one = tmp_path / "pictures" / "a" / "0.ome.tif"
    planes = tifffile.imread(one)
    seen = striate.load(run.folder).look(one)
    np.testing.assert_array_equal(seen.stored, planes[[3, 1]].transpose(1, 2, 0))
    by_file, by_array = striate.load(run.folder).predict([one, planes.transpose(1, 2, 0)])
    assert by_file.probabilities == by_array.probabilities
    assert (run.folder / "report.html").stat().st_size > 10_000
