"""Uniform quantization: round every weight to the nearest point of an even grid; and the recipe's own form of it.

Legend: w (K, N) real weights, s scale, z zero point, q code, r ratio of the scale to the absmax scale, k = 2^n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.chain.output_codes import output_params
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import quantize, quantize_truncating
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams, choose_symmetric

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP

Bits = int | str

# Shares of the absmax scale that the MSE rule tries, the largest first: argmin then keeps the larger on ties.
SCALE_RATIOS = np.arange(40, 7, -1) / 40
GRANULARITIES = ("per_channel", "per_tensor")
SCALE_RULES = ("auto", "absmax", "mse")


def weight_grid(bits: Bits) -> tuple[int, int]:
    """Return the code interval of a weight width.

    Parameters
    ----------
    bits : int or "ternary"
        2..8, or the grid {-1, 0, 1}.

    Returns
    -------
    tuple of int
        (qmin, qmax).

    Raises
    ------
    ValueError
        If bits is anything else.

    Examples
    --------
    >>> weight_grid(2), weight_grid("ternary")
    ((-2, 1), (-1, 1))
    """
    if bits == "ternary":
        return -1, 1
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 2 <= bits <= 8:
        raise ValueError(f"bits is {bits!r}; it must be an integer in 2..8 or 'ternary'")
    return -(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1) - 1


def bits_per_layer(bits: Bits | Sequence[Bits], layers: int) -> tuple[Bits, ...]:
    """Spread a width over layers, and check every one.

    Parameters
    ----------
    bits : int, "ternary" or sequence of these
        One width for all layers, or one a layer.
    layers : int
        Number of layers.

    Returns
    -------
    tuple
        One width a layer.

    Raises
    ------
    ValueError
        If a width is not valid, or there are not as many as layers.

    Examples
    --------
    >>> bits_per_layer(4, 2), bits_per_layer(["ternary", 8], 2)
    ((4, 4), ('ternary', 8))
    """
    each = (bits,) * layers if isinstance(bits, int | np.integer | str) else tuple(bits)
    if len(each) != layers:
        raise ValueError(f"{len(each)} bit widths for {layers} layers: give one, or one a layer")
    for width in each:
        weight_grid(width)
    return each


def choose_weight_params(w: ArrayLike, bits: Bits, *, granularity: str, weight_scale: str) -> QuantParams:
    """Choose the symmetric quantization of a weight matrix.

    Parameters
    ----------
    w : array of float, shape (K, N)
        Real weights.
    bits : int or "ternary"
        Width.
    granularity : {"per_channel", "per_tensor"}
        One scale a neuron, or one for all.
    weight_scale : {"auto", "absmax", "mse"}
        "absmax" maps the largest magnitude to qmax; "mse" takes the share of it with the least mean square error;
        "auto" is absmax at 8 bits and mse below.

    Returns
    -------
    QuantParams
        zero_point 0 on the grid of `weight_grid`.

    Raises
    ------
    ValueError
        If w is not a finite matrix, or a name is unknown.

    Notes
    -----
    R13, times r in {1, .975, ..., .2}; ties keep the larger r. All-zero weights have s = 1.

    Examples
    --------
    >>> choose_weight_params([[1.0], [-127.0]], 8, granularity="per_channel", weight_scale="auto")
    QuantParams(scale=[1.], zero_point=0, qmin=-128, qmax=127)
    """
    real = np.asarray(w, np.float64)
    if real.ndim != 2 or not np.isfinite(real).all():
        raise ValueError(f"the weights have shape {real.shape}; they must be a finite matrix (K, N)")
    if granularity not in GRANULARITIES or weight_scale not in SCALE_RULES:
        raise ValueError(f"granularity is one of {GRANULARITIES}, weight_scale one of {SCALE_RULES}")
    qmin, qmax = weight_grid(bits)
    axis = 0 if granularity == "per_channel" else None
    absmax = np.max(np.abs(real), axis=axis, initial=0.0)
    scale = np.asarray(choose_symmetric(absmax / qmax, 2).scale, np.float64)
    if weight_scale == "mse" or (weight_scale == "auto" and bits != 8):
        scale = _least_squares_ratio(real, scale, qmin, qmax, axis)
    return QuantParams(scale, 0, qmin, qmax)


def _least_squares_ratio(w: Float64, absmax_scale: Float64, qmin: int, qmax: int, axis: int | None) -> Float64:
    """Return the float32 scale, among the shares of the absmax scale, whose rounding error is least."""
    scales, errors = [], []
    for ratio in SCALE_RATIOS:
        scale = np.maximum(absmax_scale * ratio, FLOAT32_TINY).astype(np.float32).astype(np.float64)
        rounded = np.clip(np.rint(w / scale), qmin, qmax) * scale
        scales.append(scale)
        errors.append(((w - rounded) ** 2).sum(axis=axis))
    best = np.argmin(np.array(errors), axis=0)
    # Zero neurons have no error at any ratio: argmin keeps the first, the absmax scale 1.
    return np.asarray(np.take_along_axis(np.array(scales), best[np.newaxis], axis=0)[0])


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
) -> IntegerMLP:
    """Quantize a network by rounding every weight to the nearest code.

    Parameters
    ----------
    model : FloatMLP
        The float network; not modified.
    x_calibration : array, shape (R, K)
        Training rows.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each.
    activation_bits : int or sequence of int
        1..8, for the outputs of all hidden layers or of each; logits have 8.
    rng : int, Generator or None
        Not used: rounding draws nothing. All quantizers take it, so that they can be exchanged.
    granularity, weight_scale : str
        As in `choose_weight_params`.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    targets : sequence of arrays, optional
        As in `quantize_chain`; rounding does not look at them.

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
    R1 with z = 0: q = saturate(round_half_even(w / s), qmin, qmax), layer by layer in `quantize_chain`.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.5]]), np.array([0.25]), "identity"),))
    >>> quantize_uniform(model, [[0, 4], [4, 0]]).logits([[4, 0]]).round(2)
    array([[4.25]], dtype=float32)
    """
    widths = bits_per_layer(bits, len(model.layers))

    def round_to_nearest(problem: LayerProblem) -> LayerCodes:
        w = choose_weight_params(problem.w, widths[problem.index], granularity=granularity, weight_scale=weight_scale)
        return LayerCodes(quantize(problem.w, w).astype(np.int8), w, problem.b)

    return quantize_chain(
        model, x_calibration, round_to_nearest, activation_bits=activation_bits, calibrate=calibrate, targets=targets
    )


def quantize_recipe(
    model: FloatMLP, x_calibration: ArrayLike, bits: int = 8, *, calibrate: RangeRule = min_max_range
) -> IntegerMLP:
    """Quantize a network in the recipe's own form: multiply by k = 2^bits, truncate, clip to [0, k - 1].

    Parameters
    ----------
    model : FloatMLP
        Hidden activations in [0, 1]: clipped ReLU or hard sigmoid; not modified.
    x_calibration : array, shape (R, K)
        Training rows.
    bits : int
        n, 2..8, for weights and for hidden activations.
    calibrate : callable
        Values -> (lo, hi), for the logits.

    Returns
    -------
    IntegerMLP
        Weights with one affine scale a layer, activations at scale 1 / k.

    Raises
    ------
    ValueError
        If a hidden activation is not bounded by [0, 1], or bits is outside 2..8.

    Notes
    -----
    R3 on v = (w - min) / (max - min), the minimum moved by less than half a step so that 0 has the code z; codes are
    stored less k / 2, to fit int8. R3 on activations: trunc(k a) is round_half_up(k a - 1/2), so half an output step is
    taken off the bias, which is where truncation shows: every activation is low by half a step on average.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.5]]), np.array([0.25]), "identity"),))
    >>> quantize_recipe(model, [[0, 4], [4, 0]]).layers[0].w_q.ravel()
    array([ 127, -128], dtype=int8)
    """
    weight_grid(bits)
    hidden = {layer.activation for layer in model.layers[:-1]} - {"clipped_relu", "hard_sigmoid"}
    if hidden:
        raise ValueError(f"the recipe's form is for activations in [0, 1], not {sorted(hidden)}: use quantize_uniform")

    def truncate(problem: LayerProblem) -> LayerCodes:
        codes, w = _truncated_weights(problem.w, 2**bits)
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
