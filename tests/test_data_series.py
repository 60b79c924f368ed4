"""Series from files of every kind: the same numbers as were written, and a reason for whatever cannot be used."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import draw_folder
from drawn_series import WAVES, drawn, write_ucr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from striate.data.prepare import Shape
from striate.data.sample import Asked, Found
from striate.data.series import as_series, is_series, read_series
from striate.data.sources import read_source, require_trainable
from striate.errors import StriateError
from striate.export.items import items, items_sent

RELATIONAL = """%% what it is
@relation 'two'
@attribute both relational
@attribute att0 numeric
@attribute att1 numeric
@attribute att2 numeric
@end both
@attribute kind {walk, "run fast"}
@data
'1,2,3\\n4,5,6',walk
'1,?,5\\n4,5',"run fast"
'7,8,9',walk
1,2,3,walk
"""
PLAIN = """@relation one
@attribute a numeric
@attribute 'b c' NUMERIC
@attribute c real
@attribute target {1,2}
@data
1.5,2,3,1
?,2,4,2
1,2,1
{0 1, 2 3}
"""
TS = """# a comment
@problemName two
@timeStamps false
@univariate false
@classLabel true walk run
@data
1,2,3:4,5,6:walk
1,2:4,5,6,7:run
1,x,3:4,5,6:run
nothing here
"""


def table(found: Found) -> list[tuple[str, list]]:
    return [(sample.target, sample.source[0].T.tolist()) for sample in found.samples]


def reasons(found: Found) -> list[str]:
    return [item.reason for item in found.left_out]


@pytest.mark.parametrize("names", ["", "label," + ",".join(f"v{n}" for n in range(9)) + "\n"])
@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_comments_before_series(tmp_path: Path, separator: str, names: str) -> None:
    """Comments, with more commas than there are lines of numbers, change nothing; lines keep their numbers."""
    rows = "".join(f"{label},{','.join(str(n * 0.5 + k) for k in range(9))}\n" for n, label in enumerate("aab" * 5))
    plain, noted = tmp_path / "plain.txt", tmp_path / "noted.txt"
    text = (names + rows + "c,1,2,word,4,5,6,7,8,9\n").replace(",", separator)
    plain.write_text(text)
    noted.write_text("# beats, two leads\n" * 30 + text)
    (first, second) = (read_source(file, label_column="0") for file in (plain, noted))
    assert table(first) == table(second)
    assert len(first.samples) == 15
    line = 16 + bool(names)
    assert [reasons(found)[0].partition(":")[0] for found in (first, second)] == [f"line {line}", f"line {line + 30}"]


@pytest.mark.parametrize("separator", ["\t", ",", " "])
def test_text_of_the_archive(tmp_path: Path, separator: str) -> None:
    """X_TRAIN and X_TEST in one folder are its parts, whatever stands between the values; notes beside them are not."""
    write_ucr(tmp_path / "Waves", separator=separator)
    (tmp_path / "Waves" / "Waves.txt").write_text("Slow and fast waves, 40 values each.\n")
    found = read_source(tmp_path / "Waves")
    assert (found.form, found.task, found.classes) == ("series", "classification", ["fast", "slow"])
    assert [sample.part for sample in found.samples] == ["train"] * 24 + ["test"] * 12
    assert [sample.path for sample in found.samples[22:26]] == ["train/22", "train/23", "test/0", "test/1"]
    lines = next((tmp_path / "Waves").glob("*_TRAIN*")).read_text().splitlines()
    for line, sample in zip(lines, found.samples, strict=False):
        label, *values = line.split(separator)
        assert label == sample.target
        assert (sample.source.shape, sample.source.dtype) == ((1, 40, 1), np.float32)
        np.testing.assert_allclose(sample.source[0, :, 0], [float(value) for value in values], rtol=1e-6)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("ending", ["csv", "ts"])
def test_series_in_any_encoding(tmp_path: Path, encoding: str, ending: str) -> None:
    """What Excel saves as Unicode text is read as tables of pictures are."""
    values = ",".join(f"{n}.5" for n in range(9))
    rows = [f"{label},{values}" if ending == "csv" else f"{values}:{label}" for label in ("süß", "bitter")]
    head = f"kind,{','.join(f't{n}' for n in range(9))}" if ending == "csv" else "@classLabel true\n@data"
    (tmp_path / f"a.{ending}").write_text("\n".join([head, *rows, ""]), encoding)
    assert [sample.target for sample in read_source(tmp_path / f"a.{ending}").samples] == ["süß", "bitter"]


def test_a_file_alone_has_no_parts(tmp_path: Path) -> None:
    """Of one file every series is read and none has a part; its neighbour stays closed."""
    write_ucr(tmp_path)
    found = read_source(tmp_path / "Waves_TRAIN.tsv")
    assert len(found.samples) == 24
    assert {sample.part for sample in found.samples} == {None}


def test_labels_written_as_decimals(tmp_path: Path) -> None:
    """The first column holds the class although it looks like a number; -1 and 1 stay apart and are told as such."""
    rows = ["  -1.0000000e+00  " + "  ".join(f"{v:.3e}" for v in np.linspace(0, n, 9)) for n in (1, 2)]
    (tmp_path / "a.txt").write_text("\n".join([*rows, rows[0].replace("-1.0", " 1.0")]))
    assert [sample.target for sample in read_source(tmp_path / "a.txt").samples] == ["-1", "-1", "1"]


def test_the_last_column_holds_the_label(tmp_path: Path) -> None:
    """Where the first column is no whole number, but the last is, the class stands there."""
    values = np.round(np.random.default_rng(0).normal(size=(5, 9)), 3) + 0.0005
    (tmp_path / "beats.csv").write_text("\n".join(",".join(map(str, [*row, n % 2])) for n, row in enumerate(values)))
    found = read_source(tmp_path / "beats.csv")
    assert [sample.target for sample in found.samples] == ["0", "1", "0", "1", "0"]
    np.testing.assert_allclose(found.samples[3].source[0, :, 0], values[3], rtol=1e-6)


def test_missing_values(tmp_path: Path) -> None:
    """Inside they are filled in on a straight line, at the end they are the end, and it is said how many."""
    rows = [
        "a,1,NaN,3,?,,6,7,8,9",
        "b,1,2,3,4,5,NaN,<NA>,#N/A,NaN",
        "a,NaN,2,3,4,5,6,7,8,9",
        "b,,,,,,,,,",
        "a,1,2,,,,,,,",
    ]
    (tmp_path / "gaps.csv").write_text("\n".join(rows))
    found = read_source(tmp_path / "gaps.csv")
    assert table(found) == [
        ("a", [[1, 2, 3, 4, 5, 6, 7, 8, 9]]),
        ("b", [[1, 2, 3, 4, 5]]),
        ("a", [[2, 2, 3, 4, 5, 6, 7, 8, 9]]),
    ]
    assert reasons(found) == ["0 values, and a series has at least 3", "2 values, and a series has at least 3"]
    assert found.notes == (
        "2 series had missing values, which were filled in along straight lines.",
        "Series have from 5 to 9 values; each is stretched to one length.",
    )


def test_a_table_with_names(tmp_path: Path) -> None:
    """Columns called label, split and patient are what they say, an id is no value, the rest is the series."""
    names = "id,patient,split,label," + ",".join(f"t{n}" for n in range(9))
    rows = ["7,p1,train,ill," + ",".join(map(str, range(9))), "8,p2,test,well," + ",".join(map(str, range(9, 0, -1)))]
    wrong = ["9,p2,later,well," + ",".join(map(str, range(9))), "10,p2,test,," + ",".join(map(str, range(9)))]
    (tmp_path / "signals.csv").write_text("\n".join([names, *rows, *wrong]))
    found = read_source(tmp_path / "signals.csv", group="patient")
    assert table(found) == [("ill", [list(range(9))]), ("well", [list(range(9, 0, -1))])]
    assert [(sample.group, sample.part) for sample in found.samples] == [("p1", "train"), ("p2", "test")]
    assert reasons(found) == ["line 4: 'later' is not one of train, validation, test", "line 5: no label"]


def test_series_whose_group_is_missing_are_no_group(tmp_path: Path) -> None:
    """As in a table of pictures: "nan" or "NA" is what a program writes for a group that nobody knows, not its name."""
    groups = ("p1", "nan", "p1", "", "NA", "#N/A", "p2")
    lines = [f"{group},{'ab'[n % 2]}," + ",".join(map(str, range(n, n + 9))) for n, group in enumerate(groups)]
    (tmp_path / "s.csv").write_text("\n".join(["patient,label," + ",".join(f"t{n}" for n in range(9)), *lines]))
    found = read_source(tmp_path / "s.csv", group="patient")
    assert [sample.group for sample in found.samples] == ["p1", None, "p1", None, None, None, "p2"]


@pytest.mark.parametrize("dates", [False, True])
def test_a_line_for_every_time(tmp_path: Path, dates: bool) -> None:
    """Lines of several series in any order, a channel in each column, give the series of wide files; one whose lines
    contradict each other, or with a slip, is left out alone, and a model needs no label."""
    values, labels = drawn({"fast": 4, "slow": 4}, length=30, channels=3)
    values = values.round(4)
    rows = [
        [f"s{n}", f"2024-01-{k + 1:02}T00:00" if dates else k, *map(str, values[n, k]), labels[n]]
        for n in range(8) for k in range(30)
    ]  # fmt: skip
    rows[40][-1], rows[70][3] = "slow", "x"
    order = np.random.default_rng(0).permutation(len(rows))
    lines = [",".join(map(str, rows[place])) for place in order]
    (tmp_path / "long.csv").write_text("\n".join(["series,time,ax,ay,az,label", *lines]))
    found = read_source(tmp_path / "long.csv")
    first = list(dict.fromkeys(f"s{place // 30}" for place in order))
    kept = [int(name[1]) for name in first if name not in ("s1", "s2")]
    assert [sample.target for sample in found.samples] == [labels[n] for n in kept]
    np.testing.assert_allclose([sample.source[0] for sample in found.samples], values[kept], rtol=1e-6)
    assert len(found.left_out) == 2
    assert all("'x' is no number" in one or "has another label" in one for one in reasons(found))
    bare = [line.rpartition(",")[0] for line in lines if "x" not in line]
    (tmp_path / "new.csv").write_text("\n".join(["series,time,ax,ay,az", *bare]))
    again = read_series(tmp_path / "new.csv", Asked(read=found.read), labelled=False)
    assert {sample.source.shape for sample in again.samples} == {(1, 30, 3), (1, 29, 3)}


def long_table(folder: Path, time: Callable[[int, int], object], name: str = "series") -> Path:
    """Eight series of 15 lines, the values 0 to 14 in the order of their times; the file has them turned round."""
    lines = [f"s{n},{time(n, k)},{k},{'ab'[n % 2]}" for n in range(8) for k in reversed(range(15))]
    (folder / "long.csv").write_text("\n".join([f"{name},time,x,label", *lines]))
    return folder / "long.csv"


@pytest.mark.parametrize(
    "time",
    [
        lambda n, k: 2 * k, lambda n, k: f"{k / 8}", lambda n, k: f"{9 + k // 2:02}:{30 * (k % 2):02}",
        lambda n, k: f"2020-09-{k + 1:02}", lambda n, k: f"{2019 + (k + 8) // 12}-{(k + 8) % 12 + 1:02}",
        lambda n, k: f"2020-09-01T{10 - k % 2:02}:{k:02}:00{'+02:00' if k % 2 == 0 else '+01:00'}",
    ],
)  # fmt: skip
def test_a_bad_time_costs_its_own_series_alone(tmp_path: Path, time: Callable[[int, int], object]) -> None:
    """Numbers, dates, months and times of day, also of several zones, are times; a cell that is none of the kind, or
    empty, leaves its series out and the order of all others as it is: one had sorted a whole file as text."""
    odd = {(3, 7): "7x", (5, 2): "", (6, 2): "n/a"}
    found = read_source(long_table(tmp_path, lambda n, k: odd.get((n, k), time(n, k))))
    assert [sample.path for sample in found.samples] == [f"long/{n}" for n in (0, 1, 2, 4, 7)]
    for sample in found.samples:
        assert sample.source.ravel().tolist() == list(range(15))
    lines = {n: 2 + 15 * n + 14 - k for n, k in odd}
    assert [item.reason.partition(": ")[2] for item in found.left_out] == [
        f"line {lines[n]}: {word!r} is no time" for (n, _), word in odd.items()
    ]
    assert found.notes == ()


def test_times_of_no_known_kind_are_refused(tmp_path: Path) -> None:
    """9:00 before 10:00, days before months, and numbers among dates are told with the line, not sorted as text."""
    for time, cell, line in (
        (lambda n, k: f"{9 + k // 2}:{30 * (k % 2):02}", "9:30", 15),
        (lambda n, k: f"{1 + k}/9/2020", "15/9/2020", 2),
        (lambda n, k: k if n < 4 else f"2020-09-{k + 1:02}", "2020-09-15", 62),
    ):
        with pytest.raises(StriateError, match=f"times are numbers, or dates .* received: '{cell}'.*, line {line}"):
            read_source(long_table(tmp_path, time))


def test_lines_of_one_time_are_told(tmp_path: Path) -> None:
    """Two lines of a series with one time are both kept, in the order of the file, and it is said."""
    found = read_source(long_table(tmp_path, lambda n, k: 3 if k == 4 and n < 3 else k))
    assert found.samples[0].source.ravel().tolist() == [0, 1, 2, 4, 3, *range(5, 15)]
    assert found.notes == ("3 series have several lines of one time, which follow each other as in the file.",)


def test_a_line_for_every_time_without_a_name_for_its_series(tmp_path: Path) -> None:
    """The refusal names the columns that are wanted, not those of pictures alone."""
    with pytest.raises(StriateError, match=r"needs a column series beside time.*received: the columns trial, time"):
        read_source(long_table(tmp_path, lambda n, k: k, "trial"))


def test_the_label_column_in_doubt(tmp_path: Path) -> None:
    """Two columns of words and neither called label: one clear question, answered by --label-column."""
    rows = ["kind,place," + ",".join(f"t{n}" for n in range(9))]
    rows += [f"{'ab'[n % 2]},{'xyz'[n % 3]}," + ",".join(map(str, range(n, n + 9))) for n in range(6)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    with pytest.raises(
        StriateError, match=r"there must be no doubt which column of a table holds the label.*kind, place"
    ):
        read_source(tmp_path / "t.csv")
    assert read_source(tmp_path / "t.csv", label_column="place").classes == ["x", "y", "z"]
    with pytest.raises(StriateError, match="--label-column names a column of the table"):
        read_source(tmp_path / "t.csv", label_column="plaice")


@pytest.mark.parametrize("header", [False, True])
def test_a_word_among_the_numbers_costs_its_line_alone(tmp_path: Path, header: bool) -> None:
    """One slip leaves out its own line with the reason; the column it stands in stays part of all other series, and
    class names keep their commas between semicolons."""
    rows = [[("a, b", "c")[n % 2], *(f"{n},{k}" for k in range(1, 11))] for n in range(20)]
    rows[4][3] = "x1"
    names = [["kind", *(f"t{k}" for k in range(10))]] if header else []
    file = tmp_path / "s.csv"
    file.write_text("".join(";".join(row) + "\n" for row in names + rows))
    found = read_series(file, Asked())
    assert [item.reason for item in found.left_out] == [f"line {5 + header}: 'x1' is no number"]
    assert found.classes == ["a, b", "c"]
    assert {sample.source.shape for sample in found.samples} == {(1, 10, 1)}
    assert found.samples[0].source[0, :3, 0] == pytest.approx([0.1, 0.2, 0.3])


def test_numbers_and_several_labels(tmp_path: Path) -> None:
    """Labels mean what they do beside pictures: decimals are numbers, columns of 0 and 1 several labels, and a task
    may say so; without a line of names a column has a number."""
    values = np.round(np.random.default_rng(1).normal(size=(12, 9)), 3).tolist()
    rows = [",".join(map(str, [*row, f"{n / 8 + 0.1:.3f}", n % 2, n % 3 % 2])) for n, row in enumerate(values)]
    names = ",".join([*(f"t{n}" for n in range(9)), "label", "hot", "wet"])
    (tmp_path / "t.csv").write_text("\n".join([names, *rows]))
    found = read_source(tmp_path / "t.csv")
    assert (found.task, found.names, found.form) == ("regression", ("label",), "series")
    assert [sample.target for sample in found.samples] == [(round(n / 8 + 0.1, 3),) for n in range(12)]
    assert found.samples[0].source.shape == (1, 11, 1)
    found = read_source(tmp_path / "t.csv", label_column="hot,wet", task="multilabel")
    assert [sample.target for sample in found.samples[:4]] == [(), ("hot", "wet"), (), ("hot",)]
    assert found.names == ("hot", "wet")
    (tmp_path / "plain.csv").write_text("\n".join(rows))
    found = read_source(tmp_path / "plain.csv", label_column="9", task="regression")
    assert found.samples[3].target == (0.475,)
    found = read_source((np.array(values), [n / 2 for n in range(12)]))
    assert (found.task, found.form, found.samples[5].target) == ("regression", "series", (2.5,))


@pytest.mark.parametrize("ending", ["csv", "ts"])
def test_numbers_with_three_decimals(tmp_path: Path, ending: str) -> None:
    """A whole one among them leaves the others what they are; it had been told as 12, as classes are."""
    values = np.round(np.random.default_rng(1).uniform(5, 20, 40), 3)
    values[7] = 12
    series = [",".join(f"{n + k / 2:.1f}" for k in range(9)) for n in range(40)]
    head = "weight," + ",".join(f"t{k}" for k in range(9)) if ending == "csv" else "@targetlabel true\n@data"
    rows = [f"{y:.3f},{x}" if ending == "csv" else f"{x}:{y:.3f}" for x, y in zip(series, values, strict=True)]
    file = tmp_path / f"beans.{ending}"
    file.write_text("\n".join([head, *rows]))
    found = read_source(file, label_column="weight" if ending == "csv" else None)
    assert [sample.target for sample in found.samples] == [(value,) for value in values]
    assert found.notes == ()


def test_arff(tmp_path: Path) -> None:
    """Channels of a relational attribute, missing values and quoted class names; what is malformed has its line."""
    (tmp_path / "two.arff").write_text(RELATIONAL)
    found = read_source(tmp_path / "two.arff")
    assert table(found) == [("walk", [[1, 2, 3], [4, 5, 6]]), ("run fast", [[1, 3, 5], [4, 5, 5]])]
    assert reasons(found) == [
        "line 13: it is not written as 'numbers', class",
        "1 channels where the others have 2",
    ]
    (tmp_path / "one.arff").write_text(PLAIN)
    found = read_source(tmp_path / "one.arff")
    assert table(found) == [("1", [[1.5, 2, 3]]), ("2", [[2, 2, 4]])]
    assert reasons(found) == ["line 9: 3 values for 4 attributes", "line 10: sparse ARFF is not read"]
    (tmp_path / "none.arff").write_text(RELATIONAL.replace('@attribute kind {walk, "run fast"}\n', ""))
    with pytest.raises(StriateError, match="has an attribute of classes"):
        read_source(tmp_path / "none.arff")


def test_arff_of_numbers(tmp_path: Path) -> None:
    """Without an attribute of classes the last one is what is learned, and none is where all are a model's values."""
    values = np.round(np.random.default_rng(0).normal(size=(30, 10)), 3)
    head, rows = "@relation x\n", [",".join(map(str, row)) for row in values.tolist()]
    head += "".join(f"@attribute a{n} numeric\n" for n in range(9))
    (tmp_path / "y.arff").write_text(f"{head}@attribute y numeric\n@data\n" + "\n".join(rows))
    found = read_source(tmp_path / "y.arff")
    assert found.task == "regression"
    assert [sample.target for sample in found.samples] == [(row[9],) for row in values.tolist()]
    (tmp_path / "new.arff").write_text(f"{head}@data\n" + "\n".join(row.rpartition(",")[0] for row in rows))
    for name in ("y", "new"):
        again = read_series(tmp_path / f"{name}.arff", Asked(read=found.read), labelled=False)
        assert [sample.source.tobytes() for sample in again.samples] == [s.source.tobytes() for s in found.samples]


def test_quoted_classes_with_commas(tmp_path: Path) -> None:
    """Names in either kind of quotes keep their commas, whichever the other names have."""
    head = "@relation x\n" + "".join(f"@attribute a{n} numeric\n" for n in range(3))
    rows = ['1,2,3,"one, two"', "1,2,4,three", "1,2,5,'four, five'", '1,2,6,"it\'s"']
    (tmp_path / "q.arff").write_text(head + '@attribute class {"one, two",three}\n@data\n' + "\n".join(rows))
    found = read_source(tmp_path / "q.arff")
    assert [sample.target for sample in found.samples] == ["one, two", "three", "four, five", "it's"]


def test_ts(tmp_path: Path) -> None:
    """Channels apart by colons, also of unequal length and with times; what is malformed has its line."""
    (tmp_path / "two.ts").write_text(TS)
    found = read_source(tmp_path / "two.ts")
    assert table(found) == [("walk", [[1, 2, 3], [4, 5, 6]]), ("run", [[1, 2, 2, 2], [4, 5, 6, 7]])]
    assert reasons(found) == ["line 9: 'x' is no number", "line 10: no class behind the last colon"]
    bare = TS.replace(":run", "")  # its last channel had become the class
    (tmp_path / "bare.ts").write_text(bare)
    lost = read_source(tmp_path / "bare.ts").left_out
    assert {("no class behind the last colon", "")} == {(i.reason.partition(": ")[2], i.label) for i in lost[:1]}
    (tmp_path / "timed.ts").write_text("@timeStamps true\n@classLabel true a b\n@data\n(0,1.5),(1,2),(2,3):a\n")
    assert table(read_source(tmp_path / "timed.ts")) == [("a", [[1.5, 2, 3]])]
    pairs = ",".join(f"(2020-01-01 0{n}:00:00,{n / 2})" for n in range(9))
    (tmp_path / "dated.ts").write_text(f"@classLabel true a b\n@data\n{pairs}:{pairs}:a (1)\n{pairs}:{pairs}:b\n")
    steps = [n / 2 for n in range(9)]
    assert table(read_source(tmp_path / "dated.ts")) == [("a (1)", [steps, steps]), ("b", [steps, steps])]
    (tmp_path / "none.ts").write_text(TS.replace("@classLabel true walk run", "@classLabel false"))
    with pytest.raises(StriateError, match="has classes"):
        read_source(tmp_path / "none.ts")


def test_one_set_in_several_formats(tmp_path: Path) -> None:
    """Archives hold the same set several times, and single channels: the one called like its folder is read, once."""
    folder = tmp_path / "Two"
    folder.mkdir()
    for part in ("TRAIN", "TEST"):
        (folder / f"Two_{part}.arff").write_text(RELATIONAL)
        (folder / f"Two_{part}.ts").write_text(TS)
        (folder / f"TwoDimension1_{part}.arff").write_text(PLAIN)
    found = read_source(folder)
    assert [(s.path, s.target) for s in found.samples] == [
        ("train/0", "walk"), ("train/1", "run"), ("test/0", "walk"), ("test/1", "run"),
    ]  # fmt: skip
    folder.rename(tmp_path / "Other")
    with pytest.raises(StriateError, match="a folder holds one set of series"):
        read_source(tmp_path / "Other")


def test_packed_arrays(tmp_path: Path) -> None:
    """(N, L) in .npz or X.npy and y.npy are series; so are (N, C, L) and (N, L, C) if that is said."""
    values, labels = drawn({"fast": 4, "slow": 5})
    np.savez(tmp_path / "waves.npz", X_train=values, y_train=labels, X_test=values[::2], y_test=labels[::2])
    found = read_source(tmp_path / "waves.npz")
    assert (found.form, len(found.samples), found.samples[-1].part) == ("series", 14, "test")
    np.testing.assert_allclose(found.samples[3].source[0, :, 0], values[3], rtol=1e-6)
    folder = tmp_path / "pair"
    folder.mkdir()
    np.save(folder / "X.npy", values)
    np.save(folder / "y.npy", np.array(labels))
    assert read_source(folder).form == "series"
    several, labels = drawn({"fast": 4, "slow": 5}, channels=3)
    for axes in ((0, 1, 2), (0, 2, 1)):
        found = read_source((several.transpose(axes), labels), form="series")
        np.testing.assert_allclose(found.samples[5].source[0], several[5], rtol=1e-6)
    assert read_source((several, labels)).form == "picture"


def test_a_list_of_unequal_series() -> None:
    """In Python a list of one-axis arrays holds series, whatever their lengths; groups and missing labels as usual."""
    values = [np.arange(5.0), np.arange(7.0), np.array([1.0, np.nan, 3.0]), np.ones(1), np.ones(0), np.full(4, 1j)]
    found = read_source((values, ["a", "b", None, "b", "a", "a"], ["g", "g", "h", "h", "h", "h"]))
    assert [sample.source.shape for sample in found.samples] == [(1, 5, 1), (1, 7, 1)]
    assert reasons(found) == [
        "no label",
        *(f"{count}, and a series has at least 3" for count in ("1 value", "0 values")),
        "complex numbers are not supported; give their parts as two channels",
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(arrays(np.float64, st.tuples(st.integers(0, 9), st.integers(1, 3)), elements=st.floats(allow_nan=True)))
def test_whatever_the_numbers(values: np.ndarray) -> None:
    """A series is finite, or is refused with a reason; values that were there and fit into float32 stay as they are."""
    try:
        ours, filled = as_series(values)
    except ValueError:
        return
    assert np.isfinite(ours).all()
    there = np.abs(values[: ours.shape[1]]) < 3e38
    np.testing.assert_array_equal(ours[0][there], values[: ours.shape[1]][there].astype(np.float32))
    assert filled == (not there.all())


def test_what_is_no_series(tmp_path: Path) -> None:
    """Folders of pictures, tables of pictures with many numbers, prose and short tables are left to other readers."""
    draw_folder(tmp_path / "pictures", {"a": 2, "b": 2})
    assert not is_series(tmp_path / "pictures")
    (tmp_path / "notes.txt").write_text("one two three\nfour five\n" * 20)
    (tmp_path / "numbers.csv").write_text("path,a,b\nx.png,1,2\ny.png,3,4\n")
    rows = [f"{name}.png," + ",".join("1" * 12) for name in "abcdef"]
    (tmp_path / "labels.csv").write_text("\n".join(["path," + ",".join("abcdefghijkl"), *rows]))
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "empty_TRAIN.txt").write_text("")
    for name in ("notes.txt", "numbers.csv", "labels.csv", "bytes.csv", "empty_TRAIN.txt", "missing.csv"):
        assert not is_series(tmp_path / name), name
    assert not is_series(tmp_path)
    with pytest.raises(StriateError, match="series are rows of numbers"):
        read_series(tmp_path / "notes.txt", Asked())


def test_classes_are_those_of_the_waves(tmp_path: Path) -> None:
    """The drawn series themselves: two classes, equally many."""
    found = read_source(write_ucr(tmp_path))
    assert found.classes == sorted(WAVES)


def numbers(rows: int = 12, width: int = 9) -> list[list[str]]:
    """Cells with decimals, no two alike."""
    return [[f"{value:.3f}" for value in row] for row in np.random.default_rng(3).normal(size=(rows, width))]


def written(folder: Path, rows: list[list[str]], head: str = "", mark: str = ",", name: str = "s.csv") -> Path:
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in [head, *map(mark.join, rows)] if line))
    return file


@pytest.mark.parametrize("classes", ["ab", "10"])
@pytest.mark.parametrize("first", [0, 1])
def test_a_line_that_counts_the_columns_is_no_series(tmp_path: Path, classes: str, first: int) -> None:
    """What pandas writes above columns without names, with and without its index, shuffled too, or beside one name,
    gives the series of the same table without that line; it had been a series of a class of its own."""
    rows = [[classes[n % 2], *cells] for n, cells in enumerate(numbers())]
    plain = read_source(written(tmp_path, rows, name="plain.csv"))
    assert (len(plain.samples), plain.classes, plain.notes) == (12, sorted(classes), ())
    head = ",".join(str(first + n) for n in range(10))
    counted = read_source(written(tmp_path, rows, head))
    assert (table(counted), counted.read, counted.left_out) == (table(plain), plain.read, [])
    order = np.random.default_rng(0).permutation(12)
    indexed = read_source(written(tmp_path, [[str(order[n]), *row] for n, row in enumerate(rows)], f",{head}"))
    assert table(indexed) == table(plain)
    assert indexed.notes == ("The first column counts the lines and is left out.",)
    assert table(read_source(written(tmp_path, rows, f",{head}"[1:]), label_column=str(first))) == table(plain)
    named = read_source(written(tmp_path, rows, "label," + ",".join(str(first + n) for n in range(9))))
    assert table(named) == table(plain)
    for name, cells in (("s.csv", rows), ("new.csv", [row[1:] for row in rows])):  # a model reads both, counted or not
        for line in ("", ",".join(map(str, range(len(cells[0]))))):
            again = read_series(written(tmp_path, cells, line, name=name), Asked(read=named.read), labelled=False)
            assert [sample.source.tobytes() for sample in again.samples] == [s.source.tobytes() for s in plain.samples]


def test_a_series_that_rises_by_one_stays_one(tmp_path: Path) -> None:
    """A first line of numbers that rise by one counts no columns where its class, or another such line, is below."""
    ramp = [str(n) for n in range(1, 10)]
    for rows in ([["a", *ramp], *(["ab"[n % 2], *row] for n, row in enumerate(numbers()))],
                 [[str(n % 2), *(str(n + int(cell)) for cell in ramp)] for n in range(6)]):  # fmt: skip
        found = read_source(written(tmp_path, rows))
        assert [(sample.target, sample.source.shape) for sample in found.samples] == [(r[0], (1, 9, 1)) for r in rows]


@pytest.mark.parametrize("place", [0, 9])
@pytest.mark.parametrize("start", [0, 1, 1000])
def test_a_column_that_counts_the_lines_is_no_label(tmp_path: Path, place: int, start: int) -> None:
    """Without names too the class is the next or the last column; a model leaves the count out, with a label or none.
    It had been learned as a number, and the class as a value."""
    values = numbers()
    rows = [[str(start + n), *row[:place], str(n % 2), *row[place:]] for n, row in enumerate(values)]
    found = read_source(written(tmp_path, rows))
    assert [sample.target for sample in found.samples] == [str(n % 2) for n in range(12)]
    expected = np.array(values, np.float32)
    assert found.notes == ("The first column counts the lines and is left out.",)
    bare = [row[: place + 1] + row[place + 2 :] for row in rows]
    for cells in (rows, bare, values) if place else (rows, values):  # else a count may be the class
        again = read_series(written(tmp_path, cells, name="new.csv"), Asked(read=found.read), labelled=False)
        np.testing.assert_array_equal([sample.source[0, :, 0] for sample in again.samples], expected)
    np.testing.assert_array_equal([sample.source[0, :, 0] for sample in found.samples], expected)
    asked = read_source(written(tmp_path, rows), label_column=str(place + 1))
    assert table(asked) == table(found)


def test_a_column_of_one_number_is_no_label(tmp_path: Path) -> None:
    """Recordings that begin with zeros, the class last: the class is what differs, the zeros are values. A column of
    whole numbers that differ is the class as before, though the last could be one."""
    rows = [["0.0", *row, str(n % 3)] for n, row in enumerate(numbers())]
    found = read_source(written(tmp_path, rows))
    assert [sample.target for sample in found.samples] == [str(n % 3) for n in range(12)]
    assert {sample.source.shape for sample in found.samples} == {(1, 10, 1)}
    rows = [[str(n % 2), *row, str(n % 3)] for n, row in enumerate(numbers())]
    assert [sample.target for sample in read_source(written(tmp_path, rows)).samples] == [row[0] for row in rows]


def test_classes_stay_as_they_are_written(tmp_path: Path) -> None:
    """As in a table of pictures: 1_1 is not 11, 01 not 1, 1e3 and none are classes; whole numbers beside decimals are
    the same ones, and a value with a mark that Python takes for a number leaves its line out."""
    head = "class," + ",".join(f"t{n}" for n in range(9))
    for names, told in (
        (["1_1", "11", "1_2"], None), (["01", "02", "10"], None), (["1e3", "2", "3"], None),
        (["none", "-", "up"], None),
        (["1.0", "2", "-3."], ["1", "2", "-3"]), (["1.0000000e+00", "1.1000000E+01", "-2.0e+00"], ["1", "11", "-2"]),
    ):  # fmt: skip
        rows = [[names[n % 3], *row] for n, row in enumerate(numbers())]
        for line in (head, ""):
            found = read_source(written(tmp_path, rows, line))
            assert [sample.target for sample in found.samples] == [(told or names)[n % 3] for n in range(12)]
    rows[4][3] = "1_000"
    assert reasons(read_source(written(tmp_path, rows))) == ["line 5: '1_000' is no number"]


def test_one_line_is_a_table_for_a_model(tmp_path: Path) -> None:
    """A model is asked about a single series in a file, of words where its class is or without; it had been refused."""
    rows = [["ab"[n % 2], *row] for n, row in enumerate(numbers(width=5))]
    found = read_source(written(tmp_path, rows), form="series")  # which says that five values are enough
    assert found.read["length"] == 5
    shape = Shape(height=1, width=5, channels=1, form="series")
    for cells in (rows[:1], [rows[0][1:]]):
        file = written(tmp_path, cells, name="new.csv")
        assert not is_series(file)
        ((name, values),) = items(file, shape, {"series": found.read})
        assert name == "new/0"
        np.testing.assert_array_equal(values[0, :, 0], np.array(rows[0][1:], np.float32))
        ((name, sent),) = items_sent(file.read_bytes(), "new.csv", shape, {"series": found.read})
        assert (name, sent.tobytes()) == ("new/0", values.tobytes())


@pytest.mark.parametrize("mark", [",", ";", "\t", " "])
def test_the_separator_leaves_most_numbers(tmp_path: Path, mark: str) -> None:
    """Lists of labels, a stray mark and decimal commas do not change where cells end."""
    labels = ["walk", "run|walk" if mark == ";" else "walk;run", "run"]
    rows = [[labels[n % 3], *row] for n, row in enumerate(numbers())]
    plain = [[float(cell) for cell in row[1:]] for row in rows]
    if mark != ",":
        rows = [[row[0], *(cell.replace(".", ",") for cell in row[1:])] for row in rows]
    elif mark != "\t":
        rows[5][0] = "\t" + rows[5][0]
    found = read_source(written(tmp_path, rows, mark=mark), label_column="0", task="multilabel")
    assert [sample.target for sample in found.samples[:3]] == [("walk",), ("run", "walk"), ("run",)]
    np.testing.assert_allclose([sample.source[0, :, 0] for sample in found.samples], plain, rtol=1e-6)
    again = read_series(written(tmp_path, [row[1:] for row in rows], mark=mark), Asked(read=found.read), labelled=False)
    assert [sample.source.tobytes() for sample in again.samples] == [s.source.tobytes() for s in found.samples]


def test_what_is_learned_has_the_name_of_its_attribute(tmp_path: Path) -> None:
    """A number in an ARFF file is called as there, not "label"."""
    head = "@relation x\n" + "".join(f"@attribute a{n} numeric\n" for n in range(9)) + "@attribute temp numeric\n@data"
    found = read_source(written(tmp_path, numbers(30, 10), head, name="t.arff"))
    assert (found.task, found.names) == ("regression", ("temp",))


def test_columns_of_paths_are_no_example_of_a_label(tmp_path: Path) -> None:
    """Where the label is in doubt, the column that is named as an example holds no pictures."""
    rows = [[f"{side}{n}.jpg" for side in ("centre", "left", "right")] + [f"{n / 8}", f"{n}"] for n in range(5)]
    file = written(tmp_path, rows, "centre,left,right,steering,speed")
    with pytest.raises(StriateError, match="name it, for example --label-column 'steering'"):
        read_source(file)


def test_a_table_of_texts_is_told_how_its_column_is_named(tmp_path: Path) -> None:
    """Words and labels without a path may be texts: --text is named beside the columns that pictures need."""
    with pytest.raises(StriateError, match="a column of texts is named by --text"):
        read_source(written(tmp_path, [["good", "it works well"], ["bad", "it broke after a week"]], "label,review"))


def test_series_without_a_label_are_told_how_to_name_it(tmp_path: Path) -> None:
    """Of decimals in every column none is plainly the label: the option that says which is named."""
    found = read_source(written(tmp_path, numbers()))
    with pytest.raises(StriateError, match=r"readable series.*received: no series; .*say which column holds the label"):
        require_trainable(found)


def test_folders_of_text_are_told_what_a_series_is(tmp_path: Path) -> None:
    """Text files in class folders are no pictures; that series and texts are lines of a table is said."""
    for name in "ab":
        (tmp_path / name).mkdir()
        written(tmp_path / name, numbers(1))
    with pytest.raises(StriateError, match="series and texts are lines of a table"):
        require_trainable(read_source(tmp_path))
