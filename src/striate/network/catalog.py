"""Networks by name: those of the five tutorials as they describe them, LeNet-5, and the deep ones they speak of.

Each entry is one line of the notation, the picture shape it was drawn for, and how many outputs; docs/network.md says
whose each is.
"""

from dataclasses import dataclass

from striate.errors import StriateError, nearest
from striate.network.text import parse, to_text


@dataclass(frozen=True, slots=True)
class Entry:
    line: str
    channels: int
    height: int
    width: int
    classes: int


_IMAGENET = (3, 224, 224, 1000)
_NORMED = "batchnorm, relu"


def _vgg(stages: tuple[int, ...]) -> str:
    """VGG (Simonyan and Zisserman 2015) with so many convolutions in each of its five stages."""
    widths = (64, 128, 256, 512, 512)
    body = ", ".join(f"{count}*(conv {width} 3, relu), maxpool 2" for width, count in zip(widths, stages, strict=True))
    head = "dense 4096, relu, dropout 0.5, dense 4096, relu, dropout 0.5, dense classes"
    return f"{body}, flatten, {head}"


def _resnet(stages: tuple[int, ...], *, bottleneck: bool) -> str:
    """ResNet (He et al. 2016) with so many blocks in each of its four stages: of 3x3 and 3x3, or of 1x1, 3x3 and 1x1.

    Paddings, strides and shortcuts are those with which weights trained on ImageNet are handed round.
    """

    def block(width: int, stride: int, widens: bool) -> str:
        step, wide = f" stride={stride} padding=1" if stride > 1 else "", width * (4 if bottleneck else 1)
        inner = f"conv {width} 3{step} bias=no, {_NORMED}, conv {width} 3 bias=no, batchnorm"
        if bottleneck:
            narrow = f"conv {width} 1 bias=no, {_NORMED}, conv {width} 3{step} bias=no, {_NORMED}"
            inner = f"{narrow}, conv {wide} 1 bias=no, batchnorm"
        beside = f" stride={stride} padding=valid" if stride > 1 else ""
        shortcut = f", shortcut(conv {wide} 1{beside} bias=no, batchnorm)" if widens else ""
        return f"residual({inner}{shortcut}), relu"

    parts = [f"conv 64 7 stride=2 padding=3 bias=no, {_NORMED}, maxpool 3 stride=2 padding=1"]
    for number, count in enumerate(stages):
        width = 64 * 2**number
        first = block(width, 2 if number else 1, bottleneck or number > 0)
        parts += [first, f"{count - 1}*({block(width, 1, False)})"]
    return ", ".join([*parts, "globalavgpool", "dense classes"])


CATALOG: dict[str, Entry] = {
    "hela": Entry(
        "conv 32 4, relu, conv 64 4, relu, maxpool 2 stride=1, dropout 0.2, flatten, dense 64, relu, "
        "dense classes, softmax",
        1, 50, 50, 10,
    ),
    "digits": Entry(
        "conv 32 3, relu, maxpool 2, conv 64 3, relu, maxpool 2, flatten, dense 64, relu, dense classes, softmax",
        1, 28, 28, 10,
    ),
    "binary100": Entry(
        "conv 512 3 padding=valid, relu, maxpool 3, batchnorm, conv 256 3 padding=valid, relu, maxpool 3, "
        "batchnorm, conv 128 3 padding=valid, relu, maxpool 3, batchnorm, flatten, dense 1, sigmoid",
        1, 100, 100, 1,
    ),
    "pilotnet": Entry(
        "conv 24 5 stride=2 padding=valid, elu, conv 36 5 stride=2 padding=valid, elu, "
        "conv 48 5 stride=2 padding=valid, elu, conv 64 3 padding=valid, elu, conv 64 3 padding=valid, elu, "
        "flatten, dense 100, elu, dense 50, elu, dense 10, elu, dense classes",
        3, 66, 200, 1,
    ),
    "lenet5": Entry(
        "conv 6 5 padding=valid, tanh, avgpool 2, conv 16 5 padding=valid, tanh, avgpool 2, "
        "conv 120 5 padding=valid, tanh, flatten, dense 84, tanh, dense classes, softmax",
        1, 32, 32, 10,
    ),
    "vgg16": Entry(_vgg((2, 2, 3, 3, 3)), *_IMAGENET),
    "vgg19": Entry(_vgg((2, 2, 4, 4, 4)), *_IMAGENET),
    "resnet18": Entry(_resnet((2, 2, 2, 2), bottleneck=False), *_IMAGENET),
    "resnet34": Entry(_resnet((3, 4, 6, 3), bottleneck=False), *_IMAGENET),
    "resnet50": Entry(_resnet((3, 4, 6, 3), bottleneck=True), *_IMAGENET),
    "resnet101": Entry(_resnet((3, 4, 23, 3), bottleneck=True), *_IMAGENET),
    "resnet152": Entry(_resnet((3, 8, 36, 3), bottleneck=True), *_IMAGENET),
}  # fmt: skip


def line_of(name_or_line: str) -> str:
    """The line of a catalogue name, or the line itself when it is one already."""
    word = name_or_line.strip()
    if word in CATALOG:
        return CATALOG[word].line
    if "," in word or " " in word:
        return to_text(parse(word))
    if word == "auto":
        rule, remedy = "what auto stands for depends on the pictures", "name another, or a run that was trained with it"
        raise StriateError(rule, received="auto without pictures", where="--network", remedy=remedy)
    rule, remedy = "a network is a name of the catalogue or a line of layers", nearest(word, ["auto", *CATALOG])
    raise StriateError(rule, received=repr(word), where="--network", remedy=remedy)
