"""How important a neuron is: the criteria that rank hidden neurons for pruning, lowest score first.

Legend: R calibration rows, K inputs and n neurons of the layer, N outputs of the next, C logits; h (R, n) outputs,
w_in (K, n) incoming and v (n, N) outgoing weights, P inverse of the damped covariance of h, p (R, C) softmax of the
logits; scores (n,); all float64 and real. Labels S1, S4 and S7 are derived in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64, Indices
from npquant.compression.least_squares import inverse_of
from npquant.compression.pruning.neurons.compensation import damped_covariance
from npquant.nn.activations import ACTIVATIONS
from npquant.nn.losses import log_softmax
from npquant.nn.model import DenseLayer

# Rows of the Jacobian (rows, C, n) that are held at a time: 256 x 10 x 300 float64 are 6 MB.
_BLOCK_ROWS = 256
# Neurons that go one after the other before P and v are updated, and rows of P that are updated in one product.
BLOCK = 32
UPDATED = 256


def greedy_obs_plain(
    h: Float64, v: Float64, count: int, share: float, metric: Float64 | None = None
) -> tuple[Indices, Float64]:
    """S4, as it is written: score, remove the cheapest, and update all of v and P. `greedy_obs` is held to it by a law.

    `count`, `share` and `metric` as there.

    >>> h = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> greedy_obs_plain(h, np.array([[3.0], [1.0], [2.0]]), 2, 0.01)[0]
    array([1, 2])
    """
    inverse, weights = np.linalg.inv(damped_covariance(h, share)), _weighed(v, metric).copy()
    alive, order, increase = np.ones(len(v), bool), [], []
    for _ in range(count):
        score = np.full(len(v), np.inf)
        score[alive] = (weights[alive] ** 2).sum(axis=1) / np.diag(inverse)[alive]
        j = int(np.argmin(score))
        column = inverse[:, j] / inverse[j, j]
        weights -= np.outer(column, weights[j])
        inverse -= np.outer(column, inverse[j])
        # Zero by algebra; set so that rounding cannot leak from a neuron that is gone.
        weights[j], inverse[j], inverse[:, j] = 0.0, 0.0, 0.0
        alive[j] = False
        order.append(j)
        increase.append(float(score[j]))
    return np.array(order, np.int64), np.array(increase, np.float64)


def greedy_obs(
    h: Float64, v: Float64, count: int, share: float, metric: Float64 | None = None
) -> tuple[Indices, Float64]:
    """S4. Removing j adds v_j M v_j^T / P_jj, P = (C + l I)^-1 of S1: choose neurons one by one, each the cheapest.

    The others make up for it: the best update of the other weights is v := v - P[:, j] v_j / P_jj; `metric` M (N, N) of
    S9, what errors e of the next pre-activations cost, has no say in it, as every output has weights of its own;
    without it every output counts alike. P loses row and column j by P := P - P[:, j] P[j, :] / P_jj. `count` <= n
    neurons in the order of removal, int64, ties: the lowest index, but where rounding errors decide; and what each adds
    to the damped mean of e^T M e; `share` > 0 as in S1; v is not changed. The updates wait for a block, and go in
    products of matrices: O(count n (n + N)). ValueError if the squares of the outputs overflow. Source: Hassibi and
    Stork 1993, "Second order derivatives for network pruning: Optimal Brain Surgeon", equation 5, with a neuron's row
    of outgoing weights in place of one weight.

    >>> h = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> greedy_obs(h, np.array([[3.0], [1.0], [2.0]]), 2, 0.01)[0]
    array([1, 2])
    """
    inverse, weights = inverse_of(damped_covariance(h, share)), _weighed(v, metric)
    index = np.arange(len(v))
    order, increase = np.empty(count, np.int64), np.empty(count)
    for start in range(0, count, BLOCK):
        block = slice(start, min(start + BLOCK, count))
        gone, increase[block], factor, rows = _remove_block(inverse, weights, block.stop - start)
        order[block] = index[gone]
        left = np.delete(np.arange(len(index)), gone)
        index, factor = index[left], factor[left]
        weights = weights[left] - factor @ rows
        inverse = inverse[np.ix_(left, left)]
        for k in range(0, len(left), UPDATED):
            inverse[k : k + UPDATED] -= factor[k : k + UPDATED] @ factor.T
    return order, increase


def _remove_block(inverse: Float64, weights: Float64, count: int) -> tuple[Indices, Float64, Float64, Float64]:
    """Return `count` neurons, what each adds, F (n, count) and U (count, N): v is `weights` - F U, P `inverse` - F F^T.

    Removing j appends f = P[:, j] / sqrt(P_jj) to F and v_j / sqrt(P_jj) to U: a column of today's P, a row of today's
    v. Scores need the diagonal of P and the squares of v alone: P_kk -= f_k^2, |v_k|^2 -= 2 f_k v_k u - f_k^2 |u|^2.
    """
    order, increase = np.empty(count, np.int64), np.empty(count)
    factor, rows = np.empty((len(inverse), count), order="F"), np.empty((count, weights.shape[1]))
    variance, square = np.diag(inverse).copy(), np.einsum("nk,nk->n", weights, weights)
    alive = np.ones(len(inverse), bool)
    for t in range(count):
        score = np.divide(square, variance, out=np.full(len(square), np.inf), where=alive)
        j = order[t] = np.argmin(score)
        alive[j], increase[t] = False, score[j]
        f = inverse[j] - factor[:, :t] @ factor[j, :t]
        pivot = np.sqrt(f[j])
        f /= pivot
        u = (weights[j] - factor[j, :t] @ rows[:t]) / pivot
        variance -= f * f
        square -= f * (2 * (weights @ u - factor[:, :t] @ (rows[:t] @ u)) - f * (u @ u))
        np.maximum(square, 0.0, out=square)  # rounding may leave less
        factor[:, t], rows[t] = f, u
    return order, increase, factor, rows


def _weighed(v: Float64, metric: Float64 | None) -> Float64:
    """Return v A, A A^T = M, so that the square of a row is what S4 asks for; v itself without M."""
    return np.asarray(v if metric is None else v @ _root(metric), np.float64)


def _root(metric: Float64) -> Float64:
    """Return A with A A^T = M, for M positive semidefinite up to rounding."""
    size, direction = np.linalg.eigh(metric)
    return np.asarray(direction * np.sqrt(np.maximum(size, 0.0)))


def score_in_l1(w_in: Float64) -> Float64:
    """Score by the sum of incoming weight magnitudes.

    >>> score_in_l1(np.array([[1.0, -3.0]]))
    array([1., 3.])
    """
    return np.asarray(np.abs(w_in).sum(axis=0))


def score_in_l2(w_in: Float64) -> Float64:
    """Score by the length of the incoming weight vector.

    >>> score_in_l2(np.array([[3.0, 1.0], [4.0, 0.0]]))
    array([5., 1.])
    """
    return np.asarray(np.sqrt((w_in * w_in).sum(axis=0)))


def score_mean_activation(h: Float64) -> Float64:
    """Score by the mean magnitude of the output.

    >>> score_mean_activation(np.array([[1.0, 0.0], [3.0, 0.0]]))
    array([2., 0.])
    """
    return np.asarray(np.abs(h).mean(axis=0))


def score_std_out_l2(h: Float64, v: Float64) -> Float64:
    """Score by the spread of the output times the length of the outgoing weights.

    It is the root of the mean squared error that folding the mean of one neuron leaves.

    >>> score_std_out_l2(np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[3.0], [9.0]]))
    array([3., 0.])
    """
    return np.asarray(h.std(axis=0) * np.sqrt((v * v).sum(axis=1)))


def score_taylor(h: Float64, tail: Sequence[DenseLayer], output: str = "softmax") -> Float64:
    """S7. 1/2 mean over rows of h_j^2 J_j^T (diag p - p p^T) J_j, J (C, n) the derivative of the logits by h.

    KL(p, p without j) in nats to second order; the first-order term is zero, and no labels are needed. Where `output`
    is "identity" and not "softmax" (classes), I in place of the matrix: half the squared error. `tail` are the layers
    after this one, the last giving the logits; a tail whose units all saturate gives 0.

    >>> tail = [DenseLayer(np.array([[2.0, 0.0], [1.0, 1.0]]), np.zeros(2), "identity")]
    >>> score_taylor(np.array([[1.0, 9.0]]), tail).round(3)
    array([0.21, 0.  ])
    """
    total = np.zeros(h.shape[1])
    for start in range(0, len(h), _BLOCK_ROWS):
        rows = h[start : start + _BLOCK_ROWS]
        logits, jacobian = _logits_and_jacobian(rows, tail)
        if output == "identity":
            total += (rows * rows * (jacobian * jacobian).sum(axis=1)).sum(axis=0)
            continue
        p = np.exp(log_softmax(logits))
        # v^T (diag p - p p^T) v is the variance of v under p; taken about its mean it cannot be negative.
        mean = np.einsum("rc,rcn->rn", p, jacobian)
        variance = np.einsum("rc,rcn->rn", p, (jacobian - mean[:, None]) ** 2)
        total += (rows * rows * variance).sum(axis=0)
    return total / (2 * len(h))


def _logits_and_jacobian(h: Float64, tail: Sequence[DenseLayer]) -> tuple[Float64, Float64]:
    """Return logits (R, C) and their derivative (R, C, n) by h, one backward pass a logit."""
    a: NDArray[np.floating[Any]] = h
    outputs = []
    for layer in tail:
        a = ACTIVATIONS[layer.activation][0](a @ layer.w + layer.b)
        outputs.append(a)
    columns = []
    for logit in range(a.shape[1]):
        da: NDArray[np.floating[Any]] = np.zeros_like(a)
        da[:, logit] = 1.0
        for layer, out in zip(reversed(tail), reversed(outputs), strict=True):
            da = ACTIVATIONS[layer.activation][1](da, out) @ layer.w.T
        columns.append(da)
    return np.asarray(a, np.float64), np.stack(columns, axis=1)
