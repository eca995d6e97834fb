"""Laws of the encoding: fitted on training rows, the same for the next table, and its own description."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.encoded import encoded
from npquant.data.encoding import MOST_CATEGORIES, ColumnCode, Encoding, fit_encoding
from npquant.data.raw_table import Column, RawTable, text_column

WORDS = st.lists(st.sampled_from(["Jan", "Feb", "Mar", "?"]), min_size=8, max_size=8)
NUMBERS = st.lists(st.none() | st.integers(-9, 300), min_size=8, max_size=8)


def table_of(words: str, numbers: Any, *, label: bool = True, header: bool = True) -> Any:
    gaps = np.array([number is None for number in numbers])
    column = Column("n", np.array([number or 0 for number in numbers]), gaps if gaps.any() else None)
    last = (Column("label", np.arange(len(words)) % 2),) if label else ()
    return RawTable("t", (text_column("month", words), column, *last), header=header)


def law_fitted_on_training_rows(fit: Any, words: str, numbers: Any, way: Any) -> None:
    """What the other rows hold changes nothing: neither categories nor fills."""
    rows = np.arange(5)
    other = [*words[:5], "Dec", "Dec", "Nov"], [*numbers[:5], 1000, 2000, None]
    try:
        one = fit(table_of(words, numbers), 2, rows, way)
    except ValueError as error:
        assert "holds nothing in any training row" in str(error)
        return
    assert one == fit(table_of(*other), 2, rows, way)
    there = [number for number in numbers[:5] if number is not None]
    if way == "mean":
        assert one.columns[1].fill == pytest.approx(sum(there) / len(there), rel=1e-15 * len(there))
    else:
        assert there.count(one.columns[1].fill) == max(map(there.count, there))


@given(WORDS, NUMBERS, st.sampled_from(["mean", "most-frequent"]))
def test_fit_encoding_looks_at_training_rows_alone(words: str, numbers: Any, way: Any) -> None:
    """Categories and fills are those of the training rows, whatever the others hold."""
    law_fitted_on_training_rows(fit_encoding, words, numbers, way)


def test_fit_encoding_law_kills_leaks() -> None:
    """The law fails on an encoding that is fitted on all rows."""
    with pytest.raises(AssertionError):
        law_fitted_on_training_rows(
            lambda table, label, rows, way: fit_encoding(table, label, None, way), ["Jan"] * 8, [1] * 8, "mean"
        )


@given(WORDS, NUMBERS)
def test_encoded_means_what_the_names_say(words: str, numbers: Any) -> None:
    """A feature "month=Jan" is 1 where Jan stands, gaps hold the fill, and numbers themselves, narrow."""
    table = table_of(words, numbers)
    try:
        code = fit_encoding(table, 2, None, "most-frequent")
    except ValueError:
        return
    x, _ = encoded(table, 2, code)
    often = code.columns[0].fill
    for at, name in enumerate(code.feature_names[:-1]):
        assert x[:, at].tolist() == [int(name == f"month={often if word == '?' else word}") for word in words]
    assert x[:, -1].tolist() == [code.columns[1].fill if number is None else number for number in numbers]
    assert x.dtype.kind in "iu"


def test_encoded_finds_columns_by_name_and_unknown_words_say_so() -> None:
    """Another order of the columns changes nothing; a word that was not fitted is 0 everywhere, and is said."""
    code = fit_encoding(table_of(["Jan", "Feb"], [1, 2]), 2, None, None)
    same = RawTable("n", tuple(reversed(table_of(["Jan", "Dec"], [5, 6], label=False).columns)), header=True)
    x, notes = encoded(same, None, code)
    assert x.tolist() == [[0, 1, 5], [0, 0, 6]]
    assert any("a text that no training row has" in note and "'Dec'" in note for note in notes)
    for wrong, words in (
        ("m", "has 'm', which the encoding does not know, and lacks 'n'"),
        ("month", "two columns are called"),
    ):
        other = RawTable("n", (same.columns[1], Column(wrong, np.arange(2))), header=True)
        with pytest.raises(ValueError, match=r"^n: ") as caught:
            encoded(other, None, code)
        assert words in str(caught.value)
    with pytest.raises(ValueError, match="has 1 features; 2 are encoded"):
        encoded(RawTable("n", same.columns[:1]), None, code)


def test_encoded_refuses_what_it_has_no_value_for() -> None:
    """A gap without a fill, text where numbers stood, inf and what float32 cannot tell apart are named."""
    code = Encoding((ColumnCode("a"),))
    stamps = 1_700_000_000_000 + np.arange(4)
    for column, words in (
        (Column("a", np.zeros(2), np.array([False, True])), r"row 1 \(from 0\), column 'a': the cell is missing"),
        (text_column("a", ["x", "y"]), "column 'a' holds text such as 'x'"),
        (Column("a", np.array([0, np.inf])), "column 'a' holds inf"),
        (Column("a", np.array([0, 1e39])), r"column 'a' holds 1e\+39"),
        (Column("a", stamps), "column 'a' holds 4 different values"),
    ):
        with pytest.raises(ValueError, match=words):
            encoded(RawTable("t", (column,)), None, code)


@pytest.mark.parametrize(
    "dtype", [np.bool_, np.int8, np.uint16, np.int32, np.uint64, np.float16, np.float32, np.float64]
)
def test_encoded_is_exact_and_narrow(dtype: Any) -> None:
    """Whole numbers take the first narrow type that holds them all; 8 and 16 bits in a block stay."""
    values = np.array([[0, 1], [1, 100]], dtype)
    columns = tuple(Column(name, values[:, at]) for at, name in enumerate("ab"))
    for block in (None, values):
        x, _ = encoded(RawTable("t", columns, block=block), None, Encoding((ColumnCode("a"), ColumnCode("b"))))
        assert x.tolist() == values.tolist()
        stays = block is not None and values.dtype.kind in "iu" and values.dtype.itemsize <= 2
        wanted = dtype if stays else np.float32 if values.dtype.kind == "f" else np.uint8
        assert x.dtype == wanted


def test_fit_encoding_counts_categories() -> None:
    """32 different texts become features; one more is named with its count and the fix, and a misspelt number found."""
    words = [f"w{i:02}" for i in range(MOST_CATEGORIES)]
    label = Column("label", np.arange(MOST_CATEGORIES + 1))
    table = RawTable("t", (text_column("code", [*words, "w00"]), label))
    assert len(fit_encoding(table, 1, None, None).feature_names) == MOST_CATEGORIES
    with pytest.raises(ValueError, match=r"column 'code' holds 33 different texts, more than the 32.*drop.*or map"):
        fit_encoding(RawTable("t", (text_column("code", [*words, "more"]), label)), 1, None, None)
    typed = text_column("size", [*map(str, range(MOST_CATEGORIES)), "twelve"])
    with pytest.raises(ValueError, match=r"'twelve' in row 32 \(from 0\) is no number, most others are"):
        fit_encoding(RawTable("t", (typed, label)), 1, None, None)


def test_fit_encoding_names_empty_columns() -> None:
    """A column without a value in the training rows, and a table of nothing but its label, are refused."""
    empty = Column("e", np.zeros(3), np.array([True, True, False]))
    with pytest.raises(ValueError, match="column 'e' holds nothing in any training row: drop it"):
        fit_encoding(RawTable("t", (empty, Column("label", np.arange(3)))), 1, np.array([0, 1]), "mean")
    with pytest.raises(ValueError, match="no column but the label"):
        fit_encoding(RawTable("t", (Column("label", np.arange(3)),)), 0, None, None)


@given(WORDS, NUMBERS, st.sampled_from(["mean", "most-frequent", None]))
def test_encoding_survives_json(words: str, numbers: Any, way: Any) -> None:
    """What to_json writes is JSON, and from_json makes the same encoding of it."""
    try:
        code = fit_encoding(table_of(words, numbers), 2, None, way)
    except ValueError:
        return
    assert Encoding.from_json(json.loads(json.dumps(code.to_json()))) == code
    damaged: dict[str, Any]
    for damaged in ({}, {"columns": 3, "named": True, "missing": None}, {"columns": [{}]}):
        with pytest.raises(ValueError, match="not the description of an encoding"):
            Encoding.from_json(damaged)


@pytest.mark.parametrize(
    ("word", "says"),
    [("unknown", "'age' (6, since 'unknown' is no number)"), ("5", "'age' (6)")],
)
def test_a_word_among_numbers_is_said(word: Any, says: Any) -> None:
    """A typing error in one cell makes categories of a column of numbers: the note names it."""
    column = text_column("age", ["0", "1", "2", "3", "4", word])
    raw = RawTable("t", (column, Column("label", np.arange(6))), header=True)
    _, notes = encoded(raw, 1, fit_encoding(raw, 1, None, None))
    assert says in notes[0]
