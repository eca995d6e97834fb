"""Operators on codes: QuantizeLinear and DequantizeLinear of data, the fused ones of onnxruntime, and the dynamic ones.

A fused operator is taken apart into what it is made of: QGemm is DequantizeLinear, a product, QuantizeLinear.

Legend: walk the walk; node the operator; inputs what its names stand for, None where one is left
out; data the codes or values, x the values that a product reads; scale and zero constants, None for a zero that is left
out; kind the number of an element type.
"""

from __future__ import annotations

from collections.abc import Sequence

from npquant.interop.onnx_in.attributes import constant, float_of, integer_of, quant_params
from npquant.interop.onnx_in.const import Const
from npquant.interop.onnx_in.constants import Inputs as Constants
from npquant.interop.onnx_in.float_nodes import fitted_bias
from npquant.interop.onnx_in.messages import Node
from npquant.interop.onnx_in.shapes import rows
from npquant.interop.onnx_in.tensors import FLOAT, INT32, type_name
from npquant.interop.onnx_in.tokens import Dequantize, DynamicProduct, Product, Quantize
from npquant.interop.onnx_in.values import Data, Dynamic, Known, Walk
from npquant.interop.steps import Activation, Head

Inputs = Sequence[Known | None]


def quantize(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    """QuantizeLinear of data."""
    if data.type != FLOAT:
        walk.refuse(node, f"quantizes {type_name(data.type)}; FLOAT is read")
    scale, zero = _two(inputs, 1)
    kind = integer_of(walk, node, "output_dtype", 0) or 2
    return quantized(walk, node, data, scale, zero, kind)


def _two(inputs: Inputs, at: int) -> tuple[Known | None, Known | None]:
    """Two inputs from `at` on, None where they are left out."""
    padded = [*inputs[at : at + 2], None, None]
    return padded[0], padded[1]


def quantized(walk: Walk, node: Node, data: Data, scale: Known | None, zero: Known | None, kind: int) -> Data:
    """What QuantizeLinear makes of data: codes of the zero point's type, of kind where there is none."""
    params = quant_params(walk, node, scale, zero, code_type=kind)
    return data.then(Quantize(node.place, params), type=kind if zero is None else constant(walk, node, zero, "").type)


def dequantized(walk: Walk, node: Node, data: Data, scale: Known | None, zero: Known | None) -> Data:
    """What DequantizeLinear makes of codes."""
    params = quant_params(walk, node, scale, zero, code_type=data.type)
    if isinstance(zero, Const) and zero.type != data.type:
        walk.refuse(node, f"its zero point is {type_name(zero.type)} and its codes {type_name(data.type)}")
    return data.then(Dequantize(node.place, params), type=FLOAT)


def dequantize(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    """DequantizeLinear of data."""
    return dequantized(walk, node, data, *_two(inputs, 1))


def fused(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data | None:
    """Return what an operator with its own quantization makes of codes, None if it is not one that is read."""
    match node.op:
        case "QGemm":
            return _qgemm(walk, node, inputs, data)
        case "QLinearMatMul":
            return _qlinear_matmul(walk, node, inputs, data)
        case "QLinearSigmoid" | "QLinearSoftmax":
            x = dequantized(walk, node, data, *_two(inputs, 1))
            if node.op == "QLinearSigmoid":
                step: Activation | Head = Activation(node.place, "sigmoid")
            else:
                axis = integer_of(walk, node, "axis", -1)
                if axis not in (-1, 1) or len(next(iter(data.shapes.values()))) != 2:
                    walk.refuse(node, f"works along axis {axis}; the last of (B, C) is read")
                step = Head(node.place, "softmax")
            return quantized(walk, node, x.then(step), *_two(inputs, 3), kind=2)
    return None


def weights_of(walk: Walk, node: Node, codes: Const, scale: Known | None, zero: Known | None, axis: int) -> Const:
    """Codes with their scale and zero point, as DequantizeLinear would give them; axis is that of N."""
    s = constant(walk, node, scale, "scale of the weights")
    z = None if zero is None else constant(walk, node, zero, "zero point of the weights")
    if codes.scale is not None or s.type != FLOAT or s.scale is not None:
        walk.refuse(node, "its weights must be codes, and their scale FLOAT")
    if z is not None and z.type != codes.type:
        walk.refuse(node, f"its zero point is {type_name(z.type)} and its codes {type_name(codes.type)}")
    n = codes.array.shape[axis] if codes.array.ndim == 2 else 0
    if not n or any(c is not None and (c.array.size not in (1, n) or c.array.ndim > 1) for c in (s, z)):
        walk.refuse(node, f"its weights have shape {codes.array.shape}, with other scales or zero points")
    return Const(codes.array, FLOAT, s.array, None if z is None else z.array, axis, codes.type, codes.low, codes.high)


def _qgemm(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    if inputs[0] is not data or len(inputs) < 6:
        walk.refuse(node, "takes the data, weights, their scales and zero points")
    if integer_of(walk, node, "transA", 0) or float_of(walk, node, "alpha", 1.0) != 1.0:
        walk.refuse(node, "has transA or an alpha; neither is read")
    turned = integer_of(walk, node, "transB", 0) != 0
    w = weights_of(walk, node, constant(walk, node, inputs[3], "weights"), *_two(inputs, 4), axis=0 if turned else 1)
    c = inputs[6] if len(inputs) > 6 else None
    product = Product(node.place, w, None, turned)
    if c is not None:
        bias = constant(walk, node, c, "bias")
        if bias.type != INT32:
            walk.refuse(node, f"its bias is {type_name(bias.type)}; INT32 is read")
        product = product._replace(b=fitted_bias(walk, node, bias, product.shape[1]))
    y = product_of(walk, node, dequantized(walk, node, data, *_two(inputs, 1)), product)
    scale, zero = _two(inputs, 7)
    return y if scale is None else quantized(walk, node, y, scale, zero, kind=data.type)


def _qlinear_matmul(walk: Walk, node: Node, inputs: Inputs, data: Data) -> Data:
    if inputs[0] is not data or len(inputs) != 8:
        walk.refuse(node, "takes the data on the left, and eight inputs")
    w = weights_of(walk, node, constant(walk, node, inputs[3], "weights"), *_two(inputs, 4), axis=1)
    x = dequantized(walk, node, data, *_two(inputs, 1))
    y = product_of(walk, node, x, Product(node.place, w, None, turned=False))
    return quantized(walk, node, y, *_two(inputs, 6), kind=2)


def product_of(walk: Walk, node: Node, x: Data, product: Product) -> Data:
    """What a product makes of x: rows of as many values as its weights have columns."""
    n = product.shape[1]
    return x.then(product, shapes={batch: (batch, n) for batch in rows(walk, node, x)})


def dynamic_node(walk: Walk, node: Node, inputs: Inputs) -> Known | None:
    """Return what is made of a scale that the input itself chooses, None if it is not one of the known forms.

    MatMulInteger, Cast, Mul by the product of both scales; or onnxruntime's MatMulIntegerToFloat.
    """
    dynamic = next((i for i in inputs if isinstance(i, Dynamic)), None)
    if dynamic is None:
        return None
    kinds = [i.kind if isinstance(i, Dynamic) else "constant" if isinstance(i, Const) else "" for i in inputs]
    same = all(i.x is dynamic.x for i in inputs if isinstance(i, Dynamic))
    first, second = inputs[0], inputs[1] if len(inputs) > 1 else None
    match node.op, kinds:
        case "MatMulInteger", ["codes", "constant", "zero", *_] if same:
            zero = inputs[3] if len(inputs) > 3 else None
            return Dynamic("sum", dynamic.x, constant(walk, node, second, "weights"), _optional(walk, node, zero))
        case "Cast", ["sum"] if integer_of(walk, node, "to", 0) == FLOAT:
            return Dynamic("sum in floats", dynamic.x, dynamic.w, dynamic.zero)
        case "Mul", ["scale", "constant"] | ["constant", "scale"]:
            other = second if isinstance(second, Const) else first
            return Dynamic("scales", dynamic.x, scale=constant(walk, node, other, "scale of the weights"))
        case "Mul", ["sum in floats", "scales"] | ["scales", "sum in floats"] if same:
            total, scales = (first, second) if kinds[0] == "sum in floats" else (second, first)
            assert isinstance(total, Dynamic) and isinstance(scales, Dynamic)
            return dynamic_product(walk, node, dynamic.x, (total.w, scales.scale, total.zero, None))
        case "MatMulIntegerToFloat", ["codes", "constant", "scale", "constant", "zero", *_] if same:
            given = [_optional(walk, node, i) for i in [*inputs[5:7], None, None]]
            w, scale = (constant(walk, node, inputs[i], "weights") for i in (1, 3))
            return dynamic_product(walk, node, dynamic.x, (w, scale, given[0], given[1]))
    walk.refuse(node, "stands in a dynamically quantized product in a way that npquant does not read")


def _optional(walk: Walk, node: Node, value: Known | None) -> Const | None:
    return None if value is None else constant(walk, node, value, "zero point or bias")


def dynamic_product(walk: Walk, node: Node, x: Data, parts: Constants) -> Data:
    """One dynamic product of x: parts are the weights' codes, scale, zero point and the bias."""
    w, scale, zero, b = parts
    if w is None or scale is None or w.array.ndim != 2 or not w.array.size or w.scale is not None:
        walk.refuse(node, "its weights must be a matrix of codes, with a scale")
    if scale.type != FLOAT:
        walk.refuse(node, f"the scale of its weights is {type_name(scale.type)}; FLOAT is read")
    n = w.array.shape[1]
    bias = None if b is None else fitted_bias(walk, node, b, n)
    shapes = {batch: (batch, n) for batch in rows(walk, node, x)}
    return x.then(DynamicProduct(node.place, w, zero, scale, bias), shapes=shapes)
