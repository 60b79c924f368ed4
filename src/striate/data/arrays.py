"""Pictures that are in memory already: NumPy arrays, and the digits that come with scikit-learn."""

import importlib.util
import json
import math
import unicodedata
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from striate.data.decode import opened
from striate.data.header import Unreadable
from striate.data.npy import channels_come_first
from striate.data.sample import Found, LeftOut, Sample
from striate.data.series import all_series, rows_of_array
from striate.data.targets import Meaning, meaning_of_rows
from striate.errors import StriateError

_AXES = {  # by form: how many axes an array has, what they are, and what to do about others
    "series": ((2, 3), "an array of series has the axes (series, values) or (series, values, channels)", ""),
    "volume": ((4, 5), "an array of volumes has the axes (volumes, frames, height, width[, channels])", ""),
    "picture": (
        (3, 4), "an array of pictures has the axes (pictures, height, width) or (pictures, height, width, channels)",
        "reshape it, for example to (-1, 28, 28)",
    ),
}  # fmt: skip
_SEVERAL = (list, tuple, set, frozenset, np.ndarray)  # labels of one picture
_DIGITS = ("datasets", "data", "digits.csv.gz")


def read_arrays(
    pictures: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[object],
    groups: Sequence[object] | None = None,
    *,
    task: str | None = None,
    form: str = "auto",
) -> Found:
    """Samples from N pictures, (N, H, W), (N, H, W, C) or a list of such arrays, N labels and, if wanted, N groups.

    Pictures may also be paths of files. Labels may be words, numbers, lists of words, or rows (N, K) of numbers or of
    0 and 1; task says what they mean where that is not plain (see `targets.meaning_of`). A missing label (None, NaN,
    "", masked) leaves its picture out.
    form: one of FORMS; by default an array (N, L), or a list of arrays (L,), holds series.
    """
    pictures = as_array(pictures, "train") if hasattr(pictures, "__array__") else pictures
    if isinstance(pictures, np.ndarray) and pictures.dtype.kind in "OU":  # a table's column of pictures or paths
        pictures = list(pictures)
    form = _form_of(pictures) if form == "auto" else form
    cells = cells_of(labels, len(pictures), "array")
    titles = getattr(labels, "columns", [getattr(labels, "name", None)])  # pandas names what is in a table
    meaning = meaning_of_rows(cells, task, [str(title) for title in titles if title is not None])
    samples, left_out = read_rows(pictures, cells, meaning, groups, "array", None, form)
    is_text = meaning.task != "classification" or any(isinstance(one, str | bytes) for one in labels)
    told = "" if is_text else "numbers, as text: '7' for 7, so compare what is predicted with labels.astype(str)"
    about = {"form": form, "labels": told, **meaning.about}
    found = Found(root="arrays", kind="arrays", samples=samples, left_out=left_out, **about)
    return all_series(found) if form == "series" else found


def as_array(values: object, where: str) -> np.ndarray:
    """Pixels as NumPy has them; StriateError for a tensor that has a gradient, bf16, or another device."""
    try:
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        rule = "pictures in memory are arrays of numbers, or what becomes one"
        raise StriateError(rule, received=f"{type(values).__name__}: {error}", where=where) from error


def _form_of(pictures: np.ndarray | Sequence[np.ndarray]) -> str:
    """ "series" of rows of numbers, which have one axis each, else "picture"."""
    is_array = isinstance(pictures, np.ndarray)
    flat = pictures.ndim == 2 if is_array else len(pictures) > 0 and all(np.ndim(one) == 1 for one in pictures)
    return "series" if flat else "picture"


def read_rows(
    pictures: np.ndarray | Sequence[np.ndarray],
    cells: Sequence[Sequence[str]],
    meaning: Meaning,
    groups: Sequence[object] | None,
    name: str,
    part: str | None,
    form: str,
) -> tuple[list[Sample], list[LeftOut]]:
    """Samples called NAME/0, NAME/1, ... of `part`: views of `pictures`, which is kept once; cells: of `cells_of`."""
    pictures = rows_of_form(pictures, form, name)
    together = [None] * len(cells) if groups is None else [w for (w,) in cells_of(groups, len(cells), name, "groups")]
    samples, left_out = [], []
    for row, (picture, line, group) in enumerate(zip(pictures, cells, together, strict=True)):
        path, (target, problem) = f"{name}/{row}", meaning.target(line)
        if isinstance(picture, str | PathLike) and form != "series":
            path, pixels = str(picture), Path(picture).absolute()
        else:
            pixels = opened(picture) if isinstance(picture, Image.Image) else as_array(picture, path)
        if problem := problem or (pixels.reason if isinstance(pixels, Unreadable) else ""):
            left_out.append(LeftOut(path=path, reason=problem, label=", ".join(filter(None, line)), part=part))
        else:
            samples.append(Sample(path=path, source=pixels, target=target, group=group or None, part=part))
    return samples, left_out


def rows_of_form(
    pictures: np.ndarray | Sequence[np.ndarray], form: str, name: str
) -> np.ndarray | Sequence[np.ndarray]:
    """An array with the axes that its form has: (N, H, W[, C]) of pictures, (N, L, C) of series. Lists as they are."""
    is_array = isinstance(pictures, np.ndarray)
    shapes = {pictures.shape[1:]} if is_array else {getattr(picture, "shape", ()) for picture in pictures}
    wanted, rule, remedy = _AXES.get(form, _AXES["picture"])
    if form == "picture" and shapes and all(map(channels_come_first, shapes)):
        turn = "pictures.transpose(0, 2, 3, 1)" if is_array else "picture.transpose(1, 2, 0) of each"
        rule, remedy = "the channels of an array of pictures come last", f"use {turn}"
    elif not is_array or pictures.ndim in wanted:
        return rows_of_array(pictures) if is_array and form == "series" else pictures
    raise StriateError(rule, received=f"shape {(len(pictures), *min(shapes))}", where=name, remedy=remedy)


def cells_of(values: Sequence[object], count: int, name: str, what: str = "labels") -> list[tuple[str, ...]]:
    """`values`, one per picture, as cells of a table: words, rows (N, K) of them, or one list of words for each."""
    if isinstance(values, np.ma.MaskedArray):
        values = values.tolist()  # None for what is masked
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        values = [list(one) if isinstance(one, _SEVERAL) and getattr(one, "ndim", 1) else one for one in values]
        if any(isinstance(word, str) for one in values if isinstance(one, list) for word in one):
            values = [json.dumps([str(word) for word in one]) if isinstance(one, list) else one for one in values]
    values = np.atleast_1d(np.asarray(values, dtype=None if hasattr(values, "__array__") else object))
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if len(values) != count or (values.ndim > (2 if what == "labels" else 1) and values.size != count):
        shape = f" of shape {values.shape[1:]}" if values.size != len(values) else ""
        rule, received = f"pictures and {what} must be equally many", f"{count:,} pictures and {len(values):,} {what}"
        raise StriateError(f"{rule}, one for each picture", received=received + shape, where=name)
    return [tuple(map(word_of, row)) for row in values.reshape(count, math.prod(values.shape[1:])).tolist()]


def word_of(value: object) -> str:
    """A label, or a number that stands for one, as the name of its class; "" where it is missing."""
    if hasattr(value, "item"):  # one number of NumPy's, or a tensor's
        value = value.item()
    if value is None or not isinstance(value == value, bool) or value != value:  # NaN is not itself, nor pandas' NA
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return unicodedata.normalize("NFC", str(value)).strip()


def read_digits() -> Found:
    """The 1,797 handwritten digits (8 × 8, grey) that ship with scikit-learn, as uint8 with 16 → 255.

    The data file is read where it lies, because importing scikit-learn takes a second. E. Alpaydin and
    C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
    """
    package = importlib.util.find_spec("sklearn")
    file = Path(package.origin).parent.joinpath(*_DIGITS) if package and package.origin else None
    if file is None or not file.is_file():
        received = "scikit-learn is not installed" if package is None else "its data file is missing"
        rule = "the handwritten digits come with scikit-learn"
        remedy = "pip install scikit-learn, or give a folder of your own pictures"
        raise StriateError(rule, received=received, where=file, remedy=remedy)
    table = np.loadtxt(file, delimiter=",")
    pictures = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    samples = [
        Sample(path=f"digits/{row:04d}", source=picture, target=str(int(target)))
        for row, (picture, target) in enumerate(zip(pictures, table[:, 64], strict=True))
    ]
    return Found(root="digits", kind="digits", samples=samples)
