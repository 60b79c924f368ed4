"""Labels that may be wrong, read from what networks say of pictures that they have not learned.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels").
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate import files
from striate.check.finding import Finding

LEAST = 4  # pictures of a class; what is said of fewer is not believed
FEW = 0.01  # a smaller share of wrong labels is what good sets have
MOST = 0.1  # of all pictures, to look at; poor networks doubt many more
HARD = 0.8  # share of labels agreed with, below which doubts say more about the network
QUICK = "small networks"  # those of a check
COLUMNS = ("path", "label", "suggested", "score", "part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Pictures for which a network prefers another class than their label, the most doubtful first.

    rows: (M,) which pictures. labels, suggested: (M,) class numbers. scores: (M,) 0.5 to 1, the weight of the
    suggested class against the label. share: of all labels, the part estimated to be wrong. agreed: the part that
    the network agrees with. pictures: how many were asked about.
    """

    rows: np.ndarray
    labels: np.ndarray
    suggested: np.ndarray
    scores: np.ndarray
    share: float
    agreed: float
    pictures: int

    def __iter__(self) -> Iterator[tuple[int, int, int, float]]:
        """Row, label, suggested class and score of one after the other."""
        return zip(self.rows, self.labels, self.suggested, self.scores, strict=True)

    @property
    def count(self) -> int:
        """How many of the first rows are worth a look: as many as are estimated to be wrong, but at most a tenth."""
        return min(len(self.rows), round(min(self.share, MOST) * self.pictures))


def rank_labels(chances: np.ndarray, labels: np.ndarray) -> Suspects:
    """The pictures whose label is doubted, in the order of the odds against it.

    chances: (N, classes) probabilities by networks that have not learned the picture. labels: (N,) class numbers. Each
    chance is divided by the root of the class's threshold, the mean chance that pictures of this label have for it: so
    a class that the network seldom believes in is not doubted as a whole (dividing by all of it found fewer planted
    wrong labels among hard pictures, not dividing among uneven classes). Classes of fewer than LEAST are left out.
    """
    chances, labels = np.asarray(chances, np.float64), np.asarray(labels)
    sizes = np.bincount(labels, minlength=chances.shape[1])
    judged = sizes >= LEAST
    sums = np.bincount(labels, chances[np.arange(len(labels)), labels], minlength=chances.shape[1])
    thresholds = np.where(judged, sums / np.maximum(sizes, 1), np.inf)
    rows = np.flatnonzero(judged[labels])
    chances, given = chances[rows], labels[rows]
    relative = chances / np.sqrt(np.maximum(thresholds, 1e-12))
    own = relative[np.arange(len(rows)), given]
    relative[np.arange(len(rows)), given] = -1
    other = relative.argmax(axis=1)
    score = relative.max(axis=1) / np.maximum(relative.max(axis=1) + own, 1e-300)
    order = np.argsort(-score, kind="stable")
    order = order[score[order] > 0.5]
    return Suspects(
        rows=rows[order], labels=given[order], suggested=other[order], scores=score[order],
        share=_wrong(chances, given, thresholds), pictures=len(rows),
        agreed=float((chances.argmax(axis=1) == given).sum() / max(len(rows), 1)),
    )  # fmt: skip


def _wrong(chances: np.ndarray, labels: np.ndarray, thresholds: np.ndarray) -> float:
    """The share of labels off the diagonal of the confident joint: of a class's pictures that reach the threshold of
    any class, those whose likeliest such class is another one; weighted by the sizes of the classes."""
    sure = np.where(chances >= thresholds, chances, -1.0)
    reached = sure.max(axis=1) >= 0
    sizes = np.bincount(labels, minlength=len(thresholds))
    counted = np.bincount(labels[reached], minlength=len(thresholds))
    off = np.bincount(labels[reached & (sure.argmax(axis=1) != labels)], minlength=len(thresholds))
    return float((sizes * off / np.maximum(counted, 1)).sum() / max(sizes.sum(), 1))


def label_finding(found: Suspects, paths: Sequence[str], classes: Sequence[str], who: str = QUICK) -> Finding:
    """What is said of them. paths: of all pictures, by the numbers in `found.rows`. who: has not learned them."""
    suggested = [
        {"path": paths[row], "label": classes[label], "suggested": classes[other], "score": round(float(score), 4)}
        for row, label, other, score in list(found)[: found.count]
    ]
    how_many = f"{found.count:,} of {found.pictures:,} pictures that {who} had not learned"
    what = f"Labels to look at: {how_many}. In lists like this about half are wrong."
    if found.share < FEW:
        what = f"Labels look right: {how_many} are doubtful."
    elif found.agreed < HARD:
        what = f"Labels to look at: {how_many}. Only {100 * found.agreed:.0f} % are agreed with: many doubts are wrong."
    first = "; ".join(f"{item['path']} looks like {item['suggested']}" for item in suggested[:3])
    change = f"Look at the first ones: {first}." if first else ""
    if change and who == QUICK and found.agreed < HARD:
        change += " `striate train` with --folds 5 learns longer and ranks all pictures anew, in suspects.csv."
    return Finding(
        kind="label_suspects", level="note", what=what, count=found.count, done="They keep the label given.",
        change=change,
        groups=tuple((item["path"],) for item in suggested),
        figures={"share": round(found.share, 4), "agreed": round(found.agreed, 4), "suspects": suggested},
    )  # fmt: skip


def write_suspects(
    file: Path, found: Suspects, paths: Sequence[str], classes: Sequence[str], parts: Sequence[str]
) -> None:
    """suspects.csv: every doubted picture, the most doubtful first; paths and parts by the numbers in `found.rows`."""
    rows = [
        (paths[row], classes[label], classes[other], f"{score:.4f}", parts[row]) for row, label, other, score in found
    ]
    files.write_csv(file, COLUMNS, rows)
