"""The door of the ONNX export: what it writes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.interop.onnx_out.to_onnx import encode_onnx, to_onnx
from npquant.interop.recognition import format_of
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer, FloatMLP
from tests.interop.onnx_out.networks import KINDS, network

FLOATING = FloatMLP([DenseLayer(np.eye(2), np.zeros(2), "identity")])


def test_to_onnx_writes_what_encode_onnx_gives(tmp_path: Path) -> None:
    """The same bytes for every kind of network, known as ONNX by their content."""
    one = QuantParams(0.5, 0, -128, 127)
    dynamic = DynamicMLP((DynamicLayer(np.array([[1]], np.int8), one, [0.0], "identity"),))
    for model in (FLOATING, network(KINDS["plain"], np.random.default_rng(1)), dynamic):
        to_onnx(model, tmp_path / "net.onnx", head="softmax")
        data = (tmp_path / "net.onnx").read_bytes()
        assert data == encode_onnx(model, head="softmax") and format_of(data) == "onnx"


def test_encode_onnx_names_what_it_does_not_know() -> None:
    """A form, head or storage of weights that is none is named with those that are."""
    for name, value in (("form", "qdqs"), ("head", "argmax"), ("weights", "int2")):
        with pytest.raises(ValueError, match=f"{name} is '{value}'; it must be one of"):
            encode_onnx(FLOATING, **{name: value})


def test_encode_onnx_gives_a_choice_of_weights_to_qdq_alone() -> None:
    """Nothing is silently ignored: the choice is refused where it chooses nothing."""
    net = network(KINDS["plain"], np.random.default_rng(1))
    for model, form in ((FLOATING, "qdq"), (net, "qoperator"), (net, "integer")):
        with pytest.raises(ValueError, match="only an integer network of form 'qdq' has a choice"):
            encode_onnx(model, form=form, weights="int8")
