"""The text of a recipe."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.augment.recipe import FILLS, LARGEST, RECIPES, Recipe, parse
from striate.errors import StriateError

amounts = {name: st.floats(0, largest) for name, largest in LARGEST.items()}


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Any recipe that is allowed."""
    values = {name: draw(amount) for name, amount in amounts.items()}
    symmetry = draw(st.sampled_from([(), ("hflip",), ("vflip",), ("hflip", "vflip"), ("dihedral",)]))
    fill = draw(st.sampled_from(FILLS))
    value = draw(st.floats(0, 1)) if fill == "constant" else 0.0
    return Recipe(**values, **dict.fromkeys(symmetry, True), fill=fill, value=value)


def test_the_tutorials_recipe_is_read() -> None:
    """The HeLa tutorial's ImageDataGenerator line is the catalogue's `hela`."""
    wanted = Recipe(rotate=30, shift=0.1, shear=0.2, zoom=0.2, hflip=True, fill="nearest")
    assert parse("hela") == wanted
    assert parse("rotate 30, shift 0.1, shear 0.2, zoom 0.2, hflip, fill nearest") == wanted


@settings(deadline=None)
@given(recipes())
def test_text_and_recipe_are_one(recipe: Recipe) -> None:
    """Recipe to text to recipe changes nothing, and the text is canonical."""
    assert parse(str(recipe)) == recipe
    assert str(parse(str(recipe))) == str(recipe)


@pytest.mark.parametrize("name", RECIPES)
def test_the_catalogue_is_written_canonically(name: str) -> None:
    """Each line of the catalogue is the very text that is saved with a run."""
    assert str(parse(name)) == RECIPES[name]


def test_spelling_is_free_where_it_is_harmless() -> None:
    """Capitals, spaces and an equals sign do not matter, nor does the order."""
    assert parse(" Hflip,ROTATE=10 ") == parse("rotate 10, hflip")
    assert parse("none") == Recipe()
    assert str(Recipe()) == "none"
    assert str(parse("fill constant, shift 0.5")) == "shift 0.5, fill constant 0"


def test_what_a_recipe_does_is_known() -> None:
    """Whole-pixel recipes, moving ones and those that change nothing are told apart."""
    assert not parse("hflip, shift 0.1").interpolates
    assert parse("zoom 0.1").interpolates
    assert parse("vflip").moves
    assert not parse("contrast 0.1, fill reflect").moves
    assert all(parse(f"{name} 0.1").changes for name in ("brightness", "contrast", "erase", "noise", "shift"))
    assert not parse("noise 0.1").moves
    assert not parse("fill reflect").changes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "rotat 10",
            "no change or recipe has this name. received: rotat. where: --augment. what to do: did you mean 'rotate'?",
        ),
        ("hello", "did you mean 'hela'?"),
        ("flip", "did you mean 'hflip'?"),
        ("horizontal_flip", "did you mean 'hflip'?"),
        ("vertical_flip", "did you mean 'vflip'?"),
        ("rotation_range=30", "did you mean 'rotate'?"),
        ("width_shift_range=0.1", "did you mean 'shift'?"),
        ("zoom_range=0.2", "did you mean 'zoom'?"),
        ("shear_range=0.2", "did you mean 'shear'?"),
        ("rotate", "rotate takes one number. received: rotate. where: --augment rotate."),
        ("rotate ten", "rotate takes a number. received: ten."),
        ("rotate 190", "rotate is a number from 0 to 180. received: 190.0."),
        ("zoom 1", "zoom is a number from 0 to 0.9. received: 1.0."),
        ("shift -0.1", "shift is a number from 0 to 1. received: -0.1."),
        ("contrast nan", "contrast is a number from 0 to 1. received: nan."),
        ("hflip 1", "hflip takes no number. received: hflip 1."),
        ("hflip, hflip", "each change stands once in a recipe. received: hflip."),
        ("rotate 10,, hflip", "a recipe is a list of changes parted by commas"),
        ("", "a recipe is a list of changes parted by commas. received: ''."),
        (
            "fill mirror",
            "no such fill. received: mirror. where: --augment. what to do: choose one of nearest, reflect, constant.",
        ),
        ("fill constant 2", "fill constant is a number from 0 to 1. received: 2.0."),
        ("fill", "fill takes one of its words"),
        ("hela, hflip", "the name of a recipe stands alone. received: hela. where: --augment hela, hflip."),
        ("dihedral, vflip", "dihedral holds both flips already. received: vflip, dihedral."),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    """Each mistake names the rule, what was received and the option."""
    with pytest.raises(StriateError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert ". where: --augment" in str(caught.value)


def test_a_value_needs_its_fill() -> None:
    """A fill value that nothing would use is an error."""
    with pytest.raises(StriateError, match="only fill constant takes a value"):
        Recipe(value=0.5)


def test_reading_a_recipe_needs_no_torch() -> None:
    """A command line can check a recipe before it loads torch."""
    code = "import sys, striate.augment.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
