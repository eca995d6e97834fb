"""How the operators of accelerators, and npquant's own, are known.

Legend: a cell says how, of which engine, over how many outputs, and which test asks again.
"""

from __future__ import annotations

from npquant.profiles.knowledge import Knowledge, Known

NO_REALS = Known("absent in the engine", "it sees codes alone")
INT32_BIAS = Known("absent in the engine", "it takes int32 codes, which R39 makes of a real bias")

_GEMMINI = "ucb-bar/gemmini Configs.scala; gemmini-rocc-tests include/gemmini_params.h, 2025-09"
GEMMINI_F32 = Knowledge(
    linear=Known("read", _GEMMINI),
    wide=Known("absent in the engine", "its default configuration multiplies int8"),
    requantize=Known("read", _GEMMINI),
    quantize=NO_REALS,
    dequantize=NO_REALS,
    codes_to_codes=Known("absent here", "the scale of its loads"),
    bias=INT32_BIAS,
    activations=Known("absent here", "its integer GELU"),
    softmax=Known("absent here", "its integer softmax"),
    dynamic=NO_REALS,
)

_NVDLA = "nvdla/hw cmod/hls/sdp/sdp_c.cpp, hls/include/nvdla_int.h, 2018-04"
NVDLA = Knowledge(
    linear=Known("read", _NVDLA),
    wide=Known("absent here", "its int16 mode"),
    requantize=Known("read", _NVDLA),
    quantize=NO_REALS,
    dequantize=NO_REALS,
    codes_to_codes=Known("absent here", "the converters at its inputs"),
    bias=INT32_BIAS,
    activations=Known("absent here", "its tables, with entries between which it interpolates"),
    softmax=Known("absent in the engine", "no exponential of its own"),
    dynamic=NO_REALS,
)
