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
from npquant.compression.least_squares import INDISTINCT
from npquant.compression.rounding.rectified.by_neuron import side_by_side, taken_where
from npquant.compression.rounding.rectified.layer_objective import (
    PULL,
    LayerObjective,
    checked_layer,
    checked_pull,
    objective_of,
)
from npquant.compression.rounding.rectified.plain_hessian import PlainHessian, plain_hessian, refit
from npquant.compression.rounding.rectified.quadratic_form import make_form
from npquant.compression.rounding.rectified.rounding_path import FLOAT32_MAX, RoundedLayer
from npquant.compression.rounding.rectified.rounding_search import search_paths
from npquant.compression.rounding.rectified.wide_search import search_wide
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams

# Two of coordinate descent; with few inputs up to four times as many turned pairs as inputs, which are hardly ever met.
PASSES = 6
# Shares of the scale of uniform quantization that paths start from; the first is where many inputs begin to climb.
START_SCALES = (1.0, 0.8, 0.9, 1.1, 1.2)
# A layer with more inputs is rounded under one Hessian, and then by rows: its K^2 covariances a neuron would cost more.
FEW_INPUTS = 64
# Neurons are worked on in slices, so that memory does not grow with N: so many; with few inputs so many covariances.
SLICE = 512
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
    pull: ArrayLike = PULL,
    damping: float = PULL,
    passes: int = PASSES,
    scale: ArrayLike | None = None,
    start_scales: Sequence[float] | None = None,
) -> RectifiedLayer:
    """Round one layer's weights so that the weighted error of its outputs is small: E9 to E14.

    phi <= phi_rtn and phi <= bound, up to 1e-12 of Phi(0). For up to 64 inputs by E21 to E23 and E36, else by E27 to
    E29 and E39. At 2 bits each neuron tries both sides, the upper one as -w on [-2, 1]. At last, w rounded to nearest
    is taken where it has less Phi. Deterministic; float64 throughout. `pull` is the factor of E4, one for all neurons
    or one for each, `damping` that of E27; `passes`, >= 1, those of coordinate descent at most, of which two are made;
    for every further one a layer with up to 64 inputs may turn as many pairs of codes as it has inputs; `scale` (N,)
    the scales to start from, by default those of `choose_weight_params`, for the refitted weights and for w;
    `start_scales` shares of these to start from, > 0, each neuron keeps its best: by default 1, .8, .9, 1.1 and 1.2,
    and 1 where `scale` is given. With many inputs the first of them is tried first. ValueError if the arrays do not
    agree or are not finite, bits is not valid, passes < 1, a scale is not a positive normal float32, or a start scale
    is not positive.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w = np.array([[0.4], [0.4]])
    >>> layer = rectify_layer(x, x @ w + 3, w, np.ones((2, 1)), "ternary", pull=0.01, passes=1, scale=[1.0])
    >>> layer.q.ravel(), layer.bias, bool((layer.phi <= layer.bound).all())
    (array([0, 1], dtype=int8), array([3.]), True)
    """
    if passes < 1:
        raise ValueError(f"passes is {passes}; at least one is needed")
    qmin, qmax = weight_grid(bits)
    rows, *of_neurons = checked_layer(x, z, w, d2)  # targets, weights, and weights of errors
    inputs, neurons = of_neurons[1].shape
    pulls = checked_pull(pull, neurons)
    start = None if scale is None else QuantParams(np.asarray(scale).reshape(neurons), 0, qmin, qmax)
    shares = _checked_shares(start_scales, given=scale is not None)
    few = inputs <= FEW_INPUTS
    size = max(1, min(SLICE, SLICE_COVARIANCES // inputs**2)) if few else SLICE
    centre = rows.mean(axis=0)
    rows = rows - centre
    plain = None if few else plain_hessian(rows, damping)
    parts = []
    for n in range(0, neurons, size):
        columns = slice(n, n + size)
        first = None if start is None else np.asarray(start.scale, np.float64)[columns]
        targets, weights, importance = (a[:, columns] for a in of_neurons)
        problem = objective_of(rows, centre, targets, weights, np.ascontiguousarray(importance), pulls[columns])
        parts.append(_rectify(problem, plain, bits, passes, first, shares))
    return side_by_side(parts)


def _checked_shares(start_scales: Sequence[float] | None, *, given: bool) -> tuple[float, ...]:
    """Return the shares of the chosen scale to start from."""
    if start_scales is None:
        return (1.0,) if given else START_SCALES
    shares = tuple(float(share) for share in start_scales)
    if not shares or not all(0 < share < np.inf for share in shares):
        raise ValueError(f"start_scales is {shares}; at least one is needed, and each must be positive")
    return shares


def _rectify(
    problem: LayerObjective,
    plain: PlainHessian | None,
    bits: Bits,
    passes: int,
    start: Float64 | None,
    shares: tuple[float, ...],
) -> RectifiedLayer:
    """Take the best path of either side, then nearest rounding where that is better."""
    found, upper, v = _search(problem, plain, bits, passes, start, shares)
    nearest = _nearest(problem, bits, start, found.bound)
    worse = nearest.phi < found.phi - INDISTINCT * problem.phi_at_zero()
    found = taken_where(worse, nearest, found)
    v_q = found.s * found.q
    codes, scales = found.q.astype(np.int8), found.s.astype(np.float32)
    real, carried = (np.minimum(cost, found.phi) for cost in (problem.phi(v), found.phi - problem.pull(v_q)))
    costs = found.phi, nearest.phi, found.bound, real, np.maximum(carried, 0)
    return RectifiedLayer(codes, scales, problem.best_bias(v_q), *costs, upper & ~worse)


def _search(
    problem: LayerObjective,
    plain: PlainHessian | None,
    bits: Bits,
    passes: int,
    start: Float64 | None,
    shares: tuple[float, ...],
) -> tuple[RoundedLayer, NDArray[np.bool_], Float64]:
    """Search from all scales, at 2 bits on both sides; return what was found, on which side, and v*."""
    qmin, qmax = weight_grid(bits)
    signs, lowest, highest = ([1, -1], [qmin, -qmax], [qmax, -qmin]) if bits == 2 else ([1], [qmin], [qmax])

    def scales(v: Float64) -> Float64:
        """Return the scales to start from, (sides, shares, N)."""
        seen = v if bits == 8 else _seen(problem, v)
        return np.stack([_starting_scales(sign * seen, bits, start, shares) for sign in signs])

    if plain is None:
        form = make_form(problem)
        v, each = form.refit(), len(shares)
        every = scales(v).reshape(-1, v.shape[1])
        found, taken = search_paths(form, v, every, np.repeat(lowest, each), np.repeat(highest, each), passes)
    else:
        v, ladder = refit(problem, plain), sorted(range(len(shares)), key=shares.__getitem__)
        climbed = scales(v)[:, ladder]
        found, taken = search_wide(problem, plain.factor, v, climbed, ladder.index(0), lowest, highest, passes)
    # By the rows, as every report and law computes it: the searches are right to 2^-53 of Phi(0), not of Phi.
    found = replace(found, phi=problem.phi(found.s * found.q))
    return found, taken >= len(shares), v


def _seen(problem: LayerObjective, v: Float64) -> Float64:
    """Return v with zeros for inputs that are constant on all rows, unless all are: these decide no scale.

    But at 8 bits, where a scale that is too small for them costs more than one that is too large for the others.
    """
    varies = problem.x.min(axis=0) < problem.x.max(axis=0)
    return v if varies.all() or not varies.any() else v * varies[:, np.newaxis]


def _starting_scales(v: Float64, bits: Bits, start: Float64 | None, shares: tuple[float, ...]) -> Float64:
    """Return scales (S, N), each a float32: those given, or chosen for v, times each share."""
    s = start if start is not None else choose_scales(v, bits)
    return np.asarray(np.multiply.outer(shares, s).clip(FLOAT32_TINY, FLOAT32_MAX).astype(np.float32), np.float64)


def _nearest(problem: LayerObjective, bits: Bits, start: Float64 | None, bound: Float64) -> RoundedLayer:
    """Round w itself to nearest, as uniform quantization does."""
    s = start if start is not None else choose_scales(problem.w, bits)
    q = quantize(problem.w, QuantParams(s, 0, *weight_grid(bits))).astype(np.float64)
    return RoundedLayer(q, s, problem.phi(s * q), bound)
