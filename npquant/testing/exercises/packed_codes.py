"""Exercise of the ninth chapter: two codes in one byte.

Legend: first, second codes of 4 bits, -8 to 7."""

from __future__ import annotations

from typing import Final

import numpy as np
from hypothesis import strategies as st

from npquant.codec.packing import pack_codes
from npquant.testing.exercises.mark import Exercise

_CODES: Final = st.integers(-8, 7)


def _pack_two(first: int, second: int) -> int:
    """P1 at 4 bits: the first code stands in the low half."""
    return int(pack_codes(np.array([first, second], np.int8), 4)[0])


EXERCISES: Final = (
    Exercise(
        "pack_two",
        "pack_two(first, second): the byte, 0 to 255, of two codes of 4 bits, the first in the low half",
        st.tuples(_CODES, _CODES),
        _pack_two,
    ),
)
