"""Honest scores: leaks in given parts, twins of training pictures, and test parts that were opened before."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from drawn import TINY, draw_folder, read_table

import striate
from striate.cli import main
from striate.evaluate.named import warnings
from striate.evaluate.scores import classification_scores
from striate.train.events import Event, Note
from striate.train.run import train

pytestmark = pytest.mark.usefixtures("quick")
OPTIONS = {"network": TINY, "epochs": 3, "batch_size": 8, "lr": 0.05, "workers": 0, "precision": "fp32"}


def told(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def copied(root: Path, times: int, counts: dict[str, int]) -> Path:
    """Drawn pictures, each `times` times under names of its own."""
    draw_folder(root, counts)
    for path in sorted(root.rglob("*.png")):
        for number in range(1, times):
            shutil.copy(path, path.with_name(f"{path.stem}-{number}.png"))
    return root


def test_leaks_in_given_parts_are_scored_with_and_without(tmp_path: Path) -> None:
    """Four of the ten test pictures are copies of training ones: told loudly, and scored without them too."""
    root = tmp_path / "d"
    draw_folder(root / "train", {"a": 14, "b": 14})
    draw_folder(root / "test", {"a": 5, "b": 5}, side=9)  # other pictures, though of the same names
    for name in ("a/00.png", "a/03.png", "b/01.png", "b/02.png"):
        shutil.copy(root / "train" / name, root / "test" / name)
    events: list[Event] = []
    run = train(root, out=str(tmp_path / "out"), quiet=True, watch=events.append, **OPTIONS)
    test = run.test
    assert (test["n"], test["leaked"], test["without_leaks"]["n"]) == (10, 4, 6)
    rows = [row for row in read_table(run.folder / "predictions.csv") if row["part"] == "test"]
    leaked = {f"test/{name}" for name in ("a/00.png", "a/03.png", "b/01.png", "b/02.png")}
    clean = [row for row in rows if row["path"] not in leaked]
    right = np.mean([row["predicted"] == row["truth"] for row in clean])
    assert test["without_leaks"]["accuracy"]["value"] == pytest.approx(right)
    page = (run.folder / "report.html").read_text()
    for text in (told(events), page):
        assert "4 of the 10 test pictures have a copy" in text
    assert "test without leaks" in page


def test_twins_show_what_a_split_by_picture_would_have_said(tmp_path: Path) -> None:
    """Sixteen pictures of each class, four times each: copies stay together, some of training are held out."""
    root = copied(tmp_path / "d", 4, {"a": 16, "b": 16})
    events: list[Event] = []
    run = train(root, out=str(tmp_path / "out"), quiet=True, watch=events.append, **OPTIONS)
    rows = read_table(run.folder / "data.csv")
    homes: dict[str, list[str]] = {}
    for row in rows:
        homes.setdefault(row["path"][:4], []).append(row["part"])
    assert all(len(set(parts) - {"twin"}) == 1 for parts in homes.values())
    assert all(parts.count("twin") <= ("train" in parts) for parts in homes.values())
    split, parts = run.scores["random_split"], [row["part"] for row in rows]
    assert split["n"] == parts.count("twin") == int(0.05 * (parts.count("train") + parts.count("twin")))
    trained = (parts.count("train") + parts.count("twin")) / len(parts)
    assert split["share"] == pytest.approx(1 - (1 - trained) ** 3)
    twins = [row for row in read_table(run.folder / "predictions.csv") if row["part"] == "twin"]
    right = np.mean([row["predicted"] == row["truth"] for row in twins])
    assert split["twins"]["value"] == pytest.approx(right)
    expected = split["share"] * right + (1 - split["share"]) * run.test["accuracy"]["value"]
    assert split["accuracy"]["value"] == pytest.approx(expected)
    assert split["accuracy"]["low"] <= expected <= split["accuracy"]["high"]
    assert run.test["clusters"] * 4 == run.test["n"]
    assert "A split by picture would" not in told(events)  # four say too little
    run.scores["random_split"]["n"] = 20
    assert "A split by picture would have reported about" in warnings(run.scores)[0]
    assert "A split by picture" in (run.folder / "report.html").read_text()


def test_sets_without_look_alikes_have_no_twins(tmp_path: Path) -> None:
    """A clean set: nothing held out, nothing said."""
    root = draw_folder(tmp_path / "d", {"a": 16, "b": 16})
    events: list[Event] = []
    run = train(root, out=str(tmp_path / "out"), quiet=True, watch=events.append, **OPTIONS)
    assert "random_split" not in run.scores
    assert (run.test["leaked"], "without_leaks" in run.test, run.test["openings"]) == (0, False, 1)
    assert {row["part"] for row in read_table(run.folder / "data.csv")} == {"train", "validation", "test"}
    assert "opened" not in told([event for event in events if "Mind" in getattr(event, "text", "")])


def test_a_second_opening_is_told_beside_the_score(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """By evaluate on the same pictures, by a further run on them; another test part is a first opening again."""
    root, out = draw_folder(tmp_path / "d", {"a": 16, "b": 16}), tmp_path / "out"
    first = train(root, out=str(out), name="first", quiet=True, **OPTIONS)
    again = first.model.evaluate(root)
    assert again["openings"] == 2
    assert main(["evaluate", str(first.folder), str(root), "--device", "cpu"]) == 0
    assert "opened 3 times" in capsys.readouterr().err
    entries = json.loads((first.folder / "openings.json").read_text())["openings"]
    assert [entry["by"].split()[0] for entry in entries] == ["train", "evaluate", "evaluate"]
    assert entries[0]["accuracy"] == first.test["accuracy"]["value"]
    other = draw_folder(tmp_path / "other", {"a": 20, "b": 20}, side=9)
    assert "openings" not in striate.load(first.folder).evaluate(other)
    events: list[Event] = []
    second = train(root, out=str(out), name="second", quiet=True, watch=events.append, **{**OPTIONS, "lr": 0.02})
    assert second.test["openings"] == 4
    assert "These test pictures were opened by 1 earlier run: first." in told(events)
    assert "opened 4 times (earlier by first)" in (second.folder / "report.html").read_text()
    third = train(other, out=str(out), name="third", quiet=True, **OPTIONS)
    assert third.test["openings"] == 1


def test_clusters_widen_the_intervals() -> None:
    """The same answers in groups of five: equal values, wider intervals for every score, and the groups counted."""
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(0, 3, 40), 5)
    chances = np.repeat(rng.dirichlet([1, 1, 1], 40), 5, axis=0) + 0.5 * np.eye(3)[truth]
    chances /= chances.sum(axis=1, keepdims=True)
    alone = classification_scores(truth, chances, "abc", 0)
    grouped = classification_scores(truth, chances, "abc", 0, np.repeat(np.arange(40), 5))
    assert grouped["clusters"] == 40
    assert "clusters" not in alone
    assert classification_scores(truth, chances, "abc", 0, np.arange(200)) == alone
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "calibration_error", "log_loss"):
        one, other = alone[name], grouped[name]
        assert one["value"] == other["value"]
        assert other["high"] - other["low"] > 1.5 * (one["high"] - one["low"]), name
