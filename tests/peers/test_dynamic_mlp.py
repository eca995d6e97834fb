"""A DynamicMLP under an ONNX engine's profile is that engine on its own quantizer's graph, bit for bit."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.profiles import get
from tests.peers import adversarial, engines_onnx_reference, machine
from tests.peers import engines_onnxruntime as ENGINE
from tests.peers.comparison import differing, require_equal

pytestmark = pytest.mark.peer
ENGINES: dict[str, Any] = {"ort": ENGINE, "onnx_ref": engines_onnx_reference}


def network(rng: np.random.Generator, profile: str, kind: str, *, per_channel: bool) -> DynamicMLP:
    """Draw three layers with weights of a kind; uint8 ones have zero points."""
    info, widths = np.iinfo(kind), (int(rng.integers(1, 130)), 33, 16, 5)
    layers = []
    for i, (k, n) in enumerate(pairwise(widths)):
        scale = rng.uniform(1e-4, 1e-2, n if per_channel else ())
        zero = rng.integers(info.min, info.max, np.shape(scale)) if kind == "uint8" else 0
        w = QuantParams(scale, zero, int(info.min), int(info.max))
        w_q = adversarial.codes(rng, (k, n), kind)
        layers.append(DynamicLayer(w_q, w, rng.normal(size=n).astype(np.float32), "relu" if i < 2 else "identity"))
    return DynamicMLP(tuple(layers), "batch", get(profile))


def graph(net: DynamicMLP, rows: int) -> bytes:
    """Write the graph: for each layer the five nodes of the quantizer, its bias, and its relu."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, value = [], [], "x"
    for i, layer in enumerate(net.layers):
        scale = np.asarray(layer.w.scale, np.float32)
        zero = np.broadcast_to(np.asarray(layer.w.zero_point), scale.shape).astype(layer.w_q.dtype)
        arrays = {f"w{i}": layer.w_q, f"sw{i}": scale, f"zw{i}": zero, f"b{i}": layer.b}
        constants += [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        nodes += [
            helper.make_node("DynamicQuantizeLinear", [value], [f"q{i}", f"sx{i}", f"zx{i}"]),
            helper.make_node("MatMulInteger", [f"q{i}", f"w{i}", f"zx{i}", f"zw{i}"], [f"acc{i}"]),
            helper.make_node("Cast", [f"acc{i}"], [f"real{i}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"sx{i}", f"sw{i}"], [f"scale{i}"]),
            helper.make_node("Mul", [f"real{i}", f"scale{i}"], [f"product{i}"]),
            helper.make_node("Add", [f"product{i}", f"b{i}"], [f"z{i}"]),
        ]
        value = f"z{i}"
        if layer.activation == "relu":
            nodes.append(helper.make_node("Relu", [value], [f"a{i}"]))
            value = f"a{i}"
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, net.n_inputs])]
    outputs = [helper.make_tensor_value_info(value, TensorProto.FLOAT, None)]
    made = helper.make_graph(nodes, "dynamic", inputs, outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("profile", ENGINES)
@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic_network_equals_engine(profile: str, kind: str, per_channel: bool) -> None:
    """Any number of rows, ranges and zero points; npquant's own codes, from the same ranges, are others."""
    engine, rng, compared, killed = ENGINES[profile], np.random.default_rng(91), 0, 0
    exact = profile == "onnx_ref" or machine.sums_pairs_exactly()
    for rows in (1, 2, 7, 33, 64, 300, 500, 777):
        for spread in (0.01, 1.0, 100.0):
            net = network(rng, profile if exact else "ort_pair16", kind, per_channel=per_channel)
            x: NDArray[np.float32] = (rng.normal(size=(rows, net.n_inputs)) * spread).astype(np.float32)
            got = engine.run(graph(net, rows), {"x": x})[0]
            compared += require_equal(engine, got, net.logits(x), case=(rows, spread))
            killed += int(differing(got, DynamicMLP(net.layers, "batch").logits(x)).sum())
    assert compared >= 25_000 and killed > 0
