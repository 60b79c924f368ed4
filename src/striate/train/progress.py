"""Events as lines and one moving bar on the terminal."""

import contextlib
import shutil
import sys
import time
from typing import TextIO

from striate.errors import printable
from striate.train.events import Decoded, Epoch, Event, Note, Step

BAR = 24  # characters
REDRAW = 0.1  # seconds between two drawings


class Progress:
    """Shows events on a stream: a bar that moves on a terminal, a plain line per epoch elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.moving = self.stream is not None and self.stream.isatty()  # None where standard error is closed
        self._drawn, self._open, self._lines = 0.0, False, 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self._line(printable(event.text))
        elif isinstance(event, Decoded):
            self._bar(event.done / max(event.total, 1), f"reading pictures {event.done:,} of {event.total:,}")
        elif isinstance(event, Step):
            self._bar(event.progress, _step_text(event))
        elif isinstance(event, Epoch):
            self._epoch(event)

    def close(self) -> None:
        """Leave the terminal on a line of its own."""
        if self._open:
            self._write("\r\x1b[K")
            self._open = False

    def _write(self, text: str) -> None:
        """A terminal or pipe that has gone away, or never was, is no reason to lose a training."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self.stream.write(text)
            self.stream.flush()

    def _line(self, text: str) -> None:
        self.close()
        self._write(text + "\n")

    def _epoch(self, event: Epoch) -> None:
        """On a terminal the bar says it all; a log gets about twenty lines in all, then ever fewer."""
        if self.moving or (event.epoch > 20 and event.epoch % 10):
            return
        checked = ""
        said = event.measure.replace("_", " ")
        if event.validation_hits is not None:
            checked = f"  validation loss {event.validation_loss:.3f}  {said} {100 * event.validation_hits:.1f} %"
        self._line(
            f"epoch {event.epoch:3}  loss {event.train_loss:.3f}  {said} {100 * event.train_hits:.1f} %{checked}"
        )

    def _bar(self, share: float, text: str) -> None:
        now = time.monotonic()
        if not self.moving or (now - self._drawn < REDRAW and share < 1):
            return
        full = int(share * BAR)
        line = f"{'━' * full}{'╌' * (BAR - full)} {text}"
        self._write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
        self._drawn, self._open = now, True


def _step_text(step: Step) -> str:
    epoch = f"epoch {step.epoch}" + (f"/{step.epochs}" if step.epochs else "")
    left = int(step.seconds_left)
    return (
        f"{100 * step.progress:3.0f} %  {epoch}  loss {step.loss:.3f}  "
        f"{step.measure.replace('_', ' ')} {100 * step.hits:.1f} %  "
        f"{step.pictures_per_second:,.0f} pictures/s  {left // 60}:{left % 60:02} left"
    )
