"""Training as Python and the command line call it: one run or several, new or resumed."""

import time
from dataclasses import replace
from pathlib import Path

from striate import files
from striate.errors import StriateError
from striate.train import repeat, single
from striate.train.dataset import Division, Job, Source
from striate.train.events import Event, Watch
from striate.train.progress import Progress
from striate.train.settings import Settings, read_settings, settings_from
from striate.train.single import Run


def train(
    source: Source = None,
    *,
    resume: str | Path | None = None,
    quiet: bool = False,
    watch: Watch | None = None,
    started: float | None = None,
    **options: object,
) -> Run:
    """Train a CNN on labelled pictures and return the run.

    source: a folder FOLDER/<class>/..., a folder with train/val/test folders of classes, a CSV or TSV table,
        or (pictures, labels) as arrays; None learns the handwritten digits of scikit-learn.
    resume: a run folder whose training was cut short; it goes on with that run's own settings.
    watch: called with every event (see striate.train.events), besides the bar that `quiet` turns off.
    started: when a budget of minutes began, in seconds of time.monotonic(); now by default.
    options: the fields of Settings, e.g. network="hela", epochs=20, seed=1.

    >>> run = striate.train("cells", minutes=3)            # doctest: +SKIP
    >>> run.test["accuracy"]                               # doctest: +SKIP
    """
    progress = None if quiet else Progress()

    def tell(event: Event) -> None:
        for consumer in (progress, watch):
            if consumer is not None:
                consumer(event)

    started = time.monotonic() if started is None else started
    try:
        if resume is None:
            return _new(source, settings_from(options), tell, started)
        return _resumed(Path(resume), options, source, tell, started)
    finally:
        if progress is not None:
            progress.close()


def _new(source: Source, settings: Settings, tell: Watch, started: float) -> Run:
    job = single.read_job(source, settings, tell, started, _division(settings))
    return repeat.begin(job) if settings.runs > 1 else single.begin(job)


def _division(settings: Settings) -> Division:
    """How the pictures are divided for the first run."""
    folds = settings.folds or 0
    return Division(seed=settings.seed, fold=min(folds, 1), folds=folds)


def _resumed(folder: Path, options: dict, source: Source, tell: Watch, started: float) -> Run:
    if options:
        raise StriateError(
            "a resumed run keeps its own settings",
            received=", ".join(options),
            where="--resume",
            remedy="leave them out",
        )
    if not folder.is_dir():
        raise StriateError("a run to resume is a run folder", received="no such folder", where=folder)
    with files.held(folder):
        return _go_on(folder, source, tell, started)


def _go_on(folder: Path, source: Source, tell: Watch, started: float) -> Run:
    if files.is_complete(folder) and not files.read_json(folder / "scores.json").get("stopped"):
        raise StriateError(
            "a run to resume was cut short", received="a finished run", where=folder, remedy="start a new one"
        )
    settings, tables = read_settings(folder / "settings.toml")
    about = tables["run"]
    if "part_of" in about:
        raise StriateError(
            "one of several runs goes on with the others",
            received=folder.name,
            where="--resume",
            remedy=f"striate train --resume {folder.absolute().parent}",
        )
    if source is None and about["source"] != single.DIGITS:
        source = about["source"]
    precision = about.get("precision", settings.precision)  # what was measured at the start, not what would be now
    settings = replace(settings, out=str(folder.parent), precision=precision)
    job: Job = single.read_job(source, settings, tell, started, _division(settings), folder)
    return repeat.go_on(folder, job, tables) if settings.runs > 1 else single.go_on(folder, job, tables)
