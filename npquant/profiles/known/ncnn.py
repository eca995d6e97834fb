"""How ncnn's operators are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from npquant.profiles.knowledge import Knowledge, Known

_TEST = "tests/peers/test_ncnn.py"
_WHEEL = "ncnn 1.0.20261020 on x86"

NCNN = Knowledge(
    linear=Known("run", _WHEEL, 332_088, _TEST),
    wide=Known("absent in the engine", "its codes have 8 bits"),
    requantize=Known("run", _WHEEL, 600_180, _TEST),
    quantize=Known("run", _WHEEL, 269_530, _TEST),
    dequantize=Known("run", _WHEEL, 16_320, _TEST),
    codes_to_codes=Known("absent in the engine", "Requantize takes accumulators"),
    bias=Known("run", _WHEEL + ", InnerProduct's real outputs, and Requantize", 425_678, _TEST),
    activations=Known("absent in the engine", "they take real values, or are part of a layer"),
    softmax=Known("absent in the engine", "it takes real values"),
    dynamic=Known("absent here", "its Gemm of int8 quantizes each row by its largest magnitude: read, not built"),
)
