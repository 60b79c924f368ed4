"""What the last layer of a network goes by: a picture as a row of numbers, alike where pictures look alike to it."""

import torch
from torch import Tensor, nn

from striate.errors import StriateError


@torch.no_grad()
def embed(network: nn.Module, x: Tensor) -> Tensor:
    """(B, D) float32: what inputs (B, C, ...) have become when they come to the last layer with weights; of maps the
    mean of each over all its places.

    Raises StriateError where no layer has weights.
    """
    given = []
    hook = _last(network).register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        network(x)
    finally:
        hook.remove()
    return (given[-1].flatten(2).mean(2) if given[-1].ndim > 2 else given[-1]).float()


def _last(network: nn.Module) -> nn.Module:
    found = [
        layer for layer in network.modules() if getattr(layer, "weight", None) is not None and layer.weight.ndim > 1
    ]
    if not found:
        raise StriateError("what the last layer goes by is there where a layer has weights", received="none")
    return found[-1]
