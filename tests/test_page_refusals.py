"""What the page says where a picture is gone, an address asks for too much, a list is empty or a name is long."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import SETTLED, WIDER, Browser, Locator, Page, expect, page_of, state, visit
from drawn_page import spatial_run
from PIL import Image
from playwright.sync_api import Route

from striate.data.prepare import Preparation, Shape
from striate.export.model import Model
from striate.network.build import build
from striate.tasks.task import make_task

CLASSES = tuple(f"{i:03} Streptococcus_thermophilus_number_{i}_from_the_northern_lake_shore" for i in range(20))
LINE = "conv 4 3, relu, conv 5 3, relu, flatten, dense classes"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model with random weights for twenty classes with long names."""
    place = tmp_path_factory.mktemp("refusals")
    values = np.random.default_rng(0).integers(0, 256, (12, 12), dtype=np.uint8)
    Image.fromarray(values).save(place / "noise.png")
    task, shape = make_task("classification", {"classes": CLASSES}), Shape(height=12, width=12, channels=1)
    figures = Preparation(shape=shape, low=(0.0,), high=(255.0,), mean=(0.4,), std=(0.25,))
    Model(build(LINE, shape.seen, task.outputs, seed=3).eval(), task, figures).save(place / "model.safetensors")
    with page_of(place / "model.safetensors", place / "noise.png") as address:
        yield address


def shown(page: Page, place: str, tab: str = "see") -> None:
    page.goto(page.url.split("#")[0] + f"#tab={tab}{place}")
    expect(page.locator(SETTLED[tab]).first).to_be_visible()


def control(page: Page, label: str) -> Locator:
    return page.locator(".explain .field", has=page.get_by_text(label, exact=True)).get_by_role("combobox")


def scored(page: Page, answers: dict[int, int], chances: float = 0.9982) -> None:
    """Test pictures with these true classes and answers."""
    rows = [
        {"id": f"p{t}", "name": f"{t}.png", "truth": CLASSES[t], "predicted": CLASSES[p], "confidence": chances}
        for t, p in answers.items()
    ]
    page.route("**/api/mistakes", lambda route: route.fulfill(json={"rows": rows}))
    page.route("**/api/pictures/p*/image", lambda route: route.fulfill(body=b"<svg/>", content_type="image/svg+xml"))


def test_a_picture_that_is_gone_leaves_nothing_of_the_one_before(browser: Browser, tmp_path: Path) -> None:
    """Neither maps nor numbers nor a heatmap stand under the name of a picture that cannot be read."""
    run = spatial_run(tmp_path, "segmentation")
    with page_of(run) as address, visit(browser, address, refused=True) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        listed = page.request.get(page.url.split("?")[0].split("#")[0] + "api/pictures").json()["pictures"]
        here, gone = listed[0], listed[1]
        (tmp_path / "pictures" / gone["name"]).unlink()
        for tab, evidence in {"see": ".ledger-head, canvas", "explain": ".plane, canvas"}.items():
            shown(page, f"&picture={here['id']}", tab)
            assert page.locator(evidence).first.is_visible()
            page.goto(page.url.split("#")[0] + f"#tab={tab}&picture={gone['id']}")
            expect(page.locator("main")).to_contain_text("received: no such file")
            expect(page.locator(f":is({evidence}):visible")).to_have_count(0)
            expect(page.locator(".picture-name")).to_have_text(f"picture {gone['id']}")
            page.goto(page.url.split("#")[0] + f"#tab={tab}&picture={here['id']}")
            expect(page.locator(SETTLED[tab]).first).to_be_visible()


def test_a_question_that_is_refused_leaves_no_map(browser: Browser, address: str) -> None:
    """A layer that is not there: its refusal, the controls to choose another, and no map of the question before."""
    with visit(browser, address, refused=True) as page:
        shown(page, "", "explain")
        page.goto(page.url.split("#")[0] + "#tab=explain&heat=99")
        expect(page.locator("main .note.error").first).to_be_visible()
        expect(page.locator("main canvas:visible")).to_have_count(0)
        control(page, "Layer").select_option("")
        expect(page.locator(".explain-trust .note")).to_be_visible()
        assert page.locator("canvas.explain-alone").is_visible()


def test_no_class_is_explained_against_itself(browser: Browser, address: str) -> None:
    """Neither by choice nor by address; the most likely class is one that is asked for, too."""
    with visit(browser, address) as page:
        shown(page, "", "explain")
        likely = page.locator(".predictions .bar-name").first.inner_text()
        number, against = CLASSES.index(likely), control(page, "against")
        assert against.locator("option").count() == len(CLASSES)  # "nothing else" and all classes but one
        assert not against.locator(f'option[value="{number}"]').count()
        other = (number + 1) % len(CLASSES)
        for place, left in ((f"&versus={number}", {}), (f"&versus={other}&class={other}", {"class": str(other)})):
            shown(page, place, "explain")
            expect(page.locator(".explain-facts").get_by_text("minus")).to_have_count(0)
            page.wait_for_timeout(300)  # the address follows a little later
            assert {key: value for key, value in state(page).items() if key in ("class", "versus")} == left


def test_show_more_twice_keeps_all_tiles(browser: Browser, address: str) -> None:
    """A second click while the first is answered takes nothing away."""

    def listing(route: Route) -> None:
        first = int(dict(pair.split("=") for pair in route.request.url.split("?")[1].split("&"))["offset"])
        tiles = [
            {"id": f"p{i}", "name": f"{i}.png", "truth": None, "predicted": None} for i in range(first, first + 60)
        ]
        route.fulfill(json={"total": 200, "parts": {"test": 200}, "pictures": tiles})

    with visit(browser, address) as page:
        scored(page, {})
        page.route("**/api/pictures?*", listing)
        page.get_by_role("button", name="Choose another picture").click()
        expect(page.locator("dialog .tile")).to_have_count(60)
        page.get_by_role("button", name="Show more").dblclick()
        expect(page.locator("dialog .tile")).to_have_count(120)
        assert page.locator("dialog .tile").evaluate_all("tiles => tiles.map((tile) => tile.title)") == [
            f"{i}.png" for i in range(120)
        ]


def test_long_names_of_classes_leave_room(browser: Browser, address: str) -> None:
    """On a telephone the page is no wider than that; elsewhere bars have room, and confusions stay in their column."""

    def told(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"truth": CLASSES[0]})

    with visit(browser, address) as page:
        page.route("**/api/trace/*", told)
        scored(page, {t: t ^ 1 for t in range(20)})
        for width in (1366, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(page.url.split("#")[0])
            page.reload()
            expect(page.locator(".verdict.bad")).to_be_visible()
            assert not page.evaluate(WIDER)
            assert page.locator(".predictions .bar-name").first.bounding_box()["width"] > 90
            assert page.locator(".verdict").get_attribute("title") == CLASSES[0]
            for tab, there in {"see": ".vector", "explain": ".explain-limit", "mistakes": ".mistakes-pair"}.items():
                page.goto(page.url.split("#")[0] + f"#layer=5&tab={tab}")
                expect(page.locator(there).first).to_be_visible()
                assert not page.evaluate(WIDER), tab
            expect(page.locator(".mistakes-pair")).to_have_count(20)
            room = page.locator(".mistakes .panel").first.bounding_box()
            for pair in page.locator(".mistakes-pair").all():
                assert pair.bounding_box()["width"] < room["width"]
                assert pair.evaluate("pair => pair.scrollWidth <= pair.clientWidth")


def test_an_empty_list_of_mistakes_says_why(browser: Browser, address: str) -> None:
    """Nothing right, nothing wrong and no such pictures are three things; classes that are not there filter nothing."""
    with visit(browser, address) as page:
        expect(page.locator(SETTLED["see"])).to_be_visible()
        scored(page, {0: 1, 1: 0})
        listed = page.locator(".mistakes-columns .panel").last
        for place, head, words, cards in (
            ("&show=unsure", "0 right, the least sure first", "Nothing right", 0),
            ("&pair=0-2", f"{CLASSES[0]} taken for {CLASSES[2]}: 0", "No such pictures", 0),
            ("&pair=77-99", "2 wrong, the surest first", "99.8 % sure", 2),
        ):
            page.goto(page.url.split("#")[0] + f"#tab=mistakes{place}")
            expect(listed.get_by_role("heading")).to_have_text(head)
            expect(listed).to_contain_text(words)
            expect(listed.locator(".mistakes-card")).to_have_count(cards)
        scored(page, {0: 0})
        page.goto(page.url.split("#")[0] + "#tab=mistakes")
        page.reload()
        expect(listed).to_contain_text("Nothing wrong")


def test_what_an_address_asks_beyond_the_network_is_put_in_its_place(browser: Browser, address: str) -> None:
    """A term that is not there opens the strongest; the kernel of a layer with more inputs opens one that is there;
    ends of colours that are no numbers are those of the layer."""
    with visit(browser, address) as page:
        shown(page, "&term=99")
        expect(page.locator(".term")).to_have_count(1)
        shown(page, "&layer=0&input=3", "filters")
        page.get_by_role("button", name="See what it answers to").click()
        expect(page.locator(".term")).to_have_count(1)
        assert state(page)["term"] == "0"
        shown(page, "&range=locked&low=abc&high=def")
        low, high = (page.locator(".layer-scale .legend").get_attribute(f"data-{end}") for end in ("low", "high"))
        assert -np.inf < float(low) < 0 < float(high) < np.inf


def test_percent_never_reads_rounder_than_it_is(browser: Browser, address: str) -> None:
    """Of two shares the surer one never reads as less, and only what no decimal tells from all is 100.0 %."""
    shares = np.concatenate([np.linspace(0, 1, 401), [0.0994, 0.0996, 0.9949, 0.9951, 0.9982, 0.9994, 0.9996]])
    shares = np.sort(shares).tolist()
    with visit(browser, address) as page:
        script = """(shares) => import("/dom.js").then(({ percent }) => shares.map(percent))"""
        told = page.evaluate(script, shares)
    read = [float(text.removesuffix(" %")) for text in told]
    assert read == sorted(read)
    assert not [share for share, text in zip(shares, told, strict=True) if share < 0.9995 and text.startswith("100")]
    assert told[shares.index(0.9982)] == "99.8 %"
    assert told[shares.index(0.75)] == "75 %"


def test_numbers_are_not_red_for_being_inexact(browser: Browser, address: str) -> None:
    """No number is met to the last digit, so an answer has the colour of other words; a wrong set of labels is red."""
    rows = [{"id": "p0", "name": "0.png", "truth": "a", "predicted": "b", "error": 0.058, "confidence": None}]
    with visit(browser, address) as page:
        told = page.request.get(page.url.split("?")[0] + "api/model").json() | {"one_label": False}
        scored(page, {})
        page.route("**/api/mistakes", lambda route: route.fulfill(json={"rows": rows}))
        page.route("**/api/model", lambda route: route.fulfill(json=told))
        for told["shares"], count in ((True, 1), (False, 0)):
            page.goto(page.url.split("#")[0] + "#tab=mistakes")
            page.reload()
            expect(page.locator(".mistakes-card p").first).to_have_text("b")
            assert page.locator(".mistakes-wrong").count() == count
