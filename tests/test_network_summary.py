"""What a network is made of: shapes, counts, operations and receptive fields worked out by hand."""

import pytest
import torch
from torch import nn

from striate.inside.trace import trace
from striate.network.build import build, network
from striate.network.summary import count_text, summarise, summary_text, total_operations


def test_receptive_fields_by_hand() -> None:
    """3 → 3 + (2-1)·1 = 4 → 4 + (3-1)·2 = 8 → 8 + (5-1)·2·2 = 24 → everything.

    A window F at step j adds (F - 1)·j pixels; a stride multiplies the step; dilation d counts as (F - 1)·d.
    """
    line = "conv 4 3, relu, maxpool 2, conv 4 3 dilation=1, conv 4 5 dilation=2 padding=4, globalavgpool, dense 3"
    rows = summarise(build(line, (1, 40, 44), 3), (1, 40, 44))
    assert [row.field for row in rows] == [(3, 3), (3, 3), (4, 4), (8, 8), (24, 24), (40, 44), (40, 44)]


def test_a_field_ends_at_the_picture() -> None:
    """No value sees more than the whole picture."""
    rows = summarise(build("conv 1 5, conv 1 5, conv 1 5", (1, 7, 100), 2), (1, 7, 100))
    assert [row.field for row in rows] == [(5, 5), (7, 9), (7, 13)]


def test_a_residual_sees_what_its_widest_branch_sees() -> None:
    """After residual(conv 3, conv 3) a value sees 5×5, and the shortcut's stride counts for what follows."""
    net = build("residual(conv 4 3, conv 4 3), conv 2 3", (4, 30, 30), 2)
    assert [row.field for row in summarise(net, (4, 30, 30))] == [(3, 3), (5, 5), (7, 7)]
    strided = build("residual(conv 8 3 stride=2), conv 2 3", (4, 30, 30), 2)
    assert summarise(strided, (4, 30, 30))[-1].field == (3 + 2 * 2,) * 2


def test_members_of_an_ensemble_see_alike() -> None:
    """Every member is listed; a 3×3 filter of each sees nine pixels, and the totals are of all of them."""
    rows = {row.name: row for row in summarise(build("ensemble 2 (conv 4 3, conv 2 3)", (1, 9, 9), 2), (1, 9, 9))}
    assert list(rows) == [f"ensemble1.{member}.conv{layer}" for member in (1, 2) for layer in (1, 2)]
    assert [row.field for row in rows.values()] == [(3, 3), (5, 5)] * 2
    assert sum(row.parameters for row in rows.values()) == 2 * (4 * 10 + 2 * 37)


def test_a_skip_sees_what_its_pooled_layers_see() -> None:
    """conv 3 sees 3, the pool 4, the conv on every second pixel 8, two neighbours of it 10, the last conv 12."""
    line = "conv 2 3, skip(maxpool 2, conv 2 3), conv 1 3"
    net = build(line, (1, 40, 40), 2)
    seen = trace(net, torch.randn(1, 40, 40)).field("conv2", 20, 20)
    assert [row.field for row in summarise(net, (1, 40, 40))][-1] == (12, 12) == (seen[1] - seen[0], seen[3] - seen[2])


def test_behind_a_norm_over_maps_a_value_sees_all() -> None:
    """A groupnorm takes mean and variance over whole maps, and so say the glass box and the shape of the gradient."""
    net, picture = build("conv 4 3, groupnorm 2, relu, conv 1 3", (1, 20, 30), 2), torch.rand(1, 20, 30)
    rows, seen = summarise(net, (1, 20, 30)), trace(net, picture)
    assert [row.field for row in rows] == [(3, 3), *[(20, 30)] * 3]
    for row in rows:
        y0, y1, x0, x1 = seen.field(row.name, 10, 15)
        assert row.field == (y1 - y0, x1 - x0)
    assert (seen.actual_field("conv2", 0, 10, 15) != 0).mean() > 0.9


def test_the_field_is_what_really_reaches_a_value() -> None:
    """The gradient of one value in the middle is non-zero in a square of exactly that size."""
    net = build("conv 2 4, maxpool 2, conv 2 3, avgpool 2, conv 1 3", (1, 48, 48), 2).double()
    for weights in net.parameters():
        nn.init.constant_(weights, 0.1)
    picture = torch.rand(1, 1, 48, 48, dtype=torch.float64, requires_grad=True)
    averaged = nn.Sequential(*(nn.AvgPool2d(2) if isinstance(m, nn.MaxPool2d) else m for m in net))
    averaged(picture)[0, 0, 6, 6].backward()
    reached = picture.grad[0, 0].abs() > 0
    rows, columns = reached.any(dim=1).nonzero(), reached.any(dim=0).nonzero()
    seen = (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)
    assert summarise(net, (1, 48, 48))[-1].field == seen


def test_hela_row_by_row() -> None:
    """The tutorial's network: output shapes, parameters and operations of every layer by hand."""
    rows = summarise(network("hela"), (1, 50, 50))
    facts = {(row.kind, row.parameters): (row.output_shape, row.operations) for row in rows if row.parameters}
    assert facts == {
        ("Conv2d", 544): ((32, 50, 50), 32 * 2500 * 2 * 16),
        ("Conv2d", 32_832): ((64, 50, 50), 64 * 2500 * 2 * 512),
        ("Linear", 9_834_560): ((64,), 64 * 2 * 153_664),
        ("Linear", 650): ((10,), 10 * 2 * 64),
    }
    assert [row.output_shape for row in rows if row.kind == "MaxPool2d"] == [(64, 49, 49)]


def test_operations_without_a_bias_are_one_fewer_per_value() -> None:
    """k products need k - 1 additions; the bias is the k-th."""
    assert total_operations(build("conv 2 3 padding=valid", (1, 5, 5), 2), (1, 5, 5)) == 2 * 9 * 18
    assert total_operations(build("conv 2 3 padding=valid bias=no", (1, 5, 5), 2), (1, 5, 5)) == 2 * 9 * 17
    assert total_operations(build("conv 4 3 padding=valid groups=2", (4, 5, 5), 2), (4, 5, 5)) == 4 * 9 * 2 * 2 * 9


LINES = [
    "conv 4 3, batchnorm, relu, residual(conv 8 3 stride=2 bias=no, batchnorm), globalmaxpool, dense 3",
    "whiten 8 2, dropout 0.5, silu, maxpool 2, flatten, dense 5, softmax",
]


@pytest.mark.parametrize("line", LINES)
def test_totals_are_the_sums(line: str) -> None:
    """Rows add up to the network's own parameters, the trained and the fixed ones."""
    net = build(line, (1, 12, 12), 3)
    rows = summarise(net, (1, 12, 12))
    assert sum(row.parameters for row in rows) == sum(p.numel() for p in net.parameters())
    assert sum(row.fixed for row in rows) == sum(p.numel() for p in net.parameters() if not p.requires_grad)
    assert sum(row.operations for row in rows) == total_operations(net, (1, 12, 12))
    closing = summary_text(net, (1, 12, 12)).splitlines()[-1]
    assert closing.startswith(f"{sum(p.numel() for p in net.parameters()):,} parameters")


@pytest.mark.parametrize("line", LINES)
def test_the_network_is_left_as_it_was(line: str) -> None:
    """Modes of every layer, hooks, weights, norm statistics and gradients are untouched."""
    net = build(line, (1, 12, 12), 3).train()
    net[1].eval()
    modes = [module.training for module in net.modules()]
    weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    summarise(net, (1, 12, 12))
    assert [module.training for module in net.modules()] == modes
    assert all(not module._forward_hooks for module in net.modules())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_a_failing_network_is_left_as_it_was_too() -> None:
    """An input of the wrong shape raises, and leaves no hook and no changed mode behind."""
    net = build("flatten, dense 5", (1, 4, 4), 5).train()
    with pytest.raises(RuntimeError):
        summarise(net, (1, 5, 5))
    assert net.training
    assert all(not module._forward_hooks for module in net.modules())


def test_a_strangers_network_is_summarised() -> None:
    """Any torch network works; where the order of layers is not known the field is not claimed."""

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(1, 2, 5, padding=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.left(x) + self.right(x)

    net = nn.Sequential(nn.Conv2d(1, 1, 3), Sum(), nn.ReLU())
    rows = summarise(net, (1, 9, 9))
    assert [row.field for row in rows] == [(3, 3), (), (), ()]
    assert "?" in summary_text(net, (1, 9, 9))


def test_the_table_has_every_layer() -> None:
    """One line per layer between two rules, fixed weights marked, columns aligned."""
    text = summary_text(build(LINES[1], (1, 12, 12), 3), (1, 12, 12)).splitlines()
    assert text[0].split() == ["layer", "output", "parameters", "operations", "receptive", "field"]
    assert text[2].split() == ["picture", "1×12×12", "1×1"]
    assert [line.split()[0] for line in text[3:-2]] == [
        "whiten1", "dropout1", "silu1", "maxpool1", "flatten1", "dense1", "softmax1",
    ]  # fmt: skip
    assert set(text[1]) == set(text[-2]) == {"─"}
    volume = summary_text(
        build("conv 2 3, flatten, dense classes", (1, 4, 6, 6), 2), (1, 4, 6, 6), "volume"
    ).splitlines()
    assert volume[2].split() == ["volume", "1×4×6×6", "1×1×1"]
    assert volume[2].rindex("1×1×1") == volume[0].index("receptive")
    assert volume[-1].endswith("per volume")


def test_the_table_of_an_ensemble_has_one_member() -> None:
    """Members have the same layers, which stand there once; the sums are those of all."""
    line = "ensemble 4 (conv 8 3, relu, globalavgpool, dense classes), softmax"
    text = summary_text(build(line, (1, 9, 9), 3), (1, 9, 9))
    names = [row.split()[0] for row in text.splitlines()[3:-3]]
    assert names == [*(f"ensemble1.1.{name}" for name in ("conv1", "relu1", "globalavgpool1", "dense1")), "softmax1"]
    assert text.splitlines()[-3] == "ensemble1.2 to ensemble1.4: the same layers, other weights"
    assert f"{4 * (8 * 9 + 8 + 3 * 8 + 3)} parameters" in text.splitlines()[-1]
    two = summary_text(build(line.replace("4", "2", 1), (1, 9, 9), 3), (1, 9, 9))
    assert two.splitlines()[-3] == "ensemble1.2: the same layers, other weights"


def test_counts_for_people() -> None:
    """Thousands with a comma, then M, G and T with two places."""
    shown = [count_text(n) for n in (999, 12_345, 1_234_567, 2_500_000_000, 3 * 10**12)]
    assert shown == ["999", "12,345", "1.23 M", "2.50 G", "3.00 T"]


def test_an_ensemble_of_one_sees_what_its_member_sees() -> None:
    """The notation allows one member; its fields are those of the layers alone."""
    alone, one = (build(line, (1, 9, 9), 2) for line in ("conv 4 3, conv 2 3", "ensemble 1 (conv 4 3, conv 2 3)"))
    assert [row.field for row in summarise(one, (1, 9, 9))] == [row.field for row in summarise(alone, (1, 9, 9))]


def test_a_skip_that_is_coarser_along_one_axis() -> None:
    """A field is as high and wide as the pixels that the gradient of a middle value reaches: 7 x 12."""
    line = "conv 4 3x5 stride=2x1, skip(avgpool 1x2, conv 4 3), conv 2 1, globalavgpool, dense classes"
    made = build(line, (1, 40, 40), 2).double()
    x = torch.randn(1, 1, 40, 40, dtype=torch.double, requires_grad=True)
    names = [name for name, _ in made.named_children()]
    nn.Sequential(*list(made.children())[: names.index("conv2") + 1])(x)[0, :, 10, 20].sum().backward()
    reached = x.grad[0, 0].nonzero()
    sides = (reached.max(dim=0).values - reached.min(dim=0).values + 1).tolist()
    field = next(row.field for row in summarise(made.float(), (1, 40, 40)) if row.name == "conv2")
    assert field == tuple(sides)
