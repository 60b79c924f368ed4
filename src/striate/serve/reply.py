"""Requests with their files, and answers as plain values: JSON, arrays behind a JSON header, streams, and refusals with
a status."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser

import numpy as np

from striate.errors import StriateError
from striate.inside.trace import plain

JSON = "application/json; charset=utf-8"
FORM = "curl -F picture=@FILE sends one"
_ENDINGS = (".ts", ".arff", ".tsv", ".txt", ".csv", ".data", ".npy")  # of series and texts, read without unpacking
Gone = Callable[[float], bool]  # waits up to so many seconds: has whoever asked left?
Stream = Callable[[Gone], Iterator[bytes]]


class Refusal(Exception):
    """A request that gets `status` and one sentence instead of an answer; or an error that says the same.

    received, remedy: as of StriateError. headers: of the reply.
    """

    def __init__(
        self, status: int, text: str | StriateError, *, received: object = None, remedy: str = "", **headers: str
    ) -> None:
        of = text if isinstance(text, StriateError) else StriateError(text, received=received, remedy=remedy)
        self.status, self.headers = status, headers
        self.rule, self.received, self.remedy = of.rule, of.received, of.remedy
        super().__init__(str(text))


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the decoded parts of the path, the query, the body, and whether anybody still waits.

    headers: with small letters. hold: says that so many more bytes are kept in memory until the reply is sent.
    """

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    name: str = ""
    gone: Gone = lambda seconds: False
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: Callable[[int], None] = lambda size: None

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number of the query; StriateError when it is none or missing without a default."""
        text = self.query.get(name, "")
        if not text and default is not None:
            return default
        if not text.removeprefix("-").isdecimal() or len(text) > 9:
            raise StriateError(f"{name} is a whole number", received=repr(text), where="the address")
        return int(text)

    def require_waiting(self) -> None:
        """Before long work: no answer is made for someone who has left."""
        if self.gone(0):
            raise ConnectionAbortedError


def files_sent(request: Request) -> list[tuple[str, bytes]]:
    """The name and the bytes of each file of a request: its body, or the parts of a form; Refusal (400) for a form that
    is none."""
    said = Message()
    said["Content-Type"] = request.headers.get("content-type", "")
    if said.get_content_maintype() != "multipart":
        return [(request.name or "picture", request.body)]
    boundary = said.get_boundary("")
    if not boundary:
        received = said["Content-Type"]
        raise Refusal(400, "a form says what stands between its parts (boundary=)", received=received, remedy=FORM)
    _, *parts = (b"\r\n" + request.body).split(b"\r\n--" + boundary.encode(errors="replace"))
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        received = f"{max(len(parts) - 1, 0)} whole parts, and no end" if parts else "no part"
        raise Refusal(400, "a form has parts, and its boundary with -- at the end", received=received, remedy=FORM)
    return [_part(part, number) for number, part in enumerate(parts[:-1])]


def _part(part: bytes, number: int) -> tuple[str, bytes]:
    """Of a part with its headers: the name of its file, else of its field."""
    head, gap, data = part.partition(b"\r\n\r\n")
    if not gap:
        raise Refusal(
            400, "a part of a form has headers, an empty line, and a file", received="no empty line", remedy=FORM
        )
    headers = HeaderParser().parsestr(head.decode(errors="replace").lstrip())
    name = headers.get_filename() or headers.get_param("name", None, "content-disposition")
    return str(name or f"picture/{number}"), data


def plain_ending(name: str) -> str:
    """The name of a file of series or texts, as lines of text where its ending is another: nothing that a stranger
    sends is unpacked outside of a process of its own."""
    return name if name.lower().endswith(_ENDINGS) else f"{name}.txt"


@dataclass(frozen=True, slots=True)
class Reply:
    """The body (or a stream of it), its type and status, and whether it may be kept until it changes."""

    body: bytes | Stream
    kind: str = JSON
    status: int = 200
    kept: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    return Reply(text.encode(errors="replace"), status=status, headers=headers or {})


def array_reply(values: np.ndarray, **header: object) -> Reply:
    """The values in C order behind their header, which begins with its length (4 bytes, little-endian).

    Data starts at a multiple of 8 bytes; dtype is float32, float16 or uint8, and bytes are little-endian.
    """
    facts = {"shape": values.shape, "dtype": values.dtype.name, **header}
    text = json.dumps(plain(facts), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    data = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    return Reply(len(text).to_bytes(4, "little") + text + data, "application/octet-stream")


def figures(values: np.ndarray) -> dict:
    """Of the finite values minimum, maximum and mean (0 where there is none) and whether any is negative; and how
    many others there are."""
    known = values[np.isfinite(values)]
    low, high, mean = (known.min(), known.max(), known.mean(dtype=np.float64)) if known.size else (0.0, 0.0, 0.0)
    return {"minimum": low, "maximum": high, "mean": mean, "signed": low < 0, "nonfinite": values.size - known.size}
