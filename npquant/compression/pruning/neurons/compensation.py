"""What the next layer does about neurons that are gone: nothing, a constant, or a least-squares refit.

Legend: R calibration rows, n neurons, N outputs of the next layer; h (R, n) outputs in the pruned network, v (n, N) and
b (N,) the next layer, z (R, N) the pre-activations that it should give, those of the float network, all float64 and
real; C the covariance of h; `share` of the mean variance of h, > 0. Labels S1, S5, S6 are derived in docs/pruning.md.
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Float64, Indices
from npquant.compression.least_squares import damp_by_mean_variance, solve_kept, solve_together


def damped_covariance(h: Float64, share: float) -> Float64:
    """S1. C + l I (n, n), C = hc^T hc / R with hc = h - mean(h), l = share trace(C) / n; l = 1 where nothing varies.

    Positive definite. ValueError if the squares of the outputs overflow.

    >>> damped_covariance(np.array([[0.0], [2.0]]), 0.5)
    array([[1.5]])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centred = h - h.mean(axis=0)
        damped: Float64 = centred.T @ centred
        damped /= len(h)
        damped = damp_by_mean_variance(damped, share, overwrite=True)
    if not np.isfinite(damped).all():
        raise ValueError(
            f"the outputs of a layer reach {np.abs(h).max():.3g}, whose square overflows; scale the inputs"
        )
    return damped


def fold_means(h: Float64, v: Float64, b: Float64, removed: Indices) -> Float64:
    """S5. b' = b + sum over removed j of mean(h_j) v_j: the mean contribution of `removed` neurons joins the bias.

    >>> fold_means(np.array([[2.0, 1.0], [2.0, 0.0]]), np.array([[3.0], [1.0]]), np.array([1.0]), np.array([0]))
    array([7.])
    """
    gone = h[:, removed]
    # h_j of the first row plus the mean distance from it: for a constant neuron that constant, bit for bit.
    means = gone[0] + (gone - gone[0]).mean(axis=0)
    return np.asarray(b + means @ v[removed])


def refit(h: Float64, v: Float64, z: Float64, share: float) -> tuple[Float64, Float64]:
    """S6. v' = v + (C + l I)^-1 hc^T (zc - hc v) / R, C and l of S1;  b' = mean(z) - mean(h) v'.

    The next layer solved anew from the neurons that are left, pulled toward v, their old outgoing weights: the minimum
    of |z - h v' - b'|^2 / R + l |v' - v|^2. Defined for R < n too. Where z = h v + b already, v' is v up to rounding.
    A weight that is 0 stays 0: each output is then solved on the neurons that it hears, as U5 does.
    ValueError as `damped_covariance`.

    >>> h = np.array([[0.0], [1.0], [2.0]])
    >>> refit(h, np.array([[5.0]]), 5 * h + 3, 1e-4)
    (array([[5.]]), array([3.]))
    """
    mean_h, mean_z = h.mean(axis=0), z.mean(axis=0)
    centred = h - mean_h
    residual = (z - mean_z) - centred @ v
    matrix, gradient = damped_covariance(h, share), centred.T @ residual / len(h)
    heard = v != 0
    full, step = heard.all(axis=0), np.zeros_like(v)
    # One factor for all outputs that hear every neuron; a factor for each of the others.
    step[:, full] = solve_together(matrix, gradient[:, full])
    step[:, ~full] = solve_kept(matrix, gradient[:, ~full], heard[:, ~full])
    new = v + step
    return new, mean_z - mean_h @ new
