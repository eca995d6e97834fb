"""How OpenVINO's operators are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from dataclasses import replace

from npquant.profiles.knowledge import Knowledge, Known

_TEST = "tests/peers/test_openvino.py"
_WHEEL = "openvino 2026.4.1 on x86"
_PAIRED = f"{_WHEEL} with AVX2, without VNNI"

OPENVINO_PAIR16 = Knowledge(
    linear=Known(
        "run", f"{_PAIRED}: MatMul between DequantizeLinear and QuantizeLinear, QLinearMatMul", 1_700_000, _TEST
    ),
    wide=Known("absent here", "not studied"),
    requantize=Known("run", f"{_PAIRED}, as layers without bias and zero point of the inputs", 130_000, _TEST),
    quantize=Known("run", _WHEEL, 256_000, _TEST),
    dequantize=Known("run", _WHEEL, 16_800, _TEST),
    codes_to_codes=Known("absent here", "not studied"),
    bias=Known("run", f"{_PAIRED}, in the layer", 1_180_000, _TEST),
    activations=Known("absent here", "not studied, but for the fused relu"),
    softmax=Known("absent here", "not studied"),
    dynamic=Known("absent here", "MatMulInteger is computed in float32; dynamic quantization was not asked"),
)

# A machine with VNNI was not at hand when the forms were settled: what is run is where no pair of products saturates.
OPENVINO = replace(
    OPENVINO_PAIR16,
    linear=Known("run", f"{_PAIRED}, layers none of whose pairs of products saturates", 80_000, _TEST),
    bias=Known("run", f"{_PAIRED}, in such layers", 60_000, _TEST),
)
