"""tract's arithmetic: the arrays equal the exact scalars, at ties and at the rails, and other rules do not."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import tract as kernels
from npquant.kernels.output_stages import stage_float32_half_even
from npquant.kernels.qparams import QuantParams
from npquant.spec import tract as spec
from npquant.spec.conversion import code_wrapping
from npquant.spec.rounding import round_half_even, round_half_up

RAILS = [0, 1, -1, 2**31 - 1, -(2**31), -(2**31) + 1, 2**30, 2**31 - 2**23, 2**24 + 1]
INT32 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from(RAILS)
# Every exponent of binary32, 0 included, with mantissas at both ends and in the middle.
MULTIPLIERS = st.builds(
    lambda e, f: float(np.float32(np.ldexp(np.float64(f), e))),
    st.integers(-149, 127),
    st.sampled_from([0.0, 1.0, 1.5, 1 + 2.0**-23, 2 - 2.0**-23]) | st.floats(1, 2 - 2.0**-23, width=32),
)
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
F32 = st.floats(-(2.0**60), 2.0**60, width=32)
INT8 = st.integers(-128, 127)


def exact_equals_spec(rescale: Callable[..., int], acc: int, m: float) -> bool:
    """Say whether a rule gives what the arrays give."""
    got = kernels.rescale_exact(np.array([acc], np.int64), np.float32(m))
    return got.dtype == np.int64 and int(got[0]) == rescale(acc, Fraction(float(np.float32(m))))


@given(acc=INT32, m=MULTIPLIERS)
def test_rescale_exact_equals_spec(acc: int, m: float) -> None:
    """R121 for any accumulator and any float32 multiplier, the kernel's rails included."""
    assert exact_equals_spec(spec.rescale_exact, acc, m)


@given(acc=st.integers(-(2**31) + 1, 2**31 - 1), m=st.floats(2.0**-31, 2.0**30, width=32))
def test_rescale_exact_is_one_rounding_to_even_in_range(acc: int, m: float) -> None:
    """R121: inside int32, and short of the half step that wraps, it is the exact product, rounded once."""
    real = Fraction(m)
    if abs(acc * real) < 2**31 - 1 and abs(acc) + Fraction(1, 2) / real < 2**31:
        assert spec.rescale_exact(acc, real) == round_half_even(acc * real)


def test_rescale_exact_law_kills_other_rules() -> None:
    """Half up, a float32 product, and the mathematics at the rails each fail where R121 holds."""

    def mathematics(acc: int, m: Fraction) -> int:
        return round_half_even(acc * m)

    def half_up(acc: int, m: Fraction) -> int:
        return round_half_up(acc * m)

    def in_float32(acc: int, m: Fraction) -> int:
        return spec.rescale_magnitude(acc, m)

    ties = [(acc, 0.5) for acc in range(-9, 10)] + [(acc, 0.75) for acc in range(-9, 10)]
    wide = [(5 * 2**24 + 1, 2.0**-25), (-(5 * 2**24 + 1), 2.0**-25)]
    rails = [(2**31 - 1, 0.5), (-(2**31), 0.434), (2**31 - 1, 5.5), (1, 2.0**-32), (7, 0.0), (3, 1.5 * 2.0**31)]
    cases = ties + wide + rails
    assert all(exact_equals_spec(spec.rescale_exact, *case) for case in cases)
    for wrong, killing in ((half_up, ties), (in_float32, wide), (mathematics, rails)):
        assert not all(exact_equals_spec(wrong, *case) for case in killing), wrong.__name__


@given(acc=INT32, m=st.floats(2.0**-40, 2.0**40, width=32))
def test_rescale_magnitude_equals_spec(acc: int, m: float) -> None:
    """R122 for any accumulator."""
    got = int(kernels.rescale_magnitude(np.array([acc], np.int64), np.float32(m))[0])
    assert got == spec.rescale_magnitude(acc, Fraction(m))


@given(acc=INT32, sx=SCALES, sw=st.lists(SCALES, min_size=1, max_size=3), sy=SCALES, zy=INT8, each=st.booleans())
def test_stage_equals_spec(acc: int, sx: float, sw: list[float], sy: float, zy: int, each: bool) -> None:
    """R120: one multiplier is taken exactly, several in float32; the zero point comes after, and wraps."""
    exact = [Fraction(s) for s in (sx, sy)]
    weights = [Fraction(s) for s in sw] if each else Fraction(sw[0])
    m = spec.layer_multiplier(exact[0], weights, exact[1])
    first = spec.rescale_magnitude(acc, m[0]) if isinstance(m, list) else spec.rescale_exact(acc, m)
    made = kernels.layer_multiplier(sx, sw if each else sw[0], sy)
    assert (made.ndim == 1) == isinstance(m, list)
    got = kernels.stage_half_even_wrapping(np.full((1, len(sw)), acc, np.int64), made, zy, -128, 127)
    assert int(got[0, 0]) == code_wrapping(first, zy, -128, 127)


def test_one_channel_changes_the_others() -> None:
    """R120: 5 2^24 + 1 at scale 2^-25 is 2.5 and a little; beside a channel of another scale it rounds to 2."""
    acc = np.full((1, 8), 5 * 2**24 + 1, np.int64)
    scales = np.full(8, 2.0**-25, np.float32)
    codes = [kernels.stage_half_even_wrapping(acc, kernels.layer_multiplier(1, scales, 1), 0, -128, 127)[0, 0]]
    scales[7] = 2.0**-24
    codes.append(kernels.stage_half_even_wrapping(acc, kernels.layer_multiplier(1, scales, 1), 0, -128, 127)[0, 0])
    assert codes == [3, 2]
    assert stage_float32_half_even(acc[0, :1], np.float32(2.0**-25), 0, -128, 127)[0] == 2


@given(x=F32, s=SCALES, z=INT8)
def test_quantize_equals_spec(x: float, s: float, z: int) -> None:
    """R123 on any finite float32."""
    got = kernels.quantize([x], QuantParams(s, z, -128, 127))
    assert got.dtype == np.int8 and int(got[0]) == spec.quantize(Fraction(x), Fraction(s), z, -128, 127)


def test_quantize_wraps_at_infinity() -> None:
    """R123: what saturates at 2^31 - 1 wraps under a positive zero point; NaN is the zero point."""
    x = [np.nan, np.inf, -np.inf, 1e30]
    assert kernels.quantize(x, QuantParams(1.0, 5, -128, 127)).tolist() == [5, -128, -128, -128]
    assert kernels.quantize(x, QuantParams(1.0, -5, -128, 127)).tolist() == [-5, 127, 127, 127]
    with pytest.raises(ValueError, match="per tensor"):
        kernels.quantize(x, QuantParams([1.0], 0, -128, 127))


@given(x=st.lists(st.floats(-(2.0**30), 2.0**30, width=32).map(lambda v: v if abs(v) > 1e-30 else 0.0), max_size=9))
def test_dynamic_quantize_equals_spec(x: list[float]) -> None:
    """R124 on any tensor whose scale does not underflow."""
    codes, s, z = spec.dynamic_quantize([Fraction(v) for v in x])
    got = kernels.dynamic_quantize(np.array(x, np.float32))
    assert (got.codes.tolist(), Fraction(float(got.scale)), int(got.zero_point)) == (codes, s, z)


def test_dynamic_quantize_refuses_infinity() -> None:
    """R124 has no answer for a range without ends."""
    with pytest.raises(ValueError, match="NaN or infinity"):
        kernels.dynamic_quantize([np.inf])
