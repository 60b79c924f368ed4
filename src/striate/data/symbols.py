"""Text as symbols: every character is one of 96, each of which has a channel of its own.

Zhang, Zhao and LeCun 2015, "Character-level convolutional networks for text classification". Their alphabet has 70
symbols and drops every other letter; here those share the symbols that are left over, by a fixed hash.
"""

import unicodedata

import numpy as np

KNOWN = " !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"  # small ASCII
OTHERS = 27  # symbols that all other characters share
SYMBOLS = len(KNOWN) + OTHERS
_NUMBERS = {character: number for number, character in enumerate(KNOWN)}


def symbols_of(text: str) -> np.ndarray:
    """(1, n) uint8, n at least 1: the number of each character of a text, in small letters (NFKC), white space as one
    blank. 0 to 68 are those of KNOWN, the rest stands for all other characters."""
    plain = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    return np.array([[_number(character) for character in plain or " "]], np.uint8)


def as_channels(symbols: np.ndarray, length: int) -> np.ndarray:
    """(1, n) or (1, n, 1) of symbols as (1, length, SYMBOLS) uint8: 255 in the channel of each, 0 elsewhere.

    A longer text is cut at its end, a shorter one followed by places without any symbol.
    """
    row = symbols.reshape(-1)[:length]
    out = np.zeros((1, length, SYMBOLS), np.uint8)
    out[0, np.arange(len(row)), np.minimum(row, SYMBOLS - 1)] = 255
    return out


def spelled(channels: np.ndarray) -> str:
    """The text that `as_channels` (1, length, SYMBOLS) shows, with "□" for characters that share a symbol."""
    lit = channels[0].any(axis=1)
    row = channels[0].argmax(axis=1)[lit]
    return "".join(KNOWN[number] if number < len(KNOWN) else "□" for number in row)


def _number(character: str) -> int:
    known = _NUMBERS.get(character)
    return len(KNOWN) + ((ord(character) * 0x9E3779B1 & 0xFFFFFFFF) * OTHERS >> 32) if known is None else known
