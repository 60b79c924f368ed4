"""The scores of a report: the number that counts, the tables, what is confused with what."""

from collections.abc import Mapping, Sequence

import numpy as np

from striate.draw.style import shorten
from striate.evaluate import markup
from striate.evaluate.facts import ReportFacts
from striate.evaluate.markup import Html, element, join
from striate.evaluate.scores import in_groups

_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
    "calibration_error": "Calibration error",
    "log_loss": "Log loss",
}
_MEANINGS = {
    "test": "on {n} test pictures, opened {times}, after everything was chosen",
    "validation": "on {n} validation pictures; new pictures may score lower, since these helped to choose",
    "train": "on {n} pictures that the network learned from; new pictures will score lower",
}
_CLEAN = "test without leaks"


def hero(facts: ReportFacts) -> Html:
    """The one number that counts, its interval against the baseline, and its companions."""
    part = next((p for p in ("test", "validation", "train") if facts.scores.get(p, {}).get("n")), None)
    if part is None:
        return element("p", facts.headline, class_="lead card") if facts.headline else Html("")
    record = facts.scores[part]
    scores = {name: score for name, score in record.items() if markup.is_score(score)}
    main = "accuracy" if "accuracy" in scores else next(iter(scores))
    opened = record.get("openings", 1)
    meaning = _MEANINGS[part].format(n=f"{record['n']:,}", times="once" if opened == 1 else f"{opened:,} times")
    if groups := in_groups(record):
        meaning += f";{groups}, which the interval takes into account"
    left = [
        element("p", f"{part} {_label(main)}", class_="kicker"),
        element("p", markup.number(scores[main]["value"], main), class_="big"),
        element("p", meaning, class_="lead"),
    ]
    if main == "accuracy":
        left += [_against_baseline(record)]
    left += [element("p", warning, class_="verdict bad") for warning in facts.warnings]
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


def score_section(facts: ReportFacts) -> Html:
    parts = [part for part in ("test", "validation", "train") if part in facts.scores]
    if not parts:
        return Html("")
    blocks = [element("div", _score_table(facts.scores, parts), class_="card")]
    blocks += [element("div", card, class_="card") for card in (_random_split(facts), _runs(facts)) if card]
    per_class = facts.scores[parts[0]].get("per_class")
    if per_class:
        title = f"{len(per_class)} classes on the {parts[0]} part"
        blocks.append(element("div", markup.folded(title, _class_scores(per_class), len(per_class)), class_="card"))
    if facts.confusion:
        caption = f"Confusion on the {parts[0]} part. Rows are true classes; blue is right, orange is wrong."
        image = markup.figure(facts.confusion, "Confusion matrix", caption, name="chart matrix")
        blocks.append(element("div", image, class_="card"))
    pair = [_calibration(facts), _confusions(facts.scores[parts[0]])]
    cards = (element("div", half, class_="card") for half in pair if half)
    return join(*blocks, element("div", *cards, class_="columns")) if any(pair) else join(*blocks)


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
    return join(element("h3", "What a split by picture would have said"), table, element("p", words, class_="quiet"))


def _runs(facts: ReportFacts) -> Html:
    """Every run of several with its scores, as a figure and a table."""
    if not facts.runs:
        return Html("")
    parts = ("test", "validation", "train")
    rows = [
        (
            one["run"],
            one["seed"],
            one["fold"] or "–",
            *(markup.number(one[part].get("accuracy"), "accuracy") for part in parts),
        )
        for one in facts.runs
    ]
    table = markup.table(("run", "seed", "fold", *(f"{part} accuracy" for part in parts)), rows)
    alt = "Test accuracy of every run with its interval"
    drawn = markup.figure(facts.spread, alt, "Lines are 95 % intervals.", name="chart") if facts.spread else Html("")
    return join(element("h3", f"{len(facts.runs)} runs"), drawn, table)


def _calibration(facts: ReportFacts) -> Html:
    if not facts.calibration:
        return Html("")
    caption = "On the dashed line the network is as often right as it says; below it, it is too sure."
    return join(
        element("h3", "Calibration"),
        markup.figure(facts.calibration, "Calibration plot", caption, name="chart"),
    )


def _score_table(scores: Mapping[str, dict], parts: Sequence[str]) -> Html:
    if "without_leaks" in scores[parts[0]]:
        scores = {**scores, _CLEAN: scores[parts[0]]["without_leaks"]}
        parts = [parts[0], _CLEAN, *parts[1:]]
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


def _label(name: str) -> str:
    return _NAMES.get(name, name.replace("_", " ").capitalize())
