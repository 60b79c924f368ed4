"""What a training leaves in its run folder: model, scores, predictions, pictures, report, manifest."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import striate
from striate import files
from striate.augment.apply import augment
from striate.data.batches import scale
from striate.data.sample import PARTS
from striate.data.survey import Survey
from striate.draw import charts, pixels, sheets
from striate.evaluate.mistakes import confident_mistakes
from striate.evaluate.report import MistakePicture, ReportFacts, report
from striate.evaluate.scores import classification_scores, headline
from striate.export.model import MODEL_FILE, Model
from striate.network.summary import summary_text
from striate.tasks.metrics import calibration_bins
from striate.train.dataset import Dataset, Job
from striate.train.events import Note, Watch
from striate.train.loop import Training
from striate.train.settings import Settings, as_table

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
    page = report(_facts(folder, model, training, job, scores, images, truth, predicted["test"]))
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
    """The PNG files beside the report, by name."""
    images = {"curves": charts.curves(history)} if history else {}
    if test["n"]:
        right = predicted.argmax(axis=1) == truth[data.scored_rows("test")]
        images["confusion_matrix"] = charts.confusion(np.array(test["confusion"]), model.classes)
        images["calibration"] = charts.calibration(calibration_bins(predicted.max(axis=1), right))
    first = next((m for m in model.network.modules() if isinstance(m, torch.nn.Conv2d)), None)
    if first is not None:
        images["filters"] = sheets.kernels(first.weight.detach().float().cpu().numpy())
    for name, png in images.items():
        files.write_bytes(folder / f"{name}.png", png)
    images["augmentation"] = (folder / "augmentation.png").read_bytes()
    return images


def _facts(
    folder: Path,
    model: Model,
    training: Training,
    job: Job,
    scores: dict,
    images: dict[str, bytes],
    truth: np.ndarray,
    predicted: np.ndarray,
) -> ReportFacts:
    data, settings = job.data, job.settings
    plan, shape, counts = training.plan, data.store.shape, {part: data.counts(part) for part in PARTS}
    asked = {name: value for name, value in as_table(settings).items() if value is not None}
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
        settings=[
            ("epochs done", training.place.epoch),
            ("batch", plan.batch_size),
            ("optimizer", f"{plan.optimizer}, highest learning rate {plan.lr:g}"),
            ("random changes", plan.recipe),
            ("rare classes", plan.balance),
            ("label smoothing", plan.smoothing),
            ("seed", plan.seed),
            *((name, asked[name]) for name in ("minutes", "patience", "group", "test", "val") if name in asked),
        ],
        machine=[("precision", training.precision), *_machine(training)],
        scores={part: scores[part] for part in ("test", "validation", "train")},
        curves=images.get("curves"),
        confusion=images.get("confusion_matrix"),
        calibration=images.get("calibration"),
        augmentation=images.get("augmentation"),
        filters=images.get("filters"),
        mistakes=_mistakes(model, data, truth, predicted),
        commands=next_commands(folder),
    )


def next_commands(folder: Path) -> list[tuple[str, str]]:
    """What to do with a run, as command lines and what they do."""
    return [
        (f"striate predict {folder} PICTURES --out predictions.csv", "name the class of new pictures"),
        (f"striate evaluate {folder} FOLDER", "score the model on other labelled pictures"),
        (f"striate summary {folder}", "show the network layer by layer"),
    ]


def _machine(training: Training) -> list[tuple[str, object]]:
    from striate.device import fingerprint

    return list(fingerprint(training.batches.device).items())


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
            picture=pixels.to_uint8(np.asarray(data.store.pictures[rows[mistake.index]])),
            truth=model.classes[mistake.truth],
            predicted=model.classes[mistake.predicted],
            confidence=mistake.confidence,
            path=data.found.samples[data.store.kept[rows[mistake.index]]].path,
        )
        for mistake in confident_mistakes(truth[rows], predicted)
    ]


def _tell_end(folder: Path, scores: dict, training: Training, tell: Watch) -> None:
    done = "Stopped" if training.stop else "Done"
    tell(Note(f"{done:9} in {scores['seconds']:.0f} s after {training.place.epoch} epochs"))
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
