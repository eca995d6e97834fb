"""GPFQ: round the inputs of a layer in order, each code chosen to cancel the error carried so far.

Legend: R calibration rows, K inputs, N neurons; `problem` a LayerProblem: x (R, K) delivered inputs, w (K, N) weights;
f (R, K) the float network's own inputs, the delivered ones where the problem has no others; s (N,) scales, q (K, N)
codes, u (R, N) the carried error; xc, fc less their means over rows. `bits`, `upper` and E15 as in rounding_grid.

E17 (GPFQ)      q_k = nearest(xc_k . (u + fc_k w_k) / |xc_k|^2);  u += fc_k w_k - xc_k s q_k

Source: Lybrand and Saab, "A Greedy Algorithm for Quantizing Neural Networks", 2021, equations 2 and 3: the float
network's inputs beside the weights, the quantized network's beside the codes. The paper has one alphabet for a layer,
sized by cross-validation on the median weight; here each neuron has the scale of `choose_weight_params`. Centring lets
the bias carry the mean, and is the better one here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerProblem, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.rounding_grid import better_side, choose_rounding_grid, fit_scale_and_bias
from npquant.integer.mlp import IntegerMLP

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def gpfq_layer(problem: LayerProblem, bits: Bits, *, upper: bool = False) -> LayerCodes:
    """E17, then E15: round one layer by GPFQ, then fit scale and bias.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gpfq_layer(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    grid = choose_rounding_grid(problem.w, bits, upper=upper)
    x_float = problem.x if problem.x_float is None else problem.x_float()
    xc, fc = problem.x - problem.x.mean(axis=0), x_float - x_float.mean(axis=0)
    q, u = np.empty_like(problem.w), np.zeros_like(problem.z)
    for k, (x, f, w) in enumerate(zip(xc.T, fc.T, problem.w, strict=True)):
        square = float(x @ x)
        u += f[:, np.newaxis] * w
        # An input that does not vary has nothing to cancel with: its weights round to nearest.
        q[k] = grid.nearest(x @ u / square if square > 0 else w)
        u -= x[:, np.newaxis] * (grid.s * q[k])
    return fit_scale_and_bias(problem, q, grid)


def quantize_gpfq(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    orient: bool = False,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a network by greedy path following, then fit each neuron's scale and bias.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, calibrate, targets, inputs, output
        As in `quantize_model`; rng is not used, and targets only by E15.
    orient : bool
        As in `quantize_nearest`.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_model`.

    Notes
    -----
    E17, then E15, layer by layer. The first layer has one input for both networks: the coded rows.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_gpfq(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    rounding = partial(better_side, round_layer=gpfq_layer) if orient else gpfq_layer
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
