"""Exercise of the fourth chapter: what no input can make a sum exceed.

Legend: w_q int8 weight codes of one neuron, zero point 0; b_q its bias code; zx zero point of its int8 inputs."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from npquant.spec.linear import accumulator_interval
from npquant.testing.exercises.mark import Exercise

_WEIGHTS: Final = st.lists(st.integers(-128, 127), min_size=1, max_size=6)


def _interval(w_q: list[int], b_q: int, zx: int) -> tuple[int, int]:
    """C7 over all int8 inputs."""
    return accumulator_interval(w_q, b_q, zx, 0, -128, 127)


EXERCISES: Final = (
    Exercise(
        "accumulator_ends",
        "accumulator_ends(w_q, b_q, zx): the least and the largest accumulator over all int8 inputs, by C7",
        st.tuples(_WEIGHTS, st.integers(-5000, 5000), st.integers(-128, 127)),
        _interval,
    ),
)
