"""A table with a box per line: path, class and corners in pixels; what `striate predict` writes for a detector.

The columns are `path, label, x0, y0, x1, y1`; those that TensorFlow's converters write (`filename, width, height,
class, xmin, ymin, xmax, ymax`) are known too, and `x1, y1, x2, y2`, or the upper left corner with width and height.
Where no corner is above 1 and some are fractions, corners are shares of the sides. `ignored` (0 or 1), `part` and
`confidence` may follow. A line with a path and nothing else is a picture without objects, and so is one without corners
of a class that never has any ("No finding").
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from striate.data.boxes import Labelled, Noted, Thing, class_name, negative, size_of, written_number
from striate.data.columns import COLUMNS, cell_at, find_column, read_lines
from striate.data.folder import PART_NAMES, tables_in
from striate.data.targets import NOTHING
from striate.data.targets import number as decimal
from striate.errors import StriateError

_COLUMNS = COLUMNS | {"path": (*COLUMNS["path"], "image_id", "img_id", "image_name", "patientid")}  # of radiologists
HEADER = ("path", "label", "x0", "y0", "x1", "y1")
_CORNERS = tuple(
    tuple(names.split())
    for names in ("x0 y0 x1 y1", "xmin ymin xmax ymax", "x_min y_min x_max y_max", "x1 y1 x2 y2")  # x1: where no x0 is
) + tuple(  # width and height may be those of the picture where there is more
    (*start.split(), *sides.split())
    for sides in ("w h", "width height")
    for start in ("xmin ymin", "x_min y_min", "left top", "x y")
)


def find_box_tables(folder: Path) -> list[Path]:
    """The tables in `folder` that have a box per line, sorted."""
    return list(filter(is_box_table, tables_in(folder)))


def is_box_table(file: Path) -> bool:
    """Whether the first line of a CSV or TSV table names a path, a class and four corners."""
    if file.suffix.lower() not in (".csv", ".tsv", ".txt") or not file.is_file():
        return False
    try:
        return _columns(read_lines(file).named().names) is not None
    except StriateError:
        return False


def _columns(header: Sequence[str]) -> dict[str, int] | None:
    names = [name.strip().casefold() for name in header]
    corners = next((corners for corners in _CORNERS if all(name in names for name in corners)), None)
    found = {word: find_column(names, _COLUMNS[word]) for word in ("path", "label", "part")}
    if corners is None or found["path"] is None or found["label"] is None:
        return None
    columns = {word: number for word, number in found.items() if number is not None}
    columns |= dict(zip(HEADER[2:], map(names.index, corners), strict=True))
    columns |= {"sides": columns["x1"]} if corners[2][0] == "w" else {}
    others = {"width", "height", "ignored"}.intersection(names).difference(corners)
    return columns | {word: names.index(word) for word in others}


def read_box_table(file: Path) -> list[Noted]:
    """What a table says of every picture, in the order in which it first names them."""
    table = read_lines(file).named()
    columns = _columns(table.names)
    rows: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, cells in table.lines:
        values = {word: cell_at(cells, column) for word, column in columns.items()}
        values["corners"] = "".join(values[word] for word in HEADER[2:] if values[word].lower() not in NOTHING)
        if values["path"]:
            rows.setdefault(values["path"], []).append((number, values))
    corners = [decimal(row[word]) for listed in rows.values() for _, row in listed for word in HEADER[2:]]
    written = [value for value in corners if value is not None]
    shares = max(written, default=2.0) <= 1 and not all(value.is_integer() for value in written)
    boxed = {row["label"] for listed in rows.values() for _, row in listed if row["corners"]} - {""}
    return [_note(file, path, listed, shares, boxed) for path, listed in rows.items()]


def _note(file: Path, path: str, rows: Sequence[tuple[int, dict[str, str]]], shares: bool, boxed: set[str]) -> Noted:
    things = [_thing(number, row) for number, row in rows if row["corners"] or row["label"] in boxed]
    words = {row.get("part", "") for _, row in rows} - {""}
    parts = {PART_NAMES.get(word.lower()) for word in words}
    problem = ""
    if len(parts) > 1 or None in parts:
        problem = f"{file.name} gives it the parts {', '.join(sorted(words))}"
    size, part = size_of(*(rows[0][1].get(side) for side in ("height", "width"))), next(iter(parts), None)
    return Noted(picture=path, file=file.name, things=things, size=size, shares=shares, part=part, problem=problem)


def _thing(number: int, row: dict[str, str]) -> Thing:
    place, name = f"line {number}", class_name(row["label"])
    corners = tuple(decimal(row[word]) for word in HEADER[2:])
    if None in corners:
        said = ", ".join(row[word] or "nothing" for word in HEADER[2:])
        return Thing(place=place, name=name, problem=f"four corners are numbers, and these are {said}")
    problem = "it has no class" if name.lower() in NOTHING else ""
    if "sides" in row:  # columns are x, y, width and height
        x, y, *sides = corners
        corners, problem = (x, y, x + sides[0], y + sides[1]), problem or negative(*sides)
    ignored = row.get("ignored", "").lower() in ("1", "true")
    return Thing(place=place, name=name, corners=corners, ignored=ignored, problem=problem)


def box_rows(pictures: Sequence[Labelled]) -> Iterator[tuple[object, ...]]:
    """The lines below HEADER and "ignored" or, of predicted boxes, "confidence"; corners to a thousandth of a pixel."""
    for path, boxes in pictures:
        if not boxes.names:
            yield (path, *[""] * 6)
        for name, corners, is_ignored, confidence in boxes.each():
            if confidence is None and name.lower() in NOTHING:
                rule = "a class in a table has a name that does not say that there is none"
                raise StriateError(rule, received=repr(name), where=path, remedy="rename it, or take another format")
            last = int(is_ignored) if confidence is None else f"{confidence:.6f}"
            yield (path, name, *map(written_number, corners), last)
