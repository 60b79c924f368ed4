"""The weights of filters that a person can choose by hand: by name, by parameters or written out."""

import inspect
import math
import re
from collections.abc import Callable, Mapping

import numpy as np

from striate.errors import StriateError, nearest

LARGEST = 999  # pixels along one side
FIXED = {
    "edge": "0 1 0; 1 -4 1; 0 1 0",
    "highpass": "0 -1 0; -1 4 -1; 0 -1 0",
    "horizontal": "-1 -1 -1; 0 0 0; 1 1 1",
    "vertical": "-1 0 1; -1 0 1; -1 0 1",
    "sobel-x": "-1 0 1; -2 0 2; -1 0 1",
    "sobel-y": "-1 -2 -1; 0 0 0; 1 2 1",
    "blur": "0 1 0; 1 1 1; 0 1 0",
    "sharpen": "0 -1 0; -1 5 -1; 0 -1 0",
}


def kernel(name_or_text: str, **parameters: float) -> np.ndarray:
    """The weights (kh, kw) float64 of a filter given by name or written out.

    Names: edge and highpass (centre against its four neighbours), horizontal (bottom row minus top
    row), vertical (right column minus left column), sobel-x, sobel-y, blur (the plus of five ones),
    sharpen, gaussian (parameters of `gaussian`), gabor (parameters of `gabor`). Parameters may also
    stand in the text: "gabor wavelength=8 orientation=45". Written out, rows are parted by
    semicolons or lines and weights by spaces or commas: "0 1 0; 1 -4 1; 0 1 0".
    """
    words = name_or_text.split()
    if ";" in name_or_text or not words or not words[0][0].isalpha():
        return _written_out(name_or_text)
    name = words[0].lower()
    pairs = (word.partition("=") for word in words[1:])
    written = {key: _number(value, "write name=number, as in gabor wavelength=8") for key, _, value in pairs}
    given = written | parameters
    if name == "sobel":
        raise StriateError(
            "sobel is the length of two filters' answers, not one filter",
            received=name_or_text,
            remedy="choose sobel-x or sobel-y, or call sobel(picture)",
        )
    if name in MADE:
        return _made(name, given)
    if name not in FIXED:
        raise StriateError("no filter has this name", received=name, remedy=nearest(name, kernel_names()))
    if given:
        raise StriateError("this filter has no parameters", received=", ".join(given), where=name)
    return _written_out(FIXED[name])


def kernel_names() -> list[str]:
    """Every name that `filter_picture` knows."""
    return [*FIXED, *MADE, "sobel"]


def gaussian(size: int | None = None, sigma: float | None = None) -> np.ndarray:
    """Bell-shaped weights (size, size) that sum to 1: a blur without a direction.

    Without `sigma` the binomial numbers of that size (default 3: 1 2 1 / 2 4 2 / 1 2 1 over 16);
    with `sigma` (in pixels) the bell itself, by default three sigmas wide to each side.
    """
    if sigma is None:
        count = _odd(3 if size is None else size)
        line = np.array([math.comb(count - 1, k) for k in range(count)], np.float64)
    else:
        _positive("sigma", sigma)
        half = _odd(2 * math.ceil(3 * sigma) + 1 if size is None else size) // 2
        line = np.exp(-(np.arange(-half, half + 1) ** 2) / (2.0 * sigma**2))
    line /= line.sum()
    return np.outer(line, line)


def gabor(
    wavelength: float = 4.0,
    orientation: float = 0.0,
    sigma: float | None = None,
    aspect: float = 1.0,
    phase: float = 0.0,
    size: int | None = None,
) -> np.ndarray:
    """A wave under a bell: the weights that answer to stripes of one width and direction.

    The real part of Daugman's two-dimensional Gabor function (J. Opt. Soc. Am. A 2, 1985, 1160),
    exp(-(u² + aspect² v²) / (2 sigma²)) · cos(2π u / wavelength + phase), with u along the wave.

    wavelength: pixels from stripe to stripe. orientation: degrees by which the wave's direction is
    turned from rightwards to downwards; 0 answers to vertical stripes. sigma: pixels, by default
    0.56 wavelengths (about one octave wide). aspect: below 1 makes the bell longer along the stripes.
    phase: degrees; 0 is even (a bar), 90 is odd (an edge). size: odd, by default three sigmas each way.
    """
    sigma = 0.56 * wavelength if sigma is None else sigma
    for name, value in {"wavelength": wavelength, "sigma": sigma, "aspect": aspect}.items():
        _positive(name, value)
    reach = 3 * sigma / min(aspect, 1.0)
    half = _odd(2 * math.ceil(reach) + 1 if size is None else size) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    angle = math.radians(orientation)
    u = x * math.cos(angle) + y * math.sin(angle)
    v = y * math.cos(angle) - x * math.sin(angle)
    bell = np.exp(-(u**2 + aspect**2 * v**2) / (2 * sigma**2))
    return bell * np.cos(2 * np.pi * u / wavelength + math.radians(phase))


MADE: dict[str, Callable[..., np.ndarray]] = {"gaussian": gaussian, "gabor": gabor}


def _written_out(text: str) -> np.ndarray:
    """Rows of numbers, as in "0 1 0; 1 -4 1; 0 1 0", or a row a line."""
    rows = [row.replace(",", " ").split() for row in re.split(r"\s*[;\n]\s*", text.strip().rstrip(";"))]
    remedy = 'write rows of the same length parted by semicolons, as in "0 1 0; 1 -4 1; 0 1 0"'
    if not all(rows):
        raise StriateError("a filter needs weights in every row", received=repr(text), remedy=remedy)
    if len({len(row) for row in rows}) > 1:
        lengths = ", ".join(str(len(row)) for row in rows)
        raise StriateError("every row of a filter has the same length", received=lengths, remedy=remedy)
    return np.array([[_number(word, remedy) for word in row] for row in rows])


def _number(word: str, remedy: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise StriateError("a filter is made of finite numbers", received=repr(word), remedy=remedy)
    return value


def _made(name: str, given: Mapping[str, float]) -> np.ndarray:
    known = list(inspect.signature(MADE[name]).parameters)
    for parameter in given:
        if parameter not in known:
            raise StriateError(f"{name} has no such parameter", received=parameter, remedy=nearest(parameter, known))
    return MADE[name](**given)


def _odd(size: float) -> int:
    if not 1 <= size <= LARGEST or size % 2 != 1:
        raise StriateError(
            f"a filter made by name has an odd size, so that it has a centre, of at most {LARGEST} pixels",
            received=size,
            remedy="choose size=3, 5, 7, ... or a smaller sigma",
        )
    return int(size)


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise StriateError(f"{name} must be more than 0", received=value)
