"""Sigmoid and tanh of int16 codes: the arrays equal exact scalars, and the laws tell the two rules apart."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import activation_int16 as kernels
from npquant.kernels.fixed_point_int16 import sigmoid_q3_int16, tanh_q3_int16
from npquant.kernels.qparams import QuantParams
from npquant.spec import activation_int16 as spec
from npquant.spec import fixed_point_int16 as spec_fixed

INT16 = st.integers(-(2**15), 2**15 - 1)
SCALES = st.one_of(st.floats(2.0**-30, 2.0**12, width=32), st.integers(-20, 6).map(lambda k: 2.0**k))
OUT = QuantParams(2.0**-15, 0, -(2**15), 2**15 - 1)
RULES = {
    "sigmoid, table": (kernels.sigmoid_table_int16, spec.sigmoid_table_int16),
    "tanh, table": (kernels.tanh_table_int16, spec.tanh_table_int16),
    "sigmoid, fixed": (kernels.sigmoid_fixed_point_int16, spec.sigmoid_fixed_point_int16),
    "tanh, fixed": (kernels.tanh_fixed_point_int16, spec.tanh_fixed_point_int16),
}


def params(scale: float) -> QuantParams:
    """Return int16 codes of a scale, without a zero point."""
    return QuantParams(scale, 0, -(2**15), 2**15 - 1)


def test_table_equals_spec() -> None:
    """R93: all 256 entries, of which 44 are one above the rounded value."""
    table = kernels.table_uint16().tolist()
    assert table == [spec.table_entry_uint16(i) for i in range(256)]
    rounded = np.floor(2.0**16 / (1 + np.exp(-np.arange(256) / 24)) + 0.5)
    assert int((table - rounded).sum()) == len(spec.ONE_MORE) == len(kernels.ONE_MORE) == 44


@pytest.mark.parametrize("rule", RULES)
@given(q=INT16, scale=SCALES)
def test_activation_int16_equals_spec(rule: Any, q: Any, scale: Any) -> None:
    """R94 to R97 for any code and scale, the wrapped products of large ones included."""
    operator, definition = RULES[rule]
    s = np.float32(scale)
    assert int(operator(np.array([q], np.int16), float(s))[0]) == definition(q, Fraction(float(s)))


def test_activation_int16_law_kills_the_other_rule() -> None:
    """At 2^-12 the two rules part on most codes; elsewhere they are one."""
    q = np.arange(-(2**15), 2**15).astype(np.int16)
    for name, scales in (("sigmoid", (2.0**-12,)), ("tanh", (2.0**-12, 2.0**-11))):
        for s in scales:
            table, fixed = kernels.TABLE[name](q, s), kernels.FIXED_POINT[name](q, s)
            assert (table != fixed).mean() > 0.3
        assert (kernels.TABLE[name](q, 2.0**-9) == kernels.FIXED_POINT[name](q, 2.0**-9)).all()
        assert (kernels.TABLE[name](q, 0.0003) == kernels.FIXED_POINT[name](q, 0.0003)).all()


@pytest.mark.parametrize(
    ("operator", "definition"),
    [(sigmoid_q3_int16, spec_fixed.sigmoid_q3_int16), (tanh_q3_int16, spec_fixed.tanh_q3_int16)],
)
def test_fixed_point_int16_equals_spec(operator: Any, definition: Any) -> None:
    """R96, R97: every 61st code, the ends and around 0."""
    q = np.unique(np.r_[np.arange(-(2**15), 2**15, 61), 2**15 - 1, -9:10])
    assert operator(q).tolist() == [definition(int(a)) for a in q]


@pytest.mark.parametrize("factor", [1.0, 1.0005, 1.0006, 1.0008, 0.9994, 0.9992])
def test_power_of_two_equals_spec(factor: Any) -> None:
    """R94: a scale within 0.07 % of a power of two counts as it."""
    for r in (-20, -12, -11, -1, 0, 3):
        s = np.float32(2.0**r * factor)
        want = r if abs(factor - 1) < 0.0007 else None
        assert kernels.power_of_two(float(s)) == spec.power_of_two(Fraction(float(s))) == want


def test_activation_int16_wraps_where_the_engines_do() -> None:
    """A scale of 8 wraps q m: sigmoid(-262144) is 32767, and sigmoid(262136) is 1."""
    q = np.array([-(2**15), 2**15 - 1], np.int16)
    got = kernels.activation_codes_int16_table("sigmoid", q, params(8.0), OUT)
    assert got.dtype == np.int16 and got.tolist() == [32767, 1]


def test_relu_of_int16_divides_by_engine() -> None:
    """LiteRT's ratio of scales is float32 (R65), TFLite-Micro's float64 (R62), and its relu6 does not rescale (R84)."""
    rng, parted = np.random.default_rng(0), 0
    for _ in range(400):
        q = np.array([rng.integers(20_000, 32_768)], np.int16)
        sy = np.float32(rng.uniform(0.004, 0.01))
        ratio = (rng.integers(9_000, 20_000) + 0.5) / int(q[0])
        x, y = params(np.float32(sy * ratio)), params(sy)
        one = kernels.activation_codes_int16_table("relu", q, x, y)
        parted += int(one[0] != kernels.activation_codes_int16_tflm("relu", q, x, y)[0])
    assert parted > 0
    x, y, q = params(0.001), params(0.002), np.array([-5, 5, 9999], np.int16)
    assert kernels.activation_codes_int16_table("relu6", q, x, y).tolist() == [0, 3, 3000]
    assert kernels.activation_codes_int16_tflm("relu6", q, x, y).tolist() == [0, 5, 6000]


@pytest.mark.parametrize(
    "operator",
    [
        kernels.activation_codes_int16_table,
        kernels.activation_codes_int16_fixed_point,
        kernels.activation_codes_int16_tflm,
    ],
)
def test_activation_int16_refuses_what_the_engines_refuse(operator: Any) -> None:
    """Zero points, other output scales, and activations that the engine does not have."""
    q, p = np.array([1], np.int16), params(2.0**-12)
    shifted = QuantParams(2.0**-12, 1, -(2**15), 2**15 - 1)
    for x, y in ((shifted, OUT), (p, shifted)):
        with pytest.raises(ValueError, match="without zero points"):
            operator("sigmoid", q, x, y)
    with pytest.raises(ValueError, match="wants an int16 output of scale 1 / 32768"):
        operator("tanh", q, p, params(2.0**-14))
    with pytest.raises(ValueError, match="has no 'relu_n1_to_1' on int16 codes"):
        operator("relu_n1_to_1", q, p, p)
    with pytest.raises(ValueError, match="must be an int32"):
        operator("sigmoid", q, params(2.0**18), OUT)
    assert operator("tanh", np.zeros((0, 3), np.int16), p, OUT).shape == (0, 3)
