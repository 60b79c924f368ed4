"""A finished training in words and numbers, for its report."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from striate.data.sample import PARTS
from striate.data.shown import shown as drawn
from striate.data.survey import Survey
from striate.data.wording import extent
from striate.device import fingerprint
from striate.errors import first_few
from striate.evaluate.check_section import head_of
from striate.evaluate.facts import Figure, MistakePicture, ReportFacts
from striate.evaluate.named import headline, in_sentence, main_of, number, warnings
from striate.export.model import Model
from striate.network.summary import summary_text
from striate.tasks.task import Task
from striate.train.dataset import TWIN, Dataset, Job
from striate.train.illustrate import heatmap_facts, said_of
from striate.train.learnable import with_targets
from striate.train.loop import Training
from striate.train.settings import Settings

MISTAKES = 24  # pictures
NAMED = ("weights", "minutes", "patience", "group", "test", "val")  # settings, where they were given


def report_facts(
    folder: Path, model: Model, training: Training, job: Job, scores: dict,
    images: Mapping[str, bytes], figures: Mapping[str, Figure], answers: Sequence,
) -> ReportFacts:  # fmt: skip
    """A finished training in the words and numbers of its report.

    images: PNG files by the name of their field in ReportFacts. figures: of the task. answers: to the test part's rows.
    """
    data, settings = job.data, job.settings
    plan, shape = training.plan, data.store.shape
    parts = [part for part in (*PARTS, TWIN) if part != TWIN or len(data.rows(TWIN))]
    return ReportFacts(
        **_told_of_all(folder, job, scores),
        title=f"{Path(data.found.root).name}: {_kind(model.task)}",
        notes=_notes(data, training),
        split=_split_sentence(data, settings),
        split_table=[("part", "pictures"), *((part, f"{len(data.rows(part)):,}") for part in parts)],
        network=plan.line.replace("classes", str(len(model.classes))),
        summary=summary_text(training.network, shape.seen, shape.form),
        settings=_setting_rows(training, settings),
        changed=training.recipe.changes,
        machine=[("precision", training.precision), *fingerprint(job.device).items()],
        **images,
        figures=figures,
        mistakes=_mistakes(model, data, answers),
        legend=model.task.legend,
        **heatmap_facts(model, data, training, answers),
    )


def summary_facts(folder: Path, job: Job, scores: dict, spread: bytes, figures: Mapping[str, Figure]) -> ReportFacts:
    """Several trainings as one report; spread: their scores as a PNG file; figures: of the task, over all answers."""
    data, settings = job.data, job.settings
    of = "of all answers, those of order (like AUROC) means" if settings.folds else "means"
    how = f"The folder of each run has a report of its own. The model here is that of run {scores['model']}."
    how += f" Scores are {of} over the runs; figures and the matrix count all answers."
    split = f"{settings.folds} folds, class by class: each is the test part once, and what belongs together is in one."
    if not settings.folds:
        split = f"{_split_sentence(data, settings)} All runs have the same parts; seed, weights and order differ."
    return ReportFacts(
        **_told_of_all(folder, job, scores),
        title=f"{Path(data.found.root).name}: {_kind(data.task)}, {len(scores['runs'])} runs",
        notes=[f"{spread_sentence(scores)} {how}", *data.cautions],
        split=split,
        settings=[(name, value) for name, value in asdict(settings).items() if value is not None],
        machine=list(fingerprint(job.device).items()),
        runs=scores["runs"],
        spread=spread,
        figures=figures,
    )


def _told_of_all(folder: Path, job: Job, scores: dict) -> dict[str, object]:
    """What the report of one training and that of several have in common."""
    data, counts = job.data, {part: job.data.counts(part) for part in PARTS}
    seen = with_targets(data.found, data.store, data.task)
    return {
        **head_of(folder, data.found, data.store, data.check, data.left_out, scores["seconds"], seen),
        "headline": headline(scores["test"]),
        "warnings": warnings(scores, list(data.opened)),
        "data": _data_rows(data),
        # Every picture has all the numbers, so that counting them says nothing.
        "classes": {one: {part: counts[part][one] for part in PARTS} for one in data.task.classes if data.task.shares},
        "scores": {part: scores[part] for part in ("test", "validation", "train")},
        "random_split": scores.get("random_split"),
        "commands": next_commands(folder),
    }


def spread_sentence(scores: dict) -> str:
    """Mean and spread of the test score that counts over several runs."""
    main = main_of(scores["test"])
    over = scores["spread"].get(main)
    if over is None:
        return "Nothing was tested."
    said = {name: number(value, main) for name, value in over.items() if value is not None}
    sd = f", standard deviation {said['sd'].removesuffix(' %')}" if "sd" in said else ""
    ends = f"from {said['lowest'].removesuffix(' %')} to {said['highest']}"
    return f"Test {in_sentence(main, scores['test'])} of {len(scores['runs'])} runs: mean {said['mean']}{sd}, {ends}."


def next_commands(folder: Path) -> list[tuple[str, str]]:
    """What to do with a run, as command lines for a shell and what they do."""
    run = shlex.quote(str(folder))
    return [
        (f"striate open {run}", "look inside in the browser: every layer, filter and number"),
        (f"striate predict {run} PICTURES --out predictions.csv", "what the model says of new pictures"),
        (f"striate serve {run}", "answer with what the model says over HTTP, with a page to drop pictures on"),
        (f"striate evaluate {run} FOLDER", "score the model on other labelled pictures"),
        (f"striate summary {run}", "show the network layer by layer"),
    ]


def _setting_rows(training: Training, settings: Settings) -> list[tuple[str, object]]:
    plan, asked = training.plan, asdict(settings)
    return [
        ("epochs done", training.place.epoch),
        ("batch", plan.batch_size),
        ("optimizer", f"{plan.optimizer}, highest learning rate {plan.lr:g}"),
        ("random changes", plan.recipe),
        *([("symmetry", plan.symmetry)] if plan.symmetry else []),
        ("balance", plan.balance),
        ("label smoothing", plan.smoothing),
        ("seed", plan.seed),
        *((name, asked[name]) for name in NAMED if asked[name] is not None),
    ]


def _data_rows(data: Dataset) -> list[tuple[str, object]]:
    looked: Survey = data.survey
    shape = data.store.shape
    sizes, common = looked.sizes, looked.sizes.most_common(4)
    told = ", ".join(f"{w}×{h}" + (f" ({n:,})" if not looked.same_size else "") for (h, w), n in common)
    told += f" and {len(sizes) - 4} more" if len(sizes) > 4 else ""
    lengths = [width for _, width in sizes] if shape.axes == 1 else []
    if lengths:
        longest = f" to {max(lengths):,}, most often {common[0][0][1]:,}" if len(sizes) > 1 else ""
        told = f"{min(lengths):,}{longest}"
    return [
        ("from", data.found.root),
        ("pictures used", f"{len(data.used):,}"),
        ("left out", f"{len(data.left_out):,}"),
        ("hidden files passed over", f"{data.found.hidden:,}"),
        ("lengths" if lengths else "sizes, width×height", told),
        ("formats", ", ".join(f"{name} ({n:,})" for name, n in looked.formats.most_common())),
        ("depth", ", ".join(looked.depths)),
        ("the network sees", extent(shape)),
    ]


def _split_sentence(data: Dataset, settings: Settings) -> str:
    kept = ["copies", "look-alikes", *(["pictures of one group"] if settings.group else [])]
    together = f"{', '.join(kept[:-1])} and {kept[-1]} stay in one part"
    if data.found.parts:
        how = "The parts are those of the folder; a part that it lacks was cut from the training pictures"
        together += ", except where the folder says otherwise"
    else:
        share = len(data.rows("validation")) / max(len(data.used), 1) if settings.val is None else settings.val
        how = f"{100 * settings.test:.0f} % for testing and {100 * share:.0f} % for validation"
        how += ", class by class" if data.task.one_label and settings.split != "blocks" else ""
    if settings.split == "blocks":
        between = "what lies beside a border between two parts is left out, since neighbours are nearly alike"
        return f"{how}, in blocks of the order given: the first to learn from, the last for testing; {between}."
    return f"{how}. Which picture goes where follows from its content and the seed {settings.seed} alone; {together}."


def _notes(data: Dataset, training: Training) -> list[str]:
    notes = data.cautions
    if training.stop:
        notes.append("The training was stopped by hand before its budget was used up.")
    if training.plan.balance == "weights":
        notes.append("The classes differ much in size, so rare ones count more in the loss (--balance weights).")
    if len(data.rows("test")) < 100:
        notes.append(f"The test part has only {len(data.rows('test'))} pictures: mind the interval.")
    return notes


def _kind(task: Task) -> str:
    """What is learned, in a few words."""
    return f"{len(task.classes)} classes" if task.one_label else f"{first_few(task.classes, 3)} ({task.name})"


def _mistakes(model: Model, data: Dataset, answers: Sequence) -> list[MistakePicture]:
    rows, task = data.scored_rows("test"), model.task
    shown = []
    for index in task.worst(data.targets_of(rows), answers, MISTAKES):
        row, answer = rows[index], answers[index]
        picture = drawn(np.asarray(data.store.pictures[row]), data.store.shape)
        picture = task.drawn(picture, answer, data.targets[row])
        shown.append(MistakePicture(picture=picture, **said_of(task, data, row, answer)))
    return shown
