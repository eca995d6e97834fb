"""Reshapes that are a flatten in disguise: the shape that a RESHAPE asks for, computed for one row and for two.

Converters write a Flatten of a dynamic batch as SHAPE, STRIDED_SLICE, PACK, RESHAPE, or bake the batch in. Whatever the
operators are: if B rows become (B, K) for B = 1 and for B = 2, the rows were flattened in order, and nothing else.

Legend: graph the file's subgraph, operator one of its operators; row the sizes of one row, its K values in C order;
shapes what tensors of shapes hold, by tensor, for B = 1 and for B = 2; batch the B that the file declares.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.tflite_in.constants import constant
from npquant.interop.tflite_in.graph import Graph, Operator

SHAPE_OPERATORS: Final = ("SHAPE", "STRIDED_SLICE", "PACK", "CONCATENATION")
_LONGEST: Final = 64

Pair = tuple[NDArray[np.int64], NDArray[np.int64]]


def shape_value(graph: Graph, operator: Operator, shapes: dict[int, Pair], row: tuple[int, ...] | None) -> Pair:
    """What an operator on shapes computes; row is that of the tensor whose SHAPE is asked for, None for another."""
    if operator.name == "SHAPE":
        if row is None:
            raise FormatError(graph.name, operator.place, "asks for the shape of what no operator before it wrote last")
        return np.array([1, *row], np.int64), np.array([2, *row], np.int64)
    operands = [_operand(graph, operator, index, shapes) for index in operator.inputs]
    one, two = ([operand[b] for operand in operands] for b in (0, 1))
    try:
        return _evaluated(graph, operator, one), _evaluated(graph, operator, two)
    except (ValueError, IndexError) as error:
        raise FormatError(graph.name, operator.place, f"cannot be computed: {error}") from error


def _operand(graph: Graph, operator: Operator, index: int, shapes: dict[int, Pair]) -> Pair:
    if index in shapes:
        return shapes[index]
    if index < 0 or not graph.is_constant(index):
        raise FormatError(graph.name, operator.place, "computes on activations; it is read only on shapes")
    tensor = graph.tensor(index)
    if tensor.type not in ("INT32", "INT64") or math.prod(tensor.shape) > _LONGEST:
        raise FormatError(graph.name, operator.place, f"reads {tensor.said}; a shape of INT32 is read here")
    value = constant(graph, tensor).astype(np.int64)
    return value, value


def _evaluated(graph: Graph, operator: Operator, values: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    if operator.name == "PACK" and all(value.ndim == 0 for value in values):
        return np.stack(values)
    if operator.name == "CONCATENATION" and all(value.ndim == 1 for value in values):
        return np.concatenate(values)[: _LONGEST + 1]
    masks = [int(operator.option(slot, "i")) for slot in range(5)]
    if operator.name == "STRIDED_SLICE" and len(values) == 4 and values[0].ndim == 1 and not (masks[2] or masks[3]):
        begin, end, step = (int(value.reshape(-1)[0]) for value in values[1:])
        first, last = None if masks[0] & 1 else begin, None if masks[1] & 1 else end
        return np.asarray(values[0][begin] if masks[4] & 1 else values[0][first:last:step])
    raise FormatError(graph.name, operator.place, "is not read in this form; a flatten of rows is")


def flattened(graph: Graph, operator: Operator, shapes: dict[int, Pair], row: tuple[int, ...], batch: int) -> int:
    """K, where a RESHAPE takes B rows to (B, K). FormatError, speaking of the rank, where it does anything else."""
    k = math.prod(row)
    wanted: tuple[tuple[int, NDArray[Any]], ...]
    if len(operator.inputs) > 1 and operator.inputs[1] in shapes:
        one, two = shapes[operator.inputs[1]]
        wanted = ((1, one), (2, two))
    elif len(operator.inputs) > 1 and operator.inputs[1] >= 0:
        wanted = ((batch, _operand(graph, operator, operator.inputs[1], shapes)[0]),)
    else:
        new_shape = np.zeros(0) if operator.options is None else operator.options.numbers(0, "i4")
        wanted = ((batch, new_shape[:9]),)
    for rows, target in wanted:
        sizes = [int(size) for size in target.reshape(-1)]
        if sizes.count(-1) == 1:
            rest = -math.prod(sizes)
            sizes[sizes.index(-1)] = rows * k // rest if rest > 0 and rows * k % rest == 0 else -1
        if sizes != [rows, k]:
            raise FormatError(
                graph.name,
                operator.place,
                f"takes {rows} rows of shape {list(row)} to the shape {sizes}, which is no flatten to rank 2: "
                f"[{rows}, {k}] is read",
            )
    return k
