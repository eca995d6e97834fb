"""The bounds of a clamp by each engine's rule, on ties above all."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import activation_bounds, qparams
from npquant.kernels.activation_bounds import CLAMPS
from npquant.spec import activation_bounds as spec_bounds

SCALES = st.floats(2.0**-20, 2.0**10, width=32)
INT8 = st.integers(-128, 127)


@given(scale=SCALES, zero_point=INT8, name=st.sampled_from(list(CLAMPS)), k=st.integers(1, 60), half=st.booleans())
def test_activation_bounds_equal_spec(scale: Any, zero_point: Any, name: Any, k: Any, half: Any) -> None:
    """R34, R35 and R134, with scales that put a bound on a tie."""
    scale = float(np.float32(CLAMPS[name][1] / (k + 0.5))) if half and np.isfinite(CLAMPS[name][1]) else scale
    y = qparams.QuantParams(scale, zero_point, -128, 127)
    bounds = [None if np.isinf(v) else Fraction(v) for v in CLAMPS[name]]
    exact = (*bounds, Fraction(float(y.scale)), zero_point, -128, 127)
    assert activation_bounds.bounds_half_away(name, y) == spec_bounds.clamp_codes_half_away(*exact)
    assert activation_bounds.bounds_half_even_zero_point_first(name, y) == spec_bounds.clamp_codes_zero_point_first(
        *exact
    )
    assert activation_bounds.bounds_per_unit(name, y) == spec_bounds.clamp_codes_per_unit(*exact)


def test_activation_bounds_law_kills_the_other_rule() -> None:
    """6 / 4 = 1.5 and zero point 1: away gives 2 + 1, even after the zero point gives round(2.5) = 2."""
    y = qparams.QuantParams(4.0, 1, -128, 127)
    assert activation_bounds.bounds_half_away("relu6", y) == (1, 3)
    assert activation_bounds.bounds_half_even_zero_point_first("relu6", y) == (1, 2)
    assert activation_bounds.bounds_per_unit("relu6", y) == (0, 2)  # no zero point
    assert activation_bounds.bounds_per_unit("identity", y) == (-127, 127)
