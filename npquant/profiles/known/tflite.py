"""How the operators of the TFLite family are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from npquant.profiles.knowledge import Knowledge, Known

LAYER: Final = "tests/peers/test_litert.py"
INJECTED: Final = f"{LAYER}::test_fully_connected_equals_profile"
CONVERSIONS: Final = "tests/peers/test_litert_conversions.py"
CODES: Final = "tests/peers/test_activations.py"
WIDE: Final = "tests/peers/test_wide.py"
FLOATS: Final = "tests/peers/test_dynamic_litert.py"
MICRO: Final = "tests/peers/test_tflm.py"
OLD: Final = "tests/emulated/test_tflite_2_14.py"
APART: Final = "docs/judged-by.md"
APART_WIDE: Final = "docs/decisions/0033-sixteen-bits-by-engine.md"
WIDE_CONVERSIONS: Final = "tests/peers/test_wide_conversions.py"
WIDE_ACTIVATIONS: Final = "tests/peers/test_wide_activations.py"
# What the cells of 8 bits name has these outputs of int16 and int32 codes beside it.
QUANTIZED: Final = f"; int16: 361,464 more by {WIDE_CONVERSIONS}"
REAL: Final = f"; int16: 393,231 more by {WIDE_CONVERSIONS}"
RESCALED: Final = f"; int16, int32: 810,000 more by {WIDE_CONVERSIONS}"
ACTIVATED: Final = f"; int16: 2,337,152 more by {WIDE_ACTIVATIONS}"
WEIGHTS: Final = (
    "; 4- and 16-bit weights: 2,441,216 more by tests/peers/test_wide_weights.py; uint8 to int16: 1,067,325 more by "
    "tests/peers/test_wide_from_eight.py"
)
SHARED: Final = f"; int16: 359,976 more by {WIDE_ACTIVATIONS}"

# The engines take int32 codes; a file's writer makes them.
CONVERTER: Final = Known(
    "read", "LiteRT tflite/tools/optimize/quantization_utils.cc, SymmetricBiasQuantize, commit f6745779"
)
HYBRID: Final = Known("absent here", "the hybrid FULLY_CONNECTED of float inputs and 8-bit weights")
REF, OPT = "ai-edge-litert 2.3.0, BUILTIN_REF on x86", "ai-edge-litert 2.3.0, BUILTIN_WITHOUT_DEFAULT_DELEGATES on x86"
REF_2_14, OPT_2_14 = "tflite-runtime 2.14, BUILTIN_REF on x86", "tflite-runtime 2.14 without delegates on x86"
MICRO_WHEEL: Final = "TFLite-Micro's wheel 0.dev20261023182759 on x86"
EMULATED: Final = "tests/emulated/test_arm64.py"
ARM: Final = "ai-edge-litert 2.3.0 for aarch64, under emulation by QEMU (Cortex-A76)"


def litert(resolver: str, dynamic: Known) -> Knowledge:
    """Return the cells of LiteRT by one resolver, with that of its dynamic layer: the tests ask each resolver alike."""
    return Knowledge(
        linear=Known("run", resolver, 1_647_729, LAYER),
        wide=Known("run", f"{resolver}, each type of bias{WEIGHTS}", 1_142_784, WIDE),
        requantize=Known("run", f"{resolver}, accumulators through the layer's bias", 1_572_864, INJECTED),
        quantize=Known("run", resolver + QUANTIZED, 524_784, f"{CONVERSIONS}::test_quantize_equals_profile"),
        dequantize=Known("run", resolver + REAL, 135_152, f"{CONVERSIONS}::test_dequantize_equals_profile"),
        codes_to_codes=Known("run", resolver + RESCALED, 317_880, f"{CODES}::test_requantize_codes_equals_profile"),
        bias=CONVERTER,
        activations=Known("run", f"{resolver}: relu, relu6, sigmoid, tanh{ACTIVATED}", 1_020_088, CODES),
        softmax=Known("run", resolver + SHARED, 596_576, CODES),
        dynamic=dynamic,
    )


LITERT_REF_2025 = litert(
    REF, Known("run", f"{REF}: int8 weights, inputs of either switch, and INT4", 2_256_493, FLOATS)
)
RUY_X86 = litert(OPT, Known("run", f"{OPT}: int8 weights, inputs of either switch, and INT4", 2_606_737, FLOATS))

TFLM = Knowledge(
    linear=Known("run", MICRO_WHEEL, 411_550, f"{MICRO}::test_fully_connected_equals_profile"),
    wide=Known("run", f"{MICRO_WHEEL}, each type of bias", 1_142_784, WIDE),
    requantize=Known(
        "run",
        f"{MICRO_WHEEL}, accumulators through the layer's bias",
        411_550,
        f"{MICRO}::test_fully_connected_equals_profile",
    ),
    quantize=Known("run", MICRO_WHEEL + QUANTIZED, 262_328, f"{MICRO}::test_quantize_equals_profile"),
    dequantize=Known("run", MICRO_WHEEL + REAL, 33_756, f"{MICRO}::test_dequantize_equals_profile"),
    codes_to_codes=Known("run", MICRO_WHEEL + RESCALED, 76_800, f"{MICRO}::test_requantize_of_codes_equals_profile"),
    bias=CONVERTER,
    activations=Known("run", f"{MICRO_WHEEL}: relu, relu6, sigmoid, tanh{ACTIVATED}", 768_512, MICRO),
    softmax=Known("run", MICRO_WHEEL + SHARED, 74_760, f"{MICRO}::test_softmax_equals_profile"),
    dynamic=Known("absent in the engine", "its kernel refuses float inputs beside 8-bit weights"),
)

C: Final = "CMSIS-NN 99f736a, its portable C on x86"
CMSIS_NN = Knowledge(
    linear=Known("compiled", f"{C}: arm_fully_connected_s8, _per_channel_s8", 769_536, APART_WIDE),
    wide=Known("compiled", f"{C}: arm_fully_connected_s16; arm_convolve_s16, int32 biases too", 1_921_024, APART_WIDE),
    requantize=Known("compiled", f"{C}: arm_nn_requantize, arm_nn_requantize_s64", 2_400_000, APART_WIDE),
    quantize=Known("absent in the engine", "it takes codes"),
    dequantize=Known("absent in the engine", "it takes codes"),
    codes_to_codes=Known("absent in the engine", "it has no rescaling of its own"),
    bias=CONVERTER,
    activations=Known("absent here", "arm_relu6_s8 clamps to the codes 0 and 6; arm_nn_activation_s16 is R95's table"),
    softmax=Known("absent here", "arm_softmax_s8, R79 but for rows of 512 equal codes, and arm_softmax_s16"),
    dynamic=Known("absent in the engine", "it takes codes"),
)

TFLITE_REF = Knowledge(
    linear=Known("run", REF_2_14, 1_146_052, OLD),
    wide=Known("absent here", "FULLY_CONNECTED of int16 codes in TFLite 2.14"),
    requantize=Known(
        "run",
        f"{REF_2_14}, accumulators through the layer's bias",
        1_048_576,
        f"{OLD}::test_fully_connected_equals_profile",
    ),
    quantize=Known("run", REF_2_14, 524_784, f"{OLD}::test_quantize_equals_profile"),
    dequantize=Known("run", REF_2_14, 135_152, f"{OLD}::test_dequantize_equals_profile"),
    codes_to_codes=Known("run", REF_2_14, 158_940, f"{OLD}::test_requantize_codes_equals_profile"),
    bias=CONVERTER,
    activations=Known(
        "run",
        f"{REF_2_14}: relu, relu6, sigmoid, tanh",
        614_400,
        f"{OLD}::test_activation_equals_profile",
    ),
    softmax=Known(
        "run",
        REF_2_14,
        1_068_960,
        f"{OLD}::test_softmax_equals_profile",
    ),
    dynamic=HYBRID,
)

TFLITE_SINGLE = replace(
    TFLITE_REF,
    linear=Known(
        "compiled", "CMSIS-NN 2026-07-15, arm_fully_connected_s8 with its single rounding, scalar path", 11_984, APART
    ),
    requantize=Known(
        "compiled", "LiteRT common.cc and CMSIS-NN arm_nnsupportfunctions.h, both with single rounding", 800_000, APART
    ),
    quantize=Known("read", "LiteRT reference/quantize.h, commit f6745779: no rounding of its own under the flag"),
    dequantize=Known("read", "LiteRT reference/dequantize.h, commit f6745779: no rounding of its own under the flag"),
    codes_to_codes=Known("absent here", "the flag changes this rounding too, and no build with it was asked"),
    activations=Known("absent here", "the flag changes their rounding too, and no build with it was asked"),
    softmax=Known("absent here", "the flag changes its rounding too, and no build with it was asked"),
)

TFLITE_OPT_2_14 = replace(
    TFLITE_REF,
    linear=Known("run", f"{OPT_2_14}, int8 alone: its uint8 layer is another", 1_097_314, OLD),
    wide=Known("absent here", "FULLY_CONNECTED of int16 codes in TFLite 2.14"),
    requantize=Known(
        "run",
        f"{OPT_2_14}, accumulators through the layer's bias",
        1_048_576,
        f"{OLD}::test_fully_connected_equals_profile",
    ),
    quantize=Known("run", OPT_2_14, 262_392, f"{OLD}::test_quantize_equals_profile"),
    dequantize=Known("run", OPT_2_14, 67_576, f"{OLD}::test_dequantize_equals_profile"),
    codes_to_codes=Known("run", OPT_2_14, 79_470, f"{OLD}::test_requantize_codes_equals_profile"),
    activations=Known(
        "run", f"{OPT_2_14}: relu, relu6, sigmoid, tanh", 307_200, f"{OLD}::test_activation_equals_profile"
    ),
    softmax=Known("run", OPT_2_14, 534_480, f"{OLD}::test_softmax_equals_profile"),
)

RUY_ARM64 = Knowledge(
    linear=Known("run", ARM, 1_230_244, EMULATED),
    wide=Known("absent here", "FULLY_CONNECTED of int16 codes on ARM"),
    requantize=Known(
        "run", f"{ARM}, accumulators through the layer's bias", 1_179_648, f"{EMULATED}::test_ruy_equals_profile"
    ),
    quantize=Known("absent here", "QUANTIZE's vector kernel on ARM"),
    dequantize=Known("absent here", "DEQUANTIZE's vector kernel on ARM, which fuses multiply and add"),
    codes_to_codes=Known("absent here", "QUANTIZE of codes on ARM"),
    bias=CONVERTER,
    activations=Known("absent here", "LOGISTIC, TANH and RELU on ARM"),
    softmax=Known("absent here", "SOFTMAX on ARM, whose table has 16 bits"),
    dynamic=HYBRID,
)

CONVOLUTION: Final = "tests/peers/test_wide_convolution.py"
CONVOLVED: Final = f"{LAYER}::test_convolution_equals_profile"


def _beside(layer: Knowledge, record: str, resolver: str) -> Knowledge:
    """Return the cells of CONV_2D under a resolver: its layer's own, and the operators of the record beside it."""

    def same(known: Known) -> Known:
        return replace(known, what=f"{record}'s, an operator of its own beside either layer: {known.what}")

    return Knowledge(
        linear=Known("run", f"{resolver}, CONV_2D per tensor and per channel", 1_048_576, CONVOLVED),
        wide=Known(
            "run", f"{resolver}, CONV_2D per channel, either type of bias, 8- and 4-bit weights", 1_007_616, CONVOLUTION
        ),
        requantize=Known("run", f"{resolver}, through CONV_2D's bias", 1_048_576, CONVOLVED),
        quantize=same(layer.quantize),
        dequantize=same(layer.dequantize),
        codes_to_codes=same(layer.codes_to_codes),
        bias=CONVERTER,
        activations=same(layer.activations),
        softmax=same(layer.softmax),
        dynamic=Known("absent here", "the hybrid CONV_2D of float inputs and 8-bit weights"),
    )


LITERT_REF_CONV = _beside(LITERT_REF_2025, "litert_ref_2025", REF)
RUY_X86_CONV = _beside(RUY_X86, "ruy_x86", OPT)
