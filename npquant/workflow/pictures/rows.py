"""What the data set says about itself, in numbers.

Legend: sets the three sets of rows; y_test the targets of the test rows, opened by now; shape of the pictures that rows
are, or None.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.notes import row_digests
from npquant.data.sets import Sets
from npquant.workflow.pictures.pixels import in_levels

_VALUES: Final = 4_000_000  # of all rows, in which identical ones are looked for
_MEANS: Final = 20  # classes with a mean picture


def row_pictures(sets: Sets, y_test: NDArray[Any], shape: tuple[int, int] | None) -> dict[str, Any]:
    """Describe rows, features and classes: of classes their rows by set, of pictures the mean one by class."""
    x = sets.dataset.x
    classes = len(sets.dataset.class_names)
    parts = {"train": sets.train[1], "validation": sets.validation[1], "test": y_test}
    counted = {name: np.bincount(y, minlength=classes).tolist() for name, y in parts.items()} if classes else None
    return {
        "range": [float(x.min()), float(x.max())],
        "zeros": float(np.count_nonzero(x == 0) / x.size),
        "constant_features": int(np.count_nonzero(np.ptp(x, axis=0) == 0)),
        "duplicate_rows": len(x) - len(set(row_digests(x))) if x.size <= _VALUES else None,
        "class_rows": counted,
        "class_means": _means(sets, classes) if shape and classes <= _MEANS else None,
    }


def _means(sets: Sets, classes: int) -> list[str] | None:
    x, y = sets.train
    largest = float(sets.dataset.x.max())
    found = [x[y == label] for label in range(classes)]
    if not all(map(len, found)):
        return None
    return [in_levels(rows.mean(axis=0, dtype=np.float64), largest) for rows in found]
