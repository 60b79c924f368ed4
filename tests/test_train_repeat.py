"""Several trainings as one: the same pictures, every picture tested once, mean and spread, and resuming the rest."""

import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import TINY, draw_folder, read_table, white_charts
from drawn_training import hurried
from PIL import Image
from safetensors.torch import load_file

import striate
from striate import files
from striate.cli import main
from striate.errors import StriateError
from striate.evaluate.named import to_beat
from striate.evaluate.scores import classification_scores
from striate.tasks.classification import Classification
from striate.train import dataset, repeat, single
from striate.train.checkpoint import Place, save_checkpoint
from striate.train.dataset import Division, Job
from striate.train.describe import spread_sentence
from striate.train.events import Epoch, Event, Note
from striate.train.run import Run, train
from striate.train.settings import Settings, read_settings

pytestmark = pytest.mark.usefixtures("quick")
COUNTS = {"across": 18, "down": 16, "größer": 11}
OPTIONS = {"network": TINY, "epochs": 2, "batch_size": 8, "lr": 0.05, "workers": 0, "precision": "fp32"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("data") / "pictures", COUNTS)


@pytest.fixture(scope="module")
def folded(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        white_charts(patch)
        return train(data, out=str(tmp_path_factory.mktemp("out")), name="f", quiet=True, folds=3, **OPTIONS)


def test_every_picture_is_tested_once(folded: Run) -> None:
    """Three folds: three complete runs, whose test parts hold all pictures between them, each class evenly."""
    tested = []
    for name in "123":
        child = folded.folder / name
        assert files.is_complete(child)
        rows = read_table(child / "data.csv")
        tested += [row["path"] for row in rows if row["part"] == "test"]
        for label, count in COUNTS.items():
            parts = [row["part"] for row in rows if row["label"] == label]
            assert abs(parts.count("test") - count / 3) < 1
            assert parts.count("validation") >= 1
    assert len(tested) == len(set(tested)) == sum(COUNTS.values())
    assert not (folded.folder / "4").exists()


def test_the_pooled_score_is_that_of_all_answers(folded: Run) -> None:
    """predictions.csv holds every out-of-fold answer of the runs, and its score is the run's test score; but not of
    scores of order, since the answers of several networks have none: these are means over the folds."""
    rows = read_table(folded.folder / "predictions.csv")
    assert list(rows[0])[-4:] == ["part", "truth", "kin", "run"]
    by_run = {name: read_table(folded.folder / name / "predictions.csv") for name in "123"}
    for name, said in by_run.items():
        mine = [{k: v for k, v in row.items() if k != "run"} for row in rows if row["run"] == name]
        assert mine == [row for row in said if row["part"] == "test"]
    names = sorted(COUNTS)
    truth = np.array([names.index(row["truth"]) for row in rows])
    chances = np.array([[float(row[f"p_{name}"]) for name in names] for row in rows])
    expected = classification_scores(truth, chances, names, 0)
    for name in ("accuracy", "macro_f1", "calibration_error", "log_loss"):
        assert folded.test[name] == pytest.approx(expected[name])
    assert folded.test["auroc"]["value"] == pytest.approx(folded.scores["spread"]["auroc"]["mean"])
    each = [json.loads((folded.folder / name / "scores.json").read_text())["test"] for name in by_run]
    areas = [one["per_class"]["down"]["auroc"]["value"] for one in each]
    assert folded.test["per_class"]["down"]["auroc"]["value"] == pytest.approx(np.mean(areas))
    assert folded.test["per_class"]["down"]["f1"]["value"] == pytest.approx(
        expected["per_class"]["down"]["f1"]["value"]
    )
    assert folded.test["n"] == folded.test["answers"] == sum(COUNTS.values())


def test_mean_and_spread_are_those_of_the_runs(folded: Run) -> None:
    """By NumPy from the runs' own scores; the model is that of the run with the middle validation accuracy."""
    scores = json.loads((folded.folder / "scores.json").read_text())
    assert scores == folded.scores
    each = [json.loads((folded.folder / name / "scores.json").read_text()) for name in "123"]
    values = [one["test"]["accuracy"]["value"] for one in each]
    over = scores["spread"]["accuracy"]
    assert over["mean"] == pytest.approx(np.mean(values))
    assert over["sd"] == pytest.approx(np.std(values, ddof=1))
    assert (over["lowest"], over["highest"]) == (min(values), max(values))
    assert [(one["run"], one["seed"], one["fold"]) for one in scores["runs"]] == [("1", 0, 1), ("2", 0, 2), ("3", 0, 3)]
    checked = sorted(one["validation"]["accuracy"]["value"] for one in each)
    middle = each[int(scores["model"]) - 1]["validation"]["accuracy"]["value"]
    assert middle == checked[1]
    one, other = (load_file(folded.folder / name / "model.safetensors") for name in (".", scores["model"]))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert striate.load(folded.folder).classes == tuple(sorted(COUNTS))
    page = (folded.folder / "report.html").read_text()
    assert "3 runs" in page
    with Image.open(folded.folder / "runs.png") as image:
        image.verify()


def test_repeats_keep_the_parts_and_change_the_seed(data: Path, tmp_path: Path) -> None:
    """The first repeat is the plain run bit for bit; the next has the same parts and the weights of the next seed."""
    several = train(data, out=str(tmp_path), name="r", quiet=True, repeats=2, **OPTIONS)
    plain = train(data, out=str(tmp_path), name="p", quiet=True, **OPTIONS)
    first, second = (several.folder / name for name in "12")
    assert (first / "data.csv").read_bytes() == (second / "data.csv").read_bytes()
    assert (first / "data.csv").read_bytes() == (plain.folder / "data.csv").read_bytes()
    assert (first / "predictions.csv").read_bytes() == (plain.folder / "predictions.csv").read_bytes()
    assert (first / "predictions.csv").read_bytes() != (second / "predictions.csv").read_bytes()
    each = [json.loads((several.folder / name / "scores.json").read_text()) for name in "12"]
    for part in ("test", "validation", "train"):
        for name in ("accuracy", "macro_f1", "auroc", "calibration_error"):
            told, known = each[0][part][name], [one[part][name]["value"] for one in each]
            assert several.scores[part][name]["value"] == pytest.approx(np.mean(known))
            assert several.scores[part][name]["low"] <= np.mean(known) <= several.scores[part][name]["high"]
            assert told.keys() == several.scores[part][name].keys()
        counts = {name: one["n"] for name, one in several.scores[part]["per_class"].items()}
        assert counts == {name: one["n"] for name, one in plain.scores[part]["per_class"].items()}
    page = (several.folder / "report.html").read_text()
    assert f"Most frequent mistakes in {2 * plain.test['n']} answers" in page
    assert "Scores are means over the runs" in page
    assert several.test["n"] == plain.test["n"]
    assert several.test["answers"] == 2 * plain.test["n"]
    assert several.test["openings"] == 1
    assert plain.test["openings"] == 2


def test_answers_stand_as_their_run_wrote_them(tmp_path: Path) -> None:
    """Errors and intervals too, which `compare` needs; the second run had too few pictures to know its intervals."""
    columns = ("path", "predicted", "low", "high", "part", "truth", "error")
    lines = [("a.png", "7.5", "7", "8", "test", "7.0", "0.25"), ("b.png", "1", "0.5", "1.5", "train", "1.0", "0")]
    files.write_csv(tmp_path / "1" / "predictions.csv", columns, lines)
    short = (*columns[:2], *columns[4:])
    files.write_csv(tmp_path / "2" / "predictions.csv", short, [("a.png", "6", "test", "7.0", "0.5")])
    repeat._write_predictions(tmp_path, [tmp_path / "1", tmp_path / "2"])
    first, second = read_table(tmp_path / "predictions.csv")
    assert first == dict(zip((*columns, "run"), (*lines[0], "1"), strict=True))
    assert second == first | {"predicted": "6", "low": "", "high": "", "error": "0.5", "run": "2"}


def test_answers_are_found_again_whatever_their_pictures_are_called(tmp_path: Path) -> None:
    """Names with halves of line ends, and bytes that are no UTF-8, as folders of other systems have them."""
    names = ["a.png", "Icon\r", "b\r\n.png", os.fsdecode(b"caf\xe9.png"), "été.png"]
    files.write_csv(tmp_path / "predictions.csv", ("path", "part"), [(name, "test") for name in reversed(names)])
    known = SimpleNamespace(names=names, task=SimpleNamespace(read=lambda row: row["path"]))
    found = repeat._answers([tmp_path], "test", known)
    assert found.rows.tolist() == [4, 3, 2, 1, 0]
    assert found.answers == [files.readable(name) for name in reversed(names)]


def test_a_run_that_knows_no_intervals_does_not_end_the_others() -> None:
    """Of three folds the second validates on too few pictures for a coverage: the spread is over the other two."""
    score = {"value": 0.5, "low": 0.25, "high": 0.75}
    each = {}
    for name, coverage in (("1", 0.8), ("2", None), ("3", 0.9)):
        record = {"main": "rmse", "rmse": score} | ({"coverage": score | {"value": coverage}} if coverage else {})
        each[name] = {"test": record, "validation": record, "train": record}
    for order in ("123", "231"):  # also where the first run is that one
        told = {str(place): each[name] for place, name in enumerate(order, 1)}
        over = repeat._over_runs(told, [(0, dataset.Division(fold=fold, folds=3)) for fold in (1, 2, 3)])["spread"]
        assert over["coverage"]["mean"] == pytest.approx(0.85)
        assert over["rmse"]["mean"] == 0.5


def test_scores_that_add_up_over_no_pictures_are_means_over_the_runs() -> None:
    """Two networks order the pictures rightly, each on a scale of its own: their AUROC is 1, that of their answers
    thrown together is not. And the accuracy to beat is a share of pictures, however many answers each has."""
    truth, names = np.repeat([0, 1], 20), ["a", "b"]
    high = np.where(truth == 1, 0.99, 0.9)
    chances = [np.stack([1 - sure, sure], axis=1) for sure in (high, high - 0.85)]
    each = [classification_scores(truth, one, names, 0) for one in chances]
    rows = np.tile(np.arange(40), 2)
    data = SimpleNamespace(
        task=Classification(("a", "b")), kin=np.arange(40), targets_of=lambda rows: [names[truth[row]] for row in rows]
    )
    said = repeat._Answers(rows, [*chances[0], *chances[1]])
    pooled = repeat._record(said, {"majority": "a"}, data)
    told = repeat._told({"1": {"test": each[0]}, "2": {"test": each[1]}}, "test", None)
    whole = repeat._over(pooled, told, None)
    assert pooled["auroc"]["value"] < 0.8
    assert whole["auroc"] == pytest.approx(each[0]["auroc"])
    assert whole["macro_f1"]["value"] == pytest.approx(
        (each[0]["macro_f1"]["value"] + each[1]["macro_f1"]["value"]) / 2
    )
    assert [one["n"] for one in whole["per_class"].values()] == [20, 20]
    assert (whole["n"], whole["answers"]) == (40, 80)
    assert to_beat(whole)[0] == 0.5


def test_leaks_of_repeats_are_left_out_of_the_means(data: Path, tmp_path: Path) -> None:
    """Given parts with a copy in training: without it the score is the mean of what the runs scored without it."""
    shutil.copytree(data, tmp_path / "d" / "train")
    draw_folder(tmp_path / "d" / "test", dict.fromkeys(COUNTS, 24))
    for path in (tmp_path / "d" / "test").glob("*/[01]*.png"):  # drawn for training
        path.unlink()
    shutil.copy(tmp_path / "d" / "train" / "down" / "03.png", tmp_path / "d" / "test" / "down" / "copy.png")
    run = train(tmp_path / "d", out=str(tmp_path), name="r", quiet=True, repeats=2, **OPTIONS)
    each = [json.loads((run.folder / name / "scores.json").read_text())["test"] for name in "12"]
    assert (run.test["leaked"], run.test["without_leaks"]["n"]) == (1, run.test["n"] - 1)
    for name in ("accuracy", "auroc", "macro_f1"):
        known = [one["without_leaks"][name]["value"] for one in each]
        assert run.test["without_leaks"][name]["value"] == pytest.approx(np.mean(known))


def test_intervals_of_means_are_those_of_simulated_ones() -> None:
    """Of folds, which have other pictures each, chance evens out: three sds of 0.1 leave 0.1 / sqrt(3). Repeats see
    the same pictures, so nothing evens out between them. What one run cannot say is left out, or has no interval."""
    one, sd = {"value": 0.5, "low": 0.5 - 1.96 * 0.1, "high": 0.5 + 1.96 * 0.1}, 0.1
    simulated = np.random.default_rng(0).normal(0.5, sd, (100_000, 3)).mean(axis=1)
    folds = repeat._mean([[one] * 3])
    assert (folds["low"], folds["high"]) == pytest.approx(tuple(np.percentile(simulated, [2.5, 97.5])), abs=2e-3)
    assert repeat._mean([[one]] * 3) == pytest.approx(one)
    assert repeat._mean([[one] * 3] * 2) == pytest.approx(folds)
    unknown = dict.fromkeys(one)
    assert repeat._mean([[one, unknown], [unknown]]) == pytest.approx(one)
    assert repeat._mean([[one | {"low": None, "high": None}], [one]]) == {"value": 0.5, "low": None, "high": None}
    assert repeat._mean([[unknown], []]) == unknown


def test_names_of_scores_keep_their_letters_in_a_sentence() -> None:
    """Only words are small: "accuracy", but R², RMSE and F1."""
    told = {"r2": "R²", "rmse": "RMSE", "map50": "mAP50", "iou": "IoU", "auroc": "AUROC", "dice": "Dice"}
    told |= {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "pearson": "Pearson's correlation"}
    for name, word in told.items():
        over = {"mean": 0.5, "sd": 0.1, "lowest": 0.4, "highest": 0.6}
        said = spread_sentence({"test": {"main": name}, "spread": {name: over}, "runs": [1, 2]})
        assert said.startswith(f"Test {word} of 2 runs: ")


def test_nothing_is_decoded_twice(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four runs open the store once."""
    calls = []
    real = dataset.build_store
    monkeypatch.setattr(dataset, "build_store", lambda *a, **k: calls.append(1) or real(*a, **k))
    train(data, out=str(tmp_path), quiet=True, folds=2, repeats=2, **OPTIONS)
    assert len(calls) == 1


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_what_is_missing_is_trained_on_resume(
    folded: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second of three runs, the rest is trained, to the very predictions of the uninterrupted ones."""
    monkeypatch.setattr(single, "CHECKPOINT_SECONDS", 0)
    epochs: list[Event] = []

    def watch(event: Event) -> None:
        epochs.append(event) if isinstance(event, Epoch) else None
        if len(epochs) == 4:
            raise Killed

    with pytest.raises(Killed):
        train(data, out=str(tmp_path), name="f", quiet=True, folds=3, watch=watch, **OPTIONS)
    folder = tmp_path / "f"
    assert files.is_complete(folder / "1")
    assert not files.is_complete(folder)
    with pytest.raises(StriateError, match=f"--resume {folder}"):
        train(resume=folder / "2", quiet=True)
    notes: list[Event] = []
    run = train(resume=folder, quiet=True, watch=notes.append)
    told = [event.text for event in notes if isinstance(event, Note) and event.text.startswith("Run  ")]
    assert len(told) == 3  # the second, the third, and where it lies
    assert (folder / "predictions.csv").read_bytes() == (folded.folder / "predictions.csv").read_bytes()
    assert run.scores["runs"] == folded.scores["runs"]
    with pytest.raises(StriateError, match="a finished run"):
        train(resume=folder, quiet=True)


def test_a_first_run_that_cannot_begin_leaves_nothing(data: Path, tmp_path: Path) -> None:
    """A network that does not fit: one error, no folder."""
    with pytest.raises(StriateError, match="one output per class"):
        train(data, out=str(tmp_path), name="r", quiet=True, repeats=2, **{**OPTIONS, "network": "flatten, dense 9"})
    assert not (tmp_path / "r").exists()


def test_folds_need_pictures_without_parts(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A folder with a test part of its own is not folded: exit code 2 and what to do."""
    shutil.copytree(data, tmp_path / "d" / "train")
    draw_folder(tmp_path / "d" / "test", COUNTS)
    assert main(["train", str(tmp_path / "d"), "--folds", "3", "--out", str(tmp_path / "out"), "-j", "0"]) == 2
    assert "leave --folds out" in capsys.readouterr().err


def test_every_fold_needs_pictures(tmp_path: Path) -> None:
    """Four patients cannot be divided into five folds."""
    draw_folder(tmp_path / "d", dict.fromkeys(("a/1", "a/2", "b/3", "b/4"), 4))
    with pytest.raises(StriateError, match="4 of 5 folds"):
        train(tmp_path / "d", out=str(tmp_path / "out"), quiet=True, folds=5, group="parent", **OPTIONS)


def test_a_label_of_one_fold_is_told_before_any_training(tmp_path: Path) -> None:
    """A rare label would be missed where its fold is tested, after other folds have trained: nothing is begun."""
    draw_folder(tmp_path / "d", {"a": 12, "b": 12})
    rows = [f"{name}/{n:02}.png,{name}|{'rare' if (name, n) == ('b', 7) else 'c'}" for name in "ab" for n in range(12)]
    (tmp_path / "d" / "t.csv").write_text("path,labels\n" + "\n".join(rows))
    with pytest.raises(StriateError, match=r"one fold with all of rare.*take its label out"):
        train(tmp_path / "d" / "t.csv", out=str(tmp_path / "out"), quiet=True, folds=3, **OPTIONS)
    assert not list((tmp_path / "out").glob("*/settings.toml"))
    (tmp_path / "d" / "t.csv").write_text("path,labels\n" + "\n".join(rows).replace("rare", "c"))
    run = train(tmp_path / "d" / "t.csv", out=str(tmp_path / "out"), quiet=True, folds=3, **OPTIONS)
    assert run.scores["test"]["n"] == 24


def test_several_runs_of_boxes_are_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their answers fit no line of a table, which runs are put together from; said before one is decoded."""
    monkeypatch.setattr("striate.train.dataset.build_store", lambda *_, **__: pytest.fail("pictures are decoded"))
    draw_folder(tmp_path / "d", {"a": 6})
    lines = "".join(f"a/{n:02}.png,x,1,1,5,5\n" for n in range(6))
    (tmp_path / "d" / "t.csv").write_text(f"path,label,x0,y0,x1,y1\n{lines}")
    with pytest.raises(StriateError, match="train once for each of several --seed"):
        train(tmp_path / "d" / "t.csv", out=str(tmp_path / "out"), quiet=True, repeats=2, epochs=1, workers=0)


def test_minutes_are_those_of_all_runs_together(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two runs gets its share of what is left, and too few minutes for so many runs are refused."""
    hurried(monkeypatch)
    options = {name: value for name, value in OPTIONS.items() if name != "epochs"} | {
        "repeats": 2,
        "out": str(tmp_path),
    }
    run = train(data, quiet=True, minutes=0.4, **options)
    shares = [read_settings(run.folder / name)[0].minutes for name in "12"]
    assert shares[0] <= 0.2
    assert all(0.1 <= share <= 0.4 for share in shares)
    with pytest.raises(StriateError, match="every run needs at least"):
        train(data, quiet=True, minutes=0.3, **options)


def test_a_budget_goes_on_where_it_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten minutes the first run took four, and the second one two when it was cut: the rest is divided anew."""
    files.write_json(tmp_path / "1" / "scores.json", {"seconds": 240.0})
    files.write_manifest(tmp_path / "1")
    save_checkpoint(tmp_path / "2", Place(epoch=3, seconds=120.0), {"w": torch.zeros(1)}, [])
    monkeypatch.setattr(single, "require_same_start", lambda *_: None)
    monkeypatch.setattr(repeat, "_train_all", lambda folder, job: job)
    job = Job(
        settings=Settings(minutes=10, repeats=3), data=SimpleNamespace(), preparation=None, device=None, tell=print,
        started=time.monotonic(), source="", division=Division(seed=0),
    )  # fmt: skip
    job = repeat.go_on(tmp_path, job, {"run": {}})
    left = repeat._job_of(tmp_path / "3", job, 2, job.division, 1).settings.minutes
    assert left == pytest.approx(4 - repeat.SUMMARY / 60, abs=0.05)
