"""Which symmetries keep the labels true, decided by what quick networks say of turned pictures.

A network that has never seen a mirror image learns what tells the classes apart. Asked about held-out pictures it
knows something of their true label; asked about their mirror images it still knows it where mirroring keeps the label
true, and knows it wrongly where the classes are each other's mirror images, as b and d are. Of numbers the same is
asked of a straight line on figures of texture (see texture.py).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist

import numpy as np
import torch
from scipy.special import softmax

from striate.augment.geometry import IDENTITY, MIRRORED, QUARTER_TURN, UPSIDE_DOWN
from striate.augment.recipe import parse
from striate.check.doctor import remembered
from striate.data.sample import evenly
from striate.network.build import build
from striate.network.summary import total_operations
from striate.train.dataset import Job
from striate.train.events import Note, Watch
from striate.train.plan import Plan, usual_symmetry
from striate.train.probe import Lesson, fold_of, quick_logits, quick_network
from striate.train.texture import Element, known_numbers, told_by_light, turned

OPERATIONS = 4e10  # of both networks together: about a second of one core
MOST_OPERATIONS = 4 * OPERATIONS  # where there are minutes enough
SHARE_OF_TIME = 0.01  # of a budget of minutes, at the speed of large steps; small steps and asking take as much again
SHARE = 0.2  # of a training's own operations
LEAST_OPERATIONS = 4e9  # with fewer nothing can be learned
LEAST_PICTURES, LEAST_TAUGHT = 20, 2
LEAST_ASKED, ASKED = 50, 400  # held-out pictures of each network
MOST_NUMBERED = 600  # pictures with numbers that are looked at,
NUMBERS_SHARE, FIGURED = 0.03, 3e-7  # for this share of a budget of minutes; seconds for a pixel
LIGHT = 0.5  # of the numbers' variance: where light alone tells less, it is changed at random by these amounts
BRIGHTNESS, CONTRAST = 0.2, 0.4
LOSS = 0.25  # a symmetry that costs a larger share of the knowledge is not safe
CLASS_LOSS = 0.5  # and of any one class, as an estimate
LEARNED = 0.25  # share of what is to be known from which a network is believed when it says that turning does no harm
DOUBT = 0.1  # every answer is mixed with this much of not knowing, so that no single picture outweighs all others
SURE = 4  # standard errors over knowing nothing from which a network has learned something,
LINE_SURE = 3  # and a straight line, which has few ways to be wrong
CHANCE = 0.005  # of calling a harmless symmetry harmful


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a symmetry costs, as shares of what is known: low, share and high of all pictures, with an interval; of the
    class that loses most surely its number, its low and what it keeps; class_share of the class that loses most."""

    low: float
    share: float
    high: float
    worst: int
    class_low: float
    class_kept: float
    class_share: float

    @property
    def lost(self) -> bool:
        return max(self.low, self.class_low) > LOSS

    @property
    def kept(self) -> bool:
        return self.high < LOSS and self.class_share < CLASS_LOSS and not self.lost

    def __str__(self) -> str:
        kept, least, most = (min(max(1 - value, 0), 1) for value in (self.share, self.high, self.low))
        return f"{100 * kept:.0f} % ({100 * least:.0f} % to {100 * most:.0f} %)" if kept else "nothing"


def with_symmetry(plan: Plan, job: Job, speed: float | None) -> Plan:
    """The plan with the symmetry that evidence speaks for, where neither it nor a recipe was asked for, and for numbers
    with changes of light where these do not tell them.

    speed: operations per second, of a budget of minutes, which may spend 3 % of its time here.
    """
    settings, data = job.settings, job.data
    trial = data.task.trial(data.targets) if data.store.shape.form == "picture" else None
    if settings.augment == "auto" and settings.symmetry == "auto" and not data.task.moves and trial is not None:
        rows = np.flatnonzero(np.isin(data.parts, ("train", "validation")))
        operations = _operations(plan, len(data.rows("train")), speed)
        if _is_numbers(trial[0]) and plan.minutes is not None:
            most = 60 * plan.minutes * NUMBERS_SHARE / (FIGURED * math.prod(data.store.shape.seen[1:]))
            rows = evenly(rows, max(int(most), LEAST_PICTURES))
        asked = (rows, trial[0], data.kin, trial[1], plan.seed, operations, job.device.type, torch.__version__)
        tried = partial(_tried, job, rows, trial, operations)
        found = remembered("symmetry", data.found, data.store, tried, *asked)
        plan = _with_light(plan.with_symmetry(found["symmetry"], found["why"]), found["light"], job.tell)
    if plan.symmetry:
        job.tell(Note(f"Symmetry  {plan.symmetry}"))
    return plan


def _is_numbers(targets: np.ndarray) -> bool:
    return targets.ndim == 2 and targets.dtype != bool


def _tried(job: Job, rows: np.ndarray, trial: tuple[np.ndarray, Sequence[str]], operations: float) -> dict[str, object]:
    """The symmetry, why, and the share of the numbers that light tells, where there are numbers enough."""
    data, (targets, _) = job.data, trial
    lesson = Lesson(data.store.pictures, *trial, job.preparation, job.device, data.kin)
    symmetry, why = choose_symmetry(lesson, rows, operations=operations, seed=job.settings.seed)
    some, light = evenly(rows, MOST_NUMBERED), None
    if _is_numbers(targets) and len(some) >= LEAST_PICTURES:
        light = told_by_light(data.store.pictures[some], targets[some], data.kin[some], job.settings.seed)
    return {"symmetry": symmetry, "why": why, "light": light}


def _with_light(plan: Plan, share: float | None, tell: Watch) -> Plan:
    """The plan with brightness and contrast changed at random, where light alone tells little of the numbers."""
    if share is None:
        return plan
    done = "changed at random" if share < LIGHT else "left as it is"
    tell(Note(f"Light     {done}: alone it tells {100 * share:.0f} %"))
    if share >= LIGHT:
        return plan
    return replace(plan, recipe=str(replace(parse(plan.recipe), brightness=BRIGHTNESS, contrast=CONTRAST)))


def _operations(plan: Plan, pictures: int, speed: float | None) -> float:
    """What may be spent here, in operations: a little of a training that is short itself."""
    if plan.minutes is not None:  # in powers of two, so that the next run asks the very same
        return min(MOST_OPERATIONS, 2.0 ** int(math.log2(60 * plan.minutes * SHARE_OF_TIME * speed)))
    shape = (plan.channels, plan.height, plan.width)
    once = 3 * pictures * total_operations(build(plan.line, shape, plan.classes), shape)
    return min(OPERATIONS, SHARE * once * plan.epochs)


def choose_symmetry(
    lesson: Lesson, rows: np.ndarray, *, operations: float = OPERATIONS, seed: int = 0
) -> tuple[str, str]:
    """One of SYMMETRIES for pictures like those of `rows`, and why, in words with the numbers.

    Half of the rows teach, the other half is asked, and the reverse; of numbers nine tenths teach. Of several labels
    those count of which something was learned.
    """
    pictures, targets, classes = lesson.pictures, lesson.targets, lesson.classes
    numbers = _is_numbers(targets)
    usual, custom = usual_symmetry(pictures.shape[3], () if numbers else classes)
    if numbers and (targets < 0).any() and (targets > 0).any():  # a mirror image may turn the sign round
        usual, custom = "none", "as usual for numbers of both signs"
    same = np.zeros(len(rows), int) if numbers else np.unique(targets[rows], axis=0, return_inverse=True)[1].ravel()
    half = fold_of(same, lesson.kin[rows], 2, seed)
    if few := _too_little(half, operations >= LEAST_OPERATIONS or numbers):
        return usual, f"{custom}; {few} to find out"
    turn = QUARTER_TURN if pictures.shape[1] == pictures.shape[2] else UPSIDE_DOWN
    if numbers:
        who, sure, (known, kinds, whole) = "a straight line", LINE_SURE, _by_line(lesson, rows, turn, seed)
    else:
        who, sure = "quick networks", SURE
        known, kinds, whole = _by_networks(lesson, rows, half, turn, operations, seed)
    gain = known[IDENTITY]
    told = gain.mean(axis=0) > sure * gain.std(axis=0) / len(gain) ** 0.5
    if not told.any():
        return usual, f"{custom}; {who} learned too little to tell"
    gain, mirrored, after, kinds = (some[:, told].ravel() for some in (gain, known[MIRRORED], known[turn], kinds))
    mirror, after = (_loss(gain, left, kinds) for left in (mirrored, after))
    said = f"mirrored pictures keep {mirror} of what {who} learned"
    if mirror.lost:
        kept = f" ({classes[mirror.worst % len(classes)]}: {100 * max(mirror.class_kept, 0):.0f} %)"
        return "none", said + kept * (mirror.low <= LOSS)
    learned = gain.mean() / whole[told].mean()
    if not mirror.kept or (usual == "none" and learned < LEARNED):
        return usual, f"{custom}; {said}, which is too unsure"
    said += f", {'turned' if turn == QUARTER_TURN else 'upside-down'} ones {after}"
    return "dihedral" if after.kept and learned >= LEARNED else "mirror", said


def _too_little(half: np.ndarray, is_long: bool) -> str:
    """What there is too little of to learn and ask, in words; "" where there is enough."""
    if len(half) < LEAST_PICTURES:
        return "too few pictures"
    if np.bincount(half, minlength=2).min() < LEAST_TAUGHT:
        return "too few pictures that do not belong together"
    return "" if is_long else "too short a training"


Known = tuple[dict[Element, np.ndarray], np.ndarray, np.ndarray]  # see `_by_networks`


def _by_line(lesson: Lesson, rows: np.ndarray, turn: Element, seed: int) -> Known:
    """As `_by_networks`: what a straight line knows of every number; in place of classes, their columns."""
    rows = evenly(rows, MOST_NUMBERED)
    each = known_numbers(lesson.pictures[rows], lesson.targets[rows], lesson.kin[rows], turn, seed)
    kinds = np.repeat(np.arange(len(lesson.classes)), len(rows))
    return {element: values.reshape(-1, 1) for element, values in each.items()}, kinds[:, None], np.ones(1)


def _by_networks(lesson: Lesson, rows: np.ndarray, half: np.ndarray, turn: Element, budget: float, seed: int) -> Known:
    """What the networks know, in nats over the classes' shares, of each asked picture as it is, mirrored and after
    `turn`: three arrays (N, 1); the pictures' classes (N, 1); and how much there is to be known (1,). Of L labels
    (N, L) and (L,); those that a picture has are numbered L and more there."""
    targets, count = lesson.targets, len(lesson.classes)
    labels = targets.dtype == bool
    most = max(round(ASKED * min(budget / OPERATIONS, 1)), LEAST_ASKED)
    known: dict[Element, list[np.ndarray]] = {IDENTITY: [], MIRRORED: [], turn: []}
    kinds = []
    for number in (0, 1):
        taught, asked = rows[half != number], evenly(rows[half == number], most)
        network = quick_network(lesson, taught, operations=budget / 2, seed=seed)
        truth = targets[asked].reshape(len(asked), -1, 1).astype(np.int64)
        there = targets[taught].sum(axis=0) if labels else np.bincount(targets[taught], minlength=count)
        shares = (np.stack([len(taught) - there, there], axis=-1) if labels else there[None]) + 1.0
        shares /= shares.sum(axis=-1, keepdims=True)
        kinds.append(truth[..., 0] * count + np.arange(count) if labels else truth[..., 0])
        for element, values in known.items():
            seen = replace(lesson, pictures=turned(lesson.pictures[asked], element))
            logits = quick_logits(network, seen, np.arange(len(asked)))
            logits = np.stack([0 * logits, logits], axis=-1) if labels else logits[:, None]
            mixed = (1 - DOUBT) * softmax(logits, axis=-1) + DOUBT * shares
            values.append(np.take_along_axis(np.log(mixed / shares), truth, -1)[..., 0])
    asked_kinds = np.concatenate(kinds)
    whole = np.array([_entropy(column) for column in asked_kinds.T])
    return {element: np.concatenate(values) for element, values in known.items()}, asked_kinds, whole


def _entropy(kinds: np.ndarray) -> float:
    shares = np.unique(kinds, return_counts=True)[1] / len(kinds)
    return max(-(shares * np.log(shares)).sum(), 1e-9)


def _loss(gain: np.ndarray, left: np.ndarray, kinds: np.ndarray) -> Loss:
    """What is lost between `gain` and `left`, both (N,), over all pictures and class by class, picture against
    itself. The variance of a class is drawn towards that of all, as by four more pictures."""
    lost, mean = gain - left, gain.mean()

    def interval(mask: np.ndarray, tests: int) -> tuple[float, float, float]:
        mine, scale = lost[mask], max(gain[mask].mean(), mean)
        variance = (((mine - mine.mean()) ** 2).sum() + 4 * lost.var()) / (len(mine) + 4)
        margin = NormalDist().inv_cdf(1 - CHANCE / tests) * (variance / len(mine)) ** 0.5
        return tuple(float(value / scale) for value in (mine.mean() - margin, mine.mean(), mine.mean() + margin))

    present = np.unique(kinds)
    each = [interval(kinds == kind, len(present)) for kind in present]
    worst = int(np.argmax([low for low, _, _ in each]))
    low, share, high = interval(np.ones(len(kinds), bool), 1)
    return Loss(
        low=low, share=share, high=high, worst=int(present[worst]), class_low=each[worst][0],
        class_share=max(middle for _, middle, _ in each), class_kept=1 - each[worst][1],
    )  # fmt: skip
