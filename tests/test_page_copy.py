"""What the page copies of a number computes it; and the page of a network that striate did not make."""

import contextlib
import io

import pytest
import torch
from browser import Browser, expect, number, visit
from torch import nn

import striate

LINES = """async (path) => {
  const { asNumpy } = await import("/copy.js"), { inPlane } = await import("/numbers.js");
  const { chain, lineage } = await (await fetch(path)).json();
  return asNumpy({ chain: chain.map(inPlane), lineage });
}"""


def own_network() -> nn.Module:
    """Plain torch, with a layer of every form that is copied."""
    torch.manual_seed(5)
    norms = nn.BatchNorm2d(3), nn.GroupNorm(1, 3)
    for values in (norms[0].running_mean, norms[0].running_var, norms[0].weight.data, norms[1].bias.data):
        values.uniform_(0.2, 0.9)
    layers = nn.Conv2d(1, 3, 3), norms[0], nn.GELU(), norms[1], nn.GELU(approximate="tanh"), nn.MaxPool2d(2)
    return nn.Sequential(*layers, nn.LeakyReLU(0.3), nn.Flatten(), nn.Softmax(1), nn.Linear(27, 3)).eval()


def test_a_network_of_ones_own_is_seen_and_copied(browser: Browser) -> None:
    """Every layer of a torch module is there; what is copied prints the stored number, computed from what is copied;
    softmax's ledger ends in the sum of all its numbers and in the stored share."""
    network, picture = own_network(), torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    page_server = striate.open(network, picture, classes=["x", "y", "z"], browser=False, block=False)
    with contextlib.closing(page_server), visit(browser, page_server.url) as page:
        expect(page.locator(".picture-name")).to_have_text("array/0")
        first = page.evaluate("fetch('/api/model').then((reply) => reply.json())")["first_picture"]
        seen = striate.trace(network, picture[0])
        for layer in seen.layers:
            place = "channel=2&y=1&x=2" if len(layer.output_shape) == 3 else "channel=2"
            text = page.evaluate(LINES, f"/api/trace/{first}/explain/{layer.index}?{place}")
            assert "#" not in text.splitlines()[-3], layer  # where only a constant could be told, the formula stands
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(text, {})
            value, stored, _ = map(float, printed.getvalue().split())
            assert stored == seen.maps(layer.index)[(2, 1, 2)[: len(layer.output_shape)]]
            assert value == pytest.approx(stored, abs=1e-5), layer
        index = next(layer.index for layer in seen.layers if layer.kind == "softmax")
        page.goto(f"{page_server.origin}/#tab=see&layer={index}&channel=4")
        totals = page.locator(".terms tr.total")
        expect(totals.last).to_contain_text("exp of input channel 4 / sum")
        assert number(totals.last.locator(".figure data")) == pytest.approx(float(seen.maps(index)[4]), abs=1e-6)
        expect(page.locator(".checksum").first).to_contain_text("adds up")
