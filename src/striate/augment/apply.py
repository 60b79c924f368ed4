"""A recipe applied to a batch."""

from collections.abc import Sequence

import torch

from striate.augment import chance
from striate.augment.chance import Draw
from striate.augment.colour import add_noise, erase, recolour
from striate.augment.geometry import matrices, move, warp
from striate.augment.recipe import Recipe
from striate.errors import StriateError

_PLACE = 0x504C4143  # sets the drawing of places apart from that of shifts


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
    if not recipe.changes:
        return pictures
    draws = chance.uniforms(seed, epoch, sample_ids)
    if recipe.moves:
        pictures = move(pictures, matrices(recipe, draws, *pictures.shape[2:]), recipe)
        pictures = warp(pictures, recipe, draws)
    pictures = erase(recolour(pictures, recipe, draws), recipe, draws)
    return add_noise(pictures, recipe, seed=seed, epoch=epoch, sample_ids=sample_ids)


def sources_of(
    recipe: Recipe, height: int, width: int, *, seed: int, epoch: int, sample_ids: torch.Tensor
) -> torch.Tensor:
    """(B, 2, 3) the matrices by which `augment` moves these samples' pictures (see geometry.matrices)."""
    return matrices(recipe, chance.uniforms(seed, epoch, sample_ids), height, width)


def cropped(
    tensors: Sequence[torch.Tensor], side: int, *, seed: int, epoch: int, sample_ids: torch.Tensor
) -> list[torch.Tensor]:
    """The same square of `side` pixels of each of several (B, ..., H, W), at a place of its own for each sample.

    Where a picture is smaller than `side`, all of it along that axis.
    """
    draws = chance.uniforms(seed ^ _PLACE, epoch, sample_ids)
    sizes = tensors[0].shape[-2:]
    rows, columns = (
        (draws[:, draw] * (max(size - side, 0) + 1)).floor().to(torch.int64).tolist()
        for size, draw in zip(sizes, (Draw.SHIFT_Y, Draw.SHIFT_X), strict=True)
    )
    return [
        torch.stack([
            one[..., top : top + side, left : left + side] for one, top, left in zip(tensor, rows, columns, strict=True)
        ])
        for tensor in tensors
    ]  # fmt: skip
