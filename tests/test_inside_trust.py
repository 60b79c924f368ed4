"""The trust panel: an edge filter posing as an explanation is marked, the map of a trained network is not."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from striate.errors import StriateError
from striate.inside import filters
from striate.inside.heatmap import heatmap
from striate.inside.trust import SHARES, TWINS, judge, randomised, rank_correlation, sobel, trust

# Two shapes to tell apart, and a third that is in every picture: just as edgy, and no evidence for anything.
CROSS = ["  ##  ", "  ##  ", "######", "######", "  ##  ", "  ##  "]
FRAME = ["######", "######", "##  ##", "##  ##", "######", "######"]
DECOY = ["##    ", "###   ", " ###  ", "  ### ", "   ###", "    ##"]
SHAPES = [np.array([[cell == "#" for cell in row] for row in rows], np.float32) for rows in (CROSS, FRAME, DECOY)]


def drawn(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(N, 1, 24, 24) noise with a cross (class 0) or a frame (1), and a decoy beside it; (N,) classes."""
    random = np.random.default_rng(seed)
    pictures = random.normal(0, 0.15, (count, 1, 24, 24)).astype(np.float32)
    for number in range(count):
        rows = random.permutation(3)[:2] * 8 + random.integers(0, 3, 2)
        for shape, row, column in zip((number % 2, 2), rows, random.integers(0, 18, 2), strict=True):
            pictures[number, 0, row : row + 6, column : column + 6] += SHAPES[shape]
    return torch.from_numpy(pictures), torch.arange(count) % 2


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A small network that tells crosses from frames; it trains for about two seconds."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(16, 2),
        )  # fmt: skip
        pictures, classes = drawn(256, 0)
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        for _ in range(15):
            for rows in torch.randperm(256).split(32):
                optimizer.zero_grad()
                F.cross_entropy(network(pictures[rows]), classes[rows]).backward()
                optimizer.step()
        optimizer.zero_grad()
    pictures, classes = drawn(64, 1)
    assert (network.eval()(pictures).argmax(1) == classes).float().mean() > 0.95
    return network


PICTURES, CLASSES = drawn(6, 1)
NUMBERS = range(6)


def against(number: int) -> dict[str, int]:
    return {"score": int(CLASSES[number]), "versus": 1 - int(CLASSES[number])}


def edges_of(number: int) -> np.ndarray:
    return sobel(PICTURES[number, 0].double().numpy())


# ---- what is marked and what is not


@pytest.mark.parametrize("number", NUMBERS)
def test_an_edge_filter_posing_as_an_explanation_is_marked(trained: nn.Module, number: int) -> None:
    """The same picture whatever the weights are: correlation 1, and the verdict says so."""
    edges = edges_of(number)
    found = judge(trained, PICTURES[number], edges, lambda network: edges, **against(number))
    assert found.failed
    assert found.correlation == found.edges == pytest.approx(1)
    assert "does not depend on the weights" in found.verdict
    assert any("no better than an edge filter" in warning for warning in found.warnings)
    assert np.array_equal(found.deletion["map"], found.deletion["edges"])


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_edges_without_a_method_are_marked_too(trained: nn.Module, blur: float) -> None:
    """Numbers alone cannot be drawn again on other weights; that they are edges, also blurred ones, is seen."""
    for number in NUMBERS:
        edges = scipy.ndimage.gaussian_filter(edges_of(number), blur)
        found = judge(trained, PICTURES[number], edges, **against(number))
        assert found.failed
        assert "edge filter" in found.verdict
        assert found.twin is None
        assert np.isnan(found.correlation)


def test_the_map_of_a_trained_network_is_not_marked(trained: nn.Module) -> None:
    """HiResCAM changes with the weights everywhere, and beats chance and edges on nearly every picture."""
    panels = [trust(trained, PICTURES[n], heatmap(trained, PICTURES[n], **against(n))) for n in NUMBERS]
    assert not any(panel.failed for panel in panels)
    assert all(abs(panel.correlation) < 0.6 for panel in panels)
    clean = [panel for panel in panels if not panel.warnings]
    assert len(clean) >= len(panels) - 1
    assert "no proof that the network reasons as you do" in clean[0].verdict
    assert clean[0].verdict.startswith(("Shows where evidence for class 0", "Shows where evidence for class 1"))


def test_chance_is_marked(trained: nn.Module) -> None:
    """Maps drawn by lot, anew for each network, do not ignore the weights and still name no evidence."""
    random = np.random.default_rng(5)
    panels = [
        judge(trained, PICTURES[n], random.random((6, 6)), lambda _: random.random((6, 6)), **against(n))
        for n in NUMBERS
    ]
    assert not any(panel.failed for panel in panels)
    assert sum("no better than chance" in panel.verdict for panel in panels) >= len(panels) - 2


def test_an_even_map_is_marked(trained: nn.Module) -> None:
    """A map without places, or without numbers, has nothing to judge: no correlation, and no crash."""
    for value in (0.0, 3.0, np.nan):
        found = judge(trained, PICTURES[0], np.full((6, 6), value), lambda network: np.zeros((6, 6)))
        assert found.failed
        assert np.isnan([found.correlation, found.agreement]).all()
        assert "the same everywhere" in found.verdict


def test_warnings_of_the_map_stay(trained: nn.Module) -> None:
    """What the method says against itself is among the warnings."""
    heat = heatmap(trained, PICTURES[0], "layercam", **against(0))
    assert heat.warning in trust(trained, PICTURES[0], heat).warnings


def test_a_map_of_another_rank_is_refused(trained: nn.Module) -> None:
    """A map with channels is none."""
    with pytest.raises(StriateError, match="one axis per axis"):
        judge(trained, PICTURES[0], np.zeros((1, 6, 6)))


# ---- its parts


def test_rank_correlation_is_scipys() -> None:
    """With and without ties; an even map has none."""
    random = np.random.default_rng(0)
    for high in (3, 1000):
        first, second = random.integers(0, high, (2, 7, 9))
        expected = scipy.stats.spearmanr(first.ravel(), second.ravel()).statistic
        assert rank_correlation(first, second) == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    assert np.isnan(rank_correlation(first, np.ones((7, 9))))
    assert np.isnan(rank_correlation(first, 1 + 1e-9 * second))


def test_the_edge_filter_is_sobels() -> None:
    """Ours by hand for pictures; a slope of 3 is worth 2 · 3, four times as much for each axis beside its own."""
    picture = np.random.default_rng(0).random((9, 12))
    np.testing.assert_allclose(sobel(picture), filters.sobel(picture, padding="reflect"), atol=1e-12)
    for shape in ((20,), (7, 9), (5, 6, 7)):
        inner = (slice(1, -1),) * len(shape)
        for slope in np.indices(shape, np.float64):
            np.testing.assert_allclose(sobel(3 * slope)[inner], 6 * 4 ** (len(shape) - 1))


def test_curves_worked_by_hand() -> None:
    """The score is the sum of four pixels 8 4 2 6 (mean 5): the pixels of a linear network go and come in the order
    of their worth, and the areas are those of the trapezoids."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(10, 1, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 1, 1, 1, 0, 0, 0, 0, 0, 0]]))
    picture = torch.tensor([[[8.0, 4, 2, 6, 5, 5, 5, 5, 5, 5]]])
    found = judge(network, picture, np.array([[10, 8, 7, 9, 6, 5, 4, 3, 2, 1]]))
    assert found.fill == "the mean of each channel"
    np.testing.assert_allclose(found.deletion["map"], [20, 17, 16, 17, 20, 20, 20, 20, 20, 20, 20], atol=1e-5)
    np.testing.assert_allclose(found.insertion["map"], [20, 23, 24, 23, 20, 20, 20, 20, 20, 20, 20], atol=1e-5)
    assert found.areas["deletion"]["map"] == pytest.approx(19)
    assert found.areas["insertion"]["map"] == pytest.approx(21)
    assert found.areas["insertion"]["random"] == pytest.approx(np.trapezoid(found.insertion["random"], SHARES))


def test_the_twin_knows_nothing_and_is_alive() -> None:
    """Every weight is drawn anew, frozen ones too, as large as before; statistics fit the new weights; the network
    itself keeps its own."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
    ).eval()
    network[0].weight.requires_grad_(False).mul_(30)
    network[1].running_mean.fill_(-500)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    picture = PICTURES[:1]
    twin = randomised(network, picture, 0)
    for old, new in zip(network.parameters(), twin.parameters(), strict=True):
        if old.ndim > 1:
            assert abs(rank_correlation(old.detach().numpy(), new.detach().numpy())) < 0.3
            assert new.std().item() == pytest.approx(old.std().item(), rel=0.25)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module.training for module in twin.modules())
    alive = (twin(picture) > 0).float().mean()
    assert 0.2 < alive < 0.8
    other = randomised(network, picture, 1)
    assert not torch.equal(twin[0].weight, other[0].weight)
    assert torch.equal(twin[0].weight, randomised(network, picture, 0)[0].weight)


def test_agreement_is_with_another_kind_of_method(trained: nn.Module) -> None:
    """Occlusion, in some 64 windows, stands beside the others, and HiResCAM beside occlusion."""
    hires, occlusion = (heatmap(trained, PICTURES[0], method, **against(0)) for method in ("hirescam", "occlusion"))
    wide = heatmap(trained, PICTURES[0], "occlusion", places=64, **against(0))
    for heat, other, name in ((hires, wide, "occlusion"), (occlusion, hires, "hirescam")):
        panel = trust(trained, PICTURES[0], heat)
        assert panel.other == name
        assert panel.agreement == pytest.approx(rank_correlation(heat.on_picture, other.on_picture))


def test_a_network_without_maps_has_a_panel_too() -> None:
    """Dense layers alone have no map for HiResCAM: beside occlusion stand integrated gradients."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(PICTURES[0].numel(), 16), nn.ReLU(), nn.Linear(16, 2))
    heat = heatmap(network, PICTURES[0], "occlusion", places=64)
    panel = trust(network, PICTURES[0], heat)
    assert panel.other == "integrated_gradients"
    other = heatmap(network, PICTURES[0], "integrated_gradients").on_picture
    assert panel.agreement == pytest.approx(rank_correlation(heat.on_picture, other))


def test_the_twin_is_explained_in_the_same_way(trained: nn.Module) -> None:
    """Method, layer and settings of the map are those of its twin."""
    heat = heatmap(trained, PICTURES[0], "gradcam", layer="4", **against(0))
    panel = trust(trained, PICTURES[0], heat, seed=3)
    twins = [randomised(trained, PICTURES[:1], 3 + number) for number in range(TWINS)]
    maps = [heatmap(twin, PICTURES[0], "gradcam", layer="4", **against(0)).map for twin in twins]
    np.testing.assert_allclose(panel.twin, maps[0], atol=1e-6)
    assert panel.correlation == pytest.approx(np.mean([rank_correlation(heat.map, twin) for twin in maps]), abs=1e-6)


class Kept(nn.Module):
    """A stranger's network that keeps its last maps, which lie in a graph and cannot be copied as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.dense = nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        self.maps = F.relu(self.conv(x))
        return self.dense(self.norm(self.maps.mean(2)))


VOLUME = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2))


@pytest.mark.parametrize(
    ("network", "shape"),
    [(Kept(), (2, 30)), (Kept().double(), (2, 30)), (VOLUME, (1, 6, 7, 8))],
    ids=["series", "double", "volume"],
)
def test_series_and_volumes_and_the_network_stays_as_found(network: nn.Module, shape: tuple[int, ...]) -> None:
    """One and three axes; modes, hooks, weights, gradients, statistics and random state are untouched."""
    picture = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    network.train()
    network.get_submodule(next(name for name, _ in network.named_children())).eval()
    modes = [module.training for module in network.modules()]
    before, chance = {name: value.clone() for name, value in network.state_dict().items()}, torch.get_rng_state()
    heat = heatmap(network, picture, "gradient", score=1)
    with torch.inference_mode():
        panel = trust(network, picture, heat)
    assert np.isfinite([panel.correlation, panel.agreement, panel.edges]).all()
    assert panel.twin.shape == shape[1:]
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert torch.equal(torch.get_rng_state(), chance)


def test_a_seed_gives_the_same_panel(trained: nn.Module) -> None:
    """Twins, random maps and ties come from the seed."""
    heat = heatmap(trained, PICTURES[1], **against(1))
    first, again, other = (trust(trained, PICTURES[1], heat, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.twin, again.twin)
    assert np.array_equal(first.deletion["random"], again.deletion["random"])
    assert not np.array_equal(first.twin, other.twin)
    assert not np.array_equal(first.deletion["random"], other.deletion["random"])
