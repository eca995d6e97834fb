"""How the operators of engines that shift are known.

Legend: a cell says how, of which engine, over how many outputs, and where it says how to ask again.
"""

from __future__ import annotations

from typing import Final

from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.known.hardware import INT32_BIAS, NO_REALS

_PAGE: Final = "docs/judged-by.md"
_ESP: Final = "espressif/esp-dl 12c0616d, conv2d_11cn, buffer_bias_linear and its relatives; no assembly"
_GEMMINI: Final = "ucb-bar/gemmini-rocc-tests 180c468, ROUNDING_RIGHT_SHIFT"

ESP_DL = Knowledge(
    linear=Known("compiled", _ESP, 1_285_003, _PAGE),
    wide=Known("absent here", "int16 inputs and weights, with sums of 64 bits and the same shift"),
    requantize=Known("compiled", _ESP + ", accumulators through the bias", 1_285_003, _PAGE),
    quantize=Known("absent here", "of its tensors: not studied"),
    dequantize=Known("absent here", "of its tensors: not studied"),
    codes_to_codes=Known("absent here", "its RequantizeLinear is assembly"),
    bias=INT32_BIAS,
    activations=Known("absent here", "tables, by chip"),
    softmax=Known("absent here", "it computes in float32"),
    dynamic=NO_REALS,
)

GEMMINI_SHIFT = Knowledge(
    linear=Known("read", "ucb-bar/gemmini src/main/scala/gemmini/PE.scala, Arithmetic.scala, revision 8c3f992"),
    wide=Known("absent in the engine", "its default configuration multiplies int8"),
    requantize=Known("compiled", _GEMMINI, 1_344_480, _PAGE),
    quantize=NO_REALS,
    dequantize=NO_REALS,
    codes_to_codes=Known("absent here", "the scale of its loads"),
    bias=INT32_BIAS,
    activations=Known("absent here", "its integer GELU"),
    softmax=Known("absent here", "its integer softmax"),
    dynamic=NO_REALS,
)
