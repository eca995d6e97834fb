"""The same objective as a quadratic form: for layers with few inputs, which then need their rows only once.

Legend: as in layer_objective; G (N, K, K) covariances, p (K, N) half of Phi's gradient at w, downhill; S starts; codes
q and weights v are (K, S, N), scales s (S, N), low and high (K, S, N) floor and ceiling of E10; `form` a QuadraticForm.

E21 (form)      Phi(v) = c + (v - w) . G (v - w) - 2 p . (v - w),   c = sum_r u^2 / d2 and p_k = x_k . u at w,
                G_ij = sum_r d2 (x_i - mean_i) (x_j - mean_j), plus lam on the diagonal, which is h of E7
E22 (refit)     v* = w + G^-1 p:  E9
E23 (plane)     q_k := clip(round_half_even(y), floor(a_k), ceil(a_k)) from the last input to the first, L L^T = G,
                y = v*_k / s - sum_{j > k} L_jk (q_j - v*_j / s) / L_kk

Source of E23: Babai, "On Lovasz' lattice reduction and the nearest lattice point problem", 1986, the nearest plane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64
from npquant.compression.least_squares import damp_by_mean_variance, solve_together, take_step
from npquant.compression.rounding.rectified.layer_objective import LayerObjective
from npquant.compression.rounding.rectified.rounding_path import clipped_rescale

# Added to the diagonal, as a share of its mean, where G is factored: without a pull it may be singular.
JITTER = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticForm:
    """State one layer's problem without its rows; made by `make_form`."""

    w: Float64  # (K, N) real weights
    gradient: Float64  # (K, N): p of E21, x^T u at w
    error: Float64  # (N,): carried error at w
    gram: Float64  # (N, K, K): G of E21
    by_input: Float64  # (K, K, N): the same numbers, neuron last: a pass reads one input of all neurons at a time

    def image(self, v: Float64) -> Float64:
        """Return G v, shape (K, S, N)."""
        image: Float64 = np.matmul(self.gram, np.moveaxis(v, -1, 0))
        return np.ascontiguousarray(np.moveaxis(image, 0, -1))

    def phi(self, v: Float64) -> Float64:
        """Return Phi, shape (S, N): E21. It is not below 0 but for rounding errors, which are cut."""
        away = v - self.w[:, np.newaxis]
        rise = (away * (self.image(away) - 2 * self.gradient[:, np.newaxis])).sum(axis=0)
        return np.asarray(np.maximum(self.error + rise, 0))

    def gradients(self, v: Float64) -> Float64:
        """Return x_k . u + lam (w_k - v_k), shape (K, S, N): half of Phi's gradient at v, downhill."""
        return self.gradient[:, np.newaxis] - self.image(v - self.w[:, np.newaxis])

    @property
    def hessian_diagonal(self) -> Float64:
        """h (K, N): E7."""
        return np.ascontiguousarray(np.einsum("kkn->kn", self.by_input))

    def refit(self) -> Float64:
        """Return v* (K, N): E22; w where nothing is to be gained."""
        return take_step(self.w, solve_together(damp_by_mean_variance(self.gram, JITTER), self.gradient))

    def factor(self) -> Float64:
        """Return L (K, K, N), lower triangular, neuron last: E23."""
        lower = np.linalg.cholesky(damp_by_mean_variance(self.gram, JITTER))
        return np.ascontiguousarray(np.moveaxis(lower, 0, -1))


def make_form(problem: LayerObjective) -> QuadraticForm:
    """E21: sum a layer's rows, those of `problem`, once and for all.

    One symmetric product a neuron, so that no neuron's numbers depend on another's. Cost R K^2 N, 2 K^2 N numbers.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0], [2.0]], [[1.0], [4.0]], [[1.0]], np.ones((2, 1)), pull=0.0)
    >>> form = make_form(problem)
    >>> form.phi(np.array([[[1.5]]])).round(6), form.refit().round(6)
    (array([[0.]]), array([[1.5]]))
    """
    (rows, inputs), neurons = problem.x.shape, problem.w.shape[1]
    x, means, roots = problem.x, problem.mean.T, np.sqrt(problem.d2).T
    gram, weighted = np.empty((neurons, inputs, inputs)), np.empty((rows, inputs))
    for n in range(neurons):
        np.multiply(x, roots[n][:, np.newaxis], out=weighted)
        np.matmul(weighted.T, weighted, out=gram[n])
        gram[n] -= (problem.mass[n] * means[n])[:, np.newaxis] * means[n]
    diagonal = np.arange(inputs)
    gram[:, diagonal, diagonal] = np.maximum(gram[:, diagonal, diagonal], 0) + problem.lam[:, np.newaxis]
    gradient, error = problem.x.T @ problem.weighted_residual(problem.w), problem.carried_error(problem.w)
    return QuadraticForm(problem.w, gradient, error, gram, np.ascontiguousarray(np.moveaxis(gram, 0, -1)))


def coordinate_pass_form(form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """E11, E12: descend once along the inputs, from several starts at once.

    For every start the integer codes of `coordinate_pass_plain`, but for rounding errors at ties: a step of dq at input
    j lowers the gradient at k by s dq G_kj.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> form = make_form(make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01))
    >>> ends = np.zeros((2, 1, 1)), np.ones((2, 1, 1))
    >>> coordinate_pass_form(form, form.w[:, None], *ends, np.ones((1, 1))).ravel()
    array([0., 1.])
    """
    after, gradient = q.copy(), form.gradients(s * q)
    cost = s * form.hessian_diagonal[:, np.newaxis]
    for k in range(len(q)):
        t = q[k] + gradient[k] / cost[k]
        after[k] = np.clip(np.rint(t), low[k], high[k])
        moved = s * (after[k] - q[k])
        gradient[k + 1 :] -= form.by_input[k, k + 1 :, np.newaxis] * moved
    return after


def nearest_plane(v: Float64, factor: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """E23: round v (K, N), v* of E22, from the last input to the first, each with the rest at its best real place.

    `factor` (K, K, N) is L. Another start beside the pass of E12: neither is always the better one.

    >>> nearest_plane(np.array([[0.4]]), np.ones((1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1, 1)), np.ones((1, 1)))
    array([[[0.]]])
    """
    aim = v[:, np.newaxis] / s
    codes, ratios = np.empty_like(low), factor / np.einsum("kkn->kn", factor)
    for k in range(len(v) - 1, -1, -1):
        codes[k] = np.clip(np.rint(aim[k]), low[k], high[k])
        # What this code misses, the inputs before it are asked to make good.
        aim[:k] -= ratios[k, :k, np.newaxis] * (codes[k] - v[k] / s)
    return codes


def rescale_form(form: QuadraticForm, q: Float64, s: Float64) -> Float64:
    """E14: choose the scales (S, N) that suit the codes, as `rescale` does, for several starts at once.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> form = make_form(make_objective([[0.0], [1.0]], [[0.0], [1.5]], [[1.5]], np.ones((2, 1))))
    >>> rescale_form(form, np.ones((1, 1, 1)), np.ones((1, 1)))
    array([[1.5]])
    """
    image = form.image(q)
    slope = (q * (form.gradients(s * q))).sum(axis=0)
    return clipped_rescale(s, slope, (q * image).sum(axis=0))
