"""The true targets of a run's pictures, read again from where the run found them: its tables hold only words."""

import threading
from collections.abc import Mapping
from pathlib import Path

from striate import files
from striate.data.sample import Target
from striate.errors import StriateError
from striate.train.dataset import find
from striate.train.settings import read_settings


class Truths:
    """The targets of a run's pictures by their names in its tables (None: no run).

    Large sets take a while to read, so they are read once, when the first target is asked for; who asks meanwhile
    waits. Where the source is gone, or its labels cannot be read any more, no target is known.
    """

    def __init__(self, run: Path | None) -> None:
        self.run = run
        self._reading = threading.Lock()
        self._targets: Mapping[str, Target] | None = None

    def of(self, name: str) -> Target | None:
        with self._reading:
            if self._targets is None:
                self._targets = {} if self.run is None else _read(self.run / "settings.toml")
            return self._targets.get(name)


def _read(file: Path) -> dict[str, Target]:
    """Every target that a training with these settings would read now."""
    try:
        settings, tables = read_settings(file)
        found = find(files.named(tables["run"]["source"]), settings)
    except (StriateError, OSError, ValueError, KeyError):
        return {}
    return {files.readable(sample.path): sample.target for sample in found.samples}
