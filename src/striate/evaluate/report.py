"""A run told on one page: a single HTML file without script or network, for screen and paper."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources

from striate.data.wording import worded_page
from striate.errors import counted, say
from striate.evaluate import markup
from striate.evaluate.check_section import check_section
from striate.evaluate.facts import MistakePicture, ReportFacts
from striate.evaluate.markup import Html, cards, element, join, quiet
from striate.evaluate.named import row_of
from striate.evaluate.score_section import hero, score_section

MOST_LEFT_OUT = 200
_UNTESTED = "Not tested, which takes long for this network; the page of `striate open` tests any heatmap."


def report(facts: ReportFacts) -> str:
    """The whole page as text, to be written as UTF-8."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    sections = [(name, body) for name, make in _SECTIONS.items() if (body := make(facts))]
    links = (element("a", name, href=f"#{name.lower()}") for name, _ in sections)
    parts = (element("section", element("h2", name), body, id=name.lower()) for name, body in sections)
    notes = element("ul", *(element("li", note) for note in facts.notes), class_="notes") if facts.notes else ""
    foot = element("footer", f"Made by Striate {facts.version}. This page is complete: it loads nothing.")
    body = element("main", _top(facts), element("nav", *links), notes, *parts, foot)
    said = " ".join(facts.classes).lower()  # a class that is called picture keeps its name
    body = body if "picture" in said else worded_page(body, facts.form)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"{element('title', facts.title)}\n<style>{style}</style>\n</head>\n"
        f'<body data-form="{facts.form}">{body}</body>\n</html>\n'
    )


def _top(facts: ReportFacts) -> Html:
    # Four bars of rising slant: what the first cells of the visual cortex answer to.
    bars = (f'<rect x="{5 + 7 * i}" y="5" width="4" height="22" rx="2"/>' for i in range(4))
    mark = Html(f'<svg class="mark" viewBox="0 0 36 32" aria-hidden="true">{"".join(bars)}</svg>')
    known = [facts.run, facts.created, f"{_duration(facts.seconds)} from start to report"]
    facts_line = element("p", *(element("span", text) for text in known if text), class_="about")
    brand = element("p", mark, "Striate", class_="brand")
    return join(element("header", brand, element("h1", facts.title), facts_line), hero(facts))


def _data(facts: ReportFacts) -> Html:
    word = row_of(facts.scores.get("test", {}).get("per_class", {}))
    return cards(
        markup.pairs(facts.data) if facts.data else Html(""),
        _class_counts(facts.classes, word) if facts.classes else Html(""),
        _left_out(facts.left_out) if facts.left_out else Html(""),
    )


def _class_counts(classes: Mapping[str, Mapping[str, int]], word: str) -> Html:
    parts = list(dict.fromkeys(part for counts in classes.values() for part in counts))
    each = {name: [counts.get(part, 0) for part in parts] for name, counts in classes.items()}
    most = max(map(sum, each.values()))
    rows = [
        (name, markup.stacked_bar(counts, most), *(f"{c:,}" for c in counts), f"{sum(counts):,}")
        for name, counts in each.items()
    ]
    heads = (join(element("i", "", class_=f"key part{place}"), part) for place, part in enumerate(parts))
    table = markup.table((word, "", *heads, "all"), rows, words=2, name="bars")
    return markup.folded(counted(len(classes), word), table, len(classes))


def _left_out(left_out: Sequence[tuple[str, str]]) -> Html:
    table = markup.table(("file", "why"), left_out[:MOST_LEFT_OUT], words=2)
    more = len(left_out) - MOST_LEFT_OUT
    rest = quiet(f"and {more:,} more; data.csv lists them all") if more > 0 else Html("")
    return join(element("h3", f"{len(left_out):,} left out"), table, rest)


def _split(facts: ReportFacts) -> Html:
    table = markup.table(facts.split_table[0], facts.split_table[1:]) if facts.split_table else Html("")
    return cards(join(element("p", facts.split) if facts.split else "", table))


def _network(facts: ReportFacts) -> Html:
    line = element("pre", facts.network, class_="line") if facts.network else ""
    return cards(join(line, element("pre", facts.summary) if facts.summary else ""))


def _training(facts: ReportFacts) -> Html:
    blocks = []
    if facts.curves:
        caption = "Loss and hits after every epoch, on the pictures learned from and on held-back ones."
        alt = "Curves of loss, hits and learning rate over the epochs"
        blocks.append(markup.figure(facts.curves, alt, caption, name="chart"))
    if facts.augmentation:
        how = ", changed at random" if facts.changed else ": as they are, nothing is changed at random"
        caption = f"Training pictures as the network meets them{how}."
        blocks.append(markup.figure(facts.augmentation, caption, caption, name="sheet"))
    listed = (("Settings", facts.settings), ("Machine", facts.machine))
    columns = [join(element("h3", title), markup.pairs(rows)) for title, rows in listed if rows]
    pair = element("div", cards(*columns), class_="columns")
    return join(cards(*blocks), pair) if blocks or columns else Html("")


def _mistakes(facts: ReportFacts) -> Html:
    if not facts.mistakes:
        return Html("")
    shown, large = [], facts.legend or facts.form == "text"  # so that texts can be read
    for mistake in facts.mistakes:
        alt = f"{mistake.truth} taken for {mistake.predicted}"
        image = markup.framed(mistake.picture, alt, 512 if large else 256)
        shown.append(element("li", image, _answer(mistake)))
    intro = f"The worst answers on the test part first; a wrong label often hides here. {facts.legend}".strip()
    size = "mistakes large" if large else "mistakes"
    return cards(join(element("p", intro), element("ul", *shown, class_=size)))


def _answer(shown: MistakePicture) -> Html:
    """What the picture was called, what it is, and where it lies."""
    sure = "" if shown.confidence is None else f" {100 * shown.confidence:.0f} %"
    truth = element("p", "is ", element("b", shown.truth)) if shown.truth else ""
    called = element("p", element("b", shown.predicted), sure)
    return join(called, truth, element("p", shown.path, class_="path", title=shown.path))


def _heatmaps(facts: ReportFacts) -> Html:
    if not facts.heatmaps:
        return Html("")
    items = []
    for shown in facts.heatmaps:
        alt = f"Evidence for {shown.explained} on a picture of {shown.truth}"
        pair = ((shown.picture, "The picture"), (shown.overlay, alt))
        frames = element("div", *(markup.framed(array, words, 256) for array, words in pair), class_="pair")
        range_ = f"strongest {say(shown.maximum)}, sum {say(shown.total)}"
        words = join(_answer(shown), quiet(range_), quiet(shown.verdict or _UNTESTED))
        items.append(element("li", frames, words, class_="right" if shown.right else None))
    against, towards = facts.heatmap_ends
    ends = (against, element("i", "", class_="ramp"), towards)
    legend = element("p", *(element("span", end) for end in ends), class_="legend")
    hint = "The full colour stands for the strongest value of each map, which is written below it."
    method = element("p", f"{facts.heatmap_method} The layer is {facts.heatmaps[0].layer}.")
    return cards(join(method, legend, quiet(hint), element("ul", *items, class_="mistakes heatmaps")))


def _layers(facts: ReportFacts) -> Html:
    figures = (
        (
            facts.filters,
            "The kernels of the first layer that learns: the small patterns that it looks for in the picture.",
        ),
        (facts.layers, "One test picture on its way: the strongest feature maps at the end of every stage."),
    )
    drawn = (markup.figure(png, words.partition(":")[0], words, name="sheet") for png, words in figures if png)
    return cards(*drawn)


def _next(facts: ReportFacts) -> Html:
    rows = (element("div", element("pre", line), element("p", what)) for line, what in facts.commands)
    return element("div", *rows, class_="card commands") if facts.commands else Html("")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


_SECTIONS = {
    "Scores": score_section,
    "Mistakes": _mistakes,
    "Heatmaps": _heatmaps,
    "Layers": _layers,
    "Check": check_section,
    "Data": _data,
    "Split": _split,
    "Network": _network,
    "Training": _training,
    "Next": _next,
}
