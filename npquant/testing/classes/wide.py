"""Wide accumulators, by choice of the bias: beside 2^15, 2^16, 2^23, 2^24, 2^30 and the ends of int32, where bits get
lost.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind a type of codes, values
accumulators, one an output, exponent e of M = 2^-e; M the multiplier sx sw / sy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer, expected
from npquant.testing.classes.parts import as_case, code_type, fill, params, weight_params
from npquant.testing.solve import bias_for, centred_sums

NAME: Final = "wide"
SUBJECT: Final = "accumulators beside powers of two up to the ends of int32, and ties that 24 bits cannot hold"
CENTRES: Final = tuple(sign * 2**e for e in (15, 16, 19, 20, 23, 24, 25, 28, 30) for sign in (1, -1))

# Accumulators that a left shift takes out of int32, and that a long right shift must take to nothing.
BEYOND_A_SHIFT: Final = tuple(
    sign * v for v in (1, 777, 2**24 + 5, 2**29 + 1, 3 * 2**29, 2**30 + 2**28, 2**31 - 2) for sign in (1, -1)
)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield accumulators beside powers of two; ties that need more than 24 bits; sums beyond int32 where these wrap."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for top in (2**15, 2**24, 2**30, 2**31 - 1):
            centres = [c for c in (*CENTRES, 2**31 - 2, -(2**31) + 1) if abs(c) <= top]
            values = [c + d for c in centres[-12:] for d in (-1, 0, 1)]
            yield at_accumulators(profile, kind, values, top / 100, rng)
        for exponent in (16, 18, 20, 23):
            yield long_ties(profile, kind, exponent, rng)
        for multiplier in (1.0, 1.5, 3.0, 100.0):
            if multiplier < profile.max_multiplier:
                yield at_accumulators(profile, kind, list(range(-20, 21)), 1 / multiplier, rng)
        for multiplier in (2.5, 100.0):  # products beyond int32, on either side
            if multiplier < profile.max_multiplier:
                # What a scaled value beyond int32 becomes is the machine's affair, unless the engine saturates it.
                limit = 2**31 if saturates(profile, kind) else 2**31 / multiplier - 64
                yield at_accumulators(profile, kind, [v for v in BEYOND_A_SHIFT if abs(v) < limit], 1 / multiplier, rng)
        for exponent in (33, 40, 63, 70, 100):  # shifts beyond 31 and 63 bits: nothing is left of any accumulator
            yield at_accumulators(profile, kind, list(BEYOND_A_SHIFT), 2.0**exponent, rng)
        if profile.accumulator == "wrap":  # elsewhere no sum may leave int32, not even on its way
            yield turning(profile, kind)
            yield beyond_int32(profile, kind, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield accumulators of random size and sign, and long ties, without end."""
    while True:
        kind = code_type(can, rng)
        if rng.random() < 0.4:
            yield long_ties(profile, kind, int(rng.integers(8, 24)), rng)
        else:
            top = 2.0 ** rng.uniform(8, 31)
            values = [int(v) for v in np.clip(rng.uniform(-top, top, 24), -(2.0**31), 2.0**31 - 1)]
            yield at_accumulators(profile, kind, values, top / rng.uniform(50, 300), rng)


def at_accumulators(profile: Profile, kind: str, values: list[int], sy: float, rng: np.random.Generator) -> Case:
    """Return one output an accumulator, under the output scale sy."""
    x, w, y = params(kind, 1.0), weight_params(profile, 1.0), params(kind, np.float32(sy))
    n, k = len(values), 2
    layer = Layer(fill("small", (k, n), w, rng), np.zeros(n, np.int32), x, w, y)
    x_q = fill("small", (1, k), x, rng)
    bias, _ = bias_for(values, centred_sums(layer, x_q)[0])
    return as_case(Layer(layer.w_q, bias, x, w, y), x_q, profile, NAME)


def saturates(profile: Profile, kind: str) -> bool:
    """Say whether an engine takes scaled values beyond int32 to the rails, by its own answers to four of them."""
    p = params(kind, 1.0)
    bias = np.array([2**31 - 2, -(2**31) + 2, 2**30, -(2**30)], np.int32)
    layer = Layer(np.zeros((1, 4), np.int8), bias, p, weight_params(profile, 2.5), p)
    codes = expected(as_case(layer, np.full((1, 1), p.zero_point, p.dtype), profile, NAME))
    return bool(np.array_equal(codes[0], [p.qmax, p.qmin] * 2))


def long_ties(profile: Profile, kind: str, exponent: int, rng: np.random.Generator) -> Case:
    """Return accumulators (2 j + 1) 2^(e-1) + d under M = 2^-e: exact ties and one beside, which few bits cannot tell
    apart."""
    odd = 2 * rng.integers(-100, 100, 24) + 1
    values = [int(v) * 2 ** (exponent - 1) + int(d) for v, d in zip(odd, rng.integers(-1, 2, 24), strict=True)]
    return at_accumulators(profile, kind, values, 2.0**exponent, rng)


def beyond_int32(profile: Profile, kind: str, rng: np.random.Generator) -> Case:
    """Return sums that leave int32 by the bias, where the engine's accumulator wraps."""
    x, w, y = params(kind, 1.0), weight_params(profile, 1.0), params(kind, np.float32(2.0**25))
    w_q = fill("extreme", (8, 6), w, rng)
    bias = np.array([2**31 - 1, -(2**31), 2**31 - 100, -(2**31) + 100, 2**31 - 1, -(2**31)], np.int32)
    return as_case(Layer(w_q, bias, x, w, y), fill("extreme", (4, 8), x, rng), profile, NAME)


def turning(profile: Profile, kind: str) -> Case:
    """Return sums that leave int32 after the first product and come back with the last, on ties beside both ends."""
    x, w = params(kind, 1.0), weight_params(profile, 1.0)
    sy = np.float32((2**31 - 10_000) / 100.5)
    up = np.array([w.qmax, w.qmax, -w.qmax, -w.qmax])
    w_q = np.stack([up, -up, up, -up], axis=1).astype(w.dtype)
    end = round(100.5 * float(sy))
    # 300 beside the tie: float32 holds multiples of 128 there.
    bias = np.array([end + 300, -end - 300, end - 300, -end + 300], np.int32)
    return as_case(Layer(w_q, bias, x, w, params(kind, sy)), np.full((1, 4), x.qmax, x.dtype), profile, NAME)
