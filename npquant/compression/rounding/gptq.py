"""GPTQ: round the inputs of a layer in order, each error pushed into the weights that are still real.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, z (R, N) float targets, w (K, N) weights,
s (N,) scales, q (K, N) codes; xc, zc less their means over rows, I the identity.

E16 (GPTQ)      q_k = nearest(w_k);  w_j -= (w_k - s q_k) U_kj / U_kk for j > k,  U^T U = H^-1, U upper triangular,
                H = xc^T xc + damping mean(diag(xc^T xc)) I
E18 (re-solve)  w := argmin |zc - xc w|^2 + lam |w - w_0|^2, lam of E4 with d2 = 1

Sources: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022,
equations 2 and 3 and algorithm 1; the order by energy is "act-order" of the authors' program. The paper's Hessian is
x^T x; centred, it is that of a layer whose bias is corrected at the end, and the better one here. E18 lets each layer
repair the layers before it, as in Li et al., "GPTAQ: Efficient Finetuning-Free Quantization for Asymmetric
Calibration", 2025, which puts that term into the walk instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem
from npquant.compression.rounding.nearest import quantize_by_layers
from npquant.compression.rounding.rectified.layer_objective import NEGLIGIBLE, PULL
from npquant.compression.rounding.rounding_grid import (
    RoundingGrid,
    better_side,
    choose_rounding_grid,
    fit_scale_and_bias,
)
from npquant.compression.rounding.uniform import Bits
from npquant.integer.mlp import IntegerMLP

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


ORDERS = ("natural", "energy")


def damped_hessian(x: Float64, damping: float) -> Float64:
    """Return the Hessian of the squared output error of one neuron whose bias is free, damped.

    Parameters
    ----------
    x : ndarray of float64, shape (R, K)
        Inputs, real values.
    damping : float
        Share of the mean diagonal that is added to it, > 0.

    Returns
    -------
    ndarray of float64, shape (K, K)
        H of E16; the identity where no input varies.

    Examples
    --------
    >>> damped_hessian(np.array([[0.0, 1.0], [2.0, 1.0]]), 0.5)
    array([[2.5, 0. ],
           [0. , 0.5]])
    """
    xc = x - x.mean(axis=0)
    hessian = xc.T @ xc
    added = damping * float(np.trace(hessian)) / len(hessian)
    hessian[np.diag_indices_from(hessian)] += added if added > 0 else 1.0
    return np.asarray(hessian)


def round_with_feedback(w: Float64, hessian: Float64, grid: RoundingGrid) -> Float64:
    """Round inputs in order; after each, move the weights left to where the output error is least again.

    Parameters
    ----------
    w : ndarray of float64, shape (K, N)
        Real weights.
    hessian : ndarray of float64, shape (K, K)
        Positive definite.
    grid : RoundingGrid
        Scales and intervals.

    Returns
    -------
    ndarray of float64, shape (K, N)
        Codes.

    Notes
    -----
    E16. Row k of U / U_kk is the first row of the inverse of H without inputs 0..k-1, over its first entry: the
    closed-form compensation of one rounded weight, without an inverse at every step.

    Examples
    --------
    >>> grid = choose_rounding_grid(np.array([[1.0], [1.0]]), "ternary")
    >>> round_with_feedback(np.array([[0.4], [0.3]]), np.array([[1.0, 0.9], [0.9, 1.0]]), grid).ravel()
    array([0., 1.])
    """
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    rest, q = w.copy(), np.empty_like(w)
    for k in range(len(w)):
        q[k] = grid.nearest(rest[k])
        error = (rest[k] - grid.s * q[k]) / upper[k, k]
        rest[k + 1 :] -= upper[k, k + 1 :, np.newaxis] * error
    return q


def resolve_weights(problem: LayerProblem) -> Float64:
    """Move a layer's weights to where, on the delivered inputs, it comes closest to the float targets.

    Parameters
    ----------
    problem : LayerProblem
        The layer.

    Returns
    -------
    ndarray of float64, shape (K, N)
        E18; a neuron that would move by less than 1e-9 of its largest weight stays.

    Examples
    --------
    >>> x = np.array([[1.0], [-1.0]])
    >>> problem = LayerProblem(np.array([[0.4]]), np.zeros(1), x, 0.5 * x + 3, "identity", 0, True)
    >>> resolve_weights(problem).round(3)  # 0.4 + 0.2 / (2 + lam), lam = 0.3
    array([[0.487]])
    """
    rows = len(problem.x)
    xc, zc = (a - a.mean(axis=0) for a in (problem.x, problem.z))
    lam = PULL * float(np.square(problem.x).sum()) / rows + 1e-12 * rows
    hessian = xc.T @ xc + lam * np.eye(len(problem.w))
    step = np.linalg.solve(hessian, xc.T @ (zc - xc @ problem.w))
    moved = np.abs(step).max(axis=0) > NEGLIGIBLE * np.abs(problem.w).max(axis=0)
    return np.where(moved, problem.w + step, problem.w)


def gptq_layer(
    problem: LayerProblem,
    bits: Bits,
    *,
    damping: float = 0.01,
    order: str = "natural",
    resolve: bool = False,
    above: bool = False,
) -> LayerCodes:
    """Round one layer by GPTQ, then fit scale and bias.

    Parameters
    ----------
    problem, bits
        As in `nearest_layer`.
    damping, order
        As in `quantize_gptq`.
    resolve : bool
        E18 first.
    above : bool
        As in `choose_rounding_grid`.

    Returns
    -------
    LayerCodes
        E16, then E15.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gptq_layer(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    w = resolve_weights(problem) if resolve else problem.w
    grid = choose_rounding_grid(w, bits, above=above)
    at = np.arange(len(w))
    if order == "energy":
        at = np.argsort(-problem.x.var(axis=0), kind="stable")
    q = np.empty_like(w)
    q[at] = round_with_feedback(w[at], damped_hessian(problem.x[:, at], damping), grid)
    return fit_scale_and_bias(problem, q, grid)


def quantize_gptq(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    damping: float = 0.01,
    order: str = "natural",
    orient: bool = False,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
) -> IntegerMLP:
    """Quantize a network by GPTQ with a centred Hessian, then fit each neuron's scale and bias.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, orient, calibrate, targets
        As in `quantize_nearest`; rng is not used.
    damping : float
        Share of the mean diagonal that is added to it, > 0; the paper's is 0.01.
    order : {"natural", "energy"}
        Order of the inputs: as they come, or those that vary most first.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_nearest`; ValueError also if damping is not positive or order is unknown.

    Notes
    -----
    E16, then E15, layer by layer; one scale a neuron and no groups.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_gptq(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    _check(damping, order)
    rounding = partial(gptq_layer, damping=damping, order=order)
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        partial(better_side, round_layer=rounding) if orient else rounding,
        calibrate=calibrate,
        targets=targets,
    )


def quantize_gptq_resolved(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    damping: float = 0.01,
    order: str = "natural",
    orient: bool = False,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
) -> IntegerMLP:
    """Quantize a network by GPTQ, each layer's weights first re-solved towards the float network's targets.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, damping, order, orient, calibrate, targets
        As in `quantize_gptq`.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_gptq`.

    Notes
    -----
    E18, E16, E15, layer by layer.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_gptq_resolved(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    _check(damping, order)
    rounding = partial(gptq_layer, damping=damping, order=order, resolve=True)
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        partial(better_side, round_layer=rounding) if orient else rounding,
        calibrate=calibrate,
        targets=targets,
    )


def _check(damping: float, order: str) -> None:
    if not (damping > 0 and np.isfinite(damping)):
        raise ValueError(f"damping is {damping}; it must be positive: without it the Hessian may have no inverse")
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; it must be one of {ORDERS}")
