"""Write a TFLite flatbuffer of one operator, in memory.

Field numbers are those of the public TFLite schema, file version 3 (identifier ``TFL3``):
tensorflow/tensorflow, tensorflow/compiler/mlir/lite/schema/schema.fbs, as generated for LiteRT 2.3.0.

Legend: B batch, K contracted depth, N outputs. TFLite stores fully connected weights as (N, K).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SCHEMA_VERSION = 3
_ALIGNMENT = 16  # kernels read constants with aligned vector loads
_TENSOR_TYPE = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}


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
_OPTIONS_TYPE = {Operator.CONV_2D: 1, Operator.FULLY_CONNECTED: 8, Operator.SOFTMAX: 9}
FUSED_ACTIVATION = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}


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
) -> bytes:
    """Write the model whose one operator reads all tensors but the last and writes the last.

    The graph's input is tensor 0, its output the last tensor; tensors with data are constants. bias_type is what
    FULLY_CONNECTED declares of its bias, beside int16 inputs; None leaves the field unset.
    """
    import flatbuffers

    builder = flatbuffers.Builder(1024 + sum(t.data.nbytes for t in tensors if t.data is not None))
    # Buffer 0 is the empty one by the schema's convention; constants follow in tensor order.
    buffers = [_buffer(builder, None)]
    written = []
    for index, tensor in enumerate(tensors):
        number = 0
        if tensor.data is not None:
            number = len(buffers)
            buffers.append(_buffer(builder, tensor.data))
        written.append(_tensor(builder, tensor, name=f"t{index}", buffer=number))
    last = len(tensors) - 1
    node = _node(builder, operator, last, activation=activation, beta=beta, bias_type=bias_type)
    graph = _subgraph(builder, written, node, last)
    code = _operator_code(builder, operator)
    return _finish(builder, code=code, graph=graph, buffers=buffers)


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    """Write a vector of table offsets; flatbuffers are built back to front."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _numbers(builder: Any, values: Sequence[int], dtype: str = "int32") -> int:
    return int(builder.CreateNumpyVector(np.asarray(values, dtype)))


def _buffer(builder: Any, data: NDArray[Any] | None) -> int:
    """Write a Buffer table: field 0 is the bytes."""
    content = 0
    if data is not None:
        raw = np.ascontiguousarray(data).tobytes()
        builder.StartVector(1, len(raw), _ALIGNMENT)
        builder.head = builder.head - len(raw)
        builder.Bytes[builder.head : builder.head + len(raw)] = raw
        content = int(builder.EndVector())
    builder.StartObject(3)
    if data is not None:
        builder.PrependUOffsetTRelativeSlot(0, content, 0)
    return int(builder.EndObject())


def _quantization(builder: Any, tensor: Tensor) -> int:
    """Write QuantizationParameters: 2 scale, 3 zero_point, 6 quantized_dimension."""
    if tensor.scale is None or tensor.zero_point is None:
        raise ValueError("a quantized tensor needs both a scale and a zero point")
    scale = int(builder.CreateNumpyVector(np.asarray(tensor.scale, np.float32)))
    zero_point = int(builder.CreateNumpyVector(np.asarray(tensor.zero_point, np.int64)))
    builder.StartObject(7)
    builder.PrependUOffsetTRelativeSlot(2, scale, 0)
    builder.PrependUOffsetTRelativeSlot(3, zero_point, 0)
    builder.PrependInt32Slot(6, 0, 0)  # the output channel is axis 0 of weights and of bias
    return int(builder.EndObject())


def _tensor(builder: Any, tensor: Tensor, *, name: str, buffer: int) -> int:
    """Write a Tensor table: 0 shape, 1 type, 2 buffer, 3 name, 4 quantization."""
    label = builder.CreateString(name)
    shape = _numbers(builder, tensor.shape)
    quantization = None if tensor.scale is None else _quantization(builder, tensor)
    builder.StartObject(11)
    builder.PrependUOffsetTRelativeSlot(0, shape, 0)
    builder.PrependInt8Slot(1, _TENSOR_TYPE[tensor.dtype], 0)
    builder.PrependUint32Slot(2, buffer, 0)
    builder.PrependUOffsetTRelativeSlot(3, label, 0)
    if quantization is not None:
        builder.PrependUOffsetTRelativeSlot(4, quantization, 0)
    return int(builder.EndObject())


def _options(builder: Any, operator: Operator, *, activation: str, beta: float, bias_type: str | None) -> int | None:
    """Write the operator's own options table, where it has one."""
    if operator is Operator.FULLY_CONNECTED:
        builder.StartObject(6)
        builder.PrependInt8Slot(0, FUSED_ACTIVATION[activation], 0)
        if bias_type is not None:
            builder.PrependInt8Slot(4, _TENSOR_TYPE[bias_type], 0)
    elif operator is Operator.CONV_2D:
        builder.StartObject(7)
        builder.PrependInt8Slot(0, 1, 0)  # VALID padding
        builder.PrependInt32Slot(1, 1, 0)
        builder.PrependInt32Slot(2, 1, 0)
        builder.PrependInt8Slot(3, FUSED_ACTIVATION[activation], 0)
    elif operator is Operator.SOFTMAX:
        builder.StartObject(1)
        builder.PrependFloat32Slot(0, beta, 0.0)
    else:
        return None
    return int(builder.EndObject())


def _node(builder: Any, operator: Operator, last: int, *, activation: str, beta: float, bias_type: str | None) -> int:
    """Write the Operator table: 0 opcode index, 1 inputs, 2 outputs, 3 and 4 options."""
    options = _options(builder, operator, activation=activation, beta=beta, bias_type=bias_type)
    inputs = _numbers(builder, range(last))
    outputs = _numbers(builder, [last])
    builder.StartObject(14)
    builder.PrependUOffsetTRelativeSlot(1, inputs, 0)
    builder.PrependUOffsetTRelativeSlot(2, outputs, 0)
    if options is not None:
        builder.PrependUint8Slot(3, _OPTIONS_TYPE[operator], 0)
        builder.PrependUOffsetTRelativeSlot(4, options, 0)
    return int(builder.EndObject())


def _subgraph(builder: Any, tensors: Sequence[int], node: int, last: int) -> int:
    """Write the SubGraph: 0 tensors, 1 inputs, 2 outputs, 3 operators."""
    fields = (
        _vector(builder, tensors),
        _numbers(builder, [0]),
        _numbers(builder, [last]),
        _vector(builder, [node]),
    )
    builder.StartObject(6)
    for slot, offset in enumerate(fields):
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return int(builder.EndObject())


def _operator_code(builder: Any, operator: Operator) -> int:
    """Write the OperatorCode: 0 old one-byte code, 2 version, 3 code."""
    builder.StartObject(4)
    builder.PrependInt8Slot(0, int(operator), 0)
    builder.PrependInt32Slot(2, _OPERATOR_VERSION[operator], 1)
    builder.PrependInt32Slot(3, int(operator), 0)
    return int(builder.EndObject())


def _finish(builder: Any, *, code: int, graph: int, buffers: Sequence[int]) -> bytes:
    """Write the Model: 0 version, 1 operator codes, 2 subgraphs, 4 buffers."""
    codes = _vector(builder, [code])
    graphs = _vector(builder, [graph])
    all_buffers = _vector(builder, buffers)
    builder.StartObject(10)
    builder.PrependUint32Slot(0, _SCHEMA_VERSION, 0)
    builder.PrependUOffsetTRelativeSlot(1, codes, 0)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.PrependUOffsetTRelativeSlot(4, all_buffers, 0)
    builder.Finish(builder.EndObject(), file_identifier=b"TFL3")
    return bytes(builder.Output())
