"""Numbers and several labels on real pictures: python benchmarks/numbers_and_labels.py FOLDER [OUT.json] [--minutes M]

FOLDER holds driving_steering_small, adipocyte_counting and bccd_voc. Every set becomes a table here (cells are counted
by the dots of their maps, kinds of cells read from their XML), is trained with nothing but the options named in SETS,
and is scored once per seed on its test part.
"""

import argparse
import csv
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import record
from PIL import Image

sys.path.insert(0, str(record.ROOT / "src"))

import striate

DRIVING = "centre,left,right,steering,throttle,brake,speed"
KINDS = ("RBC", "WBC", "Platelets")


def driving(folder: Path, out: Path) -> Path:
    """The log as it is: no line of names, paths of another machine."""
    return folder / "driving_steering_small" / "driving_log.csv"


def adipocytes(folder: Path, out: Path) -> Path:
    """A table of pictures and the number of red dots on their maps (pixels that touch, also at corners, are one)."""
    from scipy.ndimage import label

    rows = []
    for file in sorted((folder / "adipocyte_counting" / "images").iterdir()):
        red = np.asarray(Image.open(file.parents[1] / "annotations" / file.name).convert("RGB"))[..., 0] > 128
        rows.append((str(file.absolute()), label(red, np.ones((3, 3)))[1]))
    return _written(out / "counts.csv", ("path", "count"), rows)


def blood(folder: Path, out: Path) -> Path:
    """A table of pictures with a 1 under every kind of cell that has a box, in the set's own parts."""
    place, rows = folder / "bccd_voc", []
    for part in ("train", "val", "test"):
        for name in (place / "ImageSets" / "Main" / f"{part}.txt").read_text().split():
            objects = ElementTree.parse(place / "Annotations" / f"{name}.xml").findall("object/name")
            present = {item.text for item in objects}
            picture = (place / "JPEGImages" / f"{name}.jpg").absolute()
            rows.append((str(picture), part, *(int(kind in present) for kind in KINDS)))
    return _written(out / "kinds.csv", ("path", "part", *KINDS), rows)


def _written(file: Path, header: tuple[str, ...], rows: list[tuple]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return file


# By name: what makes the table, and what is said to train beside it.
SETS: dict[str, tuple[Callable[[Path, Path], Path], dict]] = {
    "driving": (driving, {
        "columns": DRIVING, "label_column": "steering", "split": "blocks", "mirror_negates": "steering",
    }),
    "driving, pilotnet": (driving, {
        "columns": DRIVING, "label_column": "steering", "split": "blocks", "mirror_negates": "steering",
        "network": "pilotnet", "augment": "hflip, shift 0.05",
    }),
    "adipocytes": (adipocytes, {"task": "regression"}),
    "blood cells": (blood, {}),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "numbers-and-labels.json")
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--folds", type=int, help="test every picture once, in K trainings, instead of seeds")
    asked = parser.parse_args()
    settings = {"minutes": asked.minutes, "seeds": asked.seeds, "folds": asked.folds}
    result = {**record.begin("numbers-and-labels", settings), "sets": {}}
    for name in asked.sets:
        make, options = SETS[name]
        result["sets"][name] = {"options": options, "runs": runs(make, options, asked)}
        record.write(asked.out, result)


def runs(make: Callable[[Path, Path], Path], options: dict, asked: argparse.Namespace) -> list[dict]:
    """The scores of each training."""
    place, found = Path(tempfile.mkdtemp()), []
    table = make(asked.folder, place)
    several = {"minutes": asked.minutes * (asked.folds or 1)} | ({"folds": asked.folds} if asked.folds else {})
    for seed in range(1 if asked.folds else asked.seeds):
        run = striate.train(table, out=place / "runs", seed=seed, **several, **options)
        found.append({"seed": seed, "seconds": run.scores["seconds"], "test": run.scores["test"]})
        test = run.scores["test"]
        said = {key: test[key] for key in (test["main"], "mae", "coverage", "baseline", "baselines") if key in test}
        print(f"{table.stem} seed {seed}: {said}", flush=True)
    shutil.rmtree(place)
    return found


if __name__ == "__main__":
    main()
