"""Rows, Parquet and Arrow files as a raw table, through the package pyarrow.

Legend: path the file; max_bytes the most that it, or what it unpacks to, may take; source what to call it.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from npquant.data.raw_table import Column, RawTable
from npquant.data.readers.array_column import array_column


def import_pyarrow(what: str) -> Any:
    """Return the package pyarrow, which reading what needs; ImportError says how to get it.

    >>> import_pyarrow("nothing")  # doctest: +SKIP
    """
    try:
        return import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            f"{what} is read through pyarrow, which is not installed: pip install 'npquant[table]'"
        ) from error


def is_arrow(start: bytes) -> bool:
    """Tell by the first 4 bytes, `start`, whether a file is Parquet or Arrow (Feather).

    >>> is_arrow(b"PAR1"), is_arrow(b"ARRO"), is_arrow(b"a,b\\n")
    (True, True, False)
    """
    return start in (b"PAR1", b"ARRO", b"FEA1", b"\xff\xff\xff\xff")


def read_arrow(path: str | os.PathLike[str], *, max_bytes: int) -> RawTable:
    """Read a Parquet file, or an Arrow file or stream (Feather); columns of text, numbers and bool.

    OSError if it cannot be read; ImportError without pyarrow; ValueError if it is damaged, larger than max_bytes, or
    holds columns of another kind; names the file and the column.
    """
    source, size = os.fspath(path), os.stat(path).st_size
    if size > max_bytes:
        raise ValueError(f"{source}: {size} bytes, the limit is {max_bytes}")
    pyarrow = import_pyarrow(source)
    with open(path, "rb") as stream:
        start = stream.read(4)
    try:
        table = _parquet(source, max_bytes) if start == b"PAR1" else _arrow(source, start)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{source}: not an intact Parquet or Arrow file ({str(error).splitlines()[0]})") from error
    except OSError as error:
        raise ValueError(f"{source}: not an intact Parquet or Arrow file ({str(error).splitlines()[0]})") from error
    if table.nbytes > max_bytes:
        raise ValueError(f"{source}: unpacks to {table.nbytes} bytes, the limit is {max_bytes}")
    return RawTable(source, arrow_columns(table, source), header=True)


def _parquet(source: str, max_bytes: int) -> Any:
    """Read Parquet, after a look at what its groups of rows promise to unpack to."""
    parquet = import_module("pyarrow.parquet")
    with parquet.ParquetFile(source) as file:
        promised = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
        if promised > max_bytes:
            raise ValueError(f"{source}: promises {promised} bytes, the limit is {max_bytes}")
        return file.read()


def _arrow(source: str, start: bytes) -> Any:
    """Read an Arrow file, its first version, or a stream."""
    if start == b"\xff\xff\xff\xff":
        with open(source, "rb") as stream:
            return import_module("pyarrow.ipc").open_stream(stream).read_all()
    return import_module("pyarrow.feather").read_table(source, memory_map=False)


def arrow_columns(table: Any, source: str) -> tuple[Column, ...]:
    """Return the columns of a pyarrow `table`; ValueError names one that holds dates, lists or the like."""
    return tuple(
        _column(str(name), array, source) for name, array in zip(table.column_names, table.columns, strict=True)
    )


def _column(name: str, array: Any, source: str) -> Column:
    """Read one column: nulls apart, numbers without a detour over floats."""
    types = import_module("pyarrow").types
    if types.is_dictionary(array.type):
        cells = np.empty(len(array), object)
        cells[:] = array.to_pylist()
        return array_column(name, cells, source)
    kind = array.type
    if types.is_decimal(kind):
        array = array.cast("float64")
    elif types.is_null(kind):
        return Column(name, np.zeros(len(array)), np.ones(len(array), np.bool_))
    elif types.is_nested(kind) or types.is_binary(kind):
        raise ValueError(f"{source}: column {name!r} holds {kind}: store numbers, bool or text, one a cell")
    missing = array.is_null().to_numpy() if array.null_count else None
    if missing is not None and (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
        array = array.fill_null(False if types.is_boolean(kind) else 0)
    return array_column(name, array.to_numpy(), source, missing)
