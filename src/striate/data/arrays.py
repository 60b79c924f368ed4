"""Pictures that are in memory already: NumPy arrays, and the digits that come with scikit-learn."""

import importlib.util
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from striate.data.sample import Found, LeftOut, Sample
from striate.data.series import alike_rows, rows_of_array
from striate.errors import StriateError

_DIGITS = ("datasets", "data", "digits.csv.gz")


def read_arrays(
    pictures: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[object],
    groups: Sequence[object] | None = None,
    form: str = "auto",
) -> Found:
    """Samples from N pictures, (N, H, W), (N, H, W, C) or a list of such arrays, N labels and, if wanted, N groups.

    Labels and groups may be words or whole numbers; a missing label (None, NaN, "") leaves its picture out.
    form: one of FORMS; by default an array (N, L), or a list of arrays (L,), holds series.
    """
    form = form_of(pictures, form)
    samples, left_out, mended = read_rows(pictures, labels, groups, "array", None, form)
    return Found(root="arrays", kind="arrays", samples=samples, left_out=left_out, form=form, mended=mended)


def form_of(pictures: np.ndarray | Sequence[np.ndarray], form: str) -> str:
    """The form asked for, or by "auto" that of rows of numbers: "series" where each has one axis, else "picture"."""
    if form != "auto":
        return form
    is_array = isinstance(pictures, np.ndarray)
    flat = pictures.ndim == 2 if is_array else len(pictures) > 0 and all(np.ndim(one) == 1 for one in pictures)
    return "series" if flat else "picture"


def read_rows(
    pictures: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[object],
    groups: Sequence[object] | None,
    name: str,
    part: str | None,
    form: str = "picture",
) -> tuple[list[Sample], list[LeftOut], tuple[str, ...]]:
    """The same, as samples called NAME/0, NAME/1, ... of `part`: views of `pictures`, which is kept once; those left
    out; and what was mended."""
    pictures = rows_of_form(pictures, form, name)
    words = _words(labels, "labels", len(pictures), name)
    together = [None] * len(words) if groups is None else _words(groups, "groups", len(pictures), name)
    samples, left_out, series = [], [], []
    for row, (picture, word, group) in enumerate(zip(pictures, words, together, strict=True)):
        path = f"{name}/{row}"
        about = {"target": word, "group": group or None, "part": part}
        if not word:
            left_out.append(LeftOut(path=path, reason="no label", part=part or ""))
        elif form == "series":
            series.append((path, np.asarray(picture), about))
        else:
            samples.append(Sample(path=path, source=np.asarray(picture), **about))
    if form != "series":
        return samples, left_out, ()
    samples, unusable, mended = alike_rows(series)
    return samples, left_out + unusable, mended


def rows_of_form(
    pictures: np.ndarray | Sequence[np.ndarray], form: str, name: str
) -> np.ndarray | Sequence[np.ndarray]:
    """An array with the axes that its form has: (N, H, W[, C]) of pictures, (N, L, C) of series. Lists as they are."""
    if not isinstance(pictures, np.ndarray):
        return pictures
    if form == "series":
        if pictures.ndim not in (2, 3):
            raise StriateError(
                "an array of series has the axes (series, values) or (series, values, channels)",
                received=f"shape {pictures.shape}",
                where=name,
            )
        return rows_of_array(pictures)
    if form == "volume":
        if pictures.ndim not in (4, 5):
            raise StriateError(
                "an array of volumes has the axes (volumes, frames, height, width[, channels])",
                received=f"shape {pictures.shape}",
                where=name,
            )
        return pictures
    _require_layout(pictures, name)
    return pictures


def _require_layout(pictures: np.ndarray, name: str) -> None:
    if pictures.ndim not in (3, 4):
        raise StriateError(
            "an array of pictures has the axes (pictures, height, width) or (pictures, height, width, channels)",
            received=f"shape {pictures.shape}",
            where=name,
            remedy="reshape it, for example to (-1, 28, 28)",
        )
    if pictures.ndim == 4 and pictures.shape[1] in (1, 3) and pictures.shape[3] > 4:
        raise StriateError(
            "the channels of an array of pictures come last",
            received=f"shape {pictures.shape}",
            where=name,
            remedy="use pictures.transpose(0, 2, 3, 1)",
        )


def _words(values: Sequence[object], what: str, count: int, name: str) -> list[str]:
    """`values`, one per picture, as words: a column (N, 1) as well, and rows of one 1 and zeros as its number."""
    values = np.atleast_1d(np.asarray(values, dtype=None if hasattr(values, "__array__") else object))
    if values.ndim == 2 and values.shape[1] > 1 and _is_one_hot(values):
        values = values.argmax(axis=1)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if len(values) != count or values.size != count:
        raise StriateError(
            f"pictures and {what} must be equally many, one for each picture",
            received=f"{count:,} pictures and {len(values):,} {what}"
            + (f" of shape {values.shape[1:]}" if values.size != len(values) else ""),
            where=name,
        )
    return [_word(value) for value in values.ravel().tolist()]


def _is_one_hot(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf" and bool(np.all((values == 0) | (values == 1)) and np.all(values.sum(1) == 1))


def _word(value: object) -> str:
    if value is None or value != value:  # NaN is not equal to itself
        return ""
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
        raise StriateError(
            "the handwritten digits come with scikit-learn",
            received="scikit-learn is not installed" if package is None else "its data file is missing",
            where=file,
            remedy="pip install scikit-learn, or give a folder of your own pictures",
        )
    table = np.loadtxt(file, delimiter=",")
    pictures = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    samples = [
        Sample(path=f"digits/{row:04d}", source=picture, target=str(int(target)))
        for row, (picture, target) in enumerate(zip(pictures, table[:, 64], strict=True))
    ]
    return Found(root="digits", kind="digits", samples=samples)
