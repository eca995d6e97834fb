"""What a network costs and how far its answers lie from another's: MACs, accuracy, agreement, KL.

M1 (MACs)       macs = sum over layers of K * N, a row
M2 (KL)         KL = mean over rows of sum over classes of p * (log p - log q), in nats

Letters: R rows, C classes, K inputs and N outputs of a layer, p and q the softmax of the reference's and of the
other network's logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


def multiply_accumulates(n_inputs: int, neurons: Sequence[int]) -> int:
    """Count the multiply-accumulates that a dense network executes a row.

    Parameters
    ----------
    n_inputs : int
        K of the first layer, >= 1.
    neurons : sequence of int
        N of each layer, each >= 1.

    Returns
    -------
    int
        M1. A zero weight is multiplied like any other: what is executed is counted.

    Raises
    ------
    ValueError
        If a width is below 1 or there is no layer.

    Examples
    --------
    >>> multiply_accumulates(64, (64, 32, 10))
    6464
    """
    widths = (n_inputs, *neurons)
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"a network needs one layer or more of width >= 1, got widths {widths}")
    return sum(k * n for k, n in pairwise(widths))


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
