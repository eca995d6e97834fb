"""A table that codes look up is read as a table, and only where each code has its own entry."""

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.mlp import IntegerMLP
from npquant.interop.onnx_in.reading import decode_onnx
from npquant.interop.onnx_out.graph import TYPES, Graph, encode_model


def a_file(
    *, least: int = -128, entries: int = 256, divisor: float = 0.5, nodes: tuple[str, ...] = ("Div", "Round", "Cast")
) -> bytes:
    """A layer of one weight and a table behind it."""
    graph = Graph()
    s = graph.constant("s", np.array(0.5, np.float32)), graph.constant("z", np.array(0, np.int8))
    x = graph.node("DequantizeLinear", (graph.node("QuantizeLinear", ("x", *s), "q"), *s), "dq")
    w = graph.node("DequantizeLinear", (graph.constant("w", np.full((1, 1), 2, np.int8)), *s), "dqw")
    y = graph.node("QuantizeLinear", (graph.node("MatMul", (x, w), "product"), *s), "pre")
    y = graph.node("DequantizeLinear", (y, *s), "pre_real")
    constant = graph.constant("divisor", np.array(divisor, np.float32))
    for operator in nodes:
        inputs = (y, constant) if operator == "Div" else (y,)
        y = graph.node(operator, inputs, operator.lower(), {"to": TYPES["int32"]} if operator == "Cast" else {})
    y = graph.node("Sub", (y, graph.constant("least", np.array(least, np.int32))), "index")
    values = graph.constant("values", (np.arange(entries) % 7 * 0.5).astype(np.float32))
    y = graph.node("Gather", (values, y), "found")
    y = graph.node("DequantizeLinear", (graph.node("QuantizeLinear", (y, *s), "codes"), *s), "y")
    return encode_model(graph, ("x", "float32", 1), (y, "float32", 1), {})


def test_lookup_reads_a_table_of_codes() -> None:
    """The entry of code q is values[q + 128], as a code of the quantizer behind it."""
    net = decode_onnx(a_file(), "net.onnx", folder=None).model
    assert isinstance(net, IntegerMLP) and net.layers[0].activation == "table"
    assert np.array_equal(net.layers[0].code_table, np.arange(256) % 7)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (a_file(least=-127), "node 'found' .*looks up the entries -1 to 254 of 256"),
        (a_file(entries=255), "node 'found' .*looks up the entries 0 to 255 of 255"),
        (a_file(least=2**31 - 1), "node 'found' .*looks up"),
        (a_file(divisor=0.25), "node 'round' .*by their own scale"),
        (a_file(divisor=0.0), "node 'round'"),
        (a_file(nodes=("Round", "Cast")), "node 'round'"),
        (a_file(nodes=("Div", "Cast")), "node 'cast'"),
        (a_file(nodes=("Div", "Round")), "node 'index'"),
        (a_file(nodes=("Div", "Round", "Relu")), "node 'relu' .*the index of a table"),
    ],
)
def test_lookup_refuses_by_name(data: bytes, word: str) -> None:
    """Entries that are not there, other divisors, and chains that are another computation."""
    with pytest.raises(FormatError, match=word):
        decode_onnx(data, "net.onnx", folder=None)
