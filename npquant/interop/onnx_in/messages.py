"""The messages of ONNX that a network needs, as records: model, graph, node, attribute, tensor, type.

Field numbers: onnx/onnx onnx/onnx.proto at 1.23.2. What is not named here (documentation, training) is
skipped; sub-graphs are counted and never entered, so no depth of nesting is followed.

Legend: data the bytes of one message; reader the wire reader of its file; place what the message is called.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from npquant.interop.onnx_in.wire import FOUR, VARINT, Field, Reader


@dataclass(slots=True)
class Tensor:
    """TensorProto: name, shape, element type, and where its numbers stand; they are decoded when they are asked for."""

    name: str = ""
    dims: list[int] = field(default_factory=list)
    type: int = 0
    raw: memoryview | None = None
    typed: list[Field] = field(default_factory=list)  # float_data, int32_data, int64_data, double_data, uint64_data
    external: dict[str, str] = field(default_factory=dict)
    is_external: bool = False
    segmented: bool = False


@dataclass(slots=True)
class Attribute:
    """AttributeProto: the one value it holds; graphs only as a count."""

    name: str = ""
    f: float = 0.0
    i: int = 0
    s: bytes = b""
    t: Tensor | None = None
    floats: list[float] = field(default_factory=list)
    ints: list[int] = field(default_factory=list)
    strings: list[bytes] = field(default_factory=list)
    graphs: int = 0
    refers: str = ""


@dataclass(slots=True)
class Node:
    """NodeProto: operator, domain ("" for ONNX's own), names of what it reads and writes, attributes by name."""

    op: str = ""
    domain: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Attribute] = field(default_factory=dict)
    place: str = ""


@dataclass(slots=True)
class Value:
    """ValueInfoProto: a graph input or output; type 0 where it is no tensor; a dimension is None where it is a name."""

    name: str = ""
    type: int = 0
    shape: list[int | None] | None = None


@dataclass(slots=True)
class Graph:
    """GraphProto."""

    nodes: list[Node] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    sparse: int = 0


@dataclass(slots=True)
class Model:
    """ModelProto: versions, domains with their opset, and the graph; metadata as it stands, since anybody writes it."""

    ir_version: int = 0
    producer: str = ""
    opsets: dict[str, int] = field(default_factory=dict)
    graph: Graph | None = None
    functions: int = 0
    metadata: list[memoryview] = field(default_factory=list)


def read_model(data: memoryview, reader: Reader) -> Model:
    """Read ModelProto; FormatError where the bytes are no such message."""
    model = Model()
    for number, _, value in reader.read(data, ""):
        match number:
            case 1:
                model.ir_version = reader.integer(value, "ir_version")
            case 2:
                model.producer = reader.text(value, "producer_name")
            case 7 if model.graph is not None:
                raise reader.error("", "holds two graphs")
            case 7:
                model.graph = _graph(reader.bytes(value, "graph"), reader)
            case 8:
                domain, version = _opset(reader.bytes(value, "opset_import"), reader)
                model.opsets[domain] = version
            case 14 if isinstance(value, memoryview):
                model.metadata.append(value)
            case 25:
                model.functions += 1
    return model


def _opset(data: memoryview, reader: Reader) -> tuple[str, int]:
    domain, version = "", 0
    for number, _, value in reader.read(data, "opset_import"):
        if number == 1:
            domain = reader.text(value, "opset_import")
        elif number == 2:
            version = reader.integer(value, "opset_import")
    return "" if domain == "ai.onnx" else domain, version


def _graph(data: memoryview, reader: Reader) -> Graph:
    graph = Graph()
    for number, _, value in reader.read(data, "graph"):
        match number:
            case 1:
                graph.nodes.append(_node(reader.bytes(value, "graph"), reader, len(graph.nodes)))
            case 5:
                place = f"initializer {len(graph.tensors)}"
                graph.tensors.append(read_tensor(reader.bytes(value, place), reader, place))
            case 11:
                graph.inputs.append(_value(reader.bytes(value, "graph input"), reader, "graph input"))
            case 12:
                graph.outputs.append(_value(reader.bytes(value, "graph output"), reader, "graph output"))
            case 15:
                graph.sparse += 1
    return graph


def quoted(name: str) -> str:
    """Return a name in quotes, shortened where it is longer than a line.

    >>> quoted("a" * 99)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaaaaaaa'"
    """
    return repr(name if len(name) <= 60 else f"{name[:28]}...{name[-28:]}")


def _node(data: memoryview, reader: Reader, index: int) -> Node:
    node, place = Node(), f"node {index}"
    attributes = []
    for number, _, value in reader.read(data, place):
        match number:
            case 1:
                node.inputs.append(reader.text(value, place))
            case 2:
                node.outputs.append(reader.text(value, place))
            case 3:
                node.name = reader.text(value, place)
            case 4:
                node.op = reader.text(value, place)
            case 5:
                attributes.append(reader.bytes(value, place))
            case 7:
                node.domain = reader.text(value, place)
    if node.domain == "ai.onnx":
        node.domain = ""
    operator = f"{node.domain}::{node.op}" if node.domain else node.op
    node.place = f"node {quoted(node.name) if node.name else index} ({operator[:80]})"
    for one in attributes:
        attribute = _attribute(one, reader, node.place)
        if attribute.name in node.attributes:
            raise reader.error(node.place, f"has the attribute {quoted(attribute.name)} twice")
        node.attributes[attribute.name] = attribute
    return node


def _attribute(data: memoryview, reader: Reader, place: str) -> Attribute:
    found = Attribute()
    for number, wire, value in reader.read(data, place):
        match number:
            case 1:
                found.name = reader.text(value, place)
            case 2:
                found.f = _floats(wire, value, reader, place)[0]
            case 3:
                found.i = reader.integer(value, place)
            case 4:
                found.s = bytes(reader.bytes(value, place))
            case 5:
                found.t = read_tensor(reader.bytes(value, place), reader, place)
            case 6 | 11:
                found.graphs += 1
            case 7:
                found.floats += _floats(wire, value, reader, place)
            case 8:
                found.ints += reader.integers(value, place)
            case 9:
                found.strings.append(bytes(reader.bytes(value, place)))
            case 21:
                found.refers = reader.text(value, place)
    return found


def _floats(wire: int, value: int | memoryview, reader: Reader, place: str) -> list[float]:
    if wire == FOUR and isinstance(value, int):
        return [float(struct.unpack("<f", value.to_bytes(4, "little"))[0])]
    if isinstance(value, int) or not len(value) or len(value) % 4:
        raise reader.error(place, "an attribute's float is not four bytes")
    reader.fields += len(value) // 4
    return [float(v) for (v,) in struct.iter_unpack("<f", value)]


def read_tensor(data: memoryview, reader: Reader, place: str) -> Tensor:
    """Read TensorProto, without decoding its numbers; FormatError where the bytes are no such message."""
    tensor = Tensor()
    for number, wire, value in reader.read(data, place):
        match number:
            case 1:
                tensor.dims += reader.integers(value, place)
            case 2:
                tensor.type = reader.integer(value, place)
            case 3:
                tensor.segmented = True
            case 4 | 5 | 7 | 10 | 11:
                tensor.typed.append((number, wire, value))
            case 8:
                tensor.name = reader.text(value, place)
            case 9:
                tensor.raw = reader.bytes(value, place)
            case 13:
                key, text = read_entry(reader.bytes(value, place), reader, place)
                tensor.external[key] = text
            case 14:
                tensor.is_external = reader.integer(value, place) == 1
    return tensor


def read_entry(data: memoryview, reader: Reader, place: str) -> tuple[str, str]:
    """Read StringStringEntryProto: key and value; FormatError where the bytes are no such message."""
    parts = {1: "", 2: ""}
    for number, _, value in reader.read(data, place):
        if number in parts:
            parts[number] = reader.text(value, place)
    return parts[1], parts[2]


def _value(data: memoryview, reader: Reader, place: str) -> Value:
    found = Value()
    for number, _, value in reader.read(data, place):
        if number == 1:
            found.name = reader.text(value, place)
        elif number == 2:
            for kind, _, part in reader.read(reader.bytes(value, place), place):
                if kind == 1:  # tensor_type; a sequence or a map keeps type 0
                    _tensor_type(found, reader.bytes(part, place), reader, place)
    return found


def _tensor_type(found: Value, data: memoryview, reader: Reader, place: str) -> None:
    for number, _, value in reader.read(data, place):
        if number == 1:
            found.type = reader.integer(value, place)
        elif number == 2:
            found.shape = []
            for dim, _, part in reader.read(reader.bytes(value, place), place):
                if dim == 1:
                    found.shape.append(_dimension(reader.bytes(part, place), reader, place))


def _dimension(data: memoryview, reader: Reader, place: str) -> int | None:
    size = None
    for number, wire, value in reader.read(data, place):
        if number == 1 and wire == VARINT:
            size = reader.integer(value, place)
    return size
