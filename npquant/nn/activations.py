"""Activations as adjacent pairs: a forward pass that returns what its backward pass needs, and that backward pass.

Legend: z pre-activations, a = f(z) outputs, da and dz gradients of the loss by a and by z; all of shape (B, N) and one
float dtype. A cache is a itself: f'(z) of every one of these functions can be told from a = f(z) alone, so nothing more
is kept. NaN passes through the forward passes. Where the derivative does not exist (a kink), it is taken as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from npquant.arrays import Real


def identity_forward(z: Real) -> tuple[Real, None]:
    """Pass values through.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        z itself.
    cache : None
        Nothing is needed.

    Examples
    --------
    >>> identity_forward(np.array([-1.0]))[0]
    array([-1.])
    """
    return z, None


def identity_backward(da: Real, cache: None) -> Real:
    """Pass gradients through.

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : None
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz = da.

    Examples
    --------
    >>> identity_backward(np.array([3.0]), None)
    array([3.])
    """
    return da


def relu_forward(z: Real) -> tuple[Real, Real]:
    """Clamp from below at 0.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        max(z, 0).
    cache : ndarray of float
        a.

    Examples
    --------
    >>> relu_forward(np.array([-1.0, 2.0]))[0]
    array([0., 2.])
    """
    a = np.maximum(z, 0)
    return a, a


def relu_backward(da: Real, cache: Real) -> Real:
    """Let gradients through where the output is above 0.

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of float
        a of the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz = da where a > 0, else 0.

    Examples
    --------
    >>> relu_backward(np.array([3.0, 3.0]), np.array([0.0, 2.0]))
    array([0., 3.])
    """
    return np.asarray(da * (cache > 0))


def clipped_relu_forward(z: Real) -> tuple[Real, Real]:
    """Clamp to [0, 1]: the bounded activation of rectified quantization.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        clip(z, 0, 1).
    cache : ndarray of float
        a.

    Examples
    --------
    >>> clipped_relu_forward(np.array([-1.0, 0.5, 2.0]))[0]
    array([0. , 0.5, 1. ])
    """
    a = np.minimum(np.maximum(z, 0), 1)
    return a, a


def clipped_relu_backward(da: Real, cache: Real) -> Real:
    """Let gradients through where the output is inside (0, 1): the bound is part of what is trained.

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of float
        a of the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz = da where 0 < a < 1, else 0.

    Examples
    --------
    >>> clipped_relu_backward(np.array([3.0, 3.0, 3.0]), np.array([0.0, 0.5, 1.0]))
    array([0., 3., 0.])
    """
    return np.asarray(da * ((cache > 0) & (cache < 1)))


def hard_sigmoid_forward(z: Real) -> tuple[Real, Real]:
    """Clamp z / 6 + 1/2 to [0, 1].

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        clip(z / 6 + 1/2, 0, 1).
    cache : ndarray of float
        a.

    Examples
    --------
    >>> hard_sigmoid_forward(np.array([-3.0, 0.0, 9.0]))[0]
    array([0. , 0.5, 1. ])
    """
    a = np.minimum(np.maximum(z / 6 + 0.5, 0), 1)
    return a, a


def hard_sigmoid_backward(da: Real, cache: Real) -> Real:
    """Let a sixth of the gradient through where the output is inside (0, 1).

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of float
        a of the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz = da / 6 where 0 < a < 1, else 0.

    Examples
    --------
    >>> hard_sigmoid_backward(np.array([3.0, 3.0]), np.array([0.0, 0.5]))
    array([0. , 0.5])
    """
    return np.asarray(da * ((cache > 0) & (cache < 1)) / 6)


def sigmoid_forward(z: Real) -> tuple[Real, Real]:
    """Evaluate 1 / (1 + e^-z) without overflow.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        Values in [0, 1].
    cache : ndarray of float
        a.

    Notes
    -----
    e^-|z| never overflows; the two branches are the same function.

    Examples
    --------
    >>> sigmoid_forward(np.array([0.0, -800.0]))[0]
    array([0.5, 0. ])
    """
    with np.errstate(under="ignore"):
        t = np.exp(-np.abs(z))
        a = np.where(z >= 0, 1 / (1 + t), t / (1 + t))
    return a, a


def sigmoid_backward(da: Real, cache: Real) -> Real:
    """Multiply by the derivative a (1 - a).

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of float
        a of the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz.

    Examples
    --------
    >>> sigmoid_backward(np.array([4.0]), np.array([0.5]))
    array([1.])
    """
    return np.asarray(da * cache * (1 - cache))


def tanh_forward(z: Real) -> tuple[Real, Real]:
    """Evaluate the hyperbolic tangent.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        Values in [-1, 1].
    cache : ndarray of float
        a.

    Examples
    --------
    >>> tanh_forward(np.array([0.0]))[0]
    array([0.])
    """
    a = np.tanh(z)
    return a, a


def tanh_backward(da: Real, cache: Real) -> Real:
    """Multiply by the derivative 1 - a^2.

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of float
        a of the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz.

    Examples
    --------
    >>> tanh_backward(np.array([4.0]), np.array([0.5]))
    array([3.])
    """
    return np.asarray(da * (1 - cache * cache))


Forward = Callable[[Real], tuple[Real, Any]]
Backward = Callable[[Real, Any], Real]

# Each name with its pair; the names are those of `DenseLayer.activation`.
ACTIVATIONS: Final = MappingProxyType[str, tuple[Forward, Backward]](
    {
        "identity": (identity_forward, identity_backward),
        "relu": (relu_forward, relu_backward),
        "clipped_relu": (clipped_relu_forward, clipped_relu_backward),
        "hard_sigmoid": (hard_sigmoid_forward, hard_sigmoid_backward),
        "sigmoid": (sigmoid_forward, sigmoid_backward),
        "tanh": (tanh_forward, tanh_backward),
    }
)


def activate(name: str, z: Real) -> Real:
    """Apply an activation by its name.

    Parameters
    ----------
    name : str
        One of `ACTIVATIONS`.
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    ndarray of float, shape (B, N)
        Outputs.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> activate("relu", np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name][0](z)[0]
