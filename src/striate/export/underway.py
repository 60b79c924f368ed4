"""What a model is asked about, on its way to it: read and decoded in the background, in bounded memory.

Nothing here knows torch, so that it can begin while torch is imported.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import safetensors

from striate.data.guard import load_each
from striate.data.load import Loaded, Source, Want
from striate.data.prepare import Shape
from striate.data.sample import LeftOut
from striate.errors import counted
from striate.export.items import items

HEADER = "striate"  # the part of a model file's header that is ours
MODEL_FILE = "model.safetensors"


def by_range(shape: Shape) -> str:
    """What was done to pictures of another depth than the model's, in words."""
    said = f"of another depth brought to the model's {shape.depth} by the range of the type, which is wrong where it"
    return f"{said} learned from a part of its own (12 bits in 16)."


class Underway:
    """What a model is asked about, on its way: decoded from now on, in bounded memory, for pictures of `shape`.
    cut: how many of them were answered in tiles without being asked. contents: where they are hashed, of each so far
    the hash that Loaded has."""

    def __init__(self, named: Iterable[tuple[str, Source]], shape: Shape, workers: int, hashed: bool = False) -> None:
        self.shape, self._sources, self._others, self.cut = shape, deque(), 0, 0
        self.contents: list[str] = []
        self._want = Want(shape=shape, hashed=hashed)
        self._loaded = load_each(self._noted(named), self._want, workers)

    def _noted(self, named: Iterable[tuple[str, Source]]) -> Iterator[tuple[str, Source]]:
        for name, source in named:
            self._sources.append(source)
            yield name, source

    def __iter__(self) -> Iterator[tuple[str, Source, Loaded]]:
        for name, loaded in self._loaded:
            self._others += loaded.picture is not None and loaded.depth != self.shape.depth
            self.contents += [loaded.content] * self._want.hashed
            yield name, self._sources.popleft(), loaded

    @property
    def note(self) -> str:
        """What to know of the answers so far, if anything."""
        depth = f"{counted(self._others, 'picture')} {by_range(self.shape)}"
        cut = f"{counted(self.cut, 'picture')} much larger than those learned from cut into tiles of that size."
        return " ".join(said for said, count in ((depth, self._others), (cut, self.cut)) if count)

    def close(self) -> None:
        self._loaded.close()


def ask(
    model: str | Path, sources: object, workers: int, passed: list[LeftOut] | None = None
) -> AbstractContextManager:
    """`sources` on their way to the model in a run folder or a file, by what the header of that file says.

    Where it says nothing of use, the sources as they are: loading the model will say why. passed: as for `items`.
    """
    try:
        with safetensors.safe_open(model_file(model), "np") as file:
            header = json.loads(file.metadata()[HEADER])
        shape = Shape(**header["preparation"]["shape"])
        return closing(Underway(items(sources, shape, dict(header["about"]), passed), shape, workers))
    except (OSError, safetensors.SafetensorError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return nullcontext(sources)


def model_file(path: str | Path) -> Path:
    """The model file of a run folder, or that file itself."""
    return Path(path) / MODEL_FILE if Path(path).is_dir() else Path(path)
