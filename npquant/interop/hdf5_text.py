"""Text of variable length in an HDF5 file, checked before the library reads it.

Such an attribute holds 16 bytes a text: its length, the address of a global heap, and the number of an object there.
HDF5 2.0.0 takes memory for the length before it compares it with the object's (4 GB for a file of 20 kB), and walks a
heap with a free object of size 0 for ever. So each length must be that of its object, and each heap must end.

Source: HDFGroup/hdf5 2.0, "HDF5 File Format Specification" 3.0, III.E (global heap), IV.A.2.b, d and m (dataspace,
datatype, attribute messages); runs of h5py 3.16 on mutated files.

Legend: data the content of a file, file what to call it; name that of an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import Final

from npquant.files.format_error import FormatError

_HEAP: Final = b"GCOL\x01\0\0\0"
_VARIABLE_LENGTH: Final = 9
# Version of an attribute message, length of its header, and what its parts are padded to.
_MESSAGES: Final = ((1, 8, 8), (2, 8, 1), (3, 9, 1))


def heap_objects(data: bytes, file: str) -> dict[tuple[int, int], int]:
    """Return the length of each object of the global heaps, by address and number; FormatError if a heap is damaged."""
    found: dict[tuple[int, int], int] = {}
    at = data.find(_HEAP)
    while at >= 0:
        end, here = at + _number(data, at + 8, 8), at + 16
        while here + 16 <= min(end, len(data)):
            index, size = _number(data, here, 2), _number(data, here + 8, 8)
            # An object takes its header and a multiple of 8; what is free counts its header itself.
            step = 16 + -(-size // 8) * 8 if index else size
            if step < 16 or here + step > end:
                raise FormatError(file, f"heap at byte {at}", f"is damaged: object {index} takes {size} bytes")
            if index:
                found[at, index] = size
            here += step
        at = data.find(_HEAP, at + 8)
    return found


def text_lengths(data: bytes, name: str, objects: dict[tuple[int, int], int], file: str) -> int:
    """Return the longest sum of the texts of an attribute of this name, wherever in the file one is; of `objects`.

    FormatError if a length is not that of its object.
    """
    place, most = f"attribute {name!r}", -1
    for datatype, start, count in _attributes(data, name):
        # Text (1) of some padding in ASCII or UTF-8, 16 bytes an entry, of whole numbers or characters of one byte.
        flags, base = _number(data, datatype + 1, 3), data[datatype + 8] & 15
        if (
            flags & ~0x131
            or flags & 15 != 1
            or data[datatype + 4 : datatype + 8] != b"\x10\0\0\0"
            or base not in (0, 3)
        ):
            raise FormatError(file, place, "is of a damaged type; text is expected")
        if start + 16 * count > len(data):
            raise FormatError(file, place, f"promises {count} texts, more than the file can hold")
        total = 0
        for at in range(start, start + 16 * count, 16):
            length, heap, index = _number(data, at, 4), _number(data, at + 4, 8), _number(data, at + 12, 4)
            if length and objects.get((heap, index)) != length:
                raise FormatError(file, place, f"promises a text of {length} bytes, which is not in the file")
            total += length
        most = max(most, total)
    if most < 0:
        raise FormatError(file, place, "is damaged: there is no such text in the file")
    return most


def _attributes(data: bytes, name: str) -> Iterator[tuple[int, int, int]]:
    """Yield where the type and the texts of each attribute message of this name begin, and how many texts they are."""
    key = name.encode("utf-8") + b"\0"
    for match in re.finditer(re.escape(key), data):
        for version, header, step in _MESSAGES:
            at = match.start() - header
            if at < 0 or data[at] != version or _number(data, at + 2, 2) != len(key):
                continue
            sizes = [-(-_number(data, at + i, 2) // step) * step for i in (2, 4, 6)]
            datatype = match.start() + sizes[0]
            space = datatype + sizes[1]
            if datatype + 16 > len(data) or space + 4 > len(data) or data[datatype] & 15 != _VARIABLE_LENGTH:
                continue
            rank, dims = data[space + 1], space + (8 if data[space] == 1 else 4)
            yield datatype, space + sizes[2], prod(_number(data, dims + 8 * i, 8) for i in range(rank))


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
