"""What a training tells whoever watches: the progress bar, history.csv, a live page."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from striate import files


@dataclass(frozen=True, slots=True)
class Note:
    """A fact worth a line: what was found, how it was split, which network, where the run is."""

    text: str


@dataclass(frozen=True, slots=True)
class Began:
    """The run folder is there and the first step is next."""

    folder: Path


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pictures read so far."""

    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A training step was done; loss and accuracy are means over the epoch so far, seconds_left a guess."""

    epoch: int
    epochs: int | None
    progress: float
    loss: float
    accuracy: float
    pictures_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One line of history.csv. Losses are means per picture, accuracies shares, seconds of training so far.

    The training figures are of pictures as augmented and of weights as they changed during the epoch; the
    validation figures are of the averaged weights at its end (None where there is no validation part).
    """

    epoch: int
    seconds: float
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    pictures_per_second: float

    def row(self) -> dict:
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


Event = Note | Began | Decoded | Step | Epoch
Watch = Callable[[Event], None]


def write_history(path: Path, rows: list[dict]) -> None:
    """history.csv: one row per epoch, empty where there is no figure."""
    header = [item.name for item in fields(Epoch)]
    files.write_csv(path, header, ([("" if row[name] is None else row[name]) for name in header] for row in rows))
