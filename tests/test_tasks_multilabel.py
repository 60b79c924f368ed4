"""Several labels are learned, each with its own threshold, and told in every form."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import read_table, white_charts
from drawn_numbers import label_table, marks
from drawn_page import Visitor, served
from safetensors.torch import load_file
from torch.nn import functional as F

from striate.cli import main
from striate.data.prepare import Shape
from striate.data.sample import Found
from striate.draw import charts
from striate.errors import StriateError
from striate.export.model import load_model
from striate.files import read_json
from striate.serve.glass import Glass
from striate.tasks.multilabel import Multilabel
from striate.train import single
from striate.train.events import Epoch, Event
from striate.train.run import Run, train

OPTIONS = {
    "network": "conv 8 3, relu, maxpool 2, flatten, dense classes", "epochs": 25, "batch_size": 8, "lr": 0.01,
    "workers": 0, "precision": "fp32", "val": 0.25,
}  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return label_table(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(table, out=str(tmp_path_factory.mktemp("out")), quiet=True, **OPTIONS)


def test_the_loss_is_that_of_torch() -> None:
    """Binary cross-entropy over all labels; a factor for each label weighs its part."""
    task, random = Multilabel(("a", "b")), torch.Generator().manual_seed(0)
    logits = torch.randn(6, 2, generator=random)
    encoded = task.encode(
        [("a",), (), ("a", "b"), ("b",), (), ("a",)], np.zeros((6, 2)), Shape(height=1, width=1, channels=1)
    )
    assert encoded.tolist()[:3] == [[1, 0], [0, 0], [1, 1]]
    assert torch.allclose(task.loss(logits, encoded, None, 0.0), F.binary_cross_entropy_with_logits(logits, encoded))
    alone = [F.binary_cross_entropy_with_logits(logits[:, k], encoded[:, k]) for k in (0, 1)]
    weighed = task.loss(logits, encoded, torch.tensor([1.0, 3.0]), 0.0)
    assert torch.allclose(weighed, (0.5 * alone[0] + 1.5 * alone[1]) / 2)
    assert task.hits(torch.tensor([[9.0, -9.0]]), encoded[:1]) == 1.0


def test_what_is_not_known_counts_nowhere() -> None:
    """Loss, hits, errors and thresholds are those of the labels that are known, by scikit-learn's log loss of them."""
    reference = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    truth, unknown = random.random((40, 2)) < 0.4, random.random((40, 2)) < 0.3
    targets = [
        tuple("?" * int(hidden) + name for name, mark, hidden in zip("ab", *row, strict=True) if mark or hidden)
        for row in zip(truth, unknown, strict=True)
    ]
    task, logits = Multilabel(("a", "b")), torch.from_numpy(random.normal(size=(40, 2)))
    logits.requires_grad_()
    encoded = task.encode(targets, np.zeros((40, 2)), Shape(height=1, width=1, channels=1))
    chances, known = logits.detach().sigmoid().numpy(), ~unknown
    loss = task.loss(logits, encoded, None, 0.0)
    loss.backward()
    assert loss.item() == pytest.approx(reference.log_loss(truth[known], chances[known], labels=[False, True]))
    assert (logits.grad.numpy()[unknown] == 0).all()
    parts = [reference.log_loss(truth[known[:, k], k], chances[known[:, k], k]) * known[:, k].sum() for k in (0, 1)]
    weighed = task.loss(logits, encoded, torch.tensor([1.0, 3.0]), 0.0).item()
    assert weighed == pytest.approx((0.5 * parts[0] + 1.5 * parts[1]) / known.sum())
    right, some = ((chances > 0.5) == truth) & known, known.any(axis=1)
    shares = right.sum(axis=1)[some] / known.sum(axis=1)[some]
    assert task.hits(logits.detach(), encoded) == pytest.approx(shares.sum())
    answers = task.decode(logits)
    wrong = ((chances >= 0.5) != truth) & known
    np.testing.assert_allclose(task.errors(targets, answers), (wrong * np.abs(truth - chances)).sum(axis=1))
    other = np.where(unknown[..., None], 1 - answers, answers)  # whatever is said of what is not known
    assert task.tuned(targets, answers) == task.tuned(targets, other)


def test_a_run_with_what_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every score of a label is that of scikit-learn on the pictures where it is known; tables and report tell which
    are not, and so does the check; another label that is not known is another set."""
    reference = pytest.importorskip("sklearn.metrics")
    white_charts(monkeypatch)
    label_table(tmp_path)
    random = np.random.default_rng(0)
    every = [{name: str(int(name in marks(n)[1])) for name in ("corner", "line")} for n in range(60)]
    lines = ["path,corner,line"]
    for number, row in enumerate(every):
        hidden = random.integers(5)
        cells = ["-1" if hidden == 0 else row["corner"], "" if hidden == 1 else row["line"]]
        lines.append(f"{number:03}.png,{','.join(cells)}")
    file = tmp_path / "marked.csv"
    file.write_text("\n".join(lines))
    run = train(file, out=str(tmp_path / "out"), quiet=True, **{**OPTIONS, "epochs": 3, "balance": "weights"})
    rows = [row for row in read_table(run.folder / "predictions.csv") if row["part"] == "test"]
    for name, score in run.test["per_class"].items():
        known = [row for row in rows if f"?{name}" not in row["truth"].split("; ")]
        truth, said = ([name in row[key].split("; ") for row in known] for key in ("truth", "predicted"))
        assert [str(int(mark)) for mark in truth] == [every[int(row["path"][:3])][name] for row in known]
        assert (score.get("known", len(rows)), score["n"]) == (len(known), sum(truth))
        assert score["recall"]["value"] == pytest.approx(reference.recall_score(truth, said))
        assert score["specificity"]["value"] == pytest.approx(reference.recall_score(truth, said, pos_label=False))
        chances = [float(row[f"p_{name}"]) for row in known]
        assert score["auroc"]["value"] == pytest.approx(reference.roc_auc_score(truth, chances))
    (told,) = [one for one in read_json(run.folder / "check.json")["findings"] if one["kind"] == "unknown-labels"]
    left = {row["path"] for row in read_table(run.folder / "data.csv") if row["status"] != "used"}
    cells = [cell in ("-1", "") for line in lines[1:] for cell in line.split(",")[1:]]
    hidden = {"corner": sum(cells[::2]), "line": sum(cells[1::2])}
    assert (told["figures"]["counts"], left) == (hidden, set())
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert re.search(r"\d of \d+<", report)
    assert "it is not known whether they have the label" in report


def test_thresholds_decide_what_is_said() -> None:
    """Each label has its own threshold; no label at all is an answer too; a row comes back as the answer."""
    task = Multilabel(("a", "b"), thresholds=(0.2, 0.9))
    chances = torch.tensor([[0.3, 0.8], [0.1, 0.8], [0.3, 0.95]], dtype=torch.float64)
    first, none, both = task.decode(torch.logit(chances))
    assert (task.target_of(first), task.say(first)) == (("a",), "a")
    assert (task.target_of(none), task.say(none)) == ((), "nothing")
    assert task.row(both) == ("a; b", "0.300000", "0.950000")
    for answer in (first, none, both):
        np.testing.assert_allclose(task.read(dict(zip(task.header(), task.row(answer), strict=True))), answer)
    assert task.errors([("a",), ("b",)], [first, first]).tolist() == pytest.approx([0, 0.5])


def test_labels_that_no_picture_has() -> None:
    """A column that is never marked is no output; a set without any label is refused."""
    found = Found(root="t", kind="table", samples=[], names=("z", "never", "a"), task="multilabel")
    assert Multilabel.of(found, [("a",), ("z", "a")], {}).classes == ("z", "a")
    with pytest.raises(StriateError, match="some picture has a label"):
        Multilabel.of(found, [(), ()], {})


def test_sampling_by_class_is_refused(table: Path, tmp_path: Path) -> None:
    """A picture with several labels has no class to be drawn by."""
    with pytest.raises(StriateError, match=r"by their one class.*what multilabel learns"):
        train(table, out=str(tmp_path), quiet=True, balance="sampling", **OPTIONS)


def test_the_run_tells_everything(run: Run) -> None:
    """Macro F1 beats that of saying every label; predictions and report name every label."""
    scores = run.test
    assert (scores["main"], scores["baseline_is"]) == ("macro_f1", "always saying every label")
    assert scores["macro_f1"]["low"] > scores["baseline"]
    assert set(scores["per_class"]) == {"corner", "line"}
    rows = read_table(run.folder / "predictions.csv")
    assert list(rows[0])[1:4] == ["predicted", "p_corner", "p_line"]
    for row in rows:
        assert row["truth"] == "; ".join(marks(int(row["path"][:3]))[1])
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Precision, recall and F1 of every label" in report
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", report, flags=re.DOTALL)
    assert "2 labels on the test part" in words
    assert "F1, mean over labels of always saying every label" in words
    assert not re.search(r"mean over classes|\d classes|\bclass\b", words)
    assert run.model.task.thresholds == load_model(run.folder).task.thresholds
    assert len(run.model.task.thresholds) == 2


def test_the_commands(run: Run, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """predict and evaluate work from the command line."""
    out = tmp_path / "out.csv"
    assert main(["predict", str(run.folder), str(table.parent), "--out", str(out)]) == 0
    assert len(read_table(out)) == 60
    right = [row["predicted"] == "; ".join(marks(int(Path(row["path"]).stem))[1]) for row in read_table(out)]
    assert np.mean(right) > 0.8
    capsys.readouterr()
    assert main(["evaluate", str(run.folder), str(table)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^all, by label .*\ncorner ", told, re.MULTILINE)
    assert re.search(r"^all: F1, mean over labels \d", told)
    assert re.search(r"^F1, mean over labels +\d", told, re.MULTILINE)
    assert "class" not in told


def test_the_page_shows_labels(run: Run) -> None:
    """See, Explain with a label's own output, and Mistakes."""
    with served(Glass(run.folder).answer) as server:
        visitor = Visitor(server)
        mistakes = visitor.json("/api/mistakes")
        told = mistakes["rows"]
        assert len(told) == run.test["n"]
        header, heat = visitor.array(f"/api/heatmap/{told[0]['id']}?target=0")
        assert header["target"] == "corner"
        assert np.isfinite(heat).all()


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_resume_is_bit_identical(run: Run, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that was killed half way ends with the weights, thresholds and predictions of the whole one."""
    white_charts(monkeypatch)
    monkeypatch.setattr(single, "CHECKPOINT_SECONDS", 0)

    def watch(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 9:
            raise Killed

    with pytest.raises(Killed):
        train(table, out=str(tmp_path), quiet=True, watch=watch, **OPTIONS)
    (folder,) = (path for path in tmp_path.iterdir() if not path.name.startswith("."))
    again = train(resume=folder, quiet=True)
    one, other = (load_file(place / "model.safetensors") for place in (run.folder, folder))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert again.model.task == run.model.task
    assert (folder / "predictions.csv").read_bytes() == (run.folder / "predictions.csv").read_bytes()


def test_repeats_add_up(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds predict every picture once, and are scored together."""
    white_charts(monkeypatch)
    run = train(table, out=str(tmp_path), quiet=True, **{**OPTIONS, "epochs": 2, "folds": 2, "balance": "weights"})
    assert run.test["n"] == 60
    assert len(read_table(run.folder / "predictions.csv")) == 60


def test_charts_of_labels() -> None:
    """Bars are drawn also where a score does not exist."""
    known, none = {"value": 0.5, "low": 0.2, "high": 0.8}, {"value": None, "low": None, "high": None}
    rows = {
        "a": dict.fromkeys(("precision", "recall", "f1"), known),
        "b": dict.fromkeys(("precision", "recall", "f1"), none),
    }
    assert charts.labels(rows).startswith(b"\x89PNG")
