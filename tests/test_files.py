"""Files appear whole or not at all; run folders are numbered and proved complete."""

import errno
import hashlib
import json
import os
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from striate import files
from striate.errors import StriateError

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_holds_the_bytes_and_nothing_else_remains(tmp_path: Path) -> None:
    """Missing folders are made; a second writing replaces the first; no temporary file stays."""
    place = tmp_path / "a" / "b" / "x.bin"
    files.write_bytes(place, b"\x00one")
    files.write_bytes(place, b"two")
    assert place.read_bytes() == b"two"
    assert names(place.parent) == ["x.bin"]


@pytest.mark.skipif(sys.platform != "linux", reason="open files are named by Linux alone")
def test_new_folders_are_flushed_into_those_above_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a power cut takes them with all files that were flushed in them: of a new file's folders, and of a run's."""
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(str(Path(f"/proc/self/fd/{handle}").readlink())))
    files.write_bytes(tmp_path / "a/b/x", b"1")
    assert flushed[:2] == [str(tmp_path), str(tmp_path / "a")]
    assert flushed[3:] == [str(tmp_path / "a/b")]  # after the file itself, under its temporary name
    flushed.clear()
    files.new_run_folder(tmp_path / "runs", None)
    assert flushed == [str(tmp_path), str(tmp_path / "runs")]


@pytest.mark.parametrize("letter", ["x", "\u56f3"])
def test_the_longest_names_are_written(tmp_path: Path, letter: str) -> None:
    """255 bytes are the most that a name can have, of one or of three for a letter."""
    name = letter * (255 // len(letter.encode()))
    files.write_bytes(tmp_path / name, b"1")
    assert names(tmp_path) == [name]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    """A new file has the rights that open() would give, not those of a private temporary file."""
    before = os.umask(0o027)
    try:
        files.write_bytes(tmp_path / "x", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    """An exception while writing keeps the old content and removes the half-written one."""
    place = tmp_path / "x"
    files.write_bytes(place, b"old")
    with pytest.raises(TypeError), files.open_new(place) as file:
        file.writelines([b"half", "no bytes"])
    assert place.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """ENOSPC at any step ends in our error with the free space in it; nothing new stays behind."""
    place = tmp_path / "x"
    files.write_bytes(place, b"old")

    def fail(*_: object) -> None:
        raise NO_SPACE

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), fail)
        with pytest.raises(StriateError, match=r"received: No space left on device \([\d,.]+ MB free\)"):
            files.write_bytes(place, b"new")
    assert place.read_bytes() == b"old"
    assert names(tmp_path) == ["x"]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    """SIGKILL in the middle of a writing: the old content is there, whole."""
    place = tmp_path / "x.txt"
    files.write_text(place, "old")
    code = (
        "import os, signal, sys; from pathlib import Path; from striate import files\n"
        "with files.open_new(Path(sys.argv[1])) as file:\n"
        "    file.write(b'new' * 100000); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(place)], check=False)
    assert done.returncode == -9
    assert place.read_text() == "old"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where a folder is needed, and a folder where the file should be, are told as such."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(StriateError, match="a file could not be written"):
            files.write_bytes(place, b"x")
    assert names(tmp_path / "folder") == []
    assert names(tmp_path) == ["file", "folder"]


def test_text_json_and_tables(tmp_path: Path) -> None:
    """UTF-8 whatever the machine's locale; JSON without NaN; CSV with quoted commas and lines."""
    files.write_json(tmp_path / "a.json", {"name": "été", "n": 1.5, "none": None})
    assert json.loads((tmp_path / "a.json").read_bytes().decode("utf-8")) == {"name": "été", "n": 1.5, "none": None}
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "b.json", {"n": float("nan")})
    assert not (tmp_path / "b.json").exists()
    files.write_csv(tmp_path / "t.csv", ("path", "x"), [("a,b", 1), ('say "no"', 2)])
    assert (tmp_path / "t.csv").read_text() == 'path,x\n"a,b",1\n"say ""no""",2\n'


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Whatever halves of line ends a cell has (macOS names files "Icon\\r"): by us, and by pandas, whose parser is
    another; the lines of a table end with a line feed alone."""
    cells = ["Icon\r", "a\nb", "a\r\nb", "\r", '"\r,"', "plain", "", "a,b"]
    rows = [{"path": cell, "label": f"{number}{cell}"} for number, cell in enumerate(cells)]
    files.write_csv(tmp_path / "t.csv", ("path", "label"), [row.values() for row in rows])
    assert files.read_csv(tmp_path / "t.csv") == rows
    assert (tmp_path / "t.csv").read_bytes().startswith(b'path,label\n"Icon\r","0Icon\r"\n')
    pandas = pytest.importorskip("pandas")
    assert pandas.read_csv(tmp_path / "t.csv", keep_default_na=False).to_dict("records") == rows


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names")
def test_what_is_no_file_is_written_and_not_replaced(tmp_path: Path) -> None:
    """A link stays and what it leads to gets the bytes, whether it was there or not; a pipe stays one and hands them
    on, as a device does."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to("target")
    for data in (b"new", b"newer"):
        files.write_bytes(link, data)
        assert link.is_symlink()
        assert target.read_bytes() == data
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write_bytes(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert pipe.is_fifo()
    assert names(tmp_path) == ["link", "pipe", "target"]


def test_a_name_that_is_no_unicode_is_written_readably(tmp_path: Path) -> None:
    """Bytes of a file name that are no UTF-8 end in a file that every program can read."""
    files.write_text(tmp_path / "t.txt", os.fsdecode(b"caf\xe9.png"))
    assert (tmp_path / "t.txt").read_text(encoding="utf-8") == "caf\\udce9.png"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"{", "must be readable"), (b"\xff\xfe{}", "must be readable"), (b"[1]", "holds an object. received: list")],
)
def test_a_broken_json_file_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    """What is no JSON object is refused with its path."""
    (tmp_path / "scores.json").write_bytes(content)
    with pytest.raises(StriateError, match=told) as problem:
        files.read_json(tmp_path / "scores.json")
    assert problem.value.where == tmp_path / "scores.json"
    with pytest.raises(StriateError, match="must be readable"):
        files.read_json(tmp_path / "absent.json")


def test_a_free_name_is_found_among_thousands() -> None:
    """The first that is free where numbers follow each other, after a few questions; else any that is free."""
    taken, asked = {"a", *(f"a-{number}" for number in range(2, 5001))}, []
    assert files.free_name("a", lambda name: asked.append(name) or name in taken) == "a-5001"
    assert len(asked) < 30
    assert [files.free_name("a", {"a", *more}.__contains__) for more in ((), ["a-2"], ["a-3"])] == ["a-2", "a-3", "a-2"]
    taken -= {"a-9", "a-4000"}
    assert files.free_name("a", taken.__contains__) not in taken
    assert files.free_name("b", taken.__contains__) == "b"


def test_run_folders_are_numbered(tmp_path: Path) -> None:
    """train, train-2, train-3; a name of one's own counts for itself; nothing is ever overwritten."""
    made = [files.new_run_folder(tmp_path / "runs", name).name for name in (None, None, "cells", None, "cells")]
    assert made == ["train", "train-2", "cells", "train-3", "cells-2"]


@pytest.mark.parametrize("name", ["a/b", "..", ".", "../x", ".hidden", "/etc/x"])
def test_a_run_name_is_one_folder_name(tmp_path: Path, name: str) -> None:
    """A path, or a hidden name, is refused and nothing is made."""
    with pytest.raises(StriateError, match="a run name is one folder name"):
        files.new_run_folder(tmp_path / "runs", name)
    assert not (tmp_path / "runs").exists()


def test_the_output_place_must_be_a_folder(tmp_path: Path) -> None:
    """--out that is a file, or lies below one, is told at once."""
    (tmp_path / "runs").write_text("")
    for out in (tmp_path / "runs", tmp_path / "runs" / "deeper"):
        with pytest.raises(StriateError, match=r"Not a directory.*--out"):
            files.new_run_folder(out, None)


def test_the_manifest_proves_every_file(tmp_path: Path) -> None:
    """Sizes and SHA-256 of all files, in folders too; the manifest does not list itself."""
    files.write_text(tmp_path / "a.txt", "hello")
    files.write_bytes(tmp_path / "sub" / "b.bin", b"\x00\x01")
    assert not files.is_complete(tmp_path)
    files.write_manifest(tmp_path)
    assert files.is_complete(tmp_path)
    listed = files.read_json(tmp_path / files.MANIFEST)
    assert listed["complete"] is True
    assert listed["files"] == {
        "a.txt": {"bytes": 5, "sha256": hashlib.sha256(b"hello").hexdigest()},
        "sub/b.bin": {"bytes": 2, "sha256": hashlib.sha256(b"\x00\x01").hexdigest()},
    }


def test_space_is_asked_for_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little space is told with both numbers, also for a folder that does not exist yet."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(files.shutil, "disk_usage", lambda place: usage(10**9, 0, 3_500_000))
    files.require_space(tmp_path / "not" / "there", 3_500_000)
    with pytest.raises(StriateError, match=r"received: 3\.5 MB free, about 4\.0 MB needed"):
        files.require_space(tmp_path / "not" / "there", 4_000_000)


def test_what_may_be_lost_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """durable=False asks for no flush, and still a failure leaves the old file and nothing beside it."""
    monkeypatch.setattr(files.os, "fsync", lambda handle: pytest.fail("waited for the disk"))
    files.write_json(tmp_path / "a.json", {"n": 1}, durable=False)
    assert files.read_json(tmp_path / "a.json") == {"n": 1}
    with pytest.raises(TypeError), files.open_new(tmp_path / "a.json", durable=False) as file:
        file.write("words, not bytes")
    assert files.read_json(tmp_path / "a.json") == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_look_at_a_run_does_not_refuse_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks whether a run is held locks it for a moment, which is waited for; who holds it longer is told of."""

    def look(seconds: float) -> subprocess.Popen:
        code = (
            "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_SH); print('', flush=True)\n"
        )
        words = [sys.executable, "-c", f"{code}time.sleep({seconds})", str(tmp_path)]
        looking = subprocess.Popen(words, stdout=subprocess.PIPE)
        looking.stdout.readline()
        return looking

    with monkeypatch.context() as patch, look(0.05):
        patch.setattr(files, "LOOK", 20)  # a busy machine may not end it at once
        with files.held(tmp_path):
            assert files.is_held(tmp_path)
    with look(1), pytest.raises(StriateError, match="one process at a time"), files.held(tmp_path):
        pass


def test_where_folders_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a folder is neither flushed nor locked, and files are written and runs held all the same."""
    plain = os.open

    def windows(path: object, *options: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path, *options)

    monkeypatch.setattr(files.sys, "platform", "win32")
    monkeypatch.setattr(files.os, "open", windows)
    files.write_text(tmp_path / "a.txt", "whole")
    with files.held(tmp_path):
        assert not files.is_held(tmp_path)
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_run_that_is_not_there_is_answered_with_those_in_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever types a name alone means a folder of runs/, where runs go by default; each is named once."""
    monkeypatch.chdir(tmp_path)
    for name in ("b", "a"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "scores.json").write_text("{}")
    for slip in ("nope", "runs/nope"):
        said = str(files.without(Path(slip), "scores.json", "it is a run"))
        assert said == f"it is a run. received: {slip}, which is not there. what to do: give a run: runs/a, runs/b."
    assert "received: runs. what" in str(files.without(Path("runs"), "scores.json", "it is a run"))
