"""Predictions over HTTP: what `striate predict` says, for pictures that are posted."""

import base64
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

import striate
from striate.data.guard import load_one
from striate.data.header import MAX_PIXELS
from striate.data.load import Loaded, Source, Want
from striate.data.prepare import placed
from striate.data.shown import shown
from striate.draw.pixels import picture_png
from striate.errors import counted
from striate.export.answers import Prediction
from striate.export.items import items_sent
from striate.export.model import Model
from striate.export.page import introduced
from striate.export.underway import Underway
from striate.serve.door import HERE, LARGEST_BODY, Caller, Door, file_reply
from striate.serve.gallery import LONGEST
from striate.serve.reply import FORM, Refusal, Reply, Request, files_sent, json_reply, plain_ending

DECODERS = 4  # processes that decode, one for each request at a time
MOST_PICTURES, PICTURES_BYTES = 1000, 256_000_000  # of one request, and what they may take when they are prepared
LARGEST_TEXT = 4_000_000  # bytes of series and texts; read in this process, 1.5 MB a second and 27 times as much memory
STOPPING = "the server has been told to stop, and answers no more"
PAGE = ("predict.html", "predict.js", "predict.css", "answers.js", "dom.js", "style.css", "icon.svg")


class Line:
    """Requests that wait for the model. One thread asks it, for several requests together where they fit into one
    batch, which changes nobody's answer (see `passes`)."""

    def __init__(self, model: Model) -> None:
        self._model, self._waiting = model, deque()
        self._thread = ThreadPoolExecutor(1, "model")

    def ask(self, loaded: Sequence[tuple[str, Source, Loaded]]) -> list[Prediction]:
        """Predictions for what is decoded, in order."""
        mine = Future()
        self._waiting.append((loaded, mine))
        try:
            self._thread.submit(self._next)  # once for each request; some will find theirs answered with others
        except RuntimeError as closed:
            raise Refusal(503, STOPPING) from closed
        return mine.result()

    def close(self) -> None:
        """Answer what is being answered, and refuse the others."""
        self._thread.shutdown(cancel_futures=True)
        while self._waiting:
            self._waiting.popleft()[1].set_exception(Refusal(503, STOPPING))

    def _next(self) -> None:
        taken, together = [], []
        while self._waiting and (not taken or len(together) + len(self._waiting[0][0]) <= self._model.passes.batch):
            taken.append(self._waiting.popleft())
            together += taken[-1][0]
        try:
            said = iter(list(self._model.predict_loaded(together)) if taken else ())
            for loaded, future in taken:
                future.set_result(list(islice(said, len(loaded))))
        except Exception as error:  # everybody who waits for it is told
            for _, future in taken:
                future.set_exception(error)


class Predictor:
    """The answers about one model, to many visitors at once."""

    def __init__(self, model: Model, place: Path) -> None:
        self.model, self.line, self._decoders = model, Line(model), threading.Semaphore(DECODERS)
        self._telling = threading.Lock()  # of large masks, which take much memory for a moment
        self.name = place.absolute().name.removesuffix(".safetensors")
        self.about = introduced(model.task, model.preparation, self.name, model.run if place.is_dir() else None)

    @property
    def most(self) -> int:
        """Pictures of one request."""
        return max(1, min(MOST_PICTURES, PICTURES_BYTES // self.model.preparation.shape.bytes))

    @property
    def largest(self) -> int:
        """Bytes of the body of one request."""
        return LARGEST_BODY if self.model.preparation.shape.axes > 1 else LARGEST_TEXT

    def answer(self, request: Request) -> Reply:
        """The reply to an address; which there are, and with which method, `_ROUTES` says."""
        return _ROUTES[request.path][1](self, request)

    def health(self, request: Request) -> Reply:
        return json_reply({"status": "ok"})

    def facts(self, request: Request) -> Reply:
        """What the model is and takes; test: its score, None where that is not known."""
        shape = self.model.preparation.shape
        size = {name: getattr(shape, name) for name in ("form", "channels", "height", "width", "frames")}
        limits = {"largest_body": self.largest, "most_pictures": self.most}
        return json_reply({**self.about, **size, **limits, "striate": striate.__version__})

    def page(self, request: Request) -> Reply:
        return file_reply(request.path, PAGE, PAGE[0])

    def predict(self, request: Request) -> Reply:
        """What the model says of each picture: JSON, or the mask of a single one where a PNG is wanted."""
        with self._decoders:
            request.require_waiting()
            asked = self._asked(request)
            loaded = list(Underway(asked, self.model.preparation.shape, workers=1))
        if self.model.task.by_pixel and sum(math.prod(one.size) for *_, one in loaded) > MAX_PIXELS:
            rule = f"masks of one request have at most {MAX_PIXELS:,} pixels, as one picture has"
            raise Refusal(413, rule, received="more", remedy="send several requests")
        request.require_waiting()
        said = self.line.ask(loaded)
        if request.headers.get("accept", "").partition(",")[0].strip().lower() == "image/png":
            return self._png(said)
        with self._telling:
            told = [self._record(one) for one in said]
        if request.query.get("drawn") == "1":
            told = [one | self._drawn(*pair) for one, *pair in zip(told, said, loaded, strict=True)]
        unreadable = [f"{one.path} ({one.reason})" for one in said if one.reason]
        if len(unreadable) < len(said):
            return json_reply({"predictions": told})
        rule, received = "predict needs at least one readable picture", ", ".join(unreadable[:3])
        return _refusal(Refusal(422, rule, received=received, remedy=FORM), predictions=told)

    def _asked(self, request: Request) -> list[tuple[str, Source]]:
        shape, asked, sent = self.model.preparation.shape, [], len(request.body)
        if sent > self.largest:
            rule, remedy = f"series and texts have at most {self.largest:,} bytes", "send several requests"
            raise Refusal(413, rule, received=f"{sent:,}", remedy=remedy)
        for name, data in files_sent(request):
            named = name if shape.axes > 1 else plain_ending(name)
            asked += islice(items_sent(data, named, shape, self.model.about), self.most + 1 - len(asked))
            if len(asked) > self.most:
                rule, remedy = f"one request is about at most {self.most:,} pictures", "send several requests"
                raise Refusal(413, rule, received="more", remedy=remedy)
        request.hold(len(asked) * shape.bytes)
        return asked

    def _record(self, told: Prediction) -> dict:
        if told.reason:
            return {"path": told.path, "reason": told.reason}
        more = {"size": told.size, "note": told.note or None}
        known = {name: value for name, value in more.items() if value is not None}
        return {"path": told.path, **self.model.task.record(told.answer), **known}

    def _drawn(self, told: Prediction, asked: tuple[str, Source, Loaded]) -> dict:
        """The picture with its answer for the eye, as a PNG file in base64; it is made small where it is decoded, so
        that a large one takes no memory here."""
        if told.reason:
            return {}
        shape = self.model.preparation.shape
        if shape.form == "picture":
            height, width = placed(*asked[2].size, LONGEST, LONGEST)
            shape = replace(shape, height=height, width=width, mirrored=False)
        with self._decoders:
            one = load_one(told.source, Want(shape=shape))
        if one.problem:  # of a file that took longer this time
            return {"drawn": ""}
        png = picture_png(self.model.task.drawn(shown(one.picture, shape), told.answer))
        return {"drawn": base64.b64encode(png).decode()}

    def _png(self, said: Sequence[Prediction]) -> Reply:
        if len(said) == 1 and said[0].reason:
            raise Refusal(422, "predict needs at least one readable picture", received=said[0].reason)
        png = self.model.task.png(said[0].answer) if len(said) == 1 else None
        if png is None:
            received = f"{counted(len(said), 'picture')} for a model of {self.model.task.name}"
            rule = "a reply as PNG is the mask of one picture"
            raise Refusal(406, rule, received=received, remedy="ask with Accept: application/json")
        return Reply(png, "image/png")


def _refusal(refusal: Refusal, **more: object) -> Reply:
    received = None if refusal.received is None else str(refusal.received)
    told = {"rule": refusal.rule, "received": received, "remedy": refusal.remedy, **more}
    return json_reply(told, refusal.status, refusal.headers)


class PredictionServer(Door):
    """Predictions of one model over HTTP, for whoever reaches it."""

    def __init__(self, predictor: Predictor, host: str = HERE, port: int = 0) -> None:
        super().__init__(predictor.answer, _Client, host, port)


class _Client(Caller):
    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = Caller.do_POST

    def ask(self, path: tuple[str, ...], query: dict[str, str]) -> Reply:
        if path not in _ROUTES:
            there = ", ".join(
                f"{method} /{'/'.join(name)}" for name, (method, _) in _ROUTES.items() if name[0] not in PAGE
            )
            raise Refusal(404, "there is no such address", received=self.path[:200], remedy=f"there are {there}")
        method = _ROUTES[path][0]
        if self.command != method and (self.command, method) != ("HEAD", "GET"):
            rule = f"/{path[0]} is asked with {method}"
            raise Refusal(405, rule, received=self.command, remedy=f"use {method}", Allow=method)
        return self.server.answer(self.asked(path, query))

    def refused(self, refusal: Refusal) -> Reply:
        return _refusal(refusal)


_ROUTES: dict[tuple[str, ...], tuple[str, Callable[[Predictor, Request], Reply]]] = {
    ("predict",): ("POST", Predictor.predict),
    ("model",): ("GET", Predictor.facts),
    ("health",): ("GET", Predictor.health),
    ("",): ("GET", Predictor.page),
    **{(name,): ("GET", Predictor.page) for name in PAGE[1:]},
}
