"""How the operators of TOSA and TVM are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from typing import Final

from npquant.profiles.knowledge import Knowledge, Known

APART: Final = "docs/judged-by.md"
INT32_BIAS: Final = Known("absent in the engine", "it takes int32 codes, which R39 makes of a real bias")

TOSA = Knowledge(
    linear=Known("read", "tosa-specification 2026-08: MATMUL or CONV2D, and RESCALE"),
    wide=Known("absent here", "CONV2D of int16 codes, whose accumulators have 48 bits"),
    requantize=Known("run", "tosa-tools 2026.8: RESCALE, each rounding", 406_992, APART),
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
