"""What scores are called, how their numbers are written, and what is said of them in sentences and tables of text."""

from collections.abc import Container, Mapping, Sequence

from striate.errors import aligned, first_few

_NAMES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "F1, mean over classes",
    "micro_f1": "F1, over all labels",
    "f1": "F1",
    "precision": "Precision",
    "recall": "Recall",
    "specificity": "Specificity",
    "auroc": "AUROC",
    "ap": "Average precision",
    "map": "mAP, mean over labels",
    "iou": "IoU",
    "dice": "Dice",
    "outline": "F1 of outlines",
    "pixel_accuracy": "Pixels that are right",
    "iou_per_picture": "IoU, mean over pictures",
    "object_f1": "F1 of objects",
    "count_error": "Objects miscounted per picture",
    "map50": "mAP50",
    "map50_95": "mAP50-95",
    "map75": "mAP75",
    "ap50": "AP50",
    "ap50_95": "AP50-95",
    "all_right": "All labels right",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "pearson": "Pearson's correlation",
    "spearman": "Spearman's correlation",
    "coverage": "Inside the 90 % interval",
    "calibration_error": "Calibration error",
    "log_loss": "Log loss",
}
_NO_SHARES = ("auroc", "ap", "map", "count_error", "rmse", "mae", "r2", "pearson", "spearman", "log_loss")
_LOWER = ("count_error", "rmse", "mae", "calibration_error", "log_loss")  # is better
_IN_UNITS = ("rmse", "mae")  # the user's own
MANY = 0.9  # clusters per picture, from which on the clusters are not told
TWINS = 20  # look-alikes held out; of fewer the score says too little for more than a line of the report


def in_cell(value: float | None, name: str, digits: int) -> str:
    """A score in a table for the terminal: with so many decimals, or as `number` where it is in the user's units."""
    if value is None or name in _IN_UNITS:
        return number(value, name)
    return f"{value:.{digits}f}".replace("-", "−")


def label(name: str, record: Container[str] = ()) -> str:
    """The name of a score for people; record: the names of those beside it, since classes and labels share one."""
    if name == "macro_f1" and "micro_f1" in record:
        return "F1, mean over labels"
    return _NAMES.get(name) or name.replace("_", " ").capitalize()


def in_sentence(name: str, record: Container[str] = ()) -> str:
    """`label` as it stands within a sentence: words small, abbreviations and people's names as they are."""
    word = label(name, record)
    keeps = word.startswith(("Dice", "Pearson", "Spearman")) or not word.split()[0][1:].islower()
    return word if keeps else word[0].lower() + word[1:]


def is_share(name: str) -> bool:
    """Whether a score is a share, told in percent."""
    return name in _NAMES and name not in _NO_SHARES


def is_better(name: str, value: float, other: float) -> bool:
    """Whether one value of a score is better than another."""
    return value < other if name in _LOWER else value > other


def number(value: float | None, name: str) -> str:
    """A score for people: shares in percent, others with four digits, a dash for what is not defined; those in the
    user's units, which may be small, with three that say something."""
    if value is None:
        return "–"
    if is_share(name):
        return f"{100 * value:.1f} %"
    size = abs(value)
    small = ".3g" if name in _IN_UNITS and 0 < size < 0.1 else ".3f"
    form = small if size < 10 else ".0f" if 1e3 <= size < 1e6 else "#.4g"
    return f"{value:{form}}".rstrip(".").replace("-", "−")


def to_beat(record: Mapping) -> tuple[float | None, str]:
    """The baseline and its words; where the accuracy's interval lies above it, but not above what always answering the
    commonest class of the part itself would score, which few groups may bring about, that instead."""
    floor, low, per_class = record.get("baseline"), record[main_of(record)]["low"], record.get("per_class")
    if main_of(record) == "accuracy" and per_class and None not in (floor, low):
        share, name = max((one["n"] / record["n"], name) for name, one in per_class.items())
        if floor < low <= share:
            return share, f"always {name!r} (the commonest here)"
    return floor, floor_of(record)


def row_of(per_class: Mapping[str, Mapping[str, object]]) -> str:
    """What has a score each beside the whole: a class, a label, or one of several numbers that are learned."""
    row = next(iter(per_class.values()), {})
    return "number" if "rmse" in row else "label" if "ap" in row else "class"


def held(row: Mapping[str, object]) -> str:
    """How many pictures are of a class, "12 of 40" where it is known of 40 alone."""
    return f"{row['n']:,} of {row['known']:,}" if "known" in row else f"{row['n']:,}"


def interval(score: Mapping[str, float | None], name: str) -> str:
    """ "91.2 % [86.1, 94.6]"."""
    if score["value"] is None or score["low"] is None:
        return number(score["value"], name)
    low, high = (number(score[end], name).removesuffix(" %") for end in ("low", "high"))
    return f"{number(score['value'], name)} [{low}, {high}]"


def scores_of(record: Mapping[str, object]) -> dict[str, dict]:
    """The entries of a record of scores.json that are scores with an interval, by name."""
    return {name: one for name, one in record.items() if isinstance(one, dict) and "value" in one and "low" in one}


def main_of(record: Mapping[str, object]) -> str:
    """The name of the score that counts; accuracy in the records of earlier versions."""
    return str(record.get("main", "accuracy"))


def floor_of(record: Mapping[str, object]) -> str:
    """What the baseline is, in words."""
    return str(record.get("baseline_is") or f"always {record.get('majority')!r}")


def headline(scores: dict) -> str:
    """One line that says how good it is: "91.2 % [86.1, 94.6], n = 180; always 'cat' would score 55.0 %"."""
    if not scores["n"]:
        return "not scored: no pictures in this part"
    main, (floor, without) = main_of(scores), to_beat(scores)
    said = "" if main == "accuracy" else f"{label(main, scores)} "
    beside = "" if floor is None else f"; {without} would score {number(floor, main)}"
    return f"{said}{interval(scores[main], main)}, n = {scores['n']:,}{in_groups(scores)}{beside}"


def in_groups(scores: dict) -> str:
    """ " in 41 groups", where so many pictures belong together that it matters; else nothing."""
    clusters = scores.get("clusters", scores["n"])
    return f" in {clusters:,} groups" if clusters < MANY * scores["n"] else ""


def warnings(scores: dict, opened_by: Sequence[str] = ()) -> list[str]:
    """What must be said beside the test score of scores.json, in sentences.

    opened_by: earlier runs that opened the same test pictures.
    """
    test, said = scores["test"], []
    if test.get("leaked"):
        honest, many = test["without_leaks"], f"{test['leaked']:,} of the {test['n']:,} test pictures"
        said.append(f"{many} have a copy, a look-alike or one of their group in training. Without: {headline(honest)}.")
    if (split := scores.get("random_split")) and split["n"] >= TWINS:
        honest, naive = (interval(part["accuracy"], "accuracy") for part in (test.get("without_leaks", test), split))
        said.append(
            f"A split by picture would have reported about {naive}, since {100 * split['share']:.0f} % of the pictures "
            f"would have had a look-alike in training; the honest test says {honest}."
        )
    if share := test.get("learned"):
        many = f"{100 * share:.0f} %" if share >= 0.01 else "Some"
        said.append(f"{many} of these pictures were learned from, and a score on those says nothing of new ones.")
    said += filter(None, [test.get("note")])
    if test.get("openings", 1) > 1:
        by = f" (earlier by {first_few(list(opened_by))})" if opened_by else ""
        said.append(
            f"These test pictures have been opened {test['openings']:,} times{by}; a score chosen by looking at it is "
            "no longer honest."
        )
    return said


def score_table(scores: Mapping[str, dict]) -> str:
    """Every score of every part with its interval, the classes and mistakes of the first, as lines for the terminal."""
    part, first = next(iter(scores.items()))
    names = list(scores_of(first))
    rows = [["", *(f"{part:>24}" for part in scores)]]
    rows += [[label(name, names), *(_cell(record.get(name), name) for record in scores.values())] for name in names]
    lines = [*(f"{part}: {headline(record)}" for part, record in scores.items()), ""]
    lines += aligned(rows, range(1, len(scores) + 1))
    return "\n".join([*lines, *_classes(part, first.get("per_class", {})), *_confusion(part, first)])


def _classes(part: str, per_class: Mapping[str, dict]) -> list[str]:
    if not per_class:
        return []
    names = list(scores_of(next(iter(per_class.values()))))
    rows = [[f"{part}, by {row_of(per_class)}", f"{'n':>6}", *(f"{label(name):>11}" for name in names)]]
    for one, row in per_class.items():
        rows.append([one, held(row), *(in_cell(row[name]["value"], name, 3) for name in names)])
    return ["", *aligned(rows, range(1, len(names) + 2))]


def _confusion(part: str, record: Mapping[str, object]) -> list[str]:
    """The counts of what is true (rows) and what was said of it, where they find room."""
    names, counts = list(record.get("per_class", ())), record.get("confusion", ())
    rows = [[name, *map("{:,}".format, row)] for name, row in zip(names, counts, strict=False)]
    lines = aligned([[f"{part}, true below", *names], *rows], range(1, len(names) + 1))
    return ["", *lines] if len(rows) > 1 and len(lines[0]) <= 100 else []


def _cell(score: dict | None, name: str) -> str:
    value, *ends = (in_cell(score[key] if score else None, name, 4) for key in ("value", "low", "high"))
    return value if score is None or score["low"] is None else f"{value} [{', '.join(ends)}]"
