"""Randomness as a pure function of seed, epoch, sample and draw number; there is no generator to keep.

Each sample has its own stream of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), whose key is a
hash of seed, epoch and sample number. So what happens to a sample depends on nothing else: not on
the batch that it is in, its place there, the number of workers, or a resumed run. Integer
arithmetic only, so every device gives the same bits; torch's own random state is never touched.
"""

from enum import IntEnum

import torch

GOLDEN = 0x9E3779B97F4A7C15
FIRST_MULTIPLIER = 0xBF58476D1CE4E5B9
SECOND_MULTIPLIER = 0x94D049BB133111EB
NOISE_FROM = 1 << 16  # draw number of the first noise value; the draws by name come before it
ALWAYS = -1  # stands for the epoch in what a sample draws once for all epochs
BYTES = 0x00FF00FF00FF00FF
DEVIATION = (8 * (256**2 - 1) / 12) ** 0.5  # of the sum of eight uniform bytes
CACHED = 1 << 15  # 64-bit numbers that a processor's cache holds
SYMMETRIES = 8


class Draw(IntEnum):
    """The column of each named draw; a new one goes at the end, so that old runs repeat."""

    SYMMETRY = 0
    ROTATE = 1
    SHIFT_X = 2
    SHIFT_Y = 3
    SHEAR = 4
    ZOOM_X = 5
    ZOOM_Y = 6
    BRIGHTNESS = 7
    CONTRAST = 8
    WARP_1 = 9
    WARP_2 = 10
    WARP_3 = 11
    ERASE_X = 12
    ERASE_Y = 13


def uniforms(seed: int, epoch: int, sample_ids: torch.Tensor) -> torch.Tensor:
    """(B, len(Draw)) float64 on the CPU, each in [0, 1), for samples (B,) of any integer type.

    All are uniform and independent except SYMMETRY, which is derandomised: a sample starts with one
    of eight steps and goes on by one step (1/8) each epoch, so that eight epochs show every symmetry
    once (alternating flip, Jordan 2024, arXiv 2404.00498, here for the whole square).
    """
    ids = sample_ids.cpu()
    drawn = _bits(_keys(seed, epoch, ids), 0, len(Draw))
    values = _shifted(drawn, 11).to(torch.float64) * 2.0**-53
    start = _shifted(_bits(_keys(seed, ALWAYS, ids), 0, 1)[:, 0], 61)
    values[:, Draw.SYMMETRY] = (start + epoch % SYMMETRIES).remainder(SYMMETRIES) / SYMMETRIES
    return values


def noise(seed: int, epoch: int, sample_ids: torch.Tensor, count: int) -> torch.Tensor:
    """(B, count) float32 on the device of `sample_ids`: bell-shaped, mean 0, standard deviation 1.

    The sum of eight uniform bytes: close to normal (excess kurtosis -0.15), never beyond 4.9, and
    without a logarithm, whose last bit would depend on machine and batch.
    """
    keys = _keys(seed, epoch, sample_ids)
    values = torch.empty(len(keys), count, device=keys.device)
    # A processor works on what fits its cache, several times faster; a GPU takes all at once.
    step = max(1, CACHED // max(1, count)) if keys.device.type == "cpu" else max(1, len(keys))
    for first in range(0, len(keys), step):
        drawn = _bits(keys[first : first + step], NOISE_FROM, count)
        pairs = (drawn & BYTES) + ((drawn >> 8) & BYTES)
        values[first : first + step] = _shifted(pairs * 0x0001000100010001, 48)
    return values.sub_(8 * 127.5).mul_(1 / DEVIATION)


def _keys(seed: int, epoch: int, sample_ids: torch.Tensor) -> torch.Tensor:
    ids = sample_ids.to(torch.int64)
    state = torch.zeros(1, dtype=torch.int64, device=ids.device)
    for part in (_signed(seed), _signed(epoch), ids):
        state = _mix((state ^ part) + _signed(GOLDEN))
    return state


def _bits(keys: torch.Tensor, first: int, count: int) -> torch.Tensor:
    """(B, count) of 64 random bits: outputs first ... first + count - 1 of each key's splitmix64."""
    steps = torch.arange(first + 1, first + count + 1, device=keys.device) * _signed(GOLDEN)
    return _mix(keys[:, None] + steps)


def _mix(state: torch.Tensor) -> torch.Tensor:
    """The output function of splitmix64; int64 products wrap round as unsigned ones do."""
    state = (state ^ _shifted(state, 30)) * _signed(FIRST_MULTIPLIER)
    state = (state ^ _shifted(state, 27)) * _signed(SECOND_MULTIPLIER)
    return state ^ _shifted(state, 31)


def _shifted(values: torch.Tensor, places: int) -> torch.Tensor:
    """`values` as unsigned 64-bit numbers, moved right."""
    return (values >> places) & ((1 << (64 - places)) - 1)


def _signed(value: int) -> int:
    """The int64 with the same 64 lowest bits."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)
