"""MatMulInteger on quantized data, Add, Cast, Mul and QuantizeLinear of scale 1: a layer without a float product.

    codes of f32(acc) m,  m = (sx sw) / sy

m must be made of sx, sw and sy in the graph, which no number gives back.

Legend: walk the walk; node the operator; inputs what its names stand for; data the codes, sums or steps; found what a
node makes of constants.
"""

from __future__ import annotations

from collections.abc import Sequence

from npquant.interop.onnx_in.attributes import constant, integer_of
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.float_nodes import fitted_bias
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.quantized_nodes import dequantized, product_of, quantized, weights_of
from npquant.interop.onnx_in.tensors import CODES, FLOAT, INT32
from npquant.interop.onnx_in.tokens import IntegerSum, Product, Steps
from npquant.interop.onnx_in.values import Data, Known, Walk

Inputs = Sequence[Known | None]


def with_factors(node: Node, inputs: Inputs, found: Known | list[Known] | None) -> Known | list[Known] | None:
    """A product or quotient of constants, that still knows its factors."""
    if not isinstance(found, Const) or len(inputs) != 2:
        return found
    one, two = inputs
    if not isinstance(one, Const) or not isinstance(two, Const):
        return found
    if node.op == "Mul":
        return Const(found.array, found.type, made_of=(one, two))
    if node.op == "Div" and len(one.made_of) == 2:
        return Const(found.array, found.type, made_of=(*one.made_of, two))
    return found


def sum_node(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data | None:
    """Return what a node of such a layer makes; None for a node that is of none."""
    if node.op == "MatMulInteger" and data.type in CODES and data.type != INT32:
        return _product(walk, node, inputs, data)
    if isinstance(data.token, Steps):
        return _codes(walk, node, inputs, data, data.token)
    if not isinstance(data.token, IntegerSum):
        return None
    other = next((i for i in inputs if i is not data), None)
    if node.op == "Add" and data.type == INT32 and isinstance(other, Const) and data.token.b is None:
        if other.type != INT32 or other.scale is not None:
            walk.refuse(node, "adds to INT32 sums what is not INT32")
        return data.instead(data.token._replace(b=fitted_bias(walk, node, other, data.token.w.array.shape[1])))
    if node.op == "Cast" and data.type == INT32 and integer_of(walk, node, "to", 0) == FLOAT:
        return Data(FLOAT, data.shapes, data.token, data.parent)
    if node.op == "Mul" and data.type == FLOAT and isinstance(other, Const) and data.parent is not None:
        return _scaled(walk, node, data.token, data.parent, other)
    walk.refuse(node, "works on the sums of a MatMulInteger; Add of INT32, Cast to FLOAT and Mul are read there")


def _product(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    if inputs[0] is not data or len(inputs) < 2:
        walk.refuse(node, "has the data on the right; npquant reads y = x w")
    w = constant(walk, node, inputs[1], "weights")
    zx, zw = (None if i is None else constant(walk, node, i, "zero point") for i in [*inputs[2:4], None, None][:2])
    if w.array.ndim != 2 or not w.array.size or w.scale is not None or w.type not in CODES:
        walk.refuse(node, f"its weights have shape {w.array.shape}; they must be a matrix of codes")
    token = IntegerSum(node.place, w, zx, zw, None)
    made = product_of(walk, node, data, Product(node.place, w, None, turned=False))
    return Data(INT32, made.shapes, token, data)


def _scaled(walk: Walk, node: Node, total: IntegerSum, codes: Data, factor: Const) -> Data:
    """Dequantized codes, and their product with weights: what scales and zero points now make of the sum."""
    if len(factor.made_of) not in (2, 3):
        walk.refuse(
            node, "scales the sums of a MatMulInteger by one number; it must be made of sx, sw and sy: sx sw / sy"
        )
    w = weights_of(walk, node, total.w, factor.made_of[1], total.zw, axis=1)
    x = dequantized(walk, node, codes, factor.made_of[0], total.zx)
    y = product_of(walk, node, x, Product(total.place, w, total.b, turned=False))
    return y if len(factor.made_of) == 2 else y.then(Steps(node.place, factor.made_of[2]))


def _codes(walk: Walk, node: Node, inputs: Inputs, data: Data, steps: Steps) -> Data:
    scale = constant(walk, node, inputs[1], "scale") if node.op == "QuantizeLinear" and len(inputs) > 1 else None
    if scale is None or inputs[0] is not data or scale.array.size != 1 or scale.array.reshape(-1)[0] != 1:
        walk.refuse(node, "takes values that are divided by their scale; a QuantizeLinear of scale 1 must")
    assert data.parent is not None
    kind = integer_of(walk, node, "output_dtype", 0) or 2
    return quantized(walk, node, data.parent, steps.scale, inputs[2] if len(inputs) > 2 else None, kind)
