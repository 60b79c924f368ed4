"""Seconds from the start of this process until a training has done its first step: python first_step.py FOLDER OUT

Then the process ends; nothing of the run is kept but the store, so a second start finds it there.
"""

import os
import shutil
import sys
from pathlib import Path

from turns import say

import striate
from striate.train.clock import seconds_since_start
from striate.train.events import Event, Step


def main(folder: str, out: str) -> None:
    def watch(event: Event) -> None:
        if isinstance(event, Step):
            say({"seconds": seconds_since_start()})
            shutil.rmtree(Path(out) / "first", ignore_errors=True)
            os._exit(0)

    striate.train(folder, out=out, name="first", quiet=True, watch=watch)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
