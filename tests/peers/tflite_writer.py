"""Write a TFLite file of one operator, in memory, by the parts that npquant writes its own networks with.

Legend: B batch, K contracted depth, N outputs. TFLite stores fully connected weights as (N, K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.interop.flatbuffer import Scalar
from npquant.interop.tflite_in.names import TYPES
from npquant.interop.tflite_out.parts import Parts, fused


class Operator(IntEnum):
    """The builtin operators that the peer models use, by their schema number."""

    CONV_2D = 3
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    LOGISTIC = 14
    RELU = 19
    RELU6 = 21
    SOFTMAX = 25
    TANH = 28
    QUANTIZE = 114


# The lowest operator version that declares int8, so that no converter-only feature is asked for.
_OPERATOR_VERSION = {
    Operator.CONV_2D: 3,
    Operator.DEQUANTIZE: 2,
    Operator.FULLY_CONNECTED: 4,
    Operator.LOGISTIC: 2,
    Operator.RELU: 2,
    Operator.RELU6: 2,
    Operator.SOFTMAX: 2,
    Operator.TANH: 2,
    Operator.QUANTIZE: 2,
}
_CONV_2D_OPTIONS = 1  # its number among the options tables


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor of the model: constant if it has data, per channel if it has several scales."""

    shape: tuple[int, ...]
    dtype: str
    scale: NDArray[np.float32] | None = None
    zero_point: NDArray[np.int64] | None = None
    data: NDArray[Any] | None = None


def write_model(
    operator: Operator,
    tensors: Sequence[Tensor],
    *,
    activation: str = "none",
    beta: float = 1.0,
    bias_type: str | None = None,
    asymmetric_inputs: bool = False,
) -> bytes:
    """Write the model whose one operator reads all tensors but the last and writes the last.

    The graph's input is tensor 0, its output the last tensor; tensors with data are constants. bias_type is what
    FULLY_CONNECTED declares of its bias, beside int16 inputs; None leaves the field unset. asymmetric_inputs is its
    switch beside float inputs. A tensor of type int4 has its data as int8, and is packed here.
    """
    parts = Parts()
    for index, tensor in enumerate(tensors):
        zero_point = 0 if tensor.zero_point is None else tensor.zero_point
        data = packed(tensor.data) if tensor.dtype == "int4" and tensor.data is not None else tensor.data
        parts.tensor(f"t{index}", tensor.dtype.upper(), tensor.shape, tensor.scale, zero_point, data)
    last = len(tensors) - 1
    declared = {} if bias_type is None else {4: Scalar("b", TYPES.index(bias_type.upper()))}
    switch = {3: Scalar("b", 1)} if asymmetric_inputs else {}
    options = {
        Operator.FULLY_CONNECTED: {0: fused(activation.upper()), **switch, **declared},
        Operator.SOFTMAX: {0: Scalar("f", beta)},
        # VALID padding, strides of 1
        Operator.CONV_2D: {0: Scalar("b", 1), 1: Scalar("i", 1), 2: Scalar("i", 1), 3: fused(activation.upper())},
    }.get(operator, {})
    parts.operator(operator.name, _OPERATOR_VERSION[operator], tuple(range(last)), last, options)
    if operator is Operator.CONV_2D:
        parts.operators[0] = {**parts.operators[0], 3: Scalar("B", _CONV_2D_OPTIONS), 4: options}
    return parts.file(last, b"")


def packed(q: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack 4-bit integers as TFLite does: two a byte, the first in the low bits."""
    nibbles = np.append(q.ravel().view(np.uint8) & 15, np.zeros(q.size % 2, np.uint8))
    return np.asarray(nibbles[0::2] | nibbles[1::2] << 4, np.uint8)
