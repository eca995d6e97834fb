"""What an importer returns: the network with what stood before and behind it in the file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.arrays import Float64
from npquant.interop.imported import Imported, apply_head
from npquant.nn.model import DenseLayer, FloatMLP

ROWS = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-700, 700))


@given(ROWS)
def test_heads_are_what_they_are_called(logits: Float64) -> None:
    """J3. Rows of a softmax sum to 1, log-softmax is its logarithm, a sigmoid and that of the negative sum to 1."""
    u = 2.0**-52
    soft, logs = apply_head(logits, "softmax"), apply_head(logits, "logsoftmax")
    n = logits.shape[1]
    assert np.all(np.abs(soft.sum(-1) - 1) <= 2 * n * u)
    # The argument's rounding, |z| u, is the relative error of the exponential.
    assert np.all(np.abs(np.exp(logs) - soft) <= (4 * n + 4 * 1400) * u * np.maximum(soft, 1e-300))
    assert np.all(np.abs(apply_head(logits, "logistic") + apply_head(-logits, "logistic") - 1) <= 4 * u)
    assert apply_head(logits, "none") is logits


def test_heads_neither_overflow_nor_warn() -> None:
    """Logits of 1e30 are 0, 1 and their logarithms, in float32."""
    z = np.array([[1e30, -1e30]], np.float32)
    assert apply_head(z, "softmax").tolist() == [[1.0, 0.0]] == apply_head(z, "logistic").tolist()
    logs = apply_head(z, "logsoftmax")
    assert logs.dtype == np.float32 and logs[0, 0] == 0 and np.isfinite(logs).all()


@pytest.mark.parametrize("head", ["none", "softmax", "logsoftmax", "logistic"])
def test_run_of_a_float_network_is_its_head(head: str) -> None:
    """run is the head of the logits."""
    net = FloatMLP([DenseLayer(np.eye(2), np.ones(2), "identity")])
    x = [[0.5, -2.0]]
    assert np.array_equal(Imported(net, head, (), "onnx").run(x), apply_head(net.logits(x), head))
