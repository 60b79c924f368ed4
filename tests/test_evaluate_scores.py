"""The record of scores.json: its form, its edges, and the line that people read first."""

import json

import numpy as np
import pytest
import sklearn.metrics as oracle

from striate.errors import StriateError
from striate.evaluate.named import headline, score_table
from striate.evaluate.scores import classification_scores

SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "calibration_error", "log_loss")


def _drawn(n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    truth = rng.integers(0, classes, n)
    odds = np.exp(rng.normal(size=(n, classes)) + 2 * np.eye(classes)[truth])
    return truth, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("n", "classes"), [(150, 2), (300, 5), (6000, 5)])
def test_every_score_lies_within_its_interval(n: int, classes: int) -> None:
    """Each score is a value between its ends, for small sets and for those that use the normal limit."""
    truth, probabilities = _drawn(n, classes)
    names = [f"class {k}" for k in range(classes)]
    record = classification_scores(truth, probabilities, names, majority=1)
    each = [record[name] for name in SCORES]
    each += [score for row in record["per_class"].values() for score in row.values() if score != row["n"]]
    assert all(score["low"] < score["high"] for score in each)
    assert all(score["low"] <= score["value"] <= score["high"] for score in each)
    assert record["n"] == n
    assert record["baseline"] == pytest.approx(np.mean(truth == 1))
    assert list(record["per_class"]) == names
    assert record["accuracy"]["value"] == pytest.approx(oracle.accuracy_score(truth, probabilities.argmax(axis=1)))


def test_both_ways_to_the_interval_of_auroc_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redrawing pictures and DeLong's linear form give ends within a quarter of the interval's width."""
    truth, probabilities = _drawn(400, 3)
    exact = classification_scores(truth, probabilities, ["a", "b", "c"], 0)["auroc"]
    monkeypatch.setattr("striate.evaluate.redraws.MOST_ORDERED", 0)
    linear = classification_scores(truth, probabilities, ["a", "b", "c"], 0)["auroc"]
    width = exact["high"] - exact["low"]
    assert exact["value"] == linear["value"]
    assert linear["low"] == pytest.approx(exact["low"], abs=width / 4)
    assert linear["high"] == pytest.approx(exact["high"], abs=width / 4)


def test_wide_scores_stay_in_their_columns() -> None:
    """Intervals of more letters than a heading end below it, and the next part begins behind them."""
    wide = {"value": -8.7641, "low": -88.7641, "high": -7.7641}
    record = {"n": 9, "main": "r2", "r2": wide, "pearson": dict.fromkeys(wide, 0.5)}
    lines = score_table({"test": record, "train": record}).splitlines()[3:]
    assert lines[1].endswith("  −8.7641 [−88.7641, −7.7641]  −8.7641 [−88.7641, −7.7641]")
    assert len({len(line) for line in lines}) == 1
    assert len({line.index("test") + 4 if "test" in line else line.index("]") + 1 for line in lines}) == 1


def test_a_table_for_the_terminal_ends_in_mistakes() -> None:
    """The matrix is scikit-learn's, rows are true, and is left away where it finds no room."""
    truth, chances = _drawn(150, 3)
    names = ["circle", "square", "triangle"]
    record = classification_scores(truth, chances, names, 0)
    counts = oracle.confusion_matrix(truth, chances.argmax(axis=1)).astype(str)
    lines = [line.split() for line in score_table({"test": record}).splitlines()[-4:]]
    assert lines == [["test,", "true", "below", *names], *([n, *row] for n, row in zip(names, counts, strict=True))]
    wide = classification_scores(truth, chances, [f"{name} {'-' * 40}" for name in names], 0)
    assert "true below" not in score_table({"test": wide})


def test_what_is_not_defined_is_null_in_json() -> None:
    """A class that is absent and never called has null scores, and the record is strict JSON."""
    truth = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.9, 0.1, 0.0]])
    record = classification_scores(truth, probabilities, ["a", "b", "absent"], 0)
    absent = record["per_class"]["absent"]
    assert absent["n"] == 0
    assert all(absent[name]["value"] is None for name in ("precision", "recall", "f1", "auroc"))
    assert record["balanced_accuracy"]["value"] == pytest.approx(0.75)
    assert record["confusion"] == [[2, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("n", [0, 1])
def test_a_part_of_no_or_one_picture_is_scored(n: int) -> None:
    """Nothing to score gives null everywhere and a headline that says so; one picture gives no error."""
    record = classification_scores(np.zeros(n, dtype=int), np.tile([0.7, 0.3], (n, 1)), ["a", "b"], 0)
    json.dumps(record, allow_nan=False)
    assert record["n"] == n
    assert record["auroc"]["value"] is None
    if n == 0:
        assert all(record[name]["value"] is None for name in SCORES)
        assert headline(record) == "not scored: no pictures in this part"
        assert record["baseline"] is None
    else:
        assert record["calibration_error"]["low"] is None
        assert record["log_loss"]["value"] == pytest.approx(-np.log(0.7))


def test_headline_by_hand() -> None:
    """9 of 10 right, 6 of 10 of the training majority: Wilson's interval is [59.6, 98.2]."""
    truth = np.array([0] * 6 + [1] * 4)
    called = np.array([0] * 6 + [1] * 3 + [0])
    record = classification_scores(truth, np.eye(2)[called], ["cat", "dog"], 0)
    assert headline(record) == "90.0 % [59.6, 98.2], n = 10; always 'cat' would score 60.0 %"


def test_broken_predictions_are_refused_with_a_remedy() -> None:
    """Not-a-number and unknown classes end in a message that says what to do."""
    with pytest.raises(StriateError, match=r"1 of 2 pictures with NaN.*lower learning rate"):
        classification_scores(np.array([0, 1]), np.array([[1.0, 0.0], [np.nan, 1.0]]), ["a", "b"], 0)
    with pytest.raises(StriateError, match=r"between 0 and 1. received: 2"):
        classification_scores(np.array([0, 2]), np.full((2, 2), 0.5), ["a", "b"], 0)
