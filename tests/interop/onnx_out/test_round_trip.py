"""Export, then import, gives the same integers: weights, biases and every answer."""

import dataclasses

import numpy as np
import pytest

from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.onnx_in.reading import decode_onnx
from npquant.interop.onnx_out.to_onnx import encode_onnx
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.profiles import get
from tests.interop.mutations import judge, mutated
from tests.interop.onnx_out.networks import KINDS, network, real_inputs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["qdq", "qoperator", "integer"])
def test_integer_network_comes_back(form: str, kind: str) -> None:
    """Whatever is clipped, looked up, divided or subtracted on the way; heads come back by name."""
    rng = np.random.default_rng([7, list(KINDS).index(kind)])
    for head in ("none", "softmax"):
        net = network(KINDS[kind], rng)
        found = decode_onnx(encode_onnx(net, form=form, head=head), "net.onnx", folder=None)
        assert isinstance(found.model, IntegerMLP) and found.head == head
        for one, two in zip(net.layers, found.model.layers, strict=True):
            assert np.array_equal(one.centred_weights, two.centred_weights) and np.array_equal(one.bias, two.bias)
        x = real_inputs(net, 300, rng)
        assert np.array_equal(found.run(x), Imported(net, head, (), "onnx").run(x))


def test_weights_come_back_from_four_bits() -> None:
    """Packed codes are the same codes."""
    net = network(KINDS["two_bits"], np.random.default_rng(3))
    found = decode_onnx(encode_onnx(net, weights="int4"), "net.onnx", folder=None).model
    assert isinstance(found, IntegerMLP)
    assert all(np.array_equal(a.w_q, b.w_q) for a, b in zip(net.layers, found.layers, strict=True))


@pytest.mark.parametrize("head", ["none", "softmax", "logsoftmax", "logistic"])
@pytest.mark.parametrize("activation", ["relu", "clipped_relu", "sigmoid", "tanh", "identity"])
def test_float_network_comes_back(activation: str, head: str) -> None:
    """Every float32 number, activation and head."""
    rng = np.random.default_rng(1)
    w, v = (rng.normal(size=shape).astype(np.float32) for shape in ((5, 4), (4, 3)))
    net = FloatMLP([DenseLayer(w, w[0, :4].copy(), activation), DenseLayer(v, v[0].copy(), "identity")])
    found = decode_onnx(encode_onnx(net, head=head), "net.onnx", folder=None)
    assert isinstance(found.model, FloatMLP) and found.head == head
    assert found.model.activation_names == net.activation_names
    for one, two in zip(net.layers, found.model.layers, strict=True):
        assert np.array_equal(one.w, two.w) and np.array_equal(one.b, two.b) and two.w.dtype == np.float32


def test_dynamic_network_of_an_engines_profile_comes_back() -> None:
    """DynamicQuantizeLinear is read as it was written."""
    rng = np.random.default_rng(2)
    w = QuantParams(rng.uniform(0.01, 0.1, 3), 0, -128, 127)
    layer = DynamicLayer(rng.integers(-60, 61, (4, 3)).astype(np.int8), w, rng.normal(size=3), "relu")
    net = DynamicMLP((layer,), "batch", get("ort"))
    found = decode_onnx(encode_onnx(net), "net.onnx", folder=None).model
    x = rng.normal(size=(20, 4)).astype(np.float32)
    assert isinstance(found, DynamicMLP) and np.array_equal(found.logits(x), net.logits(x))


@pytest.mark.parametrize("kind", ["tables", "features_and_offset", "four_bits"])
def test_a_damaged_export_is_refused_or_read(kind: str) -> None:
    """Whatever bytes are changed: a network, or the one error that names the file."""
    rng = np.random.default_rng(11)
    small = dataclasses.replace(KINDS[kind], sizes=(4,) + (3,) * len(KINDS[kind].activations))
    data = encode_onnx(network(small, rng), head="softmax")
    loaded = sum(
        judge(lambda b: decode_onnx(b, "net.onnx", folder=None), b, "net.onnx") for b in mutated(data, rng, 500)
    )
    assert loaded < 250
