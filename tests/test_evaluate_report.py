"""The report: one file, complete in itself, in which no name can do harm."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from striate.draw.pixels import picture_png
from striate.evaluate.facts import Figure, HeatmapPicture, MistakePicture, ReportFacts
from striate.evaluate.named import headline
from striate.evaluate.named import number as score_text
from striate.evaluate.number_scores import number_scores
from striate.evaluate.report import MOST_LEFT_OUT, report
from striate.evaluate.scores import classification_scores

EVIL = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "link", "img", "rect", "circle", "line"}


class Page(HTMLParser):
    """Every element with its attributes, the visible text, and whether tags close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words, self.open, self.crossed = "", [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _facts() -> ReportFacts:
    """A run of two classes, one of them with a hostile name, and of every kind of fact."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 30)
    odds = np.exp(rng.normal(size=(60, 2)) + 2 * np.eye(2)[truth])
    record = classification_scores(truth, odds / odds.sum(axis=1, keepdims=True), [EVIL, "dog"], 0)
    png = picture_png(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8))
    mistake = MistakePicture(
        picture=np.zeros((8, 6, 1), np.uint8), truth=EVIL, predicted="dog", confidence=0.97, path=f"a/{EVIL}.png"
    )
    heat = HeatmapPicture(
        picture=np.zeros((8, 6, 1), np.uint8), overlay=np.full((80, 60, 3), 9, np.uint8), truth=EVIL, predicted="dog",
        confidence=0.8, path=EVIL, layer=EVIL, maximum=1.25, total=-3.5, explained=EVIL,
        right=False, verdict=EVIL,
    )  # fmt: skip
    return ReportFacts(
        title=f"Pets {EVIL}",
        run=f"runs/{EVIL}",
        created="1 May 2025",
        version="0.1.0",
        seconds=125.2,
        headline=EVIL,
        data=[("Folder", EVIL), (EVIL, 3)],
        classes={EVIL: {"train": 50, "test": 30}, "dog": {"train": 40, "test": 30}},
        left_out=[(f"{k}{EVIL}\udcff\x00", EVIL) for k in range(MOST_LEFT_OUT + 7)],
        notes=[EVIL],
        split=EVIL,
        split_table=[("part", EVIL), ("train", 90)],
        network=EVIL,
        summary=EVIL,
        settings=[("augment", EVIL)],
        machine=[("device", EVIL)],
        scores={"test": {**record, "without_leaks": record}, "train": record},
        warnings=[EVIL],
        random_split={"accuracy": record["accuracy"], "twins": record["accuracy"], "n": 12, "share": 0.625},
        runs=[{"run": EVIL, "seed": 0, "fold": None, "test": {"accuracy": 0.91}, "validation": {}, "train": {}}],
        spread=png,
        curves=png,
        figures={"confusion": Figure(png, EVIL, EVIL), "calibration": Figure(png, EVIL, EVIL, EVIL)},
        augmentation=png,
        filters=png,
        layers=png,
        mistakes=[mistake],
        heatmaps=[heat, dataclasses.replace(heat, truth="dog", right=True, verdict="")],
        heatmap_method=EVIL,
        commands=[(f"striate open {EVIL}", EVIL)],
    )


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """No script, no handler, no style attribute, no address but data and its own anchors."""
    text = report(_facts())
    page = Page(text)
    assert not page.all("script")
    assert not page.all("iframe")
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("style", "srcset", "action")}
    anchors = {attributes.get("id") for _, attributes in page.elements}
    for _, attributes in page.elements:
        for name in ("href", "src", "xlink:href", "data"):
            address = attributes.get(name)
            assert address is None or address.startswith("data:") or address[1:] in anchors
    assert not re.search(r"url\(|@import|https?:", text)


def test_names_are_escaped_wherever_they_stand() -> None:
    """A class called <script> is shown as it is written, and every tag is closed in order."""
    text = report(_facts())
    page = Page(text)
    assert "<script" not in text
    assert page.words.count(EVIL) >= 15
    assert page.crossed == []
    assert page.open == []
    text.encode("utf-8")


def test_what_must_be_said_stands_beside_the_score() -> None:
    """Warnings are in the first card; the split by picture and each run have a table; openings are told."""
    facts = _facts()
    record = {**facts.scores["test"], "clusters": 23, "openings": 3}
    text = report(dataclasses.replace(facts, scores={"test": record}, warnings=["Opened 3 times."]))
    first = Page(text[: text.index("<nav>")]).words
    assert "Opened 3 times." in first
    assert "60 test pictures, opened 3 times" in first
    assert "in 23 groups" in first
    words = Page(text).words
    for said in (
        "test without leaks",
        "Twins of training pictures12",
        "62 % of the test pictures",
        "91.0 %–",
        "1 runs",
    ):
        assert said in words, said
    plain = Page(report(dataclasses.replace(facts, scores={"train": record}, random_split=None, runs=()))).words
    assert "Twins" not in plain


def test_every_picture_is_inside_the_page_and_described() -> None:
    """All images are PNG data with a size and words for those who cannot see them."""
    images = Page(report(_facts())).all("img")
    assert len(images) == 12
    assert all(image["src"].startswith("data:image/png;base64,") for image in images)
    assert all(image["alt"] and int(image["width"]) > 0 for image in images)
    drawing = next(a for a in Page(report(_facts())).all("svg") if a.get("role") == "img")
    assert "95 % interval" in drawing["aria-label"]


def test_the_policy_names_the_very_style_sheet() -> None:
    """The page forbids everything but data images and the sheet whose digest it states."""
    import base64
    import hashlib

    text = report(_facts())
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(a["content"] for a in Page(text).all("meta") if a.get("http-equiv"))
    assert policy == f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"


def test_the_page_tells_the_run() -> None:
    """Score, interval, baseline, counts, left-out files beyond those shown and commands are there."""
    facts = _facts()
    words = Page(report(facts)).words
    accuracy = facts.scores["test"]["accuracy"]
    assert f"{100 * accuracy['value']:.1f} %" in words
    assert f"[{100 * accuracy['low']:.1f}, {100 * accuracy['high']:.1f}]" in words
    assert "on 60 test pictures" in words
    assert f"{MOST_LEFT_OUT + 7} left out" in words
    assert "and 7 more" in words
    assert "2 min 5 s" in words
    assert "is better than what always" in words


def test_a_score_no_better_than_the_baseline_is_called_so() -> None:
    """When the interval reaches down to the baseline the page says that nothing is shown."""
    truth = np.array([0, 0, 0, 1])
    record = classification_scores(truth, np.tile([0.9, 0.1], (4, 1)), ["a", "b"], 0)
    assert "Not shown to be better" in report(dataclasses.replace(_facts(), scores={"test": record}))


def test_a_score_no_better_than_the_commonest_of_its_part_is_called_so() -> None:
    """Few groups may hold other classes than the training part: 20 pictures of which 13 are 'a' and all are called so
    are 65 % right, whose interval lies above the 35 % of always 'b', and is no better than always 'a'."""
    truth = np.array([0] * 13 + [1] * 7)
    record = classification_scores(truth, np.tile([0.9, 0.1], (20, 1)), ["a", "b"], 1)
    assert record["baseline"] == 0.35 < record["accuracy"]["low"] < record["accuracy"]["value"] == 0.65
    page = report(dataclasses.replace(_facts(), scores={"test": record}))
    assert "Not shown to be better than always &#x27;a&#x27; (the commonest here)" in page
    assert headline(record).endswith("; always 'a' (the commonest here) would score 65.0 %")
    good = classification_scores(truth, np.eye(2)[truth], ["a", "b"], 1)
    assert headline(good).endswith("; always 'b' would score 35.0 %")


@pytest.mark.parametrize("scores", [{}, {"test": classification_scores([], [], ["a", "b"], 0)}])
def test_a_run_of_which_little_is_known_has_a_page(scores: dict) -> None:
    """What is missing leaves no empty heading, and the test part without pictures is no headline."""
    facts = ReportFacts(
        title="Bare", run="", created="", version="0", seconds=1, headline="stopped early", scores=scores
    )
    page = Page(report(facts))
    assert "stopped early" in page.words
    assert not {"Heatmaps", "Layers", "Mistakes"} & set(re.findall(r"\w+", page.words))
    assert page.open == page.crossed == []


def test_a_score_that_no_bar_shows_has_its_interval_in_words() -> None:
    """An error in the user's own units has no bar from 0 to 100 %, and its interval stands below it all the same."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 100, (60, 1))
    record = number_scores(truth, truth + rng.normal(0, 5, truth.shape), ["count"], [50.0])
    first = Page(
        report(dataclasses.replace(_facts(), scores={"test": record}, random_split=None, runs=[])).partition("<nav>")[0]
    ).words
    low, high = (f"{record['rmse'][end]:.3f}" for end in ("low", "high"))
    assert [score_text(value, "rmse") for value in (30.9, 37.74, 100.0, 1234.0)] == ["30.90", "37.74", "100.0", "1234"]
    assert f"95 % interval {low} to {high}" in first


def test_many_classes_are_folded() -> None:
    """More classes than fit a screen open on a click, without a script."""
    counts = {f"class {k}": {"train": k} for k in range(40)}
    page = Page(report(dataclasses.replace(_facts(), classes=counts, scores={})))
    assert len(page.all("details")) == 1


def test_heatmaps_say_how_strong_and_how_sure() -> None:
    """Beside each picture: answer, truth, the map's own range, and its verdict or that it was not tested."""
    page = Page(report(_facts()))
    assert "strongest 1.25, sum −3.5" in page.words
    assert page.words.count("Not tested") == 1
    assert "evidence against" in page.words
    assert f"The layer is {EVIL}." in page.words
    assert [a.get("class") for a in page.all("li")].count("right") == 1


def test_layers_come_with_their_captions() -> None:
    """First filters, then the feature maps of one picture; without them there is no heading."""
    words = Page(report(_facts())).words
    assert words.index("kernels of the first layer") < words.index("One test picture on its way")
    none = Page(report(dataclasses.replace(_facts(), layers=None, filters=None)))
    assert "layers" not in {attributes.get("id") for attributes in none.all("section")}


def test_drawn_mistakes_are_large_and_say_what_is_drawn() -> None:
    """With a legend pictures get more dots and room, as texts do; a truth without words is left out."""
    facts = _facts()
    wordless = [dataclasses.replace(one, truth="") for one in facts.mistakes]
    large = Page(report(dataclasses.replace(facts, mistakes=wordless, legend="Dashed ones were missed.")))
    assert "a wrong label often hides here. Dashed ones were missed." in large.words
    text = report(dataclasses.replace(facts, legend="Dashed ones were missed."))
    assert 'class="mistakes large"' in text
    assert 'class="mistakes large"' in report(dataclasses.replace(facts, form="text"))
    assert 'class="mistakes large"' not in report(facts)
    assert large.words.count("is ") < Page(report(facts)).words.count("is ")


def test_many_scores_of_a_class_need_no_bar() -> None:
    """A table of five scores leaves the bar out, so that it fits; one of four has it."""
    score = {"value": 0.5, "low": 0.4, "high": 0.6}
    names = ("precision", "recall", "f1", "auroc", "ap")
    for count in (4, 5):
        record = {"n": 3, "accuracy": score, "per_class": {"a": {"n": 3, **dict.fromkeys(names[:count], score)}}}
        text = report(dataclasses.replace(_facts(), scores={"test": record | {"baseline": 0.1, "baseline_is": "x"}}))
        assert ('class="recalls"' in text) == (count == 4)
        assert ('class="recalls narrow"' in text) == (count == 5)


def test_the_ends_of_evidence_are_those_of_the_task() -> None:
    """Where a number is explained, the ramp is between lower and higher."""
    page = Page(report(dataclasses.replace(_facts(), heatmap_ends=("speaks for a lower number", "for a higher one"))))
    assert "speaks for a lower number" in page.words
    assert "evidence against" not in page.words
