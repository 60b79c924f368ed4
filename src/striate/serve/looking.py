"""One trained network looked at: what it makes of a picture, and where on it the evidence lies."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from striate.data.load import Loaded
from striate.export.evidence import heatmap_of
from striate.export.model import Model
from striate.inside.heatmap import Heatmap
from striate.inside.trace import Trace, trace
from striate.inside.trust import Trust
from striate.network.build import logits_of
from striate.serve.embedding import Embedding
from striate.serve.reply import Request
from striate.serve.shelf import Shelf

LOOKS_BYTES, HEATS_BYTES, SPREAD_BYTES = 512e6, 64e6, 64e6


@dataclass(frozen=True, eq=False)
class Seen:
    """One picture in the network.

    stored: (H, W, C) as training stores it. trace: its pass. logits: (classes,) of that pass. probabilities: (classes,)
    as `striate predict` says, with mirror image and temperature. answer: what they come from, in the picture's own
    pixels. note: as of `Passes.note`.
    """

    stored: np.ndarray
    trace: Trace
    logits: np.ndarray
    probabilities: np.ndarray
    answer: object
    note: str

    @property
    def bytes(self) -> int:
        """Of all layers, twice: the trace runs once more when a number's effect on the picture is asked for."""
        return 2 * 4 * sum(math.prod(layer.output_shape) for layer in self.trace.layers)


@dataclass(frozen=True, slots=True)
class Wish:
    """A heatmap that is asked for; layer: name, number or None (the usual); target, versus: numbers of classes."""

    picture: str
    method: str
    layer: int | str | None
    target: int
    versus: int | None


class Looking:
    """Looks at pictures and their heatmaps, made one at a time and kept while memory allows.

    Heatmaps may take seconds, so they have a copy of the network: who looks at layers need not wait for them.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.looks: Shelf[Seen] = Shelf(LOOKS_BYTES)
        self.heats: Shelf[Heatmap] = Shelf(HEATS_BYTES)
        self.trusts: Shelf[Trust] = Shelf(HEATS_BYTES)
        self.trusts.making = self.heats.making
        self.spread: Shelf[Embedding] = Shelf(SPREAD_BYTES)
        self._copy = replace(model, network=copy.deepcopy(model.network))

    def input(self, stored: np.ndarray) -> Tensor:
        """A picture as training stores it (H, W, C), as the network gets it (C, H, W)."""
        return self.model.input(stored).contiguous()

    def look(self, picture: str, read: Callable[[], Loaded]) -> Seen:
        """The look at a picture; `read` prepares it if that was not done before."""
        return self.looks.take(picture, lambda: self._look(read()), lambda look: look.bytes)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """As `Passes.embed`, while nobody looks."""
        with self.looks.making:
            return self.model.passes.embed(pictures)

    def blank(self) -> Seen:
        """The look at a picture of zeros: for what is the same for every picture."""
        shape = self.model.preparation.shape
        zeros = np.zeros(shape.stored, shape.depth)
        return self.look("", lambda: Loaded(picture=zeros, size=zeros.shape[:2]))

    @torch.no_grad()
    def _look(self, read: Loaded) -> Seen:
        model, x = self.model, self.input(read.picture)
        logits = logits_of(model.network, x[None])
        answer = model.answers(read.picture[None], np.array([read.size]))[0]
        return Seen(
            stored=read.picture,
            trace=trace(model.network, x),
            logits=np.array([float(model.task.score(logits, index)[0]) for index in range(len(model.classes))]),
            probabilities=model.task.per_class(answer),
            answer=answer,
            note=model.passes.note(logits),
        )

    def heat(self, wish: Wish, look: Seen, request: Request) -> Heatmap:
        def make() -> Heatmap:
            request.require_waiting()
            return heatmap_of(self._copy.passes, look.stored, wish.target, wish.method, wish.versus, layer=wish.layer)

        held = look.trace.recording.output.nbytes
        return self.heats.take(wish, make, lambda h: held + h.map.nbytes + h.on_picture.nbytes + h.drawn.nbytes)

    def trust(self, wish: Wish, look: Seen, request: Request) -> Trust:
        heat = self.heat(wish, look, request)

        def make() -> Trust:
            request.require_waiting()
            return self._copy.trust(heat)

        return self.trusts.take(wish, make, lambda found: heat.map.nbytes + 4096)
