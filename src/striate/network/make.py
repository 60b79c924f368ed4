"""`striate.network`: a catalogue name or a line of layers becomes an ordinary torch.nn network."""

from striate.errors import StriateError
from striate.network.build import Network, build
from striate.network.catalog import CATALOG, line_of


def network(
    name_or_line: str, input_shape: tuple[int, ...] | None = None, classes: int | None = None, seed: int = 0
) -> Network:
    """The network of a catalogue name or of a line of layers, randomly initialised from `seed`.

    input_shape: (channels, height, width); a catalogue network knows its own. classes: the number that the
    word `classes` stands for. The result is a torch.nn.Sequential with `.text`, the line it was made from.

    >>> striate.network("hela")                                              # doctest: +SKIP
    >>> striate.network("conv 8 3, relu, globalavgpool, dense 2", (1, 28, 28))   # doctest: +SKIP
    """
    line, entry = line_of(name_or_line), CATALOG.get(name_or_line.strip())
    if input_shape is None:
        if entry is None:
            rule = "a network written as a line needs the shape of its pictures"
            remedy = "give (channels, height, width), e.g. (1, 50, 50)"
            raise StriateError(rule, received="none", where="input_shape", remedy=remedy)
        input_shape = (entry.channels, entry.height, entry.width)
    if classes is None:
        if entry is None and "classes" in line:
            raise StriateError("a line with the word classes needs their number", where="classes", remedy="e.g. 10")
        classes = entry.classes if entry else 1
    return build(line, tuple(input_shape), classes, seed)
