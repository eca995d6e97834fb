"""Rows, 6 of 6 (step 2 of a run): the three sets of rows, of which the test set opens once.

Letters: R rows, K features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.dataset import Dataset
from npquant.data.datasets import labelled_rows, load_optdigits
from npquant.data.encoding import Encoding, way_of
from npquant.data.labelled import encoded_dataset, with_notes
from npquant.data.notes import leak_note
from npquant.data.split import Split, split_70_15_15

# More calibration rows change KL by a few per cent, and cost time in proportion.
CALIBRATION_ROWS: Final = 2048


class SealedRows:
    """Hold rows that can be looked at once: what chooses on them cannot also be judged on them."""

    def __init__(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        self._rows: tuple[NDArray[Any], NDArray[Any]] | None = (x, y)
        self.count = len(y)

    def open(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Hand out the rows, once; RuntimeError the second time."""
        if self._rows is None:
            raise RuntimeError("the test set was opened before; judge everything in one opening")
        rows, self._rows = self._rows, None
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """Hold training, validation, calibration (a part of training) and sealed test rows of a data set."""

    dataset: Dataset
    split: Split
    calibration: NDArray[np.int64]
    test: SealedRows

    @property
    def train(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Training rows, and their classes or targets."""
        return self.dataset.x[self.split.train], self.dataset.y[self.split.train]

    @property
    def validation(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Validation rows, and their classes or targets."""
        return self.dataset.x[self.split.validation], self.dataset.y[self.split.validation]

    @property
    def outputs(self) -> int:
        """Outputs that a network for this data has: one a class, or one a target."""
        data = self.dataset
        return len(data.class_names) if data.kind == "classes" else int(np.prod(data.y.shape[1:]))

    @property
    def x_calibration(self) -> NDArray[Any]:
        """The training rows that quantization and pruning look at."""
        return self.dataset.x[self.calibration]

    def to_json(self) -> dict[str, Any]:
        """Describe the data as the report does."""
        data, split = self.dataset, self.split
        counts = {"train": split.train.size, "validation": split.validation.size, "test": self.test.count}
        return {
            "name": data.name,
            "source": data.source,
            "kind": data.kind,
            "features": data.x.shape[1],
            "classes": len(data.class_names),
            "label": {"name": data.label_name, "column": data.label_column, "how": data.label_how},
            "class_names": list(data.class_names),
            "rows": {"total": len(data.y), **counts, "calibration": self.calibration.size},
            "split_sha256": split.sha256,
            "points_per_row": {name: 100 / counts[name] for name in ("validation", "test")},
            "notes": list(data.notes),
        }


def load_sets(
    path: str | None,
    seed: int,
    *,
    target: str | int | None = None,
    missing: str | None = None,
    encoding: Encoding | None = None,
    usual: str | None = None,
) -> Sets:
    """Load the data set at a `path` (None: the bundled digits) and split it 70/15/15, stratified.

    The `seed` chooses the split and, apart from it, at most 2,048 training rows to calibrate on; `target` names the
    label, `missing` says what to do with missing cells, and `encoding` is that of an earlier table, as `load_dataset`
    has them, whose label was `usual`. Without one, categories and fills are those of the training rows. OSError or
    ValueError as `load_dataset` and `split_70_15_15`.

    >>> load_sets(None, 0).to_json()["rows"]
    {'total': 1797, 'train': 1258, 'validation': 270, 'test': 269, 'calibration': 1258}
    """
    if path is None:
        if target is not None or missing is not None:
            raise ValueError("--label and --missing speak of a table: name it with --data")
        return split_sets(load_optdigits(), seed)
    missing = way_of(missing, encoding)
    found = labelled_rows(path, target, missing, usual=usual)
    split = split_70_15_15(found.targets.y, rng=seed)
    dataset, digests = encoded_dataset(found, split.train, missing, encoding)
    return _sets(with_notes(dataset, leak_note(digests, split)), split, seed)


def split_sets(dataset: Dataset, seed: int) -> Sets:
    """Split a `dataset` as `load_sets` does with its `seed`."""
    return _sets(dataset, split_70_15_15(dataset.y, rng=seed), seed)


def _sets(dataset: Dataset, split: Split, seed: int) -> Sets:
    # Shuffled, so that the first rows are a sample of all, however the file was ordered.
    calibration = np.random.default_rng([seed, CALIBRATION_ROWS]).permutation(split.train)[:CALIBRATION_ROWS]
    return Sets(dataset, split, calibration, SealedRows(dataset.x[split.test], dataset.y[split.test]))
