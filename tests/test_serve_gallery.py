"""The pictures of a run and dropped ones: as its tables list them, as files hold them, and when they are gone."""

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import picture
from PIL import Image
from sklearn.datasets import load_digits

from striate import files
from striate.data.prepare import Shape
from striate.data.symbols import SYMBOLS
from striate.draw.pixels import visible
from striate.serve import gallery as gallery_module
from striate.serve.gallery import Gallery
from striate.serve.reply import Refusal

ROWS = [
    ("cat/1.png", "cat", "train"), ("cat/2.png", "cat", "test"), ("dog/1.png", "dog", "validation"),
    ("dog/2.png", "dog", "test"), ("dog/3.png", "dog", "test"), ("dog/4.png", "dog", "train"),
]  # fmt: skip
SCORED = {"cat/1.png": ("cat", 0.9), "cat/2.png": ("dog", 0.6), "dog/2.png": ("cat", 0.8), "dog/3.png": ("dog", 0.7)}


def make_run(folder: Path, source: object, rows: list[tuple] = ROWS, scored: dict | None = None) -> Path:
    """The tables of a run whose pictures came from `source`."""
    files.write_text(folder / "settings.toml", f'[run]\nsource = "{source}"\n')
    listed = [(path, label, part, "", "used", "") for path, label, part in rows]
    listed.insert(1, ("cat/bad.png", "cat", "", "", "left out", "damaged PNG"))
    files.write_csv(folder / "data.csv", ("path", "label", "part", "group", "status", "reason"), listed)
    if scored is not None:
        predicted = [(path, *answer) for path, answer in scored.items()]
        files.write_csv(folder / "predictions.csv", ("path", "predicted", "confidence"), predicted)
    return folder


def png_of(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The files of ROWS, each of another brightness."""
    for number, (path, *_) in enumerate(ROWS):
        files.write_bytes(tmp_path / "pictures" / path, png_of(np.full((4, 6), 10 * number, np.uint8)))
    return tmp_path / "pictures"


def refused(call: object, *given: object) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        call(*given)
    return caught.value.status, str(caught.value)


def test_the_tables_become_a_list(tmp_path: Path, pictures: Path) -> None:
    """Test pictures come first, what was left out not at all, and predictions stand beside the truth."""
    gallery = Gallery(make_run(tmp_path / "run", pictures, scored=SCORED))
    page = gallery.page("", 0, 60)
    assert page["parts"] == {"test": 3, "validation": 1, "train": 2}
    assert [item["name"] for item in page["pictures"]][:4] == ["cat/2.png", "dog/2.png", "dog/3.png", "dog/1.png"]
    assert page["pictures"][0] == {
        **{"id": "2", "name": "cat/2.png", "part": "test", "truth": "cat"},
        **{"predicted": "dog", "confidence": 0.6, "error": None},
    }
    assert page["pictures"][3]["predicted"] is None
    some = gallery.page("test", 1, 1)
    assert (some["total"], [item["name"] for item in some["pictures"]]) == (3, ["dog/2.png"])
    assert gallery.page("test", -5, -1)["pictures"] == []


def test_mistakes_are_ordered(tmp_path: Path, pictures: Path) -> None:
    """Wrong before right, the surest first, and of the test part only."""
    gallery = Gallery(make_run(tmp_path / "run", pictures, scored=SCORED))
    assert [(row["name"], row["confidence"]) for row in gallery.mistakes()] == [
        *(("dog/2.png", 0.8), ("cat/2.png", 0.6), ("dog/3.png", 0.7)),
    ]


def test_predictions_appear_when_they_are_written(tmp_path: Path, pictures: Path) -> None:
    """A run in training lists its pictures; at its end the same gallery knows what was predicted."""
    gallery = Gallery(make_run(tmp_path / "run", pictures))
    assert gallery.mistakes() == []
    make_run(tmp_path / "run", pictures, scored=SCORED)
    assert len(gallery.mistakes()) == 3


def test_pictures_are_the_files(tmp_path: Path, pictures: Path) -> None:
    """Every listed picture is decoded from its own file, shown as a PNG of the same pixels."""
    gallery = Gallery(make_run(tmp_path / "run", pictures))
    for item in gallery.page("", 0, 60)["pictures"]:
        stored = np.asarray(Image.open(pictures / item["name"]))
        assert np.array_equal(gallery.pixels(item["id"])[:, :, 0], stored)
        assert np.array_equal(pixels_of(gallery.png(item["id"]))[:, :, 0], stored)


@pytest.mark.parametrize("name", ["data.csv", "predictions.csv"])
@pytest.mark.parametrize("damage", [b"\xff\xfe\x00\x01", b"a,b\n1,2\n"])
def test_damaged_tables_are_said(tmp_path: Path, pictures: Path, name: str, damage: bytes) -> None:
    """A table that is no text, or of other columns, is named instead of ending in a traceback."""
    run = make_run(tmp_path / "run", pictures, scored=SCORED)
    (run / name).write_bytes(damage)
    status, said = refused(lambda: Gallery(run).entries)
    assert status == 404
    assert "data.csv or predictions.csv of this run is damaged" in said


def test_a_missing_picture_is_said_for_itself(tmp_path: Path, pictures: Path) -> None:
    """What is gone is 404 and what is broken is 422, with the name; the others are there, and one of them is first."""
    gallery = Gallery(make_run(tmp_path / "run", pictures))
    (pictures / "cat/2.png").unlink()
    (pictures / "dog/3.png").write_bytes(b"GIF89a nonsense")
    status, text = refused(gallery.pixels, "2")
    assert (status, "cat/2.png" in text, "no such file" in text) == (404, True, True)
    assert refused(gallery.pixels, "5")[0] == 422
    assert gallery.pixels("4").shape == (4, 6, 1)
    assert gallery.first() == "4"
    assert refused(gallery.pixels, "99")[0] == 404
    assert refused(gallery.pixels, "1")[0] == 404  # left out, so it has no number to be asked by


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """The list stays; there is no first picture, and dropped ones work."""
    gallery = Gallery(make_run(tmp_path / "run", tmp_path / "gone"))
    assert gallery.page("", 0, 60)["total"] == len(ROWS)
    assert gallery.first() is None
    assert gallery.pixels(gallery.add(png_of(picture(0, 0)), "a.png").id).shape == (8, 8, 1)


def test_a_table_lists_beside_itself_or_absolutely(tmp_path: Path, pictures: Path) -> None:
    """Paths of a table are relative to its folder, or absolute."""
    table = pictures / "table.csv"
    table.write_text("path,label\n")
    rows = [("cat/1.png", "cat", "test"), ((pictures / "dog/1.png").as_posix(), "dog", "test")]
    gallery = Gallery(make_run(tmp_path / "run", table, rows))
    assert [int(gallery.pixels(item["id"]).max()) for item in gallery.page("", 0, 9)["pictures"]] == [0, 20]


def test_the_digits_need_no_folder(tmp_path: Path) -> None:
    """The digits of scikit-learn are found by their names."""
    rows = [("digits/0003", "3", "test"), ("digits/0017", "7", "train")]
    gallery = Gallery(make_run(tmp_path / "run", "digits", rows))
    expected = np.rint(load_digits().images[3] * 255 / 16)
    assert np.array_equal(gallery.pixels(gallery.first())[:, :, 0], expected)


def test_a_packed_set_is_opened_again(tmp_path: Path) -> None:
    """The rows of an .npz file are found by their names."""
    pixels = np.arange(2 * 5 * 4, dtype=np.uint8).reshape(2, 5, 4)
    np.savez(tmp_path / "set.npz", test_images=pixels, test_labels=[0, 1])
    gallery = Gallery(make_run(tmp_path / "r", tmp_path / "set.npz", [("test/1", "1", "test")]))
    np.testing.assert_array_equal(gallery.pixels(gallery.first())[:, :, 0], pixels[1])


def test_a_training_file_that_was_changed_is_gone(tmp_path: Path) -> None:
    """A table whose column of texts has another name now, half of a packed set: its samples are said to be gone."""
    (tmp_path / "texts.csv").write_text("words,label\ngood,a\nbad,b\n")
    texts = Gallery(make_run(tmp_path / "t", tmp_path / "texts.csv", [("texts/0", "a", "test")]))
    texts.shape, texts.text = Shape(height=1, width=8, channels=SYMBOLS, form="text"), "review"
    np.savez(tmp_path / "set.npz", test_images=np.zeros((2, 50, 40), np.uint8), test_labels=[0, 1])
    half = (tmp_path / "set.npz").read_bytes()[:1000]
    (tmp_path / "set.npz").write_bytes(half)
    packed = Gallery(make_run(tmp_path / "r", tmp_path / "set.npz", [("test/1", "1", "test")]))
    for gallery, file in ((texts, "texts.csv"), (packed, "set.npz")):
        status, text = refused(gallery.pixels, "0")
        assert (status, file in text) == (404, True)
        assert gallery.first() is gallery.example() is None


def test_arrays_are_not_there(tmp_path: Path) -> None:
    """Pictures that were arrays in memory are listed, and asked for said to be gone."""
    gallery = Gallery(make_run(tmp_path / "run", "arrays", [("array/0", "a", "test")]))
    status, text = refused(gallery.pixels, "0")
    assert (status, "array/0" in text) == (404, True)
    assert gallery.first() is None


def test_without_a_run_there_are_dropped_ones_only() -> None:
    """A model file alone has no pictures; dropped ones have the same id whenever they are dropped, newest first."""
    gallery = Gallery(None)
    assert gallery.page("", 0, 9) == {"total": 0, "parts": {}, "pictures": []}
    first, second = (gallery.add(png_of(picture(0, n)), f"{n}.png") for n in range(2))
    again = gallery.add(png_of(picture(0, 0)), "renamed.png")
    assert again.id == first.id != second.id
    for _ in range(2):
        listed = gallery.page("yours", 0, 9)["pictures"]
        assert [(item["name"], item["truth"]) for item in listed] == [("renamed.png", None), ("1.png", None)]
    assert np.array_equal(gallery.pixels(second.id)[:, :, 0], picture(0, 1))


def test_dropped_pictures_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest unused one is forgotten, and asked for said to be."""
    files_of = [png_of(picture(0, n, 32)) for n in range(4)]
    monkeypatch.setattr(gallery_module, "DROPPED_BYTES", 2.5 * len(files_of[0]))
    gallery = Gallery(None)
    first, second, *_ = (gallery.add(data, "a.png").id for data in files_of[:2])
    gallery.pixels(first)  # used again, so the second is the older one now
    gallery.add(files_of[2], "c.png")
    assert gallery.pixels(first).shape == (32, 32, 1)
    assert refused(gallery.pixels, second)[0] == 404


@pytest.mark.parametrize(
    "data",
    [
        b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"GIF89a",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"\xff\xd8\xff" + bytes(99), b"II*\0" + b"\xff" * 64, b"%PDF-1.7",
        b"BM" + b"\xff" * 60, png_of(picture(0, 0))[:-30],
        # a header that promises 60,000 x 60,000 pixels
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\x02\0\0\0\0\0\0\0",
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Hostile or broken bytes get 422 with the name and the reason, and nothing of them is kept."""
    gallery = Gallery(None)
    status, text = refused(gallery.add, data, "évil\n.png")
    assert status == 422
    assert text.startswith("the picture must be readable. received: ")
    assert "évil\\n.png" in text
    assert gallery.page("", 0, 9)["total"] == 0


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (4, 1), (5, 1)])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_every_depth_and_channel_count_is_shown(channels: int, shown: int, depth: str) -> None:
    """Any decoded picture becomes a PNG in 8 bits of at most 512 pixels, in its own proportions."""
    values = np.random.default_rng(0).integers(0, 200, (600, 150, channels)).astype(depth)
    small = values[:20]
    assert pixels_of(gallery_module.shown(visible(values))).shape == (512, 128, 3)
    png = pixels_of(gallery_module.shown(visible(small)))
    assert png.shape == (20, 150, 3)
    if depth == "uint8" and channels == shown:
        assert np.array_equal(png[:, :, :shown], small)


def test_pictures_are_found_by_name_and_label(tmp_path: Path, pictures: Path) -> None:
    """However it is written; parts count what was found, those without any stay; dropped ones count too."""
    gallery = Gallery(make_run(tmp_path, pictures))
    gallery.add(png_of(np.zeros((4, 6), np.uint8)), "My DOG.png")
    found = gallery.page("", 0, 60, "dog")
    assert [one["name"] for one in found["pictures"]] == [
        *("My DOG.png", "dog/2.png", "dog/3.png", "dog/1.png", "dog/4.png"),
    ]
    assert found["parts"] == {"yours": 1, "test": 2, "validation": 1, "train": 1}
    found = gallery.page("test", 1, 60, "2.P")
    assert ([one["name"] for one in found["pictures"]], found["total"]) == (["dog/2.png"], 2)
    assert gallery.page("", 0, 60, "horse") == {
        "total": 0, "parts": {"yours": 0, "test": 0, "validation": 0, "train": 0}, "pictures": []
    }  # fmt: skip
    assert gallery.page("", 0, 60, "")["total"] == 1 + len(ROWS)
