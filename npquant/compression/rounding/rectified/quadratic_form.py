"""The same objective as a quadratic form: for layers with few inputs, which then need their rows only once.

Legend: as in layer_objective; G (N, K, K) covariances, p (K, N) pressure, S starts; codes and weights are (K, S, N).

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
from npquant.compression.rounding.rectified.layer_objective import NEGLIGIBLE, LayerObjective
from npquant.compression.rounding.rectified.rounding_path import clipped_rescale

# Added to the diagonal, as a share of its mean, where G is factored: without a pull it may be singular.
JITTER = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticForm:
    """State one layer's problem without its rows.

    Parameters
    ----------
    w, pressure : ndarray of float64, shape (K, N)
        Real weights, and x^T u at them: half of the slope that E6 has there.
    error : ndarray of float64, shape (N,)
        Carried error at w.
    gram : ndarray of float64, shape (N, K, K)
        G of E21.
    by_input : ndarray of float64, shape (K, K, N)
        The same numbers, neuron last: a walk reads one input of all neurons at a time.

    Examples
    --------
    Made by `make_form`.
    """

    w: Float64
    pressure: Float64
    error: Float64
    gram: Float64
    by_input: Float64

    def image(self, v: Float64) -> Float64:
        """Return G v, shape (K, S, N)."""
        image: Float64 = np.matmul(self.gram, np.moveaxis(v, -1, 0))
        return np.ascontiguousarray(np.moveaxis(image, 0, -1))

    def phi(self, v: Float64) -> Float64:
        """Return Phi, shape (S, N): E21. It is not below 0 but for rounding errors, which are cut."""
        away = v - self.w[:, np.newaxis]
        rise = (away * (self.image(away) - 2 * self.pressure[:, np.newaxis])).sum(axis=0)
        return np.asarray(np.maximum(self.error + rise, 0))

    def pressures(self, v: Float64) -> Float64:
        """Return x_k . u + lam (w_k - v_k), shape (K, S, N): half of Phi's slope, downhill."""
        return self.pressure[:, np.newaxis] - self.image(v - self.w[:, np.newaxis])

    @property
    def energies(self) -> Float64:
        """h (K, N): E7."""
        return np.ascontiguousarray(np.einsum("kkn->kn", self.by_input))

    def refit(self) -> Float64:
        """Return v* (K, N): E22; w where nothing is to be gained."""
        step = np.linalg.solve(self._raised(), self.pressure.T[..., np.newaxis])[..., 0].T
        moved = np.abs(step).max(axis=0) > NEGLIGIBLE * np.abs(self.w).max(axis=0)
        return np.where(moved, self.w + step, self.w)

    def factor(self) -> Float64:
        """Return L (K, K, N), lower triangular, neuron last: E23."""
        return np.ascontiguousarray(np.moveaxis(np.linalg.cholesky(self._raised()), 0, -1))

    def _raised(self) -> Float64:
        diagonal = np.arange(self.gram.shape[1])
        raised = self.gram.copy()
        raised[:, diagonal, diagonal] += JITTER * self.energies.mean(axis=0)[:, np.newaxis]
        return raised


def make_form(problem: LayerObjective) -> QuadraticForm:
    """Sum a layer's rows once and for all.

    Parameters
    ----------
    problem : LayerObjective
        The layer.

    Returns
    -------
    QuadraticForm
        2 K^2 N numbers.

    Notes
    -----
    E21, by one symmetric product a neuron, so that no neuron's numbers depend on another's. Cost R K^2 N.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0], [2.0]], [[1.0], [4.0]], [[1.0]], np.ones((2, 1)), pull=0.0)
    >>> form = make_form(problem)
    >>> form.phi(np.array([[[1.5]]])).round(6), form.refit().round(6)
    (array([[0.]]), array([[1.5]]))
    """
    (rows, inputs), neurons = problem.x.shape, problem.w.shape[1]
    # Rows centred once for all neurons: what is left to subtract for each is small, and so is what that loses.
    x = problem.x - problem.x.mean(axis=0)
    means, roots = (x.T @ problem.d2 / problem.mass).T, np.sqrt(problem.d2).T
    gram, weighted = np.empty((neurons, inputs, inputs)), np.empty((rows, inputs))
    for n in range(neurons):
        np.multiply(x, roots[n][:, np.newaxis], out=weighted)
        np.matmul(weighted.T, weighted, out=gram[n])
        gram[n] -= (problem.mass[n] * means[n])[:, np.newaxis] * means[n]
    diagonal = np.arange(inputs)
    gram[:, diagonal, diagonal] = np.maximum(gram[:, diagonal, diagonal], 0) + problem.lam[:, np.newaxis]
    pressure, error = problem.x.T @ problem.carry(problem.w), problem.carried_error(problem.w)
    return QuadraticForm(problem.w, pressure, error, gram, np.ascontiguousarray(np.moveaxis(gram, 0, -1)))


def walk_form(form: QuadraticForm, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """Walk once along the inputs, from several starts at once.

    Parameters
    ----------
    form : QuadraticForm
        The layer.
    q, low, high : ndarray of float64, shape (K, S, N)
        Codes before, real or integer; floor and ceiling of E10.
    s : ndarray of float64, shape (S, N)
        Scales.

    Returns
    -------
    ndarray of float64, shape (K, S, N)
        Codes after, integers: for every start those of `walk_plain`, but for rounding errors at ties.

    Notes
    -----
    E11 and E12. A step of dq at input j lowers the pressure at k by s dq G_kj.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> form = make_form(make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01))
    >>> walk_form(form, form.w[:, None], np.zeros((2, 1, 1)), np.ones((2, 1, 1)), np.ones((1, 1))).ravel()
    array([0., 1.])
    """
    after, pressure = q.copy(), form.pressures(s * q)
    cost = s * form.energies[:, np.newaxis]
    for k in range(len(q)):
        t = q[k] + pressure[k] / cost[k]
        after[k] = np.clip(np.rint(t), low[k], high[k])
        moved = s * (after[k] - q[k])
        pressure[k + 1 :] -= form.by_input[k, k + 1 :, np.newaxis] * moved
    return after


def nearest_plane(v: Float64, factor: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """Round from the last input to the first, each with the rest at its best real place.

    Parameters
    ----------
    v : ndarray of float64, shape (K, N)
        v* of E22.
    factor : ndarray of float64, shape (K, K, N)
        L of E23.
    low, high : ndarray of float64, shape (K, S, N)
        Floor and ceiling of E10.
    s : ndarray of float64, shape (S, N)
        Scales.

    Returns
    -------
    ndarray of float64, shape (K, S, N)
        Codes, integers.

    Notes
    -----
    E23. Another start beside the walk: neither is always the better one.

    Examples
    --------
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
    """Choose the scales that suit the codes, for several starts at once.

    Parameters
    ----------
    form : QuadraticForm
        The layer.
    q : ndarray of float64, shape (K, S, N)
        Codes.
    s : ndarray of float64, shape (S, N)
        Scales.

    Returns
    -------
    ndarray of float64, shape (S, N)
        As in `rescale`: E14.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> form = make_form(make_objective([[0.0], [1.0]], [[0.0], [1.5]], [[1.5]], np.ones((2, 1))))
    >>> rescale_form(form, np.ones((1, 1, 1)), np.ones((1, 1)))
    array([[1.5]])
    """
    image = form.image(q)
    slope = (q * (form.pressures(s * q))).sum(axis=0)
    return clipped_rescale(s, slope, (q * image).sum(axis=0))
