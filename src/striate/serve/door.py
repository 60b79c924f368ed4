"""The door of both servers: HTTP with nothing but the standard library, and who is let in.

Other programs and pages of the same machine can reach 127.0.0.1 too, so there every request must name us as its host
(a page elsewhere cannot, even by DNS rebinding), and nowhere may it come from another origin.
"""

import contextlib
import ipaddress
import select
import socket
import socketserver
import sys
import threading
import traceback
from abc import abstractmethod
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from striate.errors import StriateError
from striate.serve.reply import Refusal, Reply, Request

HERE = "127.0.0.1"
LARGEST_BODY = 64_000_000  # bytes
MOST_HELD = 1_000_000_000  # bytes that all requests in progress keep
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


class Door(ThreadingHTTPServer):
    """Answers on one address of this machine.

    answer: makes the reply of a request that was let in; called from many threads at once. caller: talks to one
    visitor. port: 0 takes a free one. is_private: whether this machine alone can reach it. hosts: what a request may
    name as its host, None for anything. held: bytes that requests in progress keep in memory.
    """

    daemon_threads = True
    request_queue_size = 64
    allow_reuse_address = sys.platform != "win32"  # there it would let two programs share the port

    def __init__(self, answer: Answer, caller: type["Caller"], host: str = HERE, port: int = 0) -> None:
        self.answer, self.held, self._counting = answer, 0, threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), caller)
        except (OSError, OverflowError, UnicodeError) as error:
            raise StriateError(
                "a server needs a port that is free",
                received=f"{port} ({error})" if host == HERE else f"{port} of {host} ({error})",
                where="--port" if host == HERE else "--port, --host",
                remedy="--port 0 takes a free one",
            ) from error
        self.is_private = ipaddress.ip_address(self.server_address[0].partition("%")[0]).is_loopback
        shown = f"[{host}]" if ":" in host else host
        names = {HERE, "localhost", shown.lower()} if self.is_private else set()
        hosts = {f"{name}:{self.server_port}" for name in names} | (names if self.server_port == 80 else set())
        self.hosts = hosts if self.is_private else None
        self.origin = f"http://{HERE if host in ('', '0.0.0.0') else shown}:{self.server_port}"

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer's own would ask the name service who we are
        self.server_name, self.server_port = self.server_address[:2]

    def hold(self, size: int) -> None:
        """Count bytes that a request keeps from now on (negative: no longer)."""
        with self._counting:
            self.held += size

    def handle_error(self, request: object, client_address: object) -> None:
        """Print what went wrong, unless the visitor has just left in the middle of an answer."""
        if not isinstance(sys.exception(), _LEFT):
            traceback.print_exc()


class Caller(BaseHTTPRequestHandler):
    """One visitor: what was asked, who may ask, and the reply."""

    server: Door
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "striate", ""
    timeout = 60  # seconds without a word, then the connection ends
    disable_nagle_algorithm = True

    @abstractmethod
    def ask(self, path: tuple[str, ...], query: dict[str, str]) -> Reply:
        """The reply to a visitor who may ask, or a Refusal."""

    @abstractmethod
    def refused(self, refusal: Refusal) -> Reply:
        """A refusal in the server's own form."""

    def do_GET(self) -> None:
        # A body nobody read would be taken for the next request, so only a read one keeps the connection.
        self._unread = self._length() != "0" or "Transfer-Encoding" in self.headers
        self._held = 0
        try:
            self._send(self._reply())
        finally:
            self.server.hold(-self._held)

    do_POST = do_GET

    def _reply(self) -> Reply:
        try:
            place = urlsplit(self.path)
            path = tuple(unquote(part, errors="strict") for part in place.path.split("/")[1:])
            query = dict(parse_qsl(place.query, keep_blank_values=True, max_num_fields=50))
        except ValueError:
            return self.refused(Refusal(400, "an address is made of UTF-8 and of few parameters"))
        try:
            self._require_ours(path, query)
            return self.ask(path, query)
        except Refusal as refusal:
            return self.refused(refusal)
        except StriateError as error:
            return self.refused(Refusal(400, error))
        except _LEFT:
            raise
        except Exception:
            traceback.print_exc()
            return self.refused(Refusal(500, "this failed inside striate; the terminal says more"))

    def welcomes(self, path: tuple[str, ...], query: dict[str, str]) -> bool:
        """Whether a link of another page may lead here: a terminal that is a web page makes one of the address."""
        return path == ("",)

    def _require_ours(self, path: tuple[str, ...], query: dict[str, str]) -> None:
        hosts, known = [host.lower() for host in self.headers.get_all("Host", [])], self.server.hosts
        if known is not None and (len(hosts) != 1 or hosts[0] not in known):
            received, remedy = ", ".join(hosts) or "no host", f"ask {self.server.origin}"
            raise Refusal(403, "only this machine's own address is answered", received=received, remedy=remedy)
        origins = self.headers.get_all("Origin", [])
        # What no page can set. It tells of other ports, and also of our own page behind a web server with encryption,
        # whose Origin is not the name that this server is asked by.
        site = self.headers.get("Sec-Fetch-Site", "none")
        is_ours = all([f"http://{host}" for host in hosts] == [origin] for origin in origins)
        how = self.command, self.headers.get("Sec-Fetch-Mode"), self.headers.get("Sec-Fetch-Dest")
        is_link = how == ("GET", "navigate", "document") and self.welcomes(path, query)  # in a window, not in a frame
        if site != "same-origin" and not (is_ours and (site == "none" or is_link)):
            remedy = "programs send no Origin, and our own page its own"
            raise Refusal(403, "other pages may not ask", received=", ".join(origins) or site, remedy=remedy)

    def asked(self, path: tuple[str, ...], query: dict[str, str]) -> Request:
        """What is asked, with its body; Refusal (411, 413) where that has no length or is too long."""
        name = unquote(self.headers.get("X-Name", ""), errors="replace")
        headers = {key.lower(): value for key, value in self.headers.items()}
        return Request(self.command, path, query, self._body(), name, self._gone, headers, self._hold)

    def _body(self) -> bytes:
        if self.command in ("GET", "HEAD"):
            return b""
        length = self._length("")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            received, remedy = length or "no Content-Length", "send Content-Length, as curl --data-binary does"
            raise Refusal(400 if "," in length else 411, "a body says how long it is", received=received, remedy=remedy)
        size = left = int(length.lstrip("0")[:18] or 0)  # more digits are too many anyway, and int() has a limit
        if size > LARGEST_BODY:
            received, remedy = f"{size:,} bytes", "send it in several requests"
            raise Refusal(413, f"too large: at most {LARGEST_BODY // 1_000_000} MB", received=received, remedy=remedy)
        parts = []
        while left and (part := self.rfile.read1(min(left, 1 << 20))):
            self._hold(len(part))  # as it comes, so that who announces much and sends nothing takes nobody's place
            parts.append(part)
            left -= len(part)
        self._unread = left > 0
        if left:
            raise Refusal(400, "a body is as long as it says", received=f"{size - left:,} of {size:,} bytes")
        return b"".join(parts)

    def _length(self, default: str = "0") -> str:
        """What Content-Length says: all that it says, since of two a server in front may go by the other one."""
        return ", ".join(sorted(set(self.headers.get_all("Content-Length", [default]))))

    def _hold(self, size: int) -> None:
        if self.server.held + size > MOST_HELD:
            remedy = "ask again in a moment, or for fewer at a time"
            raise Refusal(503, "requests in progress have a limit of memory", received="more of them", remedy=remedy)
        self.server.hold(size)
        self._held += size

    def _send(self, reply: Reply) -> None:
        stream = None if isinstance(reply.body, bytes) else reply.body
        self.close_connection |= self._unread or stream is not None
        self.send_response(reply.status)
        for name, value in (HEADERS | dict(reply.headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Cache-Control", "no-cache" if reply.kept else "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        if stream is None:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        for part in [reply.body] if stream is None else stream(self._gone):
            if self.command != "HEAD":
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
        self._send(self.refused(Refusal(code, "this is no request that striate knows", received=message)))

    def log_message(self, format: str, *args: object) -> None:
        """The terminal stays quiet."""


def file_reply(path: tuple[str, ...], names: Collection[str] = (), first: str = "index.html") -> Reply:
    """A file of the page by its name: only names that its folder has (and are among `names`, where some are given), so
    no path leads out of it."""
    name = path[0] or first
    files = {file.name: file for file in WEB.iterdir() if file.suffix in KINDS and (not names or file.name in names)}
    if len(path) != 1 or name not in files:
        raise Refusal(404, "there is no such page")
    return Reply(files[name].read_bytes(), KINDS[files[name].suffix], kept=True)
