"""What may be asked of a training, and its way through settings.toml."""

import tomllib
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from striate.errors import StriateError
from striate.train.settings import Settings, read_settings, settings_from, to_toml


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"page": "median"}, "page is a whole number, max or mean. received: 'median'. where: --page"),
        ({"page": -1}, "page lies between 0 and 65,535. received: -1"),
        ({"page": "max", "form": "volume"}, "that a volume takes together. received: max. where: --page"),
        ({"epochs": 0}, "epochs lies between 1 and 1,000,000. received: 0. where: --epochs"),
        ({"augment": "rotat 10"}, "did you mean 'rotate'?"),
        ({"network": "conv 3 x"}, "conv 3 x"),
        ({"network": "hella"}, "did you mean 'hela'?"),
        ({"epochs": 2.5}, "epochs is a whole number. received: 2.5"),
        ({"epochs": "3"}, "epochs is a whole number. received: '3'"),
        ({"epochs": True}, "epochs is a whole number. received: True"),
        ({"epochs": np.True_}, "epochs is a whole number. received: True"),
        ({"group": np.arange(60)}, "a word. received: ndarray of 60. where: --group. what to do: arrays go together"),
        ({"labels": [1] * 999}, "received: list of 999. where: --labels. what to do: arrays go together"),
        ({"minutes": 0}, "minutes lies between 0.1 and 100,000. received: 0"),
        ({"minutes": float("nan")}, "minutes lies between"),
        ({"minutes": 3, "epochs": 4}, "in epochs, not both. received: 3 and --epochs 4. where: --minutes"),
        ({"test": 1.5}, "test lies between 0 and 0.9"),
        ({"test": -0.1}, "test lies between 0 and 0.9"),
        ({"test": 0.5, "val": 0.45}, "leave pictures to learn from. received: 0.5 + 0.45"),
        ({"batch_size": 0}, "where: --batch-size"),
        ({"lr": 0}, "lr lies between 1e-08 and 100"),
        ({"lr": float("inf")}, "lr lies between"),
        ({"lr": "fast"}, "lr is a number. received: 'fast'"),
        ({"momentum": 1.0}, "momentum lies between 0 and 0.9999"),
        ({"weight_decay": -1}, "weight_decay lies between 0 and 10. received: -1. where: --weight-decay"),
        ({"members": 0}, "members lies between 1 and 100"),
        ({"smoothing": 0.95}, "smoothing lies between 0 and 0.9"),
        ({"seed": -1}, "seed lies between 0 and"),
        ({"workers": -1}, "workers lies between 0 and 256"),
        ({"patience": 0}, "patience lies between 1"),
        ({"channels": 0}, "channels are how many (1 grey, 3 colour, at most 64), or which"),
        ({"optimizer": "sdg"}, "optimizer is one of sgd, adam, adamw, muon. received: sdg. where: --optimizer"),
        ({"optimizer": "sdg"}, "what to do: did you mean 'sgd'?"),
        ({"balance": "weight"}, "did you mean 'weights'?"),
        ({"precision": "fp16"}, "precision is one of auto, fp32, bf16"),
        ({"img_size": "0"}, "a picture size is 64, or 66x200"),
        ({"img_size": "64x64x3"}, "a picture size is 64, or 66x200"),
        ({"img_size": "big"}, "a picture size is 64, or 66x200 for height x width, from 1 to 4096. received: big"),
        ({"img_size": "5000"}, "from 1 to 4096. received: 5000"),
        ({"img_size": "²"}, "a picture size is 64"),
        ({"epoch": 3}, "a setting is one that train knows. received: epoch. what to do: did you mean 'epochs'?"),
        ({"learning_rate": 3}, "a setting is one that train knows. received: learning_rate"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_option(options: dict, told: str) -> None:
    """Every option names its range or its choices, what was given and how it is written."""
    with pytest.raises(StriateError) as problem:
        settings_from(options)
    assert told in str(problem.value)


@pytest.mark.parametrize(
    ("written", "size"), [(None, None), ("64", (64, 64)), ("66x200", (66, 200)), ("66X200", (66, 200)), (50, (50, 50))]
)
def test_picture_sizes(written: object, size: tuple[int, int] | None) -> None:
    """One number is a square; two are height x width; a Python number is as good as a word."""
    assert settings_from({"img_size": written}).size == size


@pytest.mark.parametrize(("written", "page"), [("2", 2), (0, 0), ("max", "max"), ("mean", "mean")])
def test_pages_are_numbers_or_a_projection(written: object, page: int | str) -> None:
    """As typed and as in Python the same, in what is taken from a file as well."""
    assert (settings_from({"page": written}).page, settings_from({"page": written}).pick.page) == (page, page)


@pytest.mark.parametrize("name", ["network", "augment", "device", "out", "img_size", "group", "name", "task", "split"])
def test_a_word_must_be_a_word(name: str) -> None:
    """From Python, a list where a word belongs is refused in the same way, not with a traceback later."""
    with pytest.raises(StriateError, match=f"where: --{name.replace('_', '-')}"):
        settings_from({name: ["a"]})


def test_values_of_other_libraries_are_taken_as_pythons_own(tmp_path: Path) -> None:
    """Numbers of NumPy and torch, a device, a path and a tuple of sides are what the plain value is, also written."""
    numbers = {"seed": np.int64(3), "epochs": torch.tensor(2), "test": np.float64(0.25), "lr": np.float32(0.5)}
    given = settings_from({**numbers, "device": torch.device("cpu"), "name": Path("q"), "img_size": (66, 200)})
    words = {"device": "cpu", "name": "q", "img_size": "66x200"}
    plain = settings_from({"seed": 3, "epochs": 2, "test": 0.25, "lr": 0.5, **words})
    assert given == plain
    text = to_toml({"settings": asdict(given)})
    assert settings_from(tomllib.loads(text)["settings"]) == plain


def test_the_defaults_are_valid_and_frozen() -> None:
    """Settings without a word are the documented ones."""
    plain = Settings()
    assert (plain.test, plain.val, plain.seed, plain.workers, plain.out) == (0.2, None, 0, 2, "runs")
    with pytest.raises(AttributeError):
        plain.seed = 1


def test_limits_are_allowed() -> None:
    """The ends of a range belong to it."""
    settings_from({"epochs": 1, "batch_size": 65_536, "lr": 1e-8, "momentum": 0})
    settings_from({"seed": 2**62, "workers": 0, "test": 0, "val": 0, "minutes": 0.1})


TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)


WORDS = {"device": TEXTS, "group": st.none() | TEXTS, "name": st.none() | TEXTS, "out": TEXTS}
NUMBERS = {"minutes": st.none() | st.floats(0.1, 1e5), "seed": st.integers(0, 2**62), "test": st.floats(0, 0.4)}


@settings(deadline=None)
@given(st.builds(Settings, **WORDS, **NUMBERS, img_size=st.none() | st.just("66x200")))
def test_settings_go_through_toml_unchanged(tmp_path_factory: pytest.TempPathFactory, before: Settings) -> None:
    """Any words and numbers come back exactly from settings.toml, which is valid TOML; None is left out."""
    run = {"source": "a", "data": "0f", "on": True, "pairs": ((0.5, 1.0), (1.0, 2.0))}
    text = to_toml({"settings": asdict(before), "run": run})
    tables = tomllib.loads(text)
    valid = {name: _written(value) for name, value in asdict(before).items() if value is not None}
    assert tables["settings"] == valid
    assert tables["run"] == {**run, "pairs": [[0.5, 1.0], [1.0, 2.0]]}
    path = tmp_path_factory.getbasetemp() / "settings.toml"
    path.write_text(text, encoding="utf-8", newline="")
    after, _ = read_settings(path.parent)
    assert after == replace(before, **{name: value for name, value in valid.items() if isinstance(value, str)})


def _written(value: object) -> object:
    """Words that are no Unicode are written readably, as everywhere."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def test_a_broken_settings_file_is_named(tmp_path: Path) -> None:
    """Absent, unreadable or foreign: a resumed run says which file it needs."""
    path = tmp_path / "settings.toml"
    for content in (
        None,
        "not toml",
        "[other]\nx = 1\n",
        "[settings]\nepochs = 0\n",
        "[settings]\n[run]\nsource = 3\n",
    ):
        if content is not None:
            path.write_text(content)
        with pytest.raises(StriateError):
            read_settings(tmp_path)


def test_every_setting_tells_its_help() -> None:
    """Each field has a group and a sentence for --help, and choices are among its allowed values."""
    for item in fields(Settings):
        assert item.metadata["group"]
        assert item.metadata["help"]
        choices = item.metadata["choices"]
        assert not choices or item.default is None or item.default in choices


@pytest.mark.parametrize(
    ("written", "count", "picked"),
    [
        (None, None, ()), ("3", 3, ()), (1, 1, ()), ("0,2", 2, (0, 2)), ("2,", 1, (2,)), ((4, 0, 1), 3, (4, 0, 1)),
        ([7], 1, (7,)), ("1, 2", 2, (1, 2)),
    ],
)  # fmt: skip
def test_channels_are_a_number_or_a_list_of_numbers(written: object, count: int | None, picked: tuple) -> None:
    """How many channels, or which; kept as the text of the command line, so that a run reads them back."""
    settings = Settings(channels=written, page=2)
    assert (settings.channel_count, settings.pick.channels, settings.pick.page) == (count, picked, 2)
    again = Settings(channels=settings.channels)
    assert (again.channel_count, again.pick.channels) == (count, picked)


@pytest.mark.parametrize("written", ["a", "1,b", ",", "1,,2", "-1,2", True, (), "65", ",1"])
def test_channels_of_another_form_are_refused(written: object) -> None:
    """What is neither a number nor a list of numbers names the option."""
    with pytest.raises(StriateError, match="--channels"):
        Settings(channels=written)
