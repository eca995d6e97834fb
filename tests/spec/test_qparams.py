"""Parameters from a range: arrays give what the specification gives, to the bit."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import qparams
from npquant.spec import qparams as parameters

ENDS = st.floats(-1e30, 1e30)


@given(absmax=st.floats(0, 1e30), bits=st.integers(2, 16))
def test_choose_symmetric_equals_spec(absmax: Any, bits: Any) -> None:
    """R13, subnormal and empty ranges included."""
    assert Fraction(float(qparams.choose_symmetric(absmax, bits).scale)) == parameters.choose_symmetric(
        Fraction(absmax), bits
    )


@given(ends=st.tuples(ENDS, ENDS).map(sorted), bits=st.integers(2, 16))
def test_choose_affine_equals_spec(ends: Any, bits: Any) -> None:
    """R14: scale and zero point, to the bit."""
    got = qparams.choose_affine(*ends, bits)  # type: ignore[call-arg]
    want = parameters.choose_affine(Fraction(ends[0]), Fraction(ends[1]), bits)
    assert (Fraction(float(got.scale)), got.zero_point) == want


def test_choose_affine_law_kills_a_float32_zero_point() -> None:
    """Rounding lo / s in float32 moves the zero point of some ranges."""
    rng = np.random.default_rng(0)
    ranges = np.sort(rng.uniform(-1, 1, (4000, 2)) * 10.0 ** rng.integers(-3, 3, (4000, 1)), axis=1)

    def in_float32(lo: Any, hi: Any) -> Any:
        low, high = min(lo, 0.0), max(hi, 0.0)
        scale = np.float32((high / 2 - low / 2) / (65535 / 2))
        return int(np.clip(np.rint(np.float32(-32768) - np.float32(low) / scale), -32768, 32767))

    exact = [parameters.choose_affine(Fraction(lo), Fraction(hi), 16)[1] for lo, hi in ranges]
    assert exact == [qparams.choose_affine(lo, hi, 16).zero_point for lo, hi in ranges]
    assert exact != [in_float32(lo, hi) for lo, hi in ranges]
