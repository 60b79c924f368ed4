"""The values that a network starts from: random ones, and filters taken from the pictures themselves."""

import torch
from torch import Tensor, nn

from striate.network.blocks import CONVOLUTIONS, Whiten2d


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """Glorot-uniform filters and dense weights (Glorot & Bengio 2010), zero biases.

    Larger first values (He et al. 2015) make the first steps of the tutorials' networks jump: their dense
    layers take over 100,000 numbers. Draws from torch's global generator; the caller seeds and restores it.
    """
    layers = [m for m in network.modules() if isinstance(m, (*CONVOLUTIONS, nn.Linear))]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def whiten_all(network: nn.Module, pictures: Tensor) -> None:
    """Set every whitening layer of a network from `pictures` (N, C, H, W), standardised, of a few hundred samples."""
    for layer in network.modules():
        if isinstance(layer, Whiten2d):
            whiten(layer, pictures)


@torch.no_grad()
def whiten(layer: Whiten2d, pictures: Tensor, epsilon: float = 5e-4) -> None:
    """Set a whitening layer's filters from the patches of `pictures` (N, C, H, W), standardised.

    The filters are the eigenvectors of the patch covariance divided by the root of their eigenvalues,
    largest first, then the same with the other sign (Page 2019; Jordan 2024). `epsilon`, relative to the
    mean eigenvalue, keeps directions of mere noise from being blown up.
    """
    channels, (height, width), half = layer.in_channels, layer.kernel_size, (layer.out_channels + 1) // 2
    patches = pictures.unfold(2, height, layer.stride[0]).unfold(3, width, layer.stride[1])
    down, across = patches.shape[2:4]  # so far they take no memory; evenly spaced ones are enough
    count = len(patches) * down * across
    places = torch.arange(0, count, max(1, count // 200_000))
    patches = patches[places // (down * across), :, places // across % down, places % across].flatten(1).double()
    covariance = patches.T @ patches / len(patches)
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    # The sign of an eigenvector is arbitrary: fix it, so that every machine gets the same filters.
    vectors = vectors * torch.sign(vectors[vectors.abs().argmax(dim=0), torch.arange(vectors.shape[1])])
    axes = (vectors / torch.sqrt(values + epsilon * values.mean().clamp(min=1e-8))).T[:half]
    filters = axes.reshape(-1, channels, height, width).to(layer.weight)
    both = torch.cat([filters, -filters])
    copies = -(-layer.out_channels // len(both))
    layer.weight.copy_(both.repeat(copies, 1, 1, 1)[: layer.out_channels])
    nn.init.zeros_(layer.bias)
