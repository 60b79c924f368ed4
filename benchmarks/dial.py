"""Is the budget in minutes kept? python benchmarks/dial.py FOLDER... [--minutes 0.5 2 10] [--networks auto hela]

Every run is a process of its own, timed from its start to its end; what counts is that time over the minutes asked
for. Each starts without a store of decoded pictures. "digits" stands for the digits that come with scikit-learn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import record
from contenders import own_path, say, without_places

HEADLINES = ("accuracy", "map50", "iou", "rmse", "macro_f1")  # the first that a task has is noted


def one_run(folder: str, minutes: float, network: str, seed: int) -> dict:
    """Wall time of one training, over its budget."""
    source = [] if folder == "digits" else [str(Path(folder).resolve())]
    words = ["--minutes", f"{minutes:g}", "--network", network, "--seed", str(seed), "--quiet", "--name", "run"]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "striate", "train", *source, *words, "--out", out]
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, cwd=out, env={**os.environ, **own_path()})
        seconds = time.monotonic() - begun
        scores = Path(out) / "run" / "scores.json"
        if done.returncode or not scores.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return {"seed": seed, "failed": without_places(lines[-1])}
        test = json.loads(scores.read_text())["test"]
        name = next(name for name in HEADLINES if name in test)
    over = seconds / (60 * minutes)
    return {
        "seed": seed,
        "seconds": round(seconds, 2),
        "over_budget": round(over, 4),
        "score": name,
        "value": test[name]["value"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "dial.json")
    parser.add_argument("--minutes", nargs="+", type=float, default=[0.5, 2.0, 10.0])
    parser.add_argument("--networks", nargs="+", default=["auto"])
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    settings = {name: value for name, value in vars(asked).items() if name not in ("out", "folders")}
    result = record.begin("dial", settings)
    result["runs"] = []
    for minutes in asked.minutes:
        for folder in asked.folders:
            for network in asked.networks:
                for seed in range(asked.repeats):
                    run = one_run(folder, minutes, network, seed)
                    about = {"set": Path(folder).name, "minutes": minutes, "network": network}
                    result["runs"].append({**about, **run})
                    say(json.dumps(result["runs"][-1]))
                    record.write(asked.out, result)


if __name__ == "__main__":
    main()
