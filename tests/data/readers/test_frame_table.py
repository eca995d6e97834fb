"""Laws of data frames: every type of column has one answer, in pandas, polars and Arrow alike, and in files of them."""

import builtins
import importlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.data.datasets import load_dataset
from npquant.data.readers.array_column import array_column
from npquant.data.readers.frame_table import frame_table
from npquant.data.sets import load_sets

R = 60
COUNT = np.arange(R)
NUMBERS = {
    "f2": (COUNT / 7).astype(np.float16),
    "f4": (COUNT / 3).astype(np.float32),
    "f8": COUNT * 0.1,
    "i8": COUNT.astype(np.int64) * 5,
    "u8": COUNT.astype(np.uint64) * 3,
    "i1": (COUNT % 50).astype(np.int8),
    "bool": COUNT % 3 == 0,
    "big": COUNT[::-1].astype(">i4") * 2,
}


def frames() -> Iterator[Any]:
    """The same table in each library."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    polars = pytest.importorskip("polars", reason="polars is not installed")
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    columns = {
        "n": [None if i % 9 == 4 else i * 3 for i in range(R)],
        "z": [None if i % 11 == 5 else i / 4 for i in range(R)],
        "flag": [None if i == 7 else i % 2 == 0 for i in range(R)],
        "kind": [None if i == 8 else "uvw"[i % 3] for i in range(R)],
        "label": ["no" if i % 4 else "yes" for i in range(R)],
    }
    types = {"n": "Int64", "z": "float64", "flag": "boolean", "kind": "category"}
    frame = pandas.DataFrame(columns)
    yield "pandas objects", frame.astype({"n": object, "flag": object})
    yield "pandas nullable", frame.astype(types)
    yield "polars", polars.DataFrame(columns)
    yield "polars categories", polars.DataFrame(columns).with_columns(polars.col("kind").cast(polars.Categorical))
    yield "pyarrow", pyarrow.table(columns)
    yield "pyarrow dictionary", pyarrow.table({**columns, "kind": pyarrow.array(columns["kind"]).dictionary_encode()})


@pytest.mark.peer
def test_load_dataset_of_every_frame_is_the_same() -> None:
    """One table, six frames: the same features, names, classes, fills and counts of missing cells."""
    seen = []
    for name, frame in frames():
        with pytest.raises(ValueError, match="missing cells: 'n' 7, 'z' 5, 'flag' 1, 'kind' 1"):
            load_dataset(frame)
        data = load_dataset(frame, missing="mean")
        seen.append((name, data))
        assert data.feature_names == ("n", "z", "flag", "kind=u", "kind=v", "kind=w"), name
        assert data.class_names == ("no", "yes") and data.label_name == "label" and data.source == "the frame"
        assert np.array_equal(data.x, seen[0][1].x), name
        assert load_dataset(frame, missing="drop").x.shape == (R - 13, 6) or name
        assert load_dataset(frame, target="kind", missing="drop").class_names == ("u", "v", "w")


@pytest.mark.peer
def test_load_dataset_of_a_frame_ignores_the_index_of_pandas_and_refuses_row_numbers() -> None:
    """An index names rows and is no feature; made a column, it is refused by name."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"a": COUNT % 7, "label": COUNT % 2}, index=COUNT + 1000)
    assert load_dataset(frame).feature_names == ("a",)
    with pytest.raises(ValueError, match="'index', only numbers the rows"):
        load_dataset(frame.reset_index(drop=True).reset_index())


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["parquet", "feather", "stream"])
def test_load_dataset_of_arrow_files_is_that_of_the_frame(kind: Any, tmp_path: Path) -> None:
    """Parquet, Feather and a stream give what the frame gives; damage and size are named with the file."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    feather, parquet = (importlib.import_module(f"pyarrow.{name}") for name in ("feather", "parquet"))
    table = dict(frames())["pyarrow dictionary"]
    path = tmp_path / "rows.bin"
    if kind == "stream":
        with pyarrow.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    else:
        {"parquet": parquet.write_table, "feather": feather.write_feather}[kind](table, path)
    found, wanted = (load_dataset(source, missing="most-frequent") for source in (path, table))
    assert np.array_equal(found.x, wanted.x) and found.feature_names == wanted.feature_names
    assert found.name == "rows" and load_sets(str(path), 0, missing="drop").dataset.kind == "classes"
    with pytest.raises(ValueError, match=r"rows\.bin: .*limit"):
        load_dataset(path, max_bytes=500)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"rows\.bin"):
        load_dataset(path)


@pytest.mark.peer
def test_frames_of_columns_that_are_no_numbers_are_named() -> None:
    """Dates, lists, bytes and mixtures are refused with the column's name."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    stamps = pandas.to_datetime(["2024-01-01"] * R)
    for column in (stamps, [1, "a"] * (R // 2), [[1]] * R, stamps.tz_localize("UTC"), stamps - stamps[0]):
        with pytest.raises(ValueError, match="the frame: column 'when'"):
            frame_table(pandas.DataFrame({"when": column, "label": COUNT % 2}))
    for column in ([[1]] * R, [b"a"] * R, stamps.to_list()):
        with pytest.raises(ValueError, match="the frame: column 'when'"):
            frame_table(pyarrow.table({"when": column, "label": COUNT % 2}))


def test_frame_table_says_what_it_takes() -> None:
    """Arrays and numbers are no frames."""
    for other in (3, [1, 2], np.ones((3, 2))):
        with pytest.raises(TypeError, match="a path or a data frame"):
            load_dataset(other)


def test_arrow_without_pyarrow_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where pyarrow is not installed, the message says how to get it."""
    from npquant.data.readers import arrow_table

    def absent(name: Any) -> None:
        raise ImportError(name)

    monkeypatch.setattr(arrow_table, "import_module", absent)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1" + bytes(60))
    with pytest.raises(ImportError, match=r"rows\.parquet is read through pyarrow.*pip install 'npquant\[table\]'"):
        load_dataset(tmp_path / "rows.parquet")


@pytest.mark.parametrize("name", NUMBERS)
def test_array_column_keeps_numbers(name: Any) -> None:
    """Numbers of every type and byte order keep their values; hidden cells hold 0."""
    values, gaps = NUMBERS[name], COUNT % 5 == 0
    assert array_column("a", values, "t").values.tolist() == values.tolist()
    hidden = array_column("a", values, "t", gaps)
    assert hidden.missing.tolist() == gaps.tolist() and not hidden.values[gaps].any()
    assert hidden.values[~gaps].tolist() == values[~gaps].tolist() and hidden.values.dtype.isnative


@pytest.mark.parametrize(
    ("cells", "values", "gaps"),
    [
        ([1, None, 2**60], [1, 0, 2**60], [False, True, False]),
        ([1.5, float("nan"), 2], [1.5, 0, 2], [False, True, False]),
        ([True, None, False], [True, False, False], [False, True, False]),
        ([Fraction(1, 4), None], [0.25, 0], [False, True]),
    ],
)
def test_array_column_reads_objects(cells: Any, values: Any, gaps: Any) -> None:
    """Objects that are all numbers are numbers; None and NaN are missing."""
    column = array_column("a", np.array(cells, object), "t")
    assert column.values.tolist() == values and column.missing.tolist() == gaps


def test_array_column_has_one_notion_of_missing_text() -> None:
    """Text says that it is missing in the words that every reader knows."""
    column = array_column("a", np.array(["u", None, "NA", "?", " "], object), "t")
    assert column.words == ("u",) and column.missing.tolist() == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array(["2024-01-01"], "M8[D]"), "dates"),
        (np.array([1], "m8[s]"), "time spans"),
        (np.array([1j]), "complex"),
        (np.array([b"a"]), "bytes"),
        (np.array([(1, 2)], "i4,i4"), "records"),
        (np.array([1, "a"], object), "int, str"),
        (np.array([builtins], object), "module"),
    ],
)
def test_array_column_names_what_is_no_number(values: Any, words: str) -> None:
    """What is neither number nor text is refused by name."""
    with pytest.raises(ValueError, match=r"^t: column 'a'") as caught:
        array_column("a", values, "t")
    assert words in str(caught.value)


def test_two_columns_of_one_name_and_a_single_column_are_no_table() -> None:
    """As in files: which of two is meant could not be said by name."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    with pytest.raises(ValueError, match="2 columns are called 'a'; rename all but one"):
        frame_table(pandas.DataFrame(np.ones((4, 3)), columns=["a", "a", "label"]))
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with pytest.raises(TypeError, match="a data frame, not from Series"):
        frame_table(pandas.Series(np.ones(4)))
