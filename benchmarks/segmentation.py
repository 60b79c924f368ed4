"""Areas learned from scratch with settings chosen by Striate: python benchmarks/segmentation.py OUT.json FOLDER...

Each run is `striate train FOLDER --minutes 10 --test 0.33`, a process of its own, timed from its start to its report;
its test part, which every seed divides anew, is scored once. The result holds every score with its interval, what was
chosen, versions and machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import record
from contenders import own_path, say

TEST = "0.33"
SCORES = ("iou", "dice", "outline", "pixel_accuracy", "iou_per_picture", "object_f1", "count_error")
CHOSEN = ("line", "height", "width", "batch_size", "recipe", "optimizer")


def one_run(folder: Path, minutes: float, seed: int, out: Path) -> dict:
    """The test scores, the wall time and the chosen settings of one run."""
    command = [sys.executable, "-m", "striate", "train", str(folder), "--quiet", "--out", str(out), "--name", "run"]
    command += ["--minutes", f"{minutes:g}", "--test", TEST, "--seed", str(seed)]
    load, started = record.machine()["load"], time.monotonic()
    subprocess.run(command, check=True, env={**os.environ, **own_path()})
    seconds = time.monotonic() - started
    run = out / "run"
    scores = json.loads((run / "scores.json").read_text())["test"]
    plan = tomllib.loads((run / "settings.toml").read_text())["plan"]
    return {
        "seed": seed, "n": scores["n"], "baseline": scores["baseline"],
        "scores": {name: scores[name] for name in SCORES if name in scores}, "per_class": scores["per_class"],
        "seconds": round(seconds, 1), "epochs": len((run / "history.csv").read_text().splitlines()) - 1,
        "chosen": {name: plan[name] for name in CHOSEN}, "load": load,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    asked = parser.parse_args()
    settings = {"minutes": asked.minutes, "seeds": asked.seeds, "test": float(TEST)}
    result = {**record.begin("segmentation", settings), "sets": {}}
    for folder in asked.folders:
        runs = []
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as out:
                runs.append(one_run(folder.resolve(), asked.minutes, seed, Path(out)))
            told = {name: round(score["value"], 4) for name, score in runs[-1]["scores"].items()}
            say(f"{folder.name} seed {seed}: {told}, {runs[-1]['seconds']:.0f} s")
            found = record.spread([run["scores"]["iou"]["value"] for run in runs])
            result["sets"][folder.name] = {"iou": found, "runs": runs}
            record.write(asked.out, result)


if __name__ == "__main__":
    main()
