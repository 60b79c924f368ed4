"""A torch network of one's own as a model: on the very pictures that it was given, and in its own numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from striate.errors import StriateError
from striate.export.own import model_of

MEAN, STD = (0.48, 0.45, 0.4), (0.23, 0.22, 0.25)


class Own(nn.Module):
    """A convolution, what functions of torch do, and three logits; with a layer that only training changes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = nn.Conv2d(3, 4, 3), nn.Linear(4 * 6 * 8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(nn.functional.dropout(self.conv(x).relu(), 0.5, self.training).flatten(1))


def own() -> Own:
    torch.manual_seed(4)
    return Own()


def tensors(count: int) -> torch.Tensor:
    """Pictures (N, 3, 8, 10) as this network takes them: of pixels from 0 to 1, less a mean, by a deviation."""
    pixels = np.random.default_rng(1).random((count, 3, 8, 10), np.float32)
    return (torch.from_numpy(pixels) - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


@pytest.mark.parametrize("figures", [{}, {"mean": MEAN, "std": STD}])
def test_the_network_gets_what_it_was_given(figures: dict) -> None:
    """Pixels are prepared to the tensors, none is cut off, and answers are the softmax of the network's own logits."""
    network, given = own(), tensors(2) * 2
    model, pixels = model_of(network, given, ["a", "b", "c"], **figures)
    for one, stored in zip(given, pixels, strict=True):
        torch.testing.assert_close(model.input(stored), one, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        wanted = torch.softmax(network.eval()(given), 1).numpy()
    for row, told in zip(wanted, model.predict(pixels), strict=True):
        assert list(told.probabilities.values()) == pytest.approx(row.tolist(), abs=1e-5)
    assert model.classes == ("a", "b", "c")


def test_a_photograph_is_prepared_as_torchvision_does() -> None:
    """8 bits are divided by 255, then comes (x - mean) / std, whatever pictures the network was opened on."""
    model, _ = model_of(own(), tensors(1), mean=MEAN, std=STD)
    photograph = np.random.default_rng(2).integers(0, 256, (8, 10, 3), np.uint8)
    wanted = (photograph / 255 - np.array(MEAN)) / STD
    assert model.look(photograph).trace.picture.transpose(1, 2, 0) == pytest.approx(wanted, abs=1e-5)
    assert model.classes == ("0", "1", "2")


def test_the_users_network_is_left_alone() -> None:
    """It may go on learning: mode and weights are those of a copy."""
    network = own().train()
    model, pixels = model_of(network, tensors(1))
    with torch.no_grad():
        network.dense.bias.add_(100)
    model.predict(pixels)
    assert network.training
    assert (model.network.dense.bias < 10).all()


@pytest.mark.parametrize(
    ("network", "pictures", "classes", "told"),
    [
        (own(), [], None, "tensors (channels, height, width) of one size. received: none"),
        (own(), [torch.zeros(8, 10)], None, "of one size. received: [(8, 10)]"),
        (own(), [torch.zeros(3, 8, 10), torch.zeros(3, 9, 10)], None, "received: [(3, 8, 10), (3, 9, 10)]"),
        (own(), tensors(1), ["a", "b"], "one output per class"),
        (own().conv, tensors(1), None, "one row of numbers"),
        (nn.Sequential(own(), nn.Softmax(1)), tensors(1), None, "leave its last softmax out"),
    ],
)
def test_what_is_no_classifier_is_refused(network: nn.Module, pictures: list, classes: list, told: str) -> None:
    """Pictures of one size with three axes, one logit per class: each slip is named."""
    with pytest.raises(StriateError) as error:
        model_of(network, pictures, classes)
    assert told in str(error.value)
