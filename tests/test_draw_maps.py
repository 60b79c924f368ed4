"""Feature maps and heatmaps as pictures: colours that say the numbers, marks at the right places."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from striate.draw import canvas, colours, maps, style


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def marked(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of all dots of the mark's colour."""
    return np.nonzero((picture == style.rgb(style.MARK)).all(axis=2))


def test_a_scale_paints_what_its_legend_says() -> None:
    """The ends get the ends of the table, zero is neutral, and what is no number is magenta."""
    signed = colours.scale_of(np.array([-3.0, 1.0, np.nan, np.inf]))
    assert (signed.low, signed.high, signed.signed) == (-3.0, 3.0, True)
    painted = signed.paint(np.array([-3.0, 0.0, 3.0, np.nan, np.inf, -9.0]))
    assert painted[[0, 2, 4, 5]].tolist() == [[0, 114, 178], [213, 94, 0], [213, 94, 0], [0, 114, 178]]
    assert painted[1].min() >= 254
    assert painted[3].tolist() == [255, 0, 255]
    plain = colours.scale_of(np.array([0.5, 2.0]))
    assert (plain.low, plain.high, plain.signed) == (0.0, 2.0, False)
    assert np.array_equal(plain.paint(np.linspace(0, 2, 256)), colours.sequential())
    assert np.array_equal(signed.paint(np.linspace(-3, 3, 256)), colours.diverging())


def test_nothing_but_zero_is_painted_without_complaint() -> None:
    """A dead layer has a scale of one number."""
    scale = colours.scale_of(np.zeros((2, 3)))
    assert (scale.low, scale.high) == (0.0, 0.0)
    assert np.array_equal(scale.paint(np.zeros(2)), colours.sequential()[[0, 0]])


def test_an_outline_is_where_it_should_be() -> None:
    """A frame on the box's own edge dots; boxes too small to see grow to 3 dots, and none leaves the tile."""
    tile = np.zeros((40, 60, 3), np.uint8)
    drawn = canvas.outline(tile, (1, 3, 2, 5), times=10)
    rows, columns = marked(drawn)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (10, 30, 20, 50)
    assert not drawn[12:28, 22:48].any()
    assert not tile.any()
    rows, columns = marked(canvas.outline(tile, (39, 40, 59, 60)))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (37, 39, 57, 59)
    assert marked(canvas.outline(np.zeros((2, 2, 3), np.uint8), (0, 1, 0, 1)))[0].size == 4


def test_a_layer_sheet_shows_every_map_in_its_colours() -> None:
    """Map k is painted by the scale of the whole layer: the dots of the sheet are the table's."""
    values = np.zeros((3, 4, 4))
    values[1], values[2] = 1.0, 2.0
    picture = np.zeros((4, 4, 1), np.uint8)
    sheet = read(maps.layer_sheet(values, "t", picture=picture, field=(0, 2, 0, 2), at=(0, 1, 1), note="n"))
    table = colours.sequential()
    for share in (0, 128, 255):
        assert (sheet == table[share]).all(axis=2).sum() > 5000
    assert marked(sheet)[0].size > 500


def test_a_layer_of_many_maps_shows_those_around_the_chosen_one() -> None:
    """Of 300 maps the sheet for map 290 holds the last 44; all of them lie on the scale of the whole layer."""
    values = np.zeros((300, 2, 2))
    values[5] = 10.0
    values[290] = 5.0
    picture = np.zeros((4, 4, 1), np.uint8)
    sheet = read(maps.layer_sheet(values, "t", picture=picture, field=(0, 1, 0, 1), at=(290, 0, 0), note=""))
    assert (sheet == colours.sequential()[128]).all(axis=2).sum() > 5000


def test_vectors_and_lines_have_sheets_too() -> None:
    """Of a vector every value is a square; a line is one cell high."""
    picture = np.zeros((4, 9, 3), np.uint8)
    for values in (np.array([-1.0, 0.0, 1.0]), np.arange(12.0).reshape(2, 6)):
        sheet = maps.layer_sheet(values, "", picture=picture, field=(0, 4, 0, 9), at=(1, 0, 0), note="")
        assert read(sheet).shape[1] >= 900


def test_long_lines_cost_little() -> None:
    """Bands are made of what is painted: 64 lines of 2,500 places are 1.3 MB, not 640 of 500 times the same row."""
    values = np.random.default_rng(0).normal(size=(64, 2500)).astype(np.float32)
    row = maps.Row(name="conv1", note="", maps=values)
    tracemalloc.start()
    tiles = maps._strongest_tiles(row)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6
    assert [int(words) for _, words in tiles] == np.argsort(-np.abs(values).max(axis=1))[:10].tolist()
    assert {tile.shape for tile, _ in tiles} == {(20, 104, 3)}


def test_a_volume_has_the_slice_of_its_marked_number() -> None:
    """What is framed is the number that is named, not the one at the same place of the middle slice."""
    values = np.zeros((1, 4, 3, 3))
    values[0, 0, 1, 1] = 7.0
    asked = {"picture": np.zeros((4, 9, 3), np.uint8), "field": (0, 2, 0, 2), "note": ""}
    sheets = [read(maps.layer_sheet(values, "", at=(0, slice, 1, 1), **asked)) for slice in (0, 2)]
    full = [(sheet == colours.sequential()[255]).all(axis=2).sum() for sheet in sheets]
    assert full[0] > full[1] + 1000


def test_the_network_sheet_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more layers than there is room for, evenly spaced ones are shown, with the first and the last."""
    monkeypatch.setattr(maps, "ROWS", 3)
    picture = np.zeros((6, 6, 1), np.uint8)
    rows = [maps.Row(name=f"l{k}", note="conv", maps=np.full((1, 3, 3), k - 5.0)) for k in range(11)]
    tall = read(maps.network_sheet(picture, rows, "t"))
    chosen = read(maps.network_sheet(picture, [rows[0], rows[5], rows[10]], "t"))
    assert np.array_equal(tall[80:], chosen[80:])  # below the title, which counts them


def test_the_strongest_map_comes_first() -> None:
    """By the largest absolute value; what is no number counts as nothing."""
    assert maps.strongest(np.array([[1.0], [-3.0], [2.0]])).tolist() == [1, 2, 0]
    assert maps.strongest(np.array([np.nan, 1.0, 2.0])).tolist() == [2, 1, 0]


def test_an_overlay_is_orange_where_evidence_speaks_for_it() -> None:
    """The strongest place gets nearly the full hue, a place without evidence only the grey picture."""
    picture = np.full((1, 3, 1), 128, np.uint8)
    shown = maps.overlay(picture, np.array([[-2.0, 0.0, 2.0]]), signed=True).astype(int)
    assert shown[0, 1].tolist() == [163] * 3
    assert shown[0, 0, 2] - shown[0, 0, 0] > 100
    assert shown[0, 2, 0] - shown[0, 2, 2] > 100
    dead = maps.overlay(picture, np.zeros((1, 3)), signed=True)
    assert (dead == 163).all()
