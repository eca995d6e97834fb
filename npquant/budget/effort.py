"""How much work a search is: one plan for ordinary networks, one for wide ones, chosen by a rule.

A candidate of a wide network takes many seconds: rounding takes a time in proportion to weights, and moving all layers
together (S10) to weights times rows. A second step of the same size hardly changes what is found, so a wide network is
searched in larger ones, and on no more rows than S9 and S10 take.

Legend: macs multiply-accumulates a row of the float network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from npquant.compression.chain.weight_codes import Bits

# A network of two hidden layers of 500 neurons has 250,000 between them; one of 1,000 a million.
WIDE_MACS: Final = 500_000


@dataclass(frozen=True, slots=True)
class Effort:
    """What is tried of a network, and how each candidate is built."""

    wide: bool
    widths: tuple[Bits, ...]  # levels of the axes, from loose to tight
    rates: tuple[float, ...]
    activation_bits: tuple[int, ...]
    compensation: str  # how candidates are refitted: see `prune_neurons`
    most_rows: int | None  # to calibrate on, evenly spaced ones; None: all


ORDINARY: Final = Effort(
    wide=False,
    widths=(8, 6, 5, 4, 3, 2, "ternary"),
    rates=tuple(tenths / 10 for tenths in range(10)),
    activation_bits=(8, 7, 6, 5, 4, 3, 2),
    compensation="refit",
    most_rows=None,
)
# Layers that are refitted one by one come close to all together where neurons are many: at 4 bits and half of 1,000
# neurons gone KL was 0.0072 instead of 0.0067, in half the time.
WIDE: Final = Effort(
    wide=True,
    widths=(8, 4, 3, 2, "ternary"),
    rates=(0.0, 0.2, 0.4, 0.6, 0.8),
    activation_bits=(8,),
    compensation="layerwise",
    most_rows=4096,
)


def effort_for(macs: int) -> Effort:
    """Return the plan for a network: `WIDE` from 500,000 multiply-accumulates a row on.

    >>> effort_for(784 * 300 + 300 * 100 + 100 * 10).wide, effort_for(784 * 1000 + 1000 * 10).wide
    (False, True)
    """
    return WIDE if macs >= WIDE_MACS else ORDINARY
