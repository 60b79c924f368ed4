"""Scores as a table for the terminal."""

from collections.abc import Mapping

from striate.evaluate.scores import headline

_SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "F1, mean over classes",
    "auroc": "AUROC",
    "calibration_error": "calibration error",
    "log_loss": "log loss",
}


def score_table(scores: Mapping[str, dict]) -> str:
    """Every score of every part with its interval, and the classes of the first part, as lines of text."""
    lines = [f"{part}: {headline(record)}" for part, record in scores.items()] + [""]
    width = max(len(text) for text in _SHOWN.values())
    lines.append(" " * width + "".join(f"  {part:>24}" for part in scores))
    lines += [
        f"{text:{width}}" + "".join(f"  {_cell(record.get(name)):>24}" for record in scores.values())
        for name, text in _SHOWN.items()
    ]
    part, first = next(iter(scores.items()))
    longest = max((len(name) for name in first["per_class"]), default=0)
    lines += ["", f"{part}, by class".ljust(longest) + "       n    precision       recall           F1"]
    lines += [
        f"{name:{longest}}  {row['n']:6,}"
        + "".join(f"  {_number(row[score]):>11}" for score in ("precision", "recall", "f1"))
        for name, row in first["per_class"].items()
    ]
    return "\n".join(lines)


def _cell(score: dict | None) -> str:
    if score is None or score["value"] is None:
        return "-"
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


def _number(score: dict) -> str:
    return "-" if score["value"] is None else f"{score['value']:.3f}"
