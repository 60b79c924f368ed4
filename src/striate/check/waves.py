"""What is a picture's own: its waves, strong or weak, once what it shares with the whole set is taken away.

Pictures of one fixed camera are alike before anything is copied, and stripes are like other stripes. So the mean
picture of the set is taken out, as it is and in all positions of a square, and each wave of the cosine transform is
held against those of about its length and direction in the same picture: weak detail and the grain of the sensor then
count as much as what strikes the eye. Unrelated pictures agree in these no more than chance lets them (whitening a
spectrum: Kuglin and Hines, Proceedings of the IEEE Conference on Cybernetics and Society, 1975). Turning and
mirroring only swaps waves and changes their signs.
"""

from collections.abc import Iterator

import numpy as np

from striate.check.signature import blur, colours, unit

WAVES = 24  # along each side, without the finest of 32: saving anew leaves little of these
_ABOUT = 1.4  # waves beside one that it is held against (standard deviation)
_WEAK = 30.0  # strength, in grey levels of the stretched picture: weaker waves fade, since rounding makes such, too
_RARER, _STRICTER = 2.0, 60.0  # powers of ten for any pair, and more for a likeness of 0 instead of 1
_OF_COLOURS = 0.03  # how much colours count beside the waves


class Own:
    """Features of pictures from their facts' thumbs (N, S, S) and tints (N, T, T, 3)."""

    most_power = 16.0

    def __init__(self, thumbs: np.ndarray, tints: np.ndarray) -> None:
        self.thumbs, self.tints, self.basis = thumbs, tints, _basis(thumbs.shape[1])
        shared = np.stack(list(turned(self.basis @ thumbs.mean(axis=0, dtype=np.float64) @ self.basis.T)))
        shared[:, 0, 0] = 0
        strengths, axes = np.linalg.svd(shared.reshape(8, -1), full_matrices=False)[1:]
        self.shared = axes[strengths > 1e-3 * strengths[0] + 1e-6].astype(np.float32)

    def features(self, block: slice) -> Iterator[np.ndarray]:
        """Unit vectors (K, F) of each of the eight views."""
        waves = self.basis @ self.thumbs[block].astype(np.float32) @ self.basis.T
        waves[:, 0, 0] = 0
        flat = waves.reshape(len(waves), -1)
        waves = (flat - flat @ self.shared.T @ self.shared).reshape(waves.shape)
        about = blur(WAVES, _ABOUT)
        waves /= np.sqrt(about @ (waves * waves) @ about.T + np.float32(_WEAK**2))
        waves = unit(waves.reshape(len(waves), -1)).reshape(waves.shape)
        for values, tint in zip(turned(waves), colours(self.tints[block]), strict=True):
            both = values.reshape(len(values), -1), _OF_COLOURS * tint
            yield unit(np.concatenate(both, axis=1))

    def likeness(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(..., K, M) of features (..., K, F) and (..., M, F): 1 for the same, 0 for what has nothing in common."""
        held = first @ np.swapaxes(second, -1, -2)
        return np.clip(held, 0, 1, out=held)

    def limit(self, alike: np.ndarray) -> np.ndarray:
        """How much rarer than a whole set allows a pair must be, in powers of ten, that is so much `alike`."""
        return -_RARER - _STRICTER * (1 - alike)


def turned(waves: np.ndarray) -> Iterator[np.ndarray]:
    """Waves (..., W, W) of a picture in the eight positions that `signature.views` puts it in, in the same order."""
    odd = (-1.0) ** np.arange(waves.shape[-1], dtype=np.float32)
    for side in (waves, waves * odd):
        for _ in range(4):
            yield side
            side = np.swapaxes(side, -1, -2) * odd[:, None]


def _basis(side: int) -> np.ndarray:
    """(WAVES, side): the first waves of the orthonormal cosine transform."""
    angles = np.pi / side * np.arange(WAVES)[:, None] * (np.arange(side) + 0.5)
    waves = np.cos(angles) * np.sqrt(2 / side)
    waves[0] = np.sqrt(1 / side)
    return waves.astype(np.float32)
