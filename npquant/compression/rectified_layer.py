"""Rectified quantization of one layer: refit, scale, path, orientation, and the last word to nearest rounding.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
d2 (R, N) weights of squared errors, q (K, N) codes, s (N,) scales.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.compression.layer_objective import PULL, Float64, LayerObjective, make_objective, refit
from npquant.compression.rounding_path import RoundedLayer, follow_path
from npquant.compression.uniform import Bits, choose_weight_params, weight_grid
from npquant.kernels.affine import quantize
from npquant.kernels.qparams import QuantParams

# One walk on real codes, and up to five among integers; three were found to be nearly as good.
PASSES = 6
# Neurons are worked on in slices, so that memory does not grow with N.
SLICE = 256
# Objectives that differ by less than this share of Phi(0) differ by rounding errors.
INDISTINCT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class RectifiedLayer:
    """Give the codes of one layer, and what they cost beside nearest rounding and beside the bound.

    Parameters
    ----------
    q : ndarray of int8, shape (K, N)
        Codes: on the grid, or on its negative where `flipped`.
    s : ndarray of float32, shape (N,)
        Scales.
    bias : ndarray of float64, shape (N,)
        Real bias: E8.
    phi, phi_rtn, bound, carried : ndarray of float64, shape (N,)
        E6 of the codes; E6 of w rounded to nearest; the right side of E13; the carried error, at most phi.
    flipped : ndarray of bool, shape (N,)
        Neurons on [-qmax, -qmin].

    Examples
    --------
    Made by `rectify_layer`.
    """

    q: NDArray[np.int8]
    s: NDArray[np.float32]
    bias: Float64
    phi: Float64
    phi_rtn: Float64
    bound: Float64
    carried: Float64
    flipped: NDArray[np.bool_]


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
) -> RectifiedLayer:
    """Round one layer's weights so that the weighted error of its outputs is small.

    Parameters
    ----------
    x, z, w, d2 : arrays of float, shapes (R, K), (R, N), (K, N), (R, N)
        Delivered inputs, float targets, weights, weights of squared errors (> 0).
    bits : int or "ternary"
        2..8 or ternary.
    pull : float
        Factor of E4.
    passes : int
        Walks at most, >= 1.
    scale : array of float, shape (N,), optional
        Scales to start from; by default those of `choose_weight_params`, for the refitted weights and for w.

    Returns
    -------
    RectifiedLayer
        phi <= phi_rtn and phi <= bound, up to 1e-12 of Phi(0).

    Raises
    ------
    ValueError
        If the arrays do not agree or are not finite, bits is not valid, passes < 1, or a scale is not a positive
        normal float32.

    Notes
    -----
    E9 to E14 of layer_objective and rounding_path. At 2 bits [-2, 1] is lopsided: each neuron also tries [-1, 2], as
    -w on [-2, 1]. At last, w rounded to nearest is taken where it has less Phi. Deterministic; float64 throughout.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w = np.array([[0.4], [0.4]])
    >>> layer = rectify_layer(x, x @ w + 3, w, np.ones((2, 1)), "ternary", pull=0.01, passes=1, scale=[1.0])
    >>> layer.q.ravel(), layer.bias, bool((layer.phi <= layer.bound).all())
    (array([0, 1], dtype=int8), array([3.]), True)
    """
    if passes < 1:
        raise ValueError(f"passes is {passes}; at least one walk is needed")
    qmin, qmax = weight_grid(bits)
    problem = make_objective(x, z, w, d2, pull=pull)
    start = None if scale is None else QuantParams(np.asarray(scale).reshape(problem.w.shape[1]), 0, qmin, qmax)
    parts = []
    for n in range(0, problem.w.shape[1], SLICE):
        columns = slice(n, n + SLICE)
        first = None if start is None else np.asarray(start.scale, np.float64)[columns]
        parts.append(_rectify(problem.select(columns), bits, passes, first))
    return _joined(parts)


def _joined(parts: list[RectifiedLayer]) -> RectifiedLayer:
    """Put slices of neurons side by side."""
    fields = RectifiedLayer.__slots__
    return RectifiedLayer(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in fields))


def _rectify(problem: LayerObjective, bits: Bits, passes: int, start: Float64 | None) -> RectifiedLayer:
    """Take the path of either orientation, then nearest rounding where that is better."""
    v = refit(problem)
    found = _path(problem, v, bits, passes, start)
    flipped = np.zeros(len(found.s), bool)
    if bits == 2:
        mirrored = replace(problem, z=-problem.z, w=-problem.w)
        other = _path(mirrored, -v, bits, passes, start)
        flipped = other.phi < found.phi
        found = _chosen(flipped, replace(other, q=-other.q), found)
    nearest = _nearest(problem, bits, start, found.bound)
    worse = nearest.phi < found.phi - INDISTINCT * problem.phi(np.zeros_like(problem.w))
    found = _chosen(worse, nearest, found)
    v_q = found.s * found.q
    codes, scales = found.q.astype(np.int8), found.s.astype(np.float32)
    carried = np.minimum(problem.carried_error(v_q), found.phi)
    return RectifiedLayer(
        codes, scales, problem.best_bias(v_q), found.phi, nearest.phi, found.bound, carried, flipped & ~worse
    )


def _path(problem: LayerObjective, v: Float64, bits: Bits, passes: int, start: Float64 | None) -> RoundedLayer:
    """Follow the path from v, at the scales given or chosen for v."""
    s = start if start is not None else _chosen_scales(v, bits)
    return follow_path(problem, v, s, *weight_grid(bits), passes)


def _chosen_scales(w: Float64, bits: Bits) -> Float64:
    params = choose_weight_params(w, bits, granularity="per_channel", weight_scale="auto")
    return np.asarray(params.scale, np.float64)


def _nearest(problem: LayerObjective, bits: Bits, start: Float64 | None, bound: Float64) -> RoundedLayer:
    """Round w itself to nearest, as uniform quantization does."""
    s = start if start is not None else _chosen_scales(problem.w, bits)
    q = quantize(problem.w, QuantParams(s, 0, *weight_grid(bits))).astype(np.float64)
    return RoundedLayer(q, s, problem.phi(s * q), bound)


def _chosen(first: NDArray[np.bool_], one: RoundedLayer, two: RoundedLayer) -> RoundedLayer:
    """Take neurons from `one` where `first`, else from `two`."""
    return RoundedLayer(*(np.where(first, getattr(one, name), getattr(two, name)) for name in RoundedLayer.__slots__))
