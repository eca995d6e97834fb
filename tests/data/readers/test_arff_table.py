"""Laws of ARFF files: numbers, words and missing cells come back; what SciPy's reader does not read is named."""

import gzip
from pathlib import Path

import pytest

from npquant.data.raw_table import RawTable
from npquant.data.readers.read_table import read_table

IRIS = """% 1. Title: lilies
@RELATION lilies

@ATTRIBUTE 'petal length' REAL
@ATTRIBUTE count INTEGER
@ATTRIBUTE class {Iris-a, Iris-b}

@DATA
5.1, 3, Iris-a
% a comment
?, 4, Iris-b
4.5, ?, ?
"""


def table_of(text: str, folder: Path) -> RawTable:
    """Read a text, whatever the file is called."""
    (folder / "t.data").write_text(text)
    return read_table(folder / "t.data", max_bytes=1 << 16)


def test_arff_holds_numbers_words_and_missing_cells(tmp_path: Path) -> None:
    """Numeric attributes are numbers, nominal ones words, "?" is missing; gzipped too."""
    table = table_of(IRIS, tmp_path)
    length, count, kind = table.columns
    assert [column.name for column in table.columns] == ["petal length", "count", "class"]
    assert length.values.tolist() == [5.1, 0, 4.5] and length.missing.tolist() == [False, True, False]
    assert count.values.tolist() == [3, 4, 0] and count.values.dtype == "int64"
    assert kind.texts().tolist() == ["Iris-a", "Iris-b", ""] and kind.missing.tolist() == [False, False, True]
    assert table.header and table.label is None and table.notes == ("ARFF",)
    (tmp_path / "t.gz").write_bytes(gzip.compress(IRIS.encode()))
    assert read_table(tmp_path / "t.gz", max_bytes=1 << 16).columns[0].values.tolist() == [5.1, 0, 4.5]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count INTEGER", "count STRING", "only numeric and nominal attributes are read"),
        ("count INTEGER", 'count DATE "yyyy"', "t.data: "),
        ("5.1, 3, Iris-a", "{0 5.1, 2 Iris-a}", "rows are not sparse"),
        ("5.1, 3, Iris-a", "5.1, 3, Iris-c", "not readable as ARFF"),
        ("5.1, 3, Iris-a", "5.1, 3", "not readable as ARFF"),
        ("5.1, 3", "5.1, 9007199254740993", "attribute 'count' holds"),
        ("5.1, 3", "inf, 3", "attribute 'petal length' holds inf"),
        ("@DATA", "", "t.data: "),
        ("5.1, 3, Iris-a\n% a comment\n?, 4, Iris-b\n4.5, ?, ?\n", "", "has attributes and no rows"),
    ],
)
def test_arff_names_what_is_not_read(old: str, new: str, message: str, tmp_path: Path) -> None:
    """Other attributes, sparse and ragged rows, unknown values, numbers that would be rounded: named with the file."""
    with pytest.raises(ValueError, match=rf"t\.data: .*{message}" if message != "t.data: " else message):
        table_of(IRIS.replace(old, new), tmp_path)
