"""Where each pixel comes from: rotation, shift, shear, zoom and symmetries as one matrix per sample.

All changes are composed about the centre of the picture, in pixels, so that a picture that is not
square turns without distortion, and each picture is read once. Recipes that only mirror, turn by
quarters or shift move whole pixels and copy their values exactly; the others interpolate.
"""

import math
from collections.abc import Callable

import torch

from striate.augment.chance import SYMMETRIES, Draw
from striate.augment.recipe import Recipe

# A symmetry is (mirrored left-right first: 0 or 1, then turned anticlockwise by so many quarters).
IDENTITY, MIRRORED = (0, 0), (1, 0)
QUARTER_TURN, HALF_TURN, UPSIDE_DOWN = (0, 1), (0, 2), (1, 2)
RECTANGLE = (IDENTITY, MIRRORED, HALF_TURN, UPSIDE_DOWN)
SQUARE = tuple((mirrored, quarters) for quarters in range(4) for mirrored in (0, 1))
QUARTERS_BACK = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))


def matrices(recipe: Recipe, uniforms: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(B, 2, 3) float64: from a pixel (x, y, 1) of the changed picture to its place (x, y) in the old.

    uniforms: (B, len(Draw)) from `chance.uniforms`. Pixel centres are whole numbers, x to the right
    and y down. Seen on the screen a picture is first mirrored or turned by quarters, then zoomed,
    slanted, rotated (anticlockwise for draws above a half) and at last shifted. A recipe that does
    not interpolate shifts by whole pixels, each number of them up to round(shift · side) as likely.

    Boxes and points follow the picture through the inverse of these.
    """
    columns = uniforms.T
    a, b, c, d = _linear(recipe, columns)
    p, q, r, s = _symmetry_back(recipe, columns[Draw.SYMMETRY], square=height == width)
    # Written out and not as a product of matrices: that may round differently in another batch.
    linear = ((p * a + q * c, p * b + q * d), (r * a + s * c, r * b + s * d))
    centre = ((width - 1) / 2, (height - 1) / 2)
    shifts = [_shift(recipe, columns[draw], side) for draw, side in ((Draw.SHIFT_X, width), (Draw.SHIFT_Y, height))]
    x, y = (centre[axis] + shifts[axis] for axis in (0, 1))
    rows = [
        torch.stack([across, down, middle - across * x - down * y], dim=1)
        for (across, down), middle in zip(linear, centre, strict=True)
    ]
    return torch.stack(rows, dim=1)


def move(pictures: torch.Tensor, sources: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """The pictures (B, C, H, W) float32 after the changes that `matrices` gave, filled as the recipe says.

    Bilinear where the recipe interpolates, else a copy of whole pixels without any rounding.
    """
    change = _interpolate if recipe.interpolates else _copy_whole
    return change(pictures, sources, recipe.fill, recipe.value)


def warp(pictures: torch.Tensor, recipe: Recipe, uniforms: torch.Tensor) -> torch.Tensor:
    """Pictures (B, C, H, W) with their columns moved along the width, by linear interpolation; the ends stay.

    uniforms: (B, len(Draw)). A place s of 0 to 1 is read at s + sum of a_k sin(pi k s) / (pi k), k = 1, 2, 3, where
    the |a_k| add up to at most `recipe.warp`: so the pace lies between 1 - warp and 1 + warp.
    """
    if not recipe.warp:
        return pictures
    width = pictures.shape[3]
    steps = torch.arange(width, dtype=torch.float64) / max(width - 1, 1)
    places = steps.expand(len(pictures), width)
    for order, draw in enumerate((Draw.WARP_1, Draw.WARP_2, Draw.WARP_3), 1):
        wave = torch.sin(math.pi * order * steps) / (math.pi * order)
        places = places + (recipe.warp / 3) * _both_ways(uniforms[:, draw, None]) * wave
    places = (places * (width - 1)).clamp(0, width - 1).to(pictures.device)
    left = places.floor().clamp(max=max(width - 2, 0))
    share = (places - left).to(torch.float32)[:, None, None]
    index = left.to(torch.int64)[:, None, None].expand_as(pictures)
    before, after = (pictures.gather(3, (index + step).clamp(max=width - 1)) for step in (0, 1))
    return torch.lerp(before, after, share.expand_as(pictures))


def move_labels(labels: torch.Tensor, sources: torch.Tensor, recipe: Recipe, unknown: int) -> torch.Tensor:
    """Label maps (B, H, W) uint8 that follow their pictures: every pixel is a copy of the nearest one.

    Beyond the border they are mirrored where the picture is, and elsewhere `unknown`, since nothing was seen there.
    """
    fill = "reflect" if recipe.fill == "reflect" else "constant"
    numbers = labels[:, None].to(torch.float32)
    if recipe.interpolates:
        moved = _interpolate(numbers, sources, fill, float(unknown), mode="nearest")
    else:
        moved = _copy_whole(numbers, sources, fill, float(unknown))
    return moved[:, 0].round().to(torch.uint8)


def _linear(recipe: Recipe, columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The four entries of (1 / zoom) · (shear back) · (rotate back), each (B,)."""
    angle = math.radians(recipe.rotate) * _both_ways(columns[Draw.ROTATE])
    slant = math.radians(recipe.shear) * _both_ways(columns[Draw.SHEAR])
    cosine, sine, tangent = _each(math.cos, angle), _each(math.sin, angle), _each(math.tan, slant)
    across = 1 / (1 + recipe.zoom * _both_ways(columns[Draw.ZOOM_X]))
    down = 1 / (1 + recipe.zoom * _both_ways(columns[Draw.ZOOM_Y]))
    return (across * (cosine - tangent * sine), across * (-sine - tangent * cosine), down * sine, down * cosine)


def _symmetry_back(recipe: Recipe, draws: torch.Tensor, *, square: bool) -> torch.Tensor:
    """The four entries (4, B) of the matrix that undoes each sample's symmetry, all 0, 1 or -1."""
    undo = []
    for mirrored, quarters in _symmetries(recipe, square=square):
        p, q, r, s = QUARTERS_BACK[quarters]
        undo.append((-p, -q, r, s) if mirrored else (p, q, r, s))
    step = (draws * SYMMETRIES).to(torch.int64)
    return torch.tensor(undo, dtype=torch.float64)[step % len(undo)].T


def _symmetries(recipe: Recipe, *, square: bool) -> tuple[tuple[int, int], ...]:
    """The symmetries that samples step through, one an epoch."""
    if recipe.dihedral and square:
        return SQUARE
    if recipe.dihedral or (recipe.hflip and recipe.vflip):
        return RECTANGLE
    if recipe.hflip:
        return (IDENTITY, MIRRORED)
    return (IDENTITY, UPSIDE_DOWN) if recipe.vflip else (IDENTITY,)


def _shift(recipe: Recipe, draws: torch.Tensor, side: int) -> torch.Tensor:
    if side == 1:  # of a series, say: there is nowhere to go
        return torch.zeros_like(draws)
    if recipe.interpolates:
        return recipe.shift * side * _both_ways(draws)
    most = math.floor(recipe.shift * side + 0.5)
    return torch.floor(draws * (2 * most + 1)) - most


def _interpolate(
    pictures: torch.Tensor, sources: torch.Tensor, fill: str, value: float, mode: str = "bilinear"
) -> torch.Tensor:
    """Bilinear (or "nearest") reading at the sources; outside counts from half a pixel beyond the outermost centres."""
    batch, _, height, width = pictures.shape
    grid = torch.empty(batch, height, width, 2, device=pictures.device)
    for axis, side in ((0, width), (1, height)):
        # grid_sample counts from -1 to 1 between the outer edges of the outermost pixels.
        across, down, constant = (sources[:, axis, entry, None] * (2 / side) for entry in range(3))
        columns, rows = (torch.arange(count, device=sources.device) for count in (width, height))
        along_x = across * columns + (constant + (1 / side - 1))
        along_y = down * rows
        along_x, along_y = (part.to(pictures.device, torch.float32) for part in (along_x, along_y))
        torch.add(along_x[:, None, :], along_y[:, :, None], out=grid[..., axis])
    how = {"nearest": "border", "reflect": "reflection", "constant": "zeros"}[fill]
    how = {"mode": mode, "padding_mode": how, "align_corners": False}
    if fill != "constant" or value == 0:
        return torch.nn.functional.grid_sample(pictures, grid, **how)
    # Zeros are the only constant that grid_sample knows, so the pictures are lowered by `value` and raised.
    lowered = pictures - value
    return torch.nn.functional.grid_sample(lowered, grid, **how) + value


def _copy_whole(pictures: torch.Tensor, sources: torch.Tensor, fill: str, value: float) -> torch.Tensor:
    """The value of exactly one pixel each; `sources` holds whole numbers only.

    A column of the source depends on x alone, or on y alone after a quarter turn, and so does a row:
    places are worked out along the sides and added to make the index of every pixel.
    """
    batch, channels, height, width = pictures.shape
    whole = torch.round(sources).to(torch.int64)
    turned = (whole[:, 0, 0] == 0)[:, None]
    column, no_column = _along(whole[:, 0], width, fill, max(height, width))
    row, no_row = _along(whole[:, 1], height, fill, max(height, width))
    row = row * width
    along_x, along_y = torch.where(turned, row, column), torch.where(turned, column, row)
    index = (along_y[:, :height, None] + along_x[:, None, :width]).view(batch, 1, height * width)
    index = index.to(pictures.device).expand(batch, channels, height * width)
    out = torch.gather(pictures.reshape(batch, channels, height * width), 2, index).view(pictures.shape)
    if fill == "constant":
        outside_x, outside_y = torch.where(turned, no_row, no_column), torch.where(turned, no_column, no_row)
        outside = outside_y[:, None, :height, None] | outside_x[:, None, None, :width]
        out.masked_fill_(outside.to(pictures.device), value)
    return out


def _along(entries: torch.Tensor, side: int, fill: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, count) source places along one side, folded into it, and where they lay outside."""
    steps = torch.arange(count, device=entries.device)
    places = (entries[:, 0] + entries[:, 1])[:, None] * steps + entries[:, 2, None]
    outside = (places < 0) | (places >= side)
    if fill == "reflect":
        places = places.remainder(2 * side)
        return torch.minimum(places, 2 * side - 1 - places), outside
    return places.clamp(0, side - 1), outside


def _both_ways(draws: torch.Tensor) -> torch.Tensor:
    """From [0, 1) to [-1, 1)."""
    return 2 * draws - 1


def _each(function: Callable[[float], float], values: torch.Tensor) -> torch.Tensor:
    # One by one, because a vector routine may round its last few elements differently: then a
    # sample's place in the batch would matter.
    return torch.tensor([function(value) for value in values.tolist()], dtype=torch.float64)
