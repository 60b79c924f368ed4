"""A series is cut in time: contiguous parts, the last is tested, and nothing near a border is on both sides."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data.blocks import blocks, in_time
from striate.data.sample import Sample
from striate.data.sources import read_source
from striate.errors import StriateError
from striate.train.dataset import Division, divided, read_dataset
from striate.train.settings import Settings

SHAPE = st.tuples(st.integers(20, 300), st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([0.0, 0.1, 0.2]))


def frames(count: int, groups: list[int] | None = None) -> list[Sample]:
    pixels = np.zeros((1, 1), np.uint8)
    return [
        Sample(path=f"{n}.png", source=pixels, target=(float(n),), group=str(groups[n]) if groups else None)
        for n in range(count)
    ]


@settings(deadline=None)
@given(SHAPE)
def test_blocks_follow_each_other(shape: tuple[int, float, float]) -> None:
    """Training comes first, then validation, the test part last; shares are as asked, and a gap lies between parts."""
    count, test, validation = shape
    parts, aside = blocks(frames(count), [str(n) for n in range(count)], test=test, validation=validation)
    kinds = [part for n, part in enumerate(parts) if n not in aside]
    order = {"train": 0, "validation": 1, "test": 2}
    assert kinds == sorted(kinds, key=order.get)
    assert kinds.count("test") == round(test * count)
    gap = max(1, round(0.01 * count))
    assert len(aside) == gap * (len(set(kinds)) - 1)
    places = [n for n in range(count) if n not in aside]
    jumps = [b - a for a, b in pairwise(places) if parts[a] != parts[b]]
    assert all(jump == gap + 1 for jump in jumps)


@settings(deadline=None)
@given(st.integers(40, 200), st.integers(2, 6))
def test_folds_test_every_frame_once(count: int, k: int) -> None:
    """Each of K blocks is the test part once, in one piece, and no training frame touches it."""
    contents, tested = [str(n) for n in range(count)], []
    for number in range(1, k + 1):
        parts, aside = blocks(frames(count), contents, validation=0.1, fold=(number, k))
        rows = [n for n, part in enumerate(parts) if part == "test"]
        assert rows == list(range(rows[0], rows[-1] + 1))
        assert all(0 <= n < count for n in aside)
        beside = {rows[0] - 1, rows[-1] + 1} & set(range(count))
        assert all(parts[n] == "" for n in beside)
        tested += rows
    assert tested == list(range(count))


def test_groups_and_copies() -> None:
    """A group is cut nowhere, and a copy of a test frame is not learned from."""
    groups = [n // 9 for n in range(90)]
    parts, aside = blocks(frames(90, groups), [str(n) for n in range(90)])
    for group in range(10):
        assert len({parts[n] for n in range(90) if groups[n] == group and n not in aside}) == 1
    contents = [str(n) for n in range(90)]
    contents[5] = contents[89]
    parts, aside = blocks(frames(90), contents)
    assert (parts[5], aside[5]) == ("", "the same bytes as a picture of a later part")
    assert parts[89] == "test"


def test_files_follow_each_other_by_number(tmp_path: Path) -> None:
    """Frames of a folder are in the order of their numbers whichever class they are of; a table keeps its lines."""
    for number in range(1, 61):
        file = tmp_path / "frames" / ("ill" if number % 7 < 3 else "healthy") / f"f{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(noise).save(file)
    found = in_time(read_source(tmp_path / "frames"))
    assert [Path(sample.path).stem for sample in found.samples] == [f"f{number}" for number in range(1, 61)]
    settings = Settings(out=str(tmp_path / "runs"), split="blocks", workers=0)
    data = read_dataset(str(tmp_path / "frames"), settings, lambda event: None, Division())
    frames = {part: [int(Path(data.names[row]).stem[1:]) for row in data.rows(part)] for part in ("train", "test")}
    assert max(frames["train"]) < min(frames["test"]) - 1
    assert set(data.counts("test").values()) == {6}
    assert not any("All test pictures" in caution for caution in data.cautions)
    listed = [sample.path for sample in reversed(found.samples)]
    (tmp_path / "frames/t.csv").write_text("path,label\n" + "".join(f"{path},{path[:3]}\n" for path in listed))
    assert [sample.path for sample in in_time(read_source(tmp_path / "frames/t.csv")).samples] == listed


def test_a_test_part_of_one_class_is_told(tmp_path: Path) -> None:
    """Where the last block shows one class alone, its score says nothing, and that is said."""
    pictures = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    settings = Settings(out=str(tmp_path), split="blocks")
    data = read_dataset((pictures, ["a"] * 30 + ["b"] * 30), settings, lambda event: None, Division())
    assert "All test pictures are of the class 'b': who always answers so has 100 %." in data.cautions


def test_a_validation_part_of_one_class_is_told(tmp_path: Path) -> None:
    """What temperature, thresholds and patience go by shows one class alone, while the test part shows both."""
    pictures = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    settings = Settings(out=str(tmp_path), split="blocks")
    labels = [*"ab" * 20, *"a" * 8, *"ab" * 6]
    data = read_dataset((pictures, labels), settings, lambda event: None, Division())
    assert (data.counts("validation")["b"], set(data.counts("test").values())) == (0, {6})
    (told,) = (one for one in data.cautions if one.startswith("All "))
    assert told.startswith("All validation pictures are of the class 'a': ")


def test_minutes_of_a_drive_in_blocks_are_no_leak(tmp_path: Path) -> None:
    """Frames of one minute look alike, which is told of other splits. Blocks cut two minutes at the most, and it is no
    caution; but it stays one where the minutes lie in no order, so that every block has some of each."""
    random = np.random.default_rng(0)
    for number in range(80):
        file = tmp_path / "d" / f"{number % 2}" / f"drive_{number // 10:02}_{number % 10:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((24 * (number // 10) + random.integers(0, 40, (8, 8))).astype(np.uint8)).save(file)
    settings = Settings(out=str(tmp_path / "runs"), split="blocks", workers=0)
    data = read_dataset(str(tmp_path / "d"), settings, lambda event: None, Division())
    (kept,) = (one for one in data.check.findings if one.kind == "series")
    assert (kept.level, kept.count) == ("note", 80)
    assert not any("kept together" in caution for caution in data.cautions)
    told = replace(kept, level="problem", done="They were not kept together.")
    parts = dict(zip(data.names, data.parts, strict=True))
    assert told.in_blocks(parts) == kept
    assert told.in_blocks(dict(zip(data.names, random.permutation(data.parts), strict=True))) == told


def test_a_class_without_a_test_picture_is_told(tmp_path: Path) -> None:
    """One of three classes lies in one group, which is learned from: no test score knows of it, and that is said."""
    pictures = np.random.default_rng(0).integers(0, 256, (66, 8, 8), np.uint8)
    names, groups = ["a", "b"] * 30 + ["c"] * 6, [f"g{n}" for n in range(60)] + ["c"] * 6
    data = read_dataset((pictures, names, groups), Settings(out=str(tmp_path)), lambda event: None, Division())
    told = [caution for caution in data.cautions if caution.startswith("No test picture shows")]
    assert data.counts("test")["c"] == 0
    assert told == ["No test picture shows c: the test scores say nothing of that."]
    whole = read_dataset((pictures[:60], names[:60]), Settings(out=str(tmp_path)), lambda event: None, Division())
    assert not any("No test picture" in caution for caution in whole.cautions)


def test_an_empty_part_is_told(tmp_path: Path) -> None:
    """All pictures are of one group (those of one folder, with --group parent): the parts that were asked for cannot be
    had, and that is said; not so of those that were not asked for."""
    pictures = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    settings = Settings(out=str(tmp_path))
    data = read_dataset((pictures, ["a", "b"] * 20, ["g"] * 40), settings, lambda event: None, Division())
    assert any(one.startswith("No pictures for the test and the validation part") for one in data.cautions)
    data = divided(data, replace(settings, test=0.0), Division())
    assert any(one.startswith("No pictures for the validation part") for one in data.cautions)
    data = divided(data, replace(settings, test=0.0, val=0.0), Division())
    assert not any("No pictures" in one for one in data.cautions)


def test_given_parts_are_not_cut() -> None:
    """Parts that the user gave and blocks do not go together."""
    sample = Sample(path="a", source=np.zeros((1, 1)), target=(1.0,), part="test")
    with pytest.raises(StriateError, match="where no parts are given"):
        blocks([sample], ["a"])
