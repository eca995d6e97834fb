"""The network, 2 of 4: the dense layer, and a chain of them; each forward pass beside its backward pass.

Legend: B batch, K inputs, N outputs of a layer, C outputs of the network; x (B, K), w (K, N), b (N,),
z = x w + b (B, N), a = f(z); da, dz, dx, dw, db gradients of the loss by these; all real and of one float dtype.
parameters, out: (w, b) or (dw, db) by layer; activations: names by layer; cache: what the forward pass returned for
the backward pass. Labels F1-F3 are derived in docs/book/05-float-network.md, F14 in
docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from npquant.arrays import Real
from npquant.nn.activations import ACTIVATIONS

Parameters = Sequence[tuple[Real, Real]]
DenseCache = tuple[Real, Real]
# Number of the layer and its outputs -> what the next layer reads, of the same shape.
OutputMap = Callable[[int, Real], Real]


def dense_forward(x: Real, w: Real, b: Real) -> tuple[Real, DenseCache]:
    """F1. z = x w + b, in new memory; the cache is (x, w), not copied.

    The order of the sum is the BLAS's own. B = 0 gives shape (0, N); NaN and infinities pass through.

    >>> dense_forward(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([5.0]))[0]
    array([[16.]])
    """
    z = x @ w
    z += b
    return z, (x, w)


def dense_backward(
    dz: Real, cache: DenseCache, *, input_gradient: bool = True, out: tuple[Real, Real] | None = None
) -> tuple[Real | None, Real, Real]:
    """F2. dx = dz w^T, dw = x^T dz, db = sum over rows of dz; dw and db into `out` where it is given.

    Sums over the rows of a batch: the loss itself brings the division by B. Without `input_gradient` dx is None, which
    saves its product where nobody needs it (the first layer).

    >>> dx, dw, db = dense_backward(np.array([[2.0]]), (np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])))
    >>> dx, dw.ravel(), db
    (array([[6., 8.]]), array([2., 4.]), array([2.]))
    """
    x, w = cache
    dw, db = (None, None) if out is None else out
    return dz @ w.T if input_gradient else None, np.matmul(x.T, dz, out=dw), np.sum(dz, axis=0, out=db)


@dataclass(frozen=True, slots=True, eq=False)
class ForwardCache:
    """Keep what the backward pass of a network needs, and what a reader may want to see; all by layer."""

    dense: tuple[DenseCache, ...]  # (x, w)
    z: tuple[Real, ...]  # pre-activations (B, N)
    a: tuple[Real, ...]  # outputs (B, N), before `on_output`


def network_forward(
    x: Real, parameters: Parameters, activations: Sequence[str], on_output: OutputMap | None = None
) -> tuple[Real, ForwardCache]:
    """F1 and the activation, layer by layer: the outputs (B, C) of the last layer, and all caches.

    `on_output` changes the outputs of each hidden layer before the next one reads them, such as by rounding; the
    backward pass takes it for the identity (F14).

    >>> network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([-7.0]))], ["relu"])[1].z
    (array([[-1.]]),)
    """
    dense, z_by_layer, a_by_layer = [], [], []
    for i, ((w, b), name) in enumerate(zip(parameters, activations, strict=True)):
        z, pair = dense_forward(x, w, b)
        x = ACTIVATIONS[name][0](z)
        dense.append(pair)
        z_by_layer.append(z)
        a_by_layer.append(x)
        if on_output is not None and i < len(activations) - 1:
            x = on_output(i, x)
    return x, ForwardCache(tuple(dense), tuple(z_by_layer), tuple(a_by_layer))


def network_backward(
    da: Real, cache: ForwardCache, activations: Sequence[str], out: Parameters | None = None
) -> Parameters:
    """F3. dz = da f'(z), then F2, from the last layer to the first: (dw, db) by layer, into `out` where it is given.

    `da` (B, C) is the gradient by the outputs; dx of a layer is da of the one before.

    >>> _, cache = network_forward(np.array([[2.0]]), [(np.array([[3.0]]), np.array([0.0]))], ["relu"])
    >>> network_backward(np.array([[1.0]]), cache, ["relu"])
    ((array([[2.]]), array([1.])),)
    """
    gradients: list[tuple[Real, Real]] = []
    for i in reversed(range(len(activations))):
        dz = ACTIVATIONS[activations[i]][1](da, cache.a[i])
        memory = None if out is None else out[i]
        dx, dw, db = dense_backward(dz, cache.dense[i], input_gradient=i > 0, out=memory)
        gradients.append((dw, db))
        if dx is not None:
            da = dx
    return tuple(reversed(gradients))
