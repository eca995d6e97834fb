"""Packed forms of a matrix that is mostly zeros: a bit a code, or the gaps between the others.

Legend: values v, int8 of any shape, are codes minus their zero point, modulo 256; bits, or b, of them hold those that
are not 0; data a stream of shape (K, N), which the caller bounds; K inputs, N neurons, g bits a gap.

V1 (values)    b = 1: bit i is 1 where value i is -1, else it is 1; b = 2..8: P1
V2 (bitmask)   bit i of ceil(K N / 8) bytes, least significant first, is 1 where v_i is not 0, in C order; then V1
V3 (relative)  a byte g, 1 to 16, and the number of entries as a varint; then their gaps, g bits each as P1, and their
               values (V1). An entry skips as many zeros as its gap says, and then puts its value. A gap of more than
               2^g - 1 zeros is crossed by entries (2^g - 1, 0), which V3 gives at least two bits
V4 (best g)    the g of the fewest bytes, the smallest of these
"""

from __future__ import annotations

from typing import Final

import numpy as np

from npquant.arrays import Int8
from npquant.codec.byte_fields import ByteReader, varint
from npquant.codec.packing import pack_codes, pack_fields, packed_bytes, unpack_codes, unpack_fields

_GAP_WIDTHS: Final = range(1, 17)


def value_bits(values: Int8) -> int:
    """V1. The fewest bits, 1 to 8, that hold any of the values; zeros among them do not count.

    >>> value_bits(np.array([0, 1, -1], np.int8)), value_bits(np.array([2], np.int8)), value_bits(np.zeros(3, np.int8))
    (1, 3, 1)
    """
    if values.size == 0 or (values.min() >= -1 and values.max() <= 1):
        return 1
    return max(2, 1 + max(int(values.max()), ~int(values.min())).bit_length())


def encode_bitmask(values: Int8, bits: int) -> bytes:
    """V2. bits is at least value_bits(values): ValueError if it does not hold them.

    >>> encode_bitmask(np.array([[0, 1, 0, -1]], np.int8), 1)
    b'\\n\\x02'
    """
    flat = values.reshape(-1)
    return np.packbits(flat != 0, bitorder="little").tobytes() + _pack_values(flat[flat != 0], bits)


def decode_bitmask(data: bytes, bits: int, shape: tuple[int, int]) -> Int8:
    """V2. Undo `encode_bitmask`, bits 1 to 8. ValueError if the bytes are no such stream.

    >>> decode_bitmask(b"\\n\\x02", 1, (1, 4)).tolist()
    [[0, 1, 0, -1]]
    """
    codes, cut = shape[0] * shape[1], -(-shape[0] * shape[1] // 8)
    if len(data) < cut:
        raise ValueError(f"a bitmask of {codes} codes takes {cut} bytes, {len(data)} are there")
    mask = unpack_fields(np.frombuffer(data[:cut], np.uint8), 1, codes).astype(np.bool_)
    values = np.zeros(codes, np.int8)
    values[mask] = _unpack_values(data[cut:], bits, int(np.count_nonzero(mask)))
    return values.reshape(shape)


def encode_relative(values: Int8, bits: int) -> bytes:
    """V3, with the gap width V4. bits is at least value_bits(values) and 2: ValueError if it does not hold them.

    >>> encode_relative(np.array([[0, 1, 0, -1]], np.int8), 2)
    b'\\x01\\x02\\x03\\r'
    """
    flat = values.reshape(-1)
    at = np.flatnonzero(flat)
    gaps = np.diff(at, prepend=-1) - 1
    # A crossing entry passes over 2^g places.
    entries = [at.size + int((gaps >> width).sum()) for width in _GAP_WIDTHS]
    sizes = [-(-n * width // 8) + packed_bytes(n, bits) for n, width in zip(entries, _GAP_WIDTHS, strict=True)]
    best = int(np.argmin(sizes))
    width, count = _GAP_WIDTHS[best], entries[best]
    # g <= 16: a gap's remainder, and the gap of a crossing entry, is at most 65535.
    stored_gaps, stored = np.full(count, (1 << width) - 1, np.uint16), np.zeros(count, np.int8)
    ends = np.cumsum((gaps >> width) + 1) - 1
    stored_gaps[ends] = gaps & ((1 << width) - 1)
    stored[ends] = flat[at]
    head = bytes([width]) + varint(count)
    return head + pack_fields(stored_gaps, width).tobytes() + _pack_values(stored, bits)


def decode_relative(data: bytes, bits: int, shape: tuple[int, int]) -> Int8:
    """V3. Undo `encode_relative`, bits 2 to 8. ValueError if the bytes are no such stream.

    >>> decode_relative(b"\\x01\\x02\\x03\\r", 2, (1, 4)).tolist()
    [[0, 1, 0, -1]]
    """
    reader = ByteReader(data)
    width, count = reader.byte(), reader.varint()
    if width not in _GAP_WIDTHS:
        raise ValueError(f"gaps have 1 to {_GAP_WIDTHS[-1]} bits, not {width}; the stream is damaged")
    gaps = unpack_fields(np.frombuffer(reader.take(-(-count * width // 8)), np.uint8), width, count)
    stored = _unpack_values(reader.take(reader.left), bits, count)
    # Up to 2^35 entries would be 2^51 places: the stream's length bounds them long before int64 does.
    at = np.cumsum(gaps.astype(np.int64) + 1) - 1
    values = np.zeros(shape[0] * shape[1], np.int8)
    if count and at[-1] >= values.size:
        raise ValueError(f"an entry stands at place {at[-1]} of {values.size}; the stream is damaged")
    values[at] = stored
    return values.reshape(shape)


def _pack_values(values: Int8, bits: int) -> bytes:
    """Write V1."""
    if bits > 1:
        return pack_codes(values, bits).tobytes()
    if np.any(np.abs(values) != 1):
        raise ValueError("one bit a value holds 1 and -1 alone")
    return np.packbits(values < 0, bitorder="little").tobytes()


def _unpack_values(data: bytes, bits: int, count: int) -> Int8:
    """Read V1."""
    packed = np.frombuffer(data, np.uint8)
    if bits > 1:
        return unpack_codes(packed, bits, (count,))
    return np.int8(1) - 2 * unpack_fields(packed, 1, count).astype(np.int8)
