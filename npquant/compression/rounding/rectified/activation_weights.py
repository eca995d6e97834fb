"""How much of an error each activation lets through: the weights D2 of step 2 of rectified quantization.

Legend: R calibration rows, N outputs; z (R, N) pre-activations of the float network, f the activation, a = f(z), p
softmax; m (N,) how far a neuron's errors reach on either side of z, >= 0; e what a squared error counts by it, d2
(R, N) the weight of a squared error.

E1 (weights)    d2 = 9/10 e + 1/10 mean_r e,   e = max(g, 1/100)
E2 (F)          F' = f'^2, the largest of which is 1
                clipped_relu     clip(z, 0, 1)
                relu             max(z, 0)
                hard_sigmoid     6 clip(z / 6 + 1/2, 0, 1)
                sigmoid, tanh    8 a^2 - 16/3 a^3,  a - a^3 / 3
                softplus         a - 1 / (1 + e^-z)
E34 (g)         g = (F(z + m) - F(z - m)) / (2 m):  the mean of f'^2 over z + u, u uniform between -m and m
                softmax          g = 4 p (1 - p): behind the last layer of a classifier
                identity         g = 1: behind the last layer of a regression
                at the last layer g of what is behind it, at a = f(z), times g of its own activation f, at z
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.nn.activations import activate
from npquant.nn.losses import log_softmax

# What an error counts that is never let through: it may grow until it is, and a neuron that is saturated on every row
# must keep some weight.
LEAST = 0.01
# The part of a neuron's weight that all rows share: without it a neuron that is saturated on most rows learns the few
# others by heart, and is wrong on new ones.
SHARED = 0.1
# Of the largest |z|, or of 1: of a difference of F over more, which has their size, rounding is 2^-32 at most.
LEAST_REACH = 2.0**-20
FLOAT64_TINY = float(np.finfo(np.float64).tiny)


def _clipped_relu(z: Float64) -> Float64:
    return np.asarray(np.clip(z, 0, 1))


def _relu(z: Float64) -> Float64:
    return np.maximum(z, 0)


def _hard_sigmoid(z: Float64) -> Float64:
    return 6 * _clipped_relu(z / 6 + 0.5)


def _logistic(z: Float64) -> Float64:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))


def _sigmoid(z: Float64) -> Float64:
    a = _logistic(z)
    return np.asarray(np.square(a) * (8 - 16 / 3 * a))


def _tanh(z: Float64) -> Float64:
    a = np.tanh(z)
    return np.asarray(a - a**3 / 3)


def _softplus(z: Float64) -> Float64:
    return np.asarray(np.logaddexp(0, z) - _logistic(z))


def _softmax(z: Float64) -> Float64:
    p = np.exp(np.maximum(log_softmax(z), -700.0))
    return np.asarray(4 * p * np.maximum(1 - p, 0))


def activation_weights(activation: str, z: ArrayLike, reach: ArrayLike, behind: str = "identity") -> Float64:
    """E1, E2, E34: weigh every squared error of a pre-activation by what is let through of it: d2 in [1/100, 1].

    `activation` is "clipped_relu", "relu", "hard_sigmoid", "sigmoid", "tanh", "softplus", "softmax" or "identity",
    `behind` that of a last layer's outputs, "softmax" or "identity"; else ValueError. z is real and finite; `reach` is
    m, one for all neurons or one for each. Only ratios matter: d2 times a
    constant changes no code. On one row it is e itself. Empty arrays give empty arrays.

    >>> activation_weights("clipped_relu", [[0.5, 1.0, 1.25, 9.0]], 0.5)
    array([[1.  , 0.5 , 0.25, 0.01]])
    >>> activation_weights("clipped_relu", [[0.5], [9.0]], 0.5).T, activation_weights("clipped_relu", [[9.0]], 18.0)
    (array([[0.9505, 0.0595]]), array([[0.02777778]]))
    """
    real = np.asarray(z, np.float64)
    g = _let_through(activation, real, np.asarray(reach, np.float64))
    if behind != "identity":
        g = g * _let_through(behind, np.asarray(activate(activation, real), np.float64), np.zeros(()))
    e = np.clip(g, LEAST, 1)
    return np.asarray(e + SHARED * (e.sum(axis=0) / max(len(e), 1) - e))


def _let_through(name: str, z: Float64, reach: Float64) -> Float64:
    """E34: return g of an activation."""
    if name in ("softmax", "identity"):
        return _softmax(z) if name == "softmax" else np.ones_like(z)
    rules: dict[str, Callable[[Float64], Float64]] = {
        "clipped_relu": _clipped_relu,
        "relu": _relu,
        "hard_sigmoid": _hard_sigmoid,
        "sigmoid": _sigmoid,
        "tanh": _tanh,
        "softplus": _softplus,
    }
    if name not in rules:
        raise ValueError(f"no weights for the activation {name!r}; known: {', '.join(rules)}, softmax, identity")
    # ReLU has no scale of its own.
    least = LEAST_REACH * np.abs(z).max(axis=0, initial=FLOAT64_TINY if name == "relu" else 1.0)
    m = np.maximum(reach, least)
    return np.asarray((rules[name](z + m) - rules[name](z - m)) / (2 * m))
