"""The server of the page: this machine only, for one person, with nothing but the standard library.

It listens on 127.0.0.1. Other programs and pages of the same machine can reach that too, so every request
must name us as its host (a page elsewhere cannot, even by DNS rebinding), must not come from another
origin, and must carry the cookie that only whoever was given the random address has.
"""

import contextlib
import secrets
import select
import socket
import socketserver
import sys
import traceback
from collections.abc import Callable
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from striate.errors import StriateError
from striate.serve.reply import Refusal, Reply, Request, json_reply

HERE = "127.0.0.1"
LARGEST_BODY = 64_000_000  # bytes
WEB = Path(__file__).parents[1] / "web"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Answer = Callable[[Request], Reply]
_LEFT = (ConnectionError, TimeoutError)  # whoever asked is gone


class Server(ThreadingHTTPServer):
    """Answers on 127.0.0.1; `url` is the address with the token, which its first visit trades for a cookie.

    answer: makes the reply of a request that was let in; called from many threads at once.
    port: 0 takes a free one.
    """

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = sys.platform != "win32"  # there it would let two programs share the port

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.answer, self.token = answer, secrets.token_urlsafe(32)
        try:
            super().__init__((HERE, port), _Handler)
        except (OSError, OverflowError) as error:
            raise StriateError(
                "the page needs a port that is free",
                received=f"{port} ({error})",
                where="--port",
                remedy="leave it out",
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (HERE, "localhost")}
        self.cookie = f"striate_{self.server_port}"  # cookies know no ports, so two pages would share one

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.server_port}/?token={self.token}"

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would ask the name service who we are
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever has left mid-answer is no error."""
        if not isinstance(sys.exception(), _LEFT):
            traceback.print_exc()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "striate", ""
    timeout = 60  # seconds without a word, then the connection ends
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        # A body nobody read would be taken for the next request, so only a read one keeps the connection.
        self._unread = self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers
        try:
            reply = self._reply()
        except Refusal as refusal:
            reply = _error(refusal.status, str(refusal))
        except StriateError as error:
            reply = _error(400, str(error))
        except _LEFT:
            raise
        except Exception:
            traceback.print_exc()
            reply = _error(500, "this failed inside striate; the terminal says more")
        self._send(reply)

    def _reply(self) -> Reply:
        try:
            place = urlsplit(self.path)
            path = tuple(unquote(part, errors="strict") for part in place.path.split("/")[1:])
            query = dict(parse_qsl(place.query, keep_blank_values=True, max_num_fields=50))
        except ValueError as error:
            raise Refusal(400, "an address is made of UTF-8 and of few parameters") from error
        self._require_ours()
        if path == ("",) and self.command == "GET" and self._is_token(query.get("token", "")):
            return Reply(b"", status=303)
        self._require_cookie()
        if self.command == "GET" and path[:1] != ("api",):
            return _file(path)
        name = unquote(self.headers.get("X-Name", ""), errors="replace")
        return self.server.answer(Request(self.command, path, query, self._body(), name, self._gone))

    def _require_ours(self) -> None:
        hosts = [host.lower() for host in self.headers.get_all("Host", [])]
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            raise Refusal(403, "only this machine's own address is answered")
        origins = self.headers.get_all("Origin", [])
        site = self.headers.get("Sec-Fetch-Site", "none")  # tells of other ports, which count as the same site
        if any(origin != f"http://{hosts[0]}" for origin in origins) or site not in ("none", "same-origin"):
            raise Refusal(403, "other pages may not ask")

    def _require_cookie(self) -> None:
        for header in self.headers.get_all("Cookie", []):
            for part in header.split(";"):
                name, _, value = part.strip().partition("=")
                if name == self.server.cookie and self._is_token(value):
                    return
        raise Refusal(403, "this page opens with the address that `striate open` printed")

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode(errors="replace"), self.server.token.encode())

    def _body(self) -> bytes:
        if self.command == "GET":
            return b""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            raise Refusal(411, "a body says how long it is")
        if int(length) > LARGEST_BODY:
            raise Refusal(413, f"too large: at most {LARGEST_BODY // 1_000_000} MB")
        body = self.rfile.read(int(length))
        self._unread = len(body) < int(length)
        return body

    def _send(self, reply: Reply) -> None:
        stream = None if isinstance(reply.body, bytes) else reply.body
        self.close_connection |= self._unread or stream is not None
        self.send_response(reply.status)
        if reply.status == 303:
            self.send_header("Location", "/")
            self.send_header(
                "Set-Cookie", f"{self.server.cookie}={self.server.token}; Path=/; HttpOnly; SameSite=Strict"
            )
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Cache-Control", "no-cache" if reply.kept else "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        if stream is None:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        for part in [reply.body] if stream is None else stream(self._gone):
            self.wfile.write(part)
        if self._unread:
            self._drain()

    def _drain(self) -> None:
        """Let a refused body run out, or closing would reset the connection before the refusal is read."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(10)  # a sender on a busy machine may pause
            left = 4 * LARGEST_BODY
            while left > 0 and (got := len(self.connection.recv(1 << 20))):  # often much less than what is asked for
                left -= got

    def _gone(self, seconds: float) -> bool:
        try:
            readable = select.select([self.connection], [], [], seconds)[0]
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:  # reset instead of closed
            return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the protocol itself refuses, in our own form."""
        self.close_connection, self._unread = True, False
        self._send(_error(code, "this is no request that striate knows"))

    def log_message(self, format: str, *args: object) -> None:
        """The terminal stays quiet."""


def _error(status: int, text: str) -> Reply:
    return json_reply({"error": text}, status)


def _file(path: tuple[str, ...]) -> Reply:
    """A file of the page by its name: only names that its folder has, so no path leads out of it."""
    name = path[0] or "index.html"
    files = {file.name: file for file in WEB.iterdir() if file.suffix in KINDS}
    if len(path) != 1 or name not in files:
        raise Refusal(404, "there is no such page")
    return Reply(files[name].read_bytes(), KINDS[files[name].suffix], kept=True)
