"""Series, texts and volumes from end to end: train, evaluate, predict, look, report, resume."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from drawn import read_table, tree, white_charts
from drawn_series import drawn, series, write_ucr

import striate
from striate import cli
from striate.augment.recipe import parse
from striate.data.prepare import Shape
from striate.draw import sheets
from striate.errors import StriateError
from striate.inside.trace import stage_ends
from striate.network.auto import series_line, volume_line
from striate.network.build import build
from striate.tasks.classification import Classification
from striate.train.plan import Facts, make_plan, shape_of
from striate.train.settings import Settings

FAST = {"quiet": True, "workers": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> striate.Run:
    """A training on drawn waves, by auto, in their own parts."""
    place = tmp_path_factory.mktemp("series")
    return striate.train(write_ucr(place / "Waves", train=20, test=10), out=str(place), epochs=12, **FAST)


def test_waves_are_told_apart(run: striate.Run) -> None:
    """auto learns slow from fast waves, and the run folder holds what every run holds; the data are only read."""
    assert run.test["n"] == 20
    assert run.test["accuracy"]["value"] >= 0.95
    names = {path.name for path in run.folder.iterdir()}
    assert {"report.html", "scores.json", "predictions.csv", "data.csv", "filters.png", "layers.png"} <= names
    rows = read_table(run.folder / "data.csv")
    assert {row["path"].split("/")[0] for row in rows} == {"train", "test"}
    assert {row["part"] for row in rows} == {"train", "validation", "test"}
    assert "conv 32 8" in run.model.network.text
    assert run.model.preparation.shape.seen == (1, 40)


def test_the_report_speaks_of_series(run: striate.Run) -> None:
    """The report says series where it would say pictures, and shows them with their evidence."""
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert "Training series as the network meets them, changed at random." in words
    assert not re.search(r"\bpictures?\b", words)
    assert "40 values, 1 channel" in words
    assert page.count("Evidence for ") >= 2
    assert re.search(r"lengths\s+40\s", words)
    assert f"striate predict {run.folder} SERIES" in words


def test_the_same_answers_on_every_way(run: striate.Run, tmp_path: Path) -> None:
    """Evaluating, predicting a file, arrays and lists of arrays say what the run's own predictions say."""
    source = run.folder.parent / "Waves"
    assert run.model.evaluate(source / "Waves_TEST.tsv")["accuracy"]["value"] == run.test["accuracy"]["value"]
    assert run.model.evaluate(source, part="test")["n"] == 20
    told = {row["path"]: row for row in read_table(run.folder / "predictions.csv") if row["part"] == "test"}
    values = [series(label, 1000 + number)[:, 0] for number in range(10) for label in ("fast", "slow")]
    values = [np.array([float(f"{value:.6f}") for value in row]) for row in values]
    for asked in (source / "Waves_TEST.tsv", np.stack(values), np.stack(values)[:, :, None], values):
        answers = run.model.predict(asked)
        assert [answer.predicted for answer in answers] == [told[f"test/{n}"]["predicted"] for n in range(20)]
        assert answers[3].confidence == pytest.approx(float(told["test/3"]["confidence"]), abs=1e-5)
    assert len(run.model.predict(values[0])) == 1
    bad = run.model.predict([np.array([1.0, np.nan])])
    assert bad[0].reason == "1 value, and a series has at least 3"
    np.savez(tmp_path / "new.npz", X=np.stack(values))
    assert [a.predicted for a in run.model.predict(tmp_path / "new.npz")] == [a.predicted for a in answers]


def test_a_file_without_labels(run: striate.Run, tmp_path: Path) -> None:
    """What is to be predicted needs no label."""
    values = [series("slow", number)[:, 0] for number in range(3)]
    (tmp_path / "new.csv").write_text("\n".join(",".join(f"{v:.6f}" for v in row) for row in values))
    assert [answer.predicted for answer in run.model.predict(tmp_path / "new.csv")] == ["slow"] * 3
    with pytest.raises(StriateError, match="at least one readable"):
        run.model.evaluate(tmp_path / "new.csv")


def test_the_model_knows_how_its_table_was_read(run: striate.Run) -> None:
    """The label's place and the length are in the model file, so that files as wide as the series have no label."""
    assert striate.load(run.folder).about["series"] == {"labels": [0], "apart": [0], "length": 40}


def test_looking_inside(run: striate.Run, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """look: layers with one axis, a number that sums up again, sheets; on the command line too."""
    look = run.model.look(series("fast", 1)[:, 0])
    assert look.maps("conv1").shape == (32, 40)
    found = look.explain("conv2", 3, 17)
    assert found.value == pytest.approx(float(look.maps("conv2")[3, 17]), abs=1e-4)
    for layer in (None, "conv1", "dense1"):
        assert look.sheet(layer).startswith(b"\x89PNG")
    assert [look.layers[index].name for index in stage_ends(look.layers, 6)] == ["relu2", "relu3"]
    file = run.folder.parent / "Waves" / "Waves_TEST.tsv"
    assert cli.main(["look", str(run.folder), str(file), "--layer", "conv3", "--out", str(tmp_path)]) == 0
    assert "computed again" in capsys.readouterr().out
    capsys.readouterr()
    assert cli.main(["summary", str(run.folder)]) == 0
    table = capsys.readouterr().out
    assert "operations per series" in table
    assert re.search(r"^series {2,}1×40 {2,}1$", table, re.MULTILINE)
    assert cli.main(["predict", str(run.folder), str(file), "--out", str(tmp_path / "p.csv")]) == 0
    assert len(read_table(tmp_path / "p.csv")) == 20
    assert capsys.readouterr().err.startswith(f"20 series in {tmp_path / 'p.csv'}\n")
    assert cli.main(["evaluate", str(run.folder), str(file)]) == 0


def test_channels_and_unequal_lengths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays of several channels; series of many lengths are stretched to the middle one, which is said."""
    white_charts(monkeypatch)
    values, labels = drawn({"fast": 20, "slow": 20}, channels=3)
    told = []
    run = striate.train((values, labels), form="series", out=str(tmp_path), epochs=3, watch=told.append, **FAST)
    assert run.model.preparation.shape.seen == (3, 40)
    assert "40 series of 2 classes" in " ".join(getattr(event, "text", "") for event in told)
    assert len(run.model.predict(values)) == 40
    assert len(run.model.predict(values[0])) == len(run.model.predict(values[0].T)) == 1
    unequal = [series(label, n, 30 + n)[:, 0] for n, label in enumerate(labels)]
    run = striate.train((unequal, labels), out=str(tmp_path), epochs=2, watch=told.append, **FAST)
    assert run.model.preparation.shape.width == 49
    assert "from 30 to 69 values" in " ".join(getattr(event, "text", "") for event in told)


def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after some epochs and gone on with, with random changes, the weights are those of a run in one go."""
    white_charts(monkeypatch)
    source = write_ucr(tmp_path / "Waves", train=12, test=4)
    options = {"epochs": 6, "augment": "series", "precision": "fp32", "batch_size": 8, **FAST}
    whole = striate.train(source, out=str(tmp_path), name="whole", **options)
    monkeypatch.setattr("striate.train.single.CHECKPOINT_SECONDS", 0)

    class Cut(Exception):
        pass

    def cut(event: object) -> None:
        if getattr(event, "epoch", 0) == 4 and hasattr(event, "learning_rate"):
            raise Cut

    with pytest.raises(Cut):
        striate.train(source, out=str(tmp_path), name="cut", watch=cut, **options)
    gone_on = striate.train(resume=str(tmp_path / "cut"), quiet=True)
    for name, weights in whole.model.network.state_dict().items():
        assert torch.equal(weights, gone_on.model.network.state_dict()[name]), name


def test_the_check_says_what_makes_sense(tmp_path: Path) -> None:
    """Copies and one series under two labels are found; nothing is said of light, borders, formats or look-alikes."""
    source = write_ucr(tmp_path / "Waves", train=30, test=4)
    file = source / "Waves_TRAIN.tsv"
    lines = file.read_text().splitlines()
    torn = lines[3].replace("slow", "fast")
    file.write_text("\n".join([*lines, lines[0], torn]) + "\n")
    before = tree(source)
    found = striate.check(source, out=str(tmp_path), quiet=True)
    assert {finding.kind for finding in found.findings} <= {"duplicates", "two-labels", "found", "few", "imbalance"}
    assert {"duplicates", "two-labels"} <= {finding.kind for finding in found.findings}
    assert not re.search(r"\bpicture", " ".join(f.what + f.done + f.change for f in found.findings))
    assert tree(source) == before


@pytest.mark.usefixtures("quick")
def test_recipes_and_sizes_that_do_not_fit(tmp_path: Path) -> None:
    """A series cannot be turned; a length of one's own is taken; series are not found in folders of pictures."""
    shape = Shape(height=1, width=40, channels=1, form="series")
    facts = Facts(shape=shape, task=Classification(("a", "b")), counts=(10, 10), line=series_line)
    with pytest.raises(StriateError, match="rotate is a change of pictures"):
        make_plan(Settings(augment="hela"), facts)
    with pytest.raises(StriateError, match="dihedral is a change of pictures"):
        make_plan(Settings(symmetry="dihedral"), facts)
    assert make_plan(Settings(symmetry="mirror"), facts).mirror
    assert make_plan(Settings(), facts).recipe == str(parse("series"))
    run = striate.train(write_ucr(tmp_path / "W"), out=str(tmp_path), epochs=1, img_size="32", test=0.2, **FAST)
    assert run.model.preparation.shape.seen == (1, 32)
    with pytest.raises(StriateError, match="series are rows of numbers"):
        striate.train(form="series", **FAST)


def test_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """A column of texts is learned from; new texts, files of them and tables are told apart."""
    white_charts(monkeypatch)
    random = np.random.default_rng(0)
    words = {"animal": ["cat", "dog", "horse", "bird", "fish"], "tool": ["saw", "hammer", "drill", "axe", "plane"]}
    rows = []
    for number in range(120):
        kind = list(words)[number % 2]
        rows.append(f'{number},"The {" and the ".join(random.choice(words[kind], 3))}, number {number}",{kind}')
    (tmp_path / "words.csv").write_text("\n".join(rows))
    drawn_sheets, white = [], sheets.picture_sheet([])
    monkeypatch.setattr(sheets, "picture_sheet", lambda *given: drawn_sheets.append(given) or white)
    options = {"text": "words", "label_column": "kind", "columns": "id,words,kind", "epochs": 12, "seed": 1}
    run = striate.train(tmp_path / "words.csv", out=str(tmp_path), **options, **FAST)
    assert run.test["accuracy"]["value"] >= 0.9
    assert run.model.preparation.shape.channels == 96
    # Nothing changes texts at random, so the sheet shows 12 of them in place of 6 with 7 copies that are the same.
    assert len(drawn_sheets) == 1
    assert len({tile.tobytes() for tile in drawn_sheets[0][0]}) == len(drawn_sheets[0][0]) == 12
    assert drawn_sheets[0][1:3] == ([], 2)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Training texts as the network meets them: as they are, nothing is changed at random." in page
    said = run.model.predict(["the cat and the dog and the horse", "a drill and a hammer and the saw"])
    assert [answer.predicted for answer in said] == ["animal", "tool"]
    assert run.model.evaluate(tmp_path / "words.csv", label_column="kind", columns="id,words,kind")["n"] == 120
    assert len(run.model.predict(tmp_path / "words.csv")) == 120
    (tmp_path / "new.csv").write_text("words\nthe dog and the bird\n")
    assert [a.path for a in run.model.predict(tmp_path / "new.csv")] == ["new/0"]
    (tmp_path / "new.txt").write_text("the dog and the bird\n\nthe saw and the axe and the drill\n")
    assert len(run.model.predict(tmp_path / "new.txt")) == 2
    assert run.model.look("the cat and the dog").sheet("conv1").startswith(b"\x89PNG")
    for asked, then in (("the cat", ""), (str(tmp_path / "new.txt"), f" {tmp_path / 'new.txt'}"), ("a dog " * 99, "")):
        assert cli.main(["look", str(run.folder), asked, "--layer", "conv1", "--out", str(tmp_path)]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"next: striate open {run.folder}{then}"


def test_volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stacks in class folders: a bright ball that lies early or late in the stack, which no single frame tells."""
    white_charts(monkeypatch)
    random = np.random.default_rng(0)
    for name, depth in (("early", 2), ("late", 6)):
        (tmp_path / "stacks" / name).mkdir(parents=True)
        for number in range(20):
            stack = random.integers(0, 60, (8, 12, 12), dtype=np.uint8)
            y, x = random.integers(2, 8, 2)
            stack[depth - 1 : depth + 1, y : y + 3, x : x + 3] = 250
            tifffile.imwrite(tmp_path / "stacks" / name / f"{number}.tif", stack, photometric="minisblack")
    line = "conv 4 3 stride=2x1x1, relu, conv 8 3 stride=2x1x1, relu, flatten, dense classes"
    options = {"form": "volume", "epochs": 15, "out": str(tmp_path), "augment": "shift 0.1", **FAST}
    run = striate.train(tmp_path / "stacks", network=line, lr=0.005, **options)
    assert run.model.preparation.shape.seen == (1, 8, 12, 12)
    assert run.test["accuracy"]["value"] >= 0.8
    file = tmp_path / "stacks" / "late" / "0.tif"
    assert run.model.predict(file)[0].predicted in ("early", "late")
    look = run.model.look(file)
    assert look.maps("conv1").shape == (4, 4, 12, 12)
    assert look.sheet("conv1").startswith(b"\x89PNG")
    assert run.model.evaluate(tmp_path / "stacks")["n"] == 40
    auto = striate.train(tmp_path / "stacks", **{**options, "epochs": 1})
    assert "conv" in auto.model.network.text
    scores = json.loads((run.folder / "scores.json").read_text())
    assert scores["test"]["n"] == 8


def test_the_length_of_texts_and_series() -> None:
    """auto takes the middle length of series and nearly the longest of texts, within bounds; --img-size is obeyed."""
    from collections import Counter

    from striate.data.survey import Survey

    sizes = Counter({(1, 100): 90, (1, 2000): 10})
    looked = Survey(
        sizes=sizes, channel_counts=Counter({2: 100}), depths=Counter({"float32": 100}), formats=Counter(),
        pages=Counter({1: 100}),
    )  # fmt: skip
    assert shape_of("series", Settings(), looked).seen == (2, 100)
    assert shape_of("series", Settings(img_size="64"), looked).seen == (2, 64)
    assert shape_of("text", Settings(), looked).seen == (96, 512)


@pytest.mark.parametrize("frames", [1, 2, 3, 7, 32])
@pytest.mark.parametrize("size", [(1, 1), (3, 9), (20, 22), (32, 64)])
def test_auto_takes_volumes_of_few_frames(frames: int, size: tuple[int, int]) -> None:
    """Thin stacks are pooled within their frames alone once no two frames are left."""
    line = volume_line(1, *size, 32, frames)
    assert build(line, (1, frames, *size), 3).output_shape == (3,)
