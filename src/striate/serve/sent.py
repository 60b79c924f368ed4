"""The files of a request: its body as it is, or the parts of a form."""

from email.message import Message
from email.parser import HeaderParser

from striate.serve.reply import Refusal, Request

FORM = "curl -F picture=@FILE sends one"
_ENDINGS = (".ts", ".arff", ".tsv", ".txt", ".csv", ".data", ".npy")  # of series and texts, read without unpacking


def files_sent(request: Request) -> list[tuple[str, bytes]]:
    """The name and the bytes of each; Refusal (400) for a form that is none."""
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
