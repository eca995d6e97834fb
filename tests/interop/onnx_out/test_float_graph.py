"""A float network as ONNX is the same network in float32, to within what float32 sums may be off."""

from pathlib import Path

import numpy as np
import pytest

from npquant.interop.consumers.onnxruntime import run_onnxruntime, version_onnxruntime
from npquant.interop.onnx_out.float_graph import add_activation, encode_float
from npquant.interop.onnx_out.graph import Graph
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.workflow.float_bound import float_bound

needs_onnxruntime = pytest.mark.skipif(version_onnxruntime() is None, reason="onnxruntime is not installed")


def network(activations: list[str], rng: np.random.Generator, *, depth: int = 40) -> FloatMLP:
    """Draw a network of small layers."""
    sizes = [depth, *rng.integers(1, 40, len(activations))]
    return FloatMLP(
        [
            DenseLayer(
                (rng.normal(size=(k, n)) / np.sqrt(k)).astype(np.float32), rng.normal(size=n).astype(np.float32), a
            )
            for k, n, a in zip(sizes, sizes[1:], activations, strict=False)
        ]
    )


@pytest.mark.peer
@needs_onnxruntime
@pytest.mark.parametrize("head", ["none", "softmax", "logsoftmax", "logistic"])
def test_encode_float_is_within_the_derived_bound(head: str, tmp_path: Path) -> None:
    """onnxruntime's float32 answers lie within the bound of the float64 network, every activation and head."""
    rng, compared = np.random.default_rng(7), 0
    for activation in ACTIVATIONS:
        for depth in (1, 40, 1000):
            net = network([activation, activation, "identity" if head != "none" else activation], rng, depth=depth)
            path = tmp_path / "net.onnx"
            path.write_bytes(encode_float(net, head, "float32"))
            x = (rng.normal(size=(300, depth)) * 10.0 ** rng.integers(-3, 3, (300, 1))).astype(np.float32)
            expected, bound = float_bound(net, x, head)
            answered = run_onnxruntime(path, x)
            assert answered.dtype == np.float32 and answered.shape == expected.shape
            assert (np.abs(answered - expected) <= bound).all(), activation
            compared += answered.size
    assert compared >= 25_000


@pytest.mark.peer
def test_encode_float_is_what_the_checker_accepts() -> None:
    """onnx.checker takes every activation and head, and the bytes are the same every time."""
    onnx = pytest.importorskip("onnx")
    for activation in ACTIVATIONS:
        net = network([activation, "identity"], np.random.default_rng(1))
        for head in ("none", "softmax", "logsoftmax", "logistic"):
            data = encode_float(net, head, "float32")
            onnx.checker.check_model(data, full_check=True)
            assert data == encode_float(net, head, "float32")
            stored = onnx.load_from_string(data)
            assert (stored.producer_name, stored.graph.node[0].op_type) == ("npquant", "Gemm")


def test_add_activation_refuses_the_unknown_by_name() -> None:
    """An activation that ONNX is not written with is named."""
    with pytest.raises(ValueError, match=r"activation3: .*'gelu'"):
        add_activation(Graph(), "x", "gelu", "activation3", "float32")


def test_encode_float_refuses_what_float32_cannot_hold() -> None:
    """A number beyond float32 is no infinity in the file."""
    net = FloatMLP([DenseLayer(np.array([[1e39]]), np.zeros(1), "identity")])
    with pytest.raises(ValueError, match="layer 0: holds numbers that are not finite in float32"):
        encode_float(net, "none", "float32")
