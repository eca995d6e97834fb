"""How the operators of TOSA and TVM are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from typing import Final

from npquant.profiles.knowledge import Knowledge, Known

TOSA_TESTS: Final = "tests/peers/test_tosa.py"
MODEL: Final = "Arm's reference model, tosa-tools 2026.8.0"
INT32_BIAS: Final = Known("absent in the engine", "it takes int32 codes, which R39 makes of a real bias")

TOSA = Knowledge(
    linear=Known(
        "run",
        f"{MODEL}: CONV2D of one pixel, and RESCALE",
        221_184,
        f"{TOSA_TESTS}::test_layer_equals_linear_by_multiplier",
    ),
    wide=Known("absent here", "CONV2D of int16 codes and a 16-bit RESCALE: the numbers of tflm's with int64 biases"),
    requantize=Known("run", f"{MODEL}: RESCALE of int32, int16 and 8 bits", 1_638_400, TOSA_TESTS),
    quantize=Known("absent in the engine", "CAST has no scale"),
    dequantize=Known("absent in the engine", "CAST has no scale"),
    codes_to_codes=Known("absent here", "RESCALE of codes; requantize takes them as accumulators"),
    bias=INT32_BIAS,
    activations=Known("absent in the engine", "CLAMP, and TABLE with entries that the file holds"),
    softmax=Known("absent in the engine", "a compiler composes it"),
    dynamic=Known("absent in the engine", "scales stand in the file"),
)

_REQUANTIZE: Final = "apache/tvm src/relay/qnn/op/requantize.cc and qnn/utils.cc, before Relay was removed"
TVM = Knowledge(
    linear=Known("read", f"{_REQUANTIZE}; qnn.dense"),
    wide=Known("absent here", "qnn.dense of int16 codes"),
    requantize=Known("read", _REQUANTIZE),
    quantize=Known("absent here", "qnn.quantize"),
    dequantize=Known("absent here", "qnn.dequantize"),
    codes_to_codes=Known("absent here", "qnn.requantize of codes; requantize takes them as accumulators"),
    bias=INT32_BIAS,
    activations=Known("absent here", "qnn's tables"),
    softmax=Known("absent here", "qnn.softmax"),
    dynamic=Known("absent in the engine", "its operators take scales from outside"),
)
