"""Operands that sit where engines part: ties, rails, wide accumulators, every zero point.

Nothing here looks at an engine's answer; what a profile gets wrong must be able to show.

Legend: M the real multiplier sx * sw / sy, acc the int32 accumulator, N outputs, K depth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

# Depths around the widths of vector loops: 4, 8, 16, 32, 64 and one off each.
DEPTHS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)

_SPECIAL = (0, 1, -1, INT32_MIN, INT32_MIN + 1, INT32_MAX, INT32_MAX - 1)


def scale_triples(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Draw (count, 3) float32 scales sx, sw, sy, so that M lies in about 1e-6 to 100.

    A third are log-uniform, a third dyadic (M * acc hits ties exactly), and a third dyadic up to a
    few units in the last place, where the ways to round M, acc and their product part.
    """
    ln = rng.uniform(np.log([2e-4, 2e-4, 1e-3]), np.log([2.0, 2.0, 2.0]), (count, 3))
    triples = np.exp(ln).astype(np.float32)
    kind = rng.integers(0, 3, count)
    shift = rng.integers(-6, 20, count)
    product = triples[:, 0] * triples[:, 1]
    near = np.ldexp(product, shift) * (1 + rng.integers(-3, 4, count) * 2.0**-23)
    triples[kind == 1] = np.ldexp(rng.choice([1, 3, 5, 7], (count, 3)), rng.integers(-11, 1, (count, 3))).astype(
        np.float32
    )[kind == 1]
    triples[kind == 2, 2] = near.astype(np.float32)[kind == 2]
    # Keep M below 200, inside what the strictest engine accepts (XNNPACK: below 256).
    floor = triples[:, 0].astype(np.float64) * triples[:, 1] / 200
    triples[:, 2] = np.maximum(triples[:, 2], floor.astype(np.float32))
    return triples


def accumulators(rng: np.random.Generator, m: NDArray[np.float64], *, reach: int = 2**31) -> NDArray[np.int32]:
    """Draw one accumulator for each multiplier in `m`, of at most `reach` in magnitude.

    Six in ten sit on, one below or one above the accumulator nearest to a tie of M * acc within
    300 codes of zero (all rails included); the rest are the float32 precision edge near 2**24, the
    int32 edges, every power of two, and plain uniform draws.
    """
    size = m.shape
    tie = (rng.integers(-300, 300, size) + 0.5) / m
    near_tie = np.rint(tie) + rng.integers(-1, 2, size)
    power = np.ldexp(1.0, rng.integers(0, 32, size)) * rng.choice([-1, 1], size)
    choices = [
        near_tie,
        rng.choice([-1, 1], size) * 2.0**24 + rng.integers(-64, 65, size),
        rng.choice(_SPECIAL, size).astype(np.float64),
        power + rng.integers(-1, 2, size),
        rng.integers(INT32_MIN, INT32_MAX, size, endpoint=True).astype(np.float64),
    ]
    pick = rng.choice(5, size, p=[0.6, 0.1, 0.05, 0.15, 0.1])
    acc = np.choose(pick, choices)
    # float64 holds every int32 exactly; a tie out of reach is pulled to the edge.
    clipped = np.clip(acc, max(-reach, INT32_MIN), min(reach, INT32_MAX))
    return np.asarray(clipped, np.int32)


def zero_points(dtype: DTypeLike, count: int) -> NDArray[np.int64]:
    """Walk through all the zero points of the type, in steps that visit each of the 256."""
    info = np.iinfo(dtype)
    return info.min + np.arange(count) * 77 % 256


def codes(rng: np.random.Generator, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:  # type: ignore[type-arg]
    """Draw codes, a third of them at the type's two ends, so that -128 * -128 occurs."""
    info = np.iinfo(dtype)
    drawn = rng.integers(info.min, info.max, shape, endpoint=True)
    ends = rng.choice([info.min, info.max], shape)
    return np.where(rng.random(shape) < 1 / 3, ends, drawn).astype(dtype)


def reals(rng: np.random.Generator, scale: float, zero_point: int, count: int) -> NDArray[np.float32]:
    """Draw float32 inputs at ties of x / scale, beside them, past the rails, and special values."""
    s = np.float64(np.float32(scale))
    tie = ((rng.integers(-300, 300, count) + 0.5) * s).astype(np.float32)
    toward = np.where(rng.random(count) < 0.5, np.inf, -np.inf).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        pool = [
            tie,
            np.nextafter(tie, toward),
            ((rng.integers(-300, 300, count) - zero_point) * s).astype(np.float32),
            (rng.normal(0, 128, count) * s).astype(np.float32),
            (np.ldexp(rng.choice([-1.0, 1.0], count), rng.integers(0, 40, count)) * s).astype(np.float32),
        ]
    return np.choose(rng.choice(5, count, p=[0.4, 0.3, 0.1, 0.15, 0.05]), pool)


def special_reals() -> NDArray[np.float32]:
    """Return NaN, the infinities, both zeros, subnormals and the largest finite values."""
    info = np.finfo(np.float32)
    one_sided = np.array(
        [0.0, info.smallest_subnormal, info.tiny, 1.0, 2.0**31, 2.0**63, info.max, np.inf],
        np.float32,
    )
    return np.concatenate([[np.float32(np.nan)], one_sided, -one_sided])


def product_for(acc: NDArray[np.int64], depth: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return x (1, K) and w (K, N), all within ±127, with x @ w == acc: for engines without bias.

    x is 127 but for a last 1, so acc = 127 * quotient + remainder, and the quotient is spread over
    K - 1 weights as evenly as it goes. No pair sum passes 2 * 127 * 127 = 32258, so that no
    16-bit pair accumulator saturates.
    """
    if np.abs(acc).max(initial=0) > 127 * 127 * (depth - 1):
        raise ValueError(f"accumulators beyond {127 * 127 * (depth - 1)} need more than K={depth}")
    x = np.full((1, depth), 127)
    x[0, -1] = 1
    quotient = np.trunc(acc / 127).astype(np.int64)
    remainder = acc - 127 * quotient
    each, left = np.divmod(np.abs(quotient), depth - 1)
    spread = each + (np.arange(depth - 1)[:, None] < left)
    return x, np.vstack([spread * np.sign(quotient), remainder])
