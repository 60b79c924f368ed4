"""The seal on a test part: every opening is written down, and other runs' test parts are recognised."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from striate import files
from striate.evaluate import seal

SCORES = {"n": 5, "accuracy": {"value": 0.8}}


def contents(numbers: range) -> list[str]:
    """Hashes as the store writes them."""
    return [hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest() for number in numbers]


def opened(run: Path, numbers: range) -> int:
    run.mkdir(parents=True, exist_ok=True)
    return seal.open_seal(run, contents(numbers), "train", SCORES)


def test_each_opening_is_written_down(tmp_path: Path) -> None:
    """Time, command, n and score of every opening, in order; the marks are those of the pictures."""
    files.write_json(tmp_path / "r" / "scores.json", {})
    assert [opened(tmp_path / "r", range(5)) for _ in range(3)] == [1, 2, 3]
    known = json.loads((tmp_path / "r" / "openings.json").read_text())
    assert [item["by"] for item in known["openings"]] == ["train"] * 3
    assert {"time", "by", "n", "accuracy"} == known["openings"][0].keys()
    assert known["pictures"] == 5
    assert known["marks"] == sorted(content[: seal.LETTERS] for content in contents(range(5)))


def test_a_run_that_was_cut_short_before_it_told_its_score_opens_once(tmp_path: Path) -> None:
    """The very same score of the same run, of which nobody had been told; any other is another opening."""
    assert [opened(tmp_path / "r", range(5)) for _ in range(3)] == [1, 1, 1]
    for scores, by in (({**SCORES, "accuracy": {"value": 0.6}}, "train"), (SCORES, "evaluate x"), (SCORES, "train")):
        count = len(json.loads((tmp_path / "r" / "openings.json").read_text())["openings"])
        assert seal.open_seal(tmp_path / "r", contents(range(5)), by, scores) == count + 1
    assert seal.open_seal(tmp_path / "r", contents(range(5)), "evaluate x", SCORES) == 5
    assert seal.open_seal(tmp_path / "r", contents(range(5)), "evaluate x", SCORES) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of files")
def test_openings_at_once_are_all_written_down(tmp_path: Path) -> None:
    """Each of several processes that open the same part together is counted, and the manifest fits in the end."""
    opened(tmp_path / "r", range(5))
    (tmp_path / "r" / "settings.toml").touch()
    files.write_manifest(tmp_path / "r")
    code = (
        "import sys, time, pathlib; from striate import files; from striate.evaluate import seal\n"
        "read = seal._read; seal._read = lambda run: (read(run), time.sleep(0.02))[0]\n"
        f"for _ in range(5): seal.open_seal(pathlib.Path(sys.argv[1]), {contents(range(5))}, 'evaluate x', {SCORES})"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "r")]
    started = [subprocess.Popen(words) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    known = json.loads((tmp_path / "r" / "openings.json").read_text())
    assert len(known["openings"]) == 16
    listed = json.loads((tmp_path / "r" / "manifest.json").read_text())["files"]["openings.json"]
    assert listed["sha256"] == files.sha256_of(tmp_path / "r" / "openings.json")


@pytest.mark.parametrize("size", [40, 5000])
def test_runs_with_the_same_test_pictures_are_found(tmp_path: Path, size: int) -> None:
    """A test part that is the same, or mostly, or part of a larger one is known; one that shares a fifth is new."""
    opened(tmp_path / "same", range(size))
    opened(tmp_path / "larger", range(-3 * size, size))
    opened(tmp_path / "most", range(size // 4, size + size // 4))
    opened(tmp_path / "fifth", range(size - size // 5, 2 * size - size // 5))
    opened(tmp_path / "other", range(3 * size, 4 * size))
    (tmp_path / "none").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "openings.json").write_text("{")
    found = seal.opened_before(tmp_path, contents(range(size)))
    assert found == {"larger": 1, "most": 1, "same": 1}
    assert seal.opened_before(tmp_path, contents(range(size)), tmp_path / "same").keys() == {"larger", "most"}
    assert seal.opened_before(tmp_path, []) == {}
    assert len(json.loads((tmp_path / "larger" / "openings.json").read_text())["marks"]) == min(4 * size, seal.MARKS)


def test_scoring_the_test_pictures_again_is_an_opening(tmp_path: Path) -> None:
    """A folder that holds most of them counts, one that holds few does not; the manifest stays true."""
    opened(tmp_path / "r", range(20))
    files.write_manifest(tmp_path / "r")
    assert seal.open_again(tmp_path / "r", contents(range(5)), "evaluate x", SCORES) == 0
    assert seal.open_again(tmp_path / "r", contents(range(-50, 20)), "evaluate y", SCORES) == 2
    known = json.loads((tmp_path / "r" / "openings.json").read_text())
    assert [item["by"] for item in known["openings"]] == ["train", "evaluate y"]
    listed = files.read_json(tmp_path / "r" / "manifest.json")["files"]["openings.json"]["sha256"]
    assert listed == files.sha256_of(tmp_path / "r" / "openings.json")
    assert seal.open_again(tmp_path, contents(range(20)), "evaluate z", SCORES) == 0


def test_an_evaluation_counts_the_runs_beside_as_training_does(tmp_path: Path) -> None:
    """Two runs that opened the same pictures: the third opening is the third, whichever run is asked."""
    for name in "ab":
        opened(tmp_path / name, range(20))
    opened(tmp_path / "other", range(50, 70))
    assert seal.open_again(tmp_path / "a", contents(range(-50, 20)), "evaluate", SCORES) == 3
    assert seal.open_again(tmp_path / "b", contents(range(20)), "evaluate", SCORES) == 4


def test_a_run_that_cannot_be_written_to_still_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that refuses, the second opening is told all the same."""
    opened(tmp_path / "r", range(20))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(files, "open_new", refuse)
    assert seal.open_again(tmp_path / "r", contents(range(20)), "evaluate", SCORES) == 2
