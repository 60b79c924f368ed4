"""Texts in a column of a table, each with a label in another: they become samples of one row of symbols."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from striate.data.columns import COLUMNS, find_column, read_lines
from striate.data.folder import PART_NAMES
from striate.data.sample import Found, LeftOut, Sample
from striate.data.symbols import symbols_of
from striate.errors import StriateError, first_few, nearest


def read_texts(
    file: Path, column: str, group: str | None = None, label_column: str | None = None, *, labelled: bool = True
) -> tuple[Found, str | None]:
    """The texts in a column of a CSV or TSV table, and `group` again unless it named a column that was used.

    The label is in `label_column`, in a column of that or a like name, or in the only other one. labelled: a text
    without a label is left out; else its target is "". Raises StriateError where a column is missing or in doubt.
    """
    (_, names), *lines = read_lines(file)
    text = _asked(file, names, column, "--text")
    part = find_column(names, COLUMNS["part"])
    together = find_column(names, (group, *COLUMNS["group"]) if group else COLUMNS["group"])
    label = _asked(file, names, label_column, "--label-column") if label_column else None
    if label is None:
        label = _label(file, names, {text, part, together}, labelled)
    samples, left_out = [], []
    for number, (line, cells) in enumerate(lines):
        words, target, share, unit = (
            cells[n] if n is not None and n < len(cells) else "" for n in (text, label, part, together)
        )
        path, about = f"{file.stem}/{number}", PART_NAMES.get(share.lower())
        problem = "no text" if not words else "no label" if labelled and not target else ""
        if share and about is None:
            problem = f"{share!r} is not one of train, validation, test"
        if problem:
            left_out.append(LeftOut(path=path, reason=f"line {line}: {problem}", label=target, part=about or ""))
        else:
            target = unicodedata.normalize("NFC", target)
            source = symbols_of(words)
            samples.append(Sample(path=path, source=source, target=target, group=unit or None, part=about))
    root, used = os.path.abspath(file), bool(group) and find_column(names, (group,)) is not None  # noqa: PTH100
    return Found(root=root, kind="table", samples=samples, left_out=left_out, form="text"), None if used else group


def _asked(file: Path, names: Sequence[str], column: str, option: str) -> int:
    found = find_column(names, (column,))
    if found is None:
        remedy = nearest(column, [name for name in names if name])
        raise StriateError(f"{option} names a column of the table", received=column, where=file, remedy=remedy)
    return found


def _label(file: Path, names: Sequence[str], taken: set[int | None], needed: bool) -> int | None:
    known = find_column(names, COLUMNS["label"])
    rest = [n for n in range(len(names)) if n not in taken]
    if known is not None or len(rest) == 1:
        return rest[0] if known is None else known
    if not needed:
        return None
    raise StriateError(
        "there must be no doubt which column holds the label",
        received=f"the columns {first_few([names[n] for n in rest], 10)}" if rest else "no other column",
        where=file,
        remedy=f"name it, for example --label-column {names[rest[0]]!r}" if rest else "add a column label",
    )
