"""`striate open`: the page of a run or model, served until Ctrl-C. `striate serve`: its predictions over HTTP."""

import contextlib
import copy
import os
import shlex
import signal
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from striate.data.symbols import as_channels, spelled
from striate.device import on_signals
from striate.errors import StriateError, nearest
from striate.export.model import Model, load_model
from striate.export.own import model_of
from striate.serve.door import HERE
from striate.serve.gallery import Gallery
from striate.serve.glass import Glass
from striate.serve.predictor import LARGEST_TEXT, MOST_PICTURES, PredictionServer, Predictor
from striate.serve.reply import Refusal
from striate.serve.server import Server

WORDS = 60  # letters of the text that is shown
FAREWELL = 5  # seconds that requests in progress have when the server is told to stop
TABS = ("see", "explain", "filters", "train", "playground", "mistakes", "embedding")


def open_page(
    what: object, pictures: object = (), *, classes: Sequence[str] | None = None,
    mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0, port: int = 0, browser: bool = True,
    tab: str = TABS[0], while_parent: bool = False, block: bool | None = None,
) -> Server | None:  # fmt: skip
    """Serve the page of a run, a model or any torch network on this machine, say where, and open it in the browser.

    what: a run, its folder, a model file, a Model, or an nn.Module; of the last two a copy is shown.
    pictures: to begin with, else the run's: a file, or a list of files and arrays (H, W[, C]); with an nn.Module
        tensors or arrays (C, H, W) as it takes them, and classes, mean and std as for `own.model_of`.
    port: 0 takes a free one. tab: of TABS. while_parent: end when the process that started this one ends.
    block: wait for Ctrl-C, else return the server, which goes on until its `close()`; by default not in a notebook.
    """
    if tab not in TABS:
        raise StriateError("a tab is one that the page has", received=tab, where="--tab", remedy=nearest(tab, TABS))
    given = [pictures] if isinstance(pictures, str | Path) or getattr(pictures, "ndim", 4) < 4 else pictures
    if isinstance(what, nn.Module):
        what, given = model_of(what, given, classes, mean, std)
    elif isinstance(what, Model):
        what = replace(what, network=copy.deepcopy(what.network))
    else:
        what = Path(getattr(what, "folder", what))
    try:
        glass = Glass(what, [Path(one) if isinstance(one, str) else one for one in given])
    except Refusal as refusal:
        raise StriateError(str(refusal)) from refusal
    server = Server(glass.answer, port)
    address, block = server.url, not hasattr(sys, "ps1") if block is None else block
    address += "" if tab == TABS[0] else f"#tab={tab}"
    print(f"Open      {address}\n{'Ctrl-C' if block else 'close() of what is returned'} stops it", flush=True)
    if browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    if while_parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    if not block:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return None


def serve(
    place: str | Path, *, port: int = 8000, host: str = HERE, device: str = "auto", precision: str = "auto"
) -> None:
    """Answer with the predictions of the model in a run folder or file over HTTP, until Ctrl-C or SIGTERM.

    port: 0 takes a free one. host: the address of this machine that is listened to; 0.0.0.0 is every one, and then
    anybody in reach can ask. device, precision: as of `striate.load`.
    """
    predictor = Predictor(load_model(place, device, precision), Path(place))
    with _until_told():  # whoever says it twice waits for nobody
        with PredictionServer(predictor, host, port) as server, _until_told():
            print(f"Serving   {place} at {server.origin}/ (a page for people)")
            print(f"Try       {curl_line(Path(place), predictor.model, server.origin)}")
            if not server.is_private:
                who = f"anybody who reaches this machine ({host})"
                print(f"Mind      {who} can ask: there is no password and no encryption")
            print("Ctrl-C stops it", flush=True)
            server.serve_forever()
        deadline = time.monotonic() + FAREWELL
        while server.held > 0 and time.monotonic() < deadline:  # requests that are being answered
            time.sleep(0.05)
    predictor.line.close()


def curl_line(place: Path, model: Model, origin: str) -> str:
    """The command that asks about what the run tested, or about a file of the user's own."""
    gallery, form = Gallery(place if (place / "data.csv").is_file() else None), model.preparation.shape.form
    gallery.know(model)
    file = gallery.example()
    if form == "text":
        words = "your own words" if file is None else spelled(as_channels(file, WORDS))
        return f"echo {shlex.quote(words)} | curl -F 'file=@-;filename=text.txt' {origin}/predict"
    if form == "series":
        file = gallery.table()
        if file is not None and (file.stat().st_size > LARGEST_TEXT or file.read_bytes().count(b"\n") > MOST_PICTURES):
            file = None
    if model.preparation.shape.pick.words:  # none of the run's files has all channels
        file = None
    if isinstance(file, Path) and file.is_relative_to(Path.cwd()):
        file = file.relative_to(Path.cwd())
    shown = str(file) if isinstance(file, Path) else "YOUR_FILE"
    # The name of a file of series says how it is read.
    body = f"-F file=@{shlex.quote(shown)}" if form == "series" else f"--data-binary {shlex.quote('@' + shown)}"
    return f"curl {body} {origin}/predict"


@contextlib.contextmanager
def _until_told() -> Iterator[None]:
    """Ctrl-C and SIGTERM end what is within."""
    with on_signals([signal.SIGTERM], signal.default_int_handler), contextlib.suppress(KeyboardInterrupt):
        yield


def _has_screen() -> bool:
    """Without one, a browser of text would take over the terminal."""
    is_plain = sys.platform in ("win32", "darwin")
    return is_plain or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _end_with_parent(server: Server) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    server.shutdown()
