"""Laws of the label's place: it is asked for, known, named or last, and said; what is not clear is an error."""

from typing import Any

import numpy as np
import pytest

from npquant.data.label_column import ChosenLabel, choose_label
from npquant.data.raw_table import Column, RawTable, text_column

R = 90
COUNT = np.arange(R)


def column(name: Any, kind: Any) -> Any:
    """A column of one kind: words, few whole numbers, many whole numbers, reals, or one value."""
    values = {"few": COUNT % 3, "flag": COUNT % 2, "many": (COUNT * 7) % 83, "real": COUNT * 0.5, "one": COUNT * 0}
    return text_column(name, [f"c{i % 4}" for i in COUNT]) if kind == "words" else Column(name, values[kind])


def table(*columns: Any, header: bool = True, label: Any = None) -> Any:
    return RawTable("t.csv", tuple(column(*named) for named in columns), label=label, header=header)


def headerless(*kinds: Any) -> Any:
    return table(*((f"x{index}", kind) for index, kind in enumerate(kinds)), header=False)


@pytest.mark.parametrize(
    ("names", "place"),
    [
        (("a", "b", "label"), 2),
        (("Class", "b", "c"), 0),
        (("a", " TARGET ", "c"), 1),
        (("a", "class label", "c"), 1),
        (("y", "a", "b"), 0),
        (("x", "a", "y"), 2),
    ],
)
def test_choose_label_takes_the_one_that_is_named_and_says_it(names: Any, place: Any) -> None:
    """One unambiguous name is taken, wherever it stands and however it is written."""
    chosen = choose_label(table(*((name, "flag") for name in names)), None)
    assert chosen == ChosenLabel(place, names[place], "by its name")


@pytest.mark.parametrize(
    ("names", "candidates"),
    [
        (("x", "y", "label"), ["'y'", "'label'"]),
        (("class", "age", "target"), ["'class'", "'target'"]),
        (("x", "y", "colour"), ["'y'", "'colour'", "coordinate"]),
        (("species", "size", "sex"), ["'species'", "'sex'"]),
        (("id", "diagnosis", "radius"), ["'diagnosis'", "'radius'"]),
    ],
)
def test_choose_label_lists_candidates(names: Any, candidates: Any) -> None:
    """Two candidates are an error that lists them, with the way to name one."""
    with pytest.raises(ValueError, match=r"^t\.csv: which column is the label") as caught:
        choose_label(table(*((name, "flag") for name in names)), None)
    for words in (*candidates, "--label", "target="):
        assert words in str(caught.value)


def test_choose_label_target_settles_what_is_not_clear() -> None:
    """A name, an index, one from the end, or an index in text: each finds its column, and says that it was asked."""
    unclear = table(("x", "few"), ("y", "few"), ("label", "flag"))
    for target, place in (("y", 1), ("Y", 1), (2, 2), (-1, 2), ("-3", 0), ("1", 1)):
        assert choose_label(unclear, target) == ChosenLabel(place, unclear.columns[place].name, "as asked")
    assert choose_label(table(("2", "few"), ("1", "few"), ("0", "flag")), "2").column == 0
    assert choose_label(headerless("few", "real"), "0").column == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("colour", "no column is named 'colour'; it has 'a', 'b'"),
        (2, "no column 2; it has 2"),
        (-3, "no column -3"),
        ("7", "no column 7"),
    ],
)
def test_choose_label_names_what_is_there(target: Any, message: str) -> None:
    """A target that is not there is an error that says what is."""
    with pytest.raises(ValueError, match=r"^t\.csv") as caught:
        choose_label(table(("a", "few"), ("b", "flag")), target)
    assert message in str(caught.value)


def test_choose_label_two_columns_of_a_name_are_asked_by_index() -> None:
    """A name that two columns have names none."""
    twice = table(("a", "few"), ("a", "flag"))
    with pytest.raises(ValueError, match="2 columns are named 'a'; give the label's index"):
        choose_label(twice, "a")
    assert choose_label(twice, 1).column == 1


@pytest.mark.parametrize(
    ("kinds", "refused"),
    [
        (("few", "real", "real"), True),
        (("few", "real", "many"), True),
        (("words", "few", "few"), True),
        (("words", "real", "one"), True),
        (("few", "flag", "one"), True),
        (("flag", "flag", "flag"), False),
        (("real", "real", "few"), False),
        (("real", "real", "real"), False),
        (("many", "few", "words"), False),
        (("words", "real", "words"), False),
        (("one", "few", "one"), False),
    ],
)
def test_choose_label_last_unless_the_first_looks_more_like_one(kinds: Any, refused: Any) -> None:
    """Without names the last column is taken, and said; a first column that looks like the label more is an error."""
    found = headerless(*kinds)
    if not refused:
        chosen = choose_label(found, None)
        assert chosen.column == len(kinds) - 1 and chosen.how == "the last column, since the columns have no names"
        return
    with pytest.raises(ValueError, match="which column is the label") as caught:
        choose_label(found, None)
    assert "--label 0" in str(caught.value) and "--label -1" in str(caught.value)
    assert choose_label(found, 0).column == 0 and choose_label(found, -1).column == len(kinds) - 1


def test_choose_label_names_make_words_first_ordinary() -> None:
    """Where columns have names, a text in front of flags is no sign; a class in front of measurements is."""
    assert choose_label(table(("sex", "words"), ("age", "many"), ("stroke", "flag")), None).name == "stroke"
    with pytest.raises(ValueError, match="which column"):
        choose_label(table(("kind", "words"), ("age", "many"), ("size", "real")), None)


def test_choose_label_the_format_knows_it() -> None:
    """A format that has labels apart says so; another column cannot be asked for."""
    known = table(("a", "real"), ("y", "few"), label=1)
    assert choose_label(known, None).how == "as the file's format has it"
    assert choose_label(known, "y").column == 1
    with pytest.raises(ValueError, match="its label is 'y', apart from its features"):
        choose_label(known, "a")


@pytest.mark.parametrize("target", [True, 1.0, 1.5, (0,)])
def test_a_target_is_a_name_or_an_index(target: Any) -> None:
    """1.5 is not rounded to a column, and True is no second one."""
    with pytest.raises(ValueError, match="by a name or an index"):
        choose_label(table(("a", "real"), ("b", "flag")), target)


def test_the_label_of_a_format_is_found_by_every_usual_name() -> None:
    """An npz calls its array y, and the column is called label."""
    apart = table(("a", "real"), ("label", "flag"), label=1)
    assert [choose_label(apart, name).column for name in ("y", "Y", "label", "-1")] == [1] * 4
