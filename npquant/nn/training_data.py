"""What training accepts as data, and the scaling that it folds into the first and the last layer.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs, y (R,) class indices or (R, C) real targets;
o offset, d divisor: a scaled value is (value - o) / d. Label F8 is derived in docs/nn.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npquant.arrays import Float64, Real
from npquant.nn.losses import LABEL_LOSSES

# Rows that are scaled at a time in float64, so that a large integer set is never held in float64 whole.
_BLOCK_ROWS = 4096
# Largest value of a set of integers that counts as pixels or counts of one unit.
_LARGEST_PIXEL = 255


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Hold the map (value - o) / d, column by column (F8).

    Parameters
    ----------
    o, d : ndarray of float64, shape (K,)
        Real; no d is 0.

    Examples
    --------
    >>> Scaling(np.array([1.0]), np.array([2.0])).apply(np.array([[3.0]]), np.float32)
    array([[1.]], dtype=float32)
    """

    o: Float64
    d: Float64

    def apply(self, values: NDArray[Any], dtype: DTypeLike) -> Real:
        """Return the scaled values: float64 arithmetic, one rounding to dtype."""
        scaled = np.empty(values.shape, dtype)
        for at in range(0, len(values), _BLOCK_ROWS):
            scaled[at : at + _BLOCK_ROWS] = (values[at : at + _BLOCK_ROWS] - self.o) / self.d
        return scaled

    def fold_into_first(self, w: Real, b: Real) -> tuple[Float64, Float64]:
        """Return the layer that takes raw inputs (F8): ((x - o) / d) w + b = x (w / d) + (b - (o / d) w)."""
        wide = w.astype(np.float64)
        return wide / self.d[:, None], b - (self.o / self.d) @ wide

    def unfold_from_first(self, w: Real, b: Real) -> tuple[Float64, Float64]:
        """Return the layer that takes scaled inputs: x w + b = ((x - o) / d) (d w) + (b + o w)."""
        wide = w.astype(np.float64)
        return wide * self.d[:, None], b + self.o @ wide

    def fold_into_last(self, w: Real, b: Real) -> tuple[Float64, Float64]:
        """Return the layer that gives raw outputs: d (a w + b) + o = a (w d) + (b d + o)."""
        return w * self.d, b * self.d + self.o

    def unfold_from_last(self, w: Real, b: Real) -> tuple[Float64, Float64]:
        """Return the layer that gives scaled outputs."""
        return w / self.d, (b - self.o) / self.d


def choose_input_scaling(x: NDArray[Any], dtype: DTypeLike) -> Scaling:
    """Choose how to scale inputs before training.

    Parameters
    ----------
    x : ndarray of real numbers, shape (R, K)
        Training rows.
    dtype : float32 or float64
        In which the trained network will take raw inputs.

    Returns
    -------
    Scaling
        For whole numbers within 0..255 (pixels, counts): o = 0 and one common d, the largest value, so that 0 stays 0.
        Otherwise the mean and the standard deviation of each feature; a constant feature has d = 1 and becomes 0.

    Raises
    ------
    ValueError
        If a feature varies less than dtype can tell at its size, or so little or so much that its d has no place there.

    Examples
    --------
    >>> choose_input_scaling(np.array([[0, 16], [4, 8]]), np.float32).d
    array([16., 16.])
    >>> choose_input_scaling(np.array([[0.5, 3.0], [1.5, 3.0]]), np.float32).d
    array([0.5, 1. ])
    """
    width, largest = x.shape[1], x.max()
    if x.min() >= 0 and largest <= _LARGEST_PIXEL and (x.dtype.kind in "iu" or bool((x == np.rint(x)).all())):
        return Scaling(np.zeros(width), np.full(width, float(largest) or 1.0))
    constant = x.min(axis=0) == x.max(axis=0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        o, d = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
        size = np.abs(x).max(axis=0)
    o, d = np.where(constant, x[0], o), np.where(constant, 1.0, d)
    info = np.finfo(dtype)
    # Rounding raw inputs to dtype moves them by up to eps / 2 of their size: a percent of the spread is too much.
    blurred = ~constant & (d < 50 * float(info.eps) * size)
    # Beyond this, w / d or the bias could leave dtype.
    extreme = ~((d > np.sqrt(float(info.tiny))) & (d < np.sqrt(float(info.max))) & (np.abs(o) < np.sqrt(info.max)))
    if (blurred | extreme).any():
        k = int(np.argmax(blurred | extreme))
        raise ValueError(
            f"feature {k} of x has the mean {o[k]:.6g} and the spread {d[k]:.6g}, which {info.dtype} cannot tell well; "
            "subtract its mean and divide by its spread before training"
        )
    return Scaling(o, d)


def choose_target_scaling(y: Float64, dtype: DTypeLike) -> Scaling:
    """Choose how to scale real targets: the mean of each output, and one common divisor.

    Parameters
    ----------
    y : ndarray of float64, shape (R, C)
        Targets.
    dtype : float32 or float64
        In which the trained network will give raw outputs.

    Returns
    -------
    Scaling
        d is the root of the mean variance, the same for all outputs, so that the squared error is only multiplied by a
        constant; 1 where no output varies.

    Raises
    ------
    ValueError
        If a target's square leaves dtype.

    Examples
    --------
    >>> choose_target_scaling(np.array([[1.0], [5.0]]), np.float32).d
    array([2.])
    """
    limit = float(np.sqrt(float(np.finfo(dtype).max))) / 2
    if np.abs(y).max() > limit:
        raise ValueError(f"a target is {np.abs(y).max():.6g} in size; divide y so that it stays below {limit:.6g}")
    o = y.mean(axis=0)
    d = float(np.sqrt(np.mean((y - o) ** 2)))
    return Scaling(o, np.full(y.shape[1], d or 1.0))


def checked_inputs(x: ArrayLike, name: str, width: int | None = None) -> NDArray[Any]:
    """Return inputs as an array, or say what is wrong with them.

    Parameters
    ----------
    x : array of real numbers, shape (R, K)
        Inputs.
    name : str
        For messages.
    width : int, optional
        K that the inputs must have.

    Returns
    -------
    ndarray of int or float, shape (R, K)
        Finite values, not copied; booleans become 0 and 1.

    Raises
    ------
    TypeError
        If x is not real numbers.
    ValueError
        If it is not a matrix of that width, is empty, or contains NaN or infinity.

    Examples
    --------
    >>> checked_inputs([[1, 2]], "x")
    array([[1, 2]])
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
    """Return targets as an array, or say what is wrong with them.

    Parameters
    ----------
    y : array of int, shape (R,), or of real numbers, shape (R, C) or (R,)
        Class indices for "softmax_cross_entropy", real targets for "squared_error".
    rows : int
        R.
    loss : str
        Name of the loss.
    name : str
        For messages.
    outputs : int, optional
        C that is given. Without it, C is told from y, and every class 0..C-1 needs a row.

    Returns
    -------
    ndarray of int64, shape (R,), or of float64, shape (R, C)
        Targets.

    Raises
    ------
    TypeError
        If class indices are not integers, or targets not real numbers.
    ValueError
        If the loss is unknown, the shape does not fit, a class is missing or out of range, there is only one class, or
        a target is not finite.

    Examples
    --------
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
    if given.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {given.dtype}; classes must be integers: {_renumber(name)}")
    if given.ndim != 1:
        raise ValueError(f"{name} has shape {given.shape}; it must be (R,): np.argmax({name}, axis=1) of one-hot rows")
    _check_classes(np.unique(given), name, outputs)
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
