"""Numbers are learned, told in the user's units with honest intervals, and follow mirrored pictures."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import read_table, white_charts
from drawn_numbers import SIDE, bar, number_table
from drawn_page import Visitor, served
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import striate
from striate import files
from striate.augment.apply import augment, sources_of
from striate.augment.recipe import parse
from striate.cli import main
from striate.data.prepare import Shape
from striate.data.sample import Found, text_of
from striate.draw import charts
from striate.errors import StriateError
from striate.export.model import load_model
from striate.network.build import build
from striate.serve.glass import Glass
from striate.tasks.regression import Regression
from striate.train import single
from striate.train.events import Epoch, Event
from striate.train.run import Run, train

SHAPE = Shape(height=SIDE, width=SIDE, channels=1)
OPTIONS = {
    "network": "conv 8 3, relu, flatten, dense classes", "epochs": 30, "batch_size": 8, "lr": 0.01, "workers": 0,
    "precision": "fp32", "label_column": "place,light", "mirror_negates": "place", "val": 0.25,
}  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return number_table(tmp_path_factory.mktemp("numbers"))


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(table, out=str(tmp_path_factory.mktemp("out")), quiet=True, **OPTIONS)


def fitted(targets: list[tuple[float, ...]], **more: object) -> Regression:
    names = tuple("abc"[: len(targets[0])])
    return Regression.of(Found(root="t", kind="table", samples=[], names=names), targets, more).fitted(targets)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6, width=32), st.floats(-1, 1, width=32)),
        min_size=2,
        unique_by=(lambda t: t[0], lambda t: t[1]),
    )
)
def test_numbers_come_back(targets: list[tuple[float, float]]) -> None:
    """What is encoded is decoded to float32's precision, and the training part has mean 0 and deviation 1."""
    task = fitted(targets)
    encoded = task.encode(targets, np.zeros((len(targets), 2)), SHAPE)
    np.testing.assert_allclose(
        task.decode(encoded)[..., 0], targets, rtol=1e-4, atol=1e-5 * np.abs(targets).max(axis=0).max()
    )
    assert encoded.shape == (len(targets), 2)
    assert torch.allclose(encoded.double().mean(dim=0), torch.zeros(2, dtype=torch.float64), atol=1e-3)


def test_mirrored_pictures_turn_the_sign() -> None:
    """Exactly the pictures that the recipe mirrors have the negated column turned round, and no other column."""
    targets = [(float(n + 1), float(n % 5)) for n in range(40)]
    task = fitted(targets, mirror_negates="a")
    encoded = task.encode(targets, np.zeros((40, 2)), SHAPE)
    pictures = torch.zeros(40, 1, 6, 8)
    pictures[:, :, :, 0] = 1.0
    recipe, chance = parse("hflip"), {"seed": 3, "epoch": 1, "sample_ids": torch.arange(40)}
    mirrored = augment(pictures, recipe, **chance)[:, 0, 0, 0] == 0
    moved = task.move(encoded, sources_of(recipe, 6, 8, **chance), recipe)
    told = task.decode(moved)[..., 0]
    assert 5 < mirrored.sum() < 35
    np.testing.assert_allclose(told[:, 0], np.where(mirrored, -1, 1) * np.array(targets)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(told[:, 1], np.array(targets)[:, 1], atol=1e-5)
    assert torch.equal(task.unmirrored(task.unmirrored(encoded)), encoded)
    assert not fitted(targets).moves


def test_rows_come_back() -> None:
    """What stands in predictions.csv gives the answer again, with its intervals, for one column and for several."""
    for targets in ([(1.0,), (3.0,)], [(1.0, 5.0), (3.0, 4.0)]):
        task = fitted(targets)
        for known in (task, replace(task, reach=(0.25,) * len(task.classes))):
            answer = known.decode(torch.ones(1, len(task.classes)))[0]
            back = known.read(dict(zip(known.header(), known.row(answer), strict=True)))
            np.testing.assert_allclose(back, answer, rtol=1e-4)


def test_large_numbers_close_to_each_other_come_back() -> None:
    """Metres of a northing and degrees of a longitude within one street: tables lose nothing of what was said of
    them, nor of what is true."""
    targets = [(4612345.678, -73.987654), (4612346.123, -73.987652)]
    task = replace(fitted(targets), reach=(1.5, 1.5))
    for said in task.decode(torch.tensor([[0.3, -0.4], [1.7, 0.2]])):
        row = dict(zip(task.header(), task.row(said), strict=True))
        np.testing.assert_allclose(task.read(row) / task.scales, said / task.scales, rtol=0, atol=1e-2)
        told = np.array([float(cell) for cell in row["predicted"].split("; ")])
        np.testing.assert_allclose(told, said[:, 0], rtol=1e-11)
    assert text_of(targets[0]) == "4612345.678; -73.987654"
    assert text_of((0.1 + 0.2, 3.0)) == "0.3; 3"


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (28, 28), (66, 200), (150, 150), (160, 320)])
def test_auto_fits_every_size(size: tuple[int, int]) -> None:
    """The network of auto has one output per column for pictures of any size, and stays under 100,000 numbers."""
    task = Regression(("a", "b"))
    network = build(task.auto_line(3, *size, 64), (3, *size), 2)
    task.require_output(network.output_shape)
    assert sum(weight.numel() for weight in network.parameters()) < 100_000


def test_wishes_that_cannot_be() -> None:
    """Numbers that are all alike, columns that are not learned, and classes to weigh are refused."""
    with pytest.raises(StriateError, match="differ from picture to picture"):
        fitted([(1.0,), (1.0,)])
    with pytest.raises(StriateError, match="did you mean 'a'"):
        fitted([(1.0,), (2.0,)], mirror_negates="aa")
    with pytest.raises(StriateError, match="no classes to weigh"):
        fitted([(1.0,), (2.0,)], balance="weights")


@pytest.mark.usefixtures("quick")
def test_numbers_have_no_labels_to_soften(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No smoothing is planned for auto, so that no step finds its loss twice; asked for, it is refused."""
    monkeypatch.setattr(single, "_fit", lambda training, *others: training)
    asked = {"label_column": "place", "epochs": 1, "workers": 0, "quiet": True, "out": tmp_path}
    assert train(table, **asked).plan.smoothing == 0
    with pytest.raises(StriateError, match="--smoothing"):
        train(table, smoothing=0.5, **asked)


def test_the_run_tells_everything(run: Run, table: Path) -> None:
    """Scores beat the mean, predictions stand in the user's units with intervals, bad lines are listed with reasons."""
    scores = run.test
    assert (scores["main"], scores["baseline_is"]) == ("r2", "always the mean of the training part")
    assert scores["r2"]["low"] > scores["baseline"]
    place = scores["per_class"]["place"]
    assert place["rmse"]["value"] < 0.5 * place["baselines"]["always the mean of the training part"]["rmse"]
    assert place["coverage"]["value"] >= 0.5
    rows = read_table(run.folder / "predictions.csv")
    words = [f"{word}_{name}" for name in ("place", "light") for word in ("value", "low", "high")]
    assert list(rows[0])[1:8] == ["predicted", *words]
    for row in rows:
        assert float(row["low_place"]) < float(row["value_place"]) < float(row["high_place"])
        assert abs(float(row["truth"].split(";")[0]) - bar(int(row["path"][:3]))[1]) < 1e-5
    listed = {row["path"]: row["reason"] for row in read_table(run.folder / "data.csv") if row["status"] == "left out"}
    assert listed == {
        "002.png": "line 4: no number in place",
        "003.png": "line 5: place is infinite",
        "004.png": "line 6: 'left' in place is no number",
        "gone.png": "line 62: no such file",
    }
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Predicted against true place" in report
    assert "RMSE" in report
    assert "2 numbers on the test part" in report
    assert not re.search(r"\d classes", report)
    assert (run.folder / "scatter_0.png").is_file()


def test_model_files_keep_the_units(run: Run) -> None:
    """A loaded model predicts what the run wrote, and mirrored pictures have the opposite place."""
    model = load_model(run.folder)
    assert model.task == run.model.task
    pixels, place, light = bar(1000)
    told, mirrored = (model.predict(seen)[0] for seen in (pixels, np.ascontiguousarray(pixels[:, ::-1])))
    assert told.predicted[0] == pytest.approx(-mirrored.predicted[0], abs=1e-4)
    assert told.predicted[1] == pytest.approx(mirrored.predicted[1], abs=1e-4)
    assert told.predicted == pytest.approx((place, light), abs=0.5)
    assert told.confidence is None


def test_what_is_rare_in_a_peaked_column_counts_more() -> None:
    """18 zeros and ±3: variance 18/20, fourth moment 162/20, so kurtosis 10, as of a wheel that is seldom turned.

    Truths of z deviations weigh 1 + |z| in the loss, intervals widen alike, and an even column is as before."""
    targets = [(0.0, float(row % 2)) for row in range(18)] + [(3.0, 0.0), (-3.0, 1.0)]
    task = fitted(targets)
    assert task.peaked == (1, 0)
    encoded = task.encode([(3.0, 1.0), (0.0, 0.0)], np.zeros((2, 2)), SHAPE)
    z = 3 / 0.9**0.5
    assert encoded.numpy() == pytest.approx(np.array([[z, 1], [0, -1]]), rel=1e-6)
    logits = torch.tensor([[z - 1, 1.0], [2.0, 0.0]])  # errors 1, 0, 2 and 1
    weights = 1 + z, 1, 1, 1
    expected = (weights[0] * 1 + 0 + 4 + 1) / sum(weights)
    assert float(task.loss(logits, encoded, None, 0.0)) == pytest.approx(expected, rel=1e-6)
    told = replace(task, reach=(0.5, 0.25)).decode(torch.tensor([[2.0, 7.0], [0.0, 0.0]]))
    assert told[..., 1] == pytest.approx(np.array([[1.5, 0.25], [0.5, 0.25]]))


def test_intervals_of_a_peaked_column_hold_nine_of_ten() -> None:
    """Errors that grow with the number told: calibrated on 2,000 numbers, intervals hold 90 % of 20,000 others, and of
    the large ones too, where a single width for all holds far fewer."""
    random = np.random.default_rng(0)
    told = random.laplace(size=22_000) * (random.random(22_000) < 0.3)
    truth = told + 0.2 * (1 + np.abs(told)) * random.normal(size=22_000)
    task = replace(fitted([(value,) for value in truth]), centres=(0.0,), scales=(1.0,))
    assert task.peaked == (1,)
    answers = np.stack([told, np.full_like(told, np.nan)], axis=-1)[:, None]
    tuned = task.tuned([(value,) for value in truth[:2000]], list(answers[:2000]))
    reach = tuned.decode(torch.from_numpy(told[2000:, None]))[:, 0, 1]
    held = np.abs(truth[2000:] - told[2000:]) <= reach
    assert held.mean() == pytest.approx(0.9, abs=0.015)
    assert held[np.abs(told[2000:]) > 1].mean() == pytest.approx(0.9, abs=0.03)
    single = np.quantile(np.abs(truth - told)[:2000], 0.9)
    assert (np.abs(truth - told)[np.abs(told) > 1] <= single).mean() < 0.8


def test_the_commands(run: Run, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """predict writes a table of values, evaluate scores another table and prints every column."""
    out = tmp_path / "out.csv"
    assert main(["predict", str(run.folder), str(table.parent / "000.png"), "--out", str(out)]) == 0
    (row,) = read_table(out)
    assert float(row["low_light"]) < float(row["value_light"]) < float(row["high_light"])
    assert main(["evaluate", str(run.folder), str(table), "--label-column", "place,light"]) == 0
    printed = capsys.readouterr().out
    assert "by number" in printed
    assert "light" in printed
    with pytest.raises(StriateError, match="and 58 more"):
        striate.load(run.folder).evaluate(table, label_column="light")


def test_the_page_explains_a_number(run: Run) -> None:
    """See, Explain with the column's own output, and Mistakes, the worst error first."""
    with served(Glass(run.folder).answer) as server:
        visitor = Visitor(server)
        mistakes = visitor.json("/api/mistakes")
        told = mistakes["rows"]
        errors = [one["error"] for one in told]
        assert errors == sorted(errors, reverse=True)
        trace = visitor.json(f"/api/trace/{told[0]['id']}")
        assert trace["layers"][0]["kind"] == "conv"
        header, heat = visitor.array(f"/api/heatmap/{told[0]['id']}?target=1")
        assert header["target"] == "light"
        assert np.isfinite(heat).all()


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_resume_is_bit_identical(run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that was killed half way ends with the weights, intervals and predictions of the whole one."""
    white_charts(monkeypatch)
    monkeypatch.setattr(single, "CHECKPOINT_SECONDS", 0)

    def watch(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 12:
            raise Killed

    with pytest.raises(Killed):
        train(table, out=str(tmp_path), quiet=True, watch=watch, **OPTIONS)
    (folder,) = (path for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert not files.is_complete(folder)
    again = train(resume=folder, quiet=True)
    one, other = (load_file(place / "model.safetensors") for place in (run.folder, folder))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert again.model.task == run.model.task
    assert (folder / "predictions.csv").read_bytes() == (run.folder / "predictions.csv").read_bytes()


def test_blocks_in_time(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--split blocks tests on the last pictures, lists those beside borders, and scores the value before as well."""
    white_charts(monkeypatch)
    options = {**OPTIONS, "epochs": 1, "label_column": "place", "split": "blocks"}
    run = train(table, out=str(tmp_path), quiet=True, **options)
    rows = [row for row in read_table(run.folder / "data.csv") if row["status"] == "used"]
    by_time = [row["part"] for row in sorted(rows, key=lambda row: row["path"])]
    assert by_time == sorted(by_time, key=["train", "validation", "test"].index)
    reasons = [row["reason"] for row in read_table(run.folder / "data.csv")]
    assert reasons.count("beside a border between two parts of the series") == 2
    assert "the value before" in run.test["baselines"]
    assert run.test["clusters"] < run.test["n"]
    assert json.loads((run.folder / "scores.json").read_text())["test"]["main"] == "rmse"


def test_folds_add_up(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With folds every picture is predicted once, also in blocks of time."""
    white_charts(monkeypatch)
    for split in ("content", "blocks"):
        options = {**OPTIONS, "epochs": 1, "label_column": "place", "folds": 2, "split": split}
        run = train(table, out=str(tmp_path / split), quiet=True, **options)
        assert len(read_table(run.folder / "predictions.csv")) == 57
        assert run.test["n"] == 57


def test_charts_of_numbers() -> None:
    """Scatter and errors are pictures also for one number, equal numbers and none beyond."""
    for count in (1, 3, 400):
        values = np.linspace(0, 1, count)
        assert charts.scatter(values, values, "x", np.full(len(values), 0.1)).startswith(b"\x89PNG")
        assert charts.errors(np.zeros(count), np.zeros(count), "x").startswith(b"\x89PNG")


def test_a_band_is_spoken_of_where_one_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without intervals, as few validation pictures leave it, there is nothing that holds nine of ten."""
    white_charts(monkeypatch)
    truth = [(value,) for value in (0.0, 1.0, 2.0)]
    for reach in ((), (0.5,)):
        task = replace(fitted(truth), reach=reach)
        answers = [np.array([[value, reach[0] if reach else np.nan]]) for (value,) in truth]
        assert ("band" in task.figures(truth, answers, {})["scatter"].caption) == bool(reach)
