"""Channels in files of their own: one picture of several files, found, read, trained on and predicted."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn import TINY

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
    assert reasons == ["s1_w2.tif, a channel of it: no such file", "its channels differ in size: 12 × 12 and 9 × 12"]


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
    ("names", "words"),
    [
        (["a/f1_ch00.tif", "a/f1_ch01.tif", "a/f2_ch00.tif", "a/f2_ch01.tif"], ("_ch00", "_ch01")),
        (["f1-DAPI.tif", "f1-GFP.tif", "f2-DAPI.tif", "f2-GFP.tif"], ("-DAPI", "-GFP")),
        (["p1_1.tif", "p1_2.tif", "p2_1.tif", "p2_2.tif"], ()),  # numbers alone are no channels
        (["f1_w1.tif", "f2_w2.tif", "f3_w1.tif"], ()),  # and neither are words without their others
        ([], ()),
    ],
)
def test_words_that_look_like_channels(names: list[str], words: tuple[str, ...]) -> None:
    """Those that microscopes write, where every name has the same others beside it."""
    assert words_in(names)[0] == words


@pytest.mark.parametrize("asked", ["_w1,", "_w1,_w1", "_w1,2", "_w1", ",_w1,_w2"])
def test_words_that_are_no_channels_are_refused(asked: str) -> None:
    """One alone, twice the same, words beside numbers, and nothing between commas."""
    with pytest.raises(StriateError, match="channels are"):
        Settings(channels=asked)
