"""Folders, tables, arrays and the digits become the samples that a person would expect."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from striate.data.arrays import read_digits
from striate.data.decode import decode
from striate.data.prepare import Shape
from striate.data.sample import LeftOut
from striate.data.sources import read_source, require_trainable
from striate.errors import StriateError
from striate.export.items import items


def draw(*files: Path) -> None:
    for number, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2), number).save(file, "PNG")


def refused(source: object, **options: object) -> str:
    with pytest.raises(StriateError) as caught:
        read_source(source, **options)
    return str(caught.value)


def reasons(found) -> dict[str, str]:
    return {item.path: item.reason for item in found.left_out}


def test_class_folders(tmp_path: Path) -> None:
    """The first folder is the class, folders below belong to it, and the order is by path."""
    draw(tmp_path / "dog/b.png", tmp_path / "cat/x/a.png", tmp_path / "cat/Z.png", tmp_path / "cat/ä ö.png")
    found = read_source(str(tmp_path))
    assert found.kind == "classes"
    assert found.classes == ["cat", "dog"]
    assert [s.path for s in found.samples] == ["cat/Z.png", "cat/x/a.png", "cat/ä ö.png", "dog/b.png"]
    assert [s.target for s in found.samples] == ["cat", "cat", "cat", "dog"]
    assert {s.part for s in found.samples} == {None}
    assert found.samples[1].source == tmp_path / "cat/x/a.png"


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("train", "val", "test"), ("train", "validation", "test")),
        (("Training_Set", "VALID", "Test_set"), ("train", "validation", "test")),
        (("training", "dev", "testing"), ("train", "validation", "test")),
        (("train", "Evaluation", "holdout"), ("train", "validation", "test")),
        (("TRAIN_SET", "eval", "TEST"), ("train", "validation", "test")),
    ],
)
def test_part_folders(tmp_path: Path, names: tuple, parts: tuple) -> None:
    """Part folders are known under their usual names in any case."""
    draw(*(tmp_path / name / label / "1.png" for name in names for label in ("a", "b")))
    found = read_source(tmp_path)
    assert found.kind == "parts"
    assert {s.path.split("/")[0]: s.part for s in found.samples} == dict(zip(names, parts, strict=True))


def test_folders_beside_the_parts_are_left_out(tmp_path: Path) -> None:
    """TEST_SIMPLE beside TRAIN and TEST is no class and no part; it is listed."""
    draw(*(tmp_path / part / label / "1.png" for part in ("TRAIN", "TEST", "TEST_SIMPLE") for label in "ab"))
    draw(tmp_path / "TRAIN/loose.png", tmp_path / "top.png")
    found = read_source(tmp_path)
    assert len(found.samples) == 4
    assert set(reasons(found)) == {"TEST_SIMPLE", "TRAIN/loose.png", "top.png"}
    assert "not one of train, validation, test" in reasons(found)["TEST_SIMPLE"]
    assert "no class" in reasons(found)["top.png"]


def test_a_class_called_train(tmp_path: Path) -> None:
    """Vehicles may have a class "train": with pictures directly in it, it is no part."""
    draw(tmp_path / "train/1.png", tmp_path / "train/old/2.png", tmp_path / "car/1.png")
    found = read_source(tmp_path)
    assert (found.kind, found.classes) == ("classes", ["car", "train"])


def test_what_is_left_out_and_what_is_hidden(tmp_path: Path) -> None:
    """Everything that is no picture is listed with its reason; hidden files are counted."""
    cat = tmp_path / "cat"
    draw(cat / "1.png", cat / "no_suffix", tmp_path / "dog/1.png", cat / ".hidden.png", cat / "__MACOSX/1.png")
    (cat / "notes.txt").write_text("words")
    (cat / "data.bin").write_bytes(b"\1\2\0\3")
    (cat / "x.png").mkdir()
    (cat / "link.png").symlink_to("nowhere")
    os.mkfifo(cat / "pipe.png")
    (tmp_path / "bird").mkdir()
    (tmp_path / "Thumbs.db").touch()
    found = read_source(tmp_path)
    assert [s.path for s in found.samples] == ["cat/1.png", "cat/no_suffix", "dog/1.png"]
    assert found.hidden == 3
    assert reasons(found) == {
        "bird": "empty class folder",
        "cat/data.bin": "not a picture: unknown kind of file",
        "cat/link.png": "broken link",
        "cat/notes.txt": "text, not a picture",
        "cat/pipe.png": "not a regular file",
        "cat/x.png": "directory, not a picture",
    }
    assert next(item for item in found.left_out if item.path == "cat/x.png").label == "cat"


def test_a_cache_of_objects_is_no_picture(tmp_path: Path) -> None:
    """What NumPy wrote of objects (labels.cache of another library) is no picture; an array of pixels is one."""
    draw(tmp_path / "cat/1.png", tmp_path / "dog/1.png")
    for name, content in (("cat.cache", {"a.png": [1, 2]}), ("cat/x.cache", {"a.png": [1, 2]}), ("dog/y.cache", None)):
        with (tmp_path / name).open("wb") as file:
            np.save(file, np.zeros((5, 5), np.uint8) if content is None else content)
    found = read_source(tmp_path)
    assert [sample.path for sample in found.samples] == ["cat/1.png", "dog/1.png", "dog/y.cache"]
    assert reasons(found) == dict.fromkeys(("cat.cache", "cat/x.cache"), "a NumPy file of objects, not a picture")
    passed: list[LeftOut] = []
    shape = Shape(height=5, width=5, channels=1)
    assert [name for name, _ in items(str(tmp_path / "cat"), shape, passed=passed)] == [str(tmp_path / "cat/1.png")]
    assert [item.reason for item in passed] == ["a NumPy file of objects, not a picture"]


def test_links(tmp_path: Path) -> None:
    """A linked file and a linked outside folder are read; loops and second ways in are not."""
    outside = tmp_path / "outside"
    draw(outside / "1.png", outside / "deep/2.png", tmp_path / "set/cat/1.png", tmp_path / "set/dog/1.png")
    root = tmp_path / "set"
    (root / "cat/file.png").symlink_to(outside / "1.png")
    (root / "cat/folder").symlink_to(outside)
    (root / "cat/again").symlink_to(outside / "deep")
    (root / "cat/loop").symlink_to(root)
    (root / "cat/above").symlink_to("/")
    (root / "wolf").symlink_to(root / "dog")
    (outside / "self").symlink_to(outside)
    found = read_source(root)
    paths = [s.path for s in found.samples]
    assert paths == ["cat/1.png", "cat/again/2.png", "cat/file.png", "cat/folder/1.png", "cat/folder/deep/2.png",
                     "dog/1.png"]  # fmt: skip
    assert set(reasons(found)) == {"cat/above", "cat/folder/self", "cat/loop", "wolf"}


def test_odd_names(tmp_path: Path) -> None:
    """Composed and decomposed spellings are one class; names that are no text at all still work."""
    composed, decomposed = unicodedata.normalize("NFC", "Käfer"), unicodedata.normalize("NFD", "Käfer")
    draw(tmp_path / composed / "1.png", tmp_path / decomposed / "2.png", tmp_path / "猫 neko/a b.png")
    try:
        draw(tmp_path / os.fsdecode(b"bad\xff") / "1.png")
    except OSError:
        pytest.skip("this file system takes proper names only")
    found = read_source(tmp_path)
    assert found.classes == sorted([composed, "猫 neko", r"bad\udcff"])
    assert all(s.source.is_file() for s in found.samples)


@pytest.mark.parametrize("what", ["flat", "empty", "absent", "zip", "picture"])
def test_sources_that_are_none(tmp_path: Path, what: str) -> None:
    """What cannot be a set of pictures is refused with an example of what can."""
    draw(tmp_path / "flat/1.png", tmp_path / "picture")
    (tmp_path / "empty").mkdir()
    (tmp_path / "zip").write_bytes(b"PK\x03\x04" + bytes(30))
    text = refused(tmp_path / what)
    assert str(tmp_path / what) in text
    assert "FOLDER/cat/001.png" in text
    assert {"flat": "1 pictures directly", "empty": "an empty folder", "absent": "no such file", "zip": "ZIP",
            "picture": "one PNG picture"}[what] in text  # fmt: skip


def test_too_few_to_train(tmp_path: Path) -> None:
    """One class, a class of one picture and a class without training pictures are refused."""
    draw(tmp_path / "set/cat/1.png", tmp_path / "set/cat/2.png")
    with pytest.raises(StriateError, match=r"at least two classes.*2 pictures of the one class 'cat'"):
        require_trainable(read_source(tmp_path / "set"))
    draw(*(tmp_path / f"set/single{n}/1.png" for n in range(7)))
    with pytest.raises(StriateError, match="single0, single1, single2, single3, single4 and 2 more"):
        require_trainable(read_source(tmp_path / "set"))
    draw(*(tmp_path / f"parts/train/{c}/{n}.png" for c in "ab" for n in (1, 2)))
    draw(*(tmp_path / f"parts/test/{c}/{n}.png" for c in "abc" for n in (1, 2)))
    with pytest.raises(StriateError, match=r"training part.*none of c"):
        require_trainable(read_source(tmp_path / "parts"))
    draw(*(tmp_path / f"deep/wrapped/{c}/{n}.png" for c in "ab" for n in (1, 2)))
    with pytest.raises(StriateError, match="in 'wrapped' are the classes"):
        require_trainable(read_source(tmp_path / "deep"))
    found = read_source(tmp_path / "deep/wrapped")
    require_trainable(found)
    with pytest.raises(StriateError, match="readable pictures"):
        require_trainable(found, [])
    for name, data in (("a/x.txt", b"words\n"), ("b/y.png", b"")):
        (tmp_path / "none" / name).parent.mkdir(parents=True)
        (tmp_path / "none" / name).write_bytes(data)
    with pytest.raises(StriateError, match=r"readable pictures.*no picture; left out: a/x.txt \(.*y.png \(empty"):
        require_trainable(read_source(tmp_path / "none"))
    (tmp_path / "none/a/1.png").write_bytes((tmp_path / "set/cat/1.png").read_bytes())
    with pytest.raises(StriateError, match=r"two classes.*1 picture of the one class 'a'; .*b/y.png \(empty"):
        require_trainable(read_source(tmp_path / "none"))


def test_groups(tmp_path: Path) -> None:
    """A group is the folder below the class, or what a regular expression finds in the path."""
    draw(tmp_path / "cat/p1/1.png", tmp_path / "dog/p1/2.png", tmp_path / "dog/3.png")
    by_path = {s.path: s.group for s in read_source(tmp_path, group="parent").samples}
    assert by_path == {"cat/p1/1.png": "p1", "dog/p1/2.png": "p1", "dog/3.png": None}
    by_path = {s.path: s.group for s in read_source(tmp_path, group=r"/(p\d)/").samples}
    assert by_path["cat/p1/1.png"] == "p1"
    assert read_source(tmp_path, group=r"\d\.png").samples[0].group == "1.png"
    assert "regular expression" in refused(tmp_path, group="(")
    assert "match at least one" in refused(tmp_path, group="patient")
    assert "which begins with its folders: for example --group '/(" in refused(tmp_path, group=r"^(\d)")
    by_path = {s.path: s.group for s in read_source(tmp_path, group=r"^(cat)|(do)g").samples}
    assert by_path == {"cat/p1/1.png": "cat", "dog/p1/2.png": "do", "dog/3.png": "do"}  # the bracket that matched


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables(tmp_path: Path, encoding: str, separator: str) -> None:
    """Separators, encodings, CRLF and Windows paths make no difference."""
    draw(tmp_path / "pics/ä 1.png", tmp_path / "pics/2.png")
    names = ["Label", "Image", "split", "patient"]
    rows = names, ["Katze", "pics\\ä 1.png", "Train", "7"], ["Hund", "pics/2.png", "", ""]
    text = "\r\n".join(separator.join(row) for row in rows)
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    found = read_source(tmp_path / "t.csv")
    assert [(s.path, s.target, s.part, s.group) for s in found.samples] == [
        ("pics/ä 1.png", "Katze", "train", "7"),
        ("pics/2.png", "Hund", None, None),
    ]
    assert found.kind == "table"
    assert found.samples[0].source == tmp_path / "pics/ä 1.png"


def test_a_table_without_names(tmp_path: Path) -> None:
    """Without a header the column of paths is followed by the labels."""
    draw(tmp_path / "a.png", tmp_path / "b.png")
    (tmp_path / "t.csv").write_text("1,a.png,x\n2,b.png,y\n")
    assert [(s.path, s.target) for s in read_source(tmp_path / "t.csv").samples] == [("a.png", "x"), ("b.png", "y")]
    (tmp_path / "t.csv").write_text("# by hand\n\na.png,1,big\nb.png,0,far\n")
    with pytest.raises(StriateError, match=r"received: 'big' in column 2\..*column 1,column 2, line 3"):
        read_source(tmp_path / "t.csv", label_column="1,2")


def test_blanks_between_cells(tmp_path: Path) -> None:
    """A list such as "a.png 3" is a table, however many blanks there are and whether some end a line; a blank inside
    the cells of another one is no separator."""
    draw(tmp_path / "a.png", tmp_path / "b.png", tmp_path / "my c.png")
    for text in ("a.png 3\nb.png 0\n", "a.png  3 \nb.png 0\n", " a.png  3\r\nb.png 0  \r\n"):
        (tmp_path / "t.txt").write_text(text)
        assert [(s.path, s.target) for s in read_source(tmp_path / "t.txt").samples] == [("a.png", "3"), ("b.png", "0")]
    (tmp_path / "t.csv").write_text("path,label\nmy c.png,red car\na.png,big dog\n")
    found = read_source(tmp_path / "t.csv")
    assert [(s.path, s.target) for s in found.samples] == [("my c.png", "red car"), ("a.png", "big dog")]


def test_problems_of_a_table(tmp_path: Path) -> None:
    """Missing files and labels, odd parts, repeats and contradictions are listed with their lines."""
    draw(*(tmp_path / f"{name}.png" for name in "abcd"))
    (tmp_path / "t.csv").write_text(
        "path,label,part\na.png,x,train\ngone.png,x,\nb.png,,\nc.png,x,\nc.png,y,\nd.png,x,somewhere\na.png,x,\n"
    )
    found = read_source(tmp_path / "t.csv")
    assert [s.path for s in found.samples] == ["a.png"]
    assert [(item.path, item.reason) for item in found.left_out] == [
        ("gone.png", "line 3: no such file"),
        ("b.png", "line 4: no label"),
        ("d.png", "line 7: 'somewhere' is not one of train, validation, test"),
        ("a.png", "line 8: the same file as in line 2"),
        ("c.png", "lines 5, 6 give it different labels"),
    ]


@pytest.mark.parametrize("head", ["path,label\n", "b.png,y\n"])
def test_cells_that_no_column_has_are_never_dropped_unsaid(tmp_path: Path, head: str) -> None:
    """A label with a comma in it, or a second one, leaves its line out, with and without names; blank cells do not."""
    draw(*(tmp_path / f"{name}.png" for name in "abcd"))
    (tmp_path / "t.csv").write_text(head + 'a.png,adenoma, tubular\nc.png,x,,\nd.png,"adenoma, tubular"\n')
    found = read_source(tmp_path / "t.csv")
    labels = {sample.path: sample.target for sample in found.samples}
    assert labels == {"c.png": "x", "d.png": "adenoma, tubular"} | ({} if "path" in head else {"b.png": "y"})
    assert reasons(found) == {"a.png": "line 2: more cells than the table has columns: quote those with commas in them"}


def test_paths_that_leave_the_folder(tmp_path: Path) -> None:
    """A table may name pictures beside or far from it; an address of the web is no file."""
    draw(tmp_path / "a.png", tmp_path / "tables/b.png", tmp_path / "other/c.png")
    rows = f"../a.png,x\nb.png,y\n{tmp_path}/other/c.png,x\nhttps://host/b.png,y\nfile:///x/b.png,y\n../gone.png,x\n"
    (tmp_path / "tables/t.csv").write_text(rows)
    found = read_source(tmp_path / "tables/t.csv")
    assert [s.path for s in found.samples] == [f"{tmp_path}/a.png", "b.png", f"{tmp_path}/other/c.png"]
    assert reasons(found) == {
        "https://host/b.png": "line 4: a web address, and nothing is downloaded",
        "file:///x/b.png": "line 5: a file:// address, where a plain path is wanted",
        "../gone.png": "line 6: no such file",
    }
    for source, said in (
        ("file:///x/t.csv", "a file:// address, where a plain"),
        ("https://host/t.zip", "a web address"),
    ):
        with pytest.raises(StriateError, match=f"received: {said}.* where: {source}"):
            read_source(source)


def test_paths_from_another_machine(tmp_path: Path) -> None:
    """An absolute Windows path is found by its last folders below the table."""
    draw(tmp_path / "IMG/1.png", tmp_path / "IMG/2.png")
    row = "C:\\me\\IMG\\{0}.png, C:\\me\\IMG\\left_{0}.png, -0.{0},30\n"
    (tmp_path / "t.csv").write_text(row.format(1) + row.format(2))
    assert [(s.path, s.target) for s in read_source(tmp_path / "t.csv").samples] == [
        ("IMG/1.png", "-0.1"),
        ("IMG/2.png", "-0.2"),
    ]


def test_group_column_and_bad_tables(tmp_path: Path) -> None:
    """--group may name a column; a table without labels, or empty, is refused."""
    draw(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("path,label,animal\na.png,x,rex\n")
    assert read_source(tmp_path / "t.csv", group="animal").samples[0].group == "rex"
    assert "a column of the table" in (said := refused(tmp_path / "t.csv", group="animals"))
    assert "did you mean 'animal'?" in said
    (tmp_path / "t.csv").write_text("path,colour\na.png,x\n")
    assert read_source(tmp_path / "t.csv").samples[0].target == "x"
    (tmp_path / "t.csv").write_text("path,colour,age\na.png,x,7\n")
    assert "--label-column 'colour'" in refused(tmp_path / "t.csv")
    assert read_source(tmp_path / "t.csv", label_column="age").samples[0].target == "7"
    (tmp_path / "t.csv").write_text("path\na.png\n")
    assert "column label" in refused(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("\n\n")
    assert "empty table" in refused(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("id,dx,age\na,x,7\n")
    assert "FOLDER --labels t.csv" in refused(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("path,label\na,x\nA.PNG,y\n")
    with pytest.raises(StriateError, match=r"A.PNG \(line 3: no such file\).*FOLDER --labels t.csv"):
        require_trainable(read_source(tmp_path / "t.csv"))
    for workbook in (b"PK\x03\x04" + bytes(range(200)), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(200)):
        (tmp_path / "t.csv").write_bytes(workbook)
        assert refused(tmp_path / "t.csv").count("\0") == 0
        with pytest.raises(StriateError, match=r"a packed file, as Excel keeps workbooks.*save it as CSV"):
            read_source(tmp_path, labels="t.csv")


def test_arrays() -> None:
    """Arrays become samples array/0, array/1, …; labels of any kind become words."""
    pictures = np.zeros((4, 5, 6), np.uint8)
    found = read_source((pictures, [1, 2.0, None, "b"]))
    assert [(s.path, s.target) for s in found.samples] == [("array/0", "1"), ("array/1", "2"), ("array/3", "b")]
    assert reasons(found) == {"array/2": "no label"}
    assert "4 pictures and 3 labels" in refused((pictures, [1, 2, 3]))
    assert "channels" in refused((np.zeros((2, 3, 32, 32)), [0, 1]))
    found = read_source((pictures, np.eye(4), ["p", "q", "p", None]))
    assert [(s.target, s.group) for s in found.samples] == [("0", "p"), ("1", "q"), ("2", "p"), ("3", None)]
    assert [s.target for s in read_source((pictures, np.array([[b"a"], [b"b"]] * 2))).samples] == ["a", "b"] * 2
    assert "4 pictures and 4 labels of shape (2, 2)" in refused((pictures, np.ones((4, 2, 2))))
    assert "pictures in folders" in refused((pictures, [1, 2, 3, 4]), group="parent")
    assert "shape (5, 6, 1, 1, 1)" in refused((np.zeros((5, 6, 1, 1, 1)), [0] * 5))


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "CMYK", "1"])
def test_images_of_pillow_are_learned_as_their_files_are(tmp_path: Path, mode: str) -> None:
    """Their colours, and not the numbers of a palette; what the decoder refuses is left out with its reason."""
    values = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    image = Image.fromarray(values).convert(mode)
    image.save(tmp_path / "image.tif")
    strange = Image.fromarray(values).convert("HSV")
    found = read_source(([image, strange, image], ["a", "b", "b"]))
    assert [sample.path for sample in found.samples] == ["array/0", "array/2"]
    np.testing.assert_array_equal(decode(found.samples[0].source), decode(tmp_path / "image.tif"))
    assert "kind HSV" in reasons(found)["array/1"]


@pytest.mark.parametrize("form", [torch.tensor, lambda values: list(map(torch.tensor, values)), list])
def test_channels_that_come_first_are_refused_in_every_form(form: object) -> None:
    """A tensor and a list, as an array is: three rows of many channels would be learned without a word."""
    values = np.zeros((4, 3, 16, 16), np.uint8)
    said = refused((form(values), ["a", "b"] * 2))
    assert "channels of an array of pictures come last" in said
    assert "transpose" in said
    assert len(read_source((form(values.transpose(0, 2, 3, 1)), ["a", "b"] * 2)).samples) == 4


def test_small_patches_of_many_channels_are_pictures() -> None:
    """Three by three pixels of a hundred wavelengths have their channels last."""
    patches = np.zeros((4, 3, 3, 103), np.uint8)
    for given in (patches, list(patches)):
        assert read_source((given, ["a", "b"] * 2)).samples[0].source.shape == (3, 3, 103)


def test_a_column_of_pictures_is_a_list_of_them() -> None:
    """As a data frame has them: an array of objects, each a picture of its own size."""
    column = np.empty(2, object)
    column[:] = [np.zeros((5, 6), np.uint8), np.ones((7, 8), np.uint8)]
    assert [sample.source.shape for sample in read_source((column, ["a", "b"])).samples] == [(5, 6), (7, 8)]


def test_digits_are_those_of_scikit_learn() -> None:
    """The 1,797 digits are those that sklearn.datasets.load_digits gives, times 255/16."""
    datasets = pytest.importorskip("sklearn.datasets")
    digits, found = datasets.load_digits(), read_digits()
    pictures = np.stack([s.source for s in found.samples])
    np.testing.assert_array_equal(pictures, np.rint(digits.images * 255 / 16))
    assert [s.target for s in found.samples] == [str(t) for t in digits.target]


def test_messages_name_the_folders_seen(tmp_path: Path) -> None:
    """Who gave a folder too high, or has folders beside the parts, reads what they are called."""
    draw(*(tmp_path / f"deep/all/{c}/{n}.png" for c in "ab" for n in (1, 2)))
    with pytest.raises(StriateError, match="if a, b in 'all' are the classes"):
        require_trainable(read_source(tmp_path / "deep"))
    draw(*(tmp_path / f"parts/{part}/a/1.png" for part in ("train", "test")), tmp_path / "parts/more/b/1.png")
    with pytest.raises(StriateError, match="passed over: more"):
        require_trainable(read_source(tmp_path / "parts"))


def test_a_class_called_train_with_a_folder_in_it(tmp_path: Path) -> None:
    """Beside other classes a lone "train" that holds one folder is a class too; alone, or with two, it is a part."""
    draw(*(tmp_path / f"set/{name}/plate/1.png" for name in ("train", "bus")))
    assert read_source(tmp_path / "set").classes == ["bus", "train"]
    draw(tmp_path / "set/train/other/1.png")
    assert read_source(tmp_path / "set").kind == "parts"
    draw(tmp_path / "one/train/a/1.png")
    assert read_source(tmp_path / "one").kind == "parts"


def test_numbered_classes_in_messages_are_in_their_order(tmp_path: Path) -> None:
    """2 before 10, as everywhere else."""
    draw(*(tmp_path / f"{n}/1.png" for n in (10, 2, 1)))
    with pytest.raises(StriateError, match="one picture of 1, 2, 10"):
        require_trainable(read_source(tmp_path))


@pytest.mark.parametrize("names", [("photo", "target"), ("raw", "labels"), ("frame", "manual")])
def test_folders_that_may_be_classes_are_classes(names: tuple[str, str], tmp_path: Path) -> None:
    """Words that may speak of pictures and masks, but need not: where no file is another one's mask."""
    draw(*(tmp_path / names[0] / f"{name}.png" for name in ("ab", "cde", "f")))
    draw(*(tmp_path / names[1] / f"{name}.png" for name in ("xy", "z")))
    assert read_source(tmp_path).classes == sorted(names)


def test_pictures_and_masks_are_no_two_classes(tmp_path: Path) -> None:
    """Masks of another size, or with names that fit no picture, are refused by default, and learned where asked for."""
    for n in range(4):
        draw(tmp_path / f"images/{n}.png")
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.new("L", (3, 5), n).save(tmp_path / f"masks/{n}.png")
    with pytest.raises(StriateError, match=r"images and masks.*--task segmentation"):
        read_source(tmp_path)
    with pytest.raises(StriateError, match="3 × 5 pixels"):
        read_source(tmp_path, task="segmentation")
    assert read_source(tmp_path, task="classification").classes == ["images", "masks"]
    (tmp_path / "t.csv").write_text("path,label\n" + "".join(f"images/{n}.png,{'ab'[n % 2]}\n" for n in range(4)))
    assert read_source(tmp_path).classes == ["a", "b"]
