"""What a training leaves in its run folder: model, scores, predictions, pictures, report, manifest."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from striate import files
from striate.augment.apply import augment
from striate.data.batches import scale
from striate.data.sample import PARTS
from striate.draw import charts, sheets
from striate.errors import counted
from striate.evaluate.report import report
from striate.evaluate.scores import classification_scores, headline
from striate.export.model import MODEL_FILE, Model
from striate.tasks.metrics import calibration_bins
from striate.train.dataset import Dataset, Job
from striate.train.describe import next_commands, report_facts
from striate.train.events import Note, Watch
from striate.train.illustrate import layer_picture
from striate.train.loop import Training

SHEET_PICTURES, SHEET_CHANGES = 6, 7  # rows of the augmentation sheet, and changed copies in each


def write_augmentation(folder: Path, training: Training) -> None:
    """augmentation.png: training pictures, each beside what the network will see of it."""
    batches = training.batches
    chosen = batches.rows[np.linspace(0, len(batches) - 1, min(SHEET_PICTURES, len(batches))).astype(int)]
    plain = scale(batches.pictures[chosen], batches.preparation, torch.device("cpu"))
    ids = torch.from_numpy(chosen)
    epochs = [
        augment(plain, training.recipe, seed=training.plan.seed, epoch=epoch, sample_ids=ids)
        for epoch in range(SHEET_CHANGES)
    ]
    tiles, captions = [], []
    for row in range(len(chosen)):
        tiles += [_tile(plain[row]), *(_tile(changed[row]) for changed in epochs)]
        captions += ["as it is", *(f"epoch {epoch + 1}" for epoch in range(SHEET_CHANGES))]
    title = f"What the network sees: {training.plan.recipe}"
    files.write_bytes(folder / "augmentation.png", sheets.picture_sheet(tiles, captions, SHEET_CHANGES + 1, title))


def write_results(folder: Path, model: Model, training: Training, history: list[dict], job: Job) -> dict:
    """Score the parts, write every result, and the manifest last; the record of scores.json."""
    data, tell = job.data, job.tell
    model.save(folder / MODEL_FILE)
    tell(Note("Scoring   the test part is opened now, once"))
    truth = data.task.encode(data.targets).numpy()
    predicted = {part: _predicted(model, data, part) for part in PARTS}
    majority = model.classes.index(model.about["majority"])
    scores: dict = {
        part: classification_scores(truth[data.scored_rows(part)], predicted[part], model.classes, majority)
        for part in ("test", "validation", "train")
    }
    _write_predictions(folder, data, predicted)
    images = _write_images(folder, model, data, truth, predicted["test"], scores["test"], history)
    scores["classes"] = list(model.classes)
    scores["stopped"] = training.stop
    scores["seconds"] = round(time.monotonic() - job.started, 2)
    page = report(report_facts(folder, model, training, job, scores, images, truth, predicted["test"]))
    files.write_text(folder / "report.html", page)
    scores["seconds"] = round(time.monotonic() - job.started, 2)
    files.write_json(folder / "scores.json", scores)
    files.write_manifest(folder)
    _tell_end(folder, scores, training, tell)
    return scores


def _predicted(model: Model, data: Dataset, part: str) -> np.ndarray:
    """(N, classes) probabilities of a part's scored rows, a bounded number of pictures at a time."""
    rows = data.scored_rows(part)
    chunks = [model.probabilities(data.store.pictures[rows[i : i + 2048]]) for i in range(0, len(rows), 2048)]
    return np.concatenate(chunks) if chunks else np.zeros((0, len(model.classes)))


def _write_predictions(folder: Path, data: Dataset, predicted: dict[str, np.ndarray]) -> None:
    classes, targets = data.task.classes, data.targets

    def rows() -> Iterator[tuple[str, ...]]:
        for part in ("test", "validation", "train"):
            for row, chances in zip(data.scored_rows(part), predicted[part], strict=True):
                best = int(chances.argmax())
                name = data.found.samples[data.store.kept[row]].path
                figures = (f"{p:.6f}" for p in (chances[best], *chances))
                yield name, classes[best], *figures, part, targets[row]

    header = ("path", "predicted", "confidence", *(f"p_{name}" for name in classes), "part", "truth")
    files.write_csv(folder / "predictions.csv", header, rows())


def _write_images(
    folder: Path,
    model: Model,
    data: Dataset,
    truth: np.ndarray,
    predicted: np.ndarray,
    test: dict,
    history: list[dict],
) -> dict[str, bytes]:
    """The figures of the report, by the name of their field there; each is also written as a PNG file."""
    images = {"curves": charts.curves(history)} if history else {}
    if test["n"]:
        right = predicted.argmax(axis=1) == truth[data.scored_rows("test")]
        images["confusion"] = charts.confusion(np.array(test["confusion"]), model.classes)
        images["calibration"] = charts.calibration(calibration_bins(predicted.max(axis=1), right))
    first = next((m for m in model.network.modules() if isinstance(m, torch.nn.Conv2d)), None)
    if first is not None:
        images["filters"] = sheets.kernels(first.weight.detach().float().cpu().numpy())
    images["layers"] = layer_picture(model, data)
    for name, png in images.items():
        files.write_bytes(folder / f"{'confusion_matrix' if name == 'confusion' else name}.png", png)
    images["augmentation"] = (folder / "augmentation.png").read_bytes()
    return images


def _tell_end(folder: Path, scores: dict, training: Training, tell: Watch) -> None:
    done = "Stopped" if training.stop else "Done"
    tell(Note(f"{done:9} in {scores['seconds']:.0f} s after {counted(training.place.epoch, 'epoch')}"))
    tell(Note(f"Test      {headline(scores['test'])}"))
    tell(Note(f"Run       {folder.absolute()}"))
    tell(Note("Next"))
    tell(Note(f"  open {folder / 'report.html'}"))
    for command, _ in next_commands(folder):
        tell(Note(f"  {command}"))


def _tile(picture: torch.Tensor) -> np.ndarray:
    """A scaled picture (C, H, W) as uint8 (H, W, 1 or 3) on a fixed scale, so that brightness can be compared."""
    shown = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return shown if shown.shape[2] in (1, 3) else shown.mean(axis=2, keepdims=True).astype(np.uint8)
