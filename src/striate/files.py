"""The one way in which Striate writes files, whole or not at all; and how it names, locks and reads what it wrote.

A file is written under a temporary name beside its place, flushed to the disk, renamed, and its
folder entry flushed too. Nothing here knows what the bytes mean.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
import time
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from striate.errors import StriateError, first_few

MANIFEST = "manifest.json"
STORE = ".store"  # beside runs: what their pictures became
LOOK = 0.2  # seconds: more than `is_held` takes, which locks a folder too
ELSEWHERE = "choose another place (--out)"


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` atomically and durably; on any failure the old file stays as it was.

    durable=False does not wait for the disk (about 10 ms): for what may be lost when the power goes.
    """
    with open_new(path, durable=durable) as file:
        file.write(data)


@contextlib.contextmanager
def open_new(path: Path, *, durable: bool = True) -> Iterator[io.BufferedWriter]:
    """A binary file that appears at `path` only when the block ends without an exception; of a link where it leads to.
    A device or a pipe is no file that could be replaced, and takes what is written as it comes."""
    path = Path(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            with path.open("wb") as file:
                yield file
            return
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
        _make(path.parent)
        number, name = tempfile.mkstemp(prefix=f".{path.name[:20]}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        with open(number, "wb") as file:  # noqa: PTH123 - an open handle has no path
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.umask(mask := os.umask(0))
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
        if durable:
            _flush(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _make(folder: Path) -> None:
    """Make a folder that is still there after the power went."""
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError):  # to list what is above it
            _flush(folder.parent)


def _flush(folder: Path) -> None:
    with _opened(folder) as handle:
        if handle is not None:
            os.fsync(handle)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    write_bytes(path, readable(text).encode(), durable=durable)


def free_name(stem: str, is_taken: Callable[[str], bool]) -> str:
    """`stem`, or a-2, a-3, ... where a is taken; of thousands that are, few are asked about."""
    if not is_taken(stem):
        return stem
    high = 2
    while is_taken(f"{stem}-{high}"):
        high *= 2
    number = bisect_left(range(high), True, high // 2 + 1, key=lambda number: not is_taken(f"{stem}-{number}"))
    return f"{stem}-{number}"


def own_names(paths: Iterable[str]) -> Iterator[str]:
    """The same without folders, and with a number behind a name that another has but for its ending."""
    taken = set()
    for path in paths:
        stem = free_name(Path(path).stem, lambda name: name.casefold() in taken)
        taken.add(stem.casefold())
        yield stem + Path(path).suffix


def readable(text: str) -> str:
    """`text` as valid Unicode, so that every program can read it: what is no UTF-8 in a file's name becomes \\udcff."""
    return text.encode(errors="backslashreplace").decode()


def named(text: str) -> str:
    """The name of the file or folder that `readable` wrote as `text`."""
    return text if exists(text) else re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), text)


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", durable=durable)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, durable: bool = True) -> None:
    write_text(path, csv_text((header, *rows)), durable=durable)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """A table with lines that end with \\n; cells with either half of a line end are quoted, as macOS's "Icon\\r"."""
    lines: list[str] = []
    csv.writer(SimpleNamespace(write=lines.append), lineterminator="\r\n").writerows(rows)
    return "".join(line[:-2] + "\n" for line in lines)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a table of ours, by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cannot_write(path: Path, error: OSError) -> StriateError:
    """The error for a file that could not be written, with the space left when the disk is full."""
    reason, remedy = error.strerror or str(error), ELSEWHERE
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        with contextlib.suppress(OSError):
            reason += f" ({shutil.disk_usage(_existing(Path(path))).free / 1e6:,.1f} MB free)"
        remedy = f"free some space or {remedy}"
    return StriateError("a file could not be written", received=reason, where=path, remedy=remedy)


def require_place(folder: Path) -> None:
    """Raise unless files can be written into `folder`, which need not be there: better before a long job than after."""
    try:
        tempfile.TemporaryFile(dir=_existing(folder)).close()
    except OSError as error:
        raise cannot_write(folder, error) from error


def require_space(folder: Path, needed_bytes: int) -> None:
    """Raise unless `folder`'s disk has `needed_bytes` free: better before a long job than in it."""
    free = shutil.disk_usage(_existing(folder)).free
    if free < needed_bytes:
        rule, remedy = "the run needs free space on the disk before it starts", f"free some space or {ELSEWHERE}"
        received = f"{free / 1e6:,.1f} MB free, about {needed_bytes / 1e6:,.1f} MB needed"
        raise StriateError(rule, received=received, where=folder, remedy=remedy)


def new_run_folder(out: Path, name: str | None) -> Path:
    """Create and return a run folder that did not exist: `out/name`, or name-2, name-3, ... after it.

    Without a name the folders are out/train, out/train-2, and so on.
    """
    stem = name or "train"
    if Path(stem).name != stem or stem in {".", ".."} or stem.startswith("."):
        rule = "a run name is one folder name"
        raise StriateError(rule, received=repr(stem), where="--name", remedy="use letters and digits")
    folder, number = out / stem, 1
    while True:
        try:
            _make(out)
            folder.mkdir()
            with contextlib.suppress(PermissionError):  # a folder that may be written to, but not read
                _flush(out)
            return folder
        except FileExistsError:
            if not folder.exists() or not out.is_dir():  # a file stands where a folder is needed
                raise StriateError("the output place must be a folder", received=out, where="--out") from None
        except OSError as error:
            raise cannot_write(folder, error) from error
        number += 1
        folder = out / f"{stem}-{number}"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process alone, without what a killed one left half-written in it."""
    with _opened(folder) as handle:
        until = time.monotonic() + LOOK
        while not (is_ours := locked(handle, alone=True)) and time.monotonic() < until:
            time.sleep(0.01)
        if not is_ours:
            rule, received = "a run is trained by one process at a time", "another one that is still at it"
            raise StriateError(rule, received=received, where=folder, remedy="wait for it or stop it")
        for leftover in folder.rglob(".*.tmp"):
            leftover.unlink()
        yield


def is_held(folder: Path) -> bool:
    """Whether a process holds a run folder, that is whether its training goes on."""
    with _opened(folder) as handle:
        return not locked(handle, alone=False)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """The handle of a folder; None on Windows, where folders cannot be opened."""
    handle = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        if handle is not None:
            os.close(handle)


def locked(handle: int | None, *, alone: bool, wait: bool = False) -> bool:
    """Lock an open file or folder, for this process alone or beside others; False where another process holds it that
    is not waited for, and True also where nothing can be locked."""
    if handle is None:
        return True
    try:
        import fcntl

        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        pass  # a file system without locks
    return True


def write_manifest(folder: Path) -> None:
    """Write the list of a finished folder's files with their sizes and SHA-256, as its last file."""
    entries = {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }
    write_json(folder / MANIFEST, {"complete": True, "files": entries})


def is_ours(folder: str) -> bool:
    """Whether a folder is a run or what a check wrote, or one of nothing but these: what lies there is no data."""
    if exists(f"{folder}/data.csv") and exists(f"{folder}/check.json"):
        return True
    inner = list(Path(folder).glob("[!.]*")) if exists(f"{folder}/{STORE}") else []
    return bool(inner) and all(exists(path / "check.json") for path in inner)


def is_complete(folder: Path) -> bool:
    """Whether `folder` is a finished run (its manifest, written last, is there)."""
    return (folder / MANIFEST).is_file()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exists(path: str | Path) -> bool:
    """Whether there is such a file or folder; a line that is too long for a name is none."""
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def has_ended(run: Path) -> bool:
    """Whether a run was trained to its end: it is complete, and was not stopped."""
    return is_complete(run) and not read_json(run / "scores.json").get("stopped")


def settings_of(run: Path) -> dict[str, dict]:
    """The tables of a run's settings.toml: "settings", "plan" and "run"."""
    file = run / "settings.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StriateError("a run has a readable settings.toml", received=error, where=file) from error


def scores_of(run: Path) -> Mapping:
    """What scores.json of a run folder says, which is there once the run has ended."""
    if (run / "scores.json").is_file():
        return read_json(run / "scores.json")
    raise without(run, "scores.json", "scores are those of a run folder")


def without(path: Path, name: str, rule: str) -> StriateError:
    """What to raise where `path` is no run with a file of this name: with the folders in and beside it that have one,
    or how a run that has not ended goes on."""
    if (path / "settings.toml").is_file() and not is_complete(path):
        rule, remedy = "a run has a model and scores once it has ended", f"striate train --resume {path}"
        return StriateError(rule, received=path, remedy=f"wait, or go on with what was cut short: {remedy}")
    places = dict.fromkeys((path, path.parent, Path("runs")))
    runs = [str(file.parent) for place in places for file in sorted(place.glob(f"*/{name}"))]
    given = f"give a run: {first_few(runs)}" if runs else "give a folder such as runs/train"
    return StriateError(rule, received=path if path.exists() else f"{path}, which is not there", remedy=given)


def read_json(path: Path) -> Mapping:
    """The JSON object in a file of ours."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StriateError("a JSON file of a run must be readable", received=error, where=path) from error
    if not isinstance(value, dict):
        raise StriateError("a JSON file of a run holds an object", received=type(value).__name__, where=path)
    return value


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
