"""Weight codes: the grid of a width, the side that a neuron may have on it, and the scale that fits.

Legend: w (K, N) real weights of K inputs and N neurons; bits a width, 2..8, or "ternary", the grid {-1, 0, 1}; qmin,
qmax ends of an interval of codes; s scale, r its ratio to the absmax scale; upper (N,) bool, the side of a neuron. At 2
bits the grid has one code more on one side of 0: the lower side is [-2, 1], the upper one [-1, 2]. Every other grid is
used as it is (there upper is False).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams, choose_symmetric

Bits = int | str

# Shares of the absmax scale that the MSE rule tries, the largest first: argmin then keeps the larger on ties.
SCALE_RATIOS = np.arange(40, 7, -1) / 40
# Weights whose rounding errors are summed together: 1 MiB of float64, in a cache.
CACHED = 2**17
GRANULARITIES = ("per_channel", "per_tensor")
SCALE_RULES = ("auto", "absmax", "mse")


@dataclass(frozen=True, slots=True, eq=False)
class RoundingGrid:
    """Hold where the codes of every neuron may lie.

    >>> RoundingGrid(np.array([0.5]), np.array([-2.0]), np.array([1.0])).nearest(np.array([[0.9], [-3.0]])).ravel()
    array([ 1., -2.])
    """

    s: Float64  # (N,) float32 values, > 0
    lo: Float64  # (N,); 0 lies inside
    hi: Float64

    def nearest(self, w: Float64) -> Float64:
        """Return the codes nearest to real weights w (K, N) or (N,), ties to even, as float64 integers: R1."""
        codes = np.rint(w / self.s)
        # As np.clip, in half its time: this stands in the innermost loop of error feedback.
        np.maximum(codes, self.lo, out=codes)
        return np.asarray(np.minimum(codes, self.hi, out=codes))

    def select(self, at: slice | NDArray[np.int64]) -> RoundingGrid:
        """Return the grid of the neurons `at`."""
        return RoundingGrid(self.s[at], self.lo[at], self.hi[at])

    def params(self, scale: NDArray[np.float32]) -> QuantParams:
        """Return these scales (N,) with one interval that holds every neuron's."""
        return QuantParams(scale, 0, int(self.lo.min()), int(self.hi.max()))


def weight_grid(bits: Bits) -> tuple[int, int]:
    """Return (qmin, qmax) of a width; ValueError if bits is anything else.

    >>> weight_grid(2), weight_grid("ternary")
    ((-2, 1), (-1, 1))
    """
    if bits == "ternary":
        return -1, 1
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 2 <= bits <= 8:
        raise ValueError(f"bits is {bits!r}; it must be an integer in 2..8 or 'ternary'")
    return -(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1) - 1


def code_interval(bits: Bits, upper: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the narrowest interval that holds the codes of all neurons, each on its own side: (qmin, qmax).

    >>> [code_interval(2, np.array(upper)) for upper in ([False, False], [True, False], [True, True])]
    [(-2, 1), (-2, 2), (-1, 2)]
    """
    qmin, qmax = weight_grid(bits)
    if not upper.any():
        return qmin, qmax
    return (-qmax, -qmin) if upper.all() else (qmin, -qmin)


def bits_per_layer(bits: Bits | Sequence[Bits], layers: int) -> tuple[Bits, ...]:
    """Spread a width over `layers` layers, or take one a layer; ValueError if one is wrong or their number is.

    >>> bits_per_layer(4, 2), bits_per_layer(["ternary", 8], 2)
    ((4, 4), ('ternary', 8))
    """
    each = (bits,) * layers if isinstance(bits, int | np.integer | str) else tuple(bits)
    if len(each) != layers:
        raise ValueError(f"{len(each)} bit widths for {layers} layers: give one, or one a layer")
    for width in each:
        weight_grid(width)
    return each


def choose_weight_params(w: ArrayLike, bits: Bits, *, granularity: str, weight_scale: str) -> QuantParams:
    """Choose the symmetric quantization of a weight matrix: R13, times r in {1, .975, ..., .2}; zero point 0.

    `granularity` is "per_channel", one scale a neuron, or "per_tensor". `weight_scale`: "absmax" maps the largest
    magnitude to qmax; "mse" takes the r with the least mean square error of the weights, the larger on ties; "auto" is
    absmax at 8 bits and mse below. All-zero weights have s = 1. ValueError if w is not a finite matrix, or a name is
    unknown.

    >>> choose_weight_params([[1.0], [-127.0]], 8, granularity="per_channel", weight_scale="auto")
    QuantParams(scale=[1.], zero_point=0, qmin=-128, qmax=127)
    """
    real = np.asarray(w, np.float64)
    if real.ndim != 2 or not np.isfinite(real).all():
        raise ValueError(f"the weights have shape {real.shape}; they must be a finite matrix (K, N)")
    if granularity not in GRANULARITIES or weight_scale not in SCALE_RULES:
        raise ValueError(f"granularity is one of {GRANULARITIES}, weight_scale one of {SCALE_RULES}")
    qmin, qmax = weight_grid(bits)
    axis = 0 if granularity == "per_channel" else None
    absmax = np.max(np.abs(real), axis=axis, initial=0.0)
    scale = np.asarray(choose_symmetric(absmax / qmax, 2).scale, np.float64)
    if weight_scale == "mse" or (weight_scale == "auto" and bits != 8):
        scale = _least_squares_ratio(real, scale, qmin, qmax, axis)
    return QuantParams(scale, 0, qmin, qmax)


def choose_scales(w: Float64, bits: Bits, weight_scale: str = "auto") -> Float64:
    """Return s (N,) of `choose_weight_params` by the rule `weight_scale`, one a neuron: float32 values as float64."""
    params = choose_weight_params(w, bits, granularity="per_channel", weight_scale=weight_scale)
    return np.asarray(params.scale, np.float64)


def _least_squares_ratio(w: Float64, absmax_scale: Float64, qmin: int, qmax: int, axis: int | None) -> Float64:
    """Return the float32 scale, among the shares of the absmax scale, whose rounding error is least."""
    # At least the smallest normal float32: below it a scale could round to 0.
    shares = np.maximum(np.multiply.outer(SCALE_RATIOS, absmax_scale), FLOAT32_TINY).astype(np.float32)
    scales = shares.astype(np.float64)
    errors = _rounding_errors(w, np.broadcast_to(scales.T, (w.shape[1], len(scales))).T, qmin, qmax)
    best = np.argmin(errors if axis == 0 else errors.sum(axis=1), axis=0)
    # Zero neurons have no error at any ratio: argmin keeps the first, the absmax scale 1.
    return np.asarray(np.take_along_axis(scales, best[np.newaxis], axis=0)[0])


def _rounding_errors(w: Float64, scales: Float64, qmin: int, qmax: int) -> Float64:
    """Return sum_k (w - s q)^2 of every neuron at each of its scales (S, N), q nearest; a cacheful at a time."""
    errors = np.empty(scales.shape)
    neurons = 1 + CACHED // max(len(w), 1)
    for n in range(0, w.shape[1], neurons):
        part = np.ascontiguousarray(w[:, n : n + neurons])
        off = np.empty_like(part)
        for error, s in zip(errors[:, n : n + neurons], scales[:, n : n + neurons], strict=True):
            np.divide(part, s, out=off)
            np.minimum(np.maximum(np.rint(off, out=off), qmin, out=off), qmax, out=off)  # np.clip, in half its time
            off *= s
            off -= part
            error[:] = np.square(off, out=off).sum(axis=0)
    return errors
