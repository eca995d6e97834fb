"""Quantization that keeps zeros: every way to round a layer, applied to each neuron's nonzero weights alone.

Legend: R calibration rows, K inputs and N neurons of a layer; `problem` a LayerProblem: x (R, K) delivered inputs, z
(R, N) float targets, w (K, N) real weights; q codes, S the inputs whose weight in a neuron is not 0; `bits` 2..8 or
"ternary"; `method` a name of method_names; `output` "softmax" or "identity", as in rectified/network. U6 is derived in
docs/weight-pruning.md.

U6 (zeros)  w_kn = 0  =>  q_kn = 0: neuron n is rounded as a layer of the inputs S alone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerProblem, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.output_ends import output_kind
from npquant.compression.chain.weight_codes import Bits, code_interval, weight_grid
from npquant.compression.rounding.methods import deterministic_rounding
from npquant.compression.rounding.rectified.network import error_weights, rectified_codes
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def round_keeping_zeros(problem: LayerProblem, bits: Bits, method: str, output: str = "softmax") -> LayerCodes:
    """U6: round one layer, neuron by neuron, on the inputs that each one uses; exactly 0 where w is.

    Scale, codes and bias of each neuron are as the method gives them for its part. A neuron without weights is rounded
    as one of a single input that is 0 on all rows. A layer without zeros goes to the method as it is. GPFQ takes the
    delivered inputs for the float network's, too. There is no report. ValueError if the method is unknown, or draws.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> problem = LayerProblem(np.array([[0.4], [0.0]]), np.zeros(1), x, 0.5 * x[:, :1], "identity", 0, True)
    >>> codes = round_keeping_zeros(problem, "ternary", "nearest")
    >>> codes.w_q.ravel(), codes.w.scale
    (array([1, 0], dtype=int8), array([0.5], dtype=float32))
    """
    rounding, problem, used = deterministic_rounding(method), replace(problem, x_float=None), problem.w != 0
    d2 = error_weights(problem, bits, output) if method == "rectified" else None
    if used.all():
        return replace(rounding(problem, bits) if d2 is None else rectified_codes(problem, bits, d2), report=None)
    w_q, scale, bias = np.zeros(used.shape, np.int8), np.empty(used.shape[1], np.float32), np.empty(used.shape[1])
    upper = np.zeros(used.shape[1], np.bool_)
    for n in range(used.shape[1]):
        s = np.flatnonzero(used[:, n])
        part = _neuron(problem, n, s)
        codes = rounding(part, bits) if d2 is None else rectified_codes(part, bits, d2[:, n : n + 1])
        w_q[s, n] = codes.w_q[: len(s), 0]
        scale[n], bias[n] = np.ravel(codes.w.scale)[0], codes.bias[0]
        upper[n] = codes.w.qmax > weight_grid(bits)[1]
    return LayerCodes(w_q, QuantParams(scale, 0, *code_interval(bits, upper)), bias)


def _neuron(problem: LayerProblem, n: int, s: NDArray[np.int64]) -> LayerProblem:
    """Return the problem of one neuron on the inputs s, or on a single dead one where there are none."""
    x, w = problem.x[:, s], problem.w[s, n : n + 1]
    if not len(s):
        x, w = np.zeros((len(problem.x), 1)), np.zeros((1, 1))
    return replace(problem, w=w, b=problem.b[n : n + 1], x=x, z=problem.z[:, n : n + 1])


def quantize_keeping_zeros(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    method: str = "rectified",
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
) -> IntegerMLP:
    """Quantize a sparse network so that no weight that is 0 comes back.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, rng, calibrate, targets, inputs, output
        As in `quantize_model`; rng is not used. The model has weights that are 0.
    method : {"rectified", "uniform", "nearest", "gptq", "gptq_resolved", "gpfq"}
        How the nonzero weights are rounded.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven; its nonzero codes are at most the nonzero weights.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As in `quantize_model`.

    Notes
    -----
    U6 around E1 to E18, layer by layer. Methods that carry errors from weight to weight put them into weights that were
    0 too, which costs their sparsity; here a neuron has only its nonzero weights to put them in.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [0.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_keeping_zeros(model, [[0, 1, 4], [4, 2, 0], [1, 0, 3]]).layers[0].w_q.ravel()
    array([ 7,  0, -3], dtype=int8)
    """
    deterministic_rounding(method)  # refuses a name before any row is looked at
    rounding = partial(round_keeping_zeros, method=method, output=output_kind(output, model.neurons[-1]))
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
