"""The arithmetic form of a few integers of any size, such as biases.

I1 (step)   the largest power of two that divides all of them is taken out; its exponent, 0 to 31, is the first byte
I2 (zero?)  in context 0 of one set of adaptive bits; then the sign, in context 1
I3 (size)   bits of the magnitude in unary, a context each; the two below the top one in a context of size, place and
            the one above; the others at p = 1/2

Letters: N integers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from npquant.codec.arithmetic_coder import AdaptiveBits, BitCoder, BitDecoder, BitEncoder

_EVEN: Final = 1 << 15


def encode_integers(values: NDArray[np.int32]) -> bytes:
    """Encode integers of any size.

    Parameters
    ----------
    values : ndarray of int32, shape (N,)
        Any.

    Returns
    -------
    bytes
        I1, then the message I2 and I3.

    Raises
    ------
    TypeError
        If `values` is not int32.

    Notes
    -----
    Integers only, so the bytes are the same on every machine.

    Examples
    --------
    >>> len(encode_integers(np.zeros(100, np.int32))), len(encode_integers(np.full(100, -4096, np.int32)))
    (2, 2)
    """
    if values.dtype != np.int32:
        raise TypeError(f"integers must be int32, got {values.dtype}")
    bits = int(np.bitwise_or.reduce(values, initial=0))
    step = (bits & -bits).bit_length() - 1 if bits else 0
    encoder, contexts = BitEncoder(), (AdaptiveBits(35), AdaptiveBits(33 * 4))
    for value in values.tolist():
        _code_integer(encoder, contexts, value >> step)
    return bytes([step]) + encoder.finish()


def decode_integers(data: bytes, count: int) -> NDArray[np.int32]:
    """Undo `encode_integers`.

    Parameters
    ----------
    data : bytes
        What it returned.
    count : int
        How many integers; the caller bounds it.

    Returns
    -------
    ndarray of int32, shape (count,)
        The integers.

    Raises
    ------
    ValueError
        If the bytes are no such message.

    Examples
    --------
    >>> decode_integers(encode_integers(np.array([-5, 0, 2**31 - 1], np.int32)), 3).tolist()
    [-5, 0, 2147483647]
    """
    if not data or data[0] > 31:
        raise ValueError("integers start with an exponent of 0 to 31; the stream is damaged")
    decoder, contexts = BitDecoder(data[1:]), (AdaptiveBits(35), AdaptiveBits(33 * 4))
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
    found = 1
    for place in range(length - 2, -1, -1):
        bit, above = size >> place & 1, length - 2 - place
        found = 2 * found + (digits.code(coder, 4 * length + found, bit) if above < 2 else coder.code(bit, _EVEN))
    return -found if negative else found
