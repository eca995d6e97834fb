"""GPFQ: round the inputs of a layer in order, each code chosen to cancel the error carried so far.

Legend: R calibration rows, K inputs, N neurons; x (R, K) delivered inputs, f (R, K) the float network's own, w (K, N)
weights, s (N,) scales, q (K, N) codes, u (R, N) the carried error; xc, fc less their means over rows.

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

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, checked_rows, min_max_range
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem
from npquant.compression.rounding.nearest import quantize_by_layers
from npquant.compression.rounding.rounding_grid import better_side, choose_rounding_grid, fit_scale_and_bias
from npquant.compression.rounding.uniform import Bits
from npquant.integer.mlp import IntegerMLP

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def gpfq_layer(problem: LayerProblem, bits: Bits, *, x_float: Float64 | None = None, above: bool = False) -> LayerCodes:
    """Round one layer by GPFQ, then fit scale and bias.

    Parameters
    ----------
    problem, bits, above
        As in `nearest_layer`.
    x_float : ndarray of float64, shape (R, K), optional
        f, the inputs of this layer in the float network; by default the delivered ones.

    Returns
    -------
    LayerCodes
        E17, then E15.

    Notes
    -----
    An input that does not vary has nothing to cancel with: its weights round to nearest.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> gpfq_layer(LayerProblem(w, b, x, x @ w + 3, "identity", 0, True), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    grid = choose_rounding_grid(problem.w, bits, above=above)
    xc = problem.x - problem.x.mean(axis=0)
    fc = xc if x_float is None else x_float - x_float.mean(axis=0)
    q, u = np.empty_like(problem.w), np.zeros_like(problem.z)
    for k, (x, f, w) in enumerate(zip(xc.T, fc.T, problem.w, strict=True)):
        energy = float(x @ x)
        u += f[:, np.newaxis] * w
        q[k] = grid.nearest(x @ u / energy if energy > 0 else w)
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
) -> IntegerMLP:
    """Quantize a network by greedy path following, then fit each neuron's scale and bias.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, orient, calibrate, targets
        As in `quantize_nearest`; rng is not used, and targets only by E15.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_nearest`.

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
    inputs: list[Float64 | None] = [None]

    def rounding(problem: LayerProblem, width: Bits) -> LayerCodes:
        if problem.index == 1:  # the model and the rows have passed the chain's checks by then
            hidden = model.activations(checked_rows(x_calibration))
            inputs.extend(np.asarray(a, np.float64) for a in hidden)
        layer = partial(gpfq_layer, x_float=inputs[problem.index])
        return better_side(problem, width, layer) if orient else layer(problem, width)

    return quantize_by_layers(
        model, x_calibration, bits, activation_bits, rounding, calibrate=calibrate, targets=targets
    )
