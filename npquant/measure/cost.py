"""What the kinds of network have in common, asked in one way.

Legend: model a FloatMLP or IntegerMLP; results are one number a layer, or a sum over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.integer.mlp import IntegerMLP
from npquant.integer.weight_width import TERNARY
from npquant.nn.model import FloatMLP

Network = FloatMLP | IntegerMLP


def layer_weights(model: Network) -> tuple[NDArray[Any], ...]:
    """Weights (K, N) of each layer, as its sums see them: real, or codes less their zero point, so that 0 is nothing.

    >>> from npquant.nn.model import DenseLayer
    >>> layer_weights(FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),)))[0].shape
    (2, 2)
    """
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


def most_of_four(w: NDArray[Any]) -> int:
    """Find how many of four neighbouring inputs a neuron of w (K, N) uses at most: N of the pattern N:4, 0 to 4.

    Groups start at input 0, the last one may be smaller. 2 is what 2:4 hardware takes.

    >>> most_of_four(np.array([[1], [0], [2], [0], [3], [4]]))
    2
    """
    used = np.pad(w != 0, ((0, -len(w) % 4), (0, 0)))
    return int(used.reshape(-1, 4, w.shape[1]).sum(axis=1).max())


def executed_macs(model: Network) -> int:
    """Count the multiply-accumulates that one row takes, without those of zeros that an integer kernel skips.

    A dense product executes all.

    >>> from npquant.nn.model import DenseLayer
    >>> executed_macs(FloatMLP((DenseLayer(np.eye(3), np.zeros(3), "identity"),)))
    9
    """
    return model.executed_macs if isinstance(model, IntegerMLP) else model.macs


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


def multiply_accumulates(n_inputs: int, neurons: Sequence[int]) -> int:
    """M1. sum of K N over the layers: what a dense network executes a row, a zero weight like any other.

    n_inputs is K of the first layer, neurons N of each, all >= 1; ValueError if a width is below 1 or there is no
    layer.

    >>> multiply_accumulates(64, (64, 32, 10))
    6464
    """
    widths = (n_inputs, *neurons)
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"a network needs one layer or more of width >= 1, got widths {widths}")
    return sum(k * n for k, n in pairwise(widths))
