"""Empty and single: no rows, no inputs, one of each, square layers, no bias, a multiplier of exactly 1.

Legend: profile the engine's record, can what the backend takes, rng a Generator; B rows, K depth, N outputs; kind the
type of input and output codes; zx the input's zero point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, code_type, fill, params, weight_params
from npquant.testing.classes.tail import shaped

NAME: Final = "degenerate"
SUBJECT: Final = "no rows, no inputs, one of each, square layers, no bias, a multiplier of 1"
# (B, N, K)
SHAPES: Final = (
    (0, 3, 4),
    (2, 3, 0),
    (0, 1, 0),
    (1, 1, 1),
    (1, 1, 7),
    (1, 5, 1),
    (6, 1, 1),
    (5, 1, 4),
    (4, 4, 4),
    (3, 3, 3),
)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield every degenerate shape; square and other layers without a bias; M = 1 with and without zero points."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for shape in SHAPES:
            yield shaped(profile, kind, shape, can, rng).tagged(NAME)
        for shape in ((1, 1, 1), (3, 4, 5)):
            case = shaped(profile, kind, shape, can, rng).tagged(NAME)
            layer = case.model.layers[0]
            yield replace(case, model=replace(case.model, layers=(replace(layer, bias=None),)))
        for zx in (0, 5, -128) if can.input_zero_point else (0,):
            case = unit_multiplier(profile, kind, zx, rng)
            yield case
            yield replace(case, model=replace(case.model, layers=(replace(case.model.layers[0], bias=None),)))


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield shapes of 0, 1, 2, 4 and 8 along each axis without end."""
    while True:
        b, n, k = (int(v) for v in rng.choice([0, 1, 1, 2, 4, 8], 3))
        yield shaped(profile, code_type(can, rng), (b, max(n, 1), k), can, rng).tagged(NAME)


def unit_multiplier(profile: Profile, kind: str, zx: int, rng: np.random.Generator) -> Case:
    """Return a layer of small products whose scales cancel exactly."""
    x, w, y = params(kind, 0.5, zx), weight_params(profile, 0.5), params(kind, 0.25, 2 if zx else 0)
    w_q = rng.integers(-1, 2, (3, 6)).astype(w.dtype)
    x_q = fill("small", (4, 3), x, rng)
    return as_case(Layer(w_q, rng.integers(-40, 41, 6).astype(np.int32), x, w, y), x_q, profile, NAME)
