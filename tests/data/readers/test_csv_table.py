"""Laws of CSV files: what Python's csv module writes is read back; what is no table is named by line and column."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.raw_table import RawTable
from npquant.data.readers.csv_table import read_csv

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
    columns = list(table.columns)
    own = columns.pop(place)
    got = np.stack([column.values.astype(np.float64) for column in columns], axis=1)
    assert got.tobytes() == (np.array([numbers for numbers, _ in rows]) + 0.0).tobytes()
    assert own.texts().tolist() == [label for _, label in rows]
    assert table.header == header
    if header:
        assert [column.name for column in columns] == names


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
    first = table.columns[0]
    return replace(table, columns=(replace(first, values=first.values.astype(np.float32)), *table.columns[1:]))


def shifted(path: Path) -> RawTable:
    """Wrong: labels of the next row."""
    table = read(path)
    last = table.columns[-1]
    return replace(table, columns=(*table.columns[:-1], replace(last, values=np.roll(last.values, 1))))


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


def cells_of(table: RawTable) -> dict[str, list[object]]:
    """Every column by its name; None for a missing cell."""
    cells: dict[str, list[object]] = {}
    for column in table.columns:
        values = (column.texts() if column.words else column.values).tolist()
        gone = np.zeros(table.rows, np.bool_) if column.missing is None else column.missing
        cells[column.name] = [None if missing else value for value, missing in zip(values, gone, strict=True)]
    return cells


@pytest.mark.parametrize(
    ("text", "cells", "header"),
    [
        ("1,2,a\n3,4,b\n", {"x0": [1, 3], "x1": [2, 4], "x2": ["a", "b"]}, False),
        ("w,h,kind\n1,2,a\n", {"w": [1], "h": [2], "kind": ["a"]}, True),
        ("0,1,label\n5,6,a\n", {"0": [5], "1": [6], "label": ["a"]}, True),
        ("label,1x1,1x2\n7,0,255\n", {"label": [7], "1x1": [0], "1x2": [255]}, True),
        ("id,2019,2020\n7,0,255\n", {"id": [7], "2019": [0], "2020": [255]}, True),
        # The votes: y is a label that recurs, so the first line is a row.
        ("1,y\n2,n\n3,y\n", {"x0": [1, 2, 3], "x1": ["y", "n", "y"]}, False),
        # Text throughout: names do not recur, values do.
        ("class,cap\ne,x\np,x\ne,b\n", {"class": ["e", "p", "e"], "cap": ["x", "x", "b"]}, True),
        ("e,x\np,x\ne,b\n", {"x0": ["e", "p", "e"], "x1": ["x", "x", "b"]}, False),
        ("\n 1 , 2 , a \n\n3,4,b\n\n", {"x0": [1, 3], "x1": [2, 4], "x2": ["a", "b"]}, False),
        ("1.5;2\n1.5;3\n", {"x0": [1.5, 1.5], "x1": [2, 3]}, False),
        ("1\t2\ta,b\n", {"x0": [1], "x1": [2], "x2": ["a,b"]}, False),
        ("1|2|a b\n3|4|c\n", {"x0": [1, 3], "x1": [2, 4], "x2": ["a b", "c"]}, False),
        ("1 2  3\n 4\t5 6 \n", {"x0": [1, 4], "x1": [2, 5], "x2": [3, 6]}, False),
        ("1,2,a\r\n3,4,b\r\n", {"x0": [1, 3], "x1": [2, 4], "x2": ["a", "b"]}, False),
        ("1,2,NA\n3,4,none\n1,2,c", {"x0": [1, 3, 1], "x1": [2, 4, 2], "x2": [None, None, "c"]}, False),
        ('"1","2","a"\n', {"x0": [1], "x1": [2], "x2": ["a"]}, False),
        ("a,b\n1,True\n2,False\n3,\n", {"a": [1, 2, 3], "b": [True, False, None]}, True),
        ("x,y\n1,+\n2,-\n3,?\n", {"x": [1, 2, 3], "y": ["+", "-", None]}, True),
        ("x,y\n1,5\n2,-\n", {"x": [1, 2], "y": [5, None]}, True),
        # Fractions behind commas, seen in the first lines or far behind them.
        ("a;b\n1,5;2\n,25;3\n", {"a": [1.5, 0.25], "b": [2, 3]}, True),
        ("a;b\n" + "1;2\n" * 999 + "1,5;2\n", {"a": [1] * 999 + [1.5], "b": [2] * 1000}, True),
        ('a,b\n"1,5",2\n"2,25",3\n', {"a": [1.5, 2.25], "b": [2, 3]}, True),
        # What is text far behind the first lines is text from the first on.
        ("a,b\n" + "1,2\n" * 999 + "1.0,x\n", {"a": [1] * 1000, "b": ["2"] * 999 + ["x"]}, True),
        ("a,b\n" + "1,2\n" * 999 + ",?\n", {"a": [1] * 999 + [None], "b": [2] * 999 + [None]}, True),
        # pandas' names of columns that have none.
        ("0,1\n0.5,2\n", {"0": [0.5], "1": [2]}, True),
        ("0,1,2\n5,6,b\n", {"0": [5], "1": [6], "2": ["b"]}, True),
        ("0,1,2,3,4,5\n9,8,7,6,5,4\n", {str(k): [9 - k] for k in range(6)}, True),
        # numpy.savetxt's header; other comments; Excel's first line; an end that is empty.
        ("# made by hand\n# w,h\n1,2\n# more\n3,4\n", {"w": [1, 3], "h": [2, 4]}, True),
        ("# 12 rows\n1,2\n", {"x0": [1], "x1": [2]}, False),
        ("sep=;\na;b\n1;2\n", {"a": [1], "b": [2]}, True),
        ("a,b,\n1,2,\n3,4,\n", {"a": [1, 3], "b": [2, 4]}, True),
        ("1,2,\n3,4,\n", {"x0": [1, 3], "x1": [2, 4]}, False),
        ('a,b\n1,"two\nlines"\n2,"say ""x"""\n', {"a": [1, 2], "b": ["two\nlines", 'say "x"']}, True),
    ],
)
def test_read_csv_finds_how_a_table_is_written(
    text: str, cells: dict[str, list[object]], header: bool, tmp_path: Path
) -> None:
    """Separator, decimal mark, header, missing cells and types are found; byte order marks change nothing."""
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        table = table_of(text, tmp_path, encoding)
        assert (cells_of(table), table.header) == (cells, header)


def test_read_csv_numbers_its_lines(tmp_path: Path) -> None:
    """Rows know their lines, behind blank ones, comments and quoted line ends."""
    text = "\na,b\n\n1,2\n# c\n3,4\n" + '5,"6\n7"\n8,9\n' + "\n".join(f"{k},x" for k in range(99))
    assert table_of(text, tmp_path).lines.tolist()[:4] == [4, 6, 8, 9]
    assert table_of("a,b\n1,2\n\n3,4\n,\n5,6\n", tmp_path).lines.tolist() == [2, 4, 6]


@pytest.mark.parametrize("whole", [2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1, 1_700_000_000_123_456_789])
@pytest.mark.parametrize("rest", ["1", "0.5", "", "a", "1e300"])
def test_read_csv_keeps_whole_numbers_exact(whole: int, rest: str, tmp_path: Path) -> None:
    """Numbers of 64 bits come back to the last digit, whatever stands beside them."""
    table = table_of(f"a,b\n{whole},{rest}\n7,2\n", tmp_path)
    assert [int(value) for value in table.columns[0].values] == [whole, 7]


@pytest.mark.parametrize(
    ("lowest", "highest", "dtype"),
    [(0, 255, "u1"), (-128, 127, "i1"), (-1, 128, "i2"), (0, 65535, "u2"), (0, 65536, "u4"), (-1, 2**40, "i8")],
)
def test_read_csv_takes_the_narrowest_exact_type(lowest: int, highest: int, dtype: str, tmp_path: Path) -> None:
    """A column is as wide as its extremes ask for, wherever in the file they stand."""
    table = table_of("a,b\n" + "1,0.5\n" * 500 + f"{lowest},1\n{highest},2\n", tmp_path)
    assert [column.values.dtype for column in table.columns] == [np.dtype(dtype), np.float64]
    assert table.columns[0].values[-2:].tolist() == [lowest, highest]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("a,b\n", "a header and no rows"),
        ("a\n1\n", "line 1 has one column"),
        ("1,2,a\n3,b\n", "line 2 has 2 columns, not 3"),
        ("1,2,a\n3,4,5,b\n", "line 2 has 4 columns, not 3"),
        ('"a" "b"\n"1" 5 6\n', "line 2 has 3 columns, not 2; row.names"),
        ("1,2,a\n3,inf,b\n", "line 2, column 2: 'inf' is no finite number"),
        ("1,2,a\n" * 300 + "3,-Infinity,b\n", "line 301, column 2: '-Infinity' is no finite number"),
        ("1,2,a\n3,1e999,b\n", "line 2, column 2: '1e999' is no finite number"),
        ("1,2,a\n3,18446744073709551616,b\n", "line 2, column 2: '18446744073709551616' is no finite"),
        ("9223372036854775808,a\n-1,a\n", "line 1, column 1: '9223372036854775808'"),
        (",w,label\n0,1,a\n", "line 1, column 1 has no name: name it, or drop it"),
        (",0,1,2\n0,.5,.5,1\n", "line 1, column 1 has no name: name it, or drop it"),
        ("w,v,,\n0,1,,\n" + "1,1,,\n" * 300 + "1,1,5,\n", "column 3 has no name, but values"),
        ("w,w,label\n0,1,a\n", "line 1: columns 1 and 2 are both called 'w'; rename one"),
        ("0,1,2\n3,4,5\n", "line 1 counts 0, 1, 2: it may be pandas' names"),
        ("size,1.5\n3,4\n", "line 1, column 1: 'size' stands over numbers like a name, but '1.5'"),
        ("a;b\n1,234;5\n", "line 2, column 1: '1,234' has a comma that may part thousands or a fraction"),
        ("a;b\n1.234,5;5\n1,5;4\n", "line 2, column 1: '1.234,5' has thousands set apart"),
        ("a;b\n1 234;5\n1;4\n", "line 2, column 1: '1 234' has thousands set apart"),
        ("a;b\n1,5;5\n1.5;4\n", "line 2, column 1: '1,5' has a decimal comma beside decimal points"),
        ('1,2,"a\n', "not readable as CSV"),
        ("1,2,a\n" * 300 + '1,2,"a\n', "not readable as CSV"),
        ("1,2," + "a" * 200_000 + "\n", "t.csv"),
    ],
)
def test_read_csv_names_line_and_column(text: str, message: str, tmp_path: Path) -> None:
    """What is no table is named by file, line and column, as an editor counts them, with the fix."""
    with pytest.raises(ValueError, match=r"t\.csv") as caught:
        table_of(text, tmp_path)
    assert message in str(caught.value)


@given(text=st.text('0123456789.,;|\t\n\r"ab_-+e\0é #?', max_size=40))
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
        for column in table.columns:
            assert np.isfinite(column.values).all() and column.values.shape == (table.rows,) == table.lines.shape


@pytest.mark.parametrize("cell", ["#N/A", "#DIV/0!", "#NAME?"])
def test_a_spreadsheets_error_in_the_first_cell_is_missing_and_no_comment(tmp_path: Path, cell: Any) -> None:
    """The row stays: it would be gone without a word if the line were taken for a comment."""
    (tmp_path / "t.csv").write_text(f"a,b\n1,2\n{cell},3\n4,5\n")
    column = read(tmp_path / "t.csv").columns[0]
    assert column.missing.tolist() == [False, True, False]


@pytest.mark.parametrize(("line", "noted"), [("# later\n", 1), ("#ff0000,7\n", 1), ("", 0)])
def test_comments_within_a_table_are_said(tmp_path: Path, line: Any, noted: Any) -> None:
    """Those above it are usual; one below its first line may have been meant as a row."""
    for text in (f"# top\na,b\n{line}1,2\n3,4\n", f"# top\n1,2\n{line}3,4\n"):
        (tmp_path / "t.csv").write_text(text)
        table = read(tmp_path / "t.csv")
        assert (table.rows, len(table.notes)) == (2, noted)
        assert all("1 line that starts with #" in note for note in table.notes)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_column_may_be_called_number_sign(tmp_path: Path, separator: Any) -> None:
    """A header that begins with such a name keeps all its names."""
    lines = ["#,size,kind", "5,1.5,1", "9,2.5,0"]
    (tmp_path / "t.csv").write_text("\n".join(lines).replace(",", separator))
    assert [column.name for column in read(tmp_path / "t.csv").columns] == ["#", "size", "kind"]
