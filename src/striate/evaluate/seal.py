"""The seal on a test part: who opened it is written down, since a score that was chosen by looking is not honest.

openings.json in a run folder: {"pictures": n, "marks": [...], "openings": [{"time", "by", "n", and the score that
counts by its name}]}. The marks are the first letters of the test pictures' content hashes, at most the MARKS least of
them: enough to tell which share of another set was among them (bottom-k sketch; Cohen and Kaplan 2007). A model file
holds such marks of the pictures that it learned from, since a score on these says nothing of others.
"""

import contextlib
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from striate import files
from striate.errors import StriateError
from striate.evaluate.named import main_of

FILE = "openings.json"
MARKS, LETTERS = 1000, 16
LEARNED = 4000  # marks of the pictures that a model learned from
SAME = 0.5  # share of its pictures from which on a test part counts as one that was opened


def open_seal(run: Path, contents: Sequence[str], by: str, scores: dict) -> int:
    """Write down that the test part of `run` was opened, while other processes wait; how often this run has done so.

    contents: hashes of the test pictures' bytes. by: the command. scores: their record.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a file that is written once; whoever trains holds the folder
            files.locked(stack.enter_context((run / "settings.toml").open("rb")).fileno(), alone=True, wait=True)
        known = _read(run)
        now, main = time.strftime("%Y-%m-%d %H:%M:%S"), main_of(scores)
        entry = {"time": now, "by": by, "n": scores["n"], main: scores[main]["value"]}
        before = known.get("openings", [])
        if by == "train" and before and not (run / "scores.json").exists() and {**before[-1], "time": now} == entry:
            before = before[:-1]  # of this run, which was cut short before it told the score
        openings = [*before, entry]
        marks = known.get("marks") or sorted(_marks(contents))[:MARKS]
        pictures = known.get("pictures", len(contents))
        files.write_json(run / FILE, {"pictures": pictures, "openings": openings, "marks": marks})
        if files.is_complete(run):
            files.write_manifest(run)
    return len(openings)


def open_again(run: Path, contents: Sequence[str], by: str, scores: dict) -> int:
    """How often the test part of `run` has been opened, this time too, if most of it is among the pictures; else 0.

    Openings by the runs beside it count as they do when it is trained. It is written down where the run folder can be
    written to.
    """
    known = _read(run)
    marks, scored = known.get("marks", ()), _marks(contents)
    if not marks or sum(mark in scored for mark in marks) < SAME * len(marks):
        return 0
    count = len(known["openings"]) + 1
    with contextlib.suppress(StriateError, OSError):
        count = open_seal(run, contents, by, scores)
    return count + sum(opened_before(run.parent, marks, run).values())


def opened_before(out: Path, contents: Sequence[str], but: Path | None = None) -> dict[str, int]:
    """The runs under `out` that have opened most of these test pictures, and how often; `but` is left out."""
    marks, found = _marks(contents), {}
    for path in sorted(out.glob(f"*/{FILE}")) if marks else ():
        if but is not None and path.parent.absolute() == but.absolute():
            continue
        known = _read(path.parent)
        if _share(marks, known.get("marks", ()), MARKS) >= SAME:
            found[path.parent.name] = len(known["openings"])
    return found


def learned_from(contents: Sequence[str], before: Sequence[str] = ()) -> list[str]:
    """The marks of the pictures that a model learned from, given the hashes of their bytes; before: those of the model
    that it began as."""
    return sorted({*_marks(contents), *before})[:LEARNED]


def seen_before(contents: Sequence[str], learned: Sequence[str]) -> dict[str, float]:
    """{"learned": the share of pictures, by the hashes of their bytes, that a model with these marks learned from}, an
    estimate where it learned from more than LEARNED; {} where there are none."""
    share = _share(_marks(contents), learned, LEARNED)
    return {"learned": round(share, 4)} if share else {}


def _share(marks: Collection[str], known: Collection[str], most: int) -> float:
    """The share of `marks` that are among those of which `known` are the `most` least."""
    known = set(known)
    last = max(known) if len(known) == most else "g"  # after every hexadecimal digit
    compared = {mark for mark in marks if mark <= last}
    return len(compared & known) / max(len(compared), 1)


def _marks(contents: Sequence[str]) -> Collection[str]:
    return {content[:LETTERS] for content in contents}


def _read(run: Path) -> dict:
    """What openings.json says; nothing where there is none that can be read."""
    try:
        known = dict(files.read_json(run / FILE))
        return known if isinstance(known["openings"], list) and isinstance(known["marks"], list) else {}
    except (StriateError, KeyError):
        return {}
