"""Rows, the label's place: which column of a table is the label, and why it was taken; never a silent guess.

Legend: table the rows as read; target what the user says of the label, a name or an index, or None; usual the name that
an earlier table's label had, or None; name what a column is called; column an index of a column.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from npquant.data.labels import FEW_NUMBERS, are_quantities
from npquant.data.listing import listed
from npquant.data.raw_table import Column, RawTable

# Without case, blanks, - and _. The one list of it; a header that holds one of them is a header.
LABEL_NAMES: Final = frozenset(
    ("label", "labels", "class", "classes", "target", "targets", "y", "classlabel", "targetclass")
)
# Names that are a label in one table and a feature in the next: never taken for one, but asked about.
_MAYBE: Final = frozenset(
    ("species", "outcome", "diagnosis", "survived", "churn", "response", "variety", "category", "income", "result")
)


@dataclass(frozen=True, slots=True)
class ChosenLabel:
    """Say which column is the label, what it is called, and how that was found."""

    column: int
    name: str
    how: str

    def to_json(self) -> dict[str, Any]:
        """Describe it as reports do."""
        return {"name": self.name, "column": self.column, "how": self.how}


def plain_name(name: str) -> str:
    """Return a name without case, blanks, - and _.

    >>> plain_name(" Class-Label ") in LABEL_NAMES
    True
    """
    return "".join(letter for letter in name.casefold() if letter not in " -_\t")


def choose_label(table: RawTable, target: str | int | None, usual: str | None = None) -> ChosenLabel:
    """Choose the label: the target; else the format's; else the usual; else the one named as a label; else the last.

    A target of text is a name, or, where no column has it, an index; negative indices count from the end. ValueError
    if there is no such column, if two columns may be the label, or if the first looks like it more than the last; lists
    them, with the fix.

    >>> from npquant.data.raw_table import text_column
    >>> columns = (text_column("kind", ["a", "b"]), Column("class", np.array([0, 1])), Column("w", np.array([5, 7])))
    >>> table = RawTable("t", columns, header=True)
    >>> choose_label(table, None), choose_label(table, "kind").column, choose_label(table, -1).name
    (ChosenLabel(column=1, name='class', how='by its name'), 0, 'w')
    """
    if target is not None:
        column = _asked(table, target)
        if table.label not in (None, column):
            raise ValueError(
                f"{table.source}: its label is {table.columns[table.label].name!r}, apart from its features: "
                "drop --label (target), or store all columns in one table"
            )
        return _chosen(table, column, "as asked")
    if table.label is not None:
        return _chosen(table, table.label, "as the file's format has it")
    names = [column.name for column in table.columns]
    if usual is not None and table.header and names.count(usual) == 1:
        return _chosen(table, names.index(usual), "as the network's file knows it")
    if len(table.columns) < 2:
        raise ValueError(f"{table.source}: has one column; needs features and a label")
    named = _named(table) if table.header else None
    if named is not None:
        return _chosen(table, named, "by its name")
    _refuse_label_first(table)
    why = "no column is named as one" if table.header else "the columns have no names"
    return _chosen(table, len(table.columns) - 1, f"the last column, since {why}")


def _chosen(table: RawTable, column: int, how: str) -> ChosenLabel:
    return ChosenLabel(column, table.columns[column].name, how)


def _asked(table: RawTable, target: str | int) -> int:
    """Find the column that the user names; a name goes before an index, except that x0, x1, ... are not the file's."""
    names = [column.name for column in table.columns]
    text = isinstance(target, str)
    if isinstance(target, bool):  # an index to Python
        raise ValueError(f"{table.source}: a label is told by a name or an index, not by {target!r}")
    found = [index for index, name in enumerate(names) if text and name == target]
    if text and not found:
        found = [index for index, name in enumerate(names) if plain_name(name) == plain_name(str(target))]
    if len(found) > 1:
        raise ValueError(f"{table.source}: {len(found)} columns are named {target!r}; give the label's index, from 0")
    if found:
        return found[0]
    if text and table.label is not None and plain_name(str(target)) in LABEL_NAMES:
        return table.label  # an npz calls it y
    try:
        index = int(target) if isinstance(target, str) else operator.index(target)
    except TypeError:
        raise ValueError(f"{table.source}: a label is told by a name or an index, not by {target!r}") from None
    except ValueError:
        known = listed([repr(name) for name in names], 12)
        raise ValueError(f"{table.source}: no column is named {target!r}; it has {known}") from None
    if not -len(names) <= index < len(names):
        raise ValueError(
            f"{table.source}: no column {index}; it has {len(names)}, counted from 0, or from the end as -1"
        )
    return index % len(names)


def _named(table: RawTable) -> int | None:
    """Return the one column that is named as a label, if there is one; ValueError if it is not the only candidate."""
    names = [plain_name(column.name) for column in table.columns]
    sure = [index for index, name in enumerate(names) if name in LABEL_NAMES]
    last = len(names) - 1
    if len(sure) == 1:
        # A y beside an x that is not the last column is a coordinate as likely as a label.
        if names[sure[0]] == "y" and "x" in names and sure[0] != last:
            _refuse(table, [sure[0], last], "'y' stands beside 'x', and may be a coordinate")
        return sure[0]
    if sure:
        _refuse(table, sure, f"{len(sure)} columns are named as labels")
    maybe = [index for index, name in enumerate(names) if name in _MAYBE]
    if maybe and last not in maybe:
        _refuse(table, [*maybe, last], "a column is named as labels often are, and is not the last")
    return None


def _refuse(table: RawTable, columns: list[int], why: str) -> None:
    """Refuse to choose among columns."""
    names = [table.columns[column].name for column in columns]
    raise ValueError(
        f"{table.source}: which column is the label, {' or '.join(map(repr, names))}? {why}; "
        f"say it with --label {names[0]} (in Python target={names[0]!r}), or another"
    )


def _refuse_label_first(table: RawTable) -> None:
    """ValueError if the first column looks like the label more than the last."""
    first, last = table.columns[0], table.columns[-1]
    looks = [_look(first), _look(last)]
    if table.header:  # who names his columns often begins with a text
        looks = [min(look, 2) for look in looks]
    if looks[0] >= 2 and looks[0] > looks[1]:
        raise ValueError(
            f"{table.source}: which column is the label? The last would be taken, but {_LOOKS[looks[1]]}, and the "
            f"first {_LOOKS[looks[0]]}: say --label 0 for the first, or --label -1 for the last (in Python target=0, "
            "target=-1)"
        )


_LOOKS: Final = ("holds one value only", "holds many different values", "holds few whole numbers", "holds words")


def _look(column: Column) -> int:
    """Grade how much a column looks like class labels: 0 one value, 1 many, 2 few whole numbers, 3 words that recur."""
    hidden = column.missing
    values = column.values if hidden is None else column.values[~hidden]
    if values.ndim > 1 or values.size == 0:
        return 0
    distinct = np.unique(values).size
    if distinct < 2:
        return 0
    if 3 * distinct > values.size:
        return 1
    if column.words:
        return 3
    return 2 if distinct <= FEW_NUMBERS and not are_quantities(values) else 1
