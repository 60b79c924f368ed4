"""What was found in the data, as a section of a page: worst first, with a few pictures of each."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

import striate
from striate.check.finding import LEVELS, Check, Finding
from striate.data.sample import Found, LeftOut
from striate.data.shown import shown
from striate.data.store import Store
from striate.errors import counted
from striate.evaluate import markup
from striate.evaluate.facts import ReportFacts
from striate.evaluate.markup import Html, element, join, quiet

SIDE = 128  # dots of a picture
Seen = Callable[[int, np.ndarray], np.ndarray]


def head_of(
    run: Path, found: Found, store: Store, check: Check, left_out: Iterable[LeftOut], seconds: float, seen: Seen
) -> dict[str, object]:
    """What every report says: where it comes from, which pictures were left out, and what was found in the others.

    seen: gives the picture of a row of the store, uint8 (H, W, 1 or 3), with its target drawn on it.
    """
    wanted = {path for finding in check.findings for path in finding.examples}
    names = [found.samples[number].path for number in store.kept]
    rows = [row for row, name in enumerate(names) if name in wanted]
    return {
        "run": str(run),
        "form": found.form,
        "created": time.strftime("%Y-%m-%d %H:%M"),
        "version": striate.__version__,
        "seconds": seconds,
        "left_out": [(item.path, item.reason) for item in left_out],
        "check": check,
        "thumbnails": {names[row]: seen(row, shown(np.asarray(store.pictures[row]), store.shape)) for row in rows},
    }


def check_section(facts: ReportFacts) -> Html:
    """The findings of `facts.check` with `facts.thumbnails`."""
    if facts.check is None:
        return Html("")
    levels = Counter(finding.level for finding in facts.check.findings)
    counts = ", ".join(counted(levels[level], level) for level in LEVELS if levels[level])
    told = (_card(finding, facts.thumbnails) for finding in facts.check.findings)
    return join(quiet(f"{counts or 'Nothing'} found."), *told)


def _card(finding: Finding, pictures: Mapping[str, np.ndarray]) -> Html:
    head = element("p", element("span", finding.level, class_=f"level {finding.level}"), element("b", finding.what))
    rows = [("What Striate did", finding.done), ("What to do", finding.change)]
    told = markup.pairs([row for row in rows if row[1]])
    groups = [[_shown(path, pictures[path]) for path in group if path in pictures] for group in finding.shown]
    shown = element("ul", *(element("li", *group) for group in groups if group), class_="seen")
    return element("div", head, told, shown if any(groups) else "", class_="card finding")


def _shown(path: str, picture: np.ndarray) -> Html:
    folder, _, name = path.rpartition("/")
    lines = (element("p", line, class_=kind, title=path) for line, kind in ((folder, None), (name, "path")) if line)
    return element("div", markup.framed(picture, path, SIDE), *lines)
