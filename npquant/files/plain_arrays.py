"""Every network as named arrays that anybody can load: what the compact container cannot say, and what others read.

L5 (integer)   tensors input_* of the real inputs, output_offset and output_factor where there are any, then for layer
               i: w{i} codes, b{i} bias, and of each quantization q that it has, in the order x (layer 0 alone), w, y,
               pre: q_scale{i} float32, q_zero_point{i} int32, q_range{i} = [qmin, qmax] int32; table{i} where there is
               one. Layer i reads what layer i - 1 writes. Entries `profile` and `activations`
L6 (dynamic)   w{i}, b{i} and the quantization w; entries `profile`, `granularity`, `activations` and `x_bits`,
               and `variant` where the engine's switch is set

Legend: model a network of any kind; kind what the manifest calls it; entries those of its kind there, tensors arrays by
name, in their order, nothing in which is trusted when they come from a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.container.layout import find_profile
from npquant.files.facts import Facts, check_facts
from npquant.files.layouts import Entries, Tensors, encode_archive, float_layout
from npquant.integer.dynamic_layer import DynamicLayer
from npquant.integer.dynamic_mlp import DynamicMLP
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.kernels.qparams import QuantParams
from npquant.nn.model import FloatMLP
from npquant.profiles.record import Profile

INTEGER_KIND: Final = "IntegerMLP/arrays"
DYNAMIC_KIND: Final = "DynamicMLP"
ENDS: Final = ("input_offset", "output_offset", "output_factor")
Arrays = dict[str, NDArray[Any]]


def encode_plain_arrays(model: FloatMLP | IntegerMLP | DynamicMLP, facts: Facts | None = None) -> bytes:
    """L1 to L3, L5, L6. Encode a network as a zip of named arrays, which `numpy.load` opens and `npquant.load` reads.

    facts are what is known of the data. TypeError if model is no network; ValueError if its profile is none of
    `npquant.profiles`, or facts do not fit it.

    >>> import io
    >>> p = QuantParams(0.5, 0, 0, 255)
    >>> w = QuantParams(1, 0, -7, 7)
    >>> layer = IntegerLayer(np.array([[1]], np.int8), np.array([0], np.int32), p, w, None, "relu")
    >>> with np.load(io.BytesIO(encode_plain_arrays(IntegerMLP((layer,), p)))) as arrays:
    ...     arrays["w0"], arrays["w_range0"]
    (array([[1]], dtype=int8), array([-7,  7], dtype=int32))
    """
    if not isinstance(model, FloatMLP | IntegerMLP | DynamicMLP):
        raise TypeError(f"only a FloatMLP, an IntegerMLP or a DynamicMLP can be saved, got {type(model).__name__}")
    check_facts(facts, model.n_inputs, model.neurons[-1])
    if isinstance(model, FloatMLP):
        return encode_archive("FloatMLP", *float_layout(model), facts)
    if isinstance(model, IntegerMLP):
        return encode_archive(INTEGER_KIND, *_integer_layout(model), facts)
    return encode_archive(DYNAMIC_KIND, *_dynamic_layout(model), facts)


def decode_plain_arrays(kind: str, entries: Entries, tensors: Tensors) -> IntegerMLP | DynamicMLP:
    """L5, L6. The network that was laid out under INTEGER_KIND or DYNAMIC_KIND.

    ValueError, TypeError, KeyError or OverflowError if entries and tensors do not describe one.
    """
    taken = dict(tensors)
    model = _integer_model(entries, taken) if kind == INTEGER_KIND else _dynamic_model(entries, taken)
    if taken:
        raise ValueError(f"no layer has the tensors {list(taken)}")
    return model


def stored_profile(profile: Profile) -> str:
    """Return the name that a profile is stored by; ValueError if `npquant.profiles` has another of that name, or none.

    >>> from npquant.profiles import get
    >>> stored_profile(get("ort"))
    'ort'
    """
    if find_profile(profile.name) is not profile:
        raise ValueError(f"profile {profile.name!r} is not npquant's own of that name; it cannot be stored by name")
    return profile.name


def _integer_layout(model: IntegerMLP) -> tuple[Entries, Arrays]:
    tensors = {"input_" + part: array for part, array in _params(model.input_params)}
    for name in ENDS:
        end = getattr(model, name)
        if end is not None:
            tensors[name] = end
    for i, layer in enumerate(model.layers):
        tensors |= {f"w{i}": layer.w_q, f"b{i}": layer.bias}
        for role, params in (("x", None if i else layer.x), ("w", layer.w), ("y", layer.y), ("pre", layer.pre)):
            if params is not None:
                tensors |= {f"{role}_{part}{i}": array for part, array in _params(params)}
        if layer.table is not None:
            tensors[f"table{i}"] = layer.table
    activations = [layer.activation for layer in model.layers]
    return {"profile": stored_profile(model.profile), "activations": activations}, tensors


def _dynamic_layout(model: DynamicMLP) -> tuple[Entries, Arrays]:
    tensors: Arrays = {}
    for i, layer in enumerate(model.layers):
        tensors |= {f"w{i}": layer.w_q, f"b{i}": layer.b}
        tensors |= {f"w_{part}{i}": array for part, array in _params(layer.w)}
    entries = {
        "profile": stored_profile(model.profile),
        "granularity": model.granularity,
        "activations": [layer.activation for layer in model.layers],
        "x_bits": [layer.x_bits for layer in model.layers],
    }
    if model.variant is not None:
        entries["variant"] = model.variant
    return entries, tensors


def _params(params: QuantParams) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name the parts of a quantization, by the endings of L5."""
    yield "scale", np.asarray(params.scale)
    yield "zero_point", np.asarray(params.zero_point, np.int32)
    yield "range", np.array([params.qmin, params.qmax], np.int32)


def _integer_model(entries: Entries, tensors: Arrays) -> IntegerMLP:
    """L5. Take the network's tensors out of tensors; what is left belongs to none."""
    input_params = _taken_params(tensors, "input_{}")
    ends, layers = {name: tensors.pop(name, None) for name in ENDS}, []
    x = None
    for i, name in enumerate(_names(entries, "activations")):
        w_q, bias = tensors.pop(f"w{i}"), tensors.pop(f"b{i}")
        x = _taken_params(tensors, f"x_{{}}{i}") if x is None else x
        w = _taken_params(tensors, f"w_{{}}{i}")
        y, pre = (_optional_params(tensors, f"{role}_{{}}{i}") for role in ("y", "pre"))
        layers.append(IntegerLayer(w_q, bias, x, w, y, name, pre, tensors.pop(f"table{i}", None)))
        # A layer that ends in accumulators has no successor; `IntegerMLP` says so.
        x = y or x
    return IntegerMLP(tuple(layers), input_params, profile=find_profile(_text(entries, "profile")), **ends)


def _dynamic_model(entries: Entries, tensors: Arrays) -> DynamicMLP:
    """L6. Take the network's tensors out of tensors; what is left belongs to none."""
    names, widths = _names(entries, "activations"), entries["x_bits"]
    if not isinstance(widths, list) or len(widths) != len(names) or not all(type(bits) is int for bits in widths):
        raise TypeError("x_bits must be a list of integers, one a layer")
    layers = [
        DynamicLayer(tensors.pop(f"w{i}"), _taken_params(tensors, f"w_{{}}{i}"), tensors.pop(f"b{i}"), name, bits)
        for i, (name, bits) in enumerate(zip(names, widths, strict=True))
    ]
    variant = _text(entries, "variant") if "variant" in entries else None
    return DynamicMLP(tuple(layers), _text(entries, "granularity"), find_profile(_text(entries, "profile")), variant)


def _taken_params(tensors: Arrays, name: str) -> QuantParams:
    """Take a quantization out of tensors; name has a {} for the part."""
    scale, zero_point, ends = (tensors.pop(name.format(part)) for part in ("scale", "zero_point", "range"))
    if [array.dtype.name for array in (scale, zero_point, ends)] != ["float32", "int32", "int32"] or ends.shape != (2,):
        raise TypeError(f"{name.format('*')} must be a float32 scale, an int32 zero point and an int32 range of two")
    return QuantParams(scale, zero_point, int(ends[0]), int(ends[1]))


def _optional_params(tensors: Arrays, name: str) -> QuantParams | None:
    return _taken_params(tensors, name) if name.format("scale") in tensors else None


def _names(entries: Entries, key: str) -> list[str]:
    names = entries[key]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{key} must be a list of names")
    return names


def _text(entries: Entries, key: str) -> str:
    if not isinstance(entries[key], str):
        raise TypeError(f"{key} must be a name")
    return str(entries[key])
