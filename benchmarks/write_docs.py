"""Writes docs/benchmarks.md and its charts from benchmarks/results/*.json: python benchmarks/write_docs.py"""

import argparse
import json
import os
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import aims  # noqa: E402
import plots  # noqa: E402 - needs Striate's source on the path
import tables  # noqa: E402

PREFIX = "benchmark-"
SECTIONS = {
    "step": ("One training step", "step.py", tables.step),
    "race": ("Accuracy against time", "race.py", tables.race),
    "accuracy": ("Accuracy over seeds", "accuracy.py", tables.accuracy),
    "series": ("Series", "series.py", tables.series),
    "intake": ("The way in", "intake.py", tables.intake),
    "predict": ("Predicting", "predict.py", tables.predict),
    "dial": ("The budget in minutes", "dial.py", tables.dial),
}
HOW = {
    "step": """The tutorial's HeLa network (50×50 grey), `auto` (32×32 colour, random changes included) and a ResNet-18
(128×128) train on drawn pictures; all but `auto` with plain SGD. Striate's step holds everything that a training's
step holds, from the 8-bit store on; the others find their batches ready in memory. All contenders of a table have the
same number of parameters. The ResNet's shortcuts average where they halve the maps (ResNet-D), alike for all.""",
    "race": """From nothing (no weights trained elsewhere), and from process start to the written predictions. The
test pictures are dealt out over class folders without regard to what they show, so no contender sees an answer,
and one scorer counts for all. Each library runs as well as we could set it up, and "-default" as its documentation
starts out; what that means stands at the top of each script in `benchmarks/peers/`. Each tries out how long predicting
takes before it trains, and then trains until just that is left, its learning rate following the clock so that no part
of an epoch is lost (Ultralytics by its own option `time`; Keras "-default" keeps one rate). Predictions more than 5 %
after the budget do not count. Striate averages each answer over a picture and its mirror image where it trained with
mirroring; that is inside its time.""",
    "accuracy": "`striate train` alone; every seed divides the pictures anew.",
    "series": """`striate train` alone, with its own settings, on the parts that the sets came with: GunPoint and Coffee
of the UCR archive (Dau et al. 2019), BasicMotions of the UEA archive (Bagnall et al. 2018). From process start to
process end, report included.""",
    "intake": "Pictures drawn for the purpose; they were just written, so they come from memory and not from the disk.",
    "predict": """Whole processes, imports included, by turns. The torch program opens pictures with Pillow in a
DataLoader with one worker per core and computes in fp32, with the same weights and preparation.""",
    "dial": """`striate train` with `--minutes`, from process start to process end; the store of decoded pictures is not
there yet.""",
}
HEAD = """# Benchmarks

*Written by `python benchmarks/write_docs.py` from the files in `benchmarks/results/`; change those, not this page.*

Every figure below was measured by a script in `benchmarks/`, which anybody can run again; each result names its
machine, versions and spread, and keeps every single value. Ratios are made within one run: contenders are loaded and
warm and take turns (A B C, C B A, ...), and a ratio compares two turns of one round. Brackets hold 95 % bootstrap
intervals of the median. "Ahead" and "behind" are said only where the whole interval is on one side. Pages like this
age: other versions, other processors and other settings give other figures.

```bash
python benchmarks/environments.py      # the other libraries, each in an environment of its own
python benchmarks/step.py              # and so on, see --help of each
python benchmarks/write_docs.py        # this page
```"""
AIMS = """What this project set itself, for a processor with units for bf16 matrices (AMX); on one without them a
training step must never be slower than plain fp32 torch."""


def read(folder: Path) -> dict[str, list[dict]]:
    """Records by kind, in the order of their names; the first ones, without a kind, are accuracies over seeds."""
    found = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        found[record.get("kind", "accuracy")].append({**record, "file": path.stem})
    return found


def draw(records: dict[str, list[dict]], folder: Path) -> dict[str, Path]:
    """A chart per record that has one; charts of records that are gone go too."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{PREFIX}*.png"):
        old.unlink()
    drawn = {}
    for kind, chart in plots.CHARTS.items():
        for record in records[kind]:
            data = chart(record)
            if data:
                drawn[record["file"]] = folder / f"{PREFIX}{record['file']}.png"
                drawn[record["file"]].write_bytes(data)
    return drawn


def page(records: dict[str, list[dict]], pictures: dict[str, str]) -> str:
    parts = [HEAD, "## Aims", AIMS, aims.section(records)]
    for kind, (title, script, tell) in SECTIONS.items():
        parts += [f"## {title}", f"{HOW[kind]} Made by `benchmarks/{script}`.", tell(records[kind], pictures)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/benchmarks.md")
    asked = parser.parse_args()
    records = read(asked.results)
    drawn = draw(records, asked.page.parent / "pictures")
    pictures = {name: os.path.relpath(path, asked.page.parent) for name, path in drawn.items()}
    asked.page.write_text(page(records, pictures), encoding="utf-8")
    print(f"{asked.page.name}: {sum(map(len, records.values()))} results, {len(drawn)} charts")


if __name__ == "__main__":
    main()
