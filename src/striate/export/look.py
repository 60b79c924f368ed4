"""A model looked into: what each layer makes of one picture, and how any number came about, in Python and on paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import fill

import numpy as np

from striate.data.prepare import Shape
from striate.data.shown import box_of, shown
from striate.data.wording import extent, worded
from striate.draw import maps as drawing
from striate.errors import say
from striate.evaluate.markup import element, join, picture
from striate.inside.capture import Layer
from striate.inside.trace import Explanation, Trace, stage_ends
from striate.inside.written import layer_table, ledger_table, place_text, span_text

NOTE = 46  # letters of a line beside the picture of the narrowest sheet
Place = tuple[int, ...]  # channel, y, x; of a vector its number alone


@dataclass(frozen=True, eq=False)
class Look:
    """One picture on its way through a model, as `Model.look` gives it; in a notebook it shows itself.

    name: of the picture. stored: (H, W, C) as the model was given it. trace: every number on the way.
    probabilities: what is said of every class, as `Model.predict` gives it; answer: what is predicted, in words.
    shape: of what the model is given. note: why the answer may differ from the last layer's. A layer is a name or an
    index everywhere.

    >>> look = model.look("cell.png")                    # doctest: +SKIP
    >>> look.maps("conv2")[5, 10, 12]                    # doctest: +SKIP
    >>> print(look.table("conv2", 5, 10, 12))            # doctest: +SKIP
    """

    name: str
    stored: np.ndarray = field(repr=False)
    trace: Trace
    probabilities: Mapping[str, float] = field(repr=False)
    answer: str
    shape: Shape = field(repr=False)
    note: str = ""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Every operation of the network, in the order of execution."""
        return self.trace.layers

    def maps(self, layer: int | str) -> np.ndarray:
        """The numbers of a layer: float32 (channels, height, width), or (n,); of series (channels, length)."""
        return self.trace.maps(layer)

    def explain(self, layer: int | str, channel: int, *position: int) -> Explanation:
        """How one number came about: `.terms` and `.addends` that sum to `.value`, beside what is `.stored`."""
        return self.trace.explain(layer, channel, *position)

    def table(self, layer: int | str | None = None, channel: int | None = None, *position: int) -> str:
        """The layers as text; of one layer the ledger of a number (by default its largest), up to the next pooling."""
        if layer is None:
            return layer_table(self.trace)
        return ledger_table(self.trace, self.trace.chain(layer, *self.place(layer, channel, *position)))

    def sheet(self, layer: int | str | None = None, channel: int | None = None, *position: int) -> bytes:
        """A PNG file: the strongest maps of every layer, or all maps of one with a number and what it sees marked."""
        if layer is None:
            return self._network_sheet
        at, facts = self.place(layer, channel, *position), self.layers[self.trace.index(layer)]
        field = self.trace.field(layer, *(at[1:] or at))
        frame = (field[0] + field[1] - 1) // 2 if len(field) == 6 and field[1] else None
        picture = shown(self.stored, self.shape, frame)
        value = f"{place_text(at)}: {say(float(self.maps(layer)[at]))}"
        seen = f"sees {span_text(field)} of the picture" + ("" if frame is None else f"; shown is its slice {frame}")
        note = f"{facts.kind}{_settings(facts)}\n{value}\n{fill(seen, NOTE)}"
        title = f"{facts.name} · {_times(facts.output_shape)} · {self.name}: {self.answer}"
        box = box_of(field, picture, self.shape)
        return drawing.layer_sheet(self.maps(layer), title, picture=picture, field=box, at=at, note=note)

    def place(self, layer: int | str, channel: int | None = None, *position: int) -> Place:
        """The number meant: as given, or the largest (by size) of the layer, of the channel, or at the position."""
        maps = np.abs(np.nan_to_num(self.maps(layer)))
        asked = self.trace.place(layer, (channel, *(position or (None,) * (maps.ndim - 1))))
        part = maps[tuple(slice(None) if n is None else slice(n, n + 1) for n in asked)]
        best = np.unravel_index(part.argmax(), part.shape)
        return tuple(int(b) if n is None else n for b, n in zip(best, asked, strict=True))

    def stages(self, most: int = 6) -> bytes:
        """A PNG file: the strongest maps at the end of each stage, and what the network answers."""
        ends = stage_ends(self.layers, most)
        return self._drawn([*ends, len(self.layers) - 1] if self.layers[-1].index not in ends else ends)

    @cached_property
    def _network_sheet(self) -> bytes:
        return self._drawn([layer.index for layer in self.layers if layer.kind not in {"pad", "identity", "rearrange"}])

    def _drawn(self, indices: Sequence[int]) -> bytes:
        rows = []
        for layer in (self.layers[index] for index in indices):
            names = tuple(self.probabilities) if layer.output_shape == (len(self.probabilities),) else ()
            note = f"{layer.kind} {_times(layer.output_shape)}"
            rows.append(drawing.Row(name=layer.name, note=note, maps=self.maps(layer.index), channels=names))
        form, title = self.shape.form, f"{self.name}: {self.answer}"
        about = (worded("picture", form), "" if form == "picture" else extent(self.shape))
        return drawing.network_sheet(shown(self.stored, self.shape), rows, title, about=about)

    def _repr_html_(self) -> str:
        title = element("p", element("b", self.answer), f" · {self.name}")
        image = picture(self.stages(), "The strongest feature maps of every stage", name="striate")
        return join(title, image, element("details", element("summary", "layers"), element("pre", self.table())))


def _settings(layer: Layer) -> str:
    """The kernel, stride ... of a layer in words, as far as they are not the usual ones."""
    given = {name: _times(layer.facts[name]) for name in _USUAL if layer.facts.get(name) is not None}
    told = [f"{name} {value}" for name, value in given.items() if set(value.split("×")) != {_USUAL[name]}]
    return f" ({', '.join(told)})" if told else ""


_USUAL = {"kernel": "", "stride": "1", "padding": "0", "dilation": "1", "groups": "1"}


def _times(value: object) -> str:
    return "×".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
