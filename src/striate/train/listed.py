"""data.csv: every file that was found, what became of it, and why."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from striate import files
from striate.data.sample import LeftOut, Sample, text_of


def set_aside(samples: Sequence[Sample], why: Mapping[int, str]) -> list[LeftOut]:
    """The samples that are not used though they can be read; why: their rows among the samples, and the reason."""
    return [samples[row].left_out(reason) for row, reason in sorted(why.items())]


def write_listed(
    folder: Path, used: Iterable[tuple[Sample, str]], left_out: Iterable[LeftOut], mended: Iterable[LeftOut]
) -> None:
    """Writes data.csv: every file, its class, part and group, and why if it was left out. used: with their part."""
    rows = [(item.path, text_of(item.target), part, item.group or "", "used", "") for item, part in used]
    rows += [(item.path, item.label, item.part, "", "left out", item.reason) for item in left_out]
    rows += [(item.path, item.label, item.part, "", "mended", item.reason) for item in mended]
    files.write_csv(folder / "data.csv", ("path", "label", "part", "group", "status", "reason"), rows)
