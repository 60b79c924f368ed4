"""Recordings in class folders, as PhysioNet has them: a .hea file each, and the signals in files beside it (WFDB)."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from striate.data.folder import PART_NAMES, visible
from striate.data.quiet import quiet
from striate.data.sample import Found, LeftOut, Sample
from striate.data.series import all_series
from striate.errors import StriateError, in_short


def is_records(source: Path) -> bool:
    """Whether `source` is a folder of class folders, with or without parts above them, that hold recordings."""
    return source.is_dir() and next(_headers(source), None) is not None


def read_records(source: Path) -> Found:
    """The recordings of FOLDER/<class>/... or FOLDER/<part>/<class>/..., in physical units, a channel per signal.

    What cannot be read is left out with its reason. Raises StriateError where the package is missing that reads them.
    """
    if importlib.util.find_spec("wfdb") is None:
        rule, remedy = "WFDB recordings need one more package", "pip install 'striate[wfdb]'"
        raise StriateError(rule, received="wfdb is missing", where=source, remedy=remedy)
    with quiet():
        from wfdb import rdrecord

    samples, left_out, found = [], [], list(_headers(source))
    for part, label, header in found:
        path = header.relative_to(source).with_suffix("").as_posix()
        try:
            with quiet():
                values = rdrecord(str(header.with_suffix("").absolute())).p_signal
        except Exception as error:  # whatever a library does on hostile files
            reason = f"damaged WFDB: {in_short(error)}"
            left_out.append(LeftOut(path=path, reason=reason, label=label, part=part or ""))
            continue
        samples.append(Sample(path=path, source=values, target=label, part=part))
    root = os.path.abspath(source)  # noqa: PTH100 - resolve() would follow links
    kind = "parts" if any(part for part, _, _ in found) else "classes"
    return all_series(Found(root=root, kind=kind, samples=samples, left_out=left_out, form="series"))


def _headers(source: Path) -> Iterator[tuple[str | None, str, Path]]:
    """Part, class and .hea file of every recording, sorted."""
    for folder in filter(Path.is_dir, visible(source)):
        part = PART_NAMES.get(folder.name.lower())
        inner = [path for path in visible(folder) if path.is_dir()] if part else []
        for place in inner or [folder]:
            for file in visible(place):
                if file.suffix.lower() == ".hea":
                    yield part if inner else None, place.name, file
