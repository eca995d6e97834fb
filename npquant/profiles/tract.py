"""tract: integers with one rounding to even per tensor, float32 per channel.

Legend: acc accumulator, M float32 multiplier, zy zero point.
"""

from __future__ import annotations

from npquant.kernels.quantize_engines import dequantize_float32
from npquant.kernels.tract import layer_multiplier, quantize, stage_half_even_wrapping
from npquant.profiles.known import tract as known
from npquant.profiles.record import Profile

TRACT = Profile(
    name="tract",
    engine="tract, QLinearMatMul and QLinearConv on x86",
    version="tract 0.23.9",
    source="sonos/tract core/src/ops/matmul/quant.rs, core/src/ops/quant.rs, linalg/src/generic/rounding.rs, "
    "linalg/x86_64/fma/avx2_mmm_i32_8x8.S.j2 (38b383f)",
    equation="y_q = clamp(wrap32(half_even(acc M) + zy)), exactly, M_C, or M_D of equal channels; per channel "
    "wrap32(sign(acc) half_even(f32(f32(|acc|) M_D)) + zy)",
    make_multiplier=layer_multiplier,
    output_stage=stage_half_even_wrapping,
    quantize_codes=quantize,
    dequantize_codes=dequantize_float32,
    max_multiplier=float("inf"),
    knowledge=known.TRACT,
    conversion="Rust's, saturating, in float32; in integers the x86 kernel's: magnitudes that wrap at the rails",
)

PROFILES = (TRACT,)
