"""Quick networks: they learn, repeat bit for bit, touch nothing of torch's, and find planted wrong labels."""

from pathlib import Path

import drawn
import numpy as np
import pytest
import torch

from striate.data.measure import measure
from striate.data.prepare import Preparation, Shape
from striate.train.dataset import Division, read_dataset
from striate.train.probe import Lesson, fold_of, quick_logits, quick_network
from striate.train.settings import Settings
from striate.train.suspects import suspects, with_doubts

CLASSES = ("upright", "level", "corner")


def drawn_set(count: int, side: int = 8, channels: int = 1) -> tuple[np.ndarray, np.ndarray, Preparation]:
    """(N, H, W, C) pictures of three classes in turn, their class numbers, and their preparation."""
    targets = np.arange(count) % 3
    pictures = np.stack([drawn.picture(target, row, side, channels) for row, target in enumerate(targets)])
    return with_preparation(pictures.reshape(count, side, side, channels), targets)


def with_preparation(pictures: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, Preparation]:
    height, width, channels = pictures.shape[1:]
    shape = Shape(height=height, width=width, channels=channels)
    return pictures, targets, measure(pictures, np.arange(len(pictures)), shape)


def labelled(
    pictures: np.ndarray, targets: np.ndarray, preparation: Preparation, classes: tuple[str, ...] = CLASSES
) -> Lesson:
    """No two of the pictures belong together."""
    return Lesson(pictures, targets, classes, preparation, torch.device("cpu"), np.arange(len(pictures)))


def test_it_learns_the_same_again_and_leaves_torch_alone() -> None:
    """Held-out pictures are told apart; same seed, same bits; another seed, others; torch's randomness is untouched."""
    pictures, targets, preparation = drawn_set(90)
    rows, asked = np.arange(60), np.arange(60, 90)
    before, threads = torch.get_rng_state(), torch.get_num_threads()

    def answers(seed: int) -> np.ndarray:
        known = labelled(pictures, targets, preparation)
        network = quick_network(known, rows, operations=5e9, seed=seed)
        assert not network.training
        return quick_logits(network, known, asked)

    first = answers(0)
    assert (first.argmax(axis=1) == targets[asked]).mean() > 0.9
    assert (first == answers(0)).all()
    assert (first != answers(1)).any()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("shape", [(2, 2, 1), (9, 100, 3), (40, 30, 2), (8, 8, 5)])
def test_pictures_of_any_form(shape: tuple[int, int, int]) -> None:
    """Tiny, long, large and many-channelled pictures all give one row of finite numbers each."""
    random = np.random.default_rng(0)
    pictures, targets, preparation = with_preparation(
        random.integers(0, 256, (12, *shape), dtype=np.uint8), np.arange(12) % 2
    )
    rows = np.arange(12)
    known = labelled(pictures, targets, preparation, ("a", "b"))
    logits = quick_logits(quick_network(known, rows, operations=1e8, seed=0), known, rows)
    assert logits.shape == (12, 2)
    assert np.isfinite(logits).all()


def test_folds_keep_kin_together_and_classes_even() -> None:
    """No kin in two folds; each class spread within one unit; the same again from the same seed."""
    targets, kin = np.repeat([0, 1], 40), np.arange(80) // 2
    fold = fold_of(targets, kin, 4, seed=3)
    assert all(len(set(fold[kin == number])) == 1 for number in set(kin))
    assert all(8 <= np.sum(fold[targets == kind] == number) <= 12 for kind in (0, 1) for number in range(4))
    assert (fold == fold_of(targets, kin, 4, seed=3)).all()


def test_planted_wrong_labels_are_found() -> None:
    """5 % wrong labels among 300 drawn pictures: at least 70 % of the first 5 % are those, and few others."""
    pictures, targets, preparation = drawn_set(300)
    random = np.random.default_rng(0)
    wrong = random.choice(300, 15, replace=False)
    labels = targets.copy()
    labels[wrong] = (labels[wrong] + random.integers(1, 3, 15)) % 3
    found = suspects(labelled(pictures, labels, preparation), operations=2e10)
    assert np.isin(found.rows[:15], wrong).mean() >= 0.7
    assert (found.suggested == targets[found.rows])[:10].all()
    assert found.share == pytest.approx(0.05, abs=0.02)


def test_what_only_more_pixels_show_is_looked_at_closer() -> None:
    """Fine stripes this way or that, gone at half the pixels: of five wrong labels among 100 four are named first."""
    random = np.random.default_rng(1)
    targets = np.arange(100) % 2
    fade = np.hanning(48)
    waves = np.tile([-60.0, 60.0], (48, 24)) * fade * fade[:, None]  # one pixel wide
    stripes = 125 + np.stack([waves if kind else waves.T for kind in targets]) + random.normal(0, 12, (100, 48, 48))
    pictures = np.clip(stripes, 0, 255).astype(np.uint8)[..., None]
    wrong, labels = random.choice(100, 5, replace=False), targets.copy()
    labels[wrong] = 1 - labels[wrong]
    _, _, preparation = with_preparation(pictures, targets)
    found = suspects(labelled(pictures, labels, preparation, ("level", "upright")), operations=1e10)
    assert np.isin(found.rows[:5], wrong).sum() >= 4
    assert found.agreed > 0.85


def test_too_few_pictures_are_not_judged() -> None:
    """Under twenty pictures say nothing of labels."""
    assert suspects(labelled(*drawn_set(12))).pictures == 0


def test_doubts_of_a_run_are_written_once_per_picture(tmp_path: Path) -> None:
    """Two models' answers to one picture count as their mean; suspects.csv names it and what it looks like."""
    pictures, targets, _ = drawn_set(60)
    labels = [CLASSES[target] for target in targets]
    data = read_dataset((pictures[..., 0], labels), Settings(out=str(tmp_path)), lambda event: None, Division())
    truth = data.task.encode(data.targets).numpy()
    rows = np.r_[data.rows("test"), data.rows("test")[:1]]
    chances = np.full((len(rows), 3), 0.05)
    chances[np.arange(len(rows)), truth[rows]] = 0.9
    other = (truth[rows[0]] + 1) % 3
    for answer, own in ((0, 0.45), (-1, 0.05)):  # the first picture: 0.25 in the mean, and 0.7 for another class
        chances[answer] = 0.05
        chances[answer, [truth[rows[0]], other]] = own, 0.95 - own
    told = with_doubts(tmp_path, data, [(rows[:-1], chances[:-1]), (rows[-1:], chances[-1:])])
    (row,) = drawn.read_table(tmp_path / "suspects.csv")
    assert (row["path"], row["part"]) == (data.names[rows[0]], "test")
    assert (row["label"], row["suggested"]) == (data.targets[rows[0]], data.task.classes[other])
    assert told.check.findings[-1].kind == "label_suspects"
    few = with_doubts(tmp_path, data, [(rows[:2], chances[:2])])  # too few of every class to judge one label
    assert few.check.findings == data.check.findings
