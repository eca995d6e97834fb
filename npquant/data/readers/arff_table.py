"""Rows, 2 of 6: ARFF files, Weka's format, as a raw table, through SciPy's reader.

Letters: R rows; text the file.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import Column, RawTable, text_column
from npquant.data.readers.text_source import TextSource
from npquant.kernels.exact import FLOAT64_EXACT


def is_arff(text: TextSource) -> bool:
    """Tell whether a `text` starts with @relation, behind comments."""
    with text.lines() as stream:
        for line in stream:
            line = line.strip()
            if line and not line.startswith("%"):
                return line[:9].casefold() == "@relation"
    return False


def arff_table(text: TextSource) -> RawTable:
    """Read numbers and nominal attributes, which become words; "?" is missing.

    ValueError if an attribute is of another type (string, date, relational), rows are sparse or do not fit, or a number
    is infinite or too large to be exact; names the attribute.
    """
    from scipy.io import arff

    with text.lines() as stream:
        content = stream.read()
    try:
        rows, meta = arff.loadarff(io.StringIO(content))
    except NotImplementedError as error:
        raise ValueError(
            f"{text.path}: {error}; only numeric and nominal attributes are read: drop it, or list its values {{a,b}}"
        ) from error
    except Exception as error:  # SciPy raises what its parser comes upon: ParseArffError, ValueError, StopIteration
        raise ValueError(
            f"{text.path}: not readable as ARFF ({error or type(error).__name__}); rows are not sparse"
        ) from error
    columns = tuple(_column(name, meta[name][0], rows[name], text.path) for name in meta.names())
    if not len(rows):
        raise ValueError(f"{text.path}: has attributes and no rows")
    return RawTable(text.path, columns, header=True, notes=(*text.notes, "ARFF"))


def _column(name: str, kind: str, cells: NDArray[Any], source: str) -> Column:
    """Make a column of an attribute's cells."""
    if kind == "nominal":
        return text_column(name, [cell.decode("utf-8", "replace") for cell in cells.tolist()])
    if kind != "numeric":
        raise ValueError(f"{source}: attribute {name!r} is a {kind}; drop it, or write it as numbers")
    missing = np.isnan(cells)
    values = np.where(missing, 0.0, cells)
    # SciPy makes float64 of all numbers: of whole ones beyond, the nearest.
    wrong = np.flatnonzero(np.abs(values) >= FLOAT64_EXACT)
    if wrong.size:
        raise ValueError(
            f"{source}: row {wrong[0]} (from 0), attribute {name!r} holds {values[wrong[0]]}, which is not finite, or "
            "beyond 2^53 and rounded by this format's reader; write the table as CSV"
        )
    whole = np.array_equal(values, np.rint(values))
    return Column(name, values.astype(np.int64) if whole else values, missing if missing.any() else None)
