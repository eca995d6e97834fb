"""Accumulators and scales to compare profiles on: realistic ones, and ones that sit on and beside ties.

Legend: acc int32 accumulators (R,), one sample a set of scales sx, sw, sy; zy zero point; M = sx sw / sy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Int64
from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import requantize
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Hold accumulators that share one input, weight and output quantization.

    Parameters
    ----------
    acc : ndarray of int64, shape (R,)
        int32 values.
    sx, sw, sy : float
        float32 scales.
    zy : int
        Output zero point as an int8 code.

    Examples
    --------
    >>> Sample(np.array([5]), 1.0, 0.5, 1.0, 3).zy
    3
    """

    acc: Int64
    sx: float
    sw: float
    sy: float
    zy: int


def realistic(rng: np.random.Generator, sets: int, rows: int) -> list[Sample]:
    """Draw what a trained network would requantize: outputs spread over the code range, at random.

    Parameters
    ----------
    rng : Generator
        Source.
    sets, rows : int
        Sets of scales, and accumulators for each.

    Returns
    -------
    list of Sample
        M between 1e-4 and 1e-2; half of the zero points are 0.

    Examples
    --------
    >>> len(realistic(np.random.default_rng(0), 2, 10))
    2
    """
    drawn = []
    for i in range(sets):
        sx, sw, sy = _scales(rng, 10.0 ** rng.uniform(-4, -2))
        spread = 45.0 * sy / (sx * sw)
        acc = np.rint(rng.normal(0, spread, rows)).astype(np.int64)
        drawn.append(Sample(acc, sx, sw, sy, 0 if i % 2 else int(rng.integers(-128, 128))))
    return drawn


def near_ties(rng: np.random.Generator, sets: int, rows: int) -> list[Sample]:
    """Draw accumulators on, just below and just above k + 1/2 output steps.

    Parameters
    ----------
    rng : Generator
        Source.
    sets, rows : int
        Sets of scales, and accumulators for each.

    Returns
    -------
    list of Sample
        A third of the sets have a power of two for M, so that exact ties exist; M from 1e-6 to 4; half of the zero
        points are 0. Values beyond int32 are left out.

    Examples
    --------
    >>> near_ties(np.random.default_rng(0), 1, 3)[0].acc.shape
    (3,)
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

    Returns
    -------
    list of Sample
        The same each time; scales are exact but for the last, 0.7 / 0.3.

    Examples
    --------
    >>> int(extremes()[0].acc[0])
    -2147483648
    """
    edges = [-(2**31), -(2**31) + 1, -(2**30), -(2**24) - 1, -(2**24), -1, 0, 1, 2**24, 2**24 + 1, 2**30, 2**31 - 1]
    acc = np.array(edges, np.int64)
    reals = (2.0**-30, 2.0**-24, 2.0**-16, 0.5, 1.0, 1.5, 2.0, 4.0, 100.0, 200.0, 300.0)
    exact = [Sample(acc, real, 1.0, 1.0, zy) for real in reals for zy in (-128, -5, 0, 7, 127)]
    return [*exact, *(Sample(acc, float(np.float32(0.7)), 1.0, float(np.float32(0.3)), zy) for zy in (-5, 0, 7))]


def _scales(rng: np.random.Generator, real: float, *, exact: bool = False) -> tuple[float, float, float]:
    """Return float32 scales with sx sw / sy near `real`, or equal to it where all three are powers of two."""
    if exact:
        sx, sw = 2.0 ** int(rng.integers(-8, 0)), 2.0 ** int(rng.integers(-8, 0))
        return sx, sw, sx * sw / real
    sx, sw = (float(np.float32(v)) for v in 10.0 ** rng.uniform(-3, -0.5, 2))
    return sx, sw, float(np.float32(sx * sw / real))


def codes_under(profile: Profile, sample: Sample) -> Int64 | None:
    """Requantize a sample under a profile, as int8 codes.

    Parameters
    ----------
    profile : Profile
        The arithmetic.
    sample : Sample
        Accumulators.

    Returns
    -------
    ndarray of int64, shape (R,), or None
        Codes in [-128, 127]; an engine that takes uint8 alone gets the same numbers 128 higher, which moves no tie
        (128 is even). None where the engine refuses the scales or the zero point.

    Examples
    --------
    >>> from npquant.profiles import get
    >>> codes_under(get("fbgemm"), Sample(np.array([5, -5]), 1.0, 0.5, 1.0, 0))
    array([ 2, -2])
    """
    shift = 0 if "int8" in profile.code_types else 128
    low, high = -128 + shift, 127 + shift
    x = QuantParams(sample.sx, shift if profile.zero_points else 0, low, high)
    w = QuantParams(sample.sw, 0, -128, 127)
    try:
        y = QuantParams(sample.sy, sample.zy + shift, low, high)
        codes = requantize(sample.acc, x=x, w=w, y=y, profile=profile)
    except ValueError:
        return None
    return codes.astype(np.int64) - shift
