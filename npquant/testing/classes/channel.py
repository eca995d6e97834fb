"""Per-channel weights: scales that differ by little and by much, in mantissa and in exponent, more channels than a
vector.

Legend: profile the engine's record, can what the backend takes, rng a Generator; kind the type of input and output
codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case
from npquant.testing.classes.parts import code_type, on_the_ties, params, spreading_scale, varied, weight_params

NAME: Final = "channel"
SUBJECT: Final = "per-channel scales of unlike mantissa and exponent, more channels than a vector"


def lattice(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield scales that fall by powers of two, that have one exponent, that are nearly equal, and one channel alone."""
    if not can.per_channel:
        return
    rng = np.random.default_rng(0)
    for kind in can.code_types:
        for n in (3, 9, 17, 1):
            yield channels(profile, kind, np.float32(0.02) * np.float32(2.0) ** -np.arange(n, dtype=np.float32), rng)
            yield channels(profile, kind, np.float32(0.02) + np.float32(0.001) * np.arange(n, dtype=np.float32), rng)
            yield channels(profile, kind, np.float32(0.011) * (1 + np.arange(n, dtype=np.float32) * 2.0**-20), rng)
        yield channels(profile, kind, np.float32(2.0) ** np.array([0, -18, -1, -12, -20, 2], np.float32), rng)
        yield channels(profile, kind, np.full(5, 0.0123, np.float32), rng)


def draw(profile: Profile, can: Capabilities, rng: np.random.Generator) -> Iterator[Case]:
    """Yield random scales over ten binades, half of them varied, without end; where channels are not taken, nothing."""
    while can.per_channel:
        scales = np.float32(2.0) ** rng.uniform(-12, -2, int(rng.integers(1, 40))).astype(np.float32)
        case = channels(profile, code_type(can, rng), scales, rng)
        yield case if rng.random() < 0.5 else varied(case, profile, can, rng)


def channels(profile: Profile, kind: str, scales: NDArray[np.float32], rng: np.random.Generator) -> Case:
    """Return two rows under these weight scales, the first on and beside ties of every channel."""
    n, k = len(scales), 6
    scales = np.ascontiguousarray(scales, np.float32)
    x, w = params(kind, 0.25), weight_params(profile, scales, np.zeros(n, np.int32))
    y = params(kind, spreading_scale(0.25, float(np.median(scales)), k))
    codes = rng.integers(y.qmin + 3, y.qmax - 3, n).tolist()
    return on_the_ties(profile, (x, w, y), codes, (0, 1), (2, k), rng).tagged(NAME)
