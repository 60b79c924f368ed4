"""The examination of a set of pictures before anything is learned from them."""

import contextlib
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

import striate
from striate import files
from striate.check.alike import alike, copied, seconds_for
from striate.check.case import Case
from striate.check.copies import copies, set_aside
from striate.check.finding import LEVELS, Check, Finding
from striate.check.inventory import inventory
from striate.check.outliers import outliers
from striate.check.series import series
from striate.check.shortcut import shortcuts
from striate.data.sample import Found, LeftOut, Sample, text_of
from striate.data.store import Store
from striate.errors import StriateError

# The code that finds what is remembered: other code finds other things.
FOUND_BY = ("check/*.py", "train/*.py", "statistics.py", "data/apart.py")
FORM_DETECTORS = (copies, series, inventory)  # what says something of series, texts and volumes
DETECTORS = (copies, shortcuts, series, inventory, outliers)  # in the order in which a level's findings are told


def check_store(found: Found, store: Store, seconds: float = math.inf) -> Check:
    """`examine` of a store's pictures; the result is kept beside the store and read again while nothing changed.

    seconds: what comparing looks may take on two processor cores. By their number alone: the same pictures with the
    same budget are always divided alike.
    """
    looks = seconds_for(len(store.kept)) <= seconds
    samples = [found.samples[row] for row in store.kept]
    left_out = [*found.left_out, *store.left_out]

    def make() -> dict[str, object]:
        known = {name: getattr(found, name) for name in ("hidden", "mended", "form", "names", "perhaps")}
        page = store.shape.page
        return examine(samples, left_out, store.facts, store.contents, looks=looks, page=page, **known).to_dict()

    return Check.from_dict(remembered("check" if looks else "quick", found, store, make))


def remembered(
    name: str, found: Found, store: Store, make: Callable[[], Mapping[str, object]], *asked: object
) -> Mapping:
    """What `make` gives, as plain values for JSON, kept beside the store under a hash of all that it depends on: what
    is known of the pictures, how it is found, and `asked`, arrays, words and numbers."""
    if store.folder is None:
        return make()
    about = f"{striate.__version__} {found.hidden} {found.form} {found.names} {found.perhaps}\n"
    digest = hashlib.blake2b(about.encode("utf-8", "surrogateescape"), digest_size=12)
    for pattern in FOUND_BY:
        for file in sorted(Path(striate.__file__).parent.glob(pattern)):
            digest.update(file.read_bytes())
    for one in asked:
        digest.update(one.tobytes() if isinstance(one, np.ndarray) else repr(one).encode())
    for item in found.samples:
        line = f"{item.path}\0{text_of(item.target)}\0{item.group}\0{item.part}\n"
        digest.update(line.encode("utf-8", "surrogateescape"))
    for item in (*found.left_out, *store.left_out, *found.mended):
        digest.update(f"{item.path}\0{item.reason}\n".encode("utf-8", "surrogateescape"))
    place = store.folder / f"{name}-{digest.hexdigest()}.json"
    with contextlib.suppress(StriateError):
        return files.read_json(place)
    values = make()
    with contextlib.suppress(StriateError):  # the next start has to find it again then
        files.write_json(place, values, durable=False)
    return values


def examine(
    samples: Sequence[Sample], left_out: Sequence[LeftOut], facts: np.ndarray, contents: Sequence[str],
    *, form: str = "picture", looks: bool = True, **known: object,
) -> Check:  # fmt: skip
    """All findings of a set, the rows that must stay together and those to set aside; nothing is opened or changed.

    samples: the K readable ones with class, group and given part. facts: (K,) of FACTS and contents: K hashes of the
    files' bytes, both in the order of the samples. left_out: what could not be used. form: one of prepare.FORMS; of
    others than pictures only copies are sought, since light, border or likeness say nothing. looks: whether pictures
    that look alike are sought. known: what else a Case holds.
    """
    contents = _pixels(facts, contents) if form == "picture" else contents
    same = alike(facts, contents) if form == "picture" and looks else copied(contents)
    case = Case(samples=samples, left_out=left_out, facts=facts, contents=contents, alike=same, form=form, **known)
    detectors = DETECTORS if form == "picture" else FORM_DETECTORS
    found = [finding.of_form(form) for detect in detectors for finding in detect(case)] if len(samples) else []
    if form == "picture" and not looks:
        found.append(_unsought(len(samples)))
    counts: dict[str, Counter[str]] = {name: Counter() for name in case.classes}
    for sample in samples:
        counts[sample.label][sample.part or ""] += 1
    return Check(
        findings=sorted(found, key=lambda finding: LEVELS.index(finding.level)),
        classes={name: dict(parts) for name, parts in counts.items()},
        together=case.alike.near,
        set_aside=set_aside(case),
    )


def _pixels(facts: np.ndarray, contents: Sequence[str]) -> list[str]:
    """The hash of the bytes, the same for all pictures that are the same pixel by pixel: saved anew without a loss."""
    told = (facts[name].tolist() for name in ("pixels", "height", "width", "channels", "depth", "mean", "detail"))
    keys = list(zip(*told, map(bytes, facts["look"]), strict=True))
    first = {key: content for content, key in sorted(zip(contents, keys, strict=True), reverse=True)}
    return [first[key] for key in keys]


def _unsought(count: int) -> Finding:
    return Finding(
        kind="looks-not-compared",
        level="caution",
        what=f"Whether any of the {count:,} pictures look like others was not looked into: it takes too long for so "
        "short a training.",
        count=count,
        done="Only exact copies stay in one part, so the score may flatter.",
        change="`striate check` on these pictures compares their looks, and so does a training with more --minutes.",
    )
