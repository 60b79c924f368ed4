"""Files that are sent to a model of texts or series: what they are, and how their samples are called."""

import io

import numpy as np
import pytest
from drawn import picture
from drawn_files import saved
from PIL import Image

from striate.data.header import Unreadable
from striate.data.prepare import Shape
from striate.data.symbols import symbols_of
from striate.export.items import items_sent

TEXT = Shape(height=1, width=26, channels=96, form="text")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_a_picture_is_no_text(kind: str) -> None:
    """Its bytes are not read as lines of letters, each with an answer; the refusal is one sentence."""
    data = saved(Image.fromarray(picture(0, 0, 32, 3)), kind)
    for name in ("mine.txt", "mine.png.txt"):
        ((path, said),) = items_sent(data, name, TEXT)
        assert path == name
        assert isinstance(said, Unreadable)
        assert said.reason == "a file of texts must be text; received: a file of another kind"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_lines_of_text_in_any_encoding(encoding: str) -> None:
    """A file of texts is read as tables are, whatever program wrote it."""
    lines = ("a good day", "für immer schlecht")
    sent = list(items_sent("\n\n".join(lines).encode(encoding), "mine.txt", TEXT))
    assert [name for name, _ in sent] == ["mine/0", "mine/2"]
    for (_, symbols), line in zip(sent, lines, strict=True):
        np.testing.assert_array_equal(symbols, symbols_of(line))


def test_series_are_called_after_the_file_they_were_sent_in() -> None:
    """Two files that are dropped together have answers that can be told apart."""
    file, rows = io.BytesIO(), np.random.default_rng(0).normal(size=(2, 40, 2))
    np.save(file, rows)
    shape = Shape(height=1, width=40, channels=2, depth="float32", form="series")
    sent = list(items_sent(file.getvalue(), "mine.npy", shape))
    assert [name for name, _ in sent] == ["mine/0", "mine/1"]
