"""Texts from a table, and the symbols and channels that characters become."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.prepare import Shape, fit
from striate.data.sample import Asked
from striate.data.sources import read_source
from striate.data.symbols import KNOWN, OTHERS, SYMBOLS, as_channels, spelled, symbols_of
from striate.data.texts import list_texts, read_texts
from striate.errors import StriateError
from striate.export.items import items

TABLE = """id,review,stars,split,writer
1,"Good, really GOOD.",5,train,ann
2,Bad!,1,test,bob
3,,3,train,ann
4,Fine,,train,bob
5,Fine too,4,later,bob
"""


def test_a_column_of_texts(tmp_path: Path) -> None:
    """Text, label, part and group come from their columns; what lacks one has its line and reason."""
    file = tmp_path / "reviews.csv"
    file.write_text(TABLE)
    found = read_texts(file, Asked(text="Review", group="writer", label_column="stars"))
    assert (found.form, found.is_grouped) == ("text", True)
    assert [(s.path, s.target, s.part, s.group) for s in found.samples] == [
        ("reviews/0", "5", "train", "ann"),
        ("reviews/1", "1", "test", "bob"),
    ]
    assert [item.reason for item in found.left_out] == [
        "line 4: no text", "line 5: no label", "line 6: 'later' is not one of train, validation, test",
    ]  # fmt: skip
    listed = dict(list_texts(file, "review"))
    assert list(listed) == [f"reviews/{number}" for number in range(5)]
    np.testing.assert_array_equal(listed["reviews/3"], symbols_of("fine"))
    assert str(listed["reviews/2"]) == "line 4: no text"


def test_a_long_text_is_one_of_many(tmp_path: Path) -> None:
    """A text of any length is read as others are; csv's own limit, 131,072 letters, had refused the whole table."""
    file = tmp_path / "t.csv"
    file.write_text("text,label\n" + "".join(f"{'word ' * count}end,{count % 2}\n" for count in (1, 40_000, 3)))
    found = read_texts(file, Asked(text="text"))
    assert [sample.source.shape[1] for sample in found.samples] == [8, 200_003, 18]


def test_an_unused_column_of_ids_is_told(tmp_path: Path) -> None:
    """As of pictures: a column whose name says what belongs together, with values that come again."""
    file = tmp_path / "t.csv"
    file.write_text("text,label,case_id\nhello there,good,7\nno,bad,7\nwell,good,8\n")
    assert read_texts(file, Asked(text="text")).perhaps == ("case_id", 2)
    assert read_texts(file, Asked(text="text", group="case_id")).perhaps is None


def test_which_column_is_the_label(tmp_path: Path) -> None:
    """The only other column, or one called label; of several others none is guessed, and predicting needs none."""
    file = tmp_path / "t.csv"
    file.write_text("text,mood\nhello there,good\nno,bad\n")
    assert read_texts(file, Asked(text="text")).classes == ["bad", "good"]
    file.write_text(TABLE)
    with pytest.raises(StriateError, match="no doubt which column of a table holds the label"):
        read_texts(file, Asked(text="review"))
    for column, label in (("revue", None), ("review", "star")):
        with pytest.raises(StriateError, match="names a column of the table"):
            read_texts(file, Asked(text=column, label_column=label))
    file.write_text("text\nhello\n")
    with pytest.raises(StriateError, match="needs a column label"):
        read_texts(file, Asked(text="text"))
    assert len(list(list_texts(file, "text"))) == 1


def test_a_table_without_names_is_asked_about_as_it_was_learned(tmp_path: Path) -> None:
    """The names that were given for its columns hold for the same table, and one with a line of names needs none."""
    file = tmp_path / "t.tsv"
    file.write_text("ham\thello there\nspam\twin now\n")
    found = read_texts(file, Asked(text="text", columns="label, text"))
    shape, about = Shape(height=1, width=9, channels=SYMBOLS, form="text"), {"text": "text", "columns": "label, text"}
    learned = [sample.source.tobytes() for sample in found.samples]
    assert [symbols.tobytes() for _, symbols in items(file, shape, about)] == learned
    file.write_text("text\nhello there\nwin now\n")
    assert [symbols.tobytes() for _, symbols in items(file, shape, about)] == learned
    file.write_text("label\ttext\n\thello there\n\twin now\n")
    assert [symbols.tobytes() for _, symbols in items(file, shape, about)] == learned
    file.write_text("a\tb\tc\n1\t2\t3\n")
    with pytest.raises(StriateError, match="--text names a column of the table"):
        list(items(file, shape, about))


def test_a_folder_has_no_column_of_texts(tmp_path: Path) -> None:
    """It is refused as what it is, and not as a table that cannot be read; a folder has no columns."""
    with pytest.raises(StriateError, match=r"--text is for a table\. received: a folder"):
        read_source(tmp_path, text="review")


def test_quotes_between_tabs_are_marks(tmp_path: Path) -> None:
    """The form of the SMS Spam Collection: where tabs cut every line alike, a quote that breaks the rules of CSV is a
    letter; where they do not, and between commas, the remedy is told."""
    file = tmp_path / "sms.tsv"
    rows = [("ham", 'he said "no"'), ("spam", '"Free entry in 2 a wkly comp'), ("ham", '"ok" then'), ("ham", "fine")]
    file.write_text("".join(f"{label}\t{text}\n" for label, text in rows))
    found = read_texts(file, Asked(text="text", columns="label,text"))
    assert [(s.target, spelled(as_channels(s.source, 40)).strip()) for s in found.samples] == [
        (label, text.lower()) for label, text in rows
    ]
    for text in (file.read_text() + "ham\tone\ttwo\n", file.read_text().replace("\t", ",")):
        file.write_text(text)
        with pytest.raises(StriateError, match=r"proper CSV.*write a quote inside a quoted cell twice"):
            read_texts(file, Asked(text="text", columns="label,text"))


def test_texts_of_several_labels(tmp_path: Path) -> None:
    """Labels mean what they do beside pictures: several in a cell, numbers where the task says so."""
    file = tmp_path / "t.csv"
    file.write_text("text,topics,length\none,a|b,5\ntwo,b,7\nthree,a|c,9.5\n")
    found = read_texts(file, Asked(text="text", label_column="topics"))
    assert (found.task, [s.target for s in found.samples]) == ("multilabel", [("a", "b"), ("b",), ("a", "c")])
    found = read_texts(file, Asked(text="text", label_column="length", task="regression"))
    assert (found.task, found.names) == ("regression", ("length",))
    assert [s.target for s in found.samples] == [(5.0,), (7.0,), (9.5,)]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_every_text_has_symbols(text: str) -> None:
    """Any text is at least one symbol; letters of the alphabet are read back, in small letters, others as a box."""
    symbols = symbols_of(text)
    assert symbols.shape[0] == 1
    assert symbols.shape[1] >= 1
    assert symbols.max() < SYMBOLS
    plain = spelled(as_channels(symbols, symbols.shape[1]))
    assert plain.replace("□", "").strip() == "".join(c for c in plain if c in KNOWN).strip()
    if text.isascii() and text.isprintable():
        assert plain.strip() == " ".join(text.lower().split())


def test_channels_are_one_hot() -> None:
    """One channel is lit at each letter, none behind the end; what is too long is cut."""
    picture = symbols_of("Bé a")
    for length in (2, 4, 7):
        made = fit(picture[:, :, None], Shape(height=1, width=length, channels=SYMBOLS, form="text"))
        assert made.shape == (1, length, SYMBOLS)
        np.testing.assert_array_equal(made[0].sum(axis=1), [255] * min(length, 4) + [0] * max(length - 4, 0))
        assert made[0, 0, KNOWN.index("b")] == 255
    assert picture[0, 1] >= len(KNOWN) == SYMBOLS - OTHERS


def test_other_letters_share_symbols_evenly() -> None:
    """Greek and Chinese letters fall on all of the symbols that are left over, the same on every machine."""
    numbers = symbols_of("".join(map(chr, range(0x4E00, 0x4E00 + 2000))))[0]
    assert set(numbers.tolist()) == set(range(len(KNOWN), SYMBOLS))
    assert np.bincount(numbers)[len(KNOWN) :].min() > 2000 / OTHERS / 2
    assert symbols_of("ω").tolist() == [[len(KNOWN) + (0x3C9 * 0x9E3779B1 % 2**32) * OTHERS // 2**32]]
