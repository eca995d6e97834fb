"""How much of an error each activation lets through: the weights D2 of step 2 of rectified quantization.

Legend: R calibration rows, N outputs; z (R, N) pre-activations of the float network, d in [0, 1] what the activation
lets through, e what an error counts by it, d2 (R, N) the weight of a squared error; p softmax.

E1 (weights)    d2 = 9/10 e + 1/10 mean_r e,   e = max(d, 1/10)^2
E2 (d)          clipped_relu     1 on [0, 1], falling to 0 over 1/2 on both sides
                relu             1 above 0, falling to 0 over half of the root mean square of z > 0 below
                hard_sigmoid     that of clipped_relu at z / 6 + 1/2
                sigmoid, tanh    4 a (1 - a),  1 - a^2
                softplus         1 - e^-a
                softmax          2 sqrt(p (1 - p)): behind the last layer of a classifier
                identity         1: behind the last layer of a regression
                at the last layer d of what is behind it, at a = f(z), times d of its own activation f, at z
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.nn.activations import activate
from npquant.nn.losses import log_softmax

# What a saturated unit still counts: its error may grow until it is no longer saturated, and a neuron that is
# saturated on every row must keep some weight.
LEAST_DERIVATIVE = 0.1
# The part of a neuron's weight that all rows share: without it a neuron that is saturated on most rows learns the few
# others by heart, and is wrong on new ones.
SHARED = 0.1


def _identity(z: Float64) -> Float64:
    return np.ones_like(z)


def _clipped_relu(z: Float64) -> Float64:
    return np.asarray(np.clip(1 - 2 * np.maximum(-z, z - 1), 0, 1))


def _relu(z: Float64) -> Float64:
    """Measure the margin in the size of the values that pass: ReLU has no scale of its own."""
    passed = np.maximum(z, 0)
    count = max(np.count_nonzero(passed), 1)
    size = float(np.sqrt(np.square(passed).sum() / count))
    return np.clip(1 + z / (0.5 * size), 0, 1) if size > 0 else np.asarray(z >= 0, np.float64)


def _hard_sigmoid(z: Float64) -> Float64:
    return _clipped_relu(z / 6 + 0.5)


def _sigmoid(z: Float64) -> Float64:
    t = np.exp(-np.minimum(np.abs(z), 700.0))  # 4 a (1 - a) is even in z; beyond 700 it is below the floor of E1
    return np.asarray(4 * t / np.square(1 + t))


def _tanh(z: Float64) -> Float64:
    return np.asarray(1 - np.square(np.tanh(z)))


def _softplus(z: Float64) -> Float64:
    return np.asarray(1 / (1 + np.exp(np.minimum(-z, 700.0))))


def _softmax(z: Float64) -> Float64:
    p = np.exp(np.maximum(log_softmax(z), -700.0))
    return np.asarray(2 * np.sqrt(p * np.maximum(1 - p, 0)))


def activation_weights(activation: str, z: ArrayLike, behind: str = "identity") -> Float64:
    """E1, E2: weigh every squared error of a pre-activation by what the activation lets through: d2 in [1/100, 1].

    `activation` is "clipped_relu", "relu", "hard_sigmoid", "sigmoid", "tanh", "softplus" or "identity", `behind` that
    of a last layer's outputs, "softmax" or "identity"; else ValueError. z is real and finite. Only ratios matter: d2
    times a constant changes no code. On one row it is e itself. Empty arrays give empty arrays.

    >>> activation_weights("clipped_relu", [[0.5, 1.25, 9.0]]), activation_weights("clipped_relu", [[0.5], [9.0]]).T
    (array([[1.  , 0.25, 0.01]]), array([[0.9505, 0.0595]]))
    """
    rules: dict[str, Callable[[Float64], Float64]] = {
        "identity": _identity,
        "clipped_relu": _clipped_relu,
        "relu": _relu,
        "hard_sigmoid": _hard_sigmoid,
        "sigmoid": _sigmoid,
        "tanh": _tanh,
        "softplus": _softplus,
        "softmax": _softmax,
    }
    for name in (activation, behind):
        if name not in rules:
            raise ValueError(f"no weights for the activation {name!r}; known: {', '.join(rules)}")
    real = np.asarray(z, np.float64)
    d = rules[activation](real)
    if behind != "identity":
        d = d * rules[behind](np.asarray(activate(activation, real), np.float64))
    e = np.square(np.maximum(d, LEAST_DERIVATIVE))
    return np.asarray(e + SHARED * (e.sum(axis=0) / max(len(e), 1) - e))
