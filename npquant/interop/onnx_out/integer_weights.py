"""How an ONNX file stores the weights of an integer layer.

onnxruntime turns the int8 inputs of a QDQ layer into uint8, and multiplies uint8 by int8 in pairs that saturate at
int16 on an x86 without VNNI. Weights in [-64, 64] cannot: 2 * 64 * 255 < 2^15. Others are stored as uint8, 128 higher.
INT4 it keeps in float32, layer by layer; of INT2 it makes a QGemm that it has no kernel for, and refuses the file.
Source: microsoft/onnxruntime core/optimizer/qdq_transformer/qdq_s8_to_u8.cc; runs of 1.32.0 on x86 with AVX2 alone.

Legend: layer an IntegerLayer; weights "auto", "int8", "uint8" or "int4", as in `to_onnx`; form one of qdq, qoperator
and integer.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.integer.layer import IntegerLayer

WEIGHTS: Final = ("auto", "int8", "uint8", "int4")
_PAIRS_HOLD: Final = 64


class Stored(NamedTuple):
    """Codes (K, N) and zero points () or (N,) of one integer type; packed "int4", or "" where they are as they are."""

    w_q: NDArray[Any]
    zero_point: NDArray[Any]
    packed: str


def stored(layer: IntegerLayer, weights: str, form: str) -> Stored:
    """The integers that the file holds; "auto" takes uint8 where an int8 would saturate somewhere.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[-65], [7]], np.int8), np.zeros(1, np.int32), p, p, p, "identity")
    >>> stored(layer, "auto", "qdq").w_q.ravel(), stored(layer, "auto", "qoperator").w_q.ravel()
    (array([ 63, 135], dtype=uint8), array([-65,   7], dtype=int8))
    """
    shift = 128 if layer.w_q.dtype == np.uint8 else 0
    codes, zero = layer.w_q.astype(np.int16) - shift, np.asarray(layer.w.zero_point) - shift
    if weights == "int4" and min(codes.min(), zero.min()) >= -8 and max(codes.max(), zero.max()) <= 7:
        return Stored(codes.astype(np.int8), zero.astype(np.int8), "int4")
    exact_as_int8 = np.abs(codes).max() <= _PAIRS_HOLD or (form != "qdq" and layer.x.dtype == np.int8)
    if weights == "int8" or (weights != "uint8" and exact_as_int8):
        return Stored(codes.astype(np.int8), zero.astype(np.int8), "")
    return Stored((codes + 128).astype(np.uint8), (zero + 128).astype(np.uint8), "")
