"""How pictures may be changed in training without changing their label, as one line of text.

Items are parted by commas: "rotate 30, shift 0.1, shear 0.2, zoom 0.2, hflip, fill nearest".

    rotate A       turn by up to A degrees either way (0 to 180)
    shift F        move by up to F of the width and, apart from that, of the height (0 to 1)
    shear A        slant by up to A degrees (0 to 80), in degrees as Keras counts it
    zoom F         enlarge by a factor of 1 - F to 1 + F, width and height apart (0 to 0.9)
    warp F         of series: let time run unevenly, at 1 - F to 1 + F of its pace, both ends fixed (0 to 0.9)
    hflip, vflip   mirror left-right, top-bottom
    dihedral       the eight turns and mirrorings of a square (four on pictures that are not square)
    brightness F   add up to F, where black is 0 and white about 1 (0 to 1)
    contrast F     stretch about the picture's mean by 1 - F to 1 + F (0 to 1)
    erase F        cover a square of F of the shorter side, anywhere, with the picture's mean (0 to 1)
    noise F        add bell-shaped noise of standard deviation F (0 to 1)
    fill HOW       what comes in from outside: nearest, reflect, or constant with a value

A series is a picture of one row, so of these shift, zoom, hflip, brightness, contrast and noise mean something for it.
"none" changes nothing, and each name in RECIPES stands for its line. No torch is needed here.
"""

from dataclasses import dataclass, fields

from striate.errors import StriateError, nearest

LARGEST = {
    "rotate": 180.0,
    "shift": 1.0,
    "shear": 80.0,
    "zoom": 0.9,
    "warp": 0.9,
    "brightness": 1.0,
    "contrast": 1.0,
    "erase": 1.0,
    "noise": 1.0,
}
SWITCHES = ("hflip", "vflip", "dihedral")
FILLS = ("nearest", "reflect", "constant")

RECIPES = {
    "none": "none",
    "hela": "rotate 30, shift 0.1, shear 0.2, zoom 0.2, hflip, fill nearest",
    "digits": "rotate 10, shift 0.1, zoom 0.1, fill nearest",
    "photo": "shift 0.125, hflip, fill reflect",
    "microscopy": "shift 0.1, dihedral, brightness 0.1, contrast 0.2, fill reflect",
    "series": "shift 0.05, warp 0.1, contrast 0.1, noise 0.01, fill nearest",
}
_EXAMPLE = 'write for example "rotate 10, shift 0.1, hflip" or "none"'
_KERAS = {"flip": "hflip", "horizontal_flip": "hflip", "vertical_flip": "vflip", "rotation_range": "rotate"}
_KERAS |= {"width_shift_range": "shift", "height_shift_range": "shift", "zoom_range": "zoom"}
NOT_OF_SERIES = ("rotate", "shear", "vflip", "dihedral", "erase")  # a single row has no second axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The changes that a training may make to a picture, with their greatest amounts.

    The module's text names each amount, its unit and its range. `fill` is what comes in from
    outside the picture: the nearest pixel, the picture mirrored at its edge (the edge pixel comes
    twice, as in SciPy's and Keras's "reflect"), or the constant `value`.
    """

    rotate: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    warp: float = 0.0
    hflip: bool = False
    vflip: bool = False
    dihedral: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    erase: float = 0.0
    noise: float = 0.0
    fill: str = "nearest"
    value: float = 0.0

    def __post_init__(self) -> None:
        for name, largest in LARGEST.items():
            _require_within(name, getattr(self, name), largest)
        _require_within("fill constant", self.value, 1.0)
        if self.fill not in FILLS:
            remedy = nearest(self.fill, FILLS)
            raise StriateError("no such fill", received=self.fill, where="--augment", remedy=remedy)
        if self.value and self.fill != "constant":
            received = f"fill {self.fill} {self.value}"
            raise StriateError("only fill constant takes a value", received=received, where="--augment")
        if self.dihedral and (self.hflip or self.vflip):
            rule, remedy = "dihedral holds both flips already", "leave hflip and vflip out"
            raise StriateError(rule, received=str(self), where="--augment", remedy=remedy)

    @property
    def interpolates(self) -> bool:
        """Whether pixels land between pixels; flips, symmetries and shifts alone move whole ones."""
        return bool(self.rotate or self.shear or self.zoom)

    @property
    def moves(self) -> bool:
        """Whether it changes where things are, so that boxes and masks must follow."""
        return self.interpolates or bool(self.warp or self.shift or self.hflip or self.vflip or self.dihedral)

    @property
    def changes(self) -> bool:
        return self.moves or bool(self.brightness or self.contrast or self.erase or self.noise)

    def require_axes(self, axes: int) -> None:
        """Raise StriateError where it asks for what samples of so many axes cannot do: 1 series, 2 pictures, 3."""
        wrong = next((name for name in (NOT_OF_SERIES if axes == 1 else ("warp",)) if getattr(self, name)), None)
        if wrong:
            rule = f"{wrong} is a change of {'pictures' if axes == 1 else 'series'}"
            raise StriateError(rule, received=str(self), where="--augment", remedy="leave it out")

    def __str__(self) -> str:
        """The one canonical line: `parse(str(recipe)) == recipe`."""
        items = []
        for name in (field.name for field in fields(self)):
            amount = getattr(self, name)
            if name in SWITCHES and amount:
                items.append(name)
            elif name in LARGEST and amount:
                items.append(f"{name} {_number_text(amount)}")
        if self.fill == "constant":
            items.append(f"fill constant {_number_text(self.value)}")
        elif self.fill != "nearest" or self.shift or self.interpolates:
            items.append(f"fill {self.fill}")
        return ", ".join(items) or "none"


def parse(text: str) -> Recipe:
    """The recipe that a line describes: items as in the module's text, or a name from RECIPES."""
    line = RECIPES.get(text.strip().lower(), text).lower()
    if line.strip() == "none":
        return Recipe()
    given: dict[str, float | bool | str] = {}
    for item in line.split(","):
        found = _item(item.replace("=", " ").split(), text)
        for name in found:
            if name in given:
                raise StriateError("each change stands once in a recipe", received=name, where=f"--augment {text}")
        given |= found
    return Recipe(**given)


def _item(words: list[str], line: str) -> dict[str, float | bool | str]:
    if not words:
        rule = "a recipe is a list of changes parted by commas"
        raise StriateError(rule, received=repr(line), where="--augment", remedy=_EXAMPLE)
    name, rest = words[0], words[1:]
    if name in SWITCHES and not rest:
        return {name: True}
    if name in LARGEST and len(rest) == 1:
        return {name: _number(rest[0], name)}
    if name == "fill" and rest[:1] == ["constant"] and len(rest) <= 2:
        return {"fill": "constant", "value": _number(rest[1], "fill constant") if rest[1:] else 0.0}
    if name == "fill" and len(rest) == 1:
        return {"fill": rest[0]}
    if name in RECIPES:
        rule, where = "the name of a recipe stands alone", f"--augment {line}"
        raise StriateError(rule, received=name, where=where, remedy=_EXAMPLE)
    known = [*LARGEST, *SWITCHES, "fill"]
    if name not in known:
        remedy = nearest(_KERAS.get(name, name), [*known, *RECIPES])
        raise StriateError("no change or recipe has this name", received=name, where="--augment", remedy=remedy)
    wants = "no number" if name in SWITCHES else "one of its words" if name == "fill" else "one number"
    raise StriateError(f"{name} takes {wants}", received=" ".join(words), where=f"--augment {line}", remedy=_EXAMPLE)


def _number(word: str, name: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise StriateError(f"{name} takes a number", received=word, where="--augment", remedy=_EXAMPLE) from None


def _require_within(name: str, amount: float, largest: float) -> None:
    if not 0 <= amount <= largest:
        raise StriateError(f"{name} is a number from 0 to {_number_text(largest)}", received=amount, where="--augment")


def _number_text(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
