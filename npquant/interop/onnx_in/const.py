"""A constant of the file: numbers, or codes that still know what they stand for.

Legend: values a vector, one a position of `axis`, or one for all, of an array with `ndim` axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.interop.onnx_in.tensors import CODES


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A constant: numbers, or codes with the scale and zero point that make numbers of them (`scale` is then given).

    low and high narrow the interval of integer codes, where the file clips them.
    """

    array: NDArray[Any]
    type: int
    scale: NDArray[np.float32] | None = None
    zero: NDArray[Any] | None = None
    axis: int = 0
    code_type: int = 0
    low: int | None = None
    high: int | None = None
    made_of: tuple[Const, ...] = ()  # a product of two constants, or it and what it is divided by

    def real(self) -> NDArray[Any]:
        """Return the numbers; those of codes in float32: f32(code - zero) scale."""
        if self.scale is None:
            return self.array
        centred = self.array.astype(np.int64) - along(self.zero, self.axis, self.array.ndim)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(centred.astype(np.float32) * along(self.scale, self.axis, self.array.ndim))

    def interval(self) -> tuple[int, int]:
        """Return the closed interval of the codes: their type's, or what a Clip left of it."""
        low, high = CODES[self.code_type or self.type]
        return (low if self.low is None else self.low), (high if self.high is None else self.high)


def along(values: NDArray[Any] | None, axis: int, ndim: int) -> NDArray[Any]:
    """Return one value, or one a position of `axis`, so that it broadcasts over `ndim` axes; None is 0."""
    if values is None:
        return np.zeros((), np.int64)
    if values.size == 1:
        return values.reshape(())
    return values.reshape([-1 if i == axis else 1 for i in range(ndim)])
