"""Picture files of many kinds, drawn in memory for the tests of the decoder and for its fuzzing."""

import importlib.util
import io
import itertools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import tifffile
from PIL import Image

from striate.data.sample import Runs

RANDOM = np.random.default_rng(7)
GREY8 = RANDOM.integers(0, 256, (13, 17), dtype=np.uint8)
RGB8 = RANDOM.integers(0, 256, (13, 17, 3), dtype=np.uint8)
RGB16 = RANDOM.integers(0, 65536, (13, 17, 3), dtype=np.uint16)
COMPRESSIONS = (None, "lzw", "zlib", "packbits", "zstd", "lzma")
LAYOUTS = {"strip": {}, "strips": {"rowsperstrip": 4}, "tiles": {"tile": (16, 16)}, "BigTIFF": {"bigtiff": True}}


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def npy(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def set_tag(data: bytes, tag: int, value: int) -> bytes:
    """`data` with one whole number of its first page changed in place."""
    changed = bytearray(data)
    entry = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags[tag]
    changed[entry.offset : entry.offset + 12] = struct.pack("<HHII", tag, 4, 1, value)
    return bytes(changed)


def plain_tiff(body: bytes, width: int, height: int, bits: int, photometric: int = 1, **tags: int) -> bytes:
    """A little-endian TIFF of one strip, written by hand: sample bits, TIFF 6.0's own words for the rest."""
    samples = tags.pop("samples", 1)
    entries = {256: width, 257: height, 258: bits, 259: tags.pop("compression", 1), 262: photometric, 273: 0}
    entries |= {277: samples, 278: height, 279: len(body), **{int(tag[1:]): value for tag, value in tags.items()}}
    entries[273] = 8 + 2 + 12 * len(entries) + 4
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items()))
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4) + body


def packed(pixels: np.ndarray, bits: int) -> bytes:
    """Rows of whole numbers below 2**bits, the highest bit first, each row filled up to whole bytes."""
    planes = pixels[..., None] >> np.arange(bits - 1, -1, -1) & 1
    return np.packbits(planes.reshape(len(pixels), -1).astype(np.uint8), axis=1).tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, raw: bytes, *extra: bytes, interlaced: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))
    body = chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + body + chunk(b"IEND", b"")


def png16(pixels: np.ndarray, colour: int, *extra: bytes) -> bytes:
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(pixels.shape[1], pixels.shape[0], 16, colour, rows, *extra)


def interlaced(pixels: np.ndarray, colour: int) -> bytes:
    """A 16-bit PNG in the seven passes of Adam7 (PNG specification, section 8.2)."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    parts = [pixels[top::down, left::right] for left, top, right, down in passes]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts for row in part if row.size)
    return png(pixels.shape[1], pixels.shape[0], 16, colour, rows, interlaced=1)


def dicom(pixels: np.ndarray, kind: str = "MONOCHROME2", **facts: object) -> bytes:
    """A DICOM file of one frame (H, W[, 3]) or of several (N, H, W), with more attributes by their keywords."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = facts.pop("syntax", ExplicitVRLittleEndian)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    frames, colours = (len(pixels), 1) if kind != "RGB" and pixels.ndim == 3 else (0, 3 if kind == "RGB" else 1)
    height, width = pixels.shape[bool(frames) :][:2]
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = height, width, colours, kind
    data.BitsAllocated = data.BitsStored = 8 * pixels.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
    if frames:
        data.NumberOfFrames = frames
    if colours == 3:
        data.PlanarConfiguration = 0
    for keyword, value in facts.items():
        setattr(data, keyword, value)
    data.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def tiff_matrix(dtype: str) -> Iterator[tuple[str, bytes, np.ndarray]]:
    """(name, file, picture (H, W, C)) for each compression, colour, byte order and layout of one type of values."""
    kind = np.dtype(dtype).kind
    top = 2**15 if kind == "f" else min(np.iinfo(dtype).max, 2**24)
    for compression, order, (layout, options) in itertools.product(COMPRESSIONS, "<>", LAYOUTS.items()):
        predictors = [False, True] if compression in ("lzw", "zlib", "zstd") and dtype[-2:] != "64" else [False]
        for mode, predictor in itertools.product(("grey", "rgb", "planes", "five"), predictors):
            shape = {"grey": (13, 17), "rgb": (13, 17, 3), "planes": (3, 13, 17), "five": (13, 17, 5)}[mode]
            pixels = (RANDOM.random(shape) * top / 16).astype(dtype)
            written = tiff(
                pixels, compression=compression, byteorder=order, predictor=predictor, metadata=None, **options,
                photometric="rgb" if mode in ("rgb", "planes") else "minisblack",
                planarconfig={"planes": "separate", "rgb": "contig", "five": "contig"}.get(mode),
            )  # fmt: skip
            shown = pixels.transpose(1, 2, 0) if mode == "planes" else pixels.reshape(13, 17, -1)
            yield f"{dtype} {mode} {compression} {order} {layout} predictor={predictor}", written, shown


def every_kind() -> Iterator[bytes]:
    """A few hundred small files of all formats, where a fuzzer may begin; DICOM where its package is installed."""
    for dtype in ("uint8", "uint16", "float32"):
        yield from (data for _, data, _ in itertools.islice(tiff_matrix(dtype), 0, None, 5))
    exif = Image.Exif()
    exif[274] = 6
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "YCbCr", "LAB"):
        image = Image.fromarray(RGB8).convert("RGB").convert("L" if mode in ("I;16", "F") else mode)
        image = image.convert(mode)
        for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"):
            try:
                yield saved(image, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
            except (OSError, ValueError, KeyError):
                continue  # a format that does not hold this mode
    frames = [Image.fromarray(np.roll(RGB8, n, 0)) for n in range(3)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "MPO"):
        yield saved(frames[0], kind, save_all=True, append_images=frames[1:])
    for colour, channels in ((0, 1), (2, 3), (4, 2), (6, 4)):
        deep = RANDOM.integers(0, 65536, (9, 7, channels), dtype=np.uint16)
        yield from (png16(deep, colour), interlaced(deep, colour))
    stack = RANDOM.integers(0, 65536, (2, 3, 9, 7), dtype=np.uint16)
    yield tiff(stack, metadata={"axes": "ZCYX"}, ome=True, photometric="minisblack")
    yield tiff(stack, imagej=True, metadata={"axes": "ZCYX"})
    yield tiff(stack, metadata={"axes": "ZCYX"}, photometric="minisblack")
    for compression in ("jpeg", "jpeg2000", "webp"):
        yield tiff(RGB8, photometric="rgb", compression=compression)
    for bits in (1, 2, 4, 10, 12, 14):
        yield plain_tiff(packed(RANDOM.integers(0, 2**bits, (9, 7)), bits), 7, 9, bits)
    yield from (npy(RGB8), npy(RGB16[:, :, 0]), npy(RGB8.astype(">f4")))
    if importlib.util.find_spec("pydicom"):
        yield dicom(RGB16[:, :, 0])
        yield dicom(RGB8, "RGB")
        yield dicom(stack[0].astype(np.int16), RescaleSlope="2", RescaleIntercept="-1024")


def coco_letters(runs: Runs) -> str:
    """Counts as the letters that COCO writes: differences to the last but one, five bits a letter from 48 on."""
    letters = []
    for number, count in enumerate(runs.counts.tolist()):
        value = count - (int(runs.counts[number - 2]) if number > 2 else 0)
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr(48 + (bits | 32 * more)))
    return "".join(letters)
