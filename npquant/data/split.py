"""Rows, 5 of 6: the 70/15/15 split: stratified by class or by target, disjoint, covering, and named by its hash.

Letters: R rows. Set 0 trains, set 1 validates (every choice is made on it), set 2 tests (opened once).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

PERCENT: Final = (70, 15, 15)
# Real targets: neighbours in the order of the targets that are split among themselves, in the least whole 70/15/15.
NEIGHBOURS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Hold the row indices of the three sets, ascending and read-only; no row is in two sets."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Freeze the index arrays, ascending."""
        for name in ("train", "validation", "test"):
            rows = np.sort(np.asarray(getattr(self, name), dtype=np.int64))
            rows.flags.writeable = False
            object.__setattr__(self, name, rows)

    @property
    def sha256(self) -> str:
        """The split's name: SHA-256, in hex, of six runs of little-endian int64.

        The three set sizes come first, so that no row can move over a border unseen; then the
        indices of train, validation and test.
        """
        sets = (self.train, self.validation, self.test)
        sizes = np.array([rows.size for rows in sets])
        return sha256(b"".join(part.astype("<i8").tobytes() for part in (sizes, *sets))).hexdigest()


def split_70_15_15(y: NDArray[Any], *, rng: int | np.random.Generator | None) -> Split:
    """Split rows 70/15/15, every class in the same proportion: disjoint indices that cover every row.

    y (R,) are class indices of an integer dtype, >= 0, or real targets (R,) or (R, C); `rng`, a seed, Generator or
    None, chooses which rows of a class go where. TypeError if y holds neither; ValueError if it is empty, of another
    shape, negative or not finite, or a class has one or two rows.

    Largest-remainder rounding, twice. The three totals are R's shares; each class takes the floor of its own shares,
    and what is left over goes, one row a set, to the sets that are furthest from their totals. So a count is within one
    row of its share, and the totals are exact, except where a class of 3 to 6 rows must be given a row that it has no
    share for. Ties go to the set named first.

    Real targets are split as classes of 20 to 39 neighbours in their order, so that every set has small, middling and
    large ones: of several targets, in the order of the sum of their ranks, which no unit changes.

    >>> split = split_70_15_15(np.repeat([0, 1], 10), rng=0)
    >>> split.train.size, split.validation.size, split.test.size
    (14, 3, 3)
    >>> np.bincount(split_70_15_15(np.arange(40.0), rng=0).test // 20)
    array([3, 3])
    """
    if y.dtype.kind == "f":
        y = _neighbours(y)
    if not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"y must hold integer class indices or real targets, got {y.dtype}")
    if y.ndim != 1 or y.size == 0:
        raise ValueError(f"y must be (R,) with R >= 1, got shape {y.shape}")
    if int(y.min()) < 0:
        raise ValueError(f"class indices start at 0, got {y.min()}")
    generator = np.random.default_rng(rng)
    classes, sizes = np.unique(y, return_counts=True)
    counts = _rows_per_set(classes, sizes)
    parts: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for label, take in zip(classes, counts, strict=True):
        rows = generator.permutation(np.flatnonzero(y == label).astype(np.int64))
        for part, chunk in zip(parts, np.split(rows, np.cumsum(take)[:-1]), strict=True):
            part.append(chunk)
    return Split(*(np.concatenate(part) for part in parts))


def _neighbours(y: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Number runs of neighbours in the order of real targets, one number a row."""
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(f"real targets must be (R,) or (R, C), not empty, got shape {y.shape}")
    if not np.isfinite(y).all():
        raise ValueError("a target is NaN or infinite; replace or drop its row")
    rows = len(y)
    if rows < len(PERCENT):
        raise ValueError(f"there are {rows} rows, a 70/15/15 split needs 3: add rows")
    ranks = sum(np.unique(column, return_inverse=True)[1].reshape(-1) for column in y.reshape(rows, -1).T)
    groups = np.empty(rows, np.int64)
    groups[np.argsort(ranks, kind="stable")] = np.arange(rows) * max(1, rows // NEIGHBOURS) // rows
    return groups


def _rows_per_set(classes: NDArray[np.integer[Any]], sizes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Count the rows of each class (line) in each set (column)."""
    for label, size in zip(classes, sizes, strict=True):
        if size < len(PERCENT):
            raise ValueError(
                f"class {label} has {size} row{'s' * int(size != 1)}, a 70/15/15 split needs 3: "
                "add rows or drop the class"
            )
    # Integer hundredths: a share is size * percent / 100, and nothing is rounded on the way.
    shares = sizes.astype(np.int64)[:, None] * np.array(PERCENT, np.int64)
    counts = np.maximum(shares // 100, 1)
    counts[:, 0] -= np.maximum(counts.sum(axis=1) - sizes, 0)
    missing = _largest_remainder(int(sizes.sum())) - counts.sum(axis=0)
    # Gale and Ryser: serving each class from the sets that still miss most meets every total.
    for line, share, size in zip(counts, shares, sizes, strict=True):
        left = int(size - line.sum())
        order = np.lexsort((-(share % 100), -missing))
        line[order[:left]] += 1
        missing[order[:left]] -= 1
    return counts


def _largest_remainder(rows: int) -> NDArray[np.int64]:
    """Divide a number of rows by PERCENT into whole rows; equal remainders: the first set."""
    shares = rows * np.array(PERCENT, np.int64)
    totals = shares // 100
    order = np.argsort(-(shares % 100), kind="stable")
    totals[order[: rows - int(totals.sum())]] += 1
    return totals
