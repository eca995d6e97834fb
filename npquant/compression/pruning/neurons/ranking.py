"""Rank a layer's neurons by a criterion, the least important first, and compare the ranks of several layers.

Legend: R calibration rows, K inputs and n neurons of the layer, N outputs of the next; h (R, n) outputs, w_in (K, n)
incoming weights, `tail` the layers after this one, `metric` M (N, N) of S9, read by "obs"; all float64. Label S11 is
derived in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from npquant.arrays import Float64, Indices
from npquant.compression.least_squares import OBS_DAMPING
from npquant.compression.pruning.neurons.saliency import (
    greedy_obs,
    score_in_l1,
    score_in_l2,
    score_mean_activation,
    score_std_out_l2,
    score_taylor,
)
from npquant.nn.model import DenseLayer

CRITERIA: Final = ("obs", "in_l1", "in_l2", "mean_activation", "std_out_l2", "taylor", "random")
# What these measure has another unit in each layer.
_OF_OWN_UNIT: Final = ("in_l1", "in_l2", "mean_activation", "std_out_l2")


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Rank by one criterion.

    >>> ranking = Ranking("in_l2", "softmax", np.random.default_rng(0))
    >>> tail = [DenseLayer(np.ones((2, 1)), np.zeros(1), "identity")]
    >>> ranking.rank(np.ones((3, 2)), np.array([[3.0, 1.0]]), tail, np.eye(1), 1)
    (array([1]), array([1.]))
    """

    criterion: str  # one of CRITERIA
    output: str  # "softmax" (classes) or "identity" (real values), what the logits are; read by "taylor"
    rng: np.random.Generator  # read by "random"

    def rank(
        self, h: Float64, w_in: Float64, tail: Sequence[DenseLayer], metric: Float64, count: int
    ) -> tuple[Indices, Float64]:
        """Return the `count` <= n least important neurons in the order of removal, and their scores.

        Ties: the lowest index.
        """
        if self.criterion == "obs":
            return greedy_obs(h, np.asarray(tail[0].w, np.float64), count, OBS_DAMPING, metric)
        scores = self._scores(h, w_in, tail)
        order = np.argsort(scores, kind="stable")[:count]
        return order, scores[order]

    def costs(self, h: Float64, w_in: Float64, tail: Sequence[DenseLayer], metric: Float64) -> Float64:
        """S11. Return what all neurons cost at the outputs, in the order of removal; comparable with other layers.

        Criteria with a unit of their own in each layer give scores over their mean.
        """
        _, scores = self.rank(h, w_in, tail, metric, h.shape[1])
        mean = float(scores.mean()) if len(scores) else 0.0
        return np.asarray(scores / mean) if self.criterion in _OF_OWN_UNIT and mean > 0 else scores

    def _scores(self, h: Float64, w_in: Float64, tail: Sequence[DenseLayer]) -> Float64:
        if self.criterion == "random":
            return np.asarray(self.rng.random(h.shape[1]), np.float64)
        if self.criterion == "taylor":
            return score_taylor(h, tail, self.output)
        if self.criterion == "std_out_l2":
            return score_std_out_l2(h, np.asarray(tail[0].w, np.float64))
        if self.criterion == "mean_activation":
            return score_mean_activation(h)
        return (score_in_l1 if self.criterion == "in_l1" else score_in_l2)(w_in)
