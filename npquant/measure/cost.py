"""What a network costs: weights, their bits, multiply-accumulates, bytes. Every kind of network is asked in one way.

M1 (work)         MACs of one row = sum over layers of K N: the products that the layers' shapes stand for

Legend: model a float, an integer or a dynamic network; w weights of a layer, (K, N) of K inputs and N outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.files.facts import Facts
from npquant.files.storage import encode_model
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.mlp import IntegerMLP
from npquant.integer.weight_width import TERNARY
from npquant.nn.model import FloatMLP

Network = FloatMLP | IntegerMLP | DynamicMLP


def layer_weights(model: Network) -> tuple[NDArray[Any], ...]:
    """Return the weights of each layer, as its sums see them: real, or codes less their zero point; 0 is no weight."""
    if isinstance(model, FloatMLP):
        return tuple(layer.w for layer in model.layers)
    return tuple(layer.centred_weights for layer in model.layers)


def nonzero_weights(model: Network) -> tuple[int, ...]:
    """Count the weights of each layer that are not 0.

    >>> from npquant.nn.model import DenseLayer
    >>> nonzero_weights(FloatMLP((DenseLayer(np.eye(3), np.zeros(3), "identity"),)))
    (3,)
    """
    return tuple(int(np.count_nonzero(w)) for w in layer_weights(model))


def filled_zeros(before: Network, after: Network) -> int:
    """Count the weights that are 0 in the network `before` and not in that `after`, of the same shapes.

    >>> from npquant.nn.model import DenseLayer
    >>> one, two = (FloatMLP((DenseLayer(w, np.zeros(2), "identity"),)) for w in (np.eye(2), np.ones((2, 2))))
    >>> filled_zeros(one, two), filled_zeros(two, one)
    (2, 0)
    """
    pairs = zip(layer_weights(before), layer_weights(after), strict=True)
    return sum(int(np.count_nonzero((w == 0) & (v != 0))) for w, v in pairs)


def most_of_four(w: NDArray[Any]) -> int:
    """Find how many of four neighbouring inputs a neuron uses at most: N of the pattern N:4, 0 to 4.

    Groups start at input 0, the last one may be smaller; 2 is what 2:4 hardware takes.

    >>> most_of_four(np.array([[1], [0], [2], [0], [3], [4]]))
    2
    """
    used = np.pad(w != 0, ((0, -len(w) % 4), (0, 0)))
    return int(used.reshape(-1, 4, w.shape[1]).sum(axis=1).max())


def executed_macs(model: Network) -> int:
    """Count the multiply-accumulates that one row takes: M1 less zeros that an integer network's sparse kernel skips.

    >>> from npquant.nn.model import DenseLayer
    >>> executed_macs(FloatMLP((DenseLayer(np.eye(3), np.zeros(3), "identity"),)))
    9
    """
    return model.executed_macs if isinstance(model, IntegerMLP) else model.macs


def stored_bytes(model: FloatMLP | IntegerMLP, encoding: str = "auto", facts: Facts | None = None) -> int:
    """Return the length of the npz file that `save` writes, with `encoding` of the weights and `facts` as there."""
    return len(encode_model(model, encoding, facts=facts))


def weight_widths(model: Network) -> tuple[int | str, ...]:
    """Name the width of each layer's weights: bits of the float type, or those that codes were asked for (W5).

    A grid of -1, 0 and 1 is "ternary".

    >>> from npquant.nn.model import DenseLayer
    >>> weight_widths(FloatMLP((DenseLayer(np.eye(3), np.zeros(3), "identity"),)))
    (64,)
    """
    if isinstance(model, FloatMLP):
        return tuple(8 * layer.w.dtype.itemsize for layer in model.layers)
    return tuple("ternary" if (y.w.qmin, y.w.qmax) == TERNARY else y.weight_bits for y in model.layers)
