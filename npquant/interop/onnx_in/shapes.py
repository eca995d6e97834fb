"""Operators that move no number: Flatten in all its disguises, and the integers that a file computes from a shape.

Legend: walk the walk; node the operator; inputs what its names stand for, None where one is left
out; data the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_in.arithmetic import axes_of, compute, flattened, reshaped, unsqueezed
from npquant.interop.onnx_in.attributes import integer_of, integers_of
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.tensors import FLOATS, TYPES, type_name
from npquant.interop.onnx_in.values import Data, Known, Shape, Sizes, Walk

Inputs = Sequence[Known | None]


def shape_of(walk: Walk, node: Node, data: Data) -> Sizes:
    """Shape, with the start and end of opset 15; an unknown size is -1."""
    found = {}
    for batch, shape in data.shapes.items():
        start, end = integer_of(walk, node, "start", 0), integer_of(walk, node, "end", len(shape))
        found[batch] = np.array([-1 if s is None else s for s in shape[start:end]], np.int64)
    return Sizes(found)


def sizes_node(walk: Walk, node: Node, inputs: Inputs) -> Sizes:
    """Compute integers from sizes and constants, for each batch size by itself."""
    batches = next(set(i.by_batch) for i in inputs if isinstance(i, Sizes))
    found = {}
    for batch in sorted(batches):
        arrays: list[NDArray[Any] | None] = []
        for i in inputs:
            if isinstance(i, Sizes):
                arrays.append(i.by_batch.get(batch, np.zeros(0, np.int64)))
            else:
                arrays.append(i.array if isinstance(i, Const) else None)
        if node.op in ("Cast", "Identity") and not node.domain:
            array = arrays[0]
        else:
            unknown = any((i.by_batch[batch] < 0).any() for i in inputs if isinstance(i, Sizes) and batch in i.by_batch)
            if unknown and node.op in ("Mul", "Add", "Sub", "Div", "ReduceProd"):
                walk.refuse(node, "computes with a size that the file does not say")
            if any(a is not None and a.dtype.kind not in "iub" for a in arrays):
                walk.refuse(node, "computes a shape with numbers that are no integers")
            arrays = [None if a is None else a.astype(np.int64) if a.dtype != bool else a for a in arrays]
            array = compute(walk, node, arrays)
        if array is None:
            walk.refuse(node, "is not among the operators on shapes that npquant reads")
        found[batch] = array.astype(np.int64) if array.dtype != bool else array
    return Sizes(found)


def moved(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data | None:
    """Return data in the shape that the operator gives it, None if it is no such operator.

    FormatError where it moves numbers, repeats or leaves out some.
    """
    match node.op:
        case "Flatten":
            axis = integer_of(walk, node, "axis", 1)
            shapes = walk.each(node, data, lambda _, shape: flattened(shape, axis))
        case "Reshape":
            shapes = _reshaped(walk, node, inputs, data)
        case "Squeeze" | "Unsqueeze":
            arrays = [None, *(i.array if isinstance(i, Const) else None for i in inputs[1:])]
            if any(i is not None and not isinstance(i, Const) for i in inputs[1:]):
                walk.refuse(node, "its axes must be a constant")
            axes = axes_of(walk, node, arrays)
            change = _squeezed if node.op == "Squeeze" else _unsqueezed
            shapes = walk.each(node, data, lambda _, shape: change(shape, axes))
        case "Transpose":
            perm = integers_of(walk, node, "perm")
            shapes = walk.each(node, data, lambda _, shape: _transposed(shape, perm))
        case "Expand" | "Tile":
            shapes = _repeated(walk, node, inputs, data)
        case _:
            return None
    return Data(data.type, shapes, data.token, data.parent)


def _target(walk: Walk, node: Node, inputs: Inputs, batch: int) -> list[int]:
    given = inputs[1] if len(inputs) > 1 else None
    if isinstance(given, Const):
        array = given.array
    elif isinstance(given, Sizes) and batch in given.by_batch:
        array = given.by_batch[batch]
    else:
        walk.refuse(node, "its shape must be a constant, or integers computed from the input's shape")
    if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > 16:
        walk.refuse(node, "its shape must be a few integers")
    return [int(v) for v in array.reshape(-1)]


def _reshaped(walk: Walk, node: Node, inputs: Inputs, data: Data) -> dict[int, Shape]:
    attribute = integers_of(walk, node, "shape")  # opset 1
    zero = integer_of(walk, node, "allowzero", 0) == 1

    def new(batch: int, shape: Shape) -> Shape:
        target = _target(walk, node, inputs, batch) if attribute is None else attribute
        return reshaped(shape, target, allow_zero=zero)

    return dict(walk.each(node, data, new))


def _squeezed(shape: Shape, axes: list[int] | None) -> Shape:
    if axes is None:
        if None in shape:
            raise ValueError("squeezes sizes that the file does not say")
        return tuple(s for s in shape if s != 1)
    places = {axis + len(shape) if axis < 0 else axis for axis in axes}
    if any(not 0 <= p < len(shape) or shape[p] not in (1, None) for p in places):
        raise ValueError(f"axes {axes} of the shape {shape} are not 1")
    return tuple(s for i, s in enumerate(shape) if i not in places)


def _unsqueezed(shape: Shape, axes: list[int] | None) -> Shape:
    return unsqueezed(shape, axes or [])


def _transposed(shape: Shape, perm: list[int] | None) -> Shape:
    order = list(range(len(shape)))[::-1] if perm is None else perm
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"the order {order[:16]} does not fit the shape {shape}")
    kept = [i for i in order if shape[i] != 1]
    if kept != sorted(kept):
        raise ValueError(f"moves numbers: the order {order} of the shape {shape}; npquant reads those that move none")
    return tuple(shape[i] for i in order)


def _repeated(walk: Walk, node: Node, inputs: Inputs, data: Data) -> dict[int, Shape]:
    def new(batch: int, shape: Shape) -> Shape:
        target = _target(walk, node, inputs, batch)
        if node.op == "Tile":
            if target != [1] * len(shape):
                raise ValueError(f"repeats numbers: {target}; npquant reads those that repeat none")
            return shape
        front: Shape = (1,) * (len(target) - len(shape)) + shape
        tail = [1] * (len(front) - len(target)) + target
        if len(front) > 16 or any(t not in (1, s) for s, t in zip(front, tail, strict=True)):
            raise ValueError(f"repeats numbers: {shape} to {target}; npquant reads those that repeat none")
        return front

    return dict(walk.each(node, data, new))


def cast(walk: Walk, node: Node, data: Data) -> Data:
    """Cast, among float types or from integers to floats."""
    kind = integer_of(walk, node, "to", 0)
    named = node.attributes.get("to")
    if named is not None and named.s:  # opset 1 names the type
        kind = next((number for number, known in TYPES.items() if known[0].encode() == named.s), 0)
    if kind not in FLOATS:
        walk.refuse(node, f"casts the data to {type_name(kind)}; FLOAT, DOUBLE, FLOAT16 and BFLOAT16 are read")
    if data.type not in FLOATS and data.token is not None:
        walk.refuse(node, f"casts {type_name(data.type)} codes")
    if kind in (10, 16):
        walk.note(f"the file computes in {type_name(kind)}; its weights are read exactly, and products are not rounded")
    return Data(kind, data.shapes, data.token, data.parent)


def rows(walk: Walk, node: Node, data: Data) -> dict[int, Shape]:
    """Return the shapes (B, K) of data before a product, for those sizes of the batch that have one."""
    found: dict[int, Shape] = {}
    for batch, shape in data.shapes.items():
        if len(shape) == 2 and shape[0] == batch:
            found[batch] = shape
    if found:
        if 2 not in found:
            walk.note(f"the file's shapes hold for {min(found)} row(s) a run alone; npquant takes any number")
        return found
    shape = next(iter(data.shapes.values()))
    if len(shape) != 2:
        walk.refuse(node, f"takes an input of rank {len(shape)}; npquant reads (B, K), one row an example")
    walk.refuse(node, f"takes rows of another batch: {shape} for {next(iter(data.shapes))} row(s) at the input")
