"""What training accepts as data, and how it scales its inputs.

Legend: R rows, K features, C classes; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class InputScaling:
    """Hold the map (x - offset) factor, feature by feature.

    Parameters
    ----------
    offset, factor : ndarray of float64, shape (K,)
        Real; no factor is 0.

    Examples
    --------
    >>> InputScaling(np.array([1.0]), np.array([0.5])).apply(np.array([[3.0]]))
    array([[1.]])
    """

    offset: NDArray[np.float64]
    factor: NDArray[np.float64]

    def apply(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled inputs, shape of x."""
        return np.asarray((x - self.offset) * self.factor)


def choose_input_scaling(x: NDArray[np.float64]) -> InputScaling:
    """Choose how to scale inputs before training.

    Parameters
    ----------
    x : ndarray of float64, shape (R, K)
        Training rows.

    Returns
    -------
    InputScaling
        For integers within 0..255 (counts, pixels): no offset and one common factor, so that 0 stays 0. Otherwise zero
        mean and unit variance, feature by feature; a constant feature keeps the factor 1 and becomes 0.

    Examples
    --------
    >>> choose_input_scaling(np.array([[0.0, 16.0], [4.0, 8.0]])).factor
    array([0.0625, 0.0625])
    """
    width = x.shape[1]
    largest = x.max()
    if x.min() >= 0 and largest <= 255 and (x == np.rint(x)).all():
        return InputScaling(np.zeros(width), np.full(width, 1.0 / (largest or 1.0)))
    offset, spread = x.mean(axis=0), x.std(axis=0)
    # A constant feature has a spread of 0 or a few rounding errors of its mean.
    constant = spread <= 1e-12 * np.abs(offset)
    return InputScaling(offset, 1.0 / np.where(constant | (spread < 1e-150), 1.0, spread))


def checked_inputs(x: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return inputs as float64, or say what is wrong with them.

    Parameters
    ----------
    x : array of real numbers, shape (R, K)
        Inputs.
    name : str
        For messages.

    Returns
    -------
    ndarray of float64, shape (R, K)
        Finite values.

    Raises
    ------
    TypeError
        If x is not real numbers.
    ValueError
        If it is not a matrix, is empty, or contains NaN or infinity.

    Examples
    --------
    >>> checked_inputs([[1, 2]], "x")
    array([[1., 2.]])
    """
    given = np.asarray(x)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {given.dtype}; it must be real numbers")
    if given.ndim != 2 or 0 in given.shape:
        raise ValueError(f"{name} has shape {given.shape}; it must be (rows, features), neither of them 0")
    values = given.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = bad[0]
        raise ValueError(f"{name} is {values[row, column]} at row {row}, column {column}; remove or replace it")
    return values


def checked_targets(
    y: ArrayLike, rows: int, loss: str, losses: Iterable[str], *, every_class: bool = True
) -> tuple[NDArray[Any], int]:
    """Return targets and the number of outputs they ask for, or say what is wrong with them.

    Parameters
    ----------
    y : array of int, shape (R,), or of float, shape (R, C)
        Class indices, or real targets for "squared_error".
    rows : int
        R.
    loss : str
        Name of the loss.
    losses : iterable of str
        Known names.
    every_class : bool
        Refuse a class without a row, as the training set must.

    Returns
    -------
    y : ndarray of int64 (R,) or float64 (R, C)
        Targets.
    outputs : int
        C.

    Raises
    ------
    TypeError
        If class indices are not integers, or targets not real numbers.
    ValueError
        If the loss is unknown, the length is not R, a class is negative or missing, there is one class only, or a
        target is not finite.

    Examples
    --------
    >>> checked_targets([0, 1, 1], 3, "softmax_cross_entropy", ["softmax_cross_entropy"])
    (array([0, 1, 1]), 2)
    """
    known = list(losses)
    if loss not in known:
        raise ValueError(f"unknown loss {loss!r}; known: {', '.join(known)}")
    given = np.asarray(y)
    if len(given.shape) == 0 or given.shape[0] != rows:
        raise ValueError(f"y has shape {given.shape}; it must have one entry for each of the {rows} rows")
    if loss == "squared_error":
        values = checked_inputs(given[:, None] if given.ndim == 1 else given, "y")
        return values, values.shape[1]
    if given.dtype.kind not in "iu" or given.ndim != 1:
        raise TypeError(
            f"y has dtype {given.dtype} and {given.ndim} axes; classes are integers of shape (R,): "
            "np.unique(y, return_inverse=True)[1] numbers them"
        )
    if given.min() < 0:
        raise ValueError(f"y contains {given.min()}; classes are numbered from 0")
    classes = np.bincount(given.astype(np.int64))
    if every_class and (len(classes) < 2 or (classes == 0).any()):
        missing = "there is only one class" if len(classes) < 2 else f"class {int(np.argmin(classes))} has no row"
        raise ValueError(f"{missing}; number the classes 0..C-1 with np.unique(y, return_inverse=True)[1]")
    return given.astype(np.int64), len(classes)
