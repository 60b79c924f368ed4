"""A training followed through its run folder: its state, what is new of it, and its snapshots."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from drawn_page import Visitor, served

from striate import files
from striate.serve import training as training_module
from striate.serve.reply import Refusal, Reply
from striate.serve.training import Training
from striate.train.events import Epoch, write_history

FILTERS = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
MAPS = np.random.default_rng(1).normal(size=(4, 8, 8)).astype(np.float16)


def epoch(number: int) -> dict:
    return Epoch(
        epoch=number, seconds=1.5 * number, learning_rate=0.1, train_loss=1 / number, train_hits=0.5,
        validation_loss=None, validation_hits=None, pictures_per_second=100.0,
    ).row()  # fmt: skip


def take_snapshots(run: Path, count: int) -> list[dict]:
    """RUN/watch as a training leaves it."""
    listed = [{"id": n, "epoch": n / 2, "step": 10 * n, "seconds": 0.5 * n} for n in range(count)]
    for item in listed:
        data = io.BytesIO()
        np.savez(data, filters=FILTERS + item["id"], maps_0=MAPS, maps_1=MAPS[:2, :4])
        files.write_bytes(run / f"watch/{item['id']}.npz", data.getvalue())
    layers = [{"name": "relu1", "shape": [4, 8, 8]}, {"name": "maxpool1", "shape": [2, 4, 8]}]
    index = {"layers": layers, "filters": {"name": "conv1", "shape": [4, 1, 3, 3]}, "picture": "a/1.png"}
    files.write_json(run / "watch/index.json", {**index, "snapshots": listed})
    return listed


@pytest.fixture
def run(tmp_path: Path) -> Path:
    files.write_text(tmp_path / "settings.toml", "[plan]\nepochs = 4\n")
    return tmp_path


@pytest.fixture
def told(run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Listener"]:
    """What a listener hears of a training that goes on."""
    monkeypatch.setattr(training_module, "POLL", 0.02)
    with ExitStack() as stack:
        stack.held = stack.enter_context(ExitStack())
        stack.held.enter_context(files.held(run))
        server = stack.enter_context(served(lambda request: Reply(Training(run).events, "text/event-stream")))
        yield stack.enter_context(Listener(Visitor(server), stack.held))


class Listener:
    """Reads server-sent events as a browser does."""

    def __init__(self, visitor: Visitor, held: ExitStack) -> None:
        self.held = held
        visitor.wire.request("GET", "/api/training/events", headers=visitor.cookie)
        self.visitor, self.reply = visitor, visitor.wire.getresponse()
        assert self.reply.headers["Content-Type"] == "text/event-stream"

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *error: object) -> None:
        self.reply.close()
        self.visitor.wire.close()

    def next(self) -> tuple[str, dict]:
        fields = {}
        while (line := self.reply.readline().decode().rstrip("\n")) or not fields:
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
        return fields["event"], json.loads(fields["data"])


def test_events_come_as_things_happen(run: Path, told: Listener) -> None:
    """At once all that is known; then an epoch, a snapshot and the end, each when it is there and none twice."""
    assert [told.next()[0] for _ in range(3)] == ["state", "history", "snapshot"]
    write_history(run / "history.csv", [epoch(1)])
    news = dict(told.next() for _ in range(2))
    assert news["state"] == {"state": "running", "progress": {"epoch": 1, "seconds": 1.5, "epochs": 4, "minutes": None}}
    assert news["history"]["history"] == [epoch(1)]
    listed = take_snapshots(run, 2)
    name, part = told.next()
    while len(part["snapshots"]) < 2:  # the files of one snapshot may have been seen before the index
        name, part = told.next()
    assert (name, part["snapshots"], part["picture"]) == ("snapshot", listed, "a/1.png")
    files.write_json(run / "scores.json", {"stopped": False})
    files.write_manifest(run)
    told.held.close()
    name, part = told.next()
    while part["state"] == "running":
        name, part = told.next()
    assert (name, part["state"]) == ("state", "done")


def test_a_listener_who_leaves_ends_the_stream(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's loop ends; it does not wait for the next epoch to notice."""
    monkeypatch.setattr(training_module, "POLL", 0.02)
    ended = threading.Event()

    def events(gone: object) -> Iterator[bytes]:
        try:
            yield from Training(run).events(gone)
        finally:
            ended.set()

    with served(lambda request: Reply(events, "text/event-stream")) as server:
        listener = Listener(Visitor(server), ExitStack())
        listener.next()
        assert not ended.is_set()
        listener.__exit__()
        assert ended.wait(10)


def test_a_quiet_stream_stays_alive(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without news a comment is sent now and then, which browsers pass over."""
    monkeypatch.setattr(training_module, "BEAT", 3)
    looks = iter([False] * 7 + [True])
    said = b"".join(Training(run).events(lambda seconds: next(looks)))
    assert said.count(b"event: ") == 3
    assert said.count(b": still here\n\n") == 2


def test_the_state_of_a_run(run: Path) -> None:
    """Held by a process it is running, with its manifest done, else stopped; without a run there is none."""
    assert Training(None).state == "none"
    assert Training(run).state == "stopped"
    with files.held(run):
        assert Training(run).state == "running"
    files.write_json(run / "scores.json", {"stopped": True})
    files.write_manifest(run)
    assert Training(run).state == "stopped"
    files.write_json(run / "scores.json", {"stopped": False})
    assert Training(run).state == "done"


def test_asking_does_not_disturb_a_training(run: Path) -> None:
    """Whether a folder is held can be asked at any time, and holding it works afterwards."""
    for _ in range(3):
        assert not files.is_held(run)
        with files.held(run):
            assert files.is_held(run)
            assert files.is_held(run)


def test_without_a_run_nothing_has_been_trained() -> None:
    """A model file alone: no history, no snapshots, no error."""
    overview = Training(None).overview()
    assert overview == {
        **{"state": "none", "progress": {"epoch": 0, "seconds": 0, "epochs": None, "minutes": None}},
        **{"history": [], "layers": [], "filters": None, "snapshots": [], "picture": ""},
    }


def test_empty_figures_stay_empty(run: Path) -> None:
    """A figure that an epoch does not have is null and not 0."""
    write_history(run / "history.csv", [epoch(1), epoch(2)])
    history = Training(run).overview()["history"]
    assert history == [epoch(1), epoch(2)]
    assert history[0]["validation_loss"] is None


@pytest.mark.parametrize(
    ("layer", "expected"),
    [(None, FILTERS + 1), ("0", MAPS), ("1", MAPS[:2, :4]), ("relu1", MAPS), ("maxpool1", MAPS[:2, :4])],
)
def test_snapshots_are_sent_as_they_were_taken(run: Path, layer: str | None, expected: np.ndarray) -> None:
    """Filters, and the maps of a layer by name or number, exactly; the header says when they were taken."""
    listed = take_snapshots(run, 2)
    visitor_path = "/api/x"
    with served(lambda request: Training(run).snapshot(1, layer)) as server:
        header, values = Visitor(server).array(visitor_path)
    assert np.array_equal(values, expected.astype(np.float32))
    assert {name: header[name] for name in listed[1]} == listed[1]
    assert header["minimum"] == float(expected.min())
    assert header["signed"] is True


@pytest.mark.parametrize(("number", "layer"), [(9, None), (-1, None), (0, "2"), (0, "nolayer"), (0, "-1"), (0, "../x")])
def test_what_was_not_taken_is_said(run: Path, number: int, layer: str | None) -> None:
    """A snapshot or layer that is not there is 404, as is one whose file is damaged."""
    take_snapshots(run, 1)
    with pytest.raises(Refusal) as caught:
        Training(run).snapshot(number, layer)
    assert caught.value.status == 404


def test_damaged_files_end_nothing(run: Path) -> None:
    """A broken index or snapshot is as good as none."""
    take_snapshots(run, 1)
    (run / "watch/0.npz").write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(Refusal):
        Training(run).snapshot(0)
    (run / "watch/index.json").write_text("[")
    assert Training(run).overview()["snapshots"] == []
