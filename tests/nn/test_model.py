"""The float network is read-only, breaks ties low, and refuses what cannot be right."""

from typing import Any

import numpy as np
import pytest

from npquant.nn.model import DenseLayer, FloatMLP


def layer(k: int, n: int, activation: str = "identity") -> DenseLayer:
    """Return a layer of ones."""
    return DenseLayer(np.ones((k, n)), np.zeros(n), activation)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DenseLayer(np.ones((2, 2), int), np.zeros(2, int), "relu"), TypeError, "both must be float32"),
        (lambda: DenseLayer(np.ones((2, 2)), np.zeros(3), "relu"), ValueError, r"\(K, N\) and \(N,\)"),
        (lambda: DenseLayer(np.full((2, 2), np.nan), np.zeros(2), "relu"), ValueError, r"nan at \(0, 0\)"),
        (lambda: layer(2, 2, "swish"), ValueError, "unknown activation"),
        (lambda: FloatMLP([]), ValueError, "no layers"),
        (lambda: FloatMLP([layer(2, 3, "relu"), layer(2, 1)]), ValueError, "layer 0 has 3 outputs but layer 1 takes 2"),
        (lambda: FloatMLP([layer(2, 3)]).logits([[1.0]]), ValueError, r"the network takes \(B, 2\)"),
        (lambda: FloatMLP([layer(2, 3)]).predict([[1.0, np.inf]]), ValueError, "inf at row 0, column 1"),
        (lambda: FloatMLP([layer(2, 3)]).predict([["a", "b"]]), TypeError, "real numbers"),
    ],
)
def test_model_names_what_is_wrong(make: Any, error: Any, message: str) -> None:
    """A network that cannot be right is refused when it is made or used."""
    with pytest.raises(error, match=message):
        make()


def test_model_is_read_only_and_breaks_ties_low() -> None:
    """Parameters are read-only copies; predict takes the lowest index among equal logits; an empty batch works."""
    w = np.ones((2, 3))
    net = FloatMLP([DenseLayer(w, np.zeros(3), "identity")])
    w[:] = 7
    assert net.predict([[1.0, 2.0]]).tolist() == [0] and net.logits([[1.0, 2.0]]).tolist() == [[3.0] * 3]
    with pytest.raises(ValueError):
        net.layers[0].w[0, 0] = 1
    assert net.predict(np.zeros((0, 2))).shape == (0,)
