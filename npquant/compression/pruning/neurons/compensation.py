"""What the next layer does about neurons that are gone: nothing, a constant, or a least-squares refit.

Legend: R calibration rows, n neurons, N outputs of the next layer; h (R, n) outputs, v (n, N) and b (N,) the next
layer, z (R, N) the pre-activations that it should give. Labels S1, S5, S6 are derived in docs/pruning.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import damp_by_mean_variance, solve_together


def damped_covariance(h: Float64, share: float) -> Float64:
    """Return the covariance of the neurons, with a ridge that adapts to its size.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the layer, real.
    share : float
        Ridge as a share of the mean variance, > 0.

    Returns
    -------
    ndarray of float64, shape (n, n)
        Positive definite.

    Raises
    ------
    ValueError
        If the squares of the outputs overflow.

    Notes
    -----
    S1. C + l I, C = hc^T hc / R with hc = h - mean(h), l = share trace(C) / n; l = 1 where nothing varies.

    Examples
    --------
    >>> damped_covariance(np.array([[0.0], [2.0]]), 0.5)
    array([[1.5]])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centred = h - h.mean(axis=0)
        damped = damp_by_mean_variance(centred.T @ centred / len(h), share)
    if not np.isfinite(damped).all():
        raise ValueError(
            f"the outputs of a layer reach {np.abs(h).max():.3g}, whose square overflows; scale the inputs"
        )
    return damped


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
    S5. b' = b + sum over removed j of mean(h_j) v_j. The mean is taken as h_j of the first row plus the mean distance
    from it, so that for a constant neuron it is that constant, bit for bit.

    Examples
    --------
    >>> fold_means(np.array([[2.0, 1.0], [2.0, 0.0]]), np.array([[3.0], [1.0]]), np.array([1.0]), np.array([0]))
    array([7.])
    """
    gone = h[:, removed]
    means = gone[0] + (gone - gone[0]).mean(axis=0)
    return np.asarray(b + means @ v[removed])


def refit(h: Float64, v: Float64, z: Float64, share: float) -> tuple[Float64, Float64]:
    """Solve the next layer anew from the neurons that are left, pulled toward its old weights.

    Parameters
    ----------
    h : ndarray of float64, shape (R, n)
        Outputs of the neurons that are left, in the pruned network.
    v : ndarray of float64, shape (n, N)
        Their old outgoing weights.
    z : ndarray of float64, shape (R, N)
        Pre-activations of the float network.
    share : float
        Pull, as a share of the mean variance of h, > 0.

    Returns
    -------
    v, b : ndarray of float64, shapes (n, N), (N,)
        The new next layer.

    Raises
    ------
    ValueError
        As `damped_covariance`.

    Notes
    -----
    S6. v' = v + (C + l I)^-1 hc^T (zc - hc v) / R, C and l of S1; b' = mean(z) - mean(h) v'. It is the minimum of
    |z - h v' - b'|^2 / R + l |v' - v|^2. Defined for R < n too. Where z = h v + b already, v' is v up to rounding.

    Examples
    --------
    >>> h = np.array([[0.0], [1.0], [2.0]])
    >>> v, b = refit(h, np.array([[5.0]]), 5 * h + 3, 1e-4)
    >>> v, b
    (array([[5.]]), array([3.]))
    """
    mean_h, mean_z = h.mean(axis=0), z.mean(axis=0)
    centred = h - mean_h
    residual = (z - mean_z) - centred @ v
    new = v + solve_together(damped_covariance(h, share), centred.T @ residual / len(h))
    return new, mean_z - mean_h @ new
