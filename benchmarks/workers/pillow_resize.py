"""Reading a folder with Pillow alone, again and again: python pillow_resize.py FOLDER WIDTH HEIGHT

"run N" opens and resizes every picture N times, in one process per core; the processes are there before.
"""

import multiprocessing
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from turns import serve


def load(path: Path, size: tuple[int, int]) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BILINEAR))


def main(folder: Path, width: int, height: int) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    files = sorted(folder.glob("*/*.jpg"))
    with multiprocessing.Pool(cores) as pool:

        def run(count: int) -> dict:
            begun = time.perf_counter()
            for _ in range(count):
                pictures = np.stack(pool.map(partial(load, size=(width, height)), files, chunksize=1))
            seconds = time.perf_counter() - begun
            return {"seconds": seconds, "means": pictures.astype(np.float32).mean(axis=(1, 2, 3)).tolist()}

        serve({"processes": cores, "pictures": len(files)}, run=run)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
