"""Plain layers: random codes of every type and of a few shapes, biases that matter, outputs that spread over the
codes.

Legend: profile the engine's record, can what the backend takes, rng a Generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, code_type, fill, params, spreading_scale, weight_params

NAME: Final = "plain"
SUBJECT: Final = "random codes, small shapes, biases as large as the sums"
SHAPES: Final = ((1, 1, 1), (2, 3, 2), (3, 5, 4), (4, 16, 8), (7, 33, 5))


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield one layer a shape and type of codes, drawn from a fixed seed."""
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for kind in can.code_types:
            yield _layer(profile, kind, shape, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield layers of up to 16 rows, 40 inputs and 12 outputs without end."""
    while True:
        shape = (int(rng.integers(1, 17)), int(rng.integers(1, 41)), int(rng.integers(1, 13)))
        yield _layer(profile, code_type(can, rng), shape, rng)


def _layer(profile: Profile, kind: str, shape: tuple[int, int, int], rng: np.random.Generator) -> Case:
    b, k, n = shape
    sx, sw = np.float32(rng.uniform(0.01, 0.1)), np.float32(rng.uniform(0.001, 0.02))
    x, w = params(kind, sx), weight_params(profile, sw)
    y = params(kind, spreading_scale(sx, sw, k))
    bias = rng.integers(-3000, 3001, n).astype(np.int32)
    return as_case(Layer(fill("random", (k, n), w, rng), bias, x, w, y), fill("random", (b, k), x, rng), profile, NAME)
