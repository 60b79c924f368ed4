"""WFDB recordings written by hand, from the description of their format: physical units, class folders."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_series import series

from striate.data.prepare import Shape
from striate.data.records import is_records, read_records
from striate.data.sources import read_source
from striate.errors import StriateError
from striate.export.items import items


def write_record(folder: Path, name: str, values: np.ndarray, gain: int = 1000) -> None:
    """(L, C) as format 16: whole numbers of 16 bits, gain of them to a millivolt, channels side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{name} {values.shape[1]} 100 {len(values)}"]
    lines += [f"{name}.dat 16 {gain}/mV 16 0 0 0 0 lead{number}" for number in range(values.shape[1])]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")
    np.rint(values * gain).astype("<i2").tofile(folder / f"{name}.dat")


def test_recordings_in_class_folders(tmp_path: Path) -> None:
    """Two leads each, parts above the classes, a damaged one left out with its reason."""
    pytest.importorskip("wfdb")
    for part, count in (("train", 3), ("test", 2)):
        for label in ("fast", "slow"):
            for number in range(count):
                write_record(tmp_path / part / label, f"r{number}", series(label, number, channels=2))
    (tmp_path / "train" / "slow" / "r9.hea").write_text("r9 1 100 40\nmissing.dat 16 1000/mV 16 0 0 0 0 lead\n")
    found = read_source(tmp_path)
    assert (found.form, found.kind, found.classes) == ("series", "parts", ["fast", "slow"])
    assert [sample.path for sample in found.samples][:3] == ["test/fast/r0", "test/fast/r1", "test/slow/r0"]
    one = next(sample for sample in found.samples if sample.path == "train/slow/r2")
    assert (one.part, one.target) == ("train", "slow")
    np.testing.assert_allclose(one.source[0], series("slow", 2, channels=2), atol=6e-4)
    assert [item.path for item in found.left_out] == ["train/slow/r9"]
    assert found.left_out[0].reason.startswith("damaged WFDB: ")


def test_signals_are_told_apart_by_their_names(tmp_path: Path) -> None:
    """Signals in another order come into that of most recordings, or into a model's; one that lacks a signal, and what
    lies beside the class folders, is left out; other rates and units are told."""
    pytest.importorskip("wfdb")
    values = {name: series("fast", number)[:, 0] for number, name in enumerate(("I", "II", "V1"))}

    def write(name: str, order: tuple[str, ...], rate: int = 100, unit: str = "mV") -> None:
        write_record(
            tmp_path / name.rpartition("/")[0], name.rpartition("/")[2], np.stack([values[n] for n in order], 1)
        )
        head = tmp_path / f"{name}.hea"
        text = head.read_text().replace(" 100 ", f" {rate} ").replace("/mV", f"/{unit}")
        for number, signal in enumerate(order):
            text = text.replace(f"lead{number}\n", f"{signal}\n")
        head.write_text(text)

    for number in range(4):
        write(f"train/{'ab'[number % 2]}/r{number}", ("I", "II"))
    write("train/a/turned", ("II", "I"), rate=250)
    write("train/a/more", ("V1", "II", "I"))
    write("train/b/other", ("II", "V1"), unit="uV")
    write("train/loose", ("I", "II"))
    write("loose", ("I", "II"))
    found = read_source(tmp_path)
    assert [sample.path.rpartition("/")[2] for sample in found.samples] == ["more", "r0", "r2", "turned", "r1", "r3"]
    for sample in found.samples:
        np.testing.assert_allclose(sample.source[0], np.stack([values["I"], values["II"]], 1), atol=6e-4)
    assert {item.path: item.reason for item in found.left_out} == {
        "train/b/other": "signals II, V1 where I, II are wanted",
        "train/loose": "beside the class folders, so it has no class",
        "loose": "beside the class folders, so it has no class",
    }
    rates = "Recordings have different sampling rates, and are stretched to one length: 100 Hz (5); 250 Hz (1)."
    assert found.notes == (rates,)
    again = read_records(tmp_path, {**found.read, "signals": ["V1", "II"]})
    assert [sample.path for sample in again.samples] == ["train/a/more", "train/b/other"]
    np.testing.assert_allclose(again.samples[1].source[0], np.stack([values["V1"], values["II"]], 1), atol=6e-4)
    shape = Shape(height=1, width=40, channels=2, depth="float32", form="series")
    told = dict(items(str(tmp_path), shape, {"series": again.read}))  # predict tells what it cannot use
    assert {name for name, source in told.items() if isinstance(source, np.ndarray)} == {s.path for s in again.samples}
    assert told["train/b/r1"].reason == "signals I, II where V1, II are wanted"
    assert again.notes == ("Recordings have different units: mV, mV (1); uV, uV (1).",)


def test_signals_without_common_names_are_taken_by_place(tmp_path: Path) -> None:
    """Names that are missing, or that no two recordings share, say nothing of the order."""
    pytest.importorskip("wfdb")
    for number in range(4):
        write_record(tmp_path / "ab"[number % 2], f"r{number}", series("fast", number, channels=2))
        head = tmp_path / "ab"[number % 2] / f"r{number}.hea"
        head.write_text(re.sub(r" lead(\d)", rf" {number}\1" if number % 2 else "", head.read_text()))
    found = read_source(tmp_path)
    assert [sample.path for sample in found.samples] == ["a/r0", "a/r2", "b/r1", "b/r3"]
    np.testing.assert_allclose(found.samples[1].source[0], series("fast", 2, channels=2), atol=6e-4)
    assert [note.partition(": None, None (2); ")[0] for note in found.notes] == [
        "Recordings have different signals, and are taken by their place"
    ]


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without wfdb says what to install; folders of other things are not asked."""
    write_record(tmp_path / "a", "r", np.zeros((5, 1)))
    assert is_records(tmp_path)
    assert not is_records(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StriateError, match=r"pip install 'striate\[wfdb\]'"):
        read_source(tmp_path)
