"""Temperatures: of few pictures near 1, of many the one that the logits were made with."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import log_softmax

from striate.train.calibrate import temperature_of


def drawn(seed: int, n: int, wrong_by: float = 1.0) -> Callable[[float], float]:
    """The loss, by the logarithm of a temperature, of n answers that are calibrated once divided by `wrong_by`."""
    random = np.random.default_rng(seed)
    logits = 6 * random.normal(size=(n, 5))
    chances = np.exp(log_softmax(logits, axis=1))
    truth = (np.cumsum(chances, axis=1) > random.random((n, 1))).argmax(axis=1)

    def loss(log_temperature: float) -> float:
        told = log_softmax(logits * wrong_by / np.exp(log_temperature), axis=1)
        return -float(np.mean(told[np.arange(n), truth]))

    return loss


def test_few_pictures_do_no_harm() -> None:
    """Of answers that are calibrated, temperatures of 20 pictures cost less than a tenth of the log loss of 5,000
    others, where those with the lowest loss on the 20 cost more."""
    fresh, spent, lowest = drawn(1000, 5000), [], []
    for seed in range(20):
        loss = drawn(seed, 20)
        spent.append(fresh(np.log(temperature_of(loss, 20))))
        lowest.append(fresh(np.log(temperature_of(loss, 1e9))))
    assert np.mean(spent) < 1.1 * fresh(0.0) < np.mean(lowest)


@pytest.mark.parametrize("wrong_by", [0.5, 1.0, 2.0])
def test_many_pictures_find_the_temperature(wrong_by: float) -> None:
    """Logits that were made too large or too small by a factor get it back, to 6 % from 3,000 pictures."""
    assert temperature_of(drawn(1, 3000, wrong_by), 3000) == pytest.approx(wrong_by, rel=0.06)


@pytest.mark.parametrize(("slope", "end"), [(1.0, 0.2), (-1.0, 5.0)])
def test_no_temperature_lies_beyond_the_ends(slope: float, end: float) -> None:
    """A loss that falls without end stops at the end that is documented."""
    assert temperature_of(lambda log_temperature: slope * log_temperature, 1e9) == pytest.approx(end)
