"""Rectified quantization of one layer: refit, scale, path, side, and the last word to nearest rounding.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
d2 (R, N) weights of squared errors, > 0; q (K, N) codes, s (N,) scales; `bits` 2..8 or "ternary"; upper (N,) bool, the
side of a neuron on the 2-bit grid: [-1, 2] where True, else [-2, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.weight_codes import Bits, choose_scales, weight_grid
from npquant.compression.least_squares import PULL
from npquant.compression.rounding.rectified.layer_objective import LayerObjective, make_objective, refit
from npquant.compression.rounding.rectified.quadratic_form import make_form
from npquant.compression.rounding.rectified.rounding_path import (
    FLOAT32_MAX,
    RoundedLayer,
    block_covariances,
    follow_path,
)
from npquant.compression.rounding.rectified.rounding_search import INDISTINCT, search_paths
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams

# One pass on real codes, and up to five among integers; three were found to be nearly as good.
PASSES = 6
# Shares of the scale of uniform quantization that paths start from.
START_SCALES = (1.0, 0.8, 0.9, 1.1, 1.2)
# A layer with more inputs is rounded row by row, from one scale: its K^2 covariances a neuron would cost more.
FEW_INPUTS = 384
# Neurons are worked on in slices, so that memory does not grow with N: so many neurons, or so many covariances.
SLICE = 256
SLICE_COVARIANCES = 2**22


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedLayer:
    """Give the codes of one layer, and what they cost beside nearest rounding and beside the bound."""

    q: NDArray[np.int8]  # (K, N), each neuron on its side of the grid
    s: NDArray[np.float32]  # (N,)
    bias: Float64  # (N,) real bias: E8
    phi: Float64  # (N,): E6 of the codes
    phi_rtn: Float64  # (N,): E6 of w rounded to nearest
    bound: Float64  # (N,): the right side of E13
    phi_real: Float64  # (N,): E6 of the best real weights (E9), at most phi
    carried: Float64  # (N,): the carried error, at most phi
    upper: NDArray[np.bool_]  # (N,): neurons on [-qmax, -qmin]


def rectify_layer(
    x: ArrayLike,
    z: ArrayLike,
    w: ArrayLike,
    d2: ArrayLike,
    bits: Bits,
    *,
    pull: float = PULL,
    passes: int = PASSES,
    scale: ArrayLike | None = None,
    start_scales: Sequence[float] | None = None,
) -> RectifiedLayer:
    """Round one layer's weights so that the weighted error of its outputs is small: E9 to E14.

    phi <= phi_rtn and phi <= bound, up to 1e-12 of Phi(0). For up to 384 inputs the same is found by E21 to E23. At 2
    bits each neuron tries both sides, the upper one as -w on [-2, 1]. At last, w rounded to nearest is taken where it
    has less Phi. Deterministic; float64 throughout. `pull` is the factor of E4; `passes`, >= 1, those of coordinate
    descent at most; `scale` (N,) the scales to start from, by default those of `choose_weight_params`, for the refitted
    weights and for w; `start_scales` shares of these to start from, > 0, each neuron keeps its best: by default 1, .8,
    .9, 1.1 and 1.2 for up to 384 inputs, and 1 where there are more or `scale` is given. ValueError if the arrays do
    not agree or are not finite, bits is not valid, passes < 1, a scale is not a positive normal float32, or a start
    scale is not positive.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w = np.array([[0.4], [0.4]])
    >>> layer = rectify_layer(x, x @ w + 3, w, np.ones((2, 1)), "ternary", pull=0.01, passes=1, scale=[1.0])
    >>> layer.q.ravel(), layer.bias, bool((layer.phi <= layer.bound).all())
    (array([0, 1], dtype=int8), array([3.]), True)
    """
    if passes < 1:
        raise ValueError(f"passes is {passes}; at least one is needed")
    qmin, qmax = weight_grid(bits)
    problem = make_objective(x, z, w, d2, pull=pull)
    inputs, neurons = problem.w.shape
    start = None if scale is None else QuantParams(np.asarray(scale).reshape(neurons), 0, qmin, qmax)
    shares = _checked_shares(start_scales, inputs, given=scale is not None)
    size = max(1, SLICE_COVARIANCES // inputs**2) if inputs <= FEW_INPUTS else SLICE
    parts = []
    for n in range(0, neurons, size):
        columns = slice(n, n + size)
        first = None if start is None else np.asarray(start.scale, np.float64)[columns]
        parts.append(_rectify(problem.select(columns), bits, passes, first, shares))
    return _joined(parts)


def _checked_shares(start_scales: Sequence[float] | None, inputs: int, *, given: bool) -> tuple[float, ...]:
    """Return the shares of the chosen scale to start from."""
    if start_scales is None:
        return (1.0,) if given or inputs > FEW_INPUTS else START_SCALES
    shares = tuple(float(share) for share in start_scales)
    if not shares or not all(0 < share < np.inf for share in shares):
        raise ValueError(f"start_scales is {shares}; at least one is needed, and each must be positive")
    return shares


def _joined(parts: list[RectifiedLayer]) -> RectifiedLayer:
    """Put slices of neurons side by side."""
    fields = RectifiedLayer.__slots__
    return RectifiedLayer(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in fields))


def _rectify(
    problem: LayerObjective, bits: Bits, passes: int, start: Float64 | None, shares: tuple[float, ...]
) -> RectifiedLayer:
    """Take the best path of either side, then nearest rounding where that is better."""
    search = _search_few_inputs if len(problem.w) <= FEW_INPUTS else _search_rows
    found, upper, v = search(problem, bits, passes, start, shares)
    nearest = _nearest(problem, bits, start, found.bound)
    worse = nearest.phi < found.phi - INDISTINCT * problem.phi(np.zeros_like(problem.w))
    found = _chosen(worse, nearest, found)
    v_q = found.s * found.q
    codes, scales = found.q.astype(np.int8), found.s.astype(np.float32)
    real, carried = (np.minimum(cost, found.phi) for cost in (problem.phi(v), problem.carried_error(v_q)))
    costs = found.phi, nearest.phi, found.bound, real, carried
    return RectifiedLayer(codes, scales, problem.best_bias(v_q), *costs, upper & ~worse)


Found = tuple[RoundedLayer, NDArray[np.bool_], Float64]


def _search_few_inputs(
    problem: LayerObjective, bits: Bits, passes: int, start: Float64 | None, shares: tuple[float, ...]
) -> Found:
    """Search from all scales, and at 2 bits on both sides, at once."""
    form = make_form(problem)
    v = form.refit()
    seen = _seen(problem, v)
    qmin, qmax = weight_grid(bits)
    grids = [(qmin, qmax), (-qmax, -qmin)] if bits == 2 else [(qmin, qmax)]
    scales = np.concatenate([_starting_scales(sign * seen, bits, start, shares) for sign in (1, -1)[: len(grids)]])
    ends = np.repeat(grids, len(shares), axis=0)
    found, taken = search_paths(form, v, scales, ends[:, 0], ends[:, 1], passes)
    # By the rows, as every report and law computes it: the form is right to 2^-53 of Phi(0), not of Phi.
    return replace(found, phi=problem.phi(found.s * found.q)), taken >= len(shares), v


def _search_rows(
    problem: LayerObjective, bits: Bits, passes: int, start: Float64 | None, shares: tuple[float, ...]
) -> Found:
    """Follow one path after another; the upper side is the lower one of -w towards -z."""
    v, grid, grams = refit(problem), weight_grid(bits), block_covariances(problem)
    negated = replace(problem, z=-problem.z, w=-problem.w)
    found, upper = None, np.zeros(problem.w.shape[1], bool)
    for side in (False, True)[: 2 if bits == 2 else 1]:
        sign, towards = (-1, negated) if side else (1, problem)
        for s in _starting_scales(sign * _seen(problem, v), bits, start, shares):
            path = follow_path(towards, sign * v, s, *grid, passes, grams)
            path = replace(path, q=sign * path.q)
            better = np.zeros(len(s), bool) if found is None else path.phi < found.phi
            bound = path.bound if found is None else np.minimum(path.bound, found.bound)
            found = replace(path if found is None else _chosen(better, path, found), bound=bound)
            upper = np.where(better, side, upper)
    assert found is not None  # there is at least one share
    return found, upper, v


def _seen(problem: LayerObjective, v: Float64) -> Float64:
    """Return v with zeros for inputs that are constant on all rows, unless all are: these decide no scale."""
    varies = problem.x.min(axis=0) < problem.x.max(axis=0)
    return v * varies[:, np.newaxis] if varies.any() else v


def _starting_scales(v: Float64, bits: Bits, start: Float64 | None, shares: tuple[float, ...]) -> Float64:
    """Return scales (S, N), each a float32: those given, or chosen for v, times each share."""
    s = start if start is not None else choose_scales(v, bits)
    return np.asarray(np.multiply.outer(shares, s).clip(FLOAT32_TINY, FLOAT32_MAX).astype(np.float32), np.float64)


def _nearest(problem: LayerObjective, bits: Bits, start: Float64 | None, bound: Float64) -> RoundedLayer:
    """Round w itself to nearest, as uniform quantization does."""
    s = start if start is not None else choose_scales(problem.w, bits)
    q = quantize(problem.w, QuantParams(s, 0, *weight_grid(bits))).astype(np.float64)
    return RoundedLayer(q, s, problem.phi(s * q), bound)


def _chosen(first: NDArray[np.bool_], one: RoundedLayer, two: RoundedLayer) -> RoundedLayer:
    """Take neurons from `one` where `first`, else from `two`."""
    return RoundedLayer(*(np.where(first, getattr(one, name), getattr(two, name)) for name in RoundedLayer.__slots__))
