"""A class for every pixel: cross-entropy and Dice together, answers as label maps of the picture's own size."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate import files
from striate.augment.geometry import RECTANGLE, SQUARE, move_labels
from striate.augment.recipe import Recipe, parse
from striate.data.labelmap import UNKNOWN, png_of, read_labels, read_objects, resampled, tiff_of
from striate.data.prepare import Shape, continued, placed
from striate.data.sample import BACKGROUND, Found, Mask, evenly
from striate.data.vocabulary import class_list
from striate.draw import charts
from striate.draw.areas import palette, with_areas
from striate.errors import StriateError, first_few
from striate.evaluate.areas import Pair, area_scores, iou, pixel_counts
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters
from striate.evaluate.objects import best_neck, measured, objects_in
from striate.network.auto import unet_line
from striate.network.build import shape_text
from striate.tasks.areas import Areas, fitting, halved, lies_alike, shares_of
from striate.tasks.task import Floor, Task

CHANGES = "rotate 20, zoom 0.25, shift 0.1, brightness 0.15, contrast 0.4, fill reflect"
MEASURED = 200  # masks of the training part that are looked at for shares and sides
LEAST_SHARE = 1e-3  # of the pixels, that a class is weighed by where it has fewer
TUNED = 32  # validation pictures that choose the neck
NECK = 0.8  # where there are none
OBJECTS = ("numbers", "objects", "polygons")  # kinds of masks that tell objects from each other
MEASURES = ("path", "mask", "object", "class", "area", "x", "y", "left", "top", "width", "height")


@dataclass(frozen=True)
class Segmentation(Task):
    """Pictures with a mask each. An answer is an `Areas`.

    usual: the mean share that each class has of the training part's masks. turns: whether turned pictures are learned
    from and asked about as well: as these masks lie alike whichever side is up, or as was asked for. apart: whether
    masks of the training part tell objects from each other. neck: where areas are cut into objects (see `objects_in`).
    """

    usual: tuple[float, ...] = ()
    turns: bool | None = None
    apart: bool = False
    neck: float = 0.0

    name: ClassVar[str] = "segmentation"
    measure: ClassVar[str] = "iou"
    spatial: ClassVar[bool] = True
    error_is: ClassVar[str] = "what is missing to a mean IoU of 1"
    legend: ClassVar[str] = "Coloured is what was told; the true outlines are white."
    longest: ClassVar[int] = 512
    step: ClassVar[int] = 16
    mirrored: ClassVar[bool] = True
    crop: ClassVar[int] = 256
    batch_pixels: ClassVar[int] = 2**17
    by_pixel: ClassVar[bool] = True
    ending: ClassVar[str] = "softmax"
    written: ClassVar[Mapping[str, str]] = {".csv": "FILE.csv (shares)", "": "a folder (masks)"}

    @classmethod
    def of(cls, found: Found, targets: Sequence[Mask], options: Mapping[str, object]) -> "Segmentation":
        symmetry, augment = (str(options.get(name) or "auto") for name in ("symmetry", "augment"))
        asked = parse(augment).dihedral if augment != "auto" else symmetry == "dihedral"
        return cls(found.names, turns=None if symmetry == augment == "auto" else asked)

    def fitted(self, targets: Sequence[Mask]) -> "Segmentation":
        labels = [self._labels(target) for target in evenly(targets, MEASURED)]
        shares = np.mean([shares_of(each, len(self.classes)) for each in labels], axis=0)
        turns = lies_alike(labels, len(self.classes)) if self.turns is None else self.turns
        apart = any(target.kind in OBJECTS for target in targets)
        return replace(self, usual=tuple(shares.tolist()), turns=turns, apart=apart, neck=NECK if apart else 0.0)

    @property
    def tunes(self) -> bool:
        return self.apart

    def tuned(self, targets: Sequence[Mask], answers: Sequence[Areas], clusters: Clusters = None) -> "Segmentation":
        """With the neck by which most objects of the validation part are found, of up to TUNED of its pictures."""
        some = self._pairs(evenly(targets, TUNED), evenly(answers, TUNED))
        return replace(self, neck=best_neck(some, self._background))

    def commonness(self, targets: Sequence[Mask]) -> Sequence[float]:
        """The shares of the pixels."""
        return np.maximum(self.usual, LEAST_SHARE).tolist()

    @property
    def symmetry(self) -> tuple[str, str]:
        if self.turns:
            return "dihedral", "the training masks lie alike whichever side is up"
        return "mirror", "masks are mirrored with their picture, and one side is up"

    def recipe(self, usual: Recipe) -> Recipe:
        """Turns, zooms, and more light and contrast than elsewhere: few pictures have many pixels to learn by heart."""
        return replace(parse(CHANGES), hflip=usual.hflip, dihedral=usual.dihedral)

    def auto_line(self, channels: int, height: int, width: int, base: int) -> str:
        return unet_line(channels, height, width, base)

    def require_output(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] != len(self.classes):
            rule = "a network that divides pictures into areas ends in one map per class"
            received = f"{shape_text(shape)} for {len(self.classes)} classes"
            remedy = "end it with `conv classes 1`, without flatten, dense and global pools"
            raise StriateError(rule, received=received, where="--network", remedy=remedy)

    def encode(self, targets: Sequence[Mask], sizes: np.ndarray, shape: Shape) -> Tensor:
        """(N, height, width) uint8 class numbers on the grid of the stored pictures, UNKNOWN where not known."""
        out = np.zeros((len(targets), shape.height, shape.width), np.uint8)
        for place, (target, size) in enumerate(zip(targets, sizes, strict=True)):
            labels = self._labels(target, *map(int, size))
            out[place] = continued(resampled(labels, *placed(*labels.shape, *out.shape[1:])), *out.shape[1:])
        return torch.from_numpy(out)

    def move(self, encoded: Tensor, sources: Tensor, recipe: Recipe) -> Tensor:
        return move_labels(encoded, sources, recipe, UNKNOWN)

    def views(self, mirror: bool, square: bool) -> tuple[tuple[int, int], ...]:
        """All ways in which pictures were turned while training: outlines gain by each."""
        return (SQUARE if square else RECTANGLE) if self.turns and mirror else super().views(mirror, square)

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Cross-entropy of the known pixels, and 1 minus the mean Dice of the classes there (Milletari et al. 2016)."""
        truth = fitting(encoded, logits).long()
        known = truth != UNKNOWN
        if not known.any():
            return 0 * logits.sum()
        # Pixel by pixel in one long row: for maps, torch's kernel on a GPU adds up in no fixed order.
        rows, how = logits.movedim(1, -1).flatten(0, -2), {"ignore_index": UNKNOWN, "label_smoothing": smoothing}
        entropy = F.cross_entropy(rows, truth.flatten(), weights, **how)
        chances = logits.softmax(dim=1) * known[:, None]
        numbers = truth[known]
        right = chances.gather(1, truth.clamp(max=logits.shape[1] - 1)[:, None])[:, 0][known]
        shared = torch.zeros_like(chances[0, :, 0, 0]).index_add(0, numbers, right)
        true = torch.bincount(numbers, minlength=logits.shape[1]).to(shared)
        dice = (2 * shared + 1) / (chances.sum(dim=(0, 2, 3)) + true + 1)
        return entropy + 1 - dice[true > 0].mean()

    def hits(self, logits: Tensor, encoded: Tensor) -> float:
        """The sum of the pictures' mean IoU."""
        told, truth = logits.argmax(dim=1).cpu().numpy(), fitting(encoded, logits).cpu().numpy()
        counts = [pixel_counts(*pair, len(self.classes)) for pair in zip(truth, told, strict=True)]
        return float(np.nansum([np.nanmean(iou(each)) if each.any() else 0.0 for each in counts]))

    def decode(self, logits: Tensor, sizes: np.ndarray | None = None) -> list[Areas]:
        chances, said = logits.detach().float().softmax(dim=1), []
        for place, one in enumerate(chances):
            size = tuple(one.shape[1:]) if sizes is None else tuple(map(int, sizes[place]))
            height, width = placed(*size, *one.shape[1:])
            said.append(self._areas(one[:, :height, :width], size))
        return said

    def _areas(self, chances: Tensor, size: tuple[int, int]) -> Areas:
        """The likeliest class of each pixel, of a size to which probabilities (K, h, w) are drawn one by one."""
        best, labels = torch.full(size, -1.0), torch.zeros(size, dtype=torch.uint8)
        for number, plane in enumerate(chances):
            drawn = plane
            if size != plane.shape:
                smaller = size[0] < plane.shape[0] or size[1] < plane.shape[1]
                drawn = F.interpolate(plane[None, None], size=size, mode="bilinear", antialias=smaller)[0, 0]
            labels[drawn > best] = number
            best = torch.maximum(best, drawn)
        return Areas.of(labels.numpy(), float(best.mean()), len(self.classes))

    def joined(self, answers: Sequence[Areas], tiles: Sequence[tuple[int, ...]], size: tuple[int, int]) -> Areas:
        """Of every tile what is nearer to its middle than to that of the next one, where most is seen around it."""
        labels = np.zeros(size, np.uint8)
        rows, columns = halved(tile[:2] for tile in tiles), halved(tile[2:] for tile in tiles)
        for answer, (y0, y1, x0, x1) in zip(answers, tiles, strict=True):
            (top, bottom), (left, right) = rows[y0, y1], columns[x0, x1]
            labels[top:bottom, left:right] = answer.labels[top - y0 : bottom - y0, left - x0 : right - x0]
        sure = float(np.mean([answer.confidence for answer in answers]))
        return Areas.of(labels, sure, len(self.classes))

    def score(self, logits: Tensor, index: int, whole: Tensor | None = None) -> Tensor:
        """The mean logit of a class over the pixels told to be of it; over all pixels where none is."""
        told = (logits if whole is None else whole).argmax(dim=1) == index
        told = told | ~told.any((1, 2), keepdim=True)
        return (logits[:, index] * told).sum((1, 2)) / told.sum((1, 2))

    def per_class(self, answer: Areas) -> np.ndarray:
        return answer.shares

    def output_of(self, answer: Areas) -> int:
        """The largest area beside the background."""
        inner = answer.shares * self._inner
        return int(np.argmax(inner if inner.any() else answer.shares))

    def target_of(self, answer: Areas) -> Mask:
        values = tuple(range(len(self.classes)))
        return Mask(kind="index", names=self.classes, sources=(answer.labels,), values=values)

    def confidence(self, answer: Areas) -> float:
        return answer.confidence

    def say(self, answer: Areas) -> str:
        return self._in_words(answer.shares)

    def told(self, target: Mask) -> str:
        return self._in_words(shares_of(self._labels(target), len(self.classes)))

    def _in_words(self, shares: np.ndarray) -> str:
        """The three largest areas beside the background."""
        order = np.argsort(-shares * self._inner, kind="stable")
        shown = [f"{self.classes[k]} {100 * shares[k]:.1f} %" for k in order[:3] if shares[k] and self._inner[k]]
        return ", ".join(shown) or f"{BACKGROUND} alone"

    def record(self, answer: Areas) -> dict:
        """The mask as a PNG file in base64; its values are places in the list of classes."""
        mask = base64.b64encode(self.png(answer)).decode()
        said = {"predicted": {"classes": self.classes, "png": mask}, "objects": self._count(answer)}
        return super().record(answer) | said

    def png(self, answer: Areas) -> bytes:
        return png_of(answer.labels, palette())

    def header(self) -> tuple[str, ...]:
        return ("predicted", "confidence", "objects", *(f"share_{name}" for name in self.classes))

    def row(self, answer: Areas) -> tuple[str, ...]:
        shares = (f"{share:.6f}" for share in answer.shares)
        return (self.say(answer), f"{answer.confidence:.6f}", str(self._count(answer)), *shares)

    def objects(self, answer: Areas) -> np.ndarray:
        """Object numbers (height, width) int32 from 1 on, 0 where there is none."""
        return objects_in(answer.labels, self._background, self.neck)

    def _count(self, answer: Areas) -> int:
        return int(self.objects(answer).max(initial=0))

    def known(self, target: Mask) -> tuple[Mask | None, str]:
        """The same mask: the areas of other classes are not known where it is read."""
        if not isinstance(target, Mask):  # labels that were changed since
            return super().known(target)
        there = target.names if target.kind != "polygons" else [name for name, _ in target.polygons]
        unknown = [name for name in target.names if name in there and name not in self.classes]
        if not set(target.names) & set(self.classes) - {BACKGROUND}:
            return super().known(target)
        if not unknown:
            return target, ""
        return target, f"no class of the model: the areas of {first_few(unknown)}, not scored"

    def floor(self, targets: Sequence[Mask]) -> dict[str, object]:
        shares = self.usual or self.fitted(targets).usual
        return {"majority": self.classes[int(np.argmax(shares))]}

    def scores(
        self, targets: Sequence[Mask], answers: Sequence[Areas], floor: Floor, clusters: Clusters = None
    ) -> dict:
        majority = str(floor.get("majority", self.classes[0]))
        cut = partial(objects_in, background=self._background, neck=self.neck)
        return area_scores(self._pairs(targets, answers), len(answers), self.classes, majority, clusters, cut)

    def errors(self, targets: Sequence[Mask], answers: Sequence[Areas]) -> np.ndarray:
        """What is missing to a mean IoU of 1 on each picture."""
        found = []
        for target, answer in zip(targets, answers, strict=True):
            counts = pixel_counts(self._labels(target, answer.height, answer.width), answer.labels, len(self.classes))
            found.append(float(np.nanmean(iou(counts))) if counts.any() else 1.0)
        return 1 - np.array(found)

    def figures(self, targets: Sequence[Mask], answers: Sequence[Areas], record: dict) -> dict[str, Figure]:
        png = charts.confusion(np.array(record["confusion"]), self.classes)
        told = "Pixels. Rows are true classes; blue is right, orange is wrong."
        return {"confusion_matrix": Figure(png, "Confusion matrix of pixels", told, name="chart matrix")}

    def drawn(self, picture: np.ndarray, answer: Areas, target: Mask | None = None) -> np.ndarray:
        """What is told in colour, and the true outlines in white; a stored picture without its mirror images."""
        size = placed(answer.height, answer.width, *picture.shape[:2])
        picture = picture[: size[0], : size[1]]
        truth = None if target is None else resampled(self._labels(target, answer.height, answer.width), *size)
        cuts = resampled(self.objects(answer), *size) if self.neck else None
        return with_areas(picture, resampled(answer.labels, *size), truth, self._background, cuts)

    def seen(self, picture: np.ndarray, encoded: Tensor) -> np.ndarray:
        """True areas in colour."""
        return with_areas(picture, encoded.numpy(), background=self._background)

    def save(self, out: Path, told: Sequence[tuple[str, Areas, tuple[int, int] | None]]) -> None:
        """A folder of index PNG files by the pictures' names, with the names of their values in classes.txt; and the
        objects: numbered in objects/NAME.tif, and measured in objects.csv."""
        lines = []
        for name, (path, answer, _) in zip(files.own_names(path for path, *_ in told), told, strict=True):
            objects, stem = self.objects(answer), Path(name).stem
            files.write_bytes(out / f"{stem}.png", self.png(answer))
            files.write_bytes(out / "objects" / f"{stem}.tif", tiff_of(objects))
            each = measured(objects, answer.labels)
            lines += [(path, f"{stem}.png", number, self.classes[kind], *rest) for number, kind, *rest in each]
        files.write_csv(out / "objects.csv", MEASURES, lines)
        files.write_text(out / "classes.txt", class_list(self.classes))

    @property
    def _inner(self) -> np.ndarray:
        """(K,) 1 for classes, 0 for the background."""
        return np.array([float(name != BACKGROUND) for name in self.classes])

    @property
    def _background(self) -> int | None:
        return self.classes.index(BACKGROUND) if BACKGROUND in self.classes else None

    def _labels(self, target: Mask, height: int | None = None, width: int | None = None) -> np.ndarray:
        """The target's classes as numbers of this task."""
        labels = read_labels(target, height, width)
        if target.names == self.classes:
            return labels
        places, table = {name: place for place, name in enumerate(self.classes)}, np.full(256, UNKNOWN, np.uint8)
        table[: len(target.names)] = [places.get(name, UNKNOWN) for name in target.names]
        return table[labels]

    def _pairs(self, targets: Sequence[Mask], answers: Sequence[Areas]) -> Iterator[Pair]:
        for target, answer in zip(targets, answers, strict=True):
            size = answer.height, answer.width
            labels, objects = self._labels(target, *size), read_objects(target, *size)
            yield labels, None if objects is None else np.where(labels == UNKNOWN, 0, objects), answer.labels
