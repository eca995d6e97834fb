"""Accumulators on a rounding tie and one beside it, by choice of the bias: which way a kernel's ties go, and how often.

Legend: profile the engine's record, can what the backend takes, rng a Generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, code_type, dyadic, fill, params, weight_params
from npquant.testing.solve import accumulator_at, bias_for, centred_sums, exact_multipliers, tie

NAME: Final = "tie"
SUBJECT: Final = "accumulators on a rounding tie and one beside it"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield, for multipliers of one bit and of many, 24 outputs on ties of both signs and parities and beside them."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for zy in (0, 3) if can.input_zero_point else (0,):
            for scale in (dyadic(-1), dyadic(-4), np.float32(0.3), np.float32(0.0123), dyadic(-9)):
                yield on_ties(profile, kind, float(scale), zy, 24, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the same for random multipliers, zero points and operands, without end."""
    while True:
        zy = int(rng.integers(-20, 21)) if can.input_zero_point else 0
        exponent = int(rng.integers(-12, 0))
        scale = 2.0**exponent * (1.0 if rng.random() < 0.5 else float(np.float32(rng.uniform(1, 2))))
        yield on_ties(profile, code_type(can, rng), scale, zy, int(rng.integers(1, 33)), rng)


def on_ties(profile: Profile, kind: str, multiplier: float, zy: int, n: int, rng: np.random.Generator) -> Case:
    """Return a layer of n outputs, each on a tie or one accumulator beside it, whose real multiplier is given."""
    x, w, y = params(kind, 1.0), weight_params(profile, np.float32(multiplier)), params(kind, 1.0, zy)
    k = int(rng.integers(1, 5))
    layer = Layer(fill("random", (k, n), w, rng), np.zeros(n, np.int32), x, w, y)
    x_q = fill("random", (1, k), x, rng)
    codes = rng.integers(y.qmin + 2, y.qmax - 2, n)
    wanted = [
        accumulator_at(tie(int(code), int(y.zero_point)), factor, i % 3 - 1)
        for i, (code, factor) in enumerate(zip(codes, exact_multipliers(layer), strict=True))
    ]
    bias, _ = bias_for(wanted, centred_sums(layer, x_q)[0])
    return as_case(Layer(layer.w_q, bias, x, w, y), x_q, profile, NAME)
