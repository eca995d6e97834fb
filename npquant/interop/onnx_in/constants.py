"""Nodes whose inputs are all constants: folded as they are met, so that a weight is a weight however it is written.

Codes stay codes through DequantizeLinear, Identity and Transpose; only what asks for their real values makes floats.

Legend: node the operator; inputs its constants, None where one is left out; walk the walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_in.arithmetic import compute
from npquant.interop.onnx_in.attributes import attribute, constant, integer_of, integers_of
from npquant.interop.onnx_in.const import Const, along
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.tensors import BFLOAT16, CODES, FLOAT, INT64, TYPES, type_name
from npquant.interop.onnx_in.values import Walk

Inputs = Sequence[Const | None]


def fold_constant(walk: Walk, node: Node, inputs: Inputs) -> Const | None:
    """Return the constant that a node makes, None if the operator is not one that is folded."""
    if node.op == "Constant" and not node.domain:
        return _constant(walk, node)
    first = inputs[0] if inputs else None
    if first is None:
        return None
    if node.op in ("Identity", "Dropout") and not node.domain:
        return first
    if node.op == "DequantizeLinear":
        return _dequantized(walk, node, inputs)
    if node.op == "QuantizeLinear":
        return _quantized(walk, node, inputs)
    if node.op == "Clip" and not node.domain:
        return _clipped(walk, node, inputs)
    if node.op == "Cast" and not node.domain:
        return _cast(walk, node, first)
    if first.scale is not None and (turned := _turned_codes(walk, node, first)) is not None:
        return turned
    array = compute(walk, node, [None if c is None else c.real() for c in inputs])
    if array is None:
        return None
    like = inputs[1] if node.op == "Where" else first
    kind = like.type if like is not None else FLOAT
    if node.op in ("Equal", "ConstantOfShape", "Shape"):
        kind = next(number for number, known in TYPES.items() if known[1] == array.dtype.type)
    return Const(array, FLOAT if first.scale is not None else kind)


def _constant(walk: Walk, node: Node) -> Const:
    for name, given in node.attributes.items():
        match name:
            case "value" if given.t is not None:
                return Const(walk.tensors.array(given.t, node.outputs[0] if node.outputs else "value"), given.t.type)
            case "value_float":
                return Const(np.array(given.f, np.float32), FLOAT)
            case "value_floats":
                return Const(np.array(given.floats, np.float32), FLOAT)
            case "value_int":
                return Const(np.array(given.i, np.int64), INT64)
            case "value_ints":
                return Const(np.array(given.ints, np.int64), INT64)
    walk.refuse(node, f"holds {', '.join(node.attributes) or 'nothing'}; a tensor, floats or integers are read")


def _cast(walk: Walk, node: Node, first: Const) -> Const:
    kind = integer_of(walk, node, "to", FLOAT)
    if kind not in TYPES or kind in (21, 22, 25, 26):
        walk.refuse(node, f"casts a constant to {type_name(kind)}")
    if kind == first.type:
        return first
    with np.errstate(all="ignore"):
        array: NDArray[Any] = first.real().astype(TYPES[kind][1])
        if kind == BFLOAT16:  # round half even to the upper half of the word
            bits = array.view(np.uint32).astype(np.uint64)
            upper = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) & np.uint64(0xFFFF0000)
            array = np.asarray(upper.astype(np.uint32)).view(np.float32)
    return Const(array, kind)


def _axis(walk: Walk, node: Node, values: Const, scale: Const, zero: Const | None) -> int:
    """The axis of per-channel parameters, counted from the front; FormatError where they do not fit it."""
    if integer_of(walk, node, "block_size", 0):
        walk.refuse(node, "has a block_size: weights with a scale a block are not read; one a column or one for all")
    ndim = values.array.ndim
    axis = integer_of(walk, node, "axis", 1)
    axis += ndim if axis < 0 else 0
    sizes = [c.array.size for c in (scale, zero) if c is not None]
    if any(c is not None and c.array.ndim > 1 for c in (scale, zero)):
        walk.refuse(node, "its scale has more than one axis; one scale a column or one for all is read")
    if any(size != 1 and not (0 <= axis < ndim and size == values.array.shape[axis]) for size in sizes):
        walk.refuse(node, f"has {sizes[0]} scales for axis {axis} of shape {values.array.shape}")
    return axis


def _dequantized(walk: Walk, node: Node, inputs: Inputs) -> Const | None:
    if len(inputs) < 2 or inputs[0] is None or inputs[0].type not in CODES or inputs[0].scale is not None:
        walk.refuse(node, "takes codes and their scale")
    codes, scale = inputs[0], constant(walk, node, inputs[1], "scale")
    zero = inputs[2] if len(inputs) > 2 else None
    if scale.type != FLOAT or scale.scale is not None:
        walk.refuse(node, f"its scale is {type_name(scale.type)}; FLOAT is read")
    if zero is not None and zero.type != codes.type:
        walk.refuse(node, f"its zero point is {type_name(zero.type)} and its codes {type_name(codes.type)}")
    axis = _axis(walk, node, codes, scale, zero)
    if not np.isfinite(scale.array).all():
        walk.refuse(node, "its scale is not finite")
    z = None if zero is None else zero.array
    return replace(codes, type=FLOAT, code_type=codes.type, scale=scale.array, zero=z, axis=axis)


def _quantized(walk: Walk, node: Node, inputs: Inputs) -> Const:
    """Float weights that the file quantizes itself: saturate(half_even(w / s) + z), in float32."""
    if len(inputs) < 2 or inputs[0] is None or inputs[0].type != FLOAT:
        walk.refuse(node, "takes FLOAT numbers and their scale")
    scale = constant(walk, node, inputs[1], "scale")
    zero = inputs[2] if len(inputs) > 2 else None
    axis = _axis(walk, node, inputs[0], scale, zero)
    kind = integer_of(walk, node, "output_dtype", 0) or 2 if zero is None else zero.type
    if kind not in CODES or scale.type != FLOAT or scale.scale is not None:
        walk.refuse(node, f"quantizes to {type_name(kind)} by a {type_name(scale.type)} scale")
    ndim = inputs[0].array.ndim
    with np.errstate(all="ignore"):
        v = np.rint(inputs[0].real() / along(scale.array, axis, ndim))
    if not np.isfinite(v).all():
        walk.refuse(node, "divides by a scale of 0, or weights that are not finite")
    low, high = CODES[kind]
    shifted = v.astype(np.float64) + along(None if zero is None else zero.array, axis, ndim)
    return Const(np.clip(shifted, low, high).astype(TYPES[kind][1]), kind)


def bounds_of_clip(walk: Walk, node: Node, inputs: Sequence[Any]) -> tuple[float | None, float | None]:
    """Return the two bounds of Clip, None where there is none: attributes before opset 11, inputs since."""
    if walk.opset < 11:
        given = [attribute(walk, node, name) for name in ("min", "max")]
        return tuple(None if g is None else float(g.f) for g in given)  # type: ignore[return-value]
    found: list[float | None] = []
    for i, role in ((1, "lower bound"), (2, "upper bound")):
        value = inputs[i] if i < len(inputs) else None
        if value is not None and constant(walk, node, value, role).array.size != 1:
            walk.refuse(node, f"its {role} must be one number")
        found.append(None if value is None else float(value.real().reshape(())))
    return found[0], found[1]


def _clipped(walk: Walk, node: Node, inputs: Inputs) -> Const:
    first = inputs[0]
    assert first is not None
    low, high = bounds_of_clip(walk, node, inputs)
    if first.scale is not None or first.type not in CODES:
        return Const(np.clip(first.real(), low, high), first.type)
    old = first.interval()
    bounds = (
        int(max(old[0], low if low is not None else old[0])),
        int(min(old[1], high if high is not None else old[1])),
    )
    if bounds[0] >= bounds[1]:
        walk.refuse(node, f"clips codes to [{bounds[0]}, {bounds[1]}]; the bounds must be apart")
    return replace(first, array=np.clip(first.array, *bounds), low=bounds[0], high=bounds[1])


def _turned_codes(walk: Walk, node: Node, first: Const) -> Const | None:
    """A Transpose of a matrix of codes, which keeps them codes."""
    if node.op != "Transpose" or node.domain or first.array.ndim != 2:
        return None
    if (integers_of(walk, node, "perm") or [1, 0]) != [1, 0]:
        return first
    return replace(first, array=first.array.T, axis=1 - first.axis)


def codes_of(walk: Walk, place: str, w: Const, *, turned: bool) -> tuple[NDArray[Any], Any, Any, tuple[int, int]]:
    """Return a matrix of codes (K, N), its scales () or (N,), its zero points, and the interval of the codes.

    place the node that multiplies by w; turned where w is stored (N, K). FormatError where w holds no codes of 8 bits
    or fewer, or its scales are one an input.
    """
    if w.scale is None:
        walk.refuse(place, "its weights are not quantized; files that are only partly quantized (mixed) are not read")
    if w.code_type not in (2, 3, 21, 22, 25, 26):
        walk.refuse(place, f"its weights are {type_name(w.code_type)}; INT8, UINT8 and narrower are read")
    w_q = w.array.T if turned else w.array
    zero = np.zeros((), np.int64) if w.zero is None else w.zero
    if max(w.scale.size, zero.size) > 1 and (w.axis == 0) != turned:
        walk.refuse(place, "its weights have one scale an input; one an output or one for all is read")
    flat = [a.reshape(()) if a.size == 1 else a.reshape(-1) for a in (w.scale, zero)]
    return w_q, flat[0], flat[1].astype(np.int64), w.interval()
