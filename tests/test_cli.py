"""The command line: help for every command, the nearest name for a slip, and nothing heavy before it must."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, draw_folder, picture
from PIL import Image

from striate import cli, commands, files
from striate.cli import main
from striate.export.answers import Prediction
from striate.export.model import Model
from striate.train import run as run_module
from striate.train.settings import Settings

COMMANDS = ("train", "check", "evaluate", "predict", "serve", "export", "convert", "open", "look", "summary", "filter")
# Flags of train. A name may be added; one that people have in their scripts never goes.
FLAGS = {
    "--page", "--labels", "--label-column", "--label-regex", "--symmetry", "--task", "--form", "--text",
    "--columns", "--split", "--mirror-negates", "--repeats", "--folds",
    "--model", "--project",
    "--network", "--img-size", "--imgsz", "--channels", "--epochs", "--minutes", "--patience", "--test", "--val",
    "--members", "--weights",
    "--group", "--augment", "--balance", "-b", "--batch-size", "--batch", "--optimizer", "--lr", "--momentum",
    "--weight-decay", "--smoothing", "--seed", "--device", "--precision", "-j", "--workers", "--out", "--name",
    "--resume", "--watch", "-q", "--quiet", "--data", "-h", "--help",
}  # fmt: skip


def said(capsys: pytest.CaptureFixture) -> str:
    """The one message on the error stream."""
    text = capsys.readouterr().err.strip()
    assert text.startswith("striate: ")
    assert "Traceback" not in text
    assert len(text.splitlines()) == 1
    return text


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict:
    """What `striate.train` would have been called with; no training takes place."""
    calls: dict = {}

    class Done:
        stopped = False

    def train(source: object = None, **options: object) -> Done:
        calls.update(options, source=source)
        return Done()

    monkeypatch.setattr(run_module, "train", train)
    return calls


def test_without_a_word_there_is_help(capsys: pytest.CaptureFixture) -> None:
    """`striate` alone lists the commands and ends with 0."""
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert all(re.search(rf"^ +{name} ", shown, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("words", [["--help"], ["-h"], *[[name, "--help"] for name in COMMANDS]])
def test_every_command_has_help(words: list[str], capsys: pytest.CaptureFixture) -> None:
    """--help ends with 0 and shows how the command is called; no default reads None."""
    with pytest.raises(SystemExit) as end:
        main(words)
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert "usage: striate" in shown
    assert "None" not in shown
    assert "SUPPRESS" not in shown


def test_the_version_is_told(capsys: pytest.CaptureFixture) -> None:
    """striate --version prints the package's version."""
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"striate \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_trains_flags_are_frozen() -> None:
    """Every flag that people know is still there, and a new one is written down here."""
    _, commands = cli._parsers()
    have = {flag for action in commands["train"]._actions for flag in action.option_strings}
    assert have == FLAGS


def test_help_is_in_groups(capsys: pytest.CaptureFixture) -> None:
    """train --help shows its options by what they are for."""
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    titles = re.findall(r"^(\w[^\n]*):$", shown, re.MULTILINE)
    for title in ("network", "pictures", "learning", "machine", "result"):
        assert title in titles


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian"], "received: trian. what to do: did you mean 'train'?"),
        (["sumary", "hela"], "did you mean 'summary'?"),
        (
            ["frobnicate"],
            "choose one of train, check, evaluate, compare, predict, serve, export, convert, open, look, summary",
        ),
        (["train", "--epoch", "3"], "received: --epoch. what to do: did you mean '--epochs'?"),
        (["train", "--batchsize", "3"], "did you mean '--batch-size'?"),
        (["train", "d", "--learning_rate=3"], "striate train knows its options. received: --learning_rate=3"),
        (["train", "d", "--pretrained", "x"], "received: --pretrained. what to do: see striate train --help"),
        (["train", "d", "--dropout", "0.2"], "received: --dropout. what to do: see striate train --help"),
        (["train", "d", "--time", "3"], "received: --time. what to do: see striate train --help"),
        (
            ["train", "epoch=3"],
            "knows its options. received: epoch=3. what to do: did you mean '--epochs'?",
        ),
        (
            ["train", "data=d", "lr0=1"],
            "knows its options. received: lr0=1. what to do: did you mean '--lr'?",
        ),
        (["check", "data=d", "conf=1"], "striate check knows its options. received: conf=1"),
        (["evaluate", "model=nowhere", "data=d"], "a model is a run folder or a model file. received: nowhere"),
        (["evaluate", "data=d", "model=nowhere"], "a model is a run folder or a model file. received: nowhere"),
        (["evaluate", "--data", "d", "--model", "nowhere"], "a run folder or a model file. received: nowhere"),
        (["evaluate", "nowhere", "d", "--out", "x.xlsx"], "answers as FILE.csv. received: x.xlsx"),
        (["summary", "network=hella"], "did you mean 'hela'?"),
        (["train", "a", "b"], "received: b"),
        (["train", "my", "two", "classes"], "received: two classes. what to do: put a path with blanks in quotes"),
        (["help"], "did you mean '--help'?"),
        (["train", "--network", "resnet"], "choose one of resnet18, resnet34, resnet50, resnet101, resnet152."),
        (["train", "d", "--label", "x"], "choose one of --labels, --label-column, --label-regex"),
        (["train", "--optimizer", "sdg"], "did you mean 'sgd'?"),
        (["train", "--balance", "weight"], "did you mean 'weights'?"),
        (["train", "--precision", "bf61"], "did you mean 'bf16'?"),
        (["train", "--network", "hella"], "did you mean 'hela'?"),
        (["train", "--epochs", "many"], "a whole number"),
        (["train", "--epochs", "2.5"], "a whole number"),
        (["train", "--lr", "quick"], "a number"),
        (["train", "--epochs"], "expected one argument"),
        (["train", "--epochs", "0"], "epochs lies between 1 and"),
        (["train", "--epochs", "3", "--minutes", "1"], "in minutes or in epochs, not both"),
        (["train", "--img-size", "huge"], "a picture size is 64, or 66x200"),
        (["train", "x", "--data", "y"], "pictures come from one place. received: x and y"),
        (["predict"], "arguments are required: MODEL, SOURCE"),
        (
            ["predict", "nowhere", "x.png"],
            "a model is a run folder or a model file. received: nowhere, which is not there",
        ),
        (
            ["evaluate", "nowhere"],
            "scores are those of a run folder. received: nowhere, which is not there. what to do: give a folder such",
        ),
        (["compare", "runs/a", "runs/b"], "scores are those of a run folder. received: runs/a"),
        (["summary", "hella"], "did you mean 'hela'?"),
        (["summary", "konv 3, relu"], "did you mean 'conv'?"),
        (["summary", "runs/nope"], "a model is a run folder or a model file. received: runs/nope"),
        (["summary", "nope.safetensors"], "a model is a run folder or a model file. received: nope.safetensors"),
        (["filter", "nowhere.png"], "the picture must be readable"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_name(
    words: list[str], told: str, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands, options, choices and values: one line that helps, exit code 2, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    if words[0] == "train" and "--network" in words:
        words = [*words, str(draw_folder(tmp_path / "d", {"a": 3, "b": 3})), "--out", str(tmp_path / "runs"), "-q"]
    assert main(words) == 2
    assert told in said(capsys)
    left = {path.name for path in tmp_path.iterdir()} - {"d"}
    assert left <= {"runs"}
    assert [path for path in (tmp_path / "runs").glob("*") if path.name != ".store"] == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"source": None}),
        (["pictures"], {"source": "pictures"}),
        (["--data", "pictures"], {"source": "pictures"}),
        (["data=pictures"], {"source": "pictures"}),
        (["source=pictures", "model=hela", "project=x"], {"source": "pictures", "network": "hela", "out": "x"}),
        (["d", "--model", "hela", "--project", "x"], {"network": "hela", "out": "x"}),
        (["d", "--epochs", "3", "-b", "16", "-j", "0"], {"epochs": 3, "batch_size": 16, "workers": 0}),
        (["d", "epochs=3", "batch=16", "workers=0"], {"epochs": 3, "batch_size": 16, "workers": 0}),
        (["d", "img_size=66x200", "weight-decay=0.1"], {"img_size": "66x200", "weight_decay": 0.1}),
        (["d", "imgsz=64", "lr=1e-3"], {"img_size": "64", "lr": 0.001}),
        (["d", "--test", "25%", "val=10%"], {"test": 0.25, "val": 0.1}),
        (["d", "--network=conv 4 3 stride=2, flatten, dense classes"],
         {"network": "conv 4 3 stride=2, flatten, dense classes"}),
        (["d", "network=conv 4 3 stride=2"], {"network": "conv 4 3 stride=2"}),
        (["d", "--minutes", "3", "-q"], {"minutes": 3.0, "quiet": True}),
        (["resume=runs/x"], {"resume": "runs/x"}),
        (["d", "--group", "(.*)=(.*)"], {"group": "(.*)=(.*)"}),
        (["d", "name=a=b"], {"name": "a=b"}),
    ],
)  # fmt: skip
def test_words_become_settings(words: list[str], expected: dict, asked: dict) -> None:
    """--name value, --name=value and name=value mean the same; what is not given is not passed on."""
    assert main(["train", *words]) == 0
    assert {name: asked[name] for name in expected} == expected
    extra = {"source", "quiet", "resume", "started", "watch"}
    assert set(asked) <= set(expected) | extra
    Settings(**{name: value for name, value in asked.items() if name not in extra})


def test_a_folder_with_an_equals_sign_is_a_folder(asked: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is really called name=x is not taken for an option."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "name=x").mkdir()
    assert main(["train", "name=x"]) == 0
    assert asked["source"] == "name=x"
    assert "name" not in asked


@pytest.mark.parametrize("words", [["d"], ["data=d"], ["--data", "d"], ["--data=d"], ["source=d"]])
def test_what_is_told_by_its_place_may_be_named(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of `check` as that of `train` is; a pattern that has an equals sign stays one."""
    seen = []
    monkeypatch.setattr(commands, "check", lambda options: seen.append((options.source, options.group)) or 0)
    assert main(["check", *words, "--group", "(.*)=(.*)"]) == 0
    assert seen == [("d", "(.*)=(.*)")]


def test_exit_codes(asked: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """130 for a stopped training and for Ctrl-C before it; 0 for a reader that went away."""
    real = run_module.train
    monkeypatch.setattr(run_module, "train", lambda *a, **k: type("Run", (), {"stopped": True}))
    assert main(["train"]) == 130

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "train", interrupted)
    assert main(["train"]) == 130
    assert said(capsys) == "striate: stopped"
    monkeypatch.setattr(run_module, "train", real)
    assert main(["train"]) == 0


def light(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"], ["trian"], ["train", "--epoch"]])
def test_help_and_slips_load_nothing_heavy(words: list[str]) -> None:
    """Neither torch nor NumPy nor matplotlib nor Pillow is imported, and few modules at all.

    Counted in modules instead of seconds, since a busy machine is slow without our doing; of Python's own
    about 60 are loaded before a program begins.
    """
    done = light(
        f"import sys; before = set(sys.modules)\nfrom striate.cli import main\ntry: main({words!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'PIL', 'scipy', 'sklearn', 'safetensors'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "new = set(sys.modules) - before\nassert len(new) < 150, (len(new), sorted(new))\n"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("work", ["x = torch.ones(300, 300)\n while True: (x @ x).clone()", "time.sleep(0)"])
def test_the_process_ends_soundly_whatever_still_runs(work: str) -> None:
    """Threads that are in torch, or none: what was said comes out, what is to be tidied is, a second Ctrl-C changes
    nothing, and the exit code is the command's, where torch's threads had aborted the interpreter's end."""
    imports = "torch, " if "torch" in work else ""
    done = light(
        f"import atexit, os, signal, sys, threading, time, {imports}striate.cli as cli\n"
        f"def work():\n {work}\n"
        "def busy(options):\n"
        " for _ in range(2): threading.Thread(target=work, daemon=True).start()\n"
        " time.sleep(0.2); print('said'); raise KeyboardInterrupt\n"
        "atexit.register(lambda: (os.kill(os.getpid(), signal.SIGINT), time.sleep(0.1), print('tidied')))\n"
        "cli.commands.open_, sys.argv = busy, ['striate', 'open', 'x']\n"
        "sys.exit(cli.main())"
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "said\ntidied\n", "striate: stopped\n")


def opening(work: str) -> str:
    """A program that runs `striate open x`, which does this."""
    return (
        f"import os, signal, sys, time, striate.cli as cli\ndef busy(options):\n {work}\n return 0\n"
        "cli.commands.open_, sys.argv = busy, ['striate', 'open', 'x']\nsys.exit(cli.main())"
    )


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs the signals of a POSIX system")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_being_told_to_end_is_ctrl_c_in_every_command(name: str) -> None:
    """What a command tidies or keeps after Ctrl-C it does then, too, at any moment; under nohup a terminal may go."""
    work = (
        f"os.kill(os.getpid(), signal.{name})\n for _ in range(100): time.sleep(0.01)\n"
        " os.write(1, b'went on') if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else None"
    )
    done = light(opening(work))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "striate: stopped\n")
    done = light("import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + opening(work))
    assert (done.returncode, done.stdout) == ((0, "went on") if name == "SIGHUP" else (130, ""))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("work", ["print('x')", "print('x' * 99_000)", "print('x'); raise cli.StriateError('so')"])
def test_a_full_disk_behind_standard_output_is_told(work: str) -> None:
    """In one message and with exit code 2, whether it is noticed at once or at the end."""
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", opening(work)]
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=buffered)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr == "striate: so.\n" if "Error" in work else "No space left on device" in done.stderr


def test_memory_that_runs_out_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """In one message, which says how much was asked for and what needs less: of numpy, and of torch, whose error is of
    no kind of its own. Other errors of that kind are no matter of memory."""

    def swell(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 9.9 GiB")

    monkeypatch.setattr(run_module, "train", swell)
    assert main(["train"]) == 2
    assert "memory. received: Unable to allocate 9.9 GiB. what to do: a smaller --batch-size" in said(capsys)
    monkeypatch.setattr(run_module, "train", lambda *_, **__: torch.empty(1 << 60))
    assert main(["train"]) == 2
    assert re.search(r"you tried to allocate 4611686018427387904 bytes.* what to do: a smaller --batch", said(capsys))
    monkeypatch.setattr(run_module, "train", lambda *_, **__: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        main(["train"])


def test_what_a_night_has_answered_is_kept(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C or being told to end writes what there is under --out, and exits with 130; without an answer nothing."""
    data, run = folders
    each, table = Model.predict_each, tmp_path / "t.csv"
    words = ["predict", str(run), str(data), f"out={table}"]
    assert main(words) == 0
    whole = table.read_text(encoding="utf-8").splitlines()
    for count in (0, 7):

        def stopped(*given: object, count: int = count) -> Iterator:
            yield from islice(each(*given), count)
            raise KeyboardInterrupt

        table.unlink(missing_ok=True)
        capsys.readouterr()
        monkeypatch.setattr(Model, "predict_each", stopped)
        assert main(words) == 130
        err = capsys.readouterr().err
        assert "striate: stopped" in err
        assert table.exists() == (count > 0)
    assert f"7 pictures in {table}" in err
    assert table.read_text(encoding="utf-8").splitlines() == whole[:8]


def test_what_was_answered_is_kept_when_a_picture_cannot_be_drawn(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that went after it was read is told, and the others go on; a full disk ends it with what there is."""
    data, drawn, table = shutil.copytree(folders[0], tmp_path / "data"), tmp_path / "drawn", tmp_path / "t.csv"
    each, words = Model.predict_each, ["predict", str(folders[1]), str(data), f"draw={drawn}", f"out={table}"]

    def going(*given: object) -> Iterator:
        for number, one in enumerate(each(*given)):
            if number == 3:
                one.source.unlink()
            yield one

    monkeypatch.setattr(Model, "predict_each", going)
    assert main(words) == 0
    told = capsys.readouterr().err
    assert re.search(r"^Mind      .*03.png is not drawn: no such file$", told, re.MULTILINE)
    assert "24 pictures in" in told
    assert (len(files.read_csv(table)), len(list(drawn.iterdir()))) == (24, 23)
    monkeypatch.setattr(Model, "predict_each", each)

    def full(_: Model, folder: Path, one: Prediction) -> None:
        if Path(one.path).name == "02.png":
            raise files.cannot_write(folder, OSError(28, "No space left on device"))

    monkeypatch.setattr(Model, "draw_into", full)
    assert main(words) == 2
    told = capsys.readouterr().err
    assert f"3 answers so far in {table}" in told
    assert "No space left on device" in told
    assert len(files.read_csv(table)) == 3


def test_every_reason_is_written_beside_the_answers(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Of more than are shown, too; and none is written where nothing was left out."""
    good = folders[0] / "a" / "00.png"
    for number in range(8):
        (tmp_path / f"{number}.png").write_bytes(good.read_bytes()[: 0 if number % 2 else 40])
    words = ["predict", str(folders[1]), str(good), *map(str, sorted(tmp_path.glob("*.png")))]
    assert main([*words, "--out", str(tmp_path / "t.csv")]) == 0
    listed = tmp_path / "t-left-out.csv"
    assert f"and 3 more; all are in {listed}" in capsys.readouterr().err
    rows = files.read_csv(listed)
    assert [row["path"] for row in rows] == words[3:]
    assert len({row["reason"] for row in rows} - {""}) == 2
    assert main([*words[:3], "--out", str(tmp_path / "u.csv")]) == 0
    assert not list(tmp_path.glob("u-*"))


def test_summary_shows_names_lines_and_models(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalogue name at its own size, a line at a size of one's own, with the totals worked out elsewhere."""
    (tmp_path / "hela").mkdir()  # pictures, of which the name is no less a network's
    monkeypatch.chdir(tmp_path)
    assert main(["summary", "hela"]) == 0
    assert "9,868,586 parameters" in capsys.readouterr().out
    line = "conv 4 3 padding=valid, flatten, dense classes"
    assert main(["summary", line, "--img-size", "6x8", "--channels", "3", "--classes", "5"]) == 0
    shown = capsys.readouterr().out
    assert "4×4×6" in shown
    assert f"{4 * 27 + 4 + 96 * 5 + 5:,} parameters" in shown
    assert main(["summary", line, "--img-size", "2"]) == 2
    long = ", ".join([line.split(",")[0].replace("valid", "same")] * 12 + ["globalavgpool", "dense classes"])
    assert len(long) > 255
    assert main(["summary", long]) == 0
    assert main(["train", "nowhere", f"network={long}"]) == 2


def test_filter_writes_the_map_beside_the_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The values of the map are SciPy's; files lie in --out, and the picture stays as it was."""
    from scipy.signal import correlate2d

    monkeypatch.chdir(tmp_path)
    values = picture(0, 0, side=12)
    Image.fromarray(values).save(tmp_path / "p.png")
    before = (tmp_path / "p.png").read_bytes()
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    assert main(["filter", "p.png", "--kernel", "0 1 0; 1 -4 1; 0 1 0", "--out", "maps"]) == 0
    shown = capsys.readouterr().out
    expected = correlate2d(values.astype(float), kernel, mode="valid")
    assert "12×12 to 10×10" in shown
    low, high = re.search(r"values from (\S+) to (\S+)", shown).groups()
    assert (float(low), float(high)) == (expected.min(), expected.max())
    assert {path.name for path in (tmp_path / "maps").iterdir()} >= {"p-kernel.png", "p-kernel-side-by-side.png"}
    assert (tmp_path / "p.png").read_bytes() == before
    assert main(["filter", "p.png", "stride=2", "padding=same", "out=maps"]) == 0
    assert "12×12 to 6×6" in capsys.readouterr().out


def test_filter_says_sizes_as_its_picture_does(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Height before width, as beside the picture; and of a stack that its first page alone is filtered."""
    pages = [Image.fromarray(np.full((12, 20), value, np.uint8)) for value in (5, 9, 7)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    assert main(["filter", str(tmp_path / "p.tif"), "--kernel", "1 0\n0 1\n0 0", "--out", str(tmp_path / "maps")]) == 0
    shown = capsys.readouterr()
    assert "12×20 to 10×19 (height × width)" in shown.out
    assert "values from 10 to 10" in shown.out
    assert "has 3 pages, of which the first is filtered" in shown.err


def test_filter_takes_the_page_and_the_channels_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A kernel of one 1 gives the very numbers of that page or channel; how many channels is not which."""
    pages = [Image.fromarray(np.full((6, 8), value, np.uint8)) for value in (5, 9, 7)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    np.save(tmp_path / "two.npy", np.stack([np.full((6, 8), 0.25), np.full((6, 8), 0.75)], axis=2).astype(np.float32))
    words = ["--kernel", "1", "--out", str(tmp_path / "maps")]
    for file, choice, value in (("p.tif", "page=1", "9"), ("two.npy", "channels=1,", "0.75")):
        assert main(["filter", str(tmp_path / file), choice, *words]) == 0
        shown = capsys.readouterr()
        assert f"values from {value} to {value}" in shown.out
        assert shown.err == ""
    for choice, told in (
        ([], "drop the other channels, as --channels 0, does"),
        (["channels=1"], "put a comma behind"),
    ):
        assert main(["filter", str(tmp_path / "two.npy"), *choice, *words]) == 2
        assert told in said(capsys)
    assert main(["filter", str(tmp_path / "p.tif"), "--page", "3", *words]) == 2


def test_filter_writes_over_nothing(tmp_path: Path) -> None:
    """Neither a picture that is called as a map would be, nor the map of another kernel of that name."""
    for name in ("p.png", "p-edge.png"):
        Image.fromarray(picture(0, 0)).save(tmp_path / name)
    own, out = (tmp_path / "p-edge.png").read_bytes(), str(tmp_path)
    for kernel in ("edge", "gabor size=5", "gabor size=5 orientation=90"):
        assert main(["filter", str(tmp_path / "p.png"), "--kernel", kernel, "--out", out]) == 0
    assert (tmp_path / "p-edge.png").read_bytes() == own
    tifs = {path.name: path.read_bytes() for path in tmp_path.glob("*.tif")}
    assert set(tifs) == {"p-edge-2.tif", "p-gabor.tif", "p-gabor-2.tif"}
    assert tifs["p-gabor.tif"] != tifs["p-gabor-2.tif"]


@pytest.mark.parametrize("words", [["kernel=egde"], ["kernel=1 2; 3"], ["stride=0"], ["padding=wrong"], ["padding=²"]])
def test_a_wrong_filter_is_told(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Kernels, strides and paddings that are none: one line, exit code 2, no file."""
    Image.fromarray(picture(0, 0)).save(tmp_path / "p.png")
    assert main(["filter", str(tmp_path / "p.png"), "--out", str(tmp_path / "maps"), *words]) == 2
    assert said(capsys)
    assert not (tmp_path / "maps").exists()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of pictures and a run trained on it, by the command line alone."""
    root = tmp_path_factory.mktemp("cli")
    data = draw_folder(root / "data", {"a": 12, "b": 12})
    words = ["train", str(data), "--network", TINY, "epochs=3", "-b", "8", "--out", str(root), "name=r", "-q"]
    assert main(words) == 0
    return data, root / "r"


def test_look_writes_over_nothing(folders: tuple[Path, Path], tmp_path: Path) -> None:
    """Two channels of one layer leave a sheet and a table each."""
    for channel in ("1", "2"):
        words = ["--layer", "0", "--channel", channel, "--at", "4,5", "--out", str(tmp_path)]
        assert main(["look", str(folders[1]), str(folders[0] / "a" / "00.png"), *words]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"00-conv1{n}.{end}" for n in ("-2", "") for end in ("png", "txt")
    ]
    assert (tmp_path / "00-conv1.txt").read_text() != (tmp_path / "00-conv1-2.txt").read_text()


def test_predict_prints_and_writes(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A line per picture on the terminal, or a table with every class's probability; unreadable ones are listed."""
    data, run = folders
    assert main(["predict", str(run), str(data / "a")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    path, name, share = lines[0].split("\t")
    assert path == str(data / "a" / "00.png")
    assert name in {"a", "b"}
    assert re.fullmatch(r"\d+\.\d %", share)
    (tmp_path / "bad.png").write_bytes(b"x")
    table = tmp_path / "t.csv"
    assert main(["predict", str(run), str(data / "b" / "01.png"), str(tmp_path / "bad.png"), f"out={table}"]) == 0
    told = capsys.readouterr().err
    assert "bad.png" in told
    assert told.startswith(f"1 picture in {table}\n")
    assert main(["predict", str(run), str(tmp_path / "bad.png")]) == 2
    assert capsys.readouterr().err.endswith("received: 0 of 1.\n")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "predicted", "confidence", "p_a", "p_b"]
    assert float(rows[0]["p_a"]) + float(rows[0]["p_b"]) == pytest.approx(1, abs=2e-6)
    assert rows[0]["confidence"] == max(rows[0]["p_a"], rows[0]["p_b"])
    assert [rows[1][name] for name in ("predicted", "confidence", "p_a", "p_b")] == [""] * 4


def test_predict_refuses_a_name_before_it_begins(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for thousands of answers that are then thrown away because of the ending of --out."""
    data, run = folders
    monkeypatch.setattr("striate.export.model.Model.predict_each", lambda *_: pytest.fail("pictures were looked at"))
    assert main(["predict", str(run), str(data), "--out", str(tmp_path / "x.xlsx")]) == 2
    assert f"written as FILE.csv. received: {tmp_path / 'x.xlsx'}. where: --out" in capsys.readouterr().err


def test_predict_says_what_it_passes_over(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """In a folder a picture is what its content makes one, as for train; the other files are counted in one line."""
    draw_folder(tmp_path, {"new": 2})
    new = (tmp_path / "new" / "00.png").rename(tmp_path / "new" / "scan")
    for name, content in {"a.pdf": b"%PDF-1.4", "b.docx": b"PK\3\4", "c.txt": b"words", "d.csv": b"a,b"}.items():
        (tmp_path / "new" / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").write_bytes(b"")
    sources = [str(tmp_path / "new"), str(tmp_path / "empty")]
    assert main(["predict", str(folders[1]), *sources]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == [str(tmp_path / "new" / "01.png"), str(new)]
    (line,) = (line for line in err.splitlines() if line.startswith("passed over"))
    assert "5 others" in line
    for words in ("a.pdf (format PDF is not supported", "c.txt (text, not a picture)", "and 2 more"):
        assert words in line
    for file in (new, tmp_path / "new" / "01.png"):
        file.unlink()
    assert main(["predict", str(folders[1]), str(tmp_path / "new")]) == 2
    assert "predict needs pictures. received: 4 others: " in said(capsys)
    draw_folder(tmp_path, {"one": 1})
    assert main(["predict", str(folders[1]), str(tmp_path / "one"), sources[1]]) == 0
    assert f"passed over 1 other: {sources[1]} (an empty folder)" in capsys.readouterr().err
    (tmp_path / "one" / "gone.png").symlink_to("nowhere")
    (tmp_path / "one" / "folder.png").mkdir()
    assert main(["predict", str(folders[1]), str(tmp_path / "one" / "*.png")]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    assert f"passed over 1 other: {tmp_path / 'one' / 'folder.png'} (a folder)" in err
    assert f"{tmp_path / 'one' / 'gone.png'}: " in err
    assert main(["predict", str(folders[1]), str(tmp_path / "one" / "00.png"), "--tiles", "0"]) == 2
    assert "received: 0. where: --tiles" in said(capsys)


def test_predict_says_what_an_address_is(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """An address in place of a path is left out and called what it is; the pictures beside it are answered."""
    draw_folder(tmp_path, {"one": 1})
    address = (tmp_path / "one" / "00.png").as_uri()
    assert main(["predict", str(folders[1]), address, "https://host/a.png", str(tmp_path / "one")]) == 0
    err = capsys.readouterr().err
    assert f"{address}: a file:// address, where a plain path is wanted" in err
    assert "https://host/a.png: a web address, and nothing is downloaded" in err


def test_predict_of_nothing_readable(folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Only unreadable pictures, of which five are named and the others counted, or an empty folder: exit code 2."""
    bad = [tmp_path / f"bad{number}.png" for number in range(7)]
    for path in bad:
        path.write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    assert main(["predict", str(folders[1]), *map(str, bad)]) == 2
    told = capsys.readouterr().err
    assert "at least one readable picture" in told
    assert "bad4.png" in told
    assert "bad5.png" not in told
    assert "and 2 more" in told
    assert main(["predict", str(folders[1]), str(tmp_path / "empty")]) == 2
    assert "predict needs pictures" in said(capsys)


def test_evaluate_scores_a_folder_or_repeats_the_run(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """With a folder the model is scored on it, as JSON too; without one the run's own scores are shown."""
    data, run = folders
    assert main(["evaluate", str(run), str(data), "-j", "0", "--out", str(tmp_path / "s.json")]) == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["n"] == 24
    assert capsys.readouterr().out
    assert main(["evaluate", str(run)]) == 0
    own = json.loads((run / "scores.json").read_text())
    assert f"{100 * own['test']['accuracy']['value']:.1f}" in capsys.readouterr().out
    assert main(["evaluate", str(run), str(data), "--part", "tset"]) == 2


def test_evaluate_writes_what_is_said_of_each_picture(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A line for each with the truth, as `predict` answers it; what was left out is listed beside it, and the counts of
    the printed matrix are those of the table."""
    data, run = draw_folder(tmp_path / "new", {"a": 3, "b": 4, "c": 7}), str(folders[1])
    table, plain = tmp_path / "t.csv", tmp_path / "p.csv"
    assert main(["evaluate", run, str(data), "--out", str(table)]) == 0
    shown = capsys.readouterr()
    assert f"and 2 more; all are in {tmp_path / 't-left-out.csv'}" in shown.err
    assert len(files.read_csv(tmp_path / "t-left-out.csv")) == 7
    rows = files.read_csv(table)
    assert list(rows[0]) == list(files.read_csv(folders[1] / "predictions.csv")[0])
    assert [row["truth"] for row in rows] == [row["path"].split("/")[0] for row in rows] == ["a"] * 3 + ["b"] * 4
    assert main(["predict", run, str(data / "a"), str(data / "b"), "--out", str(plain)]) == 0
    said_alone = [(row["predicted"], row["p_a"], row["p_b"]) for row in files.read_csv(plain)]
    assert [(row["predicted"], row["p_a"], row["p_b"]) for row in rows] == said_alone
    counts = [[sum((r["truth"], r["predicted"]) == (t, p) for r in rows) for p in "ab"] for t in "ab"]
    lines = [line.split() for line in shown.out.partition("all, true below")[2].splitlines()[:3]]
    assert lines == [["a", "b"], *([name, *map(str, row)] for name, row in zip("ab", counts, strict=True))]
    assert not list(tmp_path.glob("*.json"))
    capsys.readouterr()
    assert main(["evaluate", run, "--out", str(table)]) == 2
    assert "a run's predictions.csv has its own" in said(capsys)


def test_evaluate_without_a_folder_heeds_its_options_or_refuses_them(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """--part shows and writes that part of the run's own scores; what needs pictures is refused without them."""
    run, file = str(folders[1]), tmp_path / "s.json"
    assert main(["evaluate", run, "--part", "train", "--out", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "train:" in shown
    assert "test:" not in shown
    assert json.loads(file.read_text()) == json.loads((folders[1] / "scores.json").read_text())["train"]
    assert main(["evaluate", run, "--part", "tset"]) == 2
    assert "tset" in said(capsys)
    assert main(["evaluate", run, "--label-column", "label", "--labels", "t.csv"]) == 2
    assert "received: --labels, --label-column" in said(capsys)
    assert main(["evaluate", f"{run}/model.safetensors"]) == 2
    assert "striate evaluate MODEL FOLDER" in said(capsys)


def test_a_run_without_scores_is_told_from_what_is_none(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """One in training or cut short says how to go on; a slip is answered with the runs that lie beside it."""
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "settings.toml").write_text("")
    cut = str(tmp_path / "cut")
    for words in (["evaluate", cut], ["compare", str(folders[1]), cut], ["predict", cut, "x.png"], ["summary", cut]):
        assert main(words) == 2
        assert f"a run has a model and scores once it has ended. received: {cut}" in (told := said(capsys))
        assert f"striate train --resume {cut}" in told
    (folders[1].parent / "empty").mkdir(exist_ok=True)
    for words in (
        ["evaluate", "slip"],
        ["evaluate", ""],
        ["predict", "slip", "x"],
        ["predict", "", "x"],
        ["predict", "empty", "x"],
    ):
        assert main([words[0], str(folders[1].parent / words[1]), *words[2:]]) == 2
        assert f"give a run: {folders[1]}" in said(capsys)


def test_predictions_are_not_made_for_a_place_that_takes_none(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where a folder is needed is told before a picture is looked at; nothing is made where all is well."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(Model, "predict_each", lambda *_: pytest.fail("predicted"))
    assert main(["predict", str(folders[1]), str(folders[0]), "--out", str(tmp_path / "file" / "x.csv")]) == 2
    assert "a file could not be written. received: Not a directory" in said(capsys)
    files.require_place(tmp_path / "new" / "deep")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_columns_that_mirroring_negates_need_numbers(
    folders: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Class folders have no column whose sign could be turned round: refused, not passed over."""
    assert main(["train", str(folders[0]), "--mirror-negates", "steering", "--out", str(tmp_path)]) == 2
    assert "--mirror-negates names columns of numbers" in said(capsys)


def test_summary_of_a_run(folders: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    """A run folder's own network, with the number of its classes."""
    assert main(["summary", str(folders[1])]) == 0
    assert capsys.readouterr().out.startswith("conv 4 3, relu, globalavgpool, dense 2\n")
