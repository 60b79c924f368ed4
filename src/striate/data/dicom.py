"""DICOM through pydicom: values in the unit of the modality, bright as in MONOCHROME2, no window applied."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from striate.data.header import Header, Unreadable, require_page, require_size

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFLATED = "1.2.840.10008.1.2.1.99"
_PLAIN = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")  # little, little and big endian
_READ = (*_PLAIN, "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50")  # and RLE, and JPEG of 8 bits
_KINDS = {"MONOCHROME1": 1, "MONOCHROME2": 1, "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "PALETTE COLOR": 1}


def decode_dicom(file: BinaryIO, pages: Iterable[int]) -> Iterator[tuple[np.ndarray, Header]]:
    """Each of these frames of the file as (H, W, 1 or 3), with the header of the file.

    Rescale slope and intercept are applied (PS3.3, C.11.1), so that CT is in Hounsfield units; MONOCHROME1 is
    turned round before that. Windows are not: they cut what a network may need.
    """
    data = _open(file, pixels=True)
    from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array  # _open has asked for the package

    header, scaled = _header(data), _is_scaled(data)
    for page in pages:
        require_page(page, header.pages)
        values = pixel_array(data, index=page if header.pages > 1 else None)
        if data.PhotometricInterpretation == "PALETTE COLOR":
            values = apply_color_lut(values, data)
        elif data.PhotometricInterpretation == "MONOCHROME1":
            bits, signed = int(data.BitsStored), int(data.get("PixelRepresentation", 0))
            values = (-1 if signed else 2**bits - 1) - values
        if scaled:  # as float also where a table or this frame leaves whole numbers: frames are of one kind
            values = apply_modality_lut(values, _modality(data, page)).astype(np.float64)
        yield values.reshape(header.height, header.width, header.channels), header


def look_dicom(file: BinaryIO, page: int) -> Header:
    """What the file says about its frames; no pixel is read."""
    header = _header(_open(file, pixels=False))
    require_page(page, header.pages)
    return header


def _open(file: BinaryIO, *, pixels: bool) -> "Dataset":
    try:
        from pydicom import dcmread
    except ImportError:
        raise Unreadable("DICOM needs: pip install 'striate[dicom]'", "package") from None
    if _DEFLATED.encode() in file.read(4096):  # dcmread would inflate all of it
        raise _packed("deflate")
    file.seek(0)
    data = dcmread(file, stop_before_pixels=not pixels, force=True)
    if "TransferSyntaxUID" not in data.file_meta:  # older than files of their own: a data set and nothing before it
        data.file_meta.TransferSyntaxUID = _PLAIN[not data.original_encoding[0]]
    syntax = data.file_meta.TransferSyntaxUID
    if syntax not in _READ:
        raise _packed(syntax.name)
    return data


def _packed(name: str) -> Unreadable:
    return Unreadable(f"DICOM packed as {name} is not supported; unpack it (gdcmconv --raw does)", "unsupported")


def _header(data: "Dataset") -> Header:
    if "Rows" not in data:
        raise Unreadable("DICOM without a picture, as reports and directories are", "unsupported")
    kind, bits = data.PhotometricInterpretation, int(data.BitsAllocated)
    if _KINDS.get(kind) != int(data.SamplesPerPixel) or bits not in (8, 16, 32, 64):
        raise Unreadable(f"DICOM of {bits} bits and kind {kind} is not supported", "unsupported")
    if int(data.get("HighBit") or 0) >= int(data.get("BitsStored") or bits):
        raise Unreadable("DICOM with its stored bits above others is not supported", "unsupported")
    height, width, pages = int(data.Rows), int(data.Columns), int(data.get("NumberOfFrames") or 1)
    require_size(height, width, int(data.SamplesPerPixel) * (8 if _is_scaled(data) else bits // 8))
    whole = bits <= 16 and not int(data.get("PixelRepresentation", 0)) and not _is_scaled(data)
    depth, channels = (f"uint{bits}" if whole else "float32"), int(data.SamplesPerPixel)
    if kind == "PALETTE COLOR":
        depth, channels = f"uint{int(data.RedPaletteColorLookupTableDescriptor[2])}", 3
    patient = str(data.get("PatientID") or "").encode()  # a hash, so that no store holds names
    who = int.from_bytes(hashlib.blake2b(patient, digest_size=7).digest(), "big") if patient else 0
    return Header(height=height, width=width, channels=channels, depth=depth, format="DICOM", pages=pages, patient=who)


def _is_scaled(data: "Dataset") -> bool:
    """Whether the stored values of any frame are turned into the modality's."""
    for page in range(len(data.get("PerFrameFunctionalGroupsSequence") or "1")):
        said = _modality(data, page)
        if (float(said.get("RescaleSlope") or 1), float(said.get("RescaleIntercept") or 0)) != (1, 0):
            return True
    return "ModalityLUTSequence" in data


def _modality(data: "Dataset", page: int) -> "Dataset":
    """What tells the values of a frame: its functional group, that of all frames (PS3.3, C.7.6.16.2.9), or the file."""
    own, shared = data.get("PerFrameFunctionalGroupsSequence"), data.get("SharedFunctionalGroupsSequence")
    for groups in ((own or [])[page : page + 1], shared or []):
        if groups and groups[0].get("PixelValueTransformationSequence"):
            return groups[0].PixelValueTransformationSequence[0]
    return data
