"""R1 in place is R1 of the kernel: both networks' doors give its codes."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.integer.encoding import quantize_into, quantize_rows
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import QuantParams

Quantize = Callable[[NDArray[np.float64], QuantParams], NDArray[np.int8]]


def in_place(x: NDArray[np.float64], params: QuantParams) -> NDArray[np.int8]:
    """Call `quantize_into` as a function."""
    codes = np.empty(x.shape, np.int8)
    quantize_into(x.copy(), params, codes)
    return codes


def drawn(seed: int, scales: tuple[int, ...]) -> tuple[NDArray[np.float64], QuantParams]:
    """Draw rows with ties, huge values and quotients beyond float64, and a quantization of them."""
    rng = np.random.default_rng(seed)
    qmin, qmax = (int(end) for end in np.sort(rng.choice(np.arange(-128, 128), 2, replace=False)))
    scale = 2.0 ** rng.integers(-40, 40, scales) if rng.integers(2) else rng.uniform(0.01, 9, scales)
    params = QuantParams(scale, int(rng.integers(qmin, qmax + 1)), qmin, qmax)
    x = (rng.integers(-600, 600, (6, 4)) / 2) * np.asarray(params.scale, np.float64)
    x[rng.random(x.shape) < 0.1] = rng.choice([1.7e308, -1.7e308, 0.0, -0.0])
    return x, params


def law_is_the_kernel(function: Quantize, seed: int, scales: tuple[int, ...]) -> None:
    """R1: the codes of `kernels.affine.quantize`, ties, saturation and -0 included."""
    x, params = drawn(seed, scales)
    np.testing.assert_array_equal(function(x, params), quantize(x, params))


@given(seed=st.integers(0, 2**32 - 1))
def test_quantize_into_is_the_kernel(seed: int) -> None:
    """R1 per-tensor and with one scale a feature; a scale of 1 is not divided by."""
    for scales in ((), (4,)):
        law_is_the_kernel(in_place, seed, scales)
    x, _ = drawn(seed, ())
    one = QuantParams(1.0, 3, -128, 127)
    np.testing.assert_array_equal(in_place(x, one), quantize(x, one))


@given(seed=st.integers(0, 2**32 - 1))
def test_quantize_rows_is_the_kernel_of_the_transpose(seed: int) -> None:
    """R1 with one scale a row."""
    x, params = drawn(seed, (4,))
    np.testing.assert_array_equal(quantize_rows(x.T, params), quantize(x, params).T)


def test_law_is_the_kernel_kills_half_away_and_a_late_clip() -> None:
    """Ties away from zero, and a clip after the zero point in int8, are seen."""

    def half_away(x: NDArray[np.float64], params: QuantParams) -> NDArray[np.int8]:
        steps = np.clip(x / np.asarray(params.scale, np.float64), -1000, 1000)
        rounded = np.copysign(np.floor(np.abs(steps) + 0.5), steps) + params.zero_point
        return np.clip(rounded, params.qmin, params.qmax).astype(np.int8)

    def late_clip(x: NDArray[np.float64], params: QuantParams) -> NDArray[np.int8]:
        steps = np.clip(np.rint(x / np.asarray(params.scale, np.float64)), -1000, 1000)
        wrapped = (steps.astype(np.int64) + int(params.zero_point)).astype(np.int8)
        return np.clip(wrapped, params.qmin, params.qmax)

    for mutant in (half_away, late_clip):
        with pytest.raises(AssertionError), np.errstate(over="ignore"):
            for seed in range(20):
                law_is_the_kernel(mutant, seed, (4,))
