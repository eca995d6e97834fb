"""How much an error of any pre-activation costs at the outputs: the metric in which neurons of all layers compare.

Legend: R calibration rows, N outputs of a layer, C logits; z (R, C) logits, which stand behind the last activation,
`target` (R, C) the float network's, p and q (R, C) the softmax of target and of z, J (C, N) derivative of the logits by
a layer's pre-activations, G (C, C) cost of an error of the logits, M (N, N) cost of an error of the pre-activations, e
(N,) such an error, all float64; `output` "softmax" (classes) or "identity" (real values), what the logits are. Label S9
is derived in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.losses import log_softmax
from npquant.nn.model import DenseLayer

OUTPUTS: Final = ("softmax", "identity")
# A network that is sure of its training rows has p near 0 or 1 there, and a curvature near 0, until it is no longer
# sure. This share of the plain squared error keeps those rows in sight; 0.001 to 0.1 give the same within noise.
FLOOR: Final = 0.01


def output_loss(target: Float64, z: Float64, output: str) -> tuple[float, Float64]:
    """S9. KL(p, q) + FLOOR / 2 |z - target|^2, or 1/2 |z - target|^2: the loss, and its gradient by z (R, C).

    The mean over rows, in nats for "softmax"; 0 where z is the target.

    >>> output_loss(np.array([[1.0, 0.0]]), np.array([[1.0, 2.0]]), "identity")
    (2.0, array([[0., 2.]]))
    """
    error = z - target
    square = 0.5 * float((error * error).sum()) / len(z)
    if output == "identity":
        return square, error / len(z)
    log_p, log_q = log_softmax(target), log_softmax(z)
    p = np.exp(log_p)
    divergence = float((p * (log_p - log_q)).sum()) / len(z)
    return divergence + FLOOR * square, (np.exp(log_q) - p + FLOOR * error) / len(z)


def output_curvature(z: Float64, direction: Float64, output: str) -> Float64:
    """S9. G e / R, row by row, G = diag p - p p^T + FLOOR I, or I: the Gauss-Newton matrix of `output_loss` at z.

    `direction` (R, C) has an error e of the logits in each row.

    >>> output_curvature(np.zeros((1, 2)), np.array([[4.0, 0.0]]), "softmax").round(2)
    array([[ 1.04, -1.  ]])
    """
    if output == "identity":
        return direction / len(z)
    weighted = np.exp(log_softmax(z))
    weighted = weighted * (direction - (weighted * direction).sum(axis=1, keepdims=True))
    return np.asarray((weighted + FLOOR * direction) / len(z))


def mean_metrics(layers: Sequence[DenseLayer], h: Sequence[Float64], output: str, first: int = 0) -> list[Float64]:
    """S9. M = mean over rows of J^T G J, by layer from `first` on: 1/2 e^T M e is the cost of e to second order.

    h has the outputs (R, N) of each of the `layers`; the last are the logits. M is positive semidefinite. One backward
    pass for each column of a root of G. ValueError if a metric overflows.

    >>> layer = DenseLayer(np.eye(2), np.zeros(2), "identity")
    >>> mean_metrics([layer], [np.zeros((3, 2))], "softmax")[0].round(2)
    array([[ 0.26, -0.25],
           [-0.25,  0.26]])
    """
    metrics = [np.zeros((layer.w.shape[1],) * 2) for layer in layers[first:]]
    with np.errstate(over="ignore", invalid="ignore"):
        for i, d in _root_derivatives(layers, h, output, first):
            metrics[i - first] += d.T @ d
    return _over_rows(metrics, len(h[-1]), first)


def mean_costs(layers: Sequence[DenseLayer], h: Sequence[Float64], output: str) -> list[Float64]:
    """S9. The diagonals (N,) of `mean_metrics`, by layer, without the matrices: N numbers and not N^2. h as there.

    >>> layer = DenseLayer(np.eye(2), np.zeros(2), "identity")
    >>> mean_costs([layer], [np.zeros((3, 2))], "softmax")[0].round(2)
    array([0.26, 0.26])
    """
    costs = [np.zeros(layer.w.shape[1]) for layer in layers]
    with np.errstate(over="ignore", invalid="ignore"):
        for i, d in _root_derivatives(layers, h, output):
            costs[i] += np.einsum("rn,rn->n", d, d)
    return _over_rows(costs, len(h[-1]))


def _root_derivatives(
    layers: Sequence[DenseLayer], h: Sequence[Float64], output: str, first: int = 0
) -> Iterator[tuple[int, Float64]]:
    """Yield (i, J^T g): for each column g of a root of G, row by row, and each layer i from the last to `first`."""
    for root in _metric_roots(h[-1], output):
        d: NDArray[np.floating[Any]] = ACTIVATIONS[layers[-1].activation][1](root, h[-1])
        for i in range(len(layers) - 1, first - 1, -1):
            yield i, np.asarray(d, np.float64)
            if i > first:
                d = ACTIVATIONS[layers[i - 1].activation][1](d @ layers[i].w.T, h[i - 1])


def _over_rows(sums: list[Float64], rows: int, first: int = 0) -> list[Float64]:
    """Return means of sums, by layer from `first` on; ValueError if one overflows."""
    for i, total in enumerate(sums, first):
        if not np.isfinite(total).all():
            raise ValueError(f"the derivative of the logits by layer {i} overflows when squared; scale the weights")
        total /= rows
    return sums


def _metric_roots(z: Float64, output: str) -> list[Float64]:
    """Return matrices (R, C) whose outer products, row by row, sum to G."""
    unit = np.eye(z.shape[1])
    if output == "identity":
        return [np.broadcast_to(e, z.shape) for e in unit]
    # (diag sqrt p - p sqrt p^T) times its transpose is diag p - p p^T, as the p of a row sum to 1.
    p = np.exp(log_softmax(z))
    likelihood = [np.sqrt(p[:, [c]]) * (e - p) for c, e in enumerate(unit)]
    return likelihood + [np.broadcast_to(np.sqrt(FLOOR) * e, z.shape) for e in unit]
