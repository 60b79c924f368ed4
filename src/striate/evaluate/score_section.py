"""The scores of a report: the number that counts, the tables, what is confused with what."""

from collections.abc import Mapping, Sequence

import numpy as np

from striate.draw.style import shorten
from striate.errors import counted
from striate.evaluate import markup, named
from striate.evaluate.facts import Figure, ReportFacts
from striate.evaluate.markup import Html, cards, element, join, quiet
from striate.evaluate.named import (
    floor_of,
    in_groups,
    is_better,
    is_share,
    label,
    main_of,
    number,
    row_of,
    scores_of,
    to_beat,
)
from striate.evaluate.operating import from_on

_MEANINGS = {
    "test": "on {n} test pictures, opened {times}, after everything was chosen",
    "validation": "on {n} validation pictures; new pictures may score lower, since these helped to choose",
    "train": "on {n} pictures that the network learned from; new pictures will score lower",
}
_PARTS = tuple(_MEANINGS)  # the first with scores is the one that counts
_CLEAN = "test without leaks"
MOST_CONFUSED = 10  # pairs of classes in words
MOST_WITH_BAR = 4  # scores of a class that leave room for a bar beside them


def hero(facts: ReportFacts) -> Html:
    """The one number that counts, its interval against the baseline, and its companions."""
    part = next((p for p in _PARTS if facts.scores.get(p, {}).get("n")), None)
    if part is None:
        return element("p", facts.headline, class_="lead card") if facts.headline else Html("")
    record = facts.scores[part]
    scores, main, opened = scores_of(record), main_of(record), record.get("openings", 1)
    meaning = _MEANINGS[part].format(n=f"{record['n']:,}", times="once" if opened == 1 else f"{opened:,} times")
    if groups := in_groups(record):
        meaning += f";{groups}, which the interval takes into account"
    if not is_share(main) and scores[main]["low"] is not None:  # which no bar shows
        low, high = (number(scores[main][end], main) for end in ("low", "high"))
        meaning += f"; 95 % interval {low} to {high}"
    left = [
        element("p", f"{part} {label(main, record)}", class_="kicker"),
        element("p", number(scores[main]["value"], main), class_="big"),
        element("p", meaning, class_="lead"),
        _against_baseline(record, main),
        *(element("p", warning, class_="verdict bad") for warning in facts.warnings),
    ]
    tiles = (
        element("div", element("b", number(s["value"], n)), element("span", label(n, scores)), class_="tile")
        for n, s in scores.items()
        if n != main
    )
    return element("div", element("div", *left), element("div", *tiles, class_="tiles"), class_="hero card")


def _against_baseline(record: dict, main: str) -> Html:
    (floor, without), score = to_beat(record), record[main]
    if floor is None or score["low"] is None:
        return Html("")
    bar = markup.interval_bar(score, floor, shorten(without, 44)) if is_share(main) else Html("")
    told = "" if bar else f" ({number(floor, main)})"
    kind, verdict = "bad", f"Not shown to be better than {without}{told}: more pictures or a longer training may help."
    if all(is_better(main, score[end], floor) for end in ("low", "high")):
        kind, verdict = "good", f"The whole 95 % interval is better than what {without} would score{told}."
    return join(bar, element("p", verdict, class_=f"verdict {kind}"))


def score_section(facts: ReportFacts) -> Html:
    parts = [part for part in _PARTS if part in facts.scores]
    if not parts:
        return Html("")
    blocks = [_score_table(facts.scores, parts), _random_split(facts), _runs(facts)]
    per_class = facts.scores[parts[0]].get("per_class")
    if per_class:
        title = f"{counted(len(per_class), row_of(per_class))} on the {parts[0]} part"
        blocks.append(markup.folded(title, _class_scores(per_class), len(per_class)))
    if points := facts.scores[parts[0]].get("operating_points"):
        title = f"What it takes to find nearly all, on the {parts[0]} part"
        blocks.append(markup.folded(title, _points(points, "confusion" in facts.scores[parts[0]]), len(points)))
    drawn = facts.figures.values()
    blocks += [_drawn(figure, parts[0]) for figure in drawn if not figure.title]
    halves = [join(element("h3", figure.title), _drawn(figure, parts[0])) for figure in drawn if figure.title]
    columns = cards(*halves, _confusions(facts.scores[parts[0]]))
    return join(cards(*blocks), element("div", columns, class_="columns") if columns else "")


def _drawn(figure: Figure, part: str) -> Html:
    return markup.figure(figure.png, figure.alt, f"{figure.caption} ({part.capitalize()} part.)", name=figure.name)


def _random_split(facts: ReportFacts) -> Html:
    """The inflated score of a split by picture beside the honest one, and how it was found."""
    split = facts.random_split
    if split is None:
        return Html("")
    test = facts.scores["test"].get("without_leaks", facts.scores["test"])
    rows = [
        ("The honest test: look-alikes stay in one part", test["n"], markup.interval(test["accuracy"], "accuracy")),
        ("A split by picture, about", "", markup.interval(split["accuracy"], "accuracy")),
    ]
    if "twins" in split:
        rows.insert(1, ("Twins of training pictures", split["n"], markup.interval(split["twins"], "accuracy")))
    words = (
        f"{split['n']:,} look-alikes of training pictures were held out and scored with the same network. In a split "
        f"by picture {100 * split['share']:.0f} % of the test pictures would have a look-alike in training; what it "
        "would have reported is the mean of both scores, weighted by that share."
    )
    table = markup.table(("", "n", "Accuracy"), rows)
    return join(element("h3", "What a split by picture would have said"), table, quiet(words))


def _runs(facts: ReportFacts) -> Html:
    """Every run of several with its scores, as a figure and a table."""
    if not facts.runs:
        return Html("")
    test = facts.scores.get("test", {})
    main = main_of(test)
    word = named.in_sentence(main, test)
    rows = [
        (one["run"], one["seed"], one["fold"] or "–", *(number(one[part].get(main), main) for part in _PARTS))
        for one in facts.runs
    ]
    table = markup.table(("run", "seed", "fold", *(f"{part} {word}" for part in _PARTS)), rows)
    alt = f"Test {word} of every run with its interval"
    drawn = markup.figure(facts.spread, alt, "Lines are 95 % intervals.", name="chart") if facts.spread else Html("")
    return join(element("h3", f"{len(facts.runs)} runs"), drawn, table)


def _score_table(scores: Mapping[str, dict], parts: Sequence[str]) -> Html:
    if "without_leaks" in scores[parts[0]]:
        scores = {**scores, _CLEAN: scores[parts[0]]["without_leaks"]}
        parts = [parts[0], _CLEAN, *parts[1:]]
    names = dict.fromkeys(name for part in parts for name in scores_of(scores[part]))
    rows = []
    for name in names:
        cells = (scores[part].get(name) for part in parts)
        rows.append((label(name, names), *(markup.interval(cell, name) if cell else "–" for cell in cells)))
    floors = [scores[part].get("baseline") for part in parts]
    if any(floor is not None for floor in floors):
        main = main_of(scores[parts[0]])
        rows.append((f"{label(main, names)} of {floor_of(scores[parts[0]])}", *(number(f, main) for f in floors)))
    heads = (join(part, " ", element("small", f"n = {scores[part]['n']:,}")) for part in parts)
    note = "In brackets the 95 % interval: how far the score could be off with this many pictures."
    return join(markup.table(("", *heads), rows), quiet(note))


def _class_scores(per_class: Mapping[str, dict]) -> Html:
    names = list(scores_of(next(iter(per_class.values()))))
    first = "recall" if "recall" in names else next(filter(is_share, names), None)
    has_bar = first is not None and len(names) <= MOST_WITH_BAR
    rows = []
    for one, row in per_class.items():
        bar = [markup.small_bar(row[first])] if has_bar else []
        rows.append((one, named.held(row), *bar, *(markup.interval(row[name], name) for name in names)))
    head = (row_of(per_class), "n", *([""] if has_bar else []), *map(label, names))
    return markup.table(head, rows, name="recalls" if has_bar else "recalls narrow")


def _points(points: Sequence[dict], one_each: bool) -> Html:
    """Thresholds that were chosen to find most of a class, and what they found and cost; one_each: every picture is of
    one class."""
    names = ("recall", "specificity", "precision")
    rows = []
    for one in points:
        how = one["class"], f"{100 * one['wanted']:.0f} %", from_on(one["threshold"]), one["n"]
        rows.append((*how, *(markup.interval(one[name], name) for name in names)))
    words = (
        "By the validation part, so many of its pictures are found where it is said from this probability on, "
        "whatever else is likely; the scores are of this part. Recall is the sensitivity."
    )
    words += " Where it is above one half, the usual answer, the likeliest, finds at least as many." * one_each
    return join(markup.table(("", "to find", "say it from", "n", *map(label, names)), rows), quiet(words))


def _confusions(record: dict) -> Html:
    """The commonest mistakes in words, for those to whom the matrix is too large to read."""
    if not record["n"] or "confusion" not in record:
        return Html("")
    matrix, names = np.array(record["confusion"]), list(record["per_class"])
    wrong = matrix * ~np.eye(len(matrix), dtype=bool)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSED]
    cells = [divmod(int(cell), len(matrix)) for cell in order if wrong.flat[cell]]
    rows = [(names[t], names[p], f"{matrix[t, p]:,} of {matrix[t].sum():,}") for t, p in cells]
    many = f" in {record['answers']:,} answers" if record.get("answers", 0) > record["n"] else ""
    title = element("h3", f"Most frequent mistakes{many}")
    if not rows:
        return join(title, quiet("None in this part."))
    return join(title, markup.table(("is", "was called", ""), rows, words=2))
