"""Names that say what belongs together: found where the pictures bear them out, silent for counters and chance."""

import re
from pathlib import Path

import numpy as np
import pytest
from drawn_traps import CLASSES, draw, glance, kinds, one
from sklearn.datasets import load_digits

import striate
from striate.check import shortcut
from striate.check.series import evidence
from striate.data.facts import FACTS


def lit(every: int):
    """Each run of `every` pictures of a class comes under a light of its own."""

    def change(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
        random = np.random.default_rng([number // every, CLASSES.index(kind)])
        return np.clip(0.4 * picture + random.uniform(0, 150, 3), 0, 255).astype(np.uint8)

    return change


def patient(kind: str, number: int) -> str:
    number //= len(CLASSES)
    return f"{kind}/p{CLASSES.index(kind)}{number // 5:02}_{number % 5:03}.png"


def slide(kind: str, number: int) -> str:
    number //= len(CLASSES)
    return f"{kind}/slide{CLASSES.index(kind)}{number // 5:02}-x{number % 2}_y{number % 5}_t{number:03}.png"


def subfolder(kind: str, number: int) -> str:
    number //= len(CLASSES)
    return f"{kind}/mouse{CLASSES.index(kind)}{number // 5}/{number % 5}.png"


def days(kind: str, number: int) -> str:
    """Five pictures of a mouse, taken on two days and kept in a folder for each."""
    number //= len(CLASSES)
    return f"{kind}/M{CLASSES.index(kind)}{number // 5}/day{number % 2}/{number % 5}.png"


def well(kind: str, number: int) -> str:
    """As plate readers name files: place, field, wavelength, and letters at random."""
    count = number // len(CLASSES) // 5 + 8 * CLASSES.index(kind)
    return f"{kind}/exp_{'ABCDEFGH'[count % 8]}{count // 8 + 1}_s{number % 5}_w1{number * 2654435761 % 2**32:08X}.png"


def renamed(kind: str, number: int) -> str:
    """A third of the names have a word more."""
    path = patient(kind, number)
    return path.replace(".png", "_new.png") if number // len(CLASSES) % 3 == 0 else path


def hashed(kind: str, number: int) -> str:
    """Ids of letters and digits, so that no two names are built alike letter by letter."""
    number //= len(CLASSES)
    return f"{kind}/{_hex(number // 5 + 8 * CLASSES.index(kind))}_{number % 5}.png"


def behind(kind: str, number: int) -> str:
    """The patient behind an id of every picture's own."""
    return f"{kind}/{_hex(1000 + number)}_p{number // len(CLASSES) // 5 + 8 * CLASSES.index(kind):02}.png"


def _hex(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}"


def film(kind: str, number: int) -> str:
    return f"{kind}/frame_{number // len(CLASSES) * 2 + 1000 * CLASSES.index(kind):06}.png"


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        *((name, 24) for name in (patient, slide, subfolder, days, well, renamed, hashed, behind)),
        (film, None),
    ],
)
def test_a_series_that_looks_like_one_is_a_problem(tmp_path: Path, name: object, groups: int | None) -> None:
    """The option that is suggested gives the very groups, and train accepts it."""
    folder = draw(tmp_path / "set", name=name, change=lit(5))
    found = one(glance(folder, tmp_path / "store"), "series")
    assert found.level == "problem"
    assert found.figures["share"] > 2 * found.figures["chance"]
    assert found.figures["option"] in found.change
    option = re.fullmatch(r"--group '?(.*?)'?", found.figures["option"]).group(1)
    grouped = glance(folder, tmp_path / "store", group=option)
    assert "series" not in kinds(grouped)
    if groups is not None:
        assert found.figures["groups"] == groups
        assert all(len(group) == 5 for group in found.groups)


@pytest.mark.parametrize(
    "name",
    [
        "{}/img_{:04}.png".format, "{}/case_{:04}.png".format, "{}/Slide {}.png".format,
        "{}/{}.png".format, "{0}/{0}.{1}.png".format,
        lambda kind, number: f"{kind}/{number * 2654435761 % 2**32:08x}.png",
        lambda kind, number: f"{kind}/_{number % 30}_{number * 7919 % 9973}.png",
        lambda kind, number: f"{kind}/IMG_20240{1 + number % 9}{10 + number % 17}_{number % 24:02}1530_{number}.png",
    ],
)  # fmt: skip
def test_counters_and_chance_are_silent(tmp_path: Path, name: object) -> None:
    """Numbers, whatever word goes before, the class with a number, hashes, two numbers and dates say nothing when the
    pictures do not."""
    assert "series" not in kinds(glance(draw(tmp_path / "set", name=name), tmp_path / "store"))


def test_a_name_that_says_patient_is_a_caution(tmp_path: Path) -> None:
    """Without evidence in the pictures a plain word, or tiles counted anew in each group, is told all the same."""
    named = draw(tmp_path / "named", name=lambda kind, n: f"{kind}/patient{n % 17}-{n}.png")
    assert one(glance(named, tmp_path / "store"), "series").level == "caution"
    twelve = draw(tmp_path / "twelve", 42, name=lambda kind, n: f"{kind}/patient_{n // 12}_{n % 12:02}.png")
    found = one(glance(twelve, tmp_path / "store"), "series")
    assert found.figures["option"] == r"--group '(patient_\d+)_\d+\.\w+$'"  # and not tens of the last number
    slides = "{}/patient_{}_slide{}_{}.png".format
    slides = draw(tmp_path / "slides", 20, name=lambda kind, n: slides(kind, n // 9, n // 3 % 3, n % 9))
    found = one(glance(slides, tmp_path / "store"), "series")
    assert found.figures["option"] == r"--group '(patient_\d+)_slide\d+_\d+\.\w+$'"  # slide 1 is everybody's
    counted = draw(tmp_path / "counted", name=patient)
    assert one(glance(counted, tmp_path / "store"), "series").level == "caution"


def test_groups_in_several_parts_and_classes_are_told(tmp_path: Path) -> None:
    """Patients of which the given parts share some are counted."""

    def name(kind: str, number: int) -> str:
        number //= len(CLASSES)
        return f"{'test' if number % 5 == 4 else 'train'}/{kind}/p{number // 5}_{number % 5}.png"

    found = one(glance(draw(tmp_path / "set", name=name, change=lit(5)), tmp_path / "store"), "series")
    assert found.figures["across_parts"] == 8
    assert found.figures["across_classes"] == 8
    assert "more than one of the given parts: 8" in found.what


def test_a_patient_whose_names_hold_the_class_stays_whole(tmp_path: Path) -> None:
    """bar_3_1 and disc_3_2 are of patient 3: the light shows it across classes, and the class does not part it."""

    def change(kind: str, number: int, picture: np.ndarray) -> np.ndarray:
        return np.clip(0.3 * picture + np.random.default_rng(number // 5).uniform(0, 170, 3), 0, 255).astype(np.uint8)

    folder = draw(tmp_path / "set", name=lambda kind, n: f"{kind}/{kind}_{n // 15}_{n % 15}.png", change=change)
    found = one(glance(folder, tmp_path / "store"), "series")
    assert (found.figures["groups"], found.figures["across_classes"]) == (8, 8)


def test_patients_are_found_whatever_labels_their_pictures_have(tmp_path: Path) -> None:
    """Nearly every picture has a set of labels of its own: sets are no classes, within which to look for patients."""
    draw(tmp_path / "set", name=lambda kind, number: f"{number // 5:08}_{number % 5:03}.png", change=lit(2))
    random, lines = np.random.default_rng(0), ["path,labels"]
    for number in range(120):
        chosen = np.flatnonzero(random.random(12) < 0.4)
        lines.append(f"{number // 5:08}_{number % 5:03}.png,{';'.join(f'l{label}' for label in chosen)}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(lines))
    found = one(glance(tmp_path / "set" / "labels.csv", tmp_path / "store"), "series")
    assert found.level == "problem"
    assert found.figures["groups"] == 24
    assert found.figures["across_classes"] == 0


def test_evidence_is_what_permutations_say() -> None:
    """Groups at random stay below the bound in 40 draws; groups of one colour are far above it."""
    random = np.random.default_rng(1)
    facts = np.zeros(120, FACTS)
    facts["tint"], facts["thumb"] = (random.integers(0, 255, facts[name].shape) for name in ("tint", "thumb"))
    labels = np.arange(120) % 2
    assert not any(evidence(random.integers(0, 24, 120), labels, facts).holds for _ in range(40))
    groups = np.arange(120) // 5
    facts["tint"] = (facts["tint"] // 20 + groups[:, None, None, None] * 10).astype(np.uint8)
    assert evidence(groups, labels, facts).share > 0.9


def test_patients_are_seen_where_pictures_have_several_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly every picture has a set of labels of its own, so that all are held against each other; and trees, which
    tell classes apart, are not asked."""
    monkeypatch.setattr(shortcut, "half_of", None)
    draw(tmp_path / "set", name=patient, change=lit(5))
    paths = sorted(path.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set").rglob("*.png"))
    marks = np.random.default_rng(0).integers(0, 2, (len(paths), 7))
    lines = ["path," + ",".join(f"sign{k}" for k in range(7))]
    lines += [f"{path}," + ",".join(map(str, row)) for path, row in zip(paths, marks, strict=True)]
    table = tmp_path / "set" / "labels.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    found = one(glance(table, tmp_path / "store"), "series")
    assert (found.level, found.figures["across_classes"]) == ("problem", 0)
    assert "the most alike one is of the same group" in found.what


@pytest.mark.parametrize("words", [("benign", "malignant", "normal"), ("m1", "m2", "m3")])
def test_folders_of_classes_are_no_groups(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Where other things than the folders' names are learned, names that repeat these words say nothing of patients;
    numbered ones may."""

    def name(kind: str, number: int) -> str:
        return f"{words[number % 3]}/{words[number % 3]} ({number // 3}).png"

    draw(tmp_path / "set", 30, name=name)
    paths = sorted(path.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set").rglob("*.png"))
    lines = ["path,labels", *(f"{path},{'a;b' if place % 2 else 'b;c'}" for place, path in enumerate(paths))]
    table = tmp_path / "set" / "labels.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    assert ("series" in kinds(glance(table, tmp_path / "store"))) == (words[0] == "m1")


def test_rows_of_an_array_have_no_names(tmp_path: Path) -> None:
    """Digits that were written one after the other are alike, but who wrote them no figure of their numbers says."""
    digits = load_digits()
    pictures = digits.images[:600].astype(np.uint8), digits.target[:600]
    found = striate.check(pictures, quick=True, quiet=True, out=tmp_path)
    assert "series" not in {finding.kind for finding in found.findings}
