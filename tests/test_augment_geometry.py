"""Where pixels come from."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from striate.augment.chance import Draw, uniforms
from striate.augment.geometry import matrices, move
from striate.augment.recipe import parse

SCIPY_MODES = {"nearest": "nearest", "reflect": "reflect", "constant": "grid-constant"}


def drawn(**values: float) -> torch.Tensor:
    """Draws of one sample: 0.5 changes nothing, 0 and 1 are the two extremes; no symmetry."""
    row = torch.full((1, len(Draw)), 0.5, dtype=torch.float64)
    row[0, Draw.SYMMETRY] = 0
    for name, value in values.items():
        row[0, Draw[name.upper()]] = value
    return row


def picture(height: int, width: int, batch: int = 1, channels: int = 2) -> torch.Tensor:
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


def changed(before: torch.Tensor, line: str, draws: torch.Tensor) -> torch.Tensor:
    recipe = parse(line)
    return move(before, matrices(recipe, draws, *before.shape[2:]), recipe)


def test_no_draw_is_no_change() -> None:
    """Draws in the middle give the identity, and interpolation gives the picture back."""
    line = "rotate 30, shift 0.2, shear 10, zoom 0.3"
    wanted = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]], dtype=torch.float64)
    torch.testing.assert_close(matrices(parse(line), drawn(), 7, 9), wanted, atol=1e-12, rtol=0)
    before = picture(7, 9)
    torch.testing.assert_close(changed(before, line, drawn()), before, atol=1e-5, rtol=0)


def test_matrices_worked_by_hand() -> None:
    """A quarter turn of a 5 x 5 picture, a zoom by 2 and a slant of 45 degrees, point by point."""
    turn = matrices(parse("rotate 90"), drawn(rotate=1), 5, 5)[0]
    corner = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    torch.testing.assert_close(turn @ corner, torch.tensor([4.0, 0], dtype=torch.float64))
    zoom = matrices(parse("zoom 0.5"), drawn(zoom_x=0, zoom_y=1), 5, 5)[0]
    # The centre (2, 2) stays; the left edge comes from 2 / 0.5 = 4 to its left, the upper from 2 / 1.5.
    torch.testing.assert_close(zoom @ corner, torch.tensor([2 - 4, 2 - 4 / 3], dtype=torch.float64))
    slant = matrices(parse("shear 45"), drawn(shear=1), 5, 5)[0]
    torch.testing.assert_close(slant @ corner, torch.tensor([2.0, 0], dtype=torch.float64))
    shift = matrices(parse("shift 0.4, zoom 0.1"), drawn(shift_x=1, shift_y=0), 5, 10)[0]
    torch.testing.assert_close(shift @ corner, torch.tensor([-4.0, 2], dtype=torch.float64))


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_rotation_by_quarters_is_rot90(quarters: int) -> None:
    """Rotation by 90, 180 and -90 degrees turns a square picture anticlockwise as torch.rot90 does."""
    line, draw = {1: ("rotate 90", 1.0), 2: ("rotate 180", 1.0), 3: ("rotate 90", 0.0)}[quarters]
    before = picture(6, 6)
    after = changed(before, line, drawn(rotate=draw))
    torch.testing.assert_close(after, torch.rot90(before, quarters, (2, 3)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("fill", SCIPY_MODES)
@pytest.mark.parametrize(("height", "width"), [(9, 9), (7, 12), (1, 5), (12, 4)])
def test_interpolation_is_scipys(fill: str, height: int, width: int) -> None:
    """All changes together give SciPy's affine_transform with the same matrix, for each fill."""
    value = 0.25 if fill == "constant" else 0.0
    recipe = parse(f"rotate 180, shift 0.3, shear 20, zoom 0.4, hflip, vflip, fill {fill}")
    recipe = parse(str(recipe).replace("constant 0", "constant 0.25"))
    before, draws = picture(height, width, batch=12), uniforms(0, 0, torch.arange(12))
    sources = matrices(recipe, draws, height, width)
    after = move(before, sources, recipe).numpy()
    for sample, matrix in enumerate(sources.numpy()):
        flipped = matrix[::-1, [1, 0, 2]]  # SciPy counts (row, column)
        for channel in range(2):
            wanted = ndimage.affine_transform(
                before[sample, channel].numpy().astype(np.float64),
                flipped,
                order=1,
                mode=SCIPY_MODES[fill],
                cval=value,
            )
            np.testing.assert_allclose(after[sample, channel], wanted, atol=2e-4)


def test_rotation_does_not_distort() -> None:
    """In a picture that is not square, rotation keeps all distances in pixels."""
    draws = uniforms(0, 0, torch.arange(20))
    linear = matrices(parse("rotate 180"), draws, 40, 90)[:, :, :2]
    unit = torch.eye(2, dtype=torch.float64).expand(20, 2, 2)
    torch.testing.assert_close(linear @ linear.transpose(1, 2), unit)


def test_a_shift_is_a_slice() -> None:
    """Two pixels right and one up: a copy of the rest, and the fill's values where nothing was."""
    before = picture(5, 8)
    moved = drawn(shift_x=0.999, shift_y=0)
    after = {fill: changed(before, f"shift 0.25, fill {fill}", moved) for fill in ("nearest", "reflect")}
    after["constant"] = changed(before, "shift 0.25, fill constant 0.5", moved)
    for result in after.values():
        assert torch.equal(result[:, :, :4, 2:], before[:, :, 1:, :6])
    assert torch.equal(after["constant"][:, :, :, :2], torch.full((1, 2, 5, 2), 0.5))
    assert torch.equal(after["constant"][:, :, 4], torch.full((1, 2, 8), 0.5))
    assert torch.equal(after["nearest"][:, :, :4, 0], before[:, :, 1:, 0])
    assert torch.equal(after["nearest"][:, :, 4, 2:], before[:, :, 4, :6])
    assert torch.equal(after["reflect"][:, :, :4, :2], before[:, :, 1:, :2].flip(3))
    assert torch.equal(after["reflect"][:, :, 4, 2:], before[:, :, 4, :6])


def test_whole_shifts_are_alike_often() -> None:
    """shift 0.125 of 32 pixels gives -4 ... 4, each as often; a shift below half a pixel gives none."""
    draws = uniforms(0, 0, torch.arange(9_000))
    counts = torch.bincount((matrices(parse("shift 0.125"), draws, 32, 32)[:, 0, 2] + 4).long())
    assert len(counts) == 9
    assert int(counts.min()) > 850
    assert not matrices(parse("shift 0.04"), draws, 10, 10)[:, :, 2].any()
    digits = matrices(parse("shift 0.1"), draws, 8, 8)[:, :, 2]  # 0.8 pixels are rounded to one
    assert digits.unique().tolist() == [-1, 0, 1]


@pytest.mark.parametrize("line", ["dihedral, shift 0.3", "hflip, vflip, shift 0.6", "vflip, shift 1"])
@pytest.mark.parametrize("fill", ["nearest", "reflect", "constant 0.5"])
@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 8)])
def test_whole_pixels_agree_with_interpolation(line: str, fill: str, height: int, width: int) -> None:
    """Copying whole pixels gives what interpolation at the same places gives."""
    recipe, draws = parse(f"{line}, fill {fill}"), uniforms(0, 3, torch.arange(40))
    before = picture(height, width, batch=40)
    sources = matrices(recipe, draws, height, width)
    wanted = move(before, sources, parse(f"rotate 1, fill {fill}"))
    torch.testing.assert_close(move(before, sources, recipe), wanted, atol=1e-5, rtol=0)


def test_dihedral_shows_every_symmetry() -> None:
    """Over eight epochs a sample is shown in all eight turns and mirrorings, each once, unrounded."""
    before = picture(4, 4)
    seen = [changed(before, "dihedral", uniforms(9, epoch, torch.tensor([5]))) for epoch in range(8)]
    wanted = [torch.rot90(side, turns, (2, 3)) for side in (before, before.flip(3)) for turns in range(4)]
    for symmetry in wanted:
        assert sum(torch.equal(symmetry, one) for one in seen) == 1


def test_dihedral_keeps_the_shape_of_a_rectangle() -> None:
    """A picture that is not square is shown in the four symmetries that fill it."""
    before = picture(3, 5)
    seen = [changed(before, "dihedral", uniforms(9, epoch, torch.tensor([5]))) for epoch in range(4)]
    for symmetry in (before, before.flip(2), before.flip(3), before.flip(2, 3)):
        assert sum(torch.equal(symmetry, one) for one in seen) == 1


@pytest.mark.parametrize(("line", "axis"), [("hflip", 3), ("vflip", 2)])
def test_flips_alternate(line: str, axis: int) -> None:
    """A flip comes every other epoch, and half of the samples begin with it."""
    before, ids = picture(3, 4, batch=200), torch.arange(200)
    first, second, third = (changed(before, line, uniforms(2, epoch, ids)) for epoch in range(3))
    assert torch.equal(second, first.flip(axis))
    assert torch.equal(third, first)
    kept = (first == before).flatten(1).all(dim=1)
    assert 70 < int(kept.sum()) < 130
    assert torch.equal(first[~kept], before[~kept].flip(axis))


def test_a_straight_line_stays_under_rotation() -> None:
    """A mark three pixels right of the centre goes to three pixels above it at 90 degrees."""
    before = torch.zeros(1, 1, 9, 13)
    before[0, 0, 4, 9] = 1
    after = changed(before, "rotate 90", drawn(rotate=1))
    assert float(after[0, 0, 1, 6]) == pytest.approx(1, abs=1e-5)
    assert math.isclose(float(after.sum()), 1, abs_tol=1e-4)
