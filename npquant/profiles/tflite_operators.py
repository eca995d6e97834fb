"""The operators of LiteRT's and TFLite-Micro's kernels on codes of 8 and of 16 bits: which rule serves which width.

Legend: name an activation, x real values or q codes, x and y their quantization, params that of real values; beta a
factor on a softmax's real input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes
from npquant.kernels.activation_int16 import (
    activation_codes_int16_fixed_point,
    activation_codes_int16_table,
    activation_codes_int16_tflm,
)
from npquant.kernels.activation_tables import activation_codes_half_away, activation_codes_half_even
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import quantize_reciprocal_half_even, quantize_vectors_of_8
from npquant.kernels.softmax_engines import (
    activation_codes_fixed_point,
    softmax_codes_fixed_point,
    softmax_codes_table,
)
from npquant.kernels.softmax_int16 import softmax_codes_int16, softmax_codes_int16_tflm


def quantize_delegated(x: ArrayLike, params: QuantParams) -> Codes:
    """R53 for codes of 8 bits; to int16 R52 and R51, LiteRT's optimized kernel: XNNPACK leaves those to it.

    >>> quantize_delegated([1.25] * 9, QuantParams(0.5, 0, -32768, 32767))[[0, 8]]
    array([2, 3], dtype=int16)
    """
    kernel = quantize_vectors_of_8 if params.dtype == np.int16 else quantize_reciprocal_half_even
    return kernel(x, params)


def activation_litert_ref(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65, R70 for codes of 8 bits; R65, R95 for int16: LiteRT's reference kernels."""
    kernel = activation_codes_int16_table if x.dtype == np.int16 else activation_codes_half_away
    return kernel(name, q, x, y)


def activation_litert_opt(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65, R70 for codes of 8 bits; R65, R96, R97 and R95 for int16: LiteRT's optimized kernels."""
    kernel = activation_codes_int16_fixed_point if x.dtype == np.int16 else activation_codes_half_away
    return kernel(name, q, x, y)


def activation_delegated(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65, R71 for codes of 8 bits; int16 as `activation_litert_opt`: XNNPACK leaves it to LiteRT."""
    kernel = activation_codes_int16_fixed_point if x.dtype == np.int16 else activation_codes_half_even
    return kernel(name, q, x, y)


def activation_tflm(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R62, R82 to R84 for int8; R62, R84, R95 for int16: TFLite-Micro's kernels."""
    kernel = activation_codes_int16_tflm if x.dtype == np.int16 else activation_codes_fixed_point
    return kernel(name, q, x, y)


def softmax_litert_ref(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R79 for codes of 8 bits, R99 for int16: LiteRT's reference kernels."""
    kernel = softmax_codes_int16 if x.dtype == np.int16 else softmax_codes_fixed_point
    return kernel(q, x, y, beta)


def softmax_litert_opt(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R80 and R81 for codes of 8 bits, R99 for int16: LiteRT's optimized kernels, with XNNPACK too."""
    kernel = softmax_codes_int16 if x.dtype == np.int16 else softmax_codes_table
    return kernel(q, x, y, beta)


def softmax_tflm(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R79 for int8, R99 with tables made in float32 for int16: TFLite-Micro's kernels."""
    kernel = softmax_codes_int16_tflm if x.dtype == np.int16 else softmax_codes_fixed_point
    return kernel(q, x, y, beta)
