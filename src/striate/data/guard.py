"""Decoding in processes of its own, so that a file which crashes, hangs or swells a decoder costs only itself.

A worker takes sources on its standard input and answers on its standard output, many at a time (see `worker`); nothing
that comes back is ever run. When one dies, the file that it was at is left out with the reason, and a fresh worker goes
on with the others. Workers do not import torch, ignore Ctrl-C and end when their input does, that is with this process
at the latest.
"""

import atexit
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from striate.data.facts import FACTS
from striate.data.header import MOST_WORKERS, Header, Unreadable
from striate.data.load import Loaded, Source, Want, load, load_all
from striate.data.quiet import quiet
from striate.data.worker import HELLO, LENGTHS, PATIENCE, seconds_for
from striate.errors import StriateError

Key = TypeVar("Key")
PROGRAM = "from striate.data.worker import main; main()"
_CHUNK, _CHUNK_BYTES, _AHEAD = 64, 8_000_000, 4
_LEAST_BYTES = 16_000  # of what comes of one source, with all that is known of it
_PIPE = 1 << 20  # bytes that a worker can say before it is listened to
_START = "import sys; sys.path[:] = sys.argv[1:]; "  # before anything of ours is imported
_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads would only take each other's time
_BLANK = b" " * 8  # as many characters as a worker writes of a number
HERE = (np.ndarray, Unreadable)  # sources that never leave this process
_OWN_GROUP = {"creationflags": 0x200} if sys.platform == "win32" else {"start_new_session": True}

_idle: "deque[Worker]" = deque()  # of the whole process, so that one picture after the other needs no new start


class Worker:
    """A process that decodes one file after the other. due: how many answers it owes."""

    def __init__(self) -> None:
        self.due, self._ready = 0, False
        # Why it cannot start; then the number of what it is at, with room for that however full a disk becomes.
        memory = hasattr(os, "memfd_create") and os.memfd_create("striate")
        self._said = open(memory, "w+b", 0) if memory else tempfile.TemporaryFile(buffering=0)  # noqa: PTH123, SIM115
        self._said.write(_BLANK)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START + PROGRAM, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={**os.environ, **_ALONE},
                **_OWN_GROUP,
            )
        except OSError as error:
            self._said.close()
            raise _cannot_start(str(error)) from error
        with contextlib.suppress(ImportError, AttributeError, OSError):
            import fcntl  # only Linux has such pipes

            fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)

    def _require_ready(self) -> None:
        if not self._ready and self.process.stdout.read(len(HELLO)) != HELLO:
            self._end()
            with self._said:
                self._said.seek(0)
                raise _cannot_start(self._said.read().decode(errors="replace").strip()[-300:])
        self._ready = True

    def ask(self, want: Want, sources: Sequence[Source]) -> None:
        """Hand over sources; `answers` gives what came of each, in order."""
        self._require_ready()
        self._said.seek(0)
        self._said.write(_BLANK)
        here, self.due = os.devnull, len(sources)  # where nothing lies, as in a folder that is gone
        with contextlib.suppress(OSError):
            here = os.getcwd()  # noqa: PTH109 - the worker may have been started elsewhere
        listed = [len(one) if isinstance(one, bytes) else os.path.join(here, one) for one in sources]  # noqa: PTH118
        pipe = self.process.stdin
        pipe.write(json.dumps({"want": asdict(want), "sources": listed}).encode() + b"\n")
        pipe.writelines(source for source in sources if isinstance(source, bytes))
        pipe.flush()

    def answers(self) -> list[Loaded]:
        """What came of each source; EOFError when the worker is no more."""
        text, room = LENGTHS.unpack(self._read(LENGTHS.size))
        told, data = json.loads(self._read(text)), self._read(room)
        made, place = [], 0
        for shape, dtype, noted, problem, header, channels, depth, size, content in told:
            picture = facts = None
            if shape is not None:
                count = math.prod(shape)
                picture = np.frombuffer(data, dtype, count, place).reshape(shape)
                place += count * picture.itemsize
            if noted:
                facts = np.frombuffer(data, FACTS, 1, place)[0]
                place += FACTS.itemsize
            problem, header = problem and Unreadable(*problem), header and Header(**header)
            known = {"channels": channels, "depth": depth, "size": tuple(size), "content": content}
            made.append(Loaded(picture=picture, problem=problem, header=header, facts=facts, **known))
        self.due = 0
        return made

    @property
    def place(self) -> int:
        """The number, among those it was asked for, of the source that it is or was at."""
        self._said.seek(0)
        return min(int(self._said.read(len(_BLANK)).strip() or 0), self.due - 1)

    def cause(self, source: Path | bytes) -> Unreadable:
        """Why it died, as the reason for the file that it was at."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(PATIENCE)
        self.stop()
        code = self.process.returncode
        if sys.platform == "win32" and code == 1:
            return Unreadable(f"took longer than {PATIENCE} s", "time")
        if code >= 0:
            return Unreadable(f"the decoder crashed (exit {code})", "crash")
        late = {signal.SIGPROF: seconds_for(source), signal.SIGALRM: PATIENCE}
        if -code in late:
            return Unreadable(f"took longer than {late[-code]:.0f} s", "time")
        if -code == signal.SIGKILL:
            return Unreadable("the decoder was killed, as happens when memory runs out", "crash")
        return Unreadable(f"the decoder crashed (signal {-code})", "crash")

    def stop(self) -> None:
        self._end()
        self._said.close()

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def _read(self, size: int) -> bytes:
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise EOFError
        return data


def _cannot_start(reason: str) -> StriateError:
    remedy = "--workers 0 decodes in the process itself, where a hostile file can end it"
    return StriateError("a process that decodes pictures must start", received=reason or "it ended", remedy=remedy)


def warm(workers: int = 1) -> None:
    """Start workers now, so that they are ready when torch is imported."""
    _idle.extend(Worker() for _ in range(workers - len(_idle)))


@atexit.register
def rest() -> None:
    """End the workers that have nothing to do."""
    while _idle:
        _idle.pop().stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # they are the parent's


def load_one(source: Source, want: Want) -> Loaded:
    """`load` of one source, in a process of its own unless it is an array."""
    return load(source, want) if isinstance(source, HERE) else _in_worker([source], want, _Call())[0]


def load_readable(source: Source, want: Want, name: object) -> Loaded:
    """The same for a picture that must be readable; the error calls it `name`, and has the problem as its cause."""
    loaded = load_one(source, want)
    if loaded.problem:
        raise StriateError("the picture must be readable", received=loaded.problem, where=name) from loaded.problem
    return loaded


class _Call:
    """One call of `load_each`: whether it is over, and the workers that are at it."""

    def __init__(self) -> None:
        self.stopped, self.busy = False, set()

    def stop(self) -> None:
        self.stopped = True
        for worker in list(self.busy):
            worker.process.kill()


def load_each(items: Iterable[tuple[Key, Source]], want: Want, workers: int) -> Iterator[tuple[Key, Loaded]]:
    """`load` of every source, in order, with its key; the result does not depend on `workers`.

    workers: processes for files, which begin at once and work a bounded number and size ahead; 0 decodes in this
    process. Arrays never leave it.
    """
    if not 0 <= workers <= MOST_WORKERS:
        raise StriateError(f"workers lies between 0 and {MOST_WORKERS}", received=workers, where="--workers")
    if workers == 0:
        return _here(iter(items), want)
    begun = _ahead(iter(items), want, workers)
    next(begun)
    return begun


def _here(items: Iterator[tuple[Key, Source]], want: Want) -> Iterator[tuple[Key, Loaded]]:
    while part := list(islice(items, _chunk(want))):
        with quiet():
            made = load_all([source for _, source in part], want)
        yield from zip((key for key, _ in part), made, strict=True)


def _ahead(items: Iterator[tuple[Key, Source]], want: Want, workers: int) -> Iterator[tuple[Key, Loaded] | None]:
    """None once the work has begun, then what came of it."""
    call, waiting, done, held = _Call(), deque(), 0, 0
    chunk, most = _chunk(want), workers * _AHEAD * _CHUNK_BYTES
    each = max(_LEAST_BYTES, want.shape.bytes if want.shape else _CHUNK_BYTES // chunk)

    def several(part: list[tuple[Key, Source]]) -> list[tuple[Key, Loaded]]:
        here, away = [], []
        for _, source in part:
            (here if isinstance(source, HERE) else away).append(source)
        with quiet():
            arrays = iter(load_all(here, want))
        files = iter(_in_worker(away, want, call))
        return [(key, next(arrays if isinstance(source, HERE) else files)) for key, source in part]

    def fill() -> None:
        nonlocal done, held
        while held < most and (part := list(islice(items, min(chunk, 1 + done // (8 * workers))))):
            size = sum(each + _size(source) for _, source in part)
            waiting.append((size, pool.submit(several, part)))
            done, held = done + len(part), held + size

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        fill()
        yield None
        while waiting:
            size, made = waiting.popleft()
            yield from made.result()
            held -= size
            fill()
    finally:
        call.stop()
        pool.shutdown(cancel_futures=True)


def _size(source: Source) -> int:
    """Bytes that a source takes while it waits."""
    return source.nbytes if isinstance(source, np.ndarray) else len(source) if isinstance(source, bytes) else 0


def _chunk(want: Want) -> int:
    """How many sources are handed over together."""
    if want.shape is None:
        return _CHUNK if want.header else 4 if want.values else 1
    return max(1, min(_CHUNK, _CHUNK_BYTES // max(want.shape.bytes, 1)))


def _in_worker(sources: Sequence[Source], want: Want, call: _Call) -> list[Loaded]:
    """What workers make of each; after the death of one, a fresh one goes on with all but the file that it was at."""
    made: list[Loaded] = []
    while len(made) < len(sources) and not call.stopped:
        left, worker = sources[len(made) :], _idle_or_new()
        call.busy.add(worker)
        try:
            worker.ask(want, left)
            made += worker.answers()
            _idle.append(worker)
        except (EOFError, OSError):
            if not call.stopped:
                place = worker.place
                guilty = Loaded(problem=worker.cause(left[place]))
                made += [*_in_worker(left[:place], want, call), guilty]
        finally:
            call.busy.discard(worker)
            if worker.due:
                worker.stop()
    return made


def _idle_or_new() -> Worker:
    with contextlib.suppress(IndexError):
        while (worker := _idle.pop()).process.poll() is not None:
            worker.stop()
        return worker
    return Worker()
