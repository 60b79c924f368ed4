"""What every peer's script shares: its task, the clock since its process began, and the table it must leave.

Started as `python SCRIPT FOLDER OUT.csv SECONDS SETTING SEED`. Standard library alone, so that it costs nothing.

How the budget is kept, alike for all that can be steered: the network predicts a few test pictures before the
training to learn how long predicting takes; that is set aside, and until then the learning rate follows the clock
(up, then down to zero), so that no library loses the part of an epoch that does not fit.
"""

import csv
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
LEAST = 1.5  # seconds set aside beside what predicting takes


def seconds_since_start() -> float:
    """Wall time since this process was started, on Linux; elsewhere since this module was imported."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return time.monotonic() - _IMPORTED


_IMPORTED = time.monotonic()


@dataclass
class Task:
    """FOLDER has train/CLASS/FILE and test/…/FILE; `out` gets `path,predicted` for every test file.

    setting: "best" or "default". seconds: from process start to the written table. begun, until: when training
    began and must end, in seconds since process start; set by `set_aside`.
    """

    folder: Path
    out: Path
    seconds: float
    setting: str
    seed: int
    notes: dict = field(default_factory=dict)
    begun: float = 0.0
    until: float = 0.0

    @property
    def is_best(self) -> bool:
        return self.setting == "best"

    @property
    def train(self) -> Path:
        return self.folder / "train"

    def classes(self) -> list[str]:
        return sorted(path.name for path in self.train.iterdir())

    def learned(self) -> list[tuple[Path, int]]:
        """Training files with the number of their class."""
        numbers = {name: number for number, name in enumerate(self.classes())}
        return [(path, numbers[path.parent.name]) for path in sorted(self.train.glob("*/*"))]

    def tested(self) -> list[Path]:
        return sorted(path for path in (self.folder / "test").rglob("*") if path.suffix.lower() in SUFFIXES)

    def set_aside(self, predicting: float) -> None:
        """Keep `predicting` seconds, a fifth more, and a little for the table; training begins now."""
        self.begun = seconds_since_start()
        self.until = max(self.seconds - 1.2 * predicting - LEAST - 0.02 * self.seconds, self.begun + 0.1)
        self.notes |= {"training_began": round(self.begun, 2), "predicting_set_aside": round(predicting, 2)}

    def share(self) -> float:
        """How much of the training time is used up, 0 to 1."""
        return min(max((seconds_since_start() - self.begun) / (self.until - self.begun), 0.0), 1.0)

    def is_over(self) -> bool:
        return seconds_since_start() >= self.until

    def write(self, files: Sequence[str | Path], predicted: Sequence[str]) -> None:
        """The table, whole or not at all, and what there is to say of how it was made."""
        self.notes["ended"] = round(seconds_since_start(), 2)
        (self.out.parent / "notes.json").write_text(json.dumps(self.notes))
        draft = self.out.with_suffix(".part")
        with draft.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "predicted"))
            for path, name in zip(files, predicted, strict=True):
                writer.writerow((Path(path).absolute().relative_to(self.folder).as_posix(), name))
        draft.replace(self.out)


def asked() -> Task:
    folder, out, seconds, setting, seed = sys.argv[1:6]
    return Task(Path(folder), Path(out), float(seconds), setting, int(seed))


def rise_and_fall(share: float, warm: float = 0.2) -> float:
    """Learning rate as a share of its highest: up in a straight line, then down to zero along a cosine."""
    if share < warm:
        return 0.1 + 0.9 * share / warm
    return 0.5 * (1 + math.cos(math.pi * (share - warm) / (1 - warm)))


def has_matrix_units() -> bool:
    """Whether the processor multiplies bf16 matrices in hardware, where half precision pays (Linux)."""
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
