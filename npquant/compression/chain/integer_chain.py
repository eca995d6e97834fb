"""The chain: a float network becomes an integer one, layer by layer, each on the integer outputs of the ones before.

Legend: R calibration rows, K contracted depth, N outputs; X (R, K) real inputs that the integer chain delivers,
Z (R, N) pre-activations of the float model; w, b real weights; sx, sw, sy scales; a activation bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, checked_rows, choose_input_code, min_max_range
from npquant.compression.chain.output_codes import (
    OutputRule,
    activation_bits_per_layer,
    output_params,
    table_input_params,
)
from npquant.integer.accumulator import check_accumulator
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import quantize
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams
from npquant.profiles.npquant import NPQUANT

if TYPE_CHECKING:
    from npquant.nn.model import DenseLayer, FloatMLP


# A bias beyond this many steps is brought back by a larger weight scale: the other half of int32 is left to the sum.
LARGEST_BIAS = 2.0**30
# Steps for the bias of a neuron whose weight codes are all 0, so that its scale is free.
FREE_BIAS = 2.0**15


@dataclass(frozen=True, slots=True, eq=False)
class LayerProblem:
    """State what one layer's quantizer has to solve.

    Parameters
    ----------
    w, b : ndarray of float64, shapes (K, N) and (N,)
        Real weights and bias, with input scales and a hard sigmoid folded in.
    x : ndarray of float64, shape (R, K)
        X: the real values of the codes that the integer chain delivers.
    z : ndarray of float64, shape (R, N)
        Z: pre-activations of the float model.
    activation : str
        Of the integer layer; the last layer has "identity".
    index : int
        Number of the layer.
    last : bool
        True for the layer of the logits.

    Examples
    --------
    Made by `quantize_chain`.
    """

    w: Float64
    b: Float64
    x: Float64
    z: Float64
    activation: str
    index: int
    last: bool


@dataclass(frozen=True, slots=True, eq=False)
class LayerCodes:
    """Give the answer of a layer's quantizer.

    Parameters
    ----------
    w_q : ndarray of int8, shape (K, N)
        Weight codes.
    w : QuantParams
        Their quantization.
    bias : ndarray of float64, shape (N,)
        Real bias, not yet rounded.

    Examples
    --------
    Returned by a `LayerQuantizer`.
    """

    w_q: NDArray[np.int8]
    w: QuantParams
    bias: Float64


LayerQuantizer = Callable[[LayerProblem], LayerCodes]


def quantize_chain(
    model: FloatMLP,
    x_calibration: ArrayLike,
    quantize_layer: LayerQuantizer,
    *,
    activation_bits: int | Sequence[int] = 8,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    choose_output: OutputRule | None = None,
) -> IntegerMLP:
    """Turn a float network into an integer one, each layer on what the integer layers before it deliver.

    Parameters
    ----------
    model : FloatMLP
        The float network.
    x_calibration : array, shape (R, K)
        Training rows.
    quantize_layer : callable
        LayerProblem -> LayerCodes.
    activation_bits : int or sequence of int
        a, 1..8, for the outputs of all hidden layers or of each; logits always have 8 bits. tanh needs at least 2.
    calibrate : callable
        Values -> (lo, hi), for ReLU outputs, pre-activations and logits.
    targets : sequence of arrays, shapes (R, N), optional
        Z of every layer; by default `model.pre_activations(x_calibration)`. A pruned model takes the float model's.
    choose_output : callable, optional
        Quantization of each layer's output; by default `output_params`.

    Returns
    -------
    IntegerMLP
        Under npquant's own arithmetic.

    Raises
    ------
    TypeError
        If the model is an integer one already.
    ValueError
        If the rows are not finite, empty or of the wrong width, or a parameter is out of range.
    OverflowError
        If a bias or an accumulator cannot be held in int32.

    Notes
    -----
    X of layer i + 1 is R2 of the codes that layer i writes. A hard sigmoid is clipped ReLU of z / 6 + 1/2.

    Examples
    --------
    The quantizer rounds weights to halves; the chain makes the codes of inputs, bias and outputs around it.

    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> def in_halves(problem):
    ...     return LayerCodes(np.rint(problem.w / 0.5).astype(np.int8), QuantParams(0.5, 0, -128, 127), problem.b)
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-1.5]]), np.array([0.5]), "identity"),))
    >>> net = quantize_chain(model, [[0.0, 1.0], [1.0, 0.0]], in_halves)
    >>> net.layers[0].w_q.ravel(), net.layers[0].bias, net.logits([[1.0, 0.0]]).round(2)
    (array([ 2, -3], dtype=int8), array([1], dtype=int32), array([[1.5]], dtype=float32))
    """
    if isinstance(model, IntegerMLP):
        raise TypeError("the model is an IntegerMLP, so it is integer already: quantize the FloatMLP it was made from")
    widths = activation_bits_per_layer(activation_bits, len(model.layers))
    rows = checked_rows(x_calibration)
    if rows.shape[1] != model.n_inputs:
        raise ValueError(f"x_calibration has {rows.shape[1]} columns; the model reads {model.n_inputs}")
    pre_activations = _checked_targets(model.pre_activations(rows) if targets is None else targets, model, len(rows))
    code = choose_input_code(rows)
    x = code.layer_params
    x_q = quantize(rows if code.offset is None else rows - code.offset, code.params).astype(np.int8)
    layers: list[IntegerLayer] = []
    for i, (dense, z) in enumerate(zip(model.layers, pre_activations, strict=True)):
        w, b, z, activation = _fold_hard_sigmoid(dense, z)
        if i == 0:
            w, b = code.fold(w, b)
        real = (x_q.astype(np.float64) - int(x.zero_point)) * float(x.scale)
        problem = LayerProblem(w, b, real, z, activation, i, i == len(model.layers) - 1)
        output = partial(choose_output or output_params, bits=widths[i], calibrate=calibrate)
        layer = _assemble(problem, quantize_layer(problem), x, output, calibrate)
        check_accumulator(layer, i)
        layers.append(layer)
        x, x_q = layer.y, run_layer_plain(layer, x_q, NPQUANT)
    return IntegerMLP(tuple(layers), code.params, code.offset)


def _checked_targets(targets: Sequence[ArrayLike], model: FloatMLP, rows: int) -> list[Float64]:
    z = [np.asarray(t, np.float64) for t in targets]
    if [t.shape for t in z] != [(rows, n) for n in model.neurons]:
        raise ValueError(
            f"the targets have shapes {[t.shape for t in z]}; one (R, N) a layer is needed: {model.neurons}"
        )
    if not all(np.isfinite(t).all() for t in z):
        raise ValueError("the model's pre-activations are not finite on the calibration rows: check its weights")
    return z


def _fold_hard_sigmoid(dense: DenseLayer, z: Float64) -> tuple[Float64, Float64, Float64, str]:
    """Return float64 weights, bias, targets and activation, with clip(z / 6 + 1/2, 0, 1) made a clipped ReLU."""
    w, b = np.asarray(dense.w, np.float64), np.asarray(dense.b, np.float64)
    if dense.activation != "hard_sigmoid":
        return w, b, z, dense.activation
    return w / 6, b / 6 + 0.5, z / 6 + 0.5, "clipped_relu"


def _assemble(
    problem: LayerProblem,
    codes: LayerCodes,
    x: QuantParams,
    choose_output: Callable[[str, Float64], QuantParams],
    calibrate: RangeRule,
) -> IntegerLayer:
    """Choose the output quantization of a layer, round its bias, and make the record."""
    w_q, w = rescale_for_bias(codes, x, problem.index)
    steps = np.asarray(w.scale, np.float64) * (w_q - np.asarray(w.zero_point, np.float64))
    pre_activation = problem.x @ steps + codes.bias
    y = choose_output(problem.activation, pre_activation)
    pre = None
    if problem.activation in FUNCTIONS:
        pre = table_input_params(problem.activation, pre_activation, y, calibrate)
    bias = np.rint(codes.bias / (float(x.scale) * np.asarray(w.scale, np.float64))).astype(np.int32)
    return IntegerLayer(w_q, bias, x, w, y, problem.activation, pre)


def rescale_for_bias(codes: LayerCodes, x: QuantParams, index: int) -> tuple[NDArray[np.int8], QuantParams]:
    """Give a neuron whose bias does not fit its step a step that fits.

    Parameters
    ----------
    codes : LayerCodes
        Codes, their quantization, real bias.
    x : QuantParams
        Input of the layer, per-tensor.
    index : int
        Number of the layer, for the message.

    Returns
    -------
    w_q : ndarray of int8, shape (K, N)
        Codes.
    w : QuantParams
        Their quantization.

    Raises
    ------
    OverflowError
        If a bias leaves int32 and the scale is one for the whole tensor.

    Notes
    -----
    The bias has the scale sx sw (R4, R9). All codes 0: sw is free, and chosen so that the bias has 2^15 steps. A bias
    beyond 2^30 steps: sw is raised until it has 2^30, and the codes are rounded again, which moves no weight by more
    than half of the new step, 2^-31 |b| / sx.

    Examples
    --------
    >>> p = QuantParams(np.array([1.0]), 0, -128, 127)
    >>> w_q, w = rescale_for_bias(LayerCodes(np.zeros((2, 1), np.int8), p, np.array([0.5])), p, 0)
    >>> float(w.scale[0]) == 0.5 / 2**15
    True
    """
    scale = np.asarray(codes.w.scale, np.float64)
    largest = np.abs(codes.bias) / float(np.max(x.scale))
    if not np.isfinite(codes.bias).all():
        raise ValueError(f"layer {index}: the bias is not finite")
    if scale.ndim == 0:
        if (largest > LARGEST_BIAS * scale).any():
            n = int(np.argmax(largest))
            raise OverflowError(
                f"layer {index}, neuron {n}: the bias {codes.bias[n]:g} is more than 2^30 steps of {scale:g}; "
                "quantize per channel"
            )
        return codes.w_q, codes.w
    # A bias too small for a normal scale keeps the scale that it has, and rounds to code 0.
    free = ~codes.w_q.any(axis=0) & (np.asarray(codes.w.zero_point) == 0) & (largest > FREE_BIAS * FLOAT32_TINY)
    least = np.where(free, largest / FREE_BIAS, largest / LARGEST_BIAS)
    raised = np.where(free, least, np.maximum(scale, least)).astype(np.float32)
    w = QuantParams(raised, codes.w.zero_point, codes.w.qmin, codes.w.qmax)
    z = np.asarray(w.zero_point, np.float64)
    w_q = np.rint((codes.w_q - z) * (scale / raised)) + z  # nearer to z than before: still in the interval
    return np.where(raised == scale, codes.w_q, w_q).astype(np.int8), w
