"""A small trained run, a page served from it, and a browser of a few lines that talks to it."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
from drawn_scenes import HEIGHT, WIDTH, draw_lesions, draw_shapes

from striate import files
from striate.data.prepare import Preparation, Shape
from striate.export.model import Model
from striate.network.build import build
from striate.serve.door import Answer
from striate.serve.reply import Request
from striate.serve.server import Server
from striate.tasks.task import make_task
from striate.train.settings import settings_from, to_toml

CLASSES = ("across", "corner", "down")
# By task: facts of the task, a network, and channels, height and width of the pictures.
SPATIAL = {
    "detection": (
        {"classes": ("disc", "square"), "threshold": 0.1},
        "conv 8 5 stride=4 padding=2, relu, conv classes 1",
        (3, HEIGHT, WIDTH),
    ),
    "segmentation": ({"classes": ("background", "foreground")}, "conv 4 3, relu, conv classes 1", (1, 32, 32)),
}
LINE = "conv 4 3, batchnorm, relu, maxpool 2, conv 6 3 padding=valid, relu, flatten, dense classes"


class Visitor:
    """Talks to a server over one connection, with the cookie if `let_in`."""

    def __init__(self, server: Server, *, let_in: bool = True) -> None:
        self.wire = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
        self.cookie = {"Cookie": f"other=1; {server.cookie}={server.token}"} if let_in else {}

    def __del__(self) -> None:
        self.wire.close()

    def ask(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with small letters, body. Headers are given as Sec_Fetch_Site="none"."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.wire.request(method, path, body, {**self.cookie, **named})
        reply = self.wire.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()

    def json(self, path: str, **more: object) -> dict:
        status, headers, body = self.ask(path, **more)
        assert status == 200, body
        assert headers["content-type"] == "application/json; charset=utf-8"
        return json.loads(body)

    def error(self, path: str, status: int, **more: object) -> str:
        """The one sentence of a refusal."""
        got, _, body = self.ask(path, **more)
        assert got == status, body
        assert "Traceback" not in body.decode()
        (text,) = json.loads(body).values()
        return text

    def array(self, path: str) -> tuple[dict, np.ndarray]:
        """Header and values of a binary answer, read by what the format's description says."""
        status, headers, body = self.ask(path)
        assert status == 200, body
        assert headers["content-type"] == "application/octet-stream"
        length = int.from_bytes(body[:4], "little")
        header = json.loads(body[4 : 4 + length])
        start = -(-(4 + length) // 8) * 8
        return header, np.frombuffer(body[start:], f"<{np.dtype(header['dtype']).str[1:]}").reshape(header["shape"])


@contextmanager
def served(answer: Answer) -> Iterator[Server]:
    """A server in a thread of its own, on a port that was free."""
    with Server(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def asked(*path: str, **query: str) -> Request:
    return Request("GET", path, query)


def spatial_run(folder: Path, name: str) -> Path:
    """A run on six pictures with boxes ("detection") or masks ("segmentation"), all of the test part, which asks a
    network with random weights."""
    source = (draw_shapes if name == "detection" else draw_lesions)(folder / "pictures", 6)
    facts, line, (channels, height, width) = SPATIAL[name]
    task = make_task(name, facts)
    figures = {"low": 0.0, "high": 255.0, "mean": 0.4, "std": 0.25}
    preparation = Preparation(
        shape=Shape(height=height, width=width, channels=channels),
        **{key: (value,) * channels for key, value in figures.items()},
    )
    network = build(line, (channels, height, width), task.outputs, seed=3)
    run = folder / "run"
    Model(network.eval(), task, preparation).save(run / "model.safetensors")
    found = (path.relative_to(source) for path in source.rglob("0?.png"))
    pictures = sorted(path.as_posix() for path in found if path.parts[0] != "masks")
    tables = {"settings": asdict(settings_from({})), "run": {"source": str(source), "data": ""}}
    files.write_text(run / "settings.toml", to_toml(tables))
    listed = [(path, "", "test", "", "used", "") for path in pictures]
    files.write_csv(run / "data.csv", ("path", "label", "part", "group", "status", "reason"), listed)
    files.write_csv(run / "predictions.csv", ("path", "predicted", "error"), [(path, "", 1) for path in pictures])
    files.write_json(run / "scores.json", {"stopped": False})
    files.write_manifest(run)
    return run
