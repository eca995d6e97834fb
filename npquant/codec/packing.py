"""Packed codes: b bits each for 2 <= b <= 8, or five ternary codes to a byte.

Legend: q int8 codes of any shape, taken in C order; n codes, bits or b bits a code, width bits an unsigned number, 1 to
16; t ternary codes; packed a uint8 stream, shape that of the codes.

P1 (dense)    code i, in two's complement, stands in bits [i*b, (i+1)*b) of the stream; bit j of the
              stream is bit j % 8 of byte j // 8 (least significant first)
P2 (ternary)  byte = sum over i < 5 of (t_i + 1) * 3**i, so a byte lies in [0, 242]
P3 (size)     ceil(n * b / 8) bytes dense, ceil(n / 5) ternary

What the last byte has to spare is zero bits (dense) or zero codes (ternary), and decoding refuses anything else: one
array has one encoding.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_TERNARY_PLACES: Final = (1, 3, 9, 27, 81)


def packed_bytes(n: int, bits: int) -> int:
    """P3. ceil(n bits / 8): the bytes that n dense codes take. ValueError if bits is outside [2, 8] or n negative.

    >>> packed_bytes(3, 3)
    2
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must lie in [2, 8], got {bits}; ternary codes have pack_ternary")
    if n < 0:
        raise ValueError(f"the number of codes must not be negative, got {n}")
    return -(-n * bits // 8)


def pack_codes(q: NDArray[np.int8], bits: int) -> NDArray[np.uint8]:
    """P1, P3. Pack signed codes in [-2^(bits-1), 2^(bits-1) - 1]. Exact: nothing is rounded, and nothing saturates.

    At 4 bits the first code is the low nibble, at 8 bits the bytes are those of q. Empty for no codes. TypeError if q
    is not int8; ValueError if a code does not fit, or bits is outside [2, 8].

    >>> pack_codes(np.array([1, -1, -8], np.int8), 4).tolist()
    [241, 8]
    """
    size = packed_bytes(q.size, bits)
    _require_range(q, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, f"{bits} bits")
    flat = np.ascontiguousarray(q).reshape(-1).view(np.uint8)
    if bits == 8 or size == 0:
        return flat.copy()
    # The low `bits` bits of the int8 pattern are the two's complement code of that width.
    stream = np.unpackbits(flat[:, None], axis=1, bitorder="little")[:, :bits]
    return np.packbits(stream.reshape(-1), bitorder="little")


def unpack_codes(packed: NDArray[np.uint8], bits: int, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """P1. Undo `pack_codes`: unpack_codes(pack_codes(q, bits), bits, q.shape) is q, for every shape.

    TypeError if packed is not uint8; ValueError if its length is not P3, or a spare bit of the last byte is set.

    >>> unpack_codes(np.array([241, 8], np.uint8), 4, (3,)).tolist()
    [1, -1, -8]
    """
    n = _require_stream(packed, shape, packed_bytes(prod(shape), bits))
    stream = np.unpackbits(packed, bitorder="little")
    if np.any(stream[n * bits :]):
        raise ValueError("packed codes: a spare bit of the last byte is set; the stream is damaged")
    wide = np.zeros((n, 8), np.uint8)
    wide[:, :bits] = stream[: n * bits].reshape(n, bits)
    # Sign extension: the bits above the code repeat its own top bit.
    wide[:, bits:] = wide[:, bits - 1 : bits]
    return np.packbits(wide, axis=1, bitorder="little").view(np.int8).reshape(shape)


def pack_ternary(q: NDArray[np.int8]) -> NDArray[np.uint8]:
    """P2, P3. Pack codes in {-1, 0, 1}, five to a byte in [0, 242]: 1.6 bits a code, against log2(3) = 1.585.

    The last byte is filled up with zero codes; empty for no codes. TypeError if q is not int8; ValueError if a code is
    not -1, 0 or 1.

    >>> pack_ternary(np.array([1, 0, -1, 0, 0, 1], np.int8)).tolist()
    [113, 122]
    """
    _require_range(q, -1, 1, "ternary codes")
    digits = np.ones((-(-q.size // 5), 5), np.uint8)
    # -1 to 1 become 0 to 2: no step leaves int8.
    digits.reshape(-1)[: q.size] = q.reshape(-1) + np.int8(1)
    # Largest sum: 2 * (1 + 3 + 9 + 27 + 81) = 242, inside uint8.
    packed: NDArray[np.uint8] = (digits * np.array(_TERNARY_PLACES, np.uint8)).sum(axis=1, dtype=np.uint8)
    return packed


def unpack_ternary(packed: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.int8]:
    """P2. Undo `pack_ternary`.

    TypeError if packed is not uint8; ValueError if its length is not P3, a byte exceeds 242, or a spare code of the
    last byte is not zero.

    >>> unpack_ternary(np.array([113, 122], np.uint8), (2, 3)).tolist()
    [[1, 0, -1], [0, 0, 1]]
    """
    n = _require_stream(packed, shape, -(-prod(shape) // 5))
    if np.any(packed > 242):
        raise ValueError("packed ternary codes: a byte exceeds 242; the stream is damaged")
    digits = packed[:, None] // np.array(_TERNARY_PLACES, np.uint8) % np.uint8(3)
    # A byte of at most 242 has five digits of 0 to 2: codes -1 to 1.
    codes = digits.reshape(-1).view(np.int8) - np.int8(1)
    if np.any(codes[n:]):
        raise ValueError("packed ternary codes: a spare code is not zero; the stream is damaged")
    return codes[:n].reshape(shape)


def pack_fields(values: NDArray[np.unsignedinteger[Any]], width: int) -> NDArray[np.uint8]:
    """P1 of unsigned numbers: values (n,) in [0, 2^width - 1], in ceil(n width / 8) bytes.

    ValueError if a number does not fit, or width is outside [1, 16].

    >>> pack_fields(np.array([1, 0, 1, 511], np.uint16), 9).tolist()
    [1, 0, 4, 248, 15]
    """
    if not 1 <= width <= 16 or (values.size and int(values.max()) >> width):
        raise ValueError(f"{width} bits do not hold these numbers; widths are 1 to 16")
    digits = (values[:, None] >> np.arange(width, dtype=np.uint8)) & 1
    return np.packbits(digits.astype(np.uint8).reshape(-1), bitorder="little")


def unpack_fields(packed: NDArray[np.uint8], width: int, n: int) -> NDArray[np.uint16]:
    """P1. Undo `pack_fields`: n numbers, uint16. ValueError if the length is another, or a spare bit is set.

    >>> unpack_fields(np.array([1, 0, 4, 248, 15], np.uint8), 9, 4).tolist()
    [1, 0, 1, 511]
    """
    _require_stream(packed, (n,), -(-n * width // 8))
    stream = np.unpackbits(packed, bitorder="little")
    if np.any(stream[n * width :]):
        raise ValueError("packed numbers: a spare bit of the last byte is set; the stream is damaged")
    digits = stream[: n * width].reshape(n, width).astype(np.uint16)
    # Distinct bits below 2^16: their sum is in uint16.
    values: NDArray[np.uint16] = (digits << np.arange(width, dtype=np.uint16)).sum(axis=1, dtype=np.uint16)
    return values


def _require_range(q: NDArray[Any], lowest: int, highest: int, what: str) -> None:
    """Refuse codes that are not int8 or do not fit."""
    if q.dtype != np.int8:
        raise TypeError(f"codes must be int8, got {q.dtype}")
    if q.size and (int(q.min()) < lowest or int(q.max()) > highest):
        raise ValueError(f"{what} hold [{lowest}, {highest}], the codes span [{q.min()}, {q.max()}]")


def _require_stream(packed: NDArray[Any], shape: tuple[int, ...], size: int) -> int:
    """Refuse a stream of another dtype or length; return the number of codes."""
    if packed.dtype != np.uint8:
        raise TypeError(f"a packed stream is uint8, got {packed.dtype}")
    if packed.shape != (size,):
        raise ValueError(f"codes of shape {shape} take {size} bytes, got shape {packed.shape}")
    return prod(shape)
