"""One training, from a job to its run folder: plan, train, score, report.

The run folder appears once everything that can be checked beforehand has been checked, and goes again if nothing
that can be resumed came of it.
"""

import contextlib
import math
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

import striate
from striate import device as machine
from striate import files
from striate.data.measure import measure
from striate.data.prepare import Preparation
from striate.data.sample import text_of
from striate.errors import StriateError, first_few
from striate.evaluate.markup import element, join, picture
from striate.evaluate.named import headline
from striate.evaluate.seal import learned_from
from striate.export.model import Model
from striate.network.build import Network
from striate.network.summary import total_operations
from striate.network.text import member_of
from striate.train import plan as planning
from striate.train.assemble import auto_of, network_of, speed_of, training_of
from striate.train.budget import answer_in_time, look_again, set_aside_report
from striate.train.calibrate import calibrated
from striate.train.checkpoint import has_checkpoint, load_checkpoint, resumable, save_checkpoint
from striate.train.dataset import Dataset, Division, Job, Source, read_dataset, write_data
from striate.train.events import Began, Epoch, Note, Watch, in_words_of, write_history
from striate.train.given import read_given
from striate.train.loop import Training
from striate.train.plan import Plan
from striate.train.results import write_augmentation, write_results
from striate.train.settings import Settings, to_toml
from striate.train.symmetry import with_symmetry
from striate.train.watch import Watching

CHECKPOINT_SECONDS = 5  # between two checkpoints; what is lost by a kill is done again, bit for bit
HISTORY = 50  # times what writing history.csv took lie between two writings: it is written whole, and grows
DIGITS = "digits"
SHOWN = ("curves", "confusion_matrix", "recall_precision", "labels", "scatter")  # in a notebook, as far as there


@dataclass(frozen=True)
class Run:
    """A finished run: `folder` with all results, `scores` as in scores.json, and the `model`."""

    folder: Path
    scores: dict = field(repr=False)
    model: Model = field(repr=False)
    stopped: bool = False

    @property
    def test(self) -> dict:
        """The scores on the test part."""
        return self.scores["test"]

    def __str__(self) -> str:
        return f"Test {headline(self.test)} · {self.folder}"

    def _repr_html_(self) -> str:
        """What a notebook shows: the test score, where the run is, and its first figures."""
        title = element("p", element("b", f"Test {headline(self.test)}"), f" · {self.folder}")
        pictures = [file for name in SHOWN if (file := self.folder / f"{name}.png").is_file()]
        return join(title, *(picture(file.read_bytes(), file.stem, name="striate") for file in pictures))


def read_job(source: Source, settings: Settings, tell: Watch, started: float, run: Path | None = None) -> Job:
    """The pictures of a training, read and divided as for the first run; `run` is the folder of one that goes on."""
    device = machine.choose_device(settings.device)
    given = read_given(settings.weights) if settings.weights else None
    settings = given.settings(settings) if given else settings
    division = Division(seed=settings.seed, fold=1 if settings.folds else 0, folds=settings.folds or 0)
    data = read_dataset(source, settings, tell, division, run)
    tell = in_words_of(data.found.form, tell)
    told = DIGITS if source is None else data.found.root
    return Job(settings, data, preparation_of(data), device, tell, started, told, division, given=given)


def preparation_of(data: Dataset) -> Preparation:
    """What is measured on the training part."""
    return measure(data.store.pictures, data.rows("train"), data.store.shape)


def begin(job: Job) -> Run:
    """Train from the beginning, in a new run folder."""
    settings = job.settings
    plan, speed = planned(job)
    plan = with_symmetry(plan, job, speed)
    network = network_of(plan, job)
    files.require_space(Path(settings.out), _bytes_needed(network))
    training = training_of(plan, network, job)
    answer_in_time(training, job)
    plan = training.plan
    about = {**about_run(job), "precision": training.precision}
    folder = files.new_run_folder(Path(settings.out), settings.name)
    with files.held(folder), resumable(folder, job.tell, job.parent, job.source):
        tables = {"settings": asdict(settings), "plan": asdict(plan), "division": asdict(job.division), "run": about}
        files.write_text(folder / "settings.toml", to_toml(tables))
        write_data(folder, job.data)
        return _fit(training, [], folder, job)


def planned(job: Job) -> tuple[Plan, float | None]:
    """The plan, and the speed that it counts on.

    For an ensemble that was not asked for, that is the speed of its own member where it is slower than the network
    measured first: with fewer filters the same number of operations takes longer.
    """
    facts, speed = _facts(job), speed_of(job)
    plan = planning.make_plan(job.settings, facts, operations_per_second=speed)
    member = member_of(plan.line)
    if speed is None or member == plan.line or job.settings.members:
        return plan, speed
    speed = min(speed, speed_of(job, member))
    return planning.make_plan(job.settings, facts, operations_per_second=speed), speed


def go_on(folder: Path, job: Job, tables: dict) -> Run:
    """Train on from the last checkpoint in `folder`, which is held; tables: of its settings.toml."""
    about = tables["run"]
    require_same_start(folder, job, about)
    plan, shape = Plan.from_table(tables.get("plan")), job.data.store.shape
    if (plan.height, plan.width) != (shape.height, shape.width):  # a version before chose another
        rule, received = "a run goes on with the size it began with", f"{shape.width} × {shape.height}"
        raise StriateError(rule, received=received, where=f"{plan.width} × {plan.height}", remedy="start a new run")
    (folder / files.MANIFEST).unlink(missing_ok=True)
    training = training_of(plan, network_of(plan, job), job)
    history: list[dict] = []
    if has_checkpoint(folder):
        place, tensors, history = load_checkpoint(folder, job.tell)
        training.load(place, tensors)
        if training.clock:
            training.clock.deadline -= place.seconds
    now, same = about_run(job), ("striate", *machine.fingerprint(job.device))
    told = f"after epoch {training.place.epoch}"
    if other := [f"{name} was {about.get(name)}" for name in same if about.get(name) != now[name]]:
        told += f", on another machine or version than before ({', '.join(other)}), so not bit for bit the same weights"
    job.tell(Note(f"Resuming  {folder} {told}"))
    tables["run"] = {**about, "resumed": [*about.get("resumed", ()), f"{now['started']} {told}"]}
    files.write_text(folder / "settings.toml", to_toml(tables))
    with resumable(folder, job.tell, job.parent, job.source):
        return _fit(training, history, folder, job)


def require_same_start(folder: Path, job: Job, about: dict) -> None:
    """Raise where the pictures, or the weights to begin with, are not those of [run] in the settings.toml of a run that
    goes on."""
    if job.data.fingerprint() != about["data"]:
        rule = "a run goes on with the very pictures and labels it began with"
        remedy = "bring them back, or start a new run"
        raise StriateError(rule, received=_changes(folder, job.data), where=about["source"], remedy=remedy)
    if job.given and job.given.digest != about.get("weights"):
        rule = "a run goes on from the very weights it began with"
        raise StriateError(rule, received="others", where=job.given.where, remedy="bring them back")


def _changes(folder: Path, data: Dataset) -> str:
    """What is not as the run's data.csv has it, in words."""
    before = {row["path"]: row["label"] for row in files.read_csv(folder / "data.csv") if row["status"] == "used"}
    now = {files.readable(data.names[row]): text_of(data.targets[row]) for row in data.used}
    other = {path for path in now.keys() & before if now[path] != before[path]}
    kinds = {"added": now.keys() - before, "gone": before.keys() - now, "with other labels": other}
    told = [f"{kind}: {first_few(sorted(paths), 3)}" for kind, paths in kinds.items() if paths]
    return "; ".join(told) or "the same files with other contents, groups or parts"


def about_run(job: Job) -> dict[str, object]:
    """[run] of settings.toml: versions, machine, and which pictures."""
    return {
        "striate": striate.__version__, "source": job.source, "data": job.data.fingerprint(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"), **({"part_of": job.parent.name} if job.parent else {}),
        **({"weights": job.given.digest} if job.given else {}),
        **machine.fingerprint(job.device),
    }  # fmt: skip


def _facts(job: Job) -> planning.Facts:
    data, task = job.data, job.data.task
    counts = data.counts("train")
    if empty := [name for name, count in counts.items() if not count]:
        rule = "every class needs pictures in the training part"
        remedy = "lower --test and --val, or give more pictures of these classes"
        raise StriateError(rule, received=f"none of {first_few(empty)}", where=data.found.root, remedy=remedy)
    each = tuple(counts.values()) if task.one_label else (len(data.rows("train")),)
    return planning.Facts(shape=data.store.shape, task=task, counts=each, line=auto_of(job))


def _first_figure(folder: Path, training: Training) -> None:
    """Draw what the network will see, and learn from it how long this machine will take for the report."""
    begun = time.thread_time()  # of this thread alone: steps go on beside it
    write_augmentation(folder, training)
    set_aside_report(training, time.thread_time() - begun)


def _fit(training: Training, history: list[dict], folder: Path, job: Job) -> Run:
    """Train to the end, then score once and write everything."""
    job.tell(Began(folder))
    machine.keep_memory()
    step = 3 * training.plan.batch_size * total_operations(training.network, training.network.input_shape)
    with machine.threads_for(step):
        _learn(training, history, folder, job)
    with machine.threads_for(step):  # anew: a budget's last step may have run on one thread
        return _finish(training, history, folder, job)


def _learn(training: Training, history: list[dict], folder: Path, job: Job) -> None:
    """Train to the end, with checkpoints and snapshots on the way."""
    saved, figure, written, cost, looked = time.monotonic(), None, -math.inf, 0.0, False
    threads = torch.get_num_threads()  # which a budget's steps choose anew
    with ThreadPoolExecutor(1) as pool, machine.repeatable(job.device), _stop_on_interrupt(training):
        watching = Watching(folder, training, job.data.names)
        for event in training.run():
            figure = figure or pool.submit(_first_figure, folder, training)  # beside all steps but the first
            watching(event)
            job.tell(event)
            if not isinstance(event, Epoch):
                continue
            history.append(event.row())
            looked = looked or look_again(training, job, threads)
            if (begun := time.monotonic()) - written > HISTORY * cost:
                write_history(folder / "history.csv", history)
                written, cost = begun, time.monotonic() - begun
            is_over = training.stop or (training.clock is not None and training.place.progress >= 1)
            if not is_over and (len(history) == 1 or time.monotonic() - saved > CHECKPOINT_SECONDS):
                save_checkpoint(folder, training.place, training.tensors(), history)
                saved = time.monotonic()
        if history:
            write_history(folder / "history.csv", history)
        watching.finish()
        (figure or pool.submit(_first_figure, folder, training)).result()


def _finish(training: Training, history: list[dict], folder: Path, job: Job) -> Run:
    """Score once and write everything."""
    data, settings = job.data, job.settings
    about = {
        "data": data.fingerprint(), **data.task.floor(data.targets_of(data.rows("train"))),
        "recipe": training.plan.recipe, "text": settings.text, "columns": settings.columns, "series": data.found.read,
        "scales": _scales(data) if data.task.by_pixel else None,
        "split": "blocks" if settings.split == "blocks" else None,
    }  # fmt: skip
    about = {name: fact for name, fact in about.items() if fact}
    network = training.average.network.eval()
    learned = learned_from(data.contents("train"), job.given.learned if job.given else ())
    facts = {"about": about, "run": folder, "precision": training.precision, "learned": learned}
    model = Model(network, data.task, job.preparation, training.plan.mirror, **facts)
    model = calibrated(model, data)
    scores = write_results(folder, model, training, history, job)
    return Run(folder, scores, model, training.stop)


def _scales(data: Dataset) -> list[float]:
    """The least and the median share of their size that training pictures were brought to."""
    shares = np.array(data.store.shape.stored[:2]) / data.sizes[data.rows("train")]
    return np.quantile(shares.min(axis=1).clip(max=1), (0, 0.5)).tolist()


def _stop_on_interrupt(training: Training) -> contextlib.AbstractContextManager[None]:
    """Ctrl-C, or being told to end, stops after the running step with a model and a report; a second one at once."""

    def stop(number: int, frame: object) -> None:
        if training.stop:
            raise KeyboardInterrupt
        training.stop = True

    return machine.on_signals((signal.SIGINT, signal.SIGTERM), stop)


def _bytes_needed(network: Network) -> int:
    """Two checkpoints of weights, average and optimizer, a third while it is written, the model, the report."""
    weights = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    return 3 * 4 * weights + weights + 8_000_000
