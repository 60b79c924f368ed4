"""Texts in a column of a table, each with a label in another: they become samples of one row of symbols."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from striate.data.columns import Table, find_column, named_layout, read_lines, words_in
from striate.data.header import Unreadable
from striate.data.sample import Asked, Found, Sample
from striate.data.symbols import symbols_of
from striate.errors import StriateError, nearest


def read_texts(file: Path, asked: Asked) -> Found:
    """The texts in the column `asked.text` of a table.

    The label is in the column or columns asked for, in one called label or the like, or in what is left. A text
    without a label is left out. Raises StriateError where a column is missing or in doubt.
    """
    table = read_lines(file, asked).named()
    layout = named_layout(table, _text_column(table, asked.text))
    samples, left_out = [], []
    for number, row in enumerate(layout.rows()):
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
    table = read_lines(file)
    named, names = table.named(), words_in(columns)
    if len(names) == table.width and find_column(named.names, (column,)) is None:
        named = replace(table, names=names)
    cells = named.column(_text_column(named, column))
    for number, ((line, _), words) in enumerate(zip(named.lines, cells, strict=True)):
        yield f"{file.stem}/{number}", symbols_of(words) if words else Unreadable(f"line {line}: no text", "values")


def _text_column(table: Table, column: str) -> int:
    found = find_column(table.names, (column,))
    if found is None:
        remedy = nearest(column, list(filter(None, table.names)))
        raise StriateError("--text names a column of the table", received=column, where=table.file, remedy=remedy)
    return found
