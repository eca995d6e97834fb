"""Biases on a coarser grid: multiples of a power of two, which a file stores once, take fewer bytes.

O3 (step)   2^k, the largest power of two with 2^k M <= 2 t, M = max_n sx sw_n / sy, k from 0 to 31
O4 (bias)   b' = 2^k round_half_even(b / 2^k), so that |b' - b| M <= t: before it is rounded to a code, no output of the
            layer moves by more than t codes

Letters: b biases, sx sw sy scales of input, weights and output (of the pre-activation before a table), t tolerance in
codes of the layer's output; `layer` an IntegerLayer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP


def coarsen_biases(model: IntegerMLP, tolerance: float = 0.125) -> IntegerMLP:
    """Round biases to multiples of a power of two that is small beside an output code.

    Parameters
    ----------
    model : IntegerMLP
        The network.
    tolerance : float
        t: most that an output may move for it, in codes of the layer's output, in [0, 0.5].

    Returns
    -------
    IntegerMLP
        The network with biases O4; at tolerance 0, and wherever a step of 2 is too much, those of `model`.

    Raises
    ------
    ValueError
        If the tolerance lies outside [0, 0.5].
    OverflowError
        C7: if a bias at the very end of int32 is rounded out of it.

    Notes
    -----
    O3, O4. It changes the function, so measure it: where the moves are spread evenly over [-t, t], one output code of a
    layer in 2 / t is rounded otherwise. Ties go to the even multiple.

    Examples
    --------
    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.125, 0, -128, 127)
    >>> w = QuantParams(0.0625, 0, -8, 7)
    >>> layer = IntegerLayer(np.array([[3]], np.int8), np.array([21], np.int32), p, w, p, "relu")
    >>> coarsen_biases(IntegerMLP((layer,), p)).layers[0].bias
    array([20], dtype=int32)
    """
    if not 0 <= tolerance <= 0.5:
        raise ValueError(f"the tolerance is {tolerance}; it is a part of a code, in [0, 0.5]")
    layers = tuple(_coarsened(layer, tolerance) for layer in model.layers)
    return replace(model, layers=layers)


def bias_exponent(layer: IntegerLayer, tolerance: float) -> int:
    """O3: return the exponent k, 0 to 31, of a layer's bias step; its scales decide, `tolerance` is t.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p, w = QuantParams(0.125, 0, -128, 127), QuantParams(0.0625, 0, -8, 7)
    >>> bias_exponent(IntegerLayer(np.array([[3]], np.int8), np.array([21], np.int32), p, w, p, "relu"), 0.125)
    2
    """
    largest = float(np.max(np.float64(layer.x.scale) * np.asarray(layer.w.scale, np.float64)))
    # A comparison of products with a power of two, not a logarithm: exact where the step is decided.
    limit = 2 * tolerance * float(layer.target.scale)
    return next((k - 1 for k in range(1, 32) if 2**k * largest > limit), 31)


def _coarsened(layer: IntegerLayer, tolerance: float) -> IntegerLayer:
    step = 2.0 ** bias_exponent(layer, tolerance)
    # Half-even, and exact: int32 divided by a power of two is a float64, and so is the product.
    rounded = step * np.rint(layer.bias / step)
    if rounded.max() >= 2**31 or rounded.min() < -(2**31):
        raise OverflowError(f"a bias of {layer.bias.max()} rounds out of int32 (C7): use a smaller tolerance")
    return replace(layer, bias=rounded.astype(layer.bias.dtype))
