"""Several estimates of one bit become one: weighted sums of log odds, with weights that learn. Integers only.

Legend: p probability of a 1 in units of 2^-16, s stretched estimates, w weights in units of 2^-16.

A5 (squash)   SQUASH[x + 2047] = floor(2^80 / (2^64 + t_|x|)) for x <= 0, and 65536 minus that of -x for x > 0, where
              t_k = floor(2^64 e^(k/256)), got by multiplying: 2^16 / (1 + e^(-x/256)) for x = -2047..2047
A6 (stretch)  STRETCH[i] = the least x with SQUASH[x + 2047] >= 16 i + 8, or 2047: the log odds of that p, times 256
A7 (mix)      x = clip(floor(sum_j w_j s_j / 2^16), -2047, 2047); the bit is coded with p = SQUASH[x + 2047]
A8 (learn)    w_j += floor((s_j (2^16 bit - p) + 2^15) / 2^16)
"""

from __future__ import annotations

from typing import Final

LIMIT: Final = 2047


def _squash_table() -> tuple[int, ...]:
    """Tabulate A5."""
    # floor(2^64 e^(1/256)) from the series, 30 terms of which leave an error far below one unit of 2^-64.
    term, growth = 1 << 128, 0
    for k in range(1, 31):
        growth += term
        term //= 256 * k
    rising, powers = growth >> 64, [1 << 64]
    for _ in range(LIMIT):
        powers.append(powers[-1] * rising >> 64)
    low = [(1 << 80) // ((1 << 64) + power) for power in powers]
    return (*reversed(low), *(65536 - p for p in low[1:]))


# 22 to 65514: no estimate is 0 or 2^16, so that the coder has a part of the interval for either bit (A1).
SQUASH: Final = _squash_table()


def _stretch_table() -> tuple[int, ...]:
    """Tabulate A6, by walking both tables upwards."""
    table, x = [], -LIMIT
    for p in range(8, 1 << 16, 16):
        while x < LIMIT and SQUASH[x + LIMIT] < p:
            x += 1
        table.append(x)
    return tuple(table)


STRETCH: Final = _stretch_table()
