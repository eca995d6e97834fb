"""The error that rectified quantization makes small in one layer: its definition, and its best real weights.

Legend: R calibration rows, K inputs, N neurons; x (R, K) inputs that the integer chain delivers, z (R, N) targets,
w (K, N) real weights, to which E6 pulls; d2 (R, N) weights of squared errors, > 0; v (K, N) any weights: s q, or real
ones. x, z and w are finite, and every array and sum is float64.

E3 (mass)       mass = sum_r d2
E4 (pull)       lam = pull mean_k(sum_r d2 x_k^2 - mass mean_k^2) + 1e-12 mass,  mean_k = sum_r d2 x_k / mass
E5 (residual)   r = z - x v,  rbar = sum_r d2 r / mass,  u = d2 (r - rbar)
E6 (objective)  Phi(v) = sum_r d2 (r - rbar)^2 + lam sum_k (w_k - v_k)^2
E7 (Hessian)    h_k = max(sum_r d2 x_k^2 - mass mean_k^2, 0) + lam
E8 (bias)       b = rbar
E9 (refit)      v* = argmin Phi

E4 is the damping of E16, in the weights of the neuron, so that the two objectives agree: where all d2 are 1, G of E21
is H of E27. Few rows bound nothing but the condition, and the last part keeps lam > 0 where nothing varies.

In the field's words: u is the weighted residual (the "cumulative error" that is carried from weight to weight),
x_k . u + lam (w_k - v_k) is minus half of Phi's gradient, h half of its Hessian's diagonal.

Every sum over rows is one neuron's own, so that neurons never meet: any selection of them gives the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import dot_of_columns

# E4, E27: what is added to the diagonal, as a share of its mean.
PULL = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class LayerObjective:
    """State one layer's problem.

    >>> problem = make_objective([[0.0], [2.0]], [[1.0], [4.0]], [[1.0]], np.ones((2, 1)), pull=0.0)
    >>> problem.weighted_residual(problem.w).ravel(), problem.phi(problem.w).round(6), problem.best_bias(problem.w)
    (array([-0.5,  0.5]), array([0.5]), array([1.5]))
    """

    x: Float64  # (R, K) less `centre`: no equation but E8 sees the difference, and less is lost to rounding
    z: Float64  # (R, N) less `z_mean`
    w: Float64
    d2: Float64
    mass: Float64  # (N,): E3
    lam: Float64  # (N,): E4
    mean: Float64  # (K, N): mean_k of this x
    z_mean: Float64  # (N,): sum_r d2 z / mass
    centre: Float64  # (K,): the plain means of the inputs

    def image(self, v: Float64) -> Float64:
        """Return x v (R, N) less its d2-weighted mean over rows, neuron by neuron."""
        image = np.asarray(self.x @ v)
        image -= dot_of_columns(self.mean, v)
        return image

    def residual(self, v: Float64) -> Float64:
        """Return r - rbar (R, N) of weights v: E5."""
        return self.z - self.image(v)

    def weighted_residual(self, v: Float64) -> Float64:
        """Return u (R, N) of weights v: E5. Its sum over rows is 0."""
        return self.d2 * self.residual(v)

    def carried_error(self, v: Float64) -> Float64:
        """Return sum_r d2 (r - rbar)^2 = sum_r u^2 / d2, shape (N,): the part of E6 that the next layer sees."""
        r = self.residual(v)
        return np.asarray(np.einsum("rn,rn,rn->n", self.d2, r, r))

    def pull(self, v: Float64) -> Float64:
        """Return lam sum_k (w_k - v_k)^2, shape (N,): the other part of E6."""
        return np.asarray(self.lam * np.square(self.w - v).sum(axis=0))

    def phi(self, v: Float64) -> Float64:
        """Return the objective Phi(v), shape (N,): E6."""
        return np.asarray(self.carried_error(v) + self.pull(v))

    def phi_at_zero(self) -> Float64:
        """Return Phi(0), shape (N,): the size against which rounding errors of Phi are measured."""
        carried = np.einsum("rn,rn,rn->n", self.d2, self.z, self.z)
        return np.asarray(carried + self.lam * dot_of_columns(self.w, self.w))

    def best_bias(self, v: Float64) -> Float64:
        """Return the bias that leaves no weighted mean error, shape (N,): E8."""
        return np.asarray(self.z_mean - self.centre @ v - dot_of_columns(self.mean, v))

    def hessian_diagonal(self) -> Float64:
        """Return h (K, N), what one step of a weight costs: E7. At least lam > 0."""
        spread = np.square(self.x).T @ self.d2 - self.mass * np.square(self.mean)
        return np.maximum(spread, 0) + self.lam

    def select(self, at: slice | NDArray[np.bool_]) -> LayerObjective:
        """Return the problem of the neurons `at`, contiguous: sums over rows then run along memory."""
        z, w, d2 = (np.ascontiguousarray(part[:, at]) for part in (self.z, self.w, self.d2))
        mass, lam, z_mean = self.mass[at], self.lam[at], self.z_mean[at]
        return LayerObjective(self.x, z, w, d2, mass, lam, np.ascontiguousarray(self.mean[:, at]), z_mean, self.centre)


def make_objective(
    x: ArrayLike, z: ArrayLike, w: ArrayLike, d2: ArrayLike, *, pull: ArrayLike = PULL
) -> LayerObjective:
    """Check one layer's arrays and add mass and pull; `pull`, >= 0, is the factor of E4, one for all or one a neuron.

    ValueError if shapes do not agree, an array is empty or not finite, a d2 is not positive, or pull is negative.

    >>> make_objective([[1.0], [3.0]], [[0.0], [0.0]], [[1.0]], [[1.0], [1.0]]).lam.round(6)
    array([0.2])
    """
    rows, targets, weights, importance = checked_layer(x, z, w, d2)
    centre = rows.mean(axis=0)
    return objective_of(rows - centre, centre, targets, weights, importance, checked_pull(pull, weights.shape[1]))


def checked_layer(x: ArrayLike, z: ArrayLike, w: ArrayLike, d2: ArrayLike) -> tuple[Float64, ...]:
    """Return x, z, w, d2 as float64 matrices of finite numbers that fit together; raises as `make_objective`."""
    arrays = tuple(np.asarray(a, np.float64) for a in (x, z, w, d2))
    shapes = [a.shape for a in arrays]
    if any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise ValueError(f"x, z, w, d2 have shapes {shapes}; each must be a matrix with at least one row and column")
    (r, k), (_, n) = shapes[0], shapes[2]
    if shapes != [(r, k), (r, n), (k, n), (r, n)]:
        raise ValueError(f"x, z, w, d2 have shapes {shapes}; they must be (R, K), (R, N), (K, N), (R, N)")
    if not all(np.isfinite(a).all() for a in arrays):
        raise ValueError("x, z, w or d2 contains NaN or infinity: check the data and the float network")
    if not (arrays[3] > 0).all():
        raise ValueError("every weight d2 must be > 0")
    return arrays


def checked_pull(pull: ArrayLike, neurons: int) -> Float64:
    """Return the factor of E4 (N,), one for each of so many neurons.

    ValueError if it is negative or NaN, or neither one number nor one for each.

    >>> checked_pull(0.1, 2)
    array([0.1, 0.1])
    """
    shares = np.asarray(pull, np.float64)
    if shares.shape not in ((), (neurons,)) or not (shares >= 0).all():
        raise ValueError(f"pull is {pull!r}; it must be at least 0, one number for all neurons or one for each")
    return np.broadcast_to(shares, neurons)


def objective_of(x: Float64, centre: Float64, z: Float64, w: Float64, d2: Float64, pull: Float64) -> LayerObjective:
    """Return the problem of a layer, or of some of its neurons, from checked arrays, x being less its `centre` (K,).

    `pull` (N,) is the factor of E4.

    >>> x, ones = np.array([[-1.0], [1.0]]), np.ones((2, 1))
    >>> objective_of(x, np.ones(1), ones, np.ones((1, 1)), ones, np.array([0.1])).lam.round(6)
    array([0.2])
    """
    mass, mean = d2.sum(axis=0), x.T @ d2
    mean /= mass
    spread = np.maximum(np.square(x).sum(axis=1) @ d2 - mass * np.square(mean).sum(axis=0), 0)
    lam, z_mean = pull * spread / x.shape[1] + 1e-12 * mass, (d2 * z).sum(axis=0) / mass
    return LayerObjective(x, z - z_mean, w, d2, mass, lam, mean, z_mean, centre)
