"""Accumulators on a rounding tie and one beside it, by choice of the bias: which way a kernel's ties go, and how often.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind a type of codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case
from npquant.testing.classes.parts import code_type, dyadic, on_the_ties, params, weight_params

NAME: Final = "tie"
SUBJECT: Final = "accumulators on a rounding tie and one beside it"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield, for multipliers of one bit and of many, 24 outputs on ties of both signs and parities and beside them."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for zy in (0, 3) if can.input_zero_point else (0,):
            for scale in (dyadic(-1), dyadic(-4), np.float32(0.3), np.float32(0.0123), dyadic(-9)):
                yield on_ties(profile, kind, float(scale), zy, 24, rng)
        yield on_ties(profile, kind, 7.3e-8, 0, 32, rng)
        for scale in (dyadic(-1), dyadic(-5), np.float32(0.3)):
            yield on_ties(profile, kind, float(scale), 3 * can.input_zero_point, 13, rng, 9)
        yield carried(profile, kind, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the same for random multipliers, zero points and operands, without end."""
    while True:
        zy = int(rng.integers(-20, 21)) if can.input_zero_point else 0
        exponent = int(rng.integers(-24, 0))
        scale = 2.0**exponent * (1.0 if rng.random() < 0.5 else float(np.float32(rng.uniform(1, 2))))
        rows = 1 if rng.random() < 0.6 else int(rng.integers(2, 20))
        yield on_ties(profile, code_type(can, rng), scale, zy, int(rng.integers(1, 33)), rng, rows)


def on_ties(
    profile: Profile, kind: str, multiplier: float, zy: int, n: int, rng: np.random.Generator, rows: int = 1
) -> Case:
    """Return a layer of n outputs, each on a tie or one accumulator beside it in all of its rows, whose real multiplier
    is given.

    The input has the zero point -2 zy, so that a kernel that forgets one of the two does not get away with it.
    """
    w, y = weight_params(profile, np.float32(multiplier)), params(kind, 1.0, zy)
    k = int(rng.integers(1, 5)) if n < 40 else 1
    codes = rng.integers(y.qmin + 2, y.qmax - 2, n)
    case = on_the_ties(profile, (params(kind, 1.0, -2 * zy), w, y), codes.tolist(), (-1, 0, 1), (1, k), rng)
    return replace(case, x_q=np.repeat(case.x_q, rows, axis=0), tags=(NAME,))


def carried(profile: Profile, kind: str, rng: np.random.Generator) -> Case:
    """Return ties under M = 1/2 (1 - 2^-46), whose 31-bit mantissa rounds up to a power of two."""
    x, w = params(kind, np.float32(1 - 2.0**-23)), weight_params(profile, np.float32(1 + 2.0**-23))
    codes = list(range(-20 + (128 if kind == "uint8" else 0), 20 + (128 if kind == "uint8" else 0)))
    return on_the_ties(profile, (x, w, params(kind, 2.0)), codes, (0, 1), (1, 2), rng).tagged(NAME)
