"""The error that rectified quantization makes small in one layer: its definition, and its best real weights.

Legend: R calibration rows, K inputs, N neurons; x (R, K) inputs that the integer chain delivers, z (R, N) targets,
w (K, N) real weights, d2 (R, N) weights of squared errors, v (K, N) any weights: s q, or real ones.

E3 (mass)       mass = sum_r d2
E4 (pull)       lam = pull (K / R) mean_k(sum_r d2 x_k^2) + 1e-12 mass
E5 (carry)      r = z - x v,  rbar = sum_r d2 r / mass,  u = d2 (r - rbar)
E6 (objective)  Phi(v) = sum_r d2 (r - rbar)^2 + lam sum_k (w_k - v_k)^2
E7 (energy)     h_k = max(sum_r d2 x_k^2 - mass mean_k^2, 0) + lam,  mean_k = sum_r d2 x_k / mass
E8 (bias)       b = rbar
E9 (refit)      v* = argmin Phi

Every sum over rows is one neuron's own, so that neurons never meet: any selection of them gives the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64

# E4: how strongly the weights are pulled to where they were; grows with K / R, since few rows say little.
PULL = 0.3
REFIT_STEPS = 20
# A refit that moves no weight of a neuron by more than this share of the largest has only met rounding errors.
NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class LayerObjective:
    """State one layer's problem.

    Parameters
    ----------
    x : ndarray of float64, shape (R, K)
        Inputs as delivered, real values.
    z : ndarray of float64, shape (R, N)
        Targets, real values.
    w : ndarray of float64, shape (K, N)
        Real weights, to which E6 pulls.
    d2 : ndarray of float64, shape (R, N)
        Weights of squared errors, > 0.
    mass, lam : ndarray of float64, shape (N,)
        E3, E4.

    Notes
    -----
    Weights v are s q, or real. x, z and w are finite; every sum is in float64.

    Examples
    --------
    >>> problem = make_objective([[0.0], [2.0]], [[1.0], [4.0]], [[1.0]], np.ones((2, 1)), pull=0.0)
    >>> problem.carry(problem.w).ravel(), problem.phi(problem.w).round(6), problem.best_bias(problem.w)
    (array([-0.5,  0.5]), array([0.5]), array([1.5]))
    """

    x: Float64
    z: Float64
    w: Float64
    d2: Float64
    mass: Float64
    lam: Float64

    def centred(self, values: Float64) -> Float64:
        """Return values (R, N) less their d2-weighted mean over rows, neuron by neuron: r - rbar of E5."""
        return np.asarray(values - np.einsum("rn,rn->n", self.d2, values) / self.mass)

    def residual(self, v: Float64) -> Float64:
        """Return r - rbar (R, N) of weights v (K, N), real values: E5."""
        return self.centred(self.z - self.x @ v)

    def carry(self, v: Float64) -> Float64:
        """Return the carried error u (R, N) of weights v: E5. Its sum over rows is 0."""
        return self.d2 * self.residual(v)

    def carried_error(self, v: Float64) -> Float64:
        """Return sum_r d2 (r - rbar)^2 = sum_r u^2 / d2, shape (N,): the part of E6 that the next layer sees."""
        r = self.residual(v)
        return np.asarray(np.einsum("rn,rn,rn->n", self.d2, r, r))

    def phi(self, v: Float64) -> Float64:
        """Return the objective Phi(v), shape (N,): E6."""
        return np.asarray(self.carried_error(v) + self.lam * np.square(self.w - v).sum(axis=0))

    def best_bias(self, v: Float64) -> Float64:
        """Return the bias that leaves no weighted mean error, shape (N,): E8."""
        return np.asarray(np.einsum("rn,rn->n", self.d2, self.z - self.x @ v) / self.mass)

    def means(self) -> Float64:
        """Return mean_k (K, N), the d2-weighted mean of every input for every neuron: E7."""
        return np.asarray(self.x.T @ self.d2 / self.mass)

    def energies(self) -> Float64:
        """Return h (K, N), what one step of a weight costs: E7. At least lam > 0."""
        spread = np.square(self.x).T @ self.d2 - self.mass * np.square(self.means())
        return np.maximum(spread, 0) + self.lam

    def select(self, at: slice | NDArray[np.bool_]) -> LayerObjective:
        """Return the problem of some neurons, contiguous: sums over rows then run along memory."""
        z, w, d2 = (np.ascontiguousarray(part[:, at]) for part in (self.z, self.w, self.d2))
        return LayerObjective(self.x, z, w, d2, self.mass[at], self.lam[at])


def make_objective(x: ArrayLike, z: ArrayLike, w: ArrayLike, d2: ArrayLike, *, pull: float = PULL) -> LayerObjective:
    """Check one layer's arrays and add mass and pull.

    Parameters
    ----------
    x, z, w, d2 : arrays of float, shapes (R, K), (R, N), (K, N), (R, N)
        As in `LayerObjective`.
    pull : float
        Factor of E4, >= 0.

    Returns
    -------
    LayerObjective
        In float64.

    Raises
    ------
    ValueError
        If shapes do not agree, an array is empty or not finite, a weight d2 is not positive, or pull is negative.

    Examples
    --------
    >>> make_objective([[1.0], [3.0]], [[0.0], [0.0]], [[1.0]], [[1.0], [1.0]]).lam.round(6)
    array([1.5])
    """
    rows, targets, weights, importance = (np.asarray(a, np.float64) for a in (x, z, w, d2))
    shapes = [a.shape for a in (rows, targets, weights, importance)]
    if any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise ValueError(f"x, z, w, d2 have shapes {shapes}; each must be a matrix with at least one row and column")
    (r, k), (_, n) = shapes[0], shapes[2]
    if shapes != [(r, k), (r, n), (k, n), (r, n)]:
        raise ValueError(f"x, z, w, d2 have shapes {shapes}; they must be (R, K), (R, N), (K, N), (R, N)")
    if not all(np.isfinite(a).all() for a in (rows, targets, weights, importance)):
        raise ValueError("x, z, w or d2 contains NaN or infinity: check the data and the float network")
    if not (importance > 0).all() or not pull >= 0:
        raise ValueError(f"every weight d2 must be > 0, and pull, {pull}, at least 0")
    mass = importance.sum(axis=0)
    mean_energy = (np.square(rows).sum(axis=1) @ importance) / k
    return LayerObjective(rows, targets, weights, importance, mass, pull * (k / r) * mean_energy + 1e-12 * mass)


def refit(problem: LayerObjective) -> Float64:
    """Find the real weights with the least objective.

    Parameters
    ----------
    problem : LayerObjective
        The layer.

    Returns
    -------
    ndarray of float64, shape (K, N)
        v* of E9; w itself where nothing is to be gained.

    Notes
    -----
    Half the gradient of E6 at v is -(x^T u + lam (w - v)), and its linear part p -> x^T d2 centred(x p) + lam p is
    symmetric and at least lam > 0: conjugate gradients from w, all neurons at once, each with its own steps. Twenty
    suffice, because lam bounds the condition. A neuron that moves by less than 1e-9 of its largest weight stays put.
    Residuals are made orthogonal to all earlier ones, as they are in exact arithmetic: without that, a last bit in an
    input (another order of a sum, as with another number of BLAS threads) grew to 1e-4 of a weight in 20 steps; so it
    stays below 1e-13.

    Examples
    --------
    >>> problem = make_objective([[0.0], [1.0]], [[0.0], [3.0]], [[1.0]], [[1.0], [1.0]], pull=0.0)
    >>> refit(problem).round(6)
    array([[3.]])
    """
    mean = problem.means()
    step = np.zeros_like(problem.w)
    residual = problem.x.T @ problem.carry(problem.w)
    direction, square = residual, np.square(residual).sum(axis=0)
    basis: list[Float64] = []
    for _ in range(REFIT_STEPS):
        basis.append(residual * _ratio(np.ones_like(square), np.sqrt(square)))
        image = problem.x.T @ (problem.d2 * (problem.x @ direction)) + problem.lam * direction
        image -= problem.mass * mean * (mean * direction).sum(axis=0)
        # A neuron without residual has no direction left: 0 / 0 is a step of 0.
        length = _ratio(square, (direction * image).sum(axis=0))
        step += length * direction
        residual = residual - length * image
        for unit in basis:
            residual = residual - (unit * residual).sum(axis=0) * unit
        before, square = square, np.square(residual).sum(axis=0)
        direction = residual + _ratio(square, before) * direction
    moved = np.abs(step).max(axis=0) > NEGLIGIBLE * np.abs(problem.w).max(axis=0)
    return np.where(moved, problem.w + step, problem.w)


def _ratio(numerator: Float64, denominator: Float64) -> Float64:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
