"""The dial: from what was asked, and what the pictures are like, to every number of a training.

A budget of epochs (and the default budget) is planned from the data alone, so that a seed gives the same
weights again. A budget of minutes also looks at the measured speed of this machine.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace

import numpy as np
import torch

from striate.augment.recipe import RECIPES, Recipe, parse
from striate.data.prepare import Shape
from striate.data.sample import Found
from striate.data.survey import Survey
from striate.data.symbols import SYMBOLS
from striate.device import in_bf16, memory_format
from striate.errors import StriateError, first_few, in_short
from striate.network.auto import auto_line
from striate.network.build import build
from striate.network.catalog import CATALOG, line_of
from striate.network.summary import total_operations
from striate.network.text import ensemble_of
from striate.tasks.task import Task
from striate.train.settings import Settings

DEFAULT_OPERATIONS = 2.0e13  # of a training without a budget: about three minutes on two CPU cores
PICTURES_SEEN = 200_000  # below this many (with repeats) a small network beats a large one
LARGEST_SIDE = 64  # pixels of the shorter side, for auto
LONGEST_FORM = 16  # times as long as wide; what is longer gets as many pixels as one of that form
SIZES = ((0.6, 0.75), (1.0, 1.0))  # small pictures first: 0.6 of the steps at 0.75 of the side
SHRUNK = 0.6 * 0.75**2 + 0.4  # the share of the work that this leaves
LEAST_STEPS = 800  # of a small set's default training
FEWER_STEPS = 300  # of one of series, texts or volumes
LONGEST_SERIES, LONGEST_TEXT, LARGEST_VOLUME = 1024, 512, 32  # values, letters, pixels and frames, for auto
WIDTHS = (64, 48, 32, 16)  # filters of auto's first stage, widest first; others than 16s cost as much as the next 16
SMALL_SET = 1000  # pictures; with fewer, a first stage of more than 32 filters only learns them by heart
GENTLER = 0.3  # of the usual learning rate, for weights that were learned before
MEASURED = 4e9  # operations of the forward passes by which the machine's speed is measured
MOST_MEMBERS = 4  # of an ensemble; each more gives less, and of masks a single one that learns longer is as good
ENOUGH = 0.7  # of the wanted pictures seen: down to this a wider network still wins, and one more member counts


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the plan needs to know about the training part.

    shape: of its samples. counts: pictures per class; of a task that does not divide pictures into classes, of all
    together. line: what makes the network of `auto`.
    """

    shape: Shape
    task: Task
    counts: tuple[int, ...]
    line: Callable[[int, int, int, int], str] = auto_line

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of what a step is on."""
        height, width = (min(side, self.task.crop or side) for side in (self.shape.height, self.shape.width))
        return height, width

    @property
    def pictures(self) -> int:
        return sum(self.counts)

    @property
    def classes(self) -> int:
        return len(self.task.classes)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every number of a training; stored in settings.toml under [plan].

    symmetry: which mirrorings and turns the recipe may make, and why; "" where the recipe was asked for.
    sizes: share of the schedule up to which pictures are shrunk to a share of their side, e.g.
    ((0.6, 0.75), (1.0, 1.0)): three quarters of the side for the first 60 %. crop: the side of the squares that are
    trained on, 0 for whole pictures.
    """

    line: str
    height: int
    width: int
    channels: int
    classes: int
    batch_size: int
    epochs: int | None
    minutes: float | None
    optimizer: str
    lr: float
    momentum: float
    filter_lr: float
    filter_momentum: float
    weight_decay: float
    smoothing: float
    recipe: str
    balance: str
    seed: int
    patience: int | None
    mirror: bool
    symmetry: str = ""
    crop: int = 0
    sizes: tuple[tuple[float, float], ...] = ((1.0, 1.0),)

    @classmethod
    def from_table(cls, table: dict) -> "Plan":
        """The plan stored by an earlier sitting; StriateError where it is none."""
        try:
            known = {it.name: table.get(it.name) for it in fields(cls) if it.name in table or it.default is MISSING}
            known["sizes"] = tuple((float(until), float(share)) for until, share in known.get("sizes", cls.sizes))
            odd = [it.name for it in fields(cls) if known.get(it.name, "") is None and "None" not in str(it.type)]
        except (AttributeError, TypeError, ValueError) as error:
            odd = [in_short(error)]
        if odd:
            rule, remedy = "settings.toml of a run that goes on has its [plan] as it was written", "start a new run"
            raise StriateError(rule, received=f"a change in {first_few(odd)}", remedy=remedy)
        return cls(**known)

    def with_symmetry(self, symmetry: str, why: str) -> "Plan":
        """The same with auto's random changes and this one of SYMMETRIES."""
        recipe = auto_recipe(self.channels, symmetry)
        return replace(self, recipe=str(recipe), mirror=_mirrors(recipe), symmetry=f"{symmetry}: {why}")


def make_plan(settings: Settings, facts: Facts, *, operations_per_second: float | None = None) -> Plan:
    """The plan of a training; `operations_per_second` is the machine's measured training speed, and is
    needed for a budget of minutes only."""
    shape, task = facts.shape, facts.task
    auto = settings.network.strip() == "auto"
    ours = auto or task.batch_pixels > 0  # where every pixel is an answer, batches of 32 are a step or two an epoch
    batch = max(min(settings.batch_size or (_batch(facts) if ours else 32), facts.pictures), 1)
    seconds = settings.minutes * 60 if settings.minutes else None
    budget = DEFAULT_OPERATIONS if seconds is None else seconds * (operations_per_second or 0.0)
    line, often = _auto(facts, batch, budget / (settings.members or 1)) if auto else (line_of(settings.network), 1)
    spare = min(often, MOST_MEMBERS) if seconds and not task.spatial else 1
    optimizer = settings.optimizer or ("muon" if ours else "adam")
    recipe, symmetry = _changes(settings, shape, task)
    balance = settings.balance
    if balance == "auto":
        balance = "weights" if max(facts.counts) >= 2 * min(facts.counts) else "none"
    gentle = GENTLER if settings.weights else 1.0
    usual = "other" if not auto else "auto" if shape.form == "picture" else "form"
    return Plan(
        line=ensemble_of(line, settings.members or spare), height=shape.height, width=shape.width,
        channels=shape.channels, classes=facts.classes, batch_size=batch, minutes=settings.minutes, optimizer=optimizer,
        epochs=None if seconds else settings.epochs or _epochs(facts, batch),
        lr=settings.lr or gentle * _LEARNING_RATES[usual][optimizer],
        momentum=_given(settings.momentum, 0.9 if optimizer == "sgd" else 0.85),
        filter_lr=1.2 * (settings.lr or gentle * (0.05 if usual == "form" else 0.2)),
        filter_momentum=_given(settings.momentum, 0.6),
        weight_decay=_given(settings.weight_decay, 5e-4 if ours else 0.0),
        smoothing=_given(settings.smoothing, 0.1 if auto and task.smooths and not task.batch_pixels else 0.0),
        recipe=str(recipe), symmetry=symmetry, mirror=_mirrors(recipe), seed=settings.seed,
        balance=balance, patience=settings.patience, crop=task.crop,
        sizes=SIZES if auto and _may_shrink(settings, facts, line) else ((1.0, 1.0),),
    )  # fmt: skip


def _changes(settings: Settings, shape: Shape, task: Task) -> tuple[Recipe, str]:
    """The random changes, and which of SYMMETRIES is among them and why; "" where a recipe or nothing was asked for.

    Other forms than pictures are mirrored only where that was asked for.
    """
    chosen = () if settings.symmetry == "auto" else (settings.symmetry, "asked for")
    if settings.augment != "auto":
        recipe = parse(settings.augment)
    elif shape.form == "picture":
        chosen = chosen or (task.symmetry if task.moves else usual_symmetry(shape.channels))
        recipe = task.recipe(auto_recipe(shape.channels, chosen[0]))
    else:
        recipe = _turning(parse(_FORM_RECIPES[shape.form]), settings.symmetry)
    recipe.require_axes(shape.axes)
    return recipe, ": ".join(chosen)


def require_fit(found: Found, settings: Settings, kind: type[Task], shape: Shape) -> None:
    """Raise where what was asked for does not fit what is learned, before any sample is decoded: options, and a network
    for samples of this shape; other tasks than of one label learn of what is found in readable samples."""
    numbers = hasattr(kind, "negated")
    several = "--repeats and --folds are for answers of one line in a table; train once for each of several --seed"
    for is_asked, fits, rule in (
        (settings.mirror_negates, numbers, "--mirror-negates names columns of numbers that are learned"),
        (settings.balance == "sampling", kind.one_label, "--balance sampling draws pictures by their one class"),
        (settings.smoothing, kind.smooths, "--smoothing is for labels that are chosen from classes"),
        (settings.runs > 1, kind.tabular, several),
    ):
        if is_asked and not fits:
            raise StriateError(rule, received=f"what {found.task} learns", where=found.root, remedy="leave it out")
    if settings.network.strip() != "auto" and kind.one_label and shape.height:  # else no picture is readable
        task, line = kind.of(found, [one.target for one in found.samples], asdict(settings)), line_of(settings.network)
        with torch.device("meta"):  # without weights
            task.require_output(build(line, shape.seen, task.outputs).output_shape)


def shape_of(
    form: str, settings: Settings, looked: Survey, longest: int = LARGEST_SIDE, kind: type[Task] = Task
) -> Shape:
    """The shape that samples of a form are brought to: as asked, or as most of them are, up to what `auto` can take."""
    if form == "picture":
        return picture_shape(settings, looked, longest, kind)
    if form == "volume":
        flat = picture_shape(settings, looked, LARGEST_VOLUME)
        return replace(flat, form=form, frames=max(min(looked.typical_pages, LARGEST_VOLUME), 1))
    length = settings.size[1] if settings.size else 0
    if form == "text":
        return Shape(height=1, width=length or min(looked.width_of(0.95), LONGEST_TEXT), channels=SYMBOLS, form=form)
    length = length or min(looked.typical_size[1], LONGEST_SERIES)
    channels = settings.channel_count or looked.channels
    return Shape(height=1, width=length, channels=channels, depth="float32", picked=settings.pick.channels, form=form)


def picture_shape(settings: Settings, looked: Survey, longest: int = LARGEST_SIDE, kind: type[Task] = Task) -> Shape:
    """The size, channels and depth that every picture is brought to: as asked, as the named network was drawn
    for, or as the pictures are, with the shorter side up to `longest` and sides that are multiples of the task's step.

    Where the task has pictures `mirrored`, those of several sizes share a square that nine of ten fit into, up to
    `longest`.
    """
    entry = CATALOG.get(settings.network)
    channels = settings.channel_count or (entry.channels if entry else looked.channels)
    usual = looked.typical_size
    if kind.mirrored and not looked.same_size:
        usual = (min(-(-looked.longer_side(0.9) // kind.step) * kind.step, longest),) * 2
    height, width = settings.size or ((entry.height, entry.width) if entry else _size(*usual, longest, kind.step))
    return Shape(
        height=height, width=width, channels=channels, depth=looked.depth, page=settings.page,
        picked=settings.pick.channels, mirrored=kind.mirrored,
    )  # fmt: skip


def measure_speed(line: str, shape: tuple[int, ...], device: torch.device, precision: str) -> float:
    """Operations per second of training steps of a network on this machine; under half a second for auto's at 64 x 64.

    shape: what the network takes. precision: "fp32" or "bf16", which the training will be in.
    """
    layout = memory_format(len(shape) + 1)
    network = build(line, shape, 2).to(device, memory_format=layout)
    operations = total_operations(network, shape)
    batch = int(min(max(MEASURED / operations, 1), 32))
    x = torch.zeros(batch, *shape, device=device).contiguous(memory_format=layout)
    working, x = (in_bf16(network)[0], x.bfloat16()) if precision == "bf16" else (network, x)
    times, threads = [], torch.get_num_threads()
    for count in (threads, threads, 1, 1):  # on one as well: other work may hold the rest
        torch.set_num_threads(count)
        begun = time.perf_counter()
        working(x).sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begun)
    torch.set_num_threads(threads)
    return 3 * operations * batch / min(times)


def auto_recipe(channels: int, symmetry: str) -> Recipe:
    """Random changes that keep most labels true, with one of SYMMETRIES."""
    return _turning(parse(RECIPES["photo" if channels >= 3 else "digits"]), symmetry)


def _turning(recipe: Recipe, symmetry: str) -> Recipe:
    return replace(recipe, hflip=symmetry == "mirror", dihedral=symmetry == "dihedral")


def _mirrors(recipe: Recipe) -> bool:
    return recipe.hflip or recipe.dihedral


def usual_symmetry(channels: int, classes: Sequence[str] = ()) -> tuple[str, str]:
    """The symmetry for want of evidence, and why: mirrored are colour pictures, grey ones may be digits.

    classes: the names, where known; those of one letter or digit each are not mirrored either.
    """
    if classes and all(len(name) == 1 for name in classes):
        return "none", "as usual for letters and digits"
    return ("mirror", "as usual for colour pictures") if channels >= 3 else ("none", "as usual for grey pictures")


def class_weights(counts: tuple[float, ...]) -> np.ndarray:
    """(K,) factors that make every class count alike in the loss, with mean 1 over what was counted."""
    return np.asarray([sum(counts) / (len(counts) * count) for count in counts], np.float32)


_FORM_RECIPES = {"series": "series", "text": "none", "volume": "shift 0.1"}
_LEARNING_RATES = {
    "form": {"muon": 0.05, "sgd": 0.05, "adam": 1e-3, "adamw": 1e-3},
    "auto": {"muon": 0.2, "sgd": 0.2, "adam": 2e-3, "adamw": 2e-3},
    "other": {"muon": 0.05, "sgd": 0.01, "adam": 1e-3, "adamw": 1e-3},
}


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def _size(height: int, width: int, longest: int, step: int) -> tuple[int, int]:
    """Small pictures as they are; larger ones in their form with a short side of `longest`, less of long ones."""
    form = max(ratio := max(width, 1) / max(height, 1), 1 / ratio)  # both sides are 0 where no picture is readable
    side = longest * min(1.0, (LONGEST_FORM / form) ** 0.5)
    if min(height, width) <= side:
        return height, width
    shorter = min(height, width, max(round(side / step), 1) * step)
    longer = round(side * form / step) * step
    return (shorter, longer) if width >= height else (longer, shorter)


def _may_shrink(settings: Settings, facts: Facts, line: str) -> bool:
    shape = facts.shape
    fixed = facts.task.spatial or "flatten" in line or shape.form != "picture"  # a dense layer over all fits one size
    if fixed or min(shape.height, shape.width) < 24 or settings.patience is not None:
        return False
    try:
        build(line, (shape.channels, *(round(side * SIZES[0][1]) for side in facts.sides)), facts.classes)
    except StriateError:  # the line of a model whose weights are given may need larger pictures
        return False
    return True


def _batch(facts: Facts) -> int:
    """About 20 steps in an epoch, between 16 and 128 pictures each; fewer large ones where every pixel is an answer."""
    usual = int(min(max(2 ** round(np.log2(max(facts.pictures / 20, 1))), 16), 128))
    pixels = facts.task.batch_pixels
    return max(1, min(usual, pixels // math.prod(facts.sides))) if pixels else usual


def _epochs(facts: Facts, batch: int) -> int:
    """Until PICTURES_SEEN, but at most 40 for the sake of middling sets, at least 8, and never under LEAST_STEPS.

    Where every pixel is an answer, a picture counts for as many of 64 x 64 as it has pixels for.
    """
    steps, least = max(facts.pictures // batch, 1), LEAST_STEPS if facts.shape.form == "picture" else FEWER_STEPS
    worth = max(math.prod(facts.sides) / LARGEST_SIDE**2, 1) if facts.task.batch_pixels else 1
    return round(max(min(PICTURES_SEEN / worth / facts.pictures, 40), 8, least / steps))


def _auto(facts: Facts, batch: int, operations: float) -> tuple[str, int]:
    """auto's widest line with which the budget still shows the pictures often enough, and how often, from 1, it has the
    work of that in it."""
    seen, shape = facts.pictures * _epochs(facts, batch), facts.shape.seen
    for base in (width for width in WIDTHS if width <= 32 or facts.pictures >= SMALL_SET):
        line = facts.line(facts.shape.channels, *facts.sides, base)
        needed = SHRUNK * seen * 3 * total_operations(build(line, shape, facts.classes), shape)
        if operations >= ENOUGH * needed:
            break
    return line, max(int(operations / (ENOUGH * needed)), 1)
