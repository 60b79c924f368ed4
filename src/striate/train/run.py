"""Training as Python and the command line call it: one run or several, new or resumed."""

import time
from dataclasses import fields, replace
from pathlib import Path

from striate import files
from striate.errors import StriateError
from striate.train import repeat, single
from striate.train.checkpoint import ARRAYS
from striate.train.dataset import Source
from striate.train.events import Event, Watch
from striate.train.progress import Progress
from striate.train.settings import Settings, name_options, read_settings, settings_from
from striate.train.single import Run


def train(
    source: Source = None,
    *more: object,
    resume: str | Path | None = None,
    quiet: bool = False,
    watch: Watch | None = None,
    started: float | None = None,
    **options: object,
) -> Run:
    """Train a CNN on labelled pictures and return the run.

    source: a folder FOLDER/<class>/..., a folder with train/val/test folders of classes, a CSV or TSV table,
        or arrays, (pictures, labels) or (pictures, labels, groups), with or without the brackets; None learns the
        digits of scikit-learn. What a model answers is text: "7" where a label was 7.
    resume: a run folder whose training was cut short; it goes on with that run's own settings.
    watch: called with every event (see striate.train.events), besides the bar that `quiet` turns off.
    started: when a budget of minutes began, in seconds of time.monotonic(); now by default.
    options: as listed below, e.g. network="hela", epochs=20, seed=1.

    >>> run = striate.train("cells", minutes=3)            # doctest: +SKIP
    >>> run.test["accuracy"]                               # doctest: +SKIP
    """
    progress = None if quiet else Progress()

    def tell(event: Event) -> None:
        for consumer in (progress, watch):
            if consumer is not None:
                consumer(event)

    source, started = (source, *more) if more else source, time.monotonic() if started is None else started
    try:
        if resume is None:
            job = single.read_job(source, settings_from(options), tell, started)
            return repeat.begin(job) if job.settings.runs > 1 else single.begin(job)
        return _resumed(Path(resume), options, source, tell, started)
    finally:
        if progress is not None:
            progress.close()


name_options(train, [item.name for item in fields(Settings)])


def _resumed(folder: Path, options: dict, source: Source, tell: Watch, started: float) -> Run:
    if options:
        rule, received = "a resumed run keeps its own settings", ", ".join(options)
        raise StriateError(rule, received=received, where="--resume", remedy="leave them out")
    if not folder.is_dir():
        raise StriateError("a run to resume is a run folder", received="no such folder", where=folder)
    with files.held(folder):
        if files.has_ended(folder):
            rule = "a run to resume was cut short"
            raise StriateError(rule, received="a finished run", where=folder, remedy="start a new one")
        settings, tables = read_settings(folder)
        about = tables["run"]
        if "part_of" in about:
            rule = "one of several runs goes on with the others"
            remedy = f"striate train --resume {folder.absolute().parent}"
            raise StriateError(rule, received=folder.name, where="--resume", remedy=remedy)
        if source is None and about["source"] == ARRAYS:
            rule = "a run on arrays goes on with the same arrays"
            remedy = f"striate.train((pictures, labels), resume={str(folder)!r})"
            raise StriateError(rule, received="none", where=folder, remedy=remedy)
        if source is None and about["source"] != single.DIGITS:
            source = files.named(about["source"])
        precision = about.get("precision", settings.precision)  # what was measured at the start, not what would be now
        settings = replace(settings, out=str(folder.parent), precision=precision)
        job = single.read_job(source, settings, tell, started, folder)
        return repeat.go_on(folder, job, tables) if settings.runs > 1 else single.go_on(folder, job, tables)
