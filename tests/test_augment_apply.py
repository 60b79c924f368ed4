"""A recipe applied to a batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.augment.apply import augment
from striate.augment.recipe import RECIPES, parse
from striate.errors import StriateError

LINES = [
    *RECIPES.values(),
    "rotate 180, shear 20, zoom 0.5, fill constant 0.3",
    "dihedral, shift 0.3, contrast 0.5, erase 0.4, noise 0.1, fill constant 0.3",
]


def batch(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(count))


@settings(deadline=None, max_examples=60)
@given(
    line=st.sampled_from(LINES),
    sides=st.tuples(st.integers(1, 3), st.integers(1, 19), st.integers(1, 19)),
    order=st.permutations(range(9)),
    cut=st.integers(0, 9),
    epoch=st.integers(0, 100),
)
def test_a_samples_change_does_not_depend_on_its_batch(
    line: str, sides: tuple[int, int, int], order: list[int], cut: int, epoch: int
) -> None:
    """Shuffled and cut in two, a batch comes out bit for bit as shuffled and cut afterwards."""
    pictures, ids, recipe = batch(9, *sides), torch.arange(9) * 1000 - 3, parse(line)
    whole = augment(pictures, recipe, seed=4, epoch=epoch, sample_ids=ids)[order]
    parts = [
        augment(pictures[part], recipe, seed=4, epoch=epoch, sample_ids=ids[part])
        for part in (order[:cut], order[cut:])
    ]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("line", LINES)
def test_a_large_picture_alone_is_as_in_company(line: str) -> None:
    """The same holds where torch shares work among threads and vectors."""
    pictures, ids, recipe = batch(3, 3, 203, 190), torch.arange(3), parse(line)
    whole = augment(pictures, recipe, seed=0, epoch=1, sample_ids=ids)
    alone = augment(pictures[1:2], recipe, seed=0, epoch=1, sample_ids=ids[1:2])
    assert torch.equal(alone[0], whole[1])


@pytest.mark.parametrize("line", LINES[1:])
def test_changes_are_new_each_epoch_and_seed(line: str) -> None:
    """Same seed and epoch repeat; another epoch or seed changes something; the input stays as it was."""
    pictures, ids, recipe = batch(8, 1, 16, 12), torch.arange(8), parse(line)
    kept, state = pictures.clone(), torch.get_rng_state()
    first = augment(pictures, recipe, seed=0, epoch=0, sample_ids=ids)
    assert first.shape == pictures.shape
    assert first.dtype == torch.float32
    assert torch.equal(first, augment(pictures, recipe, seed=0, epoch=0, sample_ids=ids))
    assert not torch.equal(first, augment(pictures, recipe, seed=0, epoch=1, sample_ids=ids))
    assert not torch.equal(first, augment(pictures, recipe, seed=1, epoch=0, sample_ids=ids))
    assert torch.equal(pictures, kept)
    assert torch.equal(torch.get_rng_state(), state)


def test_channels_last_is_the_same() -> None:
    """The order of a picture's values in memory does not matter."""
    pictures, ids = batch(4, 3, 10, 14), torch.arange(4)
    other = pictures.contiguous(memory_format=torch.channels_last)
    for line in LINES:
        recipe = parse(line)
        first = augment(pictures, recipe, seed=0, epoch=0, sample_ids=ids)
        torch.testing.assert_close(augment(other, recipe, seed=0, epoch=0, sample_ids=ids), first)


def test_a_change_in_one_item_leaves_the_others() -> None:
    """Adding brightness to a recipe adds brightness and leaves every rotation as it was."""
    pictures, ids = batch(4, 1, 12, 12), torch.arange(4)
    turned = augment(pictures, parse("rotate 30"), seed=0, epoch=0, sample_ids=ids)
    both = augment(pictures, parse("rotate 30, brightness 0.3"), seed=0, epoch=0, sample_ids=ids)
    added = (both - turned).flatten(1)
    torch.testing.assert_close(added, added[:, :1].expand_as(added))
    assert float(added.abs().max()) > 0.01


def test_an_empty_batch_stays_empty() -> None:
    """No picture in, no picture out."""
    for line in LINES:
        out = augment(torch.empty(0, 1, 4, 4), parse(line), seed=0, epoch=0, sample_ids=torch.arange(0))
        assert out.shape == (0, 1, 4, 4)


def test_a_wrong_batch_is_refused() -> None:
    """The message says what a batch is and what came."""
    with pytest.raises(StriateError, match=r"one sample id each.*torch.float32 \(2, 1, 4, 4\), ids \(3,\)"):
        augment(torch.zeros(2, 1, 4, 4), parse("hela"), seed=0, epoch=0, sample_ids=torch.arange(3))


@pytest.mark.gpu
@pytest.mark.parametrize("line", LINES)
def test_a_gpu_gives_the_same(line: str) -> None:
    """On a CUDA device the changes are those of the processor, to rounding."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    pictures, ids, recipe = batch(16, 3, 32, 32), torch.arange(16), parse(line)
    wanted = augment(pictures, recipe, seed=0, epoch=0, sample_ids=ids)
    there = augment(pictures.cuda(), recipe, seed=0, epoch=0, sample_ids=ids.cuda())
    torch.testing.assert_close(there.cpu(), wanted, atol=1e-4, rtol=0)
