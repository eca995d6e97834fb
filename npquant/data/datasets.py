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

from npquant.data.csv_table import read_csv
from npquant.data.features import checked_features
from npquant.data.idx_table import find_idx_pairs, read_idx_pair
from npquant.data.labels import indexed_labels
from npquant.data.npz_table import npz_table
from npquant.data.raw_table import RawTable, joined
from npquant.files.archive import read_bounded

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
    table = _raw_table(Path(path), str(path), max_bytes)
    return _dataset(table, Path(os.path.abspath(path)).stem, str(path))


def _raw_table(place: Path, source: str, max_bytes: int) -> RawTable:
    """Choose the reader by the first bytes."""
    start = b""
    if not place.is_dir():
        with place.open("rb") as stream:
            start = stream.read(4)
    if place.is_dir() or start[:2] in (b"\x1f\x8b", b"\0\0"):
        return joined([read_idx_pair(*pair, max_bytes=max_bytes) for pair in find_idx_pairs(place)], source)
    if start[:2] == b"PK":
        return npz_table(read_bounded(place, max_bytes=max_bytes), source, max_bytes=max_bytes)
    return read_csv(place, max_bytes=max_bytes)


def _dataset(table: RawTable, name: str, source: str) -> Dataset:
    """Check a table and make it a data set."""
    if table.labels.dtype.kind == "f" and (table.labels.ndim == 2 or np.any(table.labels != np.rint(table.labels))):
        return Dataset(checked_features(table), table.labels, (), table.feature_names, name, source, "real")
    y, class_names = indexed_labels(table)
    return Dataset(checked_features(table), y, class_names, table.feature_names, name, source)
