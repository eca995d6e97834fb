"""Quantization that keeps zeros: every way to round a layer, applied to each neuron's nonzero weights alone.

Legend: R calibration rows, K inputs and N neurons of a layer; x (R, K) delivered inputs, z (R, N) float targets,
w (K, N) real weights, q codes, S the inputs whose weight in a neuron is not 0. Label U6 is derived in
docs/weight-pruning.md.

U6 (zeros)  w_kn = 0  =>  q_kn = 0: neuron n is rounded as a layer of the inputs S alone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem, quantize_chain
from npquant.compression.rounding.methods import METHODS, error_weights, rectified_codes
from npquant.compression.rounding.uniform import Bits, bits_per_layer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def round_keeping_zeros(problem: LayerProblem, bits: Bits, method: str) -> LayerCodes:
    """Round one layer, neuron by neuron, on the inputs that each one uses.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width.
    method : str
        One of `layer_rounding.METHODS`.

    Returns
    -------
    LayerCodes
        U6: exactly 0 where w is; scale, codes and bias of each neuron as the method gives them for its part.

    Notes
    -----
    A neuron without weights is rounded as one of a single input that is 0 on all rows. A layer without zeros goes to
    the method as it is.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> problem = LayerProblem(np.array([[0.4], [0.0]]), np.zeros(1), x, 0.5 * x[:, :1], "identity", 0, True)
    >>> codes = round_keeping_zeros(problem, "ternary", "rescaled")
    >>> codes.w_q.ravel(), codes.w.scale
    (array([1, 0], dtype=int8), array([0.5], dtype=float32))
    """
    used = problem.w != 0
    if used.all():
        return METHODS[method](problem, bits)
    d2 = error_weights(problem) if method == "rectified" else None
    w_q, scale, bias = np.zeros(used.shape, np.int8), np.empty(used.shape[1], np.float32), np.empty(used.shape[1])
    qmin, qmax = 0, 1
    for n in range(used.shape[1]):
        s = np.flatnonzero(used[:, n])
        part = _neuron(problem, n, s)
        codes = METHODS[method](part, bits) if d2 is None else rectified_codes(part, bits, d2[:, n : n + 1])
        w_q[s, n] = codes.w_q[: len(s), 0]
        scale[n], bias[n] = np.ravel(codes.w.scale)[0], codes.bias[0]
        qmin, qmax = min(qmin, codes.w.qmin), max(qmax, codes.w.qmax)
    return LayerCodes(w_q, QuantParams(scale, 0, qmin, qmax), bias)


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
) -> IntegerMLP:
    """Quantize a sparse network so that no weight that is 0 comes back.

    Parameters
    ----------
    model : FloatMLP
        The float network, with zeros; not modified.
    x_calibration : array, shape (R, K)
        Training rows; a few hundred suffice.
    bits : int, "ternary" or sequence of these
        Weight width: 2..8 or ternary, for all layers or for each.
    activation_bits : int or sequence of int
        1..8, for the outputs of all hidden layers or of each; logits have 8.
    rng : int, Generator or None
        Not used: nothing is drawn.
    method : {"rectified", "gptq", "gptq_resolved", "gpfq", "rescaled", "nearest"}
        How the nonzero weights are rounded.
    calibrate : callable
        Values -> (lo, hi), for ranges that the activation does not bound.
    targets : sequence of arrays, shapes (R, N), optional
        Z of every layer; by default those of `model`. A pruned model should be given the original's.

    Returns
    -------
    IntegerMLP
        Integer-only, with its accumulators proven; its nonzero codes are at most the nonzero weights.

    Raises
    ------
    TypeError
        If the model is an integer one already.
    ValueError
        If a parameter, the rows or the weights are not valid, or the method is unknown.
    OverflowError
        If a bias or an accumulator cannot be held in int32.

    Notes
    -----
    U6 around E1 to E18, in `quantize_chain`. Walks that carry errors from weight to weight put them into weights that
    were 0 too, which costs their sparsity; here a neuron has only its nonzero weights to put them in.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [0.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_keeping_zeros(model, [[0, 1, 4], [4, 2, 0], [1, 0, 3]]).layers[0].w_q.ravel()
    array([ 7,  0, -3], dtype=int8)
    """
    if method not in METHODS:
        raise ValueError(f"the method is {method!r}; known are {', '.join(METHODS)}")
    widths = bits_per_layer(bits, len(model.layers))

    def keep_zeros(problem: LayerProblem) -> LayerCodes:
        return round_keeping_zeros(problem, widths[problem.index], method)

    return quantize_chain(
        model, x_calibration, keep_zeros, activation_bits=activation_bits, calibrate=calibrate, targets=targets
    )
