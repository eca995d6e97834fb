"""A weight matrix as bytes: packed densely, packed sparsely, or in arithmetic code; whichever is shortest.

Legend: w_q (K, N) int8 codes, zero_point () or (N,) the code of a weight that is 0, in int8; form one of FORMS; data
the bytes, shape (K, N); K inputs, N neurons, b bits a code.

W1 (forms)        "ternary" codes in {-1, 0, 1}, five to a byte; "dense<b>" two's complement, b bits each;
                  "oriented<b>" the same after some neurons are negated, with one flag bit a neuron behind;
                  "bitmask<b>" and "relative<b>", `sparse_packing`, b bits a value; "arithmetic", `sparse_contexts`
W2 (orientation)  a neuron on the grid [-2^(b-1)+1, 2^(b-1)] is stored as its negative, on [-2^(b-1), 2^(b-1)-1]
W3 (encodings)    "dense" takes the shortest of ternary, dense<b> and oriented<b>; the others the form of their name;
                  "auto" the shortest of all, and of equals the one that stands first in ENCODINGS
W4 (patience)     "auto" leaves arithmetic code out where 4 (codes not zero) + K N exceeds 2^21, seconds of
                  decoding, or K (N + 64) exceeds 2^26, which it refuses

The codes decide the form, not the interval that they were allowed: `integer.weight_width` (W5) is the width that was
asked for. For the sparse forms zero is the zero point.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.codec.packing import (
    pack_codes,
    pack_ternary,
    packed_bytes,
    unpack_codes,
    unpack_ternary,
)
from npquant.codec.sparse_contexts import decode_codes, decodes_in_time, encode_codes
from npquant.codec.sparse_packing import (
    decode_bitmask,
    decode_relative,
    encode_bitmask,
    encode_relative,
    value_bits,
)

ENCODINGS: Final = ("dense", "bitmask", "relative", "arithmetic")
# A file names a form by its place here: new ones go to the end.
FORMS: Final = (
    "ternary", "dense2", "dense3", "dense4", "dense5", "dense6", "dense7", "dense8",
    "oriented2", "oriented3", "oriented4", "oriented5", "oriented6", "oriented7",
    "bitmask1", "bitmask2", "bitmask3", "bitmask4", "bitmask5", "bitmask6", "bitmask7", "bitmask8",
    "relative2", "relative3", "relative4", "relative5", "relative6", "relative7", "relative8", "arithmetic",
)  # fmt: skip
_PATIENCE: Final = 1 << 21
Encoded = tuple[str, bytes]


def encode_weights(w_q: NDArray[np.int8], zero_point: ArrayLike = 0, encoding: str = "auto") -> Encoded:
    """W1 to W4. Encode weight codes: their form, one of FORMS, and the bytes. Exact, and the same on every machine.

    encoding is "auto" or one of ENCODINGS (W3). TypeError if w_q is not int8; ValueError if the encoding is none of
    these.

    >>> encode_weights(np.tile(np.array([-2, 2], np.int8), (40, 1)), 0, "dense")[0]
    'oriented2'
    >>> form, data = encode_weights(np.tile(np.array([-2, 2], np.int8), (40, 1)))
    >>> form, len(data)
    ('arithmetic', 5)
    """
    if w_q.dtype != np.int8:
        raise TypeError(f"weight codes must be int8, got {w_q.dtype}")
    encoders: dict[str, Callable[[NDArray[np.int8], ArrayLike], Encoded]] = {
        "dense": _encode_dense,
        "bitmask": _encode_bitmask,
        "relative": _encode_relative,
        "arithmetic": _encode_arithmetic,
    }
    if encoding in encoders:
        return encoders[encoding](w_q, zero_point)
    if encoding != "auto":
        raise ValueError(f"unknown encoding {encoding!r}; weights are encoded as auto, {', '.join(ENCODINGS)}")
    if 4 * np.count_nonzero(w_q != zero_point) + w_q.size > _PATIENCE or not decodes_in_time(w_q.shape):
        del encoders["arithmetic"]
    return min((encode(w_q, zero_point) for encode in encoders.values()), key=lambda encoded: len(encoded[1]))


def decode_weights(form: str, data: bytes, shape: tuple[int, int], zero_point: ArrayLike = 0) -> NDArray[np.int8]:
    """W1, W2. Undo `encode_weights`, for a shape (K, N) that the caller bounds, and the zero point of the encoding.

    ValueError if the form is none of FORMS, or data is not of that form and shape.

    >>> decode_weights(*encode_weights(np.array([[-2, 2], [1, -1]], np.int8)), (2, 2)).tolist()
    [[-2, 2], [1, -1]]
    """
    if form not in FORMS:
        raise ValueError(f"unknown form {form!r}; the forms are {', '.join(FORMS)}")
    if form == "arithmetic":
        # |c| <= 255 and |zero point| <= 128: int16 has room, and int8 is checked.
        codes = decode_codes(data, shape) + np.asarray(zero_point, np.int16)
        if codes.size and (codes.min() < -128 or codes.max() > 127):
            raise ValueError(f"decoded codes span [{codes.min()}, {codes.max()}], outside int8; the stream is damaged")
        return codes.astype(np.int8)
    if form == "ternary":
        return unpack_ternary(np.frombuffer(data, np.uint8), shape)
    name, bits = form[:-1], int(form[-1])
    if name == "bitmask":
        return _from_values(decode_bitmask(data, bits, shape), zero_point)
    if name == "relative":
        return _from_values(decode_relative(data, bits, shape), zero_point)
    packed = np.frombuffer(data, np.uint8)
    return unpack_codes(packed, bits, shape) if name == "dense" else _turned_back(packed, bits, shape)


def _values(w_q: NDArray[np.int8], zero_point: ArrayLike) -> NDArray[np.int8]:
    """Subtract the zero point, modulo 256: at most 8 bits, where the difference itself may need 9."""
    return (w_q.astype(np.int16) - np.asarray(zero_point, np.int16)).astype(np.int8)


def _from_values(values: NDArray[np.int8], zero_point: ArrayLike) -> NDArray[np.int8]:
    """Undo `_values`."""
    # The cast to int8 is the reduction modulo 256: codes are in int8, so it gives them back.
    return (values.astype(np.int16) + np.asarray(zero_point, np.int16)).astype(np.int8)


def _encode_bitmask(w_q: NDArray[np.int8], zero_point: ArrayLike) -> Encoded:
    values = _values(w_q, zero_point)
    bits = value_bits(values)
    return f"bitmask{bits}", encode_bitmask(values, bits)


def _encode_relative(w_q: NDArray[np.int8], zero_point: ArrayLike) -> Encoded:
    values = _values(w_q, zero_point)
    bits = max(2, value_bits(values))
    return f"relative{bits}", encode_relative(values, bits)


def _encode_arithmetic(w_q: NDArray[np.int8], zero_point: ArrayLike) -> Encoded:
    return "arithmetic", encode_codes(w_q.astype(np.int16) - np.asarray(zero_point, np.int16))


def _encode_dense(w_q: NDArray[np.int8], zero_point: ArrayLike) -> Encoded:
    """Pack every code, zero or not: the shortest of ternary, dense<b> and oriented<b>."""
    lowest, highest = (int(w_q.min()), int(w_q.max())) if w_q.size else (0, 0)
    if -1 <= lowest and highest <= 1:
        return "ternary", pack_ternary(w_q).tobytes()
    # b bits hold [-2^(b-1), 2^(b-1) - 1]: ~v is -1 - v, so both ends ask for the same number of bits.
    bits = max(2, 1 + max(highest, ~lowest).bit_length())
    dense = pack_codes(w_q, bits)
    if bits == 2:
        return "dense2", dense.tobytes()
    turned, flags = _oriented(w_q, bits - 1)
    if turned is None or packed_bytes(w_q.size, bits - 1) + flags.size >= dense.size:
        return f"dense{bits}", dense.tobytes()
    return f"oriented{bits - 1}", pack_codes(turned, bits - 1).tobytes() + flags.tobytes()


def _oriented(w_q: NDArray[np.int8], bits: int) -> tuple[NDArray[np.int8] | None, NDArray[np.uint8]]:
    """Negate the neurons that reach above the grid (W2); None if one then reaches below it."""
    half = 1 << (bits - 1)
    flip = w_q.max(axis=0) >= half
    # int16, since -(-128) leaves int8; such a neuron does not fit and is refused below.
    turned = np.where(flip, -w_q.astype(np.int16), w_q)
    fits = turned.min() >= -half and turned.max() < half
    return turned.astype(np.int8) if fits else None, np.packbits(flip, bitorder="little")


def _turned_back(packed: NDArray[np.uint8], bits: int, shape: tuple[int, int]) -> NDArray[np.int8]:
    """Undo `_oriented`."""
    cut = packed_bytes(prod(shape), bits)
    codes = unpack_codes(packed[:cut], bits, shape)
    flags = np.unpackbits(packed[cut:], bitorder="little")
    if packed.size - cut != -(-shape[1] // 8) or np.any(flags[shape[1] :]):
        raise ValueError(f"{shape[1]} neurons take one flag bit each, {packed.size - cut} bytes follow")
    # 2..7 bits: the negative of any code stays inside int8.
    return np.where(flags[: shape[1]] == 1, -codes, codes)
