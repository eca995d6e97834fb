"""Losses as adjacent pairs: the mean loss of a batch with its cache, and its gradient by the logits.

Legend: B batch (> 0), C classes or outputs; logits (B, C); y class indices (B,) or real targets (B, C); p (B, C)
probabilities, t (B, C) target probabilities. Labels F6 and F7 are derived in docs/nn.md, F12 in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Real


def softmax(logits: Real) -> Real:
    """Turn logits into probabilities.

    Parameters
    ----------
    logits : ndarray of float, shape (B, C)
        Real values.

    Returns
    -------
    ndarray of float, shape (B, C)
        Rows that sum to 1.

    Notes
    -----
    p = e^(l - max l) / sum e^(l - max l): the largest exponent is 0, so nothing overflows.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    with np.errstate(under="ignore"):
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))


def softmax_cross_entropy_forward(
    logits: Real, y: NDArray[np.integer]
) -> tuple[float, tuple[Real, NDArray[np.integer]]]:
    """Average the negative log probability of the right class.

    Parameters
    ----------
    logits : ndarray of float, shape (B, C)
        Real values.
    y : ndarray of int, shape (B,)
        Class indices in [0, C).

    Returns
    -------
    loss : float
        Mean over the batch.
    cache : tuple
        (softmax(logits), y).

    Notes
    -----
    F6: loss = mean(log sum_c e^l_c - l_y), with the maximum taken out of the logarithm, so that nothing overflows and
    a confident wrong answer costs its full distance instead of the logarithm of 0.

    Examples
    --------
    >>> loss, _ = softmax_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 6)
    0.693147
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        e = np.exp(shifted)
        total = e.sum(axis=1)
    rows = np.arange(len(y))
    loss = np.mean(np.log(total) - shifted[rows, y], dtype=np.float64)
    return float(loss), (e / total[:, None], y)


def softmax_cross_entropy_backward(cache: tuple[Real, NDArray[np.integer]]) -> Real:
    """Return the gradient of the mean loss by the logits.

    Parameters
    ----------
    cache : tuple
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, C)
        (p - onehot(y)) / B.

    Notes
    -----
    F6. Each row sums to 0 up to rounding.

    Examples
    --------
    >>> _, cache = softmax_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([1]))
    >>> softmax_cross_entropy_backward(cache)
    array([[ 0.5, -0.5]])
    """
    p, y = cache
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    return np.asarray(d / len(y))


def soft_cross_entropy_forward(logits: Real, t: Real) -> tuple[float, tuple[Real, Real]]:
    """Average the cross-entropy between target probabilities and the softmax of logits.

    Parameters
    ----------
    logits : ndarray of float, shape (B, C)
        Real values.
    t : ndarray of float, shape (B, C)
        Target probabilities: rows >= 0 that sum to 1.

    Returns
    -------
    loss : float
        Mean over the batch.
    cache : tuple
        (softmax(logits), t).

    Notes
    -----
    F12: loss = mean_r(log sum_c e^l[r,c] - sum_c t[r,c] l[r,c]), the maximum taken out of both. One-hot rows give F6.

    Examples
    --------
    >>> loss, _ = soft_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([[0.25, 0.75]]))
    >>> round(loss, 6)
    0.693147
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        e = np.exp(shifted)
        total = e.sum(axis=1)
        right = (t * shifted).sum(axis=1)
    return float(np.mean(np.log(total) - right, dtype=np.float64)), (e / total[:, None], t)


def soft_cross_entropy_backward(cache: tuple[Real, Real]) -> Real:
    """Return the gradient of the mean loss by the logits.

    Parameters
    ----------
    cache : tuple
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, C)
        (p - t) / B.

    Notes
    -----
    F12. The derivative of the logarithm is p times the sum of t, which is 1.

    Examples
    --------
    >>> soft_cross_entropy_backward(soft_cross_entropy_forward(np.array([[0.0, 0.0]]), np.array([[0.25, 0.75]]))[1])
    array([[ 0.25, -0.25]])
    """
    p, t = cache
    return np.asarray((p - t) / len(p))


def squared_error_forward(outputs: Real, y: Real) -> tuple[float, Real]:
    """Average half the squared error, summed over outputs.

    Parameters
    ----------
    outputs, y : ndarray of float, shape (B, C)
        Real values and targets.

    Returns
    -------
    loss : float
        mean over rows of sum_c (o - y)^2 / 2.
    cache : ndarray of float
        o - y.

    Notes
    -----
    F7. The sum runs in float64.

    Examples
    --------
    >>> squared_error_forward(np.array([[3.0]]), np.array([[1.0]]))[0]
    2.0
    """
    error = outputs - y
    return float(np.sum(error * error, dtype=np.float64) / (2 * len(y))), error


def squared_error_backward(cache: Real) -> Real:
    """Return the gradient of the mean loss by the outputs.

    Parameters
    ----------
    cache : ndarray of float
        From the forward pass.

    Returns
    -------
    ndarray of float, shape (B, C)
        (o - y) / B.

    Notes
    -----
    F7.

    Examples
    --------
    >>> squared_error_backward(np.array([[2.0], [4.0]]))
    array([[1.],
           [2.]])
    """
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


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Turn logits into log-probabilities.

    Parameters
    ----------
    logits : ndarray of floats, shape (R, C)
        Real values, finite.

    Returns
    -------
    ndarray of float64, shape (R, C)
        <= 0.

    Raises
    ------
    ValueError
        If the shape is not (R, C) with C >= 1, or a value is NaN or inf.

    Notes
    -----
    The largest logit of a row is subtracted first, so that no exponential overflows. No rows give no rows.

    Examples
    --------
    >>> log_softmax(np.array([[0.0, 0.0]])).round(4)
    array([[-0.6931, -0.6931]])
    """
    if logits.ndim != 2 or logits.shape[1] < 1:
        raise ValueError(f"logits must be (R, C) with C >= 1, got shape {logits.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("logits hold NaN or inf: the network's weights or its input do too")
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    # exp of anything below -700 would be subnormal or 0: neither changes a sum that is at least 1.
    exponentials: NDArray[np.float64] = np.exp(np.maximum(shifted, -700.0))
    return np.asarray(shifted - np.log(exponentials.sum(axis=1, keepdims=True)), np.float64)


def kl_divergence(reference: NDArray[np.floating[Any]], logits: NDArray[np.floating[Any]]) -> float:
    """Measure how far a network's class probabilities lie from a reference's.

    Parameters
    ----------
    reference, logits : ndarray of floats, shape (R, C)
        Real logits of the two networks on the same rows, R >= 1.

    Returns
    -------
    float
        M2 in nats, >= 0; 0 where the probabilities agree.

    Raises
    ------
    ValueError
        If the shapes differ, there are no rows, or a value is NaN or inf.

    Notes
    -----
    Float64. It separates two quantizations long before a row changes its class, so it ranks candidates where accuracy
    on a few hundred rows is all ties. Negative sums, which only rounding makes, are returned as 0.

    Examples
    --------
    >>> kl_divergence(np.array([[1.0, 0.0]]), np.array([[3.0, 2.0]]))
    0.0
    """
    if reference.shape != logits.shape or reference.shape[0] == 0:
        raise ValueError(f"both networks need logits of the same R >= 1 rows: {reference.shape} and {logits.shape}")
    log_p, log_q = log_softmax(reference), log_softmax(logits)
    p = np.exp(np.maximum(log_p, -700.0))
    return max(0.0, float(np.mean(np.sum(p * (log_p - log_q), axis=1))))
