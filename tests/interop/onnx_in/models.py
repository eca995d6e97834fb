"""ONNX models written byte by byte, by a second and simpler writer than any in the package.

Legend: number a field; value what it holds; x the input's name, y the output's.
"""

import struct
from typing import Any

import numpy as np

TYPES = {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
    "float64": 11, "uint32": 12, "uint64": 13,
}  # fmt: skip


def varint(value: Any) -> Any:
    """Return an unsigned 64-bit integer, seven bits a byte."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: Any, value: Any) -> Any:
    """Return one field: an int as a varint, a float as four bytes, text and bytes with their length."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else bytes(value)
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: Any, array: Any, *, kind: Any = None, raw: Any = None, dims: Any = None, extra: Any = b"") -> Any:
    """Return TensorProto of an array, as raw_data; kind, raw and dims in place of the array's own."""
    array = np.asarray(array)
    shape = array.shape if dims is None else dims
    data = array.astype(array.dtype.newbyteorder("<")).tobytes() if raw is None else raw
    body = b"".join(field(1, int(d)) for d in shape) + field(2, TYPES[array.dtype.name] if kind is None else kind)
    return body + field(8, name) + (field(9, data) if raw != b"" or array.size == 0 else b"") + extra


def attribute(name: Any, value: Any) -> Any:
    """Return AttributeProto of an int, float, str, array, or a list of ints or floats."""
    body = field(1, name)
    if isinstance(value, bool | int):
        return body + field(3, int(value)) + field(20, 2)
    if isinstance(value, float):
        return body + field(2, value) + field(20, 1)
    if isinstance(value, str | bytes):
        return body + field(4, value) + field(20, 3)
    if isinstance(value, np.ndarray | np.generic):
        return body + field(5, tensor("value", value)) + field(20, 4)
    if value and isinstance(value[0], float):
        return body + b"".join(field(7, v) for v in value) + field(20, 6)
    return body + b"".join(field(8, int(v)) for v in value) + field(20, 7)


def node(op: Any, inputs: Any, outputs: Any, *, domain: str = "", name: str = "", **attributes: Any) -> Any:
    """Return NodeProto; inputs and outputs are names, space-separated, "-" for one that is left out."""
    body = b"".join(field(1, "" if i == "-" else i) for i in inputs.split())
    body += b"".join(field(2, o) for o in outputs.split())
    body += field(3, name) + field(4, op) + field(7, domain)
    return body + b"".join(field(5, attribute(key, value)) for key, value in attributes.items())


def value(name: Any, kind: Any = 1, shape: Any = ("n", 4)) -> Any:
    """Return ValueInfoProto of a tensor; a text in its shape is a dimension's name, None no shape at all."""
    dims = b"" if shape is None else b"".join(field(1, field(2 if isinstance(d, str) else 1, d)) for d in shape)
    kind_of = field(1, kind) + (b"" if shape is None else field(2, dims))
    return field(1, name) + field(2, field(1, kind_of))


def model(
    nodes: Any,
    tensors: Any = (),
    *,
    inputs: Any = None,
    outputs: Any = None,
    opset: int = 13,
    ir: Any = 8,
    more: Any = b"",
) -> Any:
    """Return ModelProto: input "x", output "y", unless others are given; more bytes of the graph."""
    graph = b"".join(field(1, n) for n in nodes) + field(2, "g") + more
    graph += b"".join(field(5, t) for t in tensors)
    graph += b"".join(field(11, v) for v in ([value("x")] if inputs is None else inputs))
    graph += b"".join(field(12, v) for v in ([value("y", shape=None)] if outputs is None else outputs))
    opsets = field(8, field(1, "") + field(2, opset))
    opsets += b"".join(field(8, field(1, d) + field(2, 1)) for d in ("com.microsoft", "ai.onnx.ml"))
    return field(1, ir) + field(7, graph) + opsets


def run(data: Any, x: Any) -> Any:
    """Return what onnxruntime answers: one thread, its first float or code output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})
