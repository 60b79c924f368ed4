"""Weights to start from: those of a run, of a model file, or of another program (Yosinski et al. 2014).

They are given to a network layer by layer in the order in which it computes, whatever the layers are called, from the
first on as far as they fit. What stands behind that begins at random, as the last layer does for other classes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

import safetensors
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from striate import files
from striate.data.prepare import Shape
from striate.errors import StriateError
from striate.export.model import load_model
from striate.export.underway import HEADER, model_file
from striate.network import blocks
from striate.network.build import Network, shape_text
from striate.network.text import for_classes, member_of
from striate.tasks.task import Task
from striate.train.settings import Settings

# A pickle can run code, so Striate opens none.
CONVERT = """python -c "import sys, torch; from safetensors.torch import save_file; save_file(torch.load(sys.argv[1], \
weights_only=True), sys.argv[2])" weights.pth weights.safetensors"""

Layers = list[tuple[str, dict[str, Tensor]]]  # names of layers with weights, in order, and their tensors by name


@dataclass(frozen=True)
class Given:
    """Weights that were learned before.

    where: the file. digest: its SHA-256. members: the layers of each member of an ensemble, or of the one network.
    line: of a member, with the word `classes`, shape and task: what it was made for; "" and None for weights of another
    program. learned: marks of the pictures that it learned from.
    """

    where: Path
    digest: str
    members: list[Layers] = field(repr=False)
    line: str = ""
    shape: Shape | None = None
    task: Task | None = None
    learned: Sequence[str] = field(default=(), repr=False)

    def settings(self, asked: Settings) -> Settings:
        """What was asked; picture size, channels and members that it leaves open are those of the model given."""
        shape = self.shape
        if asked.network != "auto":
            return asked
        if shape is None:
            rule, remedy = "weights of another program come without their layers", "name them: --network resnet18"
            raise StriateError(rule, received=self.where, where="--weights", remedy=remedy)
        channels = shape.picked or shape.channels
        return replace(
            asked,
            img_size=asked.img_size or f"{shape.height}x{shape.width}",
            channels=asked.channels or (None if asked.text else channels),
            page=asked.page or shape.page,
            members=asked.members or len(self.members),
        )

    def line_for(self, task: Task) -> str:
        """The line of this network, of ours, for another task."""
        mine = self.task
        if (mine.spatial, mine.by_pixel) != (task.spatial, task.by_pixel):
            rule = "without --network, weights have learned what is to be learned: wholes, boxes or masks"
            received, remedy = f"{mine.name} for {task.name}", "name a network whose first layers fit them"
            raise StriateError(rule, received=received, where="--weights", remedy=remedy)
        return self.line

    def give(self, network: Network, classes: tuple[str, ...]) -> str:
        """Give `network`, in place, the weights that fit, and say which; classes: what its outputs stand for."""
        for member, known in zip(_members(network), cycle(self.members), strict=False):
            own = _layers(member.state_dict())
            fitting = self._fitting(own, known, classes)
            self._copy(member, own[:fitting], known, network.input_shape)
        rest = f"; from {own[fitting][0]} on at random" if fitting < len(own) else ""
        return f"{fitting:,} of {len(own):,} layers as in {self.where}{rest}"

    def _fitting(self, own: Layers, known: Layers, classes: tuple[str, ...]) -> int:
        """How many layers from the first on fit, of which the last counts for the same outputs alone."""
        pairs = zip(own, known, strict=False)
        most = len(own) - (self.task is None or self.task.classes != classes)
        fitting = next((n for n, (mine, theirs) in enumerate(pairs) if _shapes(mine) != _shapes(theirs)), len(known))
        if not min(fitting, most):
            received = f"{known[0][0]} {_told(known[0])} for {own[0][0]} {_told(own[0])}" if known else "no layers"
            rule = "weights to start from fit the network from its first layer on"
            remedy = "name their network with --network, and their channels with --channels"
            raise StriateError(rule, received=received, where=self.where, remedy=remedy)
        return min(fitting, most)

    @torch.no_grad()
    def _copy(self, member: nn.Sequential, own: Layers, known: Layers, input_shape: tuple[int, ...]) -> None:
        maps = None if self.shape else _flattened(member, input_shape)
        for (name, mine), (_, theirs) in zip(own, known, strict=False):
            for key, tensor in mine.items():
                new = theirs[key]
                if maps and key == "weight" and name == maps[0]:  # channel by channel elsewhere, pixel by pixel here
                    new = new.unflatten(1, maps[1]).movedim(1, -1).flatten(1)
                tensor.copy_(new)


def read_given(path: str) -> Given:
    """The weights in a run folder or a .safetensors file, ours or that of another program."""
    file, rule = model_file(path), "weights to start from are a run folder or a .safetensors file"
    if not file.is_file():
        raise StriateError(rule, received="no such file", where=file, remedy="give a run such as runs/train, or a file")
    try:
        digest = files.sha256_of(file)
        with safetensors.safe_open(file, "pt") as opened:
            is_ours = HEADER in (opened.metadata() or {})
            names = () if is_ours else sorted(opened.keys(), key=_rank)
            if names:
                return Given(file, digest, [_layers({name: opened.get_tensor(name) for name in names})])
    except (OSError, SafetensorError) as error:
        remedy = f"bring what torch.save wrote into that form: {CONVERT}"
        raise StriateError(rule, received=f"{type(error).__name__}: {error}", where=file, remedy=remedy) from error
    model = load_model(file)
    members = [_layers(member.state_dict()) for member in _members(model.network)]
    line = for_classes(member_of(model.network.text))
    return Given(file, digest, members, line, model.preparation.shape, model.task, model.learned)


def _members(network: Network) -> list[nn.Module]:
    """The members of an ensemble, or the one network."""
    return list(network[0].children()) if isinstance(network[0], blocks.Ensemble) else [network]


def _layers(state: Mapping[str, Tensor]) -> Layers:
    """Tensors that a layer is made of, layer by layer; how many batches a norm has seen is none of it."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if tensor.is_floating_point():
            layer, _, key = name.rpartition(".")
            found.setdefault(layer, {})[key] = tensor
    return list(found.items())


def _rank(name: str) -> list[tuple[int, int, str]]:
    """What brings names in the alphabet's order, as safetensors keeps them, into that of computing: layer 2 before
    layer 10, a convolution before its norm, a shortcut after its block, and what tells classes last."""
    words = (re.fullmatch(r"(.*?)(\d*)", word).groups() for word in name.split("."))
    return [(int(number or _LAST), _AFTER.get(kind, 2), kind) for kind, number in words]


_AFTER = {"conv": 0, "bn": 1, "norm": 1, "fc": 3, "classifier": 3, "head": 3}
_LAST = 1_000_000


def _shapes(layer: tuple[str, dict[str, Tensor]]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in layer[1].items()}


def _told(layer: tuple[str, dict[str, Tensor]]) -> str:
    return shape_text(next(iter(layer[1].values())).shape)


def _flattened(member: nn.Sequential, input_shape: tuple[int, ...]) -> tuple[str, torch.Size] | None:
    """The dense layer behind `flatten`, and the shape of the maps that it takes as one row; None without both."""
    names, layers = list(member._modules), list(member)
    place = next((n for n, layer in enumerate(layers) if isinstance(layer, blocks.Flatten)), None)
    dense = next((n for n, layer in enumerate(layers) if isinstance(layer, nn.Linear)), None)
    if place is None or dense is None:
        return None
    before = nn.Sequential(*layers[:place]).eval()
    with torch.inference_mode():
        maps = before(torch.zeros(1, *input_shape))
    before.train()
    return names[dense], maps.shape[1:]
