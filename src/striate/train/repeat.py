"""Several trainings as one run: --repeats with other seeds, --folds with every picture tested once.

RUN/1, RUN/2, ... are complete runs on the same decoded pictures. RUN itself holds what they say together, and the
model of the run in the middle, by its validation accuracy: a typical one, so that the mean score speaks of it.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from striate import files
from striate.draw import charts
from striate.evaluate.intervals import mixture, scored
from striate.evaluate.named import headline, label, main_of, scores_of
from striate.export.model import load_model
from striate.export.underway import MODEL_FILE
from striate.train import single
from striate.train.checkpoint import has_checkpoint, load_checkpoint
from striate.train.dataset import UNUSED, Dataset, Division, Job, divided, write_data
from striate.train.describe import summary_facts
from striate.train.events import Note
from striate.train.results import HELD_OUT, finish, open_test
from striate.train.settings import LEAST_MINUTES, Settings, read_settings, to_toml
from striate.train.single import Run
from striate.train.suspects import with_doubts

SUMMARY = 3.0  # seconds kept for what the runs say together
OF_ORDER = ("auroc", "ap", "map", "pearson", "spearman")  # scores that rank pictures, which networks do each in its way


def begin(job: Job) -> Run:
    """Train as often as asked, in a new run folder; job: the first of the runs."""
    settings = job.settings
    folder = files.new_run_folder(Path(settings.out), settings.name)
    with files.held(folder):
        try:
            tables = {"settings": asdict(settings), "run": single.about_run(job)}
            files.write_text(folder / "settings.toml", to_toml(tables))
            return _train_all(folder, job)
        except BaseException:
            if not (folder / "1").exists():  # it failed before the first checkpoint of the first run
                shutil.rmtree(folder, ignore_errors=True)
            raise


def go_on(folder: Path, job: Job, tables: dict) -> Run:
    """Train what is missing in `folder`, which is held; tables: of its settings.toml."""
    single.require_same_start(folder, job, tables["run"])
    (folder / files.MANIFEST).unlink(missing_ok=True)
    return _train_all(folder, replace(job, started=job.started - _spent(folder)))


def _spent(folder: Path) -> float:
    """Seconds of earlier sittings: of the finished runs, and of the one that was cut short."""
    seconds = 0.0
    for child in filter(Path.is_dir, folder.iterdir()):
        if files.is_complete(child):
            seconds += files.read_json(child / "scores.json")["seconds"]
        elif has_checkpoint(child):
            seconds += load_checkpoint(child)[0].seconds
    return seconds


def _train_all(folder: Path, job: Job) -> Run:
    data = job.data
    if job.division.folds:  # every picture is tested once
        data = replace(data, parts=np.where(data.parts == UNUSED, UNUSED, "test"))
    write_data(folder, data)
    wanted, stopped = _wanted(job.settings), False
    for number, (seed, division) in enumerate(wanted, 1):
        child = folder / str(number)
        if files.has_ended(child):
            continue
        fold = f", fold {division.fold} of {division.folds}" if division.folds else ""
        job.tell(Note(f"Run       {number} of {len(wanted)}: seed {seed}{fold}"))
        run = _train_one(child, _job_of(child, job, seed, division, len(wanted) - number + 1))
        job.tell(Note(f"Test      {headline(run.test)}"))
        if stopped := run.stopped:
            break
    return _sum_up(folder, replace(job, data=data), wanted, stopped=stopped)


def _wanted(settings: Settings) -> list[tuple[int, Division]]:
    """The seed of weights and order, and the division, of every run: repeats keep the parts, but draw folds anew."""
    seeds, folds = range(settings.seed, settings.seed + (settings.repeats or 1)), settings.folds
    if not folds:
        return [(seed, Division(seed=settings.seed)) for seed in seeds]
    return [(seed, Division(seed=seed, fold=fold, folds=folds)) for seed in seeds for fold in range(1, folds + 1)]


def _job_of(child: Path, job: Job, seed: int, division: Division, left: int) -> Job:
    """One of `left` runs that are still to come, with its share of the minutes that are left."""
    now, minutes = time.monotonic(), job.settings.minutes
    if minutes is not None:
        minutes = max((job.started + 60 * minutes - SUMMARY - now) / 60 / left, LEAST_MINUTES / 2)
    own = {"seed": seed, "repeats": None, "folds": None, "minutes": minutes}
    settings = replace(job.settings, **own, out=str(child.parent), name=child.name)
    data = job.data if division == job.division else divided(job.data, job.settings, division)
    preparation = job.preparation if data is job.data else single.preparation_of(data)
    known = {"settings": settings, "data": data, "preparation": preparation, "started": now}
    return replace(job, **known, division=division, parent=child.parent)


def _train_one(child: Path, job: Job) -> Run:
    if child.is_dir() and not has_checkpoint(child):  # killed before its first checkpoint
        shutil.rmtree(child)
    if not child.is_dir():
        return single.begin(job)
    with files.held(child):
        return single.go_on(child, job, read_settings(child)[1])


@dataclass(frozen=True)
class _Answers:
    """What all runs said of the pictures of one part: rows of the store (N,) and answers."""

    rows: np.ndarray
    answers: list

    def of(self, mask: np.ndarray) -> "_Answers":
        """Those of a mask (N,)."""
        kept = np.flatnonzero(mask)
        return _Answers(self.rows[kept], [self.answers[i] for i in kept])


def _answers(done: list[Path], part: str, data: Dataset) -> _Answers:
    place = {files.readable(name): row for row, name in enumerate(data.names)}  # as tables have them
    rows, answers = [], []
    for child in done:
        for row in files.read_csv(child / "predictions.csv"):
            if row["part"] == part:
                rows.append(place[row["path"]])
                answers.append(data.task.read(row))
    return _Answers(np.array(rows, int), answers)


def _sum_up(folder: Path, job: Job, wanted: list[tuple[int, Division]], *, stopped: bool) -> Run:
    """Write what the finished runs say together, and the manifest last."""
    data = job.data
    done = [child for number in range(1, len(wanted) + 1) if files.is_complete(child := folder / str(number))]
    each = {child.name: dict(files.read_json(child / "scores.json")) for child in done}
    answers = {part: _answers(done, part, data) for part in ("test", "validation", "train")}
    tested = answers["test"]
    floor = load_model(done[0]).about
    folds, scores = job.settings.folds, {part: _record(said, floor, data) for part, said in answers.items()}
    scores = {part: _over(record, _told(each, part, folds), folds) for part, record in scores.items()}
    scores["test"] |= _without_leaks(tested, floor, data, each)
    scores |= _over_runs(each, wanted)
    open_test(folder, job, scores["test"])
    middle = folder / scores["model"]
    files.write_bytes(folder / MODEL_FILE, (middle / MODEL_FILE).read_bytes())
    _write_predictions(folder, done)
    held = [(answers[part].rows, answers[part].answers) for part in HELD_OUT]  # by the runs that had not learned them
    job = replace(job, data=with_doubts(folder, data, held))
    main, test = main_of(scores["test"]), scores["test"]
    figure = charts.runs({name: one["test"][main] for name, one in each.items()}, test[main], label(main, test))
    files.write_bytes(folder / "runs.png", figure)
    truths = data.targets_of(tested.rows)
    figures = data.task.figures(truths, tested.answers, scores["test"]) if truths else {}
    scores |= {"classes": list(data.task.classes), "stopped": stopped}
    finish(folder, job, scores, partial(summary_facts, folder, job, scores, figure, figures))
    return Run(folder, scores, load_model(folder, job.device), stopped)


def _record(said: _Answers, floor: Mapping[str, object], data: Dataset) -> dict:
    """The scores of one part, over all answers; n counts pictures, and answers to one picture belong together."""
    record, known = data.task.scores(data.targets_of(said.rows), said.answers, floor, data.kin[said.rows]), {*said.rows}
    counts = data.task.counts(data.targets_of(sorted(known)))
    for name, one in record.get("per_class", {}).items():
        one["n"] = counts.get(name, one["n"])
    return {**record, "n": len(known), "answers": len(said.rows)}


def _told(each: dict[str, dict], part: str, folds: int | None) -> list[list[dict]]:
    """What every run scored on a part, in groups of runs that were tested on other pictures."""
    told, many = [one[part] for one in each.values()], folds if folds and part == "test" else 1
    return [told[first : first + many] for first in range(0, len(told), many)]


def _over(record: dict, told: list[list[dict]], folds: int | None) -> dict:
    """A record over all answers, with means over what the runs `told`: of folds of the scores of order, since answers
    of several networks have none (Forman and Scholz 2010); of repeats of all, which are then as those of one run."""
    names = [name for name in scores_of(record) if not folds or name in OF_ORDER]
    out = record | {name: _mean([[one[name] for one in group if name in one] for group in told]) for name in names}
    if "per_class" in record:
        rows = {kind: [[one["per_class"][kind] for one in group] for group in told] for kind in record["per_class"]}
        out["per_class"] = {kind: _over(record["per_class"][kind], of, folds) for kind, of in rows.items()}
    return out


def _mean(groups: list[list[dict]]) -> dict[str, float | None]:
    """The mean of scores, with its interval: chance evens out within a group, but not between groups, which saw the
    same pictures; the mean of their ends holds however alike they are."""
    ends = [[{end: np.nan if at is None else at for end, at in one.items()} for one in group] for group in groups]
    known = [[one for one in group if not np.isnan(one["value"])] for group in ends]
    each = [mixture([(1 / len(group), one) for one in group]) for group in known if group]
    return scored(*np.mean(each, axis=0)) if each else scored(np.nan)


def _without_leaks(said: _Answers, floor: Mapping[str, object], data: Dataset, each: dict) -> dict:
    hidden = data.scored_rows("test")[data.leaked("test")]
    if not len(hidden):
        return {"leaked": 0}
    told = [[one["test"]["without_leaks"]] for one in each.values()]  # of repeats: with folds `data` is all test
    clean = _record(said.of(~np.isin(said.rows, hidden)), floor, data)
    return {"leaked": len(hidden), "without_leaks": _over(clean, told, None)}


def _over_runs(each: dict[str, dict], wanted: list[tuple[int, Division]]) -> dict:
    """For scores.json: "runs", "spread" of the test scores over them, "model" (whose it is) and "random_split"."""
    told = []
    for name, one in each.items():
        seed, division = wanted[int(name) - 1]
        told.append({"run": name, "seed": seed, "fold": division.fold or None})
        for part in ("test", "validation", "train"):
            told[-1][part] = {score: found["value"] for score, found in scores_of(one[part]).items()}
    main = main_of(each[told[0]["run"]]["test"])
    order = sorted(told, key=lambda one: one["validation"].get(main) or 0.0)
    out = {"runs": told, "spread": {}, "model": order[(len(order) - 1) // 2]["run"]}
    for name in dict.fromkeys(name for one in told for name in one["test"]):  # not every run need know intervals
        known = np.array([one["test"][name] for one in told if one["test"].get(name) is not None])
        if len(known):
            sd = float(known.std(ddof=1)) if len(known) > 1 else None
            ends = {"lowest": float(known.min()), "highest": float(known.max())}
            out["spread"][name] = {"mean": float(known.mean()), "sd": sd, **ends}
    splits = [one["random_split"] for one in each.values() if "random_split" in one]
    if splits:
        mean, share = _mean([[one["accuracy"]] for one in splits]), float(np.mean([one["share"] for one in splits]))
        out["random_split"] = {"accuracy": mean, "n": sum(one["n"] for one in splits), "share": share}
    return out


def _write_predictions(folder: Path, done: list[Path]) -> None:
    """predictions.csv: every answer to a test picture as the run wrote it that gave it, and which that is."""
    told = [(child.name, row) for child in done for row in files.read_csv(child / "predictions.csv")]
    header = list(dict.fromkeys(name for _, row in told for name in row))  # not every run need know intervals
    rows = ((*(row.get(name, "") for name in header), run) for run, row in told if row["part"] == "test")
    files.write_csv(folder / "predictions.csv", (*header, "run"), rows)
