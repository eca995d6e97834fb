"""TFLite's hybrid layer: the arrays equal exact scalars, and the laws see each neighbouring rule."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.kernels import hybrid as kernels
from npquant.kernels.dynamic import DynamicCodes
from npquant.kernels.rounding import round_half_away
from npquant.spec import hybrid as spec

F32 = st.floats(-(2.0**30), 2.0**30, width=32).filter(lambda v: v == 0 or abs(v) > 2.0**-60)
ROWS = st.lists(F32, min_size=1, max_size=19)
SEEDS = st.integers(0, 2**32 - 1)


def exact(values: Any) -> list[Fraction]:
    """Return float32 values as they are."""
    return [Fraction(float(np.float32(v))) for v in values]


def symmetric_equals_spec(quantize: Any, row: Any) -> bool:
    """Say whether scale and codes of one row are R110's."""
    got, x = quantize([row]), exact(row)
    r, whole = max(map(abs, x)), len(row) // 8 * 8
    pairs = [spec.hybrid_symmetric(v, r, k < whole) for k, v in enumerate(x)]
    return (Fraction(float(got.scale[0, 0])), got.codes[0].tolist()) == (pairs[0][0], [q for _, q in pairs])


def asymmetric_equals_spec(quantize: Any, row: Any) -> bool:
    """Say whether scale, zero point and codes of one row are R111's."""
    got, x = quantize([row]), exact(row)
    s, z = spec.hybrid_asymmetric_parameters(min([*x, Fraction(0)]), max([*x, Fraction(0)]))
    whole = len(row) // 8 * 8
    codes = [spec.hybrid_asymmetric_code(v, s, z, k < whole) for k, v in enumerate(x)]
    return (Fraction(float(got.scale[0, 0])), int(got.zero_point[0, 0]), got.codes[0].tolist()) == (s, z, codes)


def four_bit_equals_spec(quantize: Any, row: Any) -> bool:
    """Say whether scale and codes of one row are R113's."""
    got, x = quantize([row]), exact(row)
    pairs = [spec.hybrid_4_bit(v, max(map(abs, x))) for v in x]
    return (Fraction(float(got.scale[0, 0])), got.codes[0].tolist()) == (pairs[0][0], [q for _, q in pairs])


def near_ties() -> list[list[float]]:
    """Return rows of 19 values at ties of their own scales and beside them, the number below 1/2 among them."""
    below = float(np.nextafter(np.float32(0.5), np.float32(0)))
    found = []
    for scale in (1.0, 0.1, 3.0, 2.0**-20):
        for shift in (0, 3, 11):
            ties = [(k + 0.5 + shift) * scale for k in range(-8, 8)]
            beside = [float(np.nextafter(np.float32(v), np.float32(np.inf))) for v in ties]
            ends = ([127 * scale], [-128 * scale, 127 * scale], [255 * scale])
            found += [[*end, *values, 0.0][:19] for values in (ties, beside) for end in ends]
    return [*found, [127.0, below, -below, *[below] * 16], [-127.0, 0.5, -0.5], [0.0] * 9]


LAWS = {
    "symmetric": (symmetric_equals_spec, kernels.hybrid_symmetric),
    "asymmetric": (asymmetric_equals_spec, kernels.hybrid_asymmetric),
    "four bits": (four_bit_equals_spec, kernels.hybrid_4_bit_codes),
}


@pytest.mark.parametrize("kind", LAWS)
@given(row=ROWS)
def test_hybrid_codes_equal_spec(kind: Any, row: Any) -> None:
    """R110, R111, R113 on any row, whole vectors and what is left."""
    law, quantize = LAWS[kind]
    assert law(quantize, row)


@pytest.mark.parametrize("kind", LAWS)
def test_hybrid_codes_equal_spec_at_ties(kind: Any) -> None:
    """The same at ties, and one float beside them."""
    law, quantize = LAWS[kind]
    assert all(law(quantize, row) for row in near_ties())


def without_vectors(x: Any) -> Any:
    """Round half away in the vectors too."""
    values = np.float32(x)
    r = np.abs(values).max(axis=1, keepdims=True)
    r = np.where(r == 0, np.float32(127), r)
    codes = np.clip(round_half_away(values * (np.float32(127) / r)), -127, 127).astype(np.int8)
    return DynamicCodes(codes, r / np.float32(127), np.zeros_like(r, np.int8))


def half_even(x: Any) -> Any:
    """Round ties to even."""
    made = without_vectors(x)
    return made._replace(codes=np.rint(np.float32(x) * (np.float32(127) / (made.scale * 127))).astype(np.int8))


def zero_point_in_float32(x: Any) -> Any:
    """Take R111's zero point from float32 quotients."""
    made = kernels.hybrid_asymmetric(x)
    values = np.float32(x)
    lo, hi = (f(axis=1, keepdims=True, initial=0) for f in (values.min, values.max))
    low, high = lo / made.scale, hi / made.scale
    z = np.where(128 + np.abs(low) < 127 + np.abs(high), -128 - low, 127 - high)
    return made._replace(zero_point=np.clip(np.rint(z), -128, 127).astype(np.int8))


def test_laws_of_codes_kill_their_neighbours() -> None:
    """Half away in vectors, ties to even, a zero point in float32, and each rule under the other's law."""
    rows = near_ties()
    ranges = [[-(k + 0.5) / 255, 1 - (k + 0.5) / 255] for k in range(255)]
    for law, mutant, given_rows in (
        (symmetric_equals_spec, without_vectors, rows),
        (symmetric_equals_spec, half_even, rows),
        (symmetric_equals_spec, kernels.hybrid_4_bit_codes, rows),
        (four_bit_equals_spec, kernels.hybrid_symmetric, rows),
        (asymmetric_equals_spec, zero_point_in_float32, ranges),
    ):
        assert not all(law(mutant, row) for row in given_rows), mutant


def sums_equal_spec(sums: Any, x_q: Any, w_q: Any, zx: Any) -> bool:
    """Say whether every accumulator is R112's."""
    want = [[spec.hybrid_sum(r.tolist(), c.tolist(), int(z[0])) for c in w_q.T] for r, z in zip(x_q, zx, strict=True)]
    return sums(x_q, w_q, zx).tolist() == want


def drawn(seed: int, low: int, high: int) -> Any:
    """Draw codes, weights that are often the lowest, and zero points."""
    rng = np.random.default_rng(seed)
    b, k, n = (int(v) for v in (rng.integers(1, 4), rng.integers(0, 70), rng.integers(1, 4)))
    w_q = rng.integers(low, high + 1, (k, n))
    w_q[rng.random((k, n)) < 0.3] = low
    zx = rng.integers(-128, 128, (b, 1))
    return rng.integers(-128, 128, (b, k)).astype(np.int8), w_q.astype(np.int8), zx.astype(np.int8)


@given(seed=SEEDS)
def test_hybrid_sums_equal_spec(seed: int) -> None:
    """R112 for any depth, -128 in blocks of 16 and behind them."""
    assert sums_equal_spec(kernels.hybrid_sums, *drawn(seed, -128, 127))


def exact_sums(x_q: Any, w_q: Any, zx: Any) -> Any:
    """Multiply as mathematics does."""
    return (x_q.astype(np.int64) - zx) @ w_q.astype(np.int64)


def everywhere(x_q: Any, w_q: Any, zx: Any) -> Any:
    """Give -128 the wrong sign behind the blocks too."""
    wrong = np.minimum(x_q.astype(np.int64), 0) @ (w_q == -128).astype(np.int64)
    return exact_sums(x_q, w_q, zx) + 256 * wrong


def test_law_of_sums_kills_the_exact_product() -> None:
    """The exact product, and a wrong sign everywhere, are both seen; weights above -128 are exact."""
    for mutant in (exact_sums, everywhere):
        assert not all(sums_equal_spec(mutant, *drawn(seed, -128, 127)) for seed in range(20))
    assert all(sums_equal_spec(exact_sums, *drawn(seed, -127, 127)) for seed in range(20))


def four_bit_sums_equal_spec(sums: Any, x_q: Any, w_q: Any) -> bool:
    """Say whether every accumulator is R118's."""
    return sums(x_q, w_q).tolist() == [[spec.hybrid_4_bit_sum(r.tolist(), c.tolist()) for c in w_q.T] for r in x_q]


@given(seed=SEEDS)
def test_hybrid_4_bit_sums_equal_spec(seed: int) -> None:
    """R118 for any depth: -8, and the weights that it spoils."""
    x_q, w_q, _ = drawn(seed, -8, 7)
    assert four_bit_sums_equal_spec(kernels.hybrid_4_bit_sums, x_q, w_q)


def test_law_of_4_bit_sums_kills() -> None:
    """The exact product, and a -8 that spoils no other weight."""
    mutants = (
        lambda x_q, w_q: x_q.astype(np.int64) @ w_q,
        lambda x_q, w_q: x_q.astype(np.int64) @ np.where(w_q == -8, 8, w_q),
    )
    for mutant in mutants:
        assert not all(four_bit_sums_equal_spec(mutant, *drawn(seed, -8, 7)[:2]) for seed in range(20))


@given(seed=SEEDS, biased=st.booleans())
def test_hybrid_4_bit_output_equals_spec(seed: int, biased: Any) -> None:
    """R119: five or six roundings, in that order."""
    rng = np.random.default_rng(seed)
    made = kernels.hybrid_4_bit_codes(rng.normal(0, 3, (3, 40)).astype(np.float32))
    acc, sw = rng.integers(-(2**24), 2**24, (3, 2)), rng.uniform(1e-4, 1, 2).astype(np.float32)
    b = rng.normal(0, 10, 2).astype(np.float32)
    got = kernels.hybrid_4_bit_output(acc, made, sw, b if biased else None)
    for i in range(3):
        for j in range(2):
            s, w, bias = exact([made.scale[i, 0], sw[j], b[j]])
            total = int(made.codes[i].sum(dtype=int))
            want = spec.hybrid_4_bit_output(int(acc[i, j]), total, s, w, bias if biased else None)
            assert Fraction(float(got[i, j])) == want


@pytest.mark.parametrize("quantize", [quantize for _, quantize in LAWS.values()])
def test_hybrid_codes_refuse_a_range_without_a_reciprocal(quantize: Any) -> None:
    """127 / r or 255 / (hi - lo) beyond float32."""
    with pytest.raises(ValueError, match="reciprocal"):
        quantize([[1e-40, 0.0]])
