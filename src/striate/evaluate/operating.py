"""Operating points: from which probability on a class is to be said, so that a wanted share of its pictures is found.

The likeliest class is not always the right one to act on: who must miss no melanoma calls pictures suspicious that
probably are none. The thresholds are chosen on the validation part; what they find and cost is measured on any other.

Legend: N pictures, K classes (or labels); truth (N, K) is 1, 0, or NaN where it is not known; chances (N, K).
"""

import math
from collections.abc import Sequence

import numpy as np

from striate.draw import charts
from striate.evaluate import metrics
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters, clusters_worth, conformal_rank, real_clusters, share_score

LEVELS = (0.9, 0.95, 0.99)  # wanted shares
Points = tuple[tuple[int, float, float], ...]  # number of the class, wanted share, threshold


def operating_points(truth: np.ndarray, chances: np.ndarray, clusters: Clusters = None) -> Points:
    """The highest threshold for every class and wanted share, from pictures that were not learned from.

    Of n pictures of the class it is the ceil((n + 1) LEVEL)-th greatest probability, so of new ones like these at least
    LEVEL are found, on average over such choices (split conformal prediction, as prediction intervals); none where n,
    or the number of clusters, is too small to say. Rounded down to the six decimals of predictions.csv; none of 0.
    """
    points = []
    for k, (has, column) in enumerate(zip(truth.T > 0, chances.T, strict=True)):
        sure, own = np.sort(column[has])[::-1], None if clusters is None else np.asarray(clusters)[has]
        worth = clusters_worth(own, len(sure))
        ranks = {level: conformal_rank(len(sure), worth, level) for level in LEVELS}
        points += [(k, level, math.floor(1e6 * sure[rank - 1]) / 1e6) for level, rank in ranks.items() if rank]
    return tuple(point for point in points if point[2] > 0)


def at_points(
    points: Points, truth: np.ndarray, chances: np.ndarray, names: Sequence[str], clusters: Clusters = None
) -> dict[str, list[dict]]:
    """{"operating_points": what every threshold finds and costs among these pictures}, for scores.json: recall
    (sensitivity), specificity and precision with their intervals, and n, the pictures that have it; {} without any."""
    clusters, found = real_clusters(clusters), []
    for k, level, threshold in points if len(truth) else ():
        has, known, said = truth[:, k] > 0, ~np.isnan(truth[:, k]), chances[:, k] >= threshold
        found.append({
            "class": names[k],
            "wanted": level,
            "threshold": threshold,
            "n": int(has.sum()),
            "recall": share_score(said, clusters, has),
            "specificity": share_score(~said, clusters, known & ~has),
            "precision": share_score(has, clusters, known & said),
        })  # fmt: skip
    return {"operating_points": found} if found else {}


def from_on(threshold: float) -> str:
    """A threshold with the decimals that it was rounded down to: written shorter it could be too high."""
    return f"p ≥ {threshold:.6f}".rstrip("0").rstrip(".")


def roc_figure(truth: np.ndarray, chances: np.ndarray, record: dict) -> dict[str, Figure]:
    """The receiver operating curves of the classes in a record of scores.json: of two that exclude each other the
    second's, of many those that are told worst, of one alone with its operating points; {} where no class has pictures
    and others beside it."""
    names, areas = list(record["per_class"]), [one["auroc"]["value"] for one in record["per_class"].values()]
    known = sorted((k for k, area in enumerate(areas) if area is not None), key=areas.__getitem__)
    if not known:
        return {}
    shown = sorted(known[: len(charts.CURVES)])
    whose = "those that are told worst" if len(known) > len(shown) else "each against all others"
    if len(names) == 2 and np.allclose(chances.sum(axis=1), 1):
        shown = [1]
    dots = []
    if len(shown) == 1:
        own = (one for one in record.get("operating_points", ()) if one["class"] == names[shown[0]])
        dots = [(1 - p["specificity"]["value"], p["recall"]["value"], from_on(p["threshold"])) for p in own]
        whose = f"{names[shown[0]]!r}" + ", with its operating points" * bool(dots)
    curves = {}
    for k in shown:
        sure = ~np.isnan(truth[:, k])
        curves[f"{areas[k]:.3f}  {names[k]}"] = metrics.roc(chances[sure, k], truth[sure, k] > 0)
    caption = f"Receiver operating curve of {whose}; the number is its AUROC. Chance lies on the dashed line."
    return {"roc": Figure(charts.roc(curves, dots), "Receiver operating curve", caption, title="ROC curve")}
