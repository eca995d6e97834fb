"""What the kinds of network have in common, asked in one way."""

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
    """Return the weights of each layer, as its sums see them.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.

    Returns
    -------
    tuple of ndarray, shapes (K, N)
        Real weights, or codes less their zero point: 0 where a weight is nothing.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer
    >>> layer_weights(FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),)))[0].shape
    (2, 2)
    """
    if isinstance(model, FloatMLP):
        return tuple(layer.w for layer in model.layers)
    return tuple(layer.centred_weights for layer in model.layers)


def nonzero_weights(model: Network) -> tuple[int, ...]:
    """Count the weights of each layer that are not 0.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.

    Returns
    -------
    tuple of int
        One a layer.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer
    >>> nonzero_weights(FloatMLP((DenseLayer(np.eye(3), np.zeros(3), "identity"),)))
    (3,)
    """
    return tuple(int(np.count_nonzero(w)) for w in layer_weights(model))


def most_of_four(w: NDArray[Any]) -> int:
    """Find how many of four neighbouring inputs a neuron uses at most: N of the pattern N:4.

    Parameters
    ----------
    w : ndarray, shape (K, N)
        Weights; groups start at input 0, the last one may be smaller.

    Returns
    -------
    int
        0 to 4; 2 is what 2:4 hardware takes.

    Examples
    --------
    >>> most_of_four(np.array([[1], [0], [2], [0], [3], [4]]))
    2
    """
    used = np.pad(w != 0, ((0, -len(w) % 4), (0, 0)))
    return int(used.reshape(-1, 4, w.shape[1]).sum(axis=1).max())


def executed_macs(model: Network) -> int:
    """Count the multiply-accumulates that one row takes.

    Parameters
    ----------
    model : FloatMLP or IntegerMLP
        The network.

    Returns
    -------
    int
        Without those of zeros that an integer network's kernel skips; a dense product executes all.

    Examples
    --------
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
    """Count the multiply-accumulates that a dense network executes a row.

    Parameters
    ----------
    n_inputs : int
        K of the first layer, >= 1.
    neurons : sequence of int
        N of each layer, each >= 1.

    Returns
    -------
    int
        M1. A zero weight is multiplied like any other: what is executed is counted.

    Raises
    ------
    ValueError
        If a width is below 1 or there is no layer.

    Examples
    --------
    >>> multiply_accumulates(64, (64, 32, 10))
    6464
    """
    widths = (n_inputs, *neurons)
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"a network needs one layer or more of width >= 1, got widths {widths}")
    return sum(k * n for k, n in pairwise(widths))
