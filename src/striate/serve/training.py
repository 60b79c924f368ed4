"""A training as its run folder tells of it, while it goes on and afterwards: curves, snapshots, and what is new."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from striate import files
from striate.errors import StriateError
from striate.inside.trace import plain
from striate.serve.gallery import number_of
from striate.serve.reply import Gone, Refusal, Reply, array_reply, figures
from striate.train.watch import FOLDER, INDEX

POLL = 0.3  # seconds between two looks; up to three events each, so at most ten a second
BEAT = 50  # looks without news, after which a word is said so that the connection stays


class Training:
    """What can be told of the training in a run folder (None: there is no run)."""

    def __init__(self, run: Path | None) -> None:
        self.run = run

    @property
    def state(self) -> str:
        """ "running", "done", "stopped" (cut short, perhaps with a model) or "none"."""
        if self.run is None:
            return "none"
        if files.is_held(self.run):
            return "running"
        return "done" if files.has_ended(self.run) else "stopped"

    def overview(self) -> dict:
        """All that there is: state and progress, the rows of history.csv, layers and snapshots of RUN/watch."""
        return {key: value for part in self._parts().values() for key, value in part.items()}

    def events(self, gone: Gone) -> Iterator[bytes]:
        """Server-sent events: "state", "history" and "snapshot", each with its part of `overview`, when it changes.

        All three come at once at the beginning, so that whoever connects anew has missed nothing.
        """
        told: dict[str, dict] = {}
        seen, quiet = None, 0
        while True:
            now = self._stamp()
            news = {} if now == seen else {k: v for k, v in self._parts().items() if told.get(k) != v}
            for name, part in news.items():
                yield f"event: {name}\ndata: {json.dumps(plain(part))}\n\n".encode()
            told, seen, quiet = {**told, **news}, now, 0 if news else quiet + 1
            if quiet % BEAT == BEAT - 1:
                yield b": still here\n\n"
            if gone(POLL):
                return

    def snapshot(self, number: int, layer: str | None = None) -> Reply:
        """The filters (out, in, kh, kw) of a snapshot, or the maps of one of its layers, by name or number."""
        index = self._index()
        about = next((item for item in index["snapshots"] if item["id"] == number), None)
        if about is None:
            raise Refusal(404, "there is no such snapshot (any more)")
        name = "filters"
        if layer is not None:
            names = [item["name"] for item in index["layers"]]
            place = names.index(layer) if layer in names else int(layer) if layer.isdecimal() else len(names)
            name = f"maps_{place}"
        try:
            data = io.BytesIO((self.run / FOLDER / f"{number}.npz").read_bytes())
            values = np.load(data)[name].astype(np.float32)
        except Exception as error:  # whatever a library does on damaged bytes
            raise Refusal(404, f"snapshot {number} has no {name}") from error
        return array_reply(values, **figures(values), **about, picture=index["picture"])

    def _parts(self) -> dict[str, dict]:
        index = self._index()
        return {
            "state": {"state": self.state, "progress": self._progress()},
            "history": {"history": self._history()},
            "snapshot": {name: index[name] for name in ("layers", "filters", "snapshots", "picture")},
        }

    def _stamp(self) -> tuple:
        """Changes whenever one of the parts may have."""
        if self.run is None:
            return ()
        names = ("history.csv", f"{FOLDER}/{INDEX}", files.MANIFEST)
        return files.is_held(self.run), *(_changed(self.run / name) for name in names)

    def _history(self) -> list[dict]:
        try:
            rows = files.read_csv(self.run / "history.csv")
            return [{name: number_of(text) for name, text in row.items()} for row in rows]
        except (OSError, TypeError, ValueError):  # none yet, or no table of ours
            return []

    def _index(self) -> dict:
        empty = {"layers": [], "filters": None, "snapshots": [], "picture": ""}
        try:
            return {**empty, **files.read_json(self.run / FOLDER / INDEX)}
        except (StriateError, TypeError):
            return empty

    def _progress(self) -> dict:
        """epoch and seconds so far, and the budget: epochs or minutes (None where it is not bounded so)."""
        try:
            plan = files.settings_of(self.run)["plan"]
        except (StriateError, KeyError, TypeError):
            plan = {}
        last = (self._history() or [{"epoch": 0, "seconds": 0}])[-1]
        budget = {name: plan.get(name) for name in ("epochs", "minutes")}
        return {"epoch": last["epoch"], "seconds": last["seconds"], **budget}


def _changed(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
        return status.st_mtime_ns, status.st_size
    except OSError:
        return 0, 0
