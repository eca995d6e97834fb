"""Deep layers: hundreds to tens of thousands of products, of one sign and of both, that outgrow 16, 20, 24 and 31 bits.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind a type of codes, zx the input's
zero point counted from the middle code; K contracted depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, bias_of, code_type, fill, params, weight_params
from npquant.testing.solve import accumulator_at, bias_for, centred_sums, exact_multipliers, tie

NAME: Final = "deep"
SUBJECT: Final = "sums of up to 60,000 products that outgrow 16, 20, 24 and 31 bits"
DEPTHS: Final = (3, 40, 300, 520, 1025, 2050, 4100, 20_000, 60_000)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield each depth that the backend takes, the largest products of one sign first."""
    rng = np.random.default_rng(0)
    for i, depth in enumerate(DEPTHS):
        if depth <= can.max_depth:
            yield deep(profile, can.code_types[i % len(can.code_types)], depth, rng)
    for kind in can.code_types:
        for depth in (520, 1043, 4100):
            for zx in (0, -128, 127) if can.input_zero_point else (0,):
                if depth <= can.max_depth:
                    yield cancelled(profile, kind, depth, zx, rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random depths up to 5,000 without end."""
    while True:
        depth = min(int(2 ** rng.uniform(5, 12.3)), can.max_depth)
        if rng.random() < 0.5:
            yield deep(profile, code_type(can, rng), depth, rng)
        else:
            zx = int(rng.integers(-128, 128)) if can.input_zero_point else 0
            yield cancelled(profile, code_type(can, rng), depth, zx, rng)


def deep(profile: Profile, kind: str, depth: int, rng: np.random.Generator) -> Case:
    """Return four outputs: all products largest, all lowest, growing then falling, and random; none leaves int32."""
    x, w = params(kind, 1.0), weight_params(profile, 1.0)
    half = (depth + 1) // 2
    w_q = np.empty((depth, 4), np.int64)
    w_q[:, 0], w_q[:, 1] = w.qmax, w.qmin
    w_q[:half, 2], w_q[half:, 2] = w.qmax, w.qmin
    w_q[:, 3] = fill("random", (depth,), w, rng)
    x_q = np.stack([np.full(depth, x.qmin), np.full(depth, x.qmax), fill("random", (depth,), x, rng)]).astype(x.dtype)
    largest = max(abs(x.qmin - int(x.zero_point)), x.qmax - int(x.zero_point)) * 128 * depth
    # An odd divisor, so that the low bits of a large sum decide which code it becomes.
    y = params(kind, np.float32(max(1.0, largest / 117)), 0)
    bias = bias_of([1, -1, 0, 12_345], 4)
    return as_case(Layer(w_q.astype(w.dtype), bias, x, w, y), x_q, profile, NAME)


def cancelled(profile: Profile, kind: str, depth: int, zx: int, rng: np.random.Generator) -> Case:
    """Return large sums of one sign that the bias takes back to a tie of the first row: no bit of any sum or correction
    may be lost."""
    x, w, y = params(kind, 1.0, zx), weight_params(profile, 1.0), params(kind, 4.0)
    side = 1 if x.qmax - int(x.zero_point) >= int(x.zero_point) - x.qmin else -1
    near = rng.integers(0, 3, (2, depth))
    x_q = (x.qmax - near if side > 0 else x.qmin + near).astype(x.dtype)
    w_q = (w.qmax - rng.integers(0, 3, (depth, 6))).astype(w.dtype)
    layer = Layer(w_q, np.zeros(6, np.int32), x, w, y)
    codes = rng.integers(y.qmin + 20, y.qmax - 20, 6)
    ties = [tie(int(code), int(y.zero_point)) for code in codes]
    wanted = [accumulator_at(t, m, i % 2) for i, (t, m) in enumerate(zip(ties, exact_multipliers(layer), strict=True))]
    bias, _ = bias_for(wanted, centred_sums(layer, x_q)[0])
    return as_case(Layer(w_q, bias, x, w, y), x_q, profile, NAME)
