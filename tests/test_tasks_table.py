"""The table of tasks, and the worked example of docs/new-task.md: what the page shows is run as it stands there."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import read_table, white_charts

import striate
from striate import cli
from striate.errors import StriateError
from striate.tasks.table import TASKS
from striate.tasks.task import task_kind

PAGE = Path(__file__).parents[1] / "docs/new-task.md"
GRADES = 5


@pytest.fixture(scope="module")
def grading(tmp_path_factory: pytest.TempPathFactory):
    """The page's file lies where Python finds it, and its line is in the table."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    place = tmp_path_factory.mktemp("module")
    (place / "grading.py").write_text(code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        patch.setitem(TASKS, "grading", "grading:Grading")
        yield place
    sys.modules.pop("grading", None)


def graded(count: int) -> tuple[np.ndarray, list[str]]:
    """Pictures (N, 12, 12) with as many bright rows as their grade says, from a row anywhere on."""
    random, labels = np.random.default_rng(0), [str(number % GRADES) for number in range(count)]
    pictures = random.integers(0, 90, (count, 12, 12))
    for picture, label in zip(pictures, labels, strict=True):
        start = int(random.integers(0, 8))
        picture[start : start + int(label)] += 150
    return pictures.astype(np.uint8), labels


@pytest.fixture(scope="module")
def run(grading: Path) -> striate.Run:
    line = "conv 16 3, batchnorm, relu, globalavgpool, dense classes"
    options = {"network": line, "epochs": 12, "lr": 0.05, "batch_size": 16, "symmetry": "none", "workers": 0}
    with pytest.MonkeyPatch.context() as patch:
        white_charts(patch)
        return striate.train(graded(150), task="grading", out=str(grading / "runs"), name="g", quiet=True, **options)


def test_the_example_is_short() -> None:
    """Code and words together have at most 120 lines."""
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 120


def test_every_task_of_the_table_is_there() -> None:
    """Each name leads to a class that bears it; another name gets the nearest."""
    assert [task_kind(name).name for name in TASKS] == list(TASKS)
    with pytest.raises(StriateError, match="multilabel"):
        task_kind("multilable")


def test_the_new_task_learns(run: striate.Run) -> None:
    """Grades are off by less than half of what always saying the middle one would be, outside of the interval."""
    assert run.model.network.output_shape == (GRADES - 1,)
    score = run.test
    assert score["main"] == "mae"
    assert score["baseline"] == pytest.approx(1.2, abs=0.3)
    assert score["mae"]["high"] < 0.5 * score["baseline"]
    assert score["at_most_one_off"]["value"] >= score["accuracy"]["value"]


def test_its_answers_are_told_everywhere(run: striate.Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """predictions.csv, the report, the model read again, and the commands agree; a heatmap has the task's own score."""
    rows = [row for row in read_table(run.folder / "predictions.csv") if row["part"] == "test"]
    off = [abs(int(row["predicted"]) - int(row["truth"])) for row in rows]
    assert np.mean(off) == pytest.approx(run.test["mae"]["value"])
    assert [float(row["error"]) for row in rows] == off
    assert sum(float(rows[0][f"p_{grade}"]) for grade in range(GRADES)) == pytest.approx(1, abs=1e-5)
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "grading" in report
    assert ">MAE<" in report
    pictures, labels = graded(150)
    model = striate.load(run.folder)
    assert model.evaluate((pictures[:40], labels[:40]))["n"] == 40
    answer = model.predict(pictures[3])[0]
    assert answer.predicted == model.task.target_of(answer.answer)
    seen = model.look(pictures[3])
    assert model.heatmap(pictures[3], "2").score == pytest.approx(seen.trace.output[1], abs=1e-4)
    assert model.heatmap(pictures[3], "0").score == pytest.approx(-seen.trace.output[0], abs=1e-4)
    assert cli.main(["evaluate", str(run.folder)]) == 0
    assert "MAE" in capsys.readouterr().out


def test_probabilities_by_hand(grading: Path) -> None:
    """Differences of what lies above each step; a rising one is cut, so that no probability is below 0."""
    task = task_kind("grading")(("0", "1", "2"))
    said = task.decode(torch.logit(torch.tensor([[0.9, 0.3], [0.4, 0.7]])))
    np.testing.assert_allclose(said, [[0.1, 0.6, 0.3], [0.6, 0.0, 0.4]], atol=1e-6)
    assert [task.target_of(row) for row in said] == ["1", "0"]


@pytest.mark.usefixtures("quick")
def test_a_run_in_folds_adds_up(grading: Path) -> None:
    """Answers are read back from predictions.csv, so several runs are one."""
    options = {"network": "conv 4 3, relu, globalavgpool, dense classes", "epochs": 1, "symmetry": "none", "workers": 0}
    run = striate.train(graded(40), task="grading", folds=2, out=str(grading / "runs"), quiet=True, **options)
    assert run.test["n"] == 40
    assert run.test["mae"]["low"] < run.test["mae"]["high"]
