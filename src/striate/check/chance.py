"""How likely it is that an unrelated picture of the same set looks as alike as a given one.

What "too alike" means is measured on the set itself and for each picture (a contrario reasoning: Desolneux, Moisan
and Morel, International Journal of Computer Vision 40, 2000), because drawings of a digit are alike anyway and photos
are not. The distances from a picture to unrelated ones fall off like a power near zero, P(distance < e) ~ e^D, so that
for sorted distances e_1 <= e_2 <= ... the spacings k log(e_k+1 / e_k) are independent, exponential, of mean 1 / D
(Renyi 1953; Hill, Annals of Statistics 3, 1975; as a local dimension: Levina and Bickel, NIPS 2004). The relatives of a
picture are those before its one surprising spacing; D is measured behind it, so that many relatives do not hide each
other, and the density found there is carried on to smaller distances.
"""

from dataclasses import dataclass

import numpy as np

MOST_RELATIVES, BEHIND = 16, 15  # places searched for the gap; spacings behind it that tell D
COLUMNS = MOST_RELATIVES + BEHIND + 2  # distances needed of each picture


@dataclass(frozen=True, slots=True)
class Chance:
    """For every picture its first unrelated distance, the rank of that among all pictures of the set, and D."""

    edge: np.ndarray
    rank: np.ndarray
    power: np.ndarray
    count: int

    def of(self, rows: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """log10 of how many pairs like this (rows, distances) chance makes in a whole set."""
        nearer = self.power[rows] * np.log10(np.maximum(distances, 1e-6) / self.edge[rows])
        return np.log10(self.rank[rows]) + nearer + np.log10(self.count)


def measured(distances: np.ndarray, sampled: int, count: int, most_power: float) -> Chance:
    """From the least distances of each picture, sorted, to `sampled` of the `count` pictures of a set:
    (N, COLUMNS). A D above `most_power` is not believed: the fall-off close by is slower than further out."""
    logs = np.log(np.maximum(distances, 1e-6))
    spacings = np.diff(logs, axis=1) * np.arange(1, logs.shape[1])
    gap = spacings[:, :MOST_RELATIVES].argmax(axis=1)
    behind_it = gap[:, None] + 1 + np.arange(BEHIND)
    own = np.take_along_axis(spacings, behind_it, axis=1).mean(axis=1)
    power = np.minimum(most_power, 2 / np.maximum(own + own.mean(), 1e-6))  # steadied by that of the whole set
    edge = np.maximum(distances[np.arange(len(gap)), gap + 1], 1e-6)
    return Chance(edge=edge, rank=(gap + 2) * count / sampled, power=power, count=count)
