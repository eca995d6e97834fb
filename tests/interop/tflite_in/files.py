"""Small TFLite files for tests: a few tensors and operators, written by npquant's own parts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.interop.flatbuffer import Node, Numbers, Scalar
from npquant.interop.tflite_out.parts import Parts, fused


def const(parts: Parts, values: ArrayLike, dtype: str, kind: str = "", **quantization: Any) -> int:
    """Add a constant of a NumPy dtype; kind names another tensor type for it, or what a shape cannot say."""
    array = np.asarray(values, dtype)
    return parts.tensor("const", kind or array.dtype.name.upper(), array.shape, data=array, **quantization)


def floats(parts: Parts, shape: Sequence[int], name: str = "values") -> int:
    """Add a tensor of activations."""
    return parts.tensor(name, "FLOAT32", tuple(shape))


def dense(
    parts: Parts, x: int, w: NDArray[Any], b: NDArray[Any] | None, activation: str = "NONE", weights: int | None = None
) -> int:
    """Add a float FULLY_CONNECTED of weights (K, N), or of the tensor `weights`."""
    index = const(parts, w.T, "float32") if weights is None else weights
    bias = -1 if b is None else const(parts, b, "float32")
    return parts.operator(
        "FULLY_CONNECTED", 1, (x, index, bias), floats(parts, (1, w.shape[1])), {0: fused(activation)}
    )


def unary(parts: Parts, name: str, x: int, n: int, options: Node | None = None, *others: int) -> int:
    """Add an operator from one tensor of activations to another of n values a row."""
    return parts.operator(name, 1, (x, *others), floats(parts, (1, n)), options or {})


def dynamic_flatten(parts: Parts, x: int, k: int, kind: str = "FLOAT32") -> int:
    """Add SHAPE, STRIDED_SLICE, PACK and RESHAPE: what converters make of a Flatten of any number of rows."""
    shape = parts.operator("SHAPE", 1, (x,), parts.tensor("shape", "INT32", (4,)), {})
    ends = [const(parts, [value], "int32") for value in (0, 1, 1)]
    rows = parts.tensor("rows", "INT32", ())
    parts.operator("STRIDED_SLICE", 1, (shape, *ends), rows, {4: Scalar("i", 1)})
    target = parts.tensor("target", "INT32", (2,))
    parts.operator("PACK", 1, (rows, const(parts, np.int32(k), "int32")), target, {0: Scalar("i", 2)})
    return parts.operator("RESHAPE", 1, (x, target), parts.tensor("flat", kind, (1, 1)), {})


def new_shape(sizes: Sequence[int]) -> Node:
    """The options of a RESHAPE that names its shape there."""
    return {0: Numbers(np.array(sizes, np.int32))}
