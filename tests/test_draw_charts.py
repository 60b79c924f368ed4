"""Charts and sheets: PNG bytes for whatever a run holds, without a warning and without pyplot."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from striate.draw import charts, sheets, style


def _read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _near(picture: np.ndarray, colour: str) -> int:
    """How many dots have this colour."""
    wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return int((np.abs(picture.astype(np.int16) - np.int16(wanted)).max(axis=2) <= 3).sum())


def test_drawing_is_cheap_to_import_and_leaves_pyplot_alone() -> None:
    """Importing the modules loads no matplotlib, and drawing never loads pyplot."""
    code = (
        "import sys; from striate.draw import charts, pixels, sheets, style\n"
        "assert 'matplotlib' not in sys.modules\n"
        "charts.curves([{'epoch': 1, 'train_loss': 1.0}])\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_curves_show_both_parts() -> None:
    """Training is blue, validation orange, and the same history gives the same bytes."""
    history = [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            "validation_loss": 1.3 / epoch,
            "train_accuracy": 1 - 0.5 / epoch,
            "validation_accuracy": 1 - 0.6 / epoch,
            "learning_rate": 0.1 / epoch,
        }
        for epoch in range(1, 31)
    ]
    png = charts.curves(history)
    picture = _read(png)
    assert _near(picture, style.BLUE) > 1000
    assert _near(picture, style.ORANGE) > 1000
    assert png == charts.curves(history)


@pytest.mark.parametrize(
    "history",
    [[], [{"epoch": 1, "train_loss": float("nan"), "validation_loss": None, "learning_rate": ""}]],
)
def test_curves_of_nothing_are_drawn_without_complaint(history: list[dict]) -> None:
    """No epoch, or one that diverged, still gives a chart."""
    assert _read(charts.curves(history)).shape[1] == 1800


@pytest.mark.parametrize("classes", [2, 13])
def test_confusion_is_blue_where_right_and_orange_where_wrong(classes: int) -> None:
    """A perfect matrix has no orange, a fully wrong one no blue, whatever the number of classes."""
    names = [f"class {k}" for k in range(classes)]
    right, wrong = np.eye(classes, dtype=int) * 4, np.roll(np.eye(classes, dtype=int) * 4, 1, axis=1)
    perfect, hopeless = _read(charts.confusion(right, names)), _read(charts.confusion(wrong, names))
    assert _near(perfect, style.BLUE) > 10_000
    assert _near(perfect, style.ORANGE) == 0
    assert _near(hopeless, style.ORANGE) > 10_000
    assert _near(hopeless, style.BLUE) == 0


def test_a_few_wrong_of_many_are_not_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 % and 100 % stand where it is so; what is nearly so has a digit more, and what is nearer yet is said to be."""
    monkeypatch.setattr(charts.style, "to_png", lambda figure: [text.get_text() for text in figure.axes[0].texts])
    matrix = np.array([[99_660, 340, 0], [3, 99_960, 37], [0, 0, 7]])
    cells = [text.split("\n")[1] for text in charts.confusion(matrix, ["a", "b", "c"])]
    assert cells == ["99.7 %", "0.3 %", "<0.1 %", ">99.9 %", "<0.1 %", "100 %"]
    assert charts.confusion(np.array([[2, 1], [0, 1]]), ["a", "b"]) == ["2\n67 %", "1\n33 %", "1\n100 %"]


def test_confusion_of_a_hundred_classes_has_room_for_every_name() -> None:
    """The names on the left edge are a hundred separate lines of letters."""
    picture = _read(charts.confusion(np.eye(100, dtype=int), [f"class {k:02}" for k in range(100)]))
    blue = (np.abs(picture.astype(np.int16) - np.int16([0, 114, 178])).max(axis=2) <= 3).any(axis=0)
    names = (picture[:, : int(np.argmax(blue)) - 2] < 120).all(axis=2)[:, 60:].any(axis=1)
    assert np.count_nonzero(names[1:] & ~names[:-1]) == 100


def test_names_that_no_font_can_show_are_drawn_without_warning() -> None:
    """Other scripts, formulas, control and broken characters and long names do no harm."""
    names = ["猫🐈", "$x^$ \\frac", "tab\tline\nend", "\udcff", "a" * 300, ""]
    charts.confusion(np.eye(6, dtype=int), names)
    labels = style.class_labels(names)
    assert labels[1] == r"\$x^\$ \frac"
    assert labels[2] == "tab line end"
    assert labels[3] == "3 □"
    assert len(labels[4]) == 24


def test_calibration_is_drawn_with_empty_bins() -> None:
    """Bins without pictures have no bar and no point."""
    edges = np.arange(16) / 15
    bins = {"low": edges[:-1], "high": edges[1:], "count": np.zeros(15)}
    bins |= {"confidence": np.full(15, np.nan), "accuracy": np.full(15, np.nan)}
    empty = _near(_read(charts.calibration(bins)), style.BLUE)
    bins["count"][14], bins["confidence"][14], bins["accuracy"][14] = 3, 0.97, 0.9
    assert empty == 0
    assert _near(_read(charts.calibration(bins)), style.BLUE) > 100


def test_every_run_has_its_dot() -> None:
    """An orange dot for each run with a score, none for one without; the band of all of them is there or not."""
    score, none = {"value": 0.9, "low": 0.8, "high": 0.95}, {"value": None, "low": None, "high": None}
    one, two = (_near(_read(charts.runs(dict.fromkeys(names, score), score)), style.ORANGE) for names in ("1", "12"))
    assert 1.9 < two / one < 2.1
    plain = _read(charts.runs({"1": score, "2": none}, none))
    assert abs(_near(plain, style.ORANGE) - one) < 0.1 * one
    assert _near(plain, style.BLUE) == 0


def test_a_sheet_shows_each_pixel_as_a_sharp_square() -> None:
    """A red 4 x 4 picture fills a whole multiple of its size in pure red."""
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 0] = 255
    sheet = _read(sheets.picture_sheet([red, red], ["a", "b"], columns=2))
    pure = (sheet == [255, 0, 0]).all(axis=2)
    assert pure.sum() == 2 * 400 * 400


def test_captions_stay_within_their_cells() -> None:
    """However long the captions, white columns remain between neighbouring cells."""
    pictures = [np.full((8, 8, 1), 200, dtype=np.uint8)] * 6
    sheet = _read(sheets.picture_sheet(pictures, ["W" * 80 + "\n$猫" * 3] * 6, columns=6))
    letters = (sheet < 100).all(axis=2)
    assert letters.any()
    side = (1600 - 48 - 16 * 5) // 6 // 8 * 8
    for gap in range(1, 6):
        middle = 24 + gap * (side + 16) - 8
        assert not letters[:, middle - 3 : middle + 3].any()


def test_kernels_are_coloured_by_their_sign() -> None:
    """One channel: blue and orange about white; three channels: grey where the weights are zero."""
    weights = np.zeros((2, 1, 3, 3))
    weights[0], weights[1] = -1, 1
    sheet = _read(sheets.kernels(weights))
    assert _near(sheet, "#0072b2") > 5000
    assert _near(sheet, "#d55e00") > 5000
    assert _near(_read(sheets.kernels(np.zeros((1, 3, 3, 3)))), "#808080") > 5000
    assert _read(sheets.kernels(np.full((300, 5, 1, 1), np.nan))).size


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_a_picture_beside_its_feature_map(low: float) -> None:
    """A map with negative values is coloured, one without is grey; sizes may differ widely."""
    ramp = np.linspace(low, 1, 60).reshape(6, 10)
    png = sheets.side_by_side(np.zeros((12, 20, 3), np.uint8), ramp, "édge $1", "1·a + 2·b = 3")
    assert (_near(_read(png), "#0072b2") > 100) == (low < 0)
    assert _read(sheets.side_by_side(np.zeros((2, 200, 1), np.uint8), np.zeros((1, 1)), "flat")).size


def test_a_picture_of_other_numbers_stands_beside_its_map_as_greys() -> None:
    """Numbers from 0 to 255, as `to_grey` gives them, look as the same in 8 bits do, and no pixel is clipped."""
    picture = np.tile(np.arange(256.0), (40, 1))
    sheets_ = [sheets.side_by_side(one, picture, "") for one in (picture, picture.astype(np.uint8)[:, :, None])]
    assert sheets_[0] == sheets_[1]


def test_greys_of_a_feature_map_are_those_that_are_said() -> None:
    """Below it stands from where to where black to white goes: beside one strong place the others are nearly black."""
    map = np.tile(np.linspace(0.0, 1.0, 30), (30, 1))
    map[0, 0] = 50.0
    shown = _read(sheets.side_by_side(np.zeros((30, 30, 1), np.uint8), map, "")).astype(int)
    greys = (np.ptp(shown[..., :3], axis=2) == 0) & (shown[..., 0] > 60) & (shown[..., 0] < 200)
    assert greys.mean() < 0.05
