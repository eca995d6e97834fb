"""Quantization parameters: what the record accepts, and what the two choosers promise."""

import contextlib
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npquant.kernels.affine import dequantize, quantize, quantize_truncating
from npquant.kernels.dynamic import dynamic_quantize_unit_empty
from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier
from npquant.kernels.qparams import QuantParams, choose_affine, choose_symmetric

ENDS = st.floats(-1e30, 1e30)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, 1e-40, 1e39, 1e-50])
def test_quant_params_refuses_a_scale_that_is_not_normal(scale: Any) -> None:
    """C1: positive, normal, finite in float32."""
    with pytest.raises(ValueError, match="C1"):
        QuantParams(scale, 0, -128, 127)


def first_signalling_nan(bits: int) -> Any:
    """Return the NaN of float32 or float64 that raises the invalid flag whenever its format changes."""
    if bits == 32:
        return np.frombuffer(struct.pack("<I", 0x7F800001), np.float32)
    return np.frombuffer(struct.pack("<Q", 0x7FF0000000000001), np.float64)


ANY_NUMBER = st.integers(0, 2**32 - 1).map(lambda pattern: np.array([pattern], np.uint32).view(np.float32))


@given(
    value=ANY_NUMBER | st.integers(0, 2**64 - 1).map(lambda pattern: np.array([pattern], np.uint64).view(np.float64))
)
@example(value=first_signalling_nan(32))
@example(value=first_signalling_nan(64))
def test_messages_do_not_fail(value: Any) -> None:
    """C1, R1, R3, R5, R13, R14, R60: any bit pattern is taken, or refused by a message; no cast on the way raises."""
    good = QuantParams(0.5, 0, -128, 127)
    calls = (
        lambda v: QuantParams(v, 0, -128, 127),
        lambda v: choose_symmetric(v, 8),
        lambda v: choose_affine(v, v, 8),
        decompose_multiplier,
        lambda v: quantize(v, good),
        lambda v: quantize_truncating(v, 4),
        dynamic_quantize_unit_empty,
    )
    for given_value in (value, value[0]):
        for call in calls:
            with contextlib.suppress(ValueError):
                call(given_value)
    if np.isnan(value[0]):
        for call in calls:
            with pytest.raises(ValueError, match=r"nan|NaN"):
                call(value)


def test_quant_params_names_the_bad_channel() -> None:
    """C1: the message says which channel."""
    with pytest.raises(ValueError, match=r"channel 1 is 0\.0"):
        QuantParams([0.5, 0.0], 0, -128, 127)


@pytest.mark.parametrize("zero_point", [-129, 128, [0, 300]])
def test_quant_params_refuses_a_zero_point_without_a_code(zero_point: Any) -> None:
    """C2: 0 must have a code."""
    with pytest.raises(ValueError, match="C2"):
        QuantParams(1.0, zero_point, -128, 127)


@pytest.mark.parametrize(("qmin", "qmax"), [(5, 5), (7, 3), (-(2**31) - 1, 0), (0, 2**31)])
def test_quant_params_refuses_an_impossible_interval(qmin: Any, qmax: Any) -> None:
    """C3: qmin < qmax inside int32."""
    with pytest.raises(ValueError, match="C3"):
        QuantParams(1.0, 0, qmin, qmax)


def test_quant_params_refuses_wrong_types_and_shapes() -> None:
    """Codes are integers; channels are one axis; scales and zero points agree."""
    for call in (lambda: QuantParams(1.0, 0.5, -128, 127), lambda: QuantParams(1.0, 0, -128.0, 127)):
        with pytest.raises(TypeError):
            call()
    for scale, zero_point in (([[1.0]], 0), ([], 0), ([1.0, 2.0], [0, 0, 0])):
        with pytest.raises(ValueError):
            QuantParams(scale, zero_point, -128, 127)


def test_quant_params_cannot_be_changed() -> None:
    """Arrays inside are read-only copies."""
    scale = np.array([1.0, 2.0], np.float32)
    params = QuantParams(scale, 0, -128, 127)
    scale[0] = 9.0
    assert params.scale.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError):
        params.scale[0] = 3.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        params.qmin = 0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("interval", "dtype"), [((-128, 127), "int8"), ((0, 255), "uint8"), ((-8, 7), "int8"), ((-300, 5), "int16")]
)
def test_quant_params_dtype_is_the_narrowest(interval: Any, dtype: Any) -> None:
    """Codes are stored in the narrowest type that holds the interval."""
    assert QuantParams(1.0, interval[0], *interval).dtype == dtype


def affine_keeps_its_promises(choose: Any, lo: float, hi: float, bits: int) -> bool:
    """Say whether 0 is exact and both ends of the range come back within half a step (one, where z was rounded)."""
    params = choose(lo, hi, bits)
    zero_exact = dequantize(quantize([0.0], params), params)[0] == 0
    low, high = min(lo, 0.0), max(hi, 0.0)
    ends = np.array([low, high])
    error = np.abs(dequantize(quantize(ends, params), params).astype(np.float64) - ends)
    # Half a step from R1 and half from rounding z; the float32 scale and result move an end by 2^-23 of itself.
    allowed = float(params.scale) + 2.0**-22 * np.abs(ends)
    return bool(zero_exact and (error <= allowed).all())


@given(ends=st.tuples(ENDS, ENDS).map(sorted), bits=st.integers(2, 8))
def test_choose_affine_represents_zero_and_both_ends(ends: Any, bits: Any) -> None:
    """R14: zero has a code, and no end of the range is further than one step from its code's value."""
    assert affine_keeps_its_promises(choose_affine, *ends, bits)  # type: ignore[call-arg]


def test_choose_affine_law_kills_a_range_without_zero() -> None:
    """Leaving out the widening to 0 gives a zero point outside the interval, or clips 0."""

    def narrow(lo: Any, hi: Any, bits: Any) -> Any:
        scale = (hi - lo) / (2**bits - 1)
        zero_point = int(np.clip(np.rint(-(2 ** (bits - 1)) - lo / scale), -128, 127))
        return QuantParams(scale, zero_point, -128, 127)

    assert affine_keeps_its_promises(choose_affine, 5.0, 6.0, 8)
    assert not affine_keeps_its_promises(narrow, 5.0, 6.0, 8)


@given(absmax=st.floats(0, 1e30), bits=st.integers(2, 8))
def test_choose_symmetric_represents_its_largest_value(absmax: Any, bits: Any) -> None:
    """R13: +-absmax lie within half a step of a code, and the zero point is 0."""
    params = choose_symmetric(absmax, bits)
    assert params.zero_point == 0 and (params.qmin, params.qmax) == (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    ends = np.array([-absmax, absmax])
    error = np.abs(dequantize(quantize(ends, params), params).astype(np.float64) - ends)
    assert (error <= float(params.scale) / 2 + 2.0**-22 * absmax).all()


@pytest.mark.parametrize("params", [choose_symmetric(0.0, 8), choose_affine(0.0, 0.0, 8), choose_symmetric(1e-44, 8)])
def test_degenerate_ranges_are_defined(params: Any) -> None:
    """R13, R14: an empty or subnormal range has scale 1."""
    assert params.scale == 1.0


def test_choosers_work_a_channel_at_a_time() -> None:
    """Arrays of ranges give per-channel parameters, degenerate channels included."""
    params = choose_symmetric(np.array([127.0, 0.0, 63.5]), 8)
    assert params.scale.tolist() == [1.0, 1.0, 0.5]
    affine = choose_affine(np.array([0.0, -127.5]), np.array([127.5, 0.0]), 8)
    assert affine.scale.tolist() == [0.5, 0.5] and affine.zero_point.tolist() == [-128, 127]


def test_choosers_refuse_what_is_no_range() -> None:
    """NaN, a negative magnitude, a reversed range and an odd width are named."""
    for call in (
        lambda: choose_symmetric(np.nan, 8),
        lambda: choose_symmetric(-1.0, 8),
        lambda: choose_affine(2.0, 1.0, 8),
        lambda: choose_affine(-np.inf, 1.0, 8),
        lambda: choose_symmetric(1.0, 1),
    ):
        with pytest.raises(ValueError):
            call()


@pytest.mark.parametrize("parts", [(2**31, 0), (2**30, 31), (2**30, -32), (-(2**31) - 1, 0)])
def test_fixed_multiplier_refuses_parts_out_of_range(parts: Any) -> None:
    """C4: m is an int32; e is in [-31, 30]."""
    with pytest.raises(ValueError, match="C4"):
        FixedMultiplier(*parts)


@pytest.mark.parametrize("m", [-(2**31), -(2**30), -1, 0, 1, 2**29, 2**30 - 1, 2**31 - 1])
def test_fixed_multiplier_takes_any_int32(m: Any) -> None:
    """C4: small and negative multipliers are the real numbers that they stand for."""
    assert FixedMultiplier(m, 1).real == m / 2**30
