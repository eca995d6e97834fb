"""The arithmetic form of a few integers of any size, such as biases.

Legend: values (count,) int32, any; data their bytes.

I1 (step)   the largest power of two that divides all of them is taken out; its exponent, 0 to 31, is the first byte
I2 (zero?)  in context 0 of one set of adaptive bits; then the sign, in context 1
I3 (size)   bits of the magnitude in unary, a context each; the two below the top one in a context of size, place and
            the one above; the others at p = 1/2
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.codec.arithmetic_coder import AdaptiveBits, BitCoder, BitDecoder, BitEncoder

_EVEN: Final = 1 << 15


def encode_integers(values: NDArray[np.int32]) -> bytes:
    """I1, then the message I2 and I3. Integers only, so the bytes are the same on every machine.

    TypeError if values is not int32.

    >>> len(encode_integers(np.zeros(100, np.int32))), len(encode_integers(np.full(100, -4096, np.int32)))
    (2, 2)
    """
    if values.dtype != np.int32:
        raise TypeError(f"integers must be int32, got {values.dtype}")
    bits = int(np.bitwise_or.reduce(values, initial=0))
    step = (bits & -bits).bit_length() - 1 if bits else 0
    encoder, contexts = BitEncoder(), (AdaptiveBits(35), AdaptiveBits(33 * 4))
    # Every value is a multiple of 2^step: the arithmetic shift loses nothing.
    for value in values.tolist():
        _code_integer(encoder, contexts, value >> step)
    return bytes([step]) + encoder.finish()


def decode_integers(data: bytes, count: int) -> NDArray[np.int32]:
    """I1 to I3. Read the integers that `encode_integers` wrote, `count` of them, which the caller bounds.

    ValueError if the bytes are no such message.

    >>> decode_integers(encode_integers(np.array([-5, 0, 2**31 - 1], np.int32)), 3).tolist()
    [-5, 0, 2147483647]
    """
    if not data or data[0] > 31:
        raise ValueError("integers start with an exponent of 0 to 31; the stream is damaged")
    decoder, contexts = BitDecoder(data[1:]), (AdaptiveBits(35), AdaptiveBits(33 * 4))
    # Python's integers: up to 32 bits, shifted by up to 31, and then held against int32.
    values = [_code_integer(decoder, contexts, 0) << data[0] for _ in range(count)]
    decoder.require_end()
    if values and not -(1 << 31) <= min(values) <= max(values) < 1 << 31:
        raise ValueError("an integer leaves int32; the stream is damaged")
    return np.array(values, np.int32)


def _code_integer(coder: BitCoder, contexts: tuple[AdaptiveBits, AdaptiveBits], value: int) -> int:
    """Code one integer (I2, I3)."""
    heads, digits = contexts
    if not heads.code(coder, 0, int(value != 0)):
        return 0
    negative = heads.code(coder, 1, int(value < 0))
    size, length = abs(value), 1
    while length < 32 and not heads.code(coder, 2 + length, int(size >> length == 0)):
        length += 1
    # found is below 4 while a context is used: contexts 4 length + 1 to 4 length + 3, length <= 32.
    found = 1
    for place in range(length - 2, -1, -1):
        bit, above = size >> place & 1, length - 2 - place
        found = 2 * found + (digits.code(coder, 4 * length + found, bit) if above < 2 else coder.code(bit, _EVEN))
    return -found if negative else found
