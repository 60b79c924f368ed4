"""`striate.trace`: one record from which page, report and command line read."""

import json
import threading

import numpy as np
import pytest
import torch
from torch import nn
from zoo import Lambda, drawn

import striate
from striate.errors import StriateError
from striate.inside.trace import Trace


def small() -> Trace:
    """conv, norm, ReLU and pool, then a dense layer, on a drawn 2×12×10 picture."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()]
    return striate.trace(nn.Sequential(*layers, nn.Linear(60, 4)), np.random.default_rng(0).normal(size=(2, 12, 10)))


def test_maps_kernels_and_output() -> None:
    """Maps are copies in float32 with channels first; a vector is (n,); kernels are the weights, or None."""
    seen = small()
    assert [seen.maps(layer.name).shape for layer in seen.layers] == [layer.output_shape for layer in seen.layers]
    assert seen.maps("0").dtype == np.float32
    assert seen.maps(5).shape == seen.output.shape == (4,)
    seen.maps(0)[:] = 0
    assert seen.maps(0).any()
    assert seen.kernels("0").shape == (3, 2, 3, 3)
    np.testing.assert_array_equal(seen.kernels("5"), seen.network[5].weight.detach().numpy())
    assert seen.kernels("2") is None
    assert seen.picture.shape == (2, 12, 10)


def test_the_explanation_as_plain_data() -> None:
    """Exactly the agreed keys, strict JSON, and numbers that are not rounded."""
    found = small().explain("0", 1, 4, 5)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert set(plain) == {
        *("layer", "name", "kind", "at", "available", "reason", "stored", "value", "difference", "agrees", "rule"),
        *("formula", "addends", "terms", "chosen", "ties", "divisor", "field", "numbers"),
    }
    keys = {"label", "source", "channel", "value", "patch", "kernel", "padding", "origin", "step"}
    assert [set(term) for term in plain["terms"]] == [keys, keys]
    assert (plain["layer"], plain["name"], plain["kind"], plain["at"]) == (0, "0", "conv", [1, 4, 5])
    assert (plain["field"], plain["terms"][0]["origin"], plain["terms"][0]["padding"]) == ([4, 7, 5, 8], [4, 5], None)
    assert [row["label"] for row in plain["addends"]] == ["bias"]
    total = sum(term["value"] for term in plain["terms"]) + plain["addends"][0]["value"]
    assert plain["value"] == pytest.approx(total, rel=1e-15)
    assert plain["difference"] == plain["value"] - plain["stored"]


def test_the_chain_goes_up_to_the_next_pool() -> None:
    """From a convolution by norm and activation to the pool whose window holds the pixel."""
    seen = small()
    steps = seen.chain("0", 1, 5, 6)
    assert [(step.name, step.at) for step in steps] == [
        ("0", (1, 5, 6)),
        ("1", (1, 5, 6)),
        ("2", (1, 5, 6)),
        ("3", (1, 2, 3)),
    ]
    assert [step.name for step in seen.chain("3", 1, 2, 3)] == ["3"]
    stride = striate.trace(nn.Sequential(nn.ReLU(), nn.MaxPool2d(1, 2)), torch.ones(1, 4, 4))
    assert [step.name for step in stride.chain(0, 0, 1, 1)] == ["0"]  # no window holds it
    network, picture = drawn("residual")
    seen = striate.trace(network, picture)
    assert [step.at for step in seen.chain("residual2.add", 2, 3, 3)] == [(2, 3, 3), (2,)]  # the global pool


def test_the_lineage_goes_from_the_picture_to_the_layer() -> None:
    """Boxes grow on the way back, and the first is the field."""
    seen = small()
    found = seen.lineage("3", 2, 3)
    assert found == (
        *((-1, (4, 8, 6, 10)), (0, (4, 6, 6, 8)), (1, (4, 6, 6, 8)), (2, (4, 6, 6, 8)), (3, (2, 3, 3, 4))),
    )
    assert seen.field("3", 2, 3) == (4, 8, 6, 10)
    assert seen.field("5") == (0, 12, 0, 10)


def test_a_number_of_a_flattened_layer_sees_what_it_was() -> None:
    """Not what all of the layer's numbers see together; a dense layer sees all of them."""
    layers = (nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 3))
    seen = striate.trace(nn.Sequential(*layers), torch.rand(1, 16, 16))
    place = seen.explain(3, 13).field
    assert place == seen.explain(2, 0, 1, 5).field == seen.field(3, 13) == (1, 5, 9, 13)
    assert [box for layer, box in seen.lineage(3, 13) if layer in (2, -1)] == [place, (1, 2, 5, 6)]
    assert seen.field(3) == seen.explain(4, 1).field == (0, 16, 0, 16)
    actual = np.argwhere(seen.actual_field(3, 13))
    assert (actual >= (1, 9)).all()
    assert (actual < (5, 13)).all()


def test_the_actual_field_is_the_gradient() -> None:
    """|d number / d pixel| summed over channels, against plain autograd; the network is left alone."""
    seen = small()
    found = seen.actual_field("3", 1, 2, 3)
    picture = torch.tensor(seen.picture)[None].requires_grad_()
    seen.network[:4].eval()(picture)[0, 1, 2, 3].backward()
    np.testing.assert_allclose(found, picture.grad[0].abs().sum(0).numpy(), rtol=1e-5, atol=1e-7)
    assert found.dtype == np.float32
    assert found.any()
    flags = striate.trace(Lambda(lambda self, x: (x > 0).float() + x), torch.randn(1, 3, 3))
    assert not flags.actual_field(0, 0, 1, 1).any()  # a comparison has no gradient


def test_layers_and_places_that_do_not_exist() -> None:
    """The error names the nearest layer, or says which numbers there are; negative places do not count backwards."""
    seen = small()
    with pytest.raises(StriateError, match="choose one of 0, 1, 2, 3, 4, 5"):
        seen.maps("conv1")
    network, picture = drawn("resnet")
    with pytest.raises(StriateError, match=r"did you mean 'layers\.0\.conv1'"):
        striate.trace(network, picture).maps("layer.0.conv1")
    with pytest.raises(StriateError, match="numbers 0 to 5"):
        seen.explain(6)
    with pytest.raises(StriateError, match="numbers 0 to 5"):
        seen.explain(-1)
    for at in [(0, -1, 0), (3, 0, 0), (0, 10, 0), (0, 0), (0, 0, 0, 0)]:
        with pytest.raises(StriateError, match="ranges 0 to 2, 0 to 9, 0 to 7"):
            seen.explain(0, *at)
    with pytest.raises(StriateError, match="ranges 0 to 2, 0 to 9, 0 to 7"):
        seen.field(0, 10, 0)


def test_a_network_that_changes_its_mind() -> None:
    """A network that runs other operations the second time has no actual field, and the message says why."""
    turns = iter([torch.relu, torch.tanh])
    seen = striate.trace(Lambda(lambda self, x: next(turns)(x)), torch.randn(1, 3, 3))
    with pytest.raises(StriateError, match="runs the same operations every time"):
        seen.actual_field(0, 0, 1, 1)


def test_one_number_as_output() -> None:
    """A network whose output is a single number without axes has one place, 0."""
    network = Lambda(lambda self, x: self.head(x.mean((2, 3))).squeeze() * 2, head=nn.Linear(2, 1))
    seen = striate.trace(network, torch.randn(2, 5, 5))
    assert seen.output.shape == ()
    for layer in (1, 2):
        found = seen.explain(layer, 0)
        assert found.agrees
        assert found.field == (0, 5, 0, 5)
    assert seen.explain(2, 0).stored == float(seen.output)


def test_others_may_use_the_network_meanwhile() -> None:
    """Passes of another thread through the same network are no part of a trace, and go on as ever."""
    said: list[torch.Tensor] = []

    def wait(_: Lambda, x: torch.Tensor) -> torch.Tensor:
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=meanwhile)
            other.start()
            other.join()
        return x.flatten(1)

    def meanwhile() -> None:
        with torch.inference_mode():
            said.append(network(torch.ones(1, 1, 5, 5)))

    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), Lambda(wait))
    seen = striate.trace(network, np.ones((1, 5, 5)))
    assert [layer.kind for layer in seen.layers][:2] == ["conv", "relu"]
    assert len(seen.layers) == 3
    np.testing.assert_allclose(said[0][0].numpy(), seen.output, atol=1e-6)


def test_a_dense_layer_on_the_picture_has_templates() -> None:
    """Laid out as the picture was before it was moved and flattened: their products with it, summed, and the bias are
    the layer's numbers; a dense layer on maps, or on another one, and a convolution have none."""

    class Turned(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(3 * 4 * 5, 6), torch.nn.Linear(6, 60)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(self.first(x.permute(0, 3, 1, 2).flatten(1)))

    torch.manual_seed(0)
    picture = torch.randn(3, 4, 5)
    for network in (Turned(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(60, 6))):
        seen = striate.trace(network, picture)
        dense = next(layer.name for layer in seen.layers if layer.kind == "linear")
        laid, bias = seen.templates(dense), network.get_submodule(dense).bias.detach().numpy()
        assert laid.shape == (6, 3, 4, 5)
        np.testing.assert_allclose(
            (laid * picture.numpy()).sum((1, 2, 3)) + bias, seen.maps(dense), rtol=1e-5, atol=1e-6
        )
        assert all(seen.templates(layer.index) is None for layer in seen.layers if layer.name != dense)
    on_maps = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Flatten(), torch.nn.Linear(60, 2))
    assert [striate.trace(on_maps, picture).templates(layer) for layer in ("0", "2")] == [None, None]
