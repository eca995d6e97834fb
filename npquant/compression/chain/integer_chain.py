"""The chain: a float network becomes an integer one, layer by layer, each on the integer outputs of the ones before.

What a way to round is: a function LayerProblem -> LayerCodes. The chain does the rest around it: codes of the inputs,
the rounding of the bias, codes of the outputs, the proof that accumulators hold.

Legend: R calibration rows, K contracted depth, N outputs; X (R, K) real inputs that the integer chain delivers, Z
(R, N) pre-activations of the float model; w, b real weights; sx, sw, sy scales; a activation bits, 1..8 or 16 for the
outputs of all hidden layers or of each (tanh at least 2). Inputs have the 16 bits of the hidden layer behind them, and
logits those of the one before, else 8; where a is 16 for all, so are both. `model` is a FloatMLP; `x_calibration` are
training rows (R, K), checked and copied here, once; `activation_bits` is a; `calibrate` takes values -> (lo, hi), for
ReLU outputs, pre-activations and logits; `targets` are Z of every layer, by default the model's own: a pruned model
takes the float model's; `inputs` says how inputs become codes, as in `input_choice`, `output` what the outputs are, as
in `output_ends`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64, Real
from npquant.compression.chain.calibration import InputCode, RangeRule, checked_rows, min_max_range
from npquant.compression.chain.input_choice import choose_inputs
from npquant.compression.chain.layer_codes import LayerCodes, bias_codes, rescale_for_bias
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.method_choice import MethodChoice
from npquant.compression.chain.output_codes import (
    OutputRule,
    activation_bits_per_layer,
    input_bits,
    output_params,
    table_input_params,
)
from npquant.compression.chain.output_ends import OutputEnds, choose_output_ends, output_kind
from npquant.compression.chain.weight_codes import Bits, bits_per_layer
from npquant.integer.accumulator import check_accumulator
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.affine import quantize
from npquant.kernels.lookup import FUNCTIONS
from npquant.kernels.qparams import QuantParams
from npquant.nn.activations import activate
from npquant.profiles.npquant import NPQUANT

if TYPE_CHECKING:
    from npquant.nn.model import DenseLayer, FloatMLP


@dataclass(frozen=True, slots=True, eq=False)
class LayerProblem:
    """State what a layer's quantizer has to solve; the chain makes it for a function (problem, bits) -> LayerCodes.

    Attributes
    ----------
    w : float64, (K, N)
        Real weights, with the scales of the inputs and a hard sigmoid folded in.
    b : float64, (N,)
        Real bias, likewise.
    x : float64, (R, K)
        The real values of the codes that the integer layers before deliver on the calibration rows.
    z : float64, (R, N)
        What x w + b should come close to: the float network's pre-activations on the same rows.
    activation : str
        Of the integer layer.
    index : int
        Number of the layer, from 0.
    last : bool
        True for the layer of the logits.
    x_float : callable or None
        Makes the layer's inputs (R, K) in the float network, float64, where they are not those of x.

    Examples
    --------
    >>> problem = LayerProblem(np.eye(2), np.zeros(2), np.ones((1, 2)), np.ones((1, 2)), "identity", 0, True)
    >>> np.abs(problem.x @ problem.w + problem.b - problem.z).max()
    np.float64(0.0)
    """

    w: Float64
    b: Float64
    x: Float64
    z: Float64
    activation: str
    index: int
    last: bool
    x_float: Callable[[], Float64] | None = None


LayerQuantizer = Callable[[LayerProblem], LayerCodes]
Rounding = Callable[[LayerProblem, Bits], LayerCodes]
# (network, rows, logits of the float model) -> network: what is done once all layers are rounded.
Finish = Callable[[IntegerMLP, Float64, Float64], IntegerMLP]


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A quantized network, and what rounding each of its layers cost; it unpacks as these two.

    >>> network, report = Quantized(None, ())
    >>> network is None, report
    (True, ())
    """

    network: IntegerMLP
    report: tuple[LayerReport, ...]  # () where the method cannot tell
    choice: MethodChoice | None = None  # what rows held out of calibration said; None where the method was given

    def __iter__(self) -> Iterator[Any]:
        """Give the network, then the report."""
        return iter((self.network, self.report))


def quantize_by_layers(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits],
    activation_bits: int | Sequence[int],
    round_layer: Rounding,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
    finish: Finish | None = None,
) -> Quantized:
    """Take a way to round, (LayerProblem, bits) -> LayerCodes, through the chain: what every quantizer of weights does.

    `bits` is one weight width for all layers or one a layer; `round_layer` gets its layer's. `finish` changes the
    network at the end. Raises as `quantize_chain`, and ValueError for a wrong width.

    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> def in_halves(problem, bits):
    ...     grid = QuantParams(np.full(problem.w.shape[1], 0.5), 0, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    ...     return LayerCodes(quantize(problem.w, grid).astype(np.int8), grid, problem.b)
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-1.5]]), np.array([0.5]), "identity"),))
    >>> quantize_by_layers(model, [[0.0, 1.0]], 2, 8, in_halves).network.layers[0].w_q.ravel()
    array([ 1, -2], dtype=int8)
    """
    widths = bits_per_layer(bits, len(model.layers))
    reports: list[LayerReport] = []

    def round_at_its_width(problem: LayerProblem) -> LayerCodes:
        codes = round_layer(problem, widths[problem.index])
        reports.extend([codes.report] if codes.report is not None else [])
        return codes

    network = quantize_chain(
        model,
        x_calibration,
        round_at_its_width,
        activation_bits=activation_bits,
        calibrate=calibrate,
        targets=targets,
        inputs=inputs,
        output=output,
        finish=finish,
    )
    return Quantized(network, tuple(reports))


def quantize_chain(
    model: FloatMLP,
    x_calibration: ArrayLike,
    quantize_layer: LayerQuantizer,
    *,
    activation_bits: int | Sequence[int] = 8,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    choose_output: OutputRule | None = None,
    inputs: str = "auto",
    output: str = "auto",
    finish: Finish | None = None,
) -> IntegerMLP:
    """Turn a float network into an integer one under npquant's own arithmetic, each layer rounded by `quantize_layer`.

    X of layer i + 1 is R2 of the codes that layer i writes. A hard sigmoid is clipped ReLU of z / 6 + 1/2.
    `choose_output` is the quantization of each layer's output, by default `output_params` behind the ends that
    `choose_output_ends` gives the last one; `finish` changes the network at the end. TypeError if the model is an
    integer one already; ValueError if the rows are not finite, empty or of the wrong width, or a parameter is out of
    range; OverflowError if a bias or an accumulator cannot be held in int32, or beside 16-bit inputs in 48 bits.

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
    widths, kind = activation_bits_per_layer(activation_bits, len(model.layers)), output_kind(output, model.neurons[-1])
    rows = rows_of(model, x_calibration)  # checked here; from here on handed down as they are, and so are the targets
    float_z = cache(lambda: model.pre_activations(rows))  # once, and only where targets or a rounding ask for it
    pre_activations = checked_targets(float_z() if targets is None else targets, model, len(rows))
    first = np.asarray(model.layers[0].w, np.float64)
    code, ends = choose_inputs(rows, first, inputs, bits=input_bits(widths)), OutputEnds()
    if choose_output is None:
        ends = choose_output_ends(pre_activations[-1], model.layers[-1].activation, kind, calibrate)
    x = code.layer_params
    x_q = quantize(rows if code.offset is None else rows - code.offset, code.params)
    layers: list[IntegerLayer] = []
    for i, (w, b, z, activation) in enumerate(_folded(model, pre_activations, code, ends)):
        real = (x_q.astype(np.float64) - int(x.zero_point)) * float(x.scale)
        x_float = partial(_float_inputs, model, float_z, i) if i else None
        problem = LayerProblem(w, b, real, z, activation, i, i == len(model.layers) - 1, x_float)
        rule = partial(choose_output or output_params, bits=widths[i], calibrate=calibrate)
        known = ends.params(widths[i]) if problem.last else None
        layer = _assemble(problem, quantize_layer(problem), x, rule, calibrate, known)
        check_accumulator(layer, i, NPQUANT)
        layers.append(layer)
        x, x_q = layer.output, run_layer_plain(layer, x_q, NPQUANT)
    network = IntegerMLP(tuple(layers), code.params, code.offset, output_offset=ends.offset, output_factor=ends.factor)
    if finish is None:
        return network
    # The logits stand behind the last activation, which Z does not.
    return finish(network, rows, np.asarray(activate(model.layers[-1].activation, pre_activations[-1]), np.float64))


def rows_of(model: FloatMLP, x_calibration: ArrayLike) -> Float64:
    """Return checked calibration rows of the model's width."""
    rows = checked_rows(x_calibration)
    if rows.shape[1] != model.n_inputs:
        raise ValueError(f"x_calibration has {rows.shape[1]} columns; the model reads {model.n_inputs}")
    return rows


def _float_inputs(model: FloatMLP, float_z: Callable[[], tuple[Real, ...]], index: int) -> Float64:
    """Return the inputs (R, K) of a layer after the first in the float model."""
    return np.asarray(activate(model.layers[index - 1].activation, float_z()[index - 1]), np.float64)


def checked_targets(targets: Sequence[ArrayLike], model: FloatMLP, rows: int) -> list[Float64]:
    """Return Z of every layer for so many `rows`; ValueError if shapes do not agree or a value is not finite."""
    z = [np.asarray(t, np.float64) for t in targets]
    if [t.shape for t in z] != [(rows, n) for n in model.neurons]:
        raise ValueError(
            f"the targets have shapes {[t.shape for t in z]}; one (R, N) a layer is needed: {model.neurons}"
        )
    if not all(np.isfinite(t).all() for t in z):
        raise ValueError("the model's pre-activations are not finite on the calibration rows: check its weights")
    return z


def _folded(
    model: FloatMLP, targets: Sequence[Float64], code: InputCode, ends: OutputEnds
) -> list[tuple[Float64, Float64, Float64, str]]:
    """Return each layer's weights, bias, targets and activation, for codes of the inputs and for the outputs' ends."""
    parts = [_fold_hard_sigmoid(dense, z) for dense, z in zip(model.layers, targets, strict=True)]
    w, b, z, activation = parts[0]
    parts[0] = (*code.fold(w, b), z, activation)
    w, b, z, activation = parts[-1]
    parts[-1] = (*ends.fold(w, b, z), activation)
    return parts


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
    known: QuantParams | None,
) -> IntegerLayer:
    """Choose the output quantization of a layer, unless it is known; round its bias, and make the record."""
    w_q, w = rescale_for_bias(codes, x, problem.index)
    steps = w_q - np.asarray(w.zero_point, np.float64)
    steps *= np.asarray(w.scale, np.float64)
    pre_activation = problem.x @ steps
    pre_activation += codes.bias
    y = known or choose_output(problem.activation, pre_activation)
    pre = None
    if problem.activation in FUNCTIONS:
        pre = table_input_params(problem.activation, pre_activation, y, calibrate)
    return IntegerLayer(w_q, bias_codes(codes.bias, x, w), x, w, y, problem.activation, pre)
