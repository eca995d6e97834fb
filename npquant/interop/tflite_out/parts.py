"""The parts of a TFLite file in the making: tensors, their buffers, operators, and the flatbuffer of them all.

Field numbers are those of ``schema.fbs``, file version 3.

Legend: name that of a tensor, operator or activation, as the schema calls it; type a tensor's; shape its sizes; scale
and zero_point its quantization, None for none; data its constant, as stored; K values a row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.interop.flatbuffer import Node, Numbers, Scalar, write_flatbuffer
from npquant.interop.tflite_in.names import FUSED, OPERATORS, OPTIONS, TYPES

_CONSTANT_ALIGNMENT: Final = 16  # kernels read constants with aligned vector loads
_LAST_OLD_CODE: Final = 127  # the old one-byte field says this of every later operator


@dataclass(slots=True, eq=False)
class Parts:
    """What has been added; tensor 0 is the input, the last operator's output the file's."""

    tensors: list[Node] = field(default_factory=list)
    buffers: list[Node] = field(default_factory=lambda: [{}])  # buffer 0 is the empty one
    operators: list[Node] = field(default_factory=list)
    codes: list[tuple[str, int]] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        type: str,
        shape: tuple[int, ...],
        scale: ArrayLike | None = None,
        zero_point: ArrayLike = 0,
        data: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor, and its constant where it has data; return its number."""
        table: dict[int, Any] = {0: Numbers(np.array(shape, np.int32)), 1: Scalar("b", TYPES.index(type)), 3: name}
        if data is not None:
            table[2] = Scalar("I", self.buffer(data))
        else:
            table[7] = Numbers(np.array([-1, *shape[1:]], np.int32))  # shape_signature: any number of rows
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            zeros = np.broadcast_to(np.asarray(zero_point, np.int64), scales.shape)
            table[4] = {2: Numbers(scales), 3: Numbers(zeros, 8), 6: Scalar("i", 0)}
        self.tensors.append(table)
        return len(self.tensors) - 1

    def buffer(self, data: NDArray[Any]) -> int:
        """Add bytes, little-endian; return their number."""
        stored = np.ascontiguousarray(data, data.dtype.newbyteorder("<"))
        self.buffers.append({0: Numbers(np.frombuffer(stored.tobytes(), np.uint8), _CONSTANT_ALIGNMENT)})
        return len(self.buffers) - 1

    def operator(self, name: str, version: int, inputs: tuple[int, ...], output: int, options: Node) -> int:
        """Add an operator of a version, with its options by slot; return its output, the tensor it writes."""
        if (name, version) not in self.codes:
            self.codes.append((name, version))
        table: dict[int, Any] = {
            0: Scalar("I", self.codes.index((name, version))),
            1: Numbers(np.array(inputs, np.int32)),
            2: Numbers(np.array([output], np.int32)),
        }
        if name in OPTIONS:
            table[3], table[4] = Scalar("B", OPTIONS[name]), options
        self.operators.append(table)
        return output

    def file(self, output: int, metadata: bytes) -> bytes:
        """The file: its input is tensor 0; metadata stands beside the network under the name "npquant", if any."""
        root: dict[int, Any] = {
            0: Scalar("I", 3),
            1: [_code(name, version) for name, version in self.codes],
            2: [
                {
                    0: self.tensors,
                    1: Numbers(np.array([0], np.int32)),
                    2: Numbers(np.array([output], np.int32)),
                    3: self.operators,
                    4: "main",
                }
            ],
            3: "npquant",
        }
        if metadata:
            root[6] = [{0: METADATA, 1: Scalar("I", self.buffer(np.frombuffer(metadata, np.uint8)))}]
        root[4] = self.buffers
        return write_flatbuffer(root, b"TFL3")


METADATA: Final = "npquant"


def fused(name: str) -> Scalar:
    """The number of a fused activation, for slot 0 of a layer's options."""
    return Scalar("b", FUSED.index(name))


def _code(name: str, version: int) -> Node:
    number = OPERATORS.index(name)
    return {0: Scalar("b", min(number, _LAST_OLD_CODE)), 2: Scalar("i", version), 3: Scalar("i", number)}
