"""Rectified quantization of a network: bounded activations, errors carried and weighted, every weight up or down.

Legend: R calibration rows, K inputs, N neurons of a layer; `problem` a LayerProblem; `bits` 2..8 or "ternary"; d2 (R,
N) weights of squared errors; m (N,) how far errors of pre-activations reach; `output` what follows the last layer:
"softmax" weighs errors of logits as a classifier does, "identity" all alike; E labels as in activation_weights,
evidence, layer_objective, rounding_path, scale_tuning.

E35 (reach)     m = sqrt(3) std_r(z - x (s round_half_even(w / s))): errors as wide as those of nearest rounding
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.compression.chain.calibration import RangeRule, min_max_range
from npquant.compression.chain.integer_chain import Finish, LayerProblem, quantize_by_layers
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.layer_report import LayerReport
from npquant.compression.chain.output_ends import output_kind
from npquant.compression.chain.weight_codes import Bits, RoundingGrid, choose_scales, code_interval, weight_grid
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.evidence import chance_of, pull_by_evidence
from npquant.compression.rounding.rectified.layer import RectifiedLayer, rectify_layer
from npquant.compression.rounding.rectified.scale_tuning import tune_scales
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams

if TYPE_CHECKING:
    from npquant.nn.model import FloatMLP


def error_reach(problem: LayerProblem, bits: Bits) -> Float64:
    """E35: return m (N,), how far the errors of a layer's pre-activations are expected to reach at these bits.

    Codes at the ends of the grid are clipped. The inputs carry the errors of the layers before.

    >>> x = np.array([[1.0], [-1.0]])
    >>> w, z = np.array([[0.5, 2.0]]), x @ [[0.8, 2.0]]
    >>> error_reach(LayerProblem(w, np.zeros(2), x, z, "relu", 0, False), 4).round(4)
    array([0.5196, 0.    ])
    """
    grid = RoundingGrid(choose_scales(problem.w, bits), *np.asarray(weight_grid(bits), np.float64))
    error = problem.z - problem.x @ (grid.s * grid.nearest(problem.w))
    return np.asarray(np.sqrt(3) * error.std(axis=0))


def error_weights(problem: LayerProblem, bits: Bits, output: str = "softmax") -> Float64:
    """E1, E2, E34: return d2 of a whole layer: at the last one those of a logit depend on the others, by `output`.

    >>> z = np.array([[0.5, 9.0]])
    >>> error_weights(LayerProblem(np.zeros((1, 2)), np.zeros(2), z[:, :1], z, "clipped_relu", 0, False), 4)
    array([[1.  , 0.01]])
    """
    reach = error_reach(problem, bits)
    return activation_weights(problem.activation, problem.z, reach, output if problem.last else "identity")


def rectify(
    problem: LayerProblem, bits: Bits, d2: Float64, start_scales: Sequence[float] | None = None
) -> RectifiedLayer:
    """E1 to E14 with the pull of E33: round a layer, or some of its neurons, with errors weighed by d2.

    `start_scales` as in `rectify_layer`.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> problem = LayerProblem(np.array([[0.4], [0.3]]), np.zeros(1), x, x[:, :1], "identity", 0, False)
    >>> rectify(problem, "ternary", np.ones((2, 1))).q.ravel()
    array([1, 1], dtype=int8)
    """
    delta = chance_of(problem.x)
    # What all neurons share cannot know of the weights of one.
    damping = float(pull_by_evidence(delta, np.ones((len(problem.x), 1)))[0])
    return rectify_layer(
        problem.x,
        problem.z,
        problem.w,
        d2,
        bits,
        pull=pull_by_evidence(delta, d2),
        damping=damping,
        start_scales=start_scales,
    )


def rectified_codes(
    problem: LayerProblem,
    bits: Bits,
    d2: Float64 | None = None,
    *,
    output: str = "softmax",
    start_scales: Sequence[float] | None = None,
) -> LayerCodes:
    """E1 to E14: round a layer, or a part of one whose d2 is given, by rectified quantization; report what it cost.

    d2 is by default that of `error_weights`; `start_scales` as in `rectify_layer`.

    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> rectified_codes(LayerProblem(w, b, x, x @ w + 3, "clipped_relu", 0, False), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    weights = error_weights(problem, bits, output) if d2 is None else d2
    layer = rectify(problem, bits, weights, start_scales)
    w = QuantParams(layer.s, 0, *code_interval(bits, layer.upper))
    report = LayerReport(bits, layer.phi, layer.phi_rtn, layer.bound, layer.phi_real, layer.carried)
    return LayerCodes(layer.q, w, layer.bias, report)


def tuning_by(polish_steps: int, output: str, rng: int | np.random.Generator | None) -> Finish | None:
    """Return what `tune_scales` does in so many steps, each batch drawn from rng, or None for 0 steps.

    ValueError if polish_steps is not an integer, at least 0.
    """
    if isinstance(polish_steps, bool) or not isinstance(polish_steps, int | np.integer) or polish_steps < 0:
        raise ValueError(f"polish_steps is {polish_steps!r}; it must be an integer, at least 0")
    return partial(tune_scales, steps=int(polish_steps), output=output, rng=rng) if polish_steps else None


def quantize_rectified(
    model: FloatMLP,
    x_calibration: ArrayLike,
    bits: Bits | Sequence[Bits] = 4,
    activation_bits: int | Sequence[int] = 8,
    rng: int | np.random.Generator | None = None,
    *,
    calibrate: RangeRule = min_max_range,
    targets: Sequence[ArrayLike] | None = None,
    inputs: str = "auto",
    output: str = "auto",
    start_scales: Sequence[float] | None = None,
    polish_steps: int = 0,
) -> IntegerMLP:
    """Quantize a network so that its weighted output errors, not its weight errors, are small.

    Parameters
    ----------
    model, x_calibration, bits, activation_bits, calibrate, targets, inputs
        As in `quantize_model`. Bounded activations (clipped ReLU first of all) need no calibration of ranges; at 2 bits
        a neuron lies on [-2, 1] or on [-1, 2].
    rng : int, Generator or None
        Order of the rows in the tuning; without one nothing is drawn.
    output : {"auto", "softmax", "identity"}
        As in `quantize_model`; "softmax" weighs errors of logits as a classifier does, "identity" all alike.
    start_scales : sequence of float, optional
        Shares of the chosen weight scale to start from, each > 0; every neuron keeps its best. By default 1, .8, .9,
        1.1 and 1.2.
    polish_steps : int
        Steps that tune the scales and biases of all layers together at the end, 0 for none; they need 512 rows. 300 are
        enough.

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
    E1 to E14, for more than 64 inputs with E27 to E29, layer by layer, so that each layer repairs what the integer
    layers before it did. Deterministic, but for the tuning (E24 to E26), which is given by rng. `quantize_model` gives
    the report too.

    Examples
    --------
    >>> from npquant.nn.model import DenseLayer, FloatMLP
    >>> model = FloatMLP((DenseLayer(np.array([[1.0], [-0.45]]), np.array([0.25]), "identity"),))
    >>> quantize_rectified(model, [[0, 4], [4, 0]], 4).layers[0].w_q.ravel()
    array([ 7, -3], dtype=int8)
    """
    kind = output_kind(output, model.neurons[-1])
    return quantize_by_layers(
        model,
        x_calibration,
        bits,
        activation_bits,
        partial(rectified_codes, output=kind, start_scales=start_scales),
        calibrate=calibrate,
        targets=targets,
        inputs=inputs,
        output=kind,
        finish=tuning_by(polish_steps, kind, rng),
    ).network
