"""Filters by hand: weights, sliding, padding, pooling."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from striate.errors import StriateError
from striate.inside import filters

sides = st.integers(1, 5)


def numbers(*shape: int) -> np.ndarray:
    """Whole numbers, so that every order of summing gives the same float64."""
    return np.random.default_rng(shape).integers(-50, 50, shape)


@settings(deadline=None)
@given(
    picture=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    weights=st.tuples(sides, sides),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    margin=st.integers(0, 4),
)
def test_convolve_is_scipys_correlation(
    picture: tuple[int, int], weights: tuple[int, int], stride: int, dilation: int, margin: int
) -> None:
    """With zeros all round, every stride and dilation, it is SciPy's correlate2d of a stretched filter."""
    spans = [dilation * (side - 1) + 1 for side in weights]
    assume(all(span <= side + 2 * margin for span, side in zip(spans, picture, strict=True)))
    pixels, kernel = numbers(*picture), numbers(*weights)
    stretched = np.zeros(spans)
    stretched[::dilation, ::dilation] = kernel
    wanted = signal.correlate2d(np.pad(pixels, margin), stretched, mode="valid")[::stride, ::stride]
    result = filters.convolve(pixels, kernel, stride, margin, dilation)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, wanted)
    if margin == 0:
        np.testing.assert_array_equal(filters.convolve(pixels, kernel, stride, "valid", dilation), wanted)


@pytest.mark.parametrize(("padding", "mode"), [("same", "constant"), ("reflect", "mirror")])
@pytest.mark.parametrize("weights", [(3, 3), (1, 5), (5, 3), (4, 4), (2, 3)])
def test_same_and_reflect_are_scipys(padding: str, mode: str, weights: tuple[int, int]) -> None:
    """The size stays; `reflect` is SciPy's "mirror"; with an even filter the odd margin is after."""
    pixels, kernel = numbers(9, 11), numbers(*weights)
    # SciPy sets the centre of an even filter after the middle, and we before it.
    origin = tuple(-1 if side % 2 == 0 else 0 for side in weights)
    wanted = ndimage.correlate(pixels.astype(float), kernel.astype(float), mode=mode, origin=origin)
    np.testing.assert_array_equal(filters.convolve(pixels, kernel, padding=padding), wanted)


@settings(deadline=None)
@given(width=st.integers(1, 40), filter=sides, stride=st.integers(1, 6), dilation=st.integers(1, 3))
def test_same_has_a_place_for_every_stride(width: int, filter: int, stride: int, dilation: int) -> None:
    """`same` gives W / S rounded up, as many zeros before as after or one less."""
    pixels = numbers(1, width)
    result = filters.convolve(pixels, numbers(1, filter), stride, "same", dilation)
    assert result.shape == (1, -(-width // stride))
    assert filters.output_size(width, filter, "same", stride, dilation) == result.shape[1]


def test_same_puts_the_odd_zero_after() -> None:
    """A 2 x 2 filter of ones on ones: only the last row and column meet zeros."""
    result = filters.convolve(np.ones((3, 3)), np.ones((2, 2)), padding="same")
    np.testing.assert_array_equal(result, [[4, 4, 2], [4, 4, 2], [2, 2, 1]])


def test_bands_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Working through the picture a few rows at a time gives the same map."""
    pixels, kernel = numbers(40, 30, 3), numbers(3, 4)
    whole = filters.convolve(pixels, kernel, 2, "reflect", 2)
    monkeypatch.setattr("striate.inside.filters.BAND_VALUES", 150)
    np.testing.assert_array_equal(filters.convolve(pixels, kernel, 2, "reflect", 2), whole)


def test_memory_is_bounded() -> None:
    """Beside picture and map, filtering needs only a few bands."""
    pixels, kernel = np.ones((1500, 1000)), filters.kernel("gaussian")
    tracemalloc.start()
    result = filters.convolve(pixels, kernel)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < result.nbytes + 3 * 8 * filters.BAND_VALUES


def test_colour_is_filtered_by_channel_or_summed() -> None:
    """A flat filter keeps the channels; one with channels sums over them, as a network's layer does."""
    pixels, kernel = numbers(8, 9, 3), numbers(3, 2, 3)
    apart = filters.convolve(pixels, kernel[:, :, 0], 2, 1)
    assert apart.shape == (4, 5, 3)
    for channel in range(3):
        alone = filters.convolve(pixels[:, :, channel], kernel[:, :, 0], 2, 1)
        np.testing.assert_array_equal(apart[:, :, channel], alone)
    summed = signal.correlate(pixels, kernel, mode="valid")[:, :, 0]
    np.testing.assert_array_equal(filters.convolve(pixels, kernel), summed)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.bool_])
def test_every_kind_of_number_is_summed_in_float64(dtype: type) -> None:
    """Bytes do not wrap round."""
    pixels = np.full((3, 3), 255).astype(dtype)
    assert filters.convolve(pixels, -np.ones((3, 3)))[0, 0] == -9 * float(pixels[0, 0])


def test_named_filters_are_as_documented() -> None:
    """Edge filters sum to zero, blurs to their weight, and the oriented ones point the right way."""
    weights = {name: filters.kernel(name) for name in filters.kernel_names() if name != "sobel"}
    for name in ("edge", "highpass", "horizontal", "vertical", "sobel-x", "sobel-y"):
        assert weights[name].sum() == 0
    assert weights["sharpen"].sum() == pytest.approx(1)
    assert weights["blur"].sum() == 5
    np.testing.assert_array_equal(weights["edge"], [[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    np.testing.assert_array_equal(weights["highpass"], -weights["edge"])
    np.testing.assert_array_equal(weights["horizontal"], weights["vertical"].T)
    down = np.arange(3)[:, None] * np.ones((1, 3))  # brighter from row to row
    assert filters.weighted_sum(down, weights["horizontal"]) == 6
    assert filters.weighted_sum(down, weights["vertical"]) == 0
    assert filters.weighted_sum(down, weights["sobel-y"]) == 8


def test_gaussian_is_as_documented() -> None:
    """Default 1 2 1 / 2 4 2 / 1 2 1 over 16; with sigma the sampled bell that SciPy uses."""
    np.testing.assert_array_equal(filters.kernel("gaussian") * 16, [[1, 2, 1], [2, 4, 2], [1, 2, 1]])
    np.testing.assert_allclose(filters.gaussian(5)[2] * 256, [6, 24, 36, 24, 6])
    point = np.zeros((31, 31))
    point[15, 15] = 1
    wanted = ndimage.gaussian_filter(point, 2.0, radius=6)[9:22, 9:22]
    np.testing.assert_allclose(filters.kernel("gaussian", sigma=2.0), wanted, atol=1e-15)
    assert filters.kernel("gaussian sigma=2 size=7").shape == (7, 7)


def test_gabor_is_as_documented() -> None:
    """Values by the formula at three pixels, and the answer is largest to its own stripes."""
    weights = filters.gabor(wavelength=4, sigma=2, aspect=0.5, size=9)
    assert weights[4, 4] == pytest.approx(1)
    assert weights[4, 6] == pytest.approx(-np.exp(-0.5))  # half a wave to the right, one sigma
    assert weights[8, 4] == pytest.approx(np.exp(-0.5))  # four down, halved by the aspect: one sigma
    np.testing.assert_allclose(filters.gabor(orientation=90), filters.gabor().T, atol=1e-15)
    odd = filters.gabor(phase=90)
    np.testing.assert_allclose(odd, -odd[:, ::-1], atol=1e-12)
    y, x = np.mgrid[:40, :40]
    for angle in (0, 30, 45, 120):
        turned = np.radians(angle)
        stripes = np.cos(2 * np.pi * (x * np.cos(turned) + y * np.sin(turned)) / 6)
        answers = {
            other: np.abs(filters.convolve(stripes, filters.gabor(6, other))).max() for other in (0, 30, 45, 120)
        }
        assert max(answers, key=answers.__getitem__) == angle


def test_sobel_is_the_length_of_both_gradients() -> None:
    """On a slope of 3 to the right and 4 down, it is 8 times 5 everywhere; SciPy agrees on noise."""
    y, x = np.mgrid[:5, :6]
    np.testing.assert_allclose(filters.sobel(3 * x + 4 * y), np.full((3, 4), 40.0))
    pixels = numbers(12, 9).astype(float)
    wanted = np.hypot(ndimage.sobel(pixels, 0, mode="mirror"), ndimage.sobel(pixels, 1, mode="mirror"))
    np.testing.assert_allclose(filters.sobel(pixels, padding="reflect"), wanted)


def test_text_becomes_weights() -> None:
    """Rows by semicolons or lines, weights by spaces or commas, any shape."""
    np.testing.assert_array_equal(filters.kernel("0 1 0; 1 -4 1; 0 1 0"), filters.kernel("edge"))
    np.testing.assert_array_equal(filters.kernel("1,2.5\t-3e-1 ; 4, 5,6;"), [[1, 2.5, -0.3], [4, 5, 6]])
    for text in ("0 1 0\n1 -4 1\n0 1 0", "0 1 0;\r\n1 -4 1;\r\n\r\n0 1 0\n"):
        np.testing.assert_array_equal(filters.kernel(text), filters.kernel("edge"))
    assert filters.kernel("-2").shape == (1, 1)
    np.testing.assert_array_equal(filters.kernel("Edge"), filters.kernel("edge"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("egde", "no filter has this name. received: egde. what to do: did you mean 'edge'?"),
        ("qqq", "choose one of edge, highpass, horizontal"),
        ("1 2; 3", "every row of a filter has the same length. received: 2, 1. what to do: write rows"),
        ("1 x; 3 4", "a filter is made of finite numbers. received: 'x'."),
        ("1 nan", "a filter is made of finite numbers. received: 'nan'."),
        ("", "a filter needs weights in every row. received: ''."),
        ("1 2;;3 4", "a filter needs weights in every row."),
        ("edge size=5", "this filter has no parameters. received: size. where: edge."),
        ("gabor wavelenth=3", "gabor has no such parameter. received: wavelenth. what to do: did you mean"),
        ("gabor wavelength", "write name=number, as in gabor wavelength=8"),
        ("gabor wavelength=0", "wavelength must be more than 0. received: 0.0."),
        (
            "gaussian size=4",
            "has an odd size, so that it has a centre, of at most 999 pixels. received: 4.0.",
        ),
        ("gaussian sigma=1e9", "or a smaller sigma"),
        ("sobel", "choose sobel-x or sobel-y, or call sobel(picture)"),
    ],
)
def test_wrong_filters_are_explained(text: str, message: str) -> None:
    """Each mistake names the rule, what was received and a way out."""
    with pytest.raises(StriateError) as caught:
        filters.kernel(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": np.ones((5, 1))}, "not be larger than the picture under it. received: 5 pixels on 4"),
        ({"dilation": 2}, "received: 5 pixels on 4."),
        ({"stride": 0}, "stride is a whole number of pixels, 1 or more. received: 0."),
        ({"dilation": 0}, "dilation is a whole number of pixels, 1 or more. received: 0."),
        ({"padding": "sane"}, "received: sane. what to do: did you mean 'same'?"),
        ({"padding": -1}, "padding is valid, same, reflect or a whole number of pixels, 0 or more"),
        (
            {"padding": "reflect", "kernel": np.ones((11, 1))},
            "a picture larger than the margin that it fills",
        ),
        ({"picture": np.ones(4)}, "(height, width, channels). received: shape (4,) of float64."),
        ({"picture": np.array([["a"]])}, "a picture is an array of numbers"),
        ({"kernel": np.ones(3)}, "received: filter (3,), picture (4, 4)."),
        ({"kernel": np.ones((3, 3, 3))}, "received: filter (3, 3, 3), picture (4, 4)."),
        ({"kernel": np.ones((0, 3))}, "filter size is a whole number of pixels, 1 or more. received: 0."),
    ],
)
def test_wrong_sliding_is_explained(change: dict, message: str) -> None:
    """Each impossible size, step or margin is refused with its numbers."""
    options = {"picture": np.ones((4, 4)), "kernel": np.ones((3, 3)), **change}
    with pytest.raises(StriateError) as caught:
        filters.convolve(**options)
    assert message in str(caught.value)


def test_grey_is_the_tutorials() -> None:
    """0.2989 R + 0.5870 G + 0.1140 B; grey stays grey; other channels are refused."""
    colour = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    wanted = [[76.2195, 149.685, 29.07, 2.989 + 11.74 + 3.42]]
    np.testing.assert_allclose(filters.to_grey(colour), wanted, rtol=1e-14)
    np.testing.assert_array_equal(filters.to_grey(colour[:, :, :1]), [[255, 0, 0, 10]])
    np.testing.assert_array_equal(filters.to_grey(colour[:, :, 0]), [[255, 0, 0, 10]])
    with pytest.raises(StriateError, match=r"1 or 3 channels\. received: 2"):
        filters.to_grey(np.ones((2, 2, 2)))


@settings(deadline=None)
@given(
    picture=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.integers(1, 4),
    stride=st.integers(1, 4),
)
def test_pool_is_every_patch_by_itself(picture: tuple[int, int], size: int, stride: int) -> None:
    """Largest and mean value of every patch, found one by one."""
    assume(size <= min(picture))
    pixels = numbers(*picture, 2)
    starts = [range(0, side - size + 1, stride) for side in picture]
    patches = [[pixels[y : y + size, x : x + size] for x in starts[1]] for y in starts[0]]
    largest = [[patch.max(axis=(0, 1)) for patch in row] for row in patches]
    means = [[patch.mean(axis=(0, 1)) for patch in row] for row in patches]
    np.testing.assert_array_equal(filters.pool(pixels, size, stride), largest)
    np.testing.assert_allclose(filters.pool(pixels, size, stride, "average"), means, atol=1e-12)


def test_pooling_mistakes_are_explained() -> None:
    """An unknown way, a patch larger than the picture and an empty patch are refused."""
    for options, message in (
        ({"size": 2, "how": "mean"}, "pooling is max or average. received: mean"),
        ({"size": 5}, "received: 5 pixels on 4"),
        ({"size": 0}, "filter size is a whole number of pixels, 1 or more. received: 0"),
    ):
        with pytest.raises(StriateError, match=message):
            filters.pool(np.ones((4, 4)), **options)


def test_weighted_sum_needs_one_shape() -> None:
    """Patch and filter must cover each other."""
    with pytest.raises(StriateError, match=r"received: \(2, 2\) and \(2, 3\)"):
        filters.weighted_sum(np.ones((2, 2)), np.ones((2, 3)))


def test_filter_picture_tells_its_sizes() -> None:
    """The result holds the grey picture, weights, map and the arithmetic of its size in numbers."""
    picture = numbers(480, 480, 3).astype(np.uint16)
    result = filters.filter_picture(picture, "edge")
    assert result.formula == "((480 − 3 + 2·0)/1) + 1 = 478"
    assert result.feature_map.shape == (478, 478)
    np.testing.assert_array_equal(result.grey, filters.to_grey(picture))
    np.testing.assert_array_equal(result.feature_map, filters.convolve(result.grey, result.kernels[0]))
    wide = filters.filter_picture(picture[:100, :200], "1 0; 0 1", 3, "same")
    assert wide.formula == "width ((200 − 2 + 2·0)/3) + 1 = 67, height ((100 − 2 + (0 + 1))/3) + 1 = 34"
    assert wide.feature_map.shape == (34, 67)
    assert filters.size_formula(4, 2, "same", 1) == "((4 − 2 + (0 + 1))/1) + 1 = 4"
    assert filters.size_formula(10, 3, 1, 2) == "⌊(10 − 3 + 2·1)/2⌋ + 1 = 5"


def test_filter_picture_takes_sobel_and_weights() -> None:
    """`sobel` shows both its filters; an array of weights is used as it is."""
    picture = numbers(9, 9)
    both = filters.filter_picture(picture, " Sobel ", 1, "reflect")
    assert len(both.kernels) == 2
    np.testing.assert_array_equal(both.feature_map, filters.sobel(picture, padding="reflect"))
    own = filters.filter_picture(picture, np.eye(3))
    np.testing.assert_array_equal(own.feature_map, filters.convolve(picture, np.eye(3)))


def test_filters_need_no_torch() -> None:
    """Looking at a picture through a filter does not load torch."""
    code = "import sys, striate.inside.filters; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
