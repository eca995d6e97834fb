"""Which weights gradual pruning takes, and when: the cubic schedule, the score, the ranking over all layers.

Legend: K inputs, N outputs of a layer; P weights, t step of n, s share of the steps; w (K, N) weights, v (K, N) Adam's
second moments of their gradients. Labels F18 to F20 are derived in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from npquant.arrays import Float64, Mask, Real
from npquant.nn.layers import Parameters

# Densities of rows and columns are held off 0 and 1 by these, so that the price of a position stays finite.
_LEAST_SHARE, _LARGEST_SHARE = 1e-6, 1 - 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class PruningSchedule:
    """Renew masks along F18; remembers what was left.

    Parameters
    ----------
    weights, goal : int
        P, and how many are left at the end.
    share : float
        s.
    every : int
        Steps between two rankings.
    rate_weight : float
        g of F20.
    history : list of (int, int)
        (step, weights left) of each ranking; filled.

    Examples
    --------
    >>> schedule = PruningSchedule(4, 1, 0.5, 1, 0.0)
    >>> w = np.array([[1.0, 3.0, 2.0, 4.0]])
    >>> schedule(2, 4, [(w, np.zeros(4))], [w != 0], lambda: [np.ones((1, 4))]), schedule.history
    ((array([[False, False, False,  True]]),), [(2, 1)])
    """

    weights: int
    goal: int
    share: float
    every: int
    rate_weight: float
    history: list[tuple[int, int]] = field(default_factory=list)

    def __call__(
        self,
        step: int,
        steps: int,
        parameters: Parameters,
        masks: Sequence[Mask],
        second_moments: Callable[[], Sequence[Real]],
    ) -> Sequence[Mask] | None:
        """Return the masks of the best weights where a ranking is due, else None."""
        last = max(1, int(self.share * steps))
        if step > last or (step % self.every and step != last):
            return None
        wanted = weights_left(step / last, self.weights, self.goal)
        left = sum(int(np.count_nonzero(mask)) for mask in masks)
        if wanted < left:
            scores = [
                removal_score(w, v, mask, self.rate_weight)
                for (w, _), v, mask in zip(parameters, second_moments(), masks, strict=True)
            ]
            masks = keep_best(scores, masks, wanted)
            left = sum(int(np.count_nonzero(mask)) for mask in masks)
        self.history.append((step, left))
        return masks


def weights_left(progress: float, weights: int, goal: int) -> int:
    """Return how many weights the schedule leaves.

    Parameters
    ----------
    progress : float
        t / (s n), in [0, 1].
    weights, goal : int
        P, and how many are left at the end.

    Returns
    -------
    int
        Rounded down; from P to goal.

    Notes
    -----
    F18.

    Examples
    --------
    >>> [weights_left(p, 1000, 100) for p in (0.0, 0.5, 1.0)]
    [1000, 212, 100]
    """
    return goal + int((weights - goal) * (1 - progress) ** 3)


def removal_score(w: Real, v: Real, mask: Mask, rate_weight: float) -> Float64:
    """Score weights: what their removal costs, by what it saves.

    Parameters
    ----------
    w, v : ndarray of float, shape (K, N)
        Weights, and Adam's second moments.
    mask : ndarray of bool, shape (K, N)
        True where a weight is left.
    rate_weight : float
        g >= 0.

    Returns
    -------
    ndarray of float64, shape (K, N)
        Scores; the lowest goes first.

    Notes
    -----
    F19: w^2 sqrt(v).
    F20: divided by c^g, c = max(1, 4 + log2((1 - p) / p)) the bits of a weight, p = r_k c_n / m the chance of a weight
    at (k, n) from the numbers in its row, in its column and in the matrix; four bits stand for the value. A coder that
    knows the densities of rows and columns pays less for a weight where others are.

    Examples
    --------
    >>> removal_score(np.array([[2.0, 1.0]]), np.array([[4.0, 9.0]]), np.ones((1, 2), bool), 0.0)
    array([[8., 3.]])
    """
    with np.errstate(under="ignore"):
        score = w.astype(np.float64) ** 2 * np.sqrt(v.astype(np.float64))
    if not rate_weight:
        return np.asarray(score)
    in_row, in_column = mask.sum(axis=1, keepdims=True), mask.sum(axis=0, keepdims=True)
    chance = np.clip(in_row * in_column / max(1, int(mask.sum())), _LEAST_SHARE, _LARGEST_SHARE)
    bits = np.maximum(4 + np.log2((1 - chance) / chance), 1)
    return np.asarray(score / bits**rate_weight)


def keep_best(scores: Sequence[Float64], masks: Sequence[Mask], wanted: int) -> tuple[Mask, ...]:
    """Keep the weights of the highest scores over all layers.

    Parameters
    ----------
    scores : sequence of ndarray of float64, shapes (K, N)
        By layer.
    masks : sequence of ndarray of bool, shapes (K, N)
        Weights to choose from.
    wanted : int
        How many to keep, at least one a layer.

    Returns
    -------
    tuple of ndarray of bool, shapes (K, N)
        Within the masks; every layer with a weight keeps its best one. Ties: the first stays.

    Examples
    --------
    >>> keep_best([np.array([[3.0, 2.0]]), np.array([[1.0], [0.5]])], [np.ones((1, 2), bool), np.ones((2, 1), bool)], 2)
    (array([[ True, False]]), array([[ True],
           [False]]))
    """
    flat = [np.where(mask, score, -1.0).ravel() for score, mask in zip(scores, masks, strict=True)]
    for part, mask in zip(flat, masks, strict=True):
        if mask.any():
            part[np.argmax(part)] = np.inf
    everything = np.concatenate(flat)
    kept = np.ones(len(everything), bool)
    if wanted < len(everything):
        least = np.partition(everything, -wanted)[-wanted]
        kept = everything > least
        kept[np.flatnonzero(everything == least)[: wanted - int(np.count_nonzero(kept))]] = True
    ends = np.cumsum([part.size for part in flat])
    parts = [kept[end - mask.size : end].reshape(mask.shape) for mask, end in zip(masks, ends, strict=True)]
    return tuple(part & mask for part, mask in zip(parts, masks, strict=True))
