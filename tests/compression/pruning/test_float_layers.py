"""What both kinds of pruning do with a float network: names, rows and dtypes are checked once, at the door."""

import numpy as np
import pytest

from npquant.compression.pruning.float_layers import check_choices, checked_forward, in_dtype, layer_outputs
from npquant.nn.model import DenseLayer, FloatMLP

LAYERS = (
    DenseLayer(np.array([[1.0, -2.0]], np.float32), np.array([0.5, 0.0], np.float32), "relu"),
    DenseLayer(np.array([[3.0], [1e30]], np.float32), np.zeros(1, np.float32), "identity"),
)


def test_checked_forward_holds_every_layer_in_the_networks_dtype() -> None:
    """The rows as the network reads them, z and a of every layer, from one pass; float32 stays float32."""
    cache = checked_forward(FloatMLP(LAYERS), [[2.0], [4.0]])
    assert [z.tolist() for z in cache.z] == [[[2.5, -4.0], [4.5, -8.0]], [[7.5], [13.5]]]
    assert cache.a[0].tolist() == [[2.5, 0.0], [4.5, 0.0]] and cache.dense[0][0].tolist() == [[2.0], [4.0]]
    assert {a.dtype for a in (*cache.z, *cache.a)} == {np.dtype(np.float32)}


def test_checked_forward_names_the_layer_that_overflows() -> None:
    """A layer that overflows in the network's own dtype is named, though float64 would hold it."""
    wide = FloatMLP(tuple(in_dtype(layer, np.dtype(np.float64)) for layer in LAYERS))
    with pytest.raises(ValueError, match="layer 1 overflows on the calibration rows; scale"):
        checked_forward(FloatMLP(LAYERS), [[-1e10]])
    assert np.isfinite(checked_forward(wide, [[-1e10]]).z[1]).all()


def test_layer_outputs_are_float64() -> None:
    """activation(a w + b), in float64 for a float32 layer too: 0.1 as float32 is not 0.1."""
    layer = DenseLayer(np.array([[0.1]], np.float32), np.zeros(1, np.float32), "relu")
    assert layer_outputs(layer, np.array([[1.0], [-1.0]])).tolist() == [[float(np.float32(0.1))], [0.0]]


def test_in_dtype_refuses_what_the_dtype_cannot_hold() -> None:
    """A weight beyond float32 is refused, and one below it rounds to 0, both without a warning."""
    large, small = (DenseLayer(np.array([[w]]), np.zeros(1), "relu") for w in (1e300, 1e-300))
    with pytest.raises(ValueError, match="finite"):
        in_dtype(large, np.dtype(np.float32))
    assert in_dtype(small, np.dtype(np.float32)).w[0, 0] == 0


def test_check_choices_lists_what_is_known() -> None:
    """The first unknown name is refused, with the names that are known."""
    check_choices(("colour", "red", ("red", "green")))
    with pytest.raises(ValueError, match="the size is 'tiny'; known are small, large"):
        check_choices(("colour", "red", ("red",)), ("size", "tiny", ("small", "large")))
