"""A run told on one page: a single HTML file without script or network, for screen and paper."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import numpy as np

from striate.draw.pixels import picture_png
from striate.draw.style import shorten
from striate.evaluate import markup
from striate.evaluate.markup import Html, element, join

MOST_LEFT_OUT = 200
# More classes than this are folded away until the reader asks for them.
MOST_CLASSES_OPEN = 30
_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
    "calibration_error": "Calibration error",
    "log_loss": "Log loss",
}
_MEANINGS = {
    "test": "on {n} test pictures, opened once, after everything was chosen",
    "validation": "on {n} validation pictures; new pictures may score lower, since these helped to choose",
    "train": "on {n} pictures that the network learned from; new pictures will score lower",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MistakePicture:
    """A wrong prediction: uint8 picture (H, W, 1 or 3), class names, confidence 0 to 1, the sample's path."""

    picture: np.ndarray
    truth: str
    predicted: str
    confidence: float
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """Everything that the page says, as plain data; what is empty or None has no place on the page.

    run: where the results lie; created: date and time; seconds: wall time of the whole run.
    data: (name, value) rows such as folder, kind, sizes, depth, channels, hidden files.
    classes: per class name, its pictures per part, in the order shown.
    left_out: (path, reason) of every file that is not used; notes: warnings in sentences.
    split: one sentence on how; split_table: rows whose first is the header.
    network: the one-line text; summary: the table of its layers as text.
    settings, machine: (name, value) rows.
    scores: per part, its record of scores.json. curves ... filters: PNG files as bytes.
    commands: (command line, what it does).
    """

    title: str
    run: str
    created: str
    version: str
    seconds: float
    headline: str = ""
    data: Sequence[tuple[str, object]] = ()
    classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    split: str = ""
    split_table: Sequence[Sequence[object]] = ()
    network: str = ""
    summary: str = ""
    settings: Sequence[tuple[str, object]] = ()
    machine: Sequence[tuple[str, object]] = ()
    scores: Mapping[str, dict] = field(default_factory=dict)
    curves: bytes | None = None
    confusion: bytes | None = None
    calibration: bytes | None = None
    augmentation: bytes | None = None
    filters: bytes | None = None
    mistakes: Sequence[MistakePicture] = ()
    commands: Sequence[tuple[str, str]] = ()


def report(facts: ReportFacts) -> str:
    """The whole page as text, to be written as UTF-8."""
    style = resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    sections = [(name, body) for name, make in _SECTIONS.items() if (body := make(facts))]
    links = (element("a", name, href=f"#{name.lower()}") for name, _ in sections)
    parts = (element("section", element("h2", name), body, id=name.lower()) for name, body in sections)
    body = element("main", _top(facts), element("nav", *links), _notes(facts), *parts, _foot(facts))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"{element('title', facts.title)}\n<style>{style}</style>\n</head>\n<body>{body}</body>\n</html>\n"
    )


def _top(facts: ReportFacts) -> Html:
    # Four bars of rising slant: what the first cells of the visual cortex answer to.
    bars = (f'<rect x="{5 + 7 * i}" y="5" width="4" height="22" rx="2"/>' for i in range(4))
    mark = Html(f'<svg class="mark" viewBox="0 0 36 32" aria-hidden="true">{"".join(bars)}</svg>')
    known = [facts.run, facts.created, f"{_duration(facts.seconds)} from start to report"]
    facts_line = element("p", *(element("span", text) for text in known if text), class_="about")
    brand = element("p", mark, "Striate", class_="brand")
    return join(element("header", brand, element("h1", facts.title), facts_line), _hero(facts))


def _hero(facts: ReportFacts) -> Html:
    """The one number that counts, its interval against the baseline, and its companions."""
    part = next((p for p in ("test", "validation", "train") if facts.scores.get(p, {}).get("n")), None)
    if part is None:
        return element("p", facts.headline, class_="lead card") if facts.headline else Html("")
    record = facts.scores[part]
    scores = {name: score for name, score in record.items() if markup.is_score(score)}
    main = "accuracy" if "accuracy" in scores else next(iter(scores))
    meaning = _MEANINGS[part].format(n=f"{record['n']:,}")
    left = [
        element("p", f"{part} {_label(main)}", class_="kicker"),
        element("p", markup.number(scores[main]["value"], main), class_="big"),
        element("p", meaning, class_="lead"),
    ]
    if main == "accuracy":
        left += [_against_baseline(record)]
    tiles = (
        element("div", element("b", markup.number(s["value"], n)), element("span", _label(n)), class_="tile")
        for n, s in scores.items()
        if n != main
    )
    return element("div", element("div", *left), element("div", *tiles, class_="tiles"), class_="hero card")


def _against_baseline(record: dict) -> Html:
    floor, low = record["baseline"], record["accuracy"]["low"]
    always = f"always “{shorten(record['majority'], 36)}”"
    bar = markup.interval_bar(record["accuracy"], floor, always)
    if low > floor:
        verdict = f"The whole 95 % interval lies above what {always} would score."
        return join(bar, element("p", verdict, class_="verdict good"))
    verdict = f"Not shown to be better than answering {always}: more pictures or a longer training may help."
    return join(bar, element("p", verdict, class_="verdict bad"))


def _notes(facts: ReportFacts) -> Html:
    notes = (element("li", note) for note in facts.notes)
    return element("ul", *notes, class_="notes") if facts.notes else Html("")


def _data(facts: ReportFacts) -> Html:
    blocks = [markup.pairs(facts.data)] if facts.data else []
    if facts.classes:
        blocks.append(_class_counts(facts.classes))
    if facts.left_out:
        blocks.append(_left_out(facts.left_out))
    return join(*(element("div", block, class_="card") for block in blocks))


def _class_counts(classes: Mapping[str, Mapping[str, int]]) -> Html:
    parts = list(dict.fromkeys(part for counts in classes.values() for part in counts))
    counted = {name: [counts.get(part, 0) for part in parts] for name, counts in classes.items()}
    most = max(map(sum, counted.values()))
    rows = [
        (name, markup.stacked_bar(counts, most), *(f"{c:,}" for c in counts), f"{sum(counts):,}")
        for name, counts in counted.items()
    ]
    heads = (join(element("i", "", class_=f"key part{place}"), part) for place, part in enumerate(parts))
    table = markup.table(("class", "", *heads, "all"), rows, words=2, name="bars")
    return _folded(f"{len(classes)} classes", table, len(classes))


def _left_out(left_out: Sequence[tuple[str, str]]) -> Html:
    table = markup.table(("file", "why"), left_out[:MOST_LEFT_OUT], words=2)
    more = len(left_out) - MOST_LEFT_OUT
    counted = f"and {more:,} more; data.csv lists them all"
    rest = element("p", counted, class_="quiet") if more > 0 else Html("")
    return join(element("h3", f"{len(left_out):,} left out"), table, rest)


def _split(facts: ReportFacts) -> Html:
    if not facts.split and not facts.split_table:
        return Html("")
    table = markup.table(facts.split_table[0], facts.split_table[1:]) if facts.split_table else Html("")
    return element("div", element("p", facts.split) if facts.split else Html(""), table, class_="card")


def _network(facts: ReportFacts) -> Html:
    blocks = []
    if facts.network:
        blocks.append(element("pre", facts.network, class_="line"))
    if facts.summary:
        blocks.append(element("pre", facts.summary))
    return element("div", *blocks, class_="card") if blocks else Html("")


def _training(facts: ReportFacts) -> Html:
    blocks = []
    if facts.curves:
        caption = "Loss and accuracy after every epoch, on the pictures learned from and on held-back ones."
        alt = "Curves of loss, accuracy and learning rate over the epochs"
        blocks.append(markup.figure(facts.curves, alt, caption, name="chart"))
    if facts.augmentation:
        caption = "Training pictures as the network meets them, changed at random."
        alt = "Training pictures after random changes"
        blocks.append(markup.figure(facts.augmentation, alt, caption, name="sheet"))
    columns = [join(element("h3", title), markup.pairs(rows)) for title, rows in _columns(facts) if rows]
    cards = [element("div", block, class_="card") for block in blocks]
    pair = element("div", *(element("div", c, class_="card") for c in columns), class_="columns")
    return join(*cards, pair) if cards or columns else Html("")


def _columns(facts: ReportFacts) -> tuple[tuple[str, Sequence[tuple[str, object]]], ...]:
    return ("Settings", facts.settings), ("Machine", facts.machine)


def _scores(facts: ReportFacts) -> Html:
    parts = [part for part in ("test", "validation", "train") if part in facts.scores]
    if not parts:
        return Html("")
    blocks = [element("div", _score_table(facts.scores, parts), class_="card")]
    per_class = facts.scores[parts[0]].get("per_class")
    if per_class:
        title = f"{len(per_class)} classes on the {parts[0]} part"
        blocks.append(element("div", _folded(title, _class_scores(per_class), len(per_class)), class_="card"))
    if facts.confusion:
        caption = f"Confusion on the {parts[0]} part. Rows are true classes; blue is right, orange is wrong."
        image = markup.figure(facts.confusion, "Confusion matrix", caption, name="chart matrix")
        blocks.append(element("div", image, class_="card"))
    pair = [_calibration(facts), _confusions(facts.scores[parts[0]])]
    cards = (element("div", half, class_="card") for half in pair if half)
    return join(*blocks, element("div", *cards, class_="columns")) if any(pair) else join(*blocks)


def _calibration(facts: ReportFacts) -> Html:
    if not facts.calibration:
        return Html("")
    caption = "On the dashed line the network is as often right as it says; below it, it is too sure."
    return join(
        element("h3", "Calibration"),
        markup.figure(facts.calibration, "Calibration plot", caption, name="chart"),
    )


def _score_table(scores: Mapping[str, dict], parts: Sequence[str]) -> Html:
    names = dict.fromkeys(n for part in parts for n, score in scores[part].items() if markup.is_score(score))
    rows = []
    for name in names:
        cells = (scores[part].get(name) for part in parts)
        rows.append((_label(name), *(markup.interval(cell, name) if cell else "–" for cell in cells)))
    floors = [scores[part].get("baseline") for part in parts]
    if any(floor is not None for floor in floors):
        rows.append(("Baseline: the commonest class", *(markup.number(f, "accuracy") for f in floors)))
    heads = (join(part, " ", element("small", f"n = {scores[part]['n']:,}")) for part in parts)
    note = "In brackets the 95 % interval: how far the score could be off with this many pictures."
    return join(markup.table(("", *heads), rows), element("p", note, class_="quiet"))


def _class_scores(per_class: Mapping[str, dict]) -> Html:
    names = ("recall", "precision", "f1", "auroc")
    rows = [
        (
            label,
            f"{row['n']:,}",
            markup.small_bar(row["recall"]),
            *(markup.interval(row[n], n) for n in names),
        )
        for label, row in per_class.items()
    ]
    return markup.table(("class", "n", "", "Recall", "Precision", "F1", "AUROC"), rows, name="recalls")


def _confusions(record: dict, most: int = 10) -> Html:
    """The commonest mistakes in words, for those to whom the matrix is too large to read."""
    if not record["n"] or "confusion" not in record:
        return Html("")
    matrix, names = np.array(record["confusion"]), list(record["per_class"])
    wrong = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = [divmod(int(cell), len(matrix)) for cell in order if wrong.flat[cell]]
    rows = [(names[t], names[p], f"{matrix[t, p]:,} of {matrix[t].sum():,}") for t, p in cells]
    title = element("h3", "Most frequent mistakes")
    if not rows:
        return join(title, element("p", "None in this part.", class_="quiet"))
    return join(title, markup.table(("is", "was called", ""), rows, words=2))


def _mistakes(facts: ReportFacts) -> Html:
    cards = []
    for mistake in facts.mistakes:
        alt = f"{mistake.truth} taken for {mistake.predicted}"
        image = markup.picture(picture_png(mistake.picture, 256), alt, name="tiny", dense=1)
        called = element("p", element("b", mistake.predicted), f" {100 * mistake.confidence:.0f} %")
        truth = element("p", "is ", element("b", mistake.truth))
        path = element("p", mistake.path, class_="path", title=mistake.path)
        cards.append(element("li", element("div", image, class_="frame"), called, truth, path))
    if not cards:
        return Html("")
    intro = element("p", "Wrong answers of which the network was surest; a wrong label often hides here.")
    return element("div", intro, element("ul", *cards, class_="mistakes"), class_="card")


def _filters(facts: ReportFacts) -> Html:
    if not facts.filters:
        return Html("")
    caption = "The kernels of the first layer: the small patterns that it looks for in the picture."
    image = markup.figure(facts.filters, "Kernels of the first layer", caption, name="sheet")
    return element("div", image, class_="card")


def _next(facts: ReportFacts) -> Html:
    rows = (element("div", element("pre", line), element("p", what)) for line, what in facts.commands)
    return element("div", *rows, class_="card commands") if facts.commands else Html("")


def _foot(facts: ReportFacts) -> Html:
    return element("footer", f"Made by Striate {facts.version}. This page is complete: it loads nothing.")


def _folded(title: str, body: Html, count: int) -> Html:
    if count <= MOST_CLASSES_OPEN:
        return join(element("h3", title), body)
    return element("details", element("summary", title), body)


def _label(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


_SECTIONS = {
    "Scores": _scores,
    "Mistakes": _mistakes,
    "Data": _data,
    "Split": _split,
    "Network": _network,
    "Training": _training,
    "Filters": _filters,
    "Next": _next,
}
