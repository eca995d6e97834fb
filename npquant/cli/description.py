"""A network's file as a record: what `npquant inspect` prints."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.cli.networks import layer_weights, nonzero_weights, weight_widths
from npquant.integer_layer import IntegerLayer, accumulator_interval
from npquant.integer_mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import DenseLayer
from npquant.storage import load


def describe(path: str) -> dict[str, Any]:
    """Describe a network's file.

    Parameters
    ----------
    path : str
        A file that npquant saved.

    Returns
    -------
    dict
        Facts of the file and of each layer, in JSON's types and NumPy's scalars.

    Raises
    ------
    OSError, ValueError
        As `npquant.storage.load`.

    Examples
    --------
    >>> from importlib import resources
    >>> path = resources.files("npquant.workflow") / "data" / "digits_float.npz"
    >>> found = describe(str(path))
    >>> found["kind"], found["macs"], found["layers"][0]["shape"]
    ('FloatMLP', 6464, (64, 64))
    """
    model = load(path)
    kind: dict[str, Any] = {"kind": type(model).__name__}
    if isinstance(model, IntegerMLP):
        layers = [_integer_layer(layer, bits) for layer, bits in zip(model.layers, model.accumulator_bits, strict=True)]
        offset = model.input_offset
        kind |= {
            "profile": model.profile.name,
            "input": _params(model.input_params),
            "input_offset": offset is not None,
        }
    else:
        layers = [_float_layer(layer) for layer in model.layers]
    common = zip(layers, weight_widths(model), layer_weights(model), nonzero_weights(model), strict=True)
    return {
        "command": "inspect",
        "file": path,
        "bytes": os.path.getsize(path),
        **kind,
        "inputs": model.n_inputs,
        "macs": model.macs,
        "weights": sum(w.size for w in layer_weights(model)),
        "nonzero_weights": sum(nonzero_weights(model)),
        "layers": [{**_weights(width, w, nonzero), **layer} for layer, width, w, nonzero in common],
    }


def _weights(width: int | str, w: NDArray[Any], nonzero: int) -> dict[str, Any]:
    """Describe what every kind of layer has; a multiply-accumulate a weight."""
    return {
        "shape": w.shape,
        "bits": width,
        "macs": w.size,
        "nonzero_weights": nonzero,
        "sparsity": 1 - nonzero / w.size,
    }


def _float_layer(layer: DenseLayer) -> dict[str, Any]:
    return {
        "activation": layer.activation,
        "dtype": str(layer.w.dtype),
        "weights": _interval(layer.w),
        "bias": _interval(layer.b),
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
        "output_params": _params(layer.y),
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
