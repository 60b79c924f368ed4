"""Scores as a table for the terminal."""

from collections.abc import Mapping

from striate.errors import aligned
from striate.evaluate.named import headline, held, in_cell, label, row_of, scores_of


def score_table(scores: Mapping[str, dict]) -> str:
    """Every score of every part with its interval, and the classes of the first part, as lines of text."""
    part, first = next(iter(scores.items()))
    names = list(scores_of(first))
    rows = [["", *(f"{part:>24}" for part in scores)]]
    rows += [[label(name, names), *(_cell(record.get(name), name) for record in scores.values())] for name in names]
    lines = [*(f"{part}: {headline(record)}" for part, record in scores.items()), ""]
    lines += aligned(rows, range(1, len(scores) + 1))
    return "\n".join([*lines, *_classes(part, first.get("per_class", {}))])


def _classes(part: str, per_class: Mapping[str, dict]) -> list[str]:
    if not per_class:
        return []
    names = list(scores_of(next(iter(per_class.values()))))
    rows = [[f"{part}, by {row_of(per_class)}", f"{'n':>6}", *(f"{label(name):>11}" for name in names)]]
    for one, row in per_class.items():
        rows.append([one, held(row), *(in_cell(row[name]["value"], name, 3) for name in names)])
    return ["", *aligned(rows, range(1, len(names) + 2))]


def _cell(score: dict | None, name: str) -> str:
    value, *ends = (in_cell(score[key] if score else None, name, 4) for key in ("value", "low", "high"))
    return value if score is None or score["low"] is None else f"{value} [{', '.join(ends)}]"
