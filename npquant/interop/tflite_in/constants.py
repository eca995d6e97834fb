"""The constants of a TFLite file as arrays: plain, half precision, packed nibbles, and codes with their quantization.

Legend: graph the file's subgraph, tensor one of its constants, index a tensor's number, operator who reads it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.tflite_in.graph import Graph, Operator, Tensor
from npquant.kernels.qparams import QuantParams

# Codes as they are held, and their interval.
CODES: Final = MappingProxyType(
    {
        "INT8": ("i1", -128, 127),
        "UINT8": ("u1", 0, 255),
        "INT16": ("i2", -32768, 32767),
        "INT4": ("i1", -8, 7),
    }
)
_PLAIN: Final = MappingProxyType(
    {"FLOAT32": "f4", "FLOAT16": "f2", "INT8": "i1", "UINT8": "u1", "INT16": "i2", "INT32": "i4", "INT64": "i8"}
)


def constant(graph: Graph, tensor: Tensor) -> NDArray[Any]:
    """A constant in its own type and shape, a view of the file; INT4 as int8. FormatError for other types."""
    if tensor.sparse:
        raise FormatError(graph.name, tensor.said, "is sparse; dense constants are read")
    if tensor.type == "INT4":
        packed = graph.raw(tensor, 4)
        # The first item of each byte is its low nibble; both are shifted back with their sign.
        pairs = np.stack((packed << 4, packed), axis=-1).view(np.int8) >> 4
        return pairs.reshape(-1)[: int(np.prod(tensor.shape, dtype=np.int64))].reshape(tensor.shape)
    if tensor.type not in _PLAIN:
        raise FormatError(graph.name, tensor.said, f"is a constant of a type that is not read; {', '.join(_PLAIN)} are")
    kind = np.dtype(_PLAIN[tensor.type])
    raw = graph.raw(tensor, 8 * kind.itemsize)
    return raw.view(kind.newbyteorder("<")).astype(kind, copy=False).reshape(tensor.shape)


def params_of(graph: Graph, tensor: Tensor, channels: int | None = None) -> QuantParams:
    """The quantization of a tensor of codes: per-tensor, or per-channel along axis 0 where `channels` are allowed.

    FormatError if it has none, or a scale, zero point or axis that cannot be.
    """
    known = [name for name in CODES if channels is not None or name != "INT4"]
    if tensor.type not in known:
        raise FormatError(graph.name, tensor.said, f"must hold codes of type {', '.join(known)}")
    table = tensor.quantization
    if table is None:
        raise FormatError(graph.name, tensor.said, "has no scale; a tensor of codes needs one")
    if details := int(table.scalar(4, "B")):
        kind = {1: "custom", 2: "blockwise", 3: "multi-axis"}.get(details, str(details))
        raise FormatError(graph.name, tensor.said, f"has {kind} quantization; one scale a tensor or channel is read")
    scale, zero_point = table.numbers(2, "f4"), table.numbers(3, "i8")
    if scale.size > 1 and (channels != scale.size or table.scalar(6, "i")):
        raise FormatError(
            graph.name,
            tensor.said,
            f"has {scale.size} scales along axis {table.scalar(6, 'i')}; "
            + ("one is read" if channels is None else f"one, or {channels} along axis 0, are read"),
        )
    if zero_point.size not in (0, 1, scale.size):
        raise FormatError(graph.name, tensor.said, f"has {scale.size} scales but {zero_point.size} zero points")
    first = int(zero_point[0]) if zero_point.size else 0
    one = zero_point.size < 2 or bool((zero_point == first).all())
    _, qmin, qmax = CODES[tensor.type]
    try:
        return QuantParams(scale[0] if scale.size == 1 else scale, first if one else zero_point, qmin, qmax)
    except (ValueError, OverflowError) as error:
        raise FormatError(graph.name, tensor.said, str(error)) from error


def dequantized(graph: Graph, tensor: Tensor) -> NDArray[np.float32]:
    """What DEQUANTIZE makes of a constant: halves widened, codes scaled along axis 0: f32(f32(q - z) s)."""
    values = constant(graph, tensor)
    if tensor.type == "FLOAT16":
        return np.asarray(_finite(graph, tensor, values).astype(np.float32))
    params = params_of(graph, tensor, tensor.shape[0] if tensor.shape else 1)
    axes = (-1, *(1,) * (values.ndim - 1))
    centred = (values.astype(np.int32) - np.reshape(params.zero_point, axes)).astype(np.float32)
    with np.errstate(over="ignore"):  # what leaves float32 is refused
        scaled = np.asarray((centred * np.reshape(params.scale, axes)).reshape(tensor.shape), np.float32)
    return _finite(graph, tensor, scaled)


def float_constant(graph: Graph, index: int, derived: dict[int, Tensor], operator: Operator) -> NDArray[np.float32]:
    """A float32 constant operand, straight from the file or `derived` from another constant by DEQUANTIZE."""
    if index in derived:
        return dequantized(graph, derived[index])
    tensor = graph.tensor(index)
    if not graph.is_constant(index):
        raise FormatError(graph.name, operator.place, f"reads {tensor.said}, which is no constant")
    if tensor.type in CODES or tensor.type in ("INT2", "UINT4"):
        raise FormatError(
            graph.name,
            operator.place,
            f"is hybrid: it multiplies float activations by codes, {tensor.said}, by rules of which LiteRT has two; "
            "quantize the activations too, or read the weights through DEQUANTIZE",
        )
    if tensor.type != "FLOAT32":
        raise FormatError(graph.name, operator.place, f"reads {tensor.said}; FLOAT32 is read here")
    return _finite(graph, tensor, constant(graph, tensor))


def _finite(graph: Graph, tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    if not np.isfinite(values).all():
        raise FormatError(graph.name, tensor.said, "holds NaN or infinity; every number must be finite")
    return values
