"""What runs in a process of `guard`: sources in, answers out, within limits of time and memory.

Input: a line of JSON with what is wanted and the sources, each a path or the number of its bytes, which follow.
Output, per source: the length of a piece of JSON (4 bytes, little-endian), that JSON, and the bytes of the picture and
of its facts as far as the JSON announces them.
"""

import contextlib
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from striate.data.header import Pick
from striate.data.load import Loaded, Want, load
from striate.data.prepare import Shape
from striate.data.quiet import quiet

HELLO = b"ready\n"
SECONDS = 5  # of the processor's time for one file, and one more for every
BYTES = 40_000_000  # that it has, since honest pictures of 100 million pixels may need 10
PATIENCE = 60  # seconds for one file, whoever else uses the processor and the disk
MEMORY = 1_000_000_000  # bytes of the whole process


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    source, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _limit_memory()
    out.write(HELLO)
    out.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # some decoders write there, past Python
        os.dup2(silence, stream)
    with quiet():
        for line in source:
            request = json.loads(line)
            want = _wanted(**request["want"])
            for item in request["sources"]:
                data = Path(item) if isinstance(item, str) else source.read(item)
                with _limited_time(seconds_for(data)):
                    loaded = load(data, want)
                _send(out, loaded)


def seconds_for(source: Path | bytes) -> float:
    """Of the processor's time that a source may take."""
    with contextlib.suppress(OSError, ValueError):
        return SECONDS + (len(source) if isinstance(source, bytes) else source.stat().st_size) / BYTES
    return SECONDS


def _wanted(shape: dict | None, pick: dict, **others: bool) -> Want:
    return Want(shape=Shape(**shape) if shape else None, pick=Pick(**pick), **others)


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        pages = Path("/proc/self/statm").read_text().split()  # Linux alone says and keeps to it
        reserved, resident = (int(count) * resource.getpagesize() for count in pages[:2])
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (reserved + MEMORY - resident, hard))


@contextlib.contextmanager
def _limited_time(seconds: float) -> Iterator[None]:
    """End this process when the block takes too long: the system does it, so no decoder can prevent it."""
    if not hasattr(signal, "setitimer"):
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        yield
        faulthandler.cancel_dump_traceback_later()
        return
    limits = ((signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, PATIENCE))
    for timer, number, most in limits:
        signal.signal(number, signal.SIG_DFL)
        signal.setitimer(timer, most)
    yield
    for timer, _, _ in limits:
        signal.setitimer(timer, 0)


def _send(out: BinaryIO, loaded: Loaded) -> None:
    told = {"channels": loaded.channels, "depth": loaded.depth, "content": loaded.content}
    blocks = []
    if loaded.picture is not None:
        blocks.append(np.ascontiguousarray(loaded.picture))
        told["picture"] = (loaded.picture.shape, loaded.picture.dtype.str, loaded.picture.nbytes)
    if loaded.facts is not None:
        blocks.append(loaded.facts.tobytes())
        told["noted"] = True
    if loaded.problem is not None:
        told["problem"] = (loaded.problem.reason, loaded.problem.code)
    if loaded.header is not None:
        told["header"] = asdict(loaded.header)
    text = json.dumps(told).encode()
    out.write(len(text).to_bytes(4, "little") + text)
    for block in blocks:
        out.write(block)
    out.flush()
