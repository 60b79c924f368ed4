"""Areas learned from scratch with settings chosen by Striate: python benchmarks/segmentation.py OUT.json FOLDER...

Each folder is one run of `striate train FOLDER --minutes 10 --test 0.33`, a process of its own, timed from its start to
its report; its test part is scored once. The result holds every score with its interval, what was chosen, versions and
machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from record import begin, machine

SCORES = ("iou", "dice", "outline", "pixel_accuracy", "iou_per_picture", "object_f1", "count_error")
CHOSEN = ("line", "height", "width", "batch_size", "recipe", "optimizer")


def one_run(folder: Path, options: list[str], out: Path) -> dict:
    """The test scores, the wall time and the chosen settings of one run."""
    started = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "striate",
        "train",
        str(folder),
        "--quiet",
        "--out",
        str(out),
        "--name",
        folder.name,
    ]
    subprocess.run([*command, *options], check=True)
    seconds = time.monotonic() - started
    scores = json.loads((out / folder.name / "scores.json").read_text())["test"]
    plan = tomllib.loads((out / folder.name / "settings.toml").read_text())["plan"]
    rows = (out / folder.name / "history.csv").read_text().splitlines()
    return {
        "n": scores["n"],
        "baseline": scores["baseline"],
        "scores": {name: scores[name] for name in SCORES if name in scores},
        "per_class": scores["per_class"],
        "seconds": round(seconds, 1),
        "epochs": len(rows) - 1,
        "chosen": {name: plan[name] for name in CHOSEN},
        "load_after": machine()["load"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--minutes", default="10")
    parser.add_argument("--seed", default="0")
    asked = parser.parse_args()
    options = ["--minutes", asked.minutes, "--test", "0.33", "--seed", asked.seed]
    record = begin("segmentation", {"options": options}) | {"sets": {}}
    with tempfile.TemporaryDirectory() as out:
        for folder in asked.folders:
            record["sets"][folder.name] = found = one_run(folder, options, Path(out))
            told = {name: round(score["value"], 4) for name, score in found["scores"].items()}
            print(folder.name, told, f"{found['seconds']:.0f} s", flush=True)
            asked.result.parent.mkdir(parents=True, exist_ok=True)
            asked.result.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
