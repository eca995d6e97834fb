"""Layers with the scales and weights of the bundled digits network, under either type of codes."""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np

import npquant
from npquant import QuantParams
from npquant.data.datasets import load_optdigits
from npquant.interop.reading import load
from npquant.testing.case import Layer


@cache
def network() -> Any:
    """The bundled network on 8 bits, weights per channel."""
    model = load(str(resources.files("npquant.data") / "bundled" / "digits_float.npz"))
    return npquant.quantize_uniform(model, load_optdigits().x[:300], 8)


def moved(params: Any, up: Any) -> Any:
    """The same quantization with codes moved up: 0 for int8, 128 for uint8."""
    return QuantParams(params.scale, int(params.zero_point) + up, params.qmin + up, params.qmax + up)


def digits_layer(index: Any, up: Any = 0, zero_points: bool = True) -> Any:
    """Layer `index` of the network, its codes moved up, or without zero points."""
    layer = network().layers[index]
    x, y = moved(layer.x, up), moved(layer.y, up)
    if not zero_points:
        x, y = QuantParams(x.scale, 0, -128, 127), QuantParams(y.scale, 0, -128, 127)
    w_q = np.clip(layer.w_q, -127, 127)
    activation = "none" if layer.activation == "identity" else layer.activation
    return Layer(w_q, layer.bias, x, layer.w, y, activation)


def rows_for(layer: Any, count: int, rng: np.random.Generator) -> Any:
    """Random input codes."""
    return rng.integers(layer.x.qmin, layer.x.qmax + 1, (count, layer.w_q.shape[0])).astype(layer.x.dtype)


def answer_of(profile: Any, layer: Any, x_q: Any) -> Any:
    """What a profile gives."""
    return npquant.linear(
        x_q, layer.w_q, layer.bias, x=layer.x, w=layer.w, y=layer.y, profile=profile, activation=layer.activation
    )
