"""Pictures that are in memory already: NumPy arrays, and the digits that come with scikit-learn."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from striate.data.sample import Found, LeftOut, Sample
from striate.errors import StriateError

_DIGITS = ("datasets", "data", "digits.csv.gz")


def read_arrays(pictures: np.ndarray | Sequence[np.ndarray], labels: Sequence[object]) -> Found:
    """Samples from N pictures, (N, H, W), (N, H, W, C) or a list of such arrays, and N labels.

    Labels may be words or whole numbers; a missing one (None, NaN, "") leaves its picture out.
    """
    if isinstance(pictures, np.ndarray):
        _require_layout(pictures)
    names = [_label(label) for label in np.asarray(labels, dtype=object).ravel()]
    if len(pictures) != len(names):
        raise StriateError(
            "pictures and labels must be equally many",
            received=f"{len(pictures):,} pictures and {len(names):,} labels",
            where="arrays",
        )
    samples, left_out = [], []
    for row, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        path = f"array/{row}"
        if name:
            samples.append(Sample(path=path, source=np.asarray(picture), target=name))
        else:
            left_out.append(LeftOut(path=path, reason="no label"))
    return Found(root="arrays", kind="arrays", samples=samples, left_out=left_out)


def _require_layout(pictures: np.ndarray) -> None:
    if pictures.ndim not in (3, 4):
        raise StriateError(
            "an array of pictures has the axes (pictures, height, width) or (pictures, height, width, channels)",
            received=f"shape {pictures.shape}",
            where="arrays",
            remedy="reshape it, for example to (-1, 28, 28)",
        )
    if pictures.ndim == 4 and pictures.shape[1] in (1, 3) and pictures.shape[3] > 4:
        raise StriateError(
            "the channels of an array of pictures come last",
            received=f"shape {pictures.shape}",
            where="arrays",
            remedy="use pictures.transpose(0, 2, 3, 1)",
        )


def _label(label: object) -> str:
    if label is None or label != label:  # NaN is not equal to itself
        return ""
    if isinstance(label, float | np.floating) and float(label).is_integer():
        return str(int(label))
    return str(label).strip()


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
