"""How the inputs of a layer vary together, in units of their own: what weight pruning measures its errors with.

Legend: R calibration rows, K inputs; a (R, K) inputs as delivered, real, finite, ac the same less their mean, t (K,)
powers of two, all float64; `share` the damping, a share of each input's own variance, > 0. Label U0 is derived in
docs/weight-pruning.md.

U0 (metric)  M = C + share diag(C),  C = (ac / t)^T (ac / t) / R,  t_k the power of two above max |ac_k|
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64, Mask
from npquant.compression.least_squares import damp_by_own_variance


@dataclass(frozen=True, slots=True, eq=False)
class InputMetric:
    """Hold the damped covariance of a layer's inputs."""

    # Mean of each input, and t (K,), which is 1 where the input does not vary.
    mean: Float64
    unit: Float64
    # ac / t (R, K): inside [-1, 1], and 0 where the input does not vary.
    centred: Float64
    # M (K, K): positive definite; the unit matrix where inputs do not vary.
    matrix: Float64
    # Inputs (K,) that are not the same in all rows.
    varies: Mask


def input_metric(a: Float64, share: float) -> InputMetric:
    """U0. Measure how the inputs of a layer vary.

    Powers of two are taken out exactly, so that inputs in other units give the same matrix, bit for bit, and no square
    overflows. A damping of each input's own variance treats an input of thousandths as one of thousands; one share of
    the mean variance would drown the former.

    >>> metric = input_metric(np.array([[0.0, 7.0, 4000.0], [2.0, 7.0, 0.0]]), 0.5)
    >>> metric.matrix
    array([[ 0.375     ,  0.        , -0.48828125],
           [ 0.        ,  1.        ,  0.        ],
           [-0.48828125,  0.        ,  1.43051147]])
    """
    varies = (a != a[0]).any(axis=0)
    mean = np.where(varies, (a / len(a)).sum(axis=0), a[0])
    centred = a - mean
    centred[:, ~varies] = 0.0
    largest = np.maximum(centred.max(axis=0), -centred.min(axis=0))
    unit = np.where(varies, np.exp2(np.frexp(largest)[1].astype(np.float64)), 1.0)
    centred /= unit
    covariance: Float64 = centred.T @ centred
    covariance /= len(a)
    # A variance of 0 is that of an input that does not vary, or of one whose distances from the mean all round away.
    varies = varies & (np.diag(covariance) > 0)
    return InputMetric(mean, unit, centred, damp_by_own_variance(covariance, share, overwrite=True), varies)
