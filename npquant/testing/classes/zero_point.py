"""Zero points of input, weights and output, odd and even, at both ends: alone, together, and under rows that sum to
much.

Legend: profile the engine's record, can what the backend takes, rng a Generator, kind and weight_kind types of codes;
zx, zw, zy counted from the middle code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes.parts import as_case, code_type, fill, params, spreading_scale, varied, zero_point_pairs
from npquant.testing.solve import accumulator_at, bias_for, centred_sums, exact_multipliers, tie

NAME: Final = "zero_point"
SUBJECT: Final = "zero points of input, weights and output, each alone and together, at both ends"
WEIGHT_ZEROS: Final = (0, 1, -3, 64, -100, 127)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield every pair of input and output zero points under every weight zero point that the backend takes."""
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for weight_kind in can.weight_types:
            for zw in WEIGHT_ZEROS if can.weight_zero_point or weight_kind == "uint8" else (0,):
                for zx, zy in zero_point_pairs(can)[: 6 if zw in (0, -3) else 3]:
                    yield zeros(profile, kind, weight_kind, (zx, zw, zy), rng)
                if can.per_channel and can.weight_zero_point and profile.weight_zero_point == "honoured" and zw:
                    yield zeros(profile, kind, weight_kind, (3, np.array([zw, 0, -zw, 1, 2, -1, 5, zw]), -5), rng)
        # Row and column sums that outgrow 16 bits, and more rows than a vector has lanes.
        for depth in (300, 1100):
            for zx, zw in ((127, -100), (-128, 127), (3, -3)) if can.input_zero_point else ((0, 0),):
                given = (zx, zw if can.weight_zero_point else 0, 5 * can.input_zero_point)
                yield zeros(profile, kind, can.weight_types[0], given, rng, depth, 10)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random zero points, half of them varied, without end."""
    while True:
        zx, zw, zy = (int(v) for v in rng.integers(-128, 128, 3))
        weight_kind = str(rng.choice(can.weight_types))
        free = can.weight_zero_point or weight_kind == "uint8"
        given = (
            (zx, zw if free else 0, zy) if can.input_zero_point else (0, zw if free and can.weight_zero_point else 0, 0)
        )
        depth, rows = int(2 ** rng.uniform(0, 10)), int(2 ** rng.uniform(0, 5))
        case = zeros(profile, code_type(can, rng), weight_kind, given, rng, depth, rows)
        yield case if rng.random() < 0.5 else varied(case, profile, can, rng)


def zeros(
    profile: Profile,
    kind: str,
    weight_kind: str,
    given: tuple[int, Any, int],
    rng: np.random.Generator,
    depth: int = 0,
    rows: int = 3,
) -> Case:
    """Return a layer under the given zero points, half of its outputs on ties of the first row.

    depth: K, one of 1, 5, 20 and 33 at random if it is 0. rows: B.
    """
    zx, zw, zy = given
    n, k = 8, depth or int(rng.choice([1, 5, 20, 33]))
    x = params(kind, 0.5, zx)
    w = params(weight_kind, 0.25, zw)
    if weight_kind == "int8" and profile.weight_qmin > w.qmin:
        w = QuantParams(w.scale, np.maximum(w.zero_point, profile.weight_qmin), profile.weight_qmin, 127)
    y = params(kind, np.float32(2.0 ** np.ceil(np.log2(float(spreading_scale(0.5, 0.25, k))))), zy)
    layer = Layer(fill("random", (k, n), w, rng), np.zeros(n, np.int32), x, w, y)
    x_q = fill("random", (rows, k), x, rng)
    if k > 256:  # sums of codes that outgrow 16 bits
        layer.w_q[:, 0], x_q[-1] = w.qmax, x.qmax
    sums = centred_sums(layer, x_q)
    codes = rng.integers(y.qmin + 1, y.qmax, n)
    factors = exact_multipliers(layer)
    wanted = [accumulator_at(tie(int(c), int(y.zero_point)), f, 0) for c, f in zip(codes, factors, strict=True)]
    bias, _ = bias_for(wanted, sums[0])
    bias[n // 2 :] = rng.integers(-500, 501, n - n // 2)
    return as_case(Layer(layer.w_q, bias, x, w, y), x_q, profile, NAME)
