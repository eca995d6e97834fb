"""Where the peers of rectified quantization round, and the fit of scale and bias that they end in.

Legend: R calibration rows, K inputs, N neurons; `problem` a LayerProblem: x (R, K) delivered inputs, z (R, N) float
targets, w (K, N) weights; s (N,) scales, lo, hi (N,) ends of each neuron's grid, q (K, N) codes, integers as float64;
yc, zc less their means over rows; `bits` 2..8 or "ternary"; `upper`: at 2 bits the side [-1, 2] of the grid instead of
[-2, 1], with the scales that fit it (other widths have one side).

E15 (rescale)   s := zc . yc / yc . yc,  y = x q:  least squares; then b = mean_r(z - s y):  bias correction
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from npquant.arrays import Float64
from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits, RoundingGrid, choose_scales, code_interval
from npquant.compression.least_squares import INDISTINCT, ratio_or_zero
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams
from npquant.nn.activations import ACTIVATIONS


class SidedRounding(Protocol):
    """Round a layer, at 2 bits on the lower or the `upper` side of the grid."""

    def __call__(self, problem: LayerProblem, bits: Bits, *, upper: bool = False) -> LayerCodes: ...


def choose_rounding_grid(w: Float64, bits: Bits, *, weight_scale: str = "auto", upper: bool = False) -> RoundingGrid:
    """Choose the scales of a layer, `weight_scale` as in `choose_weight_params`, for one side of the grid.

    ValueError if w is not a finite matrix, or a name is unknown.

    >>> w = np.array([[-1.0], [2.0]])
    >>> lower, upper = choose_rounding_grid(w, 2), choose_rounding_grid(w, 2, upper=True)
    >>> (lower.s * lower.nearest(w)).round(2).ravel(), (upper.s * upper.nearest(w)).ravel()
    (array([-1.5,  1.5]), array([-1.,  2.]))
    """
    upper = upper and bits == 2
    s = choose_scales(-w if upper else w, bits, weight_scale)
    lo, hi = code_interval(bits, np.full(len(s), upper))
    return RoundingGrid(s, np.full(len(s), float(lo)), np.full(len(s), float(hi)))


def fit_scale_and_bias(problem: LayerProblem, q: Float64, grid: RoundingGrid) -> LayerCodes:
    """E15: fit scales and biases to codes q; a scale of the grid is kept where the best is no positive normal float32.

    The scale is rounded to float32 first, and the bias is fitted to the rounded one.

    >>> x = np.array([[1.0], [-1.0]])
    >>> problem = LayerProblem(np.array([[0.4]]), np.zeros(1), x, 0.5 * x + 3, "identity", 0, True)
    >>> fitted = fit_scale_and_bias(problem, np.array([[1.0]]), choose_rounding_grid(problem.w, 3))
    >>> fitted.w.scale, fitted.bias
    (array([0.5], dtype=float32), array([3.]))
    """
    y = problem.x @ q
    yc, zc = y - y.mean(axis=0), problem.z - problem.z.mean(axis=0)
    square = np.square(yc).sum(axis=0)
    fitted = ratio_or_zero((yc * zc).sum(axis=0), square)
    scale = np.where(fitted >= FLOAT32_TINY, fitted, grid.s).astype(np.float32)
    bias = (problem.z - y * scale.astype(np.float64)).mean(axis=0)
    return LayerCodes(q.astype(np.int8), grid.params(scale), bias)


def better_side(
    problem: LayerProblem, bits: Bits, round_layer: SidedRounding, *, activation: str = "identity"
) -> LayerCodes:
    """Round a layer on both sides of the 2-bit grid; take each neuron from where its outputs are nearer to the targets.

    Less squared error behind `activation`; the lower side on ties. `round_layer` takes (problem, bits, upper=...).

    >>> from npquant.compression.rounding.nearest import nearest_layer
    >>> x, w = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([[-1.0], [2.0]])
    >>> problem = LayerProblem(w, np.zeros(1), x, x @ w, "identity", 0, True)
    >>> better_side(problem, 2, nearest_layer).w_q.ravel()
    array([-1,  2], dtype=int8)
    """
    lower = round_layer(problem, bits)
    if bits != 2:
        return lower
    upper = round_layer(problem, bits, upper=True)
    errors = [_output_errors(problem, codes, activation) for codes in (lower, upper)]
    take = errors[1] < errors[0] * (1 - INDISTINCT)
    w = QuantParams(np.where(take, upper.w.scale, lower.w.scale), 0, *code_interval(bits, take))
    return LayerCodes(np.where(take, upper.w_q, lower.w_q), w, np.where(take, upper.bias, lower.bias))


def _output_errors(problem: LayerProblem, codes: LayerCodes, activation: str) -> Float64:
    """Return each neuron's squared error over the rows."""
    forward = ACTIVATIONS[activation][0]
    found = problem.x @ (codes.w_q * np.asarray(codes.w.scale, np.float64)) + codes.bias
    return np.asarray(np.square(forward(found) - forward(problem.z)).sum(axis=0), np.float64)
