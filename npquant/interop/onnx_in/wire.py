"""The wire format of protocol buffers, read with bounds: keys, varints, fixed words and lengths; no recursion.

A message is a run of fields, each a key (number << 3 | wire type) and a value. The wire types: 0 a varint (seven bits a
byte, the lowest first, at most ten bytes), 1 eight bytes, 2 a length and as many bytes, 5 four bytes. Source:
protobuf.dev, "Encoding".

Legend: data the bytes of one message; file its file's name; place where the message stands; raw, packed the bytes of a
repeated field's values one behind the other; value an unsigned 64-bit integer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.files.format_error import FormatError

VARINT: Final = 0
EIGHT: Final = 1
BYTES: Final = 2
FOUR: Final = 5
# A field takes two bytes in the file and up to some hundred here, so their number is bounded by itself.
MAX_FIELDS: Final = 50_000
_PART: Final = 1 << 18

Field = tuple[int, int, int | memoryview]


class Reader:
    """Hold a file's name and how many fields were read of it, so that all of its messages share one bound."""

    __slots__ = ("fields", "file")

    def __init__(self, file: str) -> None:
        self.file = file
        self.fields = 0

    def read(self, data: memoryview, place: str) -> Iterator[Field]:
        """Yield (number, wire type, value) of every field: an int, or the bytes of wire type 2.

        >>> list(Reader("net").read(memoryview(bytes([8, 150, 1])), ""))
        [(1, 0, 150)]
        """
        at, end = 0, len(data)
        while at < end:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise self.error(place, f"holds more than {MAX_FIELDS} fields; no MLP needs as many")
            key, at = self._varint(data, at, place)
            number, wire = key >> 3, key & 7
            if wire == VARINT:
                value, at = self._varint(data, at, place)
                yield number, wire, value
                continue
            if wire == BYTES:
                size, at = self._varint(data, at, place)
            elif wire in (EIGHT, FOUR):
                size = 8 if wire == EIGHT else 4
            else:
                raise self.error(place, f"field {number} has wire type {wire}; the file is damaged or no ONNX model")
            if size > end - at:
                raise self.error(place, f"field {number} is {size} bytes long where {end - at} are left")
            part = data[at : at + size]
            at += size
            yield number, wire, part if wire == BYTES else int.from_bytes(part, "little")

    def _varint(self, data: memoryview, at: int, place: str) -> tuple[int, int]:
        value = 0
        for i, byte in enumerate(data[at : at + 10]):
            value |= (byte & 127) << 7 * i
            if byte < 128:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + i + 1
        raise self.error(place, "ends inside a number, or holds one longer than ten bytes")

    def error(self, place: str, problem: str) -> FormatError:
        """Return the error that names file and place."""
        return FormatError(self.file, place, problem)

    def text(self, value: int | memoryview, place: str) -> str:
        """Return the string of a field; FormatError if it is a number, or not UTF-8."""
        try:
            return bytes(self.bytes(value, place)).decode()
        except UnicodeDecodeError as error:
            raise self.error(place, "a string is not UTF-8") from error

    def bytes(self, value: int | memoryview, place: str) -> memoryview:
        """Return the bytes of a field; FormatError if it is a number."""
        if isinstance(value, int):
            raise self.error(place, "a number stands where bytes belong")
        return value

    def integer(self, value: int | memoryview, place: str) -> int:
        """Return a field as a signed 64-bit integer; FormatError if it is bytes.

        >>> Reader("net").integer(2**64 - 1, "")
        -1
        """
        if not isinstance(value, int):
            raise self.error(place, "bytes stand where a number belongs")
        return value - (1 << 64) if value >> 63 else value

    def integers(self, value: int | memoryview, place: str) -> list[int]:
        """Return one value of a repeated integer, or the many of a packed field, of at most `MAX_FIELDS`."""
        if isinstance(value, int):
            return [self.integer(value, place)]
        self.fields += len(value)
        if self.fields > MAX_FIELDS:
            raise self.error(place, f"holds more than {MAX_FIELDS} fields; no MLP needs as many")
        return [int(v) for v in self.varints(value, place)]

    def varints(self, packed: memoryview, place: str) -> NDArray[np.int64]:
        """Return the values of a packed field, as int64.

        >>> Reader("net").varints(memoryview(bytes([1, 150, 1])), "")
        array([  1, 150])
        """
        parts, at = [np.zeros(0, np.int64)], 0
        while at < len(packed):
            part = np.frombuffer(packed[at : at + _PART], np.uint8)
            ends = np.flatnonzero(part < 128)
            if not ends.size or (lengths := np.diff(ends, prepend=-1)).max() > 10:
                raise self.error(place, "ends inside a number, or holds one longer than ten bytes")
            starts = ends - lengths + 1
            used = part[: ends[-1] + 1]
            # Byte k of a number weighs 2^(7k); of the tenth only one bit is left of 64, as in every reader.
            places = np.arange(used.size) - np.repeat(starts, lengths)
            weighed = (used & 127).astype(np.uint64) << (7 * places).astype(np.uint64)
            parts.append(np.bitwise_or.reduceat(weighed, starts).view(np.int64))
            at += used.size
        return np.concatenate(parts)
