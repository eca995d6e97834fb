"""Rows, from a table to a data set: the label chosen, gaps dropped, features encoded on training rows.

Letters: R rows, K features, C classes. target, missing: what the user says of the label and of missing cells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.data.dataset import Dataset
from npquant.data.encoded import encoded
from npquant.data.encoding import Encoding, fit_encoding
from npquant.data.label_column import ChosenLabel, choose_label
from npquant.data.labels import Targets, targets_of
from npquant.data.missing import complete_rows, marked
from npquant.data.notes import label_note, row_digests, table_notes
from npquant.data.raw_table import RawTable
from npquant.data.row_numbers import refuse_row_numbers


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTable:
    """Hold the rows of a table that can be worked on, its label, and what it says for each row."""

    table: RawTable
    label: ChosenLabel
    targets: Targets
    name: str  # what to call the set
    notes: tuple[str, ...] = ()  # what was left out


def labelled(
    table: RawTable, name: str, target: str | int | None, missing: str | None, usual: str | None = None
) -> LabelledTable:
    """Choose the label of a table called name, and leave out what cannot be worked on; ValueError if that is unclear.

    `usual` is the name of an earlier table's label.

    >>> from npquant.data.raw_table import Column
    >>> columns = (Column("class", np.array([3, 4] * 3)), Column("w", np.arange(6) % 5))
    >>> found = labelled(RawTable("t", columns, header=True), "t", None, None)
    >>> found.targets.class_names, found.label.how
    (('3', '4'), 'by its name')
    """
    marks = marked(table)
    if marks.rows == 0:
        raise ValueError(f"{table.source}: needs rows, found none")
    label = choose_label(marks, target, usual)
    if marks.label is None:
        refuse_row_numbers(marks, label.column)
    whole, notes = complete_rows(marks, label.column, missing)
    return LabelledTable(whole, label, targets_of(whole, label.column), name, notes)


def encoded_dataset(
    found: LabelledTable, rows: NDArray[np.int64] | None, missing: str | None, encoding: Encoding | None
) -> tuple[Dataset, list[bytes]]:
    """Encode what was found, by an encoding, or by one that is fitted on rows (None: all); with the rows' digests.

    ValueError as `fit_encoding` and `encoded`.
    """
    table, label, targets = found.table, found.label, found.targets
    code = fit_encoding(table, label.column, rows, missing) if encoding is None else encoding
    x, notes = encoded(table, label.column, code)
    digests = row_digests(x)
    own = () if table.label is not None else (label_note(label),)
    names = code.feature_names
    read = (f"Read as: {', '.join(table.notes)}",) if table.notes else ()
    said = (*read, *found.notes, *own, *notes, *table_notes(x, names, targets, digests))
    return _dataset(found, x, code, said), digests


def _dataset(found: LabelledTable, x: NDArray[Any], code: Encoding, notes: tuple[str, ...]) -> Dataset:
    if x is not found.table.block:
        x.flags.writeable = False  # no one else has it: the data set need not copy it
    targets, label = found.targets, found.label
    return Dataset(
        x, targets.y, targets.class_names, code.feature_names, found.name, found.table.source,
        kind=targets.kind, label_name=label.name, label_column=label.column, label_how=label.how, encoding=code,
        notes=notes,
    )  # fmt: skip


def with_notes(dataset: Dataset, notes: tuple[str, ...]) -> Dataset:
    """Return a dataset that says notes in addition.

    >>> from npquant.data.datasets import load_optdigits
    >>> with_notes(load_optdigits(), ("small",)).notes
    ('small',)
    """
    return replace(dataset, notes=(*dataset.notes, *notes)) if notes else dataset
