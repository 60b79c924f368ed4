"""The network that `auto` stands for where one answer is wanted for a whole picture."""

from striate.errors import StriateError


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
        stages.append(
            f"conv {filters} 3 bias=no, maxpool 2, batchnorm, silu, residual(conv {filters} 3 bias=no, batchnorm, silu)"
        )
        side, number = side // 2, number + 1
    if not stages:
        raise StriateError(
            "auto needs pictures of at least 3×3 pixels", received=f"{height}×{width}", where="--img-size"
        )
    return f"{stem}, silu, {', '.join(stages)}, globalmaxpool, dense classes bias=no, scale 0.125"
