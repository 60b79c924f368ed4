"""One folder of small grey pictures listed, stored and opened again, with the peak of memory.

python index_and_store.py FOLDER OUT
"""

import sys
import time
from itertools import pairwise
from pathlib import Path

from turns import peak_mb, say

from striate.data.folder import read_folder
from striate.data.prepare import Shape
from striate.data.store import build_store


def main(folder: Path, out: Path) -> None:
    start = peak_mb()
    moments = [time.perf_counter()]
    found = read_folder(folder)
    moments.append(time.perf_counter())
    shape = Shape(height=16, width=16, channels=1)
    for _ in range(2):
        store = build_store(found.samples, out, shape, workers=2)
        moments.append(time.perf_counter())
    index, built, opened = (after - before for before, after in pairwise(moments))
    say({
        "pictures": len(store.kept), "index": index, "store": built, "open": opened,
        "start_mb": start, "peak_mb": peak_mb(),
    })  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
