"""`striate open`: it says where the page is, opens it where it can, and ends when it is told to."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_page import Visitor

import striate
from striate import cli
from striate.export.model import Model, load_model
from striate.network.build import build
from striate.serve import start as start_module
from striate.serve.server import Server
from striate.serve.start import TABS, open_page

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)(#tab=\w+)?")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file."""
    from striate.data.prepare import Preparation, Shape
    from striate.tasks.task import make_task

    network = build("conv 2 3, relu, globalavgpool, dense classes", (1, 8, 8), 2)
    preparation = Preparation(shape=Shape(height=8, width=8, channels=1), low=(0,), high=(255,), mean=(0,), std=(1,))
    path = tmp_path_factory.mktemp("start") / "tiny.safetensors"
    Model(network, make_task("classification", {"classes": ["a", "b"]}), preparation).save(path)
    return path


class Opened:
    """`striate open` in a process of its own, once it has said where the page is."""

    def __init__(self, *words: str, screen: str = "", wrapper: str = "") -> None:
        environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {"BROWSER": screen, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "striate", "open", *words]
        if wrapper:
            command = [sys.executable, "-c", wrapper, *command]
        self.process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.line = self.process.stdout.readline()
        found = ADDRESS.search(self.line)
        assert found, self.line + self.process.stderr.read()
        self.port, self.token, self.tab = int(found[1]), found[2], found[3]

    def __enter__(self) -> "Opened":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def get(self, path: str) -> tuple[int, bytes]:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        wire.request("GET", path, headers={"Cookie": f"striate_{self.port}={self.token}"})
        reply = wire.getresponse()
        answer = reply.status, reply.read()
        wire.close()
        return answer


def test_open_serves_until_ctrl_c(file: Path) -> None:
    """The address works, the second line says how to end it, and Ctrl-C ends it quietly with 0: streams that go on and
    connections that stay open do not hold it up."""
    with Opened(str(file), "--no-browser") as opened:
        assert opened.process.stdout.readline() == "Ctrl-C stops it\n"
        assert opened.get("/")[0] == 200
        assert opened.get("/api/model")[0] == 200
        wires = []
        for path in ("/api/training/events", "/api/model"):
            wires.append(http.client.HTTPConnection("127.0.0.1", opened.port, timeout=20))
            wires[-1].request("GET", path, headers={"Cookie": f"striate_{opened.port}={opened.token}"})
            wires[-1].getresponse().read(10)
        opened.process.send_signal(signal.SIGINT)
        out, err = opened.process.communicate(timeout=20)
        assert (opened.process.returncode, out, err) == (0, "", "")
        for wire in wires:
            wire.close()


def test_it_ends_with_whoever_started_it(file: Path) -> None:
    """`train --watch` starts it so: when the training is killed, no server stays behind."""
    wrapper = "import subprocess, sys, time\nsubprocess.Popen(sys.argv[1:])\ntime.sleep(60)"
    with Opened(str(file), "--no-browser", "--while-parent", "--tab", "train", wrapper=wrapper) as opened:
        assert opened.tab == "#tab=train"
        assert opened.get("/")[0] == 200
        opened.process.kill()
        for _ in range(100):
            try:
                opened.get("/")
            except OSError:
                return
            time.sleep(0.1)
        pytest.fail("the server goes on alone")


def test_the_browser_gets_the_address(file: Path, tmp_path: Path) -> None:
    """The browser that the system names is started with the printed address; a slow one holds nothing up."""
    script, seen = tmp_path / "browser", tmp_path / "seen"
    script.write_text(
        f'#!/bin/sh\nexec >{tmp_path}/out 2>&1\necho "$1" > {seen}.part; mv {seen}.part {seen}; sleep 30\n'
    )
    script.chmod(0o755)
    with Opened(str(file), screen=f"{script} %s") as opened:
        assert opened.get("/")[0] == 200
        for _ in range(100):
            if seen.exists():
                break
            time.sleep(0.1)
        assert seen.read_text().strip() == ADDRESS.search(opened.line)[0]


def test_without_a_screen_no_browser_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser of text would take the terminal; on Windows and macOS there is always a screen."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not start_module._has_screen()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert start_module._has_screen()
    monkeypatch.delenv("WAYLAND_DISPLAY")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert start_module._has_screen()


def test_words_and_options_reach_the_server(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port, tab and browser are what was asked; Ctrl-C inside is the normal end."""
    served: dict = {}

    def serve(self: Server) -> None:
        served.update(port=self.server_port)
        raise KeyboardInterrupt

    browsers: list[str] = []
    opened = threading.Event()
    monkeypatch.setattr(Server, "serve_forever", serve)
    monkeypatch.setattr(start_module, "_has_screen", lambda: True)
    monkeypatch.setattr(start_module.webbrowser, "open", lambda address: (browsers.append(address), opened.set()))
    with Server(lambda request: None) as free:
        port = free.server_port
    assert cli.main(["open", str(file), "--port", str(port), "--no-browser"]) == 0
    assert served == {"port": port}
    assert not browsers
    open_page(file, tab="mistakes")
    assert opened.wait(10)
    assert browsers[0].endswith("#tab=mistakes")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["{file}x"], "a model is a run folder or a model file"),
        (["{file}", "{file}"], "the picture must be readable"),
        (["{file}", "nothing.png"], "no such file"),
        (["{file}", "--tab", "sea"], "did you mean 'see'"),
        (["{file}", "--port", "70000"], "a server needs a port that is free"),
        (["{file}", "--port", "-1"], "a server needs a port that is free"),
        (["{file}", "--prot", "1"], "did you mean '--port'"),
    ],
)
def test_mistakes_are_said_before_anything_is_served(
    file: Path, words: list[str], part: str, capsys: pytest.CaptureFixture
) -> None:
    """One message, exit code 2, and no address."""
    assert cli.main(["open", *(word.format(file=file) for word in words), "--no-browser"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert part in err


def test_every_tab_is_a_file_of_the_page() -> None:
    """The tabs that can be asked for are those that the page has."""
    from striate.serve.door import WEB

    shown = re.search(r"TABS = (\[\[.*?\]\]);", (WEB / "app.js").read_text(encoding="utf-8"), re.DOTALL)
    assert tuple(re.findall(r'\["(\w+)",', shown[1])) == TABS


def own_network() -> torch.nn.Module:
    """A torch module without a line of layers."""
    torch.manual_seed(1)
    layers = torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3 * 36, 2)
    return torch.nn.Sequential(*layers).eval()


def test_a_network_of_ones_own_is_opened_and_closed(capsys: pytest.CaptureFixture) -> None:
    """Any torch module with its pictures: its own logits, maps and evidence; the call returns at once where it is told
    to, says how the page is closed, and then nobody answers."""
    network, given = own_network(), torch.rand(2, 1, 8, 8)
    page = striate.open(network, given, classes=["cat", "dog"], browser=False, block=False)
    told, visitor = capsys.readouterr().out, Visitor(page)
    assert page.url in told
    assert "close() of what is returned stops it" in told
    model = visitor.json("/api/model")
    assert (model["name"], model["network"], model["classes"]) == ("Sequential", "Sequential", ["cat", "dog"])
    assert visitor.json("/api/pictures")["parts"] == {"yours": 2}
    trace = visitor.json(f"/api/trace/{model['first_picture']}")
    with torch.no_grad():
        logits, maps = network(given[:1])[0].tolist(), network[0](given[:1])[0].numpy()
    assert {one["label"]: one["logit"] for one in trace["predictions"]} == pytest.approx(
        dict(zip(["cat", "dog"], logits, strict=True)), abs=1e-5
    )
    _, seen = visitor.array(f"/api/trace/{model['first_picture']}/maps/0")
    assert seen == pytest.approx(maps, abs=1e-5)
    heat, _ = visitor.array(f"/api/heatmap/{model['first_picture']}?target=1&method=hirescam")
    assert (heat["target"], heat["score"]) == ("dog", pytest.approx(logits[1], abs=1e-5))
    page.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=5).request("GET", "/")


def test_a_model_in_memory_is_opened(file: Path) -> None:
    """With arrays, files or both, and with any module in the place of its network: a copy, so it may go on learning."""
    model = replace(load_model(file), network=own_network())
    np.save(file.parent / "one.npy", np.full((8, 8), 9, np.uint8))
    page = striate.open(model, [np.eye(8, dtype=np.uint8), file.parent / "one.npy"], browser=False, block=False)
    visitor = Visitor(page)
    first = visitor.json("/api/model")["first_picture"]
    names = [one["name"] for one in visitor.json("/api/pictures")["pictures"]]
    assert sorted(names) == ["array/0", "one.npy"]
    with torch.no_grad():
        wanted = model.network(model.input(np.eye(8, dtype=np.uint8)[..., None])[None])[0].tolist()
        model.network[3].bias.add_(9)
    told = visitor.json(f"/api/trace/{first}")["predictions"]
    assert [one["logit"] for one in sorted(told, key=lambda one: one["class"])] == pytest.approx(wanted, abs=1e-5)
    page.close()


def test_a_script_waits_and_a_prompt_does_not(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own mark of a prompt, which notebooks set too, decides where nobody says."""
    monkeypatch.setattr(Server, "serve_forever", lambda self: None)
    assert striate.open(file, browser=False) is None
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    striate.open(file, browser=False).server_close()


def test_one_array_is_one_picture(file: Path) -> None:
    """An array that is not in a list is not taken apart by its rows."""
    page = open_page(load_model(file), np.zeros((8, 8), np.uint8), browser=False, block=False)
    with contextlib.closing(page):
        assert Visitor(page).json("/api/pictures")["total"] == 1
