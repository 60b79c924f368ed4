"""The server of the page: this machine only, for one person.

Beside the rules of the door, every request must carry the cookie that only whoever was given the random address has.
"""

import secrets
from hmac import compare_digest

from striate.serve.door import HERE, KINDS, Answer, Caller, Door, file_reply
from striate.serve.reply import Refusal, Reply, json_reply

# Goes on to the page by itself: a redirection of what began on another page would come without the cookie.
ENTER = b'<!doctype html><title>Striate</title><script src="enter.js"></script>'


class Server(Door):
    """Answers on 127.0.0.1; `url` is the address with the token, which its first visit trades for a cookie."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(32)
        super().__init__(answer, _Visitor, HERE, port)
        self.cookie = f"striate_{self.server_port}"  # cookies know no ports, so two pages would share one

    @property
    def url(self) -> str:
        return f"{self.origin}/?token={self.token}"

    def close(self) -> None:
        """End what goes on in a thread of its own."""
        self.shutdown()
        self.server_close()


class _Visitor(Caller):
    server: Server

    def ask(self, path: tuple[str, ...], query: dict[str, str]) -> Reply:
        if self.command == "GET" and self.welcomes(path, query):
            cookie = {"Set-Cookie": f"{self.server.cookie}={self.server.token}; Path=/; HttpOnly; SameSite=Strict"}
            if self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
                return Reply(b"", status=303, headers={"Location": "/", **cookie})
            return Reply(ENTER, KINDS[".html"], headers=cookie)
        self._require_cookie()
        if self.command == "GET" and path[:1] != ("api",):
            return file_reply(path)
        return self.server.answer(self.asked(path, query))

    def welcomes(self, path: tuple[str, ...], query: dict[str, str]) -> bool:
        return path == ("",) and self._is_token(query.get("token", ""))

    def refused(self, refusal: Refusal) -> Reply:
        return json_reply({"error": str(refusal)}, refusal.status)

    def _require_cookie(self) -> None:
        parts = (part for header in self.headers.get_all("Cookie", []) for part in header.split(";"))
        cookies = (part.strip().partition("=") for part in parts)
        if not any(name == self.server.cookie and self._is_token(value) for name, _, value in cookies):
            raise Refusal(403, "this page opens with the address that `striate open` printed")

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode(errors="replace"), self.server.token.encode())
