"""Where the walks of a layer with many inputs start: codes by error feedback, at the scale and side that cost least.

Legend: v (K, N) real weights of E9, `factor` (K, K) that of H, E27; s (G, S, N) scales to start from, positive, each a
float32: S of each of G sides of the grid, ascending; qmin and qmax (G,) the ends of the sides, real; `first` which of
the S scales each side is tried at. A start's number is S times its side, plus its scale's.

E28 (feedback)  q_k := clip(round_half_even(v_k / s), qmin, qmax);  v_j -= (v_k - s q_k) U_kj / U_kk for j > k,
                U^T U = H^-1: E16 on v*
E39 (start)     the side with the least cost E38 at the first scale; on it smaller scales, then larger ones, each while
                the cost falls; of the two cheapest codes those with less Phi, E29

A weight rounds to the neighbour of where the errors of those before it have moved it. One H serves all neurons, sides
and scales, since no neuron's weights of rows are in it. So what it says of some codes is free, but not the last word:
between the best two the rows decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import RoundingGrid
from npquant.compression.error_feedback import round_at_cost
from npquant.compression.least_squares import INDISTINCT
from npquant.compression.rounding.rectified.by_neuron import taken_where
from npquant.compression.rounding.rectified.layer_objective import LayerObjective
from npquant.compression.rounding.rectified.rounding_path import Rescaled, rescale

# Starts that the rows decide between. With one alone 4 bits lose some percent of KL; a third one gains nothing.
COMPARED = 2


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """Hold what feedback has made of each neuron, from one start each."""

    q: NDArray[np.int8]  # (K, N)
    cost: Float64  # (N,): E38, infinite for a neuron that was not rounded
    number: NDArray[np.int64]  # (N,)

    def select(self, at: slice) -> Start:
        """Return the starts of the neurons `at`."""
        return Start(self.q[:, at], self.cost[at], self.number[at])

    def scales(self, s: Float64) -> Float64:
        """Return the scales that were started from, (N,)."""
        return np.asarray(s.reshape(-1, s.shape[2])[self.number, np.arange(s.shape[2])])


def cheapest_starts(v: Float64, factor: Float64, s: Float64, first: int, qmin: Float64, qmax: Float64) -> list[Start]:
    """E28, E39: return the codes with the least cost, then those with the least but one, where there are two starts.

    >>> s = np.array([[[0.5], [1.0], [2.0]]])
    >>> found = cheapest_starts(np.array([[2.2], [0.9]]), np.eye(2), s, 0, np.array([-2.0]), np.array([1.0]))
    >>> [(start.q.ravel(), start.cost.round(2), start.number) for start in found]
    [(array([1, 0], dtype=int8), array([0.85]), array([2])), (array([1, 1], dtype=int8), array([1.45]), array([1]))]
    """
    sides, scales, neurons = s.shape[0], s.shape[1], np.arange(v.shape[1])

    def tried(at: NDArray[np.int64], side: NDArray[np.int64], scale: int) -> Start:
        """Round the neurons `at`, each on its side."""
        q, cost = np.zeros(v.shape, np.int8), np.full(len(neurons), np.inf)
        grid = RoundingGrid(s[side, scale, neurons], qmin[side], qmax[side]).select(at)
        q[:, at], cost[at] = round_at_cost(v.take(at, axis=1), factor, grid)
        return Start(q, cost, scales * side + scale)

    # Of this size rounding errors of a cost are below 2^-52.
    noise = INDISTINCT * (np.square(factor).sum(axis=1) @ np.square(v))
    starts = [tried(neurons, np.full(len(neurons), side), first) for side in range(sides)]
    at_first = np.array([start.cost for start in starts])
    side = _cheapest(at_first, noise)
    for step in (-1, 1):
        cost, at, scale = at_first[side, neurons], neurons, first + step
        while len(at) and 0 <= scale < scales:
            starts.append(tried(at, side, scale))
            falls = starts[-1].cost < cost - noise
            at, cost, scale = at[falls[at]], starts[-1].cost, scale + step
    costs, found = np.array([start.cost for start in starts]), []
    for _ in starts[:COMPARED]:
        which = _cheapest(costs, noise)
        costs[which, neurons] = np.inf
        found.append(_taken(starts, which))
    return found


def _cheapest(costs: Float64, noise: Float64) -> NDArray[np.int64]:
    """Return which of the starts costs least, (N,): the first of those that only rounding errors tell apart."""
    return np.asarray(np.argmax(costs <= costs.min(axis=0) + noise, axis=0))


def better_start(problem: LayerObjective, starts: list[Start], s: Float64) -> tuple[Start, Rescaled]:
    """E39, E29: return the start with less Phi, the first where they are equally good, and what remains of it.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> problem = make_objective([[1.0], [-1.0]], [[0.9], [-0.9]], [[0.9]], np.ones((2, 1)), pull=0.01)
    >>> starts = [Start(np.array([[code]], np.int8), np.ones(1), np.zeros(1, np.int64)) for code in (0, 1)]
    >>> better_start(problem, starts, np.ones((1, 1, 1)))[0].q
    array([[1]], dtype=int8)
    """
    start, *others = starts
    best = rescale(problem, start.q.astype(np.float64), start.scales(s))
    for other in others:
        found = rescale(problem, other.q.astype(np.float64), other.scales(s))
        better = found.phi < best.phi - INDISTINCT * problem.phi_at_zero()
        start = taken_where(better, other, start)
        best = taken_where(better, found, best)
    return start, best


def _taken(starts: list[Start], which: NDArray[np.int64]) -> Start:
    """Return of each neuron the start `which` (N,)."""
    taken, *others = starts
    for i, other in enumerate(others, 1):
        taken = taken_where(which == i, other, taken)
    return taken
