"""What hostile folders, interruptions and failures in the middle leave behind."""

import io
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, draw_folder, picture, read_table
from PIL import Image

import striate
from striate import cli, files
from striate.data.sources import read_source
from striate.errors import StriateError, printable
from striate.export.tensors import read_tensors
from striate.serve.gallery import Gallery
from striate.train import single as running
from striate.train.checkpoint import resumable
from striate.train.events import Epoch, Event, Note
from striate.train.progress import Progress
from striate.train.run import Run

pytestmark = pytest.mark.usefixtures("quick")
HEIC = b"\0\0\0\x18ftypheic" + bytes(64)
QUICK = {"network": TINY, "augment": "none", "precision": "fp32", "workers": 0, "quiet": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("data") / "ab", {"a": 8, "b": 8})


def trained(source: Path, out: Path, **options: object) -> Run:
    return striate.train(source, out=str(out), **{**QUICK, "epochs": 1, **options})


def notes(source: Path, out: Path, **options: object) -> str:
    heard: list[Event] = []
    trained(source, out, watch=heard.append, **options)
    return "\n".join(event.text for event in heard if isinstance(event, Note))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_tensors(run / "model.safetensors")[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_class_whose_name_is_no_unicode_trains(data: Path, tmp_path: Path) -> None:
    """A folder name of any bytes becomes a class name that every file of the run can hold."""
    folder = shutil.copytree(data, tmp_path / "data")
    try:
        (folder / "a").rename(folder / os.fsdecode(b"a\xff"))
    except OSError:
        pytest.skip("this file system takes proper names only")
    run = trained(folder, tmp_path)
    assert run.model.classes == (r"a\udcff", "b")
    assert {row["label"] for row in read_table(run.folder / "data.csv")} == {r"a\udcff", "b"}
    assert striate.load(run.folder).evaluate(folder)["n"] == 16


def test_a_run_on_a_folder_whose_name_is_no_unicode_goes_on(data: Path, tmp_path: Path) -> None:
    """It finds the folder again, and so does what shows its pictures, though its files can hold no such name."""
    folder = tmp_path / os.fsdecode(b"\xc3\xbc x\xff")
    try:
        shutil.copytree(data, folder)
    except OSError:
        pytest.skip("this file system takes proper names only")
    with pytest.raises(KeyboardInterrupt):
        trained(folder, tmp_path, epochs=3, watch=interrupt_after_two)
    run = striate.train(resume=tmp_path / "train", quiet=True)
    assert run.scores["train"]["n"] > 0
    assert Gallery(run.folder).example().parent.parent == folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_end_it_leaves_a_model_and_resumes_exactly(number: int, data: Path, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end with all results; the run then goes on to the weights of one never stopped."""

    def tell(event: Event) -> None:
        if isinstance(event, Epoch) and event.epoch == 1:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    stopped = trained(data, tmp_path, name="stopped", epochs=4, watch=tell)
    assert stopped.stopped
    assert files.is_complete(stopped.folder)
    assert (stopped.folder / "report.html").is_file()
    assert signal.getsignal(number) is before
    resumed = striate.train(resume=stopped.folder, quiet=True)
    assert not resumed.stopped
    assert same(weights(resumed.folder), weights(trained(data, tmp_path, name="whole", epochs=4).folder))


def test_precision_is_the_one_measured_at_the_start(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run does not measure again whether bf16 pays: the answer could be another, and so the weights."""
    asked: list[str] = []
    choose = running.machine.choose_precision

    def listen(wanted: str, *others: object) -> tuple[str, str]:
        asked.append(wanted)
        return choose("fp32" if wanted == "auto" else wanted, *others)

    monkeypatch.setattr(running.machine, "choose_precision", listen)
    with pytest.raises(KeyboardInterrupt):
        trained(data, tmp_path, precision="auto", epochs=3, watch=interrupt_after_two)
    striate.train(resume=tmp_path / "train", quiet=True)
    assert asked == ["auto", "fp32"]


def interrupt_after_two(event: Event) -> None:
    if isinstance(event, Epoch) and event.epoch == 2:
        raise KeyboardInterrupt


def test_a_run_is_held_by_one_process(data: Path, tmp_path: Path) -> None:
    """Nobody resumes a run that is still under way, and what a killed writer left half-written goes."""
    with pytest.raises(KeyboardInterrupt):
        trained(data, tmp_path, epochs=3, watch=interrupt_after_two)
    folder = tmp_path / "train"
    (folder / ".history.csv.x.tmp").write_text("half")
    with (
        files.held(folder),
        pytest.raises(StriateError, match=r"trained by one process at a time.*another one that is still at it"),
    ):
        striate.train(resume=folder, quiet=True)
    striate.train(resume=folder, quiet=True)
    assert not list(folder.rglob("*.tmp"))


def test_a_failure_says_how_to_go_on(tmp_path: Path) -> None:
    """Without a checkpoint the folder goes; with one a full disk and an interruption name the command to resume."""
    full = files.cannot_write(tmp_path / "x", OSError(28, "No space left on device"))
    full.__cause__ = OSError(28, "No space left on device")
    run, heard = tmp_path / "run", []
    run.mkdir()
    with pytest.raises(StriateError, match="free some space"), resumable(run, heard.append):
        raise full
    assert not run.exists()
    (run / "last.ckpt").mkdir(parents=True)
    (run / "last.ckpt" / "epoch-000001.safetensors").touch()
    with (
        pytest.raises(StriateError, match=f"striate train --resume {run} goes on"),
        resumable(run, heard.append),
    ):
        raise full
    with pytest.raises(KeyboardInterrupt), resumable(run, heard.append):
        raise KeyboardInterrupt
    assert [event.text for event in heard] == [
        f"Kept      striate train --resume {run} goes on from the last checkpoint"
    ]


def test_a_model_stays_without_a_checkpoint(tmp_path: Path) -> None:
    """Two Ctrl-C, in the first epoch and while it is scored: what was learned is there to be evaluated."""
    run, heard = tmp_path / "run", []
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"model")
    with pytest.raises(KeyboardInterrupt), resumable(run, heard.append):
        raise KeyboardInterrupt
    assert (run / "model.safetensors").read_bytes() == b"model"
    assert [event.text for event in heard] == [
        f"Kept      {run} has the model, but not its scores: striate evaluate {run} FOLDER"
    ]


def test_a_damaged_checkpoint_is_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Going back to the checkpoint before a damaged one is not done in silence."""
    monkeypatch.setattr(running, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        trained(data, tmp_path, epochs=4, watch=lambda event: stop_before(event, 4))
    newest = max((tmp_path / "train" / "last.ckpt").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    heard: list[Event] = []
    striate.train(resume=tmp_path / "train", quiet=True, watch=heard.append)
    assert any(f"{newest.name} is damaged" in event.text for event in heard if isinstance(event, Note))


def stop_before(event: Event, epoch: int) -> None:
    if isinstance(event, Epoch) and event.epoch == epoch:
        raise KeyboardInterrupt


def test_weights_that_ran_away_are_never_kept(tmp_path: Path) -> None:
    """Neither a checkpoint nor a model holds weights that are not finite or predict nothing finite."""
    line = "conv 16 3, conv 16 3, flatten, dense 16, dense classes"  # nothing holds the values back
    pictures = np.stack([picture(label, number, 12) for label in (0, 1) for number in range(12)])
    labels = [0] * 12 + [1] * 12
    options = {**QUICK, "network": line, "optimizer": "sgd", "lr": 90.0, "momentum": 0.9, "batch_size": 4, "val": 0.2}
    with pytest.raises(StriateError, match=r"the loss must stay a finite number.*lower --lr \(it was 90\)"):
        striate.train((pictures, labels), epochs=3, out=str(tmp_path), **options)
    assert not (tmp_path / "train").exists()


def test_what_to_know_before_believing_the_scores(data: Path, tmp_path: Path) -> None:
    """Copies across given parts or classes, names that are nearly equal and mixed depths are told and reported."""
    folder = tmp_path / "data"
    for part in ("train", "test"):
        shutil.copytree(data, folder / part)
    (folder / "train" / "A ").mkdir()
    for number in range(50, 58):
        Image.fromarray(picture(2, number)).save(folder / "train" / "A " / f"{number}.png")
    shutil.copy(data / "a" / "00.png", folder / "train" / "A ")
    Image.fromarray(picture(0, 99).astype(np.float32)).save(folder / "train" / "a" / "float.tif")
    told = notes(folder, tmp_path)
    page = (tmp_path / "train" / "report.html").read_text(encoding="utf-8")
    assert "Classes with nearly the same name: 'A ' and 'a'." in told
    assert re.search(r"16 pictures of the test part as given \(100.0 %\) are also in the train", told)
    assert "15 of the 15 test pictures have a copy" in told
    assert "pictures in 1 group where the same content stands under several classes" in told
    assert re.search(r"Pictures of different depths: \d+ of uint8 and 1 of float32", told)
    assert "(train, test as given)" in told
    assert "the same content stands under several classes" in page
    rows = [row for row in read_table(tmp_path / "train" / "data.csv") if row["status"] == "left out"]
    assert {row["path"] for row in rows} == {"train/a/00.png", "test/a/00.png", "train/A /00.png"}
    cautions = [line for line in notes(data, tmp_path / "clean").splitlines() if line.startswith("Mind")]
    assert all("fewer than 20 pictures" in line for line in cautions)


@pytest.mark.parametrize(
    ("source", "told"),
    [("", "received: an empty name"), ([1, 2], "received: list"), ((1, 2, 3), "received: tuple")],
)
def test_what_is_no_source(source: object, told: str, tmp_path: Path) -> None:
    """An empty name (an unset variable of a shell) is neither the digits nor the current folder."""
    with pytest.raises(StriateError, match=told):
        striate.train(source, out=str(tmp_path), quiet=True)


def test_an_empty_folder_name_on_the_command_line(capsys: pytest.CaptureFixture) -> None:
    """`striate train ""` does not learn the digits."""
    assert cli.main(["train", "", "-q"]) == 2
    assert "an empty name" in capsys.readouterr().err


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    """A table is not read as one cell: the fault is named, without printing the table."""
    (tmp_path / "t.csv").write_text('path,label\n"1.png,a\n2.png,b\n3.png,b\n')
    with pytest.raises(StriateError, match=r"the table must be proper CSV.*line 4"):
        read_source(tmp_path / "t.csv")


def test_folders_that_cannot_be_read(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed folder is no empty one, and a closed class is listed with its label."""
    scan = os.scandir

    def closed(where: str) -> object:
        if Path(where).name == "b":
            raise PermissionError(13, "Permission denied")
        return scan(where)

    monkeypatch.setattr("striate.data.folder.os.scandir", closed)
    found = read_source(data)
    assert [(item.path, item.label, item.reason) for item in found.left_out] == [
        ("b", "b", "this folder cannot be read: Permission denied")
    ]
    with pytest.raises(StriateError, match=r"the folder must be readable. received: .*Permission denied"):
        read_source(data / "b")


def test_a_stream_that_has_gone_away_costs_no_training() -> None:
    """`striate train 2>&1 | head` goes on when nobody reads any more."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    show = Progress(Gone())
    show(Note("a line"))
    show.close()


def test_without_standard_error_a_training_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`2>&-`, pythonw and daemons have none."""
    monkeypatch.setattr("sys.stderr", None)
    show = Progress()
    assert not show.moving
    show(Note("a line"))
    show.close()


def test_names_cannot_write_on_the_terminal(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Control characters of a file's name are shown as what they are."""
    run = trained(data, tmp_path)
    odd = shutil.copy(data / "a" / "00.png", tmp_path / "red\x1b[31m\n.png")
    assert cli.main(["predict", str(run.folder), str(odd)]) == 0
    out = capsys.readouterr().out
    assert r"red\x1b[31m\n.png" in out
    assert out.count("\n") == 1
    assert printable("a\tb\udcff é 日") == r"a\tb\udcff é 日"


def test_a_part_and_pictures_that_there_are(data: Path, tmp_path: Path) -> None:
    """evaluate and predict refuse what they do not know with one message."""
    model = trained(data, tmp_path).model
    with pytest.raises(StriateError, match=r"a part is one of train, validation, test. received: val"):
        model.evaluate(data, part="val")
    with pytest.raises(StriateError, match=r"test; there are no parts\. .* without --part all \d+ are scored"):
        model.evaluate(data, part="test")
    with pytest.raises(StriateError, match=r"or arrays.*received: int"):
        model.predict([3])
    assert model.predict(torch.zeros(8, 8, dtype=torch.uint8))[0].predicted in ("a", "b")


def test_runs_in_the_picture_folder_are_never_learned(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither their figures nor a class called after them: a run cut short goes on, the next one has the same pictures,
    and so has a prediction; a folder that holds other pictures beside runs is read."""
    folder = shutil.copytree(data, tmp_path / "ab")
    monkeypatch.setattr(running, "CHECKPOINT_SECONDS", 0)
    with pytest.raises(KeyboardInterrupt):
        trained(folder, folder / "runs", epochs=3, watch=interrupt_after_two)
    run = striate.train(resume=folder / "runs/train", quiet=True)
    assert run.model.classes == ("a", "b")
    shutil.copytree(folder / "runs/train", folder / "train")  # as after --out .
    found = read_source(folder)
    assert (len(found.samples), found.left_out, found.hidden) == (16, [], 2)
    assert len(run.model.predict(folder)) == 16
    shutil.copy(found.samples[0].source, folder / "runs/mine.png")
    assert len(run.model.predict(folder)) == 17


def test_a_class_of_which_nothing_can_be_read_is_told(data: Path, tmp_path: Path) -> None:
    """By the training and as a problem by the check; a folder of words is no class, nor is a word for "missing" one."""
    folder = shutil.copytree(data, tmp_path / "ab")
    for name, content in (("zebra/1.png", b"\x89PNG\r\n\x1a\n cut"), ("yak/1.heic", HEIC), ("notes/a.txt", b"words")):
        (folder / name).parent.mkdir()
        (folder / name).write_bytes(content)
    said = "No picture of 2 classes can be read: yak, zebra."
    assert said in notes(folder, tmp_path / "runs")
    found = striate.check(folder, quick=True, quiet=True, out=str(tmp_path)).of("problem")
    assert said in {one.what for one in found}
    table = folder / "labels.csv"
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for path in folder.glob("[ab]/*")]
    table.write_text("\n".join(["path,label", *rows, "a/9.png,cow", f"{rows[0].split(',')[0]},N/A"]))
    (found,) = striate.check(table, quick=True, quiet=True, out=str(tmp_path)).of("problem")
    assert found.what == "No picture of 1 class can be read: cow."


def test_pictures_of_one_pixel_are_learned_as_the_refusal_says(tmp_path: Path) -> None:
    """Too small for auto, they are not when its remedy is taken."""
    arrays = np.arange(24, dtype=np.uint8).reshape(24, 1, 1), ["a", "b"] * 12
    given = {"out": str(tmp_path), "epochs": 1, "quiet": True}
    with pytest.raises(StriateError, match="--img-size 8") as refusal:
        striate.train(arrays, **given)
    option, size = refusal.value.remedy.split()[:2]
    assert option == "--img-size"
    assert striate.train(arrays, img_size=size, **given).model.preparation.shape.height == 8
