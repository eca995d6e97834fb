"""tract: integers with one rounding to even per tensor, float32 per channel.

Legend: acc accumulator, M float32 multiplier, zy zero point.
"""

from __future__ import annotations

from npquant.kernels.quantize_engines import dequantize_float32
from npquant.kernels.tract import dynamic_quantize, layer_multiplier, quantize, stage_half_even_wrapping
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.record import Profile

_TEST = "tests/peers/test_tract.py"
_VERSION = "tract 0.23.9"

TRACT = Profile(
    name="tract",
    engine="tract, QLinearMatMul and QLinearConv on x86",
    version=_VERSION,
    source="sonos/tract core/src/ops/matmul/quant.rs, core/src/ops/quant.rs, linalg/src/generic/rounding.rs, "
    "linalg/x86_64/fma/avx2_mmm_i32_8x8.S.j2 (38b383f)",
    equation="y_q = clamp(wrap32(half_even(acc M) + zy)), exactly, M_C, or M_D of equal channels; per channel "
    "wrap32(sign(acc) half_even(f32(f32(|acc|) M_D)) + zy)",
    proof="run: tract 0.23.9 on x86, every operator",
    make_multiplier=layer_multiplier,
    output_stage=stage_half_even_wrapping,
    quantize_codes=quantize,
    dequantize_codes=dequantize_float32,
    dynamic_quantize=dynamic_quantize,
    max_multiplier=float("inf"),
    knowledge=Knowledge(
        linear=Known("run", f"{_VERSION}, QLinearMatMul and QLinearConv", 1_202_000, _TEST),
        wide=Known("absent in the engine", "its integer layers take int8 and uint8 codes"),
        requantize=Known("run", f"{_VERSION}, QLinearConv of chosen accumulators", 1_048_576, _TEST),
        quantize=Known("run", _VERSION, 256_000, _TEST),
        dequantize=Known("run", _VERSION, 65_536, _TEST),
        codes_to_codes=Known("absent here", "DequantizeLinear before QuantizeLinear becomes a table; not asked"),
        bias=Known("absent in the engine", "QLinearConv takes int32 codes, QLinearMatMul none"),
        activations=Known("absent here", "between DequantizeLinear and QuantizeLinear they become a table; not asked"),
        softmax=Known("absent in the engine", "no softmax on codes in ONNX"),
        dynamic=Known("run", f"{_VERSION}, DynamicQuantizeLinear, MatMulInteger", 100_000, _TEST),
    ),
    conversion="Rust's, saturating, in float32; in integers the x86 kernel's: magnitudes that wrap at the rails",
)

PROFILES = (TRACT,)
