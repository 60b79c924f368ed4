"""Networks by name: those of the five tutorials as they describe them, and LeNet-5.

Each entry is one line of the notation, the picture shape it was drawn for, and how many outputs.
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
    about: str


CATALOG: dict[str, Entry] = {
    "hela": Entry(
        "conv 32 4, relu, conv 64 4, relu, maxpool 2 stride=1, dropout 0.2, flatten, dense 64, relu, "
        "dense classes, softmax",
        1, 50, 50, 10, "organelles of HeLa cells: two 4×4 convolutions on 50×50 grey pictures",
    ),
    "digits": Entry(
        "conv 32 3, relu, maxpool 2, conv 64 3, relu, maxpool 2, flatten, dense 64, relu, dense classes, softmax",
        1, 28, 28, 10, "handwritten digits",
    ),
    "binary100": Entry(
        "conv 512 3 padding=valid, relu, maxpool 3, batchnorm, conv 256 3 padding=valid, relu, maxpool 3, "
        "batchnorm, conv 128 3 padding=valid, relu, maxpool 3, batchnorm, flatten, dense 1, sigmoid",
        1, 100, 100, 1, "two classes from 100×100 grey pictures, one sigmoid output",
    ),
    "pilotnet": Entry(
        "conv 24 5 stride=2 padding=valid, elu, conv 36 5 stride=2 padding=valid, elu, "
        "conv 48 5 stride=2 padding=valid, elu, conv 64 3 padding=valid, elu, conv 64 3 padding=valid, elu, "
        "flatten, dense 100, elu, dense 50, elu, dense 10, elu, dense classes",
        3, 66, 200, 1, "the self-driving network: 66×200 colour frames to a steering value (Bojarski et al. 2016)",
    ),
    "lenet5": Entry(
        "conv 6 5 padding=valid, tanh, avgpool 2, conv 16 5 padding=valid, tanh, avgpool 2, "
        "conv 120 5 padding=valid, tanh, flatten, dense 84, tanh, dense classes, softmax",
        1, 32, 32, 10, "LeNet-5 for 32×32 digits (LeCun et al. 1998), with plain average pools and a softmax",
    ),
}  # fmt: skip


def line_of(name_or_line: str) -> str:
    """The line of a catalogue name, or the line itself when it is one already."""
    word = name_or_line.strip()
    if word in CATALOG:
        return CATALOG[word].line
    if "," in word or " " in word:
        return to_text(parse(word))
    raise StriateError(
        "a network is a name of the catalogue or a line of layers",
        received=repr(word),
        where="--network",
        remedy=nearest(word, ["auto", *CATALOG]),
    )
