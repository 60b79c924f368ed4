"""The pictures that the page can show: those of a run, from its tables, and those dropped on the page."""

import contextlib
import functools
import hashlib
import io
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from striate import files
from striate.data import shown as drawing
from striate.data.apart import files_of
from striate.data.arrays import read_digits
from striate.data.content import read_file
from striate.data.guard import load_each, load_one
from striate.data.header import WHOLE
from striate.data.load import Loaded, Want
from striate.data.packed import is_packed, packed_pictures
from striate.data.prepare import Shape, fit
from striate.data.sample import Target
from striate.data.series import is_series
from striate.draw.pixels import fitted, picture_png, three_channels, visible
from striate.errors import StriateError
from striate.export.items import items, items_sent
from striate.export.model import Model
from striate.serve.reply import Refusal
from striate.serve.shelf import Shelf
from striate.train.dataset import find
from striate.train.settings import read_settings

LONGEST = 512  # pixels of a picture's longer side on the page
DROPPED_BYTES, SHOWN_BYTES = 256e6, 64e6
WORKERS = 2
PARTS = ("test", "validation", "train", "twin")
YOURS = "yours"  # the part of dropped pictures


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture as the page lists it; what is not known is None. error: how wrong an answer is that names no class."""

    id: str
    name: str
    part: str
    truth: str | None = None
    predicted: str | None = None
    confidence: float | None = None
    error: float | None = None


class Gallery:
    """The pictures of a run folder (None: no run), and dropped ones by the hash of their bytes.

    pick: the page and channels that the model takes of a file, once it is known.
    """

    def __init__(self, run: Path | None) -> None:
        self.run, self.pick, self.about = run, WHOLE, {}
        self.shape: Shape | None = None
        self._read: dict[str, np.ndarray] | None = None
        self._targets: Mapping[str, Target] | None = None
        self._reading = threading.Lock()
        self._dropped: Shelf[tuple[Entry, bytes]] = Shelf(DROPPED_BYTES)
        self._shown: Shelf[bytes] = Shelf(SHOWN_BYTES)

    def know(self, model: Model) -> None:
        """What the pictures are for, which says how they are read."""
        self.shape, self.about = model.preparation.shape, model.about
        self.pick = self.shape.pick

    def add(self, data: bytes, name: str) -> Entry:
        """Keep the bytes of a picture file in memory; Refusal (422) says why it is no picture."""
        self._decoded(data, name, Want(pick=self.pick))
        entry = Entry(f"u{hashlib.blake2b(data, digest_size=8).hexdigest()}", files.readable(name)[:200], YOURS)
        self._dropped.put(entry.id, (entry, data), len(data))
        return entry

    def bytes_of(self, picture: Path | np.ndarray) -> bytes:
        """What `add` takes of a file; of an array, and of a file with channels in others beside it, a NumPy file."""
        if isinstance(picture, Path) and len(files_of(picture, self.pick.words)) == 1:
            return read_file(picture)
        loaded, file = load_one(picture, Want(pick=self.pick)), io.BytesIO()
        if loaded.problem:
            raise loaded.problem
        np.save(file, loaded.picture)
        return file.getvalue()

    @property
    def entries(self) -> dict[str, Entry]:
        """Every picture of the run's tables by its id, test part first; those never scored have no prediction."""
        if self.run is None or not (self.run / "data.csv").is_file():
            return {}
        tables = (self.run / name for name in ("data.csv", "predictions.csv"))
        try:
            return _entries_at(*((table, table.stat().st_mtime_ns) for table in tables if table.is_file()))
        except (ValueError, KeyError, TypeError) as error:  # no text, or of other columns than ours
            raise Refusal(404, f"data.csv or predictions.csv of this run is damaged: {error}") from error

    def page(self, part: str, offset: int, limit: int, find: str = "") -> dict:
        """`limit` pictures of a part ("" all) from `offset` on, and how many every part has; of those with `find` in
        their name or truth, however it is written."""
        everything = [*(entry for entry, _ in reversed(self._dropped.values())), *self.entries.values()]
        found = [one for one in everything if find.casefold() in f"{one.name}\n{one.truth or ''}".casefold()]
        wanted = [entry for entry in found if part in ("", entry.part)]
        shown = [asdict(entry) for entry in wanted[max(offset, 0) :][: max(limit, 0)]]
        parts = dict.fromkeys((entry.part for entry in everything), 0) | Counter(entry.part for entry in found)
        return {"total": len(wanted), "parts": parts, "pictures": shown}

    def entry(self, picture: str) -> Entry:
        if (found := self._dropped.find(picture)) is not None:
            return found[0]
        if picture not in (entries := self.entries):
            raise Refusal(404, "there is no such picture here; dropped ones are forgotten when the server ends")
        return entries[picture]

    def pixels(self, picture: str) -> np.ndarray:
        """The decoded picture (H, W, C); Refusal 404 where it is gone and 422 where it cannot be read."""
        return self._loaded(picture, Want(pick=self.pick)).picture

    def prepared(self, picture: str) -> Loaded:
        """The picture as the model gets it, which may be unpacked smaller than `pixels`, with its own size; Refusal 422
        also where it does not fit."""
        return self._loaded(picture, Want(shape=self.shape))

    def prepared_each(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Loaded]]:
        """The same for those that are still there, decoded ahead by WORKERS processes; what cannot be read says why."""
        sources = []
        for entry in entries:
            with contextlib.suppress(Refusal):
                sources.append((entry, self._source(entry)))
        return load_each(sources, Want(shape=self.shape), WORKERS)

    def png(self, picture: str) -> bytes:
        """The picture for the eye: 8 bits, the longer side at most 512 pixels."""
        if (png := self._shown.find((picture, self.pick))) is None:
            png = shown(self.seen(self.pixels(picture)))
            self._shown.put((picture, self.pick), png, len(png))
        return png

    def first(self) -> str | None:
        """The picture to begin with: the first of the test part that is there."""
        return next((entry.id for entry, _ in self._there()), None)

    def example(self) -> Path | np.ndarray | None:
        """What the model can be asked about: the first picture that is there."""
        return next((source for _, source in self._there()), None)

    def _there(self) -> Iterator[tuple[Entry, Path | np.ndarray]]:
        for entry in islice(self.entries.values(), 50):
            with contextlib.suppress(Refusal):
                source = self._source(entry)
                if isinstance(source, np.ndarray) or source.is_file():
                    yield entry, source

    def table(self) -> Path | None:
        """The file that series were read from, of several that of the test; None where it is no text."""
        try:
            root = Path(_root(self.run)) if self.run else None
        except Refusal:
            return None
        if root is None or not root.exists():
            return None
        files = sorted(root.glob("*"), key=lambda file: "test" not in file.name.lower()) if root.is_dir() else [root]
        return next((file for file in files if is_series(file)), None)

    def mistakes(self) -> list[dict]:
        """Test pictures with their predictions: the worst first, and of those that are right the surest."""
        rows = [entry for entry in self.entries.values() if entry.part == "test" and entry.predicted is not None]

        def order(entry: Entry) -> tuple[float, float]:
            error = float(entry.predicted != entry.truth) if entry.error is None else entry.error
            return -error, -(entry.confidence or 0)

        return [asdict(entry) for entry in sorted(rows, key=order)]

    def _source(self, entry: Entry) -> Path | np.ndarray:
        try:
            return self._found(entry)
        except StriateError as error:  # the file with all of them was changed since
            raise Refusal(404, error) from error

    def _found(self, entry: Entry) -> Path | np.ndarray:
        root = _root(self.run)
        if root == "digits":
            return _digits()[entry.name]
        if root == "arrays":
            raise Refusal(404, f"{entry.name} was an array in memory, which the run does not hold; drop a picture file")
        folder = Path(root)
        held = _packed(folder) if self.shape is None or self.shape.form == "picture" else self._rows(folder)
        if entry.name in held:
            return held[entry.name]
        return Path(files.named(str((folder.parent if folder.is_file() else folder) / entry.name)))

    def target(self, name: str) -> Target | None:
        """The true target of one of the run's pictures, by its name in the tables, which themselves hold only words.

        Targets are read again from where the run found them: once, as large sets take a while, and who asks meanwhile
        waits. Where the source is gone, or its labels cannot be read any more, none is known.
        """
        with self._reading:
            if self._targets is None:
                self._targets = {} if self.run is None else _targets_of(self.run)
            return self._targets.get(name)

    def seen(self, picture: np.ndarray) -> np.ndarray:
        """A decoded picture, series, text or volume (H, W, C) for the eye: uint8 (H, W, 1 or 3)."""
        if self.shape is None or self.shape.form == "picture":
            return visible(picture)
        return drawing.shown(fit(picture, self.shape), self.shape)

    def _rows(self, source: Path) -> dict[str, np.ndarray]:
        """The series, texts or volumes of a file or folder by their names, read once."""
        if self._read is None:
            named = items(source, self.shape, self.about) if source.exists() else ()
            self._read = {name: one for name, one in named if isinstance(one, np.ndarray)}
        return self._read

    def _loaded(self, picture: str, want: Want) -> Loaded:
        if (dropped := self._dropped.find(picture)) is not None:
            return self._decoded(dropped[1], dropped[0].name, want)
        entry = self.entry(picture)
        return self._decoded(self._source(entry), entry.name, want)

    def _decoded(self, source: Path | bytes | np.ndarray, name: str, want: Want) -> Loaded:
        if isinstance(source, bytes) and self.shape is not None:
            sent = items_sent(source, f"dropped{Path(name).suffix}", self.shape, self.about)
            _, source = next(sent)  # of a dropped file with several series or texts the first
        loaded = load_one(source, want)
        if error := loaded.problem:
            status = 404 if error.code in ("missing", "link", "permission") else 422
            rule = "the picture must be readable" + " and fit the network" * (want.shape is not None)
            raise Refusal(status, str(StriateError(rule, received=error, where=name)))
        return loaded


def shown(picture: np.ndarray) -> bytes:
    """A picture for the eye (H, W, 1 or 3) as a PNG file, the longer side at most LONGEST."""
    return picture_png(small(picture))


def small(picture: np.ndarray) -> np.ndarray:
    """A picture for the eye (H, W, 1 or 3), the longer side at most LONGEST."""
    return fitted(three_channels(picture), LONGEST) if max(picture.shape[:2]) > LONGEST else picture


@functools.lru_cache(maxsize=2)
def _entries_at(data: tuple[Path, int], scored: tuple[Path, int] | None = None) -> dict[str, Entry]:
    """The tables as they were at these times; a run in progress gains predictions at its end."""
    told = {row["path"]: row for row in files.read_csv(scored[0])} if scored else {}
    entries = []
    for number, row in enumerate(files.read_csv(data[0])):
        if row["status"] == "used":
            said = told.get(row["path"], {})
            answer = said.get("predicted"), number_of(said.get("confidence")), number_of(said.get("error"))
            entries.append(Entry(str(number), row["path"], row["part"], row["label"], *answer))
    return {entry.id: entry for entry in sorted(entries, key=lambda entry: PARTS.index(entry.part))}


def number_of(text: str | None) -> float | None:
    """The number in a cell of a run's tables; None where it is empty."""
    return float(text) if text else None


def _root(run: Path) -> str:
    """Where a run's pictures came from: a folder, a table, "digits" or "arrays"."""
    try:
        return str(files.settings_of(run)["run"]["source"])
    except (StriateError, KeyError, TypeError) as error:
        raise Refusal(404, "this run does not say where its pictures came from") from error


def _targets_of(run: Path) -> dict[str, Target]:
    """Every target that a training with the settings of this run would read now."""
    try:
        settings, tables = read_settings(run)
        found = find(files.named(tables["run"]["source"]), settings)
    except (StriateError, OSError, ValueError, KeyError):
        return {}
    return {files.readable(sample.path): sample.target for sample in found.samples}


@functools.lru_cache(maxsize=1)
def _packed(source: Path) -> dict[str, np.ndarray]:
    """The pictures of a packed set by their names; none when `source` is no such set."""
    return dict(packed_pictures(source)) if is_packed(source) else {}


@functools.cache
def _digits() -> dict[str, np.ndarray]:
    return {sample.path: sample.source for sample in read_digits().samples}
