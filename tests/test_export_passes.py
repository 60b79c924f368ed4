"""Large requests in bf16: the same classes as in fp32, near figures, and fp32 wherever that is not so."""

import numpy as np
import pytest
import torch
from drawn import picture, said_by

from striate.data.prepare import Preparation, Shape
from striate.export import passes
from striate.export.model import Model
from striate.network.build import build
from striate.tasks.classification import Classification
from striate.tasks.multilabel import Multilabel
from striate.tasks.regression import Regression
from striate.tasks.segmentation import Segmentation
from striate.tasks.task import Task

LINE = "conv 16 3, batchnorm, relu, residual(conv 16 3), globalmaxpool, dense classes"
COUNT = 96  # pictures of a large request, here


@pytest.fixture(autouse=True)
def few_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 pictures are many, and bf16 pays on every machine."""
    monkeypatch.setattr(passes, "LARGE", 1.0)
    monkeypatch.setattr(passes, "BF16_GAIN", 0.0)
    monkeypatch.setattr(passes, "fastest_precision", lambda *asked: "bf16")


def make_model(task: Task | None = None, **changes: object) -> Model:
    """A model with random weights for 8×8 grey pictures."""
    task = task or Classification(("a", "b", "c"))
    network = build(LINE, (1, 8, 8), task.outputs, seed=3).to(memory_format=torch.channels_last)
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    return Model(network, task, Preparation(shape=Shape(height=8, width=8, channels=1), **figures), **changes)


def drawn(count: int = COUNT) -> np.ndarray:
    return np.stack([picture(number % 3, number)[:, :, None] for number in range(count)])


def exact(model: Model, pictures: np.ndarray) -> torch.Tensor:
    """Logits in float64, from the definition and without batches."""
    network = build(model.network.text, (1, 8, 8), 1).double().eval()
    network.load_state_dict({name: value.double() for name, value in model.network.state_dict().items()})
    x = (torch.from_numpy(pictures).double().permute(0, 3, 1, 2) / 255 - 0.4) / 0.25
    with torch.no_grad():
        return (network.logits(x) + network.logits(x.flip(3))) / 2 if model.mirror else network.logits(x)


@pytest.mark.parametrize("changes", [{}, {"mirror": True}, {"precision": "bf16"}, {"temperature": 2.0}])
def test_a_large_request_in_bf16_names_the_same_classes(changes: dict) -> None:
    """Not the bits of fp32, so bf16 it was; the exact classes, and probabilities within 0.01 of the exact ones."""
    model, pictures = make_model(**changes), drawn()
    said = said_by(model, pictures)
    wanted = (exact(model, pictures) / model.temperature).softmax(1).numpy()
    assert np.abs(said - wanted).max() < 0.01
    assert np.array_equal(said.argmax(1), wanted.argmax(1))
    small = np.concatenate([said_by(model, pictures[n : n + 32]) for n in range(0, COUNT, 32)])
    assert not np.array_equal(said, small)
    np.testing.assert_allclose(small, wanted, atol=1e-5)


def test_an_answer_is_the_same_in_any_company() -> None:
    """Bit for bit within large requests, and within small ones, in any order and across batch borders."""
    model, pictures = make_model(), drawn(150)
    whole, order = said_by(model, pictures), np.random.default_rng(0).permutation(150)
    assert np.array_equal(said_by(model, pictures[order]), whole[order])
    assert np.array_equal(said_by(model, pictures[37:121]), whole[37:121])
    small = said_by(model, pictures[:40])
    assert np.array_equal(said_by(model, pictures[20:40]), small[20:])


def test_pictures_near_a_decision_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The half with the smaller margins, by what the error is said to be, gets the very bits of a small request."""
    monkeypatch.setattr(passes, "APART", 1.0)
    model, pictures = make_model(), drawn()
    way = model.passes.way_for(pictures)
    margins = model.task.margin(exact(model, pictures))
    model.passes._error = float(margins.median()) / passes.FACTOR
    said = torch.cat(list(model.passes.logits(pictures, way))).numpy()
    small = np.concatenate([model.logits(pictures[n : n + 32]).numpy() for n in range(0, COUNT, 32)])
    again = (said == small).all(axis=1)
    assert 40 <= again.sum() <= 56
    assert margins[again].max() < margins[~again].min() + 0.02


def test_probabilities_that_could_be_further_off_are_asked_again() -> None:
    """With an error of 0.1 a probability p moves by up to 0.2 p (1 - p): 0.06 and 0.94 are about the limit of 0.01."""
    model, pictures = make_model(temperature=0.25), drawn()
    way, found = passes.Way(model.passes.half.network, 32, torch.bfloat16), exact(model, pictures)
    model.passes._error = 0.1 * model.temperature
    said = torch.cat(list(model.passes.logits(pictures, way))).numpy()
    small = np.concatenate([model.logits(pictures[n : n + 32]).numpy() for n in range(0, COUNT, 32)])
    again, chances = (said == small).all(axis=1), (found / model.temperature).softmax(1).numpy()
    middling = ((chances > 0.07) & (chances < 0.93)).any(axis=1)
    assert again[middling].all()
    sure = ((chances < 0.04) | (chances > 0.96)).all(axis=1)
    assert sure.any()
    assert not again[sure].any()


def test_a_model_of_doubtful_answers_stays_in_fp32() -> None:
    """Where most pictures would be asked again, all are answered in fp32: two classes have nearly the same weights."""
    model, pictures = make_model(), drawn()
    with torch.no_grad():
        model.network.dense1.weight[1:] = model.network.dense1.weight[0] * (1 + 1e-5)
        model.network.dense1.bias.zero_()
    assert model.passes.way_for(pictures).dtype == torch.float32
    np.testing.assert_allclose(model.logits(pictures).numpy(), exact(model, pictures).numpy(), atol=1e-4)


class Wrong(torch.nn.Conv2d):
    """Right in fp32 alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = super().forward(x)
        return out * self.factor if out.dtype == torch.bfloat16 else out


def test_a_fault_in_bf16_keeps_fp32() -> None:
    """Weights with which bf16 is off by too much, or gives no numbers at all, are computed with in fp32."""
    for factor in (300.0, float("inf")):
        model = make_model()
        model.network.conv1.__class__ = Wrong
        model.network.conv1.factor = factor
        assert model.passes.way_for(drawn()).dtype == torch.float32


def test_fp32_where_asked_for_small_or_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """precision="fp32", fewer pictures than are many, and machines on which bf16 does not pay, by either measure."""
    pictures = drawn()
    assert make_model().passes.way_for(pictures).dtype == torch.bfloat16
    assert make_model(precision="fp32").passes.way_for(pictures).dtype == torch.float32
    assert make_model().passes.way_for(pictures[:63]).dtype == torch.float32
    monkeypatch.setattr(passes, "BF16_GAIN", 1e9)
    assert make_model().passes.way_for(pictures).dtype == torch.float32
    assert make_model(precision="bf16").passes.way_for(pictures).dtype == torch.bfloat16
    monkeypatch.setattr(passes, "BF16_GAIN", 0.0)
    monkeypatch.setattr(passes, "fastest_precision", lambda *asked: "fp32")
    assert make_model().passes.way_for(pictures).dtype == torch.float32


def test_numbers_stay_in_fp32() -> None:
    """A task whose answers are no decisions has no margin."""
    task = Regression(("size",), (0.0,), (1.0,))
    assert make_model(task).passes.way_for(drawn()).dtype == torch.float32


def test_changed_weights_are_seen() -> None:
    """The copy in bf16 is made for every request, so it is never of older weights."""
    model, pictures = make_model(), drawn()
    before = said_by(model, pictures)
    with torch.no_grad():
        model.network.dense1.weight.neg_()
    assert np.abs(said_by(model, pictures) - before).max() > 0.1


def test_a_stream_is_answered_as_a_whole() -> None:
    """How the first pictures are answered, the last few are too: predict and probabilities agree to the bit."""
    model, pictures = make_model(), drawn(150)
    said = [list(one.probabilities.values()) for one in model.predict(list(pictures[..., 0]))]
    assert np.array_equal(np.array(said), said_by(model, pictures))


@pytest.mark.parametrize(
    ("task", "outputs"),
    [
        (Classification(("a", "b", "c", "d")), 4),
        (Classification(("a", "b")), 1),
        (Multilabel(("a", "b", "c"), (0.3, 0.5, 0.9)), 3),
    ],
)
def test_within_half_the_margin_nothing_else_is_said(task: Task, outputs: int) -> None:
    """Changing every logit by less than half of the margin changes no class; a little more than all of it can."""
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(0, 2, (200, outputs)))
    margins = task.margin(logits)[:, None]
    said = [task.target_of(answer) for answer in task.decode(logits)]
    for _ in range(5):
        moved = logits + 0.49 * margins * torch.from_numpy(random.choice([-1.0, 1.0], logits.shape))
        assert [task.target_of(answer) for answer in task.decode(moved)] == said
    changed = np.zeros(200, bool)
    for output in range(outputs):
        for sign in (-1, 1):
            moved = logits.clone()
            moved[:, output] += sign * 1.01 * margins[:, 0]
            changed |= [task.target_of(a) != s for a, s in zip(task.decode(moved), said, strict=True)]
    assert changed.all()


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_batches_side_by_side_are_those_one_after_the_other(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers in the same order, and torch has its threads back."""
    model, pictures = make_model(precision=precision), drawn(150)
    before, alone = torch.get_num_threads(), said_by(model, pictures)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    beside = said_by(model, pictures)
    monkeypatch.undo()
    assert np.allclose(alone, beside, atol=1e-6)
    torch.set_num_threads(before)


def test_batch_norms_go_into_the_filters() -> None:
    """The copy has the outputs of the network and no norm after a convolution; one after another layer stays."""
    network = build(
        "conv 4 3, batchnorm, relu, batchnorm, residual(conv 4 3, batchnorm), globalavgpool, dense 3", (1, 8, 8), 3
    ).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    folded, x = passes._folded(network), torch.randn(2, 1, 8, 8)
    assert sum(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules()) == 1
    torch.testing.assert_close(folded(x), network(x))


@pytest.mark.parametrize(("same", "lowered"), [(0.9, True), (1.1, False)])
def test_masks_in_bf16_where_their_pixels_stay(same: float, lowered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of several masks in bf16 where enough pixels agree, which the exact logits confirm; else in fp32."""
    monkeypatch.setattr(passes, "SAME", same)
    network = build("conv 8 3, groupnorm, silu, conv classes 3", (1, 8, 8), 2, seed=3)
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    preparation = Preparation(shape=Shape(height=8, width=8, channels=1), **figures)
    model, pictures = Model(network, Segmentation(("back", "front")), preparation), drawn()
    said, wanted = model.logits(pictures), exact(model, pictures)
    assert (said.argmax(1) == wanted.argmax(1)).double().mean() > 0.9
    assert (float((said - wanted).abs().max()) > 1e-4) is lowered
    torch.testing.assert_close(model.logits(pictures[:3]), wanted[:3], atol=1e-5, rtol=1e-5)
