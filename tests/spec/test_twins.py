"""The rest of the twins: parameters, bounds, saturating pairs, the 15-bit multiplier, wrapping zero points."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import activation_bounds, matmul, qparams
from npquant.kernels.activation_bounds import CLAMPS
from npquant.profiles import get
from npquant.profiles.hardware import multiplier_15_bits
from npquant.spec import activation_bounds as spec_bounds
from npquant.spec import conversion, linear, multiplier, requantize
from npquant.spec import qparams as parameters

SCALES = st.floats(2.0**-20, 2.0**10, width=32)
INT8 = st.integers(-128, 127)
ENDS = st.floats(-1e30, 1e30)


@given(absmax=st.floats(0, 1e30), bits=st.integers(2, 16))
def test_choose_symmetric_equals_spec(absmax, bits):
    """R13, subnormal and empty ranges included."""
    assert Fraction(float(qparams.choose_symmetric(absmax, bits).scale)) == parameters.choose_symmetric(
        Fraction(absmax), bits
    )


@given(ends=st.tuples(ENDS, ENDS).map(sorted), bits=st.integers(2, 16))
def test_choose_affine_equals_spec(ends, bits):
    """R14: scale and zero point, to the bit."""
    got = qparams.choose_affine(*ends, bits)
    want = parameters.choose_affine(Fraction(ends[0]), Fraction(ends[1]), bits)
    assert (Fraction(float(got.scale)), got.zero_point) == want


def test_choose_affine_law_kills_a_float32_zero_point():
    """Rounding lo / s in float32 moves the zero point of some ranges."""
    rng = np.random.default_rng(0)
    ranges = np.sort(rng.uniform(-1, 1, (4000, 2)) * 10.0 ** rng.integers(-3, 3, (4000, 1)), axis=1)

    def in_float32(lo, hi):
        low, high = min(lo, 0.0), max(hi, 0.0)
        scale = np.float32((high / 2 - low / 2) / (65535 / 2))
        return int(np.clip(np.rint(np.float32(-32768) - np.float32(low) / scale), -32768, 32767))

    exact = [parameters.choose_affine(Fraction(lo), Fraction(hi), 16)[1] for lo, hi in ranges]
    assert exact == [qparams.choose_affine(lo, hi, 16).zero_point for lo, hi in ranges]
    assert exact != [in_float32(lo, hi) for lo, hi in ranges]


@given(scale=SCALES, zero_point=INT8, name=st.sampled_from(list(CLAMPS)), k=st.integers(1, 60), half=st.booleans())
def test_activation_bounds_equal_spec(scale, zero_point, name, k, half):
    """R34 and R35, with scales that put a bound on a tie."""
    scale = float(np.float32(CLAMPS[name][1] / (k + 0.5))) if half and np.isfinite(CLAMPS[name][1]) else scale
    y = qparams.QuantParams(scale, zero_point, -128, 127)
    bounds = [None if np.isinf(v) else Fraction(v) for v in CLAMPS[name]]
    exact = (*bounds, Fraction(float(y.scale)), zero_point, -128, 127)
    assert activation_bounds.bounds_half_away(name, y) == spec_bounds.clamp_codes_half_away(*exact)
    assert activation_bounds.bounds_half_even_zero_point_first(name, y) == spec_bounds.clamp_codes_zero_point_first(
        *exact
    )


def test_activation_bounds_law_kills_the_other_rule():
    """6 / 4 = 1.5 and zero point 1: away gives 2 + 1, even after the zero point gives round(2.5) = 2."""
    y = qparams.QuantParams(4.0, 1, -128, 127)
    assert activation_bounds.bounds_half_away("relu6", y) == (1, 3)
    assert activation_bounds.bounds_half_even_zero_point_first("relu6", y) == (1, 2)


@given(rows=st.lists(st.tuples(st.integers(0, 255), INT8), min_size=1, max_size=7))
def test_products_equal_spec(rows):
    """R15 and R36: exact sums, and sums of pairs that saturate."""
    x, w = [r[0] for r in rows], [r[1] for r in rows]
    signed = np.array([v - 128 for v in x], np.int8)[None]
    column = np.array(w, np.int8)[:, None]
    assert matmul.matmul_int8(signed, column).item() == linear.dot([v - 128 for v in x], w)
    assert matmul.matmul_pair16(np.array(x, np.uint8)[None], column).item() == linear.dot_pair16(x, w)


def test_products_law_kills_pairs_of_other_neighbours():
    """Pairing k with k + K/2 saturates elsewhere."""
    x, w = [255, 0, 255, 0], [127, 1, 127, 1]
    assert linear.dot_pair16(x, w) == 255 * 127 * 2
    assert linear.dot_pair16(x[::2] + x[1::2], w[::2] + w[1::2]) == 2**15 - 1


@given(real=st.floats(2.0**-40, 2.0**29))
def test_multiplier_15_bits_equals_spec(real):
    """R37 for any multiplier."""
    sy = np.float32(1) / np.float32(real)
    exact = multiplier.real_multiplier(Fraction(1), Fraction(1), Fraction(float(sy)))
    got = multiplier_15_bits(1.0, 1.0, sy)
    assert (got.multiplier, got.shift) == multiplier.decompose_multiplier_15_bits(exact)


@given(acc=st.sampled_from([2**31 - 1, 2**31 - 60, -(2**31), -(2**31) + 60]), zy=INT8)
def test_wrapping_zero_point_equals_spec(acc, zy):
    """R38: beside the ends of int32 the zero point wraps, and the code comes out at the other rail."""
    got = get("tflite_ref").output_stage(np.array([acc]), get("tflm").make_multiplier(1.0, 1.0, 1.0), zy, -128, 127)
    steps = requantize.requantize_double_rounding(acc, *multiplier.decompose_multiplier(Fraction(1)))
    assert int(got[0]) == conversion.code_wrapping(steps, zy, -128, 127)


def test_wrapping_zero_point_kills_saturation():
    """A saturating sum stays at the high rail where the wrapping one does not."""
    args = (2**31 - 1, 5, -128, 127)
    assert conversion.code_wrapping(*args) == -128 and conversion.code_saturating(*args) == 127
