"""A zero point that wraps beside the ends of int32."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.profiles import get
from npquant.spec import conversion, multiplier, requantize

INT8 = st.integers(-128, 127)


@given(acc=st.sampled_from([2**31 - 1, 2**31 - 60, -(2**31), -(2**31) + 60]), zy=INT8)
def test_wrapping_zero_point_equals_spec(acc: Any, zy: Any) -> None:
    """R38: beside the ends of int32 the zero point wraps, and the code comes out at the other rail."""
    got = get("tflite_ref").output_stage(np.array([acc]), get("tflm").make_multiplier(1.0, 1.0, 1.0), zy, -128, 127)
    steps = requantize.requantize_double_rounding(acc, *multiplier.decompose_multiplier(Fraction(1)))
    assert int(got[0]) == conversion.code_wrapping(steps, zy, -128, 127)


def test_wrapping_zero_point_kills_saturation() -> None:
    """A saturating sum stays at the high rail where the wrapping one does not."""
    args = (2**31 - 1, 5, -128, 127)
    assert conversion.code_wrapping(*args) == -128 and conversion.code_saturating(*args) == 127
