"""Dynamic quantization: weights made integers once, from a float network; inputs quantized as they come.

Legend: R calibration rows, K inputs, N outputs of a layer; w (K, N), b (N,) real weights and bias. D1 to D4 stand in
npquant/integer/dynamic_mlp.py and docs/dynamic.md, the E labels in rounding_grid, gpfq, gptq and rectified/.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.calibration import checked_rows
from npquant.compression.chain.integer_chain import LayerProblem
from npquant.compression.chain.output_codes import activation_bits_per_layer
from npquant.compression.chain.output_ends import output_kind
from npquant.compression.chain.weight_codes import Bits, bits_per_layer
from npquant.compression.rounding.methods import deterministic_rounding
from npquant.compression.rounding.rectified.network import rectified_codes
from npquant.integer.dynamic_layer import GRANULARITIES, DynamicLayer, input_params, quantize_rows, run_dynamic_layer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.nn.model import FloatMLP

if TYPE_CHECKING:
    from npquant.nn.model import DenseLayer


def quantize_dynamic(
    model: FloatMLP,
    x_calibration: ArrayLike | None = None,
    bits: Bits | Sequence[Bits] = 8,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    granularity: str = "row",
    method: str = "uniform",
    output: str = "auto",
) -> DynamicMLP:
    """Quantize the weights of a network, and leave the scales of its inputs and activations to the run.

    Parameters
    ----------
    model : FloatMLP
        The float network; not modified.
    x_calibration : array, shape (R, K), optional
        Training rows; every method but "uniform" needs them.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each.
    activation_bits : int or sequence of int
        2..8, for the outputs of all hidden layers or of each. The network's inputs have 8; logits are not quantized.
    rng : int, Generator or None
        Not used: nothing is drawn.
    granularity : {"row", "batch"}
        Whose range decides the scale of an activation: the row's own, or that of the batch.
    method : {"uniform", "nearest", "gpfq", "gptq", "gptq_resolved", "rectified"}
        How weights are rounded: by the names of `quantize_model`.
    output : {"auto", "softmax", "identity"}
        What the outputs are, as in `quantize_model`; "rectified" reads it.

    Returns
    -------
    DynamicMLP
        With its accumulators proven for every input.

    Raises
    ------
    TypeError
        If the model is not a float network.
    ValueError
        If a parameter, the rows or the weights are not valid, or a method lacks its rows.
    OverflowError
        If an accumulator can leave int32.

    Notes
    -----
    Per channel, zero point 0, as static quantization rounds: "uniform" is R1 at the absmax scale with 8 bits, at the
    least-squares share of it below. The others see X, the real values of the codes that the dynamic layers before
    deliver for the rows, and Z of the float network: E15 ("nearest"), E17, E16, E18, and E1 to E14 ("rectified").
    Deterministic. With "uniform", every logit lies within D5 of the float network's.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.5]]), np.array([0.25]), "identity"),))
    >>> quantize_dynamic(model).logits([[4, 0], [400, 0]])
    array([[  4.25],
           [400.25]], dtype=float32)
    """
    if not isinstance(model, FloatMLP):
        raise TypeError(f"the model is {type(model).__name__}; dynamic quantization starts from a FloatMLP")
    kind, round_layer = output_kind(output, model.neurons[-1]), deterministic_rounding(method)
    if method == "rectified":
        round_layer = partial(rectified_codes, output=kind)
    if granularity not in GRANULARITIES:
        raise ValueError(f"the granularity is {granularity!r}; it must be one of {GRANULARITIES}")
    widths = bits_per_layer(bits, len(model.layers))
    x_bits = (8, *activation_bits_per_layer(activation_bits, len(model.layers))[:-1])
    if min(x_bits) < 2 or max(x_bits) > 8:
        raise ValueError(f"activation_bits is {activation_bits!r}; dynamic activations have 2..8 bits")
    if x_calibration is None:
        if method != "uniform":
            raise ValueError(f"the method {method!r} needs x_calibration: give some training rows")
        # R1 looks at no row; one of zeros keeps the shapes.
        rows = np.zeros((1, model.n_inputs))
    else:
        rows = checked_rows(x_calibration)
    targets = [np.asarray(z, np.float64) for z in model.pre_activations(rows)]
    x: NDArray[np.floating] = rows
    layers = []
    for i, dense in enumerate(model.layers):
        problem = _problem(dense, _delivered(x, x_bits[i], granularity), targets[i], i, i == len(targets) - 1)
        codes = round_layer(problem, widths[i])
        layers.append(DynamicLayer(codes.w_q, codes.w, codes.bias.astype(np.float32), dense.activation, x_bits[i]))
        x = run_dynamic_layer(layers[-1], x, granularity)
    return DynamicMLP(tuple(layers), granularity)


def _delivered(x: NDArray[np.floating], bits: int, granularity: str) -> Float64:
    """Return the real values of the codes that stand for x."""
    params = input_params(x, bits, granularity)
    scale, zero = (np.reshape(v, (-1, 1)).astype(np.float64) for v in (params.scale, params.zero_point))
    return np.asarray((quantize_rows(x, params) - zero) * scale)


def _problem(dense: DenseLayer, x: Float64, z: Float64, index: int, last: bool) -> LayerProblem:
    w, b = np.asarray(dense.w, np.float64), np.asarray(dense.b, np.float64)
    return LayerProblem(w, b, x, z, dense.activation, index, last)
