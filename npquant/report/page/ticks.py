"""Where an axis is marked.

Legend: low and high ends of an axis; most the largest number of marks wanted.
"""

from __future__ import annotations

from math import ceil, floor, log10


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Mark round numbers, 1, 2 or 5 times a power of ten apart.

    >>> round_ticks(-1.3, 2.2, 5), round_ticks(0, 32, 5)
    ([-1.0, 0.0, 1.0, 2.0], [0.0, 10.0, 20.0, 30.0])
    """
    power = 10.0 ** floor(log10((high - low) / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if (high - low) / (power * factor) <= most)
    return [i * step for i in range(ceil(low / step), floor(high / step) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Mark round numbers, the more the fewer decades are shown; 0 < low < high.

    >>> log_ticks(900, 9000), log_ticks(0.0003, 2)
    ([1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 6000.0, 8000.0], [0.001, 0.01, 0.1, 1.0])
    """
    decades = high / low
    factors: tuple[float, ...] = (1, 1.5, 2, 3, 4, 6, 8) if decades < 20 else (1, 2, 5) if decades < 200 else (1,)
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [m * 10.0**e for e in powers for m in factors if low <= m * 10.0**e <= high]
