"""Whole domains: every pair of operands, every accumulator of 17 bits, every half-precision number into QUANTIZE.

Legend: profile the engine's record, can what the backend takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer
from npquant.testing.classes import float_edge, plain, tie
from npquant.testing.classes.parts import as_case, params, weight_params

# One bit, many bits, a hair below 1/2 and 1, a mantissa that carries, and so small that 17 bits of sum span the codes.
MULTIPLIERS: Final = (0.5, 2.0**-4, 2.0**-9, 0.3, 0.0123, 0.0037, 0.49999997, 0.99999994, 1.7 * 2.0**-9, 2.0**-14)
# Accumulators from -2^16 to 2^16, so many outputs at a time.
REACH: Final = 1 << 16
OUTPUTS: Final = 8192


def every_pair(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield all 65,536 pairs of 8-bit operands as rows and outputs of depth 1; a bias moves each window of products
    into the codes, so that no product hides behind saturation.
    """
    for kind in (kind for kind in can.code_types if kind in ("int8", "uint8")):
        for zx in (0, 5, -128) if can.input_zero_point else (0,):
            x, w, y = params(kind, 0.5, zx), weight_params(profile, 0.5), params(kind, 0.5)
            x_q = np.arange(x.qmin, x.qmax + 1)[:, np.newaxis].astype(x.dtype)
            w_q = np.arange(w.qmin, w.qmax + 1)[np.newaxis].astype(w.dtype)
            most = 128 * int(np.abs(x_q.astype(np.int64) - int(x.zero_point)).max())
            # M = 1/2: the 254 codes between the rails show 508 products; 504 leaves room for the roundings.
            for middle in range(-most, most + 504, 504):
                yield as_case(Layer(w_q, np.full(w_q.size, -middle, np.int32), x, w, y), x_q, profile, plain.NAME)


def every_accumulator(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield all accumulators from -2^16 to 2^16 under each multiplier, by the bias."""
    for kind in (kind for kind in can.code_types if kind in ("int8", "uint8")):
        for zy in (0, 3) if can.input_zero_point else (0,):
            for multiplier in MULTIPLIERS:
                x, w, y = params(kind, 1.0), weight_params(profile, np.float32(multiplier)), params(kind, 1.0, zy)
                x_q = np.full((1, 1), int(x.zero_point) + 7, x.dtype)
                for first in range(-REACH, REACH + 1, OUTPUTS):
                    acc = np.arange(first, min(first + OUTPUTS, REACH + 1))
                    w_q = (acc % 11 - 5)[np.newaxis].astype(w.dtype)
                    bias = (acc - 7 * w_q[0].astype(np.int64)).astype(np.int32)
                    yield as_case(Layer(w_q, bias, x, w, y), x_q, profile, tie.NAME)


def every_half(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield all 65,536 half-precision numbers as float32 into QUANTIZE, NaN apart, for each scale."""
    if "quantize" not in can.ops:
        return
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    for kind in can.code_types:
        for scale in float_edge.SCALES:
            for zero in (0, 3) if can.input_zero_point else (0,):
                p = params(kind, np.float32(scale), zero)
                yield from float_edge.quantized(profile, values[~np.isnan(values)], p)
                yield from float_edge.quantized(profile, values[np.isnan(values)], p)


# The class that each sweep belongs to.
SWEEPS: Final = MappingProxyType[str, Callable[[Profile, Capabilities], Iterator[Case]]](
    {plain.NAME: every_pair, tie.NAME: every_accumulator, float_edge.NAME: every_half}
)
