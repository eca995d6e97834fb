"""An IntegerMLP as ONNX: its integers as they are, in one of three forms.

qdq        DequantizeLinear, Gemm, QuantizeLinear: float by the letter; onnxruntime fuses it into integers
qoperator  com.microsoft QGemm, which onnxruntime alone has: the standard QLinearMatMul takes no bias
integer    MatMulInteger, Add, Cast, Mul, QuantizeLinear: standard, the same codes in every runtime, fused or not

In each, acc M is rounded half to even and moved to the zero point, M = f32(f32(sx sw) / sy): profile "ort".

Legend: graph what is written so far; x its codes before layer i; layer an IntegerLayer; w what is stored of its
weights; model, form, head and weights as in `to_onnx`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.onnx_out.codes import Codes, add_clip, add_table, codes_of, dequantize, quantize
from npquant.interop.onnx_out.float_graph import add_head
from npquant.interop.onnx_out.graph import CONTRIB, TYPES, Graph, encode_model
from npquant.interop.onnx_out.integer_weights import Stored, stored
from npquant.kernels.multiplier import scale_product_float32
from npquant.kernels.qparams import QuantParams


def encode_integer(model: IntegerMLP, head: str, form: str, weights: str) -> bytes:
    """Real values in and out: quantizing the inputs and dequantizing the outputs is part of the file."""
    _refuse(model, form)
    held = [
        stored(layer.w_q, layer.w.zero_point, weights, exact=form != "qdq" and layer.x.dtype == np.int8)
        for layer in model.layers
    ]
    # DequantizeLinear takes INT4 from operator set 21 on.
    graph = Graph(21 if any(w.packed for w in held) else 19)
    layers = _layers(model)
    x = _door(graph, model, layers[0].x, form)
    for i, (layer, w) in enumerate(zip(layers, held, strict=True)):
        y = FORMS[form](graph, x, layer, i, w)
        if isinstance(y, str):
            break  # the last layer, whose outputs are real
        x = add_clip(graph, y, *layer.code_range, form, f"y{i}")
        if layer.code_table is not None:
            x = add_table(graph, x, layer.output, layer.activation, layer.code_table, form, f"table{i}")
    real = _ends(graph, model, y if isinstance(y, str) else dequantize(graph, x, "logits"))
    properties = {
        "npquant.form": form,
        "npquant.head": head,
        "npquant.profile": model.profile.name,
        "npquant.weight_bits": ",".join(str(bits) for bits in model.weight_bits),
    }
    outputs = (add_head(graph, real, head), "float32", model.neurons[-1])
    return encode_model(graph, ("x", "float32", model.n_inputs), outputs, properties)


def _refuse(model: IntegerMLP, form: str) -> None:
    for i, layer in enumerate(model.layers):
        for name, params in (("x", layer.x), ("y", layer.y), ("pre", layer.pre)):
            if params is not None and params.dtype not in (np.int8, np.uint8):
                raise ValueError(
                    f"layer {i}: {name} has {params.dtype} codes; ONNX is written with 8-bit codes alone: its integer "
                    "products take no others, and a float one rounds sums of more than 24 bits"
                )
        if form == "qoperator" and layer.y is not None and layer.target.dtype != layer.x.dtype:
            raise ValueError(f"layer {i}: QGemm keeps {layer.x.dtype} codes; the outputs are {layer.target.dtype}")


def _layers(model: IntegerMLP) -> tuple[IntegerLayer, ...]:
    """Where the inputs have a scale a feature, they are divided by it, and layer 0's x has scale 1: M is the same.

    f32(1 f32(sx sw)) = f32(sx sw). onnxruntime fuses no layer whose QuantizeLinear has more than one scale.
    """
    if not np.ndim(model.input_params.scale):
        return model.layers
    first = model.layers[0]
    x = dataclasses.replace(first.x, scale=np.float32(1))
    w = dataclasses.replace(first.w, scale=scale_product_float32(first.x.scale, first.w.scale))
    return (dataclasses.replace(first, x=x, w=w), *model.layers[1:])


def _door(graph: Graph, model: IntegerMLP, params: QuantParams, form: str) -> Codes:
    """Quantize the inputs: minus the offset, by one scale or one a feature, inside the interval."""
    x, scales = "x", model.input_params.scale
    if model.input_offset is not None or np.ndim(scales):
        # As `encode` does: in float64, from which a difference is rounded to float32 once, a quotient to its code.
        x = graph.node("Cast", (x,), "x_wide", {"to": TYPES["float64"]})
        if model.input_offset is not None:
            x = graph.node("Sub", (x, graph.constant("offset", np.array(model.input_offset))), "x_centred")
        if np.ndim(scales):
            x = graph.node("Div", (x, graph.constant("scales", np.array(scales, np.float64))), "x_scaled")
            x = graph.node("Round", (x,), "x_steps")
        x = graph.node("Cast", (x,), "x_single", {"to": TYPES["float32"]})
    codes = quantize(graph, x, codes_of(graph, "", params, "x"), "x_codes")
    return add_clip(graph, codes, params.qmin, params.qmax, form, "x")


def _ends(graph: Graph, model: IntegerMLP, real: str) -> str:
    """Times the outputs' factors plus their offset, as `decode` does: in float64, rounded to float32 once."""
    if model.output_factor is None and model.output_offset is None:
        return real
    real = graph.node("Cast", (real,), "y_wide", {"to": TYPES["float64"]})
    if model.output_factor is not None:
        real = graph.node("Mul", (real, graph.constant("factors", np.array(model.output_factor))), "y_scaled")
    if model.output_offset is not None:
        real = graph.node("Add", (real, graph.constant("y_offset", np.array(model.output_offset))), "y_moved")
    return graph.node("Cast", (real,), "y", {"to": TYPES["float32"]})


def _qdq(graph: Graph, x: Codes, layer: IntegerLayer, i: int, w: Stored) -> Codes | str:
    channels = {"axis": 1} if layer.w.per_channel else {}
    real = dequantize(graph, x, f"x{i}")
    w_real = graph.node("DequantizeLinear", _weights(graph, layer, i, w), f"w{i}", channels)
    scale = graph.constant(f"bias{i}.scale", scale_product_float32(layer.x.scale, layer.w.scale))
    codes = graph.constant(f"bias{i}.codes", layer.bias)
    b_real = graph.node("DequantizeLinear", (codes, scale), f"bias{i}", {"axis": 0} if channels else {})
    y = graph.node("Gemm", (real, w_real, b_real), f"gemm{i}")
    return _ended(graph, y, layer, i)


def _ended(graph: Graph, y: str, layer: IntegerLayer, i: int) -> Codes | str:
    """Quantize, behind a Relu where the type's least code is 0: what it clamps, QuantizeLinear saturates."""
    if layer.y is None:
        return _real(graph, y, layer, i)
    target = layer.target
    if layer.activation == "relu" and target.zero_point == np.iinfo(target.dtype).min:
        y = graph.node("Relu", (y,), f"relu{i}")
    return quantize(graph, y, codes_of(graph, "", target, f"y{i}"), f"y{i}_codes")


def _real(graph: Graph, y: str, layer: IntegerLayer, i: int) -> str:
    return graph.node("Relu", (y,), f"relu{i}") if layer.activation == "relu" else y


def _qoperator(graph: Graph, x: Codes, layer: IntegerLayer, i: int, w: Stored) -> Codes | str:
    operands = (x.q, x.scale, x.zero_point, *_weights(graph, layer, i, w))
    biased = (*operands, graph.constant(f"bias{i}", layer.bias))
    if layer.y is None:
        return _real(graph, graph.node("QGemm", biased, f"y{i}", {"alpha": 1.0}, CONTRIB), layer, i)
    y = codes_of(graph, f"y{i}_codes", layer.target, f"y{i}")
    graph.node("QGemm", (*biased, y.scale, y.zero_point), y.q, {"alpha": 1.0}, CONTRIB)
    return y


def _integer(graph: Graph, x: Codes, layer: IntegerLayer, i: int, w: Stored) -> Codes | str:
    codes, scale, zero = _weights(graph, layer, i, w)
    acc = graph.node("MatMulInteger", (x.q, codes, x.zero_point, zero), f"product{i}")
    acc = graph.node("Add", (acc, graph.constant(f"bias{i}", layer.bias)), f"acc{i}")
    real = graph.node("Cast", (acc,), f"acc{i}.real", {"to": TYPES["float32"]})
    # Of constants: every runtime computes f32(f32(sx sw) / sy) once.
    m = graph.node("Mul", (x.scale, scale), f"scales{i}")
    if layer.y is None:
        return _real(graph, graph.node("Mul", (real, m), f"y{i}"), layer, i)
    y = codes_of(graph, f"y{i}_codes", layer.target, f"y{i}")
    steps = graph.node("Mul", (real, graph.node("Div", (m, y.scale), f"m{i}")), f"steps{i}")
    one = graph.constant(f"one{i}", np.array(1, np.float32))
    graph.node("QuantizeLinear", (steps, one, y.zero_point), y.q)
    return y


FORMS: Final[MappingProxyType[str, Callable[[Graph, Codes, IntegerLayer, int, Stored], Codes | str]]] = (
    MappingProxyType({"qdq": _qdq, "qoperator": _qoperator, "integer": _integer})
)


def _weights(graph: Graph, layer: IntegerLayer, i: int, w: Stored) -> tuple[str, str, str]:
    """Name the codes (K, N), their scale and their zero point, one of each an output or one for all."""
    n = layer.shape[1:] if layer.w.per_channel else ()
    zero = np.broadcast_to(w.zero_point, n).copy()
    return (
        graph.constant(f"w{i}.codes", w.w_q, w.packed),
        graph.constant(f"w{i}.scale", np.broadcast_to(layer.w.scale, n).copy()),
        graph.constant(f"w{i}.zero_point", zero, w.packed),
    )
