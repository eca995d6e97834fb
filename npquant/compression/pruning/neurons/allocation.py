"""How many neurons each hidden layer loses: a share of each, or one budget for which neurons of all layers compete.

Legend: n neurons of a hidden layer; `rate` r, the share to remove, in [0, 0.9]; `allocation` "uniform" or "global".
Labels S8 and S11 are derived in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.compression.pruning.float_layers import ALLOCATIONS, check_choices

MAX_RATE: Final = 0.9


def share_of_layer(n: int, rate: float) -> int:
    """S8. min(floor(r n + 1/2), n - 1) neurons of n >= 1 go: half a neuron rounds up, one neuron stays.

    >>> share_of_layer(5, 0.5), share_of_layer(1, 0.9)
    (3, 0)
    """
    return min(int(np.floor(rate * n + 0.5)), n - 1)


def spend_on_cheapest(costs: Sequence[NDArray[Any]], budget: int) -> tuple[int, ...]:
    """S11. Split a budget over layers, one neuron after the other, each where the next one is cheapest.

    `costs` has for each layer what its neurons cost, float64, in the order in which it would lose them; it can lose no
    more than these. Ties: the earlier layer. The sum of what is returned is the budget, >= 0, or all there are where
    that is less.

    >>> spend_on_cheapest([np.array([0.1, 0.5]), np.array([0.2, 0.3, 0.9])], 3)
    (1, 2)
    """
    counts = [0] * len(costs)
    for _ in range(min(budget, sum(map(len, costs)))):
        next_costs = [(cost[n], i) for i, (cost, n) in enumerate(zip(costs, counts, strict=True)) if n < len(cost)]
        counts[min(next_costs)[1]] += 1
    return tuple(counts)


def checked_rates(rate: float | Sequence[float], hidden: int, allocation: str) -> tuple[float, ...]:
    """Return one rate for each of `hidden` layers, from one number, or from one a layer unless allocation is "global".

    TypeError if a rate is no real number; ValueError if there is no hidden layer, the allocation is unknown, a rate is
    outside [0, 0.9] or NaN, or there are too many or too few.

    >>> checked_rates(0.5, 2, "uniform")
    (0.5, 0.5)
    """
    if hidden == 0:
        raise ValueError("the network has no hidden layer, so there are no neurons to prune")
    check_choices(("allocation", allocation, ALLOCATIONS))
    given = np.asarray(rate)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"the pruning rate is {rate!r}; it must be a real number, or one a hidden layer")
    if allocation == "global" and given.ndim:
        raise ValueError(f"the pruning rates are {rate!r}; a global budget is one number, the share of all neurons")
    if given.ndim and given.shape != (hidden,):
        raise ValueError(
            f"the pruning rates have shape {given.shape} for {hidden} hidden layers; give one number, or one a layer"
        )
    rates = tuple(float(r) for r in np.broadcast_to(given, hidden))
    for r in rates:
        if not 0 <= r <= MAX_RATE:
            raise ValueError(f"the pruning rate is {r}; it must be in [0, {MAX_RATE}]")
    return rates
