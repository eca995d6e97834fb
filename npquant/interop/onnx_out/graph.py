"""An ONNX model, written with NumPy alone: tensors, nodes in order, and what the file says of itself.

Every file of one network is the same bytes: no clock, no machine, no order of a dictionary in it.
Source: onnx/onnx onnx/onnx.proto (IR version 10), "ModelProto", "GraphProto", "NodeProto", "TensorProto".

Legend: name of a node, tensor or value in the graph; array the numbers of a tensor; kind an element type by its name;
width columns of a value whose rows are the batch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.interop.protobuf_writer import content, integer, repeated, single
from npquant.version import __version__, numerics_version

# TensorProto.DataType
TYPES: Final = MappingProxyType(
    {
        "float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "float64": 11, "int4": 22,
    }
)  # fmt: skip
# The IR version that came with an operator set: onnx/onnx docs/Versioning.md, "Released Versions".
IR_VERSIONS: Final = MappingProxyType({19: 9, 21: 10})
CONTRIB: Final = "com.microsoft"
_NONE: Final[Mapping[str, int | float]] = MappingProxyType({})


@dataclass(slots=True)
class Graph:
    """Hold a graph so far: nodes and initializers as bytes, in the order they were added."""

    opset: int = 19
    contrib: bool = False  # whether an operator of com.microsoft stands in it
    nodes: list[bytes] = field(default_factory=list)
    initializers: list[bytes] = field(default_factory=list)

    def constant(self, name: str, array: NDArray[Any], kind: str = "") -> str:
        """Add an initializer of array's dtype, or packed as kind "int4"; return its name."""
        data = pack_int4(array) if kind == "int4" else _little_endian(array)
        dims = b"".join(integer(1, n) for n in array.shape)
        head = dims + integer(2, TYPES[kind or array.dtype.name])
        self.initializers.append(head + content(8, name) + content(9, data))
        return name

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        name: str,
        attributes: Mapping[str, int | float] = _NONE,
        domain: str = "",
        more: Sequence[str] = (),
    ) -> str:
        """Add a node whose output is called as the node itself, and `more` outputs behind it; return its name."""
        self.contrib |= domain == CONTRIB
        fields = repeated(1, inputs) + repeated(2, (name, *more)) + content(3, name) + content(4, operator)
        fields += b"".join(content(5, _attribute(key, value)) for key, value in attributes.items())
        self.nodes.append(fields + (content(7, domain) if domain else b""))
        return name


def pack_int4(array: NDArray[Any]) -> bytes:
    """Two codes a byte in two's complement, the first in the low half; the last high half may be left 0.

    >>> pack_int4(np.array([1, -1, 7], np.int8)).hex()
    'f107'
    """
    nibbles = np.zeros(array.size + array.size % 2, np.uint8)
    nibbles[: array.size] = array.ravel().astype(np.uint8) & 15
    return (nibbles[::2] | nibbles[1::2] << 4).tobytes()


def _little_endian(array: NDArray[Any]) -> bytes:
    return (array if sys.byteorder == "little" else array.byteswap()).tobytes()


def _attribute(key: str, value: int | float) -> bytes:
    # AttributeProto.type: FLOAT = 1, INT = 2
    if isinstance(value, float):
        return content(1, key) + single(2, value) + integer(20, 1)
    return content(1, key) + integer(3, int(value)) + integer(20, 2)


def _value(name: str, kind: str, width: int) -> bytes:
    shape = content(1, content(2, "batch")) + content(1, integer(1, width))
    return content(1, name) + content(2, content(1, integer(1, TYPES[kind]) + content(2, shape)))


def encode_model(
    graph: Graph, inputs: tuple[str, str, int], outputs: tuple[str, str, int], properties: Mapping[str, str]
) -> bytes:
    """The file's bytes. inputs and outputs are (name, kind, width); properties go into the model's metadata."""
    body = repeated(1, graph.nodes) + content(2, "npquant") + repeated(5, graph.initializers)
    body += content(11, _value(*inputs)) + content(12, _value(*outputs))
    domains = [integer(2, graph.opset)] + [content(1, CONTRIB) + integer(2, 1)] * graph.contrib
    # ONNX: the default operator set's domain is the empty string, which proto3 leaves out
    model = integer(1, IR_VERSIONS[graph.opset]) + content(2, "npquant") + content(3, __version__)
    model += content(7, body) + repeated(8, domains)
    said = {"npquant.numerics": numerics_version, **properties}
    return model + repeated(14, (content(1, key) + content(2, value) for key, value in said.items()))
