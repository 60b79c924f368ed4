"""The scores of a finished training: every part, and what an honest test part would have hidden.

Where test pictures as given have a look-alike in the training part, the test is also scored without them. Where
look-alikes of training pictures were held out (twins), they tell what a split by picture would have reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from striate.evaluate.intervals import mixture
from striate.export.model import Model
from striate.train.dataset import TWIN, Dataset


@dataclass(frozen=True)
class Picked:
    """Rows (N,) of stored pictures (K, H, W, C) as an array that reads only what is asked of it."""

    pictures: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: slice | np.ndarray) -> np.ndarray:
        return np.asarray(self.pictures[self.rows[places]])


def answers_of(model: Model, data: Dataset, rows: np.ndarray) -> Sequence:
    """The model's answers to rows of the store."""
    return model.answers(Picked(data.store.pictures, rows), data.sizes[rows])


def score_parts(model: Model, data: Dataset, predicted: Mapping[str, Sequence]) -> dict:
    """The records of all parts for scores.json.

    "test" has "leaked", and "without_leaks" if there are any; "random_split" is there where twins were held out.
    predicted: the answers to the scored rows of every part, twins too.
    """

    def record(part: str, kept: np.ndarray | None = None) -> dict:
        rows, answers = data.scored_rows(part), predicted[part]
        if kept is not None:
            rows, answers = rows[kept], [answer for answer, keep in zip(answers, kept, strict=True) if keep]
        return model.task.scores(data.targets_of(rows), answers, model.about, data.kin[rows])

    scores = {part: record(part) for part in ("test", "validation", "train")}
    leaked = data.leaked("test")
    scores["test"]["leaked"] = int(leaked.sum())
    if leaked.any():
        scores["test"]["without_leaks"] = record("test", ~leaked)
    honest = scores["test"].get("without_leaks", scores["test"])
    if len(data.rows(TWIN)) and honest["n"]:
        scores["random_split"] = _random_split(record(TWIN)["accuracy"], honest["accuracy"], data)
    return scores


def _random_split(twins: dict, honest: dict, data: Dataset) -> dict:
    """What a split by picture would have reported, about: a mean of the accuracies of twins and of honest pictures.

    share: of pictures that would then have had a look-alike in the training part: 1 - (1 - t)^m for a picture with m
    look-alikes, where t is the share of the pictures that are trained on.
    """
    trained = np.isin(data.parts[data.used], ["train", TWIN]).mean()
    met = np.zeros(len(data.parts))
    for rows in data.check.together:
        inside = np.intersect1d(rows, data.used)
        met[inside] = 1 - (1 - trained) ** (len(inside) - 1)
    share = float(met[data.used].mean())
    value, low, high = mixture([(share, twins), (1 - share, honest)])
    accuracy = {"value": value, "low": low, "high": high}
    return {"accuracy": accuracy, "n": len(data.rows(TWIN)), "share": share, "twins": twins, "honest": honest}
