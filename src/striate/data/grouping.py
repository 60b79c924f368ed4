"""Which pictures belong together (a patient, a slide), so that a split never parts them."""

import re
from dataclasses import replace
from pathlib import PurePosixPath

from striate.data.sample import Found
from striate.errors import StriateError

PARENT = "parent"


def regroup(found: Found, group: str) -> Found:
    """`found` with the group of each sample read from its path.

    group: "parent" takes the folders below the class folder ("patient7/day2"; one name below two classes
    is one group); anything else is a regular expression searched in the relative path, where its first
    bracket is the group, or the whole match when it has none. A sample without a group stands alone.
    """
    name = _parent_of(found.kind) if group == PARENT else _matcher(group)
    samples = [replace(sample, group=name(sample.path)) for sample in found.samples]
    if samples and all(sample.group is None for sample in samples):
        raise StriateError(
            "--group must match at least one picture",
            received=repr(group),
            where=found.samples[0].path,
            remedy="try the expression on this path",
        )
    return replace(found, samples=samples)


def _parent_of(kind: str):
    if kind in ("packed", "arrays", "digits"):
        rule = "--group parent is for pictures in folders"
        raise StriateError(rule, received="rows of an array", where="--group", remedy="give (pictures, labels, groups)")
    above = {"parts": 2, "classes": 1}.get(kind, 0)

    def name(path: str) -> str | None:
        folders = PurePosixPath(path).parts[above:-1]
        return "/".join(folders) or None

    return name


def _matcher(pattern: str):
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise StriateError(
            "--group must be 'parent', a column of the table or a regular expression",
            received=repr(pattern),
            where=f"--group: {error}",
            remedy=r"for example --group '^(patient\d+)_'",
        ) from None

    def name(path: str) -> str | None:
        match = expression.search(path)
        return None if match is None else (match.group(1 if expression.groups else 0) or None)

    return name
