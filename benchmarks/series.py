"""Series and texts from scratch, as given and with Striate's own settings: python benchmarks/series.py FOLDER...

Each run is a process of its own, timed from its start to its end, report included, on the parts that the set came
with. Kept are every run's accuracy, seconds by the clock and of the processors, and how busy the machine was.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from contenders import own_path, say, without_places


def one_run(folder: str, seed: int, options: list[str]) -> dict:
    """Accuracy on the given test part and the times of one training."""
    with tempfile.TemporaryDirectory() as out:
        words = ["--seed", str(seed), "--quiet", "--name", "run", "--out", out, *options]
        command = [sys.executable, "-m", "striate", "train", str(Path(folder).resolve()), *words]
        load, before, begun = os.getloadavg()[0], _processor_seconds(), time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, cwd=out, env={**os.environ, **own_path()})
        seconds, busy = time.monotonic() - begun, _processor_seconds() - before
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return {"seed": seed, "failed": without_places(lines[-1])}
        test = json.loads((Path(out) / "run" / "scores.json").read_text())["test"]
    run = {"seed": seed, "n": test["n"], "accuracy": test["accuracy"]["value"], "seconds": round(seconds, 2)}
    return {**run, "processor_seconds": round(busy, 2), "load": round(load, 2)}


def _processor_seconds() -> float:
    """Of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "series.json")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="handed to striate train; the last")
    asked = parser.parse_args()
    result = record.begin("series", {"seeds": asked.seeds, "options": asked.options})
    result["sets"] = {}
    for folder in asked.folders:
        runs = []
        for seed in range(asked.seeds):
            runs.append(one_run(folder, seed, asked.options))
            say(f"{Path(folder).name}: {json.dumps(runs[-1])}")
            values = [run["accuracy"] for run in runs if "accuracy" in run]
            result["sets"][Path(folder).name] = {"lowest": min(values, default=None), "runs": runs}
            record.write(asked.out, result)


if __name__ == "__main__":
    main()
