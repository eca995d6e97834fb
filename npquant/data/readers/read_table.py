"""Rows, 2 of 6: one door to every reader: what a file is, told by its first bytes.

Letters: path a file or folder; max_bytes the most that a file, or what it unpacks to, may take.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from npquant.data.raw_table import RawTable, joined
from npquant.data.readers.arff_table import arff_table, is_arff
from npquant.data.readers.arrow_table import is_arrow, read_arrow
from npquant.data.readers.csv_table import csv_table
from npquant.data.readers.idx_table import find_idx_pairs, read_idx_pair
from npquant.data.readers.npz_table import find_npz_pairs, npz_table, read_npz_pair
from npquant.data.readers.text_source import first_bytes, text_source
from npquant.files.archive import read_bounded


def read_table(path: str | os.PathLike[str], *, max_bytes: int) -> RawTable:
    """Read a folder of IDX files or one of them, an npz, Parquet, Feather or ARFF file, or a text table.

    The label may be open.

    MNIST's train and t10k parts come one after the other, since the 70/15/15 split is made anew. OSError if a file
    cannot be read; ValueError if it is none of these; names the file, the place and the fix.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "t").write_text("size,kind\\n1,a\\n2,b\\n")
    ...     [column.name for column in read_table(Path(folder) / "t", max_bytes=100).columns]
    ['size', 'kind']
    """
    place, source = Path(path), str(path)
    start = b"" if place.is_dir() else first_bytes(place, 4)
    if is_arrow(start):
        return read_arrow(place, max_bytes=max_bytes)
    if place.is_dir() or start[:2] == b"PK":
        halves = find_npz_pairs(place)
        if halves:
            return joined([read_npz_pair(*pair, max_bytes=max_bytes) for pair in halves], source)
    if place.is_dir() or start[:2] == b"\0\0":
        return joined([read_idx_pair(*pair, max_bytes=max_bytes) for pair in find_idx_pairs(place)], source)
    if start[:2] == b"PK" and _holds_arrays(place):
        return npz_table(read_bounded(place, max_bytes=max_bytes), source, max_bytes=max_bytes)
    text = text_source(place, max_bytes=max_bytes)
    return arff_table(text) if is_arff(text) else csv_table(text)


def _holds_arrays(place: Path) -> bool:
    """Tell an npz file from a zip archive of something else; a damaged one is an npz file, whose reader says so."""
    try:
        with zipfile.ZipFile(place) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, NotImplementedError):
        return True
    if "[Content_Types].xml" in names:
        raise ValueError(f"{place}: an Excel workbook; save its sheet as CSV")
    return not names or any(name.endswith(".npy") for name in names)
