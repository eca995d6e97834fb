"""Which weights gradual pruning takes, and when: the cubic schedule, the score, the ranking over all layers.

Legend: K inputs, N outputs of a layer; P `weights`, `goal` of them left at the end, t step of n, s share of the steps;
w (K, N) weights, v (K, N) Adam's second moments of their gradients, `mask` (K, N) True where a weight is left;
`rate_weight` g >= 0 of F20. Labels F18 to F20 are derived in docs/finetuning.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from npquant.arrays import Float64, Mask, Real
from npquant.nn.layers import Parameters

# Densities of rows and columns are held off 0 and 1 by these, so that the price of a position stays finite.
_LEAST_SHARE, _LARGEST_SHARE = 1e-6, 1 - 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class PruningSchedule:
    """Choose new masks along F18.

    >>> schedule = PruningSchedule(4, 1, 0.5, 1, 0.0)
    >>> w = np.array([[1.0, 3.0, 2.0, 4.0]])
    >>> schedule(2, 4, [(w, np.zeros(4))], [w != 0], lambda: [np.ones((1, 4))])
    (array([[False, False, False,  True]]),)
    """

    weights: int
    goal: int
    share: float  # s
    every: int  # steps between two rankings
    rate_weight: float

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
        if wanted >= sum(int(np.count_nonzero(mask)) for mask in masks):
            return masks
        scores = [
            removal_score(w, v, mask, self.rate_weight)
            for (w, _), v, mask in zip(parameters, second_moments(), masks, strict=True)
        ]
        return keep_best(scores, masks, wanted)


def weights_left(progress: float, weights: int, goal: int) -> int:
    """F18. How many weights the schedule leaves at `progress` t / (s n) in [0, 1]: from P to goal, rounded down.

    >>> [weights_left(p, 1000, 100) for p in (0.0, 0.5, 1.0)]
    [1000, 212, 100]
    """
    return goal + int((weights - goal) * (1 - progress) ** 3)


def removal_score(w: Real, v: Real, mask: Mask, rate_weight: float) -> Float64:
    """F19. w^2 sqrt(v), what the removal of each weight costs; the lowest goes first.

    F20. Divided by c^g, c = max(1, 4 + log2((1 - p) / p)) the bits of a weight, p = r_k c_n / m the chance of a weight
    at (k, n) from the numbers in its row, in its column and in the matrix; four bits stand for the value. A coder that
    knows the densities of rows and columns pays less for a weight where others are.

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
    """Keep the `wanted` weights of the highest `scores` over all layers, within `masks`, both by layer.

    At least one a layer is wanted; every layer with a weight keeps its best one. Ties: the first stays.

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
