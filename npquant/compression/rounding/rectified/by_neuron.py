"""Records of arrays whose last axis are neurons: put side by side, and taken neuron by neuron.

Legend: a record is a frozen dataclass with slots, all of them arrays (..., N).
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Record = TypeVar("Record")


def side_by_side(parts: list[Record]) -> Record:
    """Return one record of the neurons of all `parts`, in their order.

    >>> from npquant.compression.rounding.rectified.rounding_path import Rescaled
    >>> part = Rescaled(np.ones(1), np.zeros(1), np.zeros((2, 1)))
    >>> side_by_side([part, part]).s
    array([1., 1.])
    """
    kind: Any = type(parts[0])
    fields = zip(*(_arrays(part) for part in parts), strict=True)
    return cast(Record, kind(*(np.concatenate(arrays, axis=-1) for arrays in fields)))


def taken_where(which: NDArray[np.bool_], one: Record, other: Record) -> Record:
    """Return neurons from `one` where `which` (N,), else from `other`.

    >>> from npquant.compression.rounding.rectified.rounding_path import Rescaled
    >>> one, two = (Rescaled(np.full(2, s), np.zeros(2), np.zeros((3, 2))) for s in (1.0, 2.0))
    >>> taken_where(np.array([True, False]), one, two).s
    array([1., 2.])
    """
    kind: Any = type(one)
    fields = zip(_arrays(one), _arrays(other), strict=True)
    return cast(Record, kind(*(np.where(which, *pair) for pair in fields)))


def _arrays(record: Any) -> list[NDArray[Any]]:
    return [getattr(record, name) for name in record.__slots__]
