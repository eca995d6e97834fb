"""A network's file as a record: what `npquant inspect` and `npquant import` print.

Legend: path any file that `npquant.load` takes; profile the arithmetic of an integer file, activations those of a
file that does not say (None: as `npquant.interop.read` has them); model a network.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Float64
from npquant.files.container.layout import Part
from npquant.integer.accumulator import accumulator_interval, accumulator_width
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.imported import Imported
from npquant.interop.reading import read_itemized
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.measure.cost import Network, executed_macs, layer_weights, most_of_four, nonzero_weights, weight_widths
from npquant.nn.model import FloatMLP
from npquant.profiles.layer import stages_for
from npquant.profiles.record import Profile


def describe(
    path: str, *, profile: str | None = None, activations: str | tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Describe a network's file, read once: facts of it and of each layer, in JSON's types and NumPy's scalars.

    Errors as `npquant.load`.

    >>> from importlib import resources
    >>> path = resources.files("npquant.data") / "bundled" / "digits_float.npz"
    >>> found = describe(str(path))
    >>> found["kind"], found["macs"], found["layers"][0]["shape"]
    ('FloatMLP', 6464, (64, 64))
    """
    found, parts, n_bytes = read_itemized(path, profile=profile, activations=activations)
    return {"command": "inspect", **describe_file(path, found, parts, n_bytes)}


def describe_file(path: str, found: Imported, parts: tuple[Part, ...], n_bytes: int) -> dict[str, Any]:
    """Describe what `read_itemized` returned: found what the file holds, its parts (npquant's own formats), n_bytes."""
    return {
        "file": path,
        "format": found.format,
        "bytes": n_bytes,
        **describe_network(found.model),
        "head": found.head,
        "file_inputs": None if found.inputs is None else _params(found.inputs),
        "file_outputs": None if found.outputs is None else _params(found.outputs),
        "data": None if found.facts is None else found.facts.to_json(),
        "notes": list(found.notes),
        "parts": [
            {"name": part.name, "layer": part.layer, "encoding": part.encoding, "bytes": part.n_bytes} for part in parts
        ],
    }


def describe_network(model: Network) -> dict[str, Any]:
    """Describe a network: facts of the whole, and of each layer under "layers".

    >>> from npquant.nn.model import DenseLayer
    >>> describe_network(FloatMLP((DenseLayer(np.eye(2), np.zeros(2), "identity"),)))["layers"][0]["bits"]
    64
    """
    facts, layers = _facts(model)
    weights = layer_weights(model)
    common = zip(layers, weight_widths(model), weights, nonzero_weights(model), strict=True)
    return {
        "kind": type(model).__name__,
        **facts,
        "inputs": model.n_inputs,
        "macs": model.macs,
        "executed_macs": executed_macs(model),
        "weights": sum(w.size for w in weights),
        "nonzero_weights": sum(nonzero_weights(model)),
        "layers": [{**_weights(width, w, nonzero), **layer} for layer, width, w, nonzero in common],
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
    """Describe what only a dynamic network has; its inputs choose their own scales."""
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
    facts = {"profile": model.profile.name, "granularity": model.granularity}
    return facts if model.variant is None else facts | {"variant": model.variant}, layers


def _integer_facts(model: IntegerMLP) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Describe what only an integer network has: of the whole, and layer by layer."""
    shifted = model.input_offset is not None
    facts = {
        "profile": model.profile.name,
        "inputs_kind": model.inputs_kind,
        "input": _params(model.input_params),
        "input_offset": shifted,
        "output_offset": _end(model.output_offset),
        "output_factor": _end(model.output_factor),
    }
    described = zip(model.layers, model.accumulator_bits, model.kernels, strict=True)
    layers = [
        {**_integer_layer(layer, bits), "multiplier": _multiplier(layer, model.profile), "kernel": kernel}
        for layer, bits, kernel in described
    ]
    return facts, layers


def _end(end: Float64 | None) -> list[float] | None:
    """Return the offsets or factors of the outputs."""
    return None if end is None else [float(value) for value in end]


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
    headroom = accumulator_width(layer) - bits
    accumulator = {"low": int(low.min()), "high": int(high.max()), "bits": bits, "headroom_bits": headroom}
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


def _multiplier(layer: IntegerLayer, profile: Profile) -> dict[str, Any] | None:
    """Describe what takes the accumulator to a code, as the profile makes it; None where nothing is requantized.

    One value, or one an output: "multiplier" and "shift" of m 2^(e-31) where the engine has integers, else "real".
    """
    if layer.y is None:
        return None
    stages = stages_for(profile, layer.x, layer.w, layer.target, layer.bias.dtype.name) or profile
    made = stages.make_multiplier(layer.x.scale, layer.w.scale, layer.target.scale)
    if isinstance(made, FixedMultiplier):
        fixed = {"multiplier": np.atleast_1d(made.multiplier).tolist(), "shift": np.atleast_1d(made.shift).tolist()}
        return {"real": np.atleast_1d(made.real).tolist(), **fixed}
    if not isinstance(made, np.ndarray | np.generic | float):
        made = np.asarray(layer.x.scale, np.float64) * layer.w.scale / layer.target.scale
    return {"real": np.atleast_1d(np.asarray(made, np.float64)).tolist(), "multiplier": None, "shift": None}


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
