"""Predictions over HTTP: the numbers of `Model.predict` for every task, and visitors who send what they should not."""

import base64
import http.client
import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile
from drawn import TINY, draw_folder, picture, white_charts
from drawn_files import png
from drawn_numbers import label_table, number_table
from drawn_page import spatial_run
from drawn_scenes import draw_texts
from drawn_series import write_ucr
from PIL import Image

import striate
from striate import cli
from striate.data import guard
from striate.data.sample import Boxes
from striate.errors import StriateError
from striate.export.page import introduced
from striate.inside.trace import plain
from striate.serve import door, predictor, start
from striate.serve.predictor import Line, PredictionServer, Predictor
from striate.serve.reply import Refusal
from striate.serve.start import curl_line

FORM = "multipart/form-data; boundary=fence"
FAST = {"epochs": 2, "quiet": True, "workers": 0, "precision": "fp32"}
EVIL = """
import ctypes
from striate.data import load, worker
honest = load.read
def read(data, *more):
    if bytes(data[:5]) == b"CRASH":
        ctypes.string_at(0)
    return honest(data, *more)
load.read = read
worker.main()
"""


class Client:
    """Asks a server over one connection at a time."""

    def __init__(self, server: PredictionServer) -> None:
        self.port = server.server_port

    def ask(self, path: str, body: bytes | None = None, method: str = "", **headers: str) -> tuple[int, dict, bytes]:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wire.request(method or ("GET" if body is None else "POST"), path, body, named)
        reply = wire.getresponse()
        answer = reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
        wire.close()
        return answer

    def predict(self, body: bytes, query: str = "", **headers: str) -> list[dict]:
        status, _, said = self.ask(f"/predict{query}", body, **headers)
        assert status == 200, said
        return json.loads(said)["predictions"]

    def refused(self, status: int, path: str, body: bytes | None = None, method: str = "", **headers: str) -> dict:
        """A refusal, which always has its rule, what was received, and a remedy."""
        got, _, said = self.ask(path, body, method, **headers)
        assert got == status, said
        told = json.loads(said)
        assert told["rule"]
        assert {"rule", "received", "remedy"} <= told.keys()
        return told


def form(*files: tuple[str, bytes]) -> bytes:
    """A body of multipart/form-data."""
    head = '--fence\r\nContent-Disposition: form-data; name="picture"; filename="{}"\r\nContent-Type: image/png\r\n\r\n'
    return b"".join(head.format(name).encode() + data + b"\r\n" for name, data in files) + b"--fence--\r\n"


def png_of(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@contextmanager
def serving(place: Path) -> Iterator[tuple[Client, striate.Model, PredictionServer]]:
    made = Predictor(striate.load(place), place)
    with PredictionServer(made) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield Client(server), made.model, server
        finally:
            server.shutdown()
            thread.join()
            made.line.close()
    assert let_go(server)


def let_go(server: PredictionServer) -> bool:
    """Whether nothing is held any more, as soon as every thread has noticed that its visitor is gone."""
    deadline = time.monotonic() + 5
    while server.held and time.monotonic() < deadline:
        time.sleep(0.01)
    return server.held == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training on two classes of drawn pictures."""
    place = tmp_path_factory.mktemp("serve")
    with pytest.MonkeyPatch.context() as patch:
        white_charts(patch)
        source = draw_folder(place / "pictures", {"across": 12, "down, too": 12})
        return striate.train(source, out=str(place), network=TINY, **FAST).folder


@pytest.fixture(scope="module")
def served(run: Path) -> Iterator[tuple[Client, striate.Model, PredictionServer]]:
    with serving(run) as everything:
        yield everything


@pytest.fixture
def client(served: tuple) -> Client:
    return served[0]


@pytest.fixture
def model(served: tuple) -> striate.Model:
    return served[1]


def test_a_picture_has_the_numbers_of_predict(client: Client, model: striate.Model, tmp_path: Path) -> None:
    """Every digit, for a file sent as it is, in a form, with other endings and depths, and for several at once."""
    for number, data in enumerate((png_of(picture(0, 50)), png_of(picture(1, 51, side=31, channels=3)))):
        (tmp_path / f"é {number}.png").write_bytes(data)
    deep = tmp_path / "deep.tif"
    tifffile.imwrite(deep, picture(0, 52).astype(np.uint16) * 257)
    files = sorted(tmp_path.iterdir())
    expected = model.predict(files)
    wanted = [
        {
            "path": one.path.rpartition("/")[2], "predicted": one.predicted, "confidence": one.confidence,
            "probabilities": one.probabilities, "said": one.predicted, **({"note": one.note} if one.note else {}),
        }
        for one in expected
    ]  # fmt: skip
    assert ["note" in one for one in wanted] == [True, False, False]  # 16 bits for a model of 8, as in `predict`
    assert client.predict(form(*((file.name, file.read_bytes()) for file in files)), Content_Type=FORM) == wanted
    for file, one in zip(files, wanted, strict=True):
        assert client.predict(file.read_bytes()) == [one | {"path": "picture"}]


def test_numbers_have_their_intervals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is predicted, and the ends that `striate predict` writes into its table."""
    white_charts(monkeypatch)
    trained = striate.train(
        number_table(tmp_path), label_column="place,light", out=str(tmp_path), network=TINY, val=0.4, **FAST
    )
    with serving(trained.folder) as (client, model, _):
        file = tmp_path / "001.png"
        (one,), (expected,) = client.predict(file.read_bytes()), model.predict(file)
        assert tuple(one["predicted"]) == expected.predicted
        assert one["probabilities"] == dict(zip(("place", "light"), expected.predicted, strict=True))
        assert model.task.reach
        for name, (value, reach) in zip(model.classes, expected.answer, strict=True):
            assert one["intervals"][name] == [value - reach, value + reach]


def test_several_labels_are_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All labels that are told, with the probability of each."""
    white_charts(monkeypatch)
    trained = striate.train(label_table(tmp_path), out=str(tmp_path), network=TINY, **FAST)
    with serving(trained.folder) as (client, model, _):
        files = sorted(tmp_path.glob("00?.png"))
        told = client.predict(form(*((file.name, file.read_bytes()) for file in files)), Content_Type=FORM)
        for one, expected in zip(told, model.predict(files), strict=True):
            assert (tuple(one["predicted"]), one["probabilities"]) == (expected.predicted, expected.probabilities)
            assert one["confidence"] is None


def test_boxes_and_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes with their corners; a mask as PNG in the JSON and alone, up to a size; both drawn if asked."""
    for name in ("detection", "segmentation"):
        place = spatial_run(tmp_path / name, name)
        file = next(path for path in (tmp_path / name / "pictures").rglob("00.png") if path.parent.name != "masks")
        with serving(place) as (client, model, _):
            (one,), (expected,) = client.predict(file.read_bytes(), "?drawn=1"), model.predict(file)
            assert one["size"] == list(expected.size)
            assert one["probabilities"] == expected.probabilities
            assert Image.open(io.BytesIO(base64.b64decode(one["drawn"]))).format == "PNG"
            if isinstance(expected.predicted, Boxes):
                assert one["predicted"]
                assert [box["name"] for box in one["predicted"]] == list(expected.predicted.names)
                np.testing.assert_array_equal([box["box"] for box in one["predicted"]], expected.predicted.corners)
                sure = [box["confidence"] for box in one["predicted"]]
                np.testing.assert_array_equal(sure, expected.predicted.confidence)
                assert "mask" in client.refused(406, "/predict", file.read_bytes(), Accept="image/png")["rule"]
                continue
            mask = base64.b64decode(one["predicted"]["png"])
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(mask))), expected.answer.labels)
            assert one["predicted"]["classes"] == ["background", "foreground"]
            status, headers, alone = client.ask("/predict", file.read_bytes(), Accept="image/png, */*")
            assert (status, headers["content-type"], alone) == (200, "image/png", mask)
            with monkeypatch.context() as patch:
                patch.setattr(predictor, "MAX_PIXELS", 2000)
                pair = form(*[("a.png", file.read_bytes())] * 2)
                assert "2,000 pixels" in client.refused(413, "/predict", pair, Content_Type=FORM)["rule"]
            assert client.refused(422, "/predict", b"nothing", Accept="image/png")["received"] == "text, not a picture"


def test_series_and_texts_are_sent_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of series gives a prediction for each row, a file of texts for each line; with the names of `predict`."""
    white_charts(monkeypatch)
    source = write_ucr(tmp_path / "Waves")
    trained = striate.train(source, out=str(tmp_path), network="auto", **FAST)
    rows = source / "Waves_TEST.tsv"
    with serving(trained.folder) as (client, model, _):
        told = client.predict(form((rows.name, rows.read_bytes())), "?drawn=1", Content_Type=FORM)
        expected = model.predict(rows)
        assert [one["path"] for one in told] == [one.path for one in expected]
        assert [one["probabilities"] for one in told] == [one.probabilities for one in expected]
        monkeypatch.chdir(tmp_path)
        line = curl_line(trained.folder, model, "http://x")
        assert line == "curl -F file=@Waves/Waves_TEST.tsv http://x/predict"  # which was sent above
        monkeypatch.setattr(start, "LARGEST_TEXT", 100)  # it would be refused
        assert curl_line(trained.folder, model, "http://x") == "curl -F file=@YOUR_FILE http://x/predict"
        monkeypatch.setattr(predictor, "LARGEST_TEXT", 1000)
        told = client.refused(413, "/predict", form((rows.name, rows.read_bytes())), Content_Type=FORM)
        assert told["rule"] == "series and texts have at most 1,000 bytes"
        assert json.loads(client.ask("/model")[2])["largest_body"] == 1000
        monkeypatch.undo()
        white_charts(monkeypatch)
        archive = io.BytesIO()
        np.savez_compressed(archive, np.zeros((4, 40)))
        assert client.refused(422, "/predict", form(("a.npz", archive.getvalue())), Content_Type=FORM)
    texts = draw_texts(tmp_path / "texts.csv", 40)
    trained = striate.train(texts, text="text", out=str(tmp_path), name="texts", network="auto", **FAST)
    with serving(trained.folder) as (client, model, _):
        told = client.predict(b"a good day\nthe film was bad\n")
        expected = model.predict(["a good day", "the film was bad"])
        assert [one["probabilities"] for one in told] == [one.probabilities for one in expected]
        _, words, *rest = shlex.split(curl_line(trained.folder, model, "http://x"))
        assert rest == ["|", "curl", "-F", "file=@-;filename=text.txt", "http://x/predict"]
        assert words in texts.read_text().lower()
        assert len(client.predict(form(("text.txt", words.encode())), Content_Type=FORM)) == 1
        assert "'your own words'" in curl_line(trained.folder / "model.safetensors", model, "http://x")


def test_what_cannot_be_read_spoils_nothing(client: Client, model: striate.Model, tmp_path: Path) -> None:
    """Its entry has the reason of `striate predict`; where nothing can be read, 422 and the same reasons."""
    good, cut = png_of(picture(0, 60)), png_of(picture(0, 61))[:60]
    named = {"good.png": good, "empty.png": b"", "cut.png": cut, "words.png": b"hello", "zip.png": b"PK\x03\x04" * 9}
    for name, data in named.items():
        (tmp_path / name).write_bytes(data)
    told = client.predict(form(*named.items()), Content_Type=FORM)
    expected = model.predict([tmp_path / name for name in named])
    assert [one.get("reason", "") for one in told] == [one.reason for one in expected]
    assert told[0]["probabilities"] == expected[0].probabilities
    assert all(one.keys() == {"path", "reason"} for one in told[1:])
    for name in ("empty.png", "cut.png", "words.png"):
        refused = client.refused(422, "/predict", named[name])
        assert [one["reason"] for one in refused["predictions"]] == [
            one.reason for one in expected if one.path.endswith(name)
        ]


def test_a_bomb_and_a_crash_cost_only_themselves(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file of a huge picture, and one that ends its decoder, between others."""
    guard.rest()
    monkeypatch.setattr(guard, "PROGRAM", EVIL)
    bomb, good = png(60_000, 60_000, 8, 0, b""), png_of(picture(1, 70))
    with serving(run) as (client, model, _):
        told = client.predict(form(("bomb", bomb), ("crash", b"CRASH"), ("good", good)), Content_Type=FORM)
        assert "too large" in told[0]["reason"]
        assert told[1]["reason"] == f"the decoder crashed (signal {signal.SIGSEGV.value})"
        assert told[2]["probabilities"] == model.predict(picture(1, 70))[0].probabilities
        assert client.predict(good)[0]["predicted"] == told[2]["predicted"]
    guard.rest()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", form(("a", b"a"))),
        (FORM, b""),
        (FORM, b"garbage"),
        (FORM, b"--fence--\r\n"),
        (FORM, b"--fence\r\n\r\nno end"),
        (FORM, b"--fence\r\nno empty line\r\n--fence--"),
        ("multipart/form-data; boundary=", b"--\r\n\r\na\r\n----"),
    ],
)
def test_a_form_that_is_none(client: Client, kind: str, body: bytes) -> None:
    """400, with the command that sends one."""
    assert "curl -F" in client.refused(400, "/predict", body, Content_Type=kind)["remedy"]


def test_parts_keep_their_bytes(client: Client, model: striate.Model) -> None:
    """Line breaks and near-boundaries within a file stay in it; a field without a file name has the field's."""
    data = png_of(picture(1, 80)) + b"\r\n--fenc\r\n\r\n--"
    body = b'--fence\r\nContent-Disposition: form-data; name="mine"\r\n\r\n' + data + b"\r\n--fence--"
    (one,) = client.predict(body, Content_Type=FORM)
    assert one["path"] == "mine"
    assert one["probabilities"] == model.predict(picture(1, 80))[0].probabilities


def test_addresses_methods_and_sizes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """404, 405 with the method that is right, 411, 413 with the limit, in bytes and in pictures."""
    assert "POST /predict" in client.refused(404, "/predictions")["remedy"]
    for method, path, right in (("GET", "/predict", "POST"), ("PUT", "/predict", "POST"), ("POST", "/model", "GET")):
        assert client.refused(405, path, b"" if method != "GET" else None, method)["remedy"] == f"use {right}"
        assert client.ask(path, None, method)[1]["allow"] == right
    assert client.ask("/predict", None, "HEAD")[0::2] == (405, b"")
    for path in ("/health", "/", "/model"):  # uptime checks ask so (RFC 9110, 9.3.2: as GET, without the body)
        status, headers, body = client.ask(path, None, "HEAD")
        assert (status, body, headers["content-length"]) == (200, b"", client.ask(path)[1]["content-length"])
    monkeypatch.setattr(door, "LARGEST_BODY", 1_000_000)
    assert client.refused(413, "/predict", bytes(3_000_000))["rule"] == "too large: at most 1 MB"
    monkeypatch.setattr(predictor, "MOST_PICTURES", 2)
    told = client.refused(413, "/predict", form(*[("a", b"a")] * 3), Content_Type=FORM)
    assert told["rule"] == "one request is about at most 2 pictures"
    wire = socket.create_connection(("127.0.0.1", client.port))
    head = f"POST /predict HTTP/1.1\r\nHost: localhost:{client.port}\r\n"
    wire.sendall(f"{head}Content-Length: 99999999999999\r\n\r\n".encode())
    assert wire.recv(100).startswith(b"HTTP/1.1 413")
    wire.close()


def test_memory_of_requests_is_bounded(client: Client, served: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes beyond the limit gets 503, and what was held is let go."""
    monkeypatch.setattr(door, "MOST_HELD", 100_000)
    assert "limit of memory" in client.refused(503, "/predict", bytes(200_000))["rule"]
    assert client.predict(png_of(picture(0, 1)))
    assert let_go(served[2])


def test_what_the_model_is(client: Client, run: Path) -> None:
    """Task, classes, what it sees, its test score as the run wrote it down, versions and limits; and a sign of life."""
    told = json.loads(client.ask("/model")[2])
    scores = json.loads((run / "scores.json").read_text())["test"]
    said = told["test"].pop("said")
    assert told["test"] == {"score": "accuracy", **scores["accuracy"], "n": scores["n"]}
    assert said.startswith(f"Accuracy {100 * scores['accuracy']['value']:.1f} % [")
    assert said.endswith(f" on {scores['n']} pictures")
    assert {name: told[name] for name in ("task", "classes", "channels", "height", "width", "striate")} == {
        "task": "classification", "classes": ["across", "down, too"], "channels": 1, "height": 8, "width": 8,
        "striate": striate.__version__,
    }  # fmt: skip
    assert json.loads(client.ask("/health")[2]) == {"status": "ok"}


def test_a_run_without_test_pictures_tells_no_score(model: striate.Model, tmp_path: Path) -> None:
    """Its record of no pictures is no result."""
    (tmp_path / "scores.json").write_text(json.dumps({"test": plain(model.task.scores([], [], model.about))}))
    assert introduced(model.task, model.preparation, "a", tmp_path)["test"] is None


def test_others_may_not_ask(client: Client) -> None:
    """On this machine's own address another host's name (DNS rebinding) and other pages are refused."""
    good = png_of(picture(0, 1))
    assert client.refused(403, "/predict", good, Host="evil.example")
    assert client.refused(403, "/predict", good, Origin="http://evil.example")
    assert client.refused(403, "/predict", good, Sec_Fetch_Site="cross-site")
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert client.ask("/", **link)[0] == 200  # of a terminal in the browser; nothing else than the page itself
    for path, more in (("/", {"Sec_Fetch_Dest": "iframe"}), ("/", {"Host": "evil.example"}), ("/model", {})):
        assert client.refused(403, path, **link | more)
    assert client.refused(403, "/", b"", **link)
    assert client.predict(good, Origin=f"http://127.0.0.1:{client.port}")
    assert client.predict(good, Origin="https://lab.example", Sec_Fetch_Site="same-origin")  # a web server in front
    assert client.refused(403, "/predict", good, Origin="https://lab.example", Sec_Fetch_Site="same-site")
    assert client.ask("/../serve/door.py")[0] == client.ask("/index.html")[0] == client.ask("/app.js")[0] == 404


def test_every_address_of_the_machine(run: Path) -> None:
    """With 0.0.0.0 any host's name is right, and other pages are still refused."""
    made = Predictor(striate.load(run), run)
    with PredictionServer(made, "0.0.0.0") as server:
        assert not server.is_private
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        client = Client(server)
        assert client.ask("/health", Host="lab.example:8000")[0] == 200
        assert client.ask("/health", Host="lab.example:8000", Origin="http://lab.example:8000")[0] == 200
        assert client.refused(403, "/health", Host="lab.example:8000", Origin="http://evil.example")
        server.shutdown()
    made.line.close()


def test_many_at_once_beside_slow_ones(client: Client, model: striate.Model) -> None:
    """Twenty visitors get their own numbers while others send slowly, send half, or leave."""
    host, wires = f"Host: 127.0.0.1:{client.port}\r\n", []
    for _ in range(8):
        wires.append(socket.create_connection(("127.0.0.1", client.port)))
        wires[-1].sendall(f"POST /predict HTTP/1.1\r\n{host}Content-Length: 60000000\r\n\r\nhalf".encode())
    for wire in wires[:4]:
        wire.close()
    expected = {number: model.predict(picture(number % 2, number))[0].probabilities for number in range(20)}
    told: dict[int, dict] = {}

    def visit(number: int) -> None:
        told[number] = client.predict(png_of(picture(number % 2, number)))[0]["probabilities"]

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for wire in wires:
        wire.close()
    assert told == expected


def test_requests_that_wait_share_a_batch(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits while the model is busy is answered together, each with its own; a failure is everybody's own."""
    model, asked, busy = striate.load(run), [], threading.Event()
    line = Line(model)

    def predict_loaded(self: striate.Model, loaded: list) -> list:
        asked.append(len(loaded))
        if len(asked) == 1:
            assert busy.wait(20)
        if any(one == "bad" for one in loaded):
            raise KeyError("bad")
        return [2 * one for one in loaded]

    monkeypatch.setattr(striate.Model, "predict_loaded", predict_loaded)
    told: dict[int, object] = {}
    groups = [[1], [2, 3], [4], list(range(model.passes.batch)), [5]]
    threads = [threading.Thread(target=lambda n=n: told.update({n: line.ask(groups[n])})) for n in range(len(groups))]
    for number, thread in enumerate(threads):
        thread.start()
        while len(line._waiting) < number or not asked:
            time.sleep(0.01)
    busy.set()
    for thread in threads:
        thread.join(20)
    assert told == {number: [2 * one for one in group] for number, group in enumerate(groups)}
    assert asked == [1, 4 - 1, model.passes.batch, 1]
    with pytest.raises(KeyError):
        line.ask(["bad"])
    assert line.ask([6]) == [12]
    line.close()


def test_what_waits_when_the_line_closes_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being answered is; who waits behind it, and who comes later, gets 503 and no traceback."""
    line, begun, busy = Line(striate.load(run)), threading.Event(), threading.Event()
    monkeypatch.setattr(
        striate.Model, "predict_loaded", lambda self, loaded: begun.set() or (busy.wait(20) and [f"{loaded[0]} told"])
    )
    told: dict[str, object] = {}

    def ask(name: str) -> None:
        try:
            told[name] = line.ask([name] * line._model.passes.batch)
        except Refusal as refusal:
            told[name] = refusal.status

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("first", "second")]
    threads[0].start()
    assert begun.wait(20)
    threads[1].start()
    while not line._waiting:
        time.sleep(0.01)
    threads.append(threading.Thread(target=line.close))
    threads[2].start()
    while not line._thread._shutdown:
        time.sleep(0.01)
    ask("third")
    busy.set()
    for thread in threads:
        thread.join(20)
    assert told == {"first": ["first told"], "second": 503, "third": 503}


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_who_says_it_twice_waits_for_nobody(
    run: Path, times: int, sign: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Told to end by Ctrl-C or SIGTERM, the command waits for whoever is being answered and ends with 0; told twice, it
    waits for nobody who sends slowly."""
    monkeypatch.setattr(start, "FAREWELL", 60)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    served, body, answers, visitors = PredictionServer.serve_forever, png_of(picture(0, 1)), [], []

    def serve_forever(self: PredictionServer) -> None:
        visitors.append(threading.Thread(target=visit, args=(self,)))
        visitors[0].start()
        served(self, 0.02)

    def visit(server: PredictionServer) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
            head = f"POST /predict HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: {len(body)}"
            wire.sendall(f"{head}\r\n\r\n".encode() + body[:20])
            while not server.held:
                time.sleep(0.01)
            for _ in range(times):
                os.kill(os.getpid(), sign)
                time.sleep(0.2)
            if times == 1:
                wire.sendall(body[20:])
                answers.append(wire.recv(100)[:12])

    monkeypatch.setattr(PredictionServer, "serve_forever", serve_forever)
    before, begun = signal.signal(sign, signal.default_int_handler), time.monotonic()
    try:
        assert cli.main(["serve", str(run), "--port", str(port)]) == 0
    except KeyboardInterrupt:
        pytest.fail("the second one was not expected")
    finally:
        signal.signal(sign, before)
    assert time.monotonic() - begun < 20
    visitors[0].join(20)
    assert answers == ([b"HTTP/1.1 200"] if times == 1 else [])
    assert capsys.readouterr().err == ""


def test_the_command_until_it_is_told_to_stop(run: Path, tmp_path: Path) -> None:
    """In a process of its own it prints an address and a curl line that work, and ends with 0 on SIGTERM, once whoever
    was being answered has the answer."""
    words = [sys.executable, "-m", "striate", "serve", str(run), "--port", "0"]
    process = subprocess.Popen(
        words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0].startswith(f"Serving   {run} at http://127.0.0.1:")
    assert lines[2] == "Ctrl-C stops it\n"
    line = lines[1].removeprefix("Try       ").strip()
    asked = subprocess.run(["bash", "-c", f"{line} -s"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(asked.stdout)["predictions"][0]["predicted"] in ("across", "down, too")
    body = png_of(picture(0, 1))
    with socket.create_connection(("127.0.0.1", int(lines[0].split(":")[2].split("/")[0])), timeout=20) as wire:
        wire.sendall(f"POST /predict HTTP/1.1\r\nHost: localhost:{wire.getpeername()[1]}\r\n".encode())
        wire.sendall(f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:20])
        time.sleep(0.5)  # until it is read
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        wire.sendall(body[20:])
        assert wire.recv(100).startswith(b"HTTP/1.1 200")
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_run_on_arrays_has_a_line_for_ones_own_picture(run: Path) -> None:
    """Without a file of the run, the curl line says where one's own goes; a series goes in a form."""
    model = striate.load(run)
    assert curl_line(run / "model.safetensors", model, "http://x") == ("curl --data-binary @YOUR_FILE http://x/predict")


def test_mistakes_are_said(run: Path, served: tuple, capsys: pytest.CaptureFixture) -> None:
    """A port that is taken, an address of another machine, and what is no model: one message and exit code 2."""
    for words, part in (
        ((str(run), "--port", str(served[2].server_port)), "--port 0 takes a free one"),
        ((str(run), "--host", "192.0.2.1"), "--host"),
        ((str(run), "--port", "70000"), "a server needs a port that is free"),
        ((str(run / "nothing"),), "a model is a run folder or a model file"),
    ):
        assert cli.main(["serve", *words]) == 2
        assert part in capsys.readouterr().err
    with pytest.raises(StriateError, match="a server needs a port that is free"):
        striate.serve(run, port=served[2].server_port)
