"""Training, 2 of 10: the rows, checked once at the door; what cannot be trained on is named.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs; y (R,) class indices for the loss
"softmax_cross_entropy", or (R, C) real targets for "squared_error"; name what messages call them. Messages name the
first thing that is wrong, and the fix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.nn.losses import LABEL_LOSSES
from npquant.nn.settings import TrainingSettings

Validation = tuple[ArrayLike, ArrayLike]


def checked_inputs(x: ArrayLike, name: str, width: int | None = None) -> NDArray[Any]:
    """Return finite inputs (R, K) of int or float, not copied; booleans become 0 and 1.

    TypeError if x is not real numbers; ValueError if it is not a matrix (of `width` columns, where that is given), is
    empty, or contains NaN or infinity.

    >>> checked_inputs([[True, False]], "x")
    array([[1, 0]], dtype=uint8)
    """
    given = np.asarray(x)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {given.dtype}; it must be real numbers")
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"{name} has shape {given.shape}; it must be (rows, features), neither of them 0")
    if width is not None and given.shape[1] != width:
        raise ValueError(f"{name} has {given.shape[1]} columns; it must have {width}")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        row, column = np.argwhere(~np.isfinite(given))[0]
        raise ValueError(f"{name} is {given[row, column]} at row {row}, column {column}; remove or replace it")
    return given.astype(np.uint8) if given.dtype.kind == "b" else given


def checked_targets(y: ArrayLike, rows: int, loss: str, name: str, outputs: int | None = None) -> NDArray[Any]:
    """Return targets for R = `rows`: int64 (R,) of classes, or float64 (R, C); real targets (R,) become (R, 1).

    C is `outputs` where that is given; without it C is told from y, and every class 0..C-1 needs a row. TypeError if
    classes are not integers, or targets not real numbers; ValueError if the loss is unknown, the shape does not fit, a
    class is missing or out of range, there is only one class, or a target is not finite.

    >>> checked_targets([0, 1, 1], 3, "softmax_cross_entropy", "y")
    array([0, 1, 1])
    """
    if loss not in LABEL_LOSSES:
        raise ValueError(f"unknown loss {loss!r}; known: {', '.join(LABEL_LOSSES)}")
    given = np.asarray(y)
    if given.ndim == 0 or given.shape[0] != rows:
        raise ValueError(f"{name} has shape {given.shape}; it must have one entry for each of the {rows} rows")
    if loss == "squared_error":
        values = checked_inputs(given[:, None] if given.ndim == 1 else given, name, outputs)
        return values.astype(np.float64)
    if given.dtype.kind == "f":
        raise TypeError(
            f'{name} has dtype {given.dtype}, real numbers: for regression give loss="squared_error"; classes must be '
            f"integers: {_renumber(name)}"
        )
    if given.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {given.dtype}; classes must be integers: {_renumber(name)}")
    if given.ndim != 1:
        raise ValueError(f"{name} has shape {given.shape}; it must be (R,): np.argmax({name}, axis=1) of one-hot rows")
    try:
        _check_classes(np.unique(given), name, outputs)
    except ValueError as error:
        raise ValueError(f'{error}; for regression give loss="squared_error"') from None
    return given.astype(np.int64)


def _check_classes(present: NDArray[np.integer], name: str, outputs: int | None) -> None:
    """Check the sorted classes that occur: a range for a given C, or else 0..C-1 without a gap."""
    if present[0] < 0:
        raise ValueError(f"{name} contains {present[0]}; classes are numbered from 0: {_renumber(name)}")
    if outputs is not None:
        if present[-1] >= outputs:
            raise ValueError(f"{name} contains class {present[-1]}; there are only the classes 0..{outputs - 1}")
        return
    gap = np.flatnonzero(present != np.arange(len(present), dtype=present.dtype))
    if len(gap):
        raise ValueError(f"class {gap[0]} has no row in {name}, but class {present[-1]} has: {_renumber(name)}")
    if len(present) < 2:
        raise ValueError(f"{name} has only one class; a classifier needs rows of at least two")


def _renumber(name: str) -> str:
    return f"classes, {name.split()[-1]} = np.unique({name.split()[-1]}, return_inverse=True) numbers them 0..C-1"


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """Hold checked raw rows, and the validation rows beside them."""

    x: NDArray[Any]  # real, (R, K)
    y: NDArray[Any]  # classes int64 (R,); target probabilities (F12) or real targets, float (R, C)
    held_out: tuple[NDArray[Any], NDArray[Any]] | None  # validation x and y
    outputs: int  # C


def check_training_rows(
    x: ArrayLike,
    y: ArrayLike,
    validation: Validation | None,
    settings: TrainingSettings,
    shape: tuple[int, int] | None,
) -> TrainingRows:
    """Check training rows and the `validation` pair (x, y); arrays that can be used as they are are not copied.

    The loss of the settings says what y is, their patience needs validation rows; `shape` (K, C) is that of the
    network, where one is given. TypeError or ValueError if a set cannot be trained on, or does not fit the network.

    >>> settings = TrainingSettings(1, "softmax_cross_entropy", "adam", 0.1, 1, 0.9, 0.0, None)
    >>> check_training_rows([[1.0], [2.0]], [0, 1], None, settings, None).outputs
    2
    """
    width, outputs = shape or (None, None)
    inputs = checked_inputs(x, "x", width)
    targets = checked_targets(y, len(inputs), settings.loss, "y", outputs)
    if outputs is None:
        outputs = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    if validation is None:
        if settings.patience is not None:
            raise ValueError("patience needs a validation set: give validation=(x, y)")
        return TrainingRows(inputs, targets, None, outputs)
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        raise TypeError("validation must be a pair (x, y)")
    held_x = checked_inputs(validation[0], "validation x", inputs.shape[1])
    held_y = checked_targets(validation[1], len(held_x), settings.loss, "validation y", outputs)
    return TrainingRows(inputs, targets, (held_x, held_y), outputs)
