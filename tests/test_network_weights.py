"""Initial values: the variances of the papers, and whitening filters that whiten."""

import math

import numpy as np
import pytest
import torch
from drawn_training import Largest

from striate.network.blocks import Whiten2d
from striate.network.build import build
from striate.network.weights import whiten


def blurred(count: int, channels: int, side: int, seed: int = 0) -> torch.Tensor:
    """Random pictures whose neighbouring pixels and channels are alike, as in photographs, standardised."""
    random = np.random.default_rng(seed)
    pictures = random.normal(size=(count, channels, side, side))
    for _ in range(2):
        pictures = pictures + np.roll(pictures, 1, axis=2) + np.roll(pictures, 1, axis=3)
    pictures = pictures + 1.5 * pictures.mean(axis=1, keepdims=True)
    return torch.from_numpy((pictures - pictures.mean()) / pictures.std()).float()


def test_initial_variances_are_those_of_the_paper() -> None:
    """Glorot: uniform within sqrt(6 / (in + out)), counting the kernel's area on both sides; biases zero."""
    network = build("conv 64 5, relu, conv 64 3, relu, flatten, dense 50, relu, dense 40", (16, 8, 8), 2)
    layers = [m for m in network if hasattr(m, "weight")]
    sums = ((16 + 64) * 25, (64 + 64) * 9, 64 * 64 + 50, 50 + 40)
    for layer, both in zip(layers, sums, strict=True):
        bound = math.sqrt(6 / both)
        assert float(layer.weight.detach().abs().max()) <= bound
        assert float(layer.weight.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert all(not m.bias.any() for m in layers)


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(1, 2, 1), (3, 2, 1), (1, 4, 2), (3, 3, 2)])
def test_whitened_patches_are_uncorrelated_with_unit_variance(channels: int, kernel: int, stride: int) -> None:
    """NumPy's second moments of the outputs (first half of the filters) are the identity."""
    pictures = blurred(40, channels, 16)
    size = channels * kernel * kernel
    layer = Whiten2d(channels, 2 * size, (kernel, kernel), (stride, stride))
    whiten(layer, pictures, epsilon=1e-9)
    outputs = layer(pictures).detach().double().numpy()
    rows = outputs[:, :size].transpose(0, 2, 3, 1).reshape(-1, size)
    # Second moments about zero, as the filters are made from standardised pictures of mean zero.
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(size), atol=5e-3)
    np.testing.assert_allclose(outputs[:, size:], -outputs[:, :size], atol=1e-5)
    assert not layer.bias.any()


def test_filters_are_the_eigenvectors_of_the_patches() -> None:
    """By hand: NumPy's eigenvectors of the patch covariance over the roots of their eigenvalues, largest first."""
    pictures, layer = blurred(30, 1, 12), Whiten2d(1, 8, (2, 2), (1, 1))
    whiten(layer, pictures, epsilon=0.0)
    views = np.lib.stride_tricks.sliding_window_view(pictures.numpy()[:, 0], (2, 2), axis=(1, 2))
    patches = views.reshape(-1, 4).astype(np.float64)
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    expected = (vectors / np.sqrt(values)).T[::-1]
    ours = layer.weight.detach().numpy().reshape(8, 4)
    np.testing.assert_allclose(np.abs(ours[:4]), np.abs(expected), rtol=1e-4)
    np.testing.assert_array_equal(ours[4:], -ours[:4])
    largest = np.abs(ours[:4]).argmax(axis=1)
    assert (ours[np.arange(4), largest] > 0).all()


@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (1, 1)), ((3, 2), (2, 1))])
def test_of_many_patches_evenly_spaced_ones_are_taken(kernel: tuple[int, int], stride: tuple[int, int]) -> None:
    """As NumPy's windows of all patches, every so manieth of them; the rest is never laid out in memory."""
    pictures, channels = blurred(90, 2, 80), 2
    size = channels * kernel[0] * kernel[1]
    layer = Whiten2d(channels, size, kernel, stride)
    whiten(layer, pictures, epsilon=0.0)
    views = np.lib.stride_tricks.sliding_window_view(pictures.numpy(), kernel, axis=(2, 3))
    patches = views[:, :, :: stride[0], :: stride[1]].transpose(0, 2, 3, 1, 4, 5).reshape(-1, size).astype(np.float64)
    patches = patches[:: len(patches) // 200_000] if len(patches) > 400_000 else patches
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    expected = (vectors / np.sqrt(values)).T[::-1]
    ours = layer.weight.detach().numpy().reshape(size, size)[: size // 2]
    np.testing.assert_allclose(np.abs(ours), np.abs(expected[: size // 2]), rtol=1e-3)


def test_many_large_pictures_take_little_memory() -> None:
    """Two million patches of 27 numbers, 415 MB as float64, are thinned before they are laid out."""
    pictures, layer = torch.rand(500, 3, 64, 64), Whiten2d(3, 27, (3, 3), (1, 1))
    with Largest() as seen:
        whiten(layer, pictures)
    assert 20e6 < seen.most < 60e6


def test_fewer_and_more_filters_than_axes() -> None:
    """Fewer filters keep the strongest axes; more repeat them."""
    pictures = blurred(30, 1, 12)
    full, few, many = (Whiten2d(1, count, (2, 2), (1, 1)) for count in (8, 4, 20))
    for layer in (full, few, many):
        whiten(layer, pictures)
    assert torch.equal(few.weight[:2], full.weight[:2])
    assert torch.equal(few.weight[2:], -full.weight[:2])
    assert torch.equal(many.weight[:8], full.weight)
    assert torch.equal(many.weight[8:16], full.weight)


def test_noise_is_not_blown_up_and_constant_pictures_do_no_harm() -> None:
    """epsilon bounds the filters; pictures of one value give finite filters."""
    pictures = blurred(30, 1, 12)
    tight, loose = Whiten2d(1, 8, (2, 2), (1, 1)), Whiten2d(1, 8, (2, 2), (1, 1))
    whiten(tight, pictures, epsilon=1e-9)
    whiten(loose, pictures, epsilon=1.0)
    assert loose.weight.abs().max() < tight.weight.abs().max()
    whiten(tight, torch.zeros(4, 1, 6, 6))
    assert torch.isfinite(tight.weight).all()


def test_whitening_filters_are_not_trained() -> None:
    """Only the bias of a whitening layer takes part in training."""
    network = build("whiten 8 2, flatten, dense 2", (1, 4, 4), 2)
    assert [name for name, p in network.named_parameters() if not p.requires_grad] == ["whiten1.weight"]
