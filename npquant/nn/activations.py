"""Activations as adjacent pairs: a forward pass that returns what its backward pass needs, and that backward pass.

Legend: z pre-activations, a = f(z) outputs, da and dz gradients of the loss by a and by z; all of shape (B, N).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating[Any]]


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


def relu_forward(z: Real) -> tuple[Real, NDArray[np.bool_]]:
    """Clamp from below at 0.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        max(z, 0).
    cache : ndarray of bool
        Where z > 0.

    Examples
    --------
    >>> relu_forward(np.array([-1.0, 2.0]))[0]
    array([0., 2.])
    """
    return np.maximum(z, 0), z > 0


def relu_backward(da: Real, cache: NDArray[np.bool_]) -> Real:
    """Let gradients through where the input was above 0.

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of bool
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz; 0 at z = 0, where the derivative does not exist.

    Examples
    --------
    >>> relu_backward(np.array([3.0, 3.0]), np.array([False, True]))
    array([0., 3.])
    """
    return np.asarray(da * cache)


def clipped_relu_forward(z: Real) -> tuple[Real, NDArray[np.bool_]]:
    """Clamp to [0, 1]: the bounded activation of rectified quantization.

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        clip(z, 0, 1).
    cache : ndarray of bool
        Where 0 < z < 1.

    Examples
    --------
    >>> clipped_relu_forward(np.array([-1.0, 0.5, 2.0]))[0]
    array([0. , 0.5, 1. ])
    """
    return np.clip(z, 0, 1), (z > 0) & (z < 1)


def clipped_relu_backward(da: Real, cache: NDArray[np.bool_]) -> Real:
    """Let gradients through where the input was inside (0, 1).

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of bool
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz.

    Examples
    --------
    >>> clipped_relu_backward(np.array([3.0, 3.0]), np.array([False, True]))
    array([0., 3.])
    """
    return np.asarray(da * cache)


def hard_sigmoid_forward(z: Real) -> tuple[Real, NDArray[np.bool_]]:
    """Clamp z / 6 + 1/2 to [0, 1].

    Parameters
    ----------
    z : ndarray of float, shape (B, N)
        Pre-activations, real.

    Returns
    -------
    a : ndarray of float, shape (B, N)
        clip(z / 6 + 1/2, 0, 1).
    cache : ndarray of bool
        Where -3 < z < 3.

    Examples
    --------
    >>> hard_sigmoid_forward(np.array([-3.0, 0.0, 9.0]))[0]
    array([0. , 0.5, 1. ])
    """
    return np.clip(z / 6 + z.dtype.type(0.5), 0, 1), np.abs(z) < 3


def hard_sigmoid_backward(da: Real, cache: NDArray[np.bool_]) -> Real:
    """Let a sixth of the gradient through where the input was inside (-3, 3).

    Parameters
    ----------
    da : ndarray of float, shape (B, N)
        Gradient by the outputs.
    cache : ndarray of bool
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, N)
        dz.

    Examples
    --------
    >>> hard_sigmoid_backward(np.array([3.0, 3.0]), np.array([False, True]))
    array([0. , 0.5])
    """
    return np.asarray(da * cache / 6)


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

ACTIVATIONS: dict[str, tuple[Forward, Backward]] = {
    "identity": (identity_forward, identity_backward),
    "relu": (relu_forward, relu_backward),
    "clipped_relu": (clipped_relu_forward, clipped_relu_backward),
    "hard_sigmoid": (hard_sigmoid_forward, hard_sigmoid_backward),
    "sigmoid": (sigmoid_forward, sigmoid_backward),
    "tanh": (tanh_forward, tanh_backward),
}


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
