"""Data sets: the bundled digits, and a user's own IDX, CSV or npz files.

Letters: R rows, K features, C classes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.csv_table import read_csv
from npquant.data.idx import find_idx_pairs, read_idx_pair
from npquant.data.npz_table import npz_table
from npquant.data.table import RawTable, checked_features, indexed_labels
from npquant.files.archive import read_bounded

DEFAULT_MAX_BYTES: Final = 1 << 30
_STORED: Final = ("float32", "uint8", "int8", "uint16", "int16")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled rows.

    Attributes
    ----------
    x : ndarray of float32, uint8, int8, uint16 or int16, shape (R, K)
        Features, real values; integers as stored, so that an input quantizer of scale 1 is exact.
        Finite, read-only.
    y : ndarray of int64, shape (R,)
        Class indices in [0, C); read-only.
    class_names : tuple of str
        C >= 2 names.
    feature_names : tuple of str
        K names.
    name : str
        What to call the set.
    source : str
        Where it comes from.

    Raises
    ------
    TypeError
        If `x` is of another type, or `y` not integer.
    ValueError
        If shapes do not fit, a value is not finite, or a class index is out of range.
    """

    x: NDArray[Any]
    y: NDArray[np.int64]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    name: str
    source: str

    def __post_init__(self) -> None:
        """Check and freeze."""
        if self.x.dtype not in _STORED or not np.issubdtype(self.y.dtype, np.integer):
            raise TypeError(f"x must be one of {_STORED}, y int64: {self.x.dtype}, {self.y.dtype}")
        x, y = np.array(self.x, order="C"), np.array(self.y, np.int64)
        if x.ndim != 2 or 0 in x.shape or y.shape != x.shape[:1]:
            raise ValueError(f"x must be (R, K) and y (R,), not empty: got {x.shape} and {y.shape}")
        if not np.all(np.isfinite(x)):
            raise ValueError("x holds NaN or inf; replace or drop those rows")
        if len(self.class_names) < 2 or y.min() < 0 or y.max() >= len(self.class_names):
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
    """Load the bundled handwritten digits.

    Returns
    -------
    Dataset
        1,797 rows of 8 x 8 pixels, uint8 codes in [0, 16]; ten classes.

    Raises
    ------
    ValueError
        If the installed file is damaged.

    Notes
    -----
    The test part of the UCI set "Optical Recognition of Handwritten Digits", E. Alpaydin and
    C. Kaynak, 1998, doi:10.24432/C50P49, CC BY 4.0 (see data/NOTICE). The rows come from 13
    writers, without their names: a random split shares writers between its sets.

    Examples
    --------
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
    """Load a user's data.

    Parameters
    ----------
    path : path
        A folder of IDX files in MNIST's naming, or one of them; a CSV file; an npz file. Files are
        told apart by their first bytes.
    max_bytes : int
        Most that a file, or what it unpacks to, may take.

    Returns
    -------
    Dataset
        All rows: MNIST's train and t10k parts one after the other, since the 70/15/15 split is
        made anew. Labels become indices in ascending order of what is written.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If it cannot be used as it is; names the file, the place and the fix.

    Notes
    -----
    Nothing is ever unpickled. What each format may hold stands in `read_idx`, `read_csv` and
    `npz_table`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "ab.csv"
    ...     _ = file.write_text("size,label\\n" + "1,a\\n2,b\\n" * 3)
    ...     load_dataset(file).class_names
    ('a', 'b')
    """
    place = Path(path)
    start = b""
    if not place.is_dir():
        with place.open("rb") as stream:
            start = stream.read(4)
    if place.is_dir() or start[:2] in (b"\x1f\x8b", b"\0\0"):
        pairs = find_idx_pairs(place)
        table = _joined([read_idx_pair(*pair, max_bytes=max_bytes) for pair in pairs], str(path))
    elif start[:2] == b"PK":
        data = read_bounded(place, max_bytes=max_bytes)
        table = npz_table(data, str(path), max_bytes=max_bytes)
    else:
        table = read_csv(place, max_bytes=max_bytes)
    return _dataset(table, Path(os.path.abspath(path)).stem, str(path))


def _joined(tables: list[RawTable], source: str) -> RawTable:
    """Put the rows of several files one after the other."""
    for table in tables:
        if table.x.shape[1:] != tables[0].x.shape[1:] or table.x.dtype != tables[0].x.dtype:
            raise ValueError(
                f"{source}: {tables[0].source} holds {tables[0].x.dtype} {tables[0].x.shape[1:]} "
                f"a row, {table.source} {table.x.dtype} {table.x.shape[1:]}; keep one set a folder"
            )
    if len(tables) == 1:
        return tables[0]
    x = np.concatenate([table.x for table in tables])
    labels = np.concatenate([table.labels for table in tables])
    return RawTable(source, x, labels, tables[0].feature_names)


def _dataset(table: RawTable, name: str, source: str) -> Dataset:
    """Check a table and make it a data set."""
    y, class_names = indexed_labels(table)
    return Dataset(checked_features(table), y, class_names, table.feature_names, name, source)
