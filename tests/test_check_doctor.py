"""What is found in a folder: copies, conflicts, leaks, odd files and odd pictures; and what is written about it."""

import csv
import html
import inspect
import json
import shlex
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn_traps import CLASSES, draw, examine, glance, kinds, one
from PIL import Image

import striate
from striate.check import doctor
from striate.check.alike import alike
from striate.check.doctor import FOUND_BY, check_store
from striate.check.finding import Check, Finding, told
from striate.check.inventory import apart
from striate.cli import main
from striate.data.apart import words_in
from striate.data.facts import FACTS
from striate.data.prepare import Shape
from striate.data.sample import Boxes, Sample
from striate.data.sources import read_source
from striate.data.store import build_store
from striate.errors import StriateError
from striate.statistics import wilson
from striate.train import suspects
from striate.train.dataset import Division, find, open_store, read_dataset
from striate.train.settings import Settings


def test_copies_conflicts_and_what_becomes_of_them(tmp_path: Path) -> None:
    """Copies stay together; the same file under two classes is set aside, all of its copies; clean ones are left."""
    folder = draw(tmp_path / "set")
    shutil.copy(folder / "bar/img_0000.png", folder / "bar/img_9000.png")
    shutil.copy(folder / "disc/img_0002.png", folder / "cross/img_9001.png")
    check = examine(folder, tmp_path / "store")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    pairs = [("bar/img_0000.png", "bar/img_9000.png"), ("cross/img_9001.png", "disc/img_0002.png")]
    assert one(check, "duplicates").groups == (pairs[0],)  # what is set aside does not stay in one part
    assert one(check, "duplicates").count == 1
    assert [[names[row] for row in rows] for rows in sorted(map(sorted, check.together))] == [list(p) for p in pairs]
    assert {names[row] for row in check.set_aside} == set(pairs[1])
    assert one(check, "two-labels").level == "problem"
    assert kinds(check) == {"duplicates", "two-labels"}


def test_the_same_pixels_in_another_file_are_a_copy(tmp_path: Path) -> None:
    """A picture packed otherwise, or as BMP, has other bytes and the same pixels: also among few pictures it is a copy,
    and is set aside if its class is another; one pixel less light, or a grey picture of three channels, is none."""
    folder = draw(tmp_path / "set", 5)
    picture = Image.open(folder / "bar/img_0000.png")
    picture.save(folder / "bar/again.png", compress_level=0)
    Image.open(folder / "disc/img_0002.png").save(folder / "cross/again.bmp")
    changed = np.array(picture)
    changed[5, 7, 2] ^= 1
    Image.fromarray(changed).save(folder / "bar/changed.png")
    picture.convert("L").save(folder / "cross/grey.png")
    picture.convert("L").convert("RGB").save(folder / "disc/grey.png")
    check = examine(folder, tmp_path / "store")
    assert one(check, "duplicates").groups == (("bar/again.png", "bar/img_0000.png"),)
    assert one(check, "two-labels").groups == (("cross/again.bmp", "disc/img_0002.png"),)
    assert len(check.set_aside) == 2


def examined(targets: list, contents: list[str]) -> Check:
    """What is found of pictures with these targets and bytes."""
    samples = [Sample(path=f"{row:03}", source=Path(), target=target) for row, target in enumerate(targets)]
    facts = np.zeros(len(samples), FACTS)
    facts["height"] = facts["width"] = 8
    facts["pixels"] = [zlib.crc32(content.encode()) for content in contents]
    return doctor.examine(samples, [], facts, contents, looks=False)


def test_what_may_belong_together_is_told() -> None:
    """An unused column of ids, or the patients of DICOM files, where no picture has a group; and of labels how often it
    is not known whether pictures have them."""
    samples = [Sample(path=f"{row:03}", source=Path(), target=("a", "?b")[: 1 + row % 2]) for row in range(6)]
    facts = np.zeros(6, FACTS)
    facts["height"] = facts["width"] = 8
    asked = {"facts": facts, "contents": [str(row) for row in range(6)], "looks": False}
    check = doctor.examine(samples, [], perhaps=("lesion_id", 4), **asked)
    assert one(check, "unused-groups").what == "'lesion_id' has 4 values for 6 pictures."
    assert "b (3)" in one(check, "unknown-labels").what
    assert "unused-groups" not in kinds(doctor.examine(samples, [], **asked))
    facts["patient"] = [7, 7, 8, 8, 9, 0]
    assert "--group 'PatientID'" in one(doctor.examine(samples, [], **asked), "unused-groups").change
    grouped = [replace(sample, group="x") for sample in samples]
    assert "unused-groups" not in kinds(doctor.examine(grouped, [], **asked))


def test_one_file_with_several_numbers_is_set_aside() -> None:
    """Numbers of one file that differ by more than a tenth of the spread of all contradict, those rounded otherwise do
    not, and stay in one part."""
    values = np.random.default_rng(0).normal(20, 10, (40, 2)).round(3).tolist()
    pairs = [(3.141, 7.0), (3.1, 7.0), (30.0, 7.0), (70.0, 7.0)]
    check = examined([tuple(value) for value in values] + pairs, [*map(str, range(40)), "a", "a", "b", "b"])
    found = one(check, "two-labels")
    assert (found.level, found.groups) == ("problem", (("042", "043"),))
    assert "several labels (such as '30; 7' and '70; 7')" in found.what
    assert set(check.set_aside) == {42, 43}
    assert one(check, "duplicates").groups == (("040", "041"),)


def test_one_file_with_labels_that_are_not_known_elsewhere_is_used() -> None:
    """What is not known of a label contradicts nothing; a label that is there and, elsewhere, not there does."""
    pairs = [("a", "?b"), ("a", "b"), ("?a",), ("b",), ("?a", "b"), ("?a",), ("a", "?b"), ("b",)]
    check = examined(pairs, ["w", "w", "x", "x", "y", "y", "z", "z"])
    assert one(check, "duplicates").groups == (("000", "001"),)
    assert one(check, "two-labels").groups == (("002", "003"), ("004", "005"), ("006", "007"))
    assert set(check.set_aside) == {2, 3, 4, 5, 6, 7}


def test_one_file_with_other_objects_is_set_aside() -> None:
    """Boxes that name other objects contradict; the same objects a little elsewhere do not."""
    boxes = [Boxes(names=names, corners=np.full((len(names), 4), at)) for at, names in enumerate(("ab", "ba", "a"))]
    check = examined([boxes[0], boxes[1], boxes[0], boxes[2]], ["x", "x", "y", "y"])
    assert one(check, "two-labels").groups == (("002", "003"),)
    assert set(check.set_aside) == {2, 3}
    assert one(check, "duplicates").groups == (("000", "001"),)


def test_leaks_between_given_parts(tmp_path: Path) -> None:
    """Copies in test of training pictures are counted for the part; copies within a part are no leak."""
    folder = draw(tmp_path / "set", name=lambda kind, n: f"{'test' if n % 4 == 0 else 'train'}/{kind}/{n:04}.png")
    source = folder / "train/bar/0003.png"
    shutil.copy(source, folder / "train/bar/9000.png")
    check = examine(folder, tmp_path / "store")
    assert "leak" not in kinds(check)
    assert one(check, "duplicates").done == "Copies stay in one part, so none is learned and tested."
    shutil.copy(source, folder / "test/bar/9001.png")
    check = examine(folder, tmp_path / "store")
    found = one(check, "leak")
    assert "except where the parts that you gave have them on both sides" in one(check, "duplicates").done
    assert (found.level, found.count, found.figures) == ("problem", 1, {"part": "test", "of": 31, "exact": 1})
    assert found.what == (
        "1 picture of the test part as given (3.2 %) is also in the train part: 1 as exact copies, 0 as look-alikes."
    )


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    """A web page, a cut file, an empty one and a GIF, all named .jpg: each under its own kind. A GIF named .dcm is of
    another format than its name too."""
    folder = draw(tmp_path / "set", name="{}/{:04}.jpg".format)
    (folder / "bar/a.jpg").write_bytes(b"<!DOCTYPE html><html></html>")
    (folder / "bar/b.jpg").write_bytes((folder / "bar/0000.jpg").read_bytes()[:500])
    (folder / "bar/c.jpg").write_bytes(b"")
    Image.open(folder / "disc/0002.jpg").convert("P").save(folder / "disc/d.jpg", format="GIF")
    Image.open(folder / "disc/0005.jpg").convert("P").save(folder / "disc/e.dcm", format="GIF")
    check = examine(folder, tmp_path / "store")
    for kind, path in (("not-a-picture", "a"), ("truncated", "b"), ("empty", "c")):
        assert one(check, kind).groups == ((f"bar/{path}.jpg",),)
        assert one(check, kind).level == "caution"
    assert one(check, "wrong-ending").groups == (("disc/d.jpg",), ("disc/e.dcm",))
    assert one(check, "wrong-ending").figures["kinds"] == {"GIF named .jpg": 1, "GIF named .dcm": 1}
    assert kinds(check) <= {"not-a-picture", "truncated", "empty", "wrong-ending", "near-duplicates", "odd-light"}


def test_one_colour_picture_does_not_turn_four_channels_away(tmp_path: Path) -> None:
    """Of pictures of several numbers of channels the most stay; the others are a caution, not a note in passing."""
    random = np.random.default_rng(0)
    for kind in ("field", "wood"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 4000, (8, 8, 4)).astype(np.uint16)
            path = tmp_path / f"set/{kind}/{number}.tif"
            tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unspecified"])
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "set/field/map.png")
    settings = Settings(out=str(tmp_path / "runs"))
    found = find(tmp_path / "set", settings)
    check = check_store(found, open_store(found, settings, lambda event: None)[1])
    assert check.classes == {"field": {"": 6}, "wood": {"": 6}}
    odd = one(check, "other-channels")
    assert (odd.level, odd.groups) == ("caution", (("field/map.png",),))
    assert "field/map.png (3 channels where the other pictures have 4)" in odd.what


@pytest.mark.parametrize("few", [4, 12])
def test_one_stain_is_no_picture_of_two(tmp_path: Path, few: int) -> None:
    """Of pictures with one and with two channels those of the commoner number stay, none is copied, and the advice
    that goes with the finding brings all of them in."""
    random = np.random.default_rng(0)
    for kind in ("mut", "wild"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in range(8 + few):
            shape = (1, 8, 8) if number >= 8 else (2, 8, 8)
            pixels = random.integers(0, 4000, shape).astype(np.uint16)
            tifffile.imwrite(tmp_path / f"set/{kind}/{number}.tif", pixels, imagej=True, metadata={"axes": "CYX"})
    settings = Settings(out=str(tmp_path / "runs"))
    found = find(tmp_path / "set", settings)
    check = check_store(found, open_store(found, settings, lambda event: None)[1])
    odd, kept = one(check, "other-channels"), max(8, few)
    assert check.classes == {kind: {"": kept} for kind in ("mut", "wild")}
    said = "1 channel where the other pictures have 2" if few < 8 else "2 channels where the other pictures have 1"
    assert (odd.level, odd.figures["reasons"]) == ("caution", {said: 2 * min(8, few)})
    assert "--channels 0, takes" in odd.change
    settings = Settings(out=str(tmp_path / "runs"), channels="0,")
    store = open_store(found, settings, lambda event: None)[1]
    assert (len(store.kept), store.shape.channels) == (2 * (8 + few), 1)


def test_a_pointer_is_no_picture(tmp_path: Path) -> None:
    """What Git LFS leaves where the picture was not fetched is a caution, and says what to do."""
    folder = draw(tmp_path / "set", 10)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    (folder / "bar/e.png").write_text(pointer, encoding="utf-8")
    found = one(examine(folder, tmp_path / "store"), "not-a-picture")
    assert (found.level, found.groups) == ("caution", (("bar/e.png",),))
    assert "git lfs pull" in found.what


@pytest.mark.parametrize(
    ("share", "page", "level", "done"),
    [
        (0.5, 0, "caution", "Page 0 of each is used (the first is 0)."),
        (0.4, 0, "note", "Page 0 of each is used (the first is 0)."),
        (1.0, 1, "note", "Page 1 of each is used (the first is 0)."),
        (1.0, "max", "note", "Of every value the max over all pages is used."),
    ],
)
def test_pages_that_are_not_looked_at_are_told(share: float, page: int | str, level: str, done: str) -> None:
    """A caution, which a training says, where half of the files have pages and none was asked for; else a note."""
    facts = np.zeros(20, FACTS)
    facts["pages"], facts["high"] = np.where(np.arange(20) < 20 * share, 5, 1), 9
    facts["width"] = facts["height"] = facts["channels"] = 8
    samples = [Sample(path=f"{n}.tif", source=Path(), target="ab"[n % 2]) for n in range(20)]
    check = doctor.examine(samples, [], facts, [str(n) for n in range(20)], looks=False, page=page)
    found = one(check, "pages")
    assert (found.level, found.count, found.done) == (level, round(20 * share), done)
    assert "--page max" in found.change


def test_pictures_of_another_kind(tmp_path: Path) -> None:
    """Huge among small, grey among colour, 16 bits among 8, one value, and noise among calm ones."""
    folder = draw(tmp_path / "set", 60)
    Image.open(folder / "bar/img_0000.png").resize((400, 400)).save(folder / "bar/img_0000.png")
    Image.open(folder / "disc/img_0002.png").convert("L").save(folder / "disc/img_0002.png")
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(folder / "disc/img_9000.png")
    noise = np.random.default_rng(0).integers(0, 2, (32, 32, 3)).astype(np.uint8) * 255
    Image.fromarray(noise).save(folder / "cross/img_9001.png")
    check = examine(folder, tmp_path / "store")
    expected = {
        "odd-size": "bar/img_0000.png", "mixed-colour": "disc/img_0002.png", "constant": "disc/img_9000.png",
        "odd-light": "cross/img_9001.png",
    }  # fmt: skip
    assert kinds(check) == set(expected)
    for kind, path in expected.items():
        assert (path,) in one(check, kind).groups, kind
        assert one(check, kind).count <= 2, kind
    deep = np.asarray(Image.open(folder / "disc/img_0005.png").convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "disc/img_9002.png")
    assert one(glance(folder, tmp_path / "store"), "mixed-depth").groups == (("disc/img_9002.png",),)


def test_classes_that_are_too_small_or_named_alike(tmp_path: Path) -> None:
    """One picture of a class, few of it, a rare class, and two names that differ in case only."""
    folder = draw(tmp_path / "set")
    for path in sorted(folder.glob("bar/*"))[3:]:
        path.unlink()
    (folder / "zebra").mkdir()
    (folder / "cross/img_0001.png").rename(folder / "zebra/1.png")
    (folder / "Disc").mkdir()
    for path in sorted(folder.glob("disc/*"))[:20]:
        path.rename(folder / "Disc" / path.name)
    check = glance(folder, tmp_path / "store")
    assert one(check, "single").level == "problem"
    assert "zebra" in one(check, "single").what
    assert one(check, "imbalance").figures["ratio"] == 13
    assert one(check, "few").figures["counts"] == {"bar": 3}
    assert "'Disc' and 'disc'" in one(check, "class-names").what
    (folder / "labels.csv").write_text("file,kind,day,by\nbar/a.png,x,1,me\n")
    for path in [*folder.iterdir()]:
        if path.name not in ("disc", "labels.csv"):
            shutil.rmtree(path)
    assert "--labels labels.csv" in one(examine(folder, tmp_path / "store"), "one-class").change


def test_pictures_that_a_grouping_misses_are_told(tmp_path: Path) -> None:
    """Some names are written another way, so that an expression gives the patient of two in three: the others are
    counted and named, and of groups that all have, or none, nothing is said."""
    folder = draw(tmp_path / "set", 12, name=lambda kind, n: f"{kind}/{'P' if n % 3 == 0 else 'p'}0{n % 6}_{n}.png")
    missed = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("P*.png"))
    found = one(examine(folder, tmp_path / "store", group=r"/(p\d+)_"), "ungrouped")
    assert (found.level, found.count, sorted(path for (path,) in found.groups)) == ("caution", len(missed), missed)
    assert found.what == f"{len(missed)} of 36 pictures have no group."
    for group in (r"(?i)/(p\d+)_", None):
        assert "ungrouped" not in kinds(examine(folder, tmp_path / "store", group=group))
    told, asked = [], Settings(out=str(tmp_path / "runs"), group=r"/(p\d+)_")
    read_dataset(folder, asked, told.append, Division())
    (split,) = (event.text for event in told if getattr(event, "text", "").startswith("Split "))
    assert split.endswith(" in 4 groups")


def test_words_and_zeros_of_a_table(tmp_path: Path) -> None:
    """A word that stands for a missing label is told loudly where it takes pictures away, as are 01 beside 1."""
    folder = draw(tmp_path / "set", 16)
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in folder.rglob("*.png"))
    labels = ["NA", "grade 1", "grade 01", "grade 10"]
    lines = [f"{path},{labels[number % 4]}" for number, path in enumerate(paths)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label", *lines]))
    check = glance(tmp_path / "t.csv", tmp_path / "store")
    lost = one(check, "no-label")
    assert (lost.level, lost.count) == ("caution", len(paths[::4]))
    assert "'NA' is no label" in lost.what
    assert "write it otherwise" in lost.change
    assert "same name: 'grade 01' and 'grade 1'." in one(check, "class-names").what


def test_numbers_that_may_be_slips_are_told(tmp_path: Path) -> None:
    """1e30 among ages, and 999 where none was known, are told; long tails of honest counts and prices are not."""
    rows = np.random.default_rng(0)
    ages, prices = 20 + 1.5 * np.arange(30), rows.lognormal(3, 1.5, 30)
    for slip, said in ((1e30, "1e+30"), (-999.0, "-999")):
        found = read_source((rows.integers(0, 255, (30, 9, 9), np.uint8), np.c_[prices, [*ages[:4], slip, *ages[5:]]]))
        check = check_store(found, build_store(found.samples, tmp_path / said, Shape(height=9, width=9, channels=1)))
        told = one(check, "far-number")
        assert (told.level, told.count, told.groups) == ("caution", 1, (("array/4",),))
        assert told.what.startswith("1 number of '1' at least 20 times as far from the median, 4")
        assert told.what.endswith(f"array/4 {said}.")
    draws = (rows.exponential, partial(rows.lognormal, 0, 1.5), partial(rows.negative_binomial, 0.3, 0.01))
    values = [draw(size=size) for draw in draws for size in (30, 100, 1000) for _ in range(50)]
    assert not any(apart(np.abs(several - np.median(several))).any() for several in values)


@pytest.mark.parametrize("bar", [0, 3])
def test_a_few_pixels_that_take_the_scale_are_told(tmp_path: Path, bar: int) -> None:
    """Of 16-bit pictures with their signal in 300 levels those with a saturated bar get a note, and no others."""
    random = np.random.default_rng(0)
    for number in range(12):
        pixels = random.integers(31_000, 31_300, (48, 48)).astype(np.uint16)
        pixels[40 : 40 + bar, 5:20] = 65535
        (tmp_path / "set" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / "set" / "ab"[number % 2] / f"{number}.tif", pixels)
    check = examine(tmp_path / "set", tmp_path / "store")
    told = [(finding.level, finding.count) for finding in check.findings if finding.kind == "narrow"]
    assert told == [("note", 12)] * bool(bar)


def test_a_check_survives_json_and_is_remembered(tmp_path: Path) -> None:
    """What is read back is what was found, from check.json and from beside the store; other groups are new."""
    folder = draw(tmp_path / "set", 12)
    shutil.copy(folder / "bar/img_0000.png", folder / "bar/img_9000.png")
    first = examine(folder, tmp_path / "store")
    assert Check.from_dict(json.loads(json.dumps(first.to_dict()))) == examine(folder, tmp_path / "store")
    (kept,) = (tmp_path / "store").glob("*/check-*.json")
    values = json.loads(kept.read_text())
    values["findings"][0]["what"] = "remembered"
    kept.write_text(json.dumps(values))
    assert examine(folder, tmp_path / "store").findings[0].what == "remembered"
    grouped = examine(folder, tmp_path / "store", group=r"img_(\d)")
    assert grouped.findings[0].what != "remembered"


def test_an_interrupted_check_speaks_of_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong while findings are made is all that is told, and not that none were kept before."""

    def stopped(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examine", stopped)
    with pytest.raises(KeyboardInterrupt) as problem:
        examine(draw(tmp_path / "set", 12), tmp_path / "store")
    assert problem.value.__context__ is None


def test_a_short_training_seeks_copies_alone_and_says_so(tmp_path: Path) -> None:
    """A budget that comparing looks does not fit into: copies stay together, look-alikes are not sought, and told."""
    folder = draw(tmp_path / "set")
    shutil.copy(folder / "bar/img_0000.png", folder / "bar/img_9000.png")
    picture = Image.open(folder / "disc/img_0002.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "disc/img_9001.png")
    settings = Settings(out=str(tmp_path))
    found = find(folder, settings)
    store = open_store(found, settings, lambda event: None)[1]
    whole, quick = check_store(found, store), check_store(found, store, seconds=0.01)
    assert kinds(whole) == {"duplicates", "near-duplicates"}
    assert kinds(quick) == {"duplicates", "looks-not-compared"}
    assert one(quick, "looks-not-compared").level == "caution"
    assert len(quick.together) == 1 < len(whole.together)
    assert kinds(check_store(found, store)) == kinds(whole), "the short look does not stand in for the whole one"


def test_what_is_shown_of_groups() -> None:
    """Two of each group side by side, five at most; single pictures one by one."""
    pairs = tuple((f"a{n}", f"b{n}", f"c{n}") for n in range(4))
    found = Finding(kind="k", level="note", what="w", count=12, groups=pairs)
    assert found.shown == [("a0", "b0"), ("a1", "b1")]
    assert found.examples == ("a0", "b0", "a1", "b1")
    singles = Finding(kind="k", level="note", what="w", count=9, groups=tuple((str(n),) for n in range(9)))
    assert singles.examples == tuple("01234")


def test_the_command_writes_a_page_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """check.json holds the findings, check.html shows pictures and loads nothing, data.csv lists every file; exit code
    0, or 2 if strict."""
    monkeypatch.chdir(tmp_path)
    folder = draw(tmp_path / "set", 12)
    shutil.copy(folder / "bar/img_0000.png", folder / "disc/img_9000.png")
    (folder / "disc/lost.png").touch()
    assert main(["check", "set", "--quick", "-q"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("PROBLEM  2 pictures in 1 group where the same content stands under several")
    assert "next: striate train set" in said
    values = json.loads((tmp_path / "runs/check-set/check.json").read_text())
    assert values["classes"] == {"bar": {"": 12}, "cross": {"": 12}, "disc": {"": 13}}
    assert values["findings"][0]["examples"] == ["bar/img_0000.png", "disc/img_9000.png"]
    page = (tmp_path / "runs/check-set/check.html").read_text()
    assert page.count('<img class="tiny"') == 2 + 5  # of the copies, and of what is there
    assert "http" not in page.replace("http-equiv", "")
    listed = list(csv.DictReader((tmp_path / "runs/check-set/data.csv").read_text(encoding="utf-8").splitlines()))
    assert len(listed) == 38
    reasons = {row["path"]: row["reason"] for row in listed if row["status"] == "left out"}
    assert set(reasons) == {"bar/img_0000.png", "disc/img_9000.png", "disc/lost.png"}
    assert reasons["disc/lost.png"] == "empty file"
    assert all(html.escape(reason) in page for reason in reasons.values())
    assert main(["check", "set", "--quick", "-q", "--strict"]) == 2
    assert main(["check", "nowhere", "--quick"]) == 2


def test_the_next_command_reads_the_pictures_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """What the check was told of its pictures stands in the command that trains on them, quoted for a shell."""
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "my set", 12)
    asked = ["my set", "--label-regex", r"(\d)\.png$", "--img-size", "24"]
    assert main(["check", *asked, "--quick"]) == 0
    told = capsys.readouterr()
    assert "Labels    from " in told.out + told.err
    (line,) = (line for line in told.out.splitlines() if line.startswith("next: striate "))
    assert shlex.split(line.removeprefix("next: striate ")) == ["train", *asked]


def test_from_python_with_labels_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """striate.check gives the findings, last of them what quick networks say of the labels."""
    monkeypatch.setattr(suspects, "LEAST", 4e9)  # what they find is tested elsewhere
    monkeypatch.setattr(suspects, "PER_PICTURE", 1e8)
    check = striate.check(draw(tmp_path / "set", 12), quiet=True, out=str(tmp_path / "runs"))
    assert check.findings[-1].kind == "label_suspects"
    assert not check.of("problem")
    assert list(check.classes) == list(CLASSES)


def test_words_fit_the_line(tmp_path: Path) -> None:
    """No line is longer than asked for, and the counts close the text."""
    folder = draw(tmp_path / "set", 12)
    shutil.copy(folder / "bar/img_0000.png", folder / "bar/img_9000.png")
    text = told(examine(folder, tmp_path / "store"), 72)
    assert max(map(len, text.splitlines())) <= 72
    assert text.splitlines()[-1].startswith("0 problems, ")


def test_a_check_that_cannot_be_kept_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing more can be written beside the store, findings are those of a store that can be written to."""
    folder = draw(tmp_path / "set", 12)
    expected = examine(folder, tmp_path / "one")

    def full(*given: object, **named: object) -> None:
        raise StriateError("a file could not be written")

    examine(folder, tmp_path / "two")
    for kept in (tmp_path / "two").glob("*/check-*.json"):
        kept.unlink()
    monkeypatch.setattr("striate.files.write_json", full)
    assert examine(folder, tmp_path / "two") == expected


@pytest.mark.parametrize("finder", [wilson, words_in, alike, striate.check.__wrapped__])
def test_what_is_remembered_hangs_on_the_code_that_finds_it(finder: Callable) -> None:
    """A mended rule is no use to whoever is shown what the rule before it found."""
    root = Path(striate.__file__).parent
    assert Path(inspect.getsourcefile(finder)) in {file for pattern in FOUND_BY for file in root.glob(pattern)}
