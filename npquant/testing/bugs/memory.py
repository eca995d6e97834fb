"""Bugs of memory: strides ignored, buffers read in the wrong order, inputs written to, answers that are not the
caller's.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.testing.bugs.honest import Call, answer


def _from_memory(codes: NDArray[Any]) -> NDArray[Any]:
    """Return what a kernel sees that walks from the first element on without strides."""
    if codes.flags.c_contiguous or not codes.size:
        return codes
    if min(codes.strides) < 0:
        return codes  # a walk forwards from the first element would leave the buffer
    flat = np.lib.stride_tricks.as_strided(codes, (codes.size,), (codes.itemsize,), writeable=False)
    return flat.reshape(codes.shape).copy()


def row_stride_of_the_input_is_ignored(call: Call) -> Codes:
    """Rows are taken to follow each other at once."""
    return answer(replace(call, x_q=_from_memory(call.x_q)))


def strides_of_the_weights_are_ignored(call: Call) -> Codes:
    """Weights are taken to lie in C order without gaps: Fortran order and views are misread."""
    return answer(replace(call, w_q=_from_memory(call.w_q)))


def reversed_rows_are_read_forwards(call: Call) -> Codes:
    """A negative stride is taken by its size."""
    x = call.x_q[::-1] if call.x_q.strides[0] < 0 else call.x_q
    return answer(replace(call, x_q=x))


def fortran_input_is_read_transposed(call: Call) -> Codes:
    """The input's memory order decides, not its shape."""
    x = call.x_q
    if x.flags.f_contiguous and not x.flags.c_contiguous:
        x = x.T.reshape(x.shape)
    return answer(replace(call, x_q=x))


def input_is_centred_in_place(call: Call) -> Codes:
    """The zero point is subtracted in the caller's buffer."""
    codes = answer(call)
    if call.x_q.flags.writeable:
        call.x_q[...] = (call.x_q.astype(np.int64) - call.zx).astype(call.x_q.dtype)
    return codes


def last_input_is_overwritten(call: Call) -> Codes:
    """A padding zero is written over the last input code."""
    codes = answer(call)
    if call.x_q.flags.writeable and call.x_q.size:
        call.x_q[-1, -1] ^= 1
    return codes


def weights_are_packed_in_place(call: Call) -> Codes:
    """The caller's weights are negated to pack them, and left so."""
    codes = answer(call)
    if call.w_q.flags.writeable:
        np.negative(call.w_q, out=call.w_q)
    return codes


def bias_is_corrected_in_place(call: Call) -> Codes:
    """The zero-point correction is folded into the caller's bias: the second run has it twice."""
    codes = answer(call)
    if call.bias is not None and call.bias.flags.writeable:
        call.bias[...] -= np.asarray(call.zx * call.w_q.astype(np.int64).sum(axis=0), call.bias.dtype)
    return codes


def writes_beside_the_input(call: Call) -> Codes:
    """One element after the last of the input's buffer is written."""
    codes = answer(call)
    x = call.x_q
    if x.flags.writeable and x.size and x.flags.c_contiguous and x.base is not None:
        beside = np.lib.stride_tricks.as_strided(x, (x.size + 1,), (x.itemsize,))
        beside[-1] ^= 1
    return codes


def answer_is_a_view_of_the_input(call: Call) -> Codes:
    """A square layer is computed in place."""
    codes = answer(call)
    if call.x_q.shape == codes.shape and call.x_q.dtype == codes.dtype and call.x_q.flags.writeable:
        call.x_q[...] = codes
        return call.x_q
    return codes


def answer_is_int32(call: Call) -> Codes:
    """Codes are returned in the accumulator's type."""
    return answer(call).astype(np.int32)


def answer_is_float(call: Call) -> Codes:
    """Codes are returned as float32."""
    return answer(call).astype(np.float32)


def answer_is_of_the_other_sign(call: Call) -> Codes:
    """uint8 for int8, and the reverse."""
    codes = answer(call)
    return codes.view(np.uint8 if codes.dtype == np.int8 else np.int8)


def answer_is_flat(call: Call) -> Codes:
    """One axis is lost."""
    return answer(call).ravel()


def answer_loses_an_axis_of_one(call: Call) -> Codes:
    """squeeze()."""
    return answer(call).squeeze()


def answer_is_transposed(call: Call) -> Codes:
    """(N, B)."""
    return answer(call).T


def answer_is_a_list(call: Call) -> Any:
    """tolist()."""
    return answer(call).tolist()


def answer_is_none(call: Call) -> Any:
    """The result is left in a buffer that nobody gets."""
    answer(call)
    return None
