"""What light and camera change, and what lies in the way; one draw per sample and kind."""

import torch

from striate.augment import chance
from striate.augment.chance import Draw
from striate.augment.recipe import Recipe

STEPS = 2**12  # from black to white, to which pixel values are rounded for the mean


def recolour(pictures: torch.Tensor, recipe: Recipe, uniforms: torch.Tensor) -> torch.Tensor:
    """Pictures (B, C, H, W) float32 as mean + contrast · (picture - mean) + brightness, all channels alike.

    uniforms: (B, len(Draw)) from `chance.uniforms`. contrast is from [1 - amount, 1 + amount), brightness
    from [-amount, amount); the mean is over all pixels and channels of the one picture. Results may
    leave 0..1: clipping would lose what the picture shows there.
    """
    if not (recipe.brightness or recipe.contrast):
        return pictures
    centred = (2 * uniforms - 1).to(pictures.device)
    added = recipe.brightness * centred[:, Draw.BRIGHTNESS]
    if not recipe.contrast:
        return pictures + _per_sample(added)
    factor = 1 + recipe.contrast * centred[:, Draw.CONTRAST]
    added = added + (1 - factor) * _means(pictures)
    return (pictures * _per_sample(factor)).add_(_per_sample(added))


def erase(pictures: torch.Tensor, recipe: Recipe, uniforms: torch.Tensor) -> torch.Tensor:
    """Pictures (B, C, H, W) with a square covered by each one's mean, so that no single part decides (DeVries and
    Taylor 2017, arXiv 1708.04552).

    Its middle lies anywhere on the picture, so that less of it may be seen. uniforms: as for `recolour`.
    """
    if not recipe.erase:
        return pictures
    height, width = pictures.shape[2:]
    side = max(round(recipe.erase * min(height, width)), 1)

    def covered(draw: Draw, size: int) -> torch.Tensor:
        first = (uniforms[:, draw, None] * size).floor() - side // 2
        places = torch.arange(size)
        return ((places >= first) & (places < first + side)).to(pictures.device)

    hidden = covered(Draw.ERASE_Y, height)[:, None, :, None] & covered(Draw.ERASE_X, width)[:, None, None, :]
    return torch.where(hidden, _per_sample(_means(pictures)), pictures)


def add_noise(
    pictures: torch.Tensor, recipe: Recipe, *, seed: int, epoch: int, sample_ids: torch.Tensor
) -> torch.Tensor:
    """Pictures plus bell-shaped noise of standard deviation `recipe.noise`, its own in every pixel."""
    if not recipe.noise:
        return pictures
    ids = sample_ids.to(pictures.device)
    drawn = chance.noise(seed, epoch, ids, pictures.shape[1:].numel()).view(pictures.shape)
    return drawn.mul_(recipe.noise).add_(pictures)


def _means(pictures: torch.Tensor) -> torch.Tensor:
    """(B,) float64. Whole numbers are summed, first along rows in float32 (exact up to 2^24) and then
    in float64, because sums without rounding are the same in every order, batch and device."""
    counted = (pictures * STEPS).round_().sum(dim=3).to(torch.float64)
    return counted.sum(dim=(1, 2)) / (STEPS * pictures.shape[1:].numel())


def _per_sample(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.float32)[:, None, None, None]
