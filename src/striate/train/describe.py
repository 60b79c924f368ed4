"""A finished training in words and numbers, for its report."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

import striate
from striate.data.sample import PARTS
from striate.data.survey import Survey
from striate.device import fingerprint
from striate.draw import pixels
from striate.evaluate.facts import MistakePicture, ReportFacts
from striate.evaluate.mistakes import confident_mistakes
from striate.evaluate.scores import headline
from striate.export.model import Model
from striate.network.summary import summary_text
from striate.train.dataset import Dataset, Job
from striate.train.illustrate import heatmap_facts
from striate.train.loop import Training
from striate.train.settings import Settings, as_table


def report_facts(
    folder: Path,
    model: Model,
    training: Training,
    job: Job,
    scores: dict,
    images: Mapping[str, bytes],
    truth: np.ndarray,
    predicted: np.ndarray,
) -> ReportFacts:
    """A finished training in the words and numbers of its report.

    images: PNG files by the name of their field in ReportFacts. truth: class numbers of all rows of the store;
    predicted: (N, classes) probabilities of the test part's rows.
    """
    data, settings = job.data, job.settings
    plan, shape, counts = training.plan, data.store.shape, {part: data.counts(part) for part in PARTS}
    return ReportFacts(
        title=f"{Path(data.found.root).name}: {len(model.classes)} classes",
        run=str(folder),
        created=time.strftime("%Y-%m-%d %H:%M"),
        version=striate.__version__,
        seconds=scores["seconds"],
        headline=headline(scores["test"]),
        data=_data_rows(data),
        classes={name: {part: counts[part][name] for part in PARTS} for name in model.classes},
        left_out=[(item.path, item.reason) for item in data.left_out],
        notes=_notes(data, training),
        split=_split_sentence(data, settings),
        split_table=[("part", "pictures"), *((part, len(data.rows(part))) for part in PARTS)],
        network=plan.line.replace("classes", str(len(model.classes))),
        summary=summary_text(training.network, (shape.channels, shape.height, shape.width)),
        settings=_setting_rows(training, settings),
        machine=[("precision", training.precision), *fingerprint(job.device).items()],
        scores={part: scores[part] for part in ("test", "validation", "train")},
        **images,
        mistakes=_mistakes(model, data, truth, predicted),
        **heatmap_facts(model, data, training, truth, predicted),
        commands=next_commands(folder),
    )


def next_commands(folder: Path) -> list[tuple[str, str]]:
    """What to do with a run, as command lines and what they do."""
    return [
        (f"striate open {folder}", "look inside in the browser: every layer, filter and number"),
        (f"striate predict {folder} PICTURES --out predictions.csv", "name the class of new pictures"),
        (f"striate evaluate {folder} FOLDER", "score the model on other labelled pictures"),
        (f"striate summary {folder}", "show the network layer by layer"),
    ]


def _setting_rows(training: Training, settings: Settings) -> list[tuple[str, object]]:
    plan, asked = training.plan, as_table(settings)
    return [
        ("epochs done", training.place.epoch),
        ("batch", plan.batch_size),
        ("optimizer", f"{plan.optimizer}, highest learning rate {plan.lr:g}"),
        ("random changes", plan.recipe),
        ("rare classes", plan.balance),
        ("label smoothing", plan.smoothing),
        ("seed", plan.seed),
        *((name, asked[name]) for name in ("minutes", "patience", "group", "test", "val") if asked[name] is not None),
    ]


def _data_rows(data: Dataset) -> list[tuple[str, object]]:
    looked: Survey = data.survey
    shape = data.store.shape
    common = looked.sizes.most_common(4)
    sizes = ", ".join(f"{w}×{h}" + (f" ({n:,})" if not looked.same_size else "") for (h, w), n in common)
    channels = f"{shape.channels} channel{'s' * (shape.channels > 1)}"
    return [
        ("from", data.found.root),
        ("pictures used", f"{len(data.store.kept):,}"),
        ("left out", f"{len(data.left_out):,}"),
        ("hidden files passed over", f"{data.found.hidden:,}"),
        ("sizes, width×height", sizes + (f" and {len(looked.sizes) - 4} more" if len(looked.sizes) > 4 else "")),
        ("formats", ", ".join(f"{name} ({n:,})" for name, n in looked.formats.most_common())),
        ("depth", ", ".join(looked.depths)),
        ("the network sees", f"{shape.width}×{shape.height}, {channels}, {shape.depth}"),
    ]


def _split_sentence(data: Dataset, settings: Settings) -> str:
    if any(sample.part for sample in data.found.samples):
        how = "The parts are those of the folder; a part that it lacks was cut from the training pictures"
    else:
        how = f"{settings.test:.0%} for testing and {settings.val:.0%} for validation, class by class"
    grouped = "; pictures of one group stay in one part" if settings.group else ""
    return (
        f"{how}{grouped}. Which picture goes where follows from its content and the seed {settings.seed} alone; "
        "identical files stay together."
    )


def _notes(data: Dataset, training: Training) -> list[str]:
    notes = data.cautions
    if training.stop:
        notes.append("The training was stopped by hand before its budget was used up.")
    if training.plan.balance == "weights":
        notes.append("The classes differ much in size, so rare ones count more in the loss (--balance weights).")
    if len(data.rows("test")) < 100:
        notes.append(f"The test part has only {len(data.rows('test'))} pictures: mind the interval.")
    return notes


def _mistakes(model: Model, data: Dataset, truth: np.ndarray, predicted: np.ndarray) -> list[MistakePicture]:
    rows = data.scored_rows("test")
    return [
        MistakePicture(
            picture=pixels.visible(np.asarray(data.store.pictures[rows[mistake.index]])),
            truth=model.classes[mistake.truth],
            predicted=model.classes[mistake.predicted],
            confidence=mistake.confidence,
            path=data.found.samples[data.store.kept[rows[mistake.index]]].path,
        )
        for mistake in confident_mistakes(truth[rows], predicted)
    ]
