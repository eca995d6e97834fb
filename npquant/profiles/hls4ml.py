"""hls4ml's fixed-point types, ap_fixed<W, I, Q, O>, one record for each pair of modes that its users write.

Legend: x real values, params their quantization: s = 2^(I - W) the value of the last bit, [qmin, qmax] all codes of W
bits; mode rounds, overflow brings codes into the interval; hls4ml's own default is ap_fixed<16, 6>, AP_TRN and AP_WRAP.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.kernels import ap_fixed, rounding
from npquant.kernels.ap_fixed import Mode, Overflow, quantize_ap_fixed
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import dequantize_float32
from npquant.profiles.knowledge import Knowledge, Known
from npquant.profiles.record import Profile

_PAGE: Final = "docs/judged-by.md"
_HEADER: Final = "Xilinx/HLS_arbitrary_Precision_Types include/ap_fixed_base.h, built with g++"
_LAYERS = Known("absent here", "layers of it: each product, sum and output has a type of its own")
_KNOWLEDGE = Knowledge(
    linear=_LAYERS,
    wide=_LAYERS,
    requantize=_LAYERS,
    quantize=Known("compiled", _HEADER, 1_080_950, _PAGE),
    dequantize=Known("read", "Xilinx/HLS_arbitrary_Precision_Types include/ap_fixed_base.h, to_double: exact"),
    codes_to_codes=Known("absent here", "assignment of one type to another"),
    bias=_LAYERS,
    activations=Known("absent here", "its tables, of sizes that a project sets"),
    softmax=Known("absent here", "its tables, of sizes that a project sets"),
    dynamic=Known("absent in the engine", "types stand in the source"),
)


def quantizer(mode: Mode, overflow: Overflow) -> Callable[[ArrayLike, QuantParams], Codes]:
    """R153 by two modes: mode of rounding, overflow beyond the codes.

    >>> quantizer(rounding.round_floor, ap_fixed.wrap_to_interval)([1.0], QuantParams(0.3, 0, -128, 127))
    Traceback (most recent call last):
    ValueError: hls4ml: the scale is 0.3; the last bit of ap_fixed is a power of two
    """

    def quantize(x: ArrayLike, params: QuantParams) -> Codes:
        try:
            return quantize_ap_fixed(x, params, mode, overflow)
        except ValueError as refused:
            raise ValueError(f"hls4ml: {refused}") from None

    return quantize


HLS4ML = Profile(
    name="hls4ml",
    engine="hls4ml, ap_fixed with AP_TRN and AP_WRAP, its default",
    version="HLS_arbitrary_Precision_Types, 2019",
    source="Xilinx/HLS_arbitrary_Precision_Types include/ap_fixed_base.h, quantization_adjust, overflow_adjust",
    equation="q = wrap(floor(x / s)), s = 2^(I - W)",
    zero_points=False,
    restriction="one scale, a power of two, and values that are finite",
    quantize_types=("int8", "uint8", "int16", "uint16"),
    quantize_codes=quantizer(rounding.round_floor, ap_fixed.wrap_to_interval),
    dequantize_codes=dequantize_float32,
    knowledge=_KNOWLEDGE,
    conversion="AP_WRAP: the low bits stay",
)


def _by(name: str, modes: str, rule: str, mode: Mode, overflow: Overflow) -> Profile:
    """Return the record of other modes."""
    return dataclasses.replace(
        HLS4ML,
        name=f"hls4ml_{name}",
        engine=f"hls4ml, ap_fixed with {modes}",
        equation=f"q = {rule}, s = 2^(I - W)",
        quantize_codes=quantizer(mode, overflow),
        conversion="AP_WRAP: the low bits stay" if overflow is ap_fixed.wrap_to_interval else "saturates",
    )


PROFILES = (
    HLS4ML,
    _by("sat", "AP_TRN and AP_SAT", "saturate(floor(x / s))", rounding.round_floor, ap_fixed.saturate),
    _by("rnd", "AP_RND and AP_WRAP", "wrap(half_up(x / s))", rounding.round_half_up, ap_fixed.wrap_to_interval),
    _by("rnd_sat", "AP_RND and AP_SAT", "saturate(half_up(x / s))", rounding.round_half_up, ap_fixed.saturate),
    _by(
        "rnd_conv_sat",
        "AP_RND_CONV and AP_SAT",
        "saturate(half_even(x / s))",
        rounding.round_half_even,
        ap_fixed.saturate,
    ),
    _by(
        "rnd_conv_sat_sym",
        "AP_RND_CONV and AP_SAT_SYM",
        "saturate_symmetric(half_even(x / s))",
        rounding.round_half_even,
        ap_fixed.saturate_symmetric,
    ),
)
