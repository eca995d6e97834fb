"""Rows, numbers narrowed: what float32 does with a column is looked at before it is done.

Letters: R rows. values the numbers (R,) of a column that are there; name what it is called, source its file.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.exact import FLOAT32_EXACT, FLOAT64_EXACT

_NARROW: Final = (np.uint8, np.int8, np.uint16, np.int16)
# Real values that float32 spreads over this many steps are told apart as well as 16 bits do.
_STEPS: Final = 2**16


def narrow_type(lowest: int, highest: int) -> np.dtype[Any] | None:
    """Name the first of uint8, int8, uint16, int16 that holds all of [lowest, highest], if one does.

    >>> narrow_type(0, 300), narrow_type(-1, 70_000)
    (dtype('uint16'), None)
    """
    for narrow in _NARROW:
        limits = np.iinfo(narrow)
        if limits.min <= lowest and highest <= limits.max:
            return np.dtype(narrow)
    return None


def require_told_apart(values: NDArray[Any], name: str, source: str) -> None:
    """ValueError if values that differ become one float32; says how many. Times in milliseconds are the case.

    Whole numbers must all stay apart. Of other numbers float32 may lose the last digits, as long as it spreads them
    over 65,536 steps.

    >>> require_told_apart(np.array([0.1, 0.2]), "a", "t")
    >>> require_told_apart(1_700_000_000_000 + np.arange(300), "time", "t")
    Traceback (most recent call last):
    ...
    ValueError: t: column 'time' holds 300 different values, of which float32, the type of networks, tells 1 apart: \
subtract the smallest, 1700000000000, or take a coarser unit; drop the column if it only names rows
    """
    if _told_apart(values):
        return
    many, few = np.unique(values).size, np.unique(_float32(values)).size
    raise ValueError(
        f"{source}: column {name!r} holds {many:,} different values, of which float32, the type of networks, "
        f"tells {few:,} apart: subtract the smallest, {values.min()}, or take a coarser unit; drop the column if it "
        "only names rows"
    )


def not_finite(values: NDArray[Any]) -> int | None:
    """Return the index of the first of the values that is no finite float32.

    >>> not_finite(np.array([1.0, 1e39])), not_finite(np.array([1.0]))
    (1, None)
    """
    if values.dtype.kind != "f":
        return None
    with np.errstate(invalid="ignore"):
        good = np.abs(values) <= np.finfo(np.float32).max  # NaN compares false
    return None if good.all() else int(np.argmin(good))


def _float32(values: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(np.float32)


def _told_apart(values: NDArray[Any]) -> bool:
    """Say whether float32 keeps different values different, as far as anyone could want it."""
    if values.size == 0 or values.dtype.itemsize <= 2 or values.dtype == np.float32:
        return True
    low, high = values.min(), values.max()
    size = max(abs(low.item()), abs(high.item()))
    # Larger floats than float64 counts with are measurements.
    whole = values.dtype.kind != "f" or (size <= FLOAT64_EXACT and not np.any(values != np.rint(values)))
    if (whole and size <= FLOAT32_EXACT) or (not whole and _steps(_float32(np.array([low, high]))) >= _STEPS):
        return True
    return np.unique(values).size == np.unique(_float32(values)).size


def _steps(ends: NDArray[np.float32]) -> int:
    """Count the float32 steps from ends[0] up to ends[1]: their bit patterns, read as sign and size, are in order."""
    low, high = (int(bits) if bits >= 0 else -(int(bits) & 0x7FFFFFFF) for bits in ends.view(np.int32))
    return high - low
