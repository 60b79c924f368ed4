"""What people have in memory: columns of pandas, tensors, paths and labels of every kind."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import striate
from striate.data.decode import decode
from striate.data.packed import read_packed
from striate.data.sources import read_source
from striate.errors import StriateError

PICTURES = np.random.default_rng(0).integers(0, 255, (30, 6, 7), dtype=np.uint8)
WORDS = ["cat", "dog"] * 15


def targets(labels: object, **asked: object) -> list:
    return [sample.target for sample in read_source((PICTURES, labels), **asked).samples]


@pytest.mark.parametrize(
    "labels",
    [
        np.array(WORDS),
        [np.str_(word) for word in WORDS],
        [word.encode() for word in WORDS],
        iter(WORDS),
        dict(enumerate(WORDS)).values(),
        np.ma.array(WORDS),
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_words_in_every_form(labels: object) -> None:
    """The same words are the same classes, in whatever they come."""
    assert targets(labels) == WORDS


def test_whole_numbers_in_every_form() -> None:
    """Numbers of NumPy, of torch and of Python name the same classes, also one array or tensor for each picture."""
    numbers = [n % 3 for n in range(30)]
    forms = (numbers, map(float, numbers), map(np.int8, numbers), map(torch.tensor, numbers), map(np.array, numbers))
    for labels in (*forms, torch.tensor(numbers), map(Decimal, numbers), [np.array([n]) for n in numbers]):
        assert targets(labels) == [str(n) for n in numbers]


def test_it_is_told_that_numbers_become_text() -> None:
    """Labels that are numbers, of classes, come with a line that says so; words and numbers to learn do not."""
    numbers = np.arange(30) % 3
    for labels in (numbers, numbers.tolist(), torch.from_numpy(numbers)):
        assert "'7' for 7" in read_source((PICTURES, labels)).labels
    for labels in (WORDS, numbers.astype(str), np.arange(30) / 7):
        assert read_source((PICTURES, labels)).labels == ""


def test_pictures_and_labels_need_no_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X, y and groups one after the other, as scikit-learn has them, are the tuple of them; two folders are not."""
    pictures, groups = (PICTURES, WORDS), np.arange(30) // 3
    apart = striate.check(*pictures, groups, quick=True, quiet=True, out=str(tmp_path / "a"))
    assert apart == striate.check((*pictures, groups), quick=True, quiet=True, out=str(tmp_path / "b"))
    received = []

    def read(source: object, *rest: object) -> None:
        received.append(source)
        raise KeyboardInterrupt

    monkeypatch.setattr("striate.train.single.read_job", read)
    for given in (((*pictures, groups),), (*pictures, groups), pictures):
        with pytest.raises(KeyboardInterrupt):
            striate.train(*given, quiet=True)
    assert received == [(*pictures, groups)] * 2 + [pictures]
    with pytest.raises(StriateError, match=r"arrays as \(pictures, labels\) or \(pictures, labels, groups\)"):
        read_source(("cats", "dogs"))


def test_several_words_in_every_form() -> None:
    """Lists, tuples, sets and arrays of words are labels of one picture, and never the name of a class."""
    both = [("cat", "dog")[: n % 3] for n in range(30)]
    for kind in (list, tuple, set, frozenset, np.array):
        assert targets([kind(words) for words in both]) == both


def test_labels_that_are_missing() -> None:
    """Masked labels, and those that do not equal themselves or leave that open, as pandas' NA does, are left out."""

    class Unknown:
        def __eq__(self, other: object) -> object:
            return self

        def __bool__(self) -> bool:
            raise TypeError("boolean value of NA is ambiguous")

        __hash__ = None

    masked = np.ma.array(np.arange(30) % 3, mask=np.arange(30) == 4)
    for labels in (masked, [*WORDS[:4], Unknown(), *WORDS[5:]], [*WORDS[:4], np.float32("nan"), *WORDS[5:]]):
        found = read_source((PICTURES, labels))
        assert [(item.path, item.reason) for item in found.left_out] == [("array/4", "no label")]


def test_columns_of_pandas() -> None:
    """A table keeps the titles of its columns, a column its own; categories and NA are words and no label."""
    pandas = pytest.importorskip("pandas")
    marks = pandas.DataFrame({"cat": np.arange(30) % 2, "dog": np.arange(30) // 2 % 2})
    found = read_source((PICTURES, marks))
    assert (found.task, found.names) == ("multilabel", ("cat", "dog"))
    assert [sample.target for sample in found.samples[:4]] == [(), ("cat",), ("dog",), ("cat", "dog")]
    found = read_source((PICTURES, pandas.Series(np.arange(30) / 7, name="steering", index=range(50, 80))))
    assert (found.task, found.names, found.samples[8].target) == ("regression", ("steering",), (8 / 7,))
    assert targets(pandas.Categorical(WORDS)) == targets(pandas.Series(WORDS, dtype="category")) == WORDS
    found = read_source((PICTURES, pandas.Series([*WORDS[:4], pandas.NA, *WORDS[5:]], dtype="string")))
    assert [(item.path, item.reason) for item in found.left_out] == [("array/4", "no label")]


@pytest.mark.parametrize("form", [list, iter, np.array, lambda paths: list(map(Path, paths))])
def test_paths_are_pictures(tmp_path: Path, form: object) -> None:
    """Names of files beside their labels, as two columns of a table, are those pictures; a wrong one is told."""
    files = [str(tmp_path / f"{n}.png") for n in range(30)]
    for file, picture in zip(files[:29], PICTURES, strict=False):
        Image.fromarray(picture).save(file)
    found = read_source((form(files), WORDS))
    assert [(sample.path, sample.target) for sample in found.samples] == list(zip(files, WORDS, strict=True))
    np.testing.assert_array_equal(decode(found.samples[7].source)[:, :, 0], PICTURES[7])


def test_tensors_that_are_no_pixels() -> None:
    """A tensor with a gradient, or of a type that NumPy lacks, is refused in words, in a list too."""
    for tensor in (torch.zeros(30, 6, 7, requires_grad=True), torch.zeros(30, 6, 7, dtype=torch.bfloat16)):
        for pictures in (tensor, list(tensor)):
            with pytest.raises(StriateError, match=r"arrays of numbers.*Tensor: "):
                read_source((pictures, WORDS))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_come_last(tmp_path: Path, channels: int) -> None:
    """Up to four channels that come first are refused in an array, and moved last in a file, where nobody is asked."""
    last = np.stack([PICTURES] * channels, axis=3)
    assert read_source((last, WORDS)).samples[3].source.shape == (6, 7, channels)
    with pytest.raises(StriateError, match="channels of an array of pictures come last"):
        read_source((np.moveaxis(last, 3, 1), WORDS))
    np.savez(tmp_path / "set.npz", images=np.moveaxis(last, 3, 1), labels=np.array(WORDS))
    np.testing.assert_array_equal(read_packed(tmp_path / "set.npz").samples[3].source, last[3])


def test_a_refusal_says_what_became_of_the_others(tmp_path: Path) -> None:
    """Where one class is left, or none, it is told why the pictures of the others are not used."""
    holed = np.where(np.arange(30)[:, None, None] % 2, np.nan, PICTURES)
    with pytest.raises(
        StriateError, match=r"15 pictures of the one class 'cat'; left out: array/1 \(some pixel .* NaN"
    ):
        striate.train((holed, WORDS), quiet=True, out=tmp_path)
    with pytest.raises(StriateError, match=r"no picture; left out: array/0 \(.*array/1.* 25 more"):
        striate.train((np.zeros_like(PICTURES), WORDS), quiet=True, out=tmp_path)
