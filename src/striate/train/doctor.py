"""`striate check`: everything that can be found out about a set of pictures before a network is trained on it."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate import files
from striate.check.doctor import check_store, remembered
from striate.check.finding import Check, Finding
from striate.check.labels import label_finding
from striate.data.measure import measure
from striate.data.sample import Found, class_order
from striate.data.sources import require_trainable
from striate.data.store import Store
from striate.device import choose_device
from striate.errors import StriateError
from striate.evaluate.check_section import Seen, head_of
from striate.evaluate.facts import ReportFacts
from striate.evaluate.report import report
from striate.train.dataset import Source, find, in_use, open_store
from striate.train.events import Note, in_words_of
from striate.train.learnable import task_of, with_targets
from striate.train.listed import all_left_out, write_listed
from striate.train.probe import Lesson
from striate.train.progress import Progress
from striate.train.settings import CHECK_SETTINGS, Settings, name_options, settings_from
from striate.train.suspects import suspects


def check(source: Source, *more: object, quick: bool = False, quiet: bool = False, **options: object) -> Check:
    """What is found in labelled pictures; it is also written into OUT/check-NAME: check.html, check.json and data.csv.

    source: as for `striate.train`. quick: leaves out the search for wrong labels, which trains small networks.
    options: as listed below. The decoded pictures and the result are kept under OUT/.store, where a training with the
    same options and a second check find them. Raises StriateError where there are no pictures.

    >>> striate.check("cells").of("problem")               # doctest: +SKIP
    """
    source, begun, settings = (source, *more) if more else source, time.monotonic(), settings_from(options)
    progress = Progress()
    try:
        found = find(source, settings)
        if not found.samples:
            require_trainable(found)  # which says what was found instead
        _, store = open_store(found, settings, (lambda event: None) if quiet else progress)
        if not quiet:
            labels = "" if quick else ", and for wrong labels, which takes up to some minutes (--quick does without)"
            if found.labels:
                progress(Note(f"Labels    from {found.labels}"))
            in_words_of(found.form, progress)(Note(f"Looking   at {len(store.kept):,} pictures{labels}"))
        result = check_store(found, store)
        if not quick and (doubts := _doubts(found, store, result, settings)):
            result = replace(result, findings=[*result.findings, doubts])
    finally:
        progress.close()
    task = None
    with suppress(StriateError):  # a training will say that there is nothing to learn
        task = task_of(found, store, settings)
    seen = with_targets(found, store, task)
    _write(folder_of(source, settings.out), found, store, result, seen, time.monotonic() - begun)
    return result


name_options(check, CHECK_SETTINGS)


def folder_of(source: Source, out: str | Path) -> Path:
    """Where the results go: OUT/check-NAME, written anew by every check."""
    name = Path(source).absolute().name if isinstance(source, str | Path) else "digits" if source is None else "arrays"
    return Path(out) / f"check-{name or 'pictures'}"


def _doubts(found: Found, store: Store, result: Check, settings: Settings) -> Finding | None:
    """Labels that quick networks doubt, where there are classes enough to tell apart."""
    rows, together = in_use(store, result)
    samples = [found.samples[store.kept[row]] for row in rows]
    classes = class_order(sample.label for sample in samples)
    if len(classes) < 2 or found.form != "picture":  # quick networks are for pictures
        return None
    kin = np.arange(len(rows))
    for group in together:
        kin[group] = group[0]

    def make() -> Mapping[str, object]:
        pictures = store.pictures if len(rows) == len(store.pictures) else store.pictures[rows]
        targets = np.array([classes.index(sample.label) for sample in samples])
        preparation = measure(pictures, np.arange(len(rows)), store.shape)
        lesson = Lesson(pictures, targets, classes, preparation, choose_device(settings.device), kin)
        doubted = suspects(lesson, seed=settings.seed)
        paths = [sample.path for sample in samples]
        return label_finding(doubted, paths, classes).to_dict() if doubted.pictures else {}

    values = remembered(f"labels-{settings.seed}", found, store, make)
    return Finding.from_dict(values) if values else None


def _write(folder: Path, found: Found, store: Store, result: Check, seen: Seen, seconds: float) -> None:
    left_out = all_left_out(found, store, result.set_aside)
    title = f"{Path(found.root).name}: what to know before training"
    head = head_of(folder, found, store, result, (*left_out, *found.mended), seconds, seen)
    named = {name: parts for name, parts in result.classes.items() if name}  # boxes and masks have none of a picture
    counts = {name: {part or "pictures": n for part, n in parts.items()} for name, parts in named.items()}
    facts = ReportFacts(title=title, classes=counts, **head)
    samples = [found.samples[number] for row, number in enumerate(store.kept) if row not in result.set_aside]
    write_listed(folder, [(sample, sample.part or "") for sample in samples], left_out, found.mended)
    files.write_json(folder / "check.json", result.to_dict())
    files.write_text(folder / "check.html", report(facts))
