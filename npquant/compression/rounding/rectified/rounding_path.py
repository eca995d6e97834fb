"""Rectified rounding of one layer by coordinate descent: input after input, each weight cancelling the error carried.

Legend: as in layer_objective, `problem` a LayerObjective; a (K, N) real codes, q (K, N) codes, real or integer as
float64; s (N,) scales, positive, each a float32; low, high (K, N) floor and ceiling of a; qmin < 0 < qmax ends of the
grid; t where a code would have to be to cancel the carried error; B inputs of a block. A pass is one coordinate descent
along all inputs.

E10 (start)     a = clip(v* / s, qmin, qmax)
E11 (target)    t = q_k + (x_k . u + lam (w_k - s q_k)) / (s h_k)
E12 (step)      q_k := clip(round_half_even(t), floor(a_k), ceil(a_k))
E13 (bound)     Phi(s q) <= Phi(s a) + s^2 / 4 sum_k h_k after the first pass
E14 (rescale)   ds = (u . y + lam sum_k q_k (w_k - s q_k)) / (d2 . y^2 + lam sum_k q_k^2),  y = centred(x q)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import ratio_or_zero
from npquant.compression.rounding.rectified.layer_objective import LayerObjective
from npquant.kernels.qparams import FLOAT32_TINY

FLOAT32_MAX = float(np.finfo(np.float32).max)
NEGLIGIBLE_RESCALE = 1e-9
BLOCK = 16


@dataclass(frozen=True, slots=True, eq=False)
class RoundedLayer:
    """Give integer codes, scales, and what they cost; made by `follow_path`."""

    q: Float64  # (K, N), integers
    s: Float64  # (N,), each a float32
    phi: Float64  # (N,): E6 of s q
    bound: Float64  # (N,): the right side of E13


def follow_path(
    problem: LayerObjective,
    v: Float64,
    s: Float64,
    qmin: int,
    qmax: int,
    passes: int,
    grams: list[Float64] | None = None,
) -> RoundedLayer:
    """E10 to E14: round real weights v (K, N), E9 or w, along their inputs, then descend among integers.

    E13 holds after the first pass, and nothing after it raises Phi: nearest rounding is taken where it is better, E14
    minimizes along s, and between integers E12 is coordinate descent. The codes lie in {floor a, ceil a}. At most
    `passes`, >= 1; it stops when a pass moves nothing. `grams` are those of `block_covariances`, where they are known:
    they hold for (x, d2), whatever z and w.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> follow_path(problem, problem.w, np.ones(1), -2, 1, 6).q.ravel()
    array([0., 1.])
    """
    a = np.clip(v / s, qmin, qmax)
    low, high = np.floor(a), np.ceil(a)
    grams = block_covariances(problem) if grams is None else grams
    bound = problem.phi(s * a) + 0.25 * s**2 * problem.hessian_diagonal().sum(axis=0)
    q = coordinate_pass(problem, a, low, high, s, grams)
    nearest = np.rint(a)
    q = np.where(problem.phi(s * nearest) < problem.phi(s * q), nearest, q)
    q, s = _descend(problem, q, low, high, s, grams, passes - 1)
    return RoundedLayer(q, s, problem.phi(s * q), bound)


def _descend(
    problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64, grams: list[Float64], passes: int
) -> tuple[Float64, Float64]:
    """Rescale and descend among integers; a neuron that a pass left as it was is at rest, and left out from then on."""
    if passes == 0:
        return q, s
    s = rescale(problem, q, s)
    moved = coordinate_pass(problem, q, low, high, s, grams)
    awake = (moved != q).any(axis=0)
    if awake.any():
        rest = problem.select(awake), moved[:, awake], low[:, awake], high[:, awake], s[awake]
        moved[:, awake], s[awake] = _descend(*rest, [gram[..., awake] for gram in grams], passes - 1)
    return moved, s


def coordinate_pass_plain(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """E11, E12, as they are written: descend once along the inputs; the residual is kept up to date after every step.

    Returns integer codes (K, N). A law holds `coordinate_pass` to it.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> coordinate_pass_plain(problem, problem.w, np.zeros((2, 1)), np.ones((2, 1)), np.ones(1)).ravel()
    array([0., 1.])
    """
    after, h, u = q.copy(), problem.hessian_diagonal(), problem.weighted_residual(s * q)
    for k, x in enumerate(problem.x.T):
        t = after[k] + (x @ u + problem.lam * (problem.w[k] - s * after[k])) / (s * h[k])
        after[k] = np.clip(np.rint(t), low[k], high[k])
        change = x[:, np.newaxis] * (s * (after[k] - q[k]))
        u = u - problem.d2 * problem.centred(change)
    return after


def block_covariances(problem: LayerObjective) -> list[Float64]:
    """Return how the inputs of each block move together, for every neuron: one (B, B, N) a block.

    sum_r d2 (x_i - mean_i) (x_j - mean_j), plus lam on the diagonal, which is E7. K B N numbers: what one pass learns
    about pairs of inputs serves the later ones.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0, 1.0], [2.0, 3.0]], np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1)), pull=0.0)
    >>> block_covariances(problem)[0][..., 0].round(6)
    array([[2., 2.],
           [2., 2.]])
    """
    grams, means = [], problem.means()
    for k in range(0, problem.x.shape[1], BLOCK):
        x = problem.x[:, k : k + BLOCK]
        size = x.shape[1]
        pairs = (x[:, :, np.newaxis] * x[:, np.newaxis, :]).reshape(len(x), -1)
        mean = means[k : k + BLOCK]
        gram = (pairs.T @ problem.d2).reshape(size, size, -1) - problem.mass * mean[:, np.newaxis] * mean
        diagonal = np.arange(size)
        gram[diagonal, diagonal] = np.maximum(gram[diagonal, diagonal], 0) + problem.lam
        grams.append(gram)
    return grams


def coordinate_pass(
    problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64, grams: list[Float64]
) -> Float64:
    """E11, E12: the codes of `coordinate_pass_plain`, but for rounding errors at ties; rows are read once a block.

    `grams` are those of `block_covariances`: a step of dq at input j lowers x_k . u by
    s dq sum_r d2 (x_k - mean_k) (x_j - mean_j), which is gram[k, j].

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> start = problem.w, np.zeros((2, 1)), np.ones((2, 1)), np.ones(1)
    >>> coordinate_pass(problem, *start, block_covariances(problem)).ravel()
    array([0., 1.])
    """
    after, r = q.copy(), problem.residual(s * q)
    for b, gram in enumerate(grams):
        block = slice(b * BLOCK, b * BLOCK + len(gram))
        x = problem.x[:, block]
        gradient = x.T @ (problem.d2 * r)  # half of it, downhill, and without the pull
        for j, k in enumerate(range(block.start, block.stop)):
            t = q[k] + (gradient[j] + problem.lam * (problem.w[k] - s * q[k])) / (s * gram[j, j])
            after[k] = np.clip(np.rint(t), low[k], high[k])
            gradient -= gram[:, j] * (s * (after[k] - q[k]))
        r = problem.centred(r - x @ (s * (after[block] - q[block])))
    return after


def rescale(problem: LayerObjective, q: Float64, s: Float64) -> Float64:
    """E14: choose the scales that suit the codes: s + ds, each a float32.

    The exact minimum of Phi along s, ds clipped to [-s/2, s], and nothing changes below 1e-9 s. Rounding it to float32
    moves it by 2^-24 of itself, which costs Phi only the square of that; a neuron without codes keeps its scale.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0], [1.0]], [[0.0], [1.5]], [[1.5]], np.ones((2, 1)))
    >>> rescale(problem, np.array([[1.0]]), np.array([1.0]))
    array([1.5])
    """
    y = problem.centred(problem.x @ q)
    slope = np.einsum("rn,rn->n", problem.weighted_residual(s * q), y)
    slope = slope + problem.lam * (q * (problem.w - s * q)).sum(axis=0)
    curvature = np.einsum("rn,rn,rn->n", problem.d2, y, y) + problem.lam * np.square(q).sum(axis=0)
    return clipped_rescale(s, slope, curvature)


def clipped_rescale(s: Float64, slope: Float64, curvature: Float64) -> Float64:
    """E14: return s + slope / curvature, ds clipped to [-s/2, s], as float32 values.

    `slope` and `curvature` are numerator and denominator of E14, of the shape of s.

    >>> clipped_rescale(np.array([1.0, 1.0]), np.array([0.5, 9.0]), np.array([2.0, 1.0]))
    array([1.25, 2.  ])
    """
    ds = ratio_or_zero(slope, curvature)
    ds = np.where(np.abs(ds) < NEGLIGIBLE_RESCALE * s, 0.0, np.clip(ds, -0.5 * s, s))
    stored: NDArray[np.float32] = np.clip(s + ds, FLOAT32_TINY, FLOAT32_MAX).astype(np.float32)
    return stored.astype(np.float64)
