"""How an ONNX file stores the weights of an integer layer.

onnxruntime turns the int8 inputs of a QDQ layer into uint8, and multiplies uint8 by int8 in pairs that saturate at
int16 on an x86 without VNNI. Weights in [-64, 64] cannot: 2 * 64 * 255 < 2^15. Others are stored as uint8, 128 higher.
INT4 it keeps in float32, layer by layer; of INT2 it makes a QGemm that it has no kernel for, and refuses the file.
Source: microsoft/onnxruntime core/optimizer/qdq_transformer/qdq_s8_to_u8.cc; runs of 1.32.0 on x86 with AVX2 alone.

Legend: w_q (K, N) codes of int8 or uint8, zero_point () or (N,) theirs; weights "auto", "int8", "uint8" or "int4", as
in `to_onnx`; exact whether the inputs stay int8, whose products with int8 are summed exactly everywhere.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

WEIGHTS: Final = ("auto", "int8", "uint8", "int4")
_PAIRS_HOLD: Final = 64


class Stored(NamedTuple):
    """Codes (K, N) and zero points () or (N,) of one integer type; packed "int4", or "" where they are as they are."""

    w_q: NDArray[Any]
    zero_point: NDArray[Any]
    packed: str


def stored(w_q: NDArray[Any], zero_point: ArrayLike, weights: str, *, exact: bool) -> Stored:
    """The integers that the file holds; "auto" takes uint8 where int8 could saturate, and the inputs are not `exact`.

    >>> stored(np.array([[-65], [7]], np.int8), 0, "auto", exact=False).w_q.ravel()
    array([ 63, 135], dtype=uint8)
    """
    shift = 128 if w_q.dtype == np.uint8 else 0
    codes, zero = w_q.astype(np.int16) - shift, np.asarray(zero_point) - shift
    if weights == "int4" and min(codes.min(), zero.min()) >= -8 and max(codes.max(), zero.max()) <= 7:
        return Stored(codes.astype(np.int8), zero.astype(np.int8), "int4")
    if weights == "int8" or (weights != "uint8" and (exact or np.abs(codes).max() <= _PAIRS_HOLD)):
        return Stored(codes.astype(np.int8), zero.astype(np.int8), "")
    return Stored((codes + 128).astype(np.uint8), (zero + 128).astype(np.uint8), "")
