"""The catalogue: the tutorials' networks with the parameter counts that follow from their descriptions."""

import pytest
import torch

from striate.errors import StriateError
from striate.network.build import network
from striate.network.catalog import CATALOG, line_of
from striate.network.text import parse, to_text


def parameters(name: str) -> int:
    return sum(weights.numel() for weights in network(name).parameters())


def test_hela_has_9_868_586_parameters() -> None:
    """Two 4×4 "same" convolutions on 50×50, a 2×2 pool of stride 1 (49×49), dense 64 and dense 10."""
    first = 32 * (4 * 4 * 1) + 32
    second = 64 * (4 * 4 * 32) + 64
    dense = (49 * 49 * 64) * 64 + 64
    last = 64 * 10 + 10
    assert (first, second, dense, last) == (544, 32_832, 9_834_560, 650)
    assert parameters("hela") == first + second + dense + last == 9_868_586


def test_lenet5_has_61_706_parameters() -> None:
    """156 + 2,416 + 48,120 + 10,164 + 850, the third convolution fully connected as its 5×5 maps are."""
    counts = [6 * 25 + 6, 16 * 25 * 6 + 16, 120 * 25 * 16 + 120, 120 * 84 + 84, 84 * 10 + 10]
    assert counts == [156, 2_416, 48_120, 10_164, 850]
    assert parameters("lenet5") == sum(counts) == 61_706


def test_pilotnet_has_252_219_parameters() -> None:
    """Bojarski et al. 2016 report about 27 million connections and 250 thousand parameters; exactly 252,219."""
    convolutions = [24 * 75 + 24, 36 * 600 + 36, 48 * 900 + 48, 64 * 432 + 64, 64 * 576 + 64]
    dense = [1152 * 100 + 100, 100 * 50 + 50, 50 * 10 + 10, 10 + 1]
    assert parameters("pilotnet") == sum(convolutions) + sum(dense) == 252_219


def test_digits_and_binary100_by_hand() -> None:
    """28 → 14 → 7 with 64 maps of 7×7; and 98 → 32 → 30 → 10 → 8 → 2 with 128 maps of 2×2."""
    assert parameters("digits") == (32 * 9 + 32) + (64 * 288 + 64) + (64 * 49 * 64 + 64) + 650 == 220_234
    norms = 2 * (512 + 256 + 128)
    convolutions = (512 * 9 + 512) + (256 * 512 * 9 + 256) + (128 * 256 * 9 + 128)
    assert parameters("binary100") == convolutions + norms + (2 * 2 * 128 + 1) == 1_482_369


def test_deep_networks_have_the_published_sizes() -> None:
    """Those of the weights that are handed round for them, which were trained on ImageNet."""
    published = {
        "vgg16": 138_357_544, "vgg19": 143_667_240, "resnet18": 11_689_512, "resnet34": 21_797_672,
        "resnet50": 25_557_032, "resnet101": 44_549_160, "resnet152": 60_192_808,
    }  # fmt: skip
    with torch.device("meta"):  # shapes alone: drawing 446 million values proves nothing of their number
        assert {name: parameters(name) for name in published} == published


def test_resnet152_has_152_layers_of_weights() -> None:
    """Convolutions on the main path and the dense layer; the four shortcuts do not count."""
    with torch.device("meta"):
        made = network("resnet152")
    layers = [m for m in made.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(layers) - 4 == 152


@pytest.mark.parametrize("name", [name for name, entry in CATALOG.items() if entry.height <= 100])
def test_every_entry_runs_on_its_own_pictures(name: str) -> None:
    """A picture of the entry's shape gives the entry's number of outputs, and the line is in its written form."""
    entry = CATALOG[name]
    made = network(name).eval()
    with torch.no_grad():
        outputs = made(torch.zeros(2, entry.channels, entry.height, entry.width))
    assert outputs.shape == (2, entry.classes)
    assert to_text(parse(entry.line)) == entry.line


def test_line_of_names_and_lines() -> None:
    """A name gives its line, a line itself; anything else the nearest name."""
    assert line_of(" hela ") == CATALOG["hela"].line
    assert line_of("conv 8 kernel=3, relu") == "conv 8 3, relu"
    with pytest.raises(StriateError, match="did you mean 'hela'"):
        line_of("hella")
    with pytest.raises(StriateError, match="choose one of auto, hela, digits, binary100, pilotnet, lenet5"):
        line_of("xyz")
    with pytest.raises(StriateError, match="what auto stands for depends on the pictures"):
        network("auto", (1, 28, 28), 10)


def test_network_takes_shape_and_classes() -> None:
    """striate.network needs the pictures' shape for a line, and the number of classes where the word stands."""
    assert network("hela", classes=4).output_shape == (4,)
    assert network("hela", input_shape=(3, 20, 20), classes=4).input_shape == (3, 20, 20)
    assert network("conv 8 3, globalavgpool, dense classes", (1, 9, 9), 6).output_shape == (6,)
    assert network("conv 8 3, globalavgpool, dense 2", (1, 9, 9)).output_shape == (2,)
    with pytest.raises(StriateError, match="needs the shape of its pictures"):
        network("conv 8 3, relu")
    with pytest.raises(StriateError, match="a line with the word classes needs their number"):
        network("flatten, dense classes", (1, 9, 9))
