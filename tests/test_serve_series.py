"""The page on networks of one axis and of three: every number it sends is the network's own, laid out flat."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from drawn import white_charts
from drawn_page import Visitor, served
from drawn_series import series, write_ucr
from PIL import Image

import striate
from striate.serve.flat import as_filters, as_maps, as_plane, box_of, place_of, thumbnail
from striate.serve.glass import Glass

FAST = {"quiet": True, "workers": 0}


def test_places_and_boxes() -> None:
    """A line is one row; frames lie one below the other, and a place and its box are found there again."""
    volume = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert as_maps(volume).shape == (2, 12, 5)
    for place in ((0, 0, 0), (2, 3, 4), (1, 2, 3)):
        d, y, x = place
        assert place_of(d * 4 + y, x, volume.shape) == place
        assert as_maps(volume)[1, d * 4 + y, x] == volume[(1, *place)]
    assert box_of((1, 3, 2, 4, 0, 5), volume.shape) == [6, 12, 0, 5]
    assert place_of(0, 7, (3, 9)) == (7,)
    assert box_of((2, 6), (3, 9)) == [0, 1, 2, 6]
    assert place_of(0, 0, (10,)) == ()
    assert box_of((), (10,)) == [0, 1, 0, 1]
    assert (place_of(3, 4, (1, 8, 8)), box_of((1, 2, 3, 4), (1, 8, 8))) == ((3, 4), [1, 2, 3, 4])
    assert as_plane(np.zeros(6)).shape == (1, 6)
    assert as_filters(np.zeros((4, 2, 7))).shape == (4, 2, 1, 7)
    assert as_filters(np.zeros((4, 2, 3, 3, 3))).shape == (4, 2, 9, 3)
    assert as_filters(np.zeros((4, 2))) is as_filters(None) is None


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> striate.Run:
    place = tmp_path_factory.mktemp("waves")
    with pytest.MonkeyPatch.context() as patch:
        white_charts(patch)
        return striate.train(write_ucr(place / "Waves"), out=str(place), epochs=3, **FAST)


def test_a_series_on_the_page(waves: striate.Run) -> None:
    """Pictures, input, maps, ledger, field, filters and heatmap of a series, against torch."""
    with served(Glass(waves.folder).answer) as server:
        page = Visitor(server)
        facts = page.json("/api/model")
        assert (facts["form"], facts["input_shape"]) == ("series", [1, 1, 40])
        assert facts["nouns"] == ["series", "series"]
        first = facts["first_picture"]
        _, _, png = page.ask(f"/api/pictures/{first}/image")
        assert np.asarray(Image.open(io.BytesIO(png))).shape == (200, 480, 3)
        _, seen = page.array(f"/api/pictures/{first}/input")
        look = waves.model.look(series("fast", 1000)[:, 0].round(6))
        np.testing.assert_allclose(seen[0, 0], look.trace.recording.picture[0], atol=1e-5)
        layers = [layer["name"] for layer in page.json(f"/api/trace/{first}")["layers"]]
        _, maps = page.array(f"/api/trace/{first}/maps/conv2")
        assert maps.shape == (64, 1, 40)
        np.testing.assert_allclose(maps[:, 0], look.maps("conv2"), atol=1e-4)
        told = page.json(f"/api/trace/{first}/explain/conv2?channel=3&y=0&x=17")
        assert told["chain"][0]["value"] == pytest.approx(float(look.maps("conv2")[3, 17]), abs=1e-4)
        assert told["picture_box"] == [0, 1, *look.trace.field("conv2", 17)]
        _, field = page.array(f"/api/trace/{first}/field/conv2?channel=3&y=0&x=17")
        assert field.shape == (1, 40)
        assert next(layer["shape"] for layer in page.json("/api/filters")["layers"]) == [32, 1, 1, 8]
        header, heat = page.array(f"/api/heatmap/{first}?method=hirescam")
        assert (heat.shape, header["grid"]) == ((1, 40), [1, 40])
        _, _, png = page.ask(f"/api/heatmap/{first}/drawn?method=hirescam")
        assert png.startswith(b"\x89PNG")
        assert np.shape(page.json(f"/api/trust/{first}?method=hirescam")["twin"]) == (1, 40)
        assert "conv3" in layers


def test_dropped_series(waves: striate.Run, tmp_path: Path) -> None:
    """The first series of a dropped file is shown; a file of another kind is refused in a sentence."""
    data = "\n".join(",".join(f"{value:.6f}" for value in series("slow", n)[:, 0]) for n in range(3)).encode()
    with served(Glass(waves.folder).answer) as server:
        page = Visitor(server)
        dropped = page.json("/api/pictures", method="POST", body=data, X_Name="new.csv")
        found = page.json(f"/api/trace/{dropped['id']}")
        assert {said["label"] for said in found["predictions"]} == {"fast", "slow"}
        said = page.error("/api/pictures", 422, method="POST", body=b"just words\nand more", X_Name="a.txt")
        assert "series are rows of numbers" in said


def test_a_volume_in_the_strip_is_its_middle_frame() -> None:
    """Not all frames squeezed into one small picture."""
    maps = np.random.default_rng(0).normal(size=(3, 5, 8, 6))
    (tile, *told), (expected, *others) = thumbnail(maps), thumbnail(maps[:, 2])
    np.testing.assert_array_equal(tile, expected)
    assert told == others


def test_a_volume_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames lie one below the other in input and maps, and a place in them is that of the network's own maps."""
    white_charts(monkeypatch)
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "stacks" / name).mkdir(parents=True)
        for number in range(8):
            stack = random.integers(0, 255, (4, 6, 8), dtype=np.uint8)
            tifffile.imwrite(tmp_path / "stacks" / name / f"{number}.tif", stack, photometric="minisblack")
    line = "conv 2 3, relu, globalavgpool, dense classes"
    run = striate.train(tmp_path / "stacks", form="volume", network=line, out=str(tmp_path), epochs=1, **FAST)
    with served(Glass(run.folder).answer) as server:
        page = Visitor(server)
        first = page.json("/api/model")["first_picture"]
        name = page.json(f"/api/trace/{first}")["name"]
        look = run.model.look(tmp_path / "stacks" / name)
        _, seen = page.array(f"/api/pictures/{first}/input")
        assert seen.shape == (1, 24, 8)
        np.testing.assert_allclose(seen[0].reshape(4, 6, 8), look.trace.recording.picture[0], atol=1e-5)
        _, maps = page.array(f"/api/trace/{first}/maps/conv1")
        at = 1, 2 * 6 + 3, 5
        told = page.json(f"/api/trace/{first}/explain/conv1?channel=1&y={at[1]}&x={at[2]}")
        assert told["chain"][0]["value"] == pytest.approx(float(maps[at]), abs=1e-4)
        assert told["picture_box"] == [1 * 6 + 2, 3 * 6 + 5, 4, 7]
        term = told["chain"][0]["terms"][0]
        assert (term["origin"], term["step"], term["frames"]) == ([2 * 6 + 2, 4], [1, 1], 3)
        assert (term["place"], term["gaps"]) == ([1, 2, 4], [1, 1, 1])
        assert page.json(f"/api/trace/{first}/terms/conv1?channel=1&y={at[1]}&x={at[2]}&term=0") == term
        expected = torch.nn.functional.conv3d(
            look.trace.recording.picture[None], run.model.network[0].weight, run.model.network[0].bias, padding=1
        )
        np.testing.assert_allclose(maps.reshape(2, 4, 6, 8), expected[0].detach(), atol=1e-4)
        _, _, png = page.ask(f"/api/heatmap/{first}/drawn?method=hirescam")
        assert png.startswith(b"\x89PNG")
