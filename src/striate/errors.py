"""What people see when something is wrong: the rule, what was received, where, and what to do.

This module imports nothing of striate, so that every other one can raise these errors.
"""

from collections.abc import Container, Sequence


class StriateError(Exception):
    """A problem that the user can mend; the command line prints it and ends with exit code 2.

    rule: what must hold, as a sentence without its full stop.
    received: the value that broke it.
    where: file, option or layer.
    remedy: what to do next.
    """

    def __init__(self, rule: str, *, received: object = None, where: object = None, remedy: str = "") -> None:
        self.rule, self.received, self.where, self.remedy = rule, received, where, remedy
        parts = [rule]
        if received is not None:
            parts.append(f"received: {received}")
        if where is not None:
            parts.append(f"where: {where}")
        if remedy:
            parts.append(f"what to do: {remedy}")
        text = ". ".join(part.rstrip(".") for part in parts)
        super().__init__(printable(text if text.endswith("?") else text + "."))


def printable(text: str) -> str:
    """`text` on one line that any terminal can show, with line breaks and the like as \\n, \\x1b, \\udcff."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: float, noun: str) -> str:
    """A number with its noun: "1 epoch", "1,200 pictures", "2.5 minutes", "2 classes", "3 copies"."""
    several = noun[:-1] + "ies" if noun.endswith("py") else noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,g} {noun if number == 1 else several}" if number < 1e6 else f"{number:,.0f} {several}"


def say(value: float) -> str:
    """A number for people: four significant digits and a true minus."""
    return f"{value:.4g}".replace("-", "−")


def first_few(items: Sequence[object], count: int = 5) -> str:
    """The first few of many, joined by commas, with how many more there are."""
    shown = ", ".join(str(item) for item in items[:count])
    return shown if len(items) <= count else f"{shown} and {len(items) - count:,} more"


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Rows of cells as lines, in columns; those numbered in `right` end where the others begin."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def in_short(error: Exception) -> str:
    """What another library says of a problem, on one line and not too long; what kind it is where it says nothing."""
    return " ".join(str(error).split())[:160] or type(error).__name__


def nearest(word: object, known: Sequence[str]) -> str:
    """A remedy for a misspelt word: the nearest known one, those that begin with it, or all of them."""
    from difflib import get_close_matches

    if len(begun := [one for one in known if one.startswith(str(word))]) > 1:
        known, word = begun, ""
    bare = {one.removeprefix("--"): one for one in known}  # the dashes of options make them no more alike
    plain = str(word).removeprefix("--")
    begins = [one for one in bare if len(one) > 3 and plain.startswith(one)]
    close = get_close_matches(plain, bare, n=1, cutoff=0.65) or begins
    return f"did you mean {bare[close[0]]!r}?" if close else f"choose one of {', '.join(known)}"
