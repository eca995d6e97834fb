"""A TFLite file as records: its one subgraph's operators and tensors, each looked at when it is asked for.

Field numbers are those of ``schema.fbs``, file version 3. An operator's code is the larger of the two that a file
holds: new writers leave the old one-byte field 0, old ones the new field (the runtime's rule, in LiteRT's
``tflite/converter/schema/schema_utils.cc``, GetBuiltinCode).

Legend: data the file, name its name; index the number of a tensor, -1 for an operand that is absent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError
from npquant.interop.flatbuffer import Table, root_table
from npquant.interop.tflite_in.names import OPERATORS, OPTIONS, TYPES

# Far beyond any chain of layers, and small beside any file that could hold more.
MOST_OPERATORS: Final = 4096
MOST_OPERANDS: Final = 16
HIGHEST_RANK: Final = 8
# Layers may share a buffer; together they may read no more than this beyond the file's own bytes.
SHARED_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor: what it is called and declared to be. `quantization` is None where it has no scale."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    buffer: int
    quantization: Table | None
    sparse: bool

    @property
    def said(self) -> str:
        """How errors call it."""
        return f"tensor {self.index} '{self.name}' {self.type}"


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One operator: its name, the tensors it reads and writes, its options."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None

    @property
    def place(self) -> str:
        """How errors call it."""
        return f"operator {self.index} '{self.name}'"

    def option(self, slot: int, format: str, default: float = 0) -> Any:
        """A number of its options (slot, format as of a flatbuffer's table), or default."""
        return default if self.options is None else self.options.scalar(slot, format, default)


@dataclass(slots=True, eq=False)
class Graph:
    """The one subgraph of a file."""

    data: bytes
    name: str
    model: Table
    subgraph: Table
    operators: tuple[Operator, ...] = ()
    _tensors: dict[int, Tensor] = field(default_factory=dict)
    _read: int = 0

    def tensor(self, index: int) -> Tensor:
        """The tensor of an index. FormatError if there is none, or its type or shape is not one."""
        if index not in self._tensors:
            self._tensors[index] = self._tensor(index)
        return self._tensors[index]

    def _tensor(self, index: int) -> Tensor:
        table = self.subgraph.item(0, index)
        number, shape = int(table.scalar(1, "b")), table.numbers(0, "i4")
        name, place = table.string(3), f"tensor {index}"
        if not 0 <= number < len(TYPES):
            raise FormatError(self.name, place, f"'{name}' is of type {number}; the schema knows 0 to {len(TYPES) - 1}")
        if shape.size > HIGHEST_RANK:
            raise FormatError(self.name, place, f"'{name}' has {shape.size} axes; at most {HIGHEST_RANK} are read")
        quantization = table.table(4)
        if quantization is not None and not quantization.vector(2, 4)[1] and not quantization.scalar(4, "B"):
            quantization = None
        sizes = tuple(int(size) for size in shape)
        sparse = table.table(6) is not None
        return Tensor(index, name, TYPES[number], sizes, int(table.scalar(2, "I")), quantization, sparse)

    def is_constant(self, index: int) -> bool:
        """True where a tensor has data in the file."""
        return index >= 0 and self._bytes_of(self.tensor(index))[1] > 0

    def raw(self, tensor: Tensor, bits: int) -> NDArray[np.uint8]:
        """The bytes of a constant of `bits` bits an item, a view of the file. FormatError if their number is wrong."""
        start, count = self._bytes_of(tensor)
        items = math.prod(tensor.shape)  # of Python's integers: no overflow
        if min(tensor.shape, default=1) < 0 or count != -(-items * bits // 8):
            raise FormatError(self.name, tensor.said, f"has {count} bytes for the shape {list(tensor.shape)}")
        self._read += count
        if self._read > len(self.data) + SHARED_BYTES:
            raise FormatError(
                self.name, tensor.said, "is read together with others from the same bytes again and again"
            )
        return np.frombuffer(self.data, np.uint8, count, start) if count else np.zeros(0, np.uint8)

    def _bytes_of(self, tensor: Tensor) -> tuple[int, int]:
        """First byte and number of bytes of a tensor's buffer; buffer 0 is the empty one."""
        if tensor.buffer == 0:
            return 0, 0
        buffer = self.model.item(4, tensor.buffer)
        start, count = buffer.vector(0, 1)
        if not count and (offset := int(buffer.scalar(1, "Q"))) > 1:  # data behind the flatbuffer, for large files
            start, count = offset, int(buffer.scalar(2, "Q"))
            if start + count > len(self.data):
                raise FormatError(self.name, tensor.said, "has its data beyond the end of the file")
        return start, count


def open_graph(data: bytes, name: str) -> Graph:
    """The one subgraph of a file. FormatError if it is damaged, of another version, or has not exactly one subgraph."""
    if data[4:8] != b"TFL3":
        raise FormatError(name, "", "is no TFLite file: bytes 4 to 8 are not TFL3")
    model = root_table(data, name)
    if (version := model.scalar(0, "I")) != 3:
        raise FormatError(name, "", f"is of schema version {version}; version 3 is read")
    if (subgraphs := model.vector(2, 4)[1]) != 1:
        raise FormatError(name, "", f"has {subgraphs} subgraphs; a network of one subgraph is read")
    graph = Graph(data, name, model, model.item(2, 0))
    count = graph.subgraph.vector(3, 4)[1]
    if count > MOST_OPERATORS:
        raise FormatError(name, "", f"has {count} operators; at most {MOST_OPERATORS} are read")
    graph.operators = tuple(_operator(graph, index) for index in range(count))
    return graph


def _operator(graph: Graph, index: int) -> Operator:
    table = graph.subgraph.item(3, index)
    code = graph.model.item(1, int(table.scalar(0, "I")))
    number = max(int(code.scalar(0, "b")), int(code.scalar(3, "i")))
    known = 0 <= number < len(OPERATORS)
    name = OPERATORS[number] if known else f"operator code {number}"
    if name == "CUSTOM":
        name = f"CUSTOM {code.string(1)[:80]}"
    operands = [table.numbers(slot, "i4") for slot in (1, 2)]
    if max(operands[0].size, operands[1].size) > MOST_OPERANDS:
        # The message is as short for a million operands as for twenty.
        raise FormatError(graph.name, f"operator {index} '{name}'", f"has more than {MOST_OPERANDS} operands")
    inputs, outputs = (tuple(int(i) for i in indices) for indices in operands)
    # Options of another operator's type say nothing: the runtime takes the defaults then.
    own = int(table.scalar(3, "B")) == OPTIONS.get(name)
    return Operator(index, name, inputs, outputs, table.table(4) if own else None)
