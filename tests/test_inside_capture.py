"""Recording a forward pass: every operation is seen, with right values, and the network is left as it was."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from zoo import ZOO, Lambda, ResNet, drawn

from striate.errors import StriateError
from striate.inside.capture import capture

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def plain(network: nn.Module, picture: Tensor) -> Tensor:
    """What the network returns without us: its first tensor, without the batch axis."""
    with torch.no_grad():
        out = copy.deepcopy(network).eval()(picture[None])
    out = next(iter(out.values())) if isinstance(out, dict) else out[0] if isinstance(out, tuple) else out
    return out[0]


@pytest.mark.parametrize("name", ZOO)
def test_every_network_is_recorded(name: str) -> None:
    """The output is the network's own; names are unique, inputs come first, shapes are those of the values."""
    network, picture = drawn(name)
    seen = capture(network, picture)
    torch.testing.assert_close(seen.output, plain(network, picture), rtol=1e-5, atol=1e-6)
    assert len({layer.name for layer in seen.layers}) == len(seen.layers) == len(seen.values) == len(seen.arguments)
    for index, (layer, value) in enumerate(zip(seen.layers, seen.values, strict=True)):
        assert layer.index == index
        assert layer.output_shape == tuple(value.shape)
        assert layer.inputs
        assert all(-1 <= source < index for source in layer.inputs)


@pytest.mark.parametrize("name", ["vgg", "resnet", "densenet", "mobilenet", "unet", "signal", "volume", "hela"])
def test_every_parameter_is_counted_once(name: str) -> None:
    """In networks that use each weight once, the layers' parameters add up to the network's."""
    network, picture = drawn(name)
    total = sum(weights.numel() for weights in network.parameters())
    assert sum(layer.parameters for layer in capture(network, picture).layers) == total


def test_names_kinds_and_inputs() -> None:
    """A module's path where it ran one operation, path and operation else, ":2" on the second call."""
    seen = capture(ResNet(2, (1,)), torch.randn(3, 16, 16))
    assert [(layer.name, layer.kind, layer.inputs) for layer in seen.layers] == [
        ("conv1", "conv", (-1,)),
        ("bn1", "batchnorm", (0,)),
        ("relu", "relu", (1,)),
        ("maxpool", "maxpool", (2,)),
        ("layers.0.conv1", "conv", (3,)),
        ("layers.0.bn1", "batchnorm", (4,)),
        ("layers.0.relu", "relu", (5,)),
        ("layers.0.conv2", "conv", (6,)),
        ("layers.0.bn2", "batchnorm", (7,)),
        ("layers.0.relu:2", "relu", (8,)),
        ("layers.0.conv3", "conv", (9,)),
        ("layers.0.bn3", "batchnorm", (10,)),
        ("layers.0.downsample.0", "conv", (3,)),
        ("layers.0.downsample.1", "batchnorm", (12,)),
        ("layers.0.add", "add", (11, 13)),
        ("layers.0.relu:3", "relu", (14,)),
        ("avgpool", "adaptive-avgpool", (15,)),
        ("fc", "linear", (16,)),
    ]
    first = seen.layers[0]
    assert (first.module, first.input_shape, first.output_shape) == ("Conv2d", (3, 16, 16), (2, 8, 8))
    assert first.parameters == 2 * 3 * 49
    settings = {"kernel": (7, 7), "stride": (2, 2), "padding": (3, 3), "dilation": (1, 1), "groups": 1}
    assert first.facts == {**settings, "field": "exact"}
    assert seen.layers[14].module == ""


def test_functions_methods_and_branches_are_seen() -> None:
    """F.relu, x + y, torch.cat, in-place methods and parts of a map are layers, and tell what they read."""

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        a = F.relu(self.conv(x))
        b, c = (a + x).chunk(2, 1)
        c.add_(1)
        return torch.cat([b, c.sigmoid()], 1)

    seen = capture(Lambda(forward, conv=nn.Conv2d(4, 4, 1)), torch.randn(4, 5, 5))
    found = [(layer.name, layer.inputs) for layer in seen.layers]
    assert found[:5] == [("conv", (-1,)), ("relu", (0,)), ("add", (1, -1)), ("chunk", (2,)), ("chunk[1]", (2,))]
    assert found[5:] == [("add:2", (4,)), ("sigmoid", (5,)), ("cat", (3, 6))]


def test_values_survive_changes_in_place() -> None:
    """A ReLU in place leaves the stored numbers before it: they equal the convolution, negative ones too."""
    network, picture = drawn("vgg")
    seen = capture(network, picture)
    with torch.no_grad():
        before = network[0][0](picture[None])[0]
    torch.testing.assert_close(seen.values[0], before)
    assert seen.values[0].min() < 0
    torch.testing.assert_close(seen.values[1], before.clamp(min=0))


def test_modules_that_only_move_numbers_are_one_layer() -> None:
    """Flatten, dropout and identity are layers without steps inside; an empty Sequential is none."""
    modules = [nn.Identity(), nn.Sequential(), nn.Dropout(), nn.PixelShuffle(2), nn.Flatten(), nn.Linear(16, 2)]
    seen = capture(nn.Sequential(*modules), torch.randn(4, 2, 2))
    kinds = [(layer.name, layer.kind, layer.module, layer.output_shape) for layer in seen.layers]
    assert kinds == [
        ("0", "identity", "Identity", (4, 2, 2)),
        ("2", "identity", "Dropout", (4, 2, 2)),
        ("3", "pixel-shuffle", "PixelShuffle", (1, 4, 4)),
        ("4", "reshape", "Flatten", (16,)),
        ("5", "linear", "Linear", (2,)),
    ]
    network, picture = drawn("digits")  # our flatten puts channels last, which takes two steps
    flat = next(layer for layer in capture(network, picture).layers if layer.module == "Flatten")
    assert (flat.name, flat.kind, flat.output_shape) == ("flatten1", "rearrange", (7 * 7 * 64,))


def test_facts_can_be_written_as_json() -> None:
    """Settings are numbers and words, also the infinite padding before a max pool."""
    network, picture = drawn("globals")
    facts = [layer.facts for layer in capture(network, picture).layers]
    assert "-infinity" in [each.get("value") for each in facts]
    json.dumps(facts, allow_nan=False)


def state(network: nn.Module) -> list:
    """Everything about a network and about torch that looking must not change."""
    places = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.mkldnn.matmul)
    facts = [torch.get_rng_state().tolist(), torch.is_grad_enabled(), [place.fp32_precision for place in places]]
    for name, module in network.named_modules():
        hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
        facts.append((name, module.training, [list(h) for h in hooks], sorted(vars(module))))
    for name, tensor in (*network.named_parameters(), *network.named_buffers()):
        grad = None if tensor.grad is None else tensor.grad.tolist()
        facts.append((name, id(tensor), tensor.dtype, tensor.requires_grad, tensor.tolist(), grad, vars(tensor)))
    return facts


class Restless(nn.Module):
    """Draws random numbers, counts its own calls in a buffer, and raises if it is told to."""

    def __init__(self, broken: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.broken = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), broken
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x = F.dropout(self.norm(self.conv(x)), 0.5, True)
        if self.broken:
            raise RuntimeError("broken on purpose")
        return x


@pytest.mark.parametrize(("broken", "gradients"), list(itertools.product((False, True), repeat=2)))
def test_the_network_is_left_as_it_was(broken: bool, gradients: bool) -> None:
    """Mode per module, hooks, weights, buffers, gradients and random state; also when the network raises."""
    network = Restless(broken)
    network.norm.eval()
    network.conv.weight.grad = torch.ones_like(network.conv.weight)
    network.conv.bias.requires_grad_(False)
    called = []
    network.conv.register_forward_hook(lambda *_: called.append(1))
    before = state(network)
    if broken:
        with pytest.raises(StriateError, match="broken on purpose"):
            capture(network, torch.randn(2, 6, 6), gradients=gradients)
    else:
        before_output = state(network)
        seen = capture(network, torch.zeros(2, 6, 6), gradients=gradients)
        again = capture(network, torch.zeros(2, 6, 6), gradients=gradients)
        torch.testing.assert_close(seen.output, again.output, rtol=0, atol=0)  # it draws the same every time
        assert state(network) == before_output
        if gradients:
            seen.output.sum().backward()
            assert state(network) == before_output
    changed = [a for a, b in zip(before[1:], state(network)[1:], strict=True) if a != b]
    assert not changed
    assert called


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_run_in_float32(dtype: torch.dtype) -> None:
    """Every stored value is float32 and equals the network's in float32; its own weights keep their precision."""
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU()).to(dtype)
    picture = torch.randn(2, 6, 6)
    seen = capture(network, picture.to(dtype))
    assert {value.dtype for value in seen.values} == {torch.float32}
    assert {p.dtype for p in network.parameters()} == {dtype}
    expected = plain(copy.deepcopy(network).float(), picture.to(dtype).float())
    torch.testing.assert_close(seen.output, expected)


def score_of(network: nn.Module, picture: Tensor) -> Tensor:
    out = network(picture[None])
    out = next(iter(out.values())) if isinstance(out, dict) else out[0] if isinstance(out, tuple) else out
    return out[0].flatten()[:3].sum()


@pytest.mark.parametrize("name", ["vgg", "shared", "mobilenet", "unet"])
def test_gradients_at_every_module(name: str) -> None:
    """They equal those that plain autograd finds in float64 in a copy whose activations are not in place."""
    network, picture = drawn(name)
    seen = capture(network, picture, gradients=True)
    found = torch.autograd.grad(seen.output.flatten()[:3].sum(), seen.values, allow_unused=True)
    other, outputs = copy.deepcopy(network).double().eval(), {}
    for path, module in other.named_modules():
        module.inplace = False
        module.register_forward_hook(lambda m, a, out, path=path: outputs.setdefault(path, []).append(out))
    score = score_of(other, picture.double())
    compared = 0
    for layer, gradient in zip(seen.layers, found, strict=True):
        path, _, number = layer.name.partition(":")
        if path in outputs and gradient is not None:
            output = outputs[path][int(number or 1) - 1]
            expected = torch.autograd.grad(score, output, retain_graph=True)[0].reshape(gradient.shape)
            torch.testing.assert_close(gradient.double(), expected, rtol=1e-3, atol=1e-5)
            compared += 1
    assert compared > 6


@pytest.mark.parametrize("name", ["resnet", "moved", "densenet", "digits"])
def test_gradients_at_the_picture(name: str) -> None:
    """With sums in place, joins and moves, too, the gradient at the picture is that of plain autograd in float64."""
    network, picture = drawn(name)
    seen = capture(network, picture, gradients=True)
    found = torch.autograd.grad(seen.output.flatten()[:3].sum(), seen.picture)[0]
    leaf = picture.double().requires_grad_()
    expected = torch.autograd.grad(score_of(copy.deepcopy(network).double().eval(), leaf), leaf)[0]
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-5)


def test_gradient_before_a_change_in_place() -> None:
    """By hand: y = relu_(2x − 1), score 3y. The gradient is 3 at y, and 3 or 0 at 2x − 1, whatever ReLU overwrote."""
    network = Lambda(lambda self, x: torch.relu_(x * 2 - 1) * 3)
    seen = capture(network, torch.tensor([[[1.0, 0.2]]]), gradients=True)
    assert [layer.kind for layer in seen.layers] == ["mul", "sub", "relu", "mul"]
    after = torch.autograd.grad(seen.output.sum(), seen.values, retain_graph=True)
    assert [gradient.flatten().tolist() for gradient in after] == [[3, 0], [3, 0], [3, 3], [1, 1]]
    assert torch.autograd.grad(seen.output.sum(), seen.picture)[0].flatten().tolist() == [6, 0]


def test_what_is_not_known_says_so() -> None:
    """An unknown operation, numpy inside a module and a number taken to Python are marked; values stay right."""

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = self.outside(self.conv(x).round())
        return x * float(x.max())

    outside = Lambda(lambda self, x: torch.from_numpy(x.numpy() * 2))
    network = Lambda(forward, conv=nn.Conv2d(2, 3, 1), outside=outside)
    picture = torch.randn(2, 4, 4)
    seen = capture(network, picture)
    told = [(layer.name, layer.kind, layer.arithmetic, layer.facts["field"]) for layer in seen.layers]
    assert told == [
        ("conv", "conv", True, "exact"),
        ("round", "round", False, "upper bound"),
        ("outside", "Lambda", False, "upper bound"),
        ("max", "max", False, "upper bound"),
        ("mul", "mul", True, "upper bound"),
    ]
    torch.testing.assert_close(seen.output, plain(network, picture))


def test_parts_changed_in_place() -> None:
    """Changing a part of a map changes the map: values stay right, the map is marked, gradients are refused."""

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = self.conv(x)
        x[:, 1:].mul_(10)
        return x + 0

    network, picture = Lambda(forward, conv=nn.Conv2d(2, 3, 1)), torch.randn(2, 4, 4)
    seen = capture(network, picture)
    assert [layer.kind for layer in seen.layers] == ["conv", "getitem", "mul", "changed", "add"]
    torch.testing.assert_close(seen.output, plain(network, picture))
    with pytest.raises(StriateError, match="does not change parts of its maps in place"):
        capture(network, picture, gradients=True)


@pytest.mark.parametrize("base_first", [False, True])
def test_a_view_and_its_base_changed_in_place(base_first: bool) -> None:
    """Gradients are refused where a later step reads what only plain torch would have changed, and only there."""

    def forward(self: nn.Module, x: Tensor) -> Tensor:
        x = self.conv(x)
        view = x.permute(0, 1, 3, 2)
        (x if base_first else view).mul_(2)
        return x * view if self.reads_both else (x if base_first else view) + 1

    network, picture = Lambda(forward, conv=nn.Conv2d(2, 3, 1)), torch.randn(2, 4, 4)
    network.reads_both = False
    seen = capture(network, picture, gradients=True)
    torch.testing.assert_close(seen.output.detach(), plain(network, picture))
    network.reads_both = True
    torch.testing.assert_close(capture(network, picture).output, plain(network, picture))
    with pytest.raises(StriateError, match="does not change parts of its maps in place"):
        capture(network, picture, gradients=True)


def test_a_network_may_know_constants() -> None:
    """Constants made in the forward pass or kept as plain attributes are no layers, and hide nothing."""
    network = Lambda(lambda self, x: (x - self.mean) * torch.ones(1, 2, 1, 1) + torch.zeros_like(x))
    network.mean = torch.full((1, 2, 1, 1), 0.5)
    seen = capture(network, torch.randn(2, 3, 3))
    assert [(layer.kind, layer.inputs) for layer in seen.layers] == [("sub", (-1,)), ("mul", (0,)), ("add", (1,))]
    assert {layer.facts["field"] for layer in seen.layers} == {"exact"}


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_with_or_without_the_batch_axis(axes: int) -> None:
    """A picture of 1, 2 or 3 spatial axes may come with a batch axis of 1; two pictures may not."""
    network = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[axes](1, 2, 3)
    picture = torch.randn(1, *[5] * axes)
    for given in (picture, picture[None], picture.double()):
        seen = capture(network, given)
        assert seen.picture.shape == picture.shape
        assert seen.output.shape == (2, *[3] * axes)
    with pytest.raises(StriateError, match="one picture is traced"):
        capture(network, torch.stack([picture, picture]))


def test_a_series_of_one_channel_keeps_it() -> None:
    """Also in a network of functions alone, whose modules do not say along how many axes it slides."""
    weight = torch.randn(2, 1, 3)
    given = torch.randn(1, 9)
    seen = capture(Lambda(lambda self, x: F.conv1d(x, weight)), given)
    assert seen.picture.shape == (1, 9)
    torch.testing.assert_close(seen.output, F.conv1d(given[None], weight)[0])


def test_a_picture_that_does_not_fit() -> None:
    """The network's own complaint, as a message; so is a network that returns nothing made from the picture."""
    with pytest.raises(StriateError, match="must run on the picture"):
        capture(nn.Conv2d(3, 4, 3), torch.randn(1, 8, 8))
    with pytest.raises(StriateError, match="a tensor of numbers"):
        capture(nn.Conv2d(3, 4, 3), torch.zeros(3, 8, 8, dtype=torch.long))
    with pytest.raises(StriateError, match="returns a tensor"):
        capture(Lambda(lambda self, x: None), torch.randn(1, 8, 8))


def test_under_inference_mode_and_autocast() -> None:
    """The caller's inference mode or autocast does not reach the recorded pass."""
    network, picture = nn.Conv2d(2, 3, 3), torch.randn(2, 6, 6)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        seen = capture(network, picture.clone(), gradients=True)
    assert seen.output.dtype == torch.float32
    torch.testing.assert_close(seen.output, plain(network, picture))
    assert np.isfinite(torch.autograd.grad(seen.output.sum(), seen.values[0])[0].numpy()).all()
