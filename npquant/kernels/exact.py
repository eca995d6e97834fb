"""When float sums of integers are exact, whatever the order of addition: what every product through BLAS rests on.

Legend: terms are integers, largest_product the magnitude that none exceeds. C6: if every partial sum, in any order and
grouping, is an integer of at most 2^24, float32 holds it; so no addition rounds, fused or not. It is where the
magnitudes of all terms add up to at most 2^24. float64 holds integers up to 2^53 in the same way.
"""

from __future__ import annotations

from typing import Final

# float32 has 24 bits of significand: all integers up to here, and not the next one.
FLOAT32_EXACT: Final = 2**24
FLOAT64_EXACT: Final = 2**53


def sums_are_exact(reach: int) -> bool:
    """C6. reach <= 2^24, where reach (>= 0) is at least the magnitude of every partial sum, in any order.

    >>> sums_are_exact(1024 * 128 * 128), sums_are_exact(2**24 + 1)
    (True, False)
    """
    return reach <= FLOAT32_EXACT


def exact_depth(largest_product: int) -> int:
    """C6. floor(2^24 / p): how many terms of magnitude at most p = largest_product float32 adds exactly in any order.

    One term more can round: it may make the sum 2^24 + 1. p >= 0, and 0 counts as 1. ValueError if p is beyond 2^24,
    where one term alone may round.

    >>> exact_depth(128 * 128), exact_depth(255 * 128)
    (1024, 514)
    """
    if not sums_are_exact(largest_product):
        raise ValueError(f"a term may be {largest_product}, beyond the integers of float32 (C6): use float64 or int64")
    return FLOAT32_EXACT // max(1, largest_product)


def exact_depth_float64(largest_product: int) -> int:
    """C6. floor(2^53 / p): as `exact_depth`, of terms that float64 adds. ValueError if p is beyond 2^53.

    >>> exact_depth_float64(32768 * 128) == 2**31
    True
    """
    if largest_product > FLOAT64_EXACT:
        raise ValueError(f"a term may be {largest_product}, beyond the integers of float64 (C6): use int64")
    return FLOAT64_EXACT // max(1, largest_product)
