"""Softmax, sigmoid and tanh on codes: the arrays equal exact scalars, the laws tell the rules apart."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import softmax_engines as kernels
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize_codes import clamp_activation_codes
from npquant.spec import softmax_engines as spec
from npquant.spec.requantize_codes import clamp_code_without_rescale

INT8 = st.integers(-128, 127)
SCALES = st.floats(2.0**-12, 0.5, width=32)
ROWS = st.lists(INT8, min_size=1, max_size=24)
SIGNED = QuantParams(2.0**-8, -128, -128, 127)
UNSIGNED = QuantParams(2.0**-8, 0, 0, 255)


def logit(k: int) -> float:
    """Return the real number whose sigmoid is (k + 1/2) / 256."""
    return math.log((k + 0.5) / (255.5 - k))


def exact(value: Any) -> Fraction:
    """Return a float32 number as it is."""
    return Fraction(float(np.float32(value)))


SOFTMAX = {
    "R79": (
        lambda q, s, b: kernels.softmax_codes_fixed_point(q, QuantParams(s, 0, -128, 127), SIGNED, b),
        lambda q, s, b: spec.softmax_fixed_point(q, s, b, -128, 127),
    ),
    "R88": (
        lambda q, s, b: kernels.softmax_codes_fixed_point_shift_x86(q, QuantParams(s, 0, -128, 127), SIGNED, b),
        lambda q, s, b: spec.softmax_fixed_point_shift_x86(q, s, b, -128, 127),
    ),
    "R80": (
        lambda q, s, b: kernels.softmax_codes_table(q, QuantParams(s, 0, -128, 127), SIGNED, b),
        lambda q, s, b: spec.softmax_table_half_away(q, s, b, (Fraction(1, 256), -128), -128, 127),
    ),
    "R81": (
        lambda q, s, b: kernels.softmax_codes_table(q, QuantParams(s, 0, -128, 127), UNSIGNED, b),
        lambda q, s, b: spec.softmax_table_half_up(q, s, b, Fraction(1, 256)),
    ),
}


def softmax_equals_spec(operator: Any, rule: Any, row: Any, scale: Any, beta: Any) -> bool:
    """Say whether a row, alone and as the second of two, has its exact codes."""
    got = operator(np.array([row[::-1], row], np.int8), scale, beta)
    return got[1].tolist() == rule(row, exact(scale), exact(beta))


@pytest.mark.parametrize("label", SOFTMAX)
@given(row=ROWS, scale=SCALES, beta=st.sampled_from([1.0, 0.5, 0.1, 3.0]))
def test_softmax_equals_spec(label: Any, row: Any, scale: Any, beta: Any) -> None:
    """R79 to R81 and R88 for any row."""
    assert softmax_equals_spec(*SOFTMAX[label], row, scale, beta)


def rows() -> list[tuple[list[int], float, float]]:
    """Return rows of two codes, d apart at a scale that puts 256 shares of the lower one beside a half."""
    return [([7, 7 - d], -logit(k) / d, 1.0) for k in range(1, 128) for d in (29, 53, 100, 131)]


def test_softmax_law_kills_the_other_rule() -> None:
    """Fixed point and table part on some row, as codes above qmin."""
    for label, (operator, _) in SOFTMAX.items():
        for other, (_, rule) in SOFTMAX.items():
            offset = 128 * ((label == "R81") - (other == "R81"))
            shifted = [
                operator(np.array([row], np.int8), s, b)[0].astype(int).tolist()
                == [code + offset for code in rule(row, exact(s), exact(b))]
                for row, s, b in rows()
            ]
            if {label, other} not in (
                {"R80", "R81"},
                {"R79", "R88"},
            ):  # short rows; half away and half up agree on positive shares but for one float32
                assert all(shifted) == (label == other), (label, other)


def test_softmax_law_kills_a_pairwise_sum() -> None:
    """A row sum that is not sequential differs in some last place, hence in some share."""
    x = QuantParams(0.0371, 0, -128, 127)
    q = np.random.default_rng(0).integers(-128, 128, (200, 61)).astype(np.int8)
    got = kernels._shares(q, x, SIGNED, 1.0)
    slope = -np.float32(x.scale) * np.float32(1)
    powers = np.exp((slope * (q.max(-1, keepdims=True) - q.astype(np.int64)).astype(np.float32)).astype(np.float64))
    powers = powers.astype(np.float32)
    total = powers.astype(np.float64).sum(-1, keepdims=True).astype(np.float32)
    assert (got != powers * (np.float32(1) / (total * np.float32(2.0**-8)))).any()
    sequential = np.array([[sum_in_order(row)] for row in powers], np.float32)
    assert (got == powers * (np.float32(1) / (sequential * np.float32(2.0**-8)))).all()


def sum_in_order(row: Any) -> np.float32:
    """Add float32 numbers one after the other."""
    total = np.float32(0)
    for value in row:
        total = np.float32(total + value)
    return total


def test_softmax_fixed_point_refuses_where_the_engine_aborts() -> None:
    """511 equal codes are answered, 512 are not, and the message names the shift."""
    x = QuantParams(0.1, 0, -128, 127)
    assert kernels.softmax_codes_fixed_point(np.zeros((1, 511), np.int8), x, SIGNED, 1.0).max() == -127
    with pytest.raises(ValueError, match=r"shift of 32.*at most 31"):
        kernels.softmax_codes_fixed_point(np.zeros((1, 512), np.int8), x, SIGNED, 1.0)
    with pytest.raises(OverflowError, match="32"):
        spec.softmax_fixed_point([0] * 512, Fraction(1, 10), Fraction(1), -128, 127)


def test_softmax_refuses_what_the_engine_refuses() -> None:
    """Other outputs, and inputs that a left shift cannot scale."""
    x, q = QuantParams(0.1, 0, -128, 127), np.zeros((1, 3), np.int8)
    with pytest.raises(ValueError, match="1 / 256 at zero point -128"):
        kernels.softmax_codes_table(q, x, QuantParams(2.0**-8, 0, -128, 127), 1.0)
    with pytest.raises(ValueError, match="1 / 256 at zero point -128"):
        kernels.softmax_codes_fixed_point(q, x, QuantParams(2.0**-7, -128, -128, 127), 1.0)
    with pytest.raises(ValueError, match="2\\^-26"):
        kernels.softmax_codes_fixed_point(q, x, SIGNED, 1e-8)


@pytest.mark.parametrize("operator", [kernels.softmax_codes_fixed_point, kernels.softmax_codes_table])
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_softmax_answers_empty_arrays(operator: Any, shape: Any) -> None:
    """Nothing in, nothing out, in shape and type."""
    got = operator(np.zeros(shape, np.int8), QuantParams(0.1, 0, -128, 127), SIGNED, 1.0)
    assert got.shape == shape and got.dtype == np.int8


FIXED = {
    "sigmoid": (SIGNED, spec.sigmoid_fixed_point),
    "tanh": (QuantParams(2.0**-7, 0, -128, 127), spec.tanh_fixed_point),
}


def fixed_equals_spec(name: Any, q: Any, scale: Any, z: Any, rule: Any) -> bool:
    """Say whether one code has its exact answer."""
    got = kernels.activation_codes_fixed_point(
        name, np.array([q], np.int8), QuantParams(scale, z, -128, 127), FIXED[name][0]
    )
    return got.dtype == np.int8 and int(got[0]) == rule(q, exact(scale), z)


@pytest.mark.parametrize("name", FIXED)
@given(q=INT8, scale=st.floats(2.0**-30, 2.0**6, width=32), z=INT8)
def test_activation_fixed_point_equals_spec(name: Any, q: Any, scale: Any, z: Any) -> None:
    """R82 and R83 for any code, rails included."""
    assert fixed_equals_spec(name, q, scale, z, FIXED[name][1])


@pytest.mark.parametrize("name", FIXED)
def test_activation_fixed_point_answers_extreme_scales(name: Any) -> None:
    """From a scale of 2^-120, where all is the middle, to 2^20, where all is a rail, the low one at 0."""
    for scale in (2.0**-120, 2.0**-90, 2.0**-32, 7.5, 8.0, 15.0, 16.0, 2.0**20):
        for q in (-128, -1, 0, 1, 127):
            assert fixed_equals_spec(name, q, scale, 0, FIXED[name][1]), scale


def test_activation_fixed_point_law_kills_the_table() -> None:
    """Where 256 sigmoids lie beside a half, a correctly rounded table is one off somewhere."""
    from npquant.kernels.lookup import activation_table

    for name, (y, rule) in FIXED.items():
        off = 0
        half = 1 if name == "sigmoid" else 2  # tanh d = 2 sigmoid 2 d - 1, on half as many codes
        for k in range(128, 255, 2):
            scale = logit(k) / half / 101
            table = activation_table(name, QuantParams(scale, 0, -128, 127), y)
            off += sum(int(table[q + 128]) != rule(q, exact(scale), 0) for q in (-101, 101))
        assert off > 0, name


def test_relu6_without_rescale_clamps_to_the_input() -> None:
    """R84: codes stay, between the codes of 0 and 6; the engine looks at no output parameter."""
    x = QuantParams(0.1, -100, -128, 127)
    got = kernels.activation_codes_fixed_point("relu6", np.arange(-128, 128).astype(np.int8), x, x)
    assert got.tolist() == [clamp_code_without_rescale(q, -100, -40) for q in range(-128, 128)]
    assert got.tolist() != np.clip(np.arange(-128, 128), 0, 6).tolist()  # the literal clamp of CMSIS-NN's arm_relu6_s8
    other = kernels.activation_codes_fixed_point("relu6", np.arange(-128, 128).astype(np.int8), x, SIGNED)
    assert other.tolist() == got.tolist()


@pytest.mark.parametrize("scale", [1 / 255, 1.99999955 / 256, 0.5])
def test_activation_fixed_point_looks_at_no_output_scale(scale: Any) -> None:
    """R82, R83: TFLite-Micro's tests use 1 / 255 and 1.99999955 / 256; only a sigmoid's zero point is checked."""
    x, q = QuantParams(1 / 16, 3, -128, 127), np.arange(-128, 128).astype(np.int8)
    for name, zero_points in (("sigmoid", (-128,)), ("tanh", (0, 1, -128))):
        want = kernels.activation_codes_fixed_point(name, q, x, FIXED[name][0])
        for z in zero_points:
            got = kernels.activation_codes_fixed_point(name, q, x, QuantParams(scale, z, -128, 127))
            assert got.tolist() == want.tolist()
    with pytest.raises(ValueError, match="any scale at zero point -128"):
        kernels.activation_codes_fixed_point("sigmoid", q, x, QuantParams(scale, -127, -128, 127))


def test_relu_fixed_point_divides_in_float64() -> None:
    """R62 clamped to R34: 39.4999996 rounds to 39 where a float32 ratio (R65) makes it 40."""
    x, y = QuantParams(2.0055530071258545, 0, -128, 127), QuantParams(0.8631494045257568, -123, -128, 127)
    q = np.array([17], np.int8)
    assert kernels.activation_codes_fixed_point("relu", q, x, y).tolist() == [-84]
    assert clamp_activation_codes("relu", q, x, y).tolist() == [-83]


def test_softmax_fixed_point_shift_x86_equals_spec() -> None:
    """R88: rows whose last shift is 31 to 35, spread codes included, are gemmlowp's as x86 runs it; 512 zeros: 127."""
    x = QuantParams(0.1, 0, -128, 127)
    rng = np.random.default_rng(5)
    for length in (511, 512, 1024, 2100, 8191):
        row = np.zeros(length, np.int8)
        row[1::2] = 0 if length in (512, 8191) else -rng.integers(0, 120, len(row[1::2]))
        got = kernels.softmax_codes_fixed_point_shift_x86(row[None], x, SIGNED, 1.0)[0]
        assert got.tolist() == spec.softmax_fixed_point_shift_x86(row.tolist(), exact(x.scale), Fraction(1), -128, 127)
    equal = kernels.softmax_codes_fixed_point_shift_x86(np.zeros((1, 512), np.int8), x, SIGNED, 1.0)
    assert (equal == 127).all()


def test_softmax_fixed_point_shift_x86_refuses_a_wrapped_sum() -> None:
    """R88: 8,192 equal codes sum to 2^32."""
    with pytest.raises(ValueError, match="sum to 8192 or more"):
        kernels.softmax_codes_fixed_point_shift_x86(
            np.zeros((1, 8192), np.int8), QuantParams(0.1, 0, -128, 127), SIGNED, 1.0
        )
    with pytest.raises(OverflowError, match="2\\^32"):
        spec.softmax_fixed_point_shift_x86([0] * 8192, Fraction(1, 10), Fraction(1), -128, 127)
