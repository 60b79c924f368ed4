"""Wall time: when the process began, and what a budget in minutes leaves for training."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Clock:
    """A budget in wall time: everything must be done at `deadline`, in seconds of time.monotonic().

    scoring, report: seconds kept for scoring the pictures, and for figures and the report. turning: what of scoring is
    for mirrored and turned pictures.
    """

    deadline: float
    scoring: float = 0.0
    report: float = 0.0
    turning: float = 0.0

    def left(self) -> float:
        """Seconds left for training."""
        return self.deadline - self.scoring - self.report - time.monotonic()


def seconds_since_start() -> float:
    """Wall time since this process started (since this import, where the system does not tell)."""
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        # Not /proc/uptime: in some containers it counts from their own start, and the ticks from the machine's.
        return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - _IMPORTED


_IMPORTED = time.monotonic()
