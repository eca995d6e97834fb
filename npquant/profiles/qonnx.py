"""QONNX's Quant, one record a rounding mode: divide, add the zero point, clip, round. Brevitas has the same numbers.

Legend: x real values, params their quantization: scale s, zero point z, interval [qmin, qmax].
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.kernels import rounding
from npquant.kernels.conversion import round_add_half_then_truncate
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import dequantize_float32
from npquant.kernels.quantize_modes import Mode, quantize_divide_zero_point_first
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.record import Profile

_TEST: Final = "tests/peers/test_qonnx.py"
_ABSENT = Known("absent in the engine", "a graph of Quant nodes computes in float32 between them")
_KNOWLEDGE = Knowledge(
    linear=_ABSENT,
    wide=_ABSENT,
    requantize=_ABSENT,
    quantize=Known("run", "qonnx 1.0.0", 1_048_576, _TEST),
    dequantize=Known("run", "qonnx 1.0.0", 1_048_576, _TEST),
    codes_to_codes=_ABSENT,
    bias=_ABSENT,
    activations=_ABSENT,
    softmax=_ABSENT,
    dynamic=_ABSENT,
)


def quantizer(mode: Mode) -> Callable[[ArrayLike, QuantParams], Codes]:
    """R140 by one rounding mode, for one interval less: a signed code of one bit is -1 or +1 to QONNX.

    >>> quantizer(rounding.round_ceil)([1.1], QuantParams(1.0, 0, -1, 0))
    Traceback (most recent call last):
    ValueError: QONNX makes signed codes of one bit -1 and +1, not [-1, 0]: no interval says so
    """

    def quantize(x: ArrayLike, params: QuantParams) -> Codes:
        if (params.qmin, params.qmax) == (-1, 0):
            raise ValueError("QONNX makes signed codes of one bit -1 and +1, not [-1, 0]: no interval says so")
        return quantize_divide_zero_point_first(x, params, mode)

    return quantize


QONNX = Profile(
    name="qonnx",
    engine="QONNX Quant, rounding mode ROUND (also HALF_EVEN)",
    version="qonnx 1.0.0",
    source="fastmachinelearning/qonnx src/qonnx/custom_op/general/intquant.py, int_quant, resolve_rounding_mode",
    equation="q = half_even(clip(f32(f32(x/s) + z))); NaN stays NaN, and has no code",
    quantize_types=("int8", "uint8", "int16", "uint16"),
    quantize_codes=quantizer(rounding.round_half_even),
    dequantize_codes=dequantize_float32,
    knowledge=_KNOWLEDGE,
    conversion="none: codes stay float32",
)


def _by(name: str, engine_mode: str, rule: str, mode: Mode) -> Profile:
    """Return the record of another mode."""
    return dataclasses.replace(
        QONNX,
        name=f"qonnx_{name}",
        engine=f"QONNX Quant, rounding mode {engine_mode}",
        equation=f"q = {rule}(clip(f32(f32(x/s) + z))); NaN stays NaN, and has no code",
        quantize_codes=quantizer(mode),
    )


PROFILES = (
    QONNX,
    _by("ceil", "CEIL", "ceil", rounding.round_ceil),
    _by("floor", "FLOOR", "floor", rounding.round_floor),
    _by("up", "UP", "away_from_zero", rounding.round_away_from_zero),
    _by("down", "DOWN", "toward_zero", rounding.round_toward_zero),
    # sign(v) floor(f32(|v| + 1/2)): neither upwards, as its name says, nor half away beside 1/2.
    _by("half_up", "HALF_UP", "add_half_then_truncate", round_add_half_then_truncate),
    _by("half_down", "HALF_DOWN", "half_toward_zero", rounding.round_half_toward_zero),
)
