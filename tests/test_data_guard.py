"""Decoding in processes of its own: a file that crashes, hangs or swells its decoder costs only itself."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.data import guard, worker
from striate.data.guard import load_each, load_one
from striate.data.header import Pick
from striate.data.load import Want, load
from striate.data.prepare import Shape
from striate.data.sample import Sample
from striate.data.store import build_store
from striate.errors import StriateError

WANT = Want(shape=Shape(height=4, width=4, channels=1), noted=True)
EVIL = """
import ctypes, os, signal, time
from collections import deque

from striate.data import load, worker

honest = load.read_file
deeds = {
    "crash": lambda: ctypes.string_at(0),
    "leave": lambda: os._exit(7),
    "murder": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "swell": lambda: bytearray(1_200_000_000),
    "spin": lambda: deque(iter(int, 1), maxlen=0),
    "sleep": lambda: time.sleep(100),
    "chatter": lambda: os.write(1, b"x" * 100_000) + os.write(2, b"y" * 100_000),
}

def read_file(path):
    deeds.get(path.stem, int)()
    return honest(path)

load.read_file, worker.SECONDS, worker.PATIENCE = read_file, 0.3, 4
worker.main()
"""
posix = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the limits of a POSIX system")


@pytest.fixture(autouse=True)
def _no_workers_left() -> Iterator[None]:
    guard.rest()
    yield
    guard.rest()


def drawn(folder: Path, *names: str) -> list[Path]:
    random = np.random.default_rng(0)
    for name in names:
        Image.fromarray(random.integers(0, 256, (6, 5), dtype=np.uint8)).save(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in names]


@posix
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", f"the decoder crashed (signal {signal.SIGSEGV.value})"),
        ("leave", "the decoder crashed (exit 7)"),
        ("murder", "the decoder was killed, as happens when memory runs out"),
        ("spin", f"took longer than {worker.SECONDS} s"),
        ("sleep", f"took longer than {worker.PATIENCE} s"),
        pytest.param(
            "swell",
            "needs more memory than there is for one picture",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux alone keeps to a limit"),
        ),
    ],
)
def test_a_bad_file_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    """Whatever a decoder does, its file is left out with the reason; the others come out as ever, in order."""
    files = drawn(tmp_path, *"abc", name, *"def")
    monkeypatch.setattr(guard, "PROGRAM", EVIL)
    for workers in (1, 2)[name == "sleep" :]:  # for four seconds of sleep once is enough
        guard.rest()
        made = list(load_each(((file.stem, file) for file in files), WANT, workers))
        assert [stem for stem, _ in made] == [file.stem for file in files]
        for (stem, one), file in zip(made, files, strict=True):
            if stem == name:
                assert one.picture is None
                assert reason in one.problem.reason
            else:
                np.testing.assert_array_equal(one.picture, load(file, WANT).picture)


@posix
def test_a_store_counts_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept and left out add up when several files in a row kill their decoders."""
    files = drawn(tmp_path, "a", "crash", "leave", "murder", "b", "chatter")
    monkeypatch.setattr(guard, "PROGRAM", EVIL)
    samples = [Sample(path=file.name, source=file, target="x") for file in files]
    store = build_store(samples, tmp_path / "s", WANT.shape, workers=2)
    assert store.kept.tolist() == [0, 4, 5]
    assert [item.path for item in store.left_out] == ["crash.png", "leave.png", "murder.png"]


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    """Pictures, facts, hashes and reasons are the same bits in this process and in one, two or three others."""
    files = [*drawn(tmp_path, *map(str, range(90))), tmp_path / "absent.png"]
    (tmp_path / "7.png").write_bytes(b"words")
    (tmp_path / "8.png").write_bytes((tmp_path / "9.png").read_bytes()[:80])
    items = [*enumerate(files), (91, np.arange(30, dtype=np.uint8).reshape(6, 5))]

    def told(workers: int) -> list[object]:
        made = []
        for key, one in load_each(iter(items), WANT, workers):
            bits = () if one.picture is None else (one.picture.tobytes(), one.facts.tobytes())
            made.append((key, bits, one.content, one.channels, one.depth, str(one.problem)))
        return made

    assert told(0) == told(1) == told(2) == told(3)
    assert sum("None" not in row[-1] for row in told(0)) == 3


@pytest.mark.parametrize("workers", [-1, 257])
def test_a_number_of_workers_that_cannot_be(workers: int) -> None:
    """It is refused, for every command that decodes, with its option; before a process is started."""
    rule = f"workers lies between 0 and 256. received: {workers}. where: --workers"
    with pytest.raises(StriateError, match=rule):
        load_each([], WANT, workers)


def test_bytes_headers_and_picks_pass(tmp_path: Path) -> None:
    """A worker takes the bytes of a file, whole pictures, headers and a choice of channels as well as `load` does."""
    pixels = np.random.default_rng(1).integers(0, 256, (700, 600, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(load_one(data, Want()).picture, pixels)
    np.testing.assert_array_equal(load_one(tmp_path / "a.png", Want(pick=Pick(channels=(2,)))).picture, pixels[..., 2:])
    header = load_one(data, Want(header=True)).header
    assert (header.height, header.width, header.channels, header.format) == (700, 600, 3, "PNG")
    assert load_one(b"words", Want()).problem.code == "text"


def test_a_worker_stays_for_the_next_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process serves call after call, whatever the working folder, and one that died meanwhile is replaced."""
    (file,) = drawn(tmp_path, "a")
    first = [load_one(file, WANT), *guard._idle]
    monkeypatch.chdir(tmp_path)
    assert load_one(Path("a.png"), WANT).content == first[0].content
    assert [*guard._idle] == first[1:]
    first[1].process.kill()
    first[1].process.wait()
    assert load_one(file, WANT).content == first[0].content
    assert len(guard._idle) == 1


def test_nothing_runs_on_after_a_stop(tmp_path: Path) -> None:
    """Work broken off in the middle leaves no worker that still owes answers, and later work goes well."""
    files = drawn(tmp_path, *map(str, range(200)))
    each = load_each(enumerate(files), WANT, 2)
    next(each)
    each.close()
    assert all(worker.due == 0 for worker in guard._idle)
    assert [key for key, _ in load_each(enumerate(files), WANT, 2)] == list(range(200))


def test_workers_do_not_know_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker imports what decoding needs and nothing heavier."""
    check = "import sys\nfrom striate.data import worker\nsys.exit('torch' in sys.modules and 'torch')"
    monkeypatch.setattr(guard, "PROGRAM", check)
    with pytest.raises(StriateError, match="must start") as caught:
        load_one(drawn(tmp_path, "a")[0], WANT)
    assert "torch" not in str(caught.value)


def test_what_keeps_a_worker_from_starting_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error of the whole, with the process's own words, and no file is blamed."""
    monkeypatch.setattr(guard, "PROGRAM", "raise SystemExit('the library is gone')")
    with pytest.raises(StriateError, match="the library is gone"):
        list(load_each(enumerate(drawn(tmp_path, "a", "b")), WANT, 2))
    monkeypatch.setattr(sys, "executable", os.fspath(tmp_path / "no python"))
    with pytest.raises(StriateError, match="--workers 0"):
        load_one(tmp_path / "a.png", WANT)


def test_a_working_folder_that_is_gone_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no folder is decoded as before, again and again; a path in it is left out, and none of the folder
    that the worker was started in is read in its place."""
    (file,), gone = drawn(tmp_path, "a"), tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(tmp_path)
    expected = load_one(file, WANT).content
    try:
        monkeypatch.chdir(gone)
        gone.rmdir()
    except OSError:
        pytest.skip("this system keeps the folders that it works in")
    for _ in range(2):
        assert load_one(file.read_bytes(), WANT).content == load_one(file, WANT).content == expected
        assert load_one(Path("a.png"), WANT).problem is not None


def test_a_worker_that_lives_but_says_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why it answers no more is told after the patience that any file has, and it is ended."""
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    one = guard.Worker()
    assert one.cause(b"").code == "crash"
    assert one.process.returncode is not None


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs files in memory")
def test_an_absent_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker needs none, so no file is blamed for it, and no reader is kept from starting."""
    monkeypatch.setattr(guard.tempfile, "tempdir", os.fspath(tmp_path / "none"))
    assert load_one(drawn(tmp_path, "a")[0], WANT).problem is None


@posix
def test_a_full_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker writes of its place is never given back to a disk that fills up, nor claimed anew."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    one = guard.Worker()
    sizes = [os.fstat(one._said.fileno()).st_size]
    one._require_ready()
    os.kill(one.process.pid, signal.SIGSTOP)
    one.ask(WANT, drawn(tmp_path, "a", "b"))
    sizes.append(os.fstat(one._said.fileno()).st_size)
    os.kill(one.process.pid, signal.SIGCONT)
    assert [answer.problem for answer in one.answers()] == [None, None]
    sizes.append(os.fstat(one._said.fileno()).st_size)
    one.stop()
    assert sizes == [8, 8, 8]
