"""The ways to make a case simpler, from bold to small, by what it is: the order in which a shrinker proposes them.

Legend: case what a backend got wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from npquant.testing.case import Case
from npquant.testing.explain.fewer import (
    alone,
    context,
    fewer_columns,
    fewer_inputs,
    fewer_layers,
    fewer_neurons,
    fewer_of_illegal,
    fewer_rows,
    quiet,
)
from npquant.testing.explain.plainer import plain_parameters, simpler_values, small_numbers

# Of a case, row and column of the output that is wrong.
Simplify = Callable[[Case, int, int], Iterator[Case]]
LINEAR: Final[tuple[Simplify, ...]] = (
    alone,
    context,
    fewer_layers,
    fewer_rows,
    fewer_columns,
    fewer_inputs,
    fewer_neurons,
    quiet,
    plain_parameters,
    small_numbers,
)
QUANTIZE: Final[tuple[Simplify, ...]] = (simpler_values,)
ILLEGAL: Final[tuple[Simplify, ...]] = (fewer_of_illegal,)


def ways(case: Case) -> tuple[Simplify, ...]:
    """Return the ways in which a case may be made simpler."""
    if case.status == "must_reject":
        return ILLEGAL
    return QUANTIZE if case.op == "quantize" else LINEAR
