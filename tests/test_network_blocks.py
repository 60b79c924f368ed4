"""The layers that torch lacks: dropout's chances byte by byte, padding, pools, scale."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from striate.network.blocks import AVGPOOLS, Dropout, GlobalAvgPool, GlobalMaxPool, Residual, SamePad, Scale


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(2024)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.25, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_keeps_the_mean(rate: float) -> None:
    """Of 400,000 values the share set to 0 is the rate (to a 256th), and the mean stays 1."""
    out = Dropout(rate).train()(torch.ones(4, 10, 100, 100))
    share, exact = float((out == 0).double().mean()), round(rate * 256) / 256
    assert abs(exact - rate) <= 1 / 512
    assert share == pytest.approx(exact, abs=5 * (exact * (1 - exact) / out.numel()) ** 0.5)
    assert float(out.double().mean()) == pytest.approx(1, abs=0.02 * (rate / (1 - rate)) ** 0.5)
    kept = out[out != 0]
    assert torch.equal(kept, torch.full_like(kept, 1 / (1 - exact)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_no_byte_of_a_drawn_word_is_biased(layout: torch.memory_format) -> None:
    """Each of the 8 bytes of a 64-bit word drops its share, in both memory layouts (chi-square, 1 in 10^6)."""
    x = torch.ones(16, 8, 64, 64).contiguous(memory_format=layout)
    out = Dropout(0.3).train()(x)
    assert out.stride() == x.stride()
    in_memory = out.permute(0, 2, 3, 1).reshape(-1) if layout == torch.channels_last else out.reshape(-1)
    dropped = (in_memory == 0).reshape(-1, 8).sum(dim=0).double().numpy()
    words, share = in_memory.numel() / 8, round(0.3 * 256) / 256
    statistic = ((dropped - words * share) ** 2 / (words * share * (1 - share))).sum()
    assert statistic < chi2.isf(1e-6, df=8)


def test_the_eight_bytes_of_a_word_fall_independently() -> None:
    """No pair of neighbouring values falls together more often than chance would have it."""
    dropped = (Dropout(0.5).train()(torch.ones(200_000)) == 0).double().reshape(-1, 8).numpy()
    correlations = np.corrcoef(dropped.T) - np.eye(8)
    assert np.abs(correlations).max() < 5 / np.sqrt(len(dropped))


@pytest.mark.parametrize("rate", [0.998, 0.999, 0.99999])
def test_dropout_of_nearly_all_keeps_a_few(rate: float) -> None:
    """Rates that no byte can tell from 1 are the highest that one can: one of 256 values stays, 256 times as large."""
    dropped = Dropout(rate).train()(torch.ones(65_536))
    assert set(dropped.unique().tolist()) == {0.0, 256.0}
    assert float(dropped.mean()) == pytest.approx(1, abs=0.3)


def test_dropout_is_the_identity_outside_training() -> None:
    """In evaluation, and with rate 0, the very same values come out."""
    x = torch.randn(3, 4, 5, 5)
    assert Dropout(0.5).eval()(x) is x
    assert torch.equal(Dropout(0.0).train()(x), x)


def test_dropout_follows_torchs_seed_and_its_gradient_the_mask() -> None:
    """Same seed, same mask; where a value was dropped its gradient is 0, elsewhere 1 / (1 - rate)."""
    layer, masks = Dropout(0.25).train(), []
    for _ in range(2):
        torch.manual_seed(5)
        x = torch.ones(2, 3, 7, 7, requires_grad=True)
        out = layer(x)
        out.sum().backward()
        assert torch.equal(x.grad, out.detach())
        masks.append(out.detach() != 0)
    assert torch.equal(*masks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dropout_keeps_the_number_format(dtype: torch.dtype) -> None:
    """bf16 in, bf16 out."""
    assert Dropout(0.5).train()(torch.ones(8, 3, dtype=dtype)).dtype == dtype


def test_same_pad_puts_the_odd_row_below() -> None:
    """A 4-wide window needs 3 more rows: 1 above, 2 below; a 2-wide one needs 1, below."""
    assert SamePad((4, 2), (1, 1), (1, 1)).amounts((5, 5)) == [(1, 2), (0, 1)]
    padded = SamePad((2, 2), (1, 1), (1, 1), value=-7.0)(torch.zeros(1, 1, 2, 2))
    assert padded.tolist() == [[[[0, 0, -7], [0, 0, -7], [-7, -7, -7]]]]
    # Height is padded by the first pair and width by the second.
    assert SamePad((3, 1), (1, 1), (1, 1))(torch.zeros(1, 1, 4, 6)).shape == (1, 1, 6, 6)


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 5), (2, 3, 4, 5, 6)])
def test_global_pools_equal_numpy(shape: tuple[int, ...]) -> None:
    """Maximum and mean over all spatial axes, for series, pictures and volumes."""
    x = torch.randn(shape)
    axes = tuple(range(2, len(shape)))
    np.testing.assert_array_equal(GlobalMaxPool()(x).numpy(), x.numpy().max(axis=axes))
    np.testing.assert_allclose(GlobalAvgPool()(x).numpy(), x.double().numpy().mean(axis=axes), atol=1e-6)


def test_scale_and_residual() -> None:
    """scale multiplies; residual adds the two branches."""
    x = torch.tensor([[1.0, -2.0]])
    assert Scale(0.125)(x).tolist() == [[0.125, -0.25]]
    assert Residual(Scale(3.0), Scale(-1.0))(x).tolist() == [[2.0, -4.0]]


def test_layers_describe_themselves() -> None:
    """Printing a network shows the values of these layers."""
    shown = [repr(layer) for layer in (Dropout(0.2), Scale(0.5), SamePad((4, 4), (1, 1), (1, 1)))]
    assert shown == ["Dropout(rate=0.2)", "Scale(factor=0.5)", "SamePad(kernel=(4, 4), stride=(1, 1))"]


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_means_of_windows_in_bf16(axes: int) -> None:
    """Average pools of series, pictures and volumes give in bf16, forward and back, what fp32 gives, rounded."""
    x = torch.randn(2, 3, *(6,) * axes).bfloat16()
    pool, results = AVGPOOLS[axes - 1](2), []
    for dtype in (torch.float32, torch.bfloat16):
        source = x.to(dtype).requires_grad_()
        out = pool(source)
        assert out.dtype == dtype
        out.pow(2).sum().backward()
        results.append((out.detach().float(), source.grad.float()))
    for full, half in zip(*results, strict=True):
        torch.testing.assert_close(half, full, rtol=0.02, atol=0.002)
    windows = x.float().reshape(2, 3, *(3, 2) * axes)
    torch.testing.assert_close(results[0][0], windows.mean(dim=tuple(range(3, 3 + 2 * axes, 2))))
