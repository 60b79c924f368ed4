"""Decoding in processes of its own, so that a file which crashes, hangs or swells a decoder costs only itself.

A worker takes sources on its standard input and answers on its standard output (see `worker`); nothing that comes back
is ever run. When one dies, the file that it was at is left out with the reason, and a fresh worker goes on with the
rest. Workers do not import torch, ignore Ctrl-C and end when their input does, that is with this process at the latest.
"""

import atexit
import contextlib
import json
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
from threading import Event
from typing import TypeVar

import numpy as np

from striate.data.facts import FACTS
from striate.data.header import Header, Unreadable
from striate.data.load import Loaded, Source, Want, load
from striate.data.quiet import quiet
from striate.data.worker import HELLO, PATIENCE, seconds_for
from striate.errors import StriateError

Key = TypeVar("Key")
PROGRAM = "from striate.data.worker import main; main()"
_CHUNK, _CHUNK_BYTES, _AHEAD = 32, 8_000_000, 4
_START = "import sys; sys.path[:] = sys.argv[1:]; "  # before anything of ours is imported
_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # threads would only take each other's time
HERE = (np.ndarray, Unreadable)  # sources that never leave this process
_OWN_GROUP = {"creationflags": 0x200} if sys.platform == "win32" else {"start_new_session": True}

_idle: "deque[Worker]" = deque()  # of the whole process, so that one picture after the other needs no new start


class Worker:
    """A process that decodes one file after the other. due: how many answers it owes."""

    def __init__(self) -> None:
        self.due = 0
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - what it says before it is ready: why it cannot start
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

    def _require_ready(self) -> None:
        if self._said is None:
            return
        said, self._said = self._said, None
        with said:
            if self.process.stdout.read(len(HELLO)) != HELLO:
                self.stop()
                said.seek(0)
                raise _cannot_start(said.read().decode(errors="replace").strip()[-300:])

    def ask(self, want: Want, sources: Sequence[Source]) -> None:
        """Hand over sources; `answer` gives what came of each, in order."""
        self._require_ready()
        here, self.due = Path.cwd(), len(sources)  # the worker may have been started elsewhere
        listed = [len(source) if isinstance(source, bytes) else str(here / source) for source in sources]
        pipe = self.process.stdin
        pipe.write(json.dumps({"want": asdict(want), "sources": listed}).encode() + b"\n")
        pipe.writelines(source for source in sources if isinstance(source, bytes))
        pipe.flush()

    def answer(self) -> Loaded:
        """The next answer; EOFError when the worker is no more."""
        facts = json.loads(self._read(int.from_bytes(self._read(4), "little")))
        picture = header = problem = noted = None
        if "picture" in facts:
            shape, dtype, size = facts.pop("picture")
            picture = np.frombuffer(self._read(size), dtype).reshape(shape)
        if facts.pop("noted", False):
            noted = np.frombuffer(self._read(FACTS.itemsize), FACTS)[0]
        if "problem" in facts:
            problem = Unreadable(*facts.pop("problem"))
        if "header" in facts:
            header = Header(**facts.pop("header"))
        self.due -= 1
        return Loaded(picture=picture, header=header, facts=noted, problem=problem, **facts)

    def cause(self, source: Path | bytes) -> Unreadable:
        """Why it died, as the reason for the file that it was at."""
        code = self.process.wait()
        self.stop()
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
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._said):
            with contextlib.suppress(OSError, AttributeError):
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
    return load(source, want) if isinstance(source, HERE) else _in_worker([source], want, Event())[0]


def load_each(items: Iterable[tuple[Key, Source]], want: Want, workers: int) -> Iterator[tuple[Key, Loaded]]:
    """`load` of every source, in order, with its key; the result does not depend on `workers`.

    workers: processes for files, which work a bounded number and size ahead; 0 decodes in this process. Arrays never
    leave it.
    """
    items, chunk, stopped = iter(items), _chunk(want), Event()
    if workers == 0:
        while part := list(islice(items, chunk)):
            with quiet():
                made = [(key, load(source, want)) for key, source in part]
            yield from made
        return

    def several(part: list[tuple[Key, Source]]) -> list[tuple[Key, Loaded]]:
        files = iter(_in_worker([source for _, source in part if not isinstance(source, HERE)], want, stopped))
        with quiet():
            return [(key, load(s, want) if isinstance(s, HERE) else next(files)) for key, s in part]

    pool, waiting, done = ThreadPoolExecutor(workers, thread_name_prefix="decode"), deque(), 0
    try:
        while part := list(islice(items, min(chunk, 1 + done // max(8 * workers, 1)))):
            waiting.append(pool.submit(several, part))
            done += len(part)
            if len(waiting) >= workers * _AHEAD:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def _chunk(want: Want) -> int:
    """How many sources are handed over together."""
    if want.shape is None:
        return _CHUNK if want.header else 1
    values = want.shape.height * want.shape.width * want.shape.channels
    return max(1, min(_CHUNK, _CHUNK_BYTES // max(values * np.dtype(want.shape.depth).itemsize, 1)))


def _in_worker(sources: Sequence[Source], want: Want, stopped: Event) -> list[Loaded]:
    """What a worker makes of each, and after its death a fresh one of those that are left."""
    made: list[Loaded] = []
    while len(made) < len(sources) and not stopped.is_set():
        worker = _idle_or_new()
        try:
            worker.ask(want, sources[len(made) :])
            while worker.due and not stopped.is_set():
                made.append(worker.answer())
        except (EOFError, OSError):
            made.append(Loaded(problem=worker.cause(sources[len(made)])))
        finally:
            if worker.due:
                worker.stop()
            else:
                _idle.append(worker)
    return made


def _idle_or_new() -> Worker:
    with contextlib.suppress(IndexError):
        while (worker := _idle.pop()).process.poll() is not None:
            worker.stop()
        return worker
    return Worker()
