"""Shapes beside multiples of a vector, in all three axes: what is left over when a kernel has done its whole blocks.

Legend: profile the engine's record, can what the backend takes, rng a Generator; B, K, N shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, code_type, fill, params, spreading_scale, weight_params

NAME: Final = "tail"
SUBJECT: Final = "depths, rows and outputs one beside 4, 8, 16, 32, 64 and 256"
DEPTHS: Final = (1, 2, 3, 5, 7, 9, 15, 17, 31, 33, 47, 63, 65, 67, 79, 95, 97, 127, 129, 255, 257, 300)
SHAPES: Final = ((5, 6), (3, 9), (1, 1), (2, 3), (7, 17), (9, 2), (33, 5), (4, 31), (6, 65), (17, 12), (35, 67))


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield every depth once, under shapes of rows and outputs that take turns, then every such shape."""
    rng = np.random.default_rng(0)
    for i, depth in enumerate(DEPTHS):
        yield shaped(profile, can.code_types[i % len(can.code_types)], (*SHAPES[i % 2], depth), can, rng)
    for i, (b, n) in enumerate(SHAPES):
        yield shaped(profile, can.code_types[i % len(can.code_types)], (b, n, 19), can, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random shapes, most of them small, without end."""
    while True:
        b, n, k = (int(2 ** rng.uniform(0, top)) for top in (5.5, 6.5, 8.5))
        yield shaped(profile, code_type(can, rng), (b, n, k), can, rng)


def shaped(
    profile: Profile, kind: str, shape: tuple[int, int, int], can: Capabilities, rng: np.random.Generator
) -> Case:
    """Return a layer of (B, N, K) whose every product matters: no code is a zero point, every bias is its own."""
    b, n, k = shape
    zx, zy = (-7, 3) if can.input_zero_point else (0, 0)
    x, w = params(kind, 0.5, zx), weight_params(profile, 0.25)
    y = params(kind, spreading_scale(0.5, 0.25, k), zy)
    w_q = fill("random", (k, n), w, rng)
    x_q = fill("random", (b, k), x, rng)
    # The last products decide: large where a dropped tail would lose them.
    w_q[-1:] = np.where(w_q[-1:] < 0, w.qmin, w.qmax)
    x_q[:, -1:] = np.where(x_q[:, -1:] < int(x.zero_point), x.qmin, x.qmax)
    bias = (rng.permutation(n) * 37 - 18 * n).astype(np.int32)
    return as_case(Layer(w_q, bias, x, w, y), x_q, profile, NAME)
