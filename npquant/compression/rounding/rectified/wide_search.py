"""Rectified rounding of a layer with many inputs: error feedback from several scales, the best followed by exact walks.

Legend: as in rounding_path; v (K, N) real weights of E9, `factor` (K, K) that of H, E27; s (G, S, N) scales to start
from, `first` the one that each side is tried at, qmin and qmax (G,), as in wide_starts.

A walk is E11, its codes clipped to the grid and not to floor and ceiling: they may go anywhere on their side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import INDISTINCT
from npquant.compression.rounding.rectified.by_neuron import side_by_side
from npquant.compression.rounding.rectified.layer_objective import LayerObjective
from npquant.compression.rounding.rectified.rounding_path import (
    Rescaled,
    RoundedLayer,
    block_covariances,
    curvatures,
    descended,
    expected_rise,
    follow_path,
    rescale,
)
from npquant.compression.rounding.rectified.wide_starts import better_start, cheapest_starts

# Walks after the start. A third one lowers Phi by less than a part in a hundred.
WALKS = 2
# Neurons that are walked together: each holds 17 / 2 covariances of every input.
WALKED = 128


def search_wide(
    problem: LayerObjective,
    factor: Float64,
    v: Float64,
    s: Float64,
    first: int,
    qmin: ArrayLike,
    qmax: ArrayLike,
    passes: int,
) -> tuple[RoundedLayer, NDArray[np.int64]]:
    """Round from the starts of E39, and walk on from the better, at most `passes` times, >= 1.

    Neither a walk nor a rescale raises Phi. E13 is that of the start taken: a neuron above it is rounded by
    `follow_path` from there instead, to which E13 applies. Returns codes between qmin and qmax of the side taken, and
    the number of that start, (N,) int64.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.3]], [[0.4], [0.3]], np.ones((2, 1)), pull=0.01)
    >>> search_wide(problem, np.eye(2), problem.w, np.array([[[0.8], [1.0]]]), 1, [-1], [1], 2)[0].q.ravel()
    array([1., 0.])
    """
    low, high = np.asarray(qmin, np.float64), np.asarray(qmax, np.float64)
    starts = cheapest_starts(v, factor, s, first, low, high)
    found, numbers = [], []
    for n in range(0, v.shape[1], WALKED):
        at = slice(n, n + WALKED)
        part, scales = problem.select(at), s[..., at]
        start, best = better_start(part, [start.select(at) for start in starts], scales)
        side = start.number // s.shape[1]
        ends = low[side], high[side]
        found.append(_walked(part, v[:, at], start.q.astype(np.float64), start.scales(scales), best, ends, passes))
        numbers.append(start.number)
    return side_by_side(found), np.concatenate(numbers)


def _walked(
    problem: LayerObjective,
    v: Float64,
    q: Float64,
    s: Float64,
    best: Rescaled,
    ends: tuple[Float64, Float64],
    passes: int,
) -> RoundedLayer:
    """Walk from codes q, fitted as `best` says, that started at s; take another path where that ends above E13."""
    lowest, highest = (np.broadcast_to(end, q.shape) for end in ends)
    grams = block_covariances(problem)
    for _ in range(min(passes, WALKS)):
        q, y = descended(problem, q, lowest, highest, best.s, grams, problem.z - best.s * best.y)
        np.subtract(problem.z, y, out=y)  # what is left of z, s y is
        y /= best.s
        best = rescale(problem, q, best.s, y)
    a = np.clip(v / s, *ends)
    bound = problem.phi(s * a) + expected_rise(a, s, curvatures(grams))
    found = RoundedLayer(q, best.s, best.phi, bound)
    over = found.phi > bound + INDISTINCT * problem.phi_at_zero()
    if over.any():
        (low, high), pairs = (end[over] for end in ends), [gram[:, over] for gram in grams]
        path = follow_path(problem.select(over), v[:, over], s[over], low, high, max(passes, WALKS), pairs)
        found.q[:, over], found.s[over], found.phi[over] = path.q, path.s, path.phi
    return found
