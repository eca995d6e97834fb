"""Rows, what a data set says about itself: once, in short lines, and nothing where there is nothing to say.

Letters: R rows, K features, C classes. x the features (R, K); y the targets (R,).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.label_column import ChosenLabel
from npquant.data.labels import Targets
from npquant.data.listing import listed
from npquant.data.split import Split

_LISTED: Final = 6
# As many classes are listed one by one.
_FEW_CLASSES: Final = 10


def row_digests(x: NDArray[Any]) -> list[bytes]:
    """Return 16 bytes a row, the same for the same numbers; -0 is 0.

    >>> one, two, three = row_digests(np.array([[0.0, 1], [-0.0, 1], [0, 2]], np.float32))
    >>> one == two, one == three
    (True, False)
    """
    found = []
    for start in range(0, len(x), 1024):
        part = np.ascontiguousarray(x[start : start + 1024] + x.dtype.type(0))
        found += [blake2b(row, digest_size=16).digest() for row in part]
    return found


def table_notes(
    x: NDArray[Any], feature_names: Sequence[str], targets: Targets, digests: Sequence[bytes]
) -> tuple[str, ...]:
    """Say which features are constant, which rows are identical, and how the classes share the rows.

    feature_names are K, digests those of the rows.

    >>> x = np.array([[1, 5], [1, 6], [1, 5], [1, 5]])
    >>> targets = Targets(np.array([0, 0, 0, 1]), ("no", "No "), "classes")
    >>> for line in table_notes(x, ("a", "b"), targets, row_digests(x)):
    ...     print(line)
    Classes: 'no' 75.0 %, 'No ' 25.0 %
    Class names differ only in case or blanks: 'no' and 'No '
    1 of 2 features is constant: 'a'
    2 of 4 rows are identical to an earlier one in all features, 1 of them with another label
    """
    lines = [*_class_lines(targets)]
    still = np.flatnonzero(np.ptp(x, axis=0) == 0)
    if still.size:
        names = listed([repr(feature_names[index]) for index in still.tolist()], _LISTED)
        verb = "is" if still.size == 1 else "are"
        lines.append(f"{still.size:,} of {x.shape[1]:,} features {verb} constant: {names}")
    return (*lines, *_identical(targets.y, digests))


def _class_lines(targets: Targets) -> list[str]:
    """Say what the label is."""
    if targets.kind == "real":
        outputs = 1 if targets.y.ndim == 1 else targets.y.shape[1]
        what = "a quantity" if outputs == 1 else f"{outputs} quantities"
        return [f"The label is {what}, from {targets.y.min():.6g} to {targets.y.max():.6g}: real targets, regression"]
    names = targets.class_names
    shares = 100 * np.bincount(targets.y, minlength=len(names)) / len(targets.y)
    if len(names) <= _FEW_CLASSES:
        said = ", ".join(f"{name!r} {share:.1f} %" for name, share in zip(names, shares, strict=True))
    else:
        low, high = int(np.argmin(shares)), int(np.argmax(shares))
        said = f"{len(names):,}, from {names[low]!r} {shares[low]:.2g} % to {names[high]!r} {shares[high]:.2g} %"
    lines = [f"Classes: {said}"]
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault("".join(name.casefold().split()), name)
        if other != name:
            lines.append(f"Class names differ only in case or blanks: {other!r} and {name!r}")
    return lines


def _identical(y: NDArray[Any], digests: Sequence[bytes]) -> list[str]:
    """Count the rows that stood before."""
    first: dict[bytes, int] = {}
    again = [(row, place) for row, digest in enumerate(digests) if (place := first.setdefault(digest, row)) != row]
    if not again:
        return []
    other = sum(bool(np.any(y[row] != y[place])) for row, place in again)
    tail = f", {other:,} of them with another label" if other else ""
    verb = "is" if len(again) == 1 else "are"
    return [f"{len(again):,} of {len(y):,} rows {verb} identical to an earlier one in all features{tail}"]


def label_note(label: ChosenLabel) -> str:
    """Say which column is the label.

    >>> label_note(ChosenLabel(2, "kind", "the last column, since no column is named as one"))
    "The label is column 2 (from 0), 'kind': the last column, since no column is named as one"
    """
    return f"The label is column {label.column} (from 0), {label.name!r}: {label.how}"


def leak_note(digests: Sequence[bytes], split: Split) -> tuple[str, ...]:
    """Say how many rows of the test set stand in training too; digests are those of all rows, split says which.

    >>> split = Split(np.array([0, 1]), np.array([2]), np.array([3, 4]))
    >>> leak_note([b"a", b"b", b"c", b"b", b"d"], split)
    ('1 of 2 test rows stands in training too, with the same features: accuracy on the test set flatters',)
    """
    known = {digests[row] for row in split.train}
    twice = sum(digests[row] in known for row in split.test)
    if not twice:
        return ()
    verb = "stands" if twice == 1 else "stand"
    return (
        f"{twice:,} of {split.test.size:,} test rows {verb} in training too, with the same features: accuracy on the "
        "test set flatters",
    )
