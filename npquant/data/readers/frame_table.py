"""Rows, data frames as a raw table: pandas by its columns, all others by the Arrow stream of the data-frame protocol.

Legend: frame what the user has; name that of a column.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npquant.data.raw_table import Column, RawTable
from npquant.data.readers.array_column import array_column
from npquant.data.readers.arrow_table import arrow_columns, import_pyarrow

_SOURCE = "the frame"


def frame_table(frame: Any) -> RawTable:
    """Read a frame of pandas (without pyarrow), of polars or pyarrow, or any other that hands out an Arrow stream.

    The index of a pandas frame is no column: it names rows. TypeError if it is no frame; ValueError for columns of
    dates, complex numbers and mixtures, and two of one name; ImportError where pyarrow is needed.

    >>> class Frame:  # what of pandas is asked for
    ...     columns = ["a", "label"]
    ...     shape = (2, 2)
    ...     def __init__(self, values): self.values = values
    ...     def isna(self): return Frame(np.isnan(self.values))
    ...     def to_numpy(self): return self.values
    ...     @property
    ...     def iloc(self): return Places(self.values)
    >>> class Places:
    ...     def __init__(self, values): self.values = values
    ...     def __getitem__(self, place): return Frame(self.values[place])
    >>> table = frame_table(Frame(np.array([[1.5, 0], [np.nan, 1]])))
    >>> [(column.name, column.values.tolist()) for column in table.columns]
    [('a', [1.5, nan]), ('label', [0.0, 1.0])]
    """
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):
        columns = tuple(_pandas_column(frame, index, str(name)) for index, name in enumerate(frame.columns))
    elif hasattr(frame, "__arrow_c_stream__"):
        pyarrow = import_pyarrow("this frame")
        try:
            columns = arrow_columns(pyarrow.table(frame), _SOURCE)
        except pyarrow.ArrowInvalid as error:  # a stream of something else, such as one column
            raise TypeError(f"rows come from a data frame, not from {type(frame).__name__}: {error}") from error
    else:
        raise TypeError(
            f"rows come from a path or a data frame (pandas, polars, pyarrow), not from {type(frame).__name__}"
        )
    if not columns:
        raise ValueError(f"{_SOURCE}: has no columns")
    names = [column.name for column in columns]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise ValueError(f"{_SOURCE}: {names.count(twice)} columns are called {twice!r}; rename all but one")
    return RawTable(_SOURCE, columns, header=True)


def _pandas_column(frame: Any, index: int, name: str) -> Column:
    """Read one column: nullable and categorical ones through objects, all others as they are."""
    series = frame.iloc[:, index]
    values = series.to_numpy()
    dtype = getattr(series, "dtype", values.dtype)
    missing = np.asarray(series.isna().to_numpy(), np.bool_)
    if not isinstance(dtype, np.dtype) and hasattr(dtype, "numpy_dtype") and dtype.kind in "biuf":
        # Nullable numbers: integers through floats would lose what is beyond 2^53.
        values = series.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(0))
    if values.ndim != 1:
        raise ValueError(f"{_SOURCE}: column {name!r} holds arrays: store each number as a column")
    if values.dtype.kind == "f":
        missing = missing & ~np.isnan(values) if missing.any() else missing
    return array_column(name, values, _SOURCE, missing if missing.any() else None)
