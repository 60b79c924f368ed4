"""Watching a training: what is kept of it, that the training does not notice, and the page of --watch."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, draw_folder
from drawn_training import tiny_plan, tiny_training
from safetensors.torch import load_file

import striate
from striate import commands, files
from striate.cli import main
from striate.data.batches import standardise
from striate.train import page as page_module
from striate.train import run as run_module
from striate.train import single, watch
from striate.train.events import Began, Epoch, Step
from striate.train.run import train
from striate.train.watch import Watching

RICH = "conv 4 3, batchnorm, relu, dropout 0.3, maxpool 2, residual(conv 4 3, batchnorm), globalavgpool, dense classes"
pytestmark = pytest.mark.usefixtures("quick")
OPTIONS = {"network": RICH, "epochs": 6, "batch_size": 4, "lr": 0.05, "workers": 0, "precision": "fp32", "quiet": True}
NAMES = [f"drawn/{number}" for number in range(100)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every snapshot that is due is taken, however slow the machine is at the moment."""
    monkeypatch.setattr(watch, "SHARE", 1e9)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("data") / "pictures", {"across": 30, "down": 30})


def index_of(run: Path) -> dict:
    return json.loads((run / "watch" / "index.json").read_text())


def arrays_of(run: Path, number: int) -> dict[str, np.ndarray]:
    with np.load(run / "watch" / f"{number}.npz") as arrays:
        return dict(arrays)


def watched(run: Path, epochs: int, **more: object) -> Watching:
    """A watched training on drawn pictures, to its end."""
    training = tiny_training(tiny_plan(network=RICH, epochs=epochs, **more))
    watching = Watching(run, training, NAMES)
    for event in training.run():
        watching(event)
    watching.finish()
    return watching


@pytest.mark.usefixtures("patient")
def test_snapshots_hold_the_filters_and_maps_of_the_average(tmp_path: Path) -> None:
    """The last snapshot equals what torch computes from the network that is kept; shapes are those of the index."""
    watching = watched(tmp_path, epochs=8)
    network = watching.training.average.network.eval()
    index = index_of(tmp_path)
    last = index["snapshots"][-1]
    arrays = arrays_of(tmp_path, last["id"])
    assert np.array_equal(arrays["filters"], network.conv1.weight.detach().numpy())
    assert index["filters"] == {"name": "conv1", "shape": [4, 1, 3, 3]}
    validation = watching.training.validation
    picture = standardise(next(validation.in_order(1)).pictures, validation.preparation)
    assert index["picture"] == NAMES[validation.rows[0]]
    with torch.no_grad():
        whole = torch.nn.Sequential(*list(network)[:3])(picture)
        half = torch.nn.Sequential(*list(network)[3:6])(whole)
    assert [item["name"] for item in index["layers"]] == ["relu1", "residual1.add"]
    assert [item["shape"] for item in index["layers"]] == [[4, 8, 8], [4, 4, 4]]
    for number, expected in enumerate((whole, half)):
        assert arrays[f"maps_{number}"].dtype == np.float16
        assert arrays[f"maps_{number}"] == pytest.approx(expected[0].numpy(), abs=2e-3)


@pytest.mark.usefixtures("patient")
def test_snapshots_come_at_log_spaced_steps(tmp_path: Path) -> None:
    """From the first values to the end, ever further apart; epoch and step belong together."""
    watching = watched(tmp_path, epochs=200)
    listed = index_of(tmp_path)["snapshots"]
    steps = [item["step"] for item in listed]
    assert steps[:4] == [0, 5, 10, 15]
    assert steps[-1] == watching.training.place.step == 600
    gaps = np.diff(steps)[:-1]
    assert (np.diff(gaps) >= 0).all()
    assert all(item["epoch"] == pytest.approx(item["step"] / 3, abs=1e-3) for item in listed)
    assert [item["seconds"] for item in listed] == sorted(item["seconds"] for item in listed)
    first, last = (arrays_of(tmp_path, item["id"])["filters"] for item in (listed[0], listed[-1]))
    assert not np.array_equal(first, last)


@pytest.mark.usefixtures("patient")
def test_snapshots_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more than the most; the first and the last stay, and no file is left that the index does not name."""
    monkeypatch.setattr(watch, "MOST", 6)
    watched(tmp_path, epochs=60)
    listed = index_of(tmp_path)["snapshots"]
    steps = [item["step"] for item in listed]
    assert len(steps) <= 6
    assert (steps[0], steps[-1]) == (0, 180)
    assert steps == sorted(steps)
    on_disk = {path.name for path in (tmp_path / "watch").iterdir()}
    assert on_disk == {"index.json", *(f"{item['id']}.npz" for item in listed)}


def test_a_snapshot_waits_for_its_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of our own: what watching takes stays below its share, plus the first and the last snapshot."""
    now = [0.0]

    def capture(network: torch.nn.Module, picture: torch.Tensor) -> object:
        now[0] += 1.0
        return real(network, picture)

    real = watch.capture
    monkeypatch.setattr(watch, "capture", capture)
    monkeypatch.setattr(watch.time, "monotonic", lambda: now[0])
    training = tiny_training(tiny_plan(network=RICH))
    watching = Watching(tmp_path, training, NAMES)
    step = {
        "epoch": 1,
        "epochs": 1,
        "progress": 0.0,
        "loss": 1.0,
        "hits": 0.5,
        "measure": "accuracy",
        "pictures_per_second": 1.0,
    }
    for number in range(1000):
        now[0] += 0.2
        watching(Step(**step, seconds_left=0.2 * (999 - number)))
    assert 3 <= len(watching.snapshots) <= 1 + watch.SHARE * now[0]
    assert watching.spent <= 1 + watch.SHARE * now[0]


@pytest.mark.parametrize("network", [RICH, "conv 4 3, relu, globalavgpool, dense classes", "flatten, dense classes"])
@pytest.mark.usefixtures("patient")
def test_training_does_not_notice(network: str, tmp_path: Path) -> None:
    """Weights, statistics of norms, averages, the optimizer's state and torch's random state: the very same bits."""
    plain, watched_ = (tiny_training(tiny_plan(network=network, epochs=6)) for _ in range(2))
    torch.manual_seed(7)
    expected = [event for event in plain.run() if isinstance(event, Epoch)]
    random = torch.random.get_rng_state()
    torch.manual_seed(7)
    watching = Watching(tmp_path, watched_, NAMES)
    seen = []
    for event in watched_.run():
        modes = [module.training for module in watched_.network.modules()]
        watching(event)
        assert [module.training for module in watched_.network.modules()] == modes
        seen += [event] if isinstance(event, Epoch) else []
    watching.finish()
    assert len(watching.snapshots) >= 3
    assert torch.equal(torch.random.get_rng_state(), random)
    assert [event.validation_loss for event in seen] == [event.validation_loss for event in expected]
    one, other = plain.tensors(), watched_.tensors()
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.usefixtures("patient")
def test_a_network_without_a_convolution_that_learns(tmp_path: Path) -> None:
    """No filters and no maps are kept, and the index says so."""
    training = tiny_training(tiny_plan(network="flatten, dense classes"))
    Watching(tmp_path, training, NAMES).finish()
    index = index_of(tmp_path)
    assert index["filters"] is None
    assert index["layers"] == []
    assert arrays_of(tmp_path, index["snapshots"][-1]["id"]) == {}


def test_autos_fixed_first_layer_is_passed_over(tmp_path: Path) -> None:
    """The filters that are followed are the first that learn."""
    training = tiny_training(tiny_plan(network="whiten 8 2, silu, conv 4 3, globalmaxpool, dense classes"))
    Watching(tmp_path, training, NAMES)
    assert index_of(tmp_path)["filters"] == {"name": "conv1", "shape": [4, 8, 3, 3]}


def test_layers_have_their_own_shapes(tmp_path: Path) -> None:
    """What is kept is 16 maps at most; the index says how many the layer has."""
    Watching(tmp_path, tiny_training(tiny_plan(network="conv 20 3, relu, globalmaxpool, dense classes")), NAMES)
    assert index_of(tmp_path)["layers"][0] == {"name": "relu1", "shape": [20, 8, 8]}
    assert arrays_of(tmp_path, 0)["maps_0"].shape == (16, 8, 8)


def test_large_maps_are_made_small(tmp_path: Path) -> None:
    """At most 16 maps of at most 64 pixels, shrunk by means; beyond what float16 holds they stay finite."""
    values = torch.arange(20 * 128 * 96, dtype=torch.float32).reshape(20, 128, 96)
    small = watch._small(values)
    assert small.shape == (16, 64, 48)
    expected = values[0].reshape(64, 2, 48, 2).mean(dim=(1, 3)).numpy()
    assert small[0] == pytest.approx(expected, rel=1e-3)
    assert np.isfinite(small).all()


def test_a_full_disk_ends_watching_and_not_the_training(tmp_path: Path) -> None:
    """Where nothing can be written the training goes on to its end."""
    (tmp_path / "watch").write_text("a file stands where the folder should be")
    watching = watched(tmp_path, epochs=6)
    assert watching.broken
    assert watching.training.place.epoch == 6


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.usefixtures("patient")
def test_a_resumed_run_goes_on_with_its_snapshots(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots after the checkpoint are taken again, those before it stay, and the weights are as without a kill."""
    monkeypatch.setattr(single, "CHECKPOINT_SECONDS", 0)

    def kill(event: object) -> None:
        if isinstance(event, Epoch) and event.epoch == 4:
            raise Killed

    whole = train(data, out=str(tmp_path / "whole"), **OPTIONS)
    with pytest.raises(Killed):
        train(data, out=str(tmp_path / "cut"), watch=kill, **OPTIONS)
    folder = tmp_path / "cut" / "train"
    before = index_of(folder)["snapshots"]
    run = train(resume=folder, quiet=True)
    listed, expected = (index_of(each.folder)["snapshots"] for each in (run, whole))
    per_epoch = 10
    kept = [item for item in before if item["step"] <= 3 * per_epoch]
    assert listed[: len(kept)] == kept
    assert [item["step"] for item in listed] == sorted({item["step"] for item in listed})
    assert listed[-1]["step"] == expected[-1]["step"] == 6 * per_epoch
    assert len({item["id"] for item in listed} | {item["id"] for item in before}) > len(before)
    first, second = (load_file(each.folder / "model.safetensors") for each in (run, whole))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    final = arrays_of(run.folder, listed[-1]["id"])["filters"]
    assert np.array_equal(final, second["conv1.weight"].numpy())


def test_a_run_can_be_followed_while_it_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every epoch history.csv has that many rows (where it is not too soon for the next writing), and the watch
    index is readable from the first step on."""
    monkeypatch.setattr(single, "HISTORY", 0)
    rows, seen = [], []

    def follow(event: object) -> None:
        folder = tmp_path / "train"
        if isinstance(event, Began):
            assert event.folder == folder
            assert (folder / "settings.toml").exists()
        elif isinstance(event, Step):
            seen.append(index_of(folder)["snapshots"][0]["step"])
            if (folder / "history.csv").exists():
                rows.append(len((folder / "history.csv").read_text().splitlines()) - 1)

    train(data, out=str(tmp_path), watch=follow, **OPTIONS)
    assert set(seen) == {0}
    assert sorted(set(rows)) == [1, 2, 3, 4, 5]
    assert files.is_complete(tmp_path / "train")


class Shown:
    """A process that serves the page, as `open` would, until somebody presses Ctrl-C."""

    def __init__(self, words: list[str], **options: object) -> None:
        self.words, self.options, self.pid, self.calls = words, options, 0, []
        self.stdout = io.StringIO("Open      http://127.0.0.1:7/?token=x#tab=train\nCtrl-C stops it\n")

    def terminate(self) -> None:
        self.calls.append("terminate")

    def wait(self) -> None:
        self.calls.append("wait")
        if "terminate" not in self.calls:
            raise KeyboardInterrupt


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Shown]:
    """The page processes that were started."""
    made: list[Shown] = []
    monkeypatch.setattr(page_module.subprocess, "Popen", lambda *a, **k: made.append(Shown(*a, **k)) or made[-1])
    monkeypatch.setattr(page_module.os, "setpriority", lambda *a: None)
    return made


def test_watch_opens_the_train_tab_at_once(
    data: Path, tmp_path: Path, shown: list[Shown], capsys: pytest.CaptureFixture
) -> None:
    """`open RUN --tab train` in a session of its own; its address is told, and without a person it goes at the end."""
    words = ["train", str(data), "--network", TINY, "--epochs", "1", "-j", "0", "--out", str(tmp_path), "--watch"]
    assert main(words) == 0
    (one,) = shown
    assert one.words[1:6] == ["-m", "striate", "open", str(tmp_path / "train"), "--tab"]
    assert one.options["start_new_session"]
    assert one.calls == ["terminate", "wait"]
    assert "Watch     http://127.0.0.1:7/?token=x#tab=train" in capsys.readouterr().err


def test_without_watch_there_is_no_page(data: Path, tmp_path: Path, shown: list[Shown]) -> None:
    """Only --watch starts a process."""
    words = ["train", str(data), "--network", TINY, "--epochs", "1", "-j", "0", "--out", str(tmp_path), "-q"]
    assert main(words) == 0
    assert shown == []


@pytest.mark.parametrize("stopped", [False, True])
def test_with_a_person_the_page_stays_until_ctrl_c(
    stopped: bool, tmp_path: Path, shown: list[Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal the command waits for Ctrl-C and then ends with 0; after a stopped training it does not wait."""

    def trained(*_: object, watch: page_module.Page, **__: object) -> object:
        watch(Began(tmp_path))
        return type("Run", (), {"stopped": stopped})

    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(run_module, "train", trained)
    assert main(["train", "--watch", "-q"]) == (commands.INTERRUPTED if stopped else 0)
    assert shown[0].calls == [*([] if stopped else ["wait"]), "terminate", "wait"]


def test_the_page_of_a_real_training(data: Path, tmp_path: Path) -> None:
    """A training with --watch serves its own page meanwhile, is none the worse for it, and takes it away at its end,
    here by Ctrl-C: exit code 130, a model that predicts, a report that says so, a complete run."""
    words = [sys.executable, "-m", "striate", "train", str(data), "--network", RICH, "--batch-size", "2", "--epochs"]
    words += ["4000", "--out", str(tmp_path), "--workers", "0", "--precision", "fp32", "--watch"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        environment.pop(name, None)
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, env=environment)
    try:
        assert process.stderr is not None
        found = (re.search(r"^Watch +(http://\S+/)(\S+)#tab=train$", line) for line in process.stderr)
        page, token = next(match for match in found if match).groups()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        browser.open(page + token, timeout=60).close()
        with browser.open(page + "api/training", timeout=60) as answer:
            told = json.load(answer)
        assert told["state"] == "running"
        assert told["snapshots"][0]["step"] == 0
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    run = tmp_path / "train"
    assert files.is_complete(run)
    assert json.loads((run / "scores.json").read_text())["stopped"] is True
    assert "stopped by hand" in (run / "report.html").read_text()
    assert striate.load(run).predict(data / "down" / "00.png")[0].predicted in ("across", "down")
    with pytest.raises(urllib.error.URLError):
        browser.open(page + "api/training", timeout=5)
