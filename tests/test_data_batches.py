"""Batches: every sample once before any comes again, an order that follows from seed and epoch, and the scaling."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.batches import PREDICT_BATCH, Batches, scale, standardise
from striate.data.prepare import Preparation, Shape

CPU = torch.device("cpu")


def preparation(channels: int = 1, depth: str = "uint8", **figures: tuple[float, ...]) -> Preparation:
    given = {"low": (0.0,) * channels, "high": (255.0,) * channels, "mean": (0.0,) * channels, "std": (1.0,) * channels}
    return Preparation(shape=Shape(height=2, width=3, channels=channels, depth=depth), **{**given, **figures})


def batches(count: int, balance: np.ndarray | None = None) -> Batches:
    """Every second row of a store belongs to this part; row r holds r, scaled to r / 128; its target is r."""
    pictures = np.arange(2 * count, dtype=np.uint16).repeat(6).reshape(-1, 2, 3, 1)
    rows = np.arange(1, 2 * count, 2)
    return Batches(pictures, rows, torch.from_numpy(rows), preparation(depth="uint16", high=(128.0,)), CPU, balance)


@settings(deadline=None, max_examples=60)
@given(count=st.integers(1, 60), size=st.integers(1, 70), seed=st.integers(0, 2**62), epochs=st.integers(1, 12))
def test_all_samples_have_their_turn(count: int, size: int, seed: int, epochs: int) -> None:
    """Whole batches of this part, pictures and targets of the very rows; one epoch after the other they hold every
    sample once, then every sample again: what one leaves over begins the next."""
    part, seen = batches(count), []
    for epoch in range(epochs):
        for batch in part.epoch(size, seed=seed, epoch=epoch):
            assert len(batch.rows) == min(size, count)
            assert batch.pictures.shape == (len(batch.rows), 1, 2, 3)
            assert (128 * batch.pictures[:, 0, 0, 0]).tolist() == batch.rows.tolist() == batch.targets.tolist()
            seen += batch.rows.tolist()
    assert len(seen) == epochs * part.steps(size) * min(size, count)
    for first in range(0, len(seen), count):
        once = seen[first : first + count]
        assert len(set(once)) == len(once)
        assert set(once) <= set(part.rows.tolist())


def order(part: Batches, seed: int, epoch: int) -> list[int]:
    return [row for batch in part.epoch(4, seed=seed, epoch=epoch) for row in batch.rows.tolist()]


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    """Equal for equal seed and epoch, whatever NumPy's or torch's global state; different otherwise."""
    part = batches(40)
    first = order(part, 5, 2)
    np.random.seed(1)
    torch.manual_seed(1)
    assert order(part, 5, 2) == first
    others = [order(part, 5, 3), order(part, 6, 2), order(part, 2, 5), order(part, 5, 2 + 2**33)]
    assert all(other != first for other in others)
    assert len({tuple(other) for other in others}) == 4


def test_the_order_has_no_favourites() -> None:
    """Over 2,000 epochs each of 8 samples comes first about 250 times (5 standard deviations)."""
    part = batches(8)
    firsts = [order(part, 0, epoch)[0] for epoch in range(2000)]
    counts = np.unique(firsts, return_counts=True)[1]
    assert len(counts) == 8
    assert np.abs(counts - 250).max() < 5 * np.sqrt(2000 * (1 / 8) * (7 / 8))


def test_a_picture_drawn_again_has_a_name_of_its_own() -> None:
    """Evenly drawn, 3 of 60 pictures come again and again in an epoch, each time with another id; without drawing ids
    are the rows."""
    part = batches(60, np.array([0] * 57 + [1] * 3))
    drawn = list(part.epoch(20, seed=0, epoch=4))
    rows, ids = (np.concatenate([getattr(batch, name) for batch in drawn]) for name in ("rows", "ids"))
    assert (rows > 2 * 57).sum() > 20
    assert len(set(ids.tolist())) == 60
    assert np.array_equal(ids % len(part.pictures), rows)
    assert all(np.array_equal(batch.ids, batch.rows) for batch in batches(60).epoch(20, seed=0, epoch=4))


def test_balanced_sampling_draws_classes_evenly() -> None:
    """90 samples of one class and 10 of another are each drawn half of the time."""
    balance = np.array([0] * 90 + [1] * 10)
    part = batches(100, balance)
    rare = [row >= 181 for epoch in range(60) for batch in part.epoch(10, seed=0, epoch=epoch) for row in batch.rows]
    assert len(rare) == 6000
    assert np.mean(rare) == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(6000))


def test_epochs_do_not_share_their_draws() -> None:
    """The draws of one epoch are not those of the epoch before moved along: no shift matches beyond chance.

    Of 100 samples drawn with replacement, two independent epochs agree at a place 1 time in 100.
    """
    part = batches(100, np.arange(100))
    first, second = np.array(order(part, 0, 0)), np.array(order(part, 0, 1))
    matches = [np.count_nonzero(first[shift:] == second[: len(second) - shift]) for shift in range(50)]
    assert max(matches) < 12


def test_in_order_gives_every_sample_once() -> None:
    """All rows in their order, the last batch as large as what is left."""
    part = batches(PREDICT_BATCH + 9)
    sizes, seen = [], []
    for batch in part.in_order():
        sizes.append(len(batch.rows))
        seen += batch.rows.tolist()
    assert sizes == [PREDICT_BATCH, 9]
    assert seen == part.rows.tolist()


def test_scaling_by_hand() -> None:
    """low becomes 0 and high 1, channel by channel; values beyond are kept up to -1 and 2; memory is channels-last."""
    stored = np.array([100, 10, 300, 20, 500, 60, 50, 0], np.uint16).reshape(2, 2, 1, 2)
    scaled = scale(stored, preparation(2, "uint16", low=(100.0, 0.0), high=(500.0, 20.0)), CPU)
    assert scaled.shape == (2, 2, 2, 1)
    assert scaled.dtype == torch.float32
    assert scaled[:, 0].flatten().tolist() == [0.0, 0.5, 1.0, -0.125]
    assert scaled[:, 1].flatten().tolist() == [0.5, 1.0, 2.0, 0.0]


def test_standardising_by_hand() -> None:
    """Minus the mean, divided by the standard deviation, channel by channel."""
    facts = preparation(2, mean=(0.5, 0.25), std=(0.5, 2.0))
    out = standardise(torch.tensor([1.0, 0.25]).reshape(1, 2, 1, 1), facts)
    assert out.flatten().tolist() == [1.0, 0.0]


@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_every_depth_is_scaled_from_a_read_only_store(depth: str) -> None:
    """The memory-mapped store is read-only, and stays as it is."""
    stored = np.ones((2, 2, 3, 1), depth)
    stored.flags.writeable = False
    part = Batches(stored, np.arange(2), torch.arange(2), preparation(depth=depth), CPU)
    batch = next(part.epoch(2, seed=0, epoch=0))
    assert torch.allclose(batch.pictures, torch.full((2, 1, 2, 3), 1 / 255))
