"""GPTQ: round the inputs of a layer in order, each error pushed into the weights that are still real.

Legend: R calibration rows, K inputs, N neurons; `problem` a LayerProblem: x (R, K) delivered inputs, z (R, N) float
targets, w (K, N) weights, real; s (N,) scales, q (K, N) codes; xc, zc less their means over rows; `damping` the
share of the mean diagonal that is added to it, > 0. E16 as in error_feedback, `bits`, `upper`, E15 in rounding_grid.

E18 (re-solve)  w := argmin |zc - xc w|^2 + lam |w - w_0|^2,   lam = 0.3 (K / R) mean_k(sum_r x_k^2) + 1e-12 R

Sources: Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022;
the order "energy" is "act-order" of the authors' program. The paper's Hessian is x^T x; centred, it is that of a layer
whose bias is corrected at the end, and the better one here. E18 lets each layer repair the layers before it, as in Li
et al., "GPTAQ: Efficient Finetuning-Free Quantization for Asymmetric Calibration", 2025, which puts that term into the
rounding instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerProblem, Rounding, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.error_feedback import damped_hessian, hessian_factor, round_with_feedback
from npquant.compression.least_squares import (
    damp_by,
    pull_by_rows,
    solve_together,
    take_step,
)
from npquant.compression.rounding.rounding_grid import (
    better_side,
    choose_rounding_grid,
    fit_scale_and_bias,
)
from npquant.integer.mlp import IntegerMLP

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


ORDERS = ("natural", "energy")


def resolve_weights(problem: LayerProblem) -> Float64:
    """E18: move a layer's weights to where, on the delivered inputs, it comes closest to the float targets.

    A neuron that would move by less than 1e-9 of its largest weight stays.

    >>> x = np.array([[1.0], [-1.0]])
    >>> problem = LayerProblem(np.array([[0.4]]), np.zeros(1), x, 0.5 * x + 3, "identity", 0, True)
    >>> resolve_weights(problem).round(3)  # 0.4 + 0.2 / (2 + lam), lam = 0.3
    array([[0.487]])
    """
    (rows, inputs), (xc, zc) = problem.x.shape, (a - a.mean(axis=0) for a in (problem.x, problem.z))
    lam = pull_by_rows(float(np.square(problem.x).sum()), rows, rows, inputs)
    gradient = xc.T @ (zc - xc @ problem.w)
    return take_step(problem.w, solve_together(damp_by(xc.T @ xc, lam), gradient))


def gptq_layer(
    problem: LayerProblem,
    bits: Bits,
    *,
    damping: float = 0.01,
    order: str = "natural",
    resolve: bool = False,
    upper: bool = False,
) -> LayerCodes:
    """E16, then E15: round one layer by GPTQ, then fit scale and bias; `resolve` asks for E18 first.

    `order` is that of the inputs: "natural", or "energy", those that vary most first.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gptq_layer(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    w = resolve_weights(problem) if resolve else problem.w
    grid = choose_rounding_grid(w, bits, upper=upper)
    at = np.arange(len(w))
    if order == "energy":
        at = np.argsort(-problem.x.var(axis=0), kind="stable")
    q = np.empty_like(w)
    q[at] = round_with_feedback(w[at], hessian_factor(damped_hessian(problem.x[:, at], damping), overwrite=True), grid)
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
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a network by GPTQ with a centred Hessian, then fit each neuron's scale and bias.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, calibrate, targets, inputs, output
        As in `quantize_model`; rng is not used.
    orient : bool
        As in `quantize_nearest`.
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
        As in `quantize_model`; ValueError also if damping is not positive or order is unknown.

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
    rounding = _rounding(damping, order, resolve=False, orient=orient)
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        rounding,
        calibrate=calibrate,
        targets=targets,
        inputs=inputs,
        output=output,
    ).network


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
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a network by GPTQ, each layer's weights first re-solved towards the float network's targets.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, damping, order, orient, calibrate, targets, inputs, output
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
    rounding = _rounding(damping, order, resolve=True, orient=orient)
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        rounding,
        calibrate=calibrate,
        targets=targets,
        inputs=inputs,
        output=output,
    ).network


def _rounding(damping: float, order: str, *, resolve: bool, orient: bool) -> Rounding:
    """Check the settings, and return the way to round a layer with them."""
    if not (damping > 0 and np.isfinite(damping)):
        raise ValueError(f"damping is {damping}; it must be positive: without it the Hessian may have no inverse")
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; it must be one of {ORDERS}")
    layer = partial(gptq_layer, damping=damping, order=order, resolve=resolve)
    return partial(better_side, round_layer=layer) if orient else layer
