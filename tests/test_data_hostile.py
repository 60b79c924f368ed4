"""Files made to hurt: bombs, circles and bytes changed at random give a picture or a reason, in little memory."""

import contextlib
import functools
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn_files import GREY8, RGB16, every_kind, npy, png, set_tag, tiff
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.decode import decode, look
from striate.data.header import Pick, Unreadable


def chain(pages: int, loop: bool = False) -> bytes:
    """A TIFF of directories of one tag, each pointing to the next."""
    out = bytearray(struct.pack("<2sHI", b"II", 42, 8))
    for page in range(pages):
        out += struct.pack("<HHHII", 1, 256, 3, 1, 5)
        out += struct.pack("<I", 8 if loop and page == pages - 1 else len(out) + 4)
    return bytes(out)


def ome(**sizes: object) -> bytes:
    """A TIFF of one page whose OME-XML claims more."""
    words = " ".join(f'{name}="{value}"' for name, value in {"SizeC": 1, "SizeZ": 1, "SizeT": 1, **sizes}.items())
    pixels = f'<Pixels DimensionOrder="XYCZT" {words}><TiffData PlaneCount="{10**9}"/></Pixels>'
    xml = f'<OME xmlns="o"><Image>{pixels}</Image></OME>'
    return tiff(GREY8, description=xml, metadata=None, photometric="minisblack")


def bombs() -> dict[str, bytes]:
    """Small files that ask for much."""
    small = tiff(np.zeros((8, 8, 3), np.uint16), photometric="rgb")
    offset = tifffile.TiffFile(io.BytesIO(small)).pages[0].dataoffsets[0]
    zeros = bytes(100_000_000)
    made = {"a long chain": chain(300_000), "a circle": chain(50, loop=True), "many frames": b"GIF89a" + bytes(7)}
    made["many frames"] += (b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0") * 500_000
    for name, packer in (("deflate", lambda data: zlib.compress(data, 1)), ("zstd", zstd), ("lzma", lzma)):
        body = packer(zeros)
        number = {"deflate": 8, "zstd": 50000, "lzma": 34925}[name]
        made[name] = set_tag(set_tag(small, 279, len(body)), 259, number)[:offset] + body
    made["wide tiles"] = set_tag(tiff(RGB16, photometric="rgb", tile=(16, 16), compression="zlib"), 322, 4_000_000)
    entries = [(256, 3, 1, 5), (257, 3, 1, 5), (273, 4, 3_000_000, 8), (279, 4, 3_000_000, 8)]
    words = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    made["many values"] = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + words + bytes(12_000_000)
    made["npy"] = npy(GREY8).replace(b"(13, 17)", b"(20000, 20000)")
    made["png"] = png(60_000, 60_000, 8, 2, bytes(100))
    made["ome"], made["ome planes"] = ome(), ome(SizeT=10**12)
    made["entities"] = tiff(
        GREY8, photometric="minisblack", metadata=None,
        description='<!DOCTYPE x [<!ENTITY a "aaaa">]><OME xmlns="o">' + "&a;" * 9 + "</OME>",
    )  # fmt: skip
    codestream = tiff(RGB16, photometric="rgb", compression="jpeg2000")
    start = codestream.index(b"\xff\x4f\xff\x51") + 8
    made["jpeg 2000"] = codestream[:start] + struct.pack(">II", 60_000, 60_000) + codestream[start + 8 :]
    return made


def zstd(data: bytes) -> bytes:
    import imagecodecs

    return imagecodecs.zstd_encode(data)


def lzma(data: bytes) -> bytes:
    import lzma as packer

    return packer.compress(data, preset=0)


def test_bombs_cost_neither_memory_nor_answers(tmp_path: Path) -> None:
    """In a process of its own, all of them together: a picture or a reason, and never more than 150 MB (53 are usual).

    What `getrusage` calls the peak begins at that of the process that started this one; VmHWM begins at nothing.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process's memory is read from /proc, which Linux has")
    for name, data in bombs().items():
        (tmp_path / name).write_bytes(data)
    code = """if True:
        import sys
        from pathlib import Path
        from striate.data.decode import decode, look
        from striate.data.header import Unreadable
        for path in sorted(Path(sys.argv[1]).iterdir()):
            for ask in (look, decode):
                try:
                    ask(path)
                except Unreadable:
                    pass
        print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])  # kB"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 150_000


@functools.cache
def kinds() -> list[bytes]:
    return list(every_kind())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_refused_or_read(data: st.DataObject) -> None:
    """Any file with some bytes changed and cut is a picture or Unreadable, for `look` as for `decode`."""
    file = bytearray(data.draw(st.sampled_from(kinds())))
    for _ in range(data.draw(st.integers(1, 6))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(file[: data.draw(st.integers(1, len(file)))])
    for ask in (look, decode):
        with contextlib.suppress(Unreadable):
            ask(cut, pick=Pick(page=data.draw(st.integers(0, 2))))
