"""Looking into a model: layers, maps and ledgers as data, as text, as sheets, and from the command line."""

import copy
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import picture
from PIL import Image

from striate.cli import main
from striate.data.batches import scale, standardise
from striate.data.prepare import Preparation, Shape
from striate.errors import StriateError
from striate.export.look import Look
from striate.export.model import Model, load_model
from striate.inside.written import ledger_table
from striate.network.build import build
from striate.tasks.classification import Classification

LINE = (
    "conv 6 3, batchnorm, relu, maxpool 2, residual(conv 6 3), conv 12 3 padding=valid, silu, avgpool 2, "
    "flatten, dense classes, softmax"
)


def drawn_model(line: str = LINE, channels: int = 3, mirror: bool = False) -> Model:
    """A model with random weights for 12×12 pictures of two classes."""
    figures = (0.0,) * channels, (255.0,) * channels, (0.4,) * channels, (0.2,) * channels
    shape = Shape(height=12, width=12, channels=channels)
    preparation = Preparation(shape=shape, low=figures[0], high=figures[1], mean=figures[2], std=figures[3])
    network = build(line, (channels, 12, 12), 2, seed=3)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(1))
    return Model(network.eval(), Classification(("stripes", "corner & <b>")), preparation, mirror)


@pytest.fixture(scope="module")
def seen() -> Look:
    return drawn_model().look(picture(0, 1, side=12, channels=3))


def by_hand(model: Model, pixels: np.ndarray, upto: int) -> np.ndarray:
    """What torch gives after `upto` layers of the network."""
    x = standardise(scale(pixels[None], model.preparation, torch.device("cpu")), model.preparation)
    with torch.no_grad():
        return torch.nn.Sequential(*list(model.network)[:upto])(x)[0].numpy()


def test_maps_are_what_torch_computes(seen: Look) -> None:
    """Every layer of the line has its maps, and they equal those of the layers called one after the other."""
    model, pixels = drawn_model(), picture(0, 1, side=12, channels=3)
    for upto, name in (
        (1, "conv1"),
        (3, "relu1"),
        (4, "maxpool1"),
        (5, "residual1.add"),
        (6, "conv2"),
        (11, "softmax1"),
    ):
        assert seen.maps(name) == pytest.approx(by_hand(model, pixels, upto), abs=1e-5), name
    assert [layer.index for layer in seen.layers] == list(range(len(seen.layers)))


def test_explanations_add_up(seen: Look) -> None:
    """Terms and addends sum to the value, and that is the stored number within float32 rounding."""
    one = seen.explain("conv2", 7, 1, 2)
    total = sum(term.value for term in one.terms) + sum(value for _, value in one.addends)
    assert total == pytest.approx(one.value, rel=1e-12)
    assert one.agrees
    assert one.stored == seen.maps("conv2")[7, 1, 2]


def test_the_probabilities_are_those_of_predict() -> None:
    """Also of a model that averages a picture with its mirror image."""
    for mirror in (False, True):
        model, pixels = drawn_model(mirror=mirror), picture(2, 1, side=12, channels=3)
        assert model.look(pixels).probabilities == pytest.approx(model.predict([pixels])[0].probabilities)


def test_what_the_pass_alone_says_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Beside an answer averaged with the mirror image's stands that of the layers shown: torch's softmax."""
    model, pixels = drawn_model(mirror=True), picture(0, 1, side=12, channels=3)
    alone, look = by_hand(model, pixels, 11), model.look(pixels)
    assert f"alone says {model.classes[int(alone.argmax())]} ({100 * alone.max():.1f} %)" in look.note
    assert max(look.probabilities.values()) != pytest.approx(float(alone.max()), abs=1e-3)
    assert drawn_model().look(pixels).note == ""
    model.save(tmp_path / "model.safetensors")
    Image.fromarray(pixels).save(tmp_path / "one.png")
    words = [str(tmp_path / "model.safetensors"), str(tmp_path / "one.png"), "--out", str(tmp_path)]
    assert main(["look", *words]) == 0
    assert capsys.readouterr().out.splitlines()[1] == look.note


def test_the_largest_number_is_meant_where_none_is_named(seen: Look) -> None:
    """Of the layer, of a channel, or at a position; what is given stays."""
    maps = np.abs(seen.maps("conv2"))
    assert maps[seen.place("conv2")] == maps.max()
    assert seen.place("conv2", 3)[0] == 3
    assert maps[seen.place("conv2", 3)] == maps[3].max()
    channel, *position = seen.place("conv2", None, 1, 2)
    assert position == [1, 2]
    assert maps[channel, 1, 2] == maps[:, 1, 2].max()
    assert seen.place("conv2", 3, 1, 2) == (3, 1, 2)
    assert np.abs(seen.maps("dense1"))[seen.place("dense1")] == np.abs(seen.maps("dense1")).max()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("conv2", 12), "0 to 11, 0 to 3, 0 to 3. received: 12, any, any"),
        (("conv2", -1, 0, 0), "received: -1, 0, 0"),
        (("conv2", 0, 4, 0), "received: 0, 4, 0"),
        (("conv2", 0, 1), "received: 0, 1"),
        (("dense1", 0, 1), "in the ranges 0 to 1. received: 0, 1"),
        (("conv3",), "did you mean 'conv2'?"),
        ((99,), "layers have the numbers 0 to"),
    ],
)
def test_what_is_not_there_is_refused(asked: tuple, told: str, seen: Look) -> None:
    """A layer, channel or place outside the network gets the ranges, or the nearest name."""
    for look in (seen.table, seen.sheet):
        with pytest.raises(StriateError, match=re.escape(told)):
            look(*asked)


def numbers(line: str) -> list[float]:
    return [float(word.replace("−", "-").replace(",", "")) for word in re.findall(r"−?\d[\d,.]*(?:e[−+]?\d+)?", line)]


def test_the_table_of_layers_tells_the_truth(seen: Look) -> None:
    """One row per layer with its shape, parameters, ends and zeros."""
    rows = {line.split()[0]: line for line in seen.table().splitlines()[2:]}
    assert list(rows) == [layer.name for layer in seen.layers]
    words = rows["relu1"].split()
    maps = seen.maps("relu1")
    assert words[2] == "6×12×12"
    assert float(words[5]) == pytest.approx(float(maps.max()), rel=1e-3)
    assert words[-2:] == [f"{100 * (maps == 0).mean():.0f}", "%"]
    assert rows["conv1"].split()[3] == str(6 * 3 * 9 + 6)


def test_the_ledger_adds_up_as_it_is_written(seen: Look) -> None:
    """The rows above the line, read back from the text, sum to the number below it, within the shown digits."""
    text = seen.table("conv2", 7, 1, 2)
    first = text.split("\n\n")[0].splitlines()
    assert first[0] == f"conv2 (conv), channel 7, row 1, column 2 = {seen.maps('conv2')[7, 1, 2]:.4g}".replace("-", "−")
    rule = next(place for place, line in enumerate(first) if "─" in line)
    shown = [numbers(line)[-1] for line in first[1:rule]]
    assert len(shown) == 7  # six channels and the bias
    assert sum(shown) == pytest.approx(numbers(first[rule + 1])[-1], abs=1e-3 * max(map(abs, shown)))
    sizes = [abs(value) for value in shown[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert "agrees" in text
    assert "silu1 (silu), channel 7, row 1, column 2" in text
    assert "avgpool1 (avgpool), channel 7, row 0, column 1" in text


def test_the_patch_is_written_out_with_its_padding(seen: Look) -> None:
    """At the corner the dots stand where the padding is; patch × kernel = products, cell by cell."""
    text = seen.table("conv1", 0, 0, 0)
    block = text[text.index("of the picture, rows −1 to 1, columns −1 to 1 (· is padding)") :].splitlines()[1:4]
    assert [line.split()[0] for line in block] == ["·", "·", "·"]
    assert block[0].split()[:3] == ["·"] * 3
    cells = block[1].replace("×", " ").replace("=", " ").split()
    patch, kernel, product = (cells[start : start + 3] for start in (0, 3, 6))
    for a, b, c in zip(patch[1:], kernel[1:], product[1:], strict=True):
        assert numbers(a)[0] * numbers(b)[0] == pytest.approx(numbers(c)[0], rel=3e-3)
    pooled = seen.table("maxpool1", 2, 1, 1)
    chosen = re.search(r"\[(−?[\d.e−]+)\]", pooled)
    assert chosen
    assert numbers(chosen[1])[0] == pytest.approx(float(seen.maps("maxpool1")[2, 1, 1]), rel=1e-3)


def test_many_terms_are_folded() -> None:
    """Of forty channels eight are written out and the others stand in one row."""
    look = drawn_model("conv 40 3, relu, conv 2 3, globalavgpool, softmax").look(picture(1, 1, side=12, channels=3))
    first = look.table("conv2", 0, 5, 5).split("\n\n")[0].splitlines()
    rows = [line for line in first if "input channel" in line]
    assert len(rows) == 8
    (rest,) = (line for line in first if "32 more" in line)
    rule = next(place for place, line in enumerate(first) if "─" in line)
    bias = next(numbers(line)[-1] for line in first if line.strip().startswith("bias"))
    total = sum(numbers(line.partition("channel")[2])[1] for line in rows) + numbers(rest)[1] + bias
    assert total == pytest.approx(numbers(first[rule + 1])[-1], abs=2e-3)


def test_a_ledger_that_does_not_agree_says_so() -> None:
    """After a change of the weights the check fails loudly: that is what it is for."""
    model = drawn_model()
    look = model.look(picture(0, 1, side=12, channels=3))
    with torch.no_grad():
        model.network.conv1.weight.mul_(2)
    text = ledger_table(look.trace, [look.explain("conv1", 0, 5, 5)])
    assert "DOES NOT AGREE" in text


def test_numbers_that_are_none_are_shown_as_such() -> None:
    """A network with NaN and infinite weights is looked at without complaint, and the text says nan and inf."""
    model = drawn_model()
    with torch.no_grad():
        model.network.conv1.weight[0, 0, 0, 0] = float("nan")
        model.network.conv1.weight[1, 0, 1, 1] = float("inf")
    look = model.look(picture(0, 1, side=12, channels=3))
    assert "nan" in look.table()
    for channel, word in ((0, "nan"), (1, "inf")):
        assert word in look.table("conv1", channel, 5, 5)
        with Image.open(io.BytesIO(look.sheet("conv1", channel, 5, 5))) as image:
            image.verify()
    assert look.sheet()


def test_sheets_are_pictures(seen: Look) -> None:
    """Of the network, of a layer of maps, of a vector; the same look gives the same bytes."""
    for png in (seen.sheet(), seen.stages(), seen.sheet("conv2"), seen.sheet("conv2", 3, 1, 1), seen.sheet("dense1")):
        with Image.open(io.BytesIO(png)) as image:
            assert min(image.size) > 300
            image.verify()
    assert seen.sheet("conv2", 3, 1, 1) == seen.sheet("conv2", 3, 1, 1)


def test_the_sheet_of_a_volume_shows_where_the_number_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture's slice in the middle of what is seen, the number's own of the maps, and a note in short lines."""
    shape = Shape(height=12, width=10, channels=1, form="volume", frames=5)
    figures = {"low": (0.0,), "high": (255.0,), "mean": (0.4,), "std": (0.25,)}
    network = build("conv 2 3, relu, globalavgpool, dense classes", shape.seen, 2, seed=3)
    model = Model(network.eval(), Classification(("a", "b")), Preparation(shape=shape, **figures))
    stored = np.random.default_rng(0).integers(0, 256, (12, 10, 5), dtype=np.uint8)
    given: dict = {}
    monkeypatch.setattr("striate.draw.maps.layer_sheet", lambda maps, title, **more: given.update(more) or b"")
    model.look_at(stored, "stack").sheet("conv1", 1, 3, 5, 6)
    assert (given["at"], given["field"]) == ((1, 3, 5, 6), (4, 7, 5, 8))
    assert np.array_equal(given["picture"][..., 0], stored[..., 3])
    assert max(map(len, given["note"].split("\n"))) <= 46
    told = "sees slices 2 to 4, rows 4 to 6, columns 5 to 7 of the picture; shown is its slice 3"
    assert told in given["note"].replace("\n", " ")


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.words, self.names = "", []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_notebook_shows_it_without_help(seen: Look) -> None:
    """One piece of HTML that loads nothing, names its classes safely, and holds picture and table."""
    text = seen._repr_html_()
    page = _Tags(text)
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert "script" not in page.names
    assert "b" in page.names
    assert seen.answer in page.words
    assert "residual1.add" in page.words
    assert len(text) < 500_000
    assert len(repr(seen)) < 300
    assert f"Trace({len(seen.layers)} layers of Network, picture 3 × 12 × 12)" in repr(seen)


def test_looking_leaves_the_model_as_found() -> None:
    """Weights, statistics, gradients, modes, hooks and random state are as before."""
    model = drawn_model()
    model.network.conv1.train()
    before = copy.deepcopy(model.network.state_dict())
    modes = [module.training for module in model.network.modules()]
    model.network.conv1.weight.grad = torch.ones_like(model.network.conv1.weight)
    random = torch.random.get_rng_state()
    look = model.look(picture(1, 4, side=12, channels=3))
    look.table("conv2", 0, 0, 0)
    look.sheet("conv2")
    after = model.network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert [module.training for module in model.network.modules()] == modes
    assert torch.equal(model.network.conv1.weight.grad, torch.ones_like(model.network.conv1.weight))
    assert torch.equal(torch.random.get_rng_state(), random)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.network.modules())


def test_the_modes_are_as_found_after_a_failure_too() -> None:
    """A layer in training mode stays so where the network cannot answer."""
    model = drawn_model()
    model.network.conv1.train()
    with pytest.raises(RuntimeError):
        model.look_at(np.zeros((5, 5, 3), np.uint8), "too small for the dense layer")
    assert model.network.conv1.training


def test_the_input_is_the_traced_picture(seen: Look) -> None:
    """`Model.input` gives what the trace began with; a picture that may only be read is no obstacle."""
    pixels = picture(0, 1, side=12, channels=3)
    pixels.setflags(write=False)
    assert np.array_equal(drawn_model().input(pixels).numpy(), seen.trace.picture)


def test_one_picture_at_a_time(tmp_path: Path) -> None:
    """A folder of two, and a file that is none, are refused by name."""
    model = drawn_model()
    for number in range(2):
        Image.fromarray(picture(0, number, channels=3)).save(tmp_path / f"{number}.png")
    with pytest.raises(StriateError, match="one picture is looked at"):
        model.look(tmp_path)
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(StriateError, match=r"the picture must be readable.*words\.png"):
        model.look(tmp_path / "words.png")
    assert model.look(tmp_path / "1.png").name == str(tmp_path / "1.png")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model file and a picture of another size than the network's."""
    folder = tmp_path_factory.mktemp("look")
    drawn_model().save(folder / "model.safetensors")
    Image.fromarray(picture(1, 1, side=20, channels=3)).save(folder / "one.png")
    return folder


def test_the_command_writes_sheet_and_table(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The whole network, or one layer; the text is that of the table, and a next command is told."""
    model, file = str(saved / "model.safetensors"), str(saved / "one.png")
    assert main(["look", model, file, "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    look = load_model(model).look(file)
    assert (tmp_path / "one-network.txt").read_text() == look.table() + "\n"
    assert (tmp_path / "one-network.png").read_bytes() == look.sheet()
    assert look.answer in shown
    following = re.search(r"next: striate (look .*)", shown)
    assert following
    assert main([*following[1].split(), "--out", str(tmp_path)]) == 0
    words = ["--layer", "conv2", "--channel", "3", "--at", "1,2", "--out", str(tmp_path)]
    assert main(["look", model, file, *words]) == 0
    shown = capsys.readouterr().out
    assert look.table("conv2", 3, 1, 2) in shown
    assert (tmp_path / "one-conv2.txt").read_text() == look.table("conv2", 3, 1, 2) + "\n"
    assert (tmp_path / "one-conv2.png").read_bytes() == look.sheet("conv2", 3, 1, 2)
    assert "next: striate open" in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--layer", "conv9"], "did you mean 'conv"),
        (["--layer", "²"], "received: ²"),
        (["--layer", "99"], "layers have the numbers 0 to"),
        (["--layer", "conv2", "--at", "1"], "received: any, 1"),
        (["--layer", "conv2", "--at", "a,b"], "a place is a row and a column. received: a,b"),
        (["--layer", "conv2", "--channel", "x"], "a whole number"),
        (["--at", "1,2"], "a channel and a place are those of a layer"),
    ],
)
def test_slips_write_nothing(
    words: list[str], told: str, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Exit code 2, one line that helps, and no file."""
    command = ["look", str(saved / "model.safetensors"), str(saved / "one.png"), "--out", str(tmp_path)]
    assert main([*command, *words]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
