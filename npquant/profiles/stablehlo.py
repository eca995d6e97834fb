"""StableHLO's quantized types, as IREE compiles them for a processor with fused multiply-add.

Legend: acc accumulator, M float32 multiplier, x real value, s scale, z and zy zero points, [lo, hi] output interval.
"""

from __future__ import annotations

from typing import Final

from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.kernels.bias import bias_quotient_half_even_x86
from npquant.kernels.multiplier import multiplier_float64_to_float32
from npquant.kernels.output_stages import stage_float32_fused_zero_point_first
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import dequantize_float32
from npquant.kernels.quantize_modes import quantize_divide_zero_point_first
from npquant.kernels.requantize_codes import requantize_codes_fused
from npquant.kernels.rounding import round_half_even
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.record import Profile

_TEST: Final = "tests/peers/test_iree.py"
_ENGINE: Final = "iree-base-compiler 3.13.0, llvm-cpu"
_UNQUANTIZED = Known("absent in the engine", "StableHLO has no such operator on quantized types")


def _quantize(x: ArrayLike, params: QuantParams) -> Codes:
    """R140, half even."""
    return quantize_divide_zero_point_first(x, params, round_half_even)


STABLEHLO_IREE = Profile(
    name="stablehlo_iree",
    engine="StableHLO dot_general to i32, then uniform_quantize, compiled by IREE with FMA",
    version="iree 3.13.0",
    source="openxla/stablehlo stablehlo/transforms/StablehloLegalizeQuantToMath.cpp",
    equation="y_q = half_even(clip(fma(f32(acc), f32(sx sw / sy), zy), lo, hi))",
    make_multiplier=multiplier_float64_to_float32,
    output_stage=stage_float32_fused_zero_point_first,
    quantize_bias=bias_quotient_half_even_x86,
    quantize_codes=_quantize,
    dequantize_codes=dequantize_float32,
    requantize_codes=requantize_codes_fused,
    weight_zero_point="zero",
    code_types=("int8",),
    quantize_types=("int8",),
    knowledge=Knowledge(
        linear=Known("run", _ENGINE, 1_048_576, _TEST),
        wide=Known("absent here", "not studied"),
        requantize=Known("run", _ENGINE, 1_048_576, _TEST),
        quantize=Known("run", _ENGINE, 1_048_576, _TEST),
        dequantize=Known("run", _ENGINE, 1_048_576, _TEST),
        codes_to_codes=Known("run", _ENGINE + ": every code under 4,096 pairs of types", 1_048_576, _TEST),
        bias=Known("run", _ENGINE, 1_048_576, _TEST),
        activations=_UNQUANTIZED,
        softmax=_UNQUANTIZED,
        dynamic=_UNQUANTIZED,
    ),
    conversion="clipped in float before the conversion: saturates; NaN is whatever the processor makes of it",
)

PROFILES = (STABLEHLO_IREE,)
