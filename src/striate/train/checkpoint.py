"""Checkpoints of a training: whole or absent, the last two kept, each with its own proof.

A checkpoint holds everything that the next step depends on: weights, their average, the optimizer's
state, and how far the schedule has come. Randomness needs no state: it is a function of seed and step.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from striate.errors import StriateError
from striate.export.tensors import read_tensors, write_tensors
from striate.export.underway import MODEL_FILE
from striate.train.events import Note, Watch

FOLDER, KEPT = "last.ckpt", 2  # of a run, and how many are kept there
ARRAYS = "arrays"  # where pictures came from that were given in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a training stands, at the end of an epoch.

    epoch: epochs done. step: steps done. progress: share of the schedule done, 0..1.
    seconds: training time so far, over all sittings. best_loss, best_epoch: lowest validation loss.
    """

    epoch: int = 0
    step: int = 0
    progress: float = 0.0
    seconds: float = 0.0
    best_loss: float | None = None
    best_epoch: int = 0


def save_checkpoint(run: Path, place: Place, tensors: dict[str, Tensor], history: list[dict]) -> None:
    """Write a checkpoint of a run; older ones go only after it is safely on the disk."""
    header = {"place": asdict(place), "history": history}
    write_tensors(run / FOLDER / f"epoch-{place.epoch:06d}.safetensors", tensors, header)
    for old in _by_age(run)[:-KEPT]:
        old.unlink()


def load_checkpoint(run: Path, tell: Watch | None = None) -> tuple[Place, dict[str, Tensor], list[dict]]:
    """The newest whole checkpoint of a run; damaged ones are passed over for the one before them, and told."""
    problems: dict[str, Exception] = {}
    for path in reversed(_by_age(run)):
        try:
            tensors, header = read_tensors(path)
            found = Place(**header["place"]), tensors, header["history"]
        except (StriateError, KeyError, TypeError) as error:
            problems[path.name] = error
            continue
        if problems and tell is not None:
            tell(Note(f"Mind      {next(iter(problems))} is damaged, so what it held is done again"))
        return found
    received = "; ".join(f"{name}: {error}" for name, error in problems.items()) or "none"
    rule, remedy = "a run to resume has a whole checkpoint", "start the training anew"
    raise StriateError(rule, received=received, where=run / FOLDER, remedy=remedy)


@contextlib.contextmanager
def resumable(run: Path, tell: Watch, parent: Path | None = None, source: str = "") -> Iterator[None]:
    """Inside, a failure leaves a run that can go on (and says how), or one that has its model, or else no folder.

    parent: the folder of several runs, to be resumed in its place. source: where the pictures came from.
    """
    try:
        yield
    except BaseException as error:
        if not has_checkpoint(run):  # as after Ctrl-C in the first epoch
            if (run / MODEL_FILE).is_file():
                tell(Note(f"Kept      {run} has the model, but not its scores: striate evaluate {run} FOLDER"))
            else:
                shutil.rmtree(run, ignore_errors=True)
            raise
        again = f"striate train --resume {parent or run}"
        if source == ARRAYS:  # which no command line can give again
            again = f"striate.train((pictures, labels), resume={str(parent or run)!r})"
        if isinstance(error, StriateError):
            remedy = f"{error.remedy}; {run} keeps what came before"  # the error would come again
            if isinstance(error.__cause__, OSError):  # a full disk, most likely
                remedy = f"when there is room again, {again} goes on from the last checkpoint"
            raise StriateError(error.rule, received=error.received, where=error.where, remedy=remedy) from error
        tell(Note(f"Kept      {again} goes on from the last checkpoint"))
        raise


def has_checkpoint(run: Path) -> bool:
    return bool(_by_age(run))


def _by_age(run: Path) -> list[Path]:
    return sorted((run / FOLDER).glob("epoch-*.safetensors"))
