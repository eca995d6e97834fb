"""Least squares of a layer: three ways to solve it, and its dampings, each under a name.

Every fit of real weights here moves them from w to w + t, so that inputs x come close to targets z; the bias is free.
Centring takes the bias out, and damping holds what the rows do not show:

    minimize |zc - xc (w + t)|^2 / R + sum_k D_k |t_k|^2
    so  (A + diag D) t = g,   A = xc^T xc / R,   g = xc^T (zc - xc w) / R

(both sides may be multiplied by R). The pull is toward w and not toward 0: where z is reached already, g = 0 and no
weight moves; where rows are fewer than inputs, directions that no row shows stay.

Legend: R rows, K inputs, N neurons; xc, zc less their means over rows; `matrix` A (K, K), or (N, K, K), float64,
symmetric and positive semidefinite, damped where it is solved; `gradient` g, the step t, weights w, all (K, N) float64;
D the damping, real; `share` of a variance, > 0.

Why the dampings differ. S1, E4, E16, E22: one share of the mean variance, for inputs of one unit, as a layer's
activations are; it bounds the condition by 1 + K / share whatever the rows. U0: a share of each input's own variance,
for raw inputs: beside features of thousands the mean would drown features of thousandths. E18, S10: a pull that grows
with K / R, for weights that are fitted once more to all the rows: few rows should say little, many should decide. E22
solves a matrix that holds E4 already; its share, 1e-12, is there so that the matrix can be factored where that is 0.

Why there are three solvers. One matrix serves all neurons that keep the same inputs: `solve_together` factors it once.
With zeros each neuron has rows and columns of its own: `solve_kept` makes a Cholesky factor for each, at half the
products. Where the matrix would be larger than the rows (rows weighed for each neuron, all layers at once), only its
products with vectors are formed: `conjugate_gradients`. Orders of removal (S4, U2) need the inverse itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64, Mask

# E18, S10: the pull of a layer with as many inputs as rows. From 0.1 to 3 the results are the same within noise.
PULL: Final = 0.3
# S4, U2: the share under which an order of removal is chosen. From 1e-4 to 1e-1 neurons are the same within noise, from
# 1e-2 to 1e-1 weights.
OBS_DAMPING: Final = 1e-2
# S6, U5: the share with which a refit holds to the old weights. From 1e-5 to 1e-2 neurons are the same within noise,
# from 1e-4 to 1e-2 weights.
REFIT_PULL: Final = 1e-4
# A step that moves no weight of a neuron by more than this share of the largest has only met rounding errors.
NEGLIGIBLE: Final = 1e-9
# Errors that differ by less than this share of what is compared, or of Phi(0), differ by rounding errors.
INDISTINCT: Final = 1e-12
# Numbers of a product that is not held as a whole.
IN_CACHE: Final = 2**14
# Added to a diagonal below this, a damping would have an inverse that overflows: inputs vary by less than 1e-146.
LEAST_DAMPING: Final = float(np.finfo(np.float64).tiny / np.finfo(np.float64).eps)


def damp_by_mean_variance(matrix: Float64, share: float, *, overwrite: bool = False) -> Float64:
    """S1. A + l I, l = share trace(A) / K, and l = 1 where nothing varies: E16 and E22 too, in the units of their sums.

    Positive definite; with `overwrite` it stands where A was, else in a copy: K^2 numbers. Overflow is the caller's: an
    l that is infinite or NaN is added as it is.

    >>> damp_by_mean_variance(np.array([[3.0, 1.0], [1.0, 1.0]]), 0.5)
    array([[4., 1.],
           [1., 2.]])
    """
    return damp_by(matrix, share_of_mean_variance(matrix, share), overwrite=overwrite)


def share_of_mean_variance(matrix: Float64, share: float) -> Any:
    """S1. l = share trace(A) / K, and 1 where nothing varies.

    >>> float(share_of_mean_variance(np.array([[3.0, 1.0], [1.0, 1.0]]), 0.5))
    1.0
    """
    added = share * np.trace(matrix, axis1=-2, axis2=-1) / matrix.shape[-1]
    return np.where(added < LEAST_DAMPING, 1.0, added)


def damp_by_own_variance(matrix: Float64, share: float, *, overwrite: bool = False) -> Float64:
    """U0. A + share diag(A), and 1 on the diagonal for an input that does not vary; A is (K, K), `overwrite` as above.

    >>> damp_by_own_variance(np.array([[4.0, 0.0], [0.0, 0.0]]), 0.5)
    array([[6., 0.],
           [0., 1.]])
    """
    damped, variance = matrix if overwrite else matrix.copy(), np.diag(matrix)
    damped[np.diag_indices_from(damped)] = np.where(variance > 0, variance * (1 + share), 1.0)
    return damped


def pull_by_rows(energy: Any, mass: Any, rows: int, inputs: int, pull: float = PULL) -> Any:
    """E18. lam = pull (K / R) (energy / K) + 1e-12 mass: the damping of a sum over rows.

    energy = sum_r |x_r|^2, and mass the number of rows, or their weights, real; rows R, inputs K; pull >= 0. The mass
    alone keeps lam above 0.

    >>> round(float(pull_by_rows(10.0, 2.0, rows=2, inputs=1)), 6)
    1.5
    """
    return pull * (inputs / rows) * (energy / inputs) + 1e-12 * np.float64(mass)


def damp_by(matrix: Float64, added: Any, *, overwrite: bool = False) -> Float64:
    """Return A with `added` on its diagonal, one number for each matrix: the damping of E18; `overwrite` as above."""
    damped, at = matrix if overwrite else matrix.copy(), np.arange(matrix.shape[-1])
    damped[..., at, at] += np.asarray(added)[..., np.newaxis]
    return damped


def solve_together(matrix: Float64, gradient: Float64) -> Float64:
    """S6, E18, E22. The step t (K, N) with `matrix` t = g, for neurons that share one matrix, or have one each.

    >>> solve_together(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([[1.0], [1.0]])).ravel()
    array([0.5 , 0.25])
    """
    if matrix.ndim == 3:
        return np.asarray(np.linalg.solve(matrix, gradient.T[..., np.newaxis])[..., 0].T, np.float64)
    return np.asarray(np.linalg.solve(matrix, gradient), np.float64)


def solve_kept(matrix: Float64, gradient: Float64, kept: Mask) -> Float64:
    """U5. The step t (K, N) that solves each neuron on the inputs that it keeps, `kept` (K, N), and is 0 elsewhere.

    By a Cholesky factor of these rows and columns of the matrix (K, K): |S|^3 / 3 products for a neuron that keeps S.
    LinAlgError if they are not positive definite.

    >>> solve_kept(np.array([[2.0, 1.0], [1.0, 4.0]]), np.array([[1.0], [1.0]]), np.array([[False], [True]])).ravel()
    array([0.  , 0.25])
    """
    # Imported here: reading a network should not wait for scipy.
    from scipy.linalg.lapack import dposv

    step = np.zeros_like(gradient)
    for n in range(gradient.shape[1]):
        s = np.flatnonzero(kept[:, n])
        if len(s):
            # In the order of LAPACK: the matrix is symmetric, so that its transpose is itself.
            own = matrix[s].take(s, axis=1).T
            _, step[s, n], failed = dposv(own, gradient[s, n], lower=True, overwrite_a=True)
            if failed:
                raise np.linalg.LinAlgError(f"the matrix of neuron {n} is not positive definite; raise the damping")
    return step


def inverse_of(matrix: Float64) -> Float64:
    """S4. A^-1, exactly symmetric, where A stood: `matrix` (K, K) is positive definite, and its memory is taken.

    By a Cholesky factor: a second matrix of that size is never held. LinAlgError if A is not positive definite.

    >>> inverse_of(np.array([[4.0, 2.0], [2.0, 2.0]])).round(6)
    array([[ 0.5, -0.5],
           [-0.5,  1. ]])
    """
    # Imported here: reading a network should not wait for scipy.
    from scipy.linalg.lapack import dpotrf, dpotri

    # In the order of LAPACK: A is symmetric, so that its transpose is A.
    lower, failed = dpotrf(matrix.T, lower=True, overwrite_a=True)
    if failed:
        raise np.linalg.LinAlgError(f"the matrix of shape {matrix.shape} is not positive definite; raise the damping")
    inverse: Float64 = dpotri(lower, lower=True, overwrite_c=True)[0]
    for k in range(len(inverse)):
        inverse[k, k + 1 :] = inverse[k + 1 :, k]
    return inverse


def conjugate_gradients(
    product: Callable[[Float64], Float64],
    gradient: Float64,
    steps: int,
    *,
    dot: Callable[[Float64, Float64], Any] = np.dot,
    enough: float = 0.0,
    precondition: Callable[[Float64], Float64] = np.asarray,
) -> Float64:
    """E9, S10. The step t after `steps` conjugate gradients from 0, where `product` multiplies by the damped matrix.

    `dot` is the inner product: of one vector, or `dot_of_columns` for neurons side by side, each with steps of its own.
    It ends where no |residual|^2 is above `enough` times the first: that is rounding, and has no curvature to speak of.
    `precondition` multiplies a residual by an inverse that is easy to have: the nearer it is to that of the damped
    matrix, up to a factor, the fewer steps are needed.

    >>> conjugate_gradients(lambda t: np.array([2.0, 4.0]) * t, np.array([1.0, 1.0]), 2).round(6)
    array([0.5 , 0.25])
    """
    step, residual = np.zeros_like(gradient), gradient.copy()
    del gradient  # free where the caller keeps none: with long vectors, each counts
    direction = precondition(residual).copy()
    square = dot(residual, direction)
    least = enough * square
    for left in range(steps, 0, -1):
        if not np.any(square > least):
            break
        image = product(direction)
        # A neuron without residual has no direction left: 0 / 0 is a step of 0.
        length = ratio_or_zero(square, dot(direction, image))
        add_multiple(step, length, direction)
        if left > 1:
            add_multiple(residual, -length, image)
            del image
            towards = precondition(residual)
            before, square = square, dot(residual, towards)
            direction *= ratio_or_zero(square, before)
            direction += towards
    return step


def add_multiple(target: Float64, factor: Any, source: Float64) -> None:
    """target += factor source, both (K,) or (K, N), `factor` a number or (N,): no more of it at a time than IN_CACHE.

    >>> target = np.array([1.0, 2.0])
    >>> add_multiple(target, 0.5, np.array([4.0, 8.0]))
    >>> target
    array([3., 6.])
    """
    rows = max(1, IN_CACHE * len(target) // max(1, target.size))
    for k in range(0, len(target), rows):
        target[k : k + rows] += factor * source[k : k + rows]


def dot_of_columns(a: Float64, b: Float64) -> Float64:
    """Return the inner products (N,) of the columns of a and b (K, N)."""
    return np.asarray(np.einsum("kn,kn->n", a, b))


def ratio_or_zero(numerator: Any, denominator: Any) -> NDArray[np.float64]:
    """Divide `numerator` by `denominator`, and give 0 where the latter is not positive.

    Least squares of one number: slope over curvature, and no step where nothing curves.
    """
    return np.asarray(np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0))


def take_step(w: Float64, step: Float64) -> Float64:
    """Return w + step, but w itself for a neuron that moves by no more than 1e-9 of its largest weight."""
    moved = np.abs(step).max(axis=0) > NEGLIGIBLE * np.abs(w).max(axis=0)
    return np.where(moved, w + step, w)
