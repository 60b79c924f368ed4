"""A small trained run, a page served from it, and a browser of a few lines that talks to it."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from striate.serve.reply import Request
from striate.serve.server import Answer, Server

CLASSES = ("across", "corner", "down")
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
