"""The truth on the pictures of a run: drawn beside the answer where its labels can still be read."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from drawn_page import Visitor, served, spatial_run
from PIL import Image

from striate.data.sample import Boxes, Mask
from striate.draw.pixels import visible
from striate.export.model import load_model
from striate.serve import gallery
from striate.serve.gallery import shown
from striate.serve.glass import Glass

TASKS = ("detection", "segmentation")


def true_target(source: Path, name: str) -> Boxes | Mask:
    """What the label files say of a picture, read by hand."""
    if name.startswith("images/"):
        mask = source / name.replace("images", "masks")
        return Mask(kind="binary", names=("background", "foreground"), sources=(mask,), values=(0, 255))
    record = json.loads((source / "all.json").read_text())
    size = {image["file_name"]: image["id"] for image in record["images"]}
    mine = [note for note in record["annotations"] if note["image_id"] == size[name]]
    corners = np.array([[x, y, x + wide, y + high] for x, y, wide, high in (note["bbox"] for note in mine)], float)
    return Boxes(names=tuple(("square", "disc")[note["category_id"]] for note in mine), corners=corners, size=(48, 64))


def drawn(visitor: Visitor, picture: str, query: str = "") -> np.ndarray:
    status, _, png = visitor.ask(f"/api/pictures/{picture}/drawn{query}")
    assert status == 200
    return np.asarray(Image.open(io.BytesIO(png)))


def alone_and_both(run: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The picture with the answer of `striate predict` alone, and with the truth beside it."""
    source, model = run.parent / "pictures", load_model(run)
    pixels = np.asarray(Image.open(source / name))
    seen, (said,) = visible(pixels if pixels.ndim == 3 else pixels[:, :, None]), model.predict([source / name])
    pictures = (model.task.drawn(seen, said.answer, target) for target in (None, true_target(source, name)))
    alone, both = (np.asarray(Image.open(io.BytesIO(shown(picture)))) for picture in pictures)
    return alone, both


@pytest.fixture(params=TASKS)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return spatial_run(tmp_path, request.param)


@pytest.fixture
def visitor(run: Path) -> Iterator[Visitor]:
    with served(Glass(run).answer) as server:
        yield Visitor(server)


def test_answer_and_truth_are_drawn(run: Path, visitor: Visitor) -> None:
    """Every picture is what the task draws of the answer and the labels in the files; with truth=0, of the answer."""
    rows = visitor.json("/api/mistakes")["rows"]
    assert len(rows) == 6
    legend = load_model(run).task.legend
    for row in rows:
        alone, both = alone_and_both(run, row["name"])
        assert not np.array_equal(alone, both)
        assert visitor.json(f"/api/pictures/{row['id']}/truth") == {"known": True, "legend": legend}
        np.testing.assert_array_equal(drawn(visitor, row["id"]), both)
        np.testing.assert_array_equal(drawn(visitor, row["id"], "?truth=0"), alone)


def test_a_dropped_picture_has_no_truth(run: Path, visitor: Visitor) -> None:
    """Not even one of the run's own, under its own name: who drops a picture asks for the answer."""
    name = visitor.json("/api/mistakes")["rows"][0]["name"]
    data = (run.parent / "pictures" / name).read_bytes()
    dropped = visitor.json("/api/pictures", method="POST", body=data, X_Name=name)["id"]
    assert visitor.json(f"/api/pictures/{dropped}/truth") == {"known": False, "legend": ""}
    np.testing.assert_array_equal(drawn(visitor, dropped), alone_and_both(run, name)[0])


def test_without_labels_the_answer_stands_alone(run: Path, visitor: Visitor) -> None:
    """Where the labels are gone, the answer is drawn; where the whole source is, the list stays and nothing breaks."""
    source, first = run.parent / "pictures", visitor.json("/api/mistakes")["rows"][0]
    alone, _ = alone_and_both(run, first["name"])
    (source / "masks" if (source / "masks").is_dir() else source / "all.json").rename(run.parent / "elsewhere")
    for _ in range(2):
        assert visitor.json(f"/api/pictures/{first['id']}/truth") == {"known": False, "legend": ""}
        np.testing.assert_array_equal(drawn(visitor, first["id"]), alone)
    shutil.rmtree(source)
    with served(Glass(run).answer) as server:
        later = Visitor(server)
        assert len(later.json("/api/mistakes")["rows"]) == 6
        assert later.json(f"/api/pictures/{first['id']}/truth") == {"known": False, "legend": ""}
        assert first["name"] in later.error(f"/api/pictures/{first['id']}/drawn", 404)


@pytest.mark.parametrize("run", ["segmentation"], indirect=True)
def test_a_mask_that_no_longer_fits_is_passed_over(run: Path, visitor: Visitor) -> None:
    """Masks stay as they were read. A picture that was changed since to another size has no truth."""
    first, second, *_ = visitor.json("/api/mistakes")["rows"]
    both = alone_and_both(run, first["name"])[1]
    assert visitor.json(f"/api/pictures/{first['id']}/truth")["known"]
    Image.new("L", (9, 9)).save(run.parent / "pictures" / first["name"].replace("images", "masks"))
    np.testing.assert_array_equal(drawn(visitor, first["id"]), both)
    Image.new("L", (9, 9)).save(run.parent / "pictures" / second["name"])
    assert not visitor.json(f"/api/pictures/{second['id']}/truth")["known"]
    np.testing.assert_array_equal(drawn(visitor, second["id"]), drawn(visitor, second["id"], "?truth=0"))


@pytest.mark.parametrize("run", ["segmentation"], indirect=True)
def test_outlines_are_seen_on_large_pictures(run: Path, visitor: Visitor) -> None:
    """A picture is made small before the true outline is drawn, so that the line stays white."""
    first = visitor.json("/api/mistakes")["rows"][0]
    for folder in ("images", "masks"):
        file = run.parent / "pictures" / first["name"].replace("images", folder)
        Image.open(file).resize((1600, 1600), Image.Resampling.NEAREST).save(file)
    pixels = drawn(visitor, first["id"])
    assert pixels.shape == (512, 512, 3)
    assert (pixels == 255).all(axis=2).sum() > 100
    assert not (drawn(visitor, first["id"], "?truth=0") == 255).all(axis=2).any()


def test_labels_are_read_once_and_not_before(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page, a trace, the list of mistakes and the answer alone need none; the first truth reads all of them."""
    read, find = [], gallery.find
    monkeypatch.setattr(gallery, "find", lambda *given: read.append(given) or find(*given))
    with served(Glass(run).answer) as server:
        visitor = Visitor(server)
        first, second, *_ = visitor.json("/api/mistakes")["rows"]
        assert visitor.json("/api/model")["spatial"]
        visitor.json(f"/api/trace/{first['id']}")
        drawn(visitor, first["id"], "?truth=0")
        assert not read
        for row in (first, second):
            assert visitor.json(f"/api/pictures/{row['id']}/truth")["known"]
        assert len(read) == 1
