"""Which weights go first: orders of removal by magnitude, by input, by the exact rise of the error, or by lot.

Legend: R calibration rows, K inputs and N outputs of a layer; a (R, K) inputs as delivered, w (K, N) weights, both real
float64; `metric` holds M, the damped covariance U0 of a; P (K, K) its `inverse`, v weights in the units of U0;
`criterion` "magnitude", "wanda", "obs" or "random", which alone reads `rng`; n:m at most n weights kept in each group
of m inputs. Labels U0-U5 are derived in docs/weight-pruning.md.

U1 (scores)    magnitude w^2;  wanda (|w_k| |a_k|)^2;  random: uniform in (0, 1]; a weight that is 0 scores 0
U2 (obs)       removing weight j of a neuron adds v_j^2 / P_jj; then v -= P_j v_j / P_jj and P -= P_j P_j^T / P_jj;
               the weight of an input that does not vary costs nothing: the bias makes up for it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64, Indices
from npquant.compression.pruning.weights.input_metric import InputMetric, input_metric

# Rows of weights that are gone are dropped from the arrays when fewer than this share is left.
SPARSE_ROWS = 0.75
# In place of a weight that the bias can make up for; its square is a number too.
NEGLIGIBLE = 1e-150


@dataclass(frozen=True, slots=True, eq=False)
class RemovalOrder:
    """Say in which order a layer's weights would go."""

    order: Indices  # flat indices k N + n, shape (K N,), the first to go first
    score: Float64  # squared scores in that order, never falling


def weight_scores(criterion: str, a: Float64, w: Float64, rng: np.random.Generator) -> Float64:
    """U1. Score every weight by itself, by any criterion but "obs": squared scores (K, N), 0 where the weight is 0.

    Scaled by the largest factor first, so that no square overflows. Source of "wanda": Sun, Liu, Bair and Kolter, "A
    Simple and Effective Pruning Approach for Large Language Models", 2023, equation 1.

    >>> w = np.array([[3.0, 0.0], [1.0, 2.0]])
    >>> weight_scores("wanda", np.array([[1.0, 4.0]]), w, np.random.default_rng(0)) * (4 * 3) ** 2
    array([[ 9.,  0.],
           [16., 64.]])
    """
    if criterion == "random":
        return np.where(w == 0, 0.0, 1.0 - rng.random(w.shape))
    size = np.abs(w)
    size /= size.max() or 1.0
    if criterion == "wanda":
        inputs = np.abs(a) / (np.abs(a).max(initial=0) or 1.0)
        size *= np.sqrt(np.square(inputs).sum(axis=0))[:, np.newaxis]
    return np.square(size, out=size)


def removal_order(criterion: str, a: Float64, w: Float64, damping: float, rng: np.random.Generator) -> RemovalOrder:
    """Order a layer's weights for removal; ties: the lower index first.

    With "obs" each neuron's weights go in the order of U2, and the layer always takes the neuron whose next removal
    costs least; the scores are the running maxima of the costs. `damping` is the share of U0.

    >>> w = np.array([[3.0, 0.0], [1.0, 2.0]])
    >>> removal_order("magnitude", np.ones((1, 2)), w, 0.01, np.random.default_rng(0)).order
    array([1, 2, 3, 0])
    """
    if criterion != "obs":
        score = weight_scores(criterion, a, w, rng).ravel()
        order = np.argsort(score, kind="stable")
        return RemovalOrder(order, score[order])
    return _obs_order(a, w, damping)


def _obs_order(a: Float64, w: Float64, damping: float) -> RemovalOrder:
    """Merge the neurons' own orders of removal by cost."""
    metric = input_metric(a, damping)
    weights = weights_in_units(metric, w)
    moving, still = np.flatnonzero(metric.varies), np.flatnonzero(~metric.varies)
    inverse = np.asarray(np.linalg.inv(metric.matrix[np.ix_(moving, moving)]), np.float64)
    place = np.tile(np.append(moving, still), (w.shape[1], 1))
    # What holds for inputs that do not vary: they are coupled to none, so their cost is never another.
    cost = np.square(weights[place[0]].T)
    position = np.zeros(place.shape, np.int64)
    for n in range(w.shape[1]):
        order, rise = obs_removals(inverse, weights[moving, n], len(moving))
        place[n, : len(moving)], position[n, : len(moving)] = moving[order], np.arange(len(moving))
        cost[n, : len(moving)] = np.maximum.accumulate(rise)
    # By cost, then by position in the neuron's own order: a prefix of each neuron's order, always. Zeros go by index.
    position = np.where(cost > 0, position, place)
    merged = np.lexsort((position.ravel(), cost.ravel()))
    flat = place * w.shape[1] + np.arange(w.shape[1])[:, np.newaxis]
    return RemovalOrder(flat.ravel()[merged], cost.ravel()[merged])


def weights_in_units(metric: InputMetric, w: Float64) -> Float64:
    """Return weights (K, N) as U2 reads them: w t over the power of two above the largest, so that no square overflows.

    For inputs that do not vary 1e-150 where w is not 0, so that they go after zeros and before all others.

    >>> metric = input_metric(np.array([[0.0, 7.0], [4.0, 7.0]]), 0.5)
    >>> weights_in_units(metric, np.array([[3.0], [5.0]])).ravel()
    array([7.5e-001, 1.0e-150])
    """
    still = ~metric.varies[:, np.newaxis]
    scaled = np.where(still, 0.0, w * metric.unit[:, np.newaxis])
    scaled = np.ldexp(scaled, -np.frexp(np.abs(scaled).max())[1])
    return np.where(still & (w != 0), NEGLIGIBLE, scaled)


def obs_removals(
    inverse: Float64, w: Float64, count: int, group: int | None = None, keep: int = 0
) -> tuple[Indices, Float64]:
    """U2. Choose `count` weights of one neuron, w (K,), one by one, each the cheapest where the others make up for it.

    Returned are the weights in the order of removal, int64, ties: the lowest index, and what each adds to (v - w)^T M
    (v - w). Where `group` is given, at least `keep` weights stay in each group of that many neighbours, or all of a
    shorter last group. P is never updated as a whole, as it is in S4, where one P serves all outputs: the columns that
    were taken out are kept as a triangular factor, as in a pivoted Cholesky factorization, and a column of today's P is
    made when it is needed. O(K count^2). Sources: Hassibi and Stork, 1993, equation 5; Frantar and Alistarh, "Optimal
    Brain Compression", 2022, algorithm 1.

    >>> obs_removals(np.linalg.inv([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, 3.0]), 2)
    (array([0, 1]), array([ 1.5, 24.5]))
    """
    p, factor, index = inverse, np.empty((len(w), count), order="F"), np.arange(len(w))
    v, d, alive = w.astype(np.float64), np.diag(inverse).copy(), np.ones(len(w), bool)
    least = d * np.finfo(np.float64).eps
    room = _removable(len(w), group, keep)
    order, cost = np.empty(count, np.int64), np.empty(count)
    for t in range(count):
        free = alive if room is None else alive & (room[index // (group or 1)] > 0)
        score = np.divide(v * v, np.maximum(d, least), out=np.full(len(v), np.inf), where=free)
        j = int(np.argmin(score))
        order[t], cost[t] = index[j], score[j]
        # Column j of the P of this step, and what it does to the weights and the diagonal that are left.
        column = p[:, j] - factor[:, :t] @ factor[j, :t]
        pivot = max(float(column[j]), float(least[j]))
        v -= column * (v[j] / pivot)
        factor[:, t] = column / np.sqrt(pivot)
        d -= np.square(factor[:, t])
        alive[j] = False
        if room is not None:
            room[order[t] // (group or 1)] -= 1
        if np.count_nonzero(alive) < SPARSE_ROWS * len(alive):
            p, factor, index = p[np.ix_(alive, alive)], np.asfortranarray(factor[alive]), index[alive]
            v, d, least, alive = v[alive], d[alive], least[alive], np.ones(len(index), bool)
    return order, cost


def _removable(depth: int, group: int | None, keep: int) -> Indices | None:
    """Return how many weights each group may lose."""
    if group is None:
        return None
    sizes = np.diff(np.append(np.arange(0, depth, group), depth))
    return np.asarray(np.maximum(sizes - keep, 0), np.int64)
