"""A model: network, weights, preparation and class names, in memory and in one safe file."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

import striate
from striate.data.blocks import in_time, kin_in_time
from striate.data.guard import load_readable
from striate.data.header import Unreadable
from striate.data.load import Loaded, Source, Want
from striate.data.prepare import Preparation
from striate.data.sample import PARTS, Found
from striate.data.split import kin_of
from striate.data.wording import worded
from striate.device import PRECISIONS, choose_device, evaluated, memory_format
from striate.errors import StriateError, first_few
from striate.evaluate import seal
from striate.export.agreement import require_agreement, require_line
from striate.export.answers import Prediction, draw_answer, said, write_answers, write_scored
from striate.export.items import items
from striate.export.passes import Passes, Way
from striate.export.tensors import read_tensors, write_tensors
from striate.export.tiles import Size, answer_in_tiles, tile_for
from striate.export.underway import MODEL_FILE, Underway, by_range, model_file
from striate.files import without
from striate.network.build import Network, logits_of
from striate.tasks.task import Task, make_task

if TYPE_CHECKING:  # imported where they are used: a prediction starts sooner without
    from striate.export.look import Look
    from striate.export.whole import Written
    from striate.inside.heatmap import Heatmap
    from striate.inside.trust import Trust

File = str | Path | None
Sources = str | Path | np.ndarray | Sequence[str | Path | np.ndarray]


@dataclass(frozen=True, eq=False)  # which is itself alone, and may be the key of a cache
class Model:
    """A trained network with everything that stands between a picture file and a class name.

    mirror: average each picture with its mirror image (set when training mirrored pictures too).
    temperature: what logits are divided by before they become probabilities, found on the validation part
        (Guo et al. 2017); it changes how sure the model says it is, never which class it names.
    learned: marks of the pictures that it learned from, as `seal.learned_from` gives them.
    run: the run folder that it comes from, if any.
    precision: "fp32", or "auto": classes of large requests may then be found in bf16, where it is faster on this
        machine. What is decided is the same, and probabilities agree to about 0.01; see `passes`. "bf16": the same
        where that is already known. It is no part of the model file.
    """

    network: nn.Module = field(repr=False)
    task: Task
    preparation: Preparation
    mirror: bool = False
    temperature: float = 1.0
    about: dict = field(default_factory=dict)
    run: Path | None = None
    precision: str = "auto"
    learned: Sequence[str] = field(default=(), repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the outputs, in their order: always text, as `predicted` is, so "7" where labels were 7."""
        return self.task.classes

    @cached_property
    def passes(self) -> Passes:
        """How the network is run."""
        return Passes(self.network, self.task, self.preparation, self.mirror, self.temperature, self.precision)

    def save(self, path: str | Path) -> None:
        """Write the model as one .safetensors file: tensors and facts, never code."""
        require_line(self.network, "a model file holds a network written as a line of layers")
        header = {
            "line": self.network.text, "input_shape": list(self.network.input_shape),
            "task": self.task.name, "facts": asdict(self.task), "preparation": self.preparation.to_dict(),
            "mirror": self.mirror, "temperature": self.temperature,
            "about": {"striate": striate.__version__, "torch": torch.__version__, **self.about},
            "learned": list(self.learned),
        }  # fmt: skip
        write_tensors(Path(path), self.network.state_dict(), header)

    def export(self, path: str | Path) -> "Written":
        """Write the model for others: where the path ends in .html as a page that computes by itself, see
        `page.write_page`, else as an ONNX file, see `onnx.write_onnx`."""
        path = Path(path)
        if path.suffix.lower() in (".html", ".htm"):
            from striate.export.page import write_page

            run = self.run.absolute() if self.run and (self.run / "settings.toml").is_file() else None
            return write_page(self.passes, run.name if run else path.stem, run, path)
        from striate.export.onnx import write_onnx

        return write_onnx(self.passes, self.about, path, self.run)

    def input(self, stored: np.ndarray) -> torch.Tensor:
        """A prepared picture (H, W, C) as the network gets it (C, H, W), where the network is."""
        return self.passes.input(np.array(stored[None]))[0]

    def answers(self, pictures: np.ndarray, sizes: np.ndarray | None = None, way: Way | None = None) -> list:
        """What the task makes of the network's output for prepared pictures (N, H, W, C), as `prepare.fit` and the
        store give them; sizes: (N, 2) height, width that the pictures had before, for answers in their own pixels;
        way: as for `Passes.logits`."""
        said, first = [], 0
        for logits in self.passes.logits(pictures, way):
            own = None if sizes is None else sizes[first : first + len(logits)]
            said += list(self.task.decode(logits / self.temperature, own))
            first += len(logits)
        return said

    def logits(self, pictures: np.ndarray) -> torch.Tensor:
        """(N, outputs) of the network for prepared pictures (N, H, W, C), at least one, on the processor."""
        return torch.cat(list(self.passes.logits(pictures)))

    def predict(self, sources: Sources, workers: int = 2, tiles: Size | None = None) -> list[Prediction]:
        """Predictions, in order, for files, patterns, folders, films, "camera", Pillow's images or arrays (H, W[, C]).

        `predicted` is the name of a class, always text: compare it with y.astype(str) where labels y are numbers. A
        picture that cannot be read gets a prediction without a class and with the reason; the rest go on. Where no
        array of all that are given can be used, that is raised. tiles:
        height and width in pixels; larger pictures are cut into overlapping tiles of this size, each of which is seen
        as large as a whole picture (for boxes and masks; for masks of far larger pictures also without being asked).
        """
        answers = list(self.predict_each(sources, workers, tiles))
        if answers and all(one.reason and isinstance(one.source, np.ndarray) for one in answers):
            raise StriateError("arrays must fit the model", received=answers[0].reason, where=answers[0].path)
        return answers

    def predict_each(
        self, sources: Sources | Underway, workers: int = 2, tiles: Size | None = None
    ) -> Iterable[Prediction]:
        """The same, one after the other and in bounded memory; also for what is on its way already."""
        if tiles is not None and not self.task.spatial:
            self.task.joined([], [], tiles)  # which says what tiles are for
        if not isinstance(sources, Underway):
            sources = Underway(self._items(sources), self.preparation.shape, workers)
        elif sources.shape != self.preparation.shape:
            raise StriateError("a model file stays as it is while it is read", received="another one")
        return self._predicted(sources, tiles)

    def _predicted(self, asked: Underway, tiles: Size | None) -> Iterator[Prediction]:
        with closing(asked):
            yield from self.predict_loaded(asked, tiles)

    def predict_loaded(self, loaded: Iterable[tuple[str, Source, Loaded]], tiles: Size | None = None) -> Iterator:
        """Predictions for pictures that are decoded, as an `Underway` gives them."""
        for one in self._whole(loaded):
            if tile := one.size and tile_for(one.size, tiles, self.preparation.shape, self.about.get("scales")):
                try:
                    answer = answer_in_tiles(self.passes, self.answers, one.source, tile)
                    one = self._named(one.path, one.source, answer, one.size, one.note)
                except StriateError as error:
                    if not isinstance(error.__cause__, Unreadable):
                        raise
                    one = Prediction(path=one.path, reason=str(error.__cause__), source=one.source)  # it has gone since
                if isinstance(loaded, Underway):
                    loaded.cut += tiles is None
            yield one

    def _whole(self, loaded: Iterable[tuple[str, Source, Loaded]]) -> Iterator[Prediction]:
        way, each, prepared = None, iter(loaded), self.preparation  # as the first are answered, all are
        other = f"A picture {by_range(prepared.shape)}"
        while chunk := list(islice(each, self.passes.chunk(way))):
            good = [one for *_, one in chunk if one.picture is not None]
            sizes = np.array([one.size for one in good]) if self.task.spatial else None
            own = iter([None] * len(good) if sizes is None else map(tuple, sizes.tolist()))
            pictures = np.stack([one.picture for one in good]) if good else ()
            way = way or (self.passes.way_for(pictures) if good else None)
            said = iter(self.answers(pictures, sizes, way) if good else ())
            for name, source, one in chunk:
                if one.problem:
                    yield Prediction(path=name, reason=str(one.problem), source=source)
                else:
                    note = prepared.strange(one.picture) if one.depth == prepared.shape.depth else other
                    yield self._named(name, source, next(said), next(own), note)

    def embed(self, sources: Sources, workers: int = 2) -> np.ndarray:
        """(N, D) float32, a row for each picture, in order: the numbers that the network's last layer goes by (see
        `inside.embedding`), to search or cluster by; NaN where a picture cannot be read. sources: as for `predict`.
        """
        rows, asked = [], Underway(self._items(sources), self.preparation.shape, workers)
        with closing(asked):
            each = iter(asked)
            while chunk := [one.picture for *_, one in islice(each, self.passes.chunk(None))]:
                good = [picture for picture in chunk if picture is not None]
                told = iter(self.passes.embed(np.stack(good)) if good else ())
                rows += [None if picture is None else next(told) for picture in chunk]
        blank = np.full(next((len(row) for row in rows if row is not None), 0), np.nan, np.float32)
        return np.array([blank if row is None else row for row in rows], np.float32)

    def evaluate(
        self, source: File | tuple, part: str | None = None, workers: int = 2, out: File = None, **labels_from: File
    ) -> dict:
        """The scores of this model on labelled pictures (a folder of classes, a table, arrays X, y).

        part: only this part of a folder or table. out: a CSV file with a line for each picture, as predictions.csv.
        labels_from: labels, label_column, columns, label_regex, group, as for train; groups, copies and, after --split
        blocks, what is near in time widen intervals. The result is a part's record in scores.json and "left_out", of
        {path, reason}, boxes and areas too; "openings" of most as a run's test part, "learned" which share, "note".
        """
        if hasattr(part, "__len__") and not isinstance(part, str):  # labels, as scikit-learn has them
            source, part = (source, part), None
        if part not in (None, *PARTS):
            raise StriateError(f"a part is one of {', '.join(PARTS)}", received=part, where="--part")
        found = self._labelled(source, part, **labels_from)
        left = [{"path": item.path, "reason": item.reason} for item in (*found.left_out, *found.mended)]
        known = [(s, *self.task.known(s.target)) for s in found.samples]
        left += [{"path": s.path, "reason": why} for s, _, why in known if why]
        samples = [replace(s, target=target) for s, target, _ in known if target is not None]
        asked = Underway(((s.path, s.source) for s in samples), self.preparation.shape, workers, hashed=True)
        predictions = list(self.predict_each(asked))
        left += [{"path": s.path, "reason": p.reason} for s, p in zip(samples, predictions, strict=True) if p.reason]
        scored = [(s, p) for s, p in zip(samples, predictions, strict=True) if not p.reason]
        strange = any(why for *_, why in known) and not any(self.task.counts([s.target for s, _ in scored]).values())
        if strange or not scored:
            received = first_few([f"{item['path']} ({item['reason']})" for item in left], 3) or "none"
            rule = "an evaluation needs at least one readable picture of a known class"
            remedy = f"the model knows {first_few(self.classes, 10)}"
            raise StriateError(rule, received=received, where=found.root, remedy=remedy)
        kept = [s for s, _ in scored]
        contents = [content for content, p in zip(asked.contents, predictions, strict=True) if not p.reason]
        kin = kin_in_time(kept) if self.about.get("split") == "blocks" else kin_of(kept, contents)
        scores = self.task.scores([s.target for s in kept], [p.answer for _, p in scored], self.about, kin)
        if out is not None:
            told = [(s.path, p.answer, s.part or "", s.target, k) for (s, p), k in zip(scored, kin, strict=True)]
            write_scored(Path(out), self.task, told)
        scores |= seal.seen_before(contents, self.learned)
        if self.run and (opened := seal.open_again(self.run, contents, f"evaluate {found.root}", scores)):
            scores["openings"] = opened
        return {**scores, "note": asked.note, "left_out": left}

    def _labelled(self, source: str | Path | tuple, part: str | None, **labels_from: str | Path | None) -> Found:
        """Samples of the form and for the task that the model was trained for, all or those of one part."""
        from striate.data.sources import read_source

        form, pick, about = self.preparation.shape.form, self.preparation.shape.pick, self.about
        known = {"text": about.get("text"), "read": about.get("series"), "page": pick.page, "apart": pick.words}
        asked = {"form": form if form in ("series", "volume") else "auto", **known, **labels_from}
        found = read_source(source, task=self.task.targets or self.task.name, **asked)
        if found.form != form:
            rule, received = (worded("pictures", name) for name in (form, found.form))
            raise StriateError(f"this model was trained on {rule}", received=received, where=found.root)
        return (in_time(found) if about.get("split") == "blocks" else found).of_part(part)

    def look(self, picture: str | Path | np.ndarray) -> "Look":
        """One picture, a file or an array (H, W[, C]), on its way through the network: layers, maps, arithmetic.

        The model's answer may be the mean over the picture and its mirror image; looked at is the picture itself.
        """
        return self.look_at(*self._one(picture))

    def _one(self, picture: object) -> tuple[np.ndarray, str]:
        """What is prepared of one picture (H, W, C), and its name."""
        few = list(islice(self._items(picture), 2))
        if not few or (len(few) > 1 and self.preparation.shape.form == "picture"):
            where = few[0][0] if few else None
            raise StriateError("one picture is looked at", received=f"{len(few)} or more", where=where)
        return load_readable(few[0][1], Want(shape=self.preparation.shape), few[0][0]).picture, few[0][0]

    def look_at(self, stored: np.ndarray, name: str, answer: object = None) -> "Look":
        """The same for a prepared picture (H, W, C), as `prepare.fit` and the store give it; answer: the model's, where
        it is known."""
        from striate.export.look import Look
        from striate.inside.trace import trace

        stored = np.array(stored)  # a picture's own pixels may be read-only, which torch does not like
        with evaluated(self.network), torch.no_grad():
            answer, x = self.answers(stored[None])[0] if answer is None else answer, self.input(stored)
            note = self.passes.note(logits_of(self.network, x[None]))
        told, seen = said(self.task, answer), trace(self.network, x, self.classes)
        return Look(name, stored, seen, self.task.by_class(answer), told, self.preparation.shape, note)

    def heatmap(
        self, picture: str | Path | np.ndarray, of: object = None, method: str = "hirescam", **settings: object
    ) -> "Heatmap":
        """Where on a picture the evidence lies for the output called `of` (7 as well as "7"), by default for what is
        predicted; method and settings as for `striate.heatmap` (versus: a name too), and the score is the task's own.
        `save` writes it as a PNG file with its legend, and `Model.trust` says how far to believe it."""
        from striate.export.evidence import heatmap_of, output_named

        stored, versus = self._one(picture)[0], settings.pop("versus", None)
        index = self.task.output_of(self.answers(stored[None])[0]) if of is None else output_named(self.task, of)
        versus = None if versus is None else output_named(self.task, versus)
        return heatmap_of(self.passes, stored, index, method, versus=versus, **settings)

    def trust(self, heat: "Heatmap") -> "Trust":
        """How far to believe a heatmap that this model made: the evidence beside it, see `striate.inside.trust`."""
        from striate.inside.trust import trust

        return trust(self.network, torch.from_numpy(heat.picture).to(next(self.network.parameters()).device), heat)

    def _items(self, sources: object) -> Iterable[tuple[str, Source]]:
        return items(sources, self.preparation.shape, self.about)

    def _named(self, name: str, source: Source, answer: object, size: tuple[int, int] | None, note: str) -> Prediction:
        return Prediction(
            path=name, predicted=self.task.target_of(answer), confidence=self.task.confidence(answer),
            probabilities=self.task.by_class(answer), size=size, answer=answer, source=source, note=note,
        )  # fmt: skip

    def save_predictions(self, path: str | Path, predictions: Iterable[Prediction]) -> None:
        """Write predictions as `striate predict --out` does: FILE.csv, or another form that the task has."""
        write_answers(self.task, [(one.path, one.answer, one.size) for one in predictions], Path(path))

    def draw_into(self, folder: Path, prediction: Prediction) -> Path:
        """Write the picture of a prediction, at its own size and with what was predicted drawn on it, into `folder`
        as a PNG file of its name, with a number where that is taken."""
        return draw_answer(self.task, self.preparation.shape, prediction, folder)


def load_model(path: str | Path, device: str | torch.device = "cpu", precision: str = "auto") -> Model:
    """The model in a run folder (or of a Run) or a .safetensors file; loading never runs anything found in the file.
    device: as for `choose_device`. precision: as in Model."""
    path = getattr(path, "folder", path)
    if precision not in PRECISIONS:
        raise StriateError(f"a precision is one of {', '.join(PRECISIONS)}", received=precision, where="precision")
    file = model_file(path)
    if not file.is_file():
        raise without(Path(path), MODEL_FILE, "a model is a run folder or a model file")
    tensors, header = read_tensors(file)
    try:
        network = Network(header["line"], tuple(header["input_shape"]))
        network.load_state_dict(tensors)
        task = make_task(header["task"], header["facts"])
        preparation = Preparation.from_dict(header["preparation"])
        mirror, temperature = bool(header["mirror"]), float(header["temperature"])
        about, learned = dict(header["about"]), tuple(map(str, header.get("learned", ())))
        require_agreement(network, task, preparation, temperature)
    except (KeyError, TypeError, ValueError, RuntimeError, StriateError) as error:
        received = f"{type(error).__name__}: {error}"
        raise StriateError("a model file's facts must fit its network", received=received, where=file) from error
    network = network.to(choose_device(device), memory_format=memory_format(len(network.input_shape) + 1))
    return Model(network.eval(), task, preparation, mirror, temperature, about, file.parent, precision, learned)
