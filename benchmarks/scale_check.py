"""`striate check` on many small pictures: python benchmarks/scale_check.py [OUT.json] [--sizes 100000]

Seconds of the first check and of a second one, the processor's seconds of the command and its processes (which tell
more where other work was running), and the most memory that they held together.
The pictures are grey PNG files of 28x28: three soft spots each in some noise, so that many look somewhat alike; one
in a hundred is a copy of another, one in a hundred its mirror image.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import record
from contenders import own_path, say

sys.path.insert(0, str(Path(__file__).resolve().parent / "workers"))

from draw_folder import png

SIDE, CLASSES, BLOCK = 28, 10, 5_000


def draw(folder: Path, count: int) -> None:
    """Ten classes that differ in where the brightest spot lies."""
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    for first in range(0, count, BLOCK):
        random, size = np.random.default_rng(first), min(BLOCK, count - first)
        labels = np.arange(first, first + size) % CLASSES
        turn = 2 * np.pi * (labels + random.uniform(0, 0.7, size)) / CLASSES
        values = random.normal(40, 6, (size, SIDE, SIDE)).astype(np.float32)
        for spot in range(3):
            away = (9, random.uniform(0, 6, size))[spot > 0]
            y0, x0 = 13.5 + away * np.sin(turn + 2 * spot), 13.5 + away * np.cos(turn + 2 * spot)
            reach = random.uniform(2, 12, size)[:, None, None]
            far = (y - y0[:, None, None]) ** 2 + (x - x0[:, None, None]) ** 2
            values += ((170, 80)[spot > 0] * np.exp(-far / reach)).astype(np.float32)
        pictures = np.clip(values, 0, 255).astype(np.uint8)
        pictures[50::100] = pictures[49::100][: len(pictures[50::100])]
        pictures[70::100] = pictures[69::100][: len(pictures[70::100]), :, ::-1]
        rows = np.zeros((size, SIDE, SIDE + 1), np.uint8)  # each row of a PNG begins with its filter, 0
        rows[:, :, 1:] = pictures
        for number, row in enumerate(rows, first):
            label = (number - (number % 100 in (50, 70))) % CLASSES  # a copy is of its original's class
            place = folder / f"class{label}" / f"{number:07}.png"
            place.write_bytes(png(zlib.compress(row.tobytes(), 1), SIDE))


class Memory(threading.Thread):
    """The most memory, in MB, of a process and all that descend from it: what each holds alone and its share (PSS)."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.most, self.over = process, 0.0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            self.most = max(self.most, sum(map(_held, _family(self.process))) / 1024)


def _family(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
        return [process, *(one for child in children for one in _family(child))]
    return []


def _held(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def check(folder: Path, out: Path, *words: str) -> dict:
    command = [sys.executable, "-m", "striate", "check", str(folder), "--out", str(out), *words]
    began = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **own_path()}, stdout=subprocess.DEVNULL)
    memory = Memory(process.pid)
    memory.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    memory.over.set()
    return {
        "exit": process.returncode, "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1), "peak_mb": round(memory.most),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "scale_check.json")
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--quick", action="store_true", help="without the search for wrong labels, which trains")
    asked = parser.parse_args()
    result = {**record.begin("scale_check", {"sizes": asked.sizes, "quick": asked.quick}), "sizes": {}}
    words = ["--quick"] if asked.quick else []
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as place:
            folder, out = Path(place) / "pictures", Path(place) / "out"
            draw(folder, size)
            first = check(folder, out, *words)
            second = check(folder, out, *words)
            result["sizes"][str(size)] = {"first": first, "second": second, "load": round(os.getloadavg()[0], 1)}
            say(f"{size:,}: {result['sizes'][str(size)]}")
            record.write(asked.out, result)
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
