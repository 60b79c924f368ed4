"""One class per picture: encoding, loss and decoding against torch, NumPy and hand-worked numbers."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from striate.errors import StriateError
from striate.network.build import build, logits_of
from striate.tasks.classification import Classification
from striate.tasks.task import make_task

THREE, TWO = Classification(("a", "b", "c")), Classification(("healthy", "ill"))


def randoms(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_targets_become_class_numbers() -> None:
    """The order of the classes is the order of the outputs."""
    assert THREE.encode(["c", "a", "b", "c"]).tolist() == [2, 0, 1, 2]
    assert THREE.encode([]).dtype == torch.int64


def test_probabilities_by_hand() -> None:
    """softmax of (0, ln 2, ln 5) is 1/8, 2/8, 5/8; sigmoid of ln 3 is 3/4 for the second class."""
    rows = THREE.decode(torch.tensor([[0.0, math.log(2), math.log(5)]]))
    np.testing.assert_allclose(rows, [[1 / 8, 2 / 8, 5 / 8]], atol=1e-7)
    np.testing.assert_allclose(TWO.decode(torch.tensor([[math.log(3)]])), [[1 / 4, 3 / 4]], atol=1e-7)
    assert rows.dtype == np.float64


def test_huge_logits_stay_probabilities() -> None:
    """Logits of a thousand give 0 and 1, not NaN."""
    for task, logits in ((THREE, torch.tensor([[1e3, -1e3, 0.0]])), (TWO, torch.tensor([[-1e3]]))):
        rows = task.decode(logits)
        assert np.isfinite(rows).all()
        assert rows.max() == 1
        assert rows.sum() == pytest.approx(1)


def test_cross_entropy_by_hand() -> None:
    """-ln of the true class's probability, weighted as torch does: by the weights' sum."""
    logits, truth = randoms(5, 3), torch.tensor([0, 2, 1, 1, 2])
    each = -np.log(THREE.decode(logits)[np.arange(5), truth.numpy()])
    assert float(THREE.loss(logits, truth, None, 0.0)) == pytest.approx(each.mean(), rel=1e-5)
    weights = np.array([0.5, 1.0, 3.0])
    factors = weights[truth.numpy()]
    weighted = float(THREE.loss(logits, truth, torch.from_numpy(weights).float(), 0.0))
    assert weighted == pytest.approx((each * factors).sum() / factors.sum(), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weights", [None, (0.5, 2.0)])
def test_one_output_and_two_outputs_agree(smoothing: float, weights: tuple[float, float] | None) -> None:
    """A sigmoid output z is the same classifier as two outputs (0, z): same loss, gradient and probabilities."""
    truth, factors = torch.tensor([0, 1, 1, 0]), None if weights is None else torch.tensor(weights)
    one = randoms(4, 1).requires_grad_()
    both = torch.cat([torch.zeros(4, 1), one], dim=1)
    if weights is None or smoothing == 0:  # torch smooths with the other class's weight when there are weights
        loss_one = TWO.loss(one, truth, factors, smoothing)
        loss_both = TWO.loss(both, truth, factors, smoothing)
        assert float(loss_one.detach()) == pytest.approx(float(loss_both.detach()), rel=1e-5)
        slopes = [torch.autograd.grad(loss, one, retain_graph=True)[0] for loss in (loss_one, loss_both)]
        assert torch.allclose(*slopes, atol=1e-6)
    np.testing.assert_allclose(TWO.decode(one), TWO.decode(both), atol=1e-7)


def test_binary_cross_entropy_equals_torchs() -> None:
    """The one-output loss without weights is torch's, with the targets drawn to the middle by smoothing."""
    logits, truth = randoms(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    expected = functional.binary_cross_entropy_with_logits(logits[:, 0], truth.float() * 0.8 + 0.1)
    assert float(TWO.loss(logits, truth, None, 0.2)) == pytest.approx(float(expected), rel=1e-6)


def test_the_score_for_a_heatmap() -> None:
    """The logit of the asked class; for one output its negative speaks for the first class."""
    logits = randoms(4, 3)
    assert torch.equal(THREE.score(logits, 1), logits[:, 1])
    assert torch.equal(TWO.score(logits[:, :1], 1), logits[:, 0])
    assert torch.equal(TWO.score(logits[:, :1], 0), -logits[:, 0])


@pytest.mark.parametrize(
    "line", ["flatten, dense classes", "flatten, dense 3", "flatten, dense 64, dense classes, softmax"]
)
def test_heads_that_fit(line: str) -> None:
    """The word classes, or exactly their number, makes a head for three classes."""
    THREE.require_output(build(line, (1, 4, 4), THREE.outputs).output_shape)


def test_one_output_is_a_head_for_two_classes() -> None:
    """dense 1 is fine for two classes, and for two only."""
    one = build("flatten, dense 1, sigmoid", (1, 4, 4), TWO.outputs).output_shape
    TWO.require_output(one)
    with pytest.raises(StriateError, match="received: 1 output for 3 classes"):
        THREE.require_output(one)


@pytest.mark.parametrize("line", ["flatten, dense 10", "flatten, dense classes, relu, dense 4", "flatten, 2*(dense 7)"])
def test_heads_that_do_not_fit(line: str) -> None:
    """Another number of outputs is refused before any training, with the way to write it."""
    with pytest.raises(StriateError, match="what to do: end it with `dense classes`"):
        THREE.require_output(build(line, (1, 4, 4), THREE.outputs).output_shape)


def test_a_line_without_dense_has_the_filters_it_has() -> None:
    """A fully convolutional head of as many filters as classes is possible."""
    THREE.require_output(build("conv 3 3, globalavgpool", (1, 4, 4), THREE.outputs).output_shape)


def test_logits_of_any_network() -> None:
    """Our networks are asked before their closing softmax; a stranger's is taken as it is."""
    ours, x = build("flatten, dense 3, softmax", (1, 2, 2), 3), randoms(2, 1, 2, 2)
    assert torch.allclose(logits_of(ours, x).softmax(dim=1), ours(x))
    stranger = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    assert torch.equal(logits_of(stranger, x), stranger(x))


def test_the_table_of_tasks() -> None:
    """A task is made by the name that a model file stores."""
    assert make_task("classification", {"classes": ["x", "y"]}) == Classification(("x", "y"))
    with pytest.raises(StriateError, match=r"a task is one of .*received: 'clairvoyance'"):
        make_task("clairvoyance", {"classes": ["x", "y"]})


def test_the_surest_mistakes_come_first_and_ties_keep_their_order() -> None:
    """Right answers are left out; equal confidences follow the order of the samples; hits are of different classes."""
    two = Classification(("a", "b"))
    answers = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.8, 0.2], [0.55, 0.45]])
    targets = ["a", "a", "a", "b", "b"]
    assert two.worst(targets, answers, 3) == [2, 1, 3]
    assert two.best(targets, answers, 3) == [0]
    assert two.worst([], answers[:0], 3) == []
