"""Scores as a table for the terminal."""

from collections.abc import Mapping

from striate.evaluate.named import held, in_cell, label, row_of, scores_of
from striate.evaluate.scores import headline


def score_table(scores: Mapping[str, dict]) -> str:
    """Every score of every part with its interval, and the classes of the first part, as lines of text."""
    part, first = next(iter(scores.items()))
    names = list(scores_of(first))
    width = max(len(label(name, names)) for name in names)
    lines = [f"{part}: {headline(record)}" for part, record in scores.items()] + [""]
    lines.append(" " * width + "".join(f"  {part:>24}" for part in scores))
    lines += [
        f"{label(name, names):{width}}"
        + "".join(f"  {_cell(record.get(name), name):>24}" for record in scores.values())
        for name in names
    ]
    return "\n".join([*lines, *_classes(part, first.get("per_class", {}))])


def _classes(part: str, per_class: Mapping[str, dict]) -> list[str]:
    if not per_class:
        return []
    names = list(scores_of(next(iter(per_class.values()))))
    title = f"{part}, by {row_of(per_class)}"
    longest = max(len(title), *map(len, per_class))
    wide = {name: max(11, len(label(name))) for name in names}
    most = max(6, *(len(held(row)) for row in per_class.values()))
    heads = "".join(f"  {label(name):>{width}}" for name, width in wide.items())
    rows = (
        f"{one:{longest}}  {held(row):>{most}}"
        + "".join(f"  {in_cell(row[name]['value'], name, 3):>{wide[name]}}" for name in names)
        for one, row in per_class.items()
    )
    return ["", f"{title:{longest}}  {'n':>{most}}" + heads, *rows]


def _cell(score: dict | None, name: str) -> str:
    value, *ends = (in_cell(score[key] if score else None, name, 4) for key in ("value", "low", "high"))
    return value if score is None or score["low"] is None else f"{value} [{', '.join(ends)}]"
