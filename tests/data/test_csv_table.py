"""Laws of CSV files: what Python's csv module writes is read back; what is no table is named by line and column."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.csv_table import read_csv
from npquant.data.raw_table import RawTable, labelled_table

LIMIT = 1 << 16
Read = Callable[[Path], RawTable]
Rows = list[tuple[list[float], str]]

# Labels of one, two and no letters that mean something; commas, quotes and line ends need quoting.
LABELS = st.sampled_from(["lily", "iris", "a,b", 'say "x"', "two\nlines", "é", "0x1"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40).map(float)


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Draw rows of one to four features and a label."""
    width = draw(st.integers(1, 4))
    numbers = st.lists(NUMBERS, min_size=width, max_size=width)
    return draw(st.lists(st.tuples(numbers, LABELS), min_size=1, max_size=8))


def read(path: Path) -> RawTable:
    """The reader under test."""
    return read_csv(path, max_bytes=LIMIT)


def assert_read(rows: Rows, path: Path, separator: str, place: int, header: bool, reader: Read) -> None:
    """Every float64, label and name comes back, wherever the label column stands."""
    names = [f"f{k}" for k in range(len(rows[0][0]))]
    lines = [[*map(repr, numbers)] for numbers, _ in rows]
    for line, (_, label) in zip(lines, rows, strict=True):
        line.insert(place, label)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=separator)
        if header:
            writer.writerow([*names[:place], "Label", *names[place:]])
        writer.writerows(lines)
    table = reader(path)
    assert table.x.astype(np.float64).tobytes() == (np.array([numbers for numbers, _ in rows]) + 0.0).tobytes()
    assert table.labels.tolist() == [label for _, label in rows]
    if header:
        assert table.feature_names == tuple(names)


@given(rows=tables(), separator=st.sampled_from(",;\t"), header=st.booleans(), data=st.data())
def test_read_csv_reads_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, rows: Rows, separator: str, header: bool, data: st.DataObject
) -> None:
    """Any separator, header or none: values (to the bit, but for -0), labels and names come back."""
    width = len(rows[0][0])
    place = data.draw(st.integers(0, width)) if header else width
    plain = [([number + 0.0 for number in numbers], label) for numbers, label in rows]
    assert_read(plain, tmp_path_factory.getbasetemp() / "t.csv", separator, place, header, read)


def rounded(path: Path) -> RawTable:
    """Wrong: through float32."""
    table = read(path)
    return labelled_table(table.source, table.x.astype(np.float32), table.labels, table.feature_names)


def shifted(path: Path) -> RawTable:
    """Wrong: labels of the next row."""
    table = read(path)
    return labelled_table(table.source, table.x, np.roll(table.labels, 1), table.feature_names)


@pytest.mark.parametrize("wrong", [rounded, shifted])
def test_read_csv_law_kills_wrong_readers(wrong: Read, tmp_path: Path) -> None:
    """The law rejects lost digits and labels beside the wrong row."""
    with pytest.raises(AssertionError):
        assert_read([([1 / 3], "a"), ([2.5], "b")], tmp_path / "t.csv", ",", 1, True, wrong)


def table_of(text: str, folder: Path, encoding: str = "utf-8") -> RawTable:
    """Read a text."""
    path = folder / "t.csv"
    path.write_bytes(text.encode(encoding))
    return read(path)


@pytest.mark.parametrize(
    ("text", "names", "labels"),
    [
        ("1,2,a\n3,4,b\n", ("x0", "x1"), ["a", "b"]),
        ("w,h,kind\n1,2,a\n", ("w", "h"), ["a"]),
        ("CLASS,w\na,1\n", ("w",), ["a"]),
        ("0,1,label\n5,6,a\n", ("0", "1"), ["a"]),
        ("label,1x1,1x2\n7,0,255\n", ("1x1", "1x2"), ["7"]),
        # The votes: y is a label that recurs, so the first line is a row.
        ("1,y\n2,n\n3,y\n", ("x0",), ["y", "n", "y"]),
        ("\n 1 , 2 , a \n\n3,4,b\n\n", ("x0", "x1"), ["a", "b"]),
        ("1.5;2\n1.5;3\n", ("x0",), ["2", "3"]),
        ("1\t2\ta,b\n", ("x0", "x1"), ["a,b"]),
        ("1,2,a\r\n3,4,b\r\n", ("x0", "x1"), ["a", "b"]),
        ("1,2,NA\n3,4,none\n", ("x0", "x1"), ["NA", "none"]),
        ('"1","2","a"\n', ("x0", "x1"), ["a"]),
    ],
)
def test_read_csv_finds_header_labels_and_separator(
    text: str, names: tuple[str, ...], labels: list[str], tmp_path: Path
) -> None:
    """Header, label column and separator are found as the card says; a byte order mark changes nothing."""
    for encoding in ("utf-8", "utf-8-sig"):
        table = table_of(text, tmp_path, encoding)
        assert (table.feature_names, table.labels.tolist()) == (names, labels)


def test_read_csv_keeps_whole_numbers_whole(tmp_path: Path) -> None:
    """A column of whole numbers is integer only if all columns are."""
    assert table_of("0,255,a\n1.0,2e1,b\n", tmp_path).x.dtype == np.int64
    assert table_of("0,255,a\n1,2.5,b\n", tmp_path).x.dtype == np.float64
    assert table_of("0,1e300,a\n", tmp_path).x.dtype == np.float64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("a\n1\n", "line 1 has one column"),
        ("1,2,a\n3,b\n", "line 2 has 2 columns, not 3"),
        ("1,2,a\n3,4,5,b\n", "line 2 has 4 columns, not 3"),
        ("1,2,a\n\n3,,b\n", "line 3, column 2: the value is missing"),
        ("label,w,h\na,1,?\n", "line 2, column 3: the value is missing"),
        ("1,2,a\nNaN,4,b\n", "line 2, column 1: the value is missing"),
        ("1,2,a\n3,4,\n", "line 2, column 3: the label is missing"),
        ("1,2,a\n3,four,b\n", "line 2, column 2: 'four' is no finite number"),
        ("1,2,a\n3,1_000,b\n", "line 2, column 2: '1_000' is no finite number"),
        ("1;2,5;a\n", "line 1, column 2: '2,5' is no finite number"),
        ("1,2,a\n3,inf,b\n", "line 2, column 2: 'inf' is no finite number"),
        ("1,2,a\n3,-nan,b\n", "line 2, column 2: '-nan' is no finite number"),
        ("1,2,a\n3,1e999,b\n", "line 2, column 2: '1e999' is no finite number"),
        (",w,label\n0,1,a\n", "line 1, column 1 has no name: name it, or drop it"),
        ('1,2,"a\n', "not readable as CSV"),
        ("1,2," + "a" * 200_000 + "\n", "t.csv"),
    ],
)
def test_read_csv_names_line_and_column(text: str, message: str, tmp_path: Path) -> None:
    """What is no table is named by file, line and column, as an editor counts them, with the fix."""
    with pytest.raises(ValueError, match=r"t\.csv") as caught:
        table_of(text, tmp_path)
    assert message in str(caught.value)


def test_read_csv_names_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Bytes outside UTF-8 are named by their line; a long file is refused by its length."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"1,2,a\n3,4,\xff\n")
    with pytest.raises(ValueError, match=r"t\.csv: line 2 is not UTF-8"):
        read(path)
    with pytest.raises(ValueError, match=r"t\.csv: 12 bytes, the limit is 11"):
        read_csv(path, max_bytes=11)


@given(text=st.text('0123456789.,;\t\n\r"ab_-e\0é ', max_size=40))
def test_read_csv_of_any_text_is_a_table_or_a_named_value_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """Whatever the text, it is a finite table or a ValueError that starts with the file's name."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text.encode())
    try:
        table = read(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert np.isfinite(table.x).all() and len(table.x) == len(table.labels)
        assert table.x.shape[1] == len(table.feature_names)
