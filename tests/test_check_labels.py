"""Doubted labels: ranked by the odds against them, class by class, and told without alarm."""

from pathlib import Path

import numpy as np
import pytest
from drawn import read_table

from striate.check.labels import Suspects, label_finding, rank_labels, write_suspects

CLASSES = ("ant", "bee")
# Mean chance of their own label: ants (0.9 + 0.8 + 0.9 + 0.2) / 4 = 0.7, bees (0.8 + 0.9 + 0.4 + 0.7) / 4 = 0.7.
ANTS = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.2, 0.8]]
BEES = [[0.2, 0.8], [0.1, 0.9], [0.6, 0.4], [0.3, 0.7]]
CHANCES, LABELS = np.array(ANTS + BEES), np.array([0] * 4 + [1] * 4)


def simulated(count: int, kinds: int, sure: float, flipped: float, seed: int) -> tuple[np.ndarray, ...]:
    """Chances (N, K) that favour the true class, labels of which a share is wrong, and which are."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, kinds, count)
    logits = random.normal(size=(count, kinds))
    logits[np.arange(count), truth] += sure
    wrong = random.random(count) < flipped
    labels = np.where(wrong, (truth + random.integers(1, kinds, count)) % kinds, truth)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), labels, wrong


def test_a_small_set_by_hand() -> None:
    """Row 3 (0.8 against 0.2) is doubted most, then row 6 (0.6 against 0.4); no other label is.

    Only row 3 reaches the other class's threshold of 0.7. Of the ants that reach any threshold (rows 0 to 3) it is a
    quarter; bees reach theirs in rows 4, 5 and 7, none wrongly: (4 · 1/4 + 4 · 0) / 8 = 1/8.
    """
    found = rank_labels(CHANCES, LABELS)
    assert found.rows.tolist() == [3, 6]
    assert (found.labels.tolist(), found.suggested.tolist()) == ([0, 1], [1, 0])
    assert found.scores == pytest.approx([0.8, 0.6])
    assert (found.share, found.agreed, found.pictures, found.count) == (1 / 8, 6 / 8, 8, 1)


def test_a_class_that_is_seldom_believed_in_is_not_doubted_as_a_whole() -> None:
    """Every bee has 0.45 for bee and 0.55 for ant, as the network leans that way: none stands out."""
    chances = np.array([[0.9, 0.1]] * 6 + [[0.55, 0.45]] * 6)
    assert not len(rank_labels(chances, np.array([0] * 6 + [1] * 6)).rows)


@pytest.mark.parametrize(("kinds", "sure"), [(2, 5.0), (10, 6.0)])
def test_wrong_labels_come_first(kinds: int, sure: float) -> None:
    """5 % wrong labels: at least 70 % of the first 5 % are wrong, and their number is estimated within a third."""
    chances, labels, wrong = simulated(2000, kinds, sure, 0.05, seed=kinds)
    found = rank_labels(chances, labels)
    assert wrong[found.rows[:100]].mean() >= 0.7
    assert found.share == pytest.approx(wrong.mean(), rel=1 / 3)
    assert (np.diff(found.scores) <= 0).all()
    assert found.scores.min() > 0.5


def test_right_labels_are_said_to_look_right() -> None:
    """Without wrong labels and with a good network nothing is alarming."""
    chances, labels, _ = simulated(2000, 5, 8.0, 0.0, seed=1)
    found = rank_labels(chances, labels)
    finding = label_finding(found, [str(row) for row in range(2000)], "abcde")
    assert finding.level == "note"
    assert finding.what.startswith("Labels look right: ")
    assert finding.count == found.count <= 20


def test_a_network_that_is_often_wrong_says_so() -> None:
    """Doubts of a poor network are told to be mistaken often."""
    chances, labels, _ = simulated(500, 3, 1.0, 0.0, seed=2)
    found = rank_labels(chances, labels)
    assert found.agreed < 0.8
    names = [str(row) for row in range(500)]
    finding = label_finding(found, names, "abc")
    assert "many doubts are wrong" in finding.what
    assert "--folds 5" in finding.change
    assert "--folds" not in label_finding(found, names, "abc", "the network").change


def test_classes_of_very_few_pictures_are_left_out() -> None:
    """Three pictures say nothing of their class's threshold; the others are judged as before."""
    chances = np.vstack([np.c_[CHANCES, np.zeros(8)], [[0.9, 0.1, 0.0]] * 3])
    found = rank_labels(chances, np.r_[LABELS, [2, 2, 2]])
    assert (found.rows.tolist(), found.pictures) == ([3, 6], 8)
    nothing = rank_labels(np.zeros((0, 2)), np.zeros(0, int))
    assert (nothing.pictures, nothing.count, nothing.share) == (0, 0, 0.0)
    assert label_finding(nothing, [], CLASSES).count == 0


def test_what_is_told_and_written(tmp_path: Path) -> None:
    """The finding names the first ones with what they look like; the table has every doubt in order."""
    found: Suspects = rank_labels(CHANCES, LABELS)
    paths = [f"{CLASSES[label]}/{row}.png" for row, label in enumerate(LABELS)]
    finding = label_finding(found, paths, CLASSES)
    assert finding.groups == (("ant/3.png",),)
    assert "ant/3.png looks like bee" in finding.change
    assert finding.figures["suspects"] == [{"path": "ant/3.png", "label": "ant", "suggested": "bee", "score": 0.8}]
    write_suspects(tmp_path / "suspects.csv", found, paths, CLASSES, ["test"] * 8)
    assert read_table(tmp_path / "suspects.csv") == [
        {"path": "ant/3.png", "label": "ant", "suggested": "bee", "score": "0.8000", "part": "test"},
        {"path": "bee/6.png", "label": "bee", "suggested": "ant", "score": "0.6000", "part": "test"},
    ]
