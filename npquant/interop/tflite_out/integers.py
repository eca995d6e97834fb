"""An IntegerMLP as TFLite operators: FULLY_CONNECTED with a fused clamp, or with one operator on codes behind it.

Legend: parts the file in the making; model the network; layer an IntegerLayer, place what errors call it; params a
quantization; before and after numbers of tensors; head what to write behind the logits, per_channel as `to_tflite`
says; K inputs and N outputs of a layer, C of the network.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.integer.layer import IntegerLayer
from npquant.integer.mlp import IntegerMLP
from npquant.interop.flatbuffer import Scalar
from npquant.interop.tflite_in.constants import CODES
from npquant.interop.tflite_in.names import TYPES
from npquant.interop.tflite_in.tables import code_table
from npquant.interop.tflite_out.parts import Parts, fused
from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.record import Profile

ENDS: Final = ("input_offset", "output_offset", "output_factor")
# What TFLite's kernels write, whatever the file says: scale and the zero point above the type's minimum.
_FIXED: Final = MappingProxyType({"LOGISTIC": (1 / 256, 0), "SOFTMAX": (1 / 256, 0), "TANH": (1 / 128, 128)})
_TABLE_OPERATORS: Final = ("LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE")
_OWN_TABLES: Final = MappingProxyType({"sigmoid": "LOGISTIC", "tanh": "TANH"})
_NAMED_CLAMPS: Final = MappingProxyType({"relu6": "RELU6", "relu_n1_to_1": "RELU_N1_TO_1"})
_HEADS: Final = MappingProxyType({"softmax": "SOFTMAX", "logistic": "LOGISTIC"})


def add_integers(parts: Parts, model: IntegerMLP, head: str, per_channel: bool | None) -> int:
    """Add a network's layers and its head; return the output's tensor. ValueError, naming the layer, for what TFLite
    has not, or has not exactly."""
    first = model.layers[0]
    now = _activations(parts, "input", first.x, first.shape[0], "the input")
    for index, layer in enumerate(model.layers):
        now = _layer(parts, layer, f"layer {index}", now, model.profile, per_channel)
    if head == "none":
        return now
    if model.output_offset is not None or model.output_factor is not None:
        raise ValueError(f"the head {head!r} stands on real outputs, which an offset or a factor keeps from the codes")
    last = model.layers[-1].output
    if head not in _HEADS or last.dtype == np.int16:
        raise ValueError(
            f"the head {head!r} is not written on codes of {last.dtype}; softmax and logistic are on 8 bits"
        )
    name, qmin, qmax = _HEADS[head], last.qmin, last.qmax
    scale, above = _FIXED[name]
    after = _activations(parts, head, QuantParams(scale, qmin + above, qmin, qmax), model.neurons[-1], "the head")
    options = {0: Scalar("f", 1.0)} if name == "SOFTMAX" else {}
    return parts.operator(name, _version(last), (now,), after, options)


def metadata(model: IntegerMLP) -> bytes:
    """What the schema has no field for: intervals of weights, and what the codes mean where the first layer hides a
    scale and an offset of the inputs, or the last one those of the outputs.

    A reader that does not know it loses no integer.
    """
    said: dict[str, Any] = {"weights": [[layer.w.qmin, layer.w.qmax] for layer in model.layers]}
    if np.ndim(model.input_params.scale):
        said["input_scale"] = [float(scale) for scale in np.asarray(model.input_params.scale)]
    for name in ENDS:
        end = getattr(model, name)
        if end is not None:
            said[name] = [float(value) for value in end]
    return json.dumps(said, separators=(",", ":"), allow_nan=False).encode()


def _type_of(params: QuantParams, place: str) -> str:
    """The tensor type of codes; ValueError unless they take all of it, as TFLite's clamps do."""
    for name, (_, qmin, qmax) in CODES.items():
        if name != "INT4" and (params.qmin, params.qmax) == (qmin, qmax):
            return name
    raise ValueError(
        f"{place}: codes in [{params.qmin}, {params.qmax}] are not all of int8, uint8 or int16; TFLite clamps to the "
        "type alone: quantize activations to 8 or 16 bits"
    )


def _activations(parts: Parts, name: str, params: QuantParams, n: int, place: str) -> int:
    kind = _type_of(params, place)
    if kind == "INT16" and params.zero_point:
        raise ValueError(f"{place}: int16 codes have the zero point {params.zero_point}; TFLite's have 0")
    return parts.tensor(name, kind, (1, n), params.scale, int(params.zero_point))


def _layer(
    parts: Parts, layer: IntegerLayer, place: str, before: int, profile: Profile, per_channel: bool | None
) -> int:
    """Add one layer; what it writes."""
    if layer.y is None:
        raise ValueError(f"{place}: its outputs are accumulators; TFLite's layers requantize: give it an output scale")
    if layer.x.dtype != layer.target.dtype:
        raise ValueError(f"{place}: takes {layer.x.dtype} to {layer.target.dtype}; a TFLite layer keeps the type")
    clamp = "NONE" if layer.pre is not None else _clamp(layer, place)
    weights, bias = _constants(parts, layer, place, per_channel)
    after = _activations(parts, place, layer.target, layer.shape[1], place)
    options = {0: fused(clamp)}
    if layer.x.dtype == np.int16:
        options[4] = Scalar("b", TYPES.index(layer.bias.dtype.name.upper()))  # LiteRT misreads a bias it is not told
    version = _layer_version(layer, _is_nibbles(layer) and not per_channel)
    now = parts.operator("FULLY_CONNECTED", version, (before, weights, bias), after, options)
    if layer.pre is None:
        return now
    name = _table_operator(layer, place, profile)
    behind = _activations(parts, f"{place} {name}", layer.y, layer.shape[1], place)
    return parts.operator(name, _version(layer.y), (now,), behind, {})


def _clamp(layer: IntegerLayer, place: str) -> str:
    """The fused activation that leaves open exactly the codes that the layer does; relu6 and relu_n1_to_1 by name."""
    y, open_codes = layer.output, layer.code_range
    if layer.activation in _NAMED_CLAMPS:
        return _NAMED_CLAMPS[layer.activation]
    for name, low in (("NONE", y.qmin), ("RELU", int(y.zero_point))):
        if open_codes == (low, y.qmax):
            return name
    raise ValueError(
        f"{place}: {layer.activation} leaves the codes {list(open_codes)} of [{y.qmin}, {y.qmax}]; TFLite fuses "
        f"{', '.join(('none', 'relu', *_NAMED_CLAMPS))}, whose last code is the type's: choose an output scale with "
        f"{CLAMPS[layer.activation][1]:g} there"
    )


def _table_operator(layer: IntegerLayer, place: str, profile: Profile) -> str:
    """The operator on codes that computes a layer's table by its own profile or LiteRT's; sigmoid, tanh by name."""
    pre, y, wanted = layer.target, layer.output, layer.code_table
    own = _OWN_TABLES.get(layer.activation)
    if own is not None and np.int16 in (pre.dtype, y.dtype):
        raise ValueError(
            f"{place}: a {own} of int16 codes is not written here, though LiteRT has it: quantize activations to 8 bits"
        )
    for candidate in _TABLE_OPERATORS if own is None else (own,):
        scale, above = _FIXED.get(candidate, (float(y.scale), int(y.zero_point) - y.qmin))
        if (float(y.scale), y.zero_point) != (scale, y.qmin + above):
            continue
        tables = (_table(candidate, pre, y, one, layer.shape[1]) for one in (profile, get("litert_ref_2025")))
        if own or any(table is not None and np.array_equal(table, wanted) for table in tables):  # type: ignore[arg-type]
            return candidate
    fixed = ", ".join(
        f"{name} at scale {scale} and zero point {above - 128}" for name, (scale, above) in _FIXED.items()
    )
    raise ValueError(
        f"{place}: TFLite has no operator for its {layer.activation} at scale {y.scale} and zero point {y.zero_point}; "
        f"int8 has {fixed}"
    )


def _table(name: str, p: QuantParams, q: QuantParams, profile: Profile, n: int) -> NDArray[Any] | None:
    try:
        return code_table(name, p, q, profile, n)
    except ValueError:
        return None  # this engine has no such operator for these codes


def _is_nibbles(layer: IntegerLayer) -> bool:
    """True where weights are stored as INT4: TFLite-Micro takes none per channel, nor beside int16 codes; XNNPACK
    leaves those of an odd K to ruy, and its network is computed by two rules then."""
    narrow = layer.x.dtype == np.int8 and not layer.w.per_channel and layer.shape[0] % 2 == 0
    return narrow and layer.w.qmin >= -8 and layer.w.qmax <= 7 and layer.w_q.dtype == np.int8


def _constants(parts: Parts, layer: IntegerLayer, place: str, per_channel: bool | None) -> tuple[int, int]:
    """Add weights (N, K), packed where they have 4 bits or fewer, and bias; their tensors."""
    n, w = layer.shape[1], layer.w
    wanted = "uint8" if layer.x.dtype == np.uint8 else "int8"
    if layer.w_q.dtype != wanted:
        raise ValueError(f"{place}: {layer.w_q.dtype} weights beside {layer.x.dtype} inputs; TFLite has {wanted} there")
    if wanted == "int8" and np.any(w.zero_point):
        raise ValueError(f"{place}: int8 weights have zero points; TFLite's have 0")
    if w.per_channel and (per_channel is False or wanted == "uint8"):
        raise ValueError(f"{place}: has a scale a channel; quantize per tensor for per_channel=False, or for uint8")
    scale = np.broadcast_to(w.scale, n) if per_channel and wanted == "int8" else w.scale
    product = np.asarray(np.float32(layer.x.scale) * np.asarray(scale, np.float32))
    if not np.all(product >= np.finfo(np.float32).tiny):
        raise ValueError(f"{place}: the bias's scale sx sw is {product.min():g}, below float32; use larger scales")
    stored, kind = np.ascontiguousarray(layer.w_q.T), layer.w_q.dtype.name.upper()
    if _is_nibbles(layer) and np.ndim(scale) == 0:
        stored, kind = _packed(stored), "INT4"
    zero_point = w.zero_point if wanted == "uint8" else 0
    weights = parts.tensor(f"{place} weights", kind, (n, layer.shape[0]), scale, zero_point, stored)
    wide = layer.bias.dtype.name.upper()
    return weights, parts.tensor(f"{place} bias", wide, (n,), product, 0, layer.bias)


def _packed(w_q: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Two codes a byte, the first in the low nibble.

    >>> _packed(np.array([1, -2, 3], np.int8))
    array([225,   3], dtype=uint8)
    """
    nibbles = np.append(w_q.reshape(-1).view(np.uint8) & 15, np.zeros(w_q.size % 2, np.uint8))
    return np.asarray(nibbles[0::2] | nibbles[1::2] << 4, np.uint8)


def _layer_version(layer: IntegerLayer, nibbles: bool) -> int:
    """The lowest version that declares these types; source: TensorFlow's ``tools/versioning/op_version.cc``."""
    if layer.x.dtype == np.int16:
        return 11
    return 10 if nibbles else 1 if layer.x.dtype == np.uint8 else 4


def _version(params: QuantParams) -> int:
    return 1 if params.dtype == np.uint8 else 2
