"""ExecuTorch: its portable quantize and dequantize. What it hands to XNNPACK is XNNPACK's.

Legend: x real value, s scale, z zero point.
"""

from __future__ import annotations

from typing import Final

from npquant.kernels.quantize_engines import dequantize_float32, quantize_reciprocal_half_even_int64
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.layerless import no_multiplier, no_stage
from npquant.profiles.record import Profile

_TEST: Final = "tests/peers/test_executorch.py"
_UNQUANTIZED = Known("absent in the engine", "portable kernels between quantize and dequantize compute in float32")

EXECUTORCH_PORTABLE = Profile(
    name="executorch_portable",
    engine="ExecuTorch, portable kernels of quantized_decomposed",
    version="executorch 1.5.1",
    source="pytorch/executorch kernels/quantized/cpu/op_quantize.cpp, quantize_val; op_dequantize.cpp",
    equation="q = clip(int64(f32(half_even(f32(x f32(1/s))) + z)))",
    proof="run: executorch 1.5.1 on x86",
    make_multiplier=no_multiplier,
    output_stage=no_stage,
    quantize_types=("int8", "uint8", "int16"),
    quantize_codes=quantize_reciprocal_half_even_int64,
    dequantize_codes=dequantize_float32,
    has_layers=False,
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

PROFILES = (EXECUTORCH_PORTABLE,)
