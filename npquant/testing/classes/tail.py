"""Shapes beside multiples of a vector, in all three axes: what is left over when a kernel has done its whole blocks,
and shapes that leave nothing over.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind a type of codes; B, K, N shape.
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
SUBJECT: Final = "depths, rows and outputs on and beside 4, 8, 16, 32, 64 and 256, and beyond an 8-bit counter"
WHOLE_DEPTHS: Final = (4, 8, 16, 32, 64, 128, 256, 512)
DEPTHS: Final = (1, 2, 3, 5, 7, 9, 15, 17, 31, 33, 47, 63, 65, 67, 79, 95, 97, 127, 129, 255, 257, 300)
SHAPES: Final = ((5, 6), (3, 9), (1, 1), (2, 3), (7, 17), (9, 2), (33, 5), (4, 31), (6, 65), (17, 12), (35, 67))
# (B, N) beside each depth in turn; one row alone is a path of its own in many kernels.
TURNS: Final = ((5, 6), (3, 9), (1, 7))
# (B, N, K): whole blocks along every axis, as a kernel's fastest path wants them; then more outputs, rows and codes
# than 8 bits count, and more of both than 15 bits do.
BLOCKS: Final = ((4, 8, 64), (8, 16, 64), (16, 16, 16), (8, 32, 128), (64, 64, 32), (16, 8, 256))
LARGE: Final = ((2, 261, 5), (259, 3, 6), (190, 180, 19))


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield every depth once, under shapes of rows and outputs that take turns, then every such shape, then whole
    blocks and large layers."""
    rng = np.random.default_rng(0)
    for i, depth in enumerate((*DEPTHS, *WHOLE_DEPTHS)):
        yield shaped(profile, can.code_types[i % len(can.code_types)], (*TURNS[i % 3], depth), can, rng)
    for i, (b, n) in enumerate(SHAPES):
        yield shaped(profile, can.code_types[i % len(can.code_types)], (b, n, 19), can, rng)
    for shape in (*BLOCKS, *LARGE):
        for kind in can.code_types if shape in BLOCKS else can.code_types[:1]:
            yield shaped(profile, kind, shape, can, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random shapes, most of them small, some of whose sides are whole blocks, without end."""
    while True:
        b, n, k = (int(2 ** rng.uniform(0, top)) for top in (5.5, 6.5, 8.5))
        if rng.random() < 0.4:
            block = 2 ** int(rng.integers(2, 7))
            b, n, k = (-(-v // block) * block if rng.random() < 0.6 else v for v in (b, n, k))
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
