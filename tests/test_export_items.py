"""Files that are sent to a model of texts or series: what they are, and how their samples are called."""

import io
from pathlib import Path

import numpy as np
import pytest
from drawn import picture
from drawn_files import saved
from PIL import Image

from striate.data.header import Unreadable
from striate.data.prepare import Shape
from striate.data.sources import read_source
from striate.data.symbols import symbols_of
from striate.errors import StriateError
from striate.export.items import items, items_sent
from striate.files import csv_text

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


def test_labels_of_series_are_no_values(tmp_path: Path) -> None:
    """A table with the columns of the training is asked about without its label and its group, by name or by place,
    and scored without saying which that is; another number of values is refused."""

    def table(name: str, rows: list[list]) -> Path:
        (tmp_path / name).write_text(csv_text(rows))
        return tmp_path / name

    shape, names = Shape(height=1, width=12, channels=1, form="series"), [f"t{n}" for n in range(12)]
    whole = np.random.default_rng(0).integers(0, 99, (24, 12))
    values = whole + 0.5
    rows = [[f"{sum(row):.3f}", n, *row] for n, row in enumerate(values.tolist())]
    told = table("told.csv", [["weight", "rider", *names], *rows])
    about = {"series": read_source(told, label_column="weight", group="rider").read}
    slip = table("slip.csv", [["rider", *names], *(row[1:] for row in rows), ["x", *"123456789abc"]])
    for file, wrong in ((told, []), (slip, ["line 26: 'a' is no number"])):
        asked = [one for _, one in items(file, shape, about)]
        np.testing.assert_array_equal([one[0, :, 0] for one in asked[:24]], values)
        assert [one.reason for one in asked[24:]] == wrong
    assert read_source(told, read=about["series"]).samples[3].target == (sum(values[3]),)
    more = table("more.csv", [["hour", *names], *(row[1:] for row in rows)])
    with pytest.raises(StriateError, match=r"as many columns of values.*received: 13 where those were 12"):
        list(items(more, shape, about))
    bare = table("bare.csv", [[n % 2, *row] for n, row in enumerate(whole.tolist())])
    about = {"series": read_source(bare).read}
    for file in (bare, table("whole.csv", whole.tolist())):
        np.testing.assert_array_equal([one[0, :, 0] for _, one in items(file, shape, about)], whole)
