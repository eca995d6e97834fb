"""A network's file as a record: what `npquant inspect` prints."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.integer.accumulator import accumulator_interval
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.read import read_itemized
from npquant.kernels.qparams import QuantParams
from npquant.measure.cost import Network, executed_macs, layer_weights, most_of_four, nonzero_weights, weight_widths
from npquant.nn.model import FloatMLP


def describe(path: str) -> dict[str, Any]:
    """Describe a network's file, read once: facts of it and of each layer, in JSON's types and NumPy's scalars.

    path is a file that `npquant.load` takes; the parts are those of npquant's own formats. Errors as `npquant.load`.

    >>> from importlib import resources
    >>> path = resources.files("npquant.data") / "bundled" / "digits_float.npz"
    >>> found = describe(str(path))
    >>> found["kind"], found["macs"], found["layers"][0]["shape"]
    ('FloatMLP', 6464, (64, 64))
    """
    found, parts, n_bytes = read_itemized(path)
    model = found.model
    facts, layers = _facts(model)
    weights = layer_weights(model)
    common = zip(layers, weight_widths(model), weights, nonzero_weights(model), strict=True)
    return {
        "command": "inspect",
        "file": path,
        "bytes": n_bytes,
        "kind": type(model).__name__,
        **facts,
        "inputs": model.n_inputs,
        "macs": model.macs,
        "executed_macs": executed_macs(model),
        "weights": sum(w.size for w in weights),
        "nonzero_weights": sum(nonzero_weights(model)),
        "layers": [{**_weights(width, w, nonzero), **layer} for layer, width, w, nonzero in common],
        "parts": [
            {"name": part.name, "layer": part.layer, "encoding": part.encoding, "bytes": part.n_bytes} for part in parts
        ],
    }


def _facts(model: Network) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe what only this kind of network has: of the whole, and layer by layer."""
    if isinstance(model, IntegerMLP):
        return _integer_facts(model)
    return _dynamic_facts(model) if isinstance(model, DynamicMLP) else _float_facts(model)


def _float_facts(model: FloatMLP) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe what only a float network has: of the whole, and layer by layer."""
    layers = [
        {
            "activation": layer.activation,
            "dtype": str(layer.w.dtype),
            "weights": _interval(layer.w),
            "bias": _interval(layer.b),
        }
        for layer in model.layers
    ]
    return {}, layers


def _dynamic_facts(model: DynamicMLP) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe what only a dynamic network has: of the whole, and layer by layer."""
    layers = [
        {
            "activation": layer.activation,
            "weight_params": _params(layer.w),
            "codes": _interval(layer.w_q),
            "bias": _interval(layer.b),
            "input_bits": layer.x_bits,
            "accumulator": {"bits": layer.accumulator_bits, "headroom_bits": 32 - layer.accumulator_bits},
        }
        for layer in model.layers
    ]
    return {"granularity": model.granularity}, layers


def _integer_facts(model: IntegerMLP) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe what only an integer network has: of the whole, and layer by layer."""
    shifted = model.input_offset is not None
    facts = {"profile": model.profile.name, "input": _params(model.input_params), "input_offset": shifted}
    described = zip(model.layers, model.accumulator_bits, model.kernels, strict=True)
    return facts, [{**_integer_layer(layer, bits), "kernel": kernel} for layer, bits, kernel in described]


def _weights(width: int | str, w: NDArray[Any], nonzero: int) -> dict[str, Any]:
    """Describe what every kind of layer has; a multiply-accumulate a weight."""
    return {
        "shape": w.shape,
        "bits": width,
        "macs": w.size,
        "nonzero_weights": nonzero,
        "sparsity": 1 - nonzero / w.size,
        "most_of_four": most_of_four(w),
    }


def _integer_layer(layer: IntegerLayer, bits: int) -> dict[str, Any]:
    low, high = accumulator_interval(layer)
    accumulator = {"low": int(low.min()), "high": int(high.max()), "bits": bits, "headroom_bits": 32 - bits}
    return {
        "activation": layer.activation,
        "weight_params": _params(layer.w),
        "codes": _interval(layer.w_q),
        "bias": _interval(layer.bias),
        "input_params": _params(layer.x),
        "pre_activation_params": None if layer.pre is None else _params(layer.pre),
        "output_params": None if layer.y is None else _params(layer.y),
        "accumulator": accumulator,
    }


def _params(params: QuantParams) -> dict[str, Any]:
    """Describe a quantization: real = scale (code - zero_point)."""
    scale, zero_point = np.asarray(params.scale), np.asarray(params.zero_point)
    return {
        "grid": (params.qmin, params.qmax),
        "scales": scale.size,
        "scale": _interval(scale),
        "zero_point": _interval(zero_point),
    }


def _interval(values: NDArray[Any]) -> tuple[Any, Any]:
    """Return the smallest and the largest value."""
    return values.min(), values.max()
