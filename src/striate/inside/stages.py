"""Which layers to show where there is room for a few: the last one at every size of feature maps."""

import re
from collections.abc import Sequence

from striate.inside.capture import Layer

_OTHERS = re.compile(r"ensemble\d+\.(?!1\.)\d+\.")  # members of an ensemble beside the first
_SAME = {"pad", "dropout", "identity"}  # they show what the layer before them shows


def stage_ends(layers: Sequence[Layer], most: int) -> list[int]:
    """Indices of at most `most` layers with maps (C, *grid) of more than one place, in order.

    Of all layers whose maps have one shape the last is taken; of too many, evenly spaced ones with first and last.
    Of an ensemble's members the first stands for all.
    """
    last: dict[tuple[int, ...], int] = {}
    for layer in layers:
        shape = layer.output_shape
        if len(shape) > 1 and max(shape[1:]) > 1 and layer.kind not in _SAME and not _OTHERS.match(layer.name):
            last[shape] = layer.index
    ends = sorted(last.values())
    steps = min(most, len(ends))
    return [ends[round(place * (len(ends) - 1) / max(steps - 1, 1))] for place in range(steps)]
