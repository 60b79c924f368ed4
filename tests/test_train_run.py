"""From pictures to a run folder: what it holds, that it is the same again, and that failures leave nothing."""

import base64
import csv
import errno
import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from drawn import TINY, draw_folder, picture, read_table, tree
from drawn_training import hurried
from PIL import Image
from safetensors.torch import load_file

import striate
from striate import files
from striate.cli import main
from striate.errors import StriateError
from striate.tasks import task
from striate.train import budget, dataset, describe, illustrate, results
from striate.train import single as module
from striate.train.events import Decoded, Epoch, Event, Note, Step
from striate.train.run import Run, train

COUNTS = {"across": 14, "down": 14, "größer": 9}
OPTIONS = {"network": TINY, "epochs": 4, "batch_size": 8, "lr": 0.05, "workers": 0, "precision": "fp32"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = draw_folder(tmp_path_factory.mktemp("data") / "pictures of mine", COUNTS)
    (folder / "down" / "notes.txt").write_text("not a picture")
    (folder / "down" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    (folder / ".hidden").write_text("")
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Event]]:
    """One run with everything real, and its events."""
    events: list[Event] = []
    out = tmp_path_factory.mktemp("out")
    return train(data, out=str(out), name="cells", quiet=True, watch=events.append, **OPTIONS), events


def rows_of(folder: Path) -> list[dict[str, str]]:
    """history.csv without the columns that are wall time."""
    rows = read_table(folder / "history.csv")
    return [{k: v for k, v in row.items() if k not in {"seconds", "pictures_per_second"}} for row in rows]


def assert_same_weights(first: Path, second: Path) -> None:
    one, other = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_what_comes_next_can_be_typed(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    """Every command told at the end is one that there is, and a shell reads the run's folder as it is called."""
    monkeypatch.chdir(tmp_path)
    said: list[Event] = []
    train(data, out="my runs", name="it's", quiet=True, watch=said.append, **OPTIONS)
    told = [note.text.strip() for note in said if isinstance(note, Note) and note.text.startswith("  striate ")]
    words = [shlex.split(line) for line in told]
    assert [word[1] for word in words] == ["open", "predict", "serve", "evaluate", "summary"]
    for word in words:
        assert word[2] == str(Path("my runs", "it's"))


def test_many_short_epochs_do_not_wait_for_their_history(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    """Where writing takes long, it is done for a few of the epochs; in the end every epoch has its line."""
    lines, write = [], module.write_history

    def slowly(path: Path, rows: list[dict]) -> None:
        lines.append(len(rows))
        time.sleep(0.05)
        write(path, rows)

    monkeypatch.setattr(module, "write_history", slowly)
    run = train(data, out=tmp_path, quiet=True, **OPTIONS | {"epochs": 30})
    assert len(lines) < 15
    assert lines[0] == 1
    assert [row["epoch"] for row in read_table(run.folder / "history.csv")] == [str(number + 1) for number in range(30)]


def test_the_run_folder_is_complete(whole: tuple[Run, list[Event]]) -> None:
    """Every promised file is there, and the manifest's sizes and hashes are right."""
    folder = whole[0].folder
    names = {path.name for path in folder.iterdir()}
    assert {
        "model.safetensors", "settings.toml", "data.csv", "history.csv", "scores.json", "predictions.csv",
        "report.html", "curves.png", "confusion_matrix.png", "calibration.png", "roc.png", "augmentation.png",
        "filters.png", "layers.png", "manifest.json", "last.ckpt", "watch", "check.json",
        "openings.json", "suspects.csv",
    } == names  # fmt: skip
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    real = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"]
    assert set(listed) == {path.relative_to(folder).as_posix() for path in real}
    for path in real:
        facts = listed[path.relative_to(folder).as_posix()]
        assert facts == {"bytes": path.stat().st_size, "sha256": files.sha256_of(path)}
    assert not list(folder.parent.rglob("*.tmp"))


def test_scores_json_has_its_agreed_shape(whole: tuple[Run, list[Event]]) -> None:
    """Parts with n, baseline and every score as value, low, high; wall time; classes; equal to Run.scores."""
    scores = json.loads((whole[0].folder / "scores.json").read_text())
    assert scores == whole[0].scores
    assert {"test", "validation", "train", "seconds", "classes", "stopped"} <= scores.keys()
    assert scores["classes"] == list(COUNTS)
    assert scores["stopped"] is False
    assert scores["seconds"] > 0
    assert sum(scores[part]["n"] for part in ("test", "validation", "train")) == sum(COUNTS.values())
    for part in ("test", "validation", "train"):
        assert 0 <= scores[part]["baseline"] <= 1
        for name in ("accuracy", "balanced_accuracy", "auroc"):
            score = scores[part][name]
            assert score.keys() == {"value", "low", "high"}
            if score["low"] is not None:
                assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
    assert whole[0].test == scores["test"]


def test_a_notebook_shows_a_run(whole: tuple[Run, list[Event]]) -> None:
    """The test score and its interval in words, the folder, and the two figures, inside the HTML itself."""
    run, _ = whole
    text = run._repr_html_()
    value = run.test["accuracy"]["value"]
    assert f"<b>Test {100 * value:.1f} % [" in text
    assert str(run.folder) in text
    assert f"Test {100 * value:.1f} % [" in str(run)
    assert striate.load(run).about.items() >= run.model.about.items()
    assert {run.model: 1}[run.model] == 1
    assert len(repr(run)) < 200 + len(str(run.folder))
    shown = [base64.b64decode(data) for data in re.findall(r'src="data:image/png;base64,([^"]+)"', text)]
    assert shown == [(run.folder / f"{name}.png").read_bytes() for name in ("curves", "confusion_matrix")]


def test_data_csv_lists_every_file(whole: tuple[Run, list[Event]], data: Path) -> None:
    """Used pictures with class and part, the rest with a reason; the split has the asked shares per class."""
    rows = read_table(whole[0].folder / "data.csv")
    assert list(rows[0]) == ["path", "label", "part", "group", "status", "reason"]
    on_disk = {path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()} - {".hidden"}
    assert {row["path"] for row in rows} == on_disk
    left = {row["path"]: row["reason"] for row in rows if row["status"] == "left out"}
    assert left.keys() == {"down/notes.txt", "down/broken.png"}
    assert all(left.values())
    used = [row for row in rows if row["status"] == "used"]
    assert {row["part"] for row in used} == {"train", "validation", "test"}
    for name, count in COUNTS.items():
        parts = [row["part"] for row in used if row["label"] == name]
        assert len(parts) == count
        assert abs(parts.count("test") - 0.2 * count) <= 1
        assert abs(parts.count("validation") - 0.1 * count) <= 1


def test_predictions_csv_is_what_the_model_says(whole: tuple[Run, list[Event]], data: Path) -> None:
    """Columns as agreed; every probability equals that of the saved model on the very file; accuracy by counting."""
    run = whole[0]
    rows = read_table(run.folder / "predictions.csv")
    names = [f"p_{name}" for name in COUNTS]
    assert list(rows[0]) == ["path", "predicted", "confidence", *names, "part", "truth", "kin"]
    assert len(rows) == sum(COUNTS.values())
    again = striate.load(run.folder).predict([data / row["path"] for row in rows])
    for row, one in zip(rows, again, strict=True):
        assert [float(row[name]) for name in names] == pytest.approx(list(one.probabilities.values()), abs=6e-7)
        assert row["predicted"] == one.predicted
        assert row["truth"] == row["path"].split("/")[0]
    test = [row for row in rows if row["part"] == "test"]
    right = np.mean([row["predicted"] == row["truth"] for row in test])
    assert run.test["accuracy"]["value"] == pytest.approx(right)
    parts = {row["path"]: row["part"] for row in read_table(run.folder / "data.csv")}
    assert all(parts[row["path"]] == row["part"] for row in rows)


def test_history_settings_and_report(whole: tuple[Run, list[Event]]) -> None:
    """One row per epoch, the settings as asked and as planned, and a report without any address to load."""
    folder = whole[0].folder
    history = read_table(folder / "history.csv")
    assert [row["epoch"] for row in history] == ["1", "2", "3", "4"]
    assert float(history[-1]["learning_rate"]) < 0.05 / 2
    tables = tomllib.loads((folder / "settings.toml").read_text())
    assert {name: tables["settings"][name] for name in OPTIONS} == OPTIONS
    assert tables["plan"]["line"] == TINY
    assert tables["run"]["source"].endswith("pictures of mine")
    page = (folder / "report.html").read_text()
    assert "größer" in page
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page)
    for name in ("curves", "confusion_matrix", "calibration", "augmentation", "filters", "layers"):
        with Image.open(folder / f"{name}.png") as image:
            image.verify()


def test_events_tell_the_whole_story(whole: tuple[Run, list[Event]]) -> None:
    """Decoding up to its total, notes, every step and epoch in order."""
    events = whole[1]
    decoded = [event for event in events if isinstance(event, Decoded)]
    assert decoded[-1].done == decoded[-1].total == sum(COUNTS.values()) + 1
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [event.row()["epoch"] for event in epochs] == [1, 2, 3, 4]
    steps = [event.progress for event in events if isinstance(event, Step)]
    assert steps == sorted(steps)
    assert steps[-1] == 1
    notes = "\n".join(event.text for event in events if isinstance(event, Note))
    for words in ("down/broken.png", "Split", "Network", "report.html", "striate predict"):
        assert words in notes


@pytest.mark.usefixtures("quick")
def test_same_seed_same_bits_with_any_workers(whole: tuple[Run, list[Event]], data: Path, tmp_path: Path) -> None:
    """0 and 2 workers, another output folder, another moment: the same tensors, history and predictions."""
    again = train(data, out=str(tmp_path), quiet=True, **{**OPTIONS, "workers": 2})
    assert_same_weights(whole[0].folder, again.folder)
    assert rows_of(again.folder) == rows_of(whole[0].folder)
    for name in ("predictions.csv", "data.csv"):
        assert (again.folder / name).read_bytes() == (whole[0].folder / name).read_bytes()
    other = train(data, out=str(tmp_path), quiet=True, seed=1, **OPTIONS)
    assert (other.folder / "predictions.csv").read_bytes() != (again.folder / "predictions.csv").read_bytes()


@pytest.mark.usefixtures("quick")
def test_the_data_folder_is_left_alone(data: Path, tmp_path: Path) -> None:
    """Names, times, rights and bytes of the user's folder are as before, though --out could lie anywhere."""
    before = tree(data)
    train(data, out=str(tmp_path), quiet=True, **OPTIONS)
    assert tree(data) == before


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def train_until(data: Path, out: Path, epoch: int) -> Path:
    """A run cut short at the end of an epoch, as a kill would leave it."""

    def watch(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == epoch + 1:
            raise Killed

    with pytest.raises(Killed):
        train(data, out=str(out), quiet=True, watch=watch, **OPTIONS)
    (folder,) = (path for path in out.iterdir() if not path.name.startswith("."))
    assert not files.is_complete(folder)
    return folder


@pytest.mark.usefixtures("quick")
def test_resume_after_a_kill(
    whole: tuple[Run, list[Event]], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resumed run ends with the weights, history and predictions of the uninterrupted one."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    folder = train_until(data, tmp_path, 1)
    run = train(resume=folder, quiet=True)
    assert run.folder == folder
    assert_same_weights(whole[0].folder, folder)
    assert rows_of(folder) == rows_of(whole[0].folder)
    assert (folder / "predictions.csv").read_bytes() == (whole[0].folder / "predictions.csv").read_bytes()
    assert files.is_complete(folder)


@pytest.mark.usefixtures("quick")
def test_a_damaged_newest_checkpoint_costs_an_epoch_and_no_bit(
    whole: tuple[Run, list[Event]], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the newest checkpoint cut in half the run goes on from the one before, to the same weights; that it did, and
    that other versions did, stands in settings.toml."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    folder = train_until(data, tmp_path, 3)
    kept = sorted((folder / "last.ckpt").iterdir())
    assert [path.name for path in kept] == ["epoch-000002.safetensors", "epoch-000003.safetensors"]
    kept[1].write_bytes(kept[1].read_bytes()[: kept[1].stat().st_size // 2])
    text = (folder / "settings.toml").read_text(encoding="utf-8")
    text = re.sub(r'(?m)^(striate|torch) = ".*"$', r'\1 = "0.0"', text)
    (folder / "settings.toml").write_text(text, encoding="utf-8")
    seen: list[Event] = []
    train(resume=folder, quiet=True, watch=seen.append)
    said = (
        "after epoch 2, on another machine or version than before (striate was 0.0, torch was 0.0), so not bit for bit"
    )
    assert any(isinstance(event, Note) and said in event.text for event in seen)
    (resumed,) = files.settings_of(folder)["run"]["resumed"]
    assert said in resumed
    assert_same_weights(whole[0].folder, folder)
    assert rows_of(folder) == rows_of(whole[0].folder)


def test_patience_without_validation_pictures_is_refused(data: Path, tmp_path: Path) -> None:
    """Nothing could get better or worse: it is said before any training, and no folder is left."""
    with pytest.raises(StriateError, match=r"no validation pictures.*raise --val"):
        train(data, out=str(tmp_path), name="r", quiet=True, **{**OPTIONS, "val": 0.0, "patience": 2})
    assert not (tmp_path / "r").exists()


@pytest.mark.usefixtures("quick")
def test_resume_refuses_other_pictures_and_other_settings(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed picture, another option or a finished run: refused, and what is there stays resumable."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    mine = draw_folder(tmp_path / "mine", {"a": 6, "b": 6})
    folder = train_until(mine, tmp_path / "out", 1)
    before = tree(folder / "last.ckpt")
    with pytest.raises(StriateError, match="a resumed run keeps its own settings"):
        train(resume=folder, quiet=True, epochs=9)
    good = (mine / "a" / "00.png").read_bytes()
    Image.fromarray(picture(2, 99)).save(mine / "a" / "00.png")
    with pytest.raises(StriateError, match=r"labels it began with\. received: the same files with"):
        train(resume=folder, quiet=True)
    (mine / "a" / "00.png").write_bytes(good)
    Image.fromarray(picture(2, 98)).save(mine / "a" / "new.png")
    (mine / "a" / "01.png").rename(mine / "a" / "other.png")
    with pytest.raises(StriateError, match=r"received: added: a/new\.png, a/other\.png; gone: a/01\.png\. where"):
        train(resume=folder, quiet=True)
    (mine / "a" / "other.png").rename(mine / "a" / "01.png")
    (mine / "a" / "new.png").unlink()
    assert tree(folder / "last.ckpt") == before
    assert train(resume=folder, quiet=True).folder == folder
    with pytest.raises(StriateError, match="received: a finished run"):
        train(resume=folder, quiet=True)
    with pytest.raises(StriateError, match="a run to resume"):
        train(resume=tmp_path / "nowhere", quiet=True)


@pytest.mark.usefixtures("quick")
def test_resume_refuses_another_size(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this version would bring the pictures to another size, a run that was cut short does not go on; nor where
    its plan is not as it was written."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    folder = train_until(data, tmp_path, 1)
    file = folder / "settings.toml"
    text = file.read_text(encoding="utf-8")
    assert "\nwidth = 8\n" in text
    for line in ("sizes = 3\n", "sizes = [[1.0]]\n"):
        file.write_text(re.sub(r"sizes = .*\n", line, text), encoding="utf-8")
        with pytest.raises(StriateError, match=r"has its \[plan\] as it was written"):
            train(resume=folder, quiet=True)
    file.write_text(re.sub(r"\nline = .*\n", "\n", text), encoding="utf-8")
    with pytest.raises(StriateError, match="a change in line"):
        train(resume=folder, quiet=True)
    file.write_text(text.replace("\nwidth = 8\n", "\nwidth = 12\n"), encoding="utf-8")
    with pytest.raises(StriateError, match=r"the size it began with\. received: 8 × 8\. where: 12 × 8"):
        train(resume=folder, quiet=True)


@pytest.mark.usefixtures("quick")
def test_classes_that_are_whole_numbers_come_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Model, scores and confusion matrix have 2 before 10 and agree; a run with the order of the text is not resumed,
    since its outputs would change places."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    mine = draw_folder(tmp_path / "mine", {"10": 12, "2": 12})
    with monkeypatch.context() as before:
        for place in (task, dataset):
            before.setattr(place, "class_order", lambda names: sorted(set(names)))
        folder = train_until(mine, tmp_path / "old", 1)
    with pytest.raises(StriateError, match="the very pictures and labels it began with"):
        train(resume=folder, quiet=True)
    folder = train_until(mine, tmp_path / "new", 1)
    run = train(resume=folder, quiet=True)
    assert list(run.model.classes) == run.scores["classes"] == ["2", "10"]
    rows = [row for row in read_table(folder / "predictions.csv") if row["part"] == "test"]
    told = [
        [sum((r["truth"], r["predicted"]) == pair for r in rows) for pair in ((a, "2"), (a, "10"))] for a in ("2", "10")
    ]
    assert run.scores["test"]["confusion"] == told


def start(data: Path, out: Path, *more: str) -> subprocess.Popen:
    """The command in a process of its own, with a training of a few seconds."""
    words = [sys.executable, "-m", "striate", "train", str(data), "--network", TINY, "--batch-size", "2"]
    words += ["--epochs", "2000", "--out", str(out), "--name", "r", "--workers", "0", "--precision", "fp32", *more]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def wait_for(path: Path, rows: int, process: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while not path.exists() or len(path.read_text().splitlines()) <= rows:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.usefixtures("quick")
def test_a_real_kill_is_survived(data: Path, tmp_path: Path) -> None:
    """SIGKILL of the process: no half-written file, no manifest, and the run resumes to its end."""
    process = start(data, tmp_path, "--epochs", "40", "--batch-size", "8")
    wait_for(tmp_path / "r" / "history.csv", 3, process)
    process.kill()
    process.communicate()
    folder = tmp_path / "r"
    assert not files.is_complete(folder)
    assert len(read_table(folder / "history.csv")) >= 3
    run = train(resume=folder, quiet=True)
    assert files.is_complete(folder)
    assert [row["epoch"] for row in read_table(folder / "history.csv")] == [str(n + 1) for n in range(40)]
    assert not list(folder.rglob("*.tmp"))
    options = {"network": TINY, "batch_size": 8, "epochs": 40, "workers": 0, "precision": "fp32"}
    straight = train(data, out=str(tmp_path), name="straight", quiet=True, **options)
    assert_same_weights(run.folder, straight.folder)


def test_two_outputs_in_one_sigmoid(data: Path, tmp_path: Path, quick: None) -> None:
    """A network with one output is trained on two classes from the folder and scored on both."""
    two = draw_folder(tmp_path / "two", {"across": 20, "down": 20})
    line = "conv 4 3, relu, globalavgpool, dense 1, sigmoid"
    options = {**OPTIONS, "network": line, "epochs": 30, "lr": 0.1, "optimizer": "sgd", "augment": "none"}
    run = train(two, out=str(tmp_path / "out"), quiet=True, **options)
    assert run.test["accuracy"]["value"] == 1.0
    assert set(np.array(run.test["confusion"]).flatten().tolist()) == {0, 4}
    one = run.model.predict(two / "down" / "03.png")[0]
    assert one.predicted == "down"
    assert sum(one.probabilities.values()) == pytest.approx(1)


def test_filters_png_shows_filters_that_are_learned(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    """Not those of the whitening layer in front of them, which is measured."""
    shown = []
    monkeypatch.setattr(results.sheets, "kernels", lambda weights: shown.append(weights) or b"")
    line = "whiten 4 2, conv 3 3, relu, globalavgpool, dense classes"
    run = train(data, out=str(tmp_path), quiet=True, **{**OPTIONS, "network": line, "epochs": 1})
    (weights,) = shown
    assert np.array_equal(weights, run.model.network.conv1.weight.detach().numpy())


def test_arrays_train_like_files(tmp_path: Path, quick: None) -> None:
    """(pictures, labels) in Python, with the labels as class names."""
    pictures = np.stack([picture(label, n) for label in (0, 1) for n in range(10)])
    run = train((pictures, ["x"] * 10 + ["y"] * 10), out=str(tmp_path), quiet=True, **OPTIONS)
    assert run.model.classes == ("x", "y")
    assert sum(run.scores[part]["n"] for part in ("train", "validation", "test")) == 20


def test_a_run_on_arrays_goes_on_with_them(tmp_path: Path, quick: None) -> None:
    """Cut short, it says the line of Python that goes on; without the arrays it says that they are missing."""
    source = np.stack([picture(label, n) for label in (0, 1) for n in range(10)]), ["x"] * 10 + ["y"] * 10
    heard: list[Event] = []

    def interrupt_after_one(event: Event) -> None:
        heard.append(event)
        if getattr(event, "epoch", 0) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(source, out=str(tmp_path), name="r", quiet=True, watch=interrupt_after_one, **OPTIONS)
    again = f"striate.train((pictures, labels), resume={str(tmp_path / 'r')!r})"
    assert heard[-1].text == f"Kept      {again} goes on from the last checkpoint"
    with pytest.raises(StriateError, match=r"a run on arrays goes on with the same arrays.*\(pictures, labels\)"):
        train(resume=tmp_path / "r", quiet=True)
    assert train(source, resume=tmp_path / "r", quiet=True).folder == tmp_path / "r"


def failing_folders(root: Path) -> dict[str, Path]:
    """Folders from which nothing can be learned."""
    unreadable = draw_folder(root / "unreadable", {"a": 3, "b": 3})
    for path in unreadable.rglob("*.png"):
        path.write_bytes(b"words")
    one = draw_folder(root / "one class", {"a": 5})
    single = draw_folder(root / "single", {"a": 5, "b": 1})
    (root / "empty").mkdir()
    return {"unreadable": unreadable, "one class": one, "single": single, "empty": root / "empty", "no": root / "no"}


FAILURES = {
    "unreadable": "training needs readable pictures|at least one picture must be readable",
    "one class": "training needs at least two classes",
    "single": "every class needs at least two usable pictures",
    "empty": "a folder to learn from has one folder per class",
    "no": "no such file|must be a folder",
}


@pytest.mark.parametrize("name", FAILURES)
def test_data_that_cannot_be_learned_from(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Exit code 2, one message without a traceback, nothing under the run's name, the folder untouched."""
    folder = failing_folders(tmp_path)[name]
    before = tree(tmp_path)
    out = tmp_path.parent / f"{tmp_path.name}-out"
    code = main(["train", str(folder), "--out", str(out), "--name", "r", "--network", TINY, "--epochs", "1", "-j", "0"])
    said = capsys.readouterr().err
    assert code == 2
    assert re.search(FAILURES[name], said)
    assert said.count("striate: ") == 1
    assert "Traceback" not in said
    assert not (out / "r").exists()
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--network", "flatten, dense 7"], "one output per class .*received: 7 outputs for 3 classes"),
        (["--network", "conv 4 3"], "a classifier's network ends in one row of numbers"),
        (["--network", "conv 4 9 padding=valid, flatten, dense classes"], "a window must fit into its maps"),
        (["--network", "flatten, conv 4 3, flatten, dense classes"], "conv takes feature maps"),
        (["--network", "relu, globalavgpool"], "one output per class"),
        (["--network", "conv 7 3, globalavgpool"], "one output per class"),
        (["--augment", "spin 20"], "spin"),
        (["--device", "cuda:77"], "--device"),
        (["--test", "0.5", "--val", "0.5"], "leave pictures"),
        (["--name", "a/b"], "a run name is one folder name"),
    ],
)
def test_an_impossible_wish_leaves_nothing(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Options that cannot be fulfilled are told before anything is written under the run's name."""
    folder, out = draw_folder(tmp_path / "d", {"a": 5, "b": 5, "c": 5}), tmp_path / "out"
    assert main(["train", str(folder), "--out", str(out), "--epochs", "1", "-j", "0", *options]) == 2
    said = capsys.readouterr().err
    assert re.search(told, said), said
    assert "Traceback" not in said
    assert [path.name for path in out.glob("*") if path.name != ".store"] == []


@pytest.mark.parametrize("line", ["flatten, dense 7", "conv 4 3", "conv 4 99 padding=valid, flatten, dense classes"])
def test_a_network_that_does_not_fit_is_refused_before_a_picture_is_decoded(line: str, tmp_path: Path) -> None:
    """Of many pictures that takes minutes, and looking for copies and symmetries more."""
    events: list[Event] = []
    with pytest.raises(StriateError, match=r"network|window|dense"):
        train(draw_folder(tmp_path / "d", {"a": 5, "b": 5}), network=line, out=str(tmp_path), quiet=True,
              watch=events.append)  # fmt: skip
    assert events == []


@pytest.mark.parametrize("labels", [["a", "b"], [["a"], ["a", "b"]], [0.5, 1.25]], ids=["one", "several", "numbers"])
def test_without_a_test_part(labels: list, tmp_path: Path, quick: None) -> None:
    """--test 0 --val 0 trains on everything; the scores of empty parts say n = 0 and nothing false, and there is no
    figure of a part without pictures, nor anything chosen by one."""
    pictures = np.stack([picture(number % 2, number) for number in range(10)])
    run = train((pictures, 5 * labels), out=str(tmp_path), quiet=True, test=0, val=0, **OPTIONS)
    assert [run.scores[part]["n"] for part in ("test", "validation", "train")] == [0, 0, 10]
    assert run.scores["test"][run.scores["test"]["main"]]["value"] is None
    assert not {file.stem for file in run.folder.glob("*.png")} & {"confusion_matrix", "labels", "scatter"}
    assert files.is_complete(run.folder)


def test_seconds_run_until_the_report_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that takes 7 s is told of the 5 before it, and scores.json counts 12: of one run and of several."""
    clock, scores = iter((105.0, 112.0)), {}
    monkeypatch.setattr(results, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(results, "report", str)
    results.finish(tmp_path, SimpleNamespace(started=100.0, parent=tmp_path), scores, lambda: scores["seconds"])
    assert (tmp_path / "report.html").read_text() == "5.0"
    assert files.read_json(tmp_path / "scores.json") == {"seconds": 12.0}
    assert files.is_complete(tmp_path)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("victim", ["settings.toml", "data.csv", "epoch-000001"])
def test_a_full_disk_before_the_first_checkpoint_leaves_nothing(
    victim: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """ENOSPC at any of the first files: exit code 2, one message with the free space, no run folder."""
    real = os.fsync

    def fail(handle: int) -> None:
        if victim in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fail)
    words = ["train", str(data), "--out", str(tmp_path), "--name", "r", "--network", TINY, "--epochs", "2", "-q"]
    assert main([*words, "-j", "0"]) == 2
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.usefixtures("quick")
def test_a_full_disk_later_can_be_resumed(
    whole: tuple[Run, list[Event]], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ENOSPC while the report is written: no manifest, no half file; resumed, the run ends as if nothing had been."""
    real = files.write_text

    def fail(path: Path, text: str, **how: bool) -> None:
        if path.name == "report.html":
            raise files.cannot_write(path, OSError(errno.ENOSPC, "No space left on device"))
        real(path, text, **how)

    with monkeypatch.context() as patch:
        patch.setattr(results.files, "write_text", fail)
        with pytest.raises(StriateError, match="No space left on device"):
            train(data, out=str(tmp_path), name="r", quiet=True, **OPTIONS)
    assert not files.is_complete(tmp_path / "r")
    assert not list((tmp_path / "r").rglob("*.tmp"))
    train(resume=tmp_path / "r", quiet=True)
    assert_same_weights(whole[0].folder, tmp_path / "r")
    assert rows_of(tmp_path / "r") == rows_of(whole[0].folder)


def test_too_little_space_is_told_before_the_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 100 kB free nothing is started."""
    usage = type("usage", (), {"free": 100_000})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(StriateError, match="needs free space on the disk before it starts"):
        train(data, out=str(tmp_path), name="r", quiet=True, **OPTIONS)
    assert not (tmp_path / "r").exists()


def test_file_size_limit_is_a_full_disk_too(data: Path, tmp_path: Path) -> None:
    """A real refusal by the system: under a limit on file sizes the command ends with 2 and leaves nothing."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from striate.cli import main; sys.exit(main(sys.argv[1:]))\n"
    )
    words = ["train", str(data), "--out", str(tmp_path), "--name", "r", "--network", TINY, "--epochs", "2", "-q"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()


def test_names_that_need_quoting(tmp_path: Path, quick: None) -> None:
    """Class names with commas, quotes, spaces and other alphabets come back whole from every table."""
    names = ['a, "b"', "猫 と 犬", "x=y"]
    folder = draw_folder(tmp_path / "d", dict.fromkeys(names, 5))
    run = train(folder, out=str(tmp_path / "out"), quiet=True, **OPTIONS)
    assert run.scores["classes"] == sorted(names)
    with (run.folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[3:6] == [f"p_{name}" for name in sorted(names)]
    assert {row["label"] for row in read_table(run.folder / "data.csv")} == set(names)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("writing", [1e9, -1e9])
def test_heatmaps_are_drawn_while_a_budget_lasts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writing: float
) -> None:
    """A single one where it is late; several where there is time."""
    shown, whole = [], describe.heatmap_facts
    hurried(monkeypatch)

    def listen(*given: object) -> dict:
        shown.append(whole(*given))
        return shown[-1]

    monkeypatch.setattr(illustrate, "WRITING", writing)
    monkeypatch.setattr(illustrate, "HITS", 3)
    monkeypatch.setattr(describe, "heatmap_facts", listen)
    train(data, out=tmp_path, quiet=True, minutes=0.1, **{k: v for k, v in OPTIONS.items() if k != "epochs"})
    assert (len(shown[0]["heatmaps"]) == 1) == (writing > 0)


@pytest.mark.usefixtures("quick")
def test_the_end_of_a_budget_has_all_threads_again(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps may choose one thread; scores and report are made with as many as before, and so is what follows."""
    seen, whole = [], module.write_results
    hurried(monkeypatch)

    def listen(*given: object) -> dict:
        seen.append(torch.get_num_threads())
        return whole(*given)

    before = torch.get_num_threads()
    monkeypatch.setattr(module, "write_results", listen)
    monkeypatch.setattr(module.machine.Threads, "choose", lambda self: torch.set_num_threads(1))
    monkeypatch.setattr(module.machine, "SMALL_STEP", 0)
    torch.set_num_threads(2)
    try:
        given = {name: value for name, value in OPTIONS.items() if name != "epochs"}
        train(data, out=tmp_path, quiet=True, minutes=0.1, **given)
        assert seen == [2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("each", "refused"), [(0.5, True), (0.01, False)])
def test_a_budget_without_time_for_a_training_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: float, refused: bool
) -> None:
    """With half a second for each of some 40 scored pictures six seconds are too few: an error before a run
    is there, and the minutes it names leave as much for the training; a hundredth of a second is little enough."""
    passing = budget._passing
    monkeypatch.setattr(budget, "_passing", lambda *given: (each, passing(*given)[1]))
    monkeypatch.setattr(module, "_fit", lambda training, *others: training)
    given = {name: value for name, value in OPTIONS.items() if name != "epochs"}
    given |= {"out": tmp_path / "o", "quiet": True}
    if not refused:
        assert train(data, minutes=0.1, **given).clock.scoring > 0
        return
    with pytest.raises(StriateError, match=r"scores are part of a budget.*give [0-9.]+ minutes") as caught:
        train(data, minutes=0.1, **given)
    assert not list((tmp_path / "o").rglob("settings.toml"))
    enough = float(re.search(r"give ([0-9.]+) minutes", str(caught.value))[1])
    clock = train(data, minutes=enough, **given).clock
    assert clock.left() > 0.8 * clock.scoring
