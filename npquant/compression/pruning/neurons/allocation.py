"""How many neurons each hidden layer loses: a share of each, or one budget for which neurons of all layers compete.

Legend: n neurons of a hidden layer, r pruning rate. Labels S8 and S11 are derived in docs/pruning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ALLOCATIONS: Final = ("uniform", "global")
MAX_RATE: Final = 0.9


def share_of_layer(n: int, rate: float) -> int:
    """Return how many of a layer's neurons a rate removes.

    Parameters
    ----------
    n : int
        Neurons, >= 1.
    rate : float
        In [0, 0.9].

    Returns
    -------
    int
        In [0, n - 1].

    Notes
    -----
    S8. min(floor(r n + 1/2), n - 1): half a neuron rounds up, one neuron stays.

    Examples
    --------
    >>> share_of_layer(5, 0.5), share_of_layer(1, 0.9)
    (3, 0)
    """
    return min(int(np.floor(rate * n + 0.5)), n - 1)


def spend_on_cheapest(costs: Sequence[NDArray[Any]], budget: int) -> tuple[int, ...]:
    """Split a budget over layers, one neuron after the other, each where the next one is cheapest.

    Parameters
    ----------
    costs : sequence of ndarray of float64, shapes (any,)
        For each layer what its neurons cost in the order in which it would lose them; it can lose no more than these.
    budget : int
        Neurons to remove from all layers, >= 0.

    Returns
    -------
    tuple of int
        Neurons to remove, by layer; their sum is the budget, or all there are where that is less.

    Notes
    -----
    S11. Ties: the earlier layer.

    Examples
    --------
    >>> spend_on_cheapest([np.array([0.1, 0.5]), np.array([0.2, 0.3, 0.9])], 3)
    (1, 2)
    """
    counts = [0] * len(costs)
    for _ in range(min(budget, sum(map(len, costs)))):
        next_costs = [(cost[n], i) for i, (cost, n) in enumerate(zip(costs, counts, strict=True)) if n < len(cost)]
        counts[min(next_costs)[1]] += 1
    return tuple(counts)


def checked_rates(rate: float | Sequence[float], hidden: int, allocation: str) -> tuple[float, ...]:
    """Check pruning rates.

    Parameters
    ----------
    rate : float or sequence of float
        One number, or one a hidden layer; one number where the allocation is "global".
    hidden : int
        Hidden layers.
    allocation : {"uniform", "global"}
        How the rate is meant.

    Returns
    -------
    tuple of float
        One rate a hidden layer, each in [0, 0.9].

    Raises
    ------
    TypeError
        If a rate is no real number.
    ValueError
        If there is no hidden layer, the allocation is unknown, a rate is outside [0, 0.9], or there are too many or
        too few.

    Examples
    --------
    >>> checked_rates(0.5, 2, "uniform")
    (0.5, 0.5)
    """
    if hidden == 0:
        raise ValueError("the network has no hidden layer, so there are no neurons to prune")
    if allocation not in ALLOCATIONS:
        raise ValueError(f"the allocation is {allocation!r}; known are {', '.join(ALLOCATIONS)}")
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
