"""Rectified rounding of one layer: the walk that rounds weights one input after another, each cancelling the carry.

Legend: as in layer_objective; a (K, N) real codes, q (K, N) integer codes, s (N,) scales, t where a code would have to
be to cancel the carried error.

E10 (start)     a = clip(v* / s, qmin, qmax)
E11 (target)    t = q_k + (x_k . u + lam (w_k - s q_k)) / (s h_k)
E12 (step)      q_k := clip(round_half_even(t), floor(a_k), ceil(a_k))
E13 (bound)     Phi(s q) <= Phi(s a) + s^2 / 4 sum_k h_k after the first walk
E14 (rescale)   ds = (u . y + lam sum_k q_k (w_k - s q_k)) / (d2 . y^2 + lam sum_k q_k^2),  y = centred(x q)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.rounding.rectified.layer_objective import LayerObjective
from npquant.kernels.qparams import FLOAT32_TINY

FLOAT32_MAX = float(np.finfo(np.float32).max)
NEGLIGIBLE_RESCALE = 1e-9
BLOCK = 16


@dataclass(frozen=True, slots=True, eq=False)
class RoundedLayer:
    """Give integer codes, scales, and what they cost.

    Parameters
    ----------
    q : ndarray of float64, shape (K, N)
        Codes, integers.
    s : ndarray of float64, shape (N,)
        Scales, each a float32.
    phi, bound : ndarray of float64, shape (N,)
        E6 of s q, and the right side of E13.

    Examples
    --------
    Made by `follow_path`.
    """

    q: Float64
    s: Float64
    phi: Float64
    bound: Float64


def follow_path(
    problem: LayerObjective,
    v: Float64,
    s: Float64,
    qmin: int,
    qmax: int,
    passes: int,
    grams: list[Float64] | None = None,
) -> RoundedLayer:
    """Round real weights along their inputs, then walk on among integers.

    Parameters
    ----------
    problem : LayerObjective
        The layer.
    v : ndarray of float64, shape (K, N)
        Where the path starts: E9, or w.
    s : ndarray of float64, shape (N,)
        Scales, positive, each a float32.
    qmin, qmax : int
        Grid, qmin < 0 < qmax.
    passes : int
        Walks at most, >= 1.
    grams : list of ndarray, optional
        Of `block_covariances`, where they are known: they hold for (x, d2), whatever z and w.

    Returns
    -------
    RoundedLayer
        Codes in {floor a, ceil a}.

    Notes
    -----
    E10 to E14. E13 holds after the first walk, and nothing after it raises Phi: nearest rounding is taken where it is
    better, E14 minimizes along s, and between integers E12 is coordinate descent. Stops when a walk moves nothing.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> follow_path(problem, problem.w, np.ones(1), -2, 1, 6).q.ravel()
    array([0., 1.])
    """
    a = np.clip(v / s, qmin, qmax)
    low, high = np.floor(a), np.ceil(a)
    grams = block_covariances(problem) if grams is None else grams
    bound = problem.phi(s * a) + 0.25 * s**2 * problem.energies().sum(axis=0)
    q = walk(problem, a, low, high, s, grams)
    nearest = np.rint(a)
    q = np.where(problem.phi(s * nearest) < problem.phi(s * q), nearest, q)
    q, s = _walk_on(problem, q, low, high, s, grams, passes - 1)
    return RoundedLayer(q, s, problem.phi(s * q), bound)


def _walk_on(
    problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64, grams: list[Float64], passes: int
) -> tuple[Float64, Float64]:
    """Rescale and walk among integers; a neuron of which a walk moved nothing is at rest, and left out from then on."""
    if passes == 0:
        return q, s
    s = rescale(problem, q, s)
    walked = walk(problem, q, low, high, s, grams)
    awake = (walked != q).any(axis=0)
    if awake.any():
        rest = problem.select(awake), walked[:, awake], low[:, awake], high[:, awake], s[awake]
        walked[:, awake], s[awake] = _walk_on(*rest, [gram[..., awake] for gram in grams], passes - 1)
    return walked, s


def walk_plain(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64) -> Float64:
    """Walk once along the inputs, keeping the carry up to date after every step.

    Parameters
    ----------
    problem : LayerObjective
        The layer.
    q : ndarray of float64, shape (K, N)
        Codes before, real or integer.
    low, high : ndarray of float64, shape (K, N)
        Floor and ceiling of E10.
    s : ndarray of float64, shape (N,)
        Scales.

    Returns
    -------
    ndarray of float64, shape (K, N)
        Codes after, integers.

    Notes
    -----
    E11, E12, as they are written. A law holds `walk` to it.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> walk_plain(problem, problem.w, np.zeros((2, 1)), np.ones((2, 1)), np.ones(1)).ravel()
    array([0., 1.])
    """
    after, h, u = q.copy(), problem.energies(), problem.carry(s * q)
    for k, x in enumerate(problem.x.T):
        t = after[k] + (x @ u + problem.lam * (problem.w[k] - s * after[k])) / (s * h[k])
        after[k] = np.clip(np.rint(t), low[k], high[k])
        change = x[:, np.newaxis] * (s * (after[k] - q[k]))
        u = u - problem.d2 * problem.centred(change)
    return after


def block_covariances(problem: LayerObjective) -> list[Float64]:
    """Return how the inputs of each block move together, for every neuron.

    Parameters
    ----------
    problem : LayerObjective
        The layer.

    Returns
    -------
    list of ndarray of float64, shape (B, B, N)
        sum_r d2 (x_i - mean_i) (x_j - mean_j) for the B inputs of a block, plus lam on the diagonal, which is E7.

    Notes
    -----
    K B N numbers: what one walk learns about pairs of inputs serves the later ones.

    Examples
    --------
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


def walk(problem: LayerObjective, q: Float64, low: Float64, high: Float64, s: Float64, grams: list[Float64]) -> Float64:
    """Walk once along the inputs, updating the carry of all rows once a block.

    Parameters
    ----------
    problem, q, low, high, s
        As in `walk_plain`.
    grams : list of ndarray, shape (B, B, N)
        Of `block_covariances`: what a step of one input does to x_k . u of the others in its block.

    Returns
    -------
    ndarray of float64, shape (K, N)
        Those of `walk_plain`, but for rounding errors at ties.

    Notes
    -----
    A step of dq at input j lowers x_k . u by s dq sum_r d2 (x_k - mean_k) (x_j - mean_j), which is gram[k, j]. Both
    routes are E11 and E12; this one reads the rows once a block instead of once an input.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> walk(problem, problem.w, np.zeros((2, 1)), np.ones((2, 1)), np.ones(1), block_covariances(problem)).ravel()
    array([0., 1.])
    """
    after, r = q.copy(), problem.residual(s * q)
    for b, gram in enumerate(grams):
        block = slice(b * BLOCK, b * BLOCK + len(gram))
        x = problem.x[:, block]
        pressure = x.T @ (problem.d2 * r)
        for j, k in enumerate(range(block.start, block.stop)):
            t = q[k] + (pressure[j] + problem.lam * (problem.w[k] - s * q[k])) / (s * gram[j, j])
            after[k] = np.clip(np.rint(t), low[k], high[k])
            pressure -= gram[:, j] * (s * (after[k] - q[k]))
        r = problem.centred(r - x @ (s * (after[block] - q[block])))
    return after


def rescale(problem: LayerObjective, q: Float64, s: Float64) -> Float64:
    """Choose the scales that suit the codes.

    Parameters
    ----------
    problem : LayerObjective
        The layer.
    q : ndarray of float64, shape (K, N)
        Codes.
    s : ndarray of float64, shape (N,)
        Scales.

    Returns
    -------
    ndarray of float64, shape (N,)
        s + ds of E14, each a float32; ds is clipped to [-s/2, s], and nothing changes below 1e-9 s.

    Notes
    -----
    The exact minimum of Phi along s. Rounding it to float32 moves it by 2^-24 of itself, which costs Phi only the
    square of that; a neuron without codes keeps its scale.

    Examples
    --------
    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0], [1.0]], [[0.0], [1.5]], [[1.5]], np.ones((2, 1)))
    >>> rescale(problem, np.array([[1.0]]), np.array([1.0]))
    array([1.5])
    """
    y = problem.centred(problem.x @ q)
    slope = np.einsum("rn,rn->n", problem.carry(s * q), y) + problem.lam * (q * (problem.w - s * q)).sum(axis=0)
    curvature = np.einsum("rn,rn,rn->n", problem.d2, y, y) + problem.lam * np.square(q).sum(axis=0)
    return clipped_rescale(s, slope, curvature)


def clipped_rescale(s: Float64, slope: Float64, curvature: Float64) -> Float64:
    """Return s + slope / curvature, ds clipped to [-s/2, s], as float32 values; see `rescale`.

    Parameters
    ----------
    s, slope, curvature : ndarray of float64, of one shape
        Scales; numerator and denominator of E14.

    Returns
    -------
    ndarray of float64
        New scales.

    Examples
    --------
    >>> clipped_rescale(np.array([1.0, 1.0]), np.array([0.5, 9.0]), np.array([2.0, 1.0]))
    array([1.25, 2.  ])
    """
    ds = np.divide(slope, curvature, out=np.zeros_like(s), where=curvature > 0)
    ds = np.where(np.abs(ds) < NEGLIGIBLE_RESCALE * s, 0.0, np.clip(ds, -0.5 * s, s))
    stored: NDArray[np.float32] = np.clip(s + ds, FLOAT32_TINY, FLOAT32_MAX).astype(np.float32)
    return stored.astype(np.float64)
