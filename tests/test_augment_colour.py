"""Brightness, contrast and noise."""

import pytest
import torch

from striate.augment.chance import Draw, uniforms
from striate.augment.colour import add_noise, erase, recolour
from striate.augment.recipe import parse


def drawn(brightness: float = 0.5, contrast: float = 0.5) -> torch.Tensor:
    row = torch.full((1, len(Draw)), 0.5, dtype=torch.float64)
    row[0, Draw.BRIGHTNESS], row[0, Draw.CONTRAST] = brightness, contrast
    return row


def test_brightness_is_added() -> None:
    """The upper extreme of brightness 0.2 adds 0.2 to every pixel, the lower takes it away."""
    before = torch.tensor([0.1, 0.5, 0.9]).view(1, 1, 1, 3)
    brighter = recolour(before, parse("brightness 0.2"), drawn(brightness=1))
    assert brighter.flatten().tolist() == pytest.approx([0.3, 0.7, 1.1])
    darker = recolour(before, parse("brightness 0.2"), drawn(brightness=0))
    assert darker.flatten().tolist() == pytest.approx([-0.1, 0.3, 0.7])


def test_contrast_stretches_about_the_mean() -> None:
    """With mean 0.5, contrast x 1.5 sends 0.25, 0.75 to 0.125, 0.875, and x 0.5 to 0.375, 0.625."""
    before = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1)
    more = recolour(before, parse("contrast 0.5"), drawn(contrast=1))
    assert more.flatten().tolist() == pytest.approx([0.125, 0.875])
    less = recolour(before, parse("contrast 0.5"), drawn(contrast=0))
    assert less.flatten().tolist() == pytest.approx([0.375, 0.625])


def test_both_together() -> None:
    """Contrast keeps the mean and brightness moves it, each sample by its own draws."""
    generator = torch.Generator().manual_seed(0)
    before, draws = torch.rand(6, 3, 20, 30, generator=generator), uniforms(0, 0, torch.arange(6))
    after = recolour(before, parse("brightness 0.3, contrast 0.4"), draws)
    added = after.mean(dim=(1, 2, 3)) - before.mean(dim=(1, 2, 3))
    torch.testing.assert_close(added, (0.6 * draws[:, Draw.BRIGHTNESS] - 0.3).float(), atol=1e-4, rtol=0)
    stretched = after.std(dim=(1, 2, 3)) / before.std(dim=(1, 2, 3))
    torch.testing.assert_close(stretched, (0.6 + 0.8 * draws[:, Draw.CONTRAST]).float(), atol=1e-5, rtol=0)


def test_noise_has_the_asked_strength() -> None:
    """noise 0.1 adds values of standard deviation 0.1, others in every pixel, sample and epoch."""
    before, ids, recipe = torch.full((4, 3, 40, 40), 0.5), torch.arange(4), parse("noise 0.1")
    first = add_noise(before, recipe, seed=0, epoch=0, sample_ids=ids)
    second = add_noise(before, recipe, seed=0, epoch=1, sample_ids=ids)
    assert float((first - before).std()) == pytest.approx(0.1, rel=0.03)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[:, 0], first[:, 1])
    assert torch.equal(before, torch.full((4, 3, 40, 40), 0.5))


def test_nothing_asked_is_nothing_done() -> None:
    """A recipe without colours gives the same tensor back."""
    before = torch.rand(2, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    assert recolour(before, parse("hflip"), drawn()) is before
    assert add_noise(before, parse("hflip"), seed=0, epoch=0, sample_ids=torch.arange(2)) is before


@pytest.mark.parametrize(
    ("across", "down", "rows", "columns"),
    [(0.5, 0.5, (1, 3), (3, 5)), (0.0, 0.99, (2, 4), (0, 1)), (0.99, 0.0, (0, 1), (6, 8))],
)
def test_a_square_is_covered_with_the_mean(across: float, down: float, rows: tuple, columns: tuple) -> None:
    """Half of the shorter side of 4×8 pixels is a square of 2; at the edges less is seen; nothing else changes."""
    picture = torch.rand(1, 3, 4, 8, generator=torch.Generator().manual_seed(1)).mul(4096).round() / 4096
    row = torch.full((1, len(Draw)), 0.5, dtype=torch.float64)
    row[0, Draw.ERASE_X], row[0, Draw.ERASE_Y] = across, down
    expected = picture.clone()
    expected[:, :, slice(*rows), slice(*columns)] = float(picture.double().mean())
    torch.testing.assert_close(erase(picture, parse("erase 0.5"), row), expected)
    assert erase(picture, parse("shift 0.1"), row) is picture
