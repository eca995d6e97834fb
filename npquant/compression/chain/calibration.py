"""Calibration: from the values seen on training rows to ranges, and from inputs to their quantization.

Legend: R calibration rows, K inputs; `values` any array of reals; lo, hi ends of a range, real; s scale, z zero point.
ValueError of every range rule: no value, or one that is not finite. Callers pass training rows only: a range that has
seen validation or test rows makes their figures worthless. Rows are checked and copied once, by who takes them in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.kernels.floating import to_float64
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams, choose_affine

# A feature this many widths from 0 is offset: codes that cover 0 too would leave it less than half of them.
FAR = 1
Range = tuple[float, float]
RangeRule = Callable[[Float64], Range]

# Shares of the min-max range that mse_range tries.
RANGE_SHARES = np.arange(40, 7, -1) / 40


def checked_rows(x: ArrayLike, name: str = "x_calibration") -> Float64:
    """Return calibration rows x, numbers (R, K), as float64: a matrix with a row, finite throughout.

    ValueError, with `name` in its message, if x is not a matrix, has no row or column, or holds NaN or infinity.

    >>> checked_rows([[1, 2]])
    array([[1., 2.]])
    """
    with np.errstate(invalid="ignore"):  # of a signalling NaN, which is refused below
        rows = np.asarray(x, np.float64)
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"{name} has shape {rows.shape}; calibration needs (R, K) training rows, R and K at least 1")
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} contains NaN or infinity, first in row {int(np.argmin(finite))}: remove it")
    return rows


def evenly_spaced(rows: NDArray[Any], most: int) -> NDArray[Any]:
    """Return at most `most` of the rows, >= 1, evenly spaced, so that rows sorted by class lose none.

    >>> evenly_spaced(np.arange(7), 3)
    array([0, 3, 6])
    """
    return rows[:: max(-(-len(rows) // most), 1)]


def _checked_values(values: ArrayLike) -> Float64:
    flat = to_float64(values).ravel()
    if flat.size == 0:
        raise ValueError("no values to calibrate on: give at least one training row")
    if not np.isfinite(flat).all():
        raise ValueError("the values to calibrate on contain NaN or infinity: remove them from the data")
    return flat


def min_max_range(values: ArrayLike) -> Range:
    """Return the smallest and the largest value: nothing seen in calibration saturates; one outlier costs all the rest.

    >>> min_max_range([3.0, -1.0])
    (-1.0, 3.0)
    """
    flat = _checked_values(values)
    return float(flat.min()), float(flat.max())


def percentile_range(values: ArrayLike, *, percent: float) -> Range:
    """Return the range that leaves out the same share of values on both sides, and keeps `percent`, in (0, 100].

    The (100 - percent) / 2 and the opposite percentile, interpolated linearly. ValueError if percent is outside.

    >>> percentile_range(np.arange(101.0), percent=98)
    (1.0, 99.0)
    """
    if not 0 < percent <= 100:
        raise ValueError(f"percent is {percent}; it must be in (0, 100]")
    lo, hi = np.percentile(_checked_values(values), [(100 - percent) / 2, (100 + percent) / 2])
    return float(lo), float(hi)


def mse_range(values: ArrayLike, *, bits: int) -> Range:
    """Return (r lo, r hi), the share r of the min-max range with the least mean square error of R1 and R14.

    r in {1, .975, ..., .2}, the larger on ties: rounding inside the range, saturation outside. `bits` is the width of
    the codes, 2..8; ValueError if R14 has no such width (2..16).

    >>> mse_range([0.0, 255.0], bits=8)
    (0.0, 255.0)
    """
    flat = _checked_values(values)
    lo, hi = min(float(flat.min()), 0.0), max(float(flat.max()), 0.0)
    errors = []
    for share in RANGE_SHARES:
        p = choose_affine(share * lo, share * hi, bits)
        s, z = float(p.scale), int(p.zero_point)
        steps = np.clip(np.rint(flat / s), p.qmin - z, p.qmax - z)
        errors.append(float(np.mean((flat - s * steps) ** 2)))
    share = float(RANGE_SHARES[int(np.argmin(errors))])
    return share * lo, share * hi


@dataclass(frozen=True, slots=True, eq=False)
class InputCode:
    """Say how real inputs become codes."""

    params: QuantParams  # per-tensor for integer data, else one scale a feature and one zero point
    offset: Float64 | None  # (K,), subtracted before quantization

    @property
    def by_feature(self) -> bool:
        """Whether each feature has its own scale."""
        return np.ndim(self.params.scale) > 0

    @property
    def layer_params(self) -> QuantParams:
        """What layer 0 sees: params, or steps of 1 where the scale of each feature is folded into its weights."""
        p = self.params
        return QuantParams(1.0, p.zero_point, p.qmin, p.qmax) if np.ndim(p.scale) else p

    def fold(self, w: ArrayLike, b: ArrayLike) -> tuple[Float64, Float64]:
        """Return layer 0's weights and bias for codes: w s_k and b + offset @ w, in float64."""
        real, bias = np.asarray(w, np.float64), np.asarray(b, np.float64)
        if self.offset is not None:
            bias = bias + self.offset @ real
        if np.ndim(self.params.scale):
            real = real * np.asarray(self.params.scale, np.float64)[:, np.newaxis]
        return real, bias


@dataclass(frozen=True, slots=True)
class InputGrid:
    """Say which codes real inputs may have."""

    qmin: int
    qmax: int
    least: int  # the lowest code that a range is mapped to
    zero: int | None  # the zero point, where it is not for the data to choose

    @property
    def steps(self) -> int:
        """Steps from the lowest code in use to the highest."""
        return self.qmax - self.least


NARROW: Final = InputGrid(-128, 127, -128, None)
# Codes of 16 bits have no zero point, and a range around 0 uses as many on one side as on the other.
WIDE_INPUTS: Final = InputGrid(-32768, 32767, -32767, 0)


def input_grid(bits: int) -> InputGrid:
    """Return the codes of inputs of 8 or 16 `bits`.

    >>> input_grid(16).steps
    65534
    """
    return WIDE_INPUTS if bits == 16 else NARROW


def choose_input_code(x: ArrayLike, bits: int = 8) -> InputCode:
    """Choose the quantization of real inputs from training rows x, which are checked first, as by `checked_rows`.

    Codes have 8 or 16 `bits`.

    >>> choose_input_code([[0, 16], [3, 7]]).params
    QuantParams(scale=1.0, zero_point=-128, qmin=-128, qmax=127)
    >>> code = choose_input_code([[0.5, 1990.0], [-0.5, 2020.0]])
    >>> code.params.scale.round(5), code.offset
    (array([0.00394, 0.11765], dtype=float32), array([   0.        , 2004.94117653]))
    """
    return input_code_of(checked_rows(x), bits)


def input_code_of(rows: Float64, bits: int = 8) -> InputCode:
    """Choose the quantization of checked rows (R, K): steps of 1 for integers that span at most 255 with 0.

    Integers: s = 1 and z = -128 - lo (plus half of the codes left over, where values are negative), so every code is
    exact. Else, per feature: one that lies more than its width from 0, so that fewer than half of the codes would tell
    its values apart, is offset to start at the lowest code; z is that of R14 for the union of the ranges, each divided
    by its largest magnitude, and -128 where none is negative; s_k = max(-lo / (z + 128), hi / (127 - z)). A constant
    feature counts as 1 wide. With 16 bits z is 0, an offset is the middle of a range, s_k = max(-lo, hi) / 32767, and
    integers within 32,767 of 0 are exact. ValueError if a range is too wide for a float32 scale.
    """
    lo, hi = rows.min(axis=0), rows.max(axis=0)
    low, high = min(float(lo.min()), 0.0), max(float(hi.max()), 0.0)
    whole = (rows == np.rint(rows)).all()
    if bits == 16 and max(-low, high) <= WIDE_INPUTS.qmax and whole:
        return InputCode(QuantParams(1.0, 0, WIDE_INPUTS.qmin, WIDE_INPUTS.qmax), None)
    if bits != 16 and high - low <= 255 and whole:
        left_over = (255 - int(high - low)) // 2 if low < 0 else 0
        return InputCode(QuantParams(1.0, -128 - int(low) + left_over, -128, 127), None)
    return by_feature_code(rows, bits)


def by_feature_code(rows: Float64, bits: int = 8) -> InputCode:
    """Choose one scale a feature, one zero point, and offsets where a feature is far from 0, for whole numbers, too.

    Codes have 8 or 16 `bits`.

    >>> by_feature_code(np.array([[0.0, 16.0], [3.0, 7.0]])).params.scale.round(4)
    array([0.0118, 0.0627], dtype=float32)
    """
    grid, lo, hi = input_grid(bits), rows.min(axis=0), rows.max(axis=0)
    width = hi / grid.steps - lo / grid.steps
    width = np.where(width < FLOAT32_TINY, 1 / grid.steps, width)
    moved = np.maximum(lo, -hi) / FAR > grid.steps * width
    stays = ~moved & ((lo != 0) | (hi != 0))
    z = _common_zero(lo, hi, stays) if grid.zero is None else grid.zero
    with np.errstate(divide="ignore", invalid="ignore"):  # an end of 0 needs no code on its side
        downward = np.where(lo < 0, -lo / (z - grid.least), 0.0)
        upward = np.where(hi > 0, hi / (grid.qmax - z), 0.0)
    real = np.where(stays, np.maximum(downward, upward), width)
    with np.errstate(over="ignore"):  # reported below
        scale = real.astype(np.float32)
    if not np.isfinite(scale).all():
        raise ValueError("a feature's range is too wide for a float32 scale: rescale the data")
    offset = np.where(moved, lo + scale.astype(np.float64) * (z - grid.least), 0.0)
    return InputCode(QuantParams(scale, z, grid.qmin, grid.qmax), offset if moved.any() else None)


def _common_zero(lo: Float64, hi: Float64, stays: NDArray[np.bool_]) -> int:
    """Choose the zero point of features that stay where they are: that of their ranges, each divided by its size."""
    size = np.where(stays, np.maximum(np.abs(lo), np.abs(hi)), 1.0)
    below = float(np.min(lo / size, where=stays, initial=0.0))
    above = float(np.max(hi / size, where=stays, initial=0.0))
    # One code at least on each side where there are values: R14 alone may round it away.
    return int(np.clip(choose_affine(below, above, 8).zero_point, -128 + (below < 0), 127 - (above > 0)))
