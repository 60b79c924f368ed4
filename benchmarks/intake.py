"""The way in, from files to batches: python benchmarks/intake.py [OUT.json] [--parts large scaling share start]

large: JPEG files of 12 megapixels into the store, against Pillow opening and resizing them in one process per core.
scaling: small PNG files listed and stored, time per picture and peak memory from ten thousand to a million.
share: how much of a training step of `auto` is taking the batch, changing it at random and standardising it.
start: seconds from process start to the first training step, the first time and with the store there.
Everything is drawn for the purpose and was just written, so it is read from memory, not from the disk.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import record
from contenders import HERE, Contender, count_for, own_path, say, start, take_turns

WIDTH, HEIGHT = 84, 64  # what `auto` makes of pictures with sides of 4 to 3


def worker(script: str, *words: object) -> dict:
    """The answer of a process that answers once."""
    command = [sys.executable, str(HERE / "workers" / script), *map(str, words)]
    variables = {**os.environ, **own_path()}
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=variables).stdout
    return json.loads(next(line[1:] for line in out.splitlines() if line.startswith("@")))


def draw(kind: str, folder: Path, count: int) -> Path:
    say(f"drawing {count:,} {kind} pictures")
    subprocess.run([sys.executable, str(HERE / "workers/draw_folder.py"), kind, str(folder), str(count)], check=True)
    return folder


def large(asked: argparse.Namespace, scratch: Path) -> dict:
    folder = draw("large", scratch / "large", asked.large_files)
    words = (str(folder), str(WIDTH), str(HEIGHT))
    both = [
        Contender("striate", "striate", "workers/striate_store.py", words),
        Contender("Pillow", "striate", "workers/pillow_resize.py", words),
    ]
    workers, missing = start(both, scratch)
    for one in workers:
        one.ask("run", 1)
    answers = take_turns(workers, lambda one: one.ask("run", 1), asked.pairs)
    for one in workers:
        one.stop()
    seconds = {name: [answer["seconds"] for answer in given] for name, given in answers.items()}
    found = {name: {"seconds": record.median_of(values)} for name, values in seconds.items()}
    found["Pillow"]["striate_is_faster_by"] = record.ratios(seconds["Pillow"], seconds["striate"])
    ours, theirs = (answers[name][0]["means"] for name in ("striate", "Pillow"))
    apart = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    size = sum(path.stat().st_size for path in folder.rglob("*.jpg")) / 1e6
    return {
        "files": asked.large_files, "megabytes": round(size, 1), "stored_as": f"{WIDTH}x{HEIGHT}",
        "contenders": found, "mean_grey_apart_at_most": apart, "not_measured": missing,
    }  # fmt: skip


def scaling(asked: argparse.Namespace, scratch: Path) -> dict:
    """Every size in a process of its own; smaller sizes more often, since they vary more."""
    found = {}
    for size in sorted(asked.sizes):
        folder = draw("small", scratch / f"small-{size}", size)
        repeats = 3 if size <= 100_000 else 1
        answers = [worker("index_and_store.py", folder, scratch / f"store-{size}-{n}") for n in range(repeats)]
        found[str(size)] = {
            "microseconds_per_picture": {
                part: record.median_of([1e6 * answer[part] / size for answer in answers])
                for part in ("index", "store", "open")
            },
            "peak_mb": max(answer["peak_mb"] for answer in answers),
            "start_mb": min(answer["start_mb"] for answer in answers),
        }
        say(f"{size:,}: {json.dumps(found[str(size)])}")
        subprocess.run(["rm", "-rf", str(folder), *map(str, scratch.glob(f"store-{size}-*"))], check=True)
    return {"sizes": found}


def share(asked: argparse.Namespace, scratch: Path) -> dict:
    """Whole steps and the way into them, by turns in one process."""
    auto = Contender("auto", "striate", "workers/striate_step.py", ("auto", "0"))
    (one,), _ = start([auto], scratch)
    steps, batches = count_for(one, asked.seconds), count_for(one, asked.seconds / 4, "prepare")
    shares, milliseconds = [], {"step": [], "way in": []}
    for _ in range(asked.pairs):
        step = one.ask("run", steps)["seconds"] / steps
        way_in = one.ask("prepare", batches)["seconds"] / batches
        shares.append(way_in / step)
        milliseconds["step"].append(1000 * step)
        milliseconds["way in"].append(1000 * way_in)
    one.stop()
    kept = ("batch", "precision", "threads", "recipe")
    return {
        **{name: one.about[name] for name in kept}, "share": record.median_of(shares),
        "milliseconds": {name: statistics.median(values) for name, values in milliseconds.items()},
    }  # fmt: skip


def first_step(asked: argparse.Namespace, scratch: Path) -> dict:
    folder = draw("photos", scratch / "photos", asked.start_files)
    first, later = [], []
    for number in range(asked.pairs):
        out = scratch / f"out-{number}"
        first.append(worker("first_step.py", folder, out)["seconds"])
        later.append(worker("first_step.py", folder, out)["seconds"])
        say(f"first {first[-1]:.2f} s, then {later[-1]:.2f} s")
    return {"files": asked.start_files, "first": record.median_of(first), "second": record.median_of(later)}


PARTS = {"large": large, "scaling": scaling, "share": share, "start": first_step}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "intake.json")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a turn of the share")
    parser.add_argument("--large-files", type=int, default=24)
    parser.add_argument("--start-files", type=int, default=2000)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000], help="add 1000000 for the last")
    asked = parser.parse_args()
    settings = {name: value for name, value in vars(asked).items() if name != "out"}
    result = record.begin("intake", settings)
    for name in asked.parts:
        with tempfile.TemporaryDirectory() as place:
            result[name] = PARTS[name](asked, Path(place))
            record.write(asked.out, result)


if __name__ == "__main__":
    main()
