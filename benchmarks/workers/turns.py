"""The worker's side of timing by turns: answers "COMMAND N" lines with one JSON line each, until it is told to stop.

Runs in any Python with the standard library alone. Lines of ours begin with "@", since libraries print too.
"""

import json
import resource
import sys
from collections.abc import Callable


def serve(about: dict, **commands: Callable[[int], dict]) -> None:
    """Say what this worker is, then answer: {"run": f} answers the line "run 20" with f(20)."""
    say(about)
    for line in sys.stdin:
        name, _, count = line.strip().partition(" ")
        if name == "stop":
            break
        say({**commands[name](int(count)), "peak_mb": peak_mb()})


def say(answer: dict) -> None:
    sys.stdout.write("@" + json.dumps(answer) + "\n")
    sys.stdout.flush()


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)
