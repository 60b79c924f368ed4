"""Boxes become heat-maps and come back; they follow their pictures; the loss is least where the answer is right."""

import math

import numpy as np
import pytest
import torch
from drawn_training import Largest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.augment import chance
from striate.augment.geometry import matrices, move
from striate.augment.recipe import parse
from striate.data.prepare import Shape
from striate.data.sample import Boxes
from striate.tasks import centres
from striate.tasks.centres import EMPTY, IGNORED, SIZE
from striate.tasks.detection import Detection


def encoded(*rows: tuple[float, ...], places: int = 6, size: tuple[int, int] = (100, 100)) -> torch.Tensor:
    """(1, 1 + places, 5) from rows of kind, x0, y0, x1, y1; size: height and width."""
    made = torch.full((1, 1 + places, 5), 0.0)
    made[:, :, 0] = EMPTY
    made[0, 0, :3] = torch.tensor([SIZE, size[1], size[0]])
    made[0, 1 : 1 + len(rows)] = torch.tensor(rows).reshape(-1, 5)
    return made


def right_maps(boxes: torch.Tensor, kinds: int, height: int, width: int, reach: tuple[float, float]) -> torch.Tensor:
    """The maps of a network that has learned one picture by heart."""
    maps = torch.full((1, kinds + 4, height, width), -9.0)
    for kind, x0, y0, x1, y1 in boxes[0][boxes[0, :, 0] >= 0].tolist():
        x, y = int((x0 + x1) / 2 * width), int((y0 + y1) / 2 * height)
        maps[0, int(kind), y, x] = 12
        sides = ((x + 0.5) / width - x0, (y + 0.5) / height - y0, x1 - (x + 0.5) / width, y1 - (y + 0.5) / height)
        maps[0, kinds:, y, x] = torch.tensor([math.log(side / reach[axis % 2]) for axis, side in enumerate(sides)])
    return maps


def test_what_was_learned_by_heart_is_read_back() -> None:
    """Peaks give kinds and corners again, surest first, also of boxes of two kinds at one place."""
    boxes = encoded((0, 0.1, 0.1, 0.3, 0.4), (1, 0.5, 0.5, 0.9, 0.8), (0, 0.55, 0.5, 0.9, 0.85))
    maps = right_maps(boxes, 2, 24, 32, (0.1, 0.15))
    ((kinds, found, sure),) = centres.peaks(maps, (0.1, 0.15))
    assert sorted(kinds.tolist()) == [0, 0, 1]
    assert (sure > 0.99).all()
    for kind, *corners in boxes[0, 1:4].tolist():
        gaps = (found[kinds == kind] - torch.tensor(corners)).abs().amax(dim=1)
        assert gaps.min() < 1e-5


def test_overlapping_answers_of_one_kind_are_one_object() -> None:
    """Greedy: the surest stays, those that overlap it by more than the limit go, another kind stays."""
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [8, 0, 18, 10], [0, 0, 10, 10]]).float()
    assert centres.suppressed(torch.tensor([0, 0, 0, 1]), boxes).tolist() == [0, 2, 3]


def test_as_many_objects_are_found_as_the_training_part_has() -> None:
    """A picture with a grid of 400 objects, by heart: all are told by a detector that was fitted to it, 300 by one that
    saw fewer."""
    y, x = np.divmod(np.arange(400), 20)
    corners = np.stack([x, y, x + 1, y + 1], axis=1) * 5.0
    full = Boxes(names=("dot",) * 400, corners=corners, size=(100, 100))
    few = Boxes(names=("dot",), corners=corners[:1], size=(100, 100))
    for target, told in ((full, 400), (few, 300)):
        task = Detection(("dot",)).fitted([target])
        there = task.encode([full], np.array([[100, 100]]), Shape(height=80, width=80, channels=1))
        (answer,) = task.decode(right_maps(there, 1, 80, 80, task.reach), np.array([[100, 100]]))
        assert (answer.confidence > 0.9).sum() == told


def scattered(count: int, kinds: int = 3) -> torch.Tensor:
    """(count, 5) boxes of several kinds, many of which overlap."""
    random = np.random.default_rng(count)
    low = random.random((count, 2)) * 0.8
    high = low + random.uniform(0.05, 0.2, (count, 2))
    return torch.from_numpy(np.concatenate([random.integers(0, kinds, (count, 1)), low, high], axis=1)).float()


def test_the_surest_of_many_boxes_stay() -> None:
    """One after the other, as in plain Python; and of the 1.4 million pairs of 1,200 boxes few at a time."""
    boxes = scattered(400, 1)
    kept: list[int] = []
    for number, box in enumerate(boxes[:, 1:].double().numpy()):
        others = boxes[kept, 1:].double().numpy().reshape(-1, 4)
        sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
        both = np.clip(sides, 0, None).prod(axis=1)
        either = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - both
        if not (both > centres.SAME * either).any():
            kept.append(number)
    assert centres.suppressed(boxes[:, 0], boxes[:, 1:]).tolist() == kept
    assert 200 < len(kept) < 400
    many = scattered(1200)
    with Largest() as seen:
        centres.suppressed(many[:, 0], many[:, 1:])
    assert seen.most < 6e6


def test_many_boxes_teach_as_few_at_a_time() -> None:
    """Cell by cell: the highest bell of every class, and the smallest of the boxes whose bell is high enough; bells of
    2,000 boxes, 131 MB, are not all laid out."""
    boxes = scattered(2000)
    with Largest() as seen:
        heat, cells, owner, _ = centres._taught(boxes, torch.Size((3, 128, 128)))
    assert seen.most < 40e6
    down, across = (side.numpy() for side in centres.bells(boxes[:, 1:], 128, 128))
    area, kinds = (boxes[:, 3:] - boxes[:, 1:3]).prod(dim=1).numpy(), boxes[:, 0].numpy()
    learned = dict(zip(zip(*(axis.tolist() for axis in cells), strict=True), owner.tolist(), strict=True))
    for y, x in np.random.default_rng(0).integers(0, 128, (200, 2)).tolist():
        bell = down[:, y] * across[:, x]
        assert heat[:, y, x].tolist() == [bell[kinds == kind].max() for kind in range(3)]
        near = np.flatnonzero(bell >= centres.MIDDLE)
        assert learned.get((y, x)) == (near[np.argmin(area[near])] if len(near) else None)


def test_giou_by_hand() -> None:
    """Equal boxes 1; half over half 1/3 - 0; apart by a gap as wide as they are: -1/3; never below -1."""
    one = torch.tensor([[0.0, 0, 2, 2]] * 4)
    two = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [4, 0, 6, 2], [2e6, 2e6, 2e6 + 2, 2e6 + 2]])
    assert centres.giou(one, two).tolist() == pytest.approx([1, 1 / 3, -1 / 3, -1], abs=1e-5)


def test_loss_is_least_at_the_right_answer_and_sees_every_mistake() -> None:
    """Right maps cost next to nothing; a missed centre, a false one and a shifted side cost more."""
    boxes, reach = encoded((0, 0.1, 0.1, 0.3, 0.4), (1, 0.5, 0.5, 0.9, 0.8)), (0.1, 0.15)
    maps = right_maps(boxes, 2, 24, 32, reach)
    # Around each centre, cells that learn the box must give it too.
    down, across = centres.bells(boxes[0, 1:3, 1:], 24, 32)
    for y, x in (torch.einsum("my,mx->myx", down, across) >= centres.MIDDLE).any(dim=0).nonzero().tolist():
        kind = 0 if x < 16 else 1
        x0, y0, x1, y1 = boxes[0, 1 + kind, 1:].tolist()
        sides = ((x + 0.5) / 32 - x0, (y + 0.5) / 24 - y0, x1 - (x + 0.5) / 32, y1 - (y + 0.5) / 24)
        maps[0, 2:, y, x] = torch.tensor([math.log(side / reach[axis % 2]) for axis, side in enumerate(sides)])
    best = centres.centre_loss(maps, boxes, reach, None)
    assert 0 <= best < 0.01
    for channel, change in ((0, -12.0), (1, 12.0), (3, 0.5)):
        wrong = maps.clone()
        wrong[0, channel, 6, 6] += change  # the centre of the first box
        assert centres.centre_loss(wrong, boxes, reach, None) > best + 0.02
    wrong = maps.clone()
    wrong[0, 0, 20, 4] = 12  # a centre where nothing is
    assert centres.centre_loss(wrong, boxes, reach, None) > best + 0.5
    ignored = encoded((0, 0.1, 0.1, 0.3, 0.4), (1, 0.5, 0.5, 0.9, 0.8), (IGNORED, 0.05, 0.7, 0.25, 1))
    assert centres.centre_loss(wrong, ignored, reach, None) == pytest.approx(float(best), abs=1e-4)


def test_an_object_in_an_ignored_box_is_taught() -> None:
    """Of the logits under its bell's middle the gradient is what it is without the ignored box, of all others nothing;
    a crowd around an object had muted it. At a height of 0.3 a bell of deviation s is sqrt(-2 ln 0.3) s wide."""
    box, reach, gradients = (0, 0.3, 0.2, 0.7, 0.5), (0.2, 0.15), []
    for rows in ((box,), (box, (IGNORED, 0, 0, 1, 1))):
        maps = torch.zeros(1, 6, 40, 40, requires_grad=True)
        centres.centre_loss(maps, encoded(*rows), reach, None).backward()
        gradients.append(maps.grad[0])
    y, x = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    across, down = 0.09 * 0.4 * 40, 0.09 * 0.3 * 40  # deviations in cells
    middle = ((x - 20) / across) ** 2 + ((y - 14) / down) ** 2 <= -2 * math.log(0.3)
    assert middle.sum() > 9
    assert torch.equal(gradients[1][0], gradients[0][0] * middle)
    assert gradients[1][0, 14, 20] < 0
    assert not gradients[1][1].any()
    assert torch.equal(gradients[1][2:], gradients[0][2:])


def test_a_picture_without_objects_has_a_finite_loss_with_a_gradient() -> None:
    """Nothing there is something to learn too."""
    maps = torch.zeros(2, 6, 8, 8, requires_grad=True)
    loss = centres.centre_loss(maps, encoded().repeat(2, 1, 1), (0.1, 0.1), None)
    loss.backward()
    assert loss > 0
    assert (maps.grad[:, :2] > 0).all()


RECIPES = (
    "hflip, fill nearest", "vflip, fill nearest", "dihedral, fill nearest", "shift 0.3, fill nearest",
    "zoom 0.4, fill nearest", "rotate 40, fill nearest", "shear 20, fill nearest",
    "rotate 20, zoom 0.3, shift 0.2, dihedral, shear 10, fill nearest",
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(RECIPES), st.integers(0, 99), st.integers(0, 7), st.data())
def test_box_and_pixels_move_alike(line: str, seed: int, epoch: int, draws: st.DataObject) -> None:
    """After any crop, flip, rotation and zoom a box still bounds the bright patch that it was drawn around."""
    height, width = draws.draw(st.sampled_from([(96, 128), (100, 100), (128, 88)]))
    x0, y0 = draws.draw(st.integers(20, width - 50)), draws.draw(st.integers(20, height - 50))
    wide, high = draws.draw(st.integers(14, 24)), draws.draw(st.integers(14, 24))
    picture = torch.zeros(1, 1, height, width)
    picture[0, 0, y0 : y0 + high, x0 : x0 + wide] = 1.0
    recipe, ids = parse(line.replace("nearest", "constant")), torch.tensor([3])
    sources = matrices(recipe, chance.uniforms(seed, epoch, ids), height, width)
    seen = move(picture, sources, recipe)[0, 0].numpy()
    row = (1, x0 / width, y0 / height, (x0 + wide) / width, (y0 + high) / height)
    kind, *edges = centres.moved(encoded(row, size=(height, width)), sources)[0, 1].tolist()
    left, top, right, bottom = np.array(edges) * [width, height, width, height]
    rows, columns = np.nonzero(seen >= 0.5)
    if kind == EMPTY or not len(rows):
        assert seen.sum() < 0.2 * wide * high * 2
        return
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    exact = "rotate" not in line and "shear" not in line
    gaps = np.array([columns.min() - left, rows.min() - top, right - columns.max() - 1, bottom - rows.max() - 1])
    assert (gaps > -1.01).all()  # no bright pixel outside
    if exact:
        assert (gaps < 1.01).all()
    if "zoom" not in line and exact:
        assert np.abs(gaps).max() < 1e-4


def test_boxes_at_the_edge_are_cut_ignored_or_gone() -> None:
    """Half left: cut. A quarter left: ignored. Nothing left: gone. Ignored ones stay so, empty rows stay empty."""
    boxes = encoded(
        (0, 0, 0, 0.2, 0.2), (1, 0.1, 0.5, 0.3, 0.7), (IGNORED, 0.5, 0.5, 0.7, 0.7), (2, 0.05, 0.5, 0.25, 1)
    )
    sources = torch.tensor([[[1.0, 0, 15], [0, 1, 0]]], dtype=torch.float64)  # 15 pixels to the left
    after = centres.moved(boxes, sources)[0, 1:]
    assert after[:, 0].tolist() == [IGNORED, 1, IGNORED, 2, EMPTY, EMPTY]
    assert after[1, 1:].tolist() == pytest.approx([0, 0.5, 0.15, 0.7])
    sources[0, 0, 2] = 19
    assert centres.moved(boxes, sources)[0, 1:, 0].tolist() == [EMPTY, 1, IGNORED, IGNORED, EMPTY, EMPTY]


def test_mirrored_maps_turned_back_are_those_of_the_picture() -> None:
    """What a mirrored picture is answered becomes the answer of the picture: kinds, and left and right exchanged."""
    boxes, reach = encoded((0, 0.1, 0.1, 0.3, 0.4), (1, 0.5, 0.5, 0.9, 0.8)), (0.1, 0.15)
    other = encoded((0, 0.7, 0.1, 0.9, 0.4), (1, 0.1, 0.5, 0.5, 0.8))
    ((kinds, found, _),) = centres.peaks(centres.mirrored_back(right_maps(other, 2, 24, 32, reach)), reach)
    order = kinds.argsort()
    assert torch.allclose(found[order], boxes[0, 1:3, 1:], atol=1e-5)


def test_found_counts_the_objects_that_their_own_cell_finds() -> None:
    """All on right maps, half when one is of the wrong class or size, none where something is seen on nothing."""
    boxes, reach = encoded((0, 0.1, 0.1, 0.3, 0.4), (1, 0.5, 0.5, 0.9, 0.8)), (0.1, 0.15)
    maps = right_maps(boxes, 2, 24, 32, reach)
    assert centres.found_shares(maps, boxes, reach) == 1
    assert centres.found_shares(maps.repeat(3, 1, 1, 1), boxes.repeat(3, 1, 1), reach) == 3
    wrong = maps.clone()
    wrong[0, 1, 6, 6] = 20
    assert centres.found_shares(wrong, boxes, reach) == 0.5
    wrong = maps.clone()
    wrong[0, 2:, 6, 6] += 0.7
    assert centres.found_shares(wrong, boxes, reach) == 0.5
    assert centres.found_shares(maps, encoded(), reach) == 0
    assert centres.found_shares(maps - 30, encoded(), reach) == 1
