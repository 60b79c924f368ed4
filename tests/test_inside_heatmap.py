"""Heatmaps: hand-worked maps, the identities that each method promises, and the numbers of Captum."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import striate
from striate.errors import StriateError
from striate.inside.heatmap import METHODS, enlarge, heatmap
from striate.network.build import build

CAMS = ("hirescam", "gradcam", "layercam")


def series() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(2, 6, 5, padding=2), nn.Tanh(), nn.MaxPool1d(2), nn.Conv1d(6, 5, 3), nn.ReLU(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(5, 3),
    )  # fmt: skip


def flat(channels: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 4, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(4 * 4 * 3, 3),
    )  # fmt: skip


def pooled(channels: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.SiLU(), nn.Conv2d(6, 4, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def volume() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)
    )


CASES = {
    "series": (series, (2, 20)),
    "grey": (lambda: flat(1), (1, 12, 10)),
    "colour": (flat, (3, 12, 10)),
    "four channels": (lambda: pooled(4), (4, 9, 8)),
    "volume": (volume, (1, 5, 6, 4)),
}


def case(name: str) -> tuple[nn.Sequential, Tensor]:
    """A network with drawn weights, and a picture for it."""
    make, shape = CASES[name]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = make()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        return network.eval(), torch.randn(shape)


def captum() -> object:
    return pytest.importorskip("captum.attr", reason="needs Captum: pip install captum")


def last_map(network: nn.Sequential) -> int:
    """The last ReLU, whose output is the last with more than one place."""
    return max(number for number, module in enumerate(network) if isinstance(module, nn.ReLU))


# ---- by hand


def hand() -> tuple[nn.Sequential, Tensor]:
    """Two maps, ReLU(x) and ReLU(3 - x), their means weighted 16 and 32; pixels 0 to 15 in reading order."""
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
        network[0].bias.copy_(torch.tensor([0.0, 3.0]))
        network[4].weight.copy_(torch.tensor([[16.0, 32.0], [-16.0, 0.0]]))
        network[4].bias.copy_(torch.tensor([0.5, 0.25]))
    return network, torch.arange(16.0).reshape(1, 4, 4)


@pytest.mark.parametrize("method", CAMS)
def test_a_map_worked_by_hand(method: str) -> None:
    """Each place of the map is 16/16 ReLU(x) + 32/16 ReLU(3 - x); under a mean the three methods agree."""
    found = heatmap(*hand(), method)
    assert found.map.tolist() == [[6, 5, 4, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert (found.maximum, found.total, found.score, found.layer) == (15, 132, 132.5, "1")
    assert np.array_equal(found.on_picture, found.map)


def test_the_methods_worked_by_hand_where_they_differ() -> None:
    """With one weight per place: HiResCAM w·x, Grad-CAM mean(w)·x, LayerCAM only where w is positive."""
    network = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        network[2].weight.copy_(torch.tensor([[1.0, -2.0, 3.0, 6.0]]))
    picture = torch.tensor([[[4.0, 3.0], [2.0, -1.0]]])
    assert heatmap(network, picture).map.tolist() == [[4, -6], [6, 0]]
    assert heatmap(network, picture, "gradcam").map.tolist() == [[8, 6], [4, 0]]
    assert heatmap(network, picture, "layercam").map.tolist() == [[4, 0], [6, 0]]
    assert heatmap(network, picture, "gradient").map.tolist() == [[1, 2], [3, 0]]


def test_occlusion_worked_by_hand() -> None:
    """The score is the sum of the pixels, so a covered window costs its sum; overlaps are averaged."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    nn.init.ones_(network[1].weight)
    picture = torch.tensor([[[1.0, 2.0, 3.0, 10.0]]])
    assert heatmap(network, picture, "occlusion", window=(1, 2), stride=1).map.tolist() == [[3, 4, 9, 13]]
    assert heatmap(network, picture, "occlusion", window=1, baseline=2.0).map.tolist() == [[-1, 0, 1, 8]]
    assert heatmap(network, picture, "occlusion", window=1, baseline="mean").map.tolist() == [[-3, -2, -1, 6]]


class Largest(TorchFunctionMode):
    """Remembers the bytes of the largest tensor that is made inside."""

    bytes = 0

    def __torch_function__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        made = func(*args, **(kwargs or {}))
        self.bytes = max(self.bytes, made.nbytes if isinstance(made, Tensor) else 0)
        return made


def test_occlusion_needs_little_memory() -> None:
    """The masks of all 256 windows together would take 15 MB here; they come in parts. Each window costs its sum."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(240 * 250, 1, bias=False))
    nn.init.ones_(network[1].weight)
    picture = (torch.arange(240.0 * 250) % 7).reshape(1, 240, 250)
    with Largest() as largest:
        found = heatmap(network, picture, "occlusion", window=15, stride=15).map
    assert largest.bytes < 5e6
    sums = F.unfold(picture[None, :, :, :240], 15, stride=15).sum(1).reshape(16, 16)
    assert np.array_equal(found[7::15, 7:240:15], sums)


@pytest.mark.parametrize(
    ("method", "settings", "rule"),
    [
        ("integrated_gradients", {"steps": 0}, "one step at least"),
        ("occlusion", {"places": 0}, "one place at least"),
        ("occlusion", {"window": (3,)}, "fits into the picture"),
        ("occlusion", {"stride": (1, 1, 1)}, "fits into the picture"),
    ],
)
def test_settings_that_cannot_be_are_refused(method: str, settings: dict, rule: str) -> None:
    """With what was received, where arithmetic would have ended in an error of its own."""
    with pytest.raises(StriateError, match=rule):
        heatmap(*hand(), method, **settings)


def test_a_norm_without_statistics_sees_one_picture_at_a_time() -> None:
    """It takes those of its batch, so that other covered pictures beside it would change a score."""
    network = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten(), nn.Linear(8, 1)
    )
    picture = torch.tensor([[[4.0, 3.0], [2.0, -1.0]]])
    covered = torch.where(torch.eye(4, dtype=torch.bool).reshape(4, 1, 2, 2), 0.0, picture)
    drops = [(network(picture[None]) - network(one[None])).item() for one in covered]
    found = heatmap(network, picture, "occlusion", window=1, stride=1)
    np.testing.assert_allclose(found.map.ravel(), drops, atol=1e-6)


def test_the_map_is_drawn_large_between_the_middles_of_its_cells() -> None:
    """Two cells on four pixels: 0, 1/4, 3/4, 1; along one, two and three axes."""
    assert enlarge(np.array([0.0, 1.0]), (4,)).tolist() == [0, 0.25, 0.75, 1]
    assert enlarge(np.array([[0.0, 1.0]]), (2, 4)).tolist() == [[0, 0.25, 0.75, 1]] * 2
    assert enlarge(np.array([[[0.0, 1.0]]]), (1, 2, 4)).tolist() == [[[0, 0.25, 0.75, 1]] * 2]


# ---- identities


@pytest.mark.parametrize("name", ["series", "four channels", "volume"])
def test_grad_cam_is_hirescam_under_a_mean(name: str) -> None:
    """With global average pooling and one dense layer the gradient is the same at every place."""
    network, picture = case(name)
    maps = [heatmap(network, picture, method, score=2).map for method in ("gradcam", "hirescam")]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-7)
    assert np.ptp(maps[0]) > 0


def test_the_two_differ_where_every_place_has_its_weight() -> None:
    """Flattened maps: one gradient per place, of which Grad-CAM takes the mean."""
    maps = [heatmap(*case("colour"), method).map for method in ("gradcam", "hirescam")]
    assert np.abs(maps[0] - maps[1]).max() > 0.1 * np.abs(maps[1]).max()


@pytest.mark.parametrize("name", list(CASES))
def test_hirescam_adds_up_to_the_logit(name: str) -> None:
    """One dense layer after the maps: the map's sum and the bias are the score."""
    network, picture = case(name)
    for score in range(3):
        found = heatmap(network, picture, score=score)
        logit = network(picture[None])[0, score].item()
        assert found.score == pytest.approx(logit, abs=1e-6)
        assert found.total + network[-1].bias[score].item() == pytest.approx(logit, abs=1e-5)
        assert found.map.sum() == pytest.approx(found.total, abs=1e-5)


@pytest.mark.parametrize("name", list(CASES))
def test_integrated_gradients_add_up_to_the_difference(name: str) -> None:
    """The map's sum is f(picture) - f(baseline), up to the gap that is said."""
    network, picture = case(name)
    found = heatmap(network, picture, "integrated_gradients", score=1, versus=0, baseline=0.5, steps=400)
    with torch.no_grad():
        (after, before) = network(torch.stack([picture, torch.full_like(picture, 0.5)])).double()
    difference = (after[1] - after[0] - before[1] + before[0]).item()
    assert found.total == pytest.approx(difference, abs=2e-3)
    assert found.gap == pytest.approx(found.total - difference, abs=1e-5)
    assert found.baseline == "0.5 everywhere"
    assert found.warning == ""


def test_a_wide_gap_is_said() -> None:
    """One step cannot follow a score that jumps on the way: the sum misses, and the warning gives both numbers."""

    class Step(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(40 * (x - 0.75)).flatten(1) + 0

    found = heatmap(Step(), torch.ones(1, 1, 1), "integrated_gradients", steps=1)
    assert found.gap == pytest.approx(-1, abs=0.01)
    assert "instead of 1" in found.warning


@pytest.mark.parametrize("name", list(CASES))
def test_covering_everything_costs_the_whole_difference(name: str) -> None:
    """One window over the whole picture: every pixel gets f(picture) - f(fill)."""
    network, picture = case(name)
    fill = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    found = heatmap(network, picture, "occlusion", window=picture.shape[1:], baseline=fill, score=0)
    with torch.no_grad():
        whole, covered = network(torch.stack([picture, fill]))[:, 0].tolist()
    np.testing.assert_allclose(found.map, whole - covered, atol=1e-6)
    assert found.map.shape == picture.shape[1:]


@pytest.mark.parametrize("method", list(METHODS))
def test_a_network_of_zeros_has_an_empty_map(method: str) -> None:
    """Without weights there is no evidence, and the warning says that the map is empty."""
    network, picture = case("colour")
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    found = heatmap(network, picture, method)
    assert not found.map.any()
    assert "zero everywhere" in found.warning


@pytest.mark.parametrize("method", list(METHODS))
def test_a_constant_in_the_last_bias_changes_nothing(method: str) -> None:
    """The score rises by 7, its causes do not."""
    network, picture = case("grey")
    before = heatmap(network, picture, method)
    with torch.no_grad():
        network[-1].bias += 7
    after = heatmap(network, picture, method)
    assert after.score == pytest.approx(before.score + 7, abs=1e-5)
    np.testing.assert_allclose(after.map, before.map, atol=1e-5)


# ---- Captum


@pytest.mark.parametrize("name", list(CASES))
def test_equal_to_captum(name: str) -> None:
    """Within 1e-5 of the largest value; HiResCAM is there as gradient times activation."""
    attr = captum()
    network, picture = case(name)
    batch, layer = picture[None].requires_grad_(), network[last_map(network)]
    at = {"layer": str(last_map(network)), "score": 2}
    window, stride = ((3,) * (picture.ndim - 1), (2,) * (picture.ndim - 1))
    expected = {
        "gradcam": attr.LayerGradCam(network, layer).attribute(batch, 2)[0, 0],
        "hirescam": attr.LayerGradientXActivation(network, layer).attribute(batch, 2)[0].sum(0),
        "gradient": attr.Saliency(network).attribute(batch, 2)[0].amax(0),
        "integrated_gradients": attr.IntegratedGradients(network).attribute(batch, 0.2, 2, n_steps=50)[0].sum(0),
        "occlusion": attr.Occlusion(network).attribute(
            batch, (len(picture), *window), (len(picture), *stride), baselines=0.2, target=2
        )[0, 0],
    }
    found = {
        "gradcam": heatmap(network, picture, "gradcam", **at),
        "hirescam": heatmap(network, picture, "hirescam", **at),
        "gradient": heatmap(network, picture, "gradient", score=2),
        "integrated_gradients": heatmap(network, picture, "integrated_gradients", score=2, baseline=0.2, steps=50),
        "occlusion": heatmap(network, picture, "occlusion", score=2, baseline=0.2, window=window, stride=stride),
    }
    for method, values in expected.items():
        scale = float(values.detach().abs().max())
        np.testing.assert_allclose(found[method].map, values.detach().numpy(), atol=1e-5 * scale, err_msg=method)


# ---- what is asked


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "occlusion", "integrated_gradients"])
def test_one_class_against_another(method: str) -> None:
    """The map of a difference is the difference of the maps, as these methods are linear in the score."""
    network, picture = case("colour")
    maps = [heatmap(network, picture, method, score=score).map for score in (2, 0)]
    both = heatmap(network, picture, method, score=2, versus=0)
    np.testing.assert_allclose(both.map, maps[0] - maps[1], atol=1e-5)
    assert both.target == "class 2 minus class 0"


def test_any_number_of_the_output_can_be_asked_about() -> None:
    """A network that gives a map per class: the mean of one class over one corner needs only that corner's pixels."""
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    picture = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(1))
    for method in ("gradient", "hirescam", "occlusion"):
        settings = {"window": 1} if method == "occlusion" else {}
        found = heatmap(network, picture, method, score=lambda output: output[1, :4, :4].mean(), **settings)
        assert np.abs(found.on_picture[:4, :4]).max() > 0
        assert (
            np.abs(found.on_picture[5:, 5:]).max() < 1e-7
        )  # occlusion: scores of two batches, so they may round apart
        assert found.target == "a score of your own"
    with pytest.raises(StriateError, match="row of numbers"):
        heatmap(network, picture, score=1)
    with pytest.raises(StriateError, match="one number"):
        heatmap(network, picture, score=lambda output: output[1])


@pytest.mark.parametrize("closing", [nn.Softmax(1), nn.LogSoftmax(1), nn.Sigmoid()])
@pytest.mark.parametrize("method", list(METHODS))
def test_a_closing_softmax_is_left_out(method: str, closing: nn.Module) -> None:
    """Scores are logits: the maps are those of the network without its last module."""
    network, picture = case("grey")
    closed = nn.Sequential(*network, closing)
    without, found = heatmap(network, picture, method, score=1), heatmap(closed, picture, method, score=1)
    np.testing.assert_array_equal(found.map, without.map)
    assert found.score == without.score
    assert not closing._forward_hooks


def test_a_sigmoid_within_stays() -> None:
    """Only the module whose one call gives the output is left out, not a gate inside."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.gate = nn.Conv1d(1, 2, 3), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            return self.gate(self.gate(self.conv(x)).mean(2))

    network, picture = Gated(), torch.ones(1, 8)
    expected = network(picture[None])[0, 0].item()
    assert heatmap(network, picture, "gradient", score=0).score == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_notebook_shows_the_map_on_the_picture(name: str) -> None:
    """A picture in its form, orange where evidence for the score lies; a series as a line, of a block the middle. The
    text is short."""
    network, picture = case(name)
    found = heatmap(network, picture, "occlusion", score=0, places=16)
    assert len(repr(found)) < 400
    shown = np.asarray(Image.open(io.BytesIO(found._repr_png_()))).astype(int)
    if picture.ndim != 3:
        assert shown.shape[1] / shown.shape[0] == pytest.approx(480 / 200 if picture.ndim == 2 else 1, abs=0.5)
        return
    times = 256 // max(picture.shape[1:])
    assert shown.shape == (*(times * side for side in picture.shape[1:]), 3)
    most, least = (np.unravel_index(at, found.on_picture.shape) for at in (found.map.argmax(), found.map.argmin()))
    red, _, blue = shown[::times, ::times][most]
    assert red > blue
    assert found.map.min() > 0 or np.diff(shown[::times, ::times][least][[0, 2]]) > 0


# ---- layers


class Branched(nn.Module):
    """Functional and in-place activations, a sum of branches, and a branch that the score never sees."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.unused = (nn.Conv2d(1, 1, 1, bias=False) for _ in range(3))
        for conv, weight in ((self.first, 1.0), (self.second, 2.0), (self.unused, 1.0)):
            nn.init.constant_(conv.weight, weight)

    def forward(self, x: Tensor) -> Tensor:
        before = self.first(x - 2)
        after = F.relu(before, inplace=True)
        both = after + self.second(x)
        self.kept = self.unused(both)
        return both.mean((2, 3))


def test_layers_inside_a_branched_network() -> None:
    """The values before an in-place ReLU are still those of the convolution; unused branches are passed over."""
    picture = torch.arange(4.0).reshape(1, 2, 2)
    assert heatmap(Branched(), picture).layer == "add"
    assert (heatmap(Branched(), picture).map * 4).tolist() == [[0, 2], [4, 7]]
    assert (heatmap(Branched(), picture, layer="first").map * 4).tolist() == [[0, 0], [0, 1]]
    with pytest.raises(StriateError, match="lead to the score"):
        heatmap(Branched(), picture, layer="unused")


@pytest.mark.parametrize("method", ["hirescam", "gradcam", "layercam"])
def test_all_members_of_an_ensemble_count(method: str) -> None:
    """The map is the sum of those of every member's last layer, and HiResCAM's adds up to the mean of their logits."""
    network = build("ensemble 3 (conv 4 3, relu, conv 5 3, globalavgpool, dense classes)", (1, 6, 7), 2, seed=3)
    x = torch.randn(1, 6, 7, generator=torch.Generator().manual_seed(1))
    drawn = heatmap(network, x, method, score=1)
    each = [heatmap(network, x, method, score=1, layer=f"ensemble1.{member}.conv2").map for member in (1, 2, 3)]
    assert drawn.layer == "ensemble1.*.conv2"
    assert np.allclose(drawn.map, sum(each), atol=1e-6)
    assert np.array_equal(heatmap(network, x, score=1, method=method, layer=drawn.layer).map, drawn.map)
    if method == "hirescam":  # biases are 0 at first
        assert drawn.total == pytest.approx(float(network(x[None]).detach()[0, 1]), abs=1e-5)
    with pytest.raises(StriateError, match="a layer is a name"):
        heatmap(network, x, method, layer="ensemble1.*.conv7")


def test_a_layer_by_name_or_number() -> None:
    """Both name the same layer; a wrong one is answered with the nearest, a layer without places with the choice."""
    network, picture = case("colour")
    by_name, by_number = heatmap(network, picture, layer="1"), heatmap(network, picture, layer=1)
    assert by_name.layer == by_number.layer == "1"
    np.testing.assert_array_equal(by_name.map, by_number.map)
    assert by_name.map.shape == (12, 10)
    with pytest.raises(StriateError, match="from 0 to 6"):
        heatmap(network, picture, layer="convolution")
    with pytest.raises(StriateError, match="choose one of 0, 1, 2, 3, 4"):
        heatmap(network, picture, layer="6")


class Turned(nn.Module):
    """Maps whose channels come to stand last, then a layer there: a norm, a recurrent layer, or attention."""

    def __init__(self, conv: nn.Module, layer: nn.Module) -> None:
        super().__init__()
        self.conv, self.layer, self.back = conv, layer, nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        places = self.conv(x).movedim(1, -1)
        given = places.flatten(1, -2) if isinstance(self.layer, nn.MultiheadAttention) else places
        made = self.layer(*[given] * (3 if given is not places else 1))
        made = made[0] if isinstance(made, tuple) else made
        if given is places:
            return self.back(F.relu(made).flatten(1, -2).mean(1))
        return self.back(F.relu(made.mT.unflatten(2, x.shape[2:])).mean((2, 3)))


@pytest.mark.parametrize(
    ("network", "shape", "last", "grid", "wrong"),
    [
        (Turned(nn.Conv2d(1, 24, 3, padding=1), nn.LayerNorm(24)), (1, 8, 10), "conv", (8, 10), "layer"),
        (Turned(nn.Conv1d(2, 6, 3), nn.GRU(6, 24, batch_first=True)), (2, 30), "conv", (28,), "layer.gru"),
        (
            Turned(nn.Conv2d(1, 24, 1), nn.MultiheadAttention(24, 2, batch_first=True)),
            (1, 4, 6),
            "relu",
            (4, 6),
            "back",
        ),
    ],
    ids=["norm", "recurrent", "attention"],
)
def test_a_map_lies_as_the_picture_does(
    network: nn.Module, shape: tuple[int, ...], last: str, grid: tuple[int, ...], wrong: str
) -> None:
    """Where channels stand last a layer has the right number of axes, but not the picture's: it is passed over, and
    refused by name. Places that were put into a row and back count again."""
    found = heatmap(network, torch.randn(shape, generator=torch.Generator().manual_seed(1)))
    assert (found.layer, found.map.shape) == (last, grid)
    with pytest.raises(StriateError, match="lie as the picture does"):
        heatmap(network, torch.ones(shape), layer=wrong)


@pytest.mark.parametrize(
    ("line", "layer"),
    [
        ("ensemble 2 (conv 4 3, relu, conv classes 1)", "ensemble1.*.relu1"),
        ("conv 4 3, relu, conv classes 1, scale 0.5", "relu1"),
        ("conv classes 1", "conv1"),
    ],
)
def test_the_usual_layer_is_not_the_answer_itself(line: str, layer: str) -> None:
    """A map of the answer explains nothing; it is taken only where there is no other."""
    network = nn.Sequential(build(line, (1, 6, 7), 2), nn.Identity()) if layer == "conv1" else build(line, (1, 6, 7), 2)
    found = heatmap(network, torch.ones(1, 6, 7), score=lambda output: output[1].mean())
    assert found.layer == ("0.conv1" if layer == "conv1" else layer)


def test_layercam_says_what_is_held_against_it() -> None:
    """It carries its warning always, is never negative, and says so when nothing is left."""
    network, picture = hand()
    found = heatmap(network, picture, "layercam")
    assert not found.signed
    assert "hardly changes" in found.warning
    empty = heatmap(network, picture, "layercam", score=1)
    assert not empty.map.any()
    assert "zero everywhere" in empty.warning


def test_a_map_with_evidence_against_only_is_said() -> None:
    """Cut at zero, as Grad-CAM is often drawn, it would be empty; here the negative values stay."""
    found = heatmap(*hand(), "gradcam", score=1)
    assert found.total == -120
    assert "cut at zero" in found.warning


def test_weights_that_are_no_numbers_are_said() -> None:
    """A broken network gives a map with a warning, not an error."""
    network, picture = hand()
    nn.init.constant_(network[0].bias, float("nan"))
    assert "no finite numbers" in heatmap(network, picture).warning


# ---- the network stays as it was


def state(network: nn.Module) -> tuple:
    return (
        [module.training for module in network.modules()],
        [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in network.modules()],
        [(id(p), p.requires_grad, p.tolist()) for p in network.parameters()],
        [None if p.grad is None else p.grad.tolist() for p in network.parameters()],
        [b.tolist() for b in network.buffers()],
        torch.get_rng_state().tolist(),
    )


@pytest.mark.parametrize("method", list(METHODS))
def test_looking_leaves_the_network_as_found(method: str) -> None:
    """Mode of each module, hooks, weights, gradients, running statistics and the random state; after errors too."""
    network, picture = case("four channels")
    network.append(nn.Softmax(1)).train()
    network[1].eval()
    network[0].weight.requires_grad_(False)
    network[3].weight.grad = torch.ones_like(network[3].weight)
    before, kept = state(network), picture.clone()
    heatmap(network, picture, method, score=1)
    assert state(network) == before
    with pytest.raises(StriateError, match="from 0 to 2"):
        heatmap(network, picture, method, score=3)
    assert state(network) == before
    assert torch.equal(picture, kept)


@pytest.mark.parametrize("method", list(METHODS))
def test_wherever_it_is_called(method: str) -> None:
    """With gradients off, in inference mode, in double precision, with a batch axis: the same map."""
    network, picture = case("four channels")
    expected = heatmap(network, picture, method).map
    with torch.no_grad():
        np.testing.assert_array_equal(heatmap(network, picture[None], method).map, expected)
    with torch.inference_mode():
        np.testing.assert_array_equal(heatmap(network, picture, method).map, expected)
    with torch.autocast("cpu"):
        np.testing.assert_array_equal(heatmap(network.requires_grad_(False), picture, method).map, expected)
    np.testing.assert_array_equal(heatmap(network.double(), picture.double(), method).map, expected)


def test_mistakes_are_answered() -> None:
    """Unknown methods, settings and baselines, and windows that do not fit."""
    network, picture = case("grey")
    with pytest.raises(StriateError, match="did you mean 'gradcam'"):
        heatmap(network, picture, "gradcan")
    with pytest.raises(StriateError, match=r"hirescam takes layer\. received: steps"):
        heatmap(network, picture, steps=3)
    with pytest.raises(StriateError, match="fits into the picture"):
        heatmap(network, picture, "occlusion", window=11)
    with pytest.raises(StriateError, match="leaves no gaps"):
        heatmap(network, picture, "occlusion", window=2, stride=3)
    with pytest.raises(StriateError, match="one to three spatial axes"):
        heatmap(nn.Linear(4, 2), torch.zeros(1, 1, 1, 1, 2, 4), "gradient")
    with pytest.raises(StriateError, match="number, mean or a picture"):
        heatmap(network, picture, "occlusion", baseline="blurr")
    with pytest.raises(StriateError, match="has the shape of the picture"):
        heatmap(network, picture, "integrated_gradients", baseline=torch.zeros(1, 3, 3))


def test_the_public_name() -> None:
    """striate.heatmap is this function, and every method says what it is."""
    assert striate.heatmap is heatmap
    assert all(method.label and method.note for method in METHODS.values())


@pytest.mark.parametrize("name", [name for name in CASES if name != "volume"])
def test_without_a_score_the_class_that_the_network_names_is_explained(name: str) -> None:
    """Not class 0 whatever it says; and what is asked of another network, as `trust` does, is the same class."""
    network, picture = case(name)
    for shift in range(3):  # each class is named once
        with torch.no_grad():
            network[-1].bias.copy_(10 * F.one_hot(torch.tensor(shift), 3))
        found = heatmap(network, picture)
        assert found.request["score"] == network(picture[None])[0].argmax() == shift
        assert np.array_equal(found.map, heatmap(network, picture, score=shift).map)


@pytest.mark.parametrize("name", CASES)
def test_an_array_is_explained_as_a_tensor_is(name: str) -> None:
    """NumPy's arrays of any number type and strides, of which torch refuses those that run backwards."""
    network, picture = case(name)
    array = picture.numpy().astype(">f8")[..., ::-1]
    for method in METHODS:
        if (name, method) != ("volume", "occlusion"):  # which takes long
            expected = heatmap(network, picture.flip(-1), method).map
            assert np.array_equal(heatmap(network, array, method).map, expected)
    assert np.array_equal(striate.trace(network, array).output, striate.trace(network, picture.flip(-1)).output)
