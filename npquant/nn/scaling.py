"""Training, 3 of 10: the scaling of both ends, chosen from the rows and folded into the first and the last layer.

Legend: R rows, K features, C outputs; x (R, K) raw real inputs, y (R, C) real targets; o offset, d divisor: a scaled
value is (value - o) / d; w (K, N) and b (N,) of the first or the last layer; dtype that of the network, float32 or
float64, in which it takes and gives raw values. Label F8 is derived in docs/nn.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from npquant.arrays import Float64, Real
from npquant.nn.layers import Parameters
from npquant.nn.training_rows import TrainingRows

# Rows that are scaled at a time in float64, so that a large integer set is never held in float64 whole.
_BLOCK_ROWS = 4096
# Largest value of a set of whole numbers that counts as pixels or counts of one unit.
_LARGEST_PIXEL: Final = 255
# Pixels: how much of the largest value the standard deviation of a column must be, in few columns and in an image's
# many; how many make an image; which share of them may be border, in which share of the rows border must be 0, and in
# which a column that has one other value only, as a flag has.
_FEW_SPREAD: Final = 1 / 8
_IMAGE_SPREAD: Final = 1 / 20
_IMAGE_COLUMNS: Final = 16
_BORDER: Final = 1 / 3
_BORDER_ZEROS: Final = 3 / 4
_FLAG_ZEROS: Final = 19 / 20


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """F8. (value - o) / d, column by column.

    >>> Scaling(np.array([1.0]), np.array([2.0])).apply(np.array([[3.0]]), np.float32)
    array([[1.]], dtype=float32)
    """

    o: Float64  # (K,)
    d: Float64  # (K,), never 0

    def apply(self, values: NDArray[Any], dtype: DTypeLike) -> Real:
        """Return the scaled values: float64 arithmetic, one rounding to dtype."""
        scaled = np.empty(values.shape, dtype)
        for at in range(0, len(values), _BLOCK_ROWS):
            scaled[at : at + _BLOCK_ROWS] = (values[at : at + _BLOCK_ROWS] - self.o) / self.d
        return scaled

    def fold_into_first(self, w: Real, b: Real) -> tuple[Float64, Float64]:
        """F8. Return the layer that takes raw inputs: ((x - o) / d) w + b = x (w / d) + (b - (o / d) w)."""
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
        """Return the layer that gives scaled outputs: w / d and (b - o) / d."""
        return w / self.d, (b - self.o) / self.d


class FeatureError(ValueError):
    """Say that a feature cannot be scaled: `feature` is its column in x, `reason` what is wrong and the fix."""

    def __init__(self, feature: int, reason: str) -> None:
        super().__init__(f"feature {feature} of x {reason}")
        self.feature = feature
        self.reason = reason


def are_pixels(x: NDArray[Any]) -> bool:
    """Tell pixels, and counts of one unit, from features of several: whole numbers in 0..255, of columns alike in size.

    Alike: each column that varies starts in the lowest quarter of 0..L, L the largest value, and has a standard
    deviation of L / 8. Of 16 columns or more L / 20 is enough, and a third of them may have less where they are 0 in
    three rows of four (19 of 20 with one other value), as the border of an image is. Flags beside ages have neither.

    >>> are_pixels(np.array([[0, 16], [8, 4]])), are_pixels(np.array([[41, 1], [80, 0]]))
    (True, False)
    """
    largest = float(x.max())
    whole = x.dtype.kind in "iu" or bool((x == np.rint(x)).all())
    if not (whole and x.min() >= 0 and largest <= _LARGEST_PIXEL):
        return False
    lowest = x.min(axis=0)
    varying = lowest < x.max(axis=0)
    if (lowest[varying] > largest / 4).any():
        return False
    spread = _standard_deviations(x)[varying] / max(largest, 1.0)
    if len(spread) < _IMAGE_COLUMNS:
        return bool((spread >= _FEW_SPREAD).all())
    faint = np.flatnonzero(varying)[spread < _IMAGE_SPREAD]
    return len(faint) <= _BORDER * len(spread) and _is_border(x[:, faint])


def _is_border(x: NDArray[Any]) -> bool:
    """Tell columns of next to no light from flags and counts that are as small."""
    zeros = (x == 0).mean(axis=0)
    levels = ((x > 0) & (x < x.max(axis=0))).any(axis=0)
    return bool((zeros >= np.where(levels, _BORDER_ZEROS, _FLAG_ZEROS)).all())


def _standard_deviations(x: NDArray[Any]) -> Float64:
    """Return those of columns of whole numbers in 0..255, whose sums are exact: (mean of x^2) - (mean of x)^2."""
    sums, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for at in range(0, len(x), _BLOCK_ROWS):
        block = x[at : at + _BLOCK_ROWS].astype(np.float64)
        sums += block.sum(axis=0)
        squares += (block * block).sum(axis=0)
    # Both means round by less than eps 255^2, far below the (1 / 20)^2 that the smallest limit can be.
    return np.asarray(np.sqrt(np.maximum(squares / len(x) - (sums / len(x)) ** 2, 0.0)))


def choose_input_scaling(x: NDArray[Any], dtype: DTypeLike) -> Scaling:
    """Choose how to scale inputs: pixels and counts by their largest value, other features by mean and spread.

    What `are_pixels` says to be such gets o = 0 and one common d, the largest value (1 where that is 0): 0 stays 0.
    Other features get their mean and standard deviation; a constant one has d = 1 and becomes 0. FeatureError if a
    feature varies less than dtype can tell at its size, or so little or so much that its d has no place there.

    >>> choose_input_scaling(np.array([[0, 16], [8, 4]]), np.float32).d
    array([16., 16.])
    >>> choose_input_scaling(np.array([[0.5, 3.0], [1.5, 3.0]]), np.float32).d
    array([0.5, 1. ])
    """
    if are_pixels(x):
        return Scaling(np.zeros(x.shape[1]), np.full(x.shape[1], float(x.max()) or 1.0))
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
        raise FeatureError(
            k,
            f"has the mean {o[k]:.6g} and the spread {d[k]:.6g}, which {info.dtype} cannot tell well; "
            "subtract its mean and divide by its spread before training",
        )
    return Scaling(o, d)


def choose_target_scaling(y: Float64, dtype: DTypeLike) -> Scaling:
    """Choose how to scale real targets: the mean and the spread of each output.

    Each output counts by its own spread, whatever its unit: with one common d an output of 0..2 pi beside one of 0..95
    was left half learned. A constant output has d = its size (1 where that is 0). ValueError if a target's square
    leaves dtype, or an output varies less than dtype can tell at its size, or too little for its weights.

    >>> choose_target_scaling(np.array([[1.0, 7.0], [5.0, 7.0]]), np.float32).d
    array([2., 7.])
    """
    info = np.finfo(dtype)
    limit, size = float(np.sqrt(float(info.max))) / 2, np.abs(y).max(axis=0)
    if size.max() > limit:
        raise ValueError(f"a target is {size.max():.6g} in size; divide y so that it stays below {limit:.6g}")
    constant = y.min(axis=0) == y.max(axis=0)
    o, d = np.where(constant, y[0], y.mean(axis=0)), y.std(axis=0)
    d = np.where(constant, np.where(size > 0, size, 1.0), d)
    # A weight of eps times the largest, and so the step of any quantizer, must still be one of dtype's normal numbers.
    tiny = d * float(info.eps) < float(info.tiny)
    if tiny.any():
        c = int(np.argmax(tiny))
        raise ValueError(
            f"output {c} of y has the spread {d[c]:.6g}, too small for {info.dtype}; multiply y so that it is above "
            f"{float(info.tiny) / float(info.eps):.6g}"
        )
    blurred = ~constant & (d < 50 * float(info.eps) * size)
    if blurred.any():
        c = int(np.argmax(blurred))
        raise ValueError(
            f"output {c} of y has the mean {o[c]:.6g} and the spread {d[c]:.6g}, which {info.dtype} cannot tell well; "
            "subtract its mean before training, or train in float64"
        )
    return Scaling(o, d)


@dataclass(frozen=True, slots=True, eq=False)
class NetworkScaling:
    """F8 at both ends of a network."""

    inputs: Scaling
    outputs: Scaling  # o = 0 and d = 1 for classes, and behind an activation

    def fold(self, parameters: Parameters) -> Parameters:
        """Return the parameters that take and give raw values, in the dtype of the given ones."""
        return self._ends(parameters, self.inputs.fold_into_first, self.outputs.fold_into_last)

    def unfold(self, parameters: Parameters) -> Parameters:
        """Return the parameters that take and give scaled values."""
        return self._ends(parameters, self.inputs.unfold_from_first, self.outputs.unfold_from_last)

    def _ends(self, parameters: Parameters, first: Callable[..., Any], last: Callable[..., Any]) -> Parameters:
        # In float64 up to the one rounding at the end, also where the first layer is the last one.
        wide = [(w.astype(np.float64), b.astype(np.float64)) for w, b in parameters]
        wide[0] = first(*wide[0])
        wide[-1] = last(*wide[-1])
        dtype = parameters[0][0].dtype
        return tuple((w.astype(dtype), b.astype(dtype)) for w, b in wide)


def choose_network_scaling(rows: TrainingRows, dtype: np.dtype[Any], last: str) -> NetworkScaling:
    """Choose how both ends of a network are scaled while it is trained on raw `rows`; classes need no scaling.

    Real targets are scaled where the activation of the `last` layer is "identity": F8 cannot be folded through another.
    """
    inputs = choose_input_scaling(rows.x, dtype)
    if rows.y.ndim == 2 and last == "identity":
        return NetworkScaling(inputs, choose_target_scaling(rows.y, dtype))
    return NetworkScaling(inputs, Scaling(np.zeros(rows.outputs), np.ones(rows.outputs)))
