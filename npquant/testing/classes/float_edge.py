"""Real values on their way to codes: ties, their float neighbours, huge and tiny values, NaN, infinities, both zeros.

Legend: profile the engine's record, can what the backend takes, rng a Generator, p quantization; s scale, z zero point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.qparams import QuantParams
from npquant.profiles.operators import quantize
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer, Model
from npquant.testing.classes.parts import code_type, params

NAME: Final = "float_edge"
SUBJECT: Final = "QUANTIZE on ties and their float neighbours, huge and tiny values, NaN, infinities"
# Short rows: whatever a vector loop leaves to its tail must round, saturate and convert as its body does.
SHAPES: Final = ((1,), (2,), (3,), (5,), (7,), (9,), (15,), (17,), (19,), (31,), (33,))
SCALES: Final = (0.5, 0.1, 1.0, 2.0**-20, 0.0078125, 1e-30, 3.4e37)
SPECIAL: Final = (0.0, -0.0, 1e-45, -1e-45, 1.2e-38, 3.4e38, -3.4e38, np.inf, -np.inf, 2.0**31, -(2.0**31), 2.0**24 + 2)


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield, for each scale and zero point, all ties with their neighbours, then special values, then NaN."""
    if "quantize" not in can.ops:
        return
    for kind in can.code_types:
        for scale in SCALES:
            for zero in (0, 3, -128) if can.input_zero_point else (0,):
                p = params(kind, np.float32(scale), zero)
                yield from quantized(profile, on_ties(p), p)
                yield from quantized(profile, np.array(SPECIAL, np.float32), p)
        rng, p = np.random.default_rng(0), params(kind, 0.5, 3 * can.input_zero_point)
        for shape in SHAPES:
            yield from quantized(profile, rng.choice(_short(p), shape), p)
        yield from quantized(
            profile, np.array([np.nan, 1.0, -np.nan], np.float32), params(kind, 0.5, 3 * can.input_zero_point)
        )


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random scales with values on and beside ties, without end; nothing where there is no QUANTIZE."""
    while "quantize" in can.ops:
        zero = int(rng.integers(-128, 128)) if can.input_zero_point else 0
        p = params(code_type(can, rng), np.float32(2.0 ** rng.uniform(-30, 20)), zero)
        values = np.concatenate([on_ties(p)[:: int(rng.integers(1, 9))], _any_floats(rng, 32)])
        yield from quantized(profile, values, p)


def on_ties(p: QuantParams) -> NDArray[np.float32]:
    """Return (k + 1/2) s for every k that matters, and the float32 numbers on both sides of each."""
    k = np.arange(p.qmin - 2, p.qmax + 3) - int(p.zero_point)
    with np.errstate(over="ignore"):
        middle = np.clip((k + 0.5) * np.float64(p.scale), -3e38, 3e38).astype(np.float32)
    return np.concatenate([middle, np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(-np.inf))])


def _short(p: QuantParams) -> NDArray[np.float32]:
    """Return what a short row is filled with: ties, one in six of them far outside the codes."""
    middle = on_ties(p)[: p.qmax - p.qmin + 5]
    return np.concatenate([middle, np.resize(np.array([3e9, -3e9, 3e38, -3e38], np.float32), len(middle) // 5)])


def _any_floats(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Return floats of random bits, NaN left out."""
    values = rng.integers(0, 2**32, count, dtype=np.uint32).view(np.float32)
    return np.where(np.isnan(values), np.float32(1), values).astype(np.float32)


def quantized(profile: Profile, values: NDArray[np.float32], p: QuantParams) -> Iterator[Case]:
    """Yield the case, if the profile has an answer to it: npquant's own QUANTIZE refuses NaN."""
    layer: Any = Layer(np.zeros((1, 1), np.int8), None, p, p, p)
    with np.errstate(all="ignore"):
        try:
            quantize(values, p, profile)
        except ValueError:
            return
    yield Case(Model((layer,), profile.name), values, op="quantize", tags=(NAME,))
