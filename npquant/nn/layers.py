"""The dense layer and the whole network, forward and backward side by side.

Legend: B batch, K inputs, N outputs; x (B, K), w (K, N), b (N,), z = x w + b (B, N); dx dw db dz gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.nn.activations import ACTIVATIONS

Real = NDArray[np.floating[Any]]
Parameters = list[tuple[Real, Real]]
DenseCache = tuple[Real, Real]


def dense_forward(x: Real, w: Real, b: Real) -> tuple[Real, DenseCache]:
    """Compute z = x w + b.

    Parameters
    ----------
    x : ndarray of float, shape (B, K)
        Inputs, real.
    w : ndarray of float, shape (K, N)
        Weights.
    b : ndarray of float, shape (N,)
        Bias.

    Returns
    -------
    z : ndarray of float, shape (B, N)
        Pre-activations.
    cache : tuple
        (x, w).

    Examples
    --------
    >>> dense_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))[0]
    array([[16.]])
    """
    z = x @ w
    z += b
    return z, (x, w)


def dense_backward(dz: Real, cache: DenseCache, *, input_gradient: bool = True) -> tuple[Real | None, Real, Real]:
    """Return the gradients of a dense layer.

    Parameters
    ----------
    dz : ndarray of float, shape (B, N)
        Gradient by the pre-activations.
    cache : tuple
        From the forward pass.
    input_gradient : bool
        False saves the product for dx where nobody needs it (the first layer).

    Returns
    -------
    dx : ndarray of float, shape (B, K), or None
        dz w^T.
    dw : ndarray of float, shape (K, N)
        x^T dz.
    db : ndarray of float, shape (N,)
        Sum of dz over rows.

    Examples
    --------
    >>> dx, dw, db = dense_backward(np.array([[2.0]]), (np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])))
    >>> dx, dw.ravel(), db
    (array([[6., 8.]]), array([2., 4.]), array([2.]))
    """
    x, w = cache
    return dz @ w.T if input_gradient else None, x.T @ dz, dz.sum(axis=0)


def network_forward(
    x: Real, parameters: Parameters, activations: list[str]
) -> tuple[Real, list[tuple[DenseCache, Any]]]:
    """Run a network and keep each layer's caches.

    Parameters
    ----------
    x : ndarray of float, shape (B, K)
        Inputs, real.
    parameters : list of (w, b)
        By layer.
    activations : list of str
        By layer.

    Returns
    -------
    outputs : ndarray of float, shape (B, C)
        Of the last layer.
    caches : list
        (dense cache, activation cache) by layer.

    Examples
    --------
    >>> network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([-7.0]))], ["relu"])[0]
    array([[0.]])
    """
    caches = []
    for (w, b), name in zip(parameters, activations, strict=True):
        z, dense = dense_forward(x, w, b)
        x, activation = ACTIVATIONS[name][0](z)
        caches.append((dense, activation))
    return x, caches


def network_backward(da: Real, caches: list[tuple[DenseCache, Any]], activations: list[str]) -> Parameters:
    """Return the gradients of all weights and biases.

    Parameters
    ----------
    da : ndarray of float, shape (B, C)
        Gradient of the loss by the outputs.
    caches : list
        From the forward pass.
    activations : list of str
        By layer.

    Returns
    -------
    list of (dw, db)
        By layer.

    Examples
    --------
    >>> _, caches = network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([0.0]))], ["relu"])
    >>> network_backward(np.array([[1.0]]), caches, ["relu"])
    [(array([[2.]]), array([1.]))]
    """
    gradients: Parameters = []
    for i in range(len(caches) - 1, -1, -1):
        dense, activation = caches[i]
        dz = ACTIVATIONS[activations[i]][1](da, activation)
        dx, dw, db = dense_backward(dz, dense, input_gradient=i > 0)
        gradients.append((dw, db))
        if dx is not None:
            da = dx
    return gradients[::-1]
