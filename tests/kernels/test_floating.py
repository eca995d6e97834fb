"""The fused multiply-add equals one rounding of the exact sum, at every place where two roundings part from one."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import floating
from npquant.spec.floating import fma_float32

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
Case = tuple[float, float, float]
Fma = Callable[[Any, Any, Any], Any]


def exact(case: Case) -> float:
    """Return the definition's number, infinite where it overflows."""
    a, b, c = (Fraction(float(np.float32(v))) for v in case)
    try:
        return float(fma_float32(a, b, c))
    except OverflowError:
        return np.inf if a * b + c > 0 else -np.inf


def fma_equals_spec(fma: Fma, case: Case) -> bool:
    """Say whether one result is the exact sum's nearest float32."""
    got = fma(*(np.float32(v) for v in case))
    assert np.asarray(got).dtype == np.float32
    return float(got) == exact(case)


UP, TINY = 1 + 2.0**-23, 2.0**-149
LARGEST = (2 - 2.0**-23) * 2.0**127
CASES: dict[str, list[Case]] = {
    "ties": [
        *((1.0, k * 2.0**-24, c) for k in range(1, 8) for c in (1.0, UP, -1.0, -UP, 2.0)),
        *((0.5, TINY, k * TINY) for k in range(5)),
    ],
    # c + a b is a float32 tie but for a term below float64's last bit.
    "double rounding": [
        *((s * 2.0**-30, t * 2.0**-30, s * (1 + k * 2.0**-23)) for s in (1, -1) for t in (1, -1) for k in (0, 1)),
        *((s * (2.0**-12 + 2.0**-e), 2.0**-12 - 2.0**-e, c) for s in (1, -1) for e in (30, 35) for c in (1.0, UP)),
        (2.0**-24 + 2.0**-47, 1.0, 1.0),
    ],
    "cancellation": [(UP, UP, -1 - 2.0**-22), (UP, 1 - 2.0**-24, -1.0), (3.0, 1 / 3, -1.0), (UP, UP, -UP * UP)],
    # The sum is subnormal in float32, where the last kept bit is far above the last of 24.
    "subnormal": [
        *(
            (a * 2.0**-75, b * 2.0**-75, k * TINY)
            for a in (1, UP, -1.5)
            for b in (0.5, 1, UP)
            for k in (0, 1, -3, 2**10)
        ),
        *((2.0**-126, b, k * TINY) for b in (1 - 2.0**-24, 0.5 + 2.0**-24, UP / 2) for k in (0, 1, -1)),
        *((2.0**-126, (2 * k + 1) * 2.0**-24 + s * 2.0**-26, 0.0) for k in (3, 2**20 + 1) for s in (0.25, -0.25)),
        (TINY, TINY, TINY),
        (TINY, -TINY, 2.0**-126),
    ],
    # The product is below or beyond every float32.
    "out of range": [
        (TINY, TINY, 0.0),
        (2.0**-100, 2.0**-100, TINY),
        (2.0**100, 2.0**100, 0.0),
        (2.0**127, 2.0, -(2.0**127)),
        (2.0**64, 2.0**64, -(2.0**127) * UP),
        (-(2.0**127), 2.0, 2.0**127),
    ],
    "overflow": [(LARGEST, 1.0, 2.0**103 * k) for k in (0.5, 0.999, 1.0, 2.0, -1.0)],
}


@given(a=FINITE, b=FINITE, c=FINITE)
def test_fma_float32_equals_spec_everywhere(a: float, b: float, c: float) -> None:
    """R0 for any three finite numbers, subnormal and overflowing ones too."""
    assert fma_equals_spec(floating.fma_float32, (a, b, c))


@given(a=FINITE, b=FINITE, steps=st.integers(-3, 3))
def test_fma_float32_equals_spec_where_the_sum_cancels(a: float, b: float, steps: int) -> None:
    """R0 where c is a few steps from -a b: what is left are the product's low bits."""
    with np.errstate(over="ignore"):
        c = -np.float32(a) * np.float32(b)
        for _ in range(abs(steps)):
            c = np.nextafter(c, np.float32(np.copysign(np.inf, steps)))
    if np.isfinite(c):
        assert fma_equals_spec(floating.fma_float32, (a, b, float(c)))


@pytest.mark.parametrize("kind", list(CASES))
def test_fma_float32_equals_spec_at(kind: str) -> None:
    """R0 at ties, subnormals, cancellation, overflow, and products outside of float32."""
    assert all(fma_equals_spec(floating.fma_float32, case) for case in CASES[kind])


def in_float64(a: Any, b: Any, c: Any) -> Any:
    """Round the sum to float64, then to float32."""
    with np.errstate(all="ignore"):
        return np.float32(np.float64(a) * np.float64(b) + np.float64(c))


def in_float32(a: Any, b: Any, c: Any) -> Any:
    """Round the product, then the sum."""
    with np.errstate(all="ignore"):
        return np.float32(a * b + c)


def to_odd_in_24_bits(a: Any, b: Any, c: Any) -> Any:
    """Round to odd too early: 24 bits of the sum are kept, and rounded again where a subnormal has fewer."""
    with np.errstate(all="ignore"):
        total = np.float64(a) * np.float64(b) + np.float64(c)
        fraction, exponent = np.frexp(total)
        return np.float32(np.ldexp(np.rint(fraction * 2.0**24), exponent - 24))


@pytest.mark.parametrize(
    ("mutant", "kind"),
    [
        (in_float64, "double rounding"),
        (in_float32, "double rounding"),
        (in_float32, "cancellation"),
        (in_float32, "out of range"),
        (in_float32, "subnormal"),
        (to_odd_in_24_bits, "subnormal"),
    ],
)
def test_law_fma_kills(mutant: Fma, kind: str) -> None:
    """Each way of rounding twice is seen at one of the places."""
    assert not all(fma_equals_spec(mutant, case) for case in CASES[kind])


def test_fma_float32_passes_nan_and_infinities_through() -> None:
    """No warning, and IEEE's answers."""
    inf = np.float32(np.inf)
    got = floating.fma_float32([inf, inf, 1, np.nan, -inf], [1, 0, inf, 1, 1], [1, 1, -inf, 1, 1])
    np.testing.assert_array_equal(got, np.float32([inf, np.nan, np.nan, np.nan, -inf]))
