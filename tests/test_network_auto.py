"""The U-Net of `auto`: its maps, its weights, and that the glass box sees through it."""

import numpy as np
import pytest
import torch

from striate.errors import StriateError
from striate.inside.trace import trace
from striate.network.auto import unet_line
from striate.network.build import build
from striate.network.summary import summarise, summary_text
from striate.network.text import parse, to_text

SIZES = [(2, 2), (9, 17), (16, 16), (31, 64), (64, 48), (100, 129)]


@pytest.mark.parametrize("size", SIZES)
def test_every_size_gets_maps_of_its_own_size(size: tuple[int, int]) -> None:
    """One map per class at full size, also where pools do not divide the sides, in text that reads back to itself."""
    line = unet_line(3, *size, 8)
    assert to_text(parse(line)) == line
    network = build(line, (3, *size), 5)
    assert network.output_shape == (5, *size)
    assert network(torch.zeros(2, 3, *size)).shape == (2, 5, *size)
    assert network.eval()(torch.zeros(1, 3, size[0] + 5, size[1] + 3)).shape == (1, 5, size[0] + 5, size[1] + 3)


def test_the_smallest_maps_are_eight_pixels_and_more() -> None:
    """Halvings, of which a stride is the first, stop there, and at four; pictures of one pixel are refused."""
    for side, halvings in ((15, 0), (16, 1), (64, 3), (128, 4), (2000, 4)):
        line = unet_line(1, side, side, 8)
        assert line.count("maxpool") + line.count("stride=2") == halvings
    with pytest.raises(StriateError, match="at least 2×2 pixels"):
        unet_line(1, 1, 50, 8)


def test_weights_are_as_many_as_counted_by_hand() -> None:
    """A stem, one pool between a convolution and one over both, what comes to full size, and the answer."""
    network = build(unet_line(1, 32, 32, 8), (1, 32, 32), 3)
    inside = 4 * 4 * 16 + (16 * 16 + 16 * 32 + (16 + 32) * 16) * 9 + 2 * (16 + 16 + 32 + 16)
    expected = inside + 16 * 16 + 16 + (1 + 16) * 3 * 9 + 3
    assert sum(weights.numel() for weights in network.parameters()) == expected
    assert str(f"{expected:,} parameters") in summary_text(network, (1, 32, 32))
    assert summarise(network, (1, 32, 32))[-1].output_shape == (3, 32, 32)


def test_the_answer_of_a_pixel_follows_from_what_it_sees() -> None:
    """Norms apart, a pixel outside the field that is told changes nothing; the ledger of a pixel adds up."""
    torch.manual_seed(0)
    plain = unet_line(1, 64, 64, 8).replace(" groupnorm,", "")
    network = build(plain, (1, 64, 64), 2).eval()
    picture = torch.rand(1, 64, 64)
    seen = trace(network, picture)
    last = len(seen.layers) - 1
    assert seen.maps(last).shape == (2, 64, 64)
    y0, y1, x0, x1 = seen.field(last, 2, 2)
    changed = picture.clone()
    outside = np.ones((64, 64), bool)
    outside[y0:y1, x0:x1] = False
    changed[0, torch.from_numpy(outside)] = 0.5
    with torch.no_grad():
        before, after = network(torch.stack([picture, changed]))
    assert torch.allclose(before[:, 2, 2], after[:, 2, 2], atol=1e-5)
    assert not torch.equal(before, after)
    network = build(unet_line(1, 64, 64, 8), (1, 64, 64), 2).eval()
    seen = trace(network, picture)
    last = len(seen.layers) - 1
    assert seen.field(last, 2, 2) == (0, 64, 0, 64)
    for layer in (last, next(item.index for item in seen.layers if item.kind == "groupnorm")):
        told = seen.explain(layer, 1, 20, 30)
        assert told.available
        assert told.value == pytest.approx(float(seen.maps(layer)[1, 20, 30]), abs=1e-4)
