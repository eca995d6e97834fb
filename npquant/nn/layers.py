"""The dense layer, and the network as a chain of them: each forward pass beside its backward pass.

Legend: B batch, K inputs, N outputs of a layer, C outputs of the network; x (B, K), w (K, N), b (N,),
z = x w + b (B, N), a = f(z); da, dz, dx, dw, db gradients of the loss by these. Labels F1-F3 are derived in docs/nn.md,
F14 in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from npquant.arrays import Real
from npquant.nn.activations import ACTIVATIONS

Parameters = Sequence[tuple[Real, Real]]
DenseCache = tuple[Real, Real]
# Number of the layer and its outputs -> what the next layer reads, of the same shape.
OutputMap = Callable[[int, Real], Real]


def dense_forward(x: Real, w: Real, b: Real) -> tuple[Real, DenseCache]:
    """Compute z = x w + b.

    Parameters
    ----------
    x : ndarray of float, shape (B, K)
        Inputs, real.
    w : ndarray of the same dtype, shape (K, N)
        Weights.
    b : ndarray of the same dtype, shape (N,)
        Bias.

    Returns
    -------
    z : ndarray of the same dtype, shape (B, N)
        Pre-activations; new memory.
    cache : tuple
        (x, w), not copied.

    Notes
    -----
    F1. The order of the sum is the BLAS's own. B = 0 gives shape (0, N); NaN and infinities pass through.

    Examples
    --------
    >>> dense_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))[0]
    array([[16.]])
    """
    z = x @ w
    z += b
    return z, (x, w)


def dense_backward(
    dz: Real, cache: DenseCache, *, input_gradient: bool = True, out: tuple[Real, Real] | None = None
) -> tuple[Real | None, Real, Real]:
    """Return the gradients of a dense layer.

    Parameters
    ----------
    dz : ndarray of float, shape (B, N)
        Gradient by the pre-activations.
    cache : tuple
        From the forward pass.
    input_gradient : bool
        False saves the product for dx where nobody needs it (the first layer).
    out : tuple of ndarray, shapes (K, N) and (N,), optional
        Memory for dw and db.

    Returns
    -------
    dx : ndarray of float, shape (B, K), or None
        dz w^T.
    dw : ndarray of float, shape (K, N)
        x^T dz.
    db : ndarray of float, shape (N,)
        Sum of dz over rows.

    Notes
    -----
    F2. A gradient of the loss of a batch is a sum over its rows; the loss itself brings the division by B.

    Examples
    --------
    >>> dx, dw, db = dense_backward(np.array([[2.0]]), (np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])))
    >>> dx, dw.ravel(), db
    (array([[6., 8.]]), array([2., 4.]), array([2.]))
    """
    x, w = cache
    dw, db = (None, None) if out is None else out
    return dz @ w.T if input_gradient else None, np.matmul(x.T, dz, out=dw), np.sum(dz, axis=0, out=db)


@dataclass(frozen=True, slots=True, eq=False)
class ForwardCache:
    """Keep what the backward pass of a network needs, and what a reader may want to see.

    Parameters
    ----------
    dense : tuple of DenseCache
        (x, w) by layer.
    saved : tuple
        What each activation's forward pass returned for its backward pass.
    z, a : tuple of ndarray, shapes (B, N)
        Pre-activations and outputs, by layer.

    Examples
    --------
    >>> network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([-7.0]))], ["relu"])[1].z
    (array([[-1.]]),)
    """

    dense: tuple[DenseCache, ...]
    saved: tuple[Any, ...]
    z: tuple[Real, ...]
    a: tuple[Real, ...]


def network_forward(
    x: Real, parameters: Parameters, activations: Sequence[str], on_output: OutputMap | None = None
) -> tuple[Real, ForwardCache]:
    """Run a network and keep each layer's caches.

    Parameters
    ----------
    x : ndarray of float, shape (B, K)
        Inputs, real.
    parameters : sequence of (w, b)
        By layer.
    activations : sequence of str
        By layer.
    on_output : callable, optional
        Changes the outputs of each hidden layer before the next one reads them, such as by rounding.

    Returns
    -------
    outputs : ndarray of float, shape (B, C)
        Of the last layer.
    cache : ForwardCache
        For `network_backward`.

    Notes
    -----
    F1 and the activation, layer by layer. The backward pass takes `on_output` for the identity (F14).

    Examples
    --------
    >>> network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([-7.0]))], ["relu"])[0]
    array([[0.]])
    """
    dense, saved, z_by_layer, a_by_layer = [], [], [], []
    for i, ((w, b), name) in enumerate(zip(parameters, activations, strict=True)):
        z, pair = dense_forward(x, w, b)
        x, kept = ACTIVATIONS[name][0](z)
        dense.append(pair)
        saved.append(kept)
        z_by_layer.append(z)
        a_by_layer.append(x)
        if on_output is not None and i < len(activations) - 1:
            x = on_output(i, x)
    return x, ForwardCache(tuple(dense), tuple(saved), tuple(z_by_layer), tuple(a_by_layer))


def network_backward(
    da: Real, cache: ForwardCache, activations: Sequence[str], out: Parameters | None = None
) -> Parameters:
    """Return the gradients of all weights and biases.

    Parameters
    ----------
    da : ndarray of float, shape (B, C)
        Gradient of the loss by the outputs.
    cache : ForwardCache
        From the forward pass.
    activations : sequence of str
        By layer.
    out : sequence of (dw, db), optional
        Memory for the gradients.

    Returns
    -------
    tuple of (dw, db)
        By layer.

    Notes
    -----
    F3: dz = da f'(z), then F2, from the last layer to the first; dx of a layer is da of the one before.

    Examples
    --------
    >>> _, cache = network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([0.0]))], ["relu"])
    >>> network_backward(np.array([[1.0]]), cache, ["relu"])
    ((array([[2.]]), array([1.])),)
    """
    gradients: list[tuple[Real, Real]] = []
    for i in reversed(range(len(activations))):
        dz = ACTIVATIONS[activations[i]][1](da, cache.saved[i])
        memory = None if out is None else out[i]
        dx, dw, db = dense_backward(dz, cache.dense[i], input_gradient=i > 0, out=memory)
        gradients.append((dw, db))
        if dx is not None:
            da = dx
    return tuple(reversed(gradients))
