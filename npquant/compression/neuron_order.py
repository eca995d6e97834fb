"""The order of hidden neurons, which is free: one that puts alike neurons beside each other takes fewer bytes.

O1 (distance)  d_ij = sum_m |sgn v_im - sgn v_jm| over the weights v that lead on from hidden neurons i and j
O2 (chain)     the neuron with the most weights first, then always the nearest of those left; the smallest index on ties

Letters: v weights minus their zero point (H, M), of H hidden neurons.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

_MOST_NEURONS: Final = 8192


def reorder_neurons(model: IntegerMLP) -> IntegerMLP:
    """Put alike hidden neurons beside each other, so that the arithmetic encoding of their weights is shorter.

    Parameters
    ----------
    model : IntegerMLP
        The network.

    Returns
    -------
    IntegerMLP
        The same function: every logit of every input has the same code, since sums of integers know no order.

    Notes
    -----
    O1, O2, layer by layer. On a LeNet-300-100 with 2 % of its weights left the weights took 3 to 4 % fewer bytes, on a
    dense one less than 1 %. Layers of more than 8192 neurons keep their order: all distances would take too much
    memory. The other encodings do not change in length, or hardly.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> first = IntegerLayer(np.array([[1, 2, 3]], np.int8), np.zeros(3, np.int32), p, p, p, "relu")
    >>> second = IntegerLayer(np.array([[5, 0], [-5, 5], [5, 1]], np.int8), np.zeros(2, np.int32), p, p, p, "identity")
    >>> reorder_neurons(IntegerMLP((first, second), p)).layers[0].w_q
    array([[2, 3, 1]], dtype=int8)
    """
    layers = list(model.layers)
    for i in range(len(layers) - 1):
        order = _chain(layers[i + 1].centred_weights)
        layers[i] = _with_columns(layers[i], order)
        layers[i + 1] = replace(layers[i + 1], w_q=layers[i + 1].w_q[order])
    return replace(model, layers=tuple(layers))


def _chain(weights: NDArray[np.int16]) -> NDArray[np.int64]:
    """Order rows by O2."""
    if len(weights) > _MOST_NEURONS:
        return np.arange(len(weights))
    distance = _distances(weights)
    left = np.ones(len(weights), np.bool_)
    order = [int(np.argmax(np.count_nonzero(weights, axis=1)))]
    for _ in range(len(weights) - 1):
        left[order[-1]] = False
        order.append(int(np.argmin(np.where(left, distance[order[-1]], np.inf))))
    return np.array(order, np.int64)


def _distances(weights: NDArray[np.int16]) -> NDArray[np.float32]:
    """Compute O1 for all pairs: signs that are not zero and not shared, one by one."""
    # Counts below 2^24 are exact in float32, in any order of summation.
    positive, negative = (weights > 0).astype(np.float32), (weights < 0).astype(np.float32)
    shared = positive @ positive.T + negative @ negative.T
    own = np.diag(shared)
    return np.asarray(own[:, None] + own[None, :] - 2 * shared, np.float32)


def _with_columns(layer: IntegerLayer, order: NDArray[np.int64]) -> IntegerLayer:
    """Reorder the outputs of a layer."""
    scale, zero_point = (np.asarray(a)[order] if np.ndim(a) else a for a in (layer.w.scale, layer.w.zero_point))
    w = QuantParams(scale, zero_point, layer.w.qmin, layer.w.qmax)
    return replace(layer, w_q=layer.w_q[:, order], bias=layer.bias[order], w=w)
