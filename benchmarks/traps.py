"""Planted traps and clean sets before `striate check`: python benchmarks/traps.py [OUT.json] [--data FOLDER ...]

Drawn sets of many kinds, and real ones given by --data (class folders; some pictures of every class are copied), are
checked clean, and then once with every trap of planted.py and shortcuts.py, all by the command line as a user does.
A finding of level "problem" or "caution" in a clean set is a false alarm. Near copies are scored by pairs that stand in
one group, without those found in the clean set too, conflicts likewise; wrong labels by the share of really changed
ones among the first 5 % of all pictures.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import planted
import record
import shortcuts
from clean_sets import SETS, write_set
from contenders import own_path, say
from planted import Truth

LIMIT = 600  # seconds
LOUD = ("problem", "caution")


@dataclass(frozen=True)
class Trap:
    """What to plant, the kinds of finding that tell of it, and how it is scored (see SCORING).

    by: what a shortcut has to be told by. loud: only a problem or a caution counts.
    """

    plant: Callable[[Path, np.random.Generator], Truth]
    kinds: tuple[str, ...]
    scoring: str
    by: tuple[str, ...] = ()
    loud: bool = True


COPIES, UNREAD = ("duplicates", "near-duplicates"), ("truncated", "damaged", "empty", "not-a-picture", "unsupported")
TRAPS = {
    "duplicates": Trap(planted.duplicates, COPIES, "pairs"),
    "near copies": Trap(planted.near, COPIES, "pairs"),
    "EXIF-turned copies": Trap(planted.exif, COPIES, "pairs"),
    "two labels": Trap(planted.conflicts, ("two-labels", "two-labels-near"), "pairs"),
    "leak between parts": Trap(planted.leak, ("leak",), "pairs"),
    "patients": Trap(planted.patients, ("series",), "groups"),
    "slides": Trap(planted.slides, ("series",), "groups"),
    "subfolders": Trap(planted.subfolders, ("series",), "groups"),
    "augmented copies": Trap(planted.augmented, ("series",), "groups"),
    "format": Trap(shortcuts.by_format, ("shortcut",), "kind", by=("format",)),
    "brightness": Trap(shortcuts.by_brightness, ("shortcut",), "kind", by=("light", "tint")),
    "border mark": Trap(shortcuts.by_border, ("shortcut",), "kind", by=("border", "mark")),
    "corner mark": Trap(shortcuts.by_corner, ("shortcut",), "kind", by=("border", "mark")),
    "picture size": Trap(shortcuts.by_size, ("shortcut",), "kind", by=("size",)),
    "file size": Trap(shortcuts.by_weight, ("shortcut",), "kind", by=("bytes",)),
    "grey or colour": Trap(shortcuts.by_mode, ("shortcut",), "kind", by=("format",)),
    "grey among colour": Trap(shortcuts.mixed_modes, ("mixed-colour",), "paths"),
    "GIF named .jpg": Trap(shortcuts.gif_as_jpg, ("wrong-ending",), "paths"),
    "HTML named .jpg": Trap(shortcuts.html_as_jpg, UNREAD, "paths"),
    "empty file": Trap(shortcuts.empty_file, UNREAD, "paths"),
    "LFS pointer": Trap(shortcuts.pointer, UNREAD, "paths"),
    "truncated": Trap(shortcuts.truncated, UNREAD, "paths"),
    "3,000 pixels": Trap(shortcuts.huge, ("odd-size",), "paths"),
    "class of one": Trap(shortcuts.singleton, ("single",), "paths"),
    "rare class": Trap(shortcuts.rare_class, ("imbalance", "few"), "kind"),
    "constant": Trap(planted.constant, ("constant",), "paths"),
    "outliers": Trap(planted.outliers, ("odd-light",), "paths"),
    "wrong labels": Trap(planted.flipped_labels, ("label_suspects",), "suspects", loud=False),
    "parts, clean": Trap(planted.parts, (), "nothing"),
    "odd names, clean": Trap(shortcuts.odd_names, (), "nothing"),
}


def check(folder: Path, out: Path, quick: bool = False) -> dict:
    """What the command said of a folder: exit code, seconds and findings. quick: not of labels."""
    command = [sys.executable, "-m", "striate", "check", os.fsdecode(folder), "--out", os.fsdecode(out)]
    command += ["--quick"] if quick else []
    began = time.monotonic()
    try:
        done = subprocess.run(command, env={**os.environ, **own_path()}, capture_output=True, timeout=LIMIT)
        code, said = done.returncode, done.stderr.decode(errors="replace").strip()
    except subprocess.TimeoutExpired:
        code, said = 124, f"stopped after {LIMIT} s"
    answer = {"exit": code, "seconds": round(time.monotonic() - began, 2), "said": said[-600:], "findings": []}
    written = next(iter(out.rglob("check.json")), None)
    if written is not None:
        answer["findings"] = json.loads(written.read_text(encoding="utf-8"))["findings"]
    return answer


def alarms(findings: Iterable[dict]) -> list[str]:
    return sorted({_named(finding) for finding in findings if finding["level"] in LOUD})


def _named(finding: dict) -> str:
    return " ".join(filter(None, (finding["kind"], finding["figures"].get("by"))))


def pairs_in(findings: Iterable[dict]) -> set[frozenset[str]]:
    """All pairs of paths that stand in one group."""
    return {frozenset(pair) for one in findings for group in one["groups"] for pair in combinations(set(group), 2)}


def by_pairs(truth: Truth, told: list[dict], clean: list[dict], folder: Path) -> dict:
    """Recall over planted copies; precision over pairs that hold for sure or not at all.

    A copy of a picture that has a copy of its own in the clean set belongs to that one too: pairs of the clean set
    are joined to the planted ones before false ones are counted.
    """
    found, known = pairs_in(told), pairs_in(clean)
    wanted = {frozenset((copy, original)): how for copy, original, how in truth.pairs}
    true = _joined([*wanted, *known])
    extra = [pair for pair in found - known if not any(pair <= group for group in true)]
    hits = Counter(how for pair, how in wanted.items() if pair in found)
    missed = [f"{how}: {copy} of {original}" for copy, original, how in truth.pairs if {copy, original} not in found]
    return {
        "planted": len(wanted), "hits": sum(hits.values()), "false": len(extra), "hits_by": dict(hits),
        "planted_by": dict(Counter(wanted.values())), "missed": missed, "wrong": [sorted(pair) for pair in extra[:5]],
        "found": bool(wanted) and sum(hits.values()) == len(wanted),
    }  # fmt: skip


def _joined(pairs: Iterable[frozenset[str]]) -> list[set[str]]:
    groups: list[set[str]] = []
    for pair in pairs:
        touched = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [set(pair).union(*touched)]
    return groups


def by_paths(truth: Truth, told: list[dict], clean: list[dict], folder: Path) -> dict:
    named = {path for one in told for group in one["groups"] for path in group}
    before = {path for one in clean for group in one["groups"] for path in group}
    hits = sum(path in named for path in truth.paths)
    return {
        "planted": len(truth.paths), "hits": hits, "false": len(named - before - set(truth.paths)),
        "found": hits == len(truth.paths),
    }  # fmt: skip


def by_kind(truth: Truth, told: list[dict], clean: list[dict], folder: Path) -> dict:
    return {"found": bool(told), "said": [one["what"] for one in told]}


def by_groups(truth: Truth, told: list[dict], clean: list[dict], folder: Path) -> dict:
    """The --group that is suggested must put at least 95 % of the pictures where they were planted."""
    text = " ".join(one["change"] + one["what"] for one in told)
    asked = re.search(r"--group[ =]('[^']+'|\"[^\"]+\"|\S+)", text)
    if asked is None:
        return {"found": False, "suggested": None, "told": bool(told)}
    pattern = asked[1].strip("'\".,;")
    named = {path: _group(pattern, path) for path in truth.groups}
    sources, names = defaultdict(set), defaultdict(set)
    for path, source in truth.groups.items():
        sources[named[path]].add(source)
        names[source].add(named[path])
    right = sum(len(names[source]) == 1 and None not in names[source] for source in truth.groups.values())
    pure = sum(len(sources[named[path]]) == 1 for path in truth.groups)
    share = min(right, pure) / len(truth.groups)
    return {"found": share >= 0.95, "suggested": pattern, "share": round(share, 3), "told": True}


def _group(pattern: str, path: str) -> str | None:
    if pattern == "parent":
        return "/".join(path.split("/")[1:-1]) or None
    match = re.search(pattern, path)
    return None if match is None else match.group(1 if match.re.groups else 0)


def by_suspects(truth: Truth, told: list[dict], clean: list[dict], folder: Path) -> dict:
    """Of as many first suspects as labels were changed (5 % of all), how many were."""
    ranked = [path for one in told for group in one["groups"] for path in group][: len(truth.paths)]
    hits = sum(path in set(truth.paths) for path in ranked)
    share = hits / len(ranked) if ranked else 0.0
    return {"planted": len(truth.paths), "listed": len(ranked), "hits": hits, "precision": share, "found": share >= 0.7}


def by_nothing(truth: Truth, told: list[dict], clean: list[dict], folder: Path) -> dict:
    return {"found": True}


SCORING = {
    "pairs": by_pairs, "paths": by_paths, "kind": by_kind, "groups": by_groups, "suspects": by_suspects,
    "nothing": by_nothing,
}  # fmt: skip


def telling(trap: Trap, findings: list[dict]) -> list[dict]:
    """The findings that are about the trap."""
    return [
        one for one in findings
        if one["kind"] in trap.kinds and (one["level"] in LOUD or not trap.loud)
        and (not trap.by or one["figures"].get("by") in trap.by)
    ]  # fmt: skip


def spring(name: str, clean: Path, before: dict, seed: int, scratch: Path) -> dict:
    """One trap in a copy of the clean set."""
    trap, folder, out = TRAPS[name], scratch / "trapped", scratch / "out"
    for place in (folder, out):
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(clean, folder)
    truth = trap.plant(folder, np.random.default_rng([seed, *name.encode()]))
    if trap.scoring == "pairs" and not truth.pairs:
        return {}
    answer = check(folder, out, trap.scoring != "suspects")
    told = telling(trap, answer["findings"])
    scored = SCORING[trap.scoring](truth, told, telling(trap, before["findings"]), folder)
    others = set(alarms(one for one in answer["findings"] if one not in told)) - set(alarms(before["findings"]))
    scored["found"] = scored["found"] and answer["exit"] == 0 and not (trap.scoring == "nothing" and others)
    crashed = answer["exit"] not in (0, 2) or "Traceback" in answer["said"]
    kept = {key: answer[key] for key in ("exit", "seconds")} | ({"said": answer["said"]} if crashed else {})
    return {
        **kept,
        "crashed": crashed,
        **scored,
        "levels": sorted({one["level"] for one in told}),
        "others": sorted(others),
    }


def copied(source: Path, folder: Path, each: int, seed: int) -> None:
    """Some pictures of every class of a real set; its part "train" where it has parts."""
    root = next((path for path in source.iterdir() if path.name.lower().startswith("train") and path.is_dir()), source)
    random = np.random.default_rng(seed)
    for kind in planted.classes(root):
        paths = planted.listed(kind)
        for at in random.choice(len(paths), min(each, len(paths)), replace=False):
            made = folder / kind.name / paths[at].relative_to(kind)
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths[at], made)


def summary(runs: list[dict]) -> dict:
    """Per trap: sets, found, pooled recall and precision, kinds that were cried in vain, crashes."""
    found = {}
    for name in dict.fromkeys(run["trap"] for run in runs):
        some = [run for run in runs if run["trap"] == name]
        counted = {key: sum(run.get(key, 0) for run in some) for key in ("planted", "hits", "false")}
        by, of = Counter(), Counter()
        for run in some:
            by.update(run.get("hits_by", {}))
            of.update(run.get("planted_by", {}))
        found[name] = {
            "sets": len(some), "found": sum(run["found"] for run in some),
            "not_found": [f"{run['set']} {run['seed']}" for run in some if not run["found"]],
            "recall": counted["hits"] / counted["planted"] if counted["planted"] else None,
            "precision": counted["hits"] / max(counted["hits"] + counted["false"], 1) if counted["planted"] else None,
            "recall_by": {how: f"{by[how]}/{of[how]}" for how in of},
            "others": dict(Counter(kind for run in some for kind in run["others"])),
            "crashed": sum(run["crashed"] for run in some), "seconds": median(run["seconds"] for run in some),
        }  # fmt: skip
    return found


def show(result: dict) -> None:
    print(f"\n{'trap':20} {'found':>8} {'recall':>7} {'precis.':>7} {'crashed':>7} {'s':>5}  cried besides")
    for name, one in result["summary"].items():
        shares = [f"{one[key]:7.3f}" if one[key] is not None else "      –" for key in ("recall", "precision")]
        words = f"{one['found']:>3}/{one['sets']:<4}", *shares, f"{one['crashed']:7}", f"{one['seconds']:5.1f}"
        print(f"{name:20}", *words, "", one["others"] or "")
    loud = [(clean["set"], clean["alarms"]) for clean in result["clean"] if clean["alarms"]]
    print(f"clean sets with an alarm: {len(loud)} of {len(result['clean'])}", *loud, sep="\n  ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=record.RESULTS / "traps.json")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--data", nargs="*", type=Path, default=[], metavar="FOLDER")
    parser.add_argument("--each", type=int, default=80, help="pictures of a class taken from --data")
    parser.add_argument("--traps", nargs="*", choices=TRAPS, default=list(TRAPS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    asked = parser.parse_args()
    made = {name: lambda folder, seed, name=name: write_set(name, folder, seed) for name in asked.sets}
    for source in asked.data:
        made[source.name] = lambda folder, seed, source=source: copied(source, folder, asked.each, seed)
    settings = {"sets": list(made), "traps": asked.traps, "seeds": asked.seeds, "each": asked.each}
    result = {**record.begin("traps", settings), "clean": [], "runs": [], "summary": {}}
    for name, make in made.items():
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as place:
                clean = Path(place) / "clean"
                make(clean, seed)
                before = check(clean, Path(place) / "out-clean", "wrong labels" not in asked.traps)
                where = {"set": name, "seed": seed}
                loud = [one["what"] for one in before["findings"] if one["level"] in LOUD]
                result["clean"].append({**where, **{k: before[k] for k in ("exit", "seconds")}, "alarms": loud})
                say(f"{name} {seed}: exit {before['exit']}, {before['seconds']} s, {alarms(before['findings'])}")
                for trap in asked.traps:
                    run = spring(trap, clean, before, seed, Path(place))
                    result["runs"] += [{**where, "trap": trap, **run}] if run else []
            result["summary"] = summary(result["runs"])
            record.write(asked.out, result)
    show(result)


if __name__ == "__main__":
    main()
