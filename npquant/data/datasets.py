"""Rows, 4 of 6: the data set, checked rows and classes; the bundled digits, and a user's own IDX, CSV or npz files.

Letters: R rows, K features, C classes; max_bytes the most that a file, or what it unpacks to, may take.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from npquant.data.csv_header import LABEL_NAMES
from npquant.data.features import checked_features
from npquant.data.labels import indexed_labels
from npquant.data.npz_table import npz_table
from npquant.data.raw_table import Column, RawTable, labelled_table
from npquant.data.read_table import read_table
from npquant.data.row_numbers import refuse_row_numbers

DEFAULT_MAX_BYTES: Final = 1 << 30
_STORED: Final = ("float32", "uint8", "int8", "uint16", "int16")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Hold labelled rows; arrays are copied and read-only.

    TypeError if x is of another type, or y not integer; ValueError if shapes do not fit or are empty, a value is not
    finite, or a class index is out of range.
    """

    # Real values, finite, (R, K): float32, or uint8, int8, uint16, int16 as stored, so that an input quantizer of scale
    # 1 is exact.
    x: NDArray[Any]
    y: NDArray[Any]  # class indices in [0, C), (R,); real targets, float64 (R,) or (R, C)
    class_names: tuple[str, ...]  # C >= 2; none for real targets
    feature_names: tuple[str, ...]  # K
    name: str  # what to call the set
    source: str  # where it comes from
    kind: Literal["classes", "real"] = "classes"  # what y holds

    def __post_init__(self) -> None:
        """Check and freeze."""
        real = self.kind == "real"
        if self.x.dtype not in _STORED or self.y.dtype.kind not in ("f" if real else "iu"):
            raise TypeError(f"x must be one of {_STORED}, y int64 or real targets: {self.x.dtype}, {self.y.dtype}")
        x, y = np.array(self.x, order="C"), np.array(self.y, np.float64 if real else np.int64)
        if x.ndim != 2 or 0 in x.shape or y.shape[:1] != x.shape[:1] or y.ndim != 1 + (real and y.ndim == 2):
            raise ValueError(f"x must be (R, K) and y (R,), not empty: got {x.shape} and {y.shape}")
        if not np.all(np.isfinite(x)) or not np.all(np.isfinite(y)):
            raise ValueError("x or y holds NaN or inf; replace or drop those rows")
        if not real and (len(self.class_names) < 2 or y.min() < 0 or y.max() >= len(self.class_names)):
            raise ValueError(
                f"y must lie in [0, C) with C >= 2 class names: it spans [{y.min()}, {y.max()}], "
                f"the names are {len(self.class_names)}"
            )
        if len(self.feature_names) != x.shape[1]:
            raise ValueError(f"{x.shape[1]} features, but {len(self.feature_names)} names")
        for field, values in (("x", x), ("y", y)):
            values.flags.writeable = False
            object.__setattr__(self, field, values)


def load_optdigits() -> Dataset:
    """Load the bundled handwritten digits: 1,797 rows of 8 x 8 pixels, uint8 counts in [0, 16]; ten classes.

    The rows come from 13 writers, without their names: a random split shares writers between its sets. ValueError if
    the installed file is damaged. Source: the test part of the UCI set "Optical Recognition of Handwritten Digits",
    E. Alpaydin and C. Kaynak, 1998, doi:10.24432/C50P49, CC BY 4.0 (see data/bundled/NOTICE).

    >>> digits = load_optdigits()
    >>> digits.x.shape, str(digits.x.dtype), len(digits.class_names)
    ((1797, 64), 'uint8', 10)
    """
    data = (resources.files("npquant.data") / "bundled" / "optdigits.npz").read_bytes()
    return _dataset(
        npz_table(data, "optdigits.npz", max_bytes=DEFAULT_MAX_BYTES),
        "optdigits",
        "UCI optdigits, test part; Alpaydin and Kaynak, 1998; CC BY 4.0",
    )


def load_dataset(path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES) -> Dataset:
    """Load a user's data from a `path`: all rows, with labels as indices in ascending order of what is written.

    A folder of IDX files in MNIST's naming, or one of them; a CSV file; an npz file. Files are told apart by their
    first bytes. MNIST's train and t10k parts come one after the other, since the 70/15/15 split is made anew. What each
    format may hold stands in `read_idx_pair`, `read_csv` and `npz_table`; nothing is ever unpickled. OSError if a file
    cannot be read; ValueError if it cannot be used as it is; names the file, the place and the fix.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "ab.csv"
    ...     _ = file.write_text("size,label\\n" + "1,a\\n2,b\\n" * 3)
    ...     load_dataset(file).class_names
    ('a', 'b')
    """
    table = read_table(path, max_bytes=max_bytes)
    return _dataset(_labelled(table), Path(os.path.abspath(path)).stem, str(path))


def _labelled(table: RawTable) -> RawTable:
    """Choose the label of a table: a column named so, else the last one."""
    if table.label is not None:
        return table
    names = [column.name.casefold() for column in table.columns]
    named = [index for index, name in enumerate(names) if table.header and name in LABEL_NAMES]
    label = named[0] if named else len(names) - 1
    refuse_row_numbers(table, label)
    for index, column in enumerate(table.columns):
        _require_numbers(table, index, column, "label" if index == label else "value")
    x = np.stack([column.values for index, column in enumerate(table.columns) if index != label], axis=1)
    y, names = table.columns[label], [column.name for column in table.columns]
    return labelled_table(
        table.source, x, y.texts() if y.words else y.values, names[:label] + names[label + 1 :], lines=table.lines
    )


def _require_numbers(table: RawTable, index: int, column: Column, what: str) -> None:
    """Refuse missing cells and text."""
    if column.missing is not None:
        place = table.place(int(np.argmax(column.missing)))
        raise ValueError(
            f"{table.source}: {place}, column {index + 1}: the {what} is missing; fill it in or drop the line"
        )
    if column.words and what == "value":
        raise ValueError(
            f"{table.source}: {table.place(0)}, column {index + 1}: {column.words[0]!r} is no finite number; "
            "write numbers like -1.5 or 2e3"
        )


def _dataset(table: RawTable, name: str, source: str) -> Dataset:
    """Check a table and make it a data set."""
    if table.labels.dtype.kind == "f" and (table.labels.ndim == 2 or np.any(table.labels != np.rint(table.labels))):
        return Dataset(checked_features(table), table.labels, (), table.feature_names, name, source, "real")
    y, class_names = indexed_labels(table)
    return Dataset(checked_features(table), y, class_names, table.feature_names, name, source)
