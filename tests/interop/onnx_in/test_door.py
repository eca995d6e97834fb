"""What may stand before the first QuantizeLinear is read as `encode` computes it; the rest is refused by name."""

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.reading import decode_onnx
from npquant.interop.onnx_out.graph import Graph, encode_model
from npquant.kernels.qparams import QuantParams

K = 3


def a_file(*steps: tuple[str, np.ndarray], scale: float = 1.0, clip: tuple[float, float] | None = None) -> bytes:
    """One quantized layer behind elementwise steps, and a Clip of the dequantized input where one is given."""
    graph, x = Graph(), "x"
    for i, (operator, values) in enumerate(steps):
        x = graph.node(operator, (x, graph.constant(f"c{i}", values)), f"step{i}")
    s = graph.constant("s", np.array(scale, np.float32)), graph.constant("z", np.array(0, np.int8))
    x = graph.node("DequantizeLinear", (graph.node("QuantizeLinear", (x, *s), "q"), *s), "dq")
    if clip is not None:
        ends = [graph.constant(f"end{i}", np.array(end, np.float32)) for i, end in enumerate(clip)]
        x = graph.node("QuantizeLinear", (graph.node("Clip", (x, *ends), "clip"), *s), "q2")
        x = graph.node("DequantizeLinear", (x, *s), "dq2")
    w = graph.node("DequantizeLinear", (graph.constant("w", np.ones((K, 2), np.int8)), *s), "dqw")
    y = graph.node("QuantizeLinear", (graph.node("MatMul", (x, w), "product"), *s), "y_codes")
    y = graph.node("DequantizeLinear", (y, *s), "y")
    return encode_model(graph, ("x", "float32", K), (y, "float32", 2), {})


def read(data: bytes) -> tuple[Imported, IntegerMLP]:
    """Read it as an integer network."""
    found = decode_onnx(data, "net.onnx", folder=None)
    assert isinstance(found.model, IntegerMLP)
    return found, found.model


def test_door_reads_a_difference_and_a_quotient() -> None:
    """Sub is the offset, Div the scale of each feature."""
    mean, std = np.array([1.0, 2.0, -3.0], np.float32), np.array([0.5, 0.1, 3.0], np.float32)
    _, net = read(a_file(("Sub", mean), ("Div", std)))
    assert np.array_equal(net.input_params.scale, std) and net.layers[0].x.scale == 1
    assert net.input_offset is not None and np.array_equal(net.input_offset, mean)
    x = np.random.default_rng(1).normal(size=(500, K)).astype(np.float32) * 20
    codes = np.clip(np.rint((x - mean) / std), -128, 127)
    assert np.array_equal(net.encode(x), codes)


def test_door_reads_a_clip_as_a_narrower_interval() -> None:
    """Between two quantizers of one scale, it is the interval of the codes."""
    _, net = read(a_file(scale=0.5, clip=(-4.0, 3.5)))
    assert net.input_params == QuantParams(0.5, 0, -8, 7)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (a_file(("Div", np.full(K, 2, np.float32)), scale=0.5), "node 'step0'.*if the QuantizeLinear's scale is 1"),
        (a_file(("Div", np.ones(K, np.float32) * 2), ("Sub", np.ones(K, np.float32))), "before the first Quantize"),
        (a_file(("Sub", np.ones(K + 1, np.float32))), "node 'step0'"),
        (a_file(("Div", np.array([1, -2, 1], np.float32))), "scale"),
        (a_file(("Div", np.array([1, 0, 1], np.float32))), "node 'step0'"),
        (a_file(clip=(3.0, 3.0)), "node 'clip'"),
    ],
)
def test_door_refuses_by_name(data: bytes, word: str) -> None:
    """Two roundings, another order, other shapes, scales that are none."""
    with pytest.raises(FormatError, match=word):
        read(data)
