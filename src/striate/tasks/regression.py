"""One or several numbers per picture: how many, how old, how far to steer; with an interval for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from striate.augment.recipe import Recipe
from striate.data.prepare import Shape
from striate.data.sample import Found, number_text, text_of
from striate.draw import charts
from striate.errors import StriateError, nearest
from striate.evaluate.facts import Figure
from striate.evaluate.intervals import Clusters
from striate.evaluate.number_scores import half_widths, number_scores
from striate.network.auto import normed
from striate.tasks.task import Floor, Paired

Targets = Sequence[tuple[float, ...]]  # the numbers of every picture

CLOSE = 0.5  # of a column's standard deviation in the training part: an error that `hits` lets pass
PEAKED = 6.0  # the kurtosis from which a column is mostly one value and seldom far from it; 3 is that of a normal one


@dataclass(frozen=True)
class Regression(Paired):
    """Pictures with K numbers each. An answer is (K, 2): each number in the user's units, and how far its 90 % interval
    reaches to both sides (NaN where that is not known).

    centres, scales: (K,) what targets are standardised by, from the training part. reach: (K,) half widths of the 90 %
    intervals, from the validation part; empty where it was too small to say. peaked: (K,) 1 for columns that are mostly
    one value and seldom far from it, as a wheel is mostly straight, else 0. There, numbers z standard deviations away
    count 1 + |z| times in the loss, or what is rare would hardly be learned (see Yang et al. 2021), and intervals are
    1 + |z| times as wide (normalised conformal prediction, Papadopoulos et al. 2011). negated: columns whose sign is
    turned round in a mirrored picture. ordered: pictures follow each other in time.
    """

    centres: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    reach: tuple[float, ...] = ()
    peaked: tuple[int, ...] = ()
    negated: tuple[str, ...] = ()
    ordered: bool = False
    name: ClassVar[str] = "regression"
    measure: ClassVar[str] = "close"
    longest: ClassVar[int] = 160
    tunes: ClassVar[bool] = True
    tabular: ClassVar[bool] = True
    error_is: ClassVar[str] = "the greatest error, in standard deviations of the training part"
    shares: ClassVar[bool] = False
    smooths: ClassVar[bool] = False
    ending: ClassVar[str] = "numbers"
    unit: ClassVar[str] = "in standard deviations of the training part"

    @classmethod
    def of(cls, found: Found, targets: Targets, options: Mapping[str, object]) -> Self:
        columns = zip(found.names, zip(*targets, strict=True), strict=True)
        still = [name for name, column in columns if len(set(column)) < 2]
        if still:
            raise StriateError("numbers to learn differ from picture to picture", received=still[0], where=found.root)
        if options.get("balance") == "weights":
            raise StriateError("numbers have no classes to weigh", received="weights", where="--balance")
        negated = [word.strip() for word in str(options.get("mirror_negates") or "").split(",") if word.strip()]
        for word in negated:
            if word not in found.names:
                remedy = nearest(word, found.names)
                raise StriateError("--mirror-negates names columns that are learned", received=word, remedy=remedy)
        return cls(found.names, negated=tuple(negated), ordered=options.get("split") == "blocks")

    def fitted(self, targets: Targets) -> Self:
        values = self._values(targets)
        centres = np.where([name in self.negated for name in self.classes], 0.0, values.mean(axis=0))
        scales = np.sqrt(((values - centres) ** 2).mean(axis=0))
        scales = np.where(scales > 0, scales, 1)
        peaked = (((values - centres) / scales) ** 4).mean(axis=0) > PEAKED
        centres, scales, peaked = centres.tolist(), scales.tolist(), peaked.astype(int).tolist()
        return replace(self, centres=tuple(centres), scales=tuple(scales), peaked=tuple(peaked))

    def tuned(self, targets: Targets, answers: Sequence[np.ndarray], clusters: Clusters = None) -> Self:
        told = self.stacked(answers)[..., 0]
        wide = self._wide((told - self.centres) / self.scales)
        reach = half_widths(self._values(targets) / wide, told / wide, clusters)
        return replace(self, reach=tuple(reach.tolist()) if np.isfinite(reach).all() else ())

    def trial(self, targets: Targets) -> tuple[np.ndarray, tuple[str, ...]]:
        """The numbers themselves."""
        return self._values(targets), self.classes

    def counts(self, targets: Targets) -> dict[str, int]:
        return dict.fromkeys(self.classes, len(targets))

    def auto_line(self, channels: int, height: int, width: int, base: int) -> str:
        """A small network: few pictures have numbers, and wide ones learn them by heart. Its last maps are averaged
        over a coarse grid of places, so that it can both count and tell where something is."""
        filters, side = min(base, 32), min(height, width)
        layers = [normed(filters // 2, 5)]
        for halving in range(int(np.log2(max(side / 24, 1)))):
            layers += ["maxpool 2", *[normed(filters * 2**halving, 3)] * (1 if halving else 2)]
            side //= 2
        pool = f"avgpool {side // 4}, " if side >= 8 else ""
        return f"{', '.join(layers)}, {pool}flatten, dropout 0.2, dense classes, scale 0.125"

    def encode(self, targets: Targets, sizes: np.ndarray, shape: Shape) -> Tensor:
        return torch.from_numpy((self._values(targets) - self.centres) / self.scales).float()

    def _values(self, targets: Targets) -> np.ndarray:
        """(N, K) float64 of the targets."""
        return np.array(targets, np.float64).reshape(-1, len(self.classes))

    @property
    def moves(self) -> bool:
        return bool(self.negated)

    def move(self, encoded: Tensor, sources: Tensor, recipe: Recipe) -> Tensor:
        """Negated columns change their sign where left and right were exchanged."""
        mirrored = sources[:, 0, 0] < 0
        return torch.where(mirrored[:, None], self.unmirrored(encoded), encoded)

    def loss(self, logits: Tensor, encoded: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        wide = self._wide(encoded)
        return (wide * F.mse_loss(logits, encoded, reduction="none")).sum() / wide.sum()

    def hits(self, logits: Tensor, encoded: Tensor) -> float:
        return float(((logits - encoded).abs() < CLOSE).float().mean(dim=1).sum())

    def unmirrored(self, logits: Tensor) -> Tensor:
        signs = [-1.0 if name in self.negated else 1.0 for name in self.classes]
        return logits * logits.new_tensor(signs)

    def decode(self, logits: Tensor, sizes: np.ndarray | None = None) -> np.ndarray:
        told = logits.detach().double().cpu().numpy()
        reach = self._wide(told) * (self.reach or np.nan)
        return np.stack([told * self.scales + self.centres, reach], axis=-1)

    def _wide(self, standard: Tensor | np.ndarray) -> Tensor | np.ndarray:
        """1 + |z| in peaked columns and 1 elsewhere, of standardised numbers (N, K)."""
        peaked = self.peaked or (0,) * len(self.classes)
        return 1 + abs(standard) * (standard.new_tensor(peaked) if isinstance(standard, Tensor) else peaked)

    def output_of(self, answer: np.ndarray) -> int:
        return 0

    def target_of(self, answer: np.ndarray) -> tuple[float, ...]:
        return tuple(float(value) for value in answer[:, 0])

    def say(self, answer: np.ndarray) -> str:
        """ "12.3 (9.8 to 14.8)"; several by their names."""
        said = [
            f"{value:.4g}" + (f" ({value - reach:.4g} to {value + reach:.4g})" if np.isfinite(reach) else "")
            for value, reach in answer
        ]
        return said[0] if len(said) == 1 else ", ".join(f"{n} {s}" for n, s in zip(self.classes, said, strict=True))

    def record(self, answer: np.ndarray) -> dict:
        """Also the ends of the 90 % intervals, where they are known."""
        if not self.reach:
            return super().record(answer)
        ends = ([value - reach, value + reach] for value, reach in np.asarray(answer).tolist())
        return super().record(answer) | {"intervals": dict(zip(self.classes, ends, strict=True))}

    def header(self) -> tuple[str, ...]:
        if len(self.classes) == 1:
            return ("predicted", "low", "high") if self.reach else ("predicted",)
        words = ("value", "low", "high") if self.reach else ("value",)
        return ("predicted", *(f"{word}_{name}" for name in self.classes for word in words))

    def row(self, answer: np.ndarray) -> tuple[str, ...]:
        values, reach = np.asarray(answer).T
        columns = [values, values - reach, values + reach] if self.reach else [values]
        cells = tuple(map(number_text, np.stack(columns, axis=1).ravel().tolist()))
        return cells if len(self.classes) == 1 else (text_of(self.target_of(answer)), *cells)

    def read(self, row: Mapping[str, str]) -> np.ndarray:
        alone, answer = len(self.classes) == 1, []
        for name in self.classes:
            value, low, high = (row.get(word if alone else f"{word}_{name}") for word in ("value", "low", "high"))
            value = row["predicted"] if alone else value
            answer.append((float(value), (float(high) - float(low)) / 2 if low else np.nan))
        return np.array(answer)

    def known(self, target: tuple[float, ...]) -> tuple[tuple[float, ...] | None, str]:
        many = len(self.classes)
        return (target, "") if len(target) == many else (None, f"{len(target)} numbers where the model says {many}")

    def floor(self, targets: Targets) -> dict[str, object]:
        return {"means": np.mean(np.array(targets), axis=0).tolist()}

    def scores(self, targets: Targets, answers: Sequence, floor: Floor, clusters: Clusters = None) -> dict:
        means, told = floor.get("means", self.centres), self.stacked(answers)
        reach = told[..., 1] if np.isfinite(told[..., 1]).all() else None
        more = {"reach": reach, "ordered": self.ordered, "clusters": clusters}
        return number_scores(self._values(targets), told[..., 0], self.classes, means, **more)

    def errors(self, targets: Targets, answers: Sequence[np.ndarray]) -> np.ndarray:
        """The greatest error of a picture's numbers, in standard deviations of the training part."""
        return (np.abs(self._values(targets) - self.stacked(answers)[..., 0]) / self.scales).max(axis=1)

    def figures(self, targets: Targets, answers: Sequence, record: dict) -> dict[str, Figure]:
        truth, (said, reach), found = self._values(targets), np.moveaxis(self.stacked(answers), -1, 0), {}
        for k, name in enumerate(self.classes):
            word, wide = ("" if len(self.classes) == 1 else f"_{k}"), reach[:, k] if self.reach else None
            found[f"scatter{word}"] = Figure(
                charts.scatter(truth[:, k], said[:, k], name, wide),
                f"Predicted against true {name}",
                "On the line the prediction is right"
                + ("; the band holds nine of ten if intervals are right." if self.reach else "."),
                title=f"Predicted {name}",
            )
            found[f"errors{word}"] = Figure(
                charts.errors(truth[:, k], said[:, k], name),
                f"Errors of {name}",
                "How often which error is made, and whether it depends on the true value.",
                title=f"Errors of {name}",
            )
        return found
