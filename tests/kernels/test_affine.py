"""R1 in place gives the numbers of R1."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from npquant.kernels.affine import quantize, quantize_into
from npquant.kernels.qparams import QuantParams

VALUES = st.floats(allow_nan=False) | st.integers(-600, 600).map(lambda half_steps: half_steps / 4)
PARAMS = st.sampled_from(
    [
        QuantParams(1.0, 0, -128, 127),
        QuantParams(0.5, -7, -8, 7),
        QuantParams(1.2e-38, 3, 0, 255),
        QuantParams([1.0, 0.5, 0.1], [0, -128, 5], -128, 127),
        QuantParams(0.25, -(2**31), -(2**31), 2**31 - 1),
    ]
)


def fills_what_quantize_returns(into: Any, x: Any, params: Any) -> bool:
    """Say whether a function that fills codes gives those of R1, in either order of memory."""
    want = quantize(x, params)
    for order in ("C", "F"):
        codes = np.empty(x.shape, params.dtype, order=order)
        into(np.array(x, order=order), params, codes)
        if (codes != want).any():
            return False
    return True


@given(x=arrays.arrays(np.float64, (2, 3), elements=VALUES), params=PARAMS)
def test_quantize_into_equals_quantize(x: Any, params: Any) -> None:
    """R1: the form that overwrites its input is the one that does not, infinities and huge quotients included."""
    assert fills_what_quantize_returns(quantize_into, x, params)


def test_quantize_into_law_kills_a_clip_after_the_zero_point() -> None:
    """R1: clipping to [qmin, qmax] before the zero point is added is seen where the zero point is not 0."""

    def clipped_late(real: Any, params: Any, codes: Any) -> None:
        codes[:] = np.clip(np.rint(real / params.scale), params.qmin, params.qmax) + params.zero_point

    x, params = np.full((2, 3), 1000.0), QuantParams(0.5, -7, -8, 7)
    assert fills_what_quantize_returns(quantize_into, x, params)
    assert not fills_what_quantize_returns(clipped_late, x, params)
