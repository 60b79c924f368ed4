"""What a training leaves in its run folder: model, scores, predictions, pictures, report, manifest."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from striate import files
from striate.data.batches import scale
from striate.data.prepare import Shape
from striate.data.sample import PARTS
from striate.data.shown import shown as drawn
from striate.draw import charts, sheets
from striate.errors import counted
from striate.evaluate.facts import ReportFacts
from striate.evaluate.named import headline, label, warnings
from striate.evaluate.report import report
from striate.evaluate.seal import open_seal, seen_before
from striate.export.answers import write_scored
from striate.export.model import Model
from striate.export.underway import MODEL_FILE
from striate.network.blocks import CONVOLUTIONS
from striate.tasks.task import Task
from striate.train.dataset import TWIN, Dataset, Job
from striate.train.describe import next_commands, report_facts, spread_sentence
from striate.train.events import Note
from striate.train.illustrate import layer_picture
from striate.train.loop import Training
from striate.train.scoring import answers_of, score_parts
from striate.train.suspects import with_doubts

HELD_OUT = ("test", "validation")
SHEET_PICTURES, SHEET_CHANGES, SPATIAL_CHANGES = 6, 7, 3  # rows of the augmentation sheet, changed copies in each


def write_augmentation(folder: Path, training: Training) -> None:
    """augmentation.png: training pictures, each beside what the network will see of it; more, where it is the same.
    Targets that lie on pictures are drawn on them."""
    batches, task, shape = training.batches, training.task, training.batches.preparation.shape
    most = SPATIAL_CHANGES if task.spatial else SHEET_CHANGES  # so that thin lines and texts can be seen
    copies, columns = most if training.recipe.changes else 0, 2 if shape.form == "text" else most + 1
    count = min(SHEET_PICTURES * (1 if copies else columns), len(batches))
    places = np.linspace(0, len(batches) - 1, count).astype(int)
    plain = scale(batches.pictures[batches.rows[places]], batches.preparation, torch.device("cpu"))
    targets = batches.targets[torch.from_numpy(places)].cpu()
    chance = {"seed": training.plan.seed, "sample_ids": torch.from_numpy(batches.rows[places])}
    seen = [(plain, targets), *(training.changed(plain, targets, {**chance, "epoch": one}) for one in range(copies))]
    tiles, captions = [], []
    for row in range(count):
        tiles += [task.seen(_tile(pictures[row], shape), truths[row]) for pictures, truths in seen]
        captions += ["as it is", *(f"epoch {epoch + 1}" for epoch in range(copies))] if copies else []
    title = f"What the network sees: {training.plan.recipe if copies else 'nothing is changed at random'}"
    files.write_bytes(folder / "augmentation.png", sheets.picture_sheet(tiles, captions, columns, title))


def write_results(folder: Path, model: Model, training: Training, history: list[dict], job: Job) -> dict:
    """Score the parts, write every result, and the manifest last; the record of scores.json."""
    data, tell = job.data, job.tell
    model.save(folder / MODEL_FILE)
    tell(Note(f"Scoring   the test part is opened now{'' if data.opened else ', once'}"))
    predicted = {part: answers_of(model, data, data.scored_rows(part)) for part in (*PARTS, TWIN)}
    scores = score_parts(model, data, predicted)
    open_test(folder, job, scores["test"])
    _write_predictions(folder, model.task, data, predicted)
    held = [(data.scored_rows(part), predicted[part]) for part in HELD_OUT]
    job = replace(job, data=with_doubts(folder, data, held))
    images = _write_images(folder, model, data, history, predicted)
    tested, truths = predicted["test"], data.targets_of(data.scored_rows("test"))
    figures = model.task.figures(truths, tested, scores["test"]) if truths else {}
    for name, figure in figures.items():
        files.write_bytes(folder / f"{name}.png", figure.png)
    scores |= {"classes": list(model.classes), "stopped": training.stop}
    page = partial(report_facts, folder, model, training, job, scores, images, figures, tested)
    finish(folder, job, scores, page, f" after {counted(training.place.epoch, 'epoch')}")
    return scores


def open_test(folder: Path, job: Job, record: dict) -> None:
    """Write down, in the run and in the record of its test part, that this was opened, and what was learned from it."""
    if not record["n"]:
        return
    contents = job.data.contents("test")
    record["openings"] = open_seal(folder, contents, "train", record) + sum(job.data.opened.values())
    record |= seen_before(contents, job.given.learned) if job.given else {}


def _write_predictions(folder: Path, task: Task, data: Dataset, predicted: Mapping[str, Sequence]) -> None:
    told = [
        (data.names[row], answer, part, data.targets[row], data.kin[row])
        for part in ("test", "validation", "train", TWIN)
        for row, answer in zip(data.scored_rows(part), predicted[part], strict=True)
    ]
    write_scored(folder / "predictions.csv", task, told)


def _write_images(
    folder: Path, model: Model, data: Dataset, history: list[dict], predicted: Mapping[str, Sequence]
) -> dict[str, bytes]:
    """The figures of network and training, by the name of their field in the report; each is also a PNG file."""
    images = {"curves": charts.curves(history, label)} if history else {}
    first = next((m for m in model.network.modules() if type(m) in CONVOLUTIONS), None)  # whitening is measured
    if first is not None:
        images["filters"] = sheets.kernels(first.weight.detach().float().cpu().numpy())
    images["layers"] = layer_picture(model, data, predicted)
    for name, png in images.items():
        files.write_bytes(folder / f"{name}.png", png)
    images["augmentation"] = (folder / "augmentation.png").read_bytes()
    return images


def finish(folder: Path, job: Job, scores: dict, page: Callable[[], ReportFacts], after: str = "") -> None:
    """Write the report, the scores and the manifest last; tell what came of one training or several, where the run is,
    and what to do with it.

    page: what the report says, once the scores know the seconds up to it. after: how much was trained.
    """
    scores["seconds"] = round(time.monotonic() - job.started, 2)
    files.write_text(folder / "report.html", report(page()))
    scores["seconds"] = round(time.monotonic() - job.started, 2)
    files.write_json(folder / "scores.json", scores)
    files.write_manifest(folder)
    if job.parent is not None:
        return
    tell = job.tell
    tell(Note(f"{'Stopped' if scores['stopped'] else 'Done':9} in {scores['seconds']:.0f} s{after}"))
    tell(Note(f"Test      {headline(scores['test'])}"))
    if "spread" in scores:
        tell(Note(f"Runs      {spread_sentence(scores)}"))
    for warning in warnings(scores, list(job.data.opened)):
        tell(Note(f"Mind      {warning}"))
    tell(Note(f"Run       {folder.absolute()}"))
    tell(Note("Next"))
    tell(Note(f"  open {folder / 'report.html'}"))
    for command, _ in next_commands(folder):
        tell(Note(f"  {command}"))


def _tile(picture: torch.Tensor, shape: Shape) -> np.ndarray:
    """A scaled picture (C, H, W) as uint8 (H, W, 1 or 3) on a fixed scale, so that brightness can be compared."""
    if shape.form != "picture":
        return drawn(picture.permute(1, 2, 0).numpy(), shape)
    shown = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return shown if shown.shape[2] in (1, 3) else shown.mean(axis=2, keepdims=True).astype(np.uint8)
