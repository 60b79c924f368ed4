"""What cells mean is found out: a class, several labels or numbers, in tables, file names and arrays."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data.sample import names_of, text_of, unknown_in
from striate.data.sources import read_source, require_trainable
from striate.data.targets import listed, meaning_of, number
from striate.errors import StriateError


def table(folder: Path, text: str, count: int = 30) -> Path:
    """A table beside `count` pictures 0.png, 1.png, ...; each line of `text` begins with the number of its picture."""
    for name in range(count):
        Image.new("L", (2, 2), name).save(folder / f"{name}.png")
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return folder / "t.csv"


def lines(*columns: list, header: str = "id,value", separator: str = ",") -> str:
    rows = [separator.join([f"{n}.png", *map(str, cells)]) for n, cells in enumerate(zip(*columns, strict=True))]
    return "\n".join([header.replace(",", separator), *rows])


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_numbers_as_written(value: float, comma: bool) -> None:
    """A number as Python writes it is read back exactly, with a decimal comma too."""
    text = repr(value)
    assert number(text.replace(".", ",") if comma else text) == value


def test_odd_numbers() -> None:
    """Signs, exponents and both ways of writing thousands are read; words, infinity and NaN are no numbers."""
    cases = {"-3": -3, "\u22122.5": -2.5, "1e3": 1000, "+.5": 0.5, "1.234,5": 1234.5, "7.": 7}
    assert {text: number(text) for text in cases} == cases
    assert number("12,345.6", "") == 12345.6
    for text in ("", "nan", "inf", "-inf", "1e999", "1_000", "0x10", "12 mm", "1 2", "abc", "1,2,3", "--1"):
        assert number(text) is None, text


def test_commas_between_thousands() -> None:
    """Counts of 950 and 1,020 are thousands; 1,234 and 0,456 alone are decimals."""
    assert meaning_of([("950",), ("1,020",)], (0,), ("n",), "regression").target(["1,020"]) == ((1020.0,), "")
    assert meaning_of([("0,456",), ("1,234",)], (0,), ("n",), "regression").target(["1,234"]) == ((1.234,), "")
    assert meaning_of([("2,456",), ("1,234",)], (0,), ("n",), "regression").target(["1,234"]) == ((1.234,), "")


def test_a_column_of_decimals_is_measured(tmp_path: Path) -> None:
    """More than ten decimals are numbers with the name of their column; ten are classes, unless the task is said."""
    found = read_source(table(tmp_path, lines([n / 7 for n in range(30)])))
    assert (found.task, found.names) == ("regression", ("value",))
    assert found.samples[3].target == (3 / 7,)
    table(tmp_path, lines([n % 10 / 2 for n in range(30)]))
    assert read_source(tmp_path / "t.csv").task == "classification"
    assert read_source(tmp_path / "t.csv", task="regression").samples[3].target == (1.5,)


def test_whole_numbers(tmp_path: Path) -> None:
    """Whole numbers are classes, unless many are met once, the column is called a measure, or the task is said."""
    several = [n % 22 for n in range(44)]
    assert read_source(table(tmp_path, lines(several), 44)).task == "classification"
    assert read_source(tmp_path / "t.csv", task="regression").samples[23].target == (1.0,)
    assert read_source(table(tmp_path, lines(several, header="id,Age"), 44)).task == "regression"
    assert read_source(table(tmp_path, lines([n * n for n in range(44)]), 44)).task == "regression"
    folder = tmp_path / "pictures"
    folder.mkdir()
    (tmp_path / "t.csv").write_text(lines(several))
    for n in range(44):
        (tmp_path / f"{n}.png").rename(folder / f"{n}.png")
    told = read_source(folder, labels=tmp_path / "t.csv").labels
    assert told == "t.csv id → value (whole numbers as 22 classes; --task regression measures them)"


def test_bad_numbers_are_listed(tmp_path: Path) -> None:
    """What is missing, infinite or no number is left out with its line; decimal commas and a BOM are understood."""
    cells = [f"{n},5" for n in range(30)]
    cells[1:7] = ["", "NaN", "inf", "-Infinity", "n/a", "1,5 mm"]
    cells[8] = "1e999"
    file = table(tmp_path, "\ufeff" + lines(cells, separator=";"))
    found = read_source(file, task="regression")
    assert [s.target for s in found.samples[:3]] == [(0.5,), (7.5,), (9.5,)]
    assert {item.path: item.reason for item in found.left_out} == {
        "1.png": "line 3: no number in value",
        "2.png": "line 4: no number in value",
        "3.png": "line 5: value is infinite",
        "4.png": "line 6: value is infinite",
        "5.png": "line 7: no number in value",
        "6.png": "line 8: '1,5 mm' in value is no number",
        "8.png": "line 10: '1e999' in value is no number",
    }


def test_cells_that_hold_no_class_are_listed(tmp_path: Path) -> None:
    """What programs write where nothing is known is no class, also in a column of lists; "none" and "unknown" are."""
    holes = {"": "no label", "nan": "no label", "NaN": "no label"}
    holes |= {word: f"{word!r} is no label" for word in ("NA", "na", "N/A", "n/a", "#N/A", "null", "NULL", "?")}
    words = [*holes, *["none", "unknown", "cat"] * 7]
    found = read_source(table(tmp_path, lines(words), 40))
    assert (found.task, found.classes, len(found.samples)) == ("classification", ["cat", "none", "unknown"], 21)
    assert [item.reason for item in found.left_out] == [
        f"line {n}: {reason}" for n, reason in enumerate(holes.values(), 2)
    ]
    found = read_source(table(tmp_path, lines(["N/A", *["cat|dog", "dog", "cat", "dog|fox"] * 7]), 40))
    assert (found.task, found.classes) == ("multilabel", ["cat", "dog", "fox"])
    assert [item.reason for item in found.left_out] == ["line 2: 'N/A' is no label"]


def test_holes_in_columns_of_numbers_are_listed(tmp_path: Path) -> None:
    """Any share of lines may lack a number; the columns still hold numbers, and those lines are left out."""
    columns = [["NA" if n % 4 == 0 else n / 7 for n in range(30)], ["" if n % 5 == 0 else n for n in range(30)]]
    text = lines(*columns, header="id,x,y")
    found = read_source(table(tmp_path, text), label_column="x,y")
    assert (found.task, found.names) == ("regression", ("x", "y"))
    assert [s.target for s in found.samples] == [(n / 7, float(n)) for n in range(30) if n % 4 and n % 5]
    assert {item.reason.split(": ")[1] for item in found.left_out} == {"no number in x", "no number in y"}


def test_several_columns_by_name_and_number(tmp_path: Path) -> None:
    """--label-column takes several columns, by name or counted from 0; a name that is none is told the nearest."""
    text = lines(*([n + c / 10 for n in range(30)] for c in range(3)), header="id,x,y,z")
    found = read_source(table(tmp_path, text), label_column="z, x")
    assert (found.names, found.samples[2].target) == (("z", "x"), (2.2, 2.0))
    assert read_source(tmp_path / "t.csv", label_column="3,1").samples[2].target == (2.2, 2.0)
    with pytest.raises(StriateError, match="did you mean 'x'"):
        read_source(tmp_path / "t.csv", label_column="xx")
    with pytest.raises(StriateError, match="no doubt"):
        read_source(tmp_path / "t.csv", task="regression")


def test_a_table_without_names(tmp_path: Path) -> None:
    """A driving log without a header: columns by number, or with names given by --columns."""
    rows = [f"C:\\me\\IMG\\{n}.png, C:\\me\\IMG\\left_{n}.png,{n / 7},{n}" for n in range(30)]
    file = table(tmp_path, "\n".join(rows))
    found = read_source(file)
    assert (found.task, found.names, len(found.samples)) == ("regression", ("column 2",), 30)
    assert read_source(file, label_column="3").names == ("column 3",)
    found = read_source(file, label_column="steering", columns="centre,left,steering,speed")
    assert (found.names, found.samples[1].target) == (("steering",), (1 / 7,))
    with pytest.raises(StriateError, match="2 names for 4 columns"):
        read_source(file, columns="centre,left")
    with pytest.raises(StriateError, match="name all: --columns"):
        read_source(file, label_column="steering")


@pytest.mark.parametrize("separator", ["|", ";", ",", "json", "python", " "])
def test_lists_of_labels(tmp_path: Path, separator: str) -> None:
    """Labels in one cell are told by what is between them; none is legal; blanks only where the task is said."""
    sets = [("cat", "dog"), ("dog",), (), ("bird", "dog"), ("bird", "cat"), ("cat",)] * 5
    written = {"json": json.dumps, "python": lambda names: str(list(names))}
    join = written.get(separator, separator.join)
    cells = ['"' + join(names).replace('"', '""') + '"' for names in sets]
    found = read_source(table(tmp_path, lines(cells)), task="multilabel" if separator == " " else None)
    assert found.task == "multilabel"
    assert not found.left_out
    assert [s.target for s in found.samples] == sets
    assert found.classes == ["bird", "cat", "dog"]


def test_numbered_labels_are_in_their_order(tmp_path: Path) -> None:
    """The labels 10 and 2 of a picture are told as "2; 10", from a list, from columns and from several lines."""
    cells = ["10|2", "2", "10", "2|3"] * 5
    assert text_of(read_source(table(tmp_path, lines(cells))).samples[0].target) == "2; 10"
    marks = [[1, 0, 1] * 10, [1, 1, 0] * 10]
    assert read_source(table(tmp_path, lines(*marks, header="id,10,2"))).samples[0].target == ("2", "10")
    file = table(tmp_path, "id,label\n0.png,10\n1.png,3\n0.png,2\n2.png,10\n", 3)
    assert read_source(file, task="multilabel").samples[0].target == ("2", "10")


def test_names_with_commas_are_no_lists(tmp_path: Path) -> None:
    """Class names such as "carcinoma, ductal" stay whole."""
    cells = ['"carcinoma, ductal"', '"carcinoma, lobular"', "normal"] * 10
    found = read_source(table(tmp_path, lines(cells)))
    assert (found.task, found.classes) == ("classification", ["carcinoma, ductal", "carcinoma, lobular", "normal"])


def test_a_line_for_every_label(tmp_path: Path) -> None:
    """A picture with several lines has the labels of all of them, where several labels are asked for."""
    file = table(tmp_path, "id,label\n0.png,dog\n1.png,cat\n0.png,cat\n2.png,dog\n", 3)
    assert [s.target for s in read_source(file, task="multilabel").samples] == [("cat", "dog"), ("cat",), ("dog",)]
    assert [s.path for s in read_source(file).samples] == ["1.png", "2.png"]


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ("1", "0"),
        ("yes", "no"),
        ("True", "False"),
        ("1.0", "0.0"),
        ('"1,0"', '"0,0"'),
        ("x", ""),
        ("1", "-1"),
        ("1.00", "0.00"),
        ("1.0", "-1.0"),
        ("+1", "-1"),
        ("T", "F"),
    ],
)
def test_a_column_for_every_label(tmp_path: Path, yes: str, no: str) -> None:
    """Columns of yes and no are labels, in the order of the columns; where every line has one yes they are classes."""
    marks = np.random.default_rng(0).random((30, 3)) < 0.6
    columns = [[yes if mark else no for mark in column] for column in marks.T]
    found = read_source(table(tmp_path, lines(*columns, header="id,dog,cat,bird")))
    assert (found.task, found.names) == ("multilabel", ("dog", "cat", "bird"))
    assert [set(s.target) for s in found.samples] == [
        {name for name, mark in zip(("dog", "cat", "bird"), row, strict=True) if mark} for row in marks
    ]
    one = [[yes if row % 3 == column else no for row in range(30)] for column in range(3)]
    found = read_source(table(tmp_path, lines(*one, header="id,dog,cat,bird")))
    assert (found.task, [s.target for s in found.samples[:3]]) == ("classification", ["dog", "cat", "bird"])
    assert read_source(tmp_path / "t.csv", task="multilabel").samples[0].target == ("dog",)


def test_bad_marks_are_listed(tmp_path: Path) -> None:
    """A cell that is no mark leaves its line out, and so does a line of which nothing is known."""
    columns = [["1", "0", "1"] * 10, ["1", "1", "0"] * 10]
    columns[0][3] = "2"
    columns[0][5], columns[1][5] = "-1", "n/a"
    found = read_source(table(tmp_path, lines(*columns, header="id,dog,cat")))
    assert {item.path: item.reason for item in found.left_out} == {
        "3.png": "line 5: '2' in dog is neither yes nor no",
        "5.png": "line 7: no value of dog, cat",
    }


@pytest.mark.parametrize("unknown", ["", "nan", "NA", "-1", "-1.0", "?"])
def test_what_is_not_known_of_a_label(tmp_path: Path, unknown: str) -> None:
    """A missing or uncertain mark beside 1 and 0 keeps its picture; a blank in a column of nothing but 1 says no; one
    column alone leaves out the lines of which it says nothing; and the list of such labels is read as the same."""
    dog, cat, none = ["1", "0", "1"] * 10, ["1", "1", "0"] * 10, ["", "1", ""] * 10
    dog[3] = cat[4] = unknown
    found = read_source(table(tmp_path, lines(dog, cat, none, header="id,dog,cat,none")))
    assert (found.task, found.left_out, found.classes) == ("multilabel", [], ["cat", "dog", "none"])
    assert [s.target for s in found.samples[2:6]] == [("dog",), ("?dog", "cat"), ("?cat", "none"), ("dog",)]
    one = read_source(tmp_path / "t.csv", label_column="dog", task="multilabel")
    assert [item.reason for item in one.left_out] == ["line 5: no value of dog"]
    assert {s.target for s in one.samples} == {("dog",), ()}
    listed = table(tmp_path, lines([text_of(s.target) for s in found.samples], header="path,label"))
    assert [s.target for s in read_source(listed, task="multilabel").samples] == [s.target for s in found.samples]


@pytest.mark.parametrize("task", [None, "multilabel"])
def test_marks_are_compared_by_value(tmp_path: Path, task: str | None) -> None:
    """Marks as chest X-ray sets have them: 1.0, 0.0, -1.0 for uncertain and blanks are labels, never numbers to learn,
    and what is not known is told as that."""
    marks = np.random.default_rng(0).choice(["1.0", "0.0", "-1.0", ""], (30, 3), p=[0.4, 0.5, 0.05, 0.05])
    file = table(tmp_path, lines(*marks.T, header="Path,square,disc,many"))
    found = read_source(file, label_column="square,disc,many", task=task)
    names = np.array(["disc", "many", "square"])  # by name in targets
    known = [row[[1, 2, 0]] for row in marks if {"1.0", "0.0"} & set(row)]
    assert (found.task, found.names) == ("multilabel", ("square", "disc", "many"))
    assert [names_of(sample.target) for sample in found.samples] == [tuple(names[row == "1.0"]) for row in known]
    assert [unknown_in(sample.target) for sample in found.samples] == [
        tuple(names[(row == "-1.0") | (row == "")]) for row in known
    ]
    assert any(unknown_in(sample.target) for sample in found.samples)


def test_the_cell_that_is_no_mark_is_named(tmp_path: Path) -> None:
    """A refusal of columns of labels tells the first line and cell that do not fit, as the file counts its lines."""
    marks = [["1", "0"] * 15, ["0", *["maybe"] * 29], ["1", "1.0"] * 15]
    file = table(tmp_path, "# marks\n\n" + lines(*marks, header="id,square,disc,many"))
    for task in (None, "multilabel", "classification"):
        with pytest.raises(StriateError, match=r"received: 'maybe' in disc\. where: .*square,disc,many, line 5"):
            read_source(file, label_column="square,disc,many", task=task)


def test_numbers_with_units_are_told_from_classes(tmp_path: Path) -> None:
    """Classes of one picture each that are ages with a unit: the remedy is not to add pictures of "20 years"."""
    found = read_source(table(tmp_path, lines([f"{20 + n} years" for n in range(30)], header="id,age")))
    with pytest.raises(StriateError, match="numbers, write them without a unit, with --task regression; for classes"):
        require_trainable(found)
    found = read_source(table(tmp_path, lines(range(30), header="id,plate")), task="classification")
    with pytest.raises(StriateError, match="for numbers, --task regression; for classes, add"):
        require_trainable(found)
    found = read_source(table(tmp_path, lines([f"cat {20 + n}" for n in range(30)])))
    with pytest.raises(StriateError, match="what to do: add pictures"):
        require_trainable(found)


@pytest.mark.parametrize(
    ("title", "values", "task"),
    [
        ("cell_count", 19, "regression"),
        ("cell_count", 5, "classification"),
        ("age_group", 8, "classification"),
        ("plate", 19, "classification"),
    ],
)
def test_few_whole_numbers_are_measures_by_their_title(tmp_path: Path, title: str, values: int, task: str) -> None:
    """Nineteen counts of cells had been classes."""
    counts = [n % values for n in range(30)]
    assert read_source(table(tmp_path, lines(counts, header=f"id,{title}"))).task == task


def test_numbers_in_file_names(tmp_path: Path) -> None:
    """--label-regex finds numbers too, in the order of the names' numbers; unasked they are classes, which is said."""
    for n in range(30):
        Image.new("L", (2, 2), n).save(tmp_path / f"frame{n}_{n * n}cells.png")
    found = read_source(tmp_path, label_regex=r"_(\d+)cells", task="regression")
    assert (found.task, [s.target for s in found.samples]) == ("regression", [(float(n * n),) for n in range(30)])
    found = read_source(tmp_path, label_regex=r"_(\d+)cells")
    assert (found.task, found.samples[3].target) == ("classification", "9")
    assert "whole numbers as 30 classes; --task regression measures them" in found.labels


def test_arrays_of_numbers_and_labels(tmp_path: Path) -> None:
    """Arrays (N,), (N, K), 0 and 1, and lists of words mean what they would in a table; .npz as well."""
    pictures, values = np.zeros((30, 4, 4), np.uint8), np.linspace(0, 1, 30)
    values[3] = np.nan
    found = read_source((pictures, values))
    assert (found.task, found.names, len(found.samples)) == ("regression", ("value",), 29)
    assert [item.reason for item in found.left_out] == ["no number in value"]
    pairs = np.stack([values, values**2], axis=1)
    assert read_source((pictures, pairs)).samples[1].target == (values[1], values[1] ** 2)
    marks = np.random.default_rng(1).random((30, 3)) < 0.5
    found = read_source((pictures, marks))
    assert (found.task, found.names) == ("multilabel", ("0", "1", "2"))
    assert [s.target for s in found.samples] == [tuple(str(k) for k in np.flatnonzero(row)) for row in marks]
    found = read_source((pictures, [["b", "a"], [], ["b"]] * 10))
    assert [s.target for s in found.samples[:3]] == [("a", "b"), (), ("b",)]
    np.savez(
        tmp_path / "set.npz",
        train_images=pictures,
        train_labels=pairs,
        test_images=pictures[:5],
        test_labels=pairs[5:10],
    )
    found = read_source(tmp_path / "set.npz")
    assert (found.task, len(found.samples), found.samples[-1].part) == ("regression", 34, "test")


def test_tasks_that_cannot_be(tmp_path: Path) -> None:
    """Columns of words are no numbers and no marks; several columns are no class."""
    file = table(tmp_path, lines(["a", "b"] * 15, ["c", "d"] * 15, header="id,p,q"))
    with pytest.raises(StriateError, match="columns of labels fit the task classification"):
        read_source(file, label_column="p,q", task="classification")
    assert not read_source(file, label_column="p,q", task="regression").samples


@settings(deadline=None)
@given(st.lists(st.text("abcXYZ äß", min_size=1).map(str.strip).filter(bool), unique=True), st.sampled_from("|;,["))
def test_lists_come_back(names: list[str], separator: str) -> None:
    """A list that is written with a separator, or as JSON, is read back."""
    cell = json.dumps(names) if separator == "[" else separator.join(names)
    assert listed(cell, separator) == [n for n in map(str.strip, names) if n]


def test_thousands_as_excel_writes_them(tmp_path: Path) -> None:
    """Points, blanks and apostrophes between thousands are none of the number, in every country's way."""
    values = [900 + 137 * n for n in range(29)] + [1_000_137]
    ways = {"de": ".", "fr": "\u202f", "old fr": "\u00a0", "typed": " ", "ch": "\u2019", "old ch": "'"}
    for mark in ways.values():
        written = [f"{value:,}".replace(",", mark) for value in values]
        found = read_source(table(tmp_path, lines(written, header="id,cells", separator=";")))
        assert (found.task, found.left_out) == ("regression", []), mark
        assert [sample.target for sample in found.samples] == [(float(value),) for value in values], mark


def test_points_are_decimal_ones_unless_others_say_no(tmp_path: Path) -> None:
    """Three digits behind all points are decimals, unless a comma or a second point says otherwise."""
    cases = {
        ("1.137", "2.000", "3.125"): [1.137, 2, 3.125],
        ("1.137", "0.500", "12"): [1.137, 0.5, 12],
        ("1.137", "2500", "12"): [1.137, 2500, 12],
        ("1.137", "900", "12.125"): [1.137, 900, 12.125],
        ("1.137", "12,5", "2500,5"): [1137, 12.5, 2500.5],
        ("1.137", "1.137.000", "1.137"): [1137, 1137000, 1137],
        ("1.449", "1.450,25", "7"): [1449, 1450.25, 7],
    }
    for cells, values in cases.items():
        meaning = meaning_of([(cell,) for cell in cells], (0,), ("cells",), "regression")
        assert [meaning.target((cell,))[0][0] for cell in cells] == values
    rows = read_source((np.zeros((30, 4, 4)), np.r_[np.arange(1, 30) + 0.125, 7.0])).samples
    assert [sample.target[0] for sample in rows] == [*(np.arange(1, 30) + 0.125), 7.0]  # an array's floats


def test_what_points_are_is_told_where_it_is_guessed(tmp_path: Path) -> None:
    """One whole number among thousandths makes no thousands of them, decimal commas in the next column do; both are
    told, and what is plain is not."""
    weights = [f"{5 + n / 7:.3f}" for n in range(29)]
    found = read_source(table(tmp_path, lines([*weights, "7"])))
    assert [sample.target[0] for sample in found.samples] == [*map(float, weights), 7]
    assert found.notes == ("'.' in value is taken as the decimal mark: 5.000 is 5.",)
    assert read_source(table(tmp_path, lines([*weights, "7.000"]))).notes == ()
    assert read_source(table(tmp_path, lines([*weights, "0.125"]))).notes == ()
    counts, shares = [900 + 137 * n for n in range(30)], [f"{n / 8:.2f}".replace(".", ",") for n in range(30)]
    text = lines([f"{count:,}".replace(",", ".") for count in counts], shares, header="id,cells,share", separator=";")
    found = read_source(table(tmp_path, text), label_column="cells")
    assert [sample.target[0] for sample in found.samples] == counts
    assert found.notes == ("'.' in cells is taken as between thousands: 1.037 is 1037.",)


def test_what_commas_are_is_told_where_it_is_guessed(tmp_path: Path) -> None:
    """A comma before three digits in every cell is decimal or not: it is said, and decimal points in the next column
    make thousands of them, as decimal commas do of points; it had been a thousandth without a word."""
    prices, areas = [f'"{1000 + 137 * n:,}"' for n in range(30)], [f"{n / 8:.2f}" for n in range(30)]
    found = read_source(table(tmp_path, lines(prices)))
    assert found.samples[1].target == (1.137,)
    assert found.notes == ("',' in value is taken as the decimal mark: 1,000 is 1.",)
    found = read_source(table(tmp_path, lines(prices, areas, header="id,price,area")), label_column="price")
    assert [sample.target[0] for sample in found.samples] == [1000 + 137 * n for n in range(30)]
    assert found.notes == ("',' in price is taken as between thousands: 1,000 is 1000.",)
    assert read_source(table(tmp_path, lines([*prices[1:], '"0,5"']))).notes == ()


def test_titles_of_several_words_say_what_was_measured(tmp_path: Path) -> None:
    """A column "Age (years)" holds ages, also where each is met often; under other titles classes are told."""
    ages = [20 + n % 25 for n in range(100)]
    assert read_source(table(tmp_path, lines(ages, header="id,Age (years)"), 100)).task == "regression"
    found = read_source(table(tmp_path, lines(ages, header="id,Alter"), 100))
    assert found.task == "classification"
    assert found.labels == "t.csv id → Alter (whole numbers as 25 classes; --task regression measures them)"


def test_errors_of_excel_are_no_class(tmp_path: Path) -> None:
    """What Excel and pandas write for a value that is not there is listed, and no class; nor is NA a patient."""
    bad = ["#DIV/0!", "#NV", "#WERT!", "<NA>", "#REF!"]
    cells = [*bad, *["ill", "well"] * 5]
    found = read_source(table(tmp_path, lines(cells, ["NA", "7"] * 7 + ["8"], header="id,label,patient")))
    assert [item.reason for item in found.left_out] == [
        f"line {n}: {word!r} is no label" for n, word in enumerate(bad, 2)
    ]
    assert {sample.group for sample in found.samples} == {None, "7", "8"}


def test_two_columns_of_one_title(tmp_path: Path) -> None:
    """Which of two columns called alike holds the label is not guessed, unless they say the same; a number tells."""
    written, other = ["a", "b"] * 10, ["c", "d"] * 10
    file = table(tmp_path, lines(written, other, header="id,class,Class"))
    with pytest.raises(StriateError, match=r"'class' as the title of the columns 1, 2.*--label-column 1"):
        read_source(file)
    assert read_source(file, label_column="2").classes == ["c", "d"]
    assert read_source(table(tmp_path, lines(written, written, header="id,class,class"))).classes == ["a", "b"]


def test_whole_numbers_keep_their_digits_in_tables() -> None:
    """A count of 1,037,137 stands as it was read in data.csv and predictions.csv; fractions have twelve digits."""
    assert text_of((1037137.0, -20240301.0, 0.0)) == "1037137; -20240301; 0"
    assert text_of((0.1 + 0.2, 1e300, float("inf"))) == "0.3; 1e+300; inf"
