"""Quantizers with a rounding mode: the arrays equal exact scalars, and no mode or order of roundings is another's."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import conversion, rounding
from npquant.kernels import quantize_modes as kernels
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import quantize_divide_half_even, quantize_torch
from npquant.spec import conversion as spec_conversion
from npquant.spec import quantize_modes as spec
from npquant.spec import rounding as spec_rounding

SCALES = st.floats(2.0**-20, 2.0**10, width=32)
F32 = st.floats(-(2.0**40), 2.0**40, width=32)
INT8 = st.integers(-128, 127)
MODES = {
    "round_half_even": (rounding, spec_rounding),
    "round_ceil": (rounding, spec_rounding),
    "round_floor": (rounding, spec_rounding),
    "round_away_from_zero": (rounding, spec_rounding),
    "round_toward_zero": (rounding, spec_rounding),
    "round_add_half_then_truncate": (conversion, spec_conversion),
    "round_half_toward_zero": (rounding, spec_rounding),
}
BELOW_HALF = float(np.nextafter(np.float32(0.5), np.float32(0)))


def equals_spec(quantize: Any, name: str, x: float, scale: float, z: int, low: int = -128, high: int = 127) -> bool:
    """Say whether a quantizer of arrays (x, params) gives the exact code of R140 by a mode."""
    params = QuantParams(scale, z, low, high)
    got = quantize(np.array([x], np.float32), params)
    rule = getattr(MODES[name][1], name)
    want = spec.quantize_divide_zero_point_first(
        Fraction(float(np.float32(x))), Fraction(float(params.scale)), z, low, high, rule
    )
    return got.dtype == params.dtype and int(got[0]) == want


def by(name: str) -> Any:
    """Return R140 of arrays by a mode."""
    mode = getattr(MODES[name][0], name)
    return lambda x, params: kernels.quantize_divide_zero_point_first(x, params, mode)


@pytest.mark.parametrize("name", MODES)
@given(x=F32, scale=SCALES, z=INT8)
def test_quantize_divide_zero_point_first_equals_spec(name: Any, x: Any, scale: Any, z: Any) -> None:
    """R140 on any finite float32."""
    assert equals_spec(by(name), name, x, scale, z)


CASES = [
    (float(np.nextafter(np.float32((k + part) * s), np.float32(side * 1e9))) if side else (k + part) * s, s, z)
    for s in (0.1, 0.7)
    for k in range(-6, 6)
    for part in (0, 0.5)
    for side in (-1, 0, 1)
    for z in (0, 1, -7)
] + [(sign * BELOW_HALF, 1.0, 0) for sign in (-1, 1)]


def test_quantize_divide_zero_point_first_kills_every_other_mode_and_order() -> None:
    """Ties and their neighbours tell seven modes apart, HALF_UP from half away, and the zero point's place."""
    wrong = {name: by(name) for name in MODES}
    wrong["half away"] = lambda x, p: kernels.quantize_divide_zero_point_first(x, p, rounding.round_half_away)
    wrong["zero point after"] = quantize_divide_half_even
    wrong["reciprocal"] = quantize_torch
    for name in MODES:
        right = {other for other, one in wrong.items() if all(equals_spec(one, name, *case) for case in CASES)}
        assert right == {name}


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize(("low", "high"), [(-8, 7), (-7, 7), (0, 15), (0, 14), (-2, 1), (0, 1)])
def test_quantize_divide_zero_point_first_clips_to_any_interval(name: Any, low: Any, high: Any) -> None:
    """R140 at 1, 2 and 4 bits, signed, unsigned and narrow."""
    for steps in np.arange(-10, 17, 0.5):
        assert equals_spec(by(name), name, steps * 0.5, 0.5, 0, low, high)


def test_quantize_divide_zero_point_first_refuses_nan_and_saturates_infinities() -> None:
    """No code holds NaN; infinities go to the rails."""
    params, mode = QuantParams(0.5, 3, -128, 127), rounding.round_half_even
    with pytest.raises(ValueError, match="has no code"):
        kernels.quantize_divide_zero_point_first([np.nan], params, mode)
    special = np.array([np.inf, -np.inf, -0.0], np.float32)
    assert kernels.quantize_divide_zero_point_first(special, params, mode).tolist() == [127, -128, 3]
