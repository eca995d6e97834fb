"""What quantize, prune and finetune start from: a float network's file, and the rows that it is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.matching import facts_of
from npquant.data.sets import CALIBRATION_ROWS, Sets
from npquant.files.facts import Facts
from npquant.measure.evaluate import in_float64
from npquant.nn.model import FloatMLP
from npquant.workflow.float_model import (
    bundled_network,
    bundled_record,
    fit_classes,
    import_notes,
    load_matched_sets,
    read_float,
)

_FIX: Final = "start from a float one, as in float.npz"


@dataclass(frozen=True, slots=True, eq=False)
class StartingNetwork:
    """A float network as its file holds it, the split rows, and those of the training rows that a method looks at."""

    path: str
    model: FloatMLP
    floating: FloatMLP  # the same in float64, where no order of a sum decides a code
    sets: Sets
    x_calibration: NDArray[Any]
    notes: tuple[str, ...]
    facts: Facts  # what the file knows of the data, or else what is known of these rows

    @property
    def data(self) -> dict[str, Any]:
        """The rows, as reports describe them; the test rows stay sealed."""
        entry = self.sets.to_json()
        return {**entry, "rows": {**entry["rows"], "calibration": len(self.x_calibration)}}


def load_start(
    path: str,
    *,
    data: str | None,
    rows: int | None,
    seed: int,
    activations: str | tuple[str, ...] | None = None,
    target: str | int | None = None,
    missing: str | None = None,
) -> StartingNetwork:
    """Load the network in the file `path` and the rows of the user's `data` (None: the bundled digits); they must fit.

    The file is one that `npquant.load` takes; `activations` are those of a file that does not say. `target` and
    `missing` are what `npquant.data.datasets.load_dataset` is told of the data.
    Columns and classes are brought into the order that the file knows, by name.
    `rows` are training rows to look at (None: those that `npquant run` takes); `seed` chooses the split, as in
    `npquant run`, and the order of the rows. OSError if a file cannot be read; ValueError if the file holds no float
    network, the data cannot be used, they do not fit by number or name, or the seed or the number of rows is out of
    range.

    >>> from importlib import resources
    >>> path = resources.files("npquant.data") / "bundled" / "digits_float.npz"
    >>> start = load_start(str(path), data=None, rows=200, seed=0)
    >>> start.model.neurons, start.x_calibration.shape, start.notes
    ((64, 32, 10), (200, 64), ())
    """
    if seed < 0:
        raise ValueError(f"the seed is {seed}; give a whole number of at least 0 with --seed")
    model, found = read_float(path, activations, _FIX)
    sets, matched = load_matched_sets(data, seed, found.facts, path, target=target, missing=missing)
    model, notes = fit_classes(path, model, sets, "give matching --data")
    x = _calibration_rows(sets, rows, seed)
    return StartingNetwork(
        path,
        model,
        in_float64(model),
        sets,
        x,
        (*import_notes(path, found), *sets.dataset.notes, *notes, *matched, *_notes(model, sets, seed)),
        facts_of(sets.dataset, found.facts),
    )


def load_float(path: str, activations: str | tuple[str, ...] | None = None) -> FloatMLP:
    """Load path, as `load_start` does with its activations; ValueError if it holds another network than a float one."""
    return read_float(path, activations, _FIX)[0]


def same_network(a: FloatMLP, b: FloatMLP) -> bool:
    """Say whether two networks a and b hold the same numbers in the same types, whichever files they came from."""
    if len(a.layers) != len(b.layers):
        return False
    return all(
        x.activation == y.activation
        and x.w.dtype == y.w.dtype
        and np.array_equal(x.w, y.w)
        and np.array_equal(x.b, y.b)
        for x, y in zip(a.layers, b.layers, strict=True)
    )


def _calibration_rows(sets: Sets, count: int | None, seed: int) -> NDArray[Any]:
    """Return the first of the shuffled training rows; without a number those that `npquant run` takes."""
    if count is None:
        return sets.x_calibration
    train = sets.split.train
    if not 1 <= count <= len(train):
        raise ValueError(
            f"--rows asks for {count} rows; the training part of the data has {len(train)}, give 1 or more"
        )
    rows: NDArray[Any] = sets.dataset.x[np.random.default_rng([seed, CALIBRATION_ROWS]).permutation(train)[:count]]
    return rows


def _notes(model: FloatMLP, sets: Sets, seed: int) -> tuple[str, ...]:
    """Say what is not known of a network's training rows, unless it is the bundled one, whose rows are known."""
    known = sets.split.sha256 == bundled_record()["split_sha256"] and same_network(model, bundled_network())
    what = "accuracy flatters" if sets.dataset.kind == "classes" else "errors flatter"
    note = f"Split by seed {seed}: {what} a network that was trained on another split."
    return () if known else (note,)
