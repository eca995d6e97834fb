"""Brevitas' IntQuant on the CPU: float32 arrays in, the real values of the codes out."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams

PACKAGE = "brevitas"
STUDIED_VERSION = "0.13.4"
EXTRA = "engines"
# The class of each record's mode.
MODES = {"qonnx": "RoundSte", "qonnx_ceil": "CeilSte", "qonnx_floor": "FloorSte", "qonnx_down": "RoundToZeroSte"}


def installed_version() -> str:
    """Return the version of the installed engine."""
    return version(PACKAGE)


def quantize_dequantize(
    x: NDArray[np.float32], *, y: QuantParams, bits: int, narrow: bool, mode: str
) -> NDArray[np.float32]:
    """Run IntQuant; it is signed where y has negative codes."""
    import torch
    from brevitas.core import function_wrapper
    from brevitas.core.quant import IntQuant

    quant = IntQuant(narrow, bool(y.qmin < 0), torch.nn.Identity(), getattr(function_wrapper, mode)())
    with torch.no_grad():
        scale, zero, width = (torch.tensor(float(v), dtype=torch.float32) for v in (y.scale, y.zero_point, bits))
        return np.asarray(quant(scale, zero, width, torch.from_numpy(x.copy())).numpy())
