"""ExecuTorch: its portable quantize and dequantize, and its XNNPACK delegate, which is XNNPACK but for the bias.

Legend: x real value, b real bias, s scale, sx and sw scales of input and weights, z zero point.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Int64
from npquant.kernels.bias import bias_reciprocal_float64_half_even_x86, bias_reciprocal_half_even_x86
from npquant.kernels.quantize_engines import dequantize_float32, quantize_reciprocal_half_even_int64
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.record import Profile
from npquant.profiles.xnnpack import QD8, XNNPACK_FP32, XNNPACK_FP32_AVX512

_TEST: Final = "tests/peers/test_executorch.py"
_UNQUANTIZED = Known("absent in the engine", "portable kernels between quantize and dequantize compute in float32")

EXECUTORCH_PORTABLE = Profile(
    name="executorch_portable",
    engine="ExecuTorch, portable kernels of quantized_decomposed",
    version="executorch 1.5.1",
    source="pytorch/executorch kernels/quantized/cpu/op_quantize.cpp, quantize_val; op_dequantize.cpp",
    equation="q = clip(int64(f32(half_even(f32(x f32(1/s))) + z)))",
    quantize_types=("int8", "uint8", "int16"),
    quantize_codes=quantize_reciprocal_half_even_int64,
    dequantize_codes=dequantize_float32,
    knowledge=Knowledge(
        linear=_UNQUANTIZED,
        wide=_UNQUANTIZED,
        requantize=_UNQUANTIZED,
        quantize=Known("run", "executorch 1.5.1", 1_048_576, _TEST),
        dequantize=Known("run", "executorch 1.5.1", 1_048_576, _TEST),
        codes_to_codes=_UNQUANTIZED,
        bias=_UNQUANTIZED,
        activations=_UNQUANTIZED,
        softmax=_UNQUANTIZED,
        dynamic=Known("absent here", "choose_qparams was not studied"),
    ),
    conversion="x86: NaN, and 2^63 steps or more of either sign, give the low rail",
)


def _bias_codes(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """R142 per channel, where torch multiplies the scales in float32; R143 per tensor, where Python does in float64."""
    return (bias_reciprocal_half_even_x86 if np.ndim(sw) else bias_reciprocal_float64_half_even_x86)(b, sx, sw)


_WHOLE: Final = "whole layers between quantize and dequantize"
_UNSTUDIED = Known("absent here", "not studied under ExecuTorch")
_NO_INT16 = Known("absent in the engine", "the partitioner takes int8 codes")

# qd8-f32-qc8w: a graph of one range for the tensor is executed with one a row, as XNNPACK has no other.
DYNAMIC = dataclasses.replace(QD8, activations=("none", "relu"), even_narrow_depth=False)


def _knowledge(processor: str, static: int, dynamic: int) -> Knowledge:
    """Return the cells on a processor, by the outputs of its static and of its dynamic layers."""
    engine = f"executorch 1.5.1 {processor}"
    layers = Known("run", f"{engine}, {_WHOLE}", static, f"{_TEST}::test_xnnpack_delegate_equals_profile")
    return Knowledge(
        linear=layers,
        wide=_NO_INT16,
        requantize=layers,
        quantize=layers,
        dequantize=layers,
        codes_to_codes=_UNSTUDIED,
        bias=layers,
        activations=_UNSTUDIED,
        softmax=Known("absent in the engine", "the partitioner gives softmax to XNNPACK in float32"),
        dynamic=Known(
            "run",
            f"{engine}: weights per channel (no others are delegated), one range a row whatever the graph says",
            dynamic,
            f"{_TEST}::test_dynamic_layer_equals_profile",
        ),
    )


EXECUTORCH_XNNPACK = dataclasses.replace(
    XNNPACK_FP32,
    name="executorch_xnnpack",
    engine="ExecuTorch, XNNPACK delegate, without AVX-512",
    version="executorch 1.5.1",
    source="pytorch/executorch backends/xnnpack/operators/quant_params.py, from_bias; XNNPACK src/qs8-qc8w-gemm/gen",
    equation="as xnnpack_fp32; a real bias becomes int32(half_even(f32(b f32(1/(sx sw)))))",
    quantize_bias=_bias_codes,
    activation_codes=None,
    requantize_codes=None,
    softmax_codes=None,
    wide_stages=(),
    code_pairs=(),
    activation_types=(),
    dynamic=DYNAMIC,
    weight_zero_point="zero",
    code_types=("int8",),
    quantize_types=("int8",),
    knowledge=_knowledge("on x86 without AVX-512", 2_097_152, 1_134_336),
)

EXECUTORCH_XNNPACK_AVX512 = dataclasses.replace(
    EXECUTORCH_XNNPACK,
    name="executorch_xnnpack_avx512",
    engine="ExecuTorch, XNNPACK delegate, AVX-512 kernels",
    equation="as xnnpack_fp32_avx512; a real bias becomes int32(half_even(f32(b f32(1/(sx sw)))))",
    knowledge=_knowledge("on x86 with AVX-512, by other draws, before npquant had the rule", 786_432, 1_040_000),
    output_stage=XNNPACK_FP32_AVX512.output_stage,
    conversion=XNNPACK_FP32_AVX512.conversion,
)

PROFILES = (EXECUTORCH_XNNPACK, EXECUTORCH_XNNPACK_AVX512, EXECUTORCH_PORTABLE)
