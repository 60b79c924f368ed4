"""Objects on a picture: where each is, as a box, and of which class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from striate import files
from striate.augment.recipe import Recipe
from striate.data.annotated import box_texts
from striate.data.boxtable import HEADER, box_rows
from striate.data.coco import coco_record
from striate.data.prepare import Shape
from striate.data.sample import Boxes, Found, class_order, text_of
from striate.draw import charts
from striate.draw.boxes import draw_boxes
from striate.errors import StriateError, first_few
from striate.evaluate.boxes import best_threshold, detection_scores, hit_or_miss, recall_precision
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters
from striate.network.auto import normed
from striate.network.build import shape_text
from striate.tasks import centres
from striate.tasks.task import Floor, Task

TOLD = 0.3  # an answer is told from this confidence on, until the validation part knows better
SMALLEST = 16  # pixels that a small object should have on the picture that the network sees
LARGEST_SIDE = 512  # of that picture's shorter side
MOST_JOINED = 5000  # boxes of a picture that was cut into tiles
MORE = 3  # times the boxes of the fullest training picture
FEW = 0.05  # share of the objects that may be smaller


@dataclass(frozen=True)
class Detection(Task):
    """Boxes of classes. An answer is `Boxes` with confidences in pixels of the picture's own size; see `centres`.

    reach: the typical half width and half height of a box in the training part, as shares of the picture's sides.
    threshold: the confidence from which an answer is told, drawn and counted; the mAP looks at all. most: how many
    objects of a picture are looked at.
    """

    reach: tuple[float, float] = (0.1, 0.1)
    threshold: float = TOLD
    most: int = centres.MOST

    name: ClassVar[str] = "detection"
    measure: ClassVar[str] = "found"
    spatial: ClassVar[bool] = True
    smooths: ClassVar[bool] = False
    tunes: ClassVar[bool] = True
    error_is: ClassVar[str] = "objects missed and boxes too many"
    legend: ClassVar[str] = "Boxes are what was told; dashed ones were missed."
    longest: ClassVar[int] = 192
    step: ClassVar[int] = 32
    batch_pixels: ClassVar[int] = 1 << 21
    written: ClassVar[Mapping[str, str]] = {".csv": "FILE.csv", ".json": "FILE.json (COCO)", "": "a folder (YOLO)"}

    @classmethod
    def side(cls, found: Found) -> int:
        """As many as give the smallest objects SMALLEST pixels, from `longest` to LARGEST_SIDE."""
        boxes = [_real(sample.target).corners / min(sample.target.size) for sample in found.samples]
        sides = np.sqrt(np.concatenate([(box[:, 2:] - box[:, :2]).prod(axis=1) for box in boxes] or [np.zeros(0)]))
        if not len(sides):
            return cls.longest
        wanted = SMALLEST / max(float(np.percentile(sides, 100 * FEW)), 1e-6)
        return int(np.clip(np.ceil(wanted / cls.step) * cls.step, cls.longest, LARGEST_SIDE))

    @classmethod
    def of(cls, found: Found, targets: Sequence[Boxes], options: Mapping[str, object]) -> Self:
        classes = class_order(name for target in targets for name in _real(target).names)
        if not classes:
            lost = [item.said for item in (*found.left_out, *found.mended)]
            received = f"no box on any picture{'; not used: ' if lost else ''}{first_few(lost, 3)}"
            raise StriateError("a detector learns from boxes", received=received, where=found.root)
        return cls(tuple(classes))

    def fitted(self, targets: Sequence[Boxes]) -> Self:
        sides = np.concatenate([_shares(_real(target)) for target in targets] or [np.zeros((0, 4))])
        if not len(sides):
            return self
        halves = np.exp(np.log(np.maximum(sides[:, 2:] - sides[:, :2], 1e-4)).mean(axis=0)) / 2
        most = max(centres.MOST, MORE * max(len(target.names) for target in targets))
        return replace(self, reach=(float(halves[0]), float(halves[1])), most=most)

    def tuned(self, targets: Sequence[Boxes], answers: Sequence[Boxes], clusters: Clusters = None) -> Self:
        """With the threshold that gives the best F1 on the validation part."""
        return replace(self, threshold=best_threshold(targets, answers, self.threshold))

    def counts(self, targets: Sequence[Boxes]) -> dict[str, int]:
        return super().counts([_real(target) for target in targets])

    def recipe(self, usual: Recipe) -> Recipe:
        """Sizes and light vary too; what comes in from outside is plain, since a mirrored object would have no box."""
        return replace(usual, shift=0.1, zoom=0.15, brightness=0.1, contrast=0.2, fill="constant", value=0.5)

    def auto_line(self, channels: int, height: int, width: int, base: int) -> str:
        """Maps at a quarter, an eighth, ... of the picture's size, put together again at a quarter (as in a U-Net)."""
        depth = next((steps for steps in (3, 2, 1) if min(height, width) >= 2 ** (steps + 4)), 0)
        inner = ""
        for step in range(depth, 0, -1):
            wide = base * (step + 1)
            down, residual = normed(wide, "3 stride=2 padding=1"), f"residual({normed(wide, 3)})"
            smaller = f"{inner}, {normed(wide, 1)}, " if inner else ""
            inner = f"skip({down}, {residual}, {smaller}{residual}, {normed(base * step, 1)})"
        stem, residual = normed(base, "8 stride=4"), f"residual({normed(base, 3)})"
        smaller = f"{inner}, {normed(base, 1)}, {residual}, " if inner else ""
        return f"{stem}, {residual}, {smaller}conv classes 1"

    @property
    def outputs(self) -> int:
        return len(self.classes) + 4

    def require_output(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] != self.outputs:
            rule = "a detector's network ends in maps: one per class, and four for the sides of boxes"
            received = f"{shape_text(shape)} where {self.outputs} maps are needed"
            raise StriateError(rule, received=received, where="--network", remedy="end it with `conv classes 1`")

    def encode(self, targets: Sequence[Boxes], sizes: np.ndarray, shape: Shape) -> Tensor:
        """(N, 1 + M, 5) float32 for at most M boxes on a picture; see `centres`."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        most = max((len(target.names) for target in targets), default=0)
        encoded = torch.zeros(len(targets), 1 + most, 5)
        encoded[:, :, 0] = centres.EMPTY
        encoded[:, 0, :3] = torch.tensor([centres.SIZE, shape.width, shape.height])
        for row, (target, (height, width)) in enumerate(zip(targets, sizes.tolist(), strict=True)):
            for place, (name, corners, ignored, _) in enumerate(target.each(), start=1):
                kind = centres.IGNORED if ignored else numbers.get(name, centres.IGNORED)
                edges = np.array(corners) / (width, height, width, height)
                encoded[row, place] = torch.tensor([kind, *edges.tolist()])
        return encoded

    def move(self, encoded: Tensor, sources: Tensor, recipe: Recipe) -> Tensor:
        return centres.moved(encoded, sources)

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        return centres.centre_loss(logits, encoded, self.reach, weights)

    def hits(self, logits: Tensor, encoded: Tensor) -> float:
        return centres.found_shares(logits, encoded, self.reach)

    def unmirrored(self, logits: Tensor) -> Tensor:
        return centres.mirrored_back(logits)

    def decode(self, logits: Tensor, sizes: np.ndarray | None = None) -> list[Boxes]:
        answers = []
        for row, (kinds, boxes, sure) in enumerate(centres.peaks(logits.detach().float().cpu(), self.reach, self.most)):
            height, width = (1, 1) if sizes is None else sizes[row].tolist()
            corners = boxes.double().numpy() * (width, height, width, height)
            names = tuple(self.classes[kind] for kind in kinds.tolist())
            answers.append(Boxes(names=names, corners=corners, confidence=sure.double().numpy(), size=(height, width)))
        return answers

    def joined(
        self, answers: Sequence[Boxes], tiles: Sequence[tuple[int, int, int, int]], size: tuple[int, int]
    ) -> Boxes:
        """The boxes of all tiles, once each: what a tile's inner edge cuts is left to the tile that has it whole. Large
        boxes, which no tile need have whole, go where another one shows more of the same, or are put together."""
        names, corners, sure, cuts = [], [np.zeros((0, 4))], [np.zeros(0)], [np.zeros((0, 4))]
        for answer, (y0, y1, x0, x1) in zip(answers, tiles, strict=True):
            moved = answer.corners + np.array([x0, y0, x0, y0])
            inner = np.array([x0 > 0, y0 > 0, x1 < size[1], y1 < size[0]])
            near = np.abs(moved - (x0, y0, x1, y1)) < 0.01 * max(y1 - y0, x1 - x0)
            large = (answer.corners[:, 2:] - answer.corners[:, :2] > 0.2 * np.array([x1 - x0, y1 - y0])).any(axis=1)
            cut = (near & inner).any(axis=1)
            kept = np.flatnonzero(~cut | large)
            cuts.append(np.where(cut[kept, None], (x0, y0, x1, y1), np.nan))
            names += [answer.names[place] for place in kept]
            corners.append(moved[kept])
            sure.append(answer.confidence[kept])
        boxes, chances = np.concatenate(corners), np.concatenate(sure)
        order = np.argsort(-chances, kind="stable")[:MOST_JOINED]
        kinds = np.array([self.classes.index(names[place]) for place in order], np.int64)
        cuts = np.concatenate(cuts)[order]
        boxes[order], first = _united(kinds, boxes[order], chances[order], cuts)
        first[first] = ~_pieces(kinds[first], boxes[order[first]], chances[order[first]], cuts[first])
        order, kinds = order[first], torch.from_numpy(kinds[first])
        kept = order[centres.suppressed(kinds, torch.from_numpy(boxes[order])).numpy()]
        told = tuple(names[place] for place in kept)
        return Boxes(names=told, corners=boxes[kept], confidence=chances[kept], size=size)

    def score(self, logits: Tensor, index: int, whole: Tensor | None = None) -> Tensor:
        """The mean evidence for the objects of a class that are told; for the surest where none is."""
        first = centres.centre_logits(logits if whole is None else whole)[:, index].detach()
        sure = first.sigmoid()
        told = sure >= sure.amax((1, 2), keepdim=True).clamp(max=self.threshold)
        told &= centres.is_peak(first[:, None])[:, 0]
        return (centres.centre_logits(logits)[:, index] * told).sum((1, 2)) / told.sum((1, 2))

    def per_class(self, answer: Boxes) -> np.ndarray:
        """How sure the surest object of every class is."""
        best = np.zeros(len(self.classes))
        np.maximum.at(best, np.array([self.classes.index(name) for name in answer.names], int), answer.confidence)
        return best

    def target_of(self, answer: Boxes) -> Boxes:
        """The boxes that are sure enough to be told."""
        kept = np.flatnonzero(answer.confidence >= self.threshold)
        names = tuple(answer.names[place] for place in kept)
        return replace(answer, names=names, corners=answer.corners[kept], confidence=answer.confidence[kept])

    def say(self, answer: Boxes) -> str:
        return super().say(answer) or "nothing"

    def record(self, answer: Boxes) -> dict:
        """The boxes that are told, each with its x0, y0, x1, y1 in pixels of the picture."""
        told = self.target_of(answer)
        boxes = [{"name": name, "box": box, "confidence": sure} for name, box, _, sure in told.each()]
        return super().record(answer) | {"predicted": boxes}

    def header(self) -> tuple[str, ...]:
        return ("predicted", *(f"n_{name}" for name in self.classes))

    def row(self, answer: Boxes) -> tuple[str, ...]:
        names = self.target_of(answer).names
        return (self.say(answer), *(str(names.count(name)) for name in self.classes))

    def columns(self) -> tuple[str, ...]:
        return (*HEADER[1:], "confidence")

    def lines(self, answer: Boxes) -> list[tuple[str, ...]]:
        """A box a line, all that are sure by 1 % or more; an empty one for a picture without."""
        return [tuple(map(str, row[1:])) for row in box_rows([("", answer)])]

    def save(self, out: Path, told: Sequence[tuple[str, Boxes, tuple[int, int]]]) -> None:
        """FILE.json in the form of COCO with scores; a folder of YOLO texts with confidences. Both hold all boxes that
        are sure by 1 % or more, as a mAP needs them."""
        pictures = [(path, replace(answer, size=size)) for path, answer, size in told]
        if out.suffix.lower() == ".json":
            files.write_json(out, coco_record(pictures, self.classes))
            return
        named = zip(files.own_names(path for path, _ in pictures), (boxes for _, boxes in pictures), strict=True)
        for name, text in box_texts("yolo", [*named], self.classes):
            files.write_text(out / name, text)

    def known(self, target: Boxes) -> tuple[Boxes, str]:
        """The picture with the objects of the model's classes: what it takes for others is wrong there too."""
        if not isinstance(target, Boxes):  # labels that were changed since
            return super().known(target)
        unknown = np.array([not ignored and name not in self.classes for name, _, ignored, _ in target.each()], bool)
        if not unknown.any():
            return target, ""
        said = text_of(_chosen(target, unknown))
        return _chosen(target, ~unknown), f"no class of the model: {said}, not scored"

    def floor(self, targets: Sequence[Boxes]) -> dict[str, object]:
        return {}

    def scores(
        self, targets: Sequence[Boxes], answers: Sequence[Boxes], floor: Floor, clusters: Clusters = None
    ) -> dict:
        said = {"main": "map50", "baseline": 0.0 if len(targets) else None, "baseline_is": "no box anywhere"}
        return detection_scores(targets, answers, self.classes, threshold=self.threshold, clusters=clusters) | said

    def errors(self, targets: Sequence[Boxes], answers: Sequence[Boxes]) -> np.ndarray:
        """Objects missed and boxes too many on every picture."""
        told = (hit_or_miss(*pair, self.threshold) for pair in zip(targets, answers, strict=True))
        return np.array([len(missed) + extra for _, missed, extra in told], np.float64)

    def best(self, targets: Sequence[Boxes], answers: Sequence[Boxes], most: int) -> list[int]:
        """Pictures without a mistake, those with most objects first."""
        right = np.flatnonzero(self.errors(targets, answers) == 0).tolist()
        return sorted(right, key=lambda place: -len(targets[place].names))[:most]

    def figures(self, targets: Sequence[Boxes], answers: Sequence[Boxes], record: dict) -> dict[str, Figure]:
        return {
            "recall_precision": Figure(
                charts.recall_curves(recall_precision(targets, answers, self.classes)),
                "Precision over recall for every class",
                "How many boxes are right as more and more objects are found, at an overlap (IoU) of 0.5; the area "
                "under a curve is the class's AP50.",
            )
        }

    def drawn(self, picture: np.ndarray, answer: Boxes, target: Boxes | None = None) -> np.ndarray:
        """Boxes in the colours of their classes; true ones that were not found are dashed."""
        told, edges = self.target_of(answer), np.tile(picture.shape[1::-1], 2)  # it may have been stretched
        captions = [f"{name} {100 * sure:.0f}" for name, sure in zip(told.names, told.confidence, strict=True)]
        corners, names, dashed = _shares(told) * edges, list(told.names), [False] * len(told.names)
        if target is not None:
            missed = hit_or_miss(target, told, self.threshold)[1].tolist()
            corners = np.concatenate([corners, _shares(target)[missed] * edges])
            names += [target.names[place] for place in missed]
            captions += [target.names[place] for place in missed]
            dashed += [True] * len(missed)
        kinds = [self.classes.index(name) if name in self.classes else len(self.classes) for name in names]
        return draw_boxes(picture, corners, kinds, captions, dashed)

    def seen(self, picture: np.ndarray, encoded: Tensor) -> np.ndarray:
        """True boxes; those that are neither right nor wrong are dashed."""
        kinds, shares = encoded[:, 0].int().numpy(), encoded[:, 1:].numpy()
        real = (kinds >= 0) | (kinds == centres.IGNORED)
        return draw_boxes(picture, shares[real] * np.tile(picture.shape[1::-1], 2), kinds[real], dashed=kinds[real] < 0)


def _real(target: Boxes) -> Boxes:
    """The boxes without those to be ignored."""
    if target.ignored is None:
        return target
    return replace(_chosen(target, ~np.asarray(target.ignored, bool)), ignored=None)


def _chosen(target: Boxes, chosen: np.ndarray) -> Boxes:
    """Some boxes of a picture; chosen: (N,) of bool."""
    names = tuple(name for name, is_chosen in zip(target.names, chosen, strict=True) if is_chosen)
    ignored = None if target.ignored is None else np.asarray(target.ignored)[chosen]
    return replace(target, names=names, corners=target.corners[chosen], ignored=ignored)


def _pieces(kinds: np.ndarray, boxes: np.ndarray, sure: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """(N,) whether a box is but a piece of a larger one of its class that is half as sure at the least: what the tile
    that cuts it (cuts: its corners, NaN where none does) holds of that one is the same."""
    areas, found = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1), np.zeros(len(boxes), bool)
    for place in np.flatnonzero(np.isfinite(cuts[:, 0])):
        others = (kinds == kinds[place]) & (areas > areas[place]) & (2 * sure >= sure[place])
        found[place] = _alike(boxes[place], boxes[others], cuts[place, :2], cuts[place, 2:]).any()
    return found


def _united(kinds: np.ndarray, boxes: np.ndarray, sure: np.ndarray, cuts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes, surest first, and (N,) whether each stays: pieces of an object that are the same where both their
    tiles see it, and about as sure, are one in the place of the surest."""
    groups, boxes, cut = np.arange(len(boxes)), boxes.copy(), np.flatnonzero(np.isfinite(cuts[:, 0]))
    for place in cut:
        near = cut[(cut >= place) & (kinds[cut] == kinds[place]) & (2 * sure[cut] >= sure[place])]
        low, high = np.maximum(cuts[place, :2], cuts[near, :2]), np.minimum(cuts[place, 2:], cuts[near, 2:])
        same = groups[near[_alike(boxes[place], boxes[near], low, high)]]
        groups[np.isin(groups, same)] = same.min(initial=groups[place])
    np.minimum.at(boxes[:, :2], groups, boxes[:, :2])
    np.maximum.at(boxes[:, 2:], groups, boxes[:, 2:])
    return boxes, groups == np.arange(len(boxes))


def _alike(box: np.ndarray, others: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(N,) whether between two corners (2,) or (N, 2) a box and each of the others (N, 4) are the same."""
    seen = (np.clip(one, np.tile(low, 2), np.tile(high, 2)) for one in (box, others))
    both, either = centres.shared(*map(torch.from_numpy, seen))
    return (both > centres.SAME * either).numpy()


def _shares(target: Boxes) -> np.ndarray:
    """The corners (N, 4) as shares of the sides of their picture."""
    return target.corners / np.tile(target.size[::-1], 2)
