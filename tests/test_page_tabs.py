"""What the tabs of the page do with each other: one keeps what another one asked for out of its own controls."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from browser import SETTLED, Browser, Page, expect, open_tab, page_of, state, visit
from test_serve_glass import make_model, write_run

# Words of the address that mean the same in every tab.
SHARED = {"tab", "picture", "layer", "channel", "y", "x", "class", "versus"}
# What each control of a tab stands at. Layer and class are those of the whole page.
CONTROLS = """() => Object.fromEntries([...document.querySelectorAll("main select, main input, main .segmented")]
  .filter((one) => one.checkVisibility() && !one.closest("[aria-label='Channel of the numbers']"))
  .map((one, at) => {
    const label = one.closest("label")?.innerText.split("\\n")[0] ?? one.ariaLabel;
    const value = one.matches(".segmented") ? one.querySelector("[aria-pressed=true]")?.innerText
      : one.type === "checkbox" ? one.checked : one.tagName === "SELECT" ? one.selectedIndex : one.value;
    return [`${at} ${label}`, value ?? null];
  }).filter(([name]) => !/Layer|Evidence|against/.test(name)))"""
# The last choice of every control that has several, one after the other, as what it changes may draw others anew.
TOUCH = """async () => {
  const all = "main select, main input[type=checkbox], main .segmented, main .atlas canvas";
  for (let at = 0; at < document.querySelectorAll(all).length; at++) {
    const one = document.querySelectorAll(all)[at];
    if (!one.checkVisibility() || /^(Layer|Evidence|against)/.test(one.closest("label")?.innerText)) continue;
    if (one.tagName === "SELECT") {
      one.selectedIndex = one.options.length - 1;
      one.dispatchEvent(new Event("change"));
    } else (one.matches(".segmented") ? one.lastElementChild : one).click();
    if (one.tagName === "CANVAS") {
      const box = one.getBoundingClientRect();
      one.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: box.right - 3, clientY: box.bottom - 3 }));
    }
    await new Promise((done) => setTimeout(done, 60));
  }
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page_of(write_run(tmp_path_factory.mktemp("tabs"), make_model())) as address:
        yield address


def controls(page: Page, tab: str) -> dict[str, object]:
    page.wait_for_timeout(150)  # sliders and choices follow in the next frames
    expect(page.locator(SETTLED[tab]).first).to_be_visible()
    return page.evaluate(CONTROLS)


def test_a_tab_leaves_the_controls_of_the_others_alone(browser: Browser, address: str) -> None:
    """No two tabs keep a choice under one word of the address; and whoever goes from left to right, touching every
    control, finds each tab as it is on a fresh page."""
    tabs = [tab for tab in SETTLED if tab != "train"]  # this run has kept no moments
    expected, words = {}, {}
    with visit(browser, address) as page:
        for tab in tabs:
            page.goto(f"{address.split('?')[0]}#tab={tab}")
            page.reload()
            expected[tab] = controls(page, tab)
            page.evaluate(TOUCH)
            page.wait_for_timeout(300)  # the address follows a little later
            words[tab] = set(state(page)) - SHARED
            assert words[tab], tab
        page.goto(f"{address.split('?')[0]}#tab={tabs[0]}")
        page.reload()
        for tab in tabs:
            open_tab(page, tab)
            assert controls(page, tab) == expected[tab], (tab, page.url)
            page.evaluate(TOUCH)
    for one, other in combinations(tabs, 2):
        assert words[one].isdisjoint(words[other]), (one, other)


def test_an_order_that_is_none_is_that_of_the_layer(browser: Browser, address: str) -> None:
    """An address that asks for an order which See does not have shows the maps as stored, and says so."""
    with visit(browser, f"{address}#tab=see&layer=0&sort=norm") as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        assert page.get_by_label("Order").evaluate("box => box.selectedIndex") == 0


def test_a_run_without_moments_says_where_they_are_kept(browser: Browser, address: str) -> None:
    """Every training keeps some: nobody is sent to an option that keeps no more of them."""
    with visit(browser, f"{address}#tab=train") as page:
        expect(page.locator("main")).to_contain_text("in the folder watch of its run")
        expect(page.locator("main")).not_to_contain_text("--watch")
