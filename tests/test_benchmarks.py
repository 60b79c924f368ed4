"""The benchmarks' page is made from their results, and their contest gives no answer away."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from drawn import draw_folder
from PIL import Image

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MACHINE = {
    "processor": "Drawn Processor", "units": ["avx2", "amx_bf16"], "cores": 2, "memory_gb": 8.0, "system": "Linux 6",
    "load": 0.1, "environment": {},
}  # fmt: skip
BEGUN = {"started": "2026-01-02 03:04", "machine": MACHINE, "versions": {"striate": {"python": "3.11"}}, "settings": {}}


def median(value: float, low: float | None = None, high: float | None = None) -> dict:
    low, high = value if low is None else low, value if high is None else high
    return {"median": value, "low": low, "high": high, "n": 3, "values": [low, value, high]}


def spread(*values: float) -> dict:
    mean = sum(values) / len(values)
    return {"mean": mean, "sd": 0.01, "low": min(values), "high": max(values), "n": len(values), "values": list(values)}


def drawn_step() -> dict:
    def contender(rate: float, **more: object) -> dict:
        return {"precision": "bf16", "pictures_per_second": median(rate), "peak_mb": 512.0, **more}

    contenders = {
        "striate": contender(900.0),
        "torch fp32": contender(100.0, striate_is_faster_by=median(9.0, 8.5, 9.5)),
        "Keras TensorFlow mixed bf16": contender(1000.0, striate_is_faster_by=median(0.9, 0.8, 0.95)),
    }
    case = {"network": "hela", "contenders": contenders, "not_measured": {"Keras JAX fp32": "not made"}}
    return {"kind": "step", **BEGUN, "cases": {"hela, batch 32": case}}


def drawn_series() -> dict:
    def run(seed: int, accuracy: float, seconds: float) -> dict:
        return {
            "seed": seed, "n": 150, "accuracy": accuracy, "seconds": seconds, "processor_seconds": 9.0, "load": 0.5
        }  # fmt: skip

    runs = [run(0, 1.0, 12.0), run(1, 0.98, 14.4), {"seed": 2, "failed": "no reason"}]
    return {"kind": "series", **BEGUN, "sets": {"waves": {"lowest": 0.98, "runs": runs}}}


def drawn_race() -> dict:
    def entry(seconds: float, *values: float) -> dict:
        runs = [{"seed": n, "seconds": seconds, "accuracy": value, "late": False} for n, value in enumerate(values)]
        return {"accuracy": spread(*values), "late": 0, "failed": 0, "runs": runs}

    entries = {
        "striate@20": entry(19.0, 0.60, 0.62),
        "striate@120": entry(118.0, 0.80, 0.82),
        "fastai@120": entry(119.0, 0.50, 0.55),
        "keras@120": {"accuracy": None, "late": 2, "failed": 0, "runs": []},
    }
    about = {"train": 80, "test": 20, "classes": 2, "own_split": True}
    return {"kind": "race", **BEGUN, "sets": {"cells": {**about, "entries": entries}}}


def drawn_dial() -> dict:
    run = {"set": "cells", "network": "auto", "seed": 0, "accuracy": 0.9}
    runs = [
        {**run, "minutes": 0.5, "seconds": 30.3, "over_budget": 1.01},
        {**run, "minutes": 2.0, "seconds": 132.0, "over_budget": 1.1},
    ]
    return {"kind": "dial", **BEGUN, "runs": runs}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page made of drawn results, of those in the repository without a kind, and of nothing else."""
    root = tmp_path_factory.mktemp("benchmarks")
    results = root / "results"
    results.mkdir()
    for record in (drawn_step(), drawn_race(), drawn_dial(), drawn_series()):
        (results / f"{record['kind']}.json").write_text(json.dumps(record))
    (results / "accuracy-digits.json").write_bytes((BENCHMARKS / "results/accuracy-digits.json").read_bytes())
    target = root / "docs" / "benchmarks.md"
    command = [sys.executable, str(BENCHMARKS / "write_docs.py"), "--results", str(results), "--page", str(target)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return target


def test_page_says_what_is_better(page: Path) -> None:
    """Ahead and behind follow the intervals, and an aim is met or not met by the median."""
    text = page.read_text(encoding="utf-8")
    assert "| torch fp32 | bf16 | 100 | 9.00× [8.50, 9.50] | ahead | 512 MB |" in text
    assert "| Keras TensorFlow mixed bf16 | bf16 | 1,000 | 0.90× [0.80, 0.95] | behind | 512 MB |" in text
    assert "| step of hela, batch 32, against torch fp32 (`step`) | 5× | 9.00× [8.50, 9.50] | met |" in text
    assert "mixed bf16 (`step`) | 2× | 0.90× [0.80, 0.95] | not met |" in text
    assert "Striate is 28.5 points ahead; no run of the one reaches a run of the other." in text
    assert "Striate has reached that with 20 s." in text
    assert "| keras | 120 s | none in time |" in text
    assert "1 of 2 runs | not met |" in text
    assert "| waves | 150 | 100.0 %, 98.0 % | 14 s | 9 s | 0.5 to 0.5 |" in text


def test_page_says_what_is_missing(page: Path) -> None:
    """What has no result is named as not measured, in the list of aims and in its own section."""
    text = page.read_text(encoding="utf-8")
    assert "Not measured: Keras JAX fp32 (not made)." in text
    assert "| the way in |  | not measured |  |" in text
    assert text.count("*Not measured yet.*") == 2  # the way in, predicting


def test_page_reads_older_results(page: Path) -> None:
    """The records of accuracy over seeds, which have no kind, are on the page."""
    assert "| digits | default | 99.6 % (sd 0.2) | 5 | 18.8 s |" in page.read_text(encoding="utf-8")


def test_charts_are_drawn(page: Path) -> None:
    """Every chart that the page shows is there and is a picture, and no other."""
    text = page.read_text(encoding="utf-8")
    names = {path.name for path in (page.parent / "pictures").iterdir()}
    assert names == {"benchmark-step.png", "benchmark-race.png", "benchmark-dial.png"}
    for name in names:
        assert f"(pictures/{name})" in text
        with Image.open(page.parent / "pictures" / name) as picture:
            assert min(picture.size) > 300


@pytest.fixture
def contest() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("contest", BENCHMARKS / "contest.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["contest"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["contest"]


def test_contest_gives_no_answer_away(contest: ModuleType, tmp_path: Path) -> None:
    """Test pictures lie in all class folders whatever they show, none is also learned from, and the parts are whole."""
    source = draw_folder(tmp_path / "set", {"a": 20, "b": 30})
    made = contest.prepare(source, tmp_path / "made")
    assert (made.train, len(made.truth), made.classes) == (40, 10, ("a", "b"))
    places = sorted((Path(path).parent.name, label) for path, label in made.truth.items())
    assert [place for place, _ in places] == ["a"] * 5 + ["b"] * 5
    assert sorted(label for _, label in places) == ["a"] * 4 + ["b"] * 6
    learned = {path.resolve() for path in (made.folder / "train").rglob("*.png")}
    tested = {(made.folder / path).resolve() for path in made.truth}
    assert not learned & tested
    assert learned | tested == {path.resolve() for path in source.rglob("*.png")}
    again = contest.prepare(source, tmp_path / "again")
    assert again.truth == made.truth


def test_scorer_counts_what_is_missing_as_wrong(contest: ModuleType, tmp_path: Path) -> None:
    """Three right answers of ten, one wrong, six not given: 30 %."""
    made = contest.prepare(draw_folder(tmp_path / "set", {"a": 20, "b": 30}), tmp_path / "made")
    rows = [*list(made.truth.items())[:3], (list(made.truth)[3], "neither")]
    table = tmp_path / "table.csv"
    table.write_text("path,predicted\n" + "".join(f"{path},{label}\n" for path, label in rows))
    assert contest.score(table, made) == {"accuracy": 0.3, "right": 3, "missing": 6}


def test_worker_takes_real_steps() -> None:
    """Striate's side of the step benchmark starts, counts its operations as by hand, and answers by turns."""
    command = [sys.executable, str(BENCHMARKS / "workers/striate_step.py"), "hela", "4"]
    given = "run 1\nprepare 1\nstop\n"
    done = subprocess.run(command, input=given, check=True, capture_output=True, text=True)
    about, step, prepared = (json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@"))
    maps, dense = 50 * 50, 64 * 49 * 49
    # Forward, weights and inputs; the first convolution has no gradient for its input, the picture.
    by_hand = 2 * (maps * 32 * 2 * 16) + 3 * (maps * 64 * 2 * 32 * 16 + 2 * dense * 64 + 2 * 64 * 10)
    assert about["operations"] == by_hand
    assert about["parameters"] == 32 * 17 + 64 * (32 * 16 + 1) + 64 * (dense + 1) + 10 * 65
    assert min(step["seconds"], prepared["seconds"]) > 0
