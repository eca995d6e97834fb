"""Write MNN files in memory, in the form that its quantizer writes, with what npquant writes its own files.

The wheel's converter is not asked: its console scripts install packages and send usage data.
Source of the slots: alibaba/MNN ``schema/default/MNN.fbs``, ``CaffeOp.fbs``, ``Tensor.fbs``, revision 4d40bdb.

Legend: K contracted depth, N outputs; Quant scale, zero point, smallest and largest code of a tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.interop.flatbuffer import Node, Numbers, Scalar, write_flatbuffer

# Numbers of operators and of their parameters' tables.
_CONVOLUTION, _INPUT, _INT8_TO_FLOAT, _FLOAT_TO_INT8 = 12, 34, 514, 517
_CONVOLUTION_2D, _INPUT_TABLE, _QUANTIZED_FLOAT = 9, 21, 74
_NC4HW4, _DT_INT8, _WEIGHT_INT8 = 2, 6, 4


class Quant(NamedTuple):
    """What the file says of a tensor of codes."""

    scale: float
    zero_point: int
    low: int
    high: int


def _ints(*values: int) -> Numbers:
    return Numbers(np.array(values, np.int32))


def _floats(values: NDArray[np.float32]) -> Numbers:
    return Numbers(np.asarray(values, np.float32))


def _operator(kind: int, table: int, parameters: Node, inputs: Sequence[int], output: int) -> Node:
    given: dict[int, object] = {1: Scalar("B", table), 2: parameters, 3: f"op{output}", 4: _ints(output)}
    if inputs:
        given[0] = _ints(*inputs)
    return {**given, 5: Scalar("i", kind), 6: Scalar("b", _NC4HW4)}  # type: ignore[dict-item]


def _input(shape: tuple[int, ...]) -> Node:
    return _operator(_INPUT, _INPUT_TABLE, {0: _ints(*shape), 1: Scalar("i", 1), 2: Scalar("b", 0)}, (), 0)


def _file(operators: Sequence[Node], quants: Mapping[int, Quant]) -> bytes:
    """The file whose operators each write one tensor, in order."""
    names = [f"t{i}" for i in range(len(operators))]
    described = [
        {
            1: Scalar("i", index),
            2: names[index],
            4: {
                0: Scalar("f", q.scale),
                1: Scalar("f", q.zero_point),
                2: Scalar("f", q.low),
                3: Scalar("f", q.high),
                4: Scalar("i", _DT_INT8),
            },
        }
        for index, q in quants.items()
    ]
    root = {1: described, 3: operators, 4: names[-1:], 7: names, 8: Scalar("i", len(names))}
    return write_flatbuffer(root, bytes(4))


def write_layer(
    pixels: int,
    w_q: NDArray[np.int8],
    bias: NDArray[np.float32],
    alpha: NDArray[np.float32],
    x: Quant,
    y: Quant,
    *,
    relu: bool,
) -> bytes:
    """Write a 1x1 convolution of codes, (1, K, pixels, 1) to (1, N, pixels, 1); alpha holds N weight scales."""
    depth, n = w_q.shape
    common = {9: Scalar("i", 1), 10: Scalar("i", n), 11: Scalar("i", depth), 12: Scalar("b", relu)}
    quantized = {
        0: Numbers(np.ascontiguousarray(w_q.T).ravel()),
        1: _floats(alpha),
        2: Scalar("i", _WEIGHT_INT8),
        4: Scalar("f", 1.0),
        5: Scalar("f", x.scale),
        6: Scalar("f", y.scale),
        8: Scalar("i", -127),  # a smallest weight: 0 would mean weights with zero points
        10: Scalar("b", 1),
    }
    symmetric = {
        5: Scalar("i", 8),
        6: Scalar("b", x.zero_point),
        7: Scalar("b", y.zero_point),
        8: Scalar("b", y.low),
        9: Scalar("b", y.high),
    }
    parameters: Node = {0: common, 2: _floats(bias), 3: quantized, 4: symmetric}  # type: ignore[dict-item]
    convolution = _operator(_CONVOLUTION, _CONVOLUTION_2D, parameters, (0,), 1)
    return _file((_input((1, depth, pixels, 1)), convolution), {0: x, 1: y})


def write_conversions(shape: tuple[int, ...], y: Quant, scale: float) -> bytes:
    """Write FloatToInt8 and then Int8ToFloat with a scale of its own: real values to codes to real values.

    FloatToInt8 multiplies by what its file holds, f32(1 / s); Int8ToFloat by its scale.
    """
    codes = {6: Scalar("b", y.zero_point), 8: Scalar("b", y.low), 9: Scalar("b", y.high)}
    to: Node = {3: _floats(np.float32([np.float32(1) / np.float32(y.scale)])), **codes}
    back: Node = {3: _floats(np.float32([scale])), **codes}
    first = _operator(_FLOAT_TO_INT8, _QUANTIZED_FLOAT, to, (0,), 1)
    second = _operator(_INT8_TO_FLOAT, _QUANTIZED_FLOAT, back, (1,), 2)
    return _file((_input(shape), first, second), {})
