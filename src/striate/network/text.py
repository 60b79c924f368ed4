"""The one-line notation for networks: text to layers and back, without torch.

    conv 32 4, relu, maxpool 2 stride=1, dropout 0.2, flatten, dense 64, relu, dense classes, softmax

A line is layers divided by commas. A layer is its word, then its values in the order of the table
below, or by name (`stride=2`). `residual(...)` adds its input to what its layers make of it;
`3*(...)` writes layers three times, one after the other; `ensemble 3 (...)`, around all of a network, has it three
times side by side and averages what the three say. `classes` stands for the number of outputs that the task needs.
"""

import math
import re
from dataclasses import dataclass
from itertools import accumulate

from striate.errors import StriateError, nearest

Value = int | float | str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as it was written: `kind`, the values given (name, value), and for BRACKETS and repetition (kind
    "repeat", value "times") the layers inside."""

    kind: str
    values: tuple[tuple[str, Value], ...] = ()
    body: tuple["Layer", ...] = ()

    def get(self, name: str) -> Value:
        """The value given for `name`, or the default of the notation."""
        _, default = KINDS[self.kind].get(name, (None, None))
        return dict(self.values).get(name, default)


# Per kind: the values in order, with how each is read and its default (REQUIRED: must be given).
REQUIRED = object()
_SIZE, _COUNT, _NUMBER, _PADDING, _FLAG = "size", "count", "number", "padding", "flag"
KINDS: dict[str, dict[str, tuple[str, object]]] = {
    "conv": {
        "filters": (_COUNT, REQUIRED),
        "kernel": (_SIZE, 3),
        "stride": (_SIZE, 1),
        "padding": (_PADDING, "same"),
        "dilation": (_SIZE, 1),
        "groups": (_COUNT, 1),
        "bias": (_FLAG, "yes"),
    },
    # A fixed first convolution whose filters are the principal axes of the pictures' own patches.
    "whiten": {"filters": (_COUNT, REQUIRED), "kernel": (_SIZE, 2), "stride": (_SIZE, 1)},
    "maxpool": {"size": (_SIZE, 2), "stride": (_SIZE, None), "padding": (_PADDING, "valid")},
    "avgpool": {"size": (_SIZE, 2), "stride": (_SIZE, None), "padding": (_PADDING, "valid")},
    "globalmaxpool": {},
    "globalavgpool": {},
    "batchnorm": {},
    "groupnorm": {"groups": (_COUNT, 8)},
    "dropout": {"rate": (_NUMBER, 0.5)},
    "flatten": {},
    "dense": {"units": (_COUNT, REQUIRED), "bias": (_FLAG, "yes")},
    "scale": {"factor": (_NUMBER, REQUIRED)},
    "relu": {},
    "leaky-relu": {"slope": (_NUMBER, 0.01)},
    "elu": {"alpha": (_NUMBER, 1.0)},
    "silu": {},
    "gelu": {},
    "tanh": {},
    "sigmoid": {},
    "softmax": {},
    "residual": {},
    "shortcut": {},
    "skip": {},
    "ensemble": {"members": (_COUNT, REQUIRED)},
}
CLOSING = ("softmax", "sigmoid")
BRACKETS = ("residual", "shortcut", "skip", "ensemble")  # kinds that take layers in brackets
_ALIASES = {
    "leakyrelu": "leaky-relu", "leaky_relu": "leaky-relu", "max": "maxpool", "avg": "avgpool",
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), "conv"),  # how many axes there are, the data say
}  # fmt: skip
# No network that anyone trains comes near these; without them a short line could fill the memory.
MOST_LAYERS, MOST_NESTED, MOST_DIGITS = 10_000, 50, 9
_TOKEN = re.compile(r"\s*(?:(\d+)\s*\*\s*\(|([a-z][a-z_-]*(?:\s+\d+)?)\s*\(|([(),])|([^\s(),]+))", re.IGNORECASE)


def parse(text: str) -> tuple[Layer, ...]:
    """The layers of a line; a StriateError says which layer is wrong and what would be right."""
    tokens = _tokens(text)
    if _deepest(tokens) > MOST_NESTED:
        raise _wrong(f"brackets go at most {MOST_NESTED} deep", f"{_deepest(tokens):,} deep", text)
    layers, rest = _parse_line(tokens, 0, text)
    if rest != len(tokens):
        raise _wrong("brackets must match", tokens[rest][1], text)
    if _written_out(layers) > MOST_LAYERS:
        raise _wrong(f"a network has at most {MOST_LAYERS:,} layers", f"{_written_out(layers):,}", text)
    _require_whole(flat(layers), text)
    _require_ends(flat(layers), "", text)
    return layers


def to_text(layers: tuple[Layer, ...]) -> str:
    """The line that `parse` reads back to the same layers."""
    return ", ".join(_layer_text(layer) for layer in layers)


def ensemble_of(line: str, members: int) -> str:
    """The line of `members` such networks side by side; a closing softmax or sigmoid stays at the end."""
    if members == 1:
        return line
    layers = parse(line)
    inner = layers[: len(layers) - (layers[-1].kind in CLOSING)]
    made = to_text((Layer("ensemble", (("members", members),), inner), *layers[len(inner) :]))
    return to_text(parse(made))


def member_of(line: str) -> str:
    """The line of a member of an ensemble; of another network the line itself."""
    first, *closing = parse(line)
    return to_text((*first.body, *closing)) if first.kind == "ensemble" else line


def for_classes(line: str) -> str:
    """The line of a network that was made for some task with the word `classes` for its number of outputs again; a
    closing `dense 1, sigmoid` stays, as it is for two classes."""
    layers = list(parse(line))
    place = max(n for n, layer in enumerate(layers) if _OUTPUTS & dict(layer.values).keys())
    last = layers[place]
    if layers[-1].kind != "sigmoid" or last.get("units") != 1:
        values = tuple((name, "classes" if name in _OUTPUTS else value) for name, value in last.values)
        layers[place] = Layer(last.kind, values)
    return to_text(tuple(layers))


def flat(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The same layers with every repetition written out."""
    out: list[Layer] = []
    for layer in layers:
        if layer.kind == "repeat":
            out += flat(layer.body) * times(layer)
        elif layer.body:
            out.append(Layer(layer.kind, layer.values, flat(layer.body)))
        else:
            out.append(layer)
    return tuple(out)


def _written_out(layers: tuple[Layer, ...]) -> int:
    """How many layers these are once repetitions are written out."""
    return sum((layer.kind != "repeat") + _written_out(layer.body) * times(layer) for layer in layers)


def times(layer: Layer) -> int:
    """How often the layers in its brackets are there: of a repetition, and of the members of an ensemble."""
    return next((int(value) for name, value in layer.values if name in {"times", "members"}), 1)


def _holds_ensemble(layers: tuple[Layer, ...]) -> bool:
    return any(layer.kind == "ensemble" or _holds_ensemble(layer.body) for layer in layers)


def _require_whole(layers: tuple[Layer, ...], text: str) -> None:
    """The members of an ensemble learn each from its own answers, so nothing is before it or in between."""
    whole = layers[0].kind == "ensemble"
    inside, after = (layers[0].body, layers[1:]) if whole else (layers, ())
    if _holds_ensemble(inside) or len(after) > 1 or any(layer.kind not in CLOSING for layer in after):
        raise _wrong("an ensemble is all of a network, but for a closing softmax or sigmoid", text, text)
    if whole and inside[-1].kind in CLOSING:
        raise _wrong("a softmax or sigmoid stands after an ensemble, not in it", text, text)


def _require_ends(layers: tuple[Layer, ...], around: str, text: str) -> None:
    """A shortcut is the last in the brackets of a residual, after what it leads around."""
    for place, layer in enumerate(layers):
        if layer.kind == "shortcut" and (around != "residual" or place != len(layers) - 1 or place == 0):
            raise _wrong("a shortcut stands last in the brackets of a residual, after what it leads around", text, text)
        _require_ends(layer.body, layer.kind, text)


def _deepest(tokens: list[tuple[str, str]]) -> int:
    steps = ({"open": 1, "repeat": 1, ")": -1}.get(kind, 0) for kind, _ in tokens)
    return max(accumulate(steps), default=0)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens = []
    for times, opener, mark, word in _TOKEN.findall(text.rstrip()):  # the last alternative takes any character
        if times:
            tokens.append(("repeat", times))
        elif opener:
            tokens.append(("open", opener.lower()))
        else:
            tokens.append((mark, mark) if mark else ("word", word))
    return tokens


def _parse_line(tokens: list[tuple[str, str]], at: int, text: str) -> tuple[tuple[Layer, ...], int]:
    layers: list[Layer] = []
    while at < len(tokens) and tokens[at][0] != ")":
        layer, at = _parse_layer(tokens, at, text)
        layers.append(layer)
        if at < len(tokens) and tokens[at][0] == ",":
            at += 1
            if at == len(tokens) or tokens[at][0] in {")", ","}:
                raise _wrong("a comma stands between two layers", text, text)
        elif at < len(tokens) and tokens[at][0] != ")":
            raise _wrong("layers are divided by commas", tokens[at][1], text)
    if not layers:
        raise _wrong("a network has at least one layer", repr(text), text)
    return tuple(layers), at


def _parse_layer(tokens: list[tuple[str, str]], at: int, text: str) -> tuple[Layer, int]:
    kind, word = tokens[at]
    if kind in {"repeat", "open"}:
        body, end = _parse_line(tokens, at + 1, text)
        if end == len(tokens):
            raise _wrong("brackets must match", f"{word}( without )", text)
        if kind == "repeat":
            if len(word) > MOST_DIGITS or int(word) < 1:
                raise _wrong(f"a repetition is a number from 1, of up to {MOST_DIGITS} digits", word, text)
            return Layer("repeat", (("times", int(word)),), body), end + 1
        word, *given = word.split()
        if word not in BRACKETS:
            raise _wrong("only residual, shortcut, skip, ensemble and N* take layers in brackets", word, text)
        return Layer(word, _read_values(word, given, text), body), end + 1
    if kind != "word":
        raise _wrong("a layer starts with its word", word, text)
    end = at + 1
    while end < len(tokens) and tokens[end][0] == "word":
        end += 1
    return _read_layer(word.lower(), [value for _, value in tokens[at + 1 : end]], text), end


def _read_layer(word: str, given: list[str], text: str) -> Layer:
    kind = _ALIASES.get(word, word)
    if kind not in KINDS or kind in BRACKETS:
        remedy = nearest(kind, sorted(KINDS))
        rule = "a layer is one that the notation knows"
        raise StriateError(rule, received=_short(word), where=_short(text), remedy=remedy)
    return Layer(kind, _read_values(kind, given, text))


def _read_values(kind: str, given: list[str], text: str) -> tuple[tuple[str, Value], ...]:
    known, values = KINDS[kind], {}
    names = list(known)
    for position, item in enumerate(given):
        name, equals, raw = item.partition("=")
        if not equals:
            named_before = any("=" in earlier for earlier in given[:position])
            if position >= len(names) or named_before:
                raise _wrong(f"{kind} takes {_usage(kind)}", item, text)
            name, raw = names[position], item
        if name not in known:
            raise _wrong(f"{kind} takes {_usage(kind)}", item, text)
        if name in values:
            raise _wrong(f"{kind} takes {name} once", item, text)
        values[name] = _read_value(kind, name, known[name][0], raw, text)
    missing = [name for name, (_, default) in known.items() if default is REQUIRED and name not in values]
    if missing:
        raise _wrong(f"{kind} needs {missing[0]}", f"{kind} {' '.join(given)}".strip(), text)
    return tuple(values.items())


def _read_value(kind: str, name: str, form: str, raw: str, text: str) -> Value:
    words = {_FLAG: ("yes", "no"), _PADDING: ("same", "valid"), _COUNT: ("classes",) if name in _OUTPUTS else ()}
    if raw in words.get(form, ()):
        return raw
    number_form = rf"\d{{1,{MOST_DIGITS}}}" + (f"(x\\d{{1,{MOST_DIGITS}}}){{0,2}}" if form != _COUNT else "")
    if form in {_SIZE, _COUNT, _PADDING} and re.fullmatch(number_form, raw):
        sizes = tuple(int(part) for part in raw.split("x"))
        if min(sizes) >= (0 if form == _PADDING else 1):
            return sizes[0] if len(sizes) == 1 else sizes
    if form == _NUMBER:
        try:
            number = float(raw)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and (kind != "dropout" or 0 <= number < 1):
            return number
    forms = {
        _FLAG: "yes or no",
        _COUNT: "a whole number from 1" + (" or the word classes" if name in _OUTPUTS else ""),
        _SIZE: "a whole number from 1, or 3x5 for height x width",
        _PADDING: "same, valid, or a whole number",
        _NUMBER: "a number from 0 to below 1" if kind == "dropout" else "a number",
    }
    raise _wrong(f"{name} of {kind} is {forms[form]}", raw, text)


def _layer_text(layer: Layer) -> str:
    if layer.kind == "repeat":
        return f"{times(layer)}*({to_text(layer.body)})"
    if layer.kind == "ensemble":
        return f"ensemble {times(layer)} ({to_text(layer.body)})"
    if layer.body:
        return f"{layer.kind}({to_text(layer.body)})"
    words, names = [layer.kind], list(KINDS[layer.kind])
    for position, (name, value) in enumerate(layer.values):
        # Values in the table's order need no name up to the kernel; the others read better with one.
        is_plain = name in _POSITIONAL and names[: position + 1] == [n for n, _ in layer.values[: position + 1]]
        words.append(_value_text(value) if is_plain else f"{name}={_value_text(value)}")
    return " ".join(words)


_OUTPUTS = {"units", "filters"}  # what `classes` may stand for
_POSITIONAL = {"filters", "kernel", "size", "rate", "units", "factor", "slope", "alpha"}


def _value_text(value: Value) -> str:
    if isinstance(value, tuple):
        return "x".join(str(part) for part in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _usage(kind: str) -> str:
    return ", ".join(KINDS[kind]) or "no values"


def _wrong(rule: str, received: object, text: str) -> StriateError:
    return StriateError(rule, received=_short(str(received)), where=f"network line {_short(text)!r}")


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
