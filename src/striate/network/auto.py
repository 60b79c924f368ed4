"""The networks that `auto` stands for: lines for pictures, series, texts, volumes, and for an answer at every pixel."""

from striate.errors import StriateError

# Of the U-Net.
MOST_LEVELS = 4  # halvings, one inside the other; the first is that of the stem
LEAST_SIDE = 8  # pixels of the smallest maps
WIDEST = 8  # times the filters of the first level of the U-Net
FINE = 16  # maps of what the U-Net says that are brought to full size, beside the picture itself


def normed(filters: int, window: int | str, norm: str = "batchnorm", then: str = "silu") -> str:
    """A convolution with its norm, which makes up for a bias, and its activation; window: all that stands behind the
    number of filters."""
    return f"conv {filters} {window} bias=no, {norm}, {then}"


def auto_line(channels: int, height: int, width: int, base: int) -> str:
    """Our own network for pictures of this size, `base` filters wide at first.

    A fixed whitening layer, then stages of convolution, pool, norm and activation, each with one residual
    convolution, until the maps are about 3x3; a global pool and one dense layer.
    """
    side = min(height, width)
    large = side >= 48
    stem = f"whiten {min(2 * channels * 16, 48)} 4 stride=2" if large else f"whiten {8 * channels} 2"
    side = (side - 4) // 2 + 1 if large else side - 1
    stages, number = [], 0
    while number < 5 and (side >= 6 or number < 1) and side >= 2:
        filters = base * min(2**number, 4)
        stages.append(f"conv {filters} 3 bias=no, maxpool 2, batchnorm, silu, residual({normed(filters, 3)})")
        side, number = side // 2, number + 1
    if not stages:
        rule, remedy = "auto needs pictures of at least 3×3 pixels", "--img-size 8 draws them larger"
        raise StriateError(rule, received=f"{height}×{width}", where="--img-size", remedy=remedy)
    return f"{stem}, silu, {', '.join(stages)}, globalmaxpool, dense classes bias=no, scale 0.125"


def series_line(channels: int, height: int, width: int, base: int) -> str:
    """Our own network for series (height 1), `base` filters wide at first.

    The fully convolutional network of Wang, Yan and Oates 2017: three convolutions of 8, 5 and 3 values, which keep
    the length of the series, and the mean of every map. `whiten` and pools, which win on pictures, lose here.
    """
    stages = (normed(*each, then="relu") for each in ((base, 8), (2 * base, 5), (base, 3)))
    return f"{', '.join(stages)}, globalavgpool, dense classes"


def text_line(channels: int, height: int, width: int, base: int) -> str:
    """Our own network for texts, whose channels are symbols, `base` filters wide at first.

    Convolutions of 7 and 3 letters with pools of 3 (Zhang, Zhao and LeCun 2015, with fewer of them and a norm after
    each), and the largest value of every map: whether a group of letters is there, wherever it stands.
    """
    stages = [normed(4 * base, 7, then="relu")]
    side = width
    while len(stages) < 4 and side >= 9:
        stages.append(f"maxpool 3, {normed(4 * base, 3, then='relu')}")
        side //= 3
    return f"{', '.join(stages)}, globalmaxpool, dropout 0.5, dense classes"


def volume_line(channels: int, height: int, width: int, base: int, frames: int = 32) -> str:
    """Our own network for volumes, a quarter of `base` filters wide at first: stages as in `auto_line`, three axes.

    Frames are pooled as long as there are two of them, however large each is.
    """
    side, stages = min(height, width), []
    while len(stages) < 4 and (side >= 4 or not stages):
        filters = base * 2 ** len(stages) // 4
        inner = f", residual({normed(filters, 3, then='relu')})" if stages else ""
        pool = f", maxpool {2 if frames >= 2 else '1x2x2'}" if side >= 2 else ""
        stages.append(f"conv {filters} 3 bias=no{pool}, batchnorm, relu{inner}")
        side, frames = side // 2, frames // 2
    return f"{', '.join(stages)}, globalavgpool, dense classes"


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
        rule, remedy = "auto needs pictures of at least 2×2 pixels", "--img-size 8 draws them larger"
        raise StriateError(rule, received=f"{height}×{width}", where="--img-size", remedy=remedy)
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
