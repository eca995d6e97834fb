"""A layer of MatMulInteger is read where its multiplier still says what it is made of; else it is refused by name."""

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.mlp import IntegerMLP
from npquant.interop.onnx_in.reading import decode_onnx
from npquant.interop.onnx_out.graph import TYPES, Graph, encode_model
from npquant.kernels.qparams import QuantParams

FLOAT32, INT32 = TYPES["float32"], TYPES["int32"]


def a_file(
    *,
    made: bool = True,
    scale: float = 1.0,
    to: int = FLOAT32,
    bias: object = np.int32(7),
    left: bool = False,
    op: str = "Mul",
) -> bytes:
    """One layer of one input: 0.5 (x_q - 3), weight 0.25 * 4, output 2 (y_q + 1)."""
    graph = Graph()
    sx, sw, sy = (graph.constant(f"s{k}", np.array(s, np.float32)) for k, s in (("x", 0.5), ("w", 0.25), ("y", 2)))
    zx, zw, zy = (graph.constant(f"z{k}", np.array(z, np.int8)) for k, z in (("x", 3), ("w", 0), ("y", -1)))
    q = graph.node("QuantizeLinear", ("x", sx, zx), "q")
    w = graph.constant("w", np.array([[4]], np.int8))
    acc = graph.node("MatMulInteger", (w, q, zw, zx) if left else (q, w, zx, zw), "product")
    acc = graph.node("Add", (acc, graph.constant("bias", np.array([bias]))), "sum")
    real = graph.node("Cast", (acc,), "real", {"to": to})
    m = graph.node("Div", (graph.node("Mul", (sx, sw), "scales"), sy), "m")
    if not made:
        m = graph.constant("number", np.array(0.0625, np.float32))
    steps = graph.node(op, (real, m), "steps")
    one = graph.constant("one", np.array(scale, np.float32))
    y = graph.node("QuantizeLinear", (steps, one, zy), "codes")
    y = graph.node("DequantizeLinear", (y, sy, zy), "y")
    return encode_model(graph, ("x", "float32", 1), (y, "float32", 1), {})


def test_sum_node_reads_a_layer() -> None:
    """Weights, bias and all three scales."""
    net = decode_onnx(a_file(), "net.onnx", folder=None).model
    assert isinstance(net, IntegerMLP)
    layer = net.layers[0]
    assert (layer.w_q.tolist(), layer.bias.tolist()) == ([[4]], [7])
    assert layer.x == QuantParams(0.5, 3, -128, 127) and layer.output == QuantParams(2.0, -1, -128, 127)
    assert layer.w.scale == 0.25


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (a_file(made=False), "node 'steps' .*made of sx, sw and sy"),
        (a_file(scale=2.0), "node 'codes' .*a QuantizeLinear of scale 1"),
        (a_file(to=INT32), "node 'real' .*Cast to FLOAT"),
        (a_file(bias=np.float32(7)), "node 'sum' .*not INT32"),
        (a_file(left=True), "node 'product' .*on the right"),
        (a_file(op="Sub"), "node 'steps' .*Add of INT32, Cast to FLOAT and Mul"),
    ],
)
def test_sum_node_refuses_by_name(data: bytes, word: str) -> None:
    """A multiplier that is one number, other scales, types and operators."""
    with pytest.raises(FormatError, match=word):
        decode_onnx(data, "net.onnx", folder=None)
