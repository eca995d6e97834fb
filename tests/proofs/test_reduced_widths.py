"""What no solver reaches: claims about floats and codes, tried on everything there is at a reduced width."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from npquant.kernels.linear import accumulate
from npquant.kernels.matmul import matmul_pair16
from npquant.spec.affine import quantize
from npquant.spec.rounding import round_half_even, saturate

INT4 = (-8, 7)
STEPS = [Fraction(k, 4) for k in range(-50, 51)]


def clamping_codes_is_quantizing_the_clamped(clamp: Callable[[int, int, int], int]) -> bool:
    """R11, for every 4-bit code, zero point and pair of bounds on a grid of quarters of a step."""
    for zy, low, high in product(range(-8, 8), range(-12, 12, 5), range(-12, 13, 6)):
        if low > high:
            continue
        ends = [quantize(Fraction(end, 2), Fraction(1), zy, *INT4) for end in (low, high)]
        for x in STEPS:
            clamped = quantize(max(Fraction(low, 2), min(Fraction(high, 2), x)), Fraction(1), zy, *INT4)
            if clamp(quantize(x, Fraction(1), zy, *INT4), ends[0], ends[1]) != clamped:
                return False
    return True


def test_clamping_codes_is_quantizing_the_clamped_value() -> None:
    """R11: quantization is monotone, so a clamp narrows the interval of codes; an end that is left out does not."""
    assert clamping_codes_is_quantizing_the_clamped(saturate)
    assert not clamping_codes_is_quantizing_the_clamped(lambda q, low, high: saturate(q, low, high - 1))


def to_bits(v: Fraction, bits: int) -> Fraction:
    """Round to a significand of some bits, ties to even, with no end of exponents."""
    if v == 0:
        return v
    exponent = v.numerator.bit_length() - v.denominator.bit_length() - bits
    scaled = abs(v) / Fraction(2) ** exponent
    if scaled >= 2**bits:
        exponent, scaled = exponent + 1, scaled / 2
    return (1 if v > 0 else -1) * round_half_even(scaled) * Fraction(2) ** exponent


def division_decides_ties(bits: int) -> bool:
    """Say whether a quotient rounded to some bits has the code of the exact one: scales of 4 bits, codes of 4."""
    for s in range(8, 16):
        for mantissa, e in product(range(2 ** (bits - 1), 2**bits), range(-bits + 1, 8 - bits)):
            x = mantissa * Fraction(2) ** e
            exact = x / s * 4
            if exact < 17 and round_half_even(to_bits(exact, bits)) != round_half_even(exact):
                return False
    return True


def test_a_rounded_division_decides_every_tie() -> None:
    """R1: a scale's bits and those of a code and a half fit the quotient's type, so x / s rounds to the exact code.

    In the package these are 24 and 29 bits in float64's 53; here 4 and 5 in 9. One of 5 bits has no room for both.
    """
    assert division_decides_ties(9)
    assert not division_decides_ties(5)


def test_the_fast_form_is_monotone() -> None:
    """R10: at binary16, floor(raw scale + offset) never falls as raw grows: each operation is correctly rounded."""
    rng = np.random.default_rng(0)
    raw = np.sort(np.arange(2**16, dtype=np.uint16).view(np.float16)[:0x7C00])  # every number from 0 to the largest
    raw = np.concatenate([-raw[:0:-1], raw])
    with np.errstate(over="ignore"):
        for scale, offset in zip(rng.uniform(0, 2, 200), rng.uniform(-200, 200, 200), strict=True):
            real = raw * np.float16(scale) + np.float16(offset)
            assert (np.floor(real)[1:] >= np.floor(real)[:-1]).all()
            # A residue of the rounding added back, as compensated arithmetic would, is another function.
        residue = raw - (raw * np.float16(0.3)) * np.float16(3.3)
        assert not (residue[1:] >= residue[:-1]).all()


def pairs_are_exact(reach: int) -> bool:
    """Say whether saturating pairs give the exact sums for all ends of uint8 inputs and weights of a magnitude."""
    ends: list[Any] = [np.array(pair) for pair in product((0, 255), repeat=2)]
    for x, w in product(ends, (np.array(pair) for pair in product((-reach, reach), repeat=2))):
        x_q, w_q = x.reshape(1, 2).astype(np.uint8), w.reshape(2, 1).astype(np.int8)
        if matmul_pair16(x_q, w_q) != accumulate(x_q, w_q, 0, 0, 0):
            return False
    return True


def test_weights_within_64_never_saturate_a_pair() -> None:
    """R36: a pair is linear in each factor, so its extremes are at the ends: 64 is exact, 65 is not."""
    assert pairs_are_exact(64)
    assert not pairs_are_exact(65)
