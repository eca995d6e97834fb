"""Removable neurons, which go without a loss: zero, constant and redundant ones, and what they leave behind.

Legend: R calibration rows, K inputs and n neurons of a layer, N outputs of the next; x (R, K) inputs, w (K, n) and
b_in (n,) the layer, h (R, n) its outputs, v (n, N) and b (N,) the next layer, all float64 and real; j a neuron that
goes, i one that stays; `eps` machine epsilon of the dtype that the weights were rounded to. Neurons are int64. Labels
S2 and S3 are derived in docs/book/08-pruning.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64, Indices
from npquant.compression.pruning.neurons.compensation import fold_means


@dataclass(frozen=True, slots=True, eq=False)
class RemovableNeurons:
    """Name the removable neurons by kind, and hold the next layer without them."""

    zero: Indices
    constant: Indices
    redundant: Indices
    # Neuron redundant[m] is factors[m] times twins[m], a neuron that stays.
    twins: Indices
    factors: Float64
    # The next layer: it gives what it gave as soon as the rows of the neurons named here are left out.
    v: Float64
    b: Float64

    @property
    def all(self) -> Indices:
        """Return the neurons of every kind."""
        return np.concatenate([self.zero, self.constant, self.redundant])


def take_out_removable(
    x: Float64, w: Float64, b_in: Float64, h: Float64, v: Float64, b: Float64, limit: int, eps: float
) -> RemovableNeurons:
    """S2. b := b + h_j v_j for a constant j.  S3. v_i := v_i + c v_j for h_j = c h_i, c > 0.  At most `limit` go.

    Zero ones first, then constant, then redundant ones; v and b are not changed in place. No output changes on the
    calibration rows but by rounding, and by none where the products and sums of S2 and S3 are exact.

    >>> x, w = np.array([[1.0], [2.0]]), np.array([[1.0, 3.0]])
    >>> removable = take_out_removable(x, w, np.zeros(2), x @ w, np.ones((2, 1)), np.zeros(1), 1, 2.0**-52)
    >>> removable.redundant, removable.v[0]
    (array([1]), array([4.]))
    """
    fixed = np.asarray(~w.any(axis=0))
    zero = find_zero(h, v)
    constant = np.setdiff1d(find_constant(h), zero)
    # What the weights prove goes before what only the calibration rows show.
    zero = zero[np.argsort(v[zero].any(axis=1) & ~fixed[zero], kind="stable")][:limit]
    constant = constant[np.argsort(~fixed[constant], kind="stable")][: limit - len(zero)]
    v, b = v.copy(), fold_means(h, v, b, constant)
    left = limit - len(zero) - len(constant)
    gone = np.concatenate([zero, constant])
    candidates = np.setdiff1d(np.arange(h.shape[1]), gone)
    pairs = find_redundant(h, candidates, rounding_of_outputs(x, w, b_in, eps))[:left] if left else []
    for j, i, c in pairs:
        v[i] += c * v[j]
    redundant, twins = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    return RemovableNeurons(zero, constant, redundant, twins, np.array([c for _, _, c in pairs], np.float64), v, b)


def find_zero(h: Float64, v: Float64) -> Indices:
    """Find the neurons, ascending, that contribute nothing: no outgoing weight, or output 0 on every row.

    >>> find_zero(np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), np.array([[1.0], [1.0], [0.0]]))
    array([1, 2])
    """
    return np.flatnonzero(~h.any(axis=0) | ~v.any(axis=1))


def find_constant(h: Float64) -> Indices:
    """Find the neurons, ascending, with exactly the same output on every row, as one without incoming weights.

    A neuron that varies by rounding alone is left to the ranking, which finds it the cheapest.

    >>> find_constant(np.array([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))
    array([0, 1])
    """
    return np.flatnonzero(h.max(axis=0) == h.min(axis=0))


def rounding_of_outputs(x: Float64, w: Float64, b_in: Float64, eps: float) -> Float64:
    """Bound |h_j - c h_i| (n,) for weights and biases that were proportional before they were rounded.

    >>> rounding_of_outputs(np.ones((1, 2)), np.ones((2, 1)), np.ones(1), 0.5)
    array([3.])
    """
    with np.errstate(over="ignore"):
        size = (np.abs(x) @ np.abs(w) + np.abs(b_in)).max(axis=0)
    # A bound that overflows bounds nothing, so it may excuse nothing.
    size[~np.isfinite(size)] = 0.0
    # Each weight of j and c times each of i is off by eps / 2 of itself, and each float64 sum of K + 1 terms by
    # (K + 2) 2^-53 of the sum of their magnitudes; every activation moves by no more than its argument. So
    # (eps + 2 (K + 2) 2^-53) max over rows of (|x| |w_j| + |b_j|); twice that, as c is itself read off one row.
    return np.asarray(2 * (eps + (len(w) + 2) * np.finfo(np.float64).eps) * size)


def find_redundant(h: Float64, candidates: Indices, tolerance: NDArray[Any]) -> list[tuple[int, int, float]]:
    """S3. Find (j, i, c) with neuron j = c times a smaller neuron i on every row, c >= 1 up to rounding.

    i is not itself among the j. `candidates` are the neurons to look at, none of them zero on all rows; `tolerance`
    (n,) is the largest |h_j - c h_i| that counts as equal. The calibration rows are the evidence: a clipped unit counts
    if its twin saturates with it. Multiples c < 0 do not count.

    >>> find_redundant(np.array([[2.0, 1.0, 0.0], [6.0, 3.0, 1.0]]), np.arange(3), np.zeros(3))
    [(0, 1, 2.0)]
    """
    # c = h_j / h_i on the row where |h_i| is largest. The smallest of a family stays (the lowest index if equal), so
    # that the choice does not depend on the order of the neurons, and integer multiples have an integer c.
    rows = np.abs(h).argmax(axis=0)
    peak = np.abs(h[rows, np.arange(h.shape[1])])
    found: list[tuple[int, int, float]] = []
    leaders: list[int] = []
    for j in (int(k) for k in candidates[np.argsort(peak[candidates], kind="stable")]):
        at = np.array(leaders, np.int64)
        with np.errstate(over="ignore", invalid="ignore"):
            factors = h[rows[at], j] / h[rows[at], at]
            # One row rules out most pairs: where j peaks, c h_i must be as large.
            far = np.abs(h[rows[j], j] - factors * h[rows[j], at])
        near = np.isfinite(factors) & (factors > 0) & (far <= tolerance[j])
        for i, c in zip(at[near].tolist(), factors[near].tolist(), strict=True):
            if np.abs(h[:, j] - c * h[:, i]).max() <= tolerance[j]:
                found.append((j, i, c))
                break
        else:
            leaders.append(j)
    return found
