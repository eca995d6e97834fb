"""Engines whose layer of 8-bit codes is another record's: names that `get` knows, beside those that `names` lists.

What tells records apart (the separating set, the fingerprints, the vectors) looks at 8-bit layers, where a relative
and its record are one. Legend: name of the engine, record that answers for it, of the name of its relation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npquant.profiles.cmsis_nn import CMSIS_NN
from npquant.profiles.record import Profile


@dataclass(frozen=True, slots=True)
class Relative:
    """Name an engine, the record that answers for it, the record whose 8-bit layers it shares, and why that is known.

    >>> [(relative.name, relative.of) for relative in RELATIVES][0]
    ('cmsis_nn', 'tflm')
    """

    name: str
    record: Profile  # `of`'s own where nothing differs
    of: str
    evidence: str


RELATIVES: Final = (
    Relative(
        "cmsis_nn",
        CMSIS_NN,
        "tflm",
        "its C compiled for x86: 769,536 outputs of int8 layers equal; int16 beside int64 biases wraps twice as early",
    ),
)
