"""Nearest rounding, its scale and bias fitted afterwards: the plainest peer; and the way of every peer to a network.

Legend: R calibration rows, K inputs, N neurons; E15 as in rounding_grid.

A peer's layer function is (LayerProblem, bits) -> LayerCodes; `quantize_by_layers` takes it through the same integer
chain as rectified quantization.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.rounding.rounding_grid import better_side, choose_rounding_grid, fit_scale_and_bias
from npquant.compression.rounding.uniform import Bits, bits_per_layer
from npquant.integer.mlp import IntegerMLP

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP

LayerRounding = Callable[[LayerProblem, Bits], LayerCodes]

CORRECTIONS = ("least_squares", "none")


def nearest_layer(
    problem: LayerProblem,
    bits: Bits,
    *,
    weight_scale: str = "auto",
    correction: str = "least_squares",
    above: bool = False,
) -> LayerCodes:
    """Round one layer's weights to nearest.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width.
    weight_scale, above
        As in `choose_rounding_grid`.
    correction : {"least_squares", "none"}
        E15, or scale and bias as they are.

    Returns
    -------
    LayerCodes
        R1 of w.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> problem = LayerProblem(w, b, x, x @ w + 3, "identity", 0, True)
    >>> nearest_layer(problem, "ternary").bias, nearest_layer(problem, "ternary", correction="none").bias
    (array([3.]), array([0.]))
    """
    grid = choose_rounding_grid(problem.w, bits, weight_scale=weight_scale, above=above)
    q = grid.nearest(problem.w)
    if correction == "none":
        return LayerCodes(q.astype(np.int8), grid.params(grid.s.astype(np.float32)), problem.b)
    return fit_scale_and_bias(problem, q, grid)


def quantize_by_layers(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits],
    activation_bits: int | Sequence[int],
    round_layer: LayerRounding,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
) -> IntegerMLP:
    """Take a peer's layer function through the integer chain, each layer at its own width.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, calibrate, targets
        As in `quantize_nearest`.
    round_layer : callable
        (LayerProblem, bits) -> LayerCodes.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_nearest`.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_by_layers(model, [[0, 4], [4, 0]], 4, 8, nearest_layer).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    widths = bits_per_layer(bits, len(model.layers))

    def round_one(problem: LayerProblem) -> LayerCodes:
        return round_layer(problem, widths[problem.index])

    return quantize_chain(
        model, x_calibration, round_one, activation_bits=activation_bits, calibrate=calibrate, targets=targets
    )


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
) -> IntegerMLP:
    """Quantize a network by rounding every weight to nearest, then fitting each neuron's scale and bias.

    Parameters
    ----------
    model : FloatMLP
        The float network; not modified.
    x_calibration : array, shape (R, K)
        Training rows, real values.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each.
    activation_bits : int or sequence of int
        1..8, for the outputs of all hidden layers or of each; logits have 8.
    rng : int, Generator or None
        Not used: nothing is drawn. All quantizers take it, so that they can be exchanged.
    weight_scale : {"auto", "mse", "absmax"}
        As in `choose_weight_params`; "auto" is absmax at 8 bits and mse below.
    correction : {"least_squares", "none"}
        E15, or scale and bias as they are: then this is `quantize_uniform`.
    orient : bool
        At 2 bits, each neuron on [-2, 1] or [-1, 2], wherever its outputs come nearer to the targets: twice the time.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    targets : sequence of arrays, shapes (R, N), optional
        Z of every layer, as in `quantize_chain`.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError
        If the model is an integer one already.
    ValueError
        If a parameter, the rows or the weights are not valid.
    OverflowError
        If a bias or an accumulator cannot be held in int32.

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
    rounding = partial(nearest_layer, weight_scale=weight_scale, correction=correction)
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        partial(better_side, round_layer=rounding) if orient else rounding,
        calibrate=calibrate,
        targets=targets,
    )
