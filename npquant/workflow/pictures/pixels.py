"""Which rows are pictures, and pictures in nine levels: a digit a pixel, so that a report stays small.

Legend: x (R, K) rows; values (K,) of one picture; largest the value of the highest level; shape (height, width) of a
picture.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LEVELS: Final = 9
_LEAST: Final = 16  # pixels of the smallest picture
_LOOKED_AT: Final = 500
_ALIKE: Final = 0.8


def picture_shape(x: NDArray[Any]) -> tuple[int, int] | None:
    """Say which picture a row is, None where it is none: a square of whole numbers, neighbours more alike than others.

    A table of as many columns has no neighbours: columns that lie side by side differ as any two do.

    >>> ramp = np.add.outer(np.arange(8), np.arange(8)).reshape(1, 64) + np.arange(9)[:, np.newaxis]
    >>> picture_shape(ramp), picture_shape(np.random.default_rng(0).permuted(ramp, axis=1))
    ((8, 8), None)
    """
    side = isqrt(x.shape[1])
    if side * side != x.shape[1] or x.shape[1] < _LEAST:
        return None
    seen = x[:_LOOKED_AT].astype(np.float64)
    if seen.min() < 0 or np.any(seen != np.rint(seen)) or seen.max() < 2:
        return None
    grid = seen.reshape(-1, side, side)
    near = np.abs(np.diff(grid, axis=1)).mean() + np.abs(np.diff(grid, axis=2)).mean()
    order = np.random.default_rng(0).permutation(x.shape[1])
    far = 2 * np.abs(seen - seen[:, order]).mean()
    return (side, side) if near < _ALIKE * far else None


def in_levels(values: NDArray[Any], largest: float) -> str:
    """Write a picture as digits, 0 for 0 or less and 8 for the largest.

    >>> in_levels(np.array([0, 8, 16]), 16.0)
    '048'
    """
    scaled = np.asarray(values, np.float64) / (largest or 1.0)
    return "".join(map(str, np.clip(np.rint(scaled * (LEVELS - 1)), 0, LEVELS - 1).astype(int).tolist()))


def signed_levels(values: NDArray[Any], largest: float) -> str:
    """Write numbers of either sign as digits: 4 is 0, 0 and 8 are the ends.

    >>> signed_levels(np.array([-2.0, 0.0, 1.0]), 2.0)
    '046'
    """
    return in_levels(np.asarray(values, np.float64) + largest, 2 * largest)


def pooled(values: NDArray[Any], shape: tuple[int, int], side: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Shrink pictures (K, N) by means of squares, until they are at most `side` high and wide.

    >>> pooled(np.arange(16.0).reshape(16, 1), (4, 4), 2)[0].ravel()
    array([ 2.5,  4.5, 10.5, 12.5])
    """
    step = -(-max(shape) // side)
    height, width = (-(-size // step) for size in shape)
    grid = np.asarray(values, np.float64).reshape(*shape, -1)
    room = np.pad(grid, ((0, height * step - shape[0]), (0, width * step - shape[1]), (0, 0)))
    means = room.reshape(height, step, width, step, -1).mean(axis=(1, 3))
    return means.reshape(height * width, -1), (height, width)
