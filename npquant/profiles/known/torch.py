"""How the operators of PyTorch's quantized engines are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from typing import Final

from npquant.profiles.knowledge import Knowledge, Known

TESTS: Final = "tests/peers/test_torch.py"
TORCH: Final = "torch 2.13.0 on x86"
LINEAR: Final = f"{TESTS}::test_linear_equals_profile"
DYNAMIC: Final = "tests/peers/test_dynamic_torch.py"
EARLIER: Final = ", by an earlier revision of this test"
BEFORE: Final = ", by other draws, before npquant had the rule"
BIAS: Final = f"{TESTS}::test_linear_with_bias_equals_profile"


def _run(
    engine: str, linear: int, requantize: int, bias: int, dynamic: int, layers: str = "", drawn: str = ""
) -> Knowledge:
    """Return the cells of an engine of torch, with the outputs of its four kinds of test, and how those were run.

    Quantize and dequantize are torch's own, whichever the engine. layers is said of static layers, drawn of
    dynamic ones.
    """
    return Knowledge(
        linear=Known("run", f"{TORCH}, {engine}{layers}", linear, TESTS),
        wide=Known("absent in the engine", "its activations are quint8"),
        requantize=Known("run", f"{TORCH}, {engine}{layers}, accumulators through products", requantize, LINEAR),
        quantize=Known("run", f"{TORCH}, per tensor and per channel", 1_051_120, TESTS),
        dequantize=Known("run", TORCH, 135_152, f"{TESTS}::test_dequantize_equals_profile"),
        codes_to_codes=Known("absent in the engine", "dequantize and quantize stand in its place"),
        bias=Known("run", f"{TORCH}, {engine}{layers}: real biases", bias, BIAS),
        activations=Known(
            "absent here", "relu, relu6 and hardtanh clamp by R84 between R57's codes; sigmoid and tanh are Sleef's"
        ),
        softmax=Known("absent here", "quantized softmax"),
        dynamic=Known("run", f"{TORCH}, {engine}{drawn}: quantized linear_dynamic", dynamic, DYNAMIC),
    )


# fbgemm and x86 are two names, each asked for all
FBGEMM = _run("engines fbgemm and x86 with VNNI", 2_658_080, 2_096_128, 523_776, 2_681_252, EARLIER, BEFORE)
FBGEMM_PAIR16 = _run("engines fbgemm and x86 without VNNI", 2_658_080, 2_096_128, 523_776, 2_008_230)
QNNPACK = _run("engine qnnpack", 1_329_040, 1_048_064, 261_888, 1_004_115)
ONEDNN_VNNI = _run("engine onednn with VNNI", 1_327_926, 1_048_064, 261_888, 1_365_167, EARLIER, BEFORE)
ONEDNN_AVX2 = _run("engine onednn, AVX2 without VNNI", 1_327_926, 1_048_064, 261_888, 1_004_115)
