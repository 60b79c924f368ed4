"""Pictures laid out by how alike they are to a network: over the real server, against NumPy."""

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import picture
from drawn_page import Visitor, served
from PIL import Image
from test_serve_glass import CLASSES, make_model, write_run

import striate
from striate.data.load import Loaded
from striate.data.prepare import Shape, fit
from striate.serve.embedding import LEAST, MOST, SIDE, _own, _some, _thumbnail, laid_out
from striate.serve.gallery import Entry
from striate.serve.glass import Glass


def test_neighbours_are_those_of_numpy(tmp_path: Path) -> None:
    """Every picture of the run has a place and a thumbnail; the most alike ones are those by the cosine of the numbers
    less their mean; a dropped copy of a picture finds that one first, and lies where its nearest lie."""
    run = write_run(tmp_path, make_model())
    with served(Glass(run).answer) as server:
        visitor = Visitor(server)
        header, thumbnails = visitor.array("/api/embedding")
        points = header["points"]
        names = [point["name"] for point in points]
        assert sorted(names) == sorted(f"{name}/{number}.png" for name in CLASSES for number in range(3))
        assert thumbnails.shape == (9, 48, 48, 4)
        places = np.array([[point["x"], point["y"]] for point in points])
        assert places.min() == 0
        assert places.max() == 1
        rows = striate.load(run).embed([tmp_path / "pictures" / name for name in names])
        mean = rows.mean(axis=0)
        units = (rows - mean) / np.linalg.norm(rows - mean, axis=1, keepdims=True)
        alike = units @ units.T
        for place, point in enumerate(points):
            told = visitor.json(f"/api/embedding/near/{point['id']}")
            expected = [other for other in np.argsort(-alike[place], kind="stable") if other != place]
            assert told["near"] == expected
            np.testing.assert_allclose(told["place"], places[place], atol=1e-6)
        np.fill_diagonal(alike, -1)
        tested = [place for place, point in enumerate(points) if point["part"] == "test"]
        same = sum(points[place]["truth"] == points[alike[place].argmax()]["truth"] for place in tested)
        assert header["agree"] == {"same": same, "n": 3}
        file = io.BytesIO()
        Image.fromarray(picture(1, 2, 12)).save(file, "PNG")
        dropped = visitor.json("/api/pictures", method="POST", body=file.getvalue(), X_Name="new.png")["id"]
        told = visitor.json(f"/api/embedding/near/{dropped}")
        assert names[told["near"][0]] == f"{CLASSES[1]}/2.png"
        np.testing.assert_allclose(told["place"], places[told["near"][:3]].mean(axis=0), atol=1e-6)


def test_what_is_gone_is_counted_and_too_few_are_refused(tmp_path: Path) -> None:
    """A picture that was taken away is missing in the layout, and said so; with two left there is none."""
    run = write_run(tmp_path, make_model())
    (tmp_path / "pictures" / CLASSES[0] / "1.png").unlink()
    with served(Glass(run).answer) as server:
        header, thumbnails = Visitor(server).array("/api/embedding")
        assert (header["missing"], len(header["points"]), len(thumbnails)) == (1, 8, 8)
    for name in CLASSES[:2]:
        for number in range(3):
            (tmp_path / "pictures" / name / f"{number}.png").unlink(missing_ok=True)
    (tmp_path / "pictures" / CLASSES[2] / "1.png").unlink()
    with served(Glass(run).answer) as server:
        assert "2 of the run's 9 can be read" in Visitor(server).error("/api/embedding", 404)
    with served(Glass(run / "model.safetensors").answer) as server:
        assert "open the folder of one" in Visitor(server).error("/api/embedding", 404)


def test_numbers_that_are_none_lay_nothing_out(tmp_path: Path) -> None:
    """A network that fell apart is refused in words, and not by an error of the server."""
    model = make_model()
    for weight in model.network.parameters():
        weight.data.fill_(np.nan)
    with served(Glass(write_run(tmp_path, model)).answer) as server:
        assert "this network makes others" in Visitor(server).error("/api/embedding", 404)


def test_thumbnails_show_a_picture_without_what_fills_its_grid() -> None:
    """A small picture in a large grid is shown alone, and of a line of text the beginning, in letters' height."""
    shape = Shape(height=40, width=40, channels=1, mirrored=True)
    small = np.arange(200, dtype=np.uint8).reshape(10, 20, 1)
    np.testing.assert_array_equal(_own(Loaded(picture=fit(small, shape), size=(10, 20)), shape), small)
    tall = (_thumbnail(np.full((12, 900, 1), 9, np.uint8))[..., 3] > 0).any(axis=1)
    assert tall.sum() == SIDE // 4


def test_a_costly_network_is_asked_about_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as half a minute allows, evenly, and never less than LEAST."""
    monkeypatch.setattr("striate.serve.embedding.LEAST", 4)
    monkeypatch.setattr("striate.serve.embedding.OPERATIONS", 1.0)
    with served(Glass(write_run(tmp_path, make_model())).answer) as server:
        header, _ = Visitor(server).array("/api/embedding")
    assert len(header["points"]) == 4 < LEAST < MOST
    assert sum(point["part"] == "test" for point in header["points"]) == 2


def test_groups_lie_apart_and_the_same_rows_have_the_same_places() -> None:
    """Three groups of drawn directions: the nearest neighbour in the plane is of the same group, twice the same."""
    rng, kinds = np.random.default_rng(0), np.repeat(np.arange(3), 20)
    rows = np.eye(3)[kinds] @ rng.normal(size=(3, 16)) * 3 + rng.normal(size=(60, 16)) * 0.2
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    places = laid_out(rows)
    np.testing.assert_array_equal(places, laid_out(rows))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kinds[apart.argmin(axis=1)] == kinds).all()


@pytest.mark.parametrize(
    ("tested", "others", "expected"), [(5, 3, (5, 3)), (900, 900, (300, 300)), (900, 10, (590, 10))]
)
def test_the_test_part_and_the_others_share_the_room(tested: int, others: int, expected: tuple[int, int]) -> None:
    """Up to half of the pictures are of the test part where there are enough others, and none comes twice."""
    parts = ["test"] * tested + ["train"] * others
    chosen = _some([Entry(str(number), str(number), part) for number, part in enumerate(parts)], MOST)
    assert len({entry.id for entry in chosen}) == len(chosen) <= MOST
    assert tuple(sum(entry.part == part for entry in chosen) for part in ("test", "train")) == expected
