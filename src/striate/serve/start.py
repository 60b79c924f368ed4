"""`striate open`: the page of a run or model, served until Ctrl-C."""

import contextlib
import os
import sys
import threading
import time
import webbrowser
from pathlib import Path

from striate.errors import StriateError, nearest
from striate.serve.glass import Glass
from striate.serve.reply import Refusal
from striate.serve.server import Server

TABS = ("see", "explain", "filters", "train", "playground", "mistakes")


def open_page(
    place: str | Path,
    picture: str | Path | None = None,
    *,
    port: int = 0,
    browser: bool = True,
    tab: str = TABS[0],
    while_parent: bool = False,
) -> None:
    """Serve the page of a run folder or model file on this machine, say where, and open it in the browser.

    picture: a file to begin with, else a test picture of the run. port: 0 takes a free one. tab: of TABS.
    while_parent: end when the process that started this one ends. Returns after Ctrl-C.
    """
    if tab not in TABS:
        raise StriateError("a tab is one that the page has", received=tab, where="--tab", remedy=nearest(tab, TABS))
    try:
        glass = Glass(Path(place), None if picture is None else Path(picture))
    except Refusal as refusal:
        raise StriateError(str(refusal)) from refusal
    with Server(glass.answer, port) as server:
        address = server.url + ("" if tab == TABS[0] else f"#tab={tab}")
        print(f"Open      {address}\nCtrl-C stops it", flush=True)
        if browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        if while_parent:
            threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _has_screen() -> bool:
    """Without one, a browser of text would take over the terminal."""
    is_plain = sys.platform in ("win32", "darwin")
    return is_plain or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _end_with_parent(server: Server) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    server.shutdown()
