"""Runs beside each other: what was asked of each, their scores, and whether their answers differ by more than chance.

Two intervals may overlap although one run is clearly better on the very same pictures, so differences are taken picture
by picture. Only files of the run folders are read, so that nothing has to be loaded.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from striate import files
from striate.errors import StriateError, aligned
from striate.evaluate import intervals, redraws
from striate.evaluate.named import interval, label, main_of

LEAST, LEAST_KIN = 10, 5  # pictures that two runs must have in common, and groups of them that belong together
MOST = 48  # letters of a cell


@dataclass(frozen=True)
class Told:
    """What one run left behind: asked, its [settings]; scores; and of every picture of a part the true label or target,
    what it belongs together with ("" for nothing), and how wrong the answer was (0 or 1 for one class; of numbers (K,)
    how far off each was, in the user's units), the mean over several answers."""

    name: str
    asked: dict[str, object]
    scores: dict
    pictures: dict[str, tuple[str, str, np.ndarray | float]]


def compared(runs: Sequence[str | Path], part: str = "validation") -> str:
    """The runs as columns of a table, then every later one against the first, picture by picture, as text."""
    if len(runs) < 2:
        raise StriateError("a comparison is of two runs or more", received=len(runs), where="striate compare")
    told = [_read(Path(run), part) for run in runs]
    mains = {one.name: label(main_of(one.scores[part]), one.scores[part]) for one in told}
    if len(set(mains.values())) > 1:
        received = ", ".join(f"{name} by {main}" for name, main in mains.items())
        raise StriateError("runs that are compared learn the same: one score counts", received=received)
    lines = _table(told) + [""] + [_difference(told[0], other, part) for other in told[1:]]
    if part == "test":
        lines.append("Choose by the validation part: a test score by which something was chosen is too good.")
    return "\n".join(lines)


def _read(run: Path, part: str) -> Told:
    scores = dict(files.scores_of(run))
    try:
        asked = files.settings_of(run)["settings"]
        groups = {row["path"]: row["group"] for row in files.read_csv(run / "data.csv")}
        known, errors, are_numbers = {}, defaultdict(list), main_of(scores[part]) in ("rmse", "r2")
        for row in files.read_csv(run / "predictions.csv"):
            if row["part"] == part:  # a run of an earlier version knows groups, and no kin
                known[row["path"]] = row["truth"], row.get("kin") or groups.get(row["path"], "")
                errors[row["path"]].append(_error(row, are_numbers))
        pictures = {name: (*about, np.mean(errors[name], axis=0)) for name, about in known.items()}
    except (OSError, ValueError, KeyError) as error:
        rule = "a run to compare has readable settings.toml, data.csv and predictions.csv"
        raise StriateError(rule, received=f"{type(error).__name__}: {error}", where=run) from error
    return Told(str(run), asked, scores, pictures)


def _error(row: dict[str, str], are_numbers: bool) -> float | np.ndarray:
    """How wrong one answer is; of numbers (K,) in the user's units, since every run has a deviation of its own."""
    if are_numbers:
        return abs(_numbers(row["predicted"]) - _numbers(row["truth"]))
    return float(row["error"]) if "error" in row else float(row["predicted"] != row["truth"])


def _numbers(cell: str) -> np.ndarray:
    return np.array(cell.split("; "), np.float64)


def _table(told: Sequence[Told]) -> list[str]:
    names = [name for one in told for name in one.asked if name not in ("name", "out")]
    differing = [name for name in dict.fromkeys(names) if len({str(one.asked.get(name)) for one in told}) > 1]
    rows = [["", *(one.name for one in told)]]
    rows += [[name, *(str(one.asked.get(name, "–")) for one in told)] for name in differing]
    rows.append(["seconds", *(f"{one.scores['seconds']:.0f}" for one in told)])
    for part in ("validation", "test"):
        main = main_of(first := told[0].scores[part])
        cells = (interval(one.scores[part][main], main) if main in one.scores[part] else "–" for one in told)
        rows.append([f"{part}, {label(main, first)}", *cells])
    return aligned([[cell if len(cell) <= MOST else f"{cell[: MOST - 3]}..." for cell in row] for row in rows])


def _difference(first: Told, other: Told, part: str) -> str:
    both = [name for name, mine in first.pictures.items() if _labels(other.pictures.get(name)) == _labels(mine)]
    pair = f"{other.name} against {first.name}"
    if len(both) < LEAST:
        few = f"{len(both)} {part} pictures in common, which is too few to compare"
        return f"{pair}: {few}; the same --seed gives the same parts, and --repeats or --folds keep only the test part"
    about = f"{pair}, on {len(both):,} {part} pictures of both"
    kin = min(([one.pictures[name][1] or name for name in both] for one in (first, other)), key=lambda k: len(set(k)))
    if len(set(kin)) < LEAST_KIN:
        return f"{about}: only {len(set(kin))} groups (of a patient, alike, neighbours), which are too few to tell by"
    before, after = (np.array([one.pictures[name][2] for name in both]) for one in (first, other))
    if before.ndim > 1:  # several numbers count by the greatest error, each against how much it varies
        spread = np.std([_numbers(first.pictures[name][0]) for name in both], axis=0) if before.shape[1] > 1 else 1.0
        before, after = ((one / np.where(spread > 0, spread, 1.0)).max(axis=1) for one in (before, after))
    change, (low, high) = (after - before).mean(), _ends(after - before, np.array(kin))
    said = "no difference is shown" if low <= 0 <= high else "better" if high < 0 else "worse"
    if main_of(first.scores[part]) == "accuracy":
        value, *ends = (_signed(f"{-100 * one:+.1f}") for one in (change, high, low))
        return f"{about}: {value} points of accuracy [{', '.join(ends)}]: {said}"
    value, *ends = (_signed(f"{one:+.3g}") for one in (change, low, high))
    return f"{about}: {value} of error per picture, which was {before.mean():.3g} [{', '.join(ends)}]: {said}"


def _ends(differences: np.ndarray, kin: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean, from drawing what belongs together again."""
    drawn = redraws.resampled_means(differences[:, None], clusters=kin)[:, 0]
    return intervals.widened(differences.mean(), drawn, intervals.clusters_worth(kin, len(kin)))


def _labels(picture: tuple | None) -> list[str] | None:
    """A true answer in whatever order its labels stand."""
    return None if picture is None else sorted(picture[0].split("; "))


def _signed(number: str) -> str:
    return number.replace("-", "−") if float(number) else number.lstrip("+-")
