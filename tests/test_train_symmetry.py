"""Symmetries: those that keep the labels true are found by evidence, others never; asked for, they are had."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import TINY
from drawn_training import facts
from PIL import Image
from sklearn.datasets import load_digits
from test_train_probe import labelled, with_preparation

import striate
import striate.train.symmetry as symmetry_module
from striate.augment.recipe import parse
from striate.data.prepare import Preparation, Shape
from striate.errors import StriateError
from striate.train.plan import Plan, auto_recipe, make_plan, usual_symmetry
from striate.train.settings import Settings
from striate.train.suspects import suspects
from striate.train.symmetry import _loss, choose_symmetry

SIDE, ENOUGH = 12, 8e9


def drawn_set(kind: str, channels: int, count: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures of two classes: "slant" / or \\; "roof" ^ or v; "dots" one or three, anywhere; "noise" alike."""
    random = np.random.default_rng([count, channels])
    y, x = np.mgrid[:SIDE, :SIDE]
    pictures, targets = [], np.arange(count) % 2
    for target in targets:
        sign, (down, right) = 1 - 2 * target, random.integers(-2, 3, 2)
        if kind == "slant":
            bright = (x + sign * y + random.integers(6)) % 6 < 3
        elif kind == "roof":
            bright = np.abs(sign * (y - SIDE / 2 - down) - np.abs(x - SIDE / 2 - right) + 2) < 1.5
        elif kind == "dots":
            bright = np.zeros((SIDE, SIDE), bool)
            bright.flat[random.choice(SIDE * SIDE, 4 + 20 * target, replace=False)] = True
        else:
            bright = random.random((SIDE, SIDE)) < 0.5
        tint = random.uniform(0.5, 1, channels)
        pictures.append(
            np.clip(150 * bright[:, :, None] * tint + random.normal(50, 20, (SIDE, SIDE, channels)), 0, 255)
        )
    return np.array(pictures).astype(np.uint8), targets


def chosen(
    pictures: np.ndarray, targets: np.ndarray, classes: tuple[str, ...] = ("one", "two"), operations: float = ENOUGH
) -> tuple[str, str]:
    known = labelled(*with_preparation(pictures, targets), classes)
    return choose_symmetry(known, np.arange(len(pictures)), operations=operations, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("kind", "expected"), [("slant", "none"), ("roof", "mirror"), ("dots", "dihedral")])
def test_drawn_sets_get_the_symmetry_they_have(kind: str, channels: int, expected: str) -> None:
    """Classes that are each other's mirror images are never mirrored, in colour or grey; what has no up is turned."""
    symmetry, why = chosen(*drawn_set(kind, channels))
    assert symmetry == expected
    assert why.startswith("mirrored pictures keep ")


@pytest.mark.parametrize("coloured", [False, True])
def test_digits_are_never_mirrored(coloured: bool) -> None:
    """Handwritten digits in grey and in random colours; the names of their classes do not give them away."""
    digits = load_digits()
    pictures = (digits.images[:700, :, :, None] * 15).astype(np.float64)
    if coloured:
        random = np.random.default_rng(0)
        ink, paper = random.uniform(0.5, 1, (700, 1, 1, 3)), random.uniform(0, 100, (700, 1, 1, 3))
        pictures = pictures * ink / 2 + paper
    names = tuple(f"digit {number}" for number in range(10))
    symmetry, why = chosen(pictures.astype(np.uint8), digits.target[:700], names)
    assert symmetry == "none"
    assert "as usual" not in why


@pytest.mark.parametrize(
    ("channels", "classes", "expected"),
    [(3, ("cat", "dog"), "mirror"), (1, ("cat", "dog"), "none"), (3, ("b", "d"), "none"), (3, ("1", "7"), "none")],
)
def test_without_evidence_it_is_as_usual(channels: int, classes: tuple[str, ...], expected: str) -> None:
    """Nothing to learn, too little arithmetic or too few pictures: mirrored is colour, but no letters or digits."""
    pictures, targets = drawn_set("noise", channels)
    cases = [
        (chosen(pictures, targets, classes), "learned too little"),
        (chosen(pictures, targets, classes, operations=1e8), "too short"),
        (chosen(pictures[:10], targets[:10], classes), "too few"),
    ]
    for (symmetry, why), reason in cases:
        assert symmetry == expected
        assert why.startswith("as usual")
        assert reason in why


def test_the_choice_is_repeated() -> None:
    """Same pictures and seed, same choice to the last digit of its reason."""
    first, second = (chosen(*drawn_set("roof", 1), operations=3e9) for _ in range(2))
    assert first == second


def test_a_class_that_is_destroyed_is_not_hidden_by_the_others() -> None:
    """One of ten classes loses all, nine lose nothing: a tenth on average, and yet unsafe."""
    kinds = np.repeat(np.arange(10), 20)
    gain = np.ones(200) + np.tile([-0.1, 0.1], 100)
    left = np.where(kinds == 7, -gain, gain)
    loss = _loss(gain, left, kinds)
    assert loss.share == pytest.approx(0.2)
    assert (loss.worst, loss.lost, loss.kept) == (7, True, False)
    assert loss.class_kept == pytest.approx(-1.0)
    unharmed = _loss(gain, gain, kinds)
    assert (unharmed.share, unharmed.lost, unharmed.kept) == (0.0, False, True)


def test_asked_for_it_is_had() -> None:
    """--symmetry decides, also for grey pictures; a recipe holds its own, so both together are refused."""
    plan = make_plan(Settings(symmetry="dihedral"), facts(channels=1))
    assert parse(plan.recipe).dihedral
    assert plan.mirror
    assert plan.symmetry == "dihedral: asked for"
    none = make_plan(Settings(symmetry="none"), facts(channels=3))
    assert "hflip" not in none.recipe
    assert not none.mirror
    assert make_plan(Settings(augment="hflip"), facts(channels=1)).symmetry == ""
    with pytest.raises(StriateError, match="a recipe says itself which symmetries it has"):
        Settings(symmetry="mirror", augment="photo")


def test_a_plan_keeps_its_reason() -> None:
    """What was decided and why is stored with the plan; plans from before have none."""
    plan = make_plan(Settings(), facts(channels=3)).with_symmetry("none", "because")
    table = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    assert Plan.from_table(table).symmetry == "none: because"
    del table["symmetry"]
    assert Plan.from_table(table).symmetry == ""


def test_usual_recipes() -> None:
    """Colour is mirrored for want of evidence, grey is not; the rest of the recipe stays."""
    assert auto_recipe(3, usual_symmetry(3)[0]) == parse("photo")
    assert auto_recipe(1, usual_symmetry(1)[0]) == parse("digits")
    assert auto_recipe(3, "dihedral") == parse("shift 0.125, dihedral, fill reflect")


@pytest.mark.usefixtures("quick")
def test_the_trial_is_kept_beside_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second start asks no network; other pictures in the training part do, and so does another seed."""
    pictures, targets = drawn_set("dots", 1)
    for number, (picture, target) in enumerate(zip(pictures, targets, strict=True)):
        path = tmp_path / "set" / ("one", "two")[target] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[:, :, 0]).save(path)
    asked = []
    monkeypatch.setattr(
        symmetry_module, "choose_symmetry", lambda *given, **named: asked.append(1) or ("dihedral", "so")
    )
    for seed, times in ((0, 1), (0, 1), (1, 2), (0, 2)):
        options = {"network": TINY, "epochs": 1, "workers": 0, "quiet": True}
        run = striate.train(tmp_path / "set", out=tmp_path / "runs", seed=seed, **options)
        assert len(asked) == times
        assert 'symmetry = "dihedral: so"' in (run.folder / "settings.toml").read_text()


def test_numbers_of_both_signs_are_not_mirrored_without_evidence() -> None:
    """Noise tells nothing; a steering angle may turn round in the mirror, an amount does not."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (60, SIDE, SIDE, 3)).astype(np.uint8)
    figures = {"low": (0.0,) * 3, "high": (255.0,) * 3, "mean": (0.5,) * 3, "std": (0.3,) * 3}
    preparation = Preparation(shape=Shape(height=SIDE, width=SIDE, channels=3), **figures)
    for least, expected in ((-1.0, "none"), (0.0, "mirror")):
        numbers = random.uniform(least, 1, (60, 1))
        symmetry, why = choose_symmetry(labelled(pictures, numbers, preparation, ("angle",)), np.arange(60))
        assert symmetry == expected
        assert "too little to tell" in why


def test_a_label_that_mirroring_destroys_is_not_hidden_by_the_others() -> None:
    """A bright stripe on top is there in the mirror, squares on the left and right are exchanged; without them pictures
    are mirrored, and a label that nothing tells is no evidence."""
    random = np.random.default_rng(0)
    marks = random.random((240, 4)) < (0.5, 0.35, 0.35, 0.3)
    pictures = random.normal(60, 10, (240, SIDE, SIDE, 1))
    for (top, left, right, _), picture in zip(marks, pictures, strict=True):
        picture[1:4] += 80 * top
        picture[6:11, 1:5] += 90 * left
        picture[6:11, 8:11] += 90 * right
    pictures, names = np.clip(pictures, 0, 255).astype(np.uint8), ("top", "left", "right", "luck")
    assert chosen(pictures, marks, names)[0] == "none"
    assert chosen(pictures, marks[:, [0, 3]], ("top", "luck"))[0] == "mirror"


def test_pictures_that_all_belong_together_get_the_usual_symmetry() -> None:
    """Nothing can be held out of a single group, so nothing is asked, of symmetries or of doubtful labels."""
    pictures, targets = drawn_set("dots", 3)
    alone = replace(labelled(*with_preparation(pictures, targets), ("one", "two")), kin=np.zeros(len(pictures), int))
    symmetry, why = choose_symmetry(alone, np.arange(len(pictures)), operations=ENOUGH)
    assert symmetry == "mirror"
    assert "belong together" in why
    assert not suspects(alone).pictures
    two = replace(alone, kin=np.arange(len(pictures)) % 2)
    assert suspects(two, operations=1e9).pictures


def test_one_picture_teaches_nothing() -> None:
    """Tiny pictures of which all but one belong together: no network is taught by the one that is left."""
    pictures = np.random.default_rng(0).integers(0, 255, (24, 4, 4, 1), dtype=np.uint8)
    known = labelled(*with_preparation(pictures, np.arange(24) % 2), ("one", "two"))
    symmetry, why = choose_symmetry(replace(known, kin=np.arange(24) // 23), np.arange(24), operations=4e9)
    assert (symmetry, "belong together" in why) == ("none", True)
