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
import checked  # noqa: E402
import learned  # noqa: E402
import plots  # noqa: E402 - needs Striate's source on the path
import tables  # noqa: E402

PREFIX = "benchmark-"
SECTIONS = {
    "step": ("One training step", "step.py", tables.step),
    "race": ("Accuracy against time", "race.py", tables.race),
    "accuracy": ("Accuracy over seeds", "accuracy.py", learned.accuracy),
    "detection": ("Boxes", "detection.py", learned.detection),
    "segmentation": ("Areas", "segmentation.py", learned.segmentation),
    "numbers-and-labels": ("Numbers, and several labels", "numbers_and_labels.py", learned.numbers_and_labels),
    "series": ("Series", "series.py", learned.series),
    "deep_levels": ("16 bits", "deep_levels.py", checked.deep_levels),
    "traps": ("Traps in the data", "traps.py", checked.traps),
    "scale_check": ("Checking many pictures", "scale_check.py", checked.scale_check),
    "coverage": ("Intervals, folds and parts", "coverage.py", checked.coverage),
    "intake": ("The way in", "intake.py", tables.intake),
    "predict": ("Predicting", "predict.py", tables.predict),
    "dial": ("The budget in minutes", "dial.py", tables.dial),
}
HOW = {
    "step": """The tutorial's HeLa network (50×50 grey), `auto` (32×32 colour, random changes included) and a ResNet-18
(128×128) train on drawn pictures; all but `auto` with plain SGD. Striate's step holds everything that a training's
step holds, from the 8-bit store on; the others find their batches ready in memory. All contenders of a table have the
same number of parameters. In records of 2026-11-27 the ResNet's shortcuts average where they halve the maps (ResNet-D),
alike for all. `step-shared` and `step-shared-hela` were measured where other machines used the same memory, which then
bounds every step.""",
    "race": """From nothing (no weights trained elsewhere), and from process start to the written predictions. The
test pictures are dealt out over class folders without regard to what they show, so no contender sees an answer,
and one scorer counts for all. Each library runs as well as we could set it up, and "-default" as its documentation
starts out; what that means stands at the top of each script in `benchmarks/peers/`. Each tries out how long predicting
takes before it trains, and then trains until just that is left, its learning rate following the clock so that no part
of an epoch is lost (Ultralytics by its own option `time`; Keras "-default" keeps one rate). Predictions more than 5 %
after the budget do not count. Striate averages each answer over a picture and its mirror image where it trained with
mirroring; that is inside its time.""",
    "accuracy": "`striate train` alone; every seed divides the pictures anew.",
    "detection": """Each contender trains from nothing with no setting but the minutes, on a set in the form of Pascal
VOC with its own parts, and answers for the test pictures; pycocotools scores all alike. Brackets hold a run's own 95 %
interval, from drawing its test pictures again; a peer has none. The wall time is that of training and predicting.""",
    "segmentation": """`striate train` alone, with its own settings and a third of the pictures for testing, divided
anew by every seed; from process start to process end, report included. IoU is the mean over the classes, Dice that
without the background; an object is found where it shares more than half of its union with one that is told. Brackets
hold 95 % intervals from drawing the test pictures again. The baseline always answers the class of most pixels.""",
    "numbers-and-labels": """`striate train` alone: the steering of a drive (the last fifth of the frames for testing),
fat cells to be counted, and which blood cells a picture shows. Answers that need no picture are the mean of the
training part, the value of the frame before (which the network does not know), or the usual labels. Brackets hold
95 % intervals from drawing the test pictures again; "leaked" counts test pictures with a look-alike in training.""",
    "series": """`striate train` alone, with its own settings, on the parts that the sets came with: GunPoint and Coffee
of the UCR archive (Dau et al. 2019), BasicMotions of the UEA archive (Bagnall et al. 2018). From process start to
process end, report included.""",
    "deep_levels": """The same drawn pictures in several forms: faint stripes of one of four directions, all of them
within 300 of 65,535 levels. "Cut" keeps the upper 8 bits, as careless software does, which loses what tells the
classes apart: a quarter would be right by chance.""",
    "traps": """`striate check` by the command line on clean sets, drawn ones and copies of real ones, and then on the
same with one trap planted. Only a problem or a caution counts as found, but for wrong labels, which are found where
70 % of as many first suspects as labels were changed are changed ones. What is cried besides was not planted. Recall
and precision are pooled over all sets.""",
    "scale_check": """`striate check` on grey PNG files of 28×28, one in a hundred a copy and one in a hundred a mirror
image of another. The memory is the most that the command and all its processes hold together.""",
    "coverage": """Numbers only, nothing is trained: classifiers are simulated whose true scores are known from 400,000
answers, and sets with groups, copies and look-alikes are drawn and divided.""",
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
    """Records by kind, in the order of their names; old ones without a kind are accuracies over seeds."""
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
    """The whole page; a kind without a result has no section."""
    parts = [HEAD, "## Aims", AIMS, aims.section(records)]
    for kind, (title, script, tell) in SECTIONS.items():
        if records[kind]:
            how = f"{HOW[kind]} Made by `benchmarks/{script}`."
            parts += [f"## {title}", how, tell(records[kind], pictures)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks/results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/benchmarks.md")
    asked = parser.parse_args()
    records = read(asked.results)
    unknown = records.keys() - SECTIONS.keys()
    if unknown:
        sys.exit(f"write_docs.py: no section tells of {', '.join(sorted(unknown))}")
    drawn = draw(records, asked.page.parent / "pictures")
    pictures = {name: os.path.relpath(path, asked.page.parent) for name, path in drawn.items()}
    asked.page.write_text(page(records, pictures), encoding="utf-8")
    print(f"{asked.page.name}: {sum(map(len, records.values()))} results, {len(drawn)} charts")


if __name__ == "__main__":
    main()
