"""Exercise of the chapter on the oracle kit: a sum that hurts, by the choice of a bias.

Legend: total the sum of products of one output; shift a right shift that rounds, 2^shift sums to one output step.
"""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from npquant.testing.exercises.mark import Exercise


def _bias_on_a_tie(total: int, shift: int) -> int:
    """Return the least b >= 0 with total + b halfway between two steps: (total + b) mod 2^shift = 2^(shift - 1)."""
    return ((1 << (shift - 1)) - total) % (1 << shift)


EXERCISES: Final = (
    Exercise(
        "bias_on_a_tie",
        "bias_on_a_tie(total, shift): the least bias of 0 or more that puts total + bias on a tie of a right shift",
        st.tuples(st.integers(-4096, 4096), st.integers(1, 8)),
        _bias_on_a_tie,
        ((0, 1), (3, 2)),
    ),
)
