"""The server: who is let in, what no request can reach, and connections that stay sound."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from drawn_page import Visitor, served

from striate.errors import StriateError
from striate.serve import door
from striate.serve.door import HEADERS, WEB
from striate.serve.reply import Refusal, Reply, Request, json_reply
from striate.serve.server import Server


def echo(request: Request) -> Reply:
    """What was asked, as JSON; some addresses fail."""
    if request.path == ("api", "refused"):
        raise Refusal(404, "there is none")
    if request.path == ("api", "wrong"):
        raise StriateError("a number is odd", received=2, where="here")
    if request.path == ("api", "broken"):
        raise KeyError("secret/path/of/this/machine")
    if request.path == ("api", "events"):
        return Reply(lambda gone: iter([b"data: 1\n\n", b"data: 2\n\n"]), "text/event-stream")
    told = {"path": request.path, "query": request.query, "body": len(request.body), "name": request.name}
    return json_reply({"method": request.method, **told})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served(echo) as server:
        yield server


@pytest.fixture
def visitor(server: Server) -> Visitor:
    return Visitor(server)


def raw(server: Server, text: str) -> bytes:
    """What comes back for these very bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as wire:
        wire.sendall(text.encode())
        wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65536), b""))


def test_the_address_trades_its_token_for_a_cookie(server: Server) -> None:
    """The first visit is sent on to / with a cookie that scripts cannot read and other sites cannot use."""
    guest = Visitor(server, let_in=False)
    token = server.url.partition("token=")[2]
    assert len(token) >= 40
    status, headers, _ = guest.ask(f"/?token={token}")
    assert (status, headers["location"]) == (303, "/")
    cookie, *rules = headers["set-cookie"].split("; ")
    assert set(rules) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert cookie.startswith(f"striate_{server.server_port}=")
    assert guest.ask("/api/x")[0] == 403
    guest.cookie = {"Cookie": cookie}
    assert guest.ask("/api/x")[0] == 200
    status, headers, body = guest.ask("/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert body == (WEB / "index.html").read_bytes()


def test_two_servers_have_two_tokens() -> None:
    """The token is random, and only on this machine's own address does anybody listen."""
    with Server(echo) as first, Server(echo) as second:
        assert first.token != second.token
        assert first.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/x", "/?token=wrong", "/?token=", "/nothing"])
@pytest.mark.parametrize("cookie", ["", "striate=1", "{name}=", "{name}=wrong", "{name}=é", "{name}x={token}"])
def test_without_the_cookie_nothing_is_told(server: Server, path: str, cookie: str) -> None:
    """Neither files nor numbers, with no cookie or a wrong one."""
    guest = Visitor(server, let_in=False)
    given = cookie.format(name=server.cookie, token=server.token)
    assert "striate open" in guest.error(path, 403, **({"Cookie": given.encode()} if given else {}))


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:{port}", "evil.example:{port}", ""]
)
def test_another_host_is_refused(server: Server, host: str) -> None:
    """A name that was made to point here (DNS rebinding) gets nothing, cookie or not."""
    shown = host.format(port=server.server_port)
    reply = raw(server, f"GET /api/x HTTP/1.1\r\nHost: {shown}\r\nCookie: {server.cookie}={server.token}\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 403")


def test_the_host_is_named_once(server: Server) -> None:
    """Two Host headers, or none, are refused; localhost is us."""
    ours = f"Host: localhost:{server.server_port}\r\n"
    end = f"Cookie: {server.cookie}={server.token}\r\nConnection: close\r\n\r\n"
    assert raw(server, f"GET /api/x HTTP/1.1\r\n{ours}{end}").startswith(b"HTTP/1.1 200")
    assert raw(server, f"GET /api/x HTTP/1.1\r\n{ours}Host: evil.example\r\n{end}").startswith(b"HTTP/1.1 403")
    assert raw(server, f"GET /api/x HTTP/1.1\r\n{end}").startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_other_origins_are_refused(server: Server, visitor: Visitor, method: str) -> None:
    """A page of another site, of another port, or of none, may not ask; our own page may."""
    body = b"" if method == "POST" else None
    for origin in ("http://evil.example", f"https://127.0.0.1:{server.server_port}", "http://127.0.0.1:1", "null"):
        assert visitor.error("/api/x", 403, method=method, body=body, Origin=origin) == "other pages may not ask"
        visitor = Visitor(server)
    ours = f"http://127.0.0.1:{server.server_port}"
    assert visitor.json("/api/x", method=method, body=body, Origin=ours)["method"] == method
    for site, status in {"none": 200, "same-origin": 200, "same-site": 403, "cross-site": 403}.items():
        assert visitor.ask("/api/x", Sec_Fetch_Site=site)[0] == status


def test_a_link_of_another_page_opens_the_printed_address(server: Server) -> None:
    """A terminal in the browser makes one. It leads to the page in a window, and only with the token."""
    guest, address = Visitor(server, let_in=False), f"/?token={server.token}"
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    status, headers, body = guest.ask(address, **link)
    assert (status, b"enter.js" in body) == (200, True)
    assert headers["set-cookie"].endswith("HttpOnly; SameSite=Strict")
    for path, more in (
        *((address, {name: value}) for name, value in (("Sec_Fetch_Dest", "iframe"), ("Sec_Fetch_Mode", "no-cors"))),
        *((path, {}) for path in ("/", f"/?token={server.token[:-1]}", f"/app.js?token={server.token}")),
        (address, {"Host": "evil.example"}), (address, {"Origin": "http://evil.example"}),
    ):  # fmt: skip
        let_in = Visitor(server)
        status, headers, _ = let_in.ask(path, **link | more)
        assert (status, "set-cookie" in headers) == (403, False)


def test_no_answer_invites_others(visitor: Visitor) -> None:
    """Every answer, refusals too, carries the strict headers; none allows other origins."""
    for path in ("/", "/api/x", "/api/refused", "/missing"):
        _, headers, _ = visitor.ask(path)
        assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
    policy = dict(rule.split(" ", 1) for rule in HEADERS["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in str(policy)


@pytest.mark.parametrize(
    "path",
    [
        "/../serve/server.py", "/%2e%2e/serve/server.py", "/..%2fserve%2fserver.py", "/....//server.py", "/.", "/..",
        "/app.js/", "/app.js%00.html", "//etc/passwd", "/etc/passwd", "/%2fetc%2fpasswd", "/C:%5cWindows", "/.hidden",
        "/__init__.py", "/web/app.js",
    ],
)  # fmt: skip
def test_no_path_leads_out(visitor: Visitor, path: str) -> None:
    """Only the page's own files are there, by their plain names."""
    assert visitor.error(path, 404) == "there is no such page"


def test_files_have_their_kinds(visitor: Visitor) -> None:
    """Each file of the page comes as it lies there, with the type that browsers insist on."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    files = [file for file in WEB.iterdir() if file.suffix in kinds]
    assert {file.suffix for file in files} >= {".js", ".css", ".html"}
    for file in files:
        status, headers, body = visitor.ask(f"/{file.name}")
        assert (status, headers["content-type"].partition(";")[0]) == (200, kinds[file.suffix])
        assert body == file.read_bytes()


def test_addresses_are_decoded_once(visitor: Visitor) -> None:
    """Path parts and parameters reach the answer as they were meant; what is no UTF-8 is refused."""
    told = visitor.json("/api/a%2Fb/%C3%A9%2525?x=1%202&y=", X_Name="%E2%82%AC.png")
    assert told["path"] == ["api", "a/b", "é%25"]
    assert told["query"] == {"x": "1 2", "y": ""}
    assert told["name"] == "€.png"
    assert "UTF-8" in visitor.error("/api/%ff", 400)
    assert "few" in visitor.error("/api/x?" + "&".join(f"p{n}=1" for n in range(99)), 400)


def test_errors_are_one_sentence(visitor: Visitor, capfd: pytest.CaptureFixture) -> None:
    """Refusals and mistakes have their status and text; a fault of ours tells the visitor nothing of the inside."""
    assert visitor.error("/api/refused", 404) == "there is none"
    assert visitor.error("/api/wrong", 400) == "a number is odd. received: 2. where: here."
    assert "secret" not in visitor.error("/api/broken", 500)
    assert "KeyError: 'secret/path/of/this/machine'" in capfd.readouterr().err
    assert visitor.json("/api/x")["method"] == "GET"  # the same connection goes on


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "PATCH", "NONSENSE"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    """Nothing but GET and POST is known, and the refusal has our headers too."""
    status, headers, _ = Visitor(server).ask("/api/x", method=method)
    assert status == 501
    assert headers["x-frame-options"] == "DENY"


def test_a_post_has_a_known_and_bounded_length(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a length 411, above the limit 413, which the sender reads even in the middle of sending."""
    monkeypatch.setattr(door, "LARGEST_BODY", 1_000_000)
    assert Visitor(server).json("/api/x", method="POST", body=bytes(1_000_000))["body"] == 1_000_000
    assert Visitor(server).error("/api/x", 413, method="POST", body=bytes(3_000_000)) == "too large: at most 1 MB"
    start = (
        f"POST /api/x HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nCookie: {server.cookie}={server.token}\r\n"
    )
    assert raw(server, start + "\r\n").startswith(b"HTTP/1.1 411")
    assert raw(server, start + "Content-Length: -5\r\n\r\n").startswith(b"HTTP/1.1 411")
    assert raw(server, start + "Content-Length: 99999999999\r\n\r\n").startswith(b"HTTP/1.1 413")
    chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert raw(server, start + chunked).startswith(b"HTTP/1.1 411")


def test_a_body_is_never_the_next_request(server: Server) -> None:
    """What follows a refused request is not read as another one, whether sent with POST or GET."""
    host, cookie = f"Host: 127.0.0.1:{server.server_port}", f"Cookie: {server.cookie}={server.token}"
    inner = f"GET /api/smuggled HTTP/1.1\r\n{host}\r\n{cookie}\r\n\r\n"
    for method, given in (("POST", "Cookie: none=1"), ("GET", cookie)):
        start = f"{method} /api/x HTTP/1.1\r\n{host}\r\n{given}\r\n"
        reply = raw(server, f"{start}Content-Length: {len(inner)}\r\n\r\n{inner}")
        assert reply.count(b"HTTP/1.1 ") == 1
        assert b"smuggled" not in reply


def test_two_lengths_are_none(server: Server) -> None:
    """Of two that differ a server in front may go by the other one; twice the same is one (RFC 9110, 8.6)."""
    ours = f"Host: 127.0.0.1:{server.server_port}\r\nCookie: {server.cookie}={server.token}\r\n"
    inner = f"GET /api/smuggled HTTP/1.1\r\n{ours}\r\n"
    for method, first, status in (("POST", 3, b"400"), ("GET", 0, b"200"), ("POST", "0" * 20 + "3", b"400")):
        lengths = f"Content-Length: {first}\r\nContent-Length: {3 + len(inner)}\r\n"
        reply = raw(server, f"{method} /api/x HTTP/1.1\r\n{ours}{lengths}\r\nabc{inner}")
        assert reply.startswith(b"HTTP/1.1 " + status)
        assert reply.count(b"HTTP/1.1 ") == 1
    same = "Connection: close\r\n" + "Content-Length: 3\r\n" * 2
    assert b'"body": 3' in raw(server, f"POST /api/x HTTP/1.1\r\n{ours}{same}\r\nabc")


def test_a_length_of_any_digits_is_answered(server: Server, capfd: pytest.CaptureFixture) -> None:
    """Python reads no number of more than 4,300 digits; zeros in front change nothing; the terminal stays quiet."""
    start = f"POST /api/x HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nConnection: close\r\n"
    start += f"Cookie: {server.cookie}={server.token}\r\nContent-Length: "
    assert raw(server, f"{start}{'9' * 5000}\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert b'"body": 3' in raw(server, f"{start}{'0' * 5000}3\r\n\r\nabc")
    assert b'"body": 0' in raw(server, f"{start}000\r\n\r\n")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text", ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x00\x01\x02\r\n\r\n", "GET /\r\n\r\n"]
)
def test_what_is_no_request_harms_nobody(server: Server, visitor: Visitor, text: str) -> None:
    """Broken lines end their own connection; the next visitor is served."""
    assert b"Traceback" not in raw(server, text)
    assert visitor.json("/api/x")["method"] == "GET"


def test_a_connection_serves_many(server: Server, visitor: Visitor) -> None:
    """Keep-alive: a hundred requests over one connection."""
    wire = None
    for number in range(100):
        assert visitor.json(f"/api/{number}")["path"] == ["api", str(number)]
        wire = wire or visitor.wire.sock
        assert visitor.wire.sock is wire


def test_sixteen_at_once() -> None:
    """Sixteen requests are in the server together: each waits until all have come."""
    together = threading.Barrier(16, timeout=20)

    def answer(request: Request) -> Reply:
        together.wait()
        return json_reply({"path": request.path})

    with served(answer) as server:
        seen: list[str] = []
        threads = [
            threading.Thread(target=lambda n=n: seen.append(Visitor(server).json(f"/api/{n}")["path"][1]))
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seen, key=int) == [str(n) for n in range(16)]


def test_a_stream_ends_with_the_connection(visitor: Visitor) -> None:
    """A stream has no length, and closes when it is over."""
    status, headers, body = visitor.ask("/api/events")
    assert (status, headers["content-type"], headers["connection"]) == (200, "text/event-stream", "close")
    assert "content-length" not in headers
    assert body == b"data: 1\n\ndata: 2\n\n"


def test_who_has_left_is_noticed() -> None:
    """`gone` is False while the visitor waits, and True once the connection is closed."""
    seen, asked, left, told = [], threading.Event(), threading.Event(), threading.Event()

    def answer(request: Request) -> Reply:
        seen.append(request.gone(0))
        asked.set()
        left.wait(10)
        seen.append(request.gone(5))
        told.set()
        return json_reply({})

    with served(answer) as server:
        wire = socket.create_connection(("127.0.0.1", server.server_port))
        host = f"127.0.0.1:{server.server_port}"
        wire.sendall(f"GET /api/x HTTP/1.1\r\nHost: {host}\r\nCookie: {server.cookie}={server.token}\r\n\r\n".encode())
        assert asked.wait(10)
        wire.close()
        left.set()
        assert told.wait(10)
    assert seen == [False, True]


def test_a_port_that_is_taken_is_said(server: Server) -> None:
    """The message names the port and the option; impossible ports too."""
    for port in (server.server_port, 70_000):
        with pytest.raises(StriateError, match=f"received: {port}.*where: --port"):
            Server(echo, port)


def test_answers_hold_no_numbers_that_json_lacks() -> None:
    """NaN and infinities are words, so that every browser can read the answer."""
    value = json.loads(json_reply({"a": [float("nan"), float("inf"), -float("inf"), 0.1]}).body)
    assert value == {"a": ["NaN", "Infinity", "-Infinity", 0.1]}
