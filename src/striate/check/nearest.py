"""The nearest neighbours of many vectors: exact, tile by tile in the processor's cache, on all cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Made = TypeVar("Made")
_ROWS, _COLUMNS = 128, 1024  # of one tile
_SAMPLE, _SPARE = 4096, 5  # columns from which a limit is read; how many times as many as wanted shall pass it


def over_blocks(count: int, rows: int, make: Callable[[slice], Made]) -> Iterator[Made]:
    """What `make` gives of `rows` rows at a time, in order; on several cores at once, each with one thread of BLAS, so
    that the result does not depend on their number."""
    from threadpoolctl import threadpool_limits

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    blocks = [slice(start, min(start + rows, count)) for start in range(0, count, rows)]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(cores, 8)) as pool:
        yield from pool.map(make, blocks)


def nearest(vectors: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """The `wanted` other rows with the greatest products with each of N vectors (N, d), and these products, the
    greatest first: (N, wanted) int32 and float32.

    A limit that several times as many pass is read off a sample of columns, so that nearly all products are only
    compared with it. Where fewer passed than are wanted, the whole row is searched.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    count = len(vectors)
    wanted = min(wanted, count - 1)
    sample = np.ascontiguousarray(vectors[:: max(1, count // _SAMPLE)].T)
    rank = min(sample.shape[1], max(1, round(_SPARE * wanted * sample.shape[1] / count)))

    def of(block: slice) -> tuple[np.ndarray, np.ndarray]:
        limit = np.partition(vectors[block] @ sample, -rank, axis=1)[:, -rank]
        row, column, product = _passed(vectors, block, limit)
        order = np.lexsort((column, -product, row))
        firsts = np.searchsorted(row[order], np.arange(block.stop - block.start + 1))
        filled = np.append(order, np.zeros(wanted, np.int64))  # where fewer passed, what stands here is written over
        best = filled[firsts[:-1, None] + np.arange(wanted)]
        column, product = np.append(column, 0).astype(np.int32), np.append(product, np.float32(0))
        made = column[best], product[best]
        for at in np.flatnonzero(np.diff(firsts) < wanted):
            made[0][at], made[1][at] = _searched(vectors, block.start + at, wanted)
        return made

    parts = list(over_blocks(count, _ROWS, of))
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def _passed(vectors: np.ndarray, block: slice, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (within the block), columns and values of the products that reach the limit of their row, own ones apart."""
    rows, found = vectors[block], []
    for start in range(0, len(vectors), _COLUMNS):
        products = rows @ vectors[start : start + _COLUMNS].T
        row, column = np.divmod(np.flatnonzero(products >= limit[:, None]), products.shape[1])
        found.append((row, column + start, products[row, column]))
    row, column, product = (np.concatenate(each) for each in zip(*found, strict=True))
    others = column != row + block.start
    return row[others], column[others], product[others]


def _searched(vectors: np.ndarray, row: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    products = vectors @ vectors[row]
    products[row] = -np.inf
    best = np.argpartition(-products, wanted - 1)[:wanted]
    best = best[np.lexsort((best, -products[best]))]
    return best, products[best]
