"""WFDB recordings written by hand, from the description of their format: physical units, class folders."""

import sys
from pathlib import Path

import numpy as np
import pytest
from drawn_series import series

from striate.data.records import is_records
from striate.data.sources import read_source
from striate.errors import StriateError


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


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without wfdb says what to install; folders of other things are not asked."""
    write_record(tmp_path / "a", "r", np.zeros((5, 1)))
    assert is_records(tmp_path)
    assert not is_records(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "wfdb", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StriateError, match=r"pip install 'striate\[wfdb\]'"):
        read_source(tmp_path)
