"""The settings of a training: one frozen record, from which the command line's options are made.

Nothing here imports torch, so that `striate --help` answers at once.
"""

import inspect
import re
from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import get_args

from striate.augment.recipe import parse
from striate.data.header import MOST_WORKERS, PROJECTIONS, Pick
from striate.errors import StriateError, nearest
from striate.files import named, readable, settings_of
from striate.network.catalog import line_of
from striate.tasks.table import TASKS

OPTIMIZERS = ("sgd", "adam", "adamw", "muon")
FORMS = ("auto", "picture", "series", "volume")  # besides text, which its column says
SYMMETRIES = ("auto", "none", "mirror", "dihedral")
SPLITS = ("content", "blocks")
BALANCES = ("auto", "none", "weights", "sampling")
PRECISIONS = ("auto", "fp32", "bf16")
LEAST_MINUTES = 0.2  # of each of several runs
LABELS_FROM = ("group", "labels", "label_column", "columns", "label_regex")  # where labels and groups come from
PLACES = ("task", *LABELS_FROM, "form", "text", "page")  # what to read
CHECK_SETTINGS = (*PLACES, "channels", "img_size", "seed", "device", "workers", "out")


def option(default: object, group: str, text: str, *flags: str, meta: str = "", choices: Collection[str] = ()) -> Field:
    """A dataclass field that is also an option of the command line."""
    metadata = {"group": group, "help": text, "flags": flags, "meta": meta, "choices": choices}
    return field(default=default, metadata=metadata)


NETWORK, BUDGET, DATA, LEARNING, MACHINE, RESULT = ("network", "budget", "data", "learning", "machine", "result")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person asked for; None and "auto" are decided from the data (see plan.py)."""

    network: str = option(
        "auto", NETWORK, "auto, a name (hela, digits, pilotnet, resnet18, ...) or a line of layers", "--model"
    )
    img_size: str | None = option(
        None, NETWORK, "picture size in pixels: 64, or 66x200 for height x width", "--imgsz", meta="SIZE"
    )
    channels: str | None = option(
        None, NETWORK, "1 for grey, 3 for colour, which of a picture's channels: 0,2 (one alone: 2,), or the words in "
        "which the names of their files differ: _w1,_w2", meta="N",
    )  # fmt: skip
    members: int | None = option(None, NETWORK, "an ensemble of N such networks; without it auto decides", meta="N")
    weights: str | None = option(
        None, NETWORK, "begin with these weights: a run, a model file, or a .safetensors file of another program",
        meta="MODEL",
    )  # fmt: skip
    epochs: int | None = option(None, BUDGET, "how often all training pictures are seen", meta="N")
    minutes: float | None = option(None, BUDGET, "time from start to report instead of epochs, e.g. 3", meta="M")
    patience: int | None = option(None, BUDGET, "stop N epochs after the best on validation, and keep that", meta="N")
    task: str | None = option(None, DATA, "what is learned, where the data leave it open", choices=TASKS)
    form: str = option("auto", DATA, "what is learned from, where the data leave it open", choices=FORMS)
    text: str | None = option(None, DATA, "learn from the texts in this column of a table", meta="COLUMN")
    page: int | str = option(0, DATA, "page or frame of files of several, from 0, or over all", meta="N|max|mean")
    test: float = option(0.2, DATA, "share of the pictures for the test part", meta="SHARE")
    val: float | None = option(None, DATA, "share of the validation part; else a tenth, and less of many", meta="SHARE")
    repeats: int | None = option(None, DATA, "train N times, with seeds from --seed on: mean and spread", meta="N")
    folds: int | None = option(None, DATA, "train K times, each of K folds the test part once", meta="K")
    split: str = option(
        "content", DATA, "by content, or in blocks of the order given (video, series): train first, test last",
        choices=SPLITS,
    )  # fmt: skip
    group: str | None = option(
        None, DATA, "keep groups in one part: 'parent', 'PatientID', a table's column, or an expression on the path"
    )
    labels: str | None = option(None, DATA, "a CSV or TSV table with the labels of FOLDER's pictures", meta="FILE")
    label_column: str | None = option(
        None, DATA, "the table's column of labels or numbers, or several with commas; by name, or number from 0",
        meta="NAME",
    )  # fmt: skip
    columns: str | None = option(None, DATA, "names for a table's columns if it has none, with commas", meta="NAMES")
    label_regex: str | None = option(
        None, DATA, "the label in the picture's file name: '_(cat|dog)_' finds what the brackets match", meta="PATTERN"
    )
    augment: str = option(
        "auto", DATA, "random changes: auto, none, a name (hela, digits, photo, microscopy) or a recipe"
    )
    symmetry: str = option(
        "auto", DATA, "turns that keep labels true: auto finds out, dihedral is all of them", choices=SYMMETRIES
    )
    mirror_negates: str | None = option(
        None, DATA, "columns of numbers, with commas, whose sign a mirrored picture turns round: steering", meta="NAMES"
    )
    balance: str = option("auto", DATA, "what to do about rare classes", choices=BALANCES)
    batch_size: int | None = option(None, LEARNING, "pictures per step", "-b", "--batch", meta="N")
    optimizer: str | None = option(None, LEARNING, "how weights are changed", choices=OPTIMIZERS)
    lr: float | None = option(None, LEARNING, "highest learning rate", meta="RATE")
    momentum: float | None = option(None, LEARNING, "momentum of SGD and Muon", meta="X")
    weight_decay: float | None = option(None, LEARNING, "how strongly filters are pulled to zero", meta="X")
    smoothing: float | None = option(None, LEARNING, "label smoothing, from 0", meta="X")
    seed: int = option(0, LEARNING, "the same seed gives the same weights on the same machine", meta="N")
    device: str = option("auto", MACHINE, "auto, cpu, cuda, cuda:1")
    precision: str = option("auto", MACHINE, "auto measures whether bf16 pays", choices=PRECISIONS)
    workers: int = option(2, MACHINE, "processes that decode pictures; 0: none, unprotected", "-j", meta="N")
    out: str = option("runs", RESULT, "where run folders go", "--project", meta="FOLDER")
    name: str | None = option(None, RESULT, "name of the run folder", meta="NAME")

    def __post_init__(self) -> None:
        self._require_values()
        self._require_agreement()
        if self.network.strip() != "auto":
            line_of(self.network)  # misspelt, it is refused before all pictures are read
        if self.augment != "auto":
            parse(self.augment)
        if self.channels is not None:
            object.__setattr__(self, "channels", _channels(self.channels))
        for name in ("labels", "weights"):  # a run may be resumed from another folder
            if (path := getattr(self, name)) is not None and Path(path := named(path)).exists():
                object.__setattr__(self, name, str(Path(path).absolute()))

    def _require_values(self) -> None:
        """Each setting by itself is what it can be."""
        for item in fields(self):
            name, value, choices = item.name, _plain(item.name, getattr(self, item.name)), item.metadata["choices"]
            object.__setattr__(self, name, value)
            if value is None or (name == "page" and value in PROJECTIONS):
                continue
            kinds = get_args(item.type) or (item.type,)
            if kinds[0] is str:
                fits, what = name in _FREE or isinstance(value, str), "a word"
            else:
                kind, what = (int | float, "a number") if float in kinds else (int, "a whole number")
                fits = isinstance(value, kind) and not isinstance(value, bool)
            if not fits:
                many = hasattr(value, "__len__") and not isinstance(value, str)
                told = f"{type(value).__name__} of {len(value):,}" if many else repr(value)
                remedy = "arrays go together: (pictures, labels, groups)" if many and name in LABELS_FROM else ""
                _refuse(name, told, f"{name} is {what}{', max or mean' * (name == 'page')}", remedy)
            low, high = _RANGES.get(name, (None, None))
            if low is not None and not low <= value <= high:
                _refuse(name, value, f"{name} lies between {low:,} and {high:,}")
            if choices and value not in choices:
                _refuse(name, value, f"{name} is one of {', '.join(choices)}", nearest(str(value), choices))
        if self.runs > 1 and self.minutes is not None and self.minutes < LEAST_MINUTES * self.runs:
            rule = f"every run needs at least {LEAST_MINUTES:g} minutes, its scores and report included"
            _refuse("minutes", f"{self.minutes:g} for {self.runs} runs", rule)
        self.size  # noqa: B018 - reading it checks the form

    def _require_agreement(self) -> None:
        """Settings do not contradict each other."""
        if self.test + (self.val or 0) >= 0.95:
            rule = "the test and validation shares leave pictures to learn from"
            _refuse("test", f"{self.test:g} + {self.val:g}", rule)
        if self.symmetry != "auto" and self.augment != "auto":
            rule, remedy = "a recipe says itself which symmetries it has", "write hflip or dihedral into the recipe"
            _refuse("symmetry", f"{self.symmetry} and --augment {self.augment}", rule, remedy)
        if self.epochs is not None and self.minutes is not None:
            rule = "a budget is given in minutes or in epochs, not both"
            _refuse("minutes", f"{self.minutes:g} and --epochs {self.epochs}", rule)

        if self.page in PROJECTIONS and self.form == "volume":
            _refuse("page", self.page, "a projection makes one picture of the pages that a volume takes together")

    @property
    def runs(self) -> int:
        """How often to train."""
        return (self.repeats or 1) * (self.folds or 1)

    @property
    def pick(self) -> Pick:
        """The page and the channels asked for by their numbers or by words."""
        named = self.channels.split(",") if self.channels and "," in self.channels else ()
        return Pick(page=self.page, channels=tuple(int(one) if one.isdigit() else one for one in named if one))

    @property
    def channel_count(self) -> int | None:
        """How many channels are asked for, or None."""
        return len(self.pick.channels) or (int(self.channels) if self.channels else None)

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) asked for, or None."""
        return None if self.img_size is None else size_of(self.img_size, "img_size")


_FREE = ("img_size", "channels")  # numbers too; their own rules say what they may be
_RANGES = {
    "repeats": (1, 1000), "folds": (2, 1000), "epochs": (1, 1_000_000), "minutes": (0.1, 100_000),
    "patience": (1, 1_000_000), "test": (0, 0.9), "val": (0, 0.9), "batch_size": (1, 65_536),
    "lr": (1e-8, 100), "momentum": (0, 0.9999), "weight_decay": (0, 10), "smoothing": (0, 0.9),
    "seed": (0, 2**62), "workers": (0, MOST_WORKERS), "page": (0, 65_535), "members": (1, 100),
}  # fmt: skip


def _plain(name: str, value: object) -> object:
    """A value as settings.toml has it: numbers of NumPy's as Python's own, paths and devices as words, sizes 66x200."""
    if getattr(value, "shape", None) == ():
        return value.item()
    if isinstance(value, Path) or type(value).__name__ == "device":
        return str(value)
    if name == "page" and str(value).isdecimal():
        return int(value)
    return "x".join(map(str, value)) if name == "img_size" and isinstance(value, tuple | list) else value


def size_of(asked: str | int, name: str) -> tuple[int, int]:
    """(height, width) that an option of this name asks for."""
    parts = str(asked).lower().split("x")
    if len(parts) > 2 or not all(part.isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        _refuse(name, asked, "a picture size is 64, or 66x200 for height x width, from 1 to 4096")
    return int(parts[0]), int(parts[-1])


def settings_from(options: dict[str, object]) -> Settings:
    """Settings from named values; an unknown name gets the nearest known one."""
    known = [item.name for item in fields(Settings)]
    for name in options:
        if name not in known:
            raise StriateError("a setting is one that train knows", received=name, remedy=nearest(name, known))
    return Settings(**options)


def name_options(function: Callable, names: Collection[str]) -> None:
    """Let a function's signature and help name these fields of Settings, in place of **options (and of *more)."""
    known, told = [one for one in fields(Settings) if one.name in names], inspect.signature(function)
    kind = inspect.Parameter.KEYWORD_ONLY
    each = [inspect.Parameter(one.name, kind, default=one.default, annotation=one.type) for one in known]
    kept = [one for one in told.parameters.values() if not str(one).startswith("*")]
    function.__signature__ = told.replace(parameters=[*kept, *each])
    lines = (f"{one.name} {'|'.join(one.metadata['choices'])}".rstrip() + f": {one.metadata['help']}" for one in known)
    function.__doc__ = "\n".join([f"{inspect.getdoc(function)}\n", *lines])


def to_toml(tables: dict[str, dict[str, object]]) -> str:
    """Tables of plain values as TOML text; None is left out."""
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{k} = {_toml(v)}" for k, v in values.items() if v is not None), ""]
    return "\n".join(lines)


def read_settings(run: Path) -> tuple[Settings, dict]:
    """The settings of a run and all tables of its settings.toml."""
    tables = settings_of(run)
    is_whole = all(isinstance(tables.get(name), dict) for name in ("settings", "run"))
    if not (is_whole and all(isinstance(tables["run"].get(name), str) for name in ("source", "data"))):
        rule, remedy = "settings.toml of a run has [settings], and source and data in [run]", "start a new run"
        raise StriateError(rule, received=", ".join(tables) or "none", where=run / "settings.toml", remedy=remedy)
    return settings_from(tables["settings"]), tables


def _channels(asked: object) -> str:
    """How many channels ("3"), or which ("0,2", one alone "2,"; "_w1,_w2" of files), of text, a number or several."""
    text = ",".join(map(str, asked)) + "," * (len(asked) == 1) if isinstance(asked, tuple | list) else str(asked)
    text = ",".join(word.strip() for word in text.split(","))
    number = r"\d{1,5}"
    if re.fullmatch(number, text) and 1 <= int(text) <= 64:
        return text
    words = text.split(",")
    if 1 < len(words) <= 64 and len({*words}) == len(words) and not any(word.isdigit() or not word for word in words):
        return text
    if not re.fullmatch(f"{number}(,{number}){{1,63}},?|{number},", text):
        rule = "channels are how many (1 grey, 3 colour, at most 64), or which of a picture's, as in 0,2 or 2,"
        _refuse("channels", repr(asked), f"{rule} by number and _w1,_w2 by the words that tell their files apart")
    return text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = readable(str(value)).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in escaped) + '"'


def _refuse(name: str, received: object, rule: str, remedy: str = "") -> None:
    raise StriateError(rule, received=received, where=f"--{name.replace('_', '-')}", remedy=remedy)
