"""Operating points: thresholds that find a wanted share of a class, and the curves they lie on."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from striate.evaluate import metrics
from striate.evaluate.operating import LEVELS, at_points, from_on, operating_points, roc_figure
from striate.tasks.classification import Classification
from striate.tasks.multilabel import Multilabel
from striate.tasks.task import make_task


def drawn(seed: int, n: int, apart: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Truth (n, 1) and chances (n, 1) of two overlapping normals; a third has the label."""
    random = np.random.default_rng(seed)
    truth = (random.random((n, 1)) < 1 / 3).astype(float)
    return truth, 1 / (1 + np.exp(-random.normal(apart * truth - 1, 1)))


@pytest.mark.parametrize("digits", [1, 9])
def test_the_curve_is_scikit_learns(digits: int) -> None:
    """With ties, as rounding makes them, and without."""
    truth, chances = drawn(0, 200)
    chances = chances.round(digits)
    others, found = metrics.roc(chances[:, 0], truth[:, 0] > 0)
    expected = sklearn_metrics.roc_curve(truth[:, 0], chances[:, 0], drop_intermediate=False)
    np.testing.assert_allclose(others, expected[0])
    np.testing.assert_allclose(found, expected[1])


def test_thresholds_by_hand() -> None:
    """Of 19 pictures the ceil(20 · 0.9) = 18th and the ceil(20 · 0.95) = 19th; 0.99 would take 99 of them."""
    sure = np.arange(1, 20) / 20 + 4e-7
    truth = np.concatenate([np.ones(19), np.zeros(5)])[:, None]
    points = operating_points(truth, np.concatenate([sure, np.full(5, 0.5)])[:, None])
    assert points == ((0, 0.9, 0.1), (0, 0.95, 0.05))


def test_so_many_new_ones_are_found_on_average() -> None:
    """400 draws of 60 pictures choose; the share of very many new ones above each threshold is at least what was
    wanted, and not much more."""
    new = drawn(1, 100_000)
    new = np.sort(new[1][new[0] > 0])
    found: dict[float, list[float]] = {}
    for seed in range(400):
        for _, level, threshold in operating_points(*drawn(seed + 2, 120)):
            found.setdefault(level, []).append(1 - np.searchsorted(new, threshold) / len(new))
    assert sorted(found) == [0.9, 0.95]
    for level, shares in found.items():
        assert level - 0.005 < np.mean(shares) < level + 0.025


def test_pictures_that_belong_together_count_as_one() -> None:
    """Forty pictures of eight patients are too few for nine in ten."""
    truth, chances = np.ones((40, 1)), np.linspace(0.1, 0.9, 40)[:, None]
    assert len(operating_points(truth, chances)) == 2
    assert operating_points(truth, chances, np.arange(40) // 5) == ()


def test_what_they_find_and_cost_is_counted() -> None:
    """Against scikit-learn's recall and precision at the threshold; unknown labels count nowhere."""
    truth, chances = drawn(3, 300)
    truth[::7] = np.nan
    (point,) = at_points(((0, 0.95, 0.4),), truth, chances, ["scar"])["operating_points"]
    known = ~np.isnan(truth[:, 0])
    had, said = truth[known, 0], chances[known, 0] >= 0.4
    assert point["n"] == had.sum()
    assert point["recall"]["value"] == pytest.approx(sklearn_metrics.recall_score(had, said))
    assert point["specificity"]["value"] == pytest.approx(sklearn_metrics.recall_score(1 - had, ~said))
    assert point["precision"]["value"] == pytest.approx(sklearn_metrics.precision_score(had, said))
    assert point["recall"]["low"] < point["recall"]["value"] < point["recall"]["high"]


def test_a_classifier_keeps_its_points_and_scores_by_them() -> None:
    """Both directions of two classes, through the plain data that a model file holds."""
    truth, chances = drawn(4, 400, 3)
    answers = list(np.concatenate([1 - chances, chances], axis=1))
    targets = ["ill" if one else "healthy" for one in truth[:, 0]]
    task = Classification(("healthy", "ill")).tuned(targets, answers)
    again = make_task("classification", {"classes": list(task.classes), "points": [list(p) for p in task.points]})
    assert again == task
    record = again.scores(targets, answers, again.floor(targets))
    assert [(p["class"], p["wanted"]) for p in record["operating_points"]] == [
        (name, level) for name in task.classes for level in LEVELS
    ]
    assert all(p["recall"]["value"] >= p["wanted"] for p in record["operating_points"])
    assert "operating_points" not in Classification(task.classes).scores(targets, answers, {})


def test_figures_of_two_classes_many_and_none() -> None:
    """Of two classes the second's curve, of seven the six that are told worst, of one alone none."""
    random = np.random.default_rng(5)
    for count, said in ((2, "'c1'"), (3, "each against"), (7, "told worst")):
        task = Classification(tuple(f"c{k}" for k in range(count)))
        targets = [f"c{k % count}" for k in range(60)]
        answers = random.dirichlet(np.ones(count), 60)
        figures = task.figures(targets, list(answers), task.scores(targets, list(answers), {}))
        assert said in figures["roc"].caption
    one = Multilabel(("scar",))
    told = [np.array([[0.7, 1.0]])] * 4
    marks = np.ones((4, 1))
    assert roc_figure(marks, np.full((4, 1), 0.7), one.scores([("scar",)] * 4, told, {})) == {}


def test_thresholds_are_written_no_higher_than_they_are() -> None:
    """Rounded to nearest, one of 0.99962 would find nothing; one below the last decimal would say everything."""
    random = np.random.default_rng(6)
    sure = np.clip(1 - 10 ** random.uniform(-6, -2, 200), 0, 1)
    ((_, _, threshold), *_) = operating_points(np.ones((200, 1)), sure[:, None])
    assert float(from_on(threshold).removeprefix("p ≥ ")) == threshold <= np.sort(sure)[20]
    assert from_on(0.5) == "p ≥ 0.5"
    assert operating_points(np.ones((200, 1)), np.full((200, 1), 1e-7)) == ()
