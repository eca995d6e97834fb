"""Rows, the data set: checked features and targets, and all that is known of where they come from.

Letters: R rows, K features, C classes (or outputs, of real targets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from npquant.data.encoding import Encoding

_STORED: Final = ("float32", "uint8", "int8", "uint16", "int16")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Hold rows with their classes or real targets; arrays are read-only.

    Attributes
    ----------
    x : ndarray, (R, K)
        Real values, finite: float32, or uint8, int8, uint16, int16 as stored, so that an input quantizer of scale 1 is
        exact.
    y : int64 (R,), or float64 (R,) or (R, C)
        Class indices in [0, C); of kind "real" the targets themselves, finite.
    class_names : tuple of str
        C >= 2 names; none of kind "real".
    feature_names : tuple of str
        K names; a category of a column of text is called "month=Jan".
    name, source : str
        What to call the set, and where it comes from.
    kind : {"classes", "real"}
        What y holds.
    label_name, label_column, label_how : str, int or None, str
        What the label is called, which column of the file it was (None: it was none), and why it was taken.
    encoding : Encoding or None
        What each column of the file became; `load_dataset` takes it for the next file.
    notes : tuple of str
        What a reader should know of the rows, a sentence each.

    Raises
    ------
    TypeError
        If x or y is of another type.
    ValueError
        If shapes do not fit or are empty, a value is not finite, or a class index is out of range.

    Notes
    -----
    The arrays are copied, unless nobody can write into them: read-only, and no view of another.

    Examples
    --------
    >>> data = Dataset(np.array([[1], [2]], np.uint8), np.array([0, 1]), ("no", "yes"), ("size",), "two", "here")
    >>> data.kind, data.class_names[data.y[1]], data.x.flags.writeable
    ('classes', 'yes', False)
    """

    x: NDArray[Any]
    y: NDArray[Any]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    name: str
    source: str
    kind: Literal["classes", "real"] = "classes"
    label_name: str = "label"
    label_column: int | None = None
    label_how: str = "as it was given"
    encoding: Encoding | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check and freeze."""
        real = self.kind == "real"
        fits = self.y.dtype == np.float64 if real else np.issubdtype(self.y.dtype, np.integer)
        if self.x.dtype not in _STORED or not fits:
            wanted = "float64" if real else "int64"
            raise TypeError(f"x must be one of {_STORED}, y {wanted}: {self.x.dtype}, {self.y.dtype}")
        x, y = _own(self.x), np.array(self.y, np.float64 if real else np.int64)
        shapes = (x.shape[:1], (*x.shape[:1], y.shape[-1] if y.ndim else 0)) if real else (x.shape[:1],)
        if x.ndim != 2 or 0 in x.shape or y.shape not in shapes or y.size == 0:
            raise ValueError(f"x must be (R, K) and y (R,), not empty: got {x.shape} and {y.shape}")
        if not np.all(np.isfinite(x)):
            raise ValueError("x holds NaN or inf; replace or drop those rows")
        self._check_targets(y)
        if len(self.feature_names) != x.shape[1]:
            raise ValueError(f"{x.shape[1]} features, but {len(self.feature_names)} names")
        for field, values in (("x", x), ("y", y)):
            values.flags.writeable = False
            object.__setattr__(self, field, values)

    def _check_targets(self, y: NDArray[Any]) -> None:
        if self.kind == "real":
            if not np.all(np.isfinite(y)) or self.class_names:
                raise ValueError("real targets must be finite, and have no class names")
        elif len(self.class_names) < 2 or y.min() < 0 or y.max() >= len(self.class_names):
            raise ValueError(
                f"y must lie in [0, C) with C >= 2 class names: it spans [{y.min()}, {y.max()}], "
                f"the names are {len(self.class_names)}"
            )


def _own(x: NDArray[Any]) -> NDArray[Any]:
    """Return x where nobody can write into it, else a copy."""
    alone = not x.flags.writeable and x.flags.owndata and x.flags.c_contiguous
    return x if alone else np.array(x, order="C")
