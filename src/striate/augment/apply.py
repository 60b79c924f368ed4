"""A recipe applied to a batch."""

import torch

from striate.augment import chance
from striate.augment.colour import add_noise, recolour
from striate.augment.geometry import matrices, move, warp
from striate.augment.recipe import Recipe
from striate.errors import StriateError


def augment(pictures: torch.Tensor, recipe: Recipe, *, seed: int, epoch: int, sample_ids: torch.Tensor) -> torch.Tensor:
    """The pictures of a batch, each changed by the recipe in its own way; a new tensor of the same shape.

    pictures: (B, C, H, W) float32, black at 0 and white about 1, on any device.
    sample_ids: (B,) whole numbers that name the samples. What a sample becomes depends on (seed,
    epoch, sample id) only, not on the batch around it. The recipe "none" gives the tensor back as it is.
    """
    if pictures.ndim != 4 or pictures.dtype != torch.float32 or sample_ids.shape != pictures.shape[:1]:
        raise StriateError(
            "a batch to change is float32 (batch, channels, height, width) with one sample id each",
            received=f"{pictures.dtype} {tuple(pictures.shape)}, ids {tuple(sample_ids.shape)}",
        )
    if not (recipe.moves or recipe.recolours):
        return pictures
    draws = chance.uniforms(seed, epoch, sample_ids)
    if recipe.moves:
        pictures = move(pictures, matrices(recipe, draws, *pictures.shape[2:]), recipe)
        pictures = warp(pictures, recipe, draws)
    pictures = recolour(pictures, recipe, draws)
    return add_noise(pictures, recipe, seed=seed, epoch=epoch, sample_ids=sample_ids)


def sources_of(
    recipe: Recipe, height: int, width: int, *, seed: int, epoch: int, sample_ids: torch.Tensor
) -> torch.Tensor:
    """(B, 2, 3) the matrices by which `augment` moves these samples' pictures (see geometry.matrices)."""
    return matrices(recipe, chance.uniforms(seed, epoch, sample_ids), height, width)
