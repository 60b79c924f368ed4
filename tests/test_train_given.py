"""Weights to start from: what fits is taken, what was learned from is told, and files of others are only read."""

import hashlib
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import TINY, draw_folder, read_table
from drawn_training import facts
from safetensors.torch import load_file, save_file
from test_train_run import assert_same_weights
from torch import Tensor, nn

import striate
from striate.cli import main
from striate.errors import StriateError
from striate.evaluate import seal
from striate.network.build import Network, build
from striate.network.catalog import line_of
from striate.tasks.task import make_task
from striate.train.given import CONVERT, read_given
from striate.train.plan import make_plan
from striate.train.settings import Settings

pytestmark = pytest.mark.usefixtures("quick")
DEEPER = "conv 4 3 bias=no, batchnorm, relu, conv 8 3, relu, globalavgpool, dense classes"
OPTIONS = {"batch_size": 8, "workers": 0, "precision": "fp32", "quiet": True, "augment": "none"}
RESNET = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "pretrained.py"))["resnet18"]


def learned(folder: Path, **options: object) -> striate.Run:
    """A short training on twelve pictures of each of three classes."""
    pictures = draw_folder(folder / "pictures", {"across": 12, "corner": 12, "down": 12})
    asked = {"network": DEEPER, "epochs": 2, "out": str(folder / "runs"), "name": "first", **OPTIONS, **options}
    return striate.train(pictures, **asked)


def settled(network: nn.Module) -> nn.Module:
    """With norms that have seen something, in the mode in which networks answer."""
    generator = torch.Generator().manual_seed(1)
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        norm.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


def test_other_classes_keep_all_layers_but_the_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At a learning rate of next to nothing, all but the last layer are the weights given, which need no `--network`,
    size or channels; the last is as random ones are."""
    first = learned(tmp_path, img_size="12")
    others = draw_folder(tmp_path / "others", {"a": 8, "b": 8}, channels=3)
    asked = {"weights": str(first.folder), "epochs": 1, "lr": 1e-8, "momentum": 0.0, "optimizer": "sgd", **OPTIONS}
    second = striate.train(others, out=str(tmp_path), name="second", **{**asked, "quiet": False})
    said = capsys.readouterr().err
    told = first.folder / "model.safetensors"
    assert f"Weights   3 of 4 layers as in {told}; from dense1 on at random" in said
    before, after = (load_file(run.folder / "model.safetensors") for run in (first, second))
    assert second.model.network.input_shape == (1, 12, 12)
    for name in ("conv1.weight", "batchnorm1.weight", "batchnorm1.bias", "conv2.weight", "conv2.bias"):
        assert torch.allclose(before[name], after[name], atol=1e-6), name
    random = build(DEEPER, (1, 12, 12), 2, seed=0).state_dict()
    assert torch.allclose(after["dense1.weight"], random["dense1.weight"], atol=1e-6)


def test_the_same_classes_go_on_learning_and_are_told(tmp_path: Path) -> None:
    """All layers are taken; test pictures that the weights have learned from are counted, also in a model that began as
    one that began as one."""
    first = learned(tmp_path)
    assert "learned" not in first.test
    share, last = 0.0, first
    for seed in (1, 2):
        last = learned(tmp_path, network="auto", weights=str(last.folder), seed=seed, name=f"seed-{seed}")
        tested = marks_of(last.folder, "test")
        seen = {mark for name in ("first", "seed-1")[:seed] for mark in marks_of(tmp_path / "runs" / name)}
        assert last.test["learned"] == pytest.approx(share := np.mean([mark in seen for mark in tested]), abs=1e-4)
    assert share > 0.9
    assert "of these pictures were learned from" in (last.folder / "report.html").read_text()


def marks_of(folder: Path, part: str = "train") -> list[str]:
    """The first letters of the hashes of a part's files, from data.csv and the files themselves."""
    names = [row["path"] for row in read_table(folder / "data.csv") if row["part"] == part]
    files = [(folder.parents[1] / "pictures" / name).read_bytes() for name in names]
    return [hashlib.blake2b(file, digest_size=16).hexdigest()[:16] for file in files]


def test_an_evaluation_on_what_was_learned_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All 36 pictures, of which the training part was learned from; none of pictures that are new."""
    run = learned(tmp_path)
    model = striate.load(run.folder)
    share = len(marks_of(run.folder)) / 36
    assert model.evaluate(tmp_path / "pictures")["learned"] == pytest.approx(share, abs=1e-4)
    new = draw_folder(tmp_path / "new", {"across": 2, "corner": 2, "down": 2}, side=9)
    assert "learned" not in model.evaluate(new)
    main(["evaluate", str(run.folder), str(tmp_path / "pictures")])
    assert f"{100 * share:.0f} % of these pictures were learned from" in capsys.readouterr().err


@pytest.mark.parametrize("size", [500, 20_000])
def test_the_share_that_was_learned(size: int) -> None:
    """Exact up to 4,000 pictures learned; an estimate within four standard errors for more."""
    hashes = [hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest() for n in range(2 * size)]
    marks = seal.learned_from(hashes[:size])
    assert len(marks) == min(size, 4000)
    share = seal.seen_before(hashes[size // 2 : size * 3 // 2], marks)["learned"]
    assert share == (0.5 if size < 4000 else pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5))
    assert seal.seen_before(hashes[size:], marks) == {}
    assert seal.learned_from(hashes[size:], marks) == seal.learned_from(hashes)


def test_resnet18_takes_the_weights_of_others(tmp_path: Path) -> None:
    """ResNet-18 with torchvision's names for its parts, converted as the message says, which puts them into the
    alphabet's order: once the last layer is copied too, the catalogue's network gives the very numbers of the other."""
    torch.manual_seed(0)
    other = settled(RESNET(4))
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    command = CONVERT.replace("python", shlex.quote(sys.executable), 1)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    file = tmp_path / "weights.safetensors"
    ours = build(line_of("resnet18"), (3, 64, 64), 4)
    told = read_given(str(file)).give(ours, ("a", "b", "c", "d"))
    assert told == f"40 of 41 layers as in {file}; from dense1 on at random"
    ours[-1].load_state_dict(other.fc.state_dict())
    x = torch.randn(2, 3, 70, 64)
    with torch.no_grad():
        assert torch.equal(ours.eval()(x), other(x))


class Plain(nn.Module):
    """Convolutions, then dense layers over all places, in the order of plain torch: channel by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Linear(4 * 5 * 6, 7), nn.ReLU(), nn.Linear(7, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.features(x), 1))


def test_dense_layers_of_others_are_turned_to_our_order(tmp_path: Path) -> None:
    """A network of VGG's form, whose dense layer reads maps channel by channel and ours pixel by pixel."""
    torch.manual_seed(0)
    other = Plain()
    save_file(other.state_dict(), tmp_path / "plain.safetensors")
    ours = build("conv 4 3, relu, maxpool 2, flatten, dense 7, relu, dense classes", (3, 10, 12), 2)
    told = read_given(str(tmp_path / "plain.safetensors")).give(ours, ("a", "b"))
    assert re.match("2 of 3 layers", told)
    ours[-1].load_state_dict(other.classifier[2].state_dict())
    x = torch.randn(2, 3, 10, 12)
    assert ours.training
    assert torch.allclose(ours(x), other(x), atol=1e-6)


def test_members_begin_with_the_layers_of_one(tmp_path: Path) -> None:
    """Three members from one network: the same convolutions, other last layers; and from all three, three again."""
    first = learned(tmp_path)
    given = read_given(str(first.folder))
    three = build(f"ensemble 3 ({DEEPER})", (1, 8, 8), 2)
    given.give(three, ("a", "b"))
    members = [dict(member.named_parameters()) for member in three[0].children()]
    assert all(torch.equal(member["conv2.weight"], first.model.network.conv2.weight) for member in members)
    assert not torch.equal(members[0]["dense1.weight"], members[1]["dense1.weight"])
    again = learned(tmp_path, network="auto", weights=str(first.folder), members=3, epochs=1, name="three")
    asked = read_given(str(again.folder)).settings(Settings(weights="x"))
    assert (asked.members, asked.img_size, asked.channels) == (3, "8x8", "1")
    assert again.model.network.text == f"ensemble 3 ({DEEPER.replace('classes', '3')})"


def test_a_run_goes_on_to_the_same_bits_and_only_from_the_same_weights(tmp_path: Path) -> None:
    """Stopped after an epoch and resumed, weights are those of a run that was not; changed weights are refused."""
    first = learned(tmp_path)
    asked = {"network": "auto", "weights": str(first.folder), "epochs": 3, "seed": 1}
    whole = learned(tmp_path, name="whole", **asked)

    class Killed(Exception):
        pass

    def kill(event: object) -> None:
        if getattr(event, "epoch", 0) == 2 and hasattr(event, "row"):
            raise Killed

    with pytest.raises(Killed):
        learned(tmp_path, name="cut", watch=kill, **asked)
    resumed = striate.train(resume=tmp_path / "runs" / "cut", quiet=True)
    assert_same_weights(whole.folder, resumed.folder)
    with pytest.raises(Killed):
        learned(tmp_path, name="cut2", watch=kill, **asked)
    (first.folder / "model.safetensors").write_bytes((whole.folder / "model.safetensors").read_bytes())
    with pytest.raises(StriateError, match="a run goes on from the very weights it began with"):
        striate.train(resume=tmp_path / "runs" / "cut2", quiet=True)


def test_files_that_hold_no_weights_that_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing there, a pickle, no tensors, no line, another first layer: each is told, and no run folder is left."""
    monkeypatch.chdir(tmp_path)
    first = learned(tmp_path)
    torch.save(RESNET(3).state_dict(), tmp_path / "resnet.pth")
    save_file({}, tmp_path / "none.safetensors")
    save_file(RESNET(3).state_dict(), tmp_path / "resnet.safetensors")
    rule = "weights to start from are a run folder or a .safetensors file"
    resnet = line_of("resnet18")
    cases = [
        ("absent", "auto", f"{rule}. received: no such file. where: absent. what to do: give a run"),
        ("resnet.pth", resnet, rule),
        ("resnet.pth", resnet, "what to do: bring what torch.save wrote into that form: python -c"),
        ("none.safetensors", resnet, "a model file is a .safetensors file written by striate"),
        ("resnet.safetensors", "auto", "weights of another program come without their layers"),
        ("resnet.safetensors", resnet, "received: conv1 64×3×7×7 for conv1 64×1×7×7"),
    ]
    for name, network, told in cases:
        with pytest.raises(StriateError, match=re.escape(told)):
            learned(tmp_path, network=network, weights=name, name="second", img_size="32")
    assert [path.name for path in first.folder.parent.glob("[!.]*")] == ["first"]


def test_what_was_learned_of_whole_pictures_is_no_beginning_for_masks(tmp_path: Path) -> None:
    """Classes and numbers begin as one another; masks, or boxes, only where a network is named."""
    given = read_given(str(learned(tmp_path).folder))
    classes = given.task.classes
    assert given.line_for(make_task("regression", {"classes": classes})) == DEEPER
    with pytest.raises(StriateError, match="received: classification for segmentation"):
        given.line_for(make_task("segmentation", {"classes": classes}))


def test_weights_learn_gently() -> None:
    """Given weights learn at three tenths of the usual rate, unless another was asked for."""
    known = facts(32, 32, 3)
    usual, gentle = (make_plan(Settings(epochs=3, weights=given), known) for given in (None, "x"))
    assert (gentle.lr, gentle.filter_lr) == (pytest.approx(0.3 * usual.lr), pytest.approx(0.3 * usual.filter_lr))
    assert make_plan(Settings(epochs=3, weights="x", lr=0.2), known).filter_lr == usual.filter_lr


def test_a_network_of_other_names_takes_what_fits(tmp_path: Path) -> None:
    """Layers count by their place and shape, not their names, up to the first that differs."""
    given = read_given(str(learned(tmp_path, network=TINY).folder))
    other: Network = build("conv 4 3, silu, conv 8 3, globalavgpool, dense classes", (1, 8, 8), 3)
    assert given.give(other, ("a", "b", "c")).startswith("1 of 3 layers")
