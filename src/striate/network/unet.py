"""The network that `auto` stands for where every pixel gets an answer: a U-Net on our blocks, as one line."""

from striate.errors import StriateError
from striate.network.auto import normed

MOST_LEVELS = 4  # halvings, one inside the other; the first is that of the stem
LEAST_SIDE = 8  # pixels of the smallest maps
WIDEST = 8  # times the filters of the first level of the U-Net
FINE = 16  # maps of what the U-Net says that are brought to full size, beside the picture itself


def unet_line(channels: int, height: int, width: int, base: int) -> str:
    """A U-Net (Ronneberger et al. 2015) for pictures of this size, with `base` times two filters at half their side.

    Nearly all of the arithmetic at full size is spent on what half the size shows as well, so a first convolution
    of stride 2 comes before it, and only the last one sees the picture's own pixels again. Each level is a
    convolution, what the next smaller level makes of it beside it, and a convolution over both. Every convolution is
    followed by a norm over groups of its maps: the statistics of a batch of two pictures, one bright and one dark,
    would be those of no other batch.
    """
    side = min(height, width)
    if side < 2:
        rule = "auto needs pictures of at least 2×2 pixels"
        raise StriateError(rule, received=f"{height}×{width}", where="--img-size")
    levels = 0
    while levels < MOST_LEVELS and side // 2 ** (levels + 1) >= LEAST_SIDE:
        levels += 1
    if not levels:
        return f"{_level(base, 0)}, conv classes 1"
    line = _level(2 * base, levels - 1)
    for level in reversed(range(levels - 1)):
        block = _level(2 * base, level)
        line = f"{block}, skip(maxpool 2, {line}), {block}"
    return f"skip({normed(2 * base, '4 stride=2', 'groupnorm')}, {line}, conv {FINE} 1), conv classes 3"


def _level(base: int, level: int) -> str:
    return normed(base * min(2**level, WIDEST), 3, "groupnorm")
