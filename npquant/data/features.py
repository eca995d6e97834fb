"""Rows, 3 of 6: the features of a raw table, checked and brought to their narrowest exact type.

Letters: R rows, K features.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import RawTable

_NARROW: Final = (np.uint8, np.int8, np.uint16, np.int16)


def checked_features(table: RawTable) -> NDArray[Any]:
    """Return the features (R, K) of a `table` as uint8, int8, uint16, int16 or float32.

    Integers of 8 and 16 bits stay as they are stored, booleans become 0 and 1; wider integers become the first of these
    types that holds them all; everything else becomes float32, rounded to nearest even. ValueError if there are no rows
    or features, or a value is NaN, inf or beyond float32; names the file, the row and the column.

    >>> from npquant.data.raw_table import labelled_table
    >>> table = labelled_table("t", np.array([[0, 300], [7, 9]]), np.array([0, 1]), ("a", "b"))
    >>> checked_features(table).dtype
    dtype('uint16')
    """
    # The type is chosen by the whole array, never row by row. Constant features stay: they cost nothing and carry no
    # information, and dropping them would change the network's inputs.
    x = table.x
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{table.source}: needs rows and features, found shape {x.shape}")
    if x.dtype == np.bool_:
        return x.astype(np.uint8)
    if np.issubdtype(x.dtype, np.integer):
        if x.dtype.itemsize <= 2:
            return x
        narrow = _narrowest(int(x.min()), int(x.max()))
        return x.astype(np.float32 if narrow is None else narrow)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(invalid="ignore"):
        good = np.abs(x) <= largest  # NaN compares false
    if not good.all():
        row, column = (int(index[0]) for index in np.nonzero(~good))
        raise ValueError(
            f"{table.source}: {table.place(row)}, column {table.feature_names[column]!r} holds "
            f"{x[row, column]}: replace or drop what is not a finite float32"
        )
    return x.astype(np.float32)


def _narrowest(lowest: int, highest: int) -> type[np.integer[Any]] | None:
    """Name the first narrow type that holds [lowest, highest]."""
    for narrow in _NARROW:
        limits = np.iinfo(narrow)
        if limits.min <= lowest and highest <= limits.max:
            return narrow
    return None
