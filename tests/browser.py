"""A real browser on a page that the real command line serves.

Where the browser or what drives it is not installed, whoever imports this is skipped and told the commands that get it.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

FOUND = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
DRIVERS = [importlib.util.find_spec(name) for name in ("playwright", "axe_playwright_python")]
COMMANDS = {"apt-get install chromium": any(FOUND), "pip install playwright axe-playwright-python": all(DRIVERS)}
if not all(COMMANDS.values()):
    wanted = "; ".join(command for command, is_there in COMMANDS.items() if not is_there)
    pytest.skip(f"the page is tested in a real browser; get it with: {wanted}", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from drawn_page import served  # noqa: E402
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright  # noqa: E402

from striate.serve.glass import Glass  # noqa: E402

PATIENCE = 90_000  # milliseconds until something that must appear counts as missing
HARMFUL = ("serious", "critical")
# Without a GPU Chromium would compute one, which takes longer than to paint.
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
# What is there when a tab has shown all that it has to show.
SETTLED = {
    "see": ".ledger-head", "explain": ".explain-trust .note", "filters": ".filter-chosen .grid-table",
    "train": ".train-maps canvas", "playground": ".play-answer", "mistakes": ".mistakes-table",
    "embedding": ".embedding-near .tile",
}  # fmt: skip
SHEET = ".layer-panel > .atlas"
FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  const inSight = box.width && box.height && box.bottom > 0 && box.top < innerHeight
    && box.right > 0 && box.left < innerWidth;
  const isMarked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  return one !== document.body && Boolean(inSight) && isMarked;
}"""
DROP = """([name, bytes]) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  for (const kind of ["dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
}"""
WIDER = """() => ["html", "main", "header"].filter((name) => {
  const one = document.querySelector(name);
  return one.scrollWidth > one.clientWidth;
})"""

HIGHER = "() => document.documentElement.scrollHeight > innerHeight"


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "striate", *map(str, words)]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


@contextmanager
def opened(place: Path, *words: str) -> Iterator[str]:
    """The address that `striate open` prints, or another command of these words, for as long as it runs."""
    words = command(*(words or ("open", "--no-browser")), place)
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            yield found[0]
        finally:
            process.terminate()


@contextmanager
def page_of(place: Path, picture: Path | None = None) -> Iterator[str]:
    """The address of the page that `striate open` shows, served by this process, which has imported torch already."""
    with served(Glass(place, [] if picture is None else [picture]).answer) as server:
        yield server.url


@contextmanager
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=next(filter(None, FOUND)), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, address: str, *, width: int = 1280, refused: bool = False) -> Iterator[Page]:
    """A page at this address. At its end nothing may have left its origin, and nothing may have been complained of.

    refused: the server may answer that it cannot, of which the browser complains by itself.
    """
    origin, faults = "{0.scheme}://{0.netloc}/".format(urlsplit(address)), []
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="light")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    # What the content security policy refuses comes as an error of the console.
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    is_fault = (lambda text: "Failed to load resource" not in text) if refused else bool
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("websocket", lambda socket: faults.append(socket.url))
    context.on("request", lambda sent: None if sent.url.startswith((origin, "blob:")) else faults.append(sent.url))
    page.goto(address)
    yield page
    context.close()
    assert not [*filter(is_fault, faults)], faults


def state(page: Page) -> dict[str, str]:
    """What the address of the page says."""
    return dict(parse_qsl(urlsplit(page.url).fragment))


def open_tab(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab.capitalize()).click()
    expect(page.locator(SETTLED[tab]).first).to_be_visible()


def number(locator: Locator) -> float:
    """The exact value behind a rounded number."""
    return float(locator.get_attribute("value"))


def grid(figure: Locator) -> list[list[float]]:
    """The exact values of a table of numbers."""
    script = "rows => rows.map(row => [...row.cells].map(cell => Number(cell.dataset.exact)))"
    return figure.locator("tbody tr").evaluate_all(script)


def press(page: Page, *keys: str) -> None:
    """Press keys; after each, what has the focus must be in sight and marked."""
    for key in keys:
        page.keyboard.press(key)
        where = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        assert page.evaluate(FOCUS), f"the focus cannot be seen after {key}: {where}"


def tab_to(page: Page, selector: str, key: str = "Tab") -> None:
    """Press Tab until an element has the focus."""
    for _ in range(80):
        press(page, key)
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{key} does not reach {selector}")


def faults(page: Page) -> list[str]:
    """What axe finds serious or critical, and where."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found if one["impact"] in HARMFUL for node in one["nodes"]]
