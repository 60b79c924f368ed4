"""What runs in a process of `guard`: sources in, answers out, within limits of time and memory.

Input: a line of JSON with what is wanted and the sources, each a path or the number of its bytes, which follow.
Output, for all of them at once: the lengths of a piece of JSON and of what follows it (LENGTHS), that JSON, and the
bytes of pictures and facts as far as the JSON announces them. The file that the process was started with as its error
stream holds the number of the source that it is at, so that nothing need be sent for every single one.
"""

import contextlib
import faulthandler
import json
import os
import signal
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from striate.data.header import Pick
from striate.data.load import Loaded, Want, load_all
from striate.data.prepare import Shape
from striate.data.quiet import quiet

HELLO = b"ready\n"
LENGTHS = struct.Struct("<QQ")
SECONDS = 5  # of the processor's time for one file, and one more for every
BYTES = 40_000_000  # that it has, since honest pictures of 100 million pixels may need 10
PATIENCE = 60  # seconds for one file, whoever else uses the processor and the disk
MEMORY = 1_000_000_000  # bytes of the whole process


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    for name in ("SIGPROF", "SIGALRM"):  # not on Windows
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    source, out, place = sys.stdin.buffer, os.fdopen(os.dup(1), "wb", 1 << 20), os.dup(2)
    _limit_memory()
    out.write(HELLO)
    out.flush()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # some decoders write there, past Python
        os.dup2(silence, stream)

    def begin(number: int, data: Path | bytes) -> None:
        os.lseek(place, 0, os.SEEK_SET)
        os.write(place, b"%8d" % number)
        _limit_time(seconds_for(data))

    with quiet():
        for line in source:
            request = json.loads(line)
            sources = [Path(item) if isinstance(item, str) else source.read(item) for item in request["sources"]]
            made = load_all(sources, _wanted(**request["want"]), begin)
            _limit_time(0)
            _send(out, made)


def seconds_for(source: Path | bytes) -> float:
    """Of the processor's time that a source may take."""
    with contextlib.suppress(OSError, ValueError):
        return SECONDS + (len(source) if isinstance(source, bytes) else os.stat(source).st_size) / BYTES  # noqa: PTH116 - quicker
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


def _limit_time(seconds: float) -> None:
    """End this process when that much time is over, unless it is limited anew (0: not at all): the system does it, so
    no decoder can prevent it."""
    if not hasattr(signal, "setitimer"):
        faulthandler.cancel_dump_traceback_later()
        if seconds:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
        return
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE if seconds else 0)


def _send(out: BinaryIO, made: list[Loaded]) -> None:
    """All answers: of each what it is in JSON, and its blocks of bytes."""
    told, blocks = [], []
    for one in made:
        shape = kind = problem = header = None
        if one.picture is not None:
            shape, kind = one.picture.shape, one.picture.dtype.str
            blocks.append(np.ascontiguousarray(one.picture))
        if one.facts is not None:
            blocks.append(one.facts)
        if one.problem is not None:
            problem = (one.problem.reason, one.problem.code)
        if one.header is not None:
            header = asdict(one.header)
        known = (one.channels, one.depth, one.size, one.content)
        told.append((shape, kind, one.facts is not None, problem, header, *known))
    text = json.dumps(told).encode()
    out.write(LENGTHS.pack(len(text), sum(block.nbytes for block in blocks)) + text)
    for block in blocks:
        out.write(block.data if block.dtype.names is None else block.tobytes())
    out.flush()
