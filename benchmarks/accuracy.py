"""Accuracy of `striate train` on folders, over seeds: python benchmarks/accuracy.py OUT.json FOLDER... [-- OPTIONS].

Each run is a process of its own, timed from its start to its report. "digits" stands for no folder. The result
holds every run's test score and seconds, mean and spread, versions and machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import record
from contenders import own_path


def one_run(folder: str, seed: int, options: list[str], out: Path) -> dict:
    """The test accuracy and the wall time of one run."""
    source = [] if folder == "digits" else [folder]
    name = f"{Path(folder).name}-{seed}"
    command = [sys.executable, "-m", "striate", "train", *source, "--quiet", "--seed", str(seed)]
    command += ["--out", str(out), "--name", name, *options]
    subprocess.run(command, check=True, env={**os.environ, **own_path()})
    scores = json.loads((out / name / "scores.json").read_text())
    return {"seed": seed, "accuracy": scores["test"]["accuracy"]["value"], "seconds": scores["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    own, options = (sys.argv[1:], []) if "--" not in sys.argv else _split(sys.argv[1:])
    asked = parser.parse_args(own)
    result = {**record.begin("accuracy", {"seeds": asked.seeds, "options": options}), "sets": {}}
    with tempfile.TemporaryDirectory() as out:
        for folder in asked.folders:
            runs = [one_run(folder, seed, options, Path(out)) for seed in range(asked.seeds)]
            found = record.spread([run["accuracy"] for run in runs])
            slowest = max(run["seconds"] for run in runs)
            result["sets"][Path(folder).name] = {**found, "slowest_seconds": slowest, "runs": runs}
            print(folder, json.dumps(result["sets"][Path(folder).name]), flush=True)
            record.write(asked.result, result)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    at = words.index("--")
    return words[:at], words[at + 1 :]


if __name__ == "__main__":
    main()
