"""The record that names one engine's arithmetic, and npquant's own.

Legend: acc accumulator, M multiplier (real, or m and e), (sx, sw, sy) scales of input, weights and output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.requantize import (
    decompose_multiplier,
    real_multiplier,
    requantize_single_rounding,
)

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Profile:
    """Name one engine's arithmetic: data, and functions only where a rounding is new.

    Parameters
    ----------
    name : str
        As in `npquant.profiles.names()`.
    engine, version, source : str
        Which engine computes this, in which versions, and the file and revision it was read from.
    equation : str
        The arithmetic in one line.
    make_multiplier : callable
        Offline: (sx, sw, sy) -> multiplier, in whatever form `requantize` takes.
    requantize : callable
        Run time: (acc int64, multiplier) -> int64 output steps before the zero point.
    accumulator : {"exact", "wrap"}
        What happens beyond int32: an OverflowError, or two's complement.
    weight_qmin : int
        Smallest weight code the engine's specification allows, -128 or -127.

    Examples
    --------
    >>> NPQUANT.name
    'npquant'
    """

    name: str
    engine: str
    version: str
    source: str
    equation: str
    make_multiplier: Callable[[Any, Any, Any], Any]
    requantize: Callable[[Int64, Any], Int64]
    accumulator: str = "wrap"
    weight_qmin: int = -128


NPQUANT = Profile(
    name="npquant",
    engine="npquant",
    version="0.1",
    source="npquant/spec/requantize.py",
    equation="y_q = clamp(round_half_up(acc m 2^(e-31)) + zy, qmin, qmax)",
    make_multiplier=lambda sx, sw, sy: decompose_multiplier(real_multiplier(sx, sw, sy)),
    requantize=requantize_single_rounding,
    accumulator="exact",
)
