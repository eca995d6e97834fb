"""What each layer of Keras computes at inference, as steps.

BatchNormalization   (x - moving_mean) / sqrt(moving_variance + epsilon) gamma + beta
Normalization        (x - mean) / max(sqrt(variance), 1e-7)
Rescaling            x scale + offset
hard_sigmoid         clip(x / 6 + 1/2, 0, 1) in Keras 3, clip(x / 5 + 1/2, 0, 1) in Keras 2

Source: keras-team/keras 3.15.1, keras/src/layers; keras-team/tf-keras 2.21, tf_keras/activations.py (hard_sigmoid).

Legend: layers the chain; weights where their variables are found; major the version of Keras that wrote the file; file
its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf, prod
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.keras_in.architecture import KerasLayer
from npquant.interop.keras_in.weights import Weights
from npquant.interop.steps import Activation, Affine, Clip, Head, Linear, Step

_SKIPPED: Final = frozenset(
    {
        "InputLayer", "Identity", "Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D",
        "ActivityRegularization",
    }
)  # fmt: skip
_WRAPPERS: Final = MappingProxyType(
    {
        "PruneLowMagnitude": "strip it with tfmot.sparsity.keras.strip_pruning",
        "ClusterWeights": "strip it with tfmot.clustering.keras.strip_clustering",
        "QuantizeWrapperV2": "convert it to TFLite, which is what its quantization is for",
        "QuantizeLayer": "convert it to TFLite, which is what its quantization is for",
    }
)
_CLIPS: Final = MappingProxyType({"relu": (0.0, inf), "relu6": (0.0, 6.0), "hard_tanh": (-1.0, 1.0)})
_SMOOTH: Final = ("sigmoid", "tanh", "softplus")
_HEADS: Final = MappingProxyType({"softmax": "softmax", "log_softmax": "logsoftmax"})
_ACTIVATIONS: Final = ", ".join((*_CLIPS, *_SMOOTH, "hard_sigmoid", "linear", *_HEADS))
_EPSILON: Final = 1e-7
_ACCEPTED: Final = (
    "Dense, Activation, ReLU, Softmax, BatchNormalization, Normalization, Rescaling, Flatten, Reshape and Dropout"
)


@dataclass(slots=True)
class _Reading:
    """The shape of a row before the next layer, as far as the file says it, and what is to be said."""

    file: str
    weights: Weights
    major: int
    shape: tuple[int | None, ...] | None = None
    notes: list[str] = field(default_factory=list)


def steps_of_chain(
    layers: Iterable[KerasLayer], weights: Weights, major: int, file: str
) -> tuple[list[Step], tuple[str, ...]]:
    """Return what the layers compute, and notes on what was skipped; FormatError for a layer that is not read.

    To be called where NumPy says nothing of numbers that are not finite.
    """
    reading = _Reading(file, weights, major)
    steps = [step for layer in layers for step in _steps(layer, reading)]
    return steps, (*reading.notes, *weights.notes)


def _steps(layer: KerasLayer, reading: _Reading) -> Iterator[Step]:
    _require_float(layer, reading)
    declared = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
    if reading.shape is None and isinstance(declared, list):
        reading.shape = tuple(n if type(n) is int and 0 < n < 1 << 24 else None for n in declared[1:])
    match layer.kind:
        case "Dense":
            yield from _dense(layer, reading)
        case "BatchNormalization":
            yield _batch_normalization(layer, reading)
        case "Normalization":
            yield _normalization(layer, reading)
        case "Rescaling":
            scale, offset = (_numbers(layer, key, reading) for key in ("scale", "offset"))
            yield _affine(layer, reading, _spread(scale, [-1], layer, reading), _spread(offset, [-1], layer, reading))
        case "Flatten" | "Reshape":
            _reshape(layer, reading)
        case "Activation":
            yield from _activation(layer.config.get("activation"), layer, reading)
        case "ReLU" | "Softmax":
            yield _activation_layer(layer.kind, layer.config, layer, reading)
        case kind if kind not in _SKIPPED:
            why = _WRAPPERS.get(kind, f"{_ACCEPTED} are")
            raise FormatError(reading.file, layer.place, f"{kind} is not read; {why}")


def _require_float(layer: KerasLayer, reading: _Reading) -> None:
    """Refuse quantized layers, and say where Keras computes in half precision."""
    policy = layer.config.get("dtype")
    kind, inner = "dtype", policy
    if isinstance(policy, dict):
        kind, inner = str(policy.get("class_name")), policy.get("config")
        inner = inner.get("name") if isinstance(inner, dict) else inner
    if "Quantized" in kind or "_from_" in str(inner) or layer.config.get("quantization_config"):
        raise FormatError(
            reading.file,
            layer.place,
            f"is quantized by {kind} {inner!r}: Keras rounds its activations as it runs; save the float model "
            "(QuantizedDTypePolicy is not read: int8, int4, float8)",
        )
    if "16" in str(inner):
        reading.notes.append(f"{layer.place}: Keras computes in {inner}, the network in the dtype of its weights")


def _dense(layer: KerasLayer, reading: _Reading) -> Iterator[Step]:
    if reading.shape is not None and len(reading.shape) != 1:
        raise FormatError(
            reading.file,
            layer.place,
            f"takes an input of rank {len(reading.shape) + 1}, {(None, *reading.shape)}; rank 2 is read, so put a "
            "Flatten before it",
        )
    found = reading.weights.find(layer, ["kernel", *(["bias"] if layer.config.get("use_bias", True) else [])])
    units = layer.config.get("units")
    if found["kernel"].ndim != 2 or found["kernel"].shape[1] != units:
        raise FormatError(reading.file, layer.place, f"has a kernel of shape {found['kernel'].shape} for {units} units")
    yield Linear(layer.place, found["kernel"], found.get("bias"))
    reading.shape = found["kernel"].shape[1:]
    yield from _activation(layer.config.get("activation"), layer, reading)


def _batch_normalization(layer: KerasLayer, reading: _Reading) -> Affine:
    config = layer.config
    if config.get("renorm"):
        raise FormatError(reading.file, layer.place, "has renorm=True, which is not read")
    parts = [name for name, switch in (("gamma", "scale"), ("beta", "center")) if config.get(switch, True)]
    found = reading.weights.find(layer, [*parts, "moving_mean", "moving_variance"])
    epsilon = config.get("epsilon", 1e-3)
    if not isinstance(epsilon, float | int):
        raise FormatError(reading.file, layer.place, f"has the epsilon {epsilon!r}; a number is expected")
    wide = {name: array.astype(np.float64) for name, array in found.items()}
    # A negative variance is a NaN, which `fold` refuses.
    scale = wide.get("gamma", 1.0) / np.sqrt(wide["moving_variance"] + float(epsilon))
    shift = wide.get("beta", 0.0) - wide["moving_mean"] * scale
    axes = _axes(config.get("axis", -1), layer, reading)
    return _affine(layer, reading, *(_spread(values, axes, layer, reading) for values in (scale, shift)))


def _normalization(layer: KerasLayer, reading: _Reading) -> Affine:
    if layer.config.get("invert"):
        raise FormatError(reading.file, layer.place, "has invert=True, which is not read")
    if layer.config.get("mean") is not None:
        mean, variance = (_numbers(layer, key, reading) for key in ("mean", "variance"))
    else:
        found = reading.weights.find(layer, ["mean", "variance", "count"])
        mean, variance = (found[key].astype(np.float64) for key in ("mean", "variance"))
    scale = 1 / np.maximum(np.sqrt(variance), _EPSILON)
    shift = -mean * scale
    axes = _axes(layer.config.get("axis", -1), layer, reading)
    return _affine(layer, reading, *(_spread(values, axes, layer, reading) for values in (scale, shift)))


def _affine(layer: KerasLayer, reading: _Reading, scale: NDArray[Any], shift: NDArray[Any]) -> Affine:
    return Affine(layer.place, scale, shift, f"{layer.place} was folded into its neighbour")


def _numbers(layer: KerasLayer, key: str, reading: _Reading) -> NDArray[np.float64]:
    """Return a number, or a list of numbers, of the config."""
    value = layer.config.get(key, 0.0)
    try:
        return np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise FormatError(reading.file, layer.place, f"has the {key} {str(value)[:80]!r}; numbers are read") from error


def _axes(value: Any, layer: KerasLayer, reading: _Reading) -> list[int]:
    """Return the axes of a row, counted from its end, that numbers run along; none for one number for all."""
    axes = [] if value is None else value if isinstance(value, list) else [value]
    rank = 2 if reading.shape is None else len(reading.shape) + 1
    if not all(type(axis) is int and -rank < axis < rank and axis != 0 for axis in axes):
        raise FormatError(reading.file, layer.place, f"runs along axis {value!r} of an input of rank {rank}")
    return sorted(axis if axis < 0 else axis - rank for axis in axes)


def _spread(values: NDArray[Any], axes: list[int], layer: KerasLayer, reading: _Reading) -> NDArray[Any]:
    """Return one number for all, or one for each number of a flattened row."""
    shape = reading.shape
    if values.size == 1:
        return values.reshape(())
    if shape is None or len(shape) == 1:
        return values.reshape(-1)
    known = [n for n in shape if n is not None]
    if len(known) < len(shape) or prod(known) > 1 << 24:
        raise FormatError(reading.file, layer.place, f"runs over rows of shape {shape}, which is not known in full")
    if values.ndim > len(axes):
        raise FormatError(reading.file, layer.place, f"has numbers of shape {values.shape} for rows of shape {shape}")
    lined = [1] * len(shape)
    for axis, n in zip(axes[len(axes) - values.ndim :], values.shape, strict=True):
        lined[axis] = n
    try:
        return np.broadcast_to(values.reshape(lined), known).reshape(-1)
    except ValueError as error:
        raise FormatError(reading.file, layer.place, f"{values.shape} numbers for rows of shape {shape}") from error


def _reshape(layer: KerasLayer, reading: _Reading) -> None:
    """Row by row the numbers keep their order; only the shape changes."""
    target = layer.config.get("target_shape")
    if layer.kind == "Reshape":
        if not isinstance(target, list) or not all(type(n) is int for n in target):
            raise FormatError(reading.file, layer.place, f"has the target_shape {target!r}")
        reading.shape = tuple(n if 0 < n < 1 << 24 else None for n in target)
        return
    ranks = 1 if reading.shape is None else len(reading.shape)
    if layer.config.get("data_format") == "channels_first" and ranks > 1:
        raise FormatError(reading.file, layer.place, "flattens channels_first, which moves numbers; not read")
    reading.shape = (None,)


def _activation(value: Any, layer: KerasLayer, reading: _Reading) -> Iterator[Step]:
    """Yield a layer's activation: a name, or a layer in the place of one."""
    if isinstance(value, dict):
        kind, config = str(value.get("class_name")), value.get("config")
        if kind in ("ReLU", "Softmax") and isinstance(config, dict):
            yield _activation_layer(kind, config, layer, reading)
            return
        value = f"{kind} {config if isinstance(config, str) else ''}".strip()
    if not isinstance(value, str | None):
        raise FormatError(reading.file, layer.place, f"has the activation {value!r}; a name is expected")
    if value is None or value == "linear":
        return
    if value in _CLIPS:
        yield Clip(f"{layer.place} {value}", *_CLIPS[value])
    elif value in _SMOOTH:
        yield Activation(layer.place, value)
    elif value in _HEADS:
        if reading.shape is not None and len(reading.shape) != 1:
            raise FormatError(reading.file, layer.place, f"{value} of an input of rank {len(reading.shape) + 1}")
        yield Head(layer.place, _HEADS[value])
    elif value == "hard_sigmoid" and reading.major >= 3:
        yield Activation(layer.place, "hard_sigmoid")
    elif value == "hard_sigmoid":
        yield Affine(layer.place, 0.2, 0.5, f"{layer.place}: Keras 2's hard_sigmoid is a clip of x / 5 + 1/2")
        yield Clip(f"{layer.place} hard_sigmoid", 0.0, 1.0)
    else:
        raise FormatError(
            reading.file,
            layer.place,
            f"has the activation {value!r}, which is not read; {_ACTIVATIONS} are",
        )


def _activation_layer(kind: str, config: dict[str, Any], layer: KerasLayer, reading: _Reading) -> Step:
    if kind == "ReLU":
        slope, least, most = (config.get(key) for key in ("negative_slope", "threshold", "max_value"))
        if slope not in (None, 0) or least not in (None, 0) or not isinstance(most, float | int | None):
            raise FormatError(
                reading.file, layer.place, f"is a ReLU of negative_slope {slope}, threshold {least}, max_value {most}; "
                "only max_value is read (a leaky relu is not)"
            )  # fmt: skip
        return Clip(
            layer.place if kind == layer.kind else f"{layer.place} ReLU", 0.0, inf if most is None else float(most)
        )
    axis, rank = config.get("axis", -1), 1 if reading.shape is None else len(reading.shape)
    if axis not in (-1, 1, [-1], [1]) or rank != 1:
        raise FormatError(reading.file, layer.place, f"is a Softmax along {axis} of an input of rank {rank + 1}")
    return Head(layer.place, "softmax")
