"""How the operators of XNNPACK, LiteRT's default delegate, are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.known.tflite import (
    ARM,
    CODES,
    CONVERSIONS,
    CONVERTER,
    EMULATED,
    FLOATS,
    INJECTED,
    LAYER,
    SHARED,
    WEIGHTS,
    WIDE,
    litert,
)

PLAIN: Final = "ai-edge-litert 2.3.0 with its delegate, on x86 without AVX-512"
AVX512: Final = "ai-edge-litert 2.3.0 with its delegate, on x86 with AVX-512"
WITH_AVX512: Final = f"{AVX512}, by an earlier revision of this test"
DRAWN_BEFORE: Final = f"{AVX512}, by other draws, before npquant had the rule"
WIDE_BEFORE: Final = "int16 by other draws, before npquant had the rule"
RNDNU: Final = (
    f"{ARM}, uint8, wherever the product fits int32; beyond, NEON saturates, and this record casts to int32 as the C "
    "of XNNPACK 75db3c09 src/xnnpack/requantization.h, which was read"
)


# On x86 without AVX-512.
XNNPACK_FP32 = replace(
    litert(PLAIN, Known("run", f"{PLAIN}: qd8, int8 weights; INT4 ones in docs/judged-by.md", 1_200_964, FLOATS)),
    linear=Known("run", PLAIN, 1_631_126, LAYER),
    wide=Known("run", f"{PLAIN}: LiteRT's own kernels, since the delegate takes none{WEIGHTS}", 1_142_784, WIDE),
    softmax=Known("run", f"{PLAIN}: LiteRT's own kernel, since the delegate takes none{SHARED}", 596_576, CODES),
)

# The processor of these tests' earlier revisions, and of the formulas' first draws, had AVX-512.
XNNPACK_FP32_AVX512 = Knowledge(
    linear=Known("run", WITH_AVX512, 1_631_126, LAYER),
    wide=Known(
        "run",
        f"{DRAWN_BEFORE}: LiteRT's own kernels, since the delegate takes none; int32 biases alone are counted",
        1_916_928,
        WIDE,
    ),
    requantize=Known("run", f"{WITH_AVX512}, accumulators through the layer's bias", 1_572_864, INJECTED),
    quantize=Known("run", f"{WITH_AVX512}; {WIDE_BEFORE}", 524_784, f"{CONVERSIONS}::test_quantize_equals_profile"),
    dequantize=Known("run", f"{WITH_AVX512}; {WIDE_BEFORE}", 135_152, f"{CONVERSIONS}::test_dequantize_equals_profile"),
    codes_to_codes=Known(
        "run", f"{WITH_AVX512}; {WIDE_BEFORE}", 317_880, f"{CODES}::test_requantize_codes_equals_profile"
    ),
    bias=CONVERTER,
    activations=Known("run", f"{WITH_AVX512}: relu, relu6, sigmoid, tanh; {WIDE_BEFORE}", 1_020_088, CODES),
    softmax=Known(
        "run", f"{WITH_AVX512}: LiteRT's own kernel, since the delegate takes none; {WIDE_BEFORE}", 596_576, CODES
    ),
    dynamic=Known("run", f"{DRAWN_BEFORE}: qd8, int8 weights", 3_166_609, FLOATS),
)

XNNPACK_RNDNU = replace(
    XNNPACK_FP32,
    linear=Known("run", RNDNU, 1_019_026, f"{EMULATED}::test_delegate_of_uint8_is_rndnu_and_saturates"),
    wide=Known("absent in the engine", "the delegate takes no layer of int16 codes"),
    requantize=Known("run", RNDNU, 1_019_026, f"{EMULATED}::test_delegate_of_uint8_is_rndnu_and_saturates"),
    quantize=Known(
        "run",
        f"{ARM}: the rule of x86, but for NaN, which becomes the zero point there",
        524_272,
        f"{EMULATED}::test_delegate_quantizes_as_on_x86_but_for_nan",
    ),
    dequantize=Known("run", ARM, 135_152, f"{EMULATED}::test_delegate_dequantizes_as_on_x86"),
    codes_to_codes=Known("absent here", "XNNPACK's conversion of codes on ARM"),
    activations=Known("absent here", "XNNPACK's tables on ARM"),
    softmax=Known("absent in the engine", "the delegate takes no softmax of codes"),
    dynamic=Known("absent here", "qd8 on ARM: float inputs quantized by row, 8- and 4-bit weights"),
)
