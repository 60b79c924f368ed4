"""The mistakes that teach most: those of which the network was surest."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong prediction: the row of the sample, true and predicted class number, confidence 0 to 1."""

    index: int
    truth: int
    predicted: int
    confidence: float


def confident_mistakes(truth: np.ndarray, probabilities: np.ndarray, count: int = 24) -> list[Mistake]:
    """Up to `count` wrong predictions, the surest first; equal confidences in the order of the samples.

    truth: (N,) class numbers; probabilities: (N, K).
    """
    if not len(truth):
        return []
    predicted = np.argmax(probabilities, axis=1)
    confidence = np.max(probabilities, axis=1)
    wrong = np.flatnonzero(predicted != truth)
    order = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    return [Mistake(int(i), int(truth[i]), int(predicted[i]), float(confidence[i])) for i in order]
