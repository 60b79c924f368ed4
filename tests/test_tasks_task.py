"""What holds for every task of the table."""

import numpy as np
import pytest

from striate.data.sample import Boxes, Found, Mask, Target
from striate.evaluate.named import headline, number, score_table
from striate.tasks.table import TASKS
from striate.tasks.task import task_kind

MASK = Mask(kind="index", names=("ground", "cell"), sources=(np.eye(8, dtype=np.uint8),), values=(0, 1))
BOXES = Boxes(names=("cell",), corners=np.array([[0.0, 0, 4, 4]]))
TARGETS: dict[str, list[Target]] = {
    "classification": ["a", "b"], "multilabel": [("a",), ("a", "b")], "regression": [(1.0,), (2.5,)],
    "detection": [BOXES, BOXES], "segmentation": [MASK, MASK],
}  # fmt: skip
NAMES = {"regression": ("value",), "segmentation": MASK.names}


def test_a_score_stands_below_its_name() -> None:
    """Every line of the table by class ends where its heads end, however long they and the counts are."""
    score = {"value": 0.5, "low": None, "high": None}
    row = {"n": 1_595_498, "spearman": score, "rmse": score}
    record = {"n": 3, "main": "rmse", "rmse": score, "baseline": None, "per_class": {"steering": row, "x": row}}
    lines = score_table({"test": record}).splitlines()[-3:]
    assert lines[0].split()[:3] == ["test,", "by", "number"]
    assert len({len(line) for line in lines}) == 1
    assert all(line.index("1,595,498") + 9 == lines[0].index(" n ") + 2 for line in lines[1:])


def test_the_table_writes_nothing_and_minus_as_the_report_does() -> None:
    """What is not defined is an en dash and a number below 0 has a minus sign, as in `number`; never a hyphen."""
    below, none = {"value": -0.25, "low": -0.5, "high": 0.125}, {"value": None, "low": None, "high": None}
    row = {"n": 3, "r2": below, "rmse": none}
    record = {**row, "main": "r2", "baseline": None, "per_class": {"x": row}}
    text = score_table({"test": record, "train": {"n": 0, "main": "r2", "r2": none, "baseline": None}})
    assert "-" not in text
    assert "−0.2500 [−0.5000, 0.1250]" in text
    assert [line.split()[-2:] for line in text.splitlines() if line.startswith("RMSE")] == [["–", "–"]]
    assert text.splitlines()[-1].split() == ["x", "3", "−0.250", "–"]
    assert number(None, "r2") == "–"
    assert number(-0.25, "r2").startswith("−")


@pytest.mark.parametrize(
    ("value", "rmse", "r2"),
    [
        (0.00012345, "0.000123", "0.000"), (0.04567, "0.0457", "0.046"), (0.3241, "0.324", "0.324"),
        (0.0, "0.000", "0.000"), (12.34, "12.34", "12.34"), (999.96, "1000", "1000"), (50723.4, "50723", "50723"),
        (1234567.0, "1.235e+06", "1.235e+06"),
    ],
)  # fmt: skip
def test_numbers_in_any_unit_say_something(value: float, rmse: str, r2: str) -> None:
    """A thickness in metres is not 0.000 and a price has no exponent, in the report and in the table."""
    assert (number(value, "rmse"), number(value, "r2")) == (rmse, r2)
    score = {"value": value, "low": value, "high": value}
    record = {"n": 3, "main": "mae", "rmse": score, "mae": score, "baseline": None}
    record |= {"per_class": {"x": {"n": 3, "rmse": score}}}
    text = score_table({"test": record})
    assert f"{rmse} [{rmse}, {rmse}]" in text
    assert text.splitlines()[-1].split() == ["x", "3", rmse]


@pytest.mark.parametrize("name", TASKS)
def test_an_empty_part_is_told_and_nothing_false(name: str) -> None:
    """--test 0: no picture gives no score and no mistake, and the words say so."""
    targets = 2 * TARGETS[name]
    found = Found(root="drawn", kind="table", samples=[], task=name, names=NAMES.get(name, ()))
    task = task_kind(name).of(found, targets, {}).fitted(targets)
    record = task.scores([], [], task.floor(targets), np.zeros(0, int))
    assert record["n"] == 0
    assert record[record["main"]] == {"value": None, "low": None, "high": None}
    assert headline(record) == "not scored: no pictures in this part"
    assert "not scored" in score_table({"test": record})
    assert (task.worst([], [], 3), task.best([], [], 3)) == ([], [])
    assert task.errors([], []).shape == (0,)
