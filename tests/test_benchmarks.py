"""The benchmarks' page is made from their results, and their contest gives no answer away."""

import importlib
import json
import re
import subprocess
import sys
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
    run = {"set": "cells", "network": "auto", "seed": 0, "score": "accuracy", "value": 0.9}
    runs = [
        {**run, "minutes": 0.5, "seconds": 30.3, "over_budget": 1.01},
        {**run, "minutes": 2.0, "seconds": 132.0, "over_budget": 1.1},
    ]
    return {"kind": "dial", **BEGUN, "runs": runs}


def scored(value: float, low: float, high: float) -> dict:
    return {"value": value, "low": low, "high": high}


def drawn_detection() -> dict:
    run = {"contender": "striate", "seed": 0, "seconds": 418.5, "ap50": {"RBC": 0.75, "WBC": 0.85}}
    own = {"map50": scored(0.8, 0.7, 0.9), "map50_95": scored(0.5, 0.4, 0.6), "threshold": 0.4}
    peer = {**run, "contender": "Ultralytics", "map50": 0.81, "map50_95": 0.51, "about": {"epochs": 3}}
    ours = {**run, "map50": 0.8, "map50_95": 0.55, "about": own}  # the second differs from its own
    return {"kind": "detection", **BEGUN, "settings": {"set": "cells", "minutes": 7.0}, "runs": [ours, peer]}


def drawn_segmentation() -> dict:
    scores = {"iou": scored(0.8, 0.75, 0.85), "dice": scored(0.9, 0.85, 0.95)}
    run = {"seed": 0, "n": 19, "baseline": 0.45, "scores": scores, "seconds": 571.2}
    sets = {"nuclei": {"iou": spread(0.8), "runs": [run, {**run, "seed": 1}]}, "roads": run}
    return {"kind": "segmentation", **BEGUN, "sets": sets}


def drawn_numbers() -> dict:
    floors = {"always the mean": {"rmse": 4.0}, "the value before": {"rmse": 1.0}}
    number = {
        "n": 160, "main": "rmse", "rmse": scored(3.0, 2.5, 3.5), "baseline": 4.0, "baselines": floors,
        "coverage": scored(0.9, 0.8, 0.95), "leaked": 0,
    }  # fmt: skip
    label = {
        "n": 72, "main": "macro_f1", "macro_f1": scored(0.9, 0.8, 0.95), "baseline": 0.85,
        "baseline_is": "always the usual", "leaked": 3,
    }  # fmt: skip
    sets = {
        name: {"options": {}, "runs": [{"seed": 0, "seconds": 224.2, "test": test}]}
        for name, test in (("driving", number), ("cells", label))
    }
    return {"kind": "numbers-and-labels", **BEGUN, "settings": {"minutes": 4.0}, "sets": sets}


def drawn_deep_levels() -> dict:
    """From two seeds of which the second is half a point better, put together by the script itself."""

    def runs(*values: float | None) -> list[dict]:
        return [{"seed": n, "accuracy": value, "said": "no such file"} for n, value in enumerate(values)]

    found = benchmark("deep_levels").compared({
        "stretched to 8 bits": runs(0.98, 0.99), "16-bit TIFF": runs(0.985, 0.985), "float TIFF": runs(0.9, None),
    })  # fmt: skip
    return {"kind": "deep_levels", **BEGUN, "settings": {"each": 60, "epochs": 12}, "forms": found}


def drawn_traps() -> dict:
    """From three runs, put together by the script itself."""
    run = {"seed": 0, "others": [], "crashed": False, "seconds": 2.0}
    copies = {**run, "trap": "near copies", "set": "cells", "planted": 10, "hits": 9, "false": 1, "found": False}
    light = {**run, "trap": "brightness", "found": True}
    tidy = {**run, "trap": "parts, clean", "set": "cells", "found": True}
    runs = [copies, tidy, {**light, "set": "cells", "others": ["outliers"]}, {**light, "set": "maps"}]
    clean = [{"set": "cells", "seed": 0, "alarms": []}, {"set": "maps", "seed": 0, "alarms": ["odd light"]}]
    return {"kind": "traps", **BEGUN, "clean": clean, "runs": runs, "summary": benchmark("traps").summary(runs)}


def drawn_scale_check() -> dict:
    first = {"exit": 0, "seconds": 413.2, "cpu_seconds": 48.8, "peak_mb": 1462}
    sizes = {"10000": {"first": first, "second": {**first, "exit": 1}, "load": 2.0}}
    return {"kind": "scale_check", **BEGUN, "settings": {"sizes": [10_000], "quick": True}, "sizes": sizes}


def drawn_predict() -> dict:
    contenders = {
        "striate": {"seconds": median(2.0)}, "torch": {"seconds": median(5.0), "striate_is_faster_by": median(2.5)},
    }  # fmt: skip
    timed = {"contenders": contenders, "not_measured": {}}
    return {"kind": "predict", **BEGUN, "folder": {"auto": {**timed, "pictures": 2000}}, "cold": {"auto": timed}}


def drawn_coverage() -> dict:
    settings = {"60 pictures": {"accuracy": {"coverage": 0.93}}, "400 pictures": {"accuracy": {"coverage": 0.96}}}
    intervals = {"repeats": 1000, "settings": settings, "mean_coverage": {"accuracy": 0.945}}
    folds = {"sets": 200, "parted": {"folds": 0, "split": 0}, "pictures_from_even": {"most": 0.8, "mean": 0.36}}
    return {"kind": "coverage", **BEGUN, "intervals": intervals, "folds": folds}


OLD = {  # as the first records of accuracy are, without a kind
    "options": ["--minutes", "3"],
    "machine": {"python": "3.11", "torch": "2.13", "processor": "Drawn Processor", "threads": 2},
    "sets": {"digits": {"mean": 0.996, "sd": 0.002, "n": 5, "slowest_seconds": 18.75, "runs": []}},
}
DRAWN = (
    drawn_step, drawn_race, drawn_dial, drawn_series, drawn_detection, drawn_segmentation, drawn_numbers,
    drawn_deep_levels, drawn_traps, drawn_scale_check, drawn_predict, drawn_coverage,
)  # fmt: skip


def benchmark(name: str) -> ModuleType:
    """A script of the folder, as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module(name)


def write_page(results: Path, target: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(BENCHMARKS / "write_docs.py"), "--results", str(results), "--page", str(target)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page made of drawn results, and of nothing else."""
    root = tmp_path_factory.mktemp("benchmarks")
    results = root / "results"
    results.mkdir()
    for record in (make() for make in DRAWN):
        (results / f"{record['kind']}.json").write_text(json.dumps(record))
    (results / "accuracy-digits.json").write_text(json.dumps(OLD))
    target = root / "docs" / "benchmarks.md"
    done = write_page(results, target)
    assert done.returncode == 0, done.stderr
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
    """A contender that was not run is named, an aim without a result too, and a kind without one has no section."""
    text = page.read_text(encoding="utf-8")
    assert "Not measured: Keras JAX fp32 (not made)." in text
    assert "| the way in |  | not measured |  |" in text
    assert "## The way in" not in text


def test_page_reads_older_results(page: Path) -> None:
    """The records of accuracy over seeds, which have no kind, are on the page."""
    assert "| digits | --minutes 3 | 99.6 % (sd 0.2) | 5 | 18.8 s |" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("line", [
    # An interval stands only where the run's own score says the same as the judge's.
    "| striate | 1 | 80.0 % [70.0, 90.0] | 55.0 % | RBC 75.0 %, WBC 85.0 % | 418 s |",
    "| Ultralytics | 1 | 81.0 % | 51.0 % | RBC 75.0 %, WBC 85.0 % | 418 s |",
    "| roads | 19 | 1 | 80.0 % [75.0, 85.0] | 90.0 % [85.0, 95.0] |  | 45.0 % | 571 s |",
    "| driving | 0 | 160 | RMSE 3.00 [2.50, 3.50] | always the mean: 4.00; the value before: 1.00 |"
    " 90.0 % [80.0, 95.0] | 0 | 224 s |",
    "| cells | 0 | 72 | macro F1 90.0 % [80.0, 95.0] | always the usual: 85.0 % |  | 3 | 224 s |",
    # The second seed is half a point behind the stretched pictures, the first half a point ahead: no difference.
    "| 16-bit TIFF | 98.5 % (sd 0.0) | 98.5 % to 98.5 % | -0.5 to +0.5 points | 2 |",
    "| float TIFF | refused |  |  |  |",
    "| near copies | 0 of 1 | 90.0 % | 90.0 % |  | 2.0 s |",
    "| brightness | 2 of 2 |  |  | outliers 1× | 2.0 s |",
    "| parts, clean | nothing planted |",
    "Found: 2 of 3. Crashes: 0. Clean sets with a false alarm: 1 of 2 (maps (seed 0)).",
    "| 10,000 | second | 413.2 s | 48.8 s | 1,462 MB | 2 | exit 1 |",
    "| torch | 5.00 s | 2.50× [2.50, 2.50] | ahead |",
    "| accuracy | 94.5 % | 93.0 % to 96.0 % |",
    "parted by folds 0, by the split 0",
])  # fmt: skip
def test_page_tells_of_every_kind(page: Path, line: str) -> None:
    """What the drawn records hold, worked out by hand, is in its section, with what speaks against it."""
    assert line in page.read_text(encoding="utf-8")


def test_every_kind_has_its_section() -> None:
    """The page knows each kind that a script of the folder writes, and no other."""
    texts = [path.read_text(encoding="utf-8") for path in BENCHMARKS.glob("*.py")]
    written = {kind for text in texts for kind in re.findall(r'record\.begin\("([^"]+)"', text)}
    assert written == benchmark("write_docs").SECTIONS.keys()
    assert written >= {"accuracy", "detection", "traps"}


def test_unknown_kind_is_named(tmp_path: Path) -> None:
    """A record that no section tells of stops the page, so that no measurement is passed over in silence."""
    (tmp_path / "new.json").write_text(json.dumps({"kind": "novelty", **BEGUN}))
    done = write_page(tmp_path, tmp_path / "page.md")
    assert done.returncode == 1
    assert "no section tells of novelty" in done.stderr


def test_gpu_is_named(page: Path) -> None:
    """A step on a GPU names it, and no aim set for a processor is held against it."""
    record = {**drawn_step(), "file": "step-gpu", "machine": {**MACHINE, "gpu": "Drawn GPU, driver 1"}}
    assert "on its GPU, Drawn GPU, driver 1" in benchmark("phrases").about(record)
    assert list(benchmark("aims")._step(record)) == []
    assert len(list(benchmark("aims")._step({**record, "machine": MACHINE}))) == 2


def test_charts_are_drawn(page: Path) -> None:
    """Every chart that the page shows is there and is a picture, and no other."""
    text = page.read_text(encoding="utf-8")
    names = {path.name for path in (page.parent / "pictures").iterdir()}
    kinds = ("step", "race", "dial", "segmentation", "numbers-and-labels", "deep_levels", "traps")
    assert names == {f"benchmark-{kind}.png" for kind in kinds}
    for name in names:
        assert f"(pictures/{name})" in text
        with Image.open(page.parent / "pictures" / name) as picture:
            assert min(picture.size) > 200


def test_contest_gives_no_answer_away(tmp_path: Path) -> None:
    """Test pictures lie in all class folders whatever they show, none is also learned from, and the parts are whole."""
    source = draw_folder(tmp_path / "set", {"a": 20, "b": 30})
    contest = benchmark("contest")
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


def test_scorer_counts_what_is_missing_as_wrong(tmp_path: Path) -> None:
    """Three right answers of ten, one wrong, six not given: 30 %."""
    contest = benchmark("contest")
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
