"""The one-line notation: text to layers and back, and what a wrong line is told."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import StriateError
from striate.network.text import (
    BRACKETS,
    CLOSING,
    KINDS,
    MOST_LAYERS,
    REQUIRED,
    Layer,
    ensemble_of,
    flat,
    for_classes,
    member_of,
    parse,
    to_text,
)

NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)
COUNTS = st.integers(1, 4096)


def sizes(least: int) -> st.SearchStrategy:
    one = st.integers(least, 99)
    return one | st.tuples(one, one) | st.tuples(one, one, one)


FORMS = {
    "count": COUNTS,
    "size": sizes(1),
    "padding": sizes(0) | st.sampled_from(["same", "valid"]),
    "flag": st.sampled_from(["yes", "no"]),
    "number": NUMBERS,
}


@st.composite
def plain_layers(draw: st.DrawFn) -> Layer:
    """A layer of any kind with some of its values, in any order."""
    kind = draw(st.sampled_from([kind for kind in KINDS if kind not in BRACKETS]))
    table = KINDS[kind]
    needed = [name for name, (_, default) in table.items() if default is REQUIRED]
    optional = [name for name in table if name not in needed]
    chosen = draw(
        st.permutations(needed + draw(st.lists(st.sampled_from(optional), unique=True) if optional else st.just([])))
    )
    values = []
    for name in chosen:
        strategy = FORMS[table[name][0]]
        if kind == "dropout":
            strategy = st.floats(0, 1, exclude_max=True)
        if name == "units":
            strategy = COUNTS | st.just("classes")
        values.append((name, draw(strategy)))
    return Layer(kind, tuple(values))


def nested(inner: st.SearchStrategy[Layer]) -> st.SearchStrategy[Layer]:
    bodies = st.lists(inner, min_size=1, max_size=3).map(tuple)
    bracketed = st.tuples(st.sampled_from(["residual", "skip"]), bodies).map(lambda two: Layer(two[0], (), two[1]))
    around = st.tuples(bodies, bodies).map(lambda two: Layer("residual", (), (*two[0], Layer("shortcut", (), two[1]))))
    repeat = st.tuples(st.integers(1, 9), bodies).map(lambda two: Layer("repeat", (("times", two[0]),), two[1]))
    return bracketed | around | repeat


PLAIN = st.lists(st.recursive(plain_layers(), nested, max_leaves=6), min_size=1, max_size=6).map(tuple)
MEMBERS = PLAIN.filter(lambda layers: flat(layers)[-1].kind not in CLOSING)
ENSEMBLES = st.tuples(st.integers(1, 9), MEMBERS).map(lambda two: Layer("ensemble", (("members", two[0]),), two[1]))


def count(layers: tuple[Layer, ...]) -> int:
    """How many layers there are in all, those in brackets too."""
    return sum(1 + count(layer.body) * dict(layer.values).get("members", 1) for layer in flat(layers))


LINES = (PLAIN | ENSEMBLES.map(lambda layer: (layer,)) | ENSEMBLES.map(lambda layer: (layer, Layer("sigmoid")))).filter(
    lambda layers: count(layers) <= MOST_LAYERS
)


@settings(deadline=None, max_examples=150)
@given(LINES)
def test_layers_to_text_to_layers_is_an_identity(layers: tuple[Layer, ...]) -> None:
    """Whatever layers are written, the line reads back to the very same layers, and writes the same line."""
    text = to_text(layers)
    assert parse(text) == layers
    assert to_text(parse(text)) == text


@settings(deadline=None, max_examples=40)
@given(LINES, st.sampled_from([" ", "  ", "\t", "\n "]))
def test_spaces_and_case_of_words_carry_no_meaning(layers: tuple[Layer, ...], space: str) -> None:
    """More space around commas and brackets, and capitals in a layer's word, read to the same layers."""
    text = to_text(layers)
    assert parse(text.replace(", ", f"{space},{space}").replace("(", f"({space}").replace(")", f"{space})")) == layers
    assert parse(text.replace("relu", "ReLU").replace("conv ", "Conv ")) == layers


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("conv 32", "conv 32"),
        ("conv 32 4 2", "conv 32 4 stride=2"),
        ("conv 32 kernel=4", "conv 32 4"),
        ("conv filters=8", "conv 8"),
        ("conv 8 3x5 padding=1x2", "conv 8 3x5 padding=1x2"),
        ("max 2", "maxpool 2"),
        ("avg 3", "avgpool 3"),
        ("leakyrelu 0.2, leaky_relu", "leaky-relu 0.2, leaky-relu"),
        ("dropout 0.20", "dropout 0.2"),
        ("scale 1e-3", "scale 0.001"),
        ("2*(relu)", "2*(relu)"),
        ("residual( conv 8 , relu )", "residual(conv 8, relu)"),
        ("2*(residual(relu,shortcut ( conv 8 1)))", "2*(residual(relu, shortcut(conv 8 1)))"),
        ("Ensemble 2(2*( conv 8 )) , softmax", "ensemble 2 (2*(conv 8)), softmax"),
    ],
)
def test_a_line_is_written_in_one_way(written: str, read: str) -> None:
    """Short forms, aliases and named values all come out in the form that the summary shows."""
    assert to_text(parse(written)) == read


def test_values_not_given_have_the_notations_defaults() -> None:
    """conv 8 is a 3×3 convolution of stride 1 that keeps the size; a pool's stride is left open."""
    conv, pool, drop = parse("conv 8, maxpool, dropout")
    assert [conv.get(name) for name in KINDS["conv"]] == [8, 3, 1, "same", 1, 1, "yes"]
    assert (pool.get("size"), pool.get("stride"), pool.get("padding")) == (2, None, "valid")
    assert drop.get("rate") == 0.5


def test_an_ensemble_of_any_line() -> None:
    """A closing sigmoid stands behind the brackets; one member is the line itself; not of ensembles."""
    assert ensemble_of("conv 8, flatten, dense 1, sigmoid", 2) == "ensemble 2 (conv 8, flatten, dense 1), sigmoid"
    assert ensemble_of("2*(conv 8)", 3) == "ensemble 3 (2*(conv 8))"
    assert ensemble_of("conv 8 kernel=3", 1) == "conv 8 kernel=3"
    assert [member_of(line) for line in ("ensemble 3 (2*(conv 8)), softmax", "conv 8 kernel=3, softmax")] == [
        "2*(conv 8), softmax", "conv 8 kernel=3, softmax"
    ]  # fmt: skip
    with pytest.raises(StriateError, match="an ensemble is all of a network"):
        ensemble_of("ensemble 2 (conv 8)", 2)


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("conv 8 3, flatten, dense 64, relu, dense 10 bias=no, scale 0.125",
         "conv 8 3, flatten, dense 64, relu, dense classes bias=no, scale 0.125"),
        ("skip(conv 8 3, conv 4 3), conv 2 3", "skip(conv 8 3, conv 4 3), conv classes 3"),
        ("flatten, dense 1, sigmoid", "flatten, dense 1, sigmoid"),
        ("flatten, dense 3, sigmoid", "flatten, dense classes, sigmoid"),
    ],
)  # fmt: skip
def test_a_line_for_other_outputs(line: str, again: str) -> None:
    """The last layer that makes outputs makes as many as the task needs; one sigmoid for two classes stays."""
    assert for_classes(line) == again


def test_flat_writes_repetitions_out() -> None:
    """2*(a, 3*(b)) has eight layers; the layers inside a residual are written out too."""
    assert to_text(flat(parse("2*(relu, 3*(tanh))"))) == "relu, tanh, tanh, tanh, relu, tanh, tanh, tanh"
    assert to_text(flat(parse("residual(2*(conv 8))"))) == "residual(conv 8, conv 8)"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "a network has at least one layer"),
        ("  ", "a network has at least one layer"),
        ("residual()", "a network has at least one layer"),
        (",relu", "a layer starts with its word. received: ,"),
        ("relu,", "a comma stands between two layers"),
        ("relu,,tanh", "a comma stands between two layers"),
        ("residual(relu,)", "a comma stands between two layers"),
        ("relu (tanh)", "only residual, shortcut, skip, ensemble and N* take layers in brackets. received: relu"),
        ("dense 2 (tanh)", "only residual, shortcut, skip, ensemble and N* take layers in brackets. received: dense"),
        ("residual 2 (tanh)", "residual takes no values. received: 2"),
        ("shortcut(conv 8)", "a shortcut stands last in the brackets of a residual"),
        ("residual(shortcut(conv 8))", "a shortcut stands last in the brackets of a residual"),
        ("residual(conv 8, shortcut(conv 8), relu)", "a shortcut stands last in the brackets of a residual"),
        ("skip(conv 8, shortcut(conv 8))", "a shortcut stands last in the brackets of a residual"),
        ("ensemble (conv 8)", "ensemble needs members. received: ensemble"),
        ("ensemble 0 (conv 8)", "members of ensemble is a whole number from 1. received: 0"),
        ("ensemble 6000 (conv 8, relu)", "a network has at most 10,000 layers. received: 12,001"),
        ("relu, ensemble 2 (conv 8)", "an ensemble is all of a network, but for a closing softmax or sigmoid"),
        ("ensemble 2 (conv 8), relu", "an ensemble is all of a network, but for a closing softmax or sigmoid"),
        ("2*(ensemble 2 (conv 8))", "an ensemble is all of a network, but for a closing softmax or sigmoid"),
        ("ensemble 2 (ensemble 2 (conv 8))", "an ensemble is all of a network, but for a closing softmax or sigmoid"),
        ("ensemble 2 (conv 8, softmax)", "a softmax or sigmoid stands after an ensemble, not in it"),
        ("conv 32 3*(relu)", "layers are divided by commas. received: 3"),
        ("residual(relu", "brackets must match. received: residual( without )"),
        ("2*(relu", "brackets must match. received: 2( without )"),
        ("relu)", "brackets must match. received: )"),
        ("(relu)", "a layer starts with its word. received: ("),
        ("0*(relu)", "a repetition is a number from 1, of up to 9 digits. received: 0"),
        (
            "konv 32",
            "a layer is one that the notation knows. received: konv. where: konv 32. what to do: did you mean 'conv'?",
        ),
        ("residual", "a layer is one that the notation knows. received: residual"),
        ("32 conv", "a layer is one that the notation knows. received: 32"),
        ("conv", "conv needs filters. received: conv"),
        ("conv kernel=3", "conv needs filters. received: conv kernel=3"),
        ("dense", "dense needs units"),
        ("scale", "scale needs factor"),
        ("conv 0", "filters of conv is a whole number from 1 or the word classes. received: 0"),
        ("conv -3", "filters of conv is a whole number from 1 or the word classes. received: -3"),
        ("conv 3.5", "filters of conv is a whole number from 1 or the word classes. received: 3.5"),
        ("conv 8 classes", "kernel of conv is a whole number from 1, or 3x5 for height x width. received: classes"),
        ("conv many", "filters of conv is a whole number from 1 or the word classes. received: many"),
        ("dense many", "units of dense is a whole number from 1 or the word classes. received: many"),
        ("conv 8 0", "kernel of conv is a whole number from 1, or 3x5 for height x width. received: 0"),
        ("conv 8 3x", "kernel of conv is a whole number from 1, or 3x5 for height x width. received: 3x"),
        ("conv 8 padding=full", "padding of conv is same, valid, or a whole number. received: full"),
        ("conv 8 bias=maybe", "bias of conv is yes or no. received: maybe"),
        ("dropout 1", "rate of dropout is a number from 0 to below 1. received: 1"),
        ("dropout -0.1", "rate of dropout is a number from 0 to below 1. received: -0.1"),
        ("dropout half", "rate of dropout is a number from 0 to below 1. received: half"),
        ("elu nan", "alpha of elu is a number. received: nan"),
        ("elu inf", "alpha of elu is a number. received: inf"),
        ("relu 3", "relu takes no values. received: 3"),
        ("maxpool 2 2 same 1", "maxpool takes size, stride, padding. received: 1"),
        ("maxpool width=2", "maxpool takes size, stride, padding. received: width=2"),
        ("conv 8 stride=2 3", "conv takes filters, kernel, stride, padding, dilation, groups, bias. received: 3"),
        ("conv 8 3 kernel=4", "conv takes kernel once. received: kernel=4"),
    ],
)
def test_a_wrong_line_is_told_what_is_wrong(line: str, told: str) -> None:
    """Every mistake names the rule and the very words that broke it."""
    with pytest.raises(StriateError) as problem:
        parse(line)
    assert told in str(problem.value)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="conv relu dense()*,=x.0123456789-é²", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nonsense ends in our error and in nothing else; what is read writes and reads back the same."""
    try:
        layers = parse(text)
    except StriateError:
        return
    assert parse(to_text(layers)) == layers


@pytest.mark.parametrize(
    "line",
    ["residual(" * 5000 + "relu" + ")" * 5000, f"conv {'9' * 5000}", f"{'9' * 5000}*(relu)"],
    ids=["deep", "long number", "long repetition"],
)
def test_a_monstrous_line_is_refused_in_words(line: str) -> None:
    """Brackets thousands deep or numbers thousands of digits long end in our error, not in Python's."""
    with pytest.raises(StriateError):
        parse(line)


@pytest.mark.parametrize("line", ["999999999999999999999*(relu)", "9999*(9999*(9999*(relu)))"])
def test_a_repetition_cannot_fill_the_memory(line: str) -> None:
    """A short line that stands for more layers than any machine holds is refused before it is written out."""
    with pytest.raises(StriateError):
        flat(parse(line))


def test_a_long_line_is_shown_shortened() -> None:
    """The message stays readable however long the line is."""
    with pytest.raises(StriateError) as problem:
        parse("relu, " * 100 + "relu,")
    assert "..." in str(problem.value.where)
    assert len(str(problem.value.where)) < 150


def test_the_notation_needs_no_torch() -> None:
    """The line can be read and checked where torch is not loaded."""
    code = "import sys, striate.network.text; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
