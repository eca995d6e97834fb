"""Constants computed from constants, and integers from shapes: the same few operators on plain arrays.

Legend: node the operator; arrays its inputs, None where one is left out; walk the walk; shape sizes, None where the
file does not say one, axis and axes counted from either end; target the shape asked for; values an input of integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_in.attributes import attribute, integer_of, integers_of
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.values import Walk

Arrays = Sequence[NDArray[Any] | None]
# Numbers in a constant that is computed, where it is larger than what it is computed from.
MAX_CONSTANT: Final = 1 << 22


def compute(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any] | None:
    """Return what the operator makes of arrays, None if it is none of those known here.

    FormatError where the arrays do not suit it, or the result would be much larger than they are.
    """
    operator = _OPERATORS.get(node.op)
    if node.domain or operator is None:
        return None
    if not arrays or arrays[0] is None:
        walk.refuse(node, "its first input is missing")
    try:
        with np.errstate(all="ignore"):
            return np.asarray(operator(walk, node, arrays))
    except (ValueError, IndexError, TypeError, OverflowError, AttributeError) as error:
        walk.refuse(node, f"cannot be computed: {error}")


def axes_of(walk: Walk, node: Node, arrays: Arrays) -> list[int] | None:
    """Return the axes of Squeeze, Unsqueeze and ReduceProd: an attribute, or since opset 13 an input."""
    if len(arrays) > 1 and arrays[1] is not None:
        return ints(arrays[1])
    return integers_of(walk, node, "axes")


def unsqueezed(shape: tuple[Any, ...], axes: Sequence[int]) -> tuple[Any, ...]:
    """Return a shape with axes of one inserted, counted in the result; ValueError if two are the same.

    >>> unsqueezed((4, 5), [0, -1])
    (1, 4, 5, 1)
    """
    rank = len(shape) + len(axes)
    places = {axis + rank if axis < 0 else axis for axis in axes}
    if len(places) != len(axes) or rank > 16 or not all(0 <= p < rank for p in places):
        raise ValueError(f"axes {list(axes)} do not fit the shape {shape}")
    rest = iter(shape)
    return tuple(1 if i in places else next(rest) for i in range(rank))


def flattened(shape: tuple[int | None, ...], axis: int) -> tuple[int | None, int | None]:
    """Return the two sizes of Flatten; an unknown size makes its product unknown.

    >>> flattened((2, 3, 4), 1)
    (2, 12)
    """
    at = axis + len(shape) if axis < 0 else axis
    if not 0 <= at <= len(shape):
        raise ValueError(f"axis {axis} does not fit the shape {shape}")
    return product_of(shape[:at]), product_of(shape[at:])


def product_of(sizes: Sequence[int | None]) -> int | None:
    """Return the product of sizes, None if one is unknown."""
    known = [s for s in sizes if s is not None]
    return prod(known) if len(known) == len(sizes) else None


def reshaped(shape: tuple[int | None, ...], target: Sequence[int], *, allow_zero: bool) -> tuple[int | None, ...]:
    """Return the shape that Reshape makes: 0 copies a size unless zeros are allowed, -1 is what is left.

    >>> reshaped((2, 3, 4), [0, -1], allow_zero=False)
    (2, 12)
    """
    if len(target) > 16 or any(t < -1 for t in target) or sum(t == -1 for t in target) > 1:
        raise ValueError(f"the target shape {list(target)[:16]} is not one")
    if any(t == 0 and not allow_zero and i >= len(shape) for i, t in enumerate(target)):
        raise ValueError(f"the target shape {list(target)} copies a size that {shape} has not got")
    sizes: list[int | None] = [shape[i] if t == 0 and not allow_zero else t for i, t in enumerate(target)]
    whole, rest = product_of(shape), product_of([s for s in sizes if s != -1])
    if -1 in sizes:
        if whole is not None and rest is not None and (rest == 0 or whole % rest):
            raise ValueError(f"{shape} cannot be given the shape {list(target)}")
        sizes[sizes.index(-1)] = None if whole is None or rest is None else whole // rest
    elif whole is not None and rest is not None and whole != rest:
        raise ValueError(f"{shape} cannot be given the shape {list(target)}")
    return tuple(sizes)


def ints(values: NDArray[Any] | None) -> list[int]:
    """Return an input of integers as a list."""
    if values is None or values.dtype.kind not in "iu":
        raise ValueError("an input must be integers")
    return [int(v) for v in values.reshape(-1)[:64]]


def _reshape(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    target = ints(arrays[1]) if len(arrays) > 1 else integers_of(walk, node, "shape") or []
    shape = reshaped(_first(arrays).shape, target, allow_zero=integer_of(walk, node, "allowzero", 0) == 1)
    return _first(arrays).reshape([s for s in shape if s is not None])


def _first(arrays: Arrays) -> NDArray[Any]:
    assert arrays[0] is not None
    return arrays[0]


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Walk, Node, Arrays], Any]:
    def run(walk: Walk, node: Node, arrays: Arrays) -> Any:
        one, two = arrays  # ValueError unless there are two
        if one is None or two is None or one.dtype != two.dtype:
            raise ValueError("two constants of one type are needed")
        size = prod(np.broadcast_shapes(one.shape, two.shape))
        if size > max(one.size, two.size, MAX_CONSTANT):
            raise ValueError(f"would make a constant of {size} numbers")
        return function(one, two)

    return run


def _divide(one: NDArray[Any], two: NDArray[Any]) -> NDArray[Any]:
    if one.dtype.kind == "f":
        return np.asarray(one / two)
    if (two <= 0).any() or (one < 0).any():
        raise ValueError("integers are divided where both are positive")
    return np.asarray(one // two)


def _slice(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    given = [integers_of(walk, node, name) for name in ("starts", "ends", "axes", "steps")]
    for i, array in enumerate(arrays[1:]):
        given[i] = None if array is None else ints(array)
    starts, ends, axes, steps = given
    starts, ends = starts or [], ends or []
    picks = [slice(None)] * _first(arrays).ndim
    steps = steps or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes or range(len(starts)), steps, strict=True):
        picks[axis] = slice(start, None if step < 0 and end < -(2**31) else end, step)
    return np.asarray(_first(arrays)[tuple(picks)])


def _gather(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    index = arrays[1]
    if index is None or index.dtype.kind not in "iu" or index.size > MAX_CONSTANT // 64:
        raise ValueError("its indices must be a few integers")
    if _first(arrays).size > MAX_CONSTANT:
        raise ValueError("gathers from a large constant")
    return np.asarray(np.take(_first(arrays), index, axis=integer_of(walk, node, "axis", 0)))


def _concat(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    parts = [a for a in arrays if a is not None]
    return np.concatenate(parts, axis=integer_of(walk, node, "axis", 0 if attribute(walk, node, "axis") else 1))


def _squeeze(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    axes = axes_of(walk, node, arrays)
    return np.squeeze(_first(arrays), None if axes is None else tuple(axes))


def _unsqueeze(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    return _first(arrays).reshape(unsqueezed(_first(arrays).shape, axes_of(walk, node, arrays) or []))


def _flatten(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    rows, columns = flattened(_first(arrays).shape, integer_of(walk, node, "axis", 1))
    return _first(arrays).reshape(rows or 0, columns or 0)


def _transpose(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    return np.transpose(_first(arrays), integers_of(walk, node, "perm"))


def _reduce_prod(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    if _first(arrays).dtype.kind != "i" or (_first(arrays) < 0).any():
        raise ValueError("multiplies known sizes alone")
    axes = axes_of(walk, node, arrays)
    keep = integer_of(walk, node, "keepdims", 1) == 1
    return np.asarray(np.prod(_first(arrays), axis=None if axes is None else tuple(axes), keepdims=keep))


def _constant_of_shape(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    shape, value = ints(arrays[0]), attribute(walk, node, "value")
    if any(s < 0 for s in shape) or prod(shape) > 64 or len(shape) > 8:
        raise ValueError("makes more than a few numbers")
    fill = np.zeros(1, np.float32) if value is None or value.t is None else walk.tensors.array(value.t, "value")
    return np.full(shape, fill.reshape(()))


def _where(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    choice, one, two = arrays  # ValueError unless there are three
    if choice is None or one is None or two is None or choice.size > 64 or one.size > 64 or two.size > 64:
        raise ValueError("chooses among a few numbers alone")
    return np.where(choice, one, two)


def _expand(walk: Walk, node: Node, arrays: Arrays) -> NDArray[Any]:
    target = ints(arrays[1])
    shape = np.broadcast_shapes(_first(arrays).shape, tuple(target)) if node.op == "Expand" else tuple(target)
    if any(s < 0 for s in shape) or prod(shape) * max(1, _first(arrays).size) > MAX_CONSTANT:
        raise ValueError(f"would make a constant of {shape} from {_first(arrays).shape}")
    return np.broadcast_to(_first(arrays), shape) if node.op == "Expand" else np.tile(_first(arrays), target)


_OPERATORS: Final = MappingProxyType[str, Callable[[Walk, Node, Arrays], Any]](
    {
        "Reshape": _reshape,
        "Flatten": _flatten,
        "Squeeze": _squeeze,
        "Unsqueeze": _unsqueeze,
        "Transpose": _transpose,
        "Concat": _concat,
        "Gather": _gather,
        "Slice": _slice,
        "ReduceProd": _reduce_prod,
        "ConstantOfShape": _constant_of_shape,
        "Where": _where,
        "Expand": _expand,
        "Tile": _expand,
        "Shape": lambda _walk, _node, arrays: np.array(_first(arrays).shape, np.int64),
        "Equal": _binary(np.equal),
        "Add": _binary(np.add),
        "Sub": _binary(np.subtract),
        "Mul": _binary(np.multiply),
        "Div": _binary(_divide),
        "Sqrt": lambda _walk, _node, arrays: np.sqrt(_first(arrays)),
        "Neg": lambda _walk, _node, arrays: -_first(arrays),
        "Reciprocal": lambda _walk, _node, arrays: np.reciprocal(_first(arrays)),
    }
)
