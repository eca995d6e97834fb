"""Operands in memory whose neighbourhood is watched, for code that writes where it likes.

Legend: view an array (shape, strides in bytes) inside a buffer filled with a poison byte; a margin lies on either
side of it, and between its rows where it has gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MARGIN: Final = 256
POISONS: Final = (0xA5, 0x5A)


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A view, the bytes around it, and what these bytes were."""

    view: NDArray[Any]
    buffer: NDArray[np.uint8]
    outside: NDArray[np.bool_]
    before: NDArray[np.uint8]

    def outside_changed(self) -> bool:
        """Say whether a byte outside the view differs."""
        return bool(np.any((self.buffer != self.before) & self.outside))

    def inside_changed(self) -> bool:
        """Say whether a byte of the view differs."""
        return bool(np.any((self.buffer != self.before) & ~self.outside))


def watched(
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: np.dtype[Any],
    poison: int,
    codes: NDArray[Any] | None = None,
) -> Watched:
    """Lay a view of a shape and strides, negative ones too, into a poisoned buffer; fill it with codes if given.

    >>> laid = watched((2, 2), (-3, 1), np.dtype(np.int8), 0xA5, np.array([[1, 2], [3, 4]], np.int8))
    >>> laid.view.strides, laid.view.tolist(), laid.outside_changed()
    ((-3, 1), [[1, 2], [3, 4]], False)
    """
    reach = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)] if all(shape) else [0]
    first = MARGIN - sum(step for step in reach if step < 0)
    span = sum(abs(step) for step in reach) + dtype.itemsize
    # A byte from the allocator may have any alignment: the margin is a multiple of every type's.
    buffer = np.full(span + 2 * MARGIN, poison, np.uint8)
    view: NDArray[Any] = np.ndarray(shape, dtype, buffer.data, first, strides)
    outside = np.ones(buffer.size, bool)
    marks: NDArray[Any] = np.ndarray((*shape, dtype.itemsize), bool, outside.data, first, (*strides, 1))
    marks[...] = False
    if codes is not None:
        view[...] = codes
    return Watched(view, buffer, outside, buffer.copy())


def row_strides(shape: tuple[int, int], gap: int) -> tuple[int, int]:
    """Return the byte strides of rows of bytes that lie `gap` bytes apart."""
    return (shape[1] + gap, 1)
