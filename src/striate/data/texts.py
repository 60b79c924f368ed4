"""Texts in a column of a table, each with a label in another: they become samples of one row of symbols."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from striate.data.columns import cell_at, find_column, named_layout, read_lines, rows_of
from striate.data.header import Unreadable
from striate.data.sample import Asked, Found, Sample
from striate.data.symbols import symbols_of
from striate.errors import StriateError, nearest


def read_texts(file: Path, asked: Asked) -> Found:
    """The texts in the column `asked.text` of a table.

    The label is in the column or columns asked for, in one called label or the like, or in what is left. A text
    without a label is left out. Raises StriateError where a column is missing or in doubt.
    """
    lines = read_lines(file, asked.columns)
    layout = named_layout(file, lines, _text_column(file, lines[0][1], asked.text), asked)
    samples, left_out = [], []
    for number, row in enumerate(rows_of(lines, layout)):
        path, problem = f"{file.stem}/{number}", row.problem if row.name else "no text"
        if problem:
            left_out.append(row.left_out(problem, path))
        else:
            source = symbols_of(row.name)
            samples.append(Sample(path=path, source=source, target=row.target, group=row.group, part=row.part))
    root = os.path.abspath(file)  # noqa: PTH100
    return Found(root=root, kind="table", samples=samples, left_out=left_out, form="text", **layout.about)


def list_texts(file: Path, column: str, columns: str = "") -> Iterator[tuple[str, np.ndarray | Unreadable]]:
    """The symbols of every text in a column with its name, whether it has a label or not. columns: by commas, the names
    of those of a table as wide that has no line of names."""
    lines = read_lines(file)
    names = [name.strip() for name in columns.split(",")]
    if len(names) != len(lines[0][1]) or find_column(lines[0][1], (column,)) is not None:
        names = lines.pop(0)[1]
    text = _text_column(file, names, column)
    for number, (line, cells) in enumerate(lines):
        words = cell_at(cells, text)
        yield f"{file.stem}/{number}", symbols_of(words) if words else Unreadable(f"line {line}: no text", "values")


def _text_column(file: Path, names: Sequence[str], column: str) -> int:
    found = find_column(names, (column,))
    if found is None:
        remedy = nearest(column, [name for name in names if name])
        raise StriateError("--text names a column of the table", received=column, where=file, remedy=remedy)
    return found
