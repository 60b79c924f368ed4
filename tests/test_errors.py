"""What people see when something is wrong: rule, received, where, what to do."""

import pytest

from striate.errors import StriateError, aligned, counted, first_few, in_short, nearest


def test_the_text_has_every_part_in_order() -> None:
    """Parts are joined as sentences; the last ends with one full stop."""
    error = StriateError("a picture must be readable", received="0 bytes", where="a.png", remedy="copy it again.")
    assert str(error) == "a picture must be readable. received: 0 bytes. where: a.png. what to do: copy it again."
    assert (error.rule, error.received, error.where) == ("a picture must be readable", "0 bytes", "a.png")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "the rule."),
        ({"received": 0}, "the rule. received: 0."),
        ({"where": ""}, "the rule. where: ."),
        ({"remedy": "do it"}, "the rule. what to do: do it."),
    ],
)
def test_parts_that_are_not_given_are_left_out(given: dict, text: str) -> None:
    """None says nothing; 0 and an empty text are values like any other."""
    assert str(StriateError("the rule", **given)) == text


def test_first_few_counts_the_rest() -> None:
    """Up to five are shown, then how many more there are, with a comma for thousands."""
    assert first_few([]) == ""
    assert first_few(["a", "b"]) == "a, b"
    assert first_few(range(5)) == "0, 1, 2, 3, 4"
    assert first_few(range(6)) == "0, 1, 2, 3, 4 and 1 more"
    assert first_few(range(2005), 2) == "0, 1 and 2,003 more"


def test_columns_stand_below_each_other() -> None:
    """Two blanks between columns, numbers end in line, and no line ends in blanks."""
    assert aligned([("a", "10", "b"), ("long", "5", "")], right={1}) == ["a     10  b", "long   5"]


def test_what_a_library_says_is_one_short_line() -> None:
    """Lines become one, it is cut, and an exception without words says what it is."""
    assert in_short(ValueError("a  b\n\tc")) == "a b c"
    assert in_short(ValueError("x" * 1000)) == "x" * 160
    assert in_short(IndexError()) == in_short(IndexError("\n")) == "IndexError"


def test_nearest_word_or_all_of_them() -> None:
    """A slip gets the nearest word; what resembles nothing gets the list."""
    assert nearest("tran", ["train", "predict"]) == "did you mean 'train'?"
    assert nearest("sgdd", ["sgd", "adam"]) == "did you mean 'sgd'?"
    assert nearest("quux", ["sgd", "adam"]) == "choose one of sgd, adam"
    assert nearest("--model", ["--name", "--out"]) == "choose one of --name, --out"  # not alike by their dashes
    assert nearest("hlep", ["open", "--help"]) == "did you mean '--help'?"


def test_a_message_is_one_printable_line() -> None:
    """Line breaks, terminal codes and broken file names in what was received cannot spoil the terminal."""
    error = StriateError("the rule", received="a\nb\x1b[31m\udce9 猫", remedy="did you mean 'x'?")
    assert str(error) == "the rule. received: a\\nb\\x1b[31m\\udce9 猫. what to do: did you mean 'x'?"


def test_counted_speaks_of_one_and_of_many() -> None:
    """One epoch, two epochs, half minutes; large numbers in full."""
    assert [counted(n, "epoch") for n in (0, 1, 2, 1200)] == ["0 epochs", "1 epoch", "2 epochs", "1,200 epochs"]
    assert counted(2.5, "minute") == "2.5 minutes"
    assert counted(1_234_567, "picture") == "1,234,567 pictures"


def test_of_words_that_begin_alike_all_are_named() -> None:
    """Half a name is no slip of the finger: whoever types it is shown the rest."""
    assert nearest("res", ["res18", "other", "res50"]) == "choose one of res18, res50"
    assert nearest("oth", ["res18", "other", "res50"]) == "did you mean 'other'?"
