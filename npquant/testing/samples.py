"""Accumulators and scales to compare profiles on: realistic ones, and ones that sit on and beside ties and rails.

Legend: acc int32 accumulators (R,), one sample a set of scales sx, sw, sy of input, weights and output; zy output zero
point; M = sx sw / sy; rng Generator that cases are drawn from; sets of scales, rows accumulators for each; profile the
arithmetic that answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

import numpy as np

from npquant.arrays import Int8, Int64
from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import requantize
from npquant.profiles.record import Profile

Given = TypeVar("Given")
# What is written where an engine refuses.
REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Hold accumulators that share one input, weight and output quantization."""

    acc: Int64  # (R,), int32 values
    sx: float  # a float32 number, as are the two others
    sw: float
    sy: float
    zy: int  # as an int8 code


def realistic(rng: np.random.Generator, sets: int, rows: int) -> list[Sample]:
    """Draw what a trained network would requantize: outputs spread over the code range, at random.

    M lies between 1e-4 and 1e-2; half of the zero points are 0.
    """
    drawn = []
    for i in range(sets):
        sx, sw, sy = _scales(rng, 10.0 ** rng.uniform(-4, -2))
        spread = 45.0 * sy / (sx * sw)
        acc = np.rint(rng.normal(0, spread, rows)).astype(np.int64)
        drawn.append(Sample(acc, sx, sw, sy, 0 if i % 2 else int(rng.integers(-128, 128))))
    return drawn


def near_ties(rng: np.random.Generator, sets: int, rows: int) -> list[Sample]:
    """Draw accumulators on, just below and just above k + 1/2 output steps, none beyond int32.

    M lies between 1e-6 and 4, a third of the sets having a power of two, so that exact ties exist; half of the zero
    points are 0.
    """
    drawn = []
    for i in range(sets):
        real = 2.0 ** int(rng.integers(-18, 2)) if i % 3 == 0 else 10.0 ** rng.uniform(-6, 0.6)
        sx, sw, sy = _scales(rng, real, exact=i % 3 == 0)
        step = sx * sw / sy
        k = rng.integers(-140, 140, 4 * rows)
        acc = np.rint((k + 0.5) / step).astype(np.int64) + rng.integers(-1, 2, 4 * rows)
        acc = acc[(acc >= -(2**31)) & (acc < 2**31)][:rows]
        drawn.append(Sample(acc, sx, sw, sy, 0 if (i // 3) % 2 else int(rng.integers(-128, 128))))
    return drawn


def extremes() -> list[Sample]:
    """List the ends of int32 and of float32's integers, under M from 2^-30 to 300 and zero points of both signs.

    The same each time; scales are exact but for the last, 0.7 / 0.3.
    """
    edges = [-(2**31), -(2**31) + 1, -(2**30), -(2**24) - 1, -(2**24), -1, 0, 1, 2**24, 2**24 + 1, 2**30, 2**31 - 1]
    acc = np.array(edges, np.int64)
    reals = (2.0**-30, 2.0**-24, 2.0**-16, 0.5, 1.0, 1.5, 2.0, 4.0, 100.0, 200.0, 300.0)
    exact = [Sample(acc, real, 1.0, 1.0, zy) for real in reals for zy in (-128, -5, 0, 7, 127)]
    return [*exact, *(Sample(acc, float(np.float32(0.7)), 1.0, float(np.float32(0.3)), zy) for zy in (-5, 0, 7))]


def ties_and_rails(rng: np.random.Generator, sets: int, rows: int) -> list[Sample]:
    """Draw `near_ties`, and add `extremes`: where a wrong rule shows."""
    return [*near_ties(rng, sets, rows), *extremes()]


def _scales(rng: np.random.Generator, real: float, *, exact: bool = False) -> tuple[float, float, float]:
    """Return float32 scales with sx sw / sy near `real`, or equal to it where all three are powers of two."""
    if exact:
        sx, sw = 2.0 ** int(rng.integers(-8, 0)), 2.0 ** int(rng.integers(-8, 0))
        return sx, sw, sx * sw / real
    sx, sw = (float(np.float32(v)) for v in 10.0 ** rng.uniform(-3, -0.5, 2))
    return sx, sw, float(np.float32(sx * sw / real))


def exact_steps(acc: int, sx: float, sw: float, sy: float) -> Fraction:
    """Return acc sx sw / sy, the output steps that every engine rounds.

    >>> exact_steps(-5, 1.0, 0.5, 1.0)
    Fraction(-5, 2)
    """
    return acc * Fraction(sx) * Fraction(sw) / Fraction(sy)


def unless_refused(operation: Callable[[], Given]) -> Given | None:
    """Return what an operation gives; None where the engine refuses its operands, which it does by ValueError."""
    try:
        return operation()
    except ValueError:
        return None


def uint8_shift(profile: Profile) -> int:
    """Return by how much codes lie above int8 ones: 128 for an engine that takes uint8 alone, else 0."""
    return 0 if "int8" in profile.code_types else 128


def codes_under(profile: Profile, sample: Sample) -> Int8 | None:
    """Requantize a sample, (R,) codes; None where the engine refuses the scales or the zero point.

    An engine that takes uint8 alone gets the same numbers 128 higher, which moves no tie (128 is even).

    >>> from npquant.profiles import get
    >>> codes_under(get("fbgemm"), Sample(np.array([5, -5]), 1.0, 0.5, 1.0, 0))
    array([ 2, -2], dtype=int8)
    """
    shift = uint8_shift(profile)
    low, high = -128 + shift, 127 + shift
    x = QuantParams(sample.sx, shift if profile.zero_points else 0, low, high)
    w = QuantParams(sample.sw, 0, -128, 127)

    def output() -> Int8:
        y = QuantParams(sample.sy, sample.zy + shift, low, high)
        codes = requantize(sample.acc, x=x, w=w, y=y, profile=profile)
        return (codes.astype(np.int64) - shift).astype(np.int8)

    return unless_refused(output)
