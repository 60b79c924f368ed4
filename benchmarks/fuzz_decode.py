"""Coverage-guided fuzz of the decoder's boundary: bytes in, a picture or Unreadable out, in 5 s and 1 GB.

    python benchmarks/fuzz_decode.py CORPUS -max_total_time=600 -rss_limit_mb=2048 -timeout=20

Needs atheris (Linux, `pip install atheris`), which watches which lines of striate, Pillow, tifffile and pydicom a
mutated file reaches, keeps those that reach new ones in CORPUS, and writes what breaks a promise to `crash-*`. An empty
CORPUS is first filled with a small file of every kind. libFuzzer's other options may follow.
"""

import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import process_time
from zlib import crc32

import atheris

with atheris.instrument_imports(include=["striate", "PIL", "tifffile", "pydicom"]):
    import pydicom.filereader
    import pydicom.pixels  # noqa: F401
    from PIL import (  # noqa: F401 - else loaded at the first picture, unwatched
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        MpoImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    from striate.data.decode import decode, look
    from striate.data.header import Pick, Unreadable

SECONDS, BYTES = 5.0, 1e9


def one(data: bytes) -> None:
    """The first byte picks a page and channels, and says whether to mend checksums; the rest is the file."""
    flags, file = (data[0], data[1:]) if data else (0, b"")
    file = _with_checksums(file) if flags & 64 else file
    pick = Pick(page=flags & 3, channels=(0, 1)[: flags >> 2 & 3])
    begun = process_time()
    for ask in (look, lambda source, pick: decode(source, 16 * (flags >> 7), pick)):
        try:
            ask(file, pick=pick)
        except Unreadable as refused:
            if not refused.reason or not refused.code:
                raise AssertionError("refused without a reason") from refused
    assert process_time() - begun < SECONDS, "too slow"
    assert getrusage(RUSAGE_SELF).ru_maxrss * 1024 < BYTES, "too much memory"


def _with_checksums(file: bytes) -> bytes:
    """A PNG whose chunks have right checksums, which mutations would else hardly ever get past."""
    made, place = bytearray(file), 8
    while file.startswith(b"\x89PNG") and place + 12 <= len(file):
        end = place + 8 + int.from_bytes(file[place : place + 4], "big")
        if end + 4 > len(file):
            break
        made[end : end + 4] = crc32(file[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(made)


def fill(corpus: Path) -> None:
    """Small files of every kind that the tests draw."""
    sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
    from drawn_files import every_kind

    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, data in enumerate(every_kind()):
            (corpus / f"{number:03}").write_bytes(b"@" + data)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        if not argument.startswith("-"):
            fill(Path(argument))
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
