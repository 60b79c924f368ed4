"""The network that `auto` stands for where every pixel gets an answer: a U-Net on our blocks, as one line."""

from striate.errors import StriateError

MOST_LEVELS = 4  # pools, one inside the other
LEAST_SIDE = 8  # pixels of the smallest maps
WIDEST = 4  # times the filters of the first level


def unet_line(channels: int, height: int, width: int, base: int) -> str:
    """A U-Net (Ronneberger et al. 2015) for pictures of this size, `base` filters wide at full size.

    Each level is a convolution, what the next smaller level makes of it beside it, and a convolution over both. Every
    convolution is followed by a norm over groups of its maps: the statistics of a batch of two pictures, one bright
    and one dark, would be those of no other batch. Filters stop doubling at four times `base`.
    """
    side = min(height, width)
    if side < 2:
        rule = "auto needs pictures of at least 2×2 pixels"
        raise StriateError(rule, received=f"{height}×{width}", where="--img-size")
    levels = 0
    while levels < MOST_LEVELS and side // 2 ** (levels + 1) >= LEAST_SIDE:
        levels += 1
    line = _block(base, levels)
    for level in reversed(range(levels)):
        block = _block(base, level)
        line = f"{block}, skip(maxpool 2, {line}), {block}"
    return f"{line}, conv classes 1"


def _block(base: int, level: int) -> str:
    return f"conv {base * min(2**level, WIDEST)} 3 bias=no, groupnorm, silu"
