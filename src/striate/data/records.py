"""Recordings in class folders, as PhysioNet has them: a .hea file each, and the signals in files beside it (WFDB)."""

import importlib.util
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from striate.data.folder import PART_NAMES, visible
from striate.data.quiet import quiet
from striate.data.sample import Found, LeftOut, Sample
from striate.data.series import all_series
from striate.errors import StriateError, first_few, in_short


def is_records(source: Path) -> bool:
    """Whether `source` is a folder of class folders, with or without parts above them, that hold recordings."""
    return source.is_dir() and any(label for _, label, _ in _headers(source))


def read_records(source: Path, read: Mapping | None = None) -> Found:
    """The recordings of FOLDER/<class>/... or FOLDER/<part>/<class>/..., in physical units, a channel per signal.

    The signals are those that most recordings have, or that `read` tells of a model, as of Found, and in that order.
    What cannot be read, lacks one of them or is in no class folder is left out with its reason. Raises StriateError
    where the package is missing that reads them.
    """
    if importlib.util.find_spec("wfdb") is None:
        rule, remedy = "WFDB recordings need one more package", "pip install 'striate[wfdb]'"
        raise StriateError(rule, received="wfdb is missing", where=source, remedy=remedy)
    with quiet():
        from wfdb import rdrecord

    records, left_out, found = [], [], list(_headers(source))
    for part, label, header in found:
        path, reason = header.relative_to(source).with_suffix("").as_posix(), ""
        try:
            if label:
                with quiet():
                    record = rdrecord(str(header.with_suffix("").absolute()))
                records.append((Sample(path=path, source=record.p_signal[:], target=label, part=part), record))
            else:
                reason = "beside the class folders, so it has no class"
        except Exception as error:  # whatever a library does on hostile files
            reason = f"damaged WFDB: {in_short(error)}"
        if reason:
            left_out.append(LeftOut(path=path, reason=reason, label=label, part=part))
    signals = (read or {}).get("signals")
    signals = _usual([tuple(record.sig_name) for _, record in records]) if signals is None else signals
    samples, lacking, notes = _arranged(records, signals)
    root, kind = os.path.abspath(source), "parts" if any(part for part, _, _ in found) else "classes"  # noqa: PTH100
    about = {"notes": notes, "read": {"labels": [], "apart": [], "length": None, "signals": list(signals)}}
    return all_series(Found(root=root, kind=kind, samples=samples, left_out=left_out + lacking, **about))


def _usual(names: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The signals of most recordings, in the order that most of these have; none where no names are so usual."""
    known = Counter(several for several in names if None not in several and len(set(several)) == len(several))
    kinds = Counter(frozenset(several) for several in known.elements())
    kind = max(kinds, key=kinds.__getitem__, default=frozenset())
    orders = [several for several, _ in known.most_common() if kind == set(several)]
    return orders[0] if orders and 2 * sum(kind <= set(several) for several in names) > len(names) else ()


def _arranged(
    records: Sequence[tuple[Sample, object]], signals: Sequence[str]
) -> tuple[list[Sample], list[LeftOut], tuple[str, ...]]:
    """The recordings with these signals in this order, those that lack one, and in sentences what differs among the
    first; without signals all as they are."""
    made, lacking, kinds = [], [], defaultdict(Counter)
    for sample, record in records:
        names = record.sig_name
        if not set(signals) <= set(names):
            lacking.append(sample.left_out(f"signals {first_few(names)} where {first_few(signals)} are wanted"))
            continue
        places = [names.index(name) for name in signals] if signals else range(len(names))
        made.append(replace(sample, source=sample.source[:, places]))
        kinds["signals, and are taken by their place"]["" if signals else first_few(names)] += 1
        kinds["sampling rates, and are stretched to one length"][f"{record.fs:g} Hz"] += 1
        kinds["units"][first_few([record.units[place] for place in places])] += 1
    notes = (
        f"Recordings have different {what}: {'; '.join(f'{word} ({count:,})' for word, count in some.most_common(5))}."
        for what, some in kinds.items() if len(some) > 1
    )  # fmt: skip
    return made, lacking, tuple(notes)


def _headers(source: Path) -> Iterator[tuple[str | None, str, Path]]:
    """Part, class and .hea file of every recording, sorted; the class is "" beside the folders of classes."""
    for folder in visible(source):
        part = PART_NAMES.get(folder.name.lower())
        inner = [path for path in visible(folder) if path.is_dir()] if part else []
        places = [(place.name, visible(place)) for place in inner or [folder]]
        for label, files in (*places, ("", visible(folder) if inner else [folder])):
            for file in files:
                if file.suffix.lower() == ".hea" and file.is_file():
                    yield part if inner else None, label, file
