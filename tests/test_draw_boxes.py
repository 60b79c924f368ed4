"""Boxes are drawn where they are, in the colour of their class, and nothing else of the picture changes."""

import numpy as np
import pytest

from striate.draw import boxes
from striate.draw.boxes import COLOURS, LEAST, captioned, colour_of, draw_boxes
from striate.draw.charts import recall_curves


@pytest.mark.parametrize("channels", [1, 3])
def test_frame_lies_on_the_pixels_of_the_box(channels: int) -> None:
    """A half-open box colours its first and last row and column, and leaves its inside and outside alone."""
    picture = np.full((600, 800, channels), 77, np.uint8)
    drawn = draw_boxes(picture, np.array([[100, 50, 300, 250]]), [1])
    assert drawn.shape == (600, 800, 3)
    changed = (drawn != 77).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (50, 250, 100, 300)
    assert not changed[60:240, 110:290].any()
    assert (drawn[50, 100:300] == colour_of(1)).all()


def test_small_pictures_are_enlarged_and_their_boxes_with_them() -> None:
    """A picture of 24 pixels becomes one that can be read; the box keeps its share of it."""
    drawn = draw_boxes(np.zeros((24, 24, 1), np.uint8), np.array([[6, 6, 18, 18]]), [0])
    assert drawn.shape[0] == LEAST
    rows, _ = np.nonzero(drawn.any(axis=2))
    assert (rows.min(), rows.max() + 1) == (LEAST // 4, 3 * LEAST // 4)


def test_dashes_captions_and_edges() -> None:
    """Dashed frames leave gaps, a caption stays inside the picture, and boxes beyond the edge do no harm."""
    picture = np.zeros((500, 500, 3), np.uint8)
    whole = draw_boxes(picture, np.array([[10, 100, 200, 300]]), [2])
    gaps = draw_boxes(picture, np.array([[10, 100, 200, 300]]), [2], dashed=[True])
    assert 0.3 < gaps.any(axis=2).sum() / whole.any(axis=2).sum() < 0.7
    named = draw_boxes(picture, np.array([[490, 0, 500, 20]]), [0], ["Platelets 0.93 ☃ 中"])
    assert named[:20, 300:490].any()
    assert not draw_boxes(picture, np.array([[600, 600, 700, 700]]), [0], ["gone"]).any()
    assert not draw_boxes(picture, np.zeros((0, 4)), []).any()


def test_small_boxes_are_drawn_over_large_ones() -> None:
    """Where frames cross, the smaller box is in front."""
    picture = np.zeros((500, 500, 3), np.uint8)
    drawn = draw_boxes(picture, np.array([[100, 100, 140, 140], [100, 100, 400, 400]]), [0, 1])
    assert tuple(drawn[100, 120]) == colour_of(0)
    assert tuple(drawn[100, 300]) == colour_of(1)


def test_words_stand_below_the_picture() -> None:
    """Every pixel of the picture is kept, large enough to read the words, which get more lines where it is narrow."""
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    times = LEAST // 40
    drawn = captioned(picture, "ill, 86.2 %")
    assert np.array_equal(drawn[: 30 * times : times, ::times], picture)
    strip = drawn[30 * times :]
    assert (strip.min(), strip.max()) == (0, 255)
    assert len(captioned(picture, 40 * "word ")) > len(drawn)
    assert captioned(picture[:, :1], 99 * "long").shape[1] == LEAST // 30


def test_every_curve_can_be_seen_on_white(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contrast of each line with the ground, by the formula of WCAG 2, is 2 at least; of plain yellow it is 1.3."""
    kept = []
    monkeypatch.setattr(boxes.style, "to_png", lambda figure: kept.append(figure) or b"")
    recall_curves({str(number): np.linspace(1, 0, 5) for number in range(len(COLOURS))})
    for line in kept[0].axes[0].get_lines():
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in line.get_color()]
        assert 1.05 / (np.dot(parts, (0.2126, 0.7152, 0.0722)) + 0.05) >= 2
