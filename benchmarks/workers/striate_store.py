"""Storing a folder by Striate, again and again: python striate_store.py FOLDER WIDTH HEIGHT

"run N" builds N new stores, with as many threads as there are cores.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from turns import serve

from striate.data.folder import read_folder
from striate.data.prepare import Shape
from striate.data.store import build_store


def main(folder: Path, width: int, height: int) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    shape = Shape(height=height, width=width, channels=3)
    samples = read_folder(folder).samples

    def run(count: int) -> dict:
        seconds, mean = 0.0, []
        for _ in range(count):
            with tempfile.TemporaryDirectory() as place:
                begun = time.perf_counter()
                store = build_store(samples, Path(place), shape, workers=cores)
                seconds += time.perf_counter() - begun
                mean = np.asarray(store.pictures, np.float32).mean(axis=(1, 2, 3)).tolist()
        return {"seconds": seconds, "means": mean}

    serve({"threads": cores, "pictures": len(samples)}, run=run)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
