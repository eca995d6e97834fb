"""Write the container of an integer network (N1 to N7).

Legend: model the IntegerMLP, encoding that of its weights; facts what is known of the data, None: nothing.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.codec.byte_fields import text, varint
from npquant.codec.integer_stream import encode_integers
from npquant.codec.weight_stream import FORMS, encode_weights
from npquant.files.container.layout import (
    ACTIVATIONS,
    INTEGER_MLP,
    MAGIC,
    VERSION,
    VERSION_WITH_FACTS,
    WIDE,
    WIDE_WITH_ENDS,
    WITH_ENDS,
    allowed_steps,
    decoding_steps,
    find_profile,
)
from npquant.files.container.params import encode_params
from npquant.files.facts import Facts, check_facts, encode_facts
from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.profiles.npquant import NPQUANT
from npquant.version import numerics_version


def encode_container(model: IntegerMLP, encoding: str = "auto", facts: Facts | None = None) -> bytes:
    """N1 to N5, N7. Encode an integer network, any that `unfit` finds no fault with.

    encoding is that of all weights: "auto", "dense", "bitmask", "relative" or "arithmetic" (W3). Where "auto" would
    exceed N6, as large layers of zeros do, the weights are packed densely. ValueError if the encoding is unknown, the
    network is of another kind, the profile is none of `npquant.profiles`, the bytes would exceed N6, or facts do not
    fit the network.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> len(encode_container(IntegerMLP((layer,), p)))
    39
    """
    fault = unfit(model)
    if fault:
        raise ValueError(f"the container holds no {fault}: save the network as NAME.npz, in plain arrays")
    if find_profile(model.profile.name) is not model.profile:
        raise ValueError(
            f"profile {model.profile.name!r} is not npquant's own of that name; it cannot be stored by name"
        )
    check_facts(facts, model.n_inputs, model.neurons[-1])
    data = _encode_all(model, encoding, facts)
    steps = sum(decoding_steps(*layer.shape) for layer in model.layers)
    if steps > allowed_steps(len(data)) and encoding == "auto":
        data = _encode_all(model, "dense", facts)
    if steps > allowed_steps(len(data)):
        raise ValueError(
            f"{len(data)} bytes for {steps} steps of decoding are more than N6 allows: use encoding='dense'"
        )
    return data


def unfit(model: IntegerMLP) -> str:
    """Say what of a network the container cannot hold; "" if it can: int8 codes and int32 biases, activations of int16
    with int64 biases behind them, no table of its own.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, 0, 255)
    >>> layer = IntegerLayer(np.array([[1]], np.int8), np.array([0], np.int32), p, QuantParams(1, 0, -7, 7), p, "relu")
    >>> unfit(IntegerMLP((layer,), p))
    'uint8 codes (layer 0, x)'
    """
    for i, layer in enumerate(model.layers):
        roles = {"x": layer.x, "w": layer.w, "y": layer.y, "pre": layer.pre}
        for role, params in roles.items():
            if params is not None and params.dtype not in ((np.int8,) if role == "w" else (np.int8, np.int16)):
                return f"{params.dtype} codes (layer {i}, {role})"
        if layer.bias.dtype != (np.int64 if layer.x.dtype == np.int16 else np.int32):
            return f"{layer.bias.dtype} biases beside {layer.x.dtype} inputs (layer {i})"
        if not -(2**47) <= layer.bias.min() <= layer.bias.max() < 2**47:
            return f"bias of more than 48 bits (layer {i})"
        if layer.y is None:
            return f"layer without an output quantization (layer {i})"
        if layer.activation not in ACTIVATIONS:
            return f"{layer.activation!r} as an activation (layer {i})"
    return ""


def _encode_all(model: IntegerMLP, encoding: str, facts: Facts | None) -> bytes:
    """Write N1, whatever its length."""
    own, ends = model.profile is NPQUANT, (model.output_offset, model.output_factor)
    plain, wide = all(end is None for end in ends), any(layer.x.dtype == np.int16 for layer in model.layers)
    kind = (WIDE if wide else INTEGER_MLP) if plain else (WIDE_WITH_ENDS if wide else WITH_ENDS)
    parts = [
        MAGIC + bytes([VERSION if facts is None else VERSION_WITH_FACTS, kind]) + text(numerics_version),
        text("" if own else model.profile.name),
        varint(model.n_inputs) + varint(len(model.layers)),
        _encode_offset(model.input_offset),
        encode_params(model.input_params),
    ]
    if np.ndim(model.input_params.scale):
        parts.append(np.asarray(model.layers[0].x.scale, "<f4").tobytes())
    parts.extend(_encode_layer(layer, encoding) for layer in model.layers)
    if not plain:
        parts.extend(_encode_offset(end) for end in ends)
    if facts is not None:
        parts.append(encode_facts(facts))
    content = b"".join(parts)
    return content + zlib.crc32(content).to_bytes(4, "little")


def _encode_offset(offset: NDArray[np.float64] | None) -> bytes:
    """Write N2."""
    if offset is None:
        return b"\0"
    with np.errstate(over="ignore", under="ignore"):
        narrow = offset.astype("<f4")
    exact = narrow.astype(np.float64).tobytes() == offset.tobytes()
    return b"\1" + narrow.tobytes() if exact else b"\2" + offset.astype("<f8").tobytes()


def _encode_layer(layer: IntegerLayer, encoding: str) -> bytes:
    """Write N4."""
    params = [layer.w, layer.output, *([] if layer.pre is None else [layer.pre])]
    biases = [encode_integers(part) for part in _bias_parts(layer.bias)]
    form, weights = encode_weights(layer.w_q, layer.w.zero_point, encoding)
    return b"".join(
        [
            varint(layer.shape[1]) + bytes([ACTIVATIONS.index(layer.activation)]),
            *(encode_params(one) for one in params),
            *(varint(len(part)) + part for part in biases),
            bytes([FORMS.index(form)]) + varint(len(weights)) + weights,
        ]
    )


def _bias_parts(bias: NDArray[np.signedinteger[Any]]) -> list[NDArray[np.int32]]:
    """Return int32 biases as they are, and of int64 ones, of 48 bits by `unfit`, the upper 32 and the lower 16."""
    if bias.dtype == np.int32:
        return [bias.astype(np.int32, copy=False)]
    return [np.right_shift(bias, 16).astype(np.int32), np.bitwise_and(bias, 0xFFFF).astype(np.int32)]
