"""What is a picture's own: the same in every position, and nothing of what the whole set shares."""

import numpy as np
from scipy.fft import dctn

from striate.check import register
from striate.check.search import _as_they_are
from striate.check.signature import views
from striate.check.waves import WAVES, Own, turned


def test_turned_waves_are_those_of_the_turned_picture() -> None:
    """In all eight positions, in the order of `views`, by SciPy's cosine transform."""
    picture = np.random.default_rng(0).normal(size=(32, 32)).astype(np.float32)
    waves = dctn(picture, norm="ortho")
    for made, view in zip(turned(waves), views(picture), strict=True):
        np.testing.assert_allclose(made, dctn(view, norm="ortho"), atol=1e-4)


def test_features_are_unit_vectors_alike_for_a_picture_turned_or_mirrored() -> None:
    """A view of a picture has the features of the picture in that view, grey or in colour."""
    random = np.random.default_rng(1)
    thumbs, tints = random.integers(0, 256, (20, 32, 32)), random.integers(0, 256, (20, 8, 8, 3))
    for number in range(8):
        thumbs[number + 1] = list(views(thumbs[0]))[number]
        tints[number + 1] = np.stack([list(views(tints[0, :, :, colour]))[number] for colour in range(3)], axis=2)
    own = Own(thumbs.astype(np.uint8), tints.astype(np.uint8))
    seen = np.stack(list(own.features(slice(0, 20))), axis=1)
    assert seen.shape == (20, 8, WAVES**2 + 32)
    np.testing.assert_allclose(np.linalg.norm(seen, axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(own.likeness(seen[:1, :], seen[1:9, :1].swapaxes(0, 1))[0].diagonal(), 1, atol=1e-4)


def test_what_a_set_shares_makes_no_likeness() -> None:
    """Frames of one ground that differ in grain alone have nothing in common; taken as they are, nearly everything."""
    random = np.random.default_rng(2)
    ground = np.kron(random.uniform(60, 190, (8, 8)), np.ones((4, 4)))
    thumbs = np.clip(ground + random.normal(0, 8, (50, 32, 32)), 0, 255).astype(np.uint8)
    own = Own(thumbs, np.full((50, 8, 8, 3), 128, np.uint8))
    seen = next(own.features(slice(0, 50)))
    apart = ~np.eye(50, dtype=bool)
    assert np.corrcoef(thumbs.reshape(50, -1))[apart].min() > 0.9
    assert np.abs(seen @ seen.T)[apart].max() < 0.3


def test_copies_are_linked_among_frames_that_differ_in_grain_alone() -> None:
    """Of 100 frames of one ground ten are there again, mirrored or turned and with a weaker grain on top: they are
    linked by what is their own, and nothing else is."""
    random = np.random.default_rng(3)
    ground = np.kron(random.uniform(60, 190, (8, 8)), np.ones((4, 4)))
    frames = np.clip(ground + random.normal(0, 8, (100, 32, 32)), 0, 255)
    again = [list(views(frames[9 * row]))[row % 8] + random.normal(0, 3, (32, 32)) for row in range(10)]
    thumbs = np.clip(np.concatenate([frames, again]), 0, 255).astype(np.uint8)
    tints = np.full((110, 8, 8, 3), 128, np.uint8)
    near = np.stack([np.arange(110), np.arange(110)], axis=1)
    linked = {tuple(pair) for pair in _as_they_are(Own(thumbs, tints), near).pairs.tolist()}
    assert linked == {(9 * row, 100 + row) for row in range(10)}


def test_nothing_to_lay_over_each_other_is_no_error() -> None:
    """Where none of a block of pairs is promising at half the size, no pair is refined."""
    none, poses = np.zeros((0, 32, 32), np.float32), np.zeros((0, 2, 3), np.float32)
    made = register.align(none, none, poses, 4)
    assert made.shape == (0, 2, 3)
    assert register.agreement(none, none, made).shape == (0,)
