"""Flatbuffers, read within their bounds and written front to back: what TFLite files are made of.

A table starts with a signed offset back to its vtable: u16 bytes of the vtable, u16 bytes of the table, and for each
slot a u16 offset into the table, 0 where the field is absent. A vector is a u32 count and its items; strings, vectors
and tables are referred to by u32 offsets from where the offset stands. All little-endian. Nothing is followed unasked:
who reads says how deep, and every item is looked at when it is asked for.

Source: the encoding described in google/flatbuffers ``docs/source/internals.md``, read anew in Python.

Legend: data the whole file, name the file's name, at a byte position; slot the number of a field; format a letter of
`struct` (b B H i I q Q f); root the outermost table of what is written, identifier the four bytes that say its schema.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a file, its vtable checked."""

    data: bytes
    name: str
    at: int
    vtable: int
    slots: int  # how many fields the vtable speaks of
    size: int  # bytes of the table itself

    def field(self, slot: int, width: int) -> int | None:
        """Where a field of `width` bytes stands; None if it is absent. FormatError if it leaves the table."""
        if slot >= self.slots:
            return None
        offset = _number(self.data, self.name, self.vtable + 4 + 2 * slot, "H")
        if offset == 0:
            return None
        if not 4 <= offset <= self.size - width:
            raise FormatError(self.name, f"byte {self.at}", f"has field {slot} outside its table of {self.size} bytes")
        return self.at + int(offset)

    def scalar(self, slot: int, format: str, default: float = 0) -> Any:
        """The number in a field, or what its absence means (default)."""
        where = self.field(slot, struct.calcsize("<" + format))
        return default if where is None else _number(self.data, self.name, where, format)

    def table(self, slot: int) -> Table | None:
        """The table a field refers to."""
        where = self.field(slot, 4)
        return None if where is None else table_at(self.data, self.name, _follow(self.data, self.name, where))

    def vector(self, slot: int, width: int) -> tuple[int, int]:
        """First byte and count of a vector of items of `width` bytes, all inside the file; (0, 0) if it is absent."""
        where = self.field(slot, 4)
        if where is None:
            return 0, 0
        start = _follow(self.data, self.name, where)
        count = int(_number(self.data, self.name, start, "I"))
        if count * width > len(self.data) - start - 4:
            raise FormatError(self.name, f"byte {start}", f"has a vector of {count} items beyond the end of the file")
        return start + 4, count

    def numbers(self, slot: int, dtype: str) -> NDArray[Any]:
        """The numbers of a vector, as a view of the file."""
        kind = np.dtype(dtype).newbyteorder("<")
        start, count = self.vector(slot, kind.itemsize)
        return np.frombuffer(self.data, kind, count, start) if count else np.zeros(0, kind)

    def string(self, slot: int) -> str:
        """A string; bytes that are not UTF-8 stand escaped in it, and "" is an absent one."""
        start, count = self.vector(slot, 1)
        return self.data[start : start + count].decode("utf-8", "backslashreplace")

    def item(self, slot: int, index: int) -> Table:
        """The table at an index of a vector of tables. FormatError if there is none."""
        start, count = self.vector(slot, 4)
        if not 0 <= index < count:
            raise FormatError(
                self.name, f"byte {self.at}", f"has {count} items in field {slot}; number {index} is not one"
            )
        return table_at(self.data, self.name, _follow(self.data, self.name, start + 4 * index))


def root_table(data: bytes, name: str) -> Table:
    """The outermost table of a file.

    >>> found = root_table(write_flatbuffer({0: Scalar("I", 3), 2: "words"}, b"TEST"), "file")
    >>> found.scalar(0, "I"), found.scalar(1, "i", 7), found.string(2)
    (3, 7, 'words')
    """
    return table_at(data, name, _follow(data, name, 0))


def table_at(data: bytes, name: str, at: int) -> Table:
    """The table at a position. FormatError if it or its vtable leaves the file."""
    vtable = at - int(_number(data, name, at, "i"))
    length, size = int(_number(data, name, vtable, "H")), int(_number(data, name, vtable + 2, "H"))
    if length < 4 or length % 2 or vtable + length > len(data) or size < 4 or at + size > len(data):
        raise FormatError(name, f"byte {at}", "is no table: its vtable or its fields leave the file")
    return Table(data, name, at, vtable, (length - 4) // 2, size)


def _follow(data: bytes, name: str, at: int) -> int:
    return at + int(_number(data, name, at, "I"))


def _number(data: bytes, name: str, at: int, format: str) -> int | float:
    width = struct.calcsize("<" + format)
    if not 0 <= at <= len(data) - width:
        raise FormatError(name, f"byte {at}", f"is outside the file of {len(data)} bytes; it is damaged or cut off")
    number: int | float = struct.unpack_from("<" + format, data, at)[0]
    return number


class Scalar(NamedTuple):
    """A number to write, by its letter of `struct`."""

    format: str
    value: float


class Numbers(NamedTuple):
    """A vector of numbers to write; its first item stands at a multiple of `alignment`, and of its own width."""

    values: NDArray[Any]
    alignment: int = 4


Node = Mapping[int, "Value"]
Value = Scalar | Numbers | str | Node | Sequence["Node | str"]


def write_flatbuffer(root: Node, identifier: bytes) -> bytes:
    """The file of a table of tables: a mapping from slots to values. The same bytes for the same values.

    >>> write_flatbuffer({0: Scalar("I", 3)}, b"TEST").hex(" ", 4)
    '10000000 54455354 00000600 08000400 06000000 03000000'
    """
    out = bytearray(4) + identifier
    out[0:4] = struct.pack("<I", _write_table(out, root))
    return bytes(out)


def _write_table(out: bytearray, node: Node) -> int:
    """Append a table, then all that it refers to, and return where it stands."""
    width = {slot: struct.calcsize("<" + v.format) if isinstance(v, Scalar) else 4 for slot, v in node.items()}
    offsets, end = {}, 4
    for slot in sorted(node):
        end += -end % width[slot]
        offsets[slot] = end
        end += width[slot]
    length = 4 + 2 * (max(node, default=-1) + 1)
    _pad(out, 8, length)  # the table after the vtable stands at a multiple of 8
    vtable = struct.pack("<HH", length, end) + b"".join(
        struct.pack("<H", offsets.get(slot, 0)) for slot in range(length // 2 - 2)
    )
    out += vtable
    at = len(out)
    out += struct.pack("<i", length) + bytes(end - 4)
    for slot in sorted(node):
        value, where = node[slot], at + offsets[slot]
        if isinstance(value, Scalar):
            out[where : where + width[slot]] = struct.pack("<" + value.format, value.value)
        else:
            out[where : where + 4] = struct.pack("<I", _write_value(out, value) - where)
    return at


def _write_value(out: bytearray, value: Numbers | str | Node | Sequence[Node | str]) -> int:
    """Append what an offset refers to, and return where it stands."""
    if isinstance(value, Mapping):
        return _write_table(out, value)
    if isinstance(value, str):
        raw = value.encode()
        _pad(out, 4)
        at = len(out)
        out += struct.pack("<I", len(raw)) + raw + b"\0"
        return at
    if isinstance(value, Numbers):
        _pad(out, max(4, value.alignment, value.values.itemsize), 4)
        at = len(out)
        out += struct.pack("<I", value.values.size)
        out += np.ascontiguousarray(value.values, value.values.dtype.newbyteorder("<")).tobytes()
        return at
    _pad(out, 4)
    at = len(out)
    out += struct.pack("<I", len(value)) + bytes(4 * len(value))
    for index, item in enumerate(value):
        where = at + 4 + 4 * index
        out[where : where + 4] = struct.pack("<I", _write_value(out, item) - where)
    return at


def _pad(out: bytearray, alignment: int, before: int = 0) -> None:
    """Append zeros until what comes `before` bytes on stands at a multiple of the alignment."""
    out += bytes(-(len(out) + before) % alignment)
