"""Channels in files of their own: microscopes write field_w1.tif and field_w2.tif, and both are one picture.

The names of such files differ in a word each, and these words ("_w1", "_w2"), in order, are the channels. Any of the
files stands for the picture; the others are found beside it whenever it is read.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from striate.data.sample import Found, text_of

Other = TypeVar("Other")

# What microscopes and people write for channels, in names: w1, ch00, C2, channel 1, and stains or colours by name.
_NUMBERED = r"(?:w|ch?|chan(?:nel)?)[ _-]?\d{1,2}"
_STAINS = "dapi|hoechst|e?gfp|yfp|cfp|rfp|mcherry|fitc|tritc|cy[357]|tx_?red|texasred|actin|tubulin|er|rna|agp|mito|dna"
_COLOURS = "red|green|blue|yellow"
_CHANNEL = re.compile(
    rf"(?:^|[_.\- ])(?:{_NUMBERED}|{_STAINS}|{_COLOURS})(?![^\W_])"
    r"|-ch\d{1,2}(?=sk\d)"  # Opera's and Operetta's r01c01f01p01-ch1sk1fk1fl1
    r"|(?<=\d)[dC]\d{1,2}(?=\.\w+$)",  # Cellomics' A01f00d0, CellVoyager's A01Z01C01
    re.IGNORECASE,
)
_MOST, _FEWEST = 12, 5  # channels that a hint tells; pictures that it takes


def files_of(path: Path, words: Sequence[str]) -> list[Path]:
    """The files of the picture that `path` is a channel of, in the order of `words`; itself alone where its name has
    none of them, or none are given."""
    place = _place(path.name, tuple(words))
    if place is None:
        return [path]
    begin, end, _ = place
    return [path.with_name(f"{begin}{word}{end}") for word in words]


def called(path: str, words: Sequence[str]) -> str:
    """A path, or a name as a table has it, without the word of its channel: as the picture is called."""
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    place = _place(name, tuple(words))
    if place is None:
        return path
    begin, end, _ = place
    return f"{folder}{slash}{begin}{end}" if begin else f"{folder}{slash}{end.lstrip('_-. ')}"


def once(items: Iterable[tuple[str, Other]], words: Sequence[str]) -> Iterator[tuple[str, Other]]:
    """Names and sources without the files that are another channel of a picture before them."""
    seen = set()
    for name, source in items:
        files = tuple(files_of(source, words)) if words and isinstance(source, Path) else ()
        if len(files) < 2 or files not in seen:
            yield name, source
        seen.update([files] if len(files) > 1 else [])


def united(found: Found, words: Sequence[str]) -> Found:
    """What was found, with one sample for all channels of a picture; what lacks a channel, or the words, is left out.
    Samples that are no files have their channels in them."""
    if not words:
        return found
    kept, lost, sets = [], [], defaultdict(list)
    for sample in found.samples:
        files = files_of(sample.source, words) if isinstance(sample.source, Path) else ()
        if len(files) == 1:
            lost.append(sample.left_out(f"none of the channels' words ({', '.join(words)}) is in its name"))
        else:
            sets[tuple(files) or sample.path].append(sample)
    for files, samples in sets.items():
        if missing := [file.name for file in files if isinstance(file, Path) and not file.is_file()]:
            reason = f"no {', '.join(missing)} beside it, a channel"
        elif len({(text_of(sample.target), sample.group, sample.part) for sample in samples}) > 1:
            reason = "its channels are given different labels, groups or parts"
        else:
            kept.append(samples[0])
            continue
        lost += [sample.left_out(reason) for sample in samples]
    note = f"{len(kept):,} pictures of {len(words)} files each, one per channel: {', '.join(words)}"
    return replace(found, samples=kept, left_out=[*found.left_out, *lost], notes=(*found.notes, note))


def words_in(paths: Iterable[str]) -> tuple[tuple[str, ...], list[list[int]]]:
    """The words in which files that seem to be the channels of one picture differ, and the numbers of the paths that
    belong together; nothing unless nearly all names of a folder come in sets of the same two or more words."""
    sets = defaultdict(dict)
    for number, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        last = next(reversed(list(_CHANNEL.finditer(name))), None)
        key, word = (path, "") if last is None else ((folder, name[: last.start()], name[last.end() :]), last[0])
        sets[key][word] = number
    found = Counter(tuple(sorted(each, key=_by_number)) for each in sets.values())
    words, times = found.most_common(1)[0] if sets else ((), 0)
    if not 1 < len(words) <= _MOST or times < max(0.9 * len(sets), _FEWEST, len(words) + 1):
        return (), []
    return words, [list(each.values()) for each in sets.values() if len(each) > 1]


def _by_number(word: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", word)]


@cache
def _pattern(word: str) -> re.Pattern:
    """The word where it stands by itself: "_w1" is not in "_w10"."""
    before, after = (r"\d" if end.isdigit() else r"[^\W\d_]" if end.isalpha() else "" for end in (word[0], word[-1]))
    return re.compile(f"(?<!{before})" * bool(before) + re.escape(word) + f"(?!{after})" * bool(after))


def _place(name: str, words: tuple[str, ...]) -> tuple[str, str, int] | None:
    """What stands before and behind the last of the words in a name, and the number of this word; None for none."""
    found = [(match.start(), match.end(), k) for k, word in enumerate(words) for match in _pattern(word).finditer(name)]
    if not found:
        return None
    start, end, number = max(found)
    return name[:start], name[end:], number
