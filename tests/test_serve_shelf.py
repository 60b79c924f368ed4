"""The shelf: bounded, and each thing made once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from striate.serve.shelf import Shelf


def test_the_longest_unused_goes_first() -> None:
    """Bytes stay within the bound, finding counts as use, and one thing larger than the bound is kept alone."""
    shelf: Shelf[str] = Shelf(10)
    for name in "abc":
        shelf.put(name, name, 4)
    assert (shelf.values(), shelf.bytes) == (["b", "c"], 8)
    assert shelf.find("a") is None
    assert shelf.find("b") == "b"
    shelf.put("d", "d", 4)
    assert (shelf.values(), shelf.bytes) == (["b", "d"], 8)
    shelf.put("b", "B", 1)
    assert (shelf.values(), shelf.bytes) == (["d", "B"], 5)
    shelf.put("huge", "huge", 99)
    assert (shelf.values(), shelf.bytes) == (["huge"], 99)


def test_a_thing_is_made_once_for_all_who_ask() -> None:
    """Sixteen who ask at once for one of two things get the same two objects, made one at a time."""
    shelf: Shelf[list] = Shelf(1e9)
    together, making, most = threading.Barrier(16), [0], []

    def make() -> list:
        making[0] += 1
        most.append(making[0])
        made = [threading.get_ident()]
        making[0] -= 1
        return made

    def ask(number: int) -> list:
        together.wait(20)
        return shelf.take(number % 2, make, len)

    with ThreadPoolExecutor(16) as pool:
        given = list(pool.map(ask, range(16)))
    assert len({id(thing) for thing in given}) == 2
    assert most == [1, 1]


def test_what_fails_is_not_kept() -> None:
    """An error reaches whoever asked, and the next one tries anew."""
    shelf: Shelf[str] = Shelf(10)
    with pytest.raises(ZeroDivisionError):
        shelf.take("a", lambda: 1 // 0, len)
    assert shelf.take("a", lambda: "made", len) == "made"


def test_what_is_there_is_had_while_another_is_made() -> None:
    """Making takes its time; finding does not wait for it."""
    shelf: Shelf[str] = Shelf(10)
    shelf.put("there", "there", 1)
    begun, free = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert free.wait(20)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shelf.take, "slow", slow, len)
        assert begun.wait(20)
        assert shelf.take("there", slow, len) == "there"
        free.set()
        assert waiting.result() == "slow"
