"""What the page asks for: one method per address, each turning what is known into numbers."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch

from striate.data.header import Unreadable
from striate.data.sample import Target
from striate.data.symbols import KNOWN
from striate.data.wording import NOUNS
from striate.draw import colours
from striate.draw.lines import PALETTE
from striate.draw.pixels import picture_png
from striate.errors import StriateError
from striate.export.model import Model, load_model
from striate.export.underway import model_file
from striate.inside import kernels
from striate.inside.heatmap import METHODS, enlarge
from striate.inside.trace import Trace
from striate.serve.embedding import Embedding
from striate.serve.flat import as_maps, as_plane, box_of, filters_at, filters_of, named, place_of, plain_step, thumbnail
from striate.serve.gallery import YOURS, Gallery, shown, small
from striate.serve.looking import Looking, Seen, Wish
from striate.serve.reply import Refusal, Reply, Request, array_reply, figures, json_reply
from striate.serve.training import Training
from striate.tasks.task import Task

FULL_VALUES = 1_000_000  # a layer of more values is sent in half precision
HALF_REACH = 65_000.0  # beyond it half precision has no numbers
TWIN_SIDE = 64
MOST_CELLS = 7  # on a side of a filter that the playground can edit
MOST_PICTURES = 1_000


class Glass:
    """The answers about one run folder, model file or model. A run without a model yet gets one as soon as it is there.

    pictures: files and arrays (H, W[, C]) to begin with. Raises StriateError where there is nothing to open.
    """

    def __init__(self, place: Path | Model, pictures: Iterable[Path | np.ndarray] = ()) -> None:
        model, place = (place, place.run or Path("in memory")) if isinstance(place, Model) else (None, place)
        run = place if (place / "settings.toml").is_file() else None
        self.name = type(model.network).__name__ if model and not run else place.absolute().name
        self.file = None if model else model_file(place)
        self.gallery, self.training = Gallery(run), Training(run)
        self._loading, self._stamp, self._looking = threading.Lock(), None, model and Looking(model)
        if model:
            self.gallery.know(model)
        elif self.file.exists() or run is None:
            self.looking  # noqa: B018 - what cannot be loaded is said now
        self.given = [self._begin_with(picture, f"array/{n}") for n, picture in enumerate(pictures)]

    def answer(self, request: Request) -> Reply:
        """The reply to an address of the API; Refusal 404 for any other."""
        for (method, *pattern), answer in _ROUTES.items():
            if method == request.method and len(pattern) == len(request.path):
                pairs = list(zip(pattern, request.path, strict=True))
                if all(part in ("*", given) for part, given in pairs):
                    return answer(self, request, *(given for part, given in pairs if part == "*"))
        raise Refusal(404, "there is no such address")

    @property
    def looking(self) -> Looking:
        """The model as it lies on the disk now; Refusal 409 while there is none."""
        with self._loading:
            try:
                stamp = self.file and self.file.stat().st_mtime_ns
            except OSError:
                stamp = None
            if self._looking is None and stamp is None and self.gallery.run is not None:
                going_on = self.training.state == "running"
                when = "it comes when the training ends" if going_on else "its training was cut short"
                raise Refusal(409, f"this run has no model yet: {when}")
            if self._looking is None or stamp not in (None, self._stamp):
                self._looking, self._stamp = Looking(load_model(self.file)), stamp
                self.gallery.know(self._looking.model)
            return self._looking

    def model(self, request: Request) -> Reply:
        facts = {"network": "", "task": "", "classes": [], "input_shape": [], "parameters": 0, "note": ""}
        facts |= {"one_label": True, "spatial": False, "shares": True, "error_is": "", "unit": Task.unit}
        try:
            facts |= self._model_facts()
        except Refusal as refusal:
            facts["note"] = str(refusal)
        return json_reply(
            {
                "name": self.name.removesuffix(".safetensors"),
                **facts,
                "run": self.gallery.run is not None,
                "training": self.training.state == "running",
                "first_picture": next(iter(self.given), None) or self.gallery.first(),
                "methods": [{"name": name, "label": m.label, "note": m.note} for name, m in METHODS.items()],
                "colours": colours.tables(),
                "inks": PALETTE,
            }
        )

    def _model_facts(self) -> dict:
        model = self.looking.model
        shape = model.preparation.shape
        return {
            "network": getattr(model.network, "text", type(model.network).__name__),
            "task": model.task.name,
            "classes": model.classes,
            **{name: getattr(model.task, name) for name in ("one_label", "spatial", "shares", "error_is", "unit")},
            "input_shape": (shape.channels, shape.height * shape.frames, shape.width),
            "form": shape.form,
            "nouns": NOUNS.get(shape.form),
            "symbols": KNOWN if shape.form == "text" else "",
            "parameters": sum(p.numel() for p in model.network.parameters()),
        }

    def pictures(self, request: Request) -> Reply:
        part, find = (request.query.get(name, "") for name in ("part", "find"))
        limit = min(request.whole("limit", 60), MOST_PICTURES)
        return json_reply(self.gallery.page(part, request.whole("offset", 0), limit, find))

    def drop(self, request: Request) -> Reply:
        entry = self.gallery.add(request.body, request.name or "picture")
        return json_reply({"id": entry.id, "name": entry.name})

    def image(self, request: Request, picture: str) -> Reply:
        return Reply(self.gallery.png(picture), "image/png")

    def drawn(self, request: Request, picture: str) -> Reply:
        """The picture with what the model says of it, and the truth where it is known (truth=0: without)."""
        both = None if request.query.get("truth") == "0" else self._with_truth(picture)
        return Reply(shown(self._drawn(picture) if both is None else both), "image/png")

    def truth(self, request: Request, picture: str) -> Reply:
        """Whether the truth is drawn on a picture, and what is seen then. Waits until the run's labels are read."""
        known = self._with_truth(picture) is not None
        return json_reply({"known": known, "legend": self.looking.model.task.legend if known else ""})

    def input(self, request: Request, picture: str) -> Reply:
        """The prepared picture; display: per channel, the values that stand for black and for full brightness; stored:
        the same two as they were in the file."""
        preparation = self.looking.model.preparation
        x = self.looking.input(self.gallery.prepared(picture).picture)
        low, high = ((edge - np.array(preparation.mean)) / preparation.std for edge in (0.0, 1.0))
        values = as_maps(x.numpy())
        stored = {"minimum": preparation.low, "maximum": preparation.high}
        return array_reply(values, display={"minimum": low, "maximum": high}, stored=stored, **figures(values))

    def trace(self, request: Request, picture: str) -> Reply:
        look, model = self._look(picture), self.looking.model
        order = np.argsort(-look.probabilities, kind="stable")
        said = [
            {"label": model.classes[i], "class": i, "probability": look.probabilities[i], "logit": look.logits[i]}
            for i in order.tolist()
        ]
        layers = [asdict(layer) | _extremes(look.trace.recording.values[layer.index]) for layer in look.trace.layers]
        entry, target = self.gallery.entry(picture), model.task.output_of(look.answer)
        about = {"name": entry.name, "truth": entry.truth, "said": model.task.say(look.answer), "target": target}
        return json_reply({"layers": layers, "predictions": said, "note": look.note, **about})

    def strip(self, request: Request, picture: str) -> Reply:
        seen = self._look(picture).trace
        tiles, channels, signed = zip(*(thumbnail(seen.maps(layer.index)) for layer in seen.layers), strict=True)
        return array_reply(np.stack(tiles), channels=channels, signed=signed)

    def maps(self, request: Request, picture: str, layer: str) -> Reply:
        seen = self._look(picture).trace
        values = seen.maps(_layer(layer))
        shown = as_maps(values)
        facts = {**figures(values), "zeros": float((values == 0).mean())}
        is_large = values.size > FULL_VALUES and max(-facts["minimum"], facts["maximum"]) < HALF_REACH
        return array_reply(shown.astype(np.float16 if is_large else np.float32), **facts)

    def explain(self, request: Request, picture: str, layer: str) -> Reply:
        seen, which, channel, place = self._cell(request, picture, layer)
        known = named(seen)
        steps = [
            {"layer": index, "name": known[index][0], "box": box_of(box, known[index][1])}
            for index, box in seen.lineage(which, *(place or (channel,)))
        ]
        chain = [plain_step(each, known) for each in seen.chain(which, channel, *place)]
        box = box_of(seen.field(which, *(place or (channel,))), known[-1][1])
        return json_reply({"chain": chain, "lineage": steps, "picture_box": box})

    def term(self, request: Request, picture: str, layer: str) -> Reply:
        seen, which, channel, place = self._cell(request, picture, layer)
        terms = plain_step(seen.explain(which, channel, *place, full=True), named(seen))["terms"]
        number = request.whole("term", 0)
        if not 0 <= number < len(terms):
            raise StriateError(f"a term is a number from 0 to {len(terms) - 1}", received=number, where="term")
        return json_reply(terms[number])

    def field(self, request: Request, picture: str, layer: str) -> Reply:
        seen, which, channel, place = self._cell(request, picture, layer)
        with self.looking.looks.making:
            request.require_waiting()
            values = as_plane(seen.actual_field(which, channel, *place))
        return array_reply(values, **figures(values))

    def filters(self, request: Request) -> Reply:
        form = self.looking.model.preparation.shape.form
        return json_reply({"layers": filters_of(self.looking.blank().trace, form)})

    def filter(self, request: Request, layer: str) -> Reply:
        values = filters_at(self.looking.blank().trace, _layer(layer))
        if values is None:
            raise Refusal(404, f"{layer} has no filters")
        return array_reply(values, **figures(values))

    def heatmap(self, request: Request, picture: str) -> Reply:
        wish, look = self._wish(request, picture)
        heat = self.looking.heat(wish, look, request)
        names = ("method", "layer", "target", "score", "total", "gap", "baseline", "warning")
        facts = {name: getattr(heat, name) for name in names}
        facts |= {**figures(heat.map), "maximum": heat.maximum, "signed": heat.signed, "grid": as_plane(heat.map).shape}
        return array_reply(as_plane(heat.on_picture), **facts)

    def heat_drawn(self, request: Request, picture: str) -> Reply:
        """The heatmap on its picture as a PNG: on a line, on letters, on the middle frame."""
        wish, look = self._wish(request, picture)
        return Reply(picture_png(self.looking.heat(wish, look, request).drawn), "image/png")

    def trust(self, request: Request, picture: str) -> Reply:
        wish, look = self._wish(request, picture)
        found = self.looking.trust(wish, look, request)
        twin = found.twin
        if twin.ndim == 3:  # with the volume's own frames
            twin = enlarge(twin, (self.looking.model.preparation.shape.frames, *twin.shape[1:]))
        step = max(1, -(-max(twin.shape[-2:]) // TWIN_SIDE))
        thin = (..., *[slice(None, None, step)] * min(twin.ndim, 2))
        return json_reply(asdict(found) | {"twin": as_plane(twin[thin])})

    def overview(self, request: Request) -> Reply:
        return json_reply(self.training.overview())

    def events(self, request: Request) -> Reply:
        return Reply(self.training.events, "text/event-stream")

    def snapshot(self, request: Request, number: str) -> Reply:
        layer = request.query.get("layer", "0") if request.path[-1] == "maps" else None
        return self.training.snapshot(int(number) if number.isdecimal() else -1, layer)

    def mistakes(self, request: Request) -> Reply:
        return json_reply({"rows": self.gallery.mistakes()})

    def embedding(self, request: Request) -> Reply:
        """Thumbnails of pictures of the run, and where they lie by what the last layer goes by."""
        found = self._spread(request)
        return array_reply(found.thumbnails, **found.told())

    def near(self, request: Request, picture: str) -> Reply:
        found, stored = self._spread(request), self.gallery.prepared(picture).picture
        return json_reply(found.near(picture, self.looking.embed(stored[None])[0]))

    def kernels(self, request: Request) -> Reply:
        names = [name for name in kernels.kernel_names() if name != "sobel"]  # that one is two filters
        texts = {name: f"gabor size={MOST_CELLS}" if name == "gabor" else name for name in names}
        made = [{"name": name, "label": name.capitalize(), "rows": kernels.kernel(texts[name])} for name in names]
        return json_reply({"kernels": made})

    def _begin_with(self, picture: Path | np.ndarray, name: str) -> str:
        name = getattr(picture, "name", name)
        try:
            return self.gallery.add(self.gallery.bytes_of(picture), name).id
        except Unreadable as error:
            raise StriateError("the picture must be readable", received=error, where=name) from error

    def _drawn(self, picture: str, target: Target | None = None) -> np.ndarray:
        """Made small first, so that thin lines stay visible."""
        seen = small(self.gallery.seen(self.gallery.pixels(picture)))
        return self.looking.model.task.drawn(seen, self._look(picture).answer, target)

    def _with_truth(self, picture: str) -> np.ndarray | None:
        """The picture with answer and truth; None where nothing can be drawn, or the truth is not known (any more)."""
        task, entry = self.looking.model.task, self.gallery.entry(picture)
        target = self.gallery.target(entry.name) if task.legend and entry.part != YOURS else None
        target = None if target is None else task.known(target)[0]
        if target is None:
            return None
        try:
            return self._drawn(picture, target)
        except Unreadable:  # of another size than its mask, as it was changed
            return None

    def _spread(self, request: Request) -> Embedding:
        make = partial(Embedding.of, self.looking.embed, self.gallery, request, self.looking.model.passes.operations)
        return self.looking.spread.take("", make, lambda found: found.bytes)

    def _look(self, picture: str) -> Seen:
        return self.looking.look(picture, lambda: self.gallery.prepared(picture))

    def _cell(self, request: Request, picture: str, layer: str) -> tuple[Trace, int | str, int, tuple[int, ...]]:
        """The trace, the layer, and the channel and position asked for; a vector has no position, a line has x."""
        seen = self._look(picture).trace
        shape = seen.layers[seen.index(_layer(layer))].output_shape
        place = place_of(request.whole("y", 0), request.whole("x", 0), shape)
        return seen, _layer(layer), request.whole("channel", 0), place

    def _wish(self, request: Request, picture: str) -> tuple[Wish, Seen]:
        look = self._look(picture)
        target = request.whole("target", self.looking.model.task.output_of(look.answer))
        versus = request.whole("versus") if request.query.get("versus") else None
        method, layer = request.query.get("method") or next(iter(METHODS)), request.query.get("layer")
        return Wish(picture, method, _layer(layer) if layer else None, target, versus), look


def _layer(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _extremes(values: torch.Tensor) -> dict[str, float]:
    """Smallest and largest finite number of a layer, for one colour range over all layers."""
    low, high = values.float().nan_to_num(0.0, 0.0, 0.0).aminmax()
    return {"minimum": float(low), "maximum": float(high)}


_ROUTES: dict[tuple[str, ...], Callable[..., Reply]] = {
    ("GET", "api", "model"): Glass.model,
    ("GET", "api", "pictures"): Glass.pictures,
    ("POST", "api", "pictures"): Glass.drop,
    ("GET", "api", "pictures", "*", "image"): Glass.image,
    ("GET", "api", "pictures", "*", "drawn"): Glass.drawn,
    ("GET", "api", "pictures", "*", "truth"): Glass.truth,
    ("GET", "api", "pictures", "*", "input"): Glass.input,
    ("GET", "api", "trace", "*"): Glass.trace,
    ("GET", "api", "trace", "*", "strip"): Glass.strip,
    ("GET", "api", "trace", "*", "maps", "*"): Glass.maps,
    ("GET", "api", "trace", "*", "explain", "*"): Glass.explain,
    ("GET", "api", "trace", "*", "terms", "*"): Glass.term,
    ("GET", "api", "trace", "*", "field", "*"): Glass.field,
    ("GET", "api", "filters"): Glass.filters,
    ("GET", "api", "filters", "*"): Glass.filter,
    ("GET", "api", "heatmap", "*"): Glass.heatmap,
    ("GET", "api", "heatmap", "*", "drawn"): Glass.heat_drawn,
    ("GET", "api", "trust", "*"): Glass.trust,
    ("GET", "api", "training"): Glass.overview,
    ("GET", "api", "training", "events"): Glass.events,
    ("GET", "api", "training", "snapshots", "*"): Glass.snapshot,
    ("GET", "api", "training", "snapshots", "*", "maps"): Glass.snapshot,
    ("GET", "api", "mistakes"): Glass.mistakes,
    ("GET", "api", "embedding"): Glass.embedding,
    ("GET", "api", "embedding", "near", "*"): Glass.near,
    ("GET", "api", "kernels"): Glass.kernels,
}
