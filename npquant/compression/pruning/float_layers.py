"""What both kinds of pruning do with a float network: check names and rows, compute in float64, go back to its dtype.

Legend: R calibration rows, K inputs and N outputs of a layer; x (R, K) rows and a (R, K) inputs of a layer as the
pruned network delivers them, real; a `layer` holds w (K, N), b (N,) and an activation. What is returned is float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float64
from npquant.nn.activations import activate
from npquant.nn.layers import ForwardCache, dense_forward
from npquant.nn.model import DenseLayer, FloatMLP

ALLOCATIONS: Final = ("uniform", "global")


def check_choices(*choices: tuple[str, str, Sequence[str]]) -> None:
    """Refuse an unknown name: `choices` are (what it names, the name, the known ones); ValueError lists these."""
    for what, given, known in choices:
        if given not in known:
            raise ValueError(f"the {what} is {given!r}; known are {', '.join(known)}")


def checked_forward(model: FloatMLP, x: ArrayLike) -> ForwardCache:
    """Run a model once on the calibration rows, in its own dtype: inputs, targets z and activations of all layers.

    TypeError or ValueError as the model's `forward`; ValueError if a layer overflows.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        cache = model.forward(x)[1]
    for i, z in enumerate(cache.z):
        if not np.isfinite(z).all():
            raise ValueError(f"layer {i} overflows on the calibration rows; scale the inputs or the weights")
    return cache


def float64_parameters(layer: DenseLayer) -> tuple[Float64, Float64]:
    """Return w and b."""
    return np.asarray(layer.w, np.float64), np.asarray(layer.b, np.float64)


def pre_activation(layer: DenseLayer, a: Float64) -> Float64:
    """Return a w + b (R, N)."""
    return np.asarray(dense_forward(a, *float64_parameters(layer))[0], np.float64)


def layer_outputs(layer: DenseLayer, a: Float64) -> Float64:
    """Return activation(a w + b) (R, N)."""
    return np.asarray(activate(layer.activation, pre_activation(layer, a)), np.float64)


def in_dtype(layer: DenseLayer, dtype: np.dtype[Any]) -> DenseLayer:
    """Return the layer with its parameters rounded to `dtype`; ValueError, from DenseLayer, if one overflows there."""
    if layer.w.dtype == dtype:
        return layer
    with np.errstate(over="ignore", under="ignore"):
        return DenseLayer(layer.w.astype(dtype), layer.b.astype(dtype), layer.activation)
