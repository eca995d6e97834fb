"""The network, 1 of 4: activations as adjacent pairs, a forward pass and the backward pass that takes its output.

Legend: z pre-activations, real; a = f(z) outputs; da and dz gradients of the loss by a and by z; all of shape (B, N)
and one float dtype. f'(z) of every one of these functions can be told from a alone, so nothing else is kept. A backward
pass returns dz = da f'(z) (F3, derived in docs/book/05-float-network.md). NaN passes
through the forward passes. Where the derivative does not exist (a kink), it is taken as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import numpy as np

from npquant.arrays import Real


def identity_forward(z: Real) -> Real:
    """a = z itself, not copied."""
    return z


def identity_backward(da: Real, a: Real) -> Real:
    """dz = da."""
    return da


def relu_forward(z: Real) -> Real:
    """a = max(z, 0)."""
    return np.asarray(np.maximum(z, 0))


def relu_backward(da: Real, a: Real) -> Real:
    """dz = da where a > 0, else 0."""
    return np.asarray(da * (a > 0))


def clipped_relu_forward(z: Real) -> Real:
    """a = clip(z, 0, 1): the bounded activation of rectified quantization."""
    return np.asarray(np.minimum(np.maximum(z, 0), 1))


def clipped_relu_backward(da: Real, a: Real) -> Real:
    """dz = da where 0 < a < 1, else 0: the upper bound is part of what is trained.

    >>> clipped_relu_backward(np.array([3.0, 3.0, 3.0]), np.array([0.0, 0.5, 1.0]))
    array([0., 3., 0.])
    """
    return np.asarray(da * ((a > 0) & (a < 1)))


def hard_sigmoid_forward(z: Real) -> Real:
    """a = clip(z / 6 + 1/2, 0, 1).

    >>> hard_sigmoid_forward(np.array([-3.0, 0.0, 9.0]))
    array([0. , 0.5, 1. ])
    """
    return np.asarray(np.minimum(np.maximum(z / 6 + 0.5, 0), 1))


def hard_sigmoid_backward(da: Real, a: Real) -> Real:
    """dz = da / 6 where 0 < a < 1, else 0."""
    return np.asarray(da * ((a > 0) & (a < 1)) / 6)


def sigmoid_forward(z: Real) -> Real:
    """a = 1 / (1 + e^-z), in [0, 1].

    >>> sigmoid_forward(np.array([0.0, -800.0]))
    array([0.5, 0. ])
    """
    # e^-|z| <= 1 never overflows; the two branches are the same function.
    with np.errstate(under="ignore"):
        t = np.exp(-np.abs(z))
        return np.asarray(np.where(z >= 0, 1 / (1 + t), t / (1 + t)))


def sigmoid_backward(da: Real, a: Real) -> Real:
    """dz = da a (1 - a)."""
    return np.asarray(da * a * (1 - a))


def tanh_forward(z: Real) -> Real:
    """a = tanh(z), in [-1, 1]."""
    return np.asarray(np.tanh(z))


def tanh_backward(da: Real, a: Real) -> Real:
    """dz = da (1 - a^2)."""
    return np.asarray(da * (1 - a * a))


def softplus_forward(z: Real) -> Real:
    """a = log(1 + e^z), above max(z, 0) by at most log 2.

    >>> softplus_forward(np.array([-800.0, 800.0]))
    array([  0., 800.])
    """
    # log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), and e^-|z| <= 1 never overflows.
    with np.errstate(under="ignore"):
        return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def softplus_backward(da: Real, a: Real) -> Real:
    """dz = da (1 - e^-a): e^a = 1 + e^z, so that 1 - e^-a = e^z / (1 + e^z), the sigmoid of z."""
    with np.errstate(under="ignore"):
        return np.asarray(da * -np.expm1(-a))


Forward = Callable[[Real], Real]
Backward = Callable[[Real, Real], Real]

# Each name with its pair; the names are those of `DenseLayer.activation`.
ACTIVATIONS: Final = MappingProxyType[str, tuple[Forward, Backward]](
    {
        "identity": (identity_forward, identity_backward),
        "relu": (relu_forward, relu_backward),
        "clipped_relu": (clipped_relu_forward, clipped_relu_backward),
        "hard_sigmoid": (hard_sigmoid_forward, hard_sigmoid_backward),
        "sigmoid": (sigmoid_forward, sigmoid_backward),
        "tanh": (tanh_forward, tanh_backward),
        "softplus": (softplus_forward, softplus_backward),
    }
)


def check_activation(name: str) -> None:
    """Raise ValueError where `name` is none of `ACTIVATIONS`; names those that are."""
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}; known: {', '.join(ACTIVATIONS)}")


def activate(name: str, z: Real) -> Real:
    """Apply the activation called `name`; ValueError if there is none of that name.

    >>> activate("relu", np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    check_activation(name)
    return ACTIVATIONS[name][0](z)
