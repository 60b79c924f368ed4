"""Predicting, as whole processes: python benchmarks/predict.py [OUT.json] [--pictures 2000] [--networks auto resnet18]

folder: `striate predict` on a folder of drawn 320x240 JPEG files against a plain torch program with a DataLoader (see
workers/torch_predict.py), both from process start to the finished table, with the same weights; their answers are
compared. cold: one picture, from process start to the answer, beside `yolo classify predict` and the torch program.
The models are trained for one epoch only: how long they take does not depend on what they have learned.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import record
from contenders import HERE, own_path, say, time_commands
from environments import python_of

OURS, LOOP, YOLO = "striate", "torch fp32, DataLoader", "yolo classify predict"
NETWORKS = {"auto": ("auto", None), "resnet18": ("resnet18", "128"), "hela": ("hela", None)}
SOME_RUN = 300  # pictures that the models are trained on


def command(*words: object) -> list[str]:
    return [sys.executable, *map(str, words)]


def trained(name: str, folder: Path, scratch: Path) -> Path:
    """A run of the network `name`, one epoch long."""
    line, size = NETWORKS[name]
    words = ["--network", line, "--epochs", 1, "--quiet", "--out", scratch, "--name", f"run-{name}"]
    words += ["--img-size", size] if size else []
    done = command("-m", "striate", "train", folder, *words)
    subprocess.run(done, check=True, cwd=scratch, env={**os.environ, **own_path()})
    return scratch / f"run-{name}"


def whole_folder(run: Path, folder: Path, rounds: int, scratch: Path) -> dict:
    tables = {OURS: scratch / "striate.csv", LOOP: scratch / "torch.csv"}
    commands = {
        OURS: command("-m", "striate", "predict", run, folder, "--out", tables[OURS]),
        LOOP: command(HERE / "workers/torch_predict.py", run / "model.safetensors", folder, tables[LOOP]),
    }
    taken, failed = time_commands(commands, rounds, scratch)
    return {**_figures(taken, failed), **_agreement(tables)}


def one_picture(run: Path, picture: Path, rounds: int, scratch: Path) -> dict:
    commands = {
        OURS: command("-m", "striate", "predict", run, picture),
        "torch script": command(HERE / "workers/torch_predict.py", run / "model.safetensors", picture),
    }
    python = python_of("torch")
    if python is not None:
        weights = scratch / "yolo11n-cls.pt"
        code = "import sys; from ultralytics import YOLO; YOLO('yolo11n-cls.yaml').save(sys.argv[1])"
        variables = {**os.environ, "YOLO_CONFIG_DIR": str(scratch)}
        subprocess.run([str(python), "-c", code, str(weights)], check=True, capture_output=True, env=variables)
        words = ["classify", "predict", f"model={weights}", f"source={picture}", "device=cpu", "save=False"]
        commands[YOLO] = [str(python.with_name("yolo")), *words]
    found = _figures(*time_commands(commands, rounds, scratch))
    if python is None:
        found["not_measured"][YOLO] = "the environment 'torch' has not been made"
    return found


def _figures(taken: dict[str, list[float]], failed: dict[str, str]) -> dict:
    found = {name: {"seconds": record.median_of(values)} for name, values in taken.items()}
    for name in found.keys() - {OURS} if OURS in found else ():
        found[name]["striate_is_faster_by"] = record.ratios(taken[name], taken[OURS])
    return {"contenders": found, "not_measured": failed}


def _agreement(tables: dict[str, Path]) -> dict:
    """How many answers are the same class, and how far the confidences are apart at most."""
    if not all(path.is_file() for path in tables.values()):
        return {}
    both = []
    for path in tables.values():
        with path.open(encoding="utf-8", newline="") as file:
            both.append({row["path"]: row for row in csv.DictReader(file)})
    ours, theirs = both
    same = sum(ours[path]["predicted"] == theirs[path]["predicted"] for path in ours)
    apart = max(abs(float(ours[path]["confidence"]) - float(theirs[path]["confidence"])) for path in ours)
    return {"pictures": len(ours), "same_class": same / len(ours), "confidence_apart_at_most": apart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "predict.json")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=["auto", "resnet18"])
    parser.add_argument("--pairs", type=int, default=5)
    asked = parser.parse_args()
    settings = {name: value for name, value in vars(asked).items() if name != "out"}
    result = record.begin("predict", settings, ("striate", "torch"))
    result |= {"folder": {}, "cold": {}}
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        for name, count in (("learned", SOME_RUN), ("new", asked.pictures)):
            subprocess.run(command(HERE / "workers/draw_folder.py", "photos", scratch / name, count), check=True)
        picture = min((scratch / "new").rglob("*.jpg"))
        for name in asked.networks:
            say(f"--- {name}")
            run = trained(name, scratch / "learned", scratch)
            result["folder"][name] = whole_folder(run, scratch / "new", asked.pairs, scratch)
            result["cold"][name] = one_picture(run, picture, asked.pairs, scratch)
            record.write(asked.out, result)


if __name__ == "__main__":
    main()
