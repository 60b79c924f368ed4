"""Accuracy against time from process start, beside the other libraries, all from scratch.

    python benchmarks/race.py FOLDER... [--seconds 120] [--seeds 3] [--entries striate@20 fastai keras-default ...]

An entry is NAME, NAME-default, with @SECONDS for a budget of its own. NAME is striate, keras (on TensorFlow),
keras-jax, fastai, ultralytics, lightning or torch; without "-default" a library runs as well as we could set it up
(see the top of its script in peers/), with it as its documentation starts out. A budget counts from the start of
the process to the written predictions; what is later is marked late. No contender sees an answer of a test picture
(see contest.py), and all are scored by the same few lines. The order turns round from seed to seed.
"""

import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import record
from contenders import own_path, say, without_places
from contest import Contest, prepare, score
from environments import python_of

HERE = Path(__file__).resolve().parent
PEERS = {  # name: environment, script, variables
    "keras": ("tensorflow", "keras_race.py", {"KERAS_BACKEND": "tensorflow"}),
    "keras-jax": ("jax", "keras_race.py", {"KERAS_BACKEND": "jax"}),
    "fastai": ("torch", "fastai_race.py", {}),
    "ultralytics": ("torch", "ultralytics_race.py", {}),
    "lightning": ("torch", "lightning_race.py", {}),
    "torch": ("torch", "torch_race.py", {}),
}
STANDARD = ["striate@20", "striate", "keras", "keras-default", "fastai", "ultralytics", "lightning", "torch"]
SLACK = 1.05  # of the budget, before predictions count as late
MERCY = 2.0  # of the budget, before a process is ended


@dataclass(frozen=True)
class Entry:
    """One contender with its setting ("best" or "default") and its budget in seconds."""

    name: str
    setting: str
    seconds: float

    @classmethod
    def read(cls, text: str, seconds: float) -> "Entry":
        word, _, own = text.partition("@")
        name, default, _ = word.partition("-default")
        if name not in PEERS and name != "striate":
            raise SystemExit(f"race.py: no contender {name!r}; there are striate, {', '.join(PEERS)}")
        return cls(name, "default" if default else "best", float(own or seconds))

    @property
    def title(self) -> str:
        return self.name + ("-default" if self.setting == "default" else "") + f"@{self.seconds:g}"


def command(entry: Entry, contest: Contest, seed: int, out: Path) -> tuple[list[str], dict[str, str]]:
    """What to start, and its environment."""
    if entry.name == "striate":
        words = ["--minutes", f"{entry.seconds / 60:.6g}", "--seed", str(seed), "--quiet"]
        where = ["--out", str(out), "--name", "run"]
        return [sys.executable, "-m", "striate", "train", str(contest.folder), *words, *where], own_path()
    environment, script, variables = PEERS[entry.name]
    words = [str(contest.folder), str(out / "predictions.csv"), str(entry.seconds), entry.setting, str(seed)]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "YOLO_CONFIG_DIR": str(out), "HF_HUB_OFFLINE": "1"}
    return [str(python_of(environment)), str(HERE / "peers" / script), *words], {**quiet, **variables}


def run(entry: Entry, contest: Contest, seed: int, out: Path) -> dict:
    """One process from its start to its predictions, scored."""
    words, variables = command(entry, contest, seed, out)
    begun = time.time()
    found = {"seed": seed, "process_seconds": _process(words, variables, out, MERCY * entry.seconds + 30)}
    table, notes = out / "predictions.csv", out / "notes.json"
    written = table
    if entry.name == "striate":
        written = out / "run" / "predictions.csv"
        _table_of_striate(written, table)
    if not table.is_file():
        lines = (out / "log.txt").read_text(errors="replace").strip().splitlines() or ["no word"]
        return {**found, "failed": without_places(lines[-1])}
    seconds = written.stat().st_mtime - begun
    found |= {"seconds": round(seconds, 2), "late": seconds > SLACK * entry.seconds, **score(table, contest)}
    return {**found, "notes": json.loads(notes.read_text()) if notes.is_file() else {}}


def _process(words: list[str], variables: dict[str, str], out: Path, longest: float) -> float:
    """Wall seconds of a process; one that takes too long is ended with everything that it started."""
    started = time.monotonic()
    with (out / "log.txt").open("w") as file:
        process = subprocess.Popen(
            words, stdout=file, stderr=subprocess.STDOUT, cwd=out, env={**os.environ, **variables},
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(longest)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return round(time.monotonic() - started, 2)


def _table_of_striate(made: Path, table: Path) -> None:
    """Of a run's predictions those of the test part, without what it believes to be the truth."""
    if not made.is_file():
        return
    with made.open(encoding="utf-8", newline="") as file, table.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("path", "predicted"))
        writer.writerows((row["path"], row["predicted"]) for row in csv.DictReader(file) if row["part"] == "test")


def summary(runs: list[dict]) -> dict:
    """Accuracy over the seeds; runs that failed or came late are counted apart."""
    scored = [item["accuracy"] for item in runs if "accuracy" in item and not item["late"]]
    counts = {"late": sum(item.get("late", False) for item in runs), "failed": sum("failed" in item for item in runs)}
    return {"accuracy": record.spread(scored) if scored else None, **counts, "runs": runs}


def race(source: Path, entries: list[Entry], seeds: int, keep: Path, result: dict, out: Path) -> None:
    """Every entry on one set, saved after each run."""
    contest = prepare(source, keep)
    runs: dict[str, list[dict]] = {entry.title: [] for entry in entries}
    for seed in range(seeds):
        for entry in entries if seed % 2 == 0 else reversed(entries):
            place = keep / f"{entry.title}-{seed}"
            place.mkdir()
            runs[entry.title].append(run(entry, contest, seed, place))
            say(f"{contest.name} {entry.title} seed {seed}: {_told(runs[entry.title][-1])}")
            shutil.rmtree(place, ignore_errors=True)
            result["sets"][contest.name] = {
                "train": contest.train, "test": len(contest.truth), "classes": len(contest.classes),
                "own_split": contest.given, "entries": {name: summary(done) for name, done in runs.items() if done},
            }  # fmt: skip
            record.write(out, result)


def _told(done: dict) -> str:
    if "failed" in done:
        return f"failed: {done['failed']}"
    return f"{100 * done['accuracy']:.1f} % after {done['seconds']:.1f} s{' (late)' if done['late'] else ''}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=record.RESULTS / "race.json")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--entries", nargs="+", default=STANDARD)
    asked = parser.parse_args()
    entries = [Entry.read(text, asked.seconds) for text in asked.entries]
    ready = [entry for entry in entries if entry.name == "striate" or python_of(PEERS[entry.name][0])]
    for entry in entries:
        if entry not in ready:
            say(f"{entry.title}: not measured, its environment has not been made")
    environments = [PEERS[entry.name][0] for entry in ready if entry.name != "striate"]
    result = record.begin("race", {"seconds": asked.seconds, "seeds": asked.seeds}, environments)
    result["not_measured"] = [entry.title for entry in entries if entry not in ready]
    result["sets"] = {}
    for folder in asked.folders:
        with tempfile.TemporaryDirectory() as keep:
            race(folder.resolve(), ready, asked.seeds, Path(keep), result, asked.out)


if __name__ == "__main__":
    main()
