"""How tract's operators are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from npquant.profiles.knowledge import Knowledge, Known

_TEST = "tests/peers/test_tract.py"
_WHEEL = "tract 0.23.9 on x86"

TRACT = Knowledge(
    linear=Known("run", _WHEEL + ", QLinearMatMul and QLinearConv", 1_202_000, _TEST),
    wide=Known("absent in the engine", "its integer layers take int8 and uint8 codes"),
    requantize=Known("run", _WHEEL + ", QLinearConv of chosen accumulators", 1_048_576, _TEST),
    quantize=Known("run", _WHEEL, 256_000, _TEST),
    dequantize=Known("run", _WHEEL, 65_536, _TEST),
    codes_to_codes=Known("absent here", "DequantizeLinear before QuantizeLinear becomes a table; not asked"),
    bias=Known("absent in the engine", "QLinearConv takes int32 codes, QLinearMatMul none"),
    activations=Known("absent here", "between DequantizeLinear and QuantizeLinear they become a table; not asked"),
    softmax=Known("absent in the engine", "no softmax on codes in ONNX"),
    dynamic=Known("absent here", "DynamicQuantizeLinear is R124, run; no layer with real outputs was asked"),
)
