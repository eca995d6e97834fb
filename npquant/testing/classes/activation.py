"""Fused activations: every clamp, bounds on and beside a code, zero points on which a bound falls outside the codes.

Legend: profile the engine's record, can what the backend takes, rng a Generator; kind the type of input and output
codes; name of the activation; sy, zy scale and zero point of y, the output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case
from npquant.testing.classes.parts import code_type, on_the_ties, params, varied, weight_params

NAME: Final = "activation"
SUBJECT: Final = "every fused clamp, with outputs on its bounds and one beside, under each kind of zero point"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield each activation under scales whose bounds are codes, ties between codes, or outside, and several zero
    points."""
    rng = np.random.default_rng(0)
    for name in can.activations:
        for kind in can.code_types:
            for zy in (0, -28, 40, -128) if can.input_zero_point else (0,):
                for sy in (0.05, 6 / 100.5, 0.5):
                    yield bounded(profile, kind, name, np.float32(sy), zy, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random scales and zero points, half of them varied, without end."""
    while True:
        zy = int(rng.integers(-128, 128)) if can.input_zero_point else 0
        name = str(rng.choice(can.activations))
        case = bounded(profile, code_type(can, rng), name, np.float32(2.0 ** rng.uniform(-7, 1)), zy, rng)
        yield case if rng.random() < 0.5 else varied(case, profile, can, rng)


def bounded(profile: Profile, kind: str, name: str, sy: np.float32, zy: int, rng: np.random.Generator) -> Case:
    """Return outputs at, below and above each bound of an activation, with products and bias of unlike sign."""
    y = params(kind, sy, zy)
    params_of = (params(kind, 1.0), weight_params(profile, np.float32(float(sy) / 64)), y)
    return on_the_ties(profile, params_of, codes_at_bounds(profile, name, y), (1,), (2, 4), rng, name).tagged(NAME)


def codes_at_bounds(profile: Profile, name: str, y: QuantParams) -> list[int]:
    """Return the codes on and beside an activation's bounds and the zero point, and two beyond the rails."""
    bounds = (*profile.activation_bounds("identity" if name == "none" else name, y), int(y.zero_point))
    return [bound + d for bound in bounds for d in (-2, -1, 0, 1, 2)] + [y.qmin - 40, y.qmax + 40]
