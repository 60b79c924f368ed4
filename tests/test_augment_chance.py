"""Randomness from seed, epoch, sample and draw number."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from striate.augment import chance
from striate.augment.chance import Draw, noise, uniforms

whole = st.integers(-(2**63), 2**63 - 1)


def test_bits_are_splitmix64() -> None:
    """The stream of key 1234567 is the one that the authors' C code prints."""
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    drawn = chance._bits(torch.tensor([1234567]), 0, 4)[0]
    assert [value % 2**64 for value in drawn.tolist()] == wanted


def test_draws_are_uniform_and_independent() -> None:
    """Over samples every named draw is uniform, and no two draws, epochs or seeds go together."""
    ids = torch.arange(20_000)
    drawn = uniforms(0, 0, ids)
    assert drawn.dtype == torch.float64
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) < 1
    for draw in Draw:
        if draw is not Draw.SYMMETRY:
            assert stats.kstest(drawn[:, draw].numpy(), "uniform").pvalue > 1e-4
    others = [uniforms(1, 0, ids)[:, 1:], uniforms(0, 1, ids)[:, 1:], uniforms(0, 0, ids + 1)[:, 1:]]
    together = torch.corrcoef(torch.cat([drawn[:, 1:], *others], dim=1).T)
    assert float((together - torch.eye(len(together))).abs().max()) < 0.035  # five standard errors


def test_symmetries_are_stepped_through() -> None:
    """A sample starts anywhere, alike often, and sees each of the eight steps once in eight epochs."""
    ids = torch.arange(8_000)
    steps = torch.stack([uniforms(3, epoch, ids)[:, Draw.SYMMETRY] * 8 for epoch in range(8)])
    assert torch.equal(steps.diff(dim=0).remainder(8), torch.ones(7, len(ids), dtype=torch.float64))
    starts = torch.bincount(steps[0].long(), minlength=8)
    assert stats.chisquare(starts.numpy()).pvalue > 1e-4


@settings(deadline=None)
@given(seed=whole, epoch=st.integers(0, 10**9), ids=st.lists(whole, min_size=1, max_size=40))
def test_a_sample_stands_alone(seed: int, epoch: int, ids: list[int]) -> None:
    """Any seed and any sample numbers work, and the others in the batch do not matter."""
    together = uniforms(seed, epoch, torch.tensor(ids))
    alone = torch.cat([uniforms(seed, epoch, torch.tensor([one])) for one in ids])
    assert torch.equal(together, alone)
    assert torch.equal(
        noise(seed, epoch, torch.tensor(ids), 5),
        torch.cat([noise(seed, epoch, torch.tensor([one]), 5) for one in ids]),
    )


def test_seeds_of_any_size_are_taken() -> None:
    """A seed beyond 64 bits is an ordinary seed."""
    assert uniforms(2**70 + 1, 0, torch.arange(2)).shape == (2, len(Draw))


def test_noise_is_nearly_normal() -> None:
    """Mean 0, standard deviation 1, and the normal distribution's quantiles to a hundredth."""
    drawn = noise(0, 0, torch.arange(50), 8_000)
    assert drawn.dtype == torch.float32
    values = drawn.flatten().to(torch.float64)
    assert float(values.mean()) == pytest.approx(0, abs=0.008)
    assert float(values.std()) == pytest.approx(1, abs=0.005)
    assert float(values.abs().max()) < 4.9
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert float(torch.quantile(values, share)) == pytest.approx(stats.norm.ppf(share), abs=0.02)
    assert float(torch.corrcoef(drawn).fill_diagonal_(0).abs().max()) < 0.06


def test_noise_of_large_pictures_is_the_same() -> None:
    """Working in blocks that fit the cache changes nothing."""
    count = chance.CACHED + 3
    both = noise(5, 2, torch.tensor([7, 8]), count)
    assert torch.equal(both[1:], noise(5, 2, torch.tensor([8]), count))
    assert torch.equal(both[:, :9], noise(5, 2, torch.tensor([7, 8]), 9))
