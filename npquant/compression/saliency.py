"""How important a neuron is: the criteria that rank hidden neurons for pruning, lowest score first.

Legend: R calibration rows, n neurons of the layer, N outputs of the next; h (R, n) outputs, w_in (K, n) incoming and
v (n, N) outgoing weights, P inverse of the damped covariance of h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
DAMPING = 1e-2


def damped_covariance(h: Float64, damping: float = DAMPING) -> Float64:
    """Return the covariance of the neurons, with a ridge that adapts to its size.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the layer, real.
    damping : float
        Ridge as a share of the mean variance.

    Returns
    -------
    ndarray of float64, shape (n, n)
        C + l I, C = (h - mean)^T (h - mean) / R, l = damping trace(C) / n; l = 1 where nothing varies.

    Examples
    --------
    >>> damped_covariance(np.array([[0.0], [2.0]]), 0.5)
    array([[1.5]])
    """
    centred = h - h.mean(axis=0)
    covariance = centred.T @ centred / len(h)
    ridge = damping * np.trace(covariance) / len(covariance) or 1.0
    return np.asarray(covariance + ridge * np.eye(len(covariance)))


def greedy_obs_order(h: Float64, v: Float64, count: int) -> NDArray[np.int64]:
    """Choose neurons one by one, each the cheapest to remove when the others make up for it.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the layer, real.
    v : ndarray of float64, shape (n, N)
        Outgoing weights.
    count : int
        Neurons to choose, <= n.

    Returns
    -------
    ndarray of int64, shape (count,)
        Neurons in the order of removal.

    Notes
    -----
    R40. The damped least-squares error that removing j adds, after the best update of the other weights, is
    |v_j|^2 / P_jj with P = (C + l I)^-1. Then v := v - P[:, j] v_j / P_jj, and P loses row and column j by
    P := P - P[:, j] P[j, :] / P_jj. Ties: the lowest index. Source: Hassibi and Stork 1993, equations 3 to 5, with a
    neuron's outgoing row in place of one weight.

    Examples
    --------
    >>> h = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    >>> greedy_obs_order(h, np.array([[3.0], [1.0], [2.0]]), 2)
    array([1, 2])
    """
    inverse, weights = np.linalg.inv(damped_covariance(h)), v.astype(np.float64)
    alive, order = np.ones(len(v), bool), []
    for _ in range(count):
        score = np.where(alive, (weights * weights).sum(axis=1) / np.where(alive, np.diag(inverse), 1.0), np.inf)
        j = int(np.argmin(score))
        column = inverse[:, j] / inverse[j, j]
        weights -= np.outer(column, weights[j])
        inverse -= np.outer(column, inverse[j])
        weights[j], inverse[j], inverse[:, j] = 0.0, 0.0, 0.0
        alive[j] = False
        order.append(j)
    return np.array(order, np.int64)


def score_in_l1(h: Float64, w_in: Float64, v: Float64) -> Float64:
    """Score by the sum of incoming weight magnitudes.

    Parameters
    ----------
    h, w_in, v : ndarrays
        As in the legend; only w_in is used.

    Returns
    -------
    ndarray of float64, shape (n,)
        Scores.

    Examples
    --------
    >>> score_in_l1(np.zeros((1, 2)), np.array([[1.0, -3.0]]), np.zeros((2, 1)))
    array([1., 3.])
    """
    return np.asarray(np.abs(w_in).sum(axis=0))


def score_in_l2(h: Float64, w_in: Float64, v: Float64) -> Float64:
    """Score by the length of the incoming weight vector.

    Parameters
    ----------
    h, w_in, v : ndarrays
        As in the legend; only w_in is used.

    Returns
    -------
    ndarray of float64, shape (n,)
        Scores.

    Examples
    --------
    >>> score_in_l2(np.zeros((1, 2)), np.array([[3.0, 1.0], [4.0, 0.0]]), np.zeros((2, 1)))
    array([5., 1.])
    """
    return np.asarray(np.sqrt((w_in * w_in).sum(axis=0)))


def score_mean_activation(h: Float64, w_in: Float64, v: Float64) -> Float64:
    """Score by the mean magnitude of the output.

    Parameters
    ----------
    h, w_in, v : ndarrays
        As in the legend; only h is used.

    Returns
    -------
    ndarray of float64, shape (n,)
        Scores.

    Examples
    --------
    >>> score_mean_activation(np.array([[1.0, 0.0], [3.0, 0.0]]), np.zeros((1, 2)), np.zeros((2, 1)))
    array([2., 0.])
    """
    return np.asarray(np.abs(h).mean(axis=0))


def score_std_out_l2(h: Float64, w_in: Float64, v: Float64) -> Float64:
    """Score by the spread of the output times the length of the outgoing weights.

    Parameters
    ----------
    h, w_in, v : ndarrays
        As in the legend; h and v are used.

    Returns
    -------
    ndarray of float64, shape (n,)
        Scores: the error of folding the mean, if the neurons were uncorrelated.

    Examples
    --------
    >>> score_std_out_l2(np.array([[0.0, 5.0], [2.0, 5.0]]), np.zeros((1, 2)), np.array([[3.0], [9.0]]))
    array([3., 0.])
    """
    return np.asarray(h.std(axis=0) * np.sqrt((v * v).sum(axis=1)))


Score = Callable[[Float64, Float64, Float64], Float64]
SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "in_l1": score_in_l1,
        "in_l2": score_in_l2,
        "mean_activation": score_mean_activation,
        "std_out_l2": score_std_out_l2,
    }
)
