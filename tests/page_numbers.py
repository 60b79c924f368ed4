"""What plain torch, NumPy and SciPy say, and the page's numbers held against it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import Page, expect, grid, number, open_tab
from sklearn.datasets import load_digits

import striate
from striate.inside.trust import trust


def picture_shown(page: Page) -> np.ndarray:
    """The digit whose name the page shows, as bytes: of 16 grey values 16 becomes 255."""
    name = page.locator(".picture-name")
    expect(name).to_have_text(re.compile(r"digits/\d+"))
    row = int(name.inner_text().removeprefix("digits/"))
    return np.rint(load_digits().images[row] * 255 / 16).astype(np.uint8)


def as_input(model: striate.Model, pixels: np.ndarray) -> torch.Tensor:
    """(1, height, width): from its lowest to its highest value onto 0 to 1, then less the mean, by the deviation."""
    how = model.preparation
    share = (pixels.astype(float) - how.low[0]) / (how.high[0] - how.low[0])
    return torch.tensor((share - how.mean[0]) / how.std[0], dtype=torch.float32)[None]


def values_of(model: striate.Model, x: torch.Tensor) -> dict[str, np.ndarray]:
    """What every module of the network puts out, caught by forward hooks of plain torch."""
    seen = {}
    for name, module in model.network.named_children():
        hook = module.register_forward_hook(lambda _, given, out, name=name: seen.update({name: out[0].numpy().copy()}))
        seen[name] = hook
    hooks = list(seen.values())
    with torch.no_grad():
        model.network.eval()(x[None])
    for hook in hooks:
        hook.remove()
    return seen


def expect_prediction(page: Page, model: striate.Model, picture: np.ndarray | Path) -> None:
    """The bars say what `model.predict` says, in its order."""
    chances = sorted(model.predict(picture)[0].probabilities.items(), key=lambda pair: -pair[1])
    expect(page.locator(".predictions .bar-name").first).to_have_text(chances[0][0])
    for bar, (name, chance) in zip(page.locator(".predictions li").all(), chances, strict=False):
        label, percent = bar.get_attribute("title").removesuffix(" %").split(": ")
        assert label == name
        assert float(percent) == pytest.approx(100 * chance, abs=1e-4)


def expect_place(page: Page, layer: str, channel: int, y: int, x: int) -> None:
    words = f"Layer {layer}, channel {channel}, row {y}, column {x}"
    expect(page.locator(".ledger-head h2")).to_have_text(words)


def expect_terms(page: Page, model: striate.Model, layer: str, before: np.ndarray, at: tuple[int, int, int]) -> None:
    """One 3×3 convolution's ledger: every product and the sum of every input channel, the bias, and their sum."""
    module = model.network.get_submodule(layer)
    channel, y, x = at
    patches = np.pad(before.astype(float), [(0, 0), (1, 1), (1, 1)])[:, y : y + 3, x : x + 3]
    kernels = module.weight[channel].detach().double().numpy()
    first = page.locator("#step-0")
    found = {int(row.get_attribute("data-term")): float(row.get_attribute("data-exact"))
             for row in first.locator("[data-term]").all()}  # fmt: skip
    assert found == pytest.approx(dict(enumerate((patches * kernels).sum(axis=(1, 2)))), rel=1e-5, abs=1e-6)
    opened = int(first.locator("[aria-expanded=true]").get_attribute("data-term"))
    patch, kernel, products = (np.array(grid(figure)) for figure in first.locator(".term figure").all())
    assert patch == pytest.approx(patches[opened], rel=1e-5, abs=1e-6)
    assert kernel == pytest.approx(kernels[opened], rel=1e-6)
    assert products == pytest.approx(patch * kernel, rel=1e-12)
    assert found[opened] == pytest.approx(products.sum(), rel=1e-9)
    bias = number(first.locator("tr", has_text="bias").locator("data"))
    assert bias == pytest.approx(module.bias[channel].item(), rel=1e-6)
    assert number(first.locator("tr.total data")) == pytest.approx(sum(found.values()) + bias, rel=1e-9)


def expect_steps(page: Page, values: dict[str, np.ndarray], steps: dict[str, tuple[int, int, int]]) -> None:
    """The ledger has just these steps; each says what torch says, and that it agrees with itself."""
    expect(page.locator(".step")).to_have_count(len(steps))
    for step, (name, at) in zip(page.locator(".step").all(), steps.items(), strict=True):
        expect(step.locator("h3")).to_contain_text(name)
        assert number(step.locator("> .spread > data")) == pytest.approx(float(values[name][at]), rel=1e-5, abs=1e-6)
        expect(step.locator(".checksum")).to_have_class("checksum good")


def hirescam(model: striate.Model, x: torch.Tensor) -> tuple[np.ndarray, int]:
    """Activation × gradient of the likeliest class's logit, summed over channels, at the last layer with a map."""
    kept = []
    hook = model.network.relu2.register_forward_hook(lambda _, given, out: kept.append(out))
    logits = model.network.eval()(x[None])[0]
    hook.remove()
    (gradient,) = torch.autograd.grad(logits.max(), kept)
    return (kept[0] * gradient)[0].sum(0).detach().numpy(), int(logits.argmax())


def expect_explanation(page: Page, model: striate.Model) -> None:
    """The stated facts of the map are our own sums, the verdict is that of `trust`."""
    x = as_input(model, picture_shown(page))
    open_tab(page, "explain")
    own, likeliest = hirescam(model, x)
    heat = striate.heatmap(model.network, x, score=likeliest)
    stated = {word: number(page.locator("dt", has_text=word).locator("+ dd data"))
              for word in ("Largest value", "Sum of the map")}  # fmt: skip
    assert stated["Largest value"] == pytest.approx(float(own.max()), rel=1e-4)
    assert stated["Sum of the map"] == pytest.approx(float(own.sum()), rel=1e-4)
    assert (heat.maximum, heat.total) == pytest.approx(tuple(stated.values()), rel=1e-5)
    verdict = trust(model.network, x, heat).verdict.replace(heat.target, model.classes[likeliest])
    expect(page.locator(".explain-trust .note").first).to_contain_text(verdict)
