"""Rectified rounding of a layer with many inputs: error feedback from several scales, the best followed by exact walks.

Legend: as in rounding_path and plain_hessian; v (K, N) real weights of E9, factor (K, K) that of H; s (S, N) scales of
S starts, positive, each a float32; qmin and qmax (S,) the ends of each start's grid, int. Starts differ in scale, at 2
bits also in the side of the grid.

E28 (feedback)  q_k := clip(round_half_even(v_k / s), qmin, qmax);  v_j -= (v_k - s q_k) U_kj / U_kk for j > k,
                U^T U = H^-1: E16 on v*

A weight rounds to the neighbour of where the errors of those before it have moved it. One H serves all neurons, sides
and scales, since no neuron's weights of rows are in it; these decide among the starts, by the exact Phi of E29, and in
the walks of E11 that follow, whose codes may go anywhere on the grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import RoundingGrid
from npquant.compression.error_feedback import round_with_feedback
from npquant.compression.least_squares import INDISTINCT
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

# Walks after the start. A third one lowers Phi by less than a part in a hundred.
WALKS = 2


def search_wide(
    problem: LayerObjective,
    factor: Float64,
    v: Float64,
    s: Float64,
    qmin: ArrayLike,
    qmax: ArrayLike,
    passes: int,
) -> tuple[RoundedLayer, NDArray[np.int64]]:
    """Round from every start (E28), keep each neuron's best (E29), and walk from there, at most `passes` times, >= 1.

    The first of those that are equally good. Neither a walk nor a rescale raises Phi. E13 is that of the start taken: a
    neuron above it is rounded by `follow_path` from there instead, to which E13 applies. Returns codes between qmin and
    qmax of the start taken, and that start (N,), int64.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> problem = make_objective(x, x @ [[0.4], [0.3]], [[0.4], [0.3]], np.ones((2, 1)), pull=0.01)
    >>> search_wide(problem, np.eye(2), problem.w, np.array([[1.0], [0.8]]), [-1, -1], [1, 1], 2)[0].q.ravel()
    array([1., 0.])
    """
    q, best, start = _best_start(problem, v, factor, s, np.asarray(qmin), np.asarray(qmax))
    low, high = (np.asarray(end, np.float64)[start] for end in (qmin, qmax))
    lowest, highest = (np.broadcast_to(end, q.shape) for end in (low, high))
    grams = block_covariances(problem)
    for _ in range(min(passes, WALKS)):
        q, y = descended(problem, q, lowest, highest, best.s, grams, problem.z - best.s * best.y)
        np.subtract(problem.z, y, out=y)  # what is left of z, s y is
        y /= best.s
        best = rescale(problem, q, best.s, y)
    chosen = np.take_along_axis(s, start[np.newaxis], axis=0)[0]
    a = np.clip(v / chosen, low, high)
    bound = problem.phi(chosen * a) + expected_rise(a, chosen, curvatures(grams))
    found = RoundedLayer(q, best.s, best.phi, bound)
    over = found.phi > bound + INDISTINCT * problem.phi_at_zero()
    if over.any():
        ends, pairs = (low[over], high[over]), [gram[:, over] for gram in grams]
        path = follow_path(problem.select(over), v[:, over], chosen[over], *ends, max(passes, WALKS), pairs)
        found.q[:, over], found.s[over], found.phi[over] = path.q, path.s, path.phi
    return found, start


def _best_start(
    problem: LayerObjective, v: Float64, factor: Float64, s: Float64, qmin: NDArray[np.int64], qmax: NDArray[np.int64]
) -> tuple[Float64, Rescaled, NDArray[np.int64]]:
    """Return codes, what remains at their best scales, and the start that each neuron has them from."""
    neurons, noise = v.shape[1], INDISTINCT * problem.phi_at_zero()
    q, best, start = v, None, np.zeros(v.shape[1], np.int64)
    for i, scale in enumerate(s):
        grid = RoundingGrid(scale, np.full(neurons, float(qmin[i])), np.full(neurons, float(qmax[i])))
        codes = round_with_feedback(v, factor, grid)
        found = rescale(problem, codes, scale)
        if best is None:
            q, best = codes, found
            continue
        better = found.phi < best.phi - noise
        q[:, better], start[better] = codes[:, better], i
        best.s[better], best.phi[better], best.y[:, better] = found.s[better], found.phi[better], found.y[:, better]
    assert best is not None  # there is at least one start
    return q, best, start
