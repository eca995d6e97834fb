"""Nearest rounding, its scale and bias fitted afterwards: the plainest peer.

Legend: `problem` a LayerProblem; `bits`, `upper` and E15 as in rounding_grid.
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

CORRECTIONS = ("least_squares", "none")


def nearest_layer(
    problem: LayerProblem,
    bits: Bits,
    *,
    weight_scale: str = "auto",
    correction: str = "least_squares",
    upper: bool = False,
) -> LayerCodes:
    """Round one layer's weights to nearest, R1, then E15; `correction` "none" leaves scale and bias as they are.

    `weight_scale` as in `choose_weight_params`.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> problem = LayerProblem(w, b, x, x @ w + 3, "identity", 0, True)
    >>> nearest_layer(problem, "ternary").bias, nearest_layer(problem, "ternary", correction="none").bias
    (array([3.]), array([0.]))
    """
    grid = choose_rounding_grid(problem.w, bits, weight_scale=weight_scale, upper=upper)
    q = grid.nearest(problem.w)
    if correction == "none":
        return LayerCodes(q.astype(np.int8), grid.params(grid.s.astype(np.float32)), problem.b)
    return fit_scale_and_bias(problem, q, grid)


def quantize_nearest(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    weight_scale: str = "auto",
    correction: str = "least_squares",
    orient: bool = False,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a network by rounding every weight to nearest, then fitting each neuron's scale and bias.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, calibrate, targets, inputs, output
        As in `quantize_model`; rng is not used, and targets only by E15.
    weight_scale : {"auto", "mse", "absmax"}
        As in `quantize_uniform`.
    correction : {"least_squares", "none"}
        E15, or scale and bias as they are: then this is `quantize_uniform`.
    orient : bool
        At 2 bits, each neuron on [-2, 1] or [-1, 2], wherever its outputs come nearer to the targets: twice the time.

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
    R1, then E15, layer by layer. The bias correction is that of Nagel et al., "Data-Free Quantization Through Weight
    Equalization and Bias Correction", 2019, section 4.2, with means measured on calibration rows.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_nearest(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction is {correction!r}; it must be one of {CORRECTIONS}")
    layer = partial(nearest_layer, weight_scale=weight_scale, correction=correction)
    rounding = partial(better_side, round_layer=layer) if orient else layer
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
