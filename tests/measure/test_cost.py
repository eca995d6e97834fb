"""Laws of what a network costs: work and bytes as they are executed and stored."""

from pathlib import Path

import numpy as np
import pytest

from npquant.compression.rounding.uniform import quantize_uniform
from npquant.files.storage import encode_model, save
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.measure.cost import Network, executed_macs, most_of_four, nonzero_weights, stored_bytes, weight_widths
from npquant.nn.model import DenseLayer, FloatMLP


def drawn_net() -> FloatMLP:
    rng = np.random.default_rng(0)
    shapes = ((3, 4, "relu"), (4, 2, "identity"))
    return FloatMLP(tuple(DenseLayer(rng.normal(size=(k, n)), rng.normal(size=n), name) for k, n, name in shapes))


def both() -> tuple[Network, Network]:
    net = drawn_net()
    return net, quantize_uniform(net, np.random.default_rng(1).uniform(0, 1, (20, 3)), 8)


def test_macs_count_products() -> None:
    """M1. MACs are the products that the plain loops execute, of both kinds of network."""
    products = len([1 for k, n in ((3, 4), (4, 2)) for _ in range(k) for _ in range(n)])
    for net in both():
        assert net.macs == executed_macs(net) == products


@pytest.mark.parametrize("encoding", ["auto", "dense"])
def test_stored_bytes_is_the_length_of_the_file(encoding: str, tmp_path: Path) -> None:
    """What reports state as bytes is what stands on the disk; a float network has one encoding."""
    for net in both():
        given = "auto" if isinstance(net, FloatMLP) else encoding
        save(net, tmp_path / "net.npz", given)
        assert stored_bytes(net, given) == (tmp_path / "net.npz").stat().st_size


def test_nonzero_weights_and_patterns_are_counted() -> None:
    """A zero code is the zero point; groups of four start at input 0, the last may be smaller."""
    w = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [3.0, 1.0]])
    net = FloatMLP((DenseLayer(w, np.zeros(2), "identity"),))
    assert nonzero_weights(net) == (4,)
    assert nonzero_weights(quantize_uniform(net, np.ones((4, 5)), 8)) == (4,)
    assert most_of_four(w) == 2


def test_dynamic_and_unsigned_networks_are_asked_in_the_same_way() -> None:
    """Nonzero weights are those that differ from their zero point; bytes are the file's."""
    w = QuantParams(0.5, 3, 0, 255)
    codes = np.array([[1, 3], [200, 3]], np.uint8)
    dynamic = DynamicMLP((DynamicLayer(codes, w, [0.0, 0.0], "identity"),))
    p = QuantParams(0.5, 3, 0, 255)
    integer = IntegerMLP((IntegerLayer(codes, np.zeros(2, np.int32), p, w, None, "identity"),), p)
    for net in (dynamic, integer):
        assert nonzero_weights(net) == (2,) and executed_macs(net) == net.macs == 4
        assert weight_widths(net) == (8,) and stored_bytes(net) == len(encode_model(net))
