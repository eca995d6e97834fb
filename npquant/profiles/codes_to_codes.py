"""Activations, softmax and requantization of codes under an engine's arithmetic, refused where it has none.

Legend: q codes of x; x, y quantization of input and output, per-tensor; profile the arithmetic, by name or record.
TypeError if q is not an integer array; ValueError if the engine has no such operator or refuses the parameters, or a
code is outside its interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.absences import has
from npquant.profiles.record import Profile
from npquant.profiles.refusals import codes_of, refuse_pair, refuse_tensor


def _tensor(q: ArrayLike, x: QuantParams, y: QuantParams, profile: Profile) -> Codes:
    """Return q as codes of x, both parameters being per-tensor and of types the engine takes."""
    types = (x.dtype.name,) if x.dtype.name in profile.activation_types else profile.code_types
    refuse_tensor(profile, "input", x, types)
    refuse_tensor(profile, "output", y, types)
    return codes_of("q", q, x)


def activation(name: str, q: ArrayLike, *, x: QuantParams, y: QuantParams, profile: str | Profile) -> Codes:
    """Apply a stand-alone activation to codes as an engine does.

    name is "relu", "relu6", "relu_n1_to_1", "sigmoid" or "tanh". R65 for the clamps (TFLite-Micro: R62 clamped, R84 for
    relu6); R70, R71, R82 and R83, or R90 for sigmoid and tanh, by engine; of int16 codes R95 to R97. Where LiteRT calls
    a C library's expf and tanhf, this takes them as correctly rounded. glibc's tanhf is not: a code may be one off
    where the output lies within 2^-20 of a half. Ship the table where that matters.

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> activation("sigmoid", np.array([-128, 0, 127], np.int8), x=x, y=y, profile="litert_ref_2025")
    array([-128,    0,  127], dtype=int8)
    """
    record = get(profile)
    codes: Codes = has(record, "activations", "stand-alone activation on codes")(name, _tensor(q, x, y, record), x, y)
    return codes


def softmax(q: ArrayLike, *, x: QuantParams, y: QuantParams, profile: str | Profile, beta: float = 1.0) -> Codes:
    """Take the softmax of rows of codes (..., C) as an engine does: R79 or R88 in fixed point, R80 or R81 by table.

    int16 codes: R99. beta is a factor on the real input, positive and finite; a model without one has 1. The output is
    1 / 256 at qmin, or 1 / 32768 at 0 for int16, and its codes need not sum to one. ValueError also if q has no axis,
    or the engine would abort on a row (512 equal codes of 8 bits).

    >>> x, y = QuantParams(0.25, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> softmax(np.array([[10, 10, -100]], np.int8), x=x, y=y, profile="tflm")
    array([[   0,    0, -128]], dtype=int8)
    """
    record = get(profile)
    operator = has(record, "softmax", "softmax on codes")
    codes = _tensor(q, x, y, record)
    if codes.ndim == 0:
        raise ValueError("q has no axis; softmax needs rows")
    if x.dtype != y.dtype:
        raise ValueError(f"the engine's softmax keeps the type: x is {x.dtype}, y is {y.dtype}")
    if not (np.isfinite(beta) and beta > 0):
        raise ValueError(f"beta is {beta}; it must be positive and finite")
    shares: Codes = operator(codes, x, y, beta)
    return shares


def requantize_codes(q: ArrayLike, *, x: QuantParams, y: QuantParams, profile: str | Profile) -> Codes:
    """Take codes to another scale, zero point or type as an engine does: R62, R63 or R64.

    Under "ruy_x86" the position in C order matters, for 8 bits. int16 and int32 codes go where `code_pairs` says.
    ValueError also if sx / sy is 2^30 or more.

    >>> one, four = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    >>> for name in ("litert_ref_2025", "xnnpack_fp32"):
    ...     print(name, requantize_codes(np.array([-6, 6], np.int8), x=one, y=four, profile=name))
    litert_ref_2025 [-2  2]
    xnnpack_fp32 [-1  2]
    """
    record = get(profile)
    operator = has(record, "codes_to_codes", "requantization on codes")
    refuse_pair(record, x, y)
    codes: Codes = operator(codes_of("q", q, x), x, y)
    return codes
