"""Pictures of a folder get the labels that a table or their own names give them, however either is written."""

import csv
import io
import tempfile
import time
import unicodedata
from pathlib import Path

import pytest
from drawn_scenes import write_table
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data.labels import _Index, _Join, _pictures, _take
from striate.data.sample import Row, Sample
from striate.data.sources import read_source, require_trainable
from striate.data.targets import meaning_of
from striate.errors import StriateError
from striate.train.settings import Settings


def touch(folder: Path, *names: str) -> Path:
    """Files with the names of pictures; nothing decodes them here."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def joined(folder: Path, text: str | bytes, **options: object) -> tuple[dict[str, str], dict[str, str]]:
    """The labels by picture, and the reasons by what was left out."""
    file = folder / "labels.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = read_source(folder, labels=file, **options)
    assert found.kind == "labels"
    return {s.path: s.target for s in found.samples}, {item.path: item.reason for item in found.left_out}


def refused(folder: Path, **options: object) -> str:
    with pytest.raises(StriateError) as caught:
        read_source(folder, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("files", "rows"),
    [
        (("1.png", "2.png", "3.png"), ("1", "2", "3")),
        (("IMG_00001.png", "IMG_00002.png", "IMG_00010.png"), ("1", "2", "10")),
        (("IMG_0001.png", "IMG_0002.png", "IMG_0010.png"), ("IMG_1", "img_2", "IMG_10")),
        (("p1_s01.png", "p1_s02.png", "p2_s01.png"), ("p01_s1", "p01_s2", "p02_s1")),
        (("08.png", "09.png", "10.png"), ("8", "9", "10")),
        (("8.png", "9.png", "10.png"), ("08", "09", "10")),
        (("1.png", "2.png", "3.png"), ("1.0", "2.0", "3.0")),
        (("scan2023_101.tif", "scan2023_102.tif", "scan2023_110.tif"), ("101", "102", "110")),
        (("P001_40x.tif", "P002_40x.tif", "P010_40x.tif"), ("1", "2", "10")),
        (("a.png", "b.png", "c.png"), ("A", "B", "C")),
        (("A.PNG", "B.Png", "c.jpeg"), ("a.png", "b.jpg", "C.JPG")),
        (("x/a.png", "x/b.png", "y/c.png"), ("a.png", "b", "c.png")),
        (("x/a.png", "x/b.png", "y/a.png"), ("x/a.png", "x/b.png", "y/a.png")),
        (("a.png", "b.png", "c.png"), (r"D:\my pictures\a.png", r"D:\my pictures\b.png", r"D:\my pictures\c.png")),
        (("x/a.png", "x/b.png", "y/a.png"), (r".\x\a.png", r".\x\b.png", r"C:\data\Y\a.PNG")),
        (("a.v1.png", "a.v2.png", "b.png"), ("a.v1", "a.v2", "b")),
        (("1.png", "2.png", "3.png"), ("ISIC_0000001", "ISIC_0000002", "ISIC_0000003")),
        (("é.png", "ü.png", "ß.png"), tuple(unicodedata.normalize("NFD", name) for name in "éüß")),
        (("a.png", "b.png", "c.png"), ("https://host/x/a.png", "https://host/x/b.png", "https://host/x/c.png")),
    ],
)
@pytest.mark.parametrize("header", ["id,label\n", "label_column,Bild\n", ""])
def test_names_and_numbers(tmp_path: Path, files: tuple, rows: tuple, header: str) -> None:
    """A line finds its picture by name or number, whatever the case, the ending, the zeros and the folders."""
    labels = ("cat", "dog", "cat")
    swap = header.startswith("label_column")
    pairs = [(label, row) if swap else (row, label) for row, label in zip(rows, labels, strict=True)]
    got, left = joined(touch(tmp_path, *files), header + "".join(f"{a},{b}\n" for a, b in pairs))
    assert got == dict(zip(files, labels, strict=True))
    assert not left


@pytest.mark.parametrize(
    "text",
    [
        "id,label\n1,cat\n2,dog\n",
        "\ufeffid;label\r\n1;cat\r\n\r\n2;dog\r\n;\r\n",
        "# what the scanner wrote\n# on 2 May, at noon, by hand\n\nid,label\n1,cat\n2,dog\n",
        "#id,label\n1,cat\n2,dog\n",
        "# one\r\n#id,dx\r\n1,cat\r\n2,dog\r\n",
        '# columns: "id", "label" (class)\n# "id", "label"\nid,label\n1,cat\n2,dog\n',
        "# scanned 2024-05-02, by Bob\n1,cat\n2,dog\n",
        "# by hand\n1 cat\n2 dog\n",
        "sep=;\n" + "# one, two\n" * 120 + "id;label\n1;cat\n2;dog\n",
        "# one, two, three\n" * 120 + "id;label\n1;cat\n2;dog\n",
        'sep=;\r\n"id";"label"\r\n"1";"cat "\r\n"2";" dog"\r\n',
        "label\tsplit\tid\ncat\ttrain\t1\ndog\ttest\t2\n",
        ",id,label\n0,1,cat\n1,2,dog\n",
        "ID , Breed\n1 , cat\n2 , dog\n\n\n",
        "id|label\n1|cat\n2|dog",
        "id,cat,dog\n1,1.0,0.0\n2,0.0,1.0\n",
        "id,cat,dog\n1,1,0\n2,0,1\n",
        "id,cat,dog\n1,True,False\n2,False,True\n",
        "1;cat\n2;dog\n",
        "id,target\n1,cat\n2,dog\n".encode("utf-16"),
        "id,target\n1,cat\n2,dog\n".encode("utf-16-le"),
        "Größe,id,label\nx,1,cat\ny,2,dog\n".encode("cp1252"),
    ],
)
def test_ways_of_writing_a_table(tmp_path: Path, text: str | bytes) -> None:
    """Marks, encodings, separators, quotes, blanks, empty lines, orders and columns of classes make no difference."""
    got, left = joined(touch(tmp_path, "1.png", "2.png"), text)
    assert got == {"1.png": "cat", "2.png": "dog"}
    assert not left


@pytest.mark.parametrize("comment", ["# a\n#\n\n", "# scanned, by Bob\n\n\n", "\r\n# a\r\n# b\r\n"])
def test_lines_below_comments_keep_their_numbers(tmp_path: Path, comment: str) -> None:
    """Comments count as lines, whether the line of names is one of them or not."""
    for names in ("id,label\n", "#id,label\n"):
        got, left = joined(touch(tmp_path, "1.png", "2.png"), f"{comment}{names}1,cat\n2,dog\n9,cat\n")
        assert got == {"1.png": "cat", "2.png": "dog"}
        assert list(left.values()) == ["line 7: no such picture"]


def test_numbers_as_labels(tmp_path: Path) -> None:
    """1.0, as tables with gaps write whole numbers, is 1; a label that is a version number stays what it is."""
    folder = touch(tmp_path, "a.png", "b.png", "c.png")
    got, left = joined(folder, "id,label\na,0.0\nb,1\nc,\n")
    assert (got, left) == ({"a.png": "0", "b.png": "1"}, {"c.png": "line 4: no label"})
    assert joined(folder, "id,label\na,1.0\nb,1.1\nc,1.0\n")[0] == {"a.png": "1.0", "b.png": "1.1", "c.png": "1.0"}
    assert joined(folder, "id,label\na,01\nb,1\nc,nan\n")[0] == {"a.png": "01", "b.png": "1"}


def test_every_mismatch_is_listed(tmp_path: Path) -> None:
    """What is on one side only, doubled, contradictory or doubtful is left out, each with its reason."""
    folder = touch(tmp_path, *(f"{n}.png" for n in range(1, 8)), "x/8.png", "y/8.png", "notes.txt")
    text = "id,label,part\n1,a,\n2,b,\n3,a,\n3,b,\n4,a,\n4,a,\n5,,\n6,a,weekday\n8,a,\n99,b,\n,a,\n"
    got, left = joined(folder, text)
    assert got == {"1.png": "a", "2.png": "b", "4.png": "a"}
    assert left == {
        "notes.txt": "empty file",
        "3.png": "lines 4, 5 give it different labels",
        "4.png": "line 7: the same picture as in line 6",
        "5.png": "line 8: no label",
        "6.png": "line 9: 'weekday' is not one of train, validation, test",
        "7.png": "named by no line of labels.csv",
        "8": "line 10: fits x/8.png, y/8.png",
        "99": "line 11: no such picture",
        "": "line 12: no path",
        "x/8.png": "line 10 fits other pictures too",
        "y/8.png": "line 10 fits other pictures too",
    }


@pytest.mark.parametrize("prefix", ["", "D:\\sets\\"])
def test_many_pictures_of_one_name(tmp_path: Path, prefix: str) -> None:
    """Thousands that differ in their folders alone are told apart, in a time that grows as their number does; as does
    that of lines which fit all of them."""
    paths = [f"p{number}/study/view.png" for number in range(3000)]
    samples = [Sample(path=path, source=tmp_path / path, target="") for path in paths]
    index, begun = _Index(paths), time.process_time()
    written = [f"{prefix}P{number}\\study\\view.png" for number in range(3000)]
    assert [index.find(name) for name in written] == [(0, [number]) for number in range(3000)]
    join = _Join(meaning=meaning_of([["a"], ["b"]], (0,), ("label",), None))
    fits = [index.find("view.png")[1] for _ in paths]
    for line, numbers in enumerate(fits):
        _take(join, samples, 0, numbers, Row(line=line, name="view.png", target="a"))
    assert time.process_time() - begun < 2  # a minute where each line looks at all
    assert {item.reason.partition(": ")[2] for _, item in join.left_out} == {
        "fits p0/study/view.png, p1/study/view.png, p2/study/view.png and 2,997 more"
    }
    assert len(_pictures(join, samples, "t.csv")[1]) == 3000


def test_an_exact_name_comes_before_a_loose_one(tmp_path: Path) -> None:
    """A line that means a picture by number does not take it from the line that names it."""
    got, left = joined(
        touch(tmp_path, "1.png", "img2.png", "03.png"), "id,label\n2,a\nimg2.png,b\n1,a\n3.png,b\n03,a\n"
    )
    assert got == {"1.png": "a", "img2.png": "b", "03.png": "a"}
    assert left["img2.png"] == "line 2: the same picture as in line 3"
    assert left["03.png"] == "line 5: the same picture as in line 6"


def test_other_names_do_not_hide_the_number_that_tells(tmp_path: Path) -> None:
    """Pictures of another pattern beside them change nothing; where two numbers differ, none is taken."""
    folder = touch(tmp_path, "study7_P01.png", "study7_P02.png", "thumb.png", "d1_s8.png", "d2_s9.png")
    got, left = joined(folder, "id,label\n1,a\n2,b\n8,b\n")
    assert got == {"study7_P01.png": "a", "study7_P02.png": "b"}
    assert left["8"] == "line 4: no such picture"


@pytest.mark.parametrize("written", ["scan_1", "SCAN_1.PNG", "x/scan_1.png"])
def test_another_spelling_of_a_name_contradicts_too(tmp_path: Path, written: str) -> None:
    """Case, ending and folder make no other picture; the same label twice is no contradiction."""
    folder = touch(tmp_path, "x/scan_1.png", "x/scan_2.png")
    got, left = joined(folder, f"id,label\nscan_1.png,a\nscan_2.png,b\n{written},b\nscan_2,b\n")
    assert got == {"x/scan_2.png": "b"}
    assert left["x/scan_1.png"] == "lines 2, 4 give it different labels"


def test_folders_that_differ_are_other_pictures(tmp_path: Path) -> None:
    """patient1/1.png is not patient2/1.png, and another's number is not mine."""
    got, left = joined(touch(tmp_path, "p2/1.png", "p3/1.png"), "path,label\np1/1.png,a\np2/1.png,b\np3/1.png,a\n")
    assert got == {"p2/1.png": "b", "p3/1.png": "a"}
    assert left == {"p1/1.png": "line 2: no such picture"}
    text = "id,label\nISIC_2,a\nISIC_3,b\nHAM_4,a\n"
    got, left = joined(touch(tmp_path / "n", "ISIC_2.png", "ISIC_3.png", "ISIC_4.png"), text)
    assert got == {"ISIC_2.png": "a", "ISIC_3.png": "b"}
    assert set(left) == {"HAM_4", "ISIC_4.png"}


def test_marks_of_two_classes(tmp_path: Path) -> None:
    """In columns of classes a line with two marks, or none, is left out and says so."""
    folder = touch(tmp_path, *(f"{n:02}.png" for n in range(30)))
    rows = "".join(f"{n},{n % 2},{1 - n % 2}\n" for n in range(28))
    got, left = joined(folder, f"id,cat,dog\n{rows}28,1,1\n29,0,0\n")
    assert got == {f"{n:02}.png": "cat" if n % 2 else "dog" for n in range(28)}
    assert left == {"28.png": "line 30: marked as cat and dog", "29.png": "line 31: no label"}


def test_the_column_of_labels_must_be_plain(tmp_path: Path) -> None:
    """With several columns that could be the label one is asked for, and --label-column names it."""
    folder, text = touch(tmp_path, "1.png", "2.png", "3.png"), "image_id,dx,age\n1,mel,45\n2,nv,61\n3,nv,\n"
    (folder / "t.csv").write_text(text)
    assert "--label-column 'dx'" in refused(folder, labels=folder / "t.csv")
    found = read_source(folder, labels=folder / "t.csv", label_column=" DX")
    assert [s.target for s in found.samples] == ["mel", "nv", "nv"]
    assert found.labels == "t.csv image_id → dx"
    assert "did you mean 'dx'?" in refused(folder, labels=folder / "t.csv", label_column="dxx")
    (folder / "t.csv").write_text("nr,number,label\n1,2,a\n2,3,b\n3,1,a\n")
    assert "which column of a table names the pictures" in refused(folder, labels=folder / "t.csv")
    (folder / "t.csv").write_text("id,label\nx,a\ny,b\n")
    (folder / "deep/empty").mkdir(parents=True)
    assert "holds pictures. received: none" in refused(folder / "deep", labels=folder / "t.csv")
    assert "must name pictures of the folder. received: x, a" in refused(folder, labels=folder / "t.csv")
    assert "give their folder, or a line per picture" in refused(folder, labels=folder / "t.csv")  # and not per well
    assert "the table must be readable" in refused(folder, labels=folder / "gone.csv")


@pytest.mark.parametrize("header", [True, False])
def test_of_several_columns_of_pictures_the_first_is_taken_and_said(tmp_path: Path, header: bool) -> None:
    """A table alone and one beside a folder are read alike, with names of their own or given ones; where cells are no
    names of files, two columns of numbers leave a doubt."""
    titles, kinds = ["centre", "left", "right", "kind"], ("a", "b", "c")
    rows = [
        [rf"C:\drive\IMG\{camera}_{number}.png" for camera in titles[:3]] + [kind] for number, kind in enumerate(kinds)
    ]
    touch(tmp_path / "IMG", *(row[n].rpartition("\\")[2] for row in rows for n in range(3)))
    table = write_table(tmp_path / "log.csv", [titles, *rows] if header else rows)
    asked = {"label_column": "kind", "columns": None if header else ",".join(titles)}
    alone, beside = read_source(table, **asked), read_source(tmp_path / "IMG", labels=table, **asked)
    for found in (alone, beside):
        assert {Path(s.path).name: s.target for s in found.samples} == {
            f"centre_{n}.png": k for n, k in enumerate(kinds)
        }
        assert found.labels == "log.csv centre → kind (pictures in left, right are not used)"
    (tmp_path / "t.csv").write_text("nr,number,label\n1,2,a\n2,3,b\n3,1,a\n")
    touch(tmp_path / "n", "1.png", "2.png", "3.png")
    assert "in the first line or with --columns" in refused(tmp_path / "n", labels=tmp_path / "t.csv")


def test_lines_of_json_are_told_how_to_become_a_table(tmp_path: Path) -> None:
    """The remedy is Python's: what pandas writes so is read."""
    folder = touch(tmp_path, "1.png", "2.png")
    lines = folder / "metadata.jsonl"
    lines.write_text('{"file_name": "1.png", "label": "cat"}\n{"file_name": "2.png", "label": "dog"}\n')
    told = refused(folder, labels=lines)
    assert "pandas.read_json('metadata.jsonl', lines=True).to_csv('labels.csv', index=False)" in told
    pandas = pytest.importorskip("pandas")
    pandas.read_json(lines, lines=True).to_csv(folder / "labels.csv", index=False)
    found = read_source(folder, labels=folder / "labels.csv")
    assert {s.path: s.target for s in found.samples} == {"1.png": "cat", "2.png": "dog"}


def test_groups_and_parts_of_a_joined_table(tmp_path: Path) -> None:
    """The table's group, part and order are used; without a part, folders called train and test give it."""
    folder = touch(tmp_path, "train/p1_1.png", "train/p1_2.png", "test/p2_3.png")
    (folder / "t.csv").write_text("file,label,animal,split\np1_1,a,rex,\np1_2,b,rex,val\np2_3,a,tom,\n")
    facts = [(s.path, s.group, s.part) for s in read_source(folder, labels=folder / "t.csv", group="animal",
                                                            label_column="label").samples]  # fmt: skip
    assert facts == [
        ("train/p1_1.png", "rex", "train"),
        ("train/p1_2.png", "rex", "validation"),
        ("test/p2_3.png", "tom", "test"),
    ]
    found = read_source(folder, labels=folder / "t.csv", group=r"(p\d)_")
    assert [s.group for s in found.samples] == ["p1", "p1", "p2"]


def test_the_only_table_of_a_folder_is_used(tmp_path: Path) -> None:
    """Pictures beside one table that fits are read with it; the classes "train" and "test" are never made."""
    folder = touch(tmp_path / "flat", "1.png", "2.png", "3.png", "4.png")
    (folder / "train.csv").write_text("id,breed\n1,cat\n2,dog\n3,cat\n4,dog\n")
    found = read_source(folder)
    assert (found.kind, found.classes, found.labels) == ("labels", ["cat", "dog"], "train.csv id → breed")
    assert not found.left_out
    folder = touch(tmp_path / "kaggle", "train/1.png", "train/2.png", "test/3.png")
    assert "pictures directly in test, train" in refused(folder)
    (folder / "labels.tsv").write_text("id\tlabel\n1\ta\n2\tb\n")
    found = read_source(folder)
    assert {s.path: (s.target, s.part) for s in found.samples} == {
        "train/1.png": ("a", "train"),
        "train/2.png": ("b", "train"),
    }
    assert [item.path for item in found.left_out] == ["test/3.png"]
    (folder / "second.csv").write_text("id,label\n1,b\n2,a\n")
    assert "--labels labels.tsv" in refused(folder)


@pytest.mark.parametrize("name", ["imgs_part_{}", "images_00{}", "patient0000{}"])
def test_folders_that_only_hold_pictures_are_no_classes(tmp_path: Path, name: str) -> None:
    """Numbered folders beside a table that names their pictures are refused, or read with it where it is the only one;
    they are classes where it is about others, where it has their names, or where that is said."""
    folder = touch(tmp_path, *(f"{name.format(n % 3)}/p{n}.png" for n in range(9)))
    table = folder / "metadata.csv"
    table.write_text("id,dx,age\n" + "".join(f"p{n},{'ab'[n % 2]},{n}\n" for n in range(9)))
    assert "--labels metadata.csv, with --label-column; --task classification" in refused(folder)
    assert read_source(folder, task="classification").kind == "classes"
    assert read_source(folder, label_column="dx").classes == ["a", "b"]
    table.write_text("id,dx\n" + "".join(f"p{n},{'ab'[n % 2]}\n" for n in range(9)))
    assert read_source(folder).labels == "metadata.csv id → dx"
    table.write_text("id,dx,age\n" + "".join(f"p{n},{name.format(n % 3)},{n}\n" for n in range(9)))
    assert read_source(folder).kind == "classes"
    table.write_text("day,weather,wind\nMonday,rain,3\nTuesday,sun,4\n")
    assert read_source(folder).kind == "classes"


def test_folders_of_pictures_of_parts_are_no_classes(tmp_path: Path) -> None:
    """train_images beside test_images are parts without classes, as train beside test is."""
    assert "pictures directly in test_images, train_images" in refused(
        touch(tmp_path, "train_images/1.png", "train_images/2.png", "test_images/3.png")
    )


def test_paths_from_above_the_folder_of_the_table(tmp_path: Path) -> None:
    """A table whose paths begin with the name of the folder that it lies in, as CheXpert's do."""
    folder = touch(tmp_path / "set", "train/1.png", "train/2.png")
    (folder / "train.csv").write_text("Path,label\nset/train/1.png,a\nset/train/2.png,b\nother/train/2.png,b\n")
    found = read_source(folder / "train.csv")
    assert [(s.path, s.target) for s in found.samples] == [("train/1.png", "a"), ("train/2.png", "b")]
    assert [item.reason for item in found.left_out] == ["line 4: no such file"]


def test_columns_of_groups_in_any_spelling(tmp_path: Path) -> None:
    """ "Patient ID" is patient_id, an exact name comes first, and ids of other things are neither groups by themselves
    nor labels, but told where they come again."""
    folder = touch(tmp_path, *(f"{n}.png" for n in range(4)))
    rows = "".join(f"{n},{'ab'[n % 2]},p{n // 2},{n // 2}\n" for n in range(4))
    (folder / "t.csv").write_text(f"image,label,Patient ID,lesion_id\n{rows}")
    found = read_source(folder, labels="t.csv")
    assert ([s.group for s in found.samples], found.perhaps) == (["p0", "p0", "p1", "p1"], None)
    (folder / "t.csv").write_text(f"image,label,patient-id,patient_id\n{rows}")
    assert [s.group for s in read_source(folder, labels="t.csv").samples] == ["0", "0", "1", "1"]
    (folder / "t.csv").write_text(f"image,label,site,lesion_id\n{rows}")
    found = read_source(folder, labels="t.csv")
    assert ({s.group for s in found.samples}, found.perhaps) == ({None}, ("lesion_id", 2))
    assert read_source(folder, labels="t.csv", group="lesion_id").perhaps is None
    (folder / "t.csv").write_text("image,StudyID\n" + "".join(f"{n},{n % 2}\n" for n in range(4)))
    assert "a table needs a column label" in refused(folder, labels="t.csv")


def test_a_table_that_does_not_fit_is_named_in_the_remedy(tmp_path: Path) -> None:
    """Pictures without class folders: the message says which command would give them labels."""
    folder = touch(tmp_path, "1.png", "2.png")
    (folder / "notes.csv").write_text("day,weather\nMonday,rain\n")
    assert "--labels notes.csv or, from their names, --label-regex" in refused(folder)
    only = tmp_path / "one"
    (only / "images").mkdir(parents=True)
    for number in (1, 2):
        Image.new("L", (4, 4), number).save(only / f"images/{number}.png")
    (only / "t.csv").write_text("day,weather\nMonday,rain\n")
    with pytest.raises(StriateError, match=r"2 pictures of the one class 'images'.*--labels t.csv"):
        require_trainable(read_source(only))
    classes = touch(tmp_path / "classes", "cat/1.png", "dog/2.png")
    (classes / "t.csv").write_text("id,label\n1,x\n2,y\n")
    assert read_source(classes).kind == "classes"


def test_labels_from_names(tmp_path: Path) -> None:
    """A pattern finds the class in the file's name, in folders too; named brackets give group and part."""
    folder = touch(tmp_path, "p1_cat_1.png", "x/p1_dog_2.png", "my_dog_album/p2_cat_3.png", "other.png", "a.txt")
    found = read_source(folder, label_regex="_(cat|dog)_")
    assert found.kind == "names"
    assert {s.path: s.target for s in found.samples} == {
        "p1_cat_1.png": "cat", "x/p1_dog_2.png": "dog", "my_dog_album/p2_cat_3.png": "cat",
    }  # fmt: skip
    reasons = {item.path: item.reason for item in found.left_out}
    assert reasons == {"a.txt": "empty file", "other.png": "its name does not match --label-regex"}
    found = read_source(folder, label_regex="(?P<group>p[0-9])_(?P<label>[a-z]+)_")
    assert [s.group for s in found.samples] == ["p2", "p1", "p1"]
    assert [s.target for s in read_source(folder, label_regex="cat|dog").samples] == ["cat", "cat", "dog"]
    assert [s.path for s in read_source(folder, label_regex="(album)/").samples] == ["my_dog_album/p2_cat_3.png"]
    assert "none of 4 pictures" in refused(folder, label_regex="_(wolf)_")
    assert "unterminated" in refused(folder, label_regex="(cat")
    assert "labels come from one place" in refused(folder, label_regex="(cat)", labels="t.csv")
    with pytest.raises(StriateError, match="two different classes"):
        require_trainable(read_source(folder, label_regex="_(cat)_"))


def test_parts_from_names(tmp_path: Path) -> None:
    """A bracket called part, or folders called train and test, give the part."""
    folder = touch(tmp_path / "a", "cat_train_1.png", "cat_val_2.png", "dog_moon_3.png")
    found = read_source(folder, label_regex="(?P<label>[a-z]+)_(?P<part>[a-z]+)_")
    assert [s.part for s in found.samples] == ["train", "validation"]
    assert [item.reason for item in found.left_out] == ["'moon' is not one of train, validation, test"]
    folder = touch(tmp_path / "b", "Train/cat1.png", "TEST/dog1.png")
    assert [s.part for s in read_source(folder, label_regex="[a-z]+").samples] == ["test", "train"]


def test_what_is_left_out_keeps_its_part(tmp_path: Path) -> None:
    """A picture without a usable name, line or label is listed in the part that its folder or its line gives it."""
    folder = touch(tmp_path / "a", "train/cat1.png", "train/dog2.png", "test/dog1.png", "test/7.png", "val/_3.png")
    found = read_source(folder, label_regex="^(?P<label>[a-z]*)[0-9_]")
    assert {item.path: item.part for item in found.left_out} == {"test/7.png": "test", "val/_3.png": "validation"}
    found = read_source(folder, label_regex="^([a-z]+)")
    assert {item.path: item.part for item in found.left_out} == {"test/7.png": "test", "val/_3.png": "validation"}
    folder = touch(tmp_path / "b", *(f"{part}/{part}{n}.png" for part in ("train", "test") for n in range(5)))
    rows = ["train0,a,", "train1,b,", "train2,,", "train3,a,test", "train3,b,test", "test0,a,", "test1,,train"]
    (folder / "t.csv").write_text("\n".join(("file,label,part", *rows)))
    found = read_source(folder, labels=folder / "t.csv")
    assert {item.path: item.part for item in found.left_out} == {
        "train/train2.png": "train", "train/train3.png": "test", "train/train4.png": "train",
        "test/test1.png": "train", "test/test2.png": "test", "test/test3.png": "test", "test/test4.png": "test",
    }  # fmt: skip


def test_options_that_do_not_fit_the_source(tmp_path: Path) -> None:
    """--labels and --label-regex are for folders, --label-column for tables."""
    assert "received: no FOLDER" in refused(None, label_regex="cat")
    touch(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "t.csv").write_text("path,a,b\ncat/1.png,x,1\ndog/2.png,y,2\n")
    assert "pictures of a folder" in refused(tmp_path / "t.csv", labels=tmp_path / "t.csv")
    assert "column of a table" in refused(tmp_path, label_regex="x", label_column="a")
    assert [s.target for s in read_source(tmp_path, label_column="a").samples] == ["x", "y"]
    assert [s.target for s in read_source(tmp_path / "t.csv", label_column="b").samples] == ["1", "2"]
    (tmp_path / "t.csv").unlink()
    assert "--label-column is for a table" in refused(tmp_path, label_column="a")


NAMES = st.text("abcXYZ019_- äß", min_size=1, max_size=8).map(str.strip).filter(lambda name: name.strip(" .-_"))
CLASSES = st.sampled_from(["cat", "dog", "Große Katze", "a,b;c", 'say "cheese"', "line\nbreak", "7", "-1.5"])


def written(style: str, path: str) -> str:
    """A path as another program would write it."""
    name = path.rpartition("/")[2]
    return {
        "as it is": path,
        "windows": path.replace("/", "\\"),
        "absolute": "C:\\Users\\me\\data\\" + path.replace("/", "\\"),
        "upper": path.upper().replace("SS", "ß") if "ß" in path else path.upper(),
        "name": name,
        "stem": name.removesuffix(".png"),
        "quoted": f" {path} ",
    }[style]


@settings(deadline=None, max_examples=150)
@given(
    pictures=st.lists(st.tuples(NAMES, CLASSES), min_size=2, max_size=12, unique_by=lambda pair: pair[0].casefold()),
    style=st.sampled_from(["as it is", "windows", "absolute", "upper", "name", "stem", "quoted"]),
    folder=st.sampled_from(["", "deep/", "Ä b/c/"]),
    separator=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    index=st.booleans(),
    order=st.permutations(["image", "label"]),
)
@example([("1", "7"), ("01", "cat")], "stem", "", ",", "utf-8", "\n", csv.QUOTE_MINIMAL, True, ["image", "label"])
def test_a_table_is_read_as_it_was_written(
    pictures: list, style: str, folder: str, separator: str, encoding: str, end: str, quoting: int, index: bool,
    order: list,
) -> None:  # fmt: skip
    """Whatever writer wrote the table, every picture gets the label that was written for it."""
    truth = {f"{folder}{name}.png": label for name, label in pictures}
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    writer.writerow([""] * index + order)
    for number, (path, label) in enumerate(truth.items()):
        cells = {"image": written(style, path), "label": label}
        writer.writerow([number] * index + [cells[name] for name in order])
    with tempfile.TemporaryDirectory() as place:
        root = touch(Path(place) / "pictures", *truth)
        table = Path(place) / "table.txt"
        table.write_bytes((text.getvalue() + end).encode(encoding))
        found = read_source(root, labels=table)
    assert {s.path: s.target for s in found.samples} == truth
    assert not found.left_out


def test_labels_are_found_again_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run keeps where its labels were, so that it can be resumed from another folder; a bare name is looked for in
    the folder of the pictures too."""
    folder = touch(tmp_path / "set", "1.png", "2.png")
    (tmp_path / "t.csv").write_text("id,label\n1,a\n2,b\n")
    monkeypatch.chdir(tmp_path)
    kept = Settings(labels="t.csv", label_regex="x", label_column="y")
    assert (kept.labels, kept.label_regex, kept.label_column) == (str(tmp_path / "t.csv"), "x", "y")
    (tmp_path / "t.csv").rename(folder / "t.csv")
    assert Settings(labels="t.csv").labels == "t.csv"
    assert read_source(folder, labels="t.csv").classes == ["a", "b"]
