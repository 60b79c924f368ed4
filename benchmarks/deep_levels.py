"""Do 16 bits count? python benchmarks/deep_levels.py [OUT.json] [--seeds 3] [--epochs 12]

The same drawn pictures are learned in several forms: their whole signal lies in 300 of the 65,535 levels of 16-bit
TIFF and PNG and of 32-bit float TIFF, some with hot and dead pixels; and stretched to all of 8 bits. Train, validation
and test part are the same files of the same names in every form. "cut" holds the upper 8 bits of the raw values, as
careless software makes of 16: what a class is told by lies between two of those levels, so it cannot be learned.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import record
import tifffile
from clean_sets import soft, turned
from contenders import own_path, say
from PIL import Image

LOW, LEVELS = 19_980, 300  # of 65,535; one level of the upper 8 bits ends at 20,224
SIDE, CLASSES = 48, 4


def picture(random: np.random.Generator, label: int) -> np.ndarray:
    """(SIDE, SIDE) of uint16: faint stripes of one of four directions below 20,224, and bright discs in no relation."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    turn = np.pi * (label + random.uniform(-0.3, 0.3)) / CLASSES
    along, _ = turned(y, x, turn)
    stripes = 10 * np.sin(2 * np.pi * along / random.uniform(5, 9) + random.uniform(0, 6))
    values = 112 + stripes + 15 * soft(random, SIDE, 4) + random.normal(0, 30, (SIDE, SIDE))
    values = np.clip(values, 0, 240)
    for y0, x0 in random.uniform(0, SIDE, (3, 2)):
        values[np.hypot(y - y0, x - x0) < random.uniform(2, 4)] = random.uniform(270, LEVELS)
    return (LOW + np.clip(np.rint(values), 0, LEVELS)).astype(np.uint16)


def flawed(raw: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """With up to three hot and two dead pixels in every other picture."""
    out = raw.copy()
    if random.random() < 0.5:
        for value, most in ((65_535, 3), (0, 2)):
            places = random.integers(SIDE, size=(int(random.integers(1, most + 1)), 2))
            out[tuple(places.T)] = value
    return out


def stretched(raw: np.ndarray) -> np.ndarray:
    return np.rint((raw - float(LOW)) * (255 / LEVELS)).astype(np.uint8)


def _tiff(path: Path, values: np.ndarray) -> None:
    tifffile.imwrite(path.with_suffix(".tif"), values, photometric="minisblack")


def _png(path: Path, values: np.ndarray) -> None:
    Image.fromarray(values).save(path.with_suffix(".png"))


FORMS: dict[str, Callable[[Path, np.ndarray, np.random.Generator], None]] = {
    "stretched to 8 bits": lambda path, raw, random: _png(path, stretched(raw)),
    "16-bit TIFF": lambda path, raw, random: _tiff(path, raw),
    "16-bit PNG": lambda path, raw, random: _png(path, raw),
    "16-bit TIFF, hot and dead pixels": lambda path, raw, random: _tiff(path, flawed(raw, random)),
    "float TIFF": lambda path, raw, random: _tiff(path, (raw / 65_535).astype(np.float32)),
    "cut to the upper 8 bits": lambda path, raw, random: _png(path, (raw >> 8).astype(np.uint8)),
}


def write_forms(place: Path, each: dict[str, int], seed: int) -> None:
    """FORM/PART/CLASS/NUMBER for every form, of the same pictures."""
    random, flaws = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    for part, count in each.items():
        for number in range(count):
            for label in range(CLASSES):
                raw = picture(random, label)
                for form, write in FORMS.items():
                    path = place / form / part / f"direction {label}" / f"{number:04}"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write(path, raw, flaws)


def learn(folder: Path, out: Path, seed: int, epochs: int) -> dict:
    """One training by the command line; its accuracy on the test part, None where the command refused."""
    command = [sys.executable, "-m", "striate", "train", str(folder), "--quiet", "--out", str(out), "--name", "run"]
    command += ["--seed", str(seed), "--epochs", str(epochs), "--augment", "none"]
    done = subprocess.run(command, env={**os.environ, **own_path()}, capture_output=True, text=True)
    if done.returncode:
        return {"seed": seed, "accuracy": None, "said": done.stderr.strip()[-500:]}
    scores = json.loads((out / "run" / "scores.json").read_text())
    return {"seed": seed, "accuracy": scores["test"]["accuracy"]["value"], "seconds": scores["seconds"]}


def compared(runs: dict[str, list[dict]]) -> dict:
    """Mean accuracy of every form, and how far it lies from the stretched one, seed by seed."""
    base = [run["accuracy"] for run in runs["stretched to 8 bits"]]
    found = {}
    for form, some in runs.items():
        values = [run["accuracy"] for run in some]
        if None in values:
            found[form] = {"refused": next(run["said"] for run in some if run["accuracy"] is None)}
            continue
        apart = [value - other for value, other in zip(values, base, strict=True)]
        found[form] = {"accuracy": record.spread(values), "from_stretched": record.spread(apart)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "deep_levels.json")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--each", type=int, default=60, help="training pictures of a class; half as many are tested on")
    asked = parser.parse_args()
    result = record.begin("deep_levels", {name: value for name, value in vars(asked).items() if name != "out"})
    runs: dict[str, list[dict]] = {form: [] for form in FORMS}
    each = {"train": asked.each, "val": asked.each // 6, "test": asked.each // 2}
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as place:
            write_forms(Path(place), each, seed)
            for number, form in enumerate(FORMS):
                runs[form].append(learn(Path(place) / form, Path(place) / f"out{number}", seed, asked.epochs))
                say(f"{form}, seed {seed}: {runs[form][-1]}")
        result["forms"] = compared(runs)
        record.write(asked.out, result)


if __name__ == "__main__":
    main()
