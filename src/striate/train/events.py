"""What a training tells whoever watches: the progress bar, history.csv, a live page."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from striate import files
from striate.data.wording import worded


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
    """A training step was done; loss and hits are means over the epoch so far, seconds_left a guess.

    measure: what hits are, such as "accuracy".
    """

    epoch: int
    epochs: int | None
    progress: float
    loss: float
    hits: float
    measure: str
    pictures_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One line of history.csv. Losses and hits are means per picture, seconds of training so far.

    measure: what hits are, such as "accuracy"; their columns are called by it.

    The training figures are of pictures as augmented and of weights as they changed during the epoch; the
    validation figures are of the averaged weights at its end (None where there is no validation part).
    """

    epoch: int
    seconds: float
    learning_rate: float
    train_loss: float
    train_hits: float
    validation_loss: float | None
    validation_hits: float | None
    pictures_per_second: float
    measure: str = "accuracy"

    def row(self) -> dict:
        values = asdict(self)
        measure = values.pop("measure")
        named = {name.replace("hits", measure): value for name, value in values.items()}
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in named.items()}


Event = Note | Began | Decoded | Step | Epoch
Watch = Callable[[Event], None]


def in_words_of(form: str, tell: Watch) -> Watch:
    """`tell` whose notes speak of series, texts or volumes where these are learned from."""
    if form == "picture":
        return tell
    return lambda event: tell(Note(worded(event.text, form)) if isinstance(event, Note) else event)


def write_history(path: Path, rows: list[dict]) -> None:
    """history.csv: one row per epoch, empty where there is no figure. Short epochs do not wait for the disk: what the
    power takes, the last checkpoint has."""
    header = list(rows[0])
    cells = ([("" if row[name] is None else row[name]) for name in header] for row in rows)
    files.write_csv(path, header, cells, durable=False)
