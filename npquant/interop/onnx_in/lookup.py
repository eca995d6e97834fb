"""A table of real values that the codes before it look up: Div by their scale, Round, Cast to INT32, Sub, Gather.

    values[round(x / s) - least], x of the codes' scale s

Legend: walk the walk; node the operator; inputs what its names stand for; data the values, or the index so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np

from npquant.interop.onnx_in.attributes import integer_of
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.tensors import DOUBLE, FLOAT, INT32
from npquant.interop.onnx_in.tokens import Dequantize, Index, Lookup, Rounded
from npquant.interop.onnx_in.values import Data, Known, Walk
from npquant.interop.steps import Affine


def lookup_node(walk: Walk, node: Node, inputs: Sequence[Known | None], data: Data) -> Data | None:
    """Return what a node of such a chain makes; None for a node that is of none."""
    if node.op == "Round" and isinstance(data.token, Affine) and data.parent is not None:
        before = data.parent
        if data.type == DOUBLE:  # at the door of a network with a scale a feature
            return data.then(Rounded(node.place))
        if not isinstance(before.token, Dequantize) or not _divides(data.token, before.token):
            walk.refuse(node, "rounds what is not codes by their own scale; a table of codes is read so")
        return before.then(Index(node.place, before.token.params, 0))
    if not isinstance(data.token, Index):
        return None
    other = inputs[1] if len(inputs) > 1 else None
    if node.op == "Cast" and data.type == FLOAT and integer_of(walk, node, "to", 0) == INT32:
        return Data(INT32, data.shapes, data.token, data.parent)
    if node.op == "Sub" and data.type == INT32 and inputs[0] is data and isinstance(other, Const):
        if other.type != INT32 or other.array.size != 1 or other.scale is not None:
            walk.refuse(node, "shifts the index of a table by more than one INT32")
        return data.instead(data.token._replace(least=data.token.least + int(other.array.reshape(-1)[0])))
    if node.op == "Gather" and data.type == INT32 and inputs[0] is not data and data.parent is not None:
        table = inputs[0]
        if not isinstance(table, Const) or table.type != FLOAT or table.scale is not None or table.array.ndim != 1:
            walk.refuse(node, "looks up a table that is no vector of FLOAT")
        index = data.token
        _check_reach(walk, node, index, table.array.size)
        return data.parent.then(Lookup(node.place, index.params, index.least, table.array), type=FLOAT)
    _refuse(walk, node)


def _refuse(walk: Walk, node: Node) -> NoReturn:
    walk.refuse(node, "works on the index of a table; Cast to INT32, Sub and Gather are read there")


def _divides(affine: Affine, codes: Dequantize) -> bool:
    with np.errstate(divide="ignore", over="ignore"):
        scale = (1 / np.asarray(affine.scale, np.float64)).astype(np.float32)
    return bool(scale.size == 1 and np.all(scale == codes.params.scale) and not np.any(affine.shift))


def _check_reach(walk: Walk, node: Node, index: Index, entries: int) -> None:
    """Every code of the interval must have an entry: a negative index would count from the end."""
    z = int(index.params.zero_point)
    low, high = index.params.qmin - z - index.least, index.params.qmax - z - index.least
    if low < 0 or high >= entries:
        walk.refuse(node, f"looks up the entries {low} to {high} of {entries}")
