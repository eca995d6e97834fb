"""Softmax of int16 codes: the arrays equal exact scalars, and the laws kill the other engine's tables."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import softmax_int16 as kernels
from npquant.kernels.qparams import QuantParams
from npquant.spec import softmax_int16 as spec

ROWS = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=20)
OUT = QuantParams(2.0**-15, 0, -(2**15), 2**15 - 1)
ENGINES = {False: kernels.softmax_codes_int16, True: kernels.softmax_codes_int16_tflm}


def params(scale: float) -> QuantParams:
    """Return int16 codes of a scale, without a zero point."""
    return QuantParams(scale, 0, -(2**15), 2**15 - 1)


@pytest.mark.parametrize("float32", [False, True])
def test_softmax_tables_equal_spec(float32: Any) -> None:
    """R98: float64 makes each of the 1,026 entries as exact numbers do."""
    for got, want in zip(kernels.softmax_tables(float32=float32), spec.softmax_tables(float32), strict=True):
        assert got.tolist() == list(want)


@pytest.mark.parametrize("float32", [False, True])
@given(row=ROWS, scale=st.floats(2.0**-20, 2.0**4, width=32), beta=st.sampled_from([1.0, 0.7, 2.5]))
def test_softmax_int16_equals_spec(float32: Any, row: Any, scale: Any, beta: Any) -> None:
    """R99 for any row, scale and factor."""
    got = ENGINES[float32](np.array([row[::-1], row], np.int16), params(scale), OUT, beta)
    exact = Fraction(float(np.float32(scale))), Fraction(float(np.float32(beta)))
    assert got.dtype == np.int16 and got[1].tolist() == spec.softmax_int16(row, *exact, float32)


def test_softmax_int16_law_kills_the_other_tables() -> None:
    """Two entries of 513 are enough to part the engines, by one code."""
    rng = np.random.default_rng(0)
    q = rng.integers(-3000, 3000, (4000, 5)).astype(np.int16)
    one, other = (engine(q, params(0.0003), OUT, 1.0).astype(int) for engine in ENGINES.values())
    assert 0 < (one != other).sum() < 0.02 * q.size and abs(one - other).max() == 1


def test_softmax_int16_wraps_its_sum_as_the_engines_do() -> None:
    """140,000 equal codes sum beyond 2^32 and are 4; 70,000 beyond 2^31 and are 0; both are 0 in exact arithmetic."""
    for depth, want in ((70_000, 0), (140_000, 4)):
        got = kernels.softmax_codes_int16(np.zeros((1, depth), np.int16), params(0.1), OUT, 1.0)
        assert set(got.ravel().tolist()) == {want}


def test_softmax_int16_refuses_what_the_engines_refuse() -> None:
    """Zero points and other output scales; empty arrays are answered."""
    q = np.zeros((1, 3), np.int16)
    shifted = QuantParams(2.0**-15, 1, -(2**15), 2**15 - 1)
    for x, y in ((shifted, OUT), (params(0.1), shifted), (params(0.1), params(2.0**-14))):
        with pytest.raises(ValueError, match="zero points of 0 and an output of scale 1 / 32768"):
            kernels.softmax_codes_int16(q, x, y, 1.0)
    for shape in ((0, 5), (3, 0)):
        got = kernels.softmax_codes_int16(np.zeros(shape, np.int16), params(0.1), OUT, 1.0)
        assert got.shape == shape and got.dtype == np.int16
