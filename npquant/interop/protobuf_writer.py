"""Protocol Buffers, written: a message is the concatenation of its fields, in the order they are given.

Byte-reproducible, which the format itself does not ask for: no field is written twice, none is moved.
Source: protobuf.dev/programming-guides/encoding, "Message Structure".

Legend: number of a field, from 1; value what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

_VARINT, _LENGTH, _FIXED32 = 0, 2, 5


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first, the top bit set on all but the last; negative numbers as 64 bits.

    >>> varint(300), len(varint(-1))
    (b'\\xac\\x02', 10)
    """
    rest, out = value & (2**64 - 1), bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """One int32, int64 or enum field.

    >>> integer(1, 150)
    b'\\x08\\x96\\x01'
    """
    return varint(number << 3 | _VARINT) + varint(value)


def single(number: int, value: float) -> bytes:
    """One float field: four bytes, the lowest first."""
    return varint(number << 3 | _FIXED32) + np.array(value, "<f4").tobytes()


def content(number: int, value: bytes | str) -> bytes:
    """One bytes, string or message field: its length, then itself.

    >>> content(2, "testing")
    b'\\x12\\x07testing'
    """
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | _LENGTH) + varint(len(data)) + data


def repeated(number: int, value: Iterable[bytes | str]) -> bytes:
    """One `content` field for each member of value, in order."""
    return b"".join(content(number, member) for member in value)
