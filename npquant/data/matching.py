"""Rows meet a network that knows its data: columns and classes in the network's order, by name, or not at all.

Legend: data the rows as their file orders them; facts what the network's file knows, None where it knows nothing; file
what to call that file. Names x0, x1, ... of columns say nothing: they are given to columns that have none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from npquant.data.content_hash import content_sha256
from npquant.data.dataset import Dataset
from npquant.data.encoding import Encoding
from npquant.data.required_names import quoted, require_names
from npquant.files.facts import Facts, generic_names


@dataclass(frozen=True, slots=True, eq=False)
class MatchedData:
    """Hold rows in a network's order, and say in sentences what was moved or cannot be checked."""

    data: Dataset
    notes: tuple[str, ...]


def facts_of(data: Dataset, facts: Facts | None = None) -> Facts:
    """Return what a network made from `data` knows of it; where it was made from another network, first its `facts`.

    >>> data = Dataset(np.eye(2, dtype=np.float32), np.arange(2), ("light", "heavy"), ("x0", "x1"), "n", "s")
    >>> facts_of(data, Facts(("age", "weight"))).to_json()["features"]
    ['age', 'weight']
    """
    code = data.encoding
    # Without a header the label's name is npquant's own.
    label = data.label_name if code is not None and code.named else None
    encoding = None if code is None or code.plain else code.to_json()
    own = Facts(data.feature_names, data.class_names or None, label, content_sha256(data), encoding)
    if facts is None:
        return own
    fields = ("feature_names", "class_names", "label", "data_sha256", "encoding")
    first = [(getattr(facts, field), getattr(own, field)) for field in fields]
    return Facts(*(known if known is not None else new for known, new in first))


def encoding_of(facts: Facts) -> Encoding | None:
    """Return how a table becomes a network's inputs, as its `facts` know it; ValueError if they are no encoding.

    >>> encoding_of(Facts(encoding={"named": True, "missing": None, "columns": [{"name": "age"}]})).feature_names
    ('age',)
    """
    return None if facts.encoding is None else Encoding.from_json(facts.encoding)


def match_data(data: Dataset, facts: Facts | None, file: str) -> MatchedData:
    """Bring columns and classes into the order of a network's file.

    ValueError, naming the differences, if columns are missing or left over, or the data has classes that the file does
    not know. What cannot be checked, since either side has no names, is noted.

    >>> data = Dataset(np.array([[1, 2], [3, 4]], np.uint8), np.arange(2), ("a", "b"), ("h", "w"), "n", "hw.csv")
    >>> found = match_data(data, Facts(("w", "h"), ("b", "a")), "net.npz")
    >>> found.data.x.tolist(), found.data.y.tolist(), len(found.notes)
    ([[2, 1], [4, 3]], [1, 0], 2)
    """
    by_column = match_features(data, facts, file)
    by_class = match_classes(by_column.data, facts, file)
    return MatchedData(by_class.data, (*by_column.notes, *by_class.notes))


def match_features(data: Dataset, facts: Facts | None, file: str) -> MatchedData:
    """Bring the columns alone into order, with the errors and notes of `match_data`."""
    known = None if facts is None else facts.feature_names
    named = data.feature_names != generic_names(len(data.feature_names), "x")
    if known is None or known == generic_names(len(known), "x"):
        note = f"{file} does not name its inputs: that the columns of {data.source} stand in its order is not checked."
        return MatchedData(data, (note,) if named else ())
    if not named:
        note = f"{data.source} does not name its columns: they are taken in the order of {file}, {quoted(known)}."
        return MatchedData(data, (note,))
    if data.feature_names == known:
        return MatchedData(data, ())
    require_names(data.feature_names, known, "column", data.source, file)
    places = {name: place for place, name in enumerate(data.feature_names)}
    moved = replace(data, x=data.x[:, [places[name] for name in known]], feature_names=known)
    note = f"The columns of {data.source} stand in another order than those of {file}: they were put in its order."
    return MatchedData(moved, (note,))


def match_classes(data: Dataset, facts: Facts | None, file: str) -> MatchedData:
    """Number the classes alone as the file does, with the errors and notes of `match_data`."""
    known = None if facts is None else facts.class_names
    if not data.class_names:
        if known is not None:
            raise ValueError(
                f"{data.source}: has real targets; {file} tells {len(known)} classes apart, {quoted(known)}"
            )
        return MatchedData(data, ())  # real targets have no order
    if known is None:
        note = f"{file} does not name its classes: that those of {data.source} stand in its order is not checked."
        named = data.class_names != generic_names(len(data.class_names), "")
        return MatchedData(data, (note,) if named else ())
    if data.class_names == known:
        return MatchedData(data, ())
    require_names(data.class_names, known, "class", data.source, file)
    places = {name: place for place, name in enumerate(known)}
    y = np.array([places[name] for name in data.class_names], np.int64)[data.y]
    absent = [name for name in known if name not in data.class_names]
    note = (
        f"{data.source} has no rows of {quoted(absent)}, which {file} knows."
        if absent
        else f"The classes of {data.source} stand in another order than those of {file}: they were numbered as there."
    )
    return MatchedData(replace(data, y=y, class_names=known), (note,))
