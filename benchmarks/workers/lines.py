"""Networks of the benchmarks that Striate's catalogue does not have, in its notation."""


def _stage(filters: int, stride: int) -> str:
    """Two residual blocks of two convolutions each; the first may halve the maps."""
    first = f"conv {filters} 3" + (f" stride={stride}" if stride > 1 else "")
    block = "residual({} bias=no, batchnorm, relu, conv {} 3 bias=no, batchnorm), relu"
    return f"{block.format(first, filters)}, {block.format(f'conv {filters} 3', filters)}"


RESNET18 = (
    "conv 64 7 stride=2 bias=no, batchnorm, relu, maxpool 3 stride=2 padding=1, "
    f"{_stage(64, 1)}, {_stage(128, 2)}, {_stage(256, 2)}, {_stage(512, 2)}, globalavgpool, dense classes"
)
