"""Bias codes: the arrays equal the scalars, and the seven rules are seven."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import bias as kernels
from npquant.spec import bias as spec

SCALES = st.floats(2.0**-16, 1.0, width=32)
RULES = [
    (kernels.bias_half_even, spec.bias_half_even),
    (kernels.bias_half_even_wide, spec.bias_half_even_wide),
    (kernels.bias_reciprocal_half_even, spec.bias_reciprocal_half_even),
    (kernels.bias_reciprocal_half_away, spec.bias_reciprocal_half_away),
    (kernels.bias_reciprocal_half_even_x86, spec.bias_reciprocal_half_even_x86),
    (kernels.bias_reciprocal_float64_half_even_x86, spec.bias_reciprocal_float64_half_even_x86),
    (kernels.bias_quotient_half_even_x86, spec.bias_quotient_half_even_x86),
]
LABELS = ["R39", "R171", "R45", "R46", "R142", "R143", "R144"]


def bias_equals_spec(kernel: Any, rule: Any, b: float, sx: float, sw: float) -> bool:
    """Say whether one bias gets its exact code."""
    exact = [Fraction(float(np.float32(v))) for v in (b, sx, sw)]
    got = kernel(np.array([b], np.float32), np.float32(sx), np.float32(sw))
    return got.dtype == np.int64 and int(got[0]) == rule(*exact)


@pytest.mark.parametrize(("kernel", "rule"), RULES, ids=LABELS)
@given(b=st.floats(-(2.0**20), 2.0**20, width=32), sx=SCALES, sw=SCALES)
def test_bias_equals_spec(kernel: Any, rule: Any, b: Any, sx: Any, sw: Any) -> None:
    """R39, R171, R45, R46, R142 to R144 on any bias: tiny scales put large ones beyond int32."""
    assert bias_equals_spec(kernel, rule, b, sx, sw)


def test_bias_law_kills_every_other_rule() -> None:
    """Ties, awkward reciprocals and the ends of int32 tell the rules apart."""
    cases = [((k + 0.5) * s, 1.0, s) for k in range(-60, 60) for s in (0.25, 0.1, 0.3, 0.7)] + [
        *((sign * 1e6, 2.0**-16, 2.0**-16) for sign in (1, -1)),
        (3e6, 2.0**-16, 2.0**-10),
    ]
    # Scales whose product is no float32 number: its reciprocal rounds elsewhere.
    rng = np.random.default_rng(0)
    for sx, sw in rng.uniform(0.001, 1, (40, 2)).astype(np.float32):
        cases += [(float(k + 0.5) * float(sx) * float(sw), float(sx), float(sw)) for k in range(-9, 9)]
    for i, (kernel, _) in enumerate(RULES):
        for j, (_, rule) in enumerate(RULES):
            assert (i == j) == all(bias_equals_spec(kernel, rule, *case) for case in cases)
