"""Rows, the sets there are: a user's own file or frame, and the bundled digits.

Letters: R rows, K features, C classes; max_bytes the most that a file, or what it unpacks to, may take; target,
missing what the user says of the label and of missing cells; encoding that of an earlier table.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any, Final

from npquant.data.dataset import Dataset
from npquant.data.encoded import encoded
from npquant.data.encoding import Encoding, fit_encoding, way_of
from npquant.data.label_column import choose_label
from npquant.data.labelled import LabelledTable, encoded_dataset, labelled
from npquant.data.labels import targets_of
from npquant.data.readers.frame_table import frame_table
from npquant.data.readers.npz_table import npz_table
from npquant.data.readers.read_table import read_table

DEFAULT_MAX_BYTES: Final = 1 << 30


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
    table = npz_table(data, "optdigits.npz", max_bytes=DEFAULT_MAX_BYTES)
    label = choose_label(table, None)
    code = fit_encoding(table, label.column, None, None)
    targets = targets_of(table, label.column)
    return Dataset(
        encoded(table, label.column, code)[0], targets.y, targets.class_names, code.feature_names, "optdigits",
        "UCI optdigits, test part; Alpaydin and Kaynak, 1998; CC BY 4.0",
        label_name=label.name, label_column=label.column, label_how=label.how, encoding=code,
    )  # fmt: skip


def load_dataset(
    source: str | os.PathLike[str] | Any,
    *,
    target: str | int | None = None,
    missing: str | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    encoding: Encoding | None = None,
) -> Dataset:
    """Load rows from a file or a data frame: features as numbers, and classes or real targets.

    Parameters
    ----------
    source : path or data frame
        A folder of IDX files in MNIST's naming or one of them, an npz, CSV, ARFF, Parquet or Feather file: told apart
        by content, not by name. Or a frame of pandas, polars or pyarrow. Parquet, Feather and polars need the package
        pyarrow (the extra ``table``).
    target : str or int, optional
        The label's column: its name, or its index from 0, or from the end as -1. None: the format's own label, else the
        one column named label, class, target or y, else the last.
    missing : {"drop", "mean", "most-frequent"}, optional
        How to go on where cells are missing: leave the row out, or fill the cell in with the mean (of text: the most
        frequent) or the most frequent value of its column. None: that of the encoding, else missing cells are an error
        that counts them.
    max_bytes : int
        The most that a file, or what it unpacks to, may take.
    encoding : Encoding, optional
        That of a data set before: columns are found by name and encoded alike. None: one is fitted on all rows.

    Returns
    -------
    Dataset
        All rows. Its `notes` say what was decided: label, categories, fills.

    Raises
    ------
    ValueError
        If a label is not clear, a column cannot become numbers, or a file cannot be used as it is; names the file, the
        place and the fix.
    TypeError
        If source is neither a path nor a frame.
    OSError
        If a file cannot be read.
    ImportError
        If a format needs pyarrow, and it is not installed.

    Notes
    -----
    Text of up to 32 different values becomes one 0/1 feature a value. Numbers become float32, and none that float32
    cannot tell apart. Labels that are no whole numbers, or more than 20 different ones that are
    not numbered without a gap from 0 or 1, are real targets. Nothing is unpickled. `run_workflow` fits what is fitted
    here on its training rows alone.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "ab.csv"
    ...     _ = file.write_text("size,shape,label\\n" + "1,round,a\\n2,flat,b\\n" * 3)
    ...     data = load_dataset(file)
    >>> data.class_names, data.feature_names, data.x[0].tolist()
    (('a', 'b'), ('size', 'shape=flat', 'shape=round'), [1, 0, 1])
    """
    return load_alike(source, target, missing, encoding, None, max_bytes)


def load_alike(
    source: str | os.PathLike[str] | Any,
    target: str | int | None,
    missing: str | None,
    encoding: Encoding | None,
    usual: str | None,
    max_bytes: int = DEFAULT_MAX_BYTES,
) -> Dataset:
    """Load rows from a source as `load_dataset` does; an earlier table had the encoding and a label called `usual`."""
    way = way_of(missing, encoding)
    found = labelled_rows(source, target, way, max_bytes, usual)
    return encoded_dataset(found, None, way, encoding)[0]


def labelled_rows(
    source: str | os.PathLike[str] | Any,
    target: str | int | None,
    missing: str | None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    usual: str | None = None,
) -> LabelledTable:
    """Read a source as `load_dataset` does, up to its label, `usual` that of an earlier one: what a split asks for."""
    if isinstance(source, str | os.PathLike):
        table = read_table(source, max_bytes=max_bytes)
        return labelled(table, Path(os.path.abspath(source)).stem, target, missing, usual)
    table = frame_table(source)
    return labelled(table, table.source, target, missing, usual)
