"""The records that pass between the readers of data and everything after them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture with what is known about it.

    path: its name in every table we write: relative to the folder given, with '/' ("cat/001.png",
        "array/12" for a row of an array).
    source: what the decoder opens: an absolute file path, or the pixels themselves (H, W) or (H, W, C).
    target: the class name; other tasks put their own target here.
    group: samples of one group stay in one part (a patient, a slide); None stands alone.
    part: "train", "validation" or "test" where the user's folders or table say so, else None.
    """

    path: str
    source: Path | np.ndarray
    target: str
    group: str | None = None
    part: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that is not used, and why, in words that a user understands."""

    path: str
    reason: str
    label: str = ""
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reader found in a folder, a table or arrays, before any picture is decoded.

    root: the absolute folder or file, or a word such as "digits" or "arrays".
    kind: "classes" (FOLDER/<class>), "parts" (FOLDER/<part>/<class>), "names" (--label-regex), "labels"
        (--labels), "table", "packed" (.npz, .idx, ...), "arrays" or "digits".
    hidden: how many hidden files and folders were passed over (.DS_Store, Thumbs.db, ...).
    labels: where the classes come from, in words, when it is neither folders nor the table given.
    """

    root: str
    kind: str
    samples: list[Sample]
    left_out: list[LeftOut] = field(default_factory=list)
    hidden: int = 0
    labels: str = ""

    @property
    def classes(self) -> list[str]:
        """Class names in the order of their outputs: sorted by code point of the NFC form."""
        return sorted({sample.target for sample in self.samples})
