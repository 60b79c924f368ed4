"""The store and the survey before it: decoded once, whole or absent, the same for any workers."""

import json
import os
import shutil
import time
from collections import Counter, namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from striate import files
from striate.data import load as module
from striate.data import store as module_of_stores
from striate.data.header import Unreadable
from striate.data.prepare import Shape, fit
from striate.data.rows import Layout
from striate.data.sample import Sample
from striate.data.store import build_store
from striate.data.survey import Survey, survey
from striate.errors import StriateError

SHAPE = Shape(height=6, width=5, channels=1)


def samples_of(*files: Path) -> list[Sample]:
    return [Sample(path=file.name, source=file, target="x") for file in files]


@pytest.fixture
def pictures(tmp_path: Path) -> list[Sample]:
    random, files = np.random.default_rng(0), []
    for number in range(70):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(random.integers(0, 256, (9, 8), dtype=np.uint8)).save(files[-1])
    files[3].write_bytes(b"words")
    files[40].unlink()
    return samples_of(*files)


@pytest.mark.parametrize("shape", [(), (8, 9, 1), (2,) * 16])
def test_a_header_is_as_long_for_every_count(shape: tuple[int, ...], tmp_path: Path) -> None:
    """It is written before the rows are counted, and once more after; NumPy reads it."""
    layout = Layout(name="a.npy", dtype=np.dtype("<u2"), shape=shape)
    assert {len(layout.header(10**digits)) for digits in range(19)} == {len(layout.header(0))}
    (tmp_path / "a.npy").write_bytes(layout.header(11) + bytes(layout.size(11) - layout.size(0)))
    assert np.load(tmp_path / "a.npy").shape == (11, *shape)


def test_the_store_holds_every_readable_picture(pictures: list[Sample], tmp_path: Path) -> None:
    """Row by row the store equals Pillow's pixels made to fit, and the rest is listed."""
    seen: list[tuple[int, int]] = []
    store = build_store(pictures, tmp_path / "s", SHAPE, workers=0, progress=lambda *step: seen.append(step))
    assert store.kept.tolist() == [n for n in range(70) if n not in (3, 40)]
    for row, number in enumerate(store.kept):
        expected = fit(np.asarray(Image.open(pictures[number].source))[:, :, None], SHAPE)
        np.testing.assert_array_equal(store.pictures[row], expected)
    assert [(item.path, item.reason) for item in store.left_out] == [
        ("3.png", "text, not a picture"),
        ("40.png", "no such file"),
    ]
    assert seen == [(n + 1, 70) for n in range(70)]
    assert len(set(store.contents)) == 68
    np.testing.assert_array_equal(np.load(store.folder / "pictures.npy"), store.pictures)
    np.testing.assert_array_equal(np.load(store.folder / "facts.npy"), store.facts)
    assert not store.pictures.flags.writeable
    assert not store.facts.flags.writeable


def test_facts_stand_beside_the_pictures(pictures: list[Sample], tmp_path: Path) -> None:
    """Row by row the facts are those of the whole file, before it was made to fit."""
    store = build_store(pictures, tmp_path / "s", SHAPE)
    for facts, number in zip(store.facts, store.kept, strict=True):
        file = pictures[number].source
        pixels = np.asarray(Image.open(file))
        assert (facts["bytes"], facts["height"], facts["width"]) == (file.stat().st_size, 9, 8)
        assert (facts["low"], facts["high"]) == (pixels.min(), pixels.max())
        np.testing.assert_allclose([facts["mean"], facts["std"]], [pixels.mean(), pixels.std()], rtol=1e-5)


def test_workers_do_not_change_it(pictures: list[Sample], tmp_path: Path) -> None:
    """0, 1, 2 and 3 workers write the same bytes."""
    stores = [build_store(pictures, tmp_path / str(w), SHAPE, workers=w) for w in (0, 1, 2, 3)]
    for name in ("pictures.npy", "facts.npy", "index.json"):
        assert len({(store.folder / name).read_bytes() for store in stores}) == 1


def test_a_second_call_decodes_nothing(pictures: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files open the same store; a changed file or another shape builds a new one."""
    first = build_store(pictures, tmp_path / "s", SHAPE)
    with monkeypatch.context() as patch:
        patch.setattr(module, "read", lambda *_: pytest.fail("decoded again"))
        again = build_store(pictures, tmp_path / "s", SHAPE)
    np.testing.assert_array_equal(first.pictures, again.pictures)
    np.testing.assert_array_equal(first.facts, again.facts)
    assert (first.contents, first.left_out, first.folder) == (again.contents, again.left_out, again.folder)
    Image.new("L", (3, 3)).save(pictures[3].source, "PNG")
    assert len(build_store(pictures, tmp_path / "s", SHAPE).kept) == 69


@pytest.mark.parametrize("code", ["permission", "package", "time", "crash", "memory"])
def test_a_failure_that_passes_is_looked_at_again(
    pictures: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """A file that could not be read for want of a right, a package, time or memory is used as soon as it can be,
    though it has not changed; until then it alone is tried again."""
    odd, asked, read = pictures[7].source.read_bytes(), [], module.read

    def fail(data: bytes, *others: object) -> object:
        asked.append(data)
        if data == odd:
            raise Unreadable("not now", code)
        return read(data, *others)

    with monkeypatch.context() as patch:
        patch.setattr(module, "read", fail)
        first = build_store(pictures, tmp_path / "s", SHAPE)
        asked.clear()
        again = build_store(pictures, tmp_path / "s", SHAPE)
    assert asked == [odd]
    assert first.left_out == again.left_out
    assert (first.left_out[1].path, first.left_out[1].reason) == ("7.png", "not now")
    last = build_store(pictures, tmp_path / "s", SHAPE)
    assert [item.path for item in last.left_out] == ["3.png", "40.png"]
    np.testing.assert_array_equal(last.pictures, build_store(pictures, tmp_path / "other", SHAPE).pictures)


@pytest.mark.parametrize("harm", ["cut", "no index", "no pictures", "short facts", "nonsense", "list"])
def test_a_torn_store_is_rebuilt(pictures: list[Sample], tmp_path: Path, harm: str) -> None:
    """A store that is not whole counts as absent, and what killed builds left is removed."""
    store = build_store(pictures, tmp_path / "s", SHAPE)
    expected, data, index = np.array(store.pictures), store.folder / "pictures.npy", store.folder / "index.json"
    match harm:
        case "cut":
            data.write_bytes(data.read_bytes()[:-7])
        case "no index":
            index.unlink()
        case "no pictures":
            data.unlink()
        case "short facts":
            (store.folder / "facts.npy").write_bytes(b"")
        case "nonsense":
            index.write_text(json.dumps({"shape": {"height": "x"}}))
        case "list":
            index.write_text("[]")
    (store.folder / ".pictures.npy.abc.tmp").write_bytes(b"left by a killed build")
    np.testing.assert_array_equal(build_store(pictures, tmp_path / "s", SHAPE).pictures, expected)
    assert {file.name for file in store.folder.iterdir()} == {"pictures.npy", "facts.npy", "index.json"}


def test_failures_leave_nothing(pictures: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted build leaves no file, a full disk is one clear message, before any decoding."""

    def stop(done: int, total: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    for workers in (0, 2):
        with pytest.raises(KeyboardInterrupt):
            build_store(pictures, tmp_path / "s", SHAPE, workers=workers, progress=stop)
    assert not list((tmp_path / "s").iterdir())
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    monkeypatch.setattr(module, "read", lambda *_: pytest.fail("decoded on a full disk"))
    with pytest.raises(StriateError, match="free space"):
        build_store(pictures, tmp_path / "s", SHAPE)


def test_a_store_whose_index_cannot_be_written_leaves_nothing(
    pictures: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk that was too full for it has its room again; one that another process finished stays."""

    def full(path: Path, value: object) -> None:
        raise files.cannot_write(path, OSError(28, "No space left on device"))

    place = build_store(pictures, tmp_path / "whole", SHAPE).folder
    monkeypatch.setattr(module_of_stores, "_opened", lambda *_: None)
    monkeypatch.setattr(module_of_stores.files, "write_json", full)
    for folder in ("none", "whole"):
        with pytest.raises(StriateError, match="No space left"):
            build_store(pictures, tmp_path / folder, SHAPE)
    assert not list((tmp_path / "none").iterdir())
    assert {file.name for file in place.iterdir()} == {"pictures.npy", "facts.npy", "index.json"}


def test_stores_that_killed_builds_left_go(
    pictures: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an index, and neither just made nor being made anew, they are removed by whoever builds another."""
    shapes = [Shape(height=side, width=5, channels=1) for side in range(2, 7)]
    left, anew, whole = (build_store(pictures, tmp_path / "s", shape).folder for shape in shapes[:3])
    for place in (left, anew):
        (place / "index.json").unlink()
    with files.open_new(anew / "pictures.npy") as file:
        files.locked(file.fileno(), alone=True)
        recent = build_store(pictures, tmp_path / "s", shapes[3]).folder
        assert {*(tmp_path / "s").iterdir()} == {left, anew, whole, recent}
        monkeypatch.setattr(module_of_stores, "_MOMENT", -60)
        last = build_store(pictures, tmp_path / "s", shapes[4]).folder
        assert {*(tmp_path / "s").iterdir()} == {anew, whole, recent, last}


def test_stores_are_not_kept_for_ever(pictures: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new store drives out what was not opened for 30 days, or longest ago where there is too much."""
    folder, shapes = tmp_path / "s", [Shape(height=side, width=5, channels=1) for side in range(2, 8)]
    old, opened, recent = (build_store(pictures, folder, shape) for shape in shapes[:3])
    for days, store in ((40, old), (40, opened), (20, recent)):
        os.utime(store.folder / "index.json", (time.time() - days * 86_400,) * 2)
    expected = np.array(old.pictures)
    build_store(pictures, folder, shapes[1])
    new = build_store(pictures, folder, shapes[3])
    assert {*folder.iterdir()} == {opened.folder, recent.folder, new.folder}
    np.testing.assert_array_equal(old.pictures, expected)  # who had it open still has
    monkeypatch.setattr(module_of_stores, "_MOST_BYTES", 2 * sum(f.stat().st_size for f in new.folder.iterdir()))
    newest = build_store(pictures, folder, shapes[4])
    assert {*folder.iterdir()} == {opened.folder, new.folder, newest.folder}


def test_no_readable_picture(tmp_path: Path) -> None:
    """With nothing readable the first five reasons are shown and no store is left."""
    files = [tmp_path / f"{n}.png" for n in range(9)]
    for file in files:
        file.touch()
    with pytest.raises(StriateError, match=r"0.png \(empty file\).*4.png \(empty file\) and 4 more"):
        build_store(samples_of(*files), tmp_path / "s", SHAPE)
    assert not list((tmp_path / "s").rglob("*.*"))


def test_deeper_pictures_lift_the_whole_set(tmp_path: Path) -> None:
    """One 16-bit picture among 8-bit ones makes all of them 16-bit; one RGB makes all RGB."""
    grey, deep, colour, five = (tmp_path / f"{n}.tif" for n in "abcd")
    tifffile.imwrite(grey, np.full((6, 5), 2, np.uint8))
    tifffile.imwrite(deep, np.full((6, 5), 1000, np.uint16))
    tifffile.imwrite(colour, np.full((6, 5, 3), 9, np.uint8), photometric="rgb")
    tifffile.imwrite(five, np.zeros((6, 5, 5), np.uint8), photometric="minisblack", planarconfig="contig")
    store = build_store(samples_of(grey, deep, colour, five), tmp_path / "s", SHAPE)
    assert (store.pictures.dtype, store.pictures.shape) == (np.uint16, (3, 6, 5, 3))
    assert store.pictures[:, 0, 0, 0].tolist() == [2 * 257, 1000, 9 * 257]
    assert (store.shape.depth, store.shape.channels) == ("uint16", 3)
    assert "5 channels" in store.left_out[0].reason
    again = build_store(samples_of(grey, deep, colour, five), tmp_path / "s", SHAPE)
    assert again.shape == store.shape
    fixed = build_store(samples_of(grey, colour), tmp_path / "s", SHAPE, fixed_channels=True)
    assert fixed.pictures[:, 0, 0, 0].tolist() == [2, 9]


def test_arrays_stay_in_memory(tmp_path: Path) -> None:
    """Arrays need no file; a picture with NaN is left out, equal pixels have equal contents."""
    arrays = [np.full((6, 5), 7, np.uint8), np.full((6, 5), np.nan), np.full((6, 5), 7, np.uint8)]
    samples = [Sample(path=f"array/{n}", source=a, target="x") for n, a in enumerate(arrays)]
    store = build_store(samples, tmp_path / "s", SHAPE)
    assert store.folder is None
    assert store.kept.tolist() == [0, 2]
    assert store.facts["mean"].tolist() == [7, 7]
    assert store.contents[0] == store.contents[1]
    assert "NaN" in store.left_out[0].reason
    assert not (tmp_path / "s").exists()


def test_shares_of_a_survey() -> None:
    """A share of the pictures fits into the least side that holds so many, by the longer side as by the width."""
    for count, share, fits in ((20, 0.95, 19), (21, 0.95, 20), (10, 0.9, 9), (11, 0.9, 10), (1, 0.5, 1)):
        sizes = Counter((1, side) for side in range(1, count + 1))
        looked = Survey(sizes=sizes, channel_counts=Counter(), depths=Counter(), formats=Counter())
        assert (looked.longer_side(share), looked.width_of(share)) == (fits, fits)


def test_survey(tmp_path: Path) -> None:
    """Headers give the median size, the channels and the deepest depth; the choice ignores order."""
    files = []
    for number, (height, width) in enumerate([(10, 20), (30, 20), (50, 60)]):
        files.append(tmp_path / f"{number}.png")
        Image.new("L", (width, height)).save(files[-1])
    (tmp_path / "3.png").write_bytes(b"text")
    samples = samples_of(*files, tmp_path / "3.png")
    seen = survey(samples)
    assert (seen.sizes.total(), seen.typical_size) == (3, (30, 20))
    assert (seen.channels, seen.depth, seen.formats["PNG"], seen.same_size) == (1, "uint8", 3, False)
    deep = Sample(path="a", source=np.zeros((4, 4, 3), np.uint16), target="x")
    seen = survey([*samples, deep])
    assert (seen.channels, seen.depth) == (3, "uint16")
    assert survey(samples, limit=2) == survey(samples[::-1], limit=2)
    assert survey([]).typical_size == (0, 0)


def test_what_is_being_written_beside_is_left_alone(pictures: list[Sample], tmp_path: Path) -> None:
    """A small file that another training writes just now stays, and appears; what a killed one left long ago goes."""
    index, left = tmp_path / "s/other/index.json", tmp_path / "s/killed"
    left.mkdir(parents=True)
    for name in (".index.json.abc.tmp", ".pictures.npy.abc.tmp"):
        (left / name).touch()
    os.utime(left / ".index.json.abc.tmp", times=(0, 0))
    with files.open_new(index) as file:
        file.write(b"{}")
        build_store(pictures, tmp_path / "s", SHAPE)
    assert index.read_bytes() == b"{}"
    assert list(left.iterdir()) == []
