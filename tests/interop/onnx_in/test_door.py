"""What may stand before the first QuantizeLinear is read as `encode` computes it; the rest is refused by name."""

import numpy as np
import pytest

from npquant.files.format_error import FormatError
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.reading import decode_onnx
from npquant.interop.onnx_out.graph import TYPES, Graph, encode_model
from npquant.kernels.qparams import QuantParams

K = 3


def a_file(*steps: tuple[str, np.ndarray], scale: float = 1.0, clip: tuple[float, float] | None = None) -> bytes:
    """One quantized layer behind elementwise steps, and a Clip of the dequantized input where one is given."""
    graph, x = Graph(), "x"
    for i, (operator, values) in enumerate(steps):
        given = {"to": TYPES[str(values)]} if operator == "Cast" else {}
        inputs = (x,) if operator in ("Cast", "Round") else (x, graph.constant(f"c{i}", values))
        x = graph.node(operator, inputs, f"step{i}", given)
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


WIDE, SINGLE, ROUND = ("Cast", "float64"), ("Cast", "float32"), ("Round", None)


def test_door_reads_a_difference_and_a_quotient() -> None:
    """Sub is the offset, Div the scale of each feature."""
    mean, std = np.array([1.0, 2.0, -3.0]), np.array([0.5, 0.1, 3.0], np.float32)
    _, net = read(a_file(WIDE, ("Sub", mean), ("Div", std.astype(np.float64)), ROUND, SINGLE))
    assert np.array_equal(net.input_params.scale, std) and net.layers[0].x.scale == 1
    assert net.input_offset is not None and np.array_equal(net.input_offset, mean)
    x = np.random.default_rng(1).normal(size=(500, K)).astype(np.float32) * 20
    codes = np.clip(np.rint((x - mean) / std.astype(np.float64)), -128, 127)
    assert np.array_equal(net.encode(x), codes)


def test_door_reads_a_difference_alone() -> None:
    """A float32 Sub is the offset too: rounding a float64 difference once more changes nothing."""
    mean = np.array([1.0, 2.0, -3.0], np.float32)
    _, net = read(a_file(("Sub", mean), scale=0.5))
    assert net.input_offset is not None and np.array_equal(net.input_offset, mean)


def test_door_reads_a_clip_as_a_narrower_interval() -> None:
    """Between two quantizers of one scale, it is the interval of the codes."""
    _, net = read(a_file(scale=0.5, clip=(-4.0, 3.5)))
    assert net.input_params == QuantParams(0.5, 0, -8, 7)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (a_file(WIDE, ("Div", np.full(K, 2.0)), ROUND, SINGLE, scale=0.5), "node 'step1'.*QuantizeLinear of scale 1"),
        (a_file(("Div", np.full(K, 2, np.float32))), "node 'step0'.*in DOUBLE a Div and Round"),
        (a_file(("Div", np.full(K, 2, np.float32)), ROUND), "node 'step1'.*by their own scale"),
        (a_file(("Div", np.ones(K, np.float32) * 2), ("Sub", np.ones(K, np.float32))), "before they are quantized"),
        (a_file(("Sub", np.ones(K + 1, np.float32))), "node 'step0'"),
        (a_file(WIDE, ("Div", np.array([1.0, -2, 1])), ROUND, SINGLE), "scale"),
        (a_file(WIDE, ("Div", np.array([1.0, 0, 1])), ROUND, SINGLE), "node 'step1'"),
        (a_file(clip=(3.0, 3.0)), "node 'clip'"),
    ],
)
def test_door_refuses_by_name(data: bytes, word: str) -> None:
    """Two roundings, another order, other shapes, scales that are none."""
    with pytest.raises(FormatError, match=word):
        read(data)
