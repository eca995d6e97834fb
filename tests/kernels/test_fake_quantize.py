"""torch's quantizers that round first: the arrays equal exact scalars, one law tells the code rules apart."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import fake_quantize as kernels
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import quantize_torch
from npquant.spec import fake_quantize as spec

SCALES = st.floats(2.0**-20, 2.0**10, width=32)
F32 = st.floats(-(2.0**80), 2.0**80, width=32)
INT8 = st.integers(-128, 127)
RULES = {
    "R85": (kernels.quantize_decomposed, spec.quantize_reciprocal_saturating),
    "R86": (kernels.quantize_decomposed_float64, spec.quantize_reciprocal_float64),
}


def codes_equal_spec(operator, rule, x, scale, z) -> bool:
    """Say whether one value has its exact code."""
    params = QuantParams(scale, z, -128, 127)
    got = operator(np.array([x], np.float32), params)
    exact = Fraction(float(np.float32(x))), Fraction(float(params.scale))
    return got.dtype == np.int8 and int(got[0]) == rule(*exact, z, -128, 127)


@pytest.mark.parametrize("label", RULES)
@given(x=F32, scale=SCALES, z=INT8)
def test_decomposed_equals_spec(label, x, scale, z):
    """R85 and R86 for any finite value."""
    assert codes_equal_spec(*RULES[label], x, scale, z)


def test_decomposed_law_kills_other_rules():
    """On ties of awkward scales each rule breaks the other, and torch's fused rule, R56, breaks both."""
    cases = [((k + 0.5) * s, s, z) for s in (0.1, 0.3, 0.7, 0.01) for k in range(-60, 60) for z in (0, 1)]
    for label, (operator, _) in RULES.items():
        for other, (_, rule) in RULES.items():
            assert all(codes_equal_spec(operator, rule, *case) for case in cases) == (label == other)
        assert not all(codes_equal_spec(quantize_torch, RULES[label][1], *case) for case in cases)


def fake_equals_spec(operator, x, scale, z, per_channel) -> bool:
    """Say whether one value comes back as the exact float32 number."""
    params = QuantParams([scale] if per_channel else scale, z, -128, 127)
    got = operator(np.array([[x]], np.float32), params)
    s = Fraction(float(np.float32(scale)))
    want = spec.fake_quantize(Fraction(float(np.float32(x))), s, z, -128, 127, per_channel)
    return got.dtype == np.float32 and got.shape == (1, 1) and Fraction(float(got[0, 0])) == want


@given(x=F32, scale=SCALES, z=INT8, per_channel=st.booleans())
def test_fake_quantize_equals_spec(x, scale, z, per_channel):
    """R87 for any finite value, both kernels."""
    assert fake_equals_spec(kernels.fake_quantize, x, scale, z, per_channel)


def test_fake_quantize_law_kills_a_common_kernel():
    """One kernel for both parts on huge values; a zero point added first parts on ties."""

    def common(x, params):
        return kernels.fake_quantize(x, QuantParams(np.ravel(params.scale)[0], params.zero_point, -128, 127))

    def fused(x, params):
        return ((quantize_torch(x, params).astype(np.int64) - params.zero_point) * params.scale).astype(np.float32)

    huge = [(2.0**70, 0.5, 3, per_channel) for per_channel in (False, True)]
    ties = [((k + 0.5) * 0.5, 0.5, 1, False) for k in range(-9, 9)]
    assert all(fake_equals_spec(kernels.fake_quantize, *case) for case in huge + ties)
    assert not all(fake_equals_spec(common, *case) for case in huge)
    assert not all(fake_equals_spec(fused, *case) for case in ties)


def test_round_first_quantizers_have_their_own_nan():
    """NaN gives code 0, or the value of qmin; infinity per channel gives that of qmin too."""
    params, channel = QuantParams(0.5, 3, -128, 127), QuantParams([0.5], 3, -128, 127)
    special = np.array([[np.nan], [np.inf], [-np.inf]], np.float32)
    assert kernels.quantize_decomposed(special, params).ravel().tolist() == [0, 127, -128]
    assert kernels.quantize_decomposed_float64(special, channel).ravel().tolist() == [0, 127, -128]
    assert kernels.fake_quantize(special, params).ravel().tolist() == [-65.5, 62.0, -65.5]
    assert kernels.fake_quantize(special, channel).ravel().tolist() == [-65.5, -65.5, -65.5]
