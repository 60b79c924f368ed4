"""Random changes along the one axis of a series, checked against their definition and against NumPy."""

import numpy as np
import pytest
import torch

from striate.augment.apply import augment
from striate.augment.chance import Draw, uniforms
from striate.augment.geometry import warp
from striate.augment.recipe import NOT_OF_SERIES, Recipe, parse
from striate.errors import StriateError

IDS = torch.arange(40)


def test_warping_is_reading_at_other_places() -> None:
    """Values are those of a linear interpolation at s + sum a_k sin(pi k s) / (pi k), as NumPy works it out."""
    series = torch.from_numpy(np.random.default_rng(0).normal(size=(40, 2, 1, 33)).astype(np.float32))
    draws = uniforms(3, 5, IDS)
    ours = warp(series, parse("warp 0.6"), draws)
    steps = np.linspace(0, 1, 33)
    for row in range(40):
        factors = [0.2 * (2 * float(draws[row, draw]) - 1) for draw in (Draw.WARP_1, Draw.WARP_2, Draw.WARP_3)]
        places = steps + sum(a * np.sin(np.pi * k * steps) / (np.pi * k) for k, a in enumerate(factors, 1))
        for channel in range(2):
            expected = np.interp(places, steps, series[row, channel, 0].numpy())
            np.testing.assert_allclose(ours[row, channel, 0], expected, atol=1e-5)


def test_time_never_runs_backwards() -> None:
    """At the greatest amount a rising line still rises, within its pace, and both ends stay where they are."""
    line = torch.linspace(0, 1, 200).expand(40, 1, 1, 200)
    warped = augment(line, parse("warp 0.9"), seed=1, epoch=2, sample_ids=IDS)
    pace = torch.diff(warped, dim=3) * 199
    assert float(pace.min()) >= 0.1 - 1e-3
    assert float(pace.max()) <= 1.9 + 1e-3
    assert float(pace.std()) > 0.05
    torch.testing.assert_close(warped[..., [0, -1]], line[..., [0, -1]])


def test_a_series_changes_alone_and_along_time_only() -> None:
    """What becomes of a series depends on its own number, not on the batch; all channels move together."""
    one = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 1, 1, 50)).astype(np.float32))
    both, recipe = one.repeat(1, 2, 1, 1), parse("shift 0.1, zoom 0.1, warp 0.3, contrast 0.2")
    whole = augment(both, recipe, seed=0, epoch=0, sample_ids=IDS)
    assert torch.equal(whole[:, 0], whole[:, 1])
    assert torch.equal(augment(both[7:9], recipe, seed=0, epoch=0, sample_ids=IDS[7:9]), whole[7:9])
    assert whole.shape == both.shape


@pytest.mark.parametrize("word", NOT_OF_SERIES)
def test_what_needs_two_axes_is_refused(word: str) -> None:
    """A series cannot be turned or put upside down; pictures and volumes have no time that could be warped."""
    recipe = parse(word if word in ("vflip", "dihedral") else f"{word} {1 if word == 'erase' else 10}")
    with pytest.raises(StriateError, match=f"{word} is a change of pictures"):
        recipe.require_axes(1)
    recipe.require_axes(2)
    recipe.require_axes(3)
    for axes in (2, 3):
        with pytest.raises(StriateError, match="warp is a change of series"):
            parse("warp 0.1").require_axes(axes)
    parse("series").require_axes(1)


def test_warping_stands_in_the_line() -> None:
    """The recipe reads back from its text, and moves things."""
    recipe = Recipe(warp=0.25, noise=0.1)
    assert parse(str(recipe)) == recipe
    assert recipe.moves
    assert not recipe.interpolates


@pytest.mark.parametrize("rest", [", zoom 0.1", ""])
def test_a_series_has_no_height_to_be_shifted_along(rest: str) -> None:
    """A shift of a half with a constant fill leaves ones in the middle of a series as they are, to the bit nearly."""
    moved = augment(torch.ones(40, 1, 1, 90), parse(f"shift 0.4{rest}, fill constant"), seed=0, epoch=0, sample_ids=IDS)
    torch.testing.assert_close(moved[..., 44:46], torch.ones(40, 1, 1, 2))
    assert (moved == 0).any()
