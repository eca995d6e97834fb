"""Exercises of the chapter on a recipe with mistakes: three defects to mend.

Legend: w weights as K lists of N numbers; n neurons; rate the share to remove; b real biases, s_x and s_w scales of an
input and of its weights, one of them an output.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from hypothesis import strategies as st

from npquant.compression.pruning.neurons.allocation import share_of_layer
from npquant.compression.pruning.neurons.saliency import score_in_l1
from npquant.testing.exercises.mark import Exercise

_SCALES: Final = st.sampled_from((0.5, 0.25, 0.75, 1.0))
_WEIGHTS: Final = st.integers(2, 4).flatmap(
    lambda n: st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=1, max_size=3)
)
_BIASES: Final = st.lists(st.tuples(st.integers(-64, 64).map(lambda n: n / 4), _SCALES), min_size=1, max_size=3)


def _least_important(w: list[list[int]], count: int) -> list[int]:
    """Return the outputs of the smallest sums of magnitudes, the lowest position on ties."""
    order = np.argsort(score_in_l1(np.array(w, np.float64)), kind="stable")
    return [int(n) for n in order[:count]]


def _bias_codes(b: list[float], s_x: float, s_w: list[float]) -> list[int]:
    """Return the codes of each bias in the unit of its own accumulator, ties to even (R39)."""
    return [round(Fraction(value) / (Fraction(s_x) * Fraction(s))) for value, s in zip(b, s_w, strict=True)]


EXERCISES: Final = (
    Exercise(
        "least_important",
        "least_important(w, count): the outputs (columns of w) whose weights have the smallest sums of magnitudes",
        st.tuples(_WEIGHTS, st.integers(1, 2)),
        _least_important,
        (([[1, 0]], 1), ([[2, 0, 1]], 2)),
    ),
    Exercise(
        "pruned_count",
        "pruned_count(n, rate): how many of n neurons a layer loses; it keeps at least one",
        st.tuples(st.integers(1, 64), st.integers(0, 7).map(lambda n: n / 8)),
        share_of_layer,
        ((4, 0.25), (5, 0.5), (1, 0.875)),
    ),
    Exercise(
        "bias_codes",
        "bias_codes(b, s_x, s_w): the code of each bias, in the unit of the accumulator that it is added to",
        st.tuples(_BIASES, _SCALES).map(lambda drawn: ([b for b, _ in drawn[0]], drawn[1], [s for _, s in drawn[0]])),
        _bias_codes,
        (([0.25], 0.5, [0.5]), ([0.25], 0.5, [0.75])),
    ),
)
