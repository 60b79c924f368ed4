"""Channels in files of their own: one picture of several files, found, read, trained on and predicted."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn import TINY
from PIL import Image

import striate
from striate.data.apart import files_of, once, words_in
from striate.data.guard import load_one
from striate.data.header import Pick
from striate.data.load import Want
from striate.data.prepare import Shape
from striate.data.sources import read_source
from striate.errors import StriateError
from striate.serve.gallery import Gallery
from striate.train.settings import Settings

WORDS = ("_w1", "_w2")


def write_fields(folder: Path, count: int = 10) -> dict[str, np.ndarray]:
    """Two classes that only both channels together tell: the second is the first, or the first turned round."""
    random, fields = np.random.default_rng(0), {}
    for name in ("same", "turned"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            first = random.integers(0, 4000, (12, 12)).astype(np.uint16)
            field = fields[f"{name}/s{number}"] = np.stack([first, first if name == "same" else first[::-1]], axis=2)
            for channel, word in enumerate(WORDS):
                tifffile.imwrite(folder / name / f"s{number}{word}.tif", field[..., channel])
    return fields


@pytest.mark.parametrize(
    ("name", "words", "files"),
    [
        ("A01_s1_w2.tif", "_w1 _w2", "A01_s1_w1.tif A01_s1_w2.tif"),
        ("A01_w10.tif", "_w1 _w2", "A01_w10.tif"),  # another word
        ("w1_w1.tif", "_w1 _w2", "w1_w1.tif w1_w2.tif"),  # the last one counts
        ("fieldDAPI.tif", "DAPI GFP", "fieldDAPI.tif"),  # within a longer word
        ("1_DAPI_x.tif", "DAPI GFP", "1_DAPI_x.tif 1_GFP_x.tif"),
        ("f00d1.TIF", "d0 d1", "f00d0.TIF f00d1.TIF"),
    ],
)
def test_which_files_are_one_picture(name: str, words: str, files: str) -> None:
    """A word counts where it stands by itself, the last one in the name."""
    assert [file.name for file in files_of(Path("folder") / name, words.split())] == files.split()


def test_a_picture_is_read_from_all_of_its_files(tmp_path: Path) -> None:
    """Whichever file it is asked by, here and in a process that decodes; pixels as they were written."""
    fields, pick = write_fields(tmp_path, 1), Pick(channels=WORDS)
    for word in WORDS:
        loaded = load_one(tmp_path / "turned" / f"s0{word}.tif", Want(pick=pick))
        np.testing.assert_array_equal(loaded.picture, fields["turned/s0"])
    header = load_one(tmp_path / "turned" / "s0_w1.tif", Want(header=True, pick=pick)).header
    assert (header.channels, header.depth) == (2, "uint16")


def test_what_lacks_a_channel_says_which(tmp_path: Path) -> None:
    """Before a training as what is left out, and where a single file is read as the reason."""
    write_fields(tmp_path, 2)
    (tmp_path / "same" / "s1_w2.tif").unlink()
    tifffile.imwrite(tmp_path / "same" / "odd.tif", np.zeros((12, 12), np.uint16))
    tifffile.imwrite(tmp_path / "turned" / "s0_w2.tif", np.zeros((12, 9), np.uint16))
    found = read_source(tmp_path, apart=WORDS)
    assert [sample.path for sample in found.samples] == ["same/s0_w1.tif", "turned/s0_w1.tif", "turned/s1_w1.tif"]
    assert {item.path: item.reason for item in found.left_out} == {
        "same/s1_w1.tif": "no s1_w2.tif beside it, a channel",
        "same/odd.tif": "none of the channels' words (_w1, _w2) is in its name",
    }
    shape = Shape(height=12, width=12, channels=2, depth="uint16", picked=WORDS)
    reasons = [
        load_one(tmp_path / name, Want(shape=shape)).problem.reason for name in ("same/s1_w1.tif", "turned/s0_w1.tif")
    ]
    assert reasons == [
        "s1_w2.tif, a channel of it: no such file",
        "its channels differ in size or depth: 12 × 12 uint16 and 9 × 12 uint16",
    ]


def test_channels_in_false_colour_are_one_channel_and_other_depths_are_refused(tmp_path: Path) -> None:
    """A file in which one colour is used, or all three alike, is read as that colour; two colours are two channels."""
    random, pick = np.random.default_rng(1), Pick(channels=WORDS)
    grey, blank = random.integers(1, 255, (9, 9), np.uint8), np.zeros((9, 9), np.uint8)
    files = [tmp_path / f"f{word}.png" for word in WORDS]
    Image.fromarray(np.stack([blank, blank, grey], axis=2)).save(files[0])
    Image.fromarray(np.stack([grey[::-1]] * 3, axis=2)).save(files[1])
    np.testing.assert_array_equal(load_one(files[0], Want(pick=pick)).picture, np.stack([grey, grey[::-1]], axis=2))
    Image.fromarray(np.stack([grey, grey[::-1], blank], axis=2)).save(files[1])
    assert load_one(files[0], Want(pick=pick)).problem.reason == "3 channels in a file that is to be one of them"
    Image.fromarray(grey.astype(np.uint16)).save(files[1])
    assert "differ in size or depth: 9 × 9 uint8 and 9 × 9 uint16" in load_one(files[0], Want(pick=pick)).problem.reason


def test_a_volume_has_all_channels_of_a_page_together(tmp_path: Path) -> None:
    """As in one file of pages with channels: (H, W, pages x C)."""
    stack = np.random.default_rng(2).integers(0, 255, (5, 8, 8, 2), np.uint8)
    for channel, word in enumerate(WORDS):
        tifffile.imwrite(tmp_path / f"v{word}.tif", stack[..., channel], photometric="minisblack")
    loaded = load_one(tmp_path / "v_w1.tif", Want(pick=Pick(channels=WORDS, volume=True)))
    np.testing.assert_array_equal(loaded.picture, stack.transpose(1, 2, 0, 3).reshape(8, 8, 10))


def test_lines_that_contradict_each_other_leave_the_picture_out(tmp_path: Path) -> None:
    """Two channels of one picture have one label, group and part; a line for each that agrees is one picture."""
    write_fields(tmp_path, 4)
    lines = ["path,label,split", "same/s0_w1.tif,a,train", "same/s0_w2.tif,b,train", "same/s1_w1.tif,a,train"]
    lines += ["same/s1_w2.tif,a,test", "same/s2_w1.tif,a,train", "same/s2_w2.tif,a,train", "turned/s0_w2.tif,b,train"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = read_source(tmp_path / "t.csv", apart=WORDS)
    assert [sample.path for sample in found.samples] == ["same/s2_w1.tif", "turned/s0_w2.tif"]
    assert {item.reason for item in found.left_out} == {"its channels are given different labels, groups or parts"}
    assert len(found.left_out) == 4


@pytest.mark.parametrize("name", ["{}", "{}.tif", "{}_w1.tif", "{}_w2"])
def test_a_table_of_labels_names_the_field_or_one_of_its_files(tmp_path: Path, name: str) -> None:
    """As the Human Protein Atlas has it: a line for each field, called without the word of a channel."""
    write_fields(tmp_path / "fields", 3)
    lines = [f"{name.format(f'{kind}/s{n}')},{'ab'[n % 2]}" for kind in ("same", "turned") for n in range(3)]
    (tmp_path / "labels.csv").write_text("id,label\n" + "\n".join(lines))
    found = read_source(tmp_path / "fields", labels=tmp_path / "labels.csv", apart=WORDS)
    assert [sample.target for sample in found.samples] == ["a", "b", "a"] * 2
    assert not found.left_out


def test_files_of_one_picture_are_asked_about_once() -> None:
    """By whichever comes first; other files as often as they are given."""
    paths = [Path(name) for name in ("a_w2.tif", "a_w1.tif", "b_w1.tif", "c.tif", "c.tif")]
    kept = [path.name for _, path in once([(path.name, path) for path in paths], WORDS)]
    assert kept == ["a_w2.tif", "b_w1.tif", "c.tif", "c.tif"]


def test_train_predict_evaluate_and_the_page_see_all_channels(tmp_path: Path) -> None:
    """One run from the folder to answers, whichever file is asked about, and the same of an array."""
    write_fields(tmp_path / "fields")
    asked = {"epochs": 1, "network": TINY, "out": tmp_path / "runs", "quiet": True, "channels": "_w1,_w2", "workers": 0}
    run = striate.train(tmp_path / "fields", **asked)
    model, folder = run.model, tmp_path / "fields" / "same"
    assert model.preparation.shape.channels == 2
    told = model.predict([folder / "s0_w1.tif", folder / "s0_w2.tif", folder / "s1_w2.tif"])
    assert [Path(one.path).name for one in told] == ["s0_w1.tif", "s1_w2.tif"]
    assert model.evaluate(tmp_path / "fields")["n"] == 20
    whole = np.stack([tifffile.imread(folder / f"s0{word}.tif") for word in WORDS], axis=2)
    assert model.predict(whole)[0].probabilities == pytest.approx(told[0].probabilities)
    gallery = Gallery(run.folder)
    gallery.know(model)
    np.testing.assert_array_equal(gallery.pixels(gallery.add(gallery.bytes_of(folder / "s0_w1.tif"), "s0").id), whole)


def test_check_tells_channels_and_not_groups(tmp_path: Path) -> None:
    """The option that it proposes joins them, and then there is nothing to tell."""
    write_fields(tmp_path, 20)
    found = striate.check(tmp_path, quick=True, quiet=True, out=tmp_path / "runs")
    kinds = {finding.kind: finding for finding in found.findings}
    assert kinds["channels-apart"].figures["option"] == "--channels _w1,_w2"
    assert "series" not in kinds
    joined = striate.check(tmp_path, quick=True, quiet=True, out=tmp_path / "runs", channels=WORDS)
    assert "channels-apart" not in {finding.kind for finding in joined.findings}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/f{}{}.tif", "_ch00 _ch01"),
        ("f{}{}.tif", "-DAPI -GFP"),
        ("{1}_well{0}.png", "DAPI FITC"),
        ("7d3a{}{}.png", "_blue _green _red _yellow"),
        ("r01c01f{}p01{}sk1fk1fl1.tiff", "-ch1 -ch2"),
        ("plate_A01f0{}{}.TIF", "d0 d1"),
        ("W_A0{}Z01{}.tif", "C01 C02"),
        ("f{}{}.tif", "_c1 _c2 _c10"),
    ],
)
def test_words_that_look_like_channels(name: str, words: str) -> None:
    """Those that microscopes write, where every name has the same others beside it, in the order of their numbers."""
    paths = [name.format(number, word) for number in range(12) for word in words.split()]
    found, sets = words_in(paths)
    assert found == tuple(words.split())
    assert [len(each) for each in sets] == [len(found)] * 12
    assert words_in(paths[: 4 * len(found)])[0] == ()  # of few pictures that may be chance
    assert words_in(paths[::2] if len(found) == 2 else paths[1:8])[0] == ()  # the others are not there


@pytest.mark.parametrize("name", ["p{}_{}.tif", "cat_{}.jpg", "img_w{1}.png"])
def test_numbers_are_no_channels(name: str) -> None:
    """Pictures that are counted, and one set of numbered words for each class."""
    paths = [f"{kind}/{name.format(number, count)}" for kind in "ab" for number in range(4) for count in range(9)]
    assert words_in(dict.fromkeys(paths)) == ((), [])


@pytest.mark.parametrize("asked", ["_w1,", "_w1,_w1", "_w1,2", "_w1", ",_w1,_w2"])
def test_words_that_are_no_channels_are_refused(asked: str) -> None:
    """One alone, twice the same, words beside numbers, and nothing between commas."""
    with pytest.raises(StriateError, match="channels are"):
        Settings(channels=asked)
