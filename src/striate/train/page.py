"""The page of `striate train --watch`: `striate open RUN --tab train` in a process of its own, beside the training."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from striate.train.events import Began, Event

POLITENESS = 10  # of the page's process: the training goes first


class Page:
    """Opens a run's page as soon as the run folder is there; `watch` of train, and a context.

    The page reads the run folder and never the training itself, so neither waits for the other. It stands apart from
    Ctrl-C, which ends the training with a model, and goes when the block ends, or with this process.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.process: subprocess.Popen[str] | None = None
        self.ear = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()
            self.ear.join()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Began) and self.process is None:
            self._start(event.folder)

    def stay(self) -> None:
        """After the training: with a person at a terminal the page stays until Ctrl-C, else it goes at once."""
        if self.process is not None and sys.stdin.isatty() and sys.stderr.isatty():
            self._say("the page stays until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                self.process.wait()

    def _start(self, folder: Path) -> None:
        words = [sys.executable, "-m", "striate", "open", str(folder), "--tab", "train", "--while-parent"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(AttributeError, OSError):  # where a system knows no politeness
            os.setpriority(os.PRIO_PROCESS, self.process.pid, POLITENESS)
        self.ear.start()

    def _listen(self) -> None:
        """Pass on where the page is, or why there is none; the rest is heard and forgotten."""
        with self.process.stdout as lines:
            for line in lines:
                if "http://" in line:
                    self._say(line[line.index("http://") :].split()[0])
                elif line.startswith("striate: "):
                    self._say(line.removeprefix("striate: ").strip())

    def _say(self, text: str) -> None:
        if not self.quiet:
            print(("\r\x1b[K" if sys.stderr.isatty() else "") + f"Watch     {text}", file=sys.stderr, flush=True)
