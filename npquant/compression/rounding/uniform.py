"""Uniform quantization: round every weight to the nearest point of an even grid; and the recipe's own form of it.

Legend: `problem` a LayerProblem; w (K, N) real weights, s scale, z zero point, q code, k = 2^n; `bits` a width, 2..8 or
"ternary"; `calibrate` takes values -> (lo, hi).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerProblem, quantize_by_layers, quantize_chain
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.output_codes import output_params
from npquant.compression.chain.weight_codes import Bits, choose_weight_params, weight_grid
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import quantize, quantize_truncating
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def uniform_layer(
    problem: LayerProblem, bits: Bits, *, granularity: str = "per_channel", weight_scale: str = "auto"
) -> LayerCodes:
    """R1 with z = 0: round one layer's weights to nearest, scale and bias as they are.

    `granularity` and `weight_scale` as in `choose_weight_params`.

    >>> w = np.array([[1.0], [-0.5]])
    >>> uniform_layer(LayerProblem(w, np.zeros(1), w.T, w.T @ w, "identity", 0, True), "ternary").w_q.ravel()
    array([ 1, -1], dtype=int8)
    """
    w = choose_weight_params(problem.w, bits, granularity=granularity, weight_scale=weight_scale)
    return LayerCodes(quantize(problem.w, w).astype(np.int8), w, problem.b)


def quantize_uniform(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 8,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    granularity: str = "per_channel",
    weight_scale: str = "auto",
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a network by rounding every weight to the nearest code.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, calibrate, targets, inputs, output
        As in `quantize_model`; rng and targets are not used. All quantizers take them, so that they can be exchanged.
    granularity : {"per_channel", "per_tensor"}
        One scale a neuron, or one for all.
    weight_scale : {"auto", "absmax", "mse"}
        "absmax" maps the largest magnitude to the largest code; "mse" takes the share of it with the least mean square
        error; "auto" is absmax at 8 bits and mse below.

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
    R1 with z = 0: q = saturate(round_half_even(w / s), qmin, qmax), layer by layer in `quantize_chain`.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.5]]), np.array([0.25]), "identity"),))
    >>> quantize_uniform(model, [[0, 4], [4, 0]]).logits([[4, 0]]).round(2)
    array([[4.25]], dtype=float32)
    """
    rounding = partial(uniform_layer, granularity=granularity, weight_scale=weight_scale)
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


def quantize_recipe(
    model: FloatMLP, x_calibration: ArrayLike, bits: int = 8, *, calibrate: RangeRule = min_max_range
) -> IntegerMLP:
    """R3: quantize a network in the recipe's own form: multiply by k = 2^bits, truncate, clip to [0, k - 1].

    Weights: R3 on v = (w - min) / (max - min), the minimum moved by less than half a step so that 0 has the code z; one
    affine scale a layer; codes are stored less k / 2, to fit int8. `model` is a FloatMLP whose hidden activations lie
    in [0, 1] (clipped ReLU, hard sigmoid): they have the scale 1 / k; its last layer has none. `x_calibration` are
    training rows (R, K), `bits` is n, 2..8, for weights and hidden activations; `calibrate` is for the logits.
    ValueError for another activation or bits outside 2..8.

    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.5]]), np.array([0.25]), "identity"),))
    >>> quantize_recipe(model, [[0, 4], [4, 0]]).layers[0].w_q.ravel()
    array([ 127, -128], dtype=int8)
    """
    weight_grid(bits)
    hidden = {layer.activation for layer in model.layers[:-1]} - {"clipped_relu", "hard_sigmoid"}
    if hidden:
        raise ValueError(f"the recipe's form is for activations in [0, 1], not {sorted(hidden)}: use quantize_uniform")
    if model.layers[-1].activation != "identity":
        raise ValueError(f"the recipe's form ends in logits, not {model.layers[-1].activation!r}: use quantize_uniform")

    def truncate(problem: LayerProblem) -> LayerCodes:
        codes, w = _truncated_weights(problem.w, 2**bits)
        # trunc(k a) is round_half_up(k a - 1/2): half an output step is taken off the bias, which is where truncation
        # shows, since every activation is low by half a step on average.
        half_step = 0.0 if problem.last else 0.5 / 2**bits
        return LayerCodes(codes, w, problem.b - half_step)

    def recipe_output(activation: str, pre_activation: Float64, bits: int, calibrate: RangeRule) -> QuantParams:
        if activation == "identity":
            return output_params(activation, pre_activation, bits, calibrate)
        return QuantParams(1 / 2**bits, -128, -128, 2**bits - 129)

    return quantize_chain(
        model, x_calibration, truncate, activation_bits=bits, calibrate=calibrate, choose_output=recipe_output
    )


def _truncated_weights(w: Float64, k: int) -> tuple[NDArray[np.int8], QuantParams]:
    """Quantize weights by R3 on (w - min) / (max - min), codes less k / 2."""
    lo, hi = min(float(w.min(initial=0.0)), 0.0), max(float(w.max(initial=0.0)), 0.0)
    span = np.float32((hi - lo) / k)
    scale = float(span) if span >= FLOAT32_TINY else 1.0
    z = int(np.clip(np.rint(-lo / scale), 0, k - 1))
    codes = quantize_truncating((w + scale * z) / (scale * k), k)
    return (codes - k // 2).astype(np.int8), QuantParams(scale, z - k // 2, -(k // 2), k // 2 - 1)
