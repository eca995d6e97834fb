"""Outputs at the ends of their codes: on a rail, one step inside and outside, and far beyond, by choice of the bias.

Legend: profile the engine's record, can what the backend takes, rng a Generator; kind the type of input and output
codes; multiplier M, zy the output's zero point."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer, checked
from npquant.testing.classes.parts import as_case, code_type, fill, params, weight_params
from npquant.testing.solve import accumulator_at, bias_for, centred_sums, exact_multipliers, rail_steps

NAME: Final = "rail"
SUBJECT: Final = "outputs on the rails, a step inside and outside, and far beyond in int16 and int32"
# Steps beyond a rail: the rail's own tie, whole steps beside it, and distances at which narrow types wrap.
BEYOND: Final = (-1, 0, 1, 2, 100, 127, 128, 255, 256, 300, 2**15 - 200, 2**15, 2**16 - 130, 2**16 + 7, 2**20)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield, for multipliers from 1/2 to 2^-12, outputs at every distance beyond both rails."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for zy in (0, 5, -100, 127, -128) if can.input_zero_point else (0,):
            for multiplier in (0.5, 0.0123, 2.0**-12):
                yield on_rails(profile, kind, multiplier, zy, BEYOND, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the same at random distances, multipliers and zero points, without end."""
    while True:
        zy = int(rng.integers(-128, 128)) if can.input_zero_point else 0
        beyond = tuple(int(v) for v in rng.integers(-3, 4, 8)) + tuple(int(2**v) for v in rng.uniform(1, 24, 6))
        yield on_rails(profile, code_type(can, rng), float(2.0 ** rng.uniform(-16, 0)), zy, beyond, rng)


def on_rails(
    profile: Profile, kind: str, multiplier: float, zy: int, beyond: tuple[int, ...], rng: np.random.Generator
) -> Case:
    """Return a layer with two outputs a distance in `beyond`, one for each rail; 0 is the tie before the rail."""
    x, w, y = params(kind, 1.0), weight_params(profile, np.float32(multiplier)), params(kind, 1.0, zy)
    n, k = 2 * len(beyond), int(rng.integers(1, 6))
    layer = Layer(fill("random", (k, n), w, rng), np.zeros(n, np.int32), x, w, y)
    x_q = fill("random", (1, k), x, rng)
    steps = [side * (rail_steps(checked(y), side) * side + distance) for distance in beyond for side in (1, -1)]
    factors = exact_multipliers(layer)
    wanted = [
        accumulator_at(Fraction(step), factor, i // 2 % 2)
        for i, (step, factor) in enumerate(zip(steps, factors, strict=True))
    ]
    bias, _ = bias_for(wanted, centred_sums(layer, x_q)[0])
    return as_case(Layer(layer.w_q, bias, x, w, y), x_q, profile, NAME)
