"""Which pictures belong together (a patient, a slide), so that a split never parts them."""

import re
from dataclasses import replace
from pathlib import PurePosixPath

from striate.data.guard import load_each
from striate.data.load import Want
from striate.data.sample import Found
from striate.errors import StriateError

PARENT, PATIENT = "parent", "PatientID"
_EXAMPLE = r"for example --group '/(patient\d+)_'"


def regroup(found: Found, group: str) -> Found:
    """`found` with the group of each sample read from its path, or for "PatientID" from its DICOM file (as a hash).

    group: "parent" takes the folders below the class folder ("patient7/day2"; one name below two classes
    is one group); anything else is a regular expression searched in the relative path, where the first bracket
    that matches is the group, or the whole match when it has none. A sample without a group stands alone.
    """
    paths = [sample.path for sample in found.samples]
    if group == PATIENT:
        headers = [one.header for _, one in load_each([(s, s.source) for s in found.samples], Want(header=True), 2)]
        names = [header and header.patient and f"{header.patient:016x}" for header in headers]
    else:
        names = _parents(found.kind, paths) if group == PARENT else _matched(group, paths)
    samples = [replace(sample, group=name or None) for sample, name in zip(found.samples, names, strict=True)]
    if samples and all(sample.group is None for sample in samples):
        rule = "--group must match at least one picture"
        remedy = f"try the expression on this path, which begins with its folders: {_EXAMPLE}"
        raise StriateError(rule, received=repr(group), where=found.samples[0].path, remedy=remedy)
    return replace(found, samples=samples)


def _parents(kind: str, paths: list[str]) -> list[str]:
    if kind in ("packed", "arrays", "digits"):
        rule = "--group parent is for pictures in folders"
        raise StriateError(rule, received="rows of an array", where="--group", remedy="give (pictures, labels, groups)")
    above = {"parts": 2, "classes": 1}.get(kind, 0)
    return ["/".join(PurePosixPath(path).parts[above:-1]) for path in paths]


def _matched(pattern: str, paths: list[str]) -> list[str | None]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        rule = "--group must be 'parent', a column of the table or a regular expression"
        raise StriateError(rule, received=repr(pattern), where=f"--group: {error}", remedy=_EXAMPLE) from None
    found = map(expression.search, paths)
    return [match and next(filter(None, match.groups() if expression.groups else [match[0]]), None) for match in found]
