"""The dial: what was asked for is done, what was not is decided from the data and stays in bounds."""

import tomllib
from collections import Counter
from dataclasses import asdict, replace

import drawn_training
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.data.prepare import Shape
from striate.data.survey import Survey
from striate.errors import StriateError
from striate.network.auto import unet_line
from striate.network.build import build
from striate.network.catalog import CATALOG
from striate.network.summary import total_operations
from striate.tasks.classification import Classification
from striate.tasks.segmentation import Segmentation
from striate.train import plan as module
from striate.train.plan import Facts, Plan, auto_line, class_weights, make_plan, picture_shape
from striate.train.settings import Settings, to_toml


class Spatial(Classification):
    """Classes whose network keeps its size, as that of boxes and masks does."""

    spatial = True


def facts(height: int = 28, width: int = 28, channels: int = 1, counts: tuple[int, ...] = (500, 500)) -> Facts:
    return drawn_training.facts(height, width, channels, counts)


def survey(sizes: dict[tuple[int, int], int], channels: int = 1, depth: str = "uint8") -> Survey:
    count = sum(sizes.values())
    return Survey(
        sizes=Counter(sizes), channel_counts=Counter({channels: count}), depths=Counter({depth: count}),
        formats=Counter(PNG=count),
    )  # fmt: skip


ASKED = {
    "epochs": 7, "batch_size": 5, "optimizer": "adamw", "lr": 0.0123, "momentum": 0.5, "weight_decay": 0.01,
    "smoothing": 0.2, "seed": 11, "patience": 3, "balance": "sampling",
}  # fmt: skip


@pytest.mark.parametrize("network", ["auto", "hela", "conv 4 3, globalavgpool, dense classes"])
def test_what_was_asked_for_is_done(network: str) -> None:
    """Every number given on the command line stands in the plan, for any network."""
    plan = make_plan(Settings(network=network, **ASKED), facts())
    assert {name: getattr(plan, name) for name in ASKED} == ASKED


def test_zero_is_a_value_like_any_other() -> None:
    """--momentum 0, --weight-decay 0 and --smoothing 0 are not taken for "not given"."""
    plan = make_plan(Settings(momentum=0, weight_decay=0, smoothing=0), facts())
    assert (plan.momentum, plan.weight_decay, plan.smoothing) == (0, 0, 0)


def test_any_network_of_masks_learns_as_auto_does() -> None:
    """Where pixels are answers, a line has the optimizer, batch and decay of auto, unless others are asked for."""
    shape, task = Shape(height=256, width=256, channels=3), Segmentation(("cell", "ground"))
    tiles = Facts(shape=shape, task=task, counts=(42,), line=unet_line)
    line = "conv 8 3, relu, conv classes 1"
    auto, given = (make_plan(Settings(network=network), tiles) for network in ("auto", line))
    assert (given.optimizer, given.batch_size, given.weight_decay) == ("muon", 2, auto.weight_decay)
    assert (given.batch_size, given.epochs) == (auto.batch_size, auto.epochs)
    assert given.lr < auto.lr  # lines without norms do not bear auto's
    asked = make_plan(Settings(network=line, **ASKED), tiles)
    assert {name: getattr(asked, name) for name in ASKED} == ASKED
    plan = make_plan(Settings(network="conv 8 3, globalavgpool, dense classes"), facts())
    assert (plan.optimizer, plan.batch_size, plan.weight_decay) == ("adam", 32, 0)


def test_a_named_network_is_the_catalogues() -> None:
    """hela is trained as the tutorial wrote it, without tricks of ours."""
    plan = make_plan(Settings(network="hela"), facts(50, 50, counts=(80,) * 10))
    assert plan.line == CATALOG["hela"].line
    assert (plan.smoothing, plan.weight_decay, plan.sizes) == (0, 0, ((1.0, 1.0),))
    assert "whiten" not in plan.line
    assert "whiten" in make_plan(Settings(), facts()).line


@settings(deadline=None, max_examples=15)
@given(
    pictures=st.integers(2, 200_000), classes=st.integers(2, 100),
    side=st.integers(8, 64), channels=st.sampled_from([1, 3, 5]),
)  # fmt: skip
def test_any_data_gets_a_sensible_plan(pictures: int, classes: int, side: int, channels: int) -> None:
    """Batches no larger than the data, at least one epoch, and a network that runs on the pictures."""
    counts = (max(pictures // classes, 1),) * classes
    plan = make_plan(Settings(), facts(side, side + 3, channels, counts))
    assert 1 <= plan.batch_size <= sum(counts)
    assert plan.epochs >= 1
    assert plan.minutes is None
    network = build(plan.line, (channels, side, side + 3), classes)
    assert network.output_shape == (classes,)
    assert plan.sizes[-1][0] >= 1


def test_a_plan_without_minutes_does_not_look_at_the_machine() -> None:
    """The same data gives the same plan whatever the speed, so a seed gives the same weights again."""
    plans = [make_plan(Settings(), facts(), operations_per_second=speed) for speed in (None, 1e9, 1e13)]
    assert plans[0] == plans[1] == plans[2]


def test_more_minutes_never_make_a_smaller_network() -> None:
    """A larger budget, or a faster machine, gets a network at least as large."""

    def size(minutes: float, speed: float) -> int:
        plan = make_plan(Settings(minutes=minutes), facts(32, 32, 3, (500,) * 10), operations_per_second=speed)
        assert plan.epochs is None
        assert plan.minutes == minutes
        return total_operations(build(plan.line, (3, 32, 32), 10), (3, 32, 32))

    sizes = [size(minutes, 5e10) for minutes in (0.2, 1, 3, 10, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    assert size(1, 5e10) <= size(1, 5e11)


def test_a_given_networks_pictures_shrink_where_it_can_see_that() -> None:
    """Of 24 pixels a line with large kernels takes no fewer; a line that does is shown smaller pictures first."""
    narrow = "conv 8 7 padding=valid, maxpool 2, conv 16 5 padding=valid, maxpool 2, conv 16 2 padding=valid"
    for line, sizes in (
        (f"{narrow}, globalavgpool, dense classes", ((1.0, 1.0),)),
        ("conv 8 3, globalavgpool, dense classes", module.SIZES),
    ):
        given = replace(facts(24, 24, 3, (50,) * 2), line=lambda *_, line=line: line)
        assert make_plan(Settings(weights="model.safetensors"), given).sizes == sizes


def test_time_to_spare_makes_an_ensemble() -> None:
    """The widest network as often as the budget has its work in it, up to four times; once without a clock, and for
    boxes and masks."""

    def line(minutes: float | None, spatial: bool = False, members: int | None = None) -> str:
        settings, known = Settings(minutes=minutes, members=members), facts(32, 32, 3, (40,) * 10)
        known = replace(known, task=Spatial(known.task.classes)) if spatial else known
        return make_plan(settings, known, operations_per_second=5e10).line

    alone = line(0.5)
    seen = 400 * 40 * (0.6 * 0.75**2 + 0.4)  # 40 epochs, of which 60 % at three quarters of the side
    minutes = 3 * seen * total_operations(build(alone, (3, 32, 32), 10), (3, 32, 32)) / 5e10 / 60
    assert line(1.3 * minutes) == alone  # of two, each needs seven tenths of the 40 epochs
    assert line(1.5 * minutes) == f"ensemble 2 ({alone})"
    assert line(100 * minutes) == f"ensemble 4 ({alone})"
    assert "ensemble" not in line(None)
    assert "ensemble" not in line(100 * minutes, spatial=True)
    assert line(100 * minutes, members=1) == alone
    assert line(100 * minutes, members=5) == line(5 * minutes, members=5) == f"ensemble 5 ({alone})"
    assert line(100 * minutes, spatial=True, members=2) == f"ensemble 2 ({alone})"
    assert make_plan(Settings(network="hela", members=3), facts(50, 50)).line == (
        f"ensemble 3 ({CATALOG['hela'].line.removesuffix(', softmax')}), softmax"
    )


@pytest.mark.parametrize("shape", [(1, 3, 3), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 128), (2, 47, 300)])
def test_autos_line_fits_its_pictures(shape: tuple[int, int, int]) -> None:
    """For any size from 3×3 up, its layers fit and its first layer whitens."""
    channels, height, width = shape
    network = build(auto_line(channels, height, width, 16), shape, 4)
    assert network.output_shape == (4,)
    assert network.text.startswith("whiten ")


def test_pictures_too_small_for_auto() -> None:
    """2×2 pictures are told to be too small; a network of one's own may still take them."""
    with pytest.raises(StriateError, match=r"at least 3×3 pixels.*--img-size 8 draws them larger"):
        make_plan(Settings(), facts(2, 2))
    plan = make_plan(Settings(network="flatten, dense classes"), facts(2, 2))
    assert plan.line == "flatten, dense classes"


@pytest.mark.parametrize(
    ("options", "sizes", "expected"),
    [
        ({}, {(28, 28): 5}, (28, 28)),
        ({}, {(64, 200): 5}, (64, 200)),
        ({"img_size": "20x30"}, {(28, 28): 5}, (20, 30)),
        ({"network": "hela"}, {(382, 512): 5}, (50, 50)),
        ({"network": "hela", "img_size": "40"}, {(382, 512): 5}, (40, 40)),
        ({"network": "pilotnet"}, {(160, 320): 5}, (66, 200)),
        ({}, {(200, 200): 5}, (64, 64)),
        ({}, {(10, 10): 2, (28, 28): 5, (500, 500): 2}, (28, 28)),
    ],
)
def test_picture_sizes(options: dict, sizes: dict, expected: tuple[int, int]) -> None:
    """As asked, as the named network was drawn, or as the pictures are up to 64 pixels on the short side."""
    shape = picture_shape(Settings(**options), survey(sizes))
    assert (shape.height, shape.width) == expected


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_large_pictures_keep_their_form(height: int, width: int) -> None:
    """The short side is at most 64, the area that of 1,024 by 64; the form is kept within 4 pixels, and one pixel more
    makes no other size."""
    shape, other = (picture_shape(Settings(), survey({(height, width + more): 3})) for more in (0, 1))
    short, long = sorted((shape.height, shape.width))
    assert short <= 64
    assert short * long <= 16 * 64**2 * (1 + 4 / short)
    if min(height, width) > 64 and max(height, width) <= 16 * min(height, width):
        assert short == 64
    form = width / height
    assert shape.width / shape.height == pytest.approx(form, rel=2.5 / short + (2.5 / form if form < 1 else 0))
    assert abs(other.width - shape.width) <= max(4, 0.1 * shape.width)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((64, 1000), (64, 1000)), ((65, 1000), (64, 984)), ((128, 2000), (64, 1000)), ((1000, 65), (984, 64)),
        ((64, 4000), (32, 2024)), ((65, 4000), (32, 2008)), ((1, 9000), (1, 9000)), ((600, 300), (128, 64)),
        ((0, 0), (0, 0)),
    ],
)  # fmt: skip
def test_long_pictures_keep_their_length(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """By hand: sqrt(16 x 64 x 64 / (4000 / 64)) is 32.4, a short side of 32 and a long one of 62.5 times 32.4."""
    shape = picture_shape(Settings(), survey({size: 3}))
    assert (shape.height, shape.width) == expected


def test_channels_and_depth() -> None:
    """As the pictures are; a named network's or the asked channels before that; depth is never lost."""
    assert picture_shape(Settings(), survey({(9, 9): 1}, 3)).channels == 3
    assert picture_shape(Settings(channels=1), survey({(9, 9): 1}, 3)).channels == 1
    assert picture_shape(Settings(network="hela"), survey({(9, 9): 1}, 3)).channels == 1
    assert picture_shape(Settings(network="hela", channels=3), survey({(9, 9): 1}, 3)).channels == 3
    assert picture_shape(Settings(), survey({(9, 9): 1}, 1, "uint16")).depth == "uint16"


def test_grey_pictures_are_never_mirrored_unasked() -> None:
    """A mirrored digit or letter is another one; asked for, predictions are averaged with the mirror image."""
    assert not make_plan(Settings(), facts(channels=1)).mirror
    assert make_plan(Settings(augment="hflip"), facts(channels=1)).mirror
    assert not make_plan(Settings(augment="none"), facts(channels=3)).mirror


def test_rare_classes_are_balanced_by_weights() -> None:
    """From twice as many on, or when asked; weights make every class count alike, with mean 1 over pictures."""
    assert make_plan(Settings(), facts(counts=(100, 51))).balance == "none"
    assert make_plan(Settings(), facts(counts=(100, 50))).balance == "weights"
    assert make_plan(Settings(balance="none"), facts(counts=(100, 1))).balance == "none"
    weights = class_weights((90, 10))
    assert weights.tolist() == pytest.approx([100 / 180, 5.0])
    assert weights[0] * 90 == pytest.approx(weights[1] * 10)
    assert (weights[0] * 90 + weights[1] * 10) / 100 == pytest.approx(1)


def test_a_plan_goes_through_settings_toml_unchanged() -> None:
    """The plan of a resumed run is the one it began with, to the last digit."""
    for options in ({"minutes": 0.7}, {"epochs": 3, "lr": 0.1 + 0.2}, {"network": "hela", "patience": 2}):
        plan = make_plan(Settings(**options), facts(32, 32), operations_per_second=1e10)
        table = tomllib.loads(to_toml({"plan": asdict(plan)}))["plan"]
        assert Plan.from_table(table) == plan


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_probe_measures_a_speed(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a pocket calculator and a supercomputer, of training steps in the precision asked for."""
    seen, cpu = [], module.torch.device("cpu")
    whole = torch.nn.Conv2d.forward
    listen = lambda layer, x: seen.append(x.dtype) or whole(layer, x)  # noqa: E731
    monkeypatch.setattr(torch.nn.Conv2d, "forward", listen)
    assert 1e6 < module.measure_speed(auto_line(1, 8, 8, 32), (1, 8, 8), cpu, precision) < 1e18
    assert (torch.bfloat16 in seen) == (precision == "bf16")  # operations are counted in fp32
