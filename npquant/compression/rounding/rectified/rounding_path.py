"""Rectified rounding of one layer by coordinate descent: input after input, each weight cancelling the error carried.

Legend: as in layer_objective, `problem` a LayerObjective; a (K, N) real codes, q (K, N) codes, real or integer as
float64; s (N,) scales, positive, each a float32; low, high (K, N) between which codes move: floor and ceiling of a, or
the ends of the grid; qmin < 0 < qmax ends of the grid, for all neurons or one a neuron; t where a code would have to be
to cancel the carried error; B inputs of a block. A pass is one coordinate descent along all inputs.

E10 (start)     a = clip(v* / s, qmin, qmax)
E11 (target)    t = q_k + (x_k . u + lam (w_k - s q_k)) / (s h_k)
E12 (step)      q_k := clip(round_half_even(t), floor(a_k), ceil(a_k))
E13 (bound)     Phi(s q) <= Phi(s a) + s^2 sum_k h_k f_k (1 - f_k) after the first pass,  f_k = a_k - floor(a_k)
E14 (rescale)   ds = (u . y + lam sum_k q_k (w_k - s q_k)) / (d2 . y^2 + lam sum_k q_k^2),  y = x q less its mean
E29 (along s)   Phi = Phi(0) - 2 s p + s^2 c,  p = d2 . z y + lam sum_k q_k w_k,  c = d2 . y^2 + lam sum_k q_k^2:
                ds = (p - s c) / c, from one product with the rows
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import dot_of_columns, ratio_or_zero
from npquant.compression.rounding.rectified.layer_objective import LayerObjective
from npquant.kernels.qparams import FLOAT32_TINY

FLOAT32_MAX = float(np.finfo(np.float32).max)
NEGLIGIBLE_RESCALE = 1e-9
BLOCK = 16
# Errors of rows that a step changes at a time: 128 kB, which stay in the cache until the next block has read them.
CACHED = 2**14


@dataclass(frozen=True, slots=True, eq=False)
class RoundedLayer:
    """Give integer codes, scales, and what they cost; made by `follow_path`."""

    q: Float64  # (K, N), integers
    s: Float64  # (N,), each a float32
    phi: Float64  # (N,): E6 of s q
    bound: Float64  # (N,): the right side of E13


def expected_rise(a: Float64, s: Float64, h: Float64) -> Float64:
    """E13: s^2 sum_k h_k f_k (1 - f_k), by which Phi would rise if every a_k went up with probability f_k, else down.

    Exactly, in expectation, since such errors are independent and have the mean 0. a, h have the inputs first.

    >>> expected_rise(np.array([[0.5], [2.0]]), np.array([2.0]), np.array([[3.0], [9.0]]))
    array([3.])
    """
    f = a - np.floor(a)
    return np.asarray(np.square(s) * (h * f * (1 - f)).sum(axis=0))


def follow_path(
    problem: LayerObjective,
    v: Float64,
    s: Float64,
    qmin: ArrayLike,
    qmax: ArrayLike,
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
    bound = problem.phi(s * a) + expected_rise(a, s, curvatures(grams))
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
    s = rescale(problem, q, s).s
    moved = coordinate_pass(problem, q, low, high, s, grams)
    awake = (moved != q).any(axis=0)
    if awake.any():
        rest = problem.select(awake), moved[:, awake], low[:, awake], high[:, awake], s[awake]
        moved[:, awake], s[awake] = _descend(*rest, [gram[:, awake] for gram in grams], passes - 1)
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
        u = u - problem.d2 * (x[:, np.newaxis] - problem.mean[k]) * (s * (after[k] - q[k]))
    return after


def block_covariances(problem: LayerObjective) -> list[Float64]:
    """Return how the inputs of each block move together, for every neuron: one (B (B + 1) / 2, N) a block.

    sum_r d2 (x_i - mean_i) (x_j - mean_j), plus lam where i = j, which is E7: the rows of the upper triangle one after
    another. K B N / 2 numbers: what one pass learns about pairs of inputs serves the later ones.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0, 1.0], [2.0, 5.0]], np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1)), pull=0.0)
    >>> block_covariances(problem)[0].ravel().round(6)
    array([2., 4., 8.])
    """
    grams = []
    for k in range(0, problem.x.shape[1], BLOCK):
        x, mean = np.ascontiguousarray(problem.x[:, k : k + BLOCK].T), problem.mean[k : k + BLOCK]
        i, j = np.triu_indices(len(x))
        gram = (x[i] * x[j]) @ problem.d2
        gram -= problem.mass * mean[i] * mean[j]
        gram[i == j] = np.maximum(gram[i == j], 0) + problem.lam
        grams.append(gram)
    return grams


def curvatures(grams: list[Float64]) -> Float64:
    """Return h (K, N) of E7 out of `grams`, those of `block_covariances`: the first of each row of a triangle.

    >>> curvatures([np.array([[2.0], [4.0], [8.0]])]).ravel()
    array([2., 8.])
    """
    return np.concatenate([gram[np.equal(*np.triu_indices(_inputs_of(gram)))] for gram in grams])


def _inputs_of(gram: Float64) -> int:
    """Return B, of which B (B + 1) / 2 pairs are held."""
    return int(np.sqrt(2 * len(gram)))


def coordinate_pass(
    problem: LayerObjective,
    q: Float64,
    low: Float64,
    high: Float64,
    s: Float64,
    grams: list[Float64],
) -> Float64:
    """E11, E12: the codes of `coordinate_pass_plain`, but for rounding errors at ties; rows are read once a block.

    `grams` are those of `block_covariances`: a step of dq at input j lowers x_k . u by s dq times that of (j, k).

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01)
    >>> start = problem.w, np.zeros((2, 1)), np.ones((2, 1)), np.ones(1)
    >>> coordinate_pass(problem, *start, block_covariances(problem)).ravel()
    array([0., 1.])
    """
    return descended(problem, q, low, high, s, grams, problem.residual(s * q))[0]


def descended(
    problem: LayerObjective,
    q: Float64,
    low: Float64,
    high: Float64,
    s: Float64,
    grams: list[Float64],
    residual: Float64,
) -> tuple[Float64, Float64]:
    """Return the codes of `coordinate_pass` from r - rbar of E5 at s q, and r - rbar at those codes; `grams` as there.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[1.0], [-1.0]], [[0.9], [-0.9]], [[0.9]], np.ones((2, 1)), pull=0.01)
    >>> start = problem.w, np.zeros((1, 1)), np.ones((1, 1)), np.ones(1), block_covariances(problem)
    >>> [part.ravel().round(6) for part in descended(problem, *start, problem.residual(problem.w))]
    [array([1.]), array([-0.1,  0.1])]
    """
    after, u = q.copy(), problem.d2 * residual
    # Of a residual r that is not centred again: x_k . u - mean_k total = x_k . d2 (r - rbar).
    total = np.zeros_like(s)
    x, step = problem.x[:, :0], after[:0]
    for b, gram in enumerate(grams):
        block = slice(b * BLOCK, b * BLOCK + _inputs_of(gram))
        before, x = x, np.ascontiguousarray(problem.x[:, block])
        # Half the gradient, downhill; the pull of a weight changes with that weight alone.
        gradient = _stepped(problem.d2, u, before, step, x)
        gradient -= problem.mean[block] * total
        gradient += problem.lam * (problem.w[block] - s * q[block])
        _step_block(gradient, gram, s, after[block], low[block], high[block])
        step = s * (after[block] - q[block])
        total -= problem.mass * dot_of_columns(problem.mean[block], step)
    _stepped(problem.d2, u, x, step, x[:, :0])
    u /= problem.d2
    u -= total / problem.mass
    return after, u


def _stepped(d2: Float64, u: Float64, before: Float64, step: Float64, x: Float64) -> Float64:
    """Take a block's steps (B, N) into u, and return x^T u of the next block: rows are read once for both."""
    gradient = np.zeros((x.shape[1], u.shape[1]))
    moved, size = step.any(), 1 + CACHED // u.shape[1]
    change = np.empty((size, u.shape[1]))
    for r in range(0, len(u), size):
        rows = slice(r, r + size)
        part = u[rows]
        if moved:
            change = np.matmul(before[rows], step, out=change[: len(part)])
            change *= d2[rows]
            part -= change
        gradient += x[rows].T @ part
    return gradient


def _step_block(gradient: Float64, gram: Float64, s: Float64, q: Float64, low: Float64, high: Float64) -> None:
    """E11, E12 of a block's inputs, one after the other: q becomes the codes."""
    row = 0
    for k, code in enumerate(q):
        pairs = gram[row : row + len(q) - k]
        t = gradient[k] / (s * pairs[0])
        t += code
        np.minimum(np.maximum(np.rint(t, out=t), low[k], out=t), high[k], out=t)  # np.clip, in half its time
        code -= t  # less what it becomes: the step back
        gradient[k + 1 :] += pairs[1:] * (s * code)
        code[:] = t
        row += len(pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Rescaled:
    """Give the scales that suit some codes, and what remains there; made by `rescale`."""

    s: Float64  # (N,), each a float32
    phi: Float64  # (N,): E29, right to rounding errors of Phi(0)
    y: Float64  # (R, N): x q less its mean


def rescale(problem: LayerObjective, q: Float64, s: Float64, y: Float64 | None = None) -> Rescaled:
    """E14, E29: choose the scales that suit the codes: s + ds, each a float32.

    The exact minimum of Phi along s, ds clipped to [-s/2, s], and nothing changes below 1e-9 s. Rounding it to float32
    moves it by 2^-24 of itself, which costs Phi only the square of that; a neuron without codes keeps its scale. `y` is
    x q less its mean, where it is known.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[0.0], [1.0]], [[0.0], [1.5]], [[1.5]], np.ones((2, 1)))
    >>> found = rescale(problem, np.array([[1.0]]), np.array([1.0]))
    >>> found.s, found.phi.round(6)
    (array([1.5]), array([0.]))
    """
    y = problem.image(q) if y is None else y
    p = np.einsum("rn,rn,rn->n", problem.d2, y, problem.z) + problem.lam * dot_of_columns(q, problem.w)
    c = np.einsum("rn,rn,rn->n", problem.d2, y, y) + problem.lam * dot_of_columns(q, q)
    after = clipped_rescale(s, p - s * c, c)
    return Rescaled(after, np.maximum(problem.phi_at_zero() - 2 * after * p + np.square(after) * c, 0), y)


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
