"""Ways to round a layer, by name: each takes a layer's problem and a width, and gives codes, scales and a real bias.

Legend: R calibration rows, K inputs and N neurons of a layer; d2 (R, N) weights of squared errors. E labels as in
nearest, gpfq, gptq, layer_objective and rounding_path.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Final

from npquant.arrays import Float64
from npquant.compression.chain.integer_chain import LayerCodes, LayerProblem
from npquant.compression.rounding.gpfq import gpfq_layer
from npquant.compression.rounding.gptq import gptq_layer
from npquant.compression.rounding.nearest import nearest_layer
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import rectify_layer
from npquant.compression.rounding.uniform import Bits, weight_grid
from npquant.kernels.qparams import QuantParams

Rounding = Callable[[LayerProblem, Bits], LayerCodes]


def error_weights(problem: LayerProblem) -> Float64:
    """Return the weights of squared errors of a layer of a classifier.

    Parameters
    ----------
    problem : LayerProblem
        The whole layer: at the last one the weights of a logit depend on the others.

    Returns
    -------
    ndarray of float64, shape (R, N)
        E1, E2; softmax for the last layer.

    Examples
    --------
    >>> z = np.array([[0.5, 9.0]])
    >>> error_weights(LayerProblem(np.zeros((1, 2)), np.zeros(2), z[:, :1], z, "clipped_relu", 0, False))
    array([[1.  , 0.01]])
    """
    return activation_weights("softmax" if problem.last else problem.activation, problem.z)


def rectified_codes(problem: LayerProblem, bits: Bits, d2: Float64 | None = None) -> LayerCodes:
    """Round a layer, or a part of one, by rectified quantization.

    Parameters
    ----------
    problem : LayerProblem
        The layer.
    bits : int or "ternary"
        Width.
    d2 : ndarray of float64, shape (R, N), optional
        Weights of squared errors; by default `error_weights`.

    Returns
    -------
    LayerCodes
        E1 to E14.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0]])
    >>> w, b = np.array([[0.4], [0.3]]), np.zeros(1)
    >>> rectified_codes(LayerProblem(w, b, x, x @ w + 3, "clipped_relu", 0, False), "ternary").w_q.ravel()
    array([1, 1], dtype=int8)
    """
    layer = rectify_layer(problem.x, problem.z, problem.w, error_weights(problem) if d2 is None else d2, bits)
    qmin, qmax = weight_grid(bits)
    return LayerCodes(layer.q, QuantParams(layer.s, 0, qmin, -qmin if layer.flipped.any() else qmax), layer.bias)


METHODS: Final = MappingProxyType[str, Rounding](
    {
        "nearest": partial(nearest_layer, correction="none"),
        "rescaled": nearest_layer,
        "gpfq": gpfq_layer,
        "gptq": gptq_layer,
        "gptq_resolved": partial(gptq_layer, resolve=True),
        "rectified": rectified_codes,
    }
)
