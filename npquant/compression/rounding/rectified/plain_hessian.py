"""The one Hessian that all neurons of a wide layer share, and the best real weights under each neuron's own.

Legend: R calibration rows, K inputs, N neurons; x (R, K) inputs; H (K, K) of E27, V its `factor`, c what is added to
its diagonal; `problem` a LayerObjective of the same inputs, with lam, mass and d2 of each neuron, G its Hessian.

E27 (plain)     H = xc^T xc + c I,  c = 1/10 mean(diag(xc^T xc)),  xc = x less its means over rows;  V V^T = H
E37 (white)     v = w + V^-T t,  X = xc V^-T:  V^-1 G V^-T t = X^T (d2 (X t - mean) - lam / c X t) + lam / c t,
                mean = sum_r d2 X t / mass

E37 is E9 in other coordinates, where H is the identity and conjugate gradients need no solves between their steps: with
xc^T xc = H - c I, what E4 adds is V^-1 lam I V^-T = lam / c (I - X^T X). Two products with the rows are a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64
from npquant.compression.error_feedback import hessian_factor
from npquant.compression.least_squares import (
    conjugate_gradients,
    damp_by,
    dot_of_columns,
    ratio_or_zero,
    share_of_mean_variance,
    take_step,
)
from npquant.compression.rounding.rectified.layer_objective import PULL, LayerObjective

REFIT_STEPS = 3
# Neurons that take their steps together: each holds five vectors of weights.
REFITTED = 128


@dataclass(frozen=True, slots=True, eq=False)
class PlainHessian:
    """Hold H by its factor: once for neurons, sides and scales."""

    factor: Float64  # (K, K): V, upper triangular
    added: float  # c
    white: Float64  # (R, K): X of E37


def plain_hessian(x: Float64, damping: float = PULL) -> PlainHessian:
    """E27, E37: factor H of inputs x that have the mean 0, `damping` for 1/10; c is 1 where nothing varies.

    >>> plain_hessian(np.array([[-1.0], [1.0]])).factor.round(6)
    array([[1.48324]])
    """
    # Imported here: reading a network should not wait for scipy.
    from scipy.linalg import solve_triangular

    hessian = x.T @ x
    added = float(share_of_mean_variance(hessian, damping))
    factor = hessian_factor(damp_by(hessian, added, overwrite=True), overwrite=True)
    white = solve_triangular(factor, x.T, check_finite=False)
    return PlainHessian(factor, added, np.ascontiguousarray(white.T))


def refit(problem: LayerObjective, plain: PlainHessian) -> Float64:
    """E9, E37: find the real weights v* (K, N) with the least objective; w itself where nothing is to be gained.

    Conjugate gradients from w, all neurons at once, each with its own steps. In every direction G lies between min_r d2
    and max_r d2 times H, which here is the identity: the condition is that of d2, whatever the inputs are, and three
    steps suffice. A neuron that moves by less than 1e-9 of its largest weight stays put.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0], [1.0]], [[0.0], [3.0]], [[1.0]], [[1.0], [1.0]], pull=0.0)
    >>> refit(problem, plain_hessian(problem.x, 1e-9)).round(6)
    array([[3.]])
    """
    parts = [slice(n, n + REFITTED) for n in range(0, problem.w.shape[1], REFITTED)]
    return np.concatenate([_refit(problem.select(at), plain) for at in parts], axis=1)


def _refit(problem: LayerObjective, plain: PlainHessian) -> Float64:
    """E9, E37, of neurons side by side."""
    from scipy.linalg import solve_triangular

    share, image = problem.lam / plain.added, np.empty_like(problem.z)

    def half_hessian_times(t: Float64) -> Float64:
        np.matmul(plain.white, t, out=image)
        mean = ratio_or_zero(dot_of_columns(problem.d2, image), problem.mass)
        pulled = image * (problem.d2 - share)
        pulled -= problem.d2 * mean
        product = plain.white.T @ pulled
        product += share * t
        return np.asarray(product)

    gradient = plain.white.T @ problem.weighted_residual(problem.w)
    t = conjugate_gradients(half_hessian_times, gradient, REFIT_STEPS, dot=dot_of_columns)
    step = solve_triangular(plain.factor, t, trans="T", overwrite_b=True, check_finite=False)
    return take_step(problem.w, np.ascontiguousarray(step, np.float64))
