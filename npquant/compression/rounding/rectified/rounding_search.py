"""Rectified rounding of a layer with few inputs: several paths from several scales, pairs of codes of the best turned.

Legend: as in quadratic_form; v (K, N) where paths start, E22 or w; a real codes, q integer codes, s (S, N) scales,
positive, each a float32; qmin and qmax (S,) the ends of each start's grid, int.

E10 to E14 as in rounding_path, E23 beside E11 and E12, E36 at the end. Starts differ in scale, at 2 bits also in the
side of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.least_squares import INDISTINCT
from npquant.compression.rounding.rectified.pair_flips import flip_pairs
from npquant.compression.rounding.rectified.quadratic_form import (
    QuadraticForm,
    coordinate_pass_form,
    nearest_plane,
    rescale_form,
)
from npquant.compression.rounding.rectified.rounding_path import RoundedLayer, expected_rise

# Passes from every start, before pairs of the best start alone are turned.
TRIAL_PASSES = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Starts:
    """Codes of several starts, and what bounds them."""

    q: Float64
    s: Float64
    low: Float64
    high: Float64


def search_paths(
    form: QuadraticForm, v: Float64, s: Float64, qmin: ArrayLike, qmax: ArrayLike, passes: int
) -> tuple[RoundedLayer, NDArray[np.int64]]:
    """Round from every start, and follow the best one of each neuron, in at most `passes`, >= 1.

    Every start takes the best of the pass from real codes, the nearest plane (E23) and nearest rounding of a. So E13
    holds for each, and for the best of them the least E13 holds: that is the `bound`. Then every start is rescaled and
    descends once more, and in the best one pairs of codes are turned (E36), at most K for each further pass; one or
    two are the rule. Returns codes in {floor a, ceil a}, and the start taken (N,), int64: the first of those that are
    equally good.

    >>> from npquant.compression.rounding.rectified.layer_objective import make_objective
    >>> from npquant.compression.rounding.rectified.quadratic_form import make_form
    >>> x = np.ones((1, 2)) * [[1.0], [-1.0]]
    >>> form = make_form(make_objective(x, x @ [[0.4], [0.4]], [[0.4], [0.4]], np.ones((2, 1)), pull=0.01))
    >>> search_paths(form, form.w, np.array([[1.0], [0.8]]), [-1, -1], [1, 1], 6)[0].q.ravel()
    array([1., 1.])
    """
    lowest, highest = (np.asarray(end, np.float64)[:, np.newaxis] for end in (qmin, qmax))
    a = np.clip(v[:, np.newaxis] / s, lowest, highest)
    noise = INDISTINCT * form.phi(np.zeros_like(v)[:, np.newaxis])
    bound = form.phi(s * a) + expected_rise(a, s, form.hessian_diagonal[:, np.newaxis])
    starts = _first_codes(form, v, _Starts(a, s, np.floor(a), np.ceil(a)), noise)
    for _ in range(min(passes, TRIAL_PASSES) - 1):
        starts = _descended(form, starts)
    phi = form.phi(starts.s * starts.q)
    # The first start that no other beats by more than rounding errors.
    start = np.argmax(phi <= phi.min(axis=0) + noise, axis=0)
    best = _Starts(*(np.take_along_axis(part, _at(part, start), axis=-2) for part in _parts(starts)))
    q, scales = best.q[:, 0], best.s[0]
    if passes > TRIAL_PASSES:
        q, scales = flip_pairs(form, q, best.low[:, 0], best.high[:, 0], scales, len(q) * (passes - TRIAL_PASSES))
    return RoundedLayer(q, scales, form.phi((scales * q)[:, np.newaxis])[0], bound.min(axis=0)), start


def _first_codes(form: QuadraticForm, v: Float64, at: _Starts, noise: Float64) -> _Starts:
    """Return the best of three ways to make real codes integers; the earlier where they are equally good."""
    q = coordinate_pass_form(form, at.q, at.low, at.high, at.s)
    phi = form.phi(at.s * q)
    for other in (nearest_plane(v, form.factor(), at.low, at.high, at.s), np.rint(at.q)):
        found = form.phi(at.s * other)
        better = found < phi - noise
        q, phi = np.where(better, other, q), np.where(better, found, phi)
    return _Starts(q, at.s, at.low, at.high)


def _descended(form: QuadraticForm, at: _Starts) -> _Starts:
    s = rescale_form(form, at.q, at.s)
    return _Starts(coordinate_pass_form(form, at.q, at.low, at.high, s), s, at.low, at.high)


def _parts(starts: _Starts) -> tuple[Float64, Float64, Float64, Float64]:
    return starts.q, starts.s, starts.low, starts.high


def _at(part: Float64, start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index the start axis, the last but one, of codes or of scales."""
    return start.reshape((1,) * (part.ndim - 1) + (-1,))
