"""What a file is, by its first bytes and not by its name."""

import codecs
import os
import stat
from pathlib import Path
from typing import BinaryIO

from striate.data.header import Unreadable
from striate.errors import StriateError

IMAGE_SUFFIXES = {  # with the format that each names
    ".png": "PNG", ".apng": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG",
    ".tif": "TIFF", ".tiff": "TIFF", ".btf": "TIFF", ".bmp": "BMP", ".dib": "BMP", ".webp": "WEBP", ".gif": "GIF",
    ".npy": "NPY", ".dcm": "DICOM", ".dicom": "DICOM",
}  # fmt: skip
FORMATS = tuple(dict.fromkeys(IMAGE_SUFFIXES.values()))
START = 4096  # bytes that are enough to tell what a file is
MAX_BYTES = 400_000_000  # of a file, which is read whole
MOST_TEXT = 1_000_000_000  # bytes of a table or a file of labels: COCO's own have 450 million

_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how .xlsx and .ods, and the older .xls, begin
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x93NUMPY", "NPY"),
)
_OTHERS = (
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"8BPS", "Photoshop (PSD)"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"SIMPLE  =", "FITS"),
    (b"\0\0\x01\0", "ICO"),
    (b"\x01\xda", "SGI"),
    (b"\x89HDF", "HDF5"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip (as in .nii.gz)"),
    (b"\x5c\1\0\0", "NIfTI"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"Rar!", "RAR"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
)
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}


def open_file(path: Path) -> BinaryIO:
    """`path` open for reading if it is a regular file; Unreadable for all else, without waiting on it."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise Unreadable("directory, not a picture", "folder")
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("not a regular file", "special")
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise Unreadable("broken link", "link") from None
        raise Unreadable("no such file", "missing") from None
    except PermissionError:
        raise Unreadable("no permission to read it", "permission") from None
    except (OSError, ValueError) as error:
        raise Unreadable(f"cannot be opened: {getattr(error, 'strerror', None) or error}", "damaged") from None
    if status.st_size == 0:
        file.close()
        raise Unreadable("empty file", "empty")
    return file


def read_file(path: Path, most: int = MAX_BYTES) -> bytes:
    """All bytes of the file at `path`; Unreadable when it is no regular file or larger than `most` bytes."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise Unreadable(f"larger than {most // 10**6:,} MB", "size")
        try:
            return file.read()
        except OSError as error:
            raise Unreadable(f"cannot be read: {error.strerror or error}", "damaged") from None


def read_text(file: Path, what: str = "a file of labels") -> str:
    """All of a file of text, in whatever encoding it is; StriateError, where it is `what`, for one that is no text."""
    try:
        data = read_file(file, MOST_TEXT)
    except Unreadable as problem:
        if problem.code == "empty":
            return ""
        remedy = "cut it into several, or keep numbers in an .npz file" if problem.code == "size" else ""
        raise StriateError(f"{what} must be readable", received=problem.reason, where=file, remedy=remedy) from None
    if data.startswith(_PACKED):
        remedy = "save it as CSV in the program that wrote it; another name does not make it text"
        received = "a packed file, as Excel keeps workbooks"
        raise StriateError(f"{what} must be text", received=received, where=file, remedy=remedy)
    text = decoded(data)
    if text is None:
        raise StriateError(f"{what} must be text", received="a file of another kind", where=file)
    return text


def decoded(data: bytes) -> str | None:
    """The text that bytes are, in whatever encoding; None where they are none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:2]:  # two bytes per letter, without the mark that says so
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", errors="replace")
    if b"\0" in data:  # as nearly every picture, sound and program has them, and no text
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")  # what Excel writes in western Europe


def text_if_any(file: Path) -> str:
    """The text of a file as of `read_text`, for telling what it is; "" for one that is no text or cannot be read."""
    try:
        return read_text(file)
    except StriateError:
        return ""


def recognise(start: bytes) -> str:
    """Which of FORMATS begins with the bytes `start`; Unreadable says what it is instead."""
    for magic, name in _PICTURES:
        if start.startswith(magic):
            return name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WEBP"
    if start[128:132] == b"DICM" or (start[:2] == b"\x08\0" and start[2:4] in (b"\0\0", b"\5\0", b"\x08\0", b"\x16\0")):
        return "DICOM"
    if not start:
        raise Unreadable("empty file", "empty")
    raise _stranger(start)


def _stranger(start: bytes) -> Unreadable:
    for magic, name in _OTHERS:
        if start.startswith(magic):
            return _unsupported(name)
    if start[4:8] == b"ftyp":
        return _unsupported(_BRANDS.get(start[8:12], "video (MP4)"))
    if start[:1] == b"P" and start[1:2] in b"1234567" and start[2:3].isspace():
        return _unsupported("PNM")
    text = _as_text(start)
    if text is None:
        if not start.strip(b"\0"):
            return Unreadable("damaged: the file starts with zeros only")
        return Unreadable("not a picture: unknown kind of file", "unsupported")
    if text.startswith("version https://git-lfs"):
        return Unreadable("Git LFS pointer, not the picture itself (git lfs pull fetches it)", "text")
    head = text.lstrip("\ufeff \t\r\n").lower()
    if head.startswith(("<!doctype html", "<html", "<head", "<body")):
        return Unreadable("HTML page, not a picture", "text")
    if "<svg" in head:
        return _unsupported("SVG")
    return Unreadable("text, not a picture", "text")


def _unsupported(name: str) -> Unreadable:
    return Unreadable(f"format {name} is not supported (supported: {', '.join(FORMATS)})", "unsupported")


def _as_text(start: bytes) -> str | None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return start[: len(start) // 2 * 2].decode("utf-16", errors="ignore")
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in start):
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(start)  # a letter may be cut at the end of what was read
    except UnicodeDecodeError:
        return start.decode("cp1252", "replace") if sum(byte < 128 for byte in start) > 0.8 * len(start) else None


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
