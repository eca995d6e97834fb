"""What the next layer does about neurons that are gone: nothing, a constant, or a least-squares refit.

Legend: R calibration rows, n neurons before and k after pruning, N outputs of the next layer; h (R, n) outputs,
v (n, N) and b (N,) the next layer, z (R, N) the pre-activations that it should give.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
RIDGE = 1e-4


def fold_means(h: Float64, v: Float64, b: Float64, removed: NDArray[np.int64]) -> Float64:
    """Put the mean contribution of removed neurons into the next bias.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the layer.
    v, b : ndarray of float64, shapes (n, N), (N,)
        Next layer.
    removed : ndarray of int64
        Neurons.

    Returns
    -------
    ndarray of float64, shape (N,)
        The new bias.

    Notes
    -----
    R41. b' = b + sum over removed j of mean(h_j) v_j. Exact for a neuron whose output is constant.

    Examples
    --------
    >>> fold_means(np.array([[2.0, 1.0], [2.0, 0.0]]), np.array([[3.0], [1.0]]), np.array([1.0]), np.array([0]))
    array([7.])
    """
    return np.asarray(b + h[:, removed].mean(axis=0) @ v[removed])


def refit(h: Float64, v: Float64, z: Float64, ridge: float = RIDGE) -> tuple[Float64, Float64]:
    """Solve the next layer anew from the neurons that are left, pulled toward its old weights.

    Parameters
    ----------
    h : ndarray of float64, shape (R, k)
        Outputs of the neurons that are left, in the pruned network.
    v : ndarray of float64, shape (k, N)
        Their old outgoing weights.
    z : ndarray of float64, shape (R, N)
        Pre-activations of the float network.
    ridge : float
        Pull, as a share of the mean variance of h.

    Returns
    -------
    v, b : ndarray of float64, shapes (k, N), (N,)
        The new next layer.

    Notes
    -----
    R42. v' = v + (C + l I)^-1 hc^T (zc - hc v) / R with hc, zc centred, C = hc^T hc / R, l = ridge trace(C) / k; the
    minimum of |zc - hc v'|^2 / R + l |v' - v|^2. b' = mean(z) - mean(h) v'. Where z = h v + b already, v' is v.

    Examples
    --------
    >>> h = np.array([[0.0], [1.0], [2.0]])
    >>> v, b = refit(h, np.array([[5.0]]), 5 * h + 3)
    >>> v, b
    (array([[5.]]), array([3.]))
    """
    mean_h, mean_z = h.mean(axis=0), z.mean(axis=0)
    centred = h - mean_h
    covariance = centred.T @ centred / len(h)
    pull = ridge * np.trace(covariance) / len(covariance) or 1.0
    residual = (z - mean_z) - centred @ v
    update = np.linalg.solve(covariance + pull * np.eye(len(covariance)), centred.T @ residual / len(h))
    new = v + update
    return new, mean_z - mean_h @ new
