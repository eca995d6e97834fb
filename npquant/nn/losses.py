"""The network, 3 of 4: losses as adjacent pairs, and the divergence that measures without being trained on.

A forward pass returns the mean loss of a batch and a cache, a backward pass the gradient by the logits, both (B, C).

Legend: B batch (> 0), C classes or outputs; logits and outputs (B, C) real; y class indices (B,) in [0, C), or real
targets (B, C); p (B, C) probabilities, t (B, C) target probabilities, rows >= 0 that sum to 1; cache from the forward
pass. All real arrays are of one float dtype. Labels F6 and F7 are derived in docs/book/05-float-network.md, F12 in
docs/finetuning.md, M2 in docs/report.md.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64, Real


def softmax(logits: Real) -> Real:
    """p = e^(l - max l) / sum e^(l - max l), rows that sum to 1.

    >>> softmax(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    # The largest exponent is 0, so nothing overflows.
    with np.errstate(under="ignore"):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))


def softmax_cross_entropy_forward(
    logits: Real, y: NDArray[np.integer]
) -> tuple[float, tuple[Real, NDArray[np.integer]]]:
    """F6. loss = mean_r(log sum_c e^l[r,c] - l[r,y]); the cache is (p, y).

    A confident wrong answer costs its full distance, where the logarithm of a softmax would be that of 0.

    >>> round(softmax_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([1]))[0], 6)
    0.693147
    """
    # The maximum is taken out of the logarithm, so that nothing overflows.
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        e = np.exp(shifted)
        total = e.sum(axis=1)
    rows = np.arange(len(y))
    loss = np.mean(np.log(total) - shifted[rows, y], dtype=np.float64)
    return float(loss), (e / total[:, None], y)


def softmax_cross_entropy_backward(cache: tuple[Real, NDArray[np.integer]]) -> Real:
    """F6. dl = (p - onehot(y)) / B; each row sums to 0 up to rounding.

    >>> softmax_cross_entropy_backward(softmax_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([1]))[1])
    array([[ 0.5, -0.5]])
    """
    p, y = cache
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    return np.asarray(d / len(y))


def soft_cross_entropy_forward(logits: Real, t: Real) -> tuple[float, tuple[Real, Real]]:
    """F12. loss = mean_r(log sum_c e^l[r,c] - sum_c t[r,c] l[r,c]); the cache is (p, t). One-hot rows give F6.

    >>> round(soft_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([[0.25, 0.75]]))[0], 6)
    0.693147
    """
    # The maximum is taken out of both terms: the rows of t sum to 1.
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        e = np.exp(shifted)
        total = e.sum(axis=1)
        right = (t * shifted).sum(axis=1)
    return float(np.mean(np.log(total) - right, dtype=np.float64)), (e / total[:, None], t)


def soft_cross_entropy_backward(cache: tuple[Real, Real]) -> Real:
    """F12. dl = (p - t) / B: the derivative of the logarithm is p times the sum of t, which is 1.

    >>> soft_cross_entropy_backward(soft_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([[0.25, 0.75]]))[1])
    array([[ 0.25, -0.25]])
    """
    p, t = cache
    return np.asarray((p - t) / len(p))


def squared_error_forward(outputs: Real, y: Real) -> tuple[float, Real]:
    """F7. loss = mean_r sum_c (o - y)^2 / 2, summed in float64; the cache is o - y.

    >>> squared_error_forward(np.array([[3.0]]), np.array([[1.0]]))[0]
    2.0
    """
    error = outputs - y
    return float(np.sum(error * error, dtype=np.float64) / (2 * len(y))), error


def squared_error_backward(cache: Real) -> Real:
    """F7. do = (o - y) / B."""
    return np.asarray(cache / len(cache))


LossForward = Callable[[Real, Any], tuple[float, Any]]
LossBackward = Callable[[Any], Real]

# The losses of labelled data, by the names that `train` takes.
LABEL_LOSSES: Final = ("softmax_cross_entropy", "squared_error")
# Each name with its pair.
LOSSES: Final = MappingProxyType[str, tuple[LossForward, LossBackward]](
    {
        "softmax_cross_entropy": (softmax_cross_entropy_forward, softmax_cross_entropy_backward),
        "squared_error": (squared_error_forward, squared_error_backward),
        "soft_cross_entropy": (soft_cross_entropy_forward, soft_cross_entropy_backward),
    }
)


def log_softmax(logits: Real) -> Float64:
    """log p = l - max l - log sum e^(l - max l), <= 0, in float64 whatever the dtype of the logits.

    No rows give no rows. ValueError if the shape is not (B, C) with C >= 1, or a value is NaN or inf.

    >>> log_softmax(np.array([[0.0, 0.0]])).round(4)
    array([[-0.6931, -0.6931]])
    """
    if logits.ndim != 2 or logits.shape[1] < 1:
        raise ValueError(f"logits must be (R, C) with C >= 1, got shape {logits.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("logits hold NaN or inf: the network's weights or its input do too")
    shifted = logits.astype(np.float64)
    # The largest is subtracted first, so that no exponential overflows.
    shifted -= shifted.max(axis=1, keepdims=True)
    # exp of anything below -700 would be subnormal or 0: neither changes a sum that is at least 1.
    exponentials: Float64 = np.exp(np.maximum(shifted, -700.0))
    return np.asarray(shifted - np.log(exponentials.sum(axis=1, keepdims=True)), np.float64)


def kl_divergence(reference: Real, logits: Real) -> float:
    """M2. KL = mean_r sum_c p (log p - log q) in nats, >= 0: how far the q of `logits` lies from the `reference`'s p.

    0 where the probabilities agree. It separates two quantizations long before a row changes its class, so it ranks
    candidates where accuracy on a few hundred rows is all ties. Float64. ValueError if the shapes differ, there are no
    rows, or a value is NaN or inf.

    >>> kl_divergence(np.array([[1.0, 0.0]]), np.array([[3.0, 2.0]]))
    0.0
    """
    # Only rounding makes a sum negative.
    return max(0.0, float(np.mean(kl_by_row(reference, logits))))


def kl_by_row(reference: Real, logits: Real) -> Float64:
    """M2 of each row (R,), in nats, before the mean: `reference` and all else as in `kl_divergence`.

    >>> kl_by_row(np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[3.0, 3.0], [0.0, 0.0]]))
    array([0., 0.])
    """
    if reference.shape != logits.shape or reference.shape[0] == 0:
        raise ValueError(f"both networks need logits of the same R >= 1 rows: {reference.shape} and {logits.shape}")
    log_p, log_q = log_softmax(reference), log_softmax(logits)
    p = np.exp(np.maximum(log_p, -700.0))
    return np.asarray(np.sum(p * (log_p - log_q), axis=1))
