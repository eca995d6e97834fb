"""The weights that are left, solved anew: exact least squares of each neuron on the inputs that it keeps.

Legend: R calibration rows, K inputs and N neurons of a layer; a (R, K) inputs that the pruned chain delivers, ac the
same less their mean, z (R, N) the float network's pre-activations, w (K, N) old and v new weights, all float64 and
real; M the damped covariance U0 of a, S the inputs that a neuron keeps, `kept` (K, N) True there; `share` the pull to
the old weights, a share of the variance of each input, > 0. Labels U0 and U5 are derived in docs/weight-pruning.md.

U5 (refit)  v_S = w_S + (M_SS)^-1 g_S,  g = ac^T (zc - ac w_S) / R;  b = mean(z) - mean(a) v
            = argmin over v on S of |z - a v - b|^2 / R + share sum_k C_kk (v_k - w_k)^2
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Float64, Mask
from npquant.compression.least_squares import solve_kept
from npquant.compression.pruning.weights.input_metric import input_metric

# Neurons that are solved together.
SLICE = 128


def refit_kept_weights(a: Float64, w: Float64, kept: Mask, z: Float64, share: float) -> tuple[Float64, Float64]:
    """U5. Solve the weights that are left, and the bias (N,), for the float network's pre-activations.

    v is exactly 0 outside S; a neuron that keeps nothing has its mean for a bias. Neuron by neuron, by a Cholesky
    factor of the kept rows and columns: (|S|^3) / 3 products each. Defined for R < |S| too: directions that no row
    shows stay at the old weights, and so does the weight of a constant input.

    >>> a = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]])
    >>> kept = np.array([[True], [False]])
    >>> v, b = refit_kept_weights(a, np.array([[1.0], [2.0]]), kept, a @ [[1.0], [2.0]], 1e-9)
    >>> v.ravel().round(6), b.round(6)
    (array([3., 0.]), array([0.]))
    """
    metric = input_metric(a, share)
    mean_z = (z / len(z)).sum(axis=0)
    v = np.where(kept, w, 0.0)
    unit = metric.unit[:, np.newaxis]
    # Neurons do not meet: some at a time, since a gradient for all of them would be one more matrix.
    for n in range(0, v.shape[1], SLICE):
        at = slice(n, n + SLICE)
        # In units of the inputs: v t is what a step of one unit adds.
        residual = z[:, at] - mean_z[at] - metric.centred @ (v[:, at] * unit)
        gradient = metric.centred.T @ residual / len(a)
        v[:, at] += solve_kept(metric.matrix, gradient, kept[:, at]) / unit
    return v, mean_z - metric.mean @ v
