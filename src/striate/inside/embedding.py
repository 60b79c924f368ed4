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
    given: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        x = (*inputs, *named.values())[0]
        given[:] = [x.movedim(-1, 1) if isinstance(layer, nn.Linear) else x]  # a row for each token

    found = [one for one in network.modules() if getattr(one, "weight", None) is not None and one.weight.ndim > 1]
    hooks = [layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in found]
    try:
        network(x)
    finally:
        for hook in hooks:
            hook.remove()
    if not given:
        raise StriateError("what the last layer goes by is there where a layer has weights", received="none")
    return (given[0].flatten(2).mean(2) if given[0].ndim > 2 else given[0]).float()
