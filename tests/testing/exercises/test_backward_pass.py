"""The exercise on the backward pass: npquant's own pair passes, those that everybody writes do not."""

import numpy as np
from numpy.typing import NDArray

from npquant.nn.layers import network_backward, network_forward
from npquant.testing.exercises import check

Floats = NDArray[np.float64]


def by_npquant(x: Floats, w: Floats, b: Floats, da: Floats) -> Floats:
    """Run the hand-written passes of the house."""
    _, cache = network_forward(x, [(w, b)], ["clipped_relu"])
    return np.asarray(network_backward(da, cache, ["clipped_relu"])[0][0], np.float64)


def of_plain_relu(x: Floats, w: Floats, b: Floats, da: Floats) -> Floats:
    """Forget the upper bound."""
    return np.asarray(x.T @ (da * (x @ w + b > 0)))


def of_no_activation(x: Floats, w: Floats, b: Floats, da: Floats) -> Floats:
    """Forget the activation."""
    return np.asarray(x.T @ da)


def test_layer_gradient_passes_the_house() -> None:
    """F2 and F3 in matrices are what the sums over single entries say."""
    assert check("layer_gradient", by_npquant).right


def test_layer_gradient_kills_what_everybody_writes() -> None:
    """A bound or an activation left out is shown by one weight of one row."""
    for answer in (of_plain_relu, of_no_activation):
        mark = check("layer_gradient", answer)
        assert not mark.right and mark.words.startswith("([[1.0]], [[0.0]], [")
