"""How far any runtime's float32 answer may lie from a float network's: the sums by Wilkinson, the rest by slopes.

Legend: model the network, its weights rounded to float32 at most once; x (B, K) inputs, exact in float32; head behind
the logits; a and z values, e (B, N) how far off they may be; u = 2^-24; C outputs.

A sum of K products and a bias in float32, in any order, is off by at most g (|x| |w| + |b|), g = n u / (1 - n u),
n = K + 3: K + 1 roundings on the way of any term, one of the weight, one to spare for what underflows.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.interop.imported import apply_head
from npquant.interop.onnx_out.codes import FUNCTION_ERROR
from npquant.nn.activations import activate
from npquant.nn.model import FloatMLP

_U: Final = 2.0**-24
# The largest slope of an activation, and how far off its float32 evaluation may be: times 1, and times |a| or |z|.
_SLOPES: Final = MappingProxyType(
    {
        "identity": (1.0, 0.0, 0.0),
        "relu": (1.0, 0.0, 0.0),
        "clipped_relu": (1.0, 0.0, 0.0),
        "hard_sigmoid": (1 / 6, 4 * _U, _U),  # a quotient, a sum, and 1 / 6 itself rounded
        "sigmoid": (1 / 4, FUNCTION_ERROR, 0.0),
        "tanh": (1.0, FUNCTION_ERROR, 0.0),
        "softplus": (1.0, FUNCTION_ERROR, FUNCTION_ERROR),
    }
)


def float_bound(model: FloatMLP, x: ArrayLike, head: str) -> tuple[Float64, Float64]:
    """Outputs in float64, and how far from them a float32 runtime may be: both (B, C).

    >>> from npquant.nn.model import DenseLayer
    >>> net = FloatMLP([DenseLayer(np.array([[0.5], [0.25]]), np.ones(1), "identity")])
    >>> y, e = float_bound(net, [[1.0, 2.0]], "none")
    >>> y, bool((e < 1e-6).all())
    (array([[2.]]), True)
    """
    a = np.asarray(x, np.float64)
    e = np.zeros_like(a)
    for layer in model.layers:
        w, b = np.asarray(layer.w, np.float64), np.asarray(layer.b, np.float64)
        n = w.shape[0] + 3
        size = (np.abs(a) + e) @ np.abs(w) + np.abs(b)
        z, off = a @ w + b, e @ np.abs(w) + n * _U / (1 - n * _U) * size + n * 2.0**-126
        slope, absolute, relative = _SLOPES[layer.activation]
        a = np.asarray(activate(layer.activation, z), np.float64)
        e = slope * off + absolute + relative * np.abs(z)
    return np.asarray(apply_head(a, head), np.float64), head_bound(a, e, head)


def head_bound(z: Float64, e: Float64, head: str) -> Float64:
    """A share p is off by the factor exp(2 max e) and the roundings of its argument, exponential, sum and quotient."""
    if head == "none":
        return e
    if head == "logistic":
        return e / 4 + FUNCTION_ERROR
    worst = e.max(axis=1, keepdims=True)
    spread = np.abs(z - z.max(axis=1, keepdims=True)) + 2 * worst
    rounded = (z.shape[1] + 16) * _U + 2 * _U * spread
    if head == "logsoftmax":
        return np.asarray(2 * worst + rounded + FUNCTION_ERROR)
    factor = np.expm1(np.minimum(2 * worst + rounded, 700.0)) + FUNCTION_ERROR
    return np.asarray(np.minimum(apply_head(z, "softmax") * factor + 2.0**-126, 1.0))
