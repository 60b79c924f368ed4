"""Runs held against each other: differences by hand, intervals by theory, and only pictures that both have held out."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from striate.cli import main
from striate.errors import StriateError
from striate.evaluate.compare import _ends, compared


def run_of(
    folder: Path,
    errors: np.ndarray,
    *,
    kind: str = "accuracy",
    groups: np.ndarray | None = None,
    first: int = 0,
    **asked: str,
) -> Path:
    """The files of a run whose validation pictures first, first + 1, ... have these errors (N,)."""
    folder.mkdir(parents=True)
    score = {"value": float(1 - errors.mean()), "low": 0.1, "high": 0.9}
    record = {"main": kind, kind: score}
    (folder / "scores.json").write_text(json.dumps({"seconds": 61.2, "validation": record, "test": record}))
    settings = {"network": "auto", "name": folder.name, **asked}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    (folder / "settings.toml").write_text(f"[settings]\n{text}")
    names = [f"p/{first + number}.png" for number in range(len(errors))]
    with (folder / "data.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "label", "part", "group", "status", "reason"))
        for number, name in enumerate(names):
            writer.writerow((name, "a", "validation", "" if groups is None else groups[number], "used", ""))
    with (folder / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        by_class, truth = kind == "accuracy", "0" if kind == "rmse" else "a"
        writer.writerow(("path", "predicted", "part", "truth", *(() if by_class else ("error",))))
        for name, error in zip(names, errors, strict=True):
            said = str(error) if kind == "rmse" else "b" if error else "a"
            writer.writerow((name, said, "validation", truth, *(() if by_class else (error,))))
            writer.writerow((name.replace("p/", "t/"), truth, "test", truth, *(() if by_class else (1,))))
    return folder


def told_by(folder: Path, kind: str, columns: str, rows: list[tuple]) -> Path:
    """The files of a run with these rows of predictions.csv, behind the name of each and its part."""
    run = run_of(folder, np.zeros(len(rows)), kind=kind)
    lines = [f"p/{number}.png,validation,{','.join(map(str, row))}" for number, row in enumerate(rows)]
    (run / "predictions.csv").write_text("\n".join([f"path,part,{columns}", *lines]))
    return run


def ends_of(line: str) -> tuple[float, float]:
    low, high = line.rpartition("[")[2].partition("]")[0].replace("−", "-").split(",")
    return float(low), float(high)


def test_a_difference_by_hand(tmp_path: Path) -> None:
    """100 pictures: 20 wrong before and 8 after, all of them wrong before too: 12 points, and by the normal law the
    interval of the mean of 12 ones among 100."""
    before, after = np.zeros(100), np.zeros(100)
    before[:20], after[:8] = 1, 1
    text = compared([run_of(tmp_path / "a", before, lr="0.1"), run_of(tmp_path / "b", after, lr="0.2")])
    line = text.splitlines()[-1]
    assert line.startswith(
        f"{tmp_path / 'b'} against {tmp_path / 'a'}, on 100 validation pictures of both: +12.0 points"
    )
    assert line.endswith(": better")
    half = 1.96 * 100 * np.sqrt(0.12 * 0.88 / 100)
    assert ends_of(line) == pytest.approx((12 - half, 12 + half), abs=1.1)
    rows = [row.split() for row in text.splitlines()]
    assert ["lr", "0.1", "0.2"] in rows
    assert not any(row[:1] == ["network"] for row in rows)  # which does not differ
    back = compared([tmp_path / "b", tmp_path / "a"]).splitlines()[-1]
    assert "−12.0 points" in back
    assert back.endswith(": worse")


def test_overlapping_intervals_may_hide_a_difference(tmp_path: Path) -> None:
    """The same answers differ by nothing; errors that go both ways show no difference."""
    errors = (np.arange(60) % 3 == 0).astype(float)
    a, b = run_of(tmp_path / "a", errors), run_of(tmp_path / "b", errors)
    line = compared([a, b]).splitlines()[-1]
    assert "both: 0.0 points of accuracy [0.0, 0.0]: no difference is shown" in line
    c = run_of(tmp_path / "c", np.roll(errors, 1))
    assert ends_of(line := compared([a, c]).splitlines()[-1])[0] < 0 < ends_of(line)[1]
    assert line.endswith("no difference is shown")


def test_groups_are_drawn_together(tmp_path: Path) -> None:
    """Twelve groups of ten like pictures say as much as twelve: the interval is about sqrt(10) times as wide."""
    groups = np.repeat(np.arange(12), 10)
    after = (groups < 4).astype(float)
    wide = []
    for name, known in (("grouped", groups), ("single", None)):
        pair = [run_of(tmp_path / name / run, errors, groups=known) for run, errors in (("a", after * 0), ("b", after))]
        low, high = ends_of(compared(pair).splitlines()[-1])
        wide.append(high - low)
    assert wide[0] / wide[1] == pytest.approx(np.sqrt(10), rel=0.25)


def test_few_groups_prove_nothing(tmp_path: Path) -> None:
    """Forty pictures of one patient, one of which is now wrong, and of four: no word of better or worse."""
    after = (np.arange(40) == 7).astype(float)
    for count in (1, 4):
        known = np.arange(40) * count // 40
        pair = [
            run_of(tmp_path / f"{n}{count}", errors, groups=known) for n, errors in (("a", after * 0), ("b", after))
        ]
        line = compared(pair).splitlines()[-1]
        assert line.endswith(f"only {count} groups (of a patient, alike, neighbours), which are too few to tell by")


def test_neighbours_count_together(tmp_path: Path) -> None:
    """kin of predictions.csv says what data.csv does not: runs of five frames, of either of the two runs."""
    after, wide = np.repeat(np.arange(24) % 3 == 0, 5), []
    for name, kin in (("alone", range(120)), ("blocks", [row // 5 for row in range(120)])):
        a = told_by(tmp_path / name / "a", "accuracy", "predicted,truth,kin", [("a", "a", row) for row in range(120)])
        rows = [("ab"[int(wrong)], "a", number) for wrong, number in zip(after, kin, strict=True)]
        low, high = ends_of(compared([a, told_by(tmp_path / name / "b", "accuracy", "predicted,truth,kin", rows)]))
        wide.append(high - low)
    assert wide[1] / wide[0] == pytest.approx(np.sqrt(5), rel=0.25)


def test_few_pictures_that_differ_by_chance_show_no_difference() -> None:
    """Differences of mean 0 between eight groups, drawn 300 times: the interval holds 0 in about 95 of 100, where the
    drawn means alone hold it in 84."""
    random, held = np.random.default_rng(0), 0
    for _ in range(300):
        kin = np.repeat(np.arange(8), 5)
        low, high = _ends(random.normal(0, 1, 8)[kin] + random.normal(0, 1, 40), kin)
        held += low <= 0 <= high
    assert held >= 0.9 * 300


def test_numbers_are_compared_in_their_own_units(tmp_path: Path) -> None:
    """Two trainings with other standard deviations gave the same answers: their errors differ, and nothing else. Of two
    columns each counts by how much it varies: an error of 1 of 0 to 119, and then of 0.25 of 0 and 1."""
    truth = np.arange(120)
    a, b = (
        told_by(tmp_path / name, "rmse", "predicted,truth,error", [(t + t % 2, t, (t % 2) / sd) for t in truth])
        for name, sd in (("a", 30), ("b", 40))
    )
    assert ": 0 of error per picture, which was 0.5 [0, 0]: no difference" in compared([a, b])
    c, d = (
        told_by(
            tmp_path / name,
            "r2",
            "predicted,truth,error",
            [(f"{t + x}; {t % 2 + y}", f"{t}; {t % 2}", 9) for t in truth],
        )
        for name, x, y in (("c", 1, 0), ("d", 1, 0.25))
    )
    before, after = 1 / truth.std(), 0.25 / 0.5
    assert f"+{after - before:.3g} of error per picture, which was {before:.3g} [" in compared([c, d])


def test_only_pictures_that_both_held_out(tmp_path: Path) -> None:
    """Pictures 50 to 99 are common; of nine or fewer nothing is said but that they are too few."""
    a, b = run_of(tmp_path / "a", np.ones(100)), run_of(tmp_path / "b", np.zeros(100), first=50)
    assert "on 50 validation pictures of both: +100.0 points" in compared([a, b])
    c = run_of(tmp_path / "c", np.zeros(30), first=95)
    assert "5 validation pictures in common, which is too few to compare" in compared([a, c])


def test_other_tasks_compare_errors(tmp_path: Path) -> None:
    """Mean errors of 0.5 and 0.3: lower is better, and the number that it was stands beside."""
    noise = np.random.default_rng(0).normal(0, 0.05, 200)
    a = run_of(tmp_path / "a", 0.5 + noise, kind="rmse")
    b = run_of(tmp_path / "b", 0.3 + noise[::-1], kind="rmse")
    line = compared([a, b]).splitlines()[-1]
    assert f"−0.2 of error per picture, which was {0.5 + noise.mean():.3g} [" in line
    assert line.endswith(": better")


def test_several_answers_to_a_picture_count_as_their_mean(tmp_path: Path) -> None:
    """Run a answers every picture twice, once with an error of 0.6 and then of 0.2: 0.4, against 0.2 of run b."""
    a, b = run_of(tmp_path / "a", np.full(60, 0.6), kind="rmse"), run_of(tmp_path / "b", np.full(60, 0.2), kind="rmse")
    again = (b / "predictions.csv").read_text().partition("\n")[2]
    (a / "predictions.csv").write_text((a / "predictions.csv").read_text() + again)
    line = compared([a, b]).splitlines()[-1]
    assert "on 60 validation pictures of both: −0.2 of error per picture, which was 0.4 [" in line


def test_labels_in_any_order_are_the_same_truth(tmp_path: Path) -> None:
    """A run of an earlier version wrote "10; 2" where one of now writes "2; 10": all pictures are still compared."""
    errors = np.linspace(0, 1, 60)
    for name, truth in (("a", "10; 2"), ("b", "2; 10")):
        file = run_of(tmp_path / name, errors, kind="micro_f1") / "predictions.csv"
        file.write_text(file.read_text().replace("validation,a,", f"validation,{truth},"))
    assert "on 60 validation pictures of both" in compared([tmp_path / "a", tmp_path / "b"])


def test_the_score_of_labels_has_its_own_name(tmp_path: Path) -> None:
    """Classes and labels share a score, which is called the mean over labels where `micro_f1` stands beside it."""
    runs = [run_of(tmp_path / name, np.ones(20), kind="macro_f1") for name in "ab"]
    assert "validation, F1, mean over classes" in compared(runs)
    for run in runs:
        record = json.loads((run / "scores.json").read_text())
        both = {part: {**record[part], "micro_f1": record[part]["macro_f1"]} for part in ("validation", "test")}
        (run / "scores.json").write_text(json.dumps({**record, **both}))
    assert "validation, F1, mean over labels" in compared(runs)


def test_words_that_make_no_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One run alone, a folder that is none, a run without its table; and the warning beside the test part."""
    a, b = run_of(tmp_path / "a", np.ones(20)), run_of(tmp_path / "b", np.zeros(20))
    with pytest.raises(StriateError, match="a comparison is of two runs or more"):
        compared([a])
    with pytest.raises(StriateError, match=f"are those of a run folder.*give a run: {a}, {b}"):
        compared([a, tmp_path / "none"])
    assert main(["compare", str(a), str(b), "--part", "test"]) == 0
    assert "a test score by which something was chosen is too good" in capsys.readouterr().out
    c = run_of(tmp_path / "c", np.ones(20), kind="rmse")
    with pytest.raises(StriateError, match=f"learn the same: one score counts. received: {a} by Accuracy, {c} by RMSE"):
        compared([a, c])
    (b / "predictions.csv").unlink()
    with pytest.raises(StriateError, match=r"a run to compare has readable settings\.toml"):
        compared([a, b])
