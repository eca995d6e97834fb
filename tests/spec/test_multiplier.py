"""A multiplier in integers is close to the real one; of 15 bits it is the one that hardware gets."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.profiles.hardware import multiplier_15_bits
from npquant.spec import multiplier


@given(real=st.fractions(Fraction(1, 2**31), 2**29))
def test_decompose_multiplier_is_close(real: Any) -> None:
    """R5: m 2^(e-31) is within half a unit of m's last place."""
    m, e = multiplier.decompose_multiplier(real)
    assert 2**30 <= m < 2**31 and abs(m * Fraction(2) ** (e - 31) - real) <= Fraction(2) ** (e - 32)


@given(real=st.floats(2.0**-40, 2.0**29))
def test_multiplier_15_bits_equals_spec(real: Any) -> None:
    """R37 for any multiplier."""
    sy = np.float32(1) / np.float32(real)
    exact = multiplier.real_multiplier(Fraction(1), Fraction(1), Fraction(float(sy)))
    got = multiplier_15_bits(1.0, 1.0, sy)
    assert (got.multiplier, got.shift) == multiplier.decompose_multiplier_15_bits(exact)
