"""How the operators of ONNX Runtime and of the ONNX reference evaluator are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from npquant.profiles.knowledge import Knowledge, Known

ORT_TESTS: Final = "tests/peers/test_onnxruntime.py"
REFERENCE_TESTS: Final = "tests/peers/test_onnx_reference.py"
DYNAMIC: Final = "tests/peers/test_dynamic.py"
RUNTIME: Final = "onnxruntime 1.32.0 on x86"
EVALUATOR: Final = "onnx 1.23.2 on x86"

ORT = Knowledge(
    linear=Known(
        "run",
        f"{RUNTIME}: QGemm and QLinearMatMul; uint8 x int8 with VNNI, by an earlier revision of these tests",
        2_427_898,
        ORT_TESTS,
    ),
    wide=Known("absent in the engine", "QLinearMatMul and QGemm take 8 bits"),
    requantize=Known(
        "run", f"{RUNTIME}: QGemm, accumulators through its C", 2_097_152, f"{ORT_TESTS}::test_qgemm_equals_profile"
    ),
    quantize=Known("run", RUNTIME, 787_952, f"{ORT_TESTS}::test_quantize_equals_profile"),
    dequantize=Known("run", RUNTIME, 135_152, f"{ORT_TESTS}::test_dequantize_equals_profile"),
    codes_to_codes=Known("absent in the engine", "DequantizeLinear and QuantizeLinear stand in its place"),
    bias=Known("absent in the engine", "QGemm takes int32 codes, which R39 makes of a real bias"),
    activations=Known(
        "run", f"{RUNTIME} with FMA: QLinearSigmoid", 307_200, f"{ORT_TESTS}::test_sigmoid_equals_profile"
    ),
    softmax=Known("absent here", "QLinearSoftmax"),
    dynamic=Known(
        "run",
        f"{RUNTIME}: the operators; a layer in three forms with VNNI, by other draws, before npquant had the rule",
        2_479_515,
        DYNAMIC,
    ),
)

ORT_PAIR16 = replace(
    ORT,
    linear=Known("run", f"{RUNTIME} without VNNI: QGemm and QLinearMatMul of uint8 x int8", 296_445, ORT_TESTS),
    dynamic=Known("run", f"{RUNTIME} without VNNI: the operators, and a layer in three forms", 1_294_557, DYNAMIC),
)

ONNX_REF = Knowledge(
    linear=Known(
        "run", f"{EVALUATOR}: QLinearMatMul", 1_048_576, f"{REFERENCE_TESTS}::test_qlinear_matmul_equals_profile"
    ),
    wide=Known("absent in the engine", "QLinearMatMul takes 8 bits"),
    requantize=Known(
        "run",
        f"{EVALUATOR}: QLinearMatMul, accumulators through its products",
        1_048_576,
        f"{REFERENCE_TESTS}::test_qlinear_matmul_equals_profile",
    ),
    quantize=Known("run", EVALUATOR, 787_952, f"{REFERENCE_TESTS}::test_quantize_equals_profile"),
    dequantize=Known("run", EVALUATOR, 135_152, f"{REFERENCE_TESTS}::test_dequantize_equals_profile"),
    codes_to_codes=Known("absent in the engine", "DequantizeLinear and QuantizeLinear stand in its place"),
    bias=Known("absent in the engine", "QLinearMatMul has none; npquant adds int32 codes, which R39 makes"),
    activations=Known("absent in the engine", "ONNX has no activation of codes"),
    softmax=Known("absent in the engine", "ONNX has no softmax of codes"),
    dynamic=Known("run", f"{EVALUATOR}: DynamicQuantizeLinear, MatMulInteger, both in one layer", 235_636, DYNAMIC),
)
