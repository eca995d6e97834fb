"""The shortest packed form of a weight matrix, exactly.

W1 (forms)        "ternary" codes in {-1, 0, 1}, five to a byte; "dense<b>" two's complement, b bits each;
                  "oriented<b>" the same after some neurons are negated, with one flag bit a neuron behind
W2 (orientation)  a neuron on the grid [-2^(b-1)+1, 2^(b-1)] is stored as its negative, on [-2^(b-1), 2^(b-1)-1]

The codes decide the form, not the interval that they were allowed. Letters: K inputs, N neurons, b bits a code.
"""

from __future__ import annotations

import re
from math import prod

import numpy as np
from numpy.typing import NDArray

from npquant.compression.packing import (
    pack_codes,
    pack_ternary,
    packed_bytes,
    unpack_codes,
    unpack_ternary,
)


def encode_weights(w_q: NDArray[np.int8]) -> tuple[str, NDArray[np.uint8]]:
    """Pack weight codes in the shortest form that holds them.

    Parameters
    ----------
    w_q : ndarray of int8, shape (K, N)
        Weight codes.

    Returns
    -------
    form : str
        One of W1.
    stream : ndarray of uint8, one-dimensional
        The packed codes.

    Raises
    ------
    TypeError
        If `w_q` is not int8.

    Notes
    -----
    W1, W2, on top of P1 and P2. Exact; at equal length ternary comes before dense, dense before oriented.

    Examples
    --------
    >>> encode_weights(np.tile(np.array([-2, 2], np.int8), (40, 1)))[0]
    'oriented2'
    """
    if w_q.dtype != np.int8:
        raise TypeError(f"weight codes must be int8, got {w_q.dtype}")
    lowest, highest = (int(w_q.min()), int(w_q.max())) if w_q.size else (0, 0)
    if -1 <= lowest and highest <= 1:
        return "ternary", pack_ternary(w_q)
    # b bits hold [-2^(b-1), 2^(b-1) - 1]: ~v is -1 - v, so both ends ask for the same number of bits.
    bits = max(2, 1 + max(highest, ~lowest).bit_length())
    dense = pack_codes(w_q, bits)
    if bits == 2:
        return "dense2", dense
    turned, flags = _oriented(w_q, bits - 1)
    if turned is None or packed_bytes(w_q.size, bits - 1) + flags.size >= dense.size:
        return f"dense{bits}", dense
    return f"oriented{bits - 1}", np.concatenate([pack_codes(turned, bits - 1), flags])


def _oriented(w_q: NDArray[np.int8], bits: int) -> tuple[NDArray[np.int8] | None, NDArray[np.uint8]]:
    """Negate the neurons that reach above the grid (W2); None if one then reaches below it."""
    half = 1 << (bits - 1)
    flip = w_q.max(axis=0) >= half
    # int16, since -(-128) leaves int8; such a neuron does not fit and is refused below.
    turned = np.where(flip, -w_q.astype(np.int16), w_q)
    fits = turned.min() >= -half and turned.max() < half
    return turned.astype(np.int8) if fits else None, np.packbits(flip, bitorder="little")


def decode_weights(form: str, stream: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.int8]:
    """Undo `encode_weights`.

    Parameters
    ----------
    form : str
        One of W1.
    stream : ndarray of uint8, one-dimensional
        The packed codes.
    shape : (K, N)
        Shape of the codes.

    Returns
    -------
    ndarray of int8, shape (K, N)
        Weight codes.

    Raises
    ------
    ValueError
        If the form is none of W1, or the stream is not one of that form and shape.

    Examples
    --------
    >>> decode_weights(*encode_weights(np.array([[-2, 2], [1, -1]], np.int8)), (2, 2)).tolist()
    [[-2, 2], [1, -1]]
    """
    if form == "ternary":
        return unpack_ternary(stream, shape)
    found = re.fullmatch(r"(dense[2-8]|oriented[2-7])", form)
    if found is None:
        raise ValueError(f"unknown form {form!r}; weights are ternary, dense2..8 or oriented2..7")
    bits = int(form[-1])
    if form.startswith("dense"):
        return unpack_codes(stream, bits, shape)
    cut = packed_bytes(prod(shape), bits)
    codes = unpack_codes(stream[:cut], bits, shape)
    flags = np.unpackbits(stream[cut:], bitorder="little")
    if stream.size - cut != -(-shape[1] // 8) or np.any(flags[shape[1] :]):
        raise ValueError(f"{shape[1]} neurons take one flag bit each, {stream.size - cut} bytes follow")
    # 2..7 bits: the negative of any code stays inside int8.
    return np.where(flags[: shape[1]] == 1, -codes, codes)


def weights_bytes(form: str, shape: tuple[int, int]) -> int:
    """Count the bytes of a stream, from its form and shape (W1).

    Parameters
    ----------
    form : str
        One of W1.
    shape : (K, N)
        Shape of the codes.

    Returns
    -------
    int
        Length of the stream.

    Raises
    ------
    ValueError
        If the form is none of W1.

    Examples
    --------
    >>> weights_bytes("oriented2", (2, 2)), weights_bytes("ternary", (2, 3))
    (2, 2)
    """
    if form == "ternary":
        return -(-prod(shape) // 5)
    if re.fullmatch(r"(dense[2-8]|oriented[2-7])", form) is None:
        raise ValueError(f"unknown form {form!r}; weights are ternary, dense2..8 or oriented2..7")
    flags = -(-shape[1] // 8) if form.startswith("oriented") else 0
    return packed_bytes(prod(shape), int(form[-1])) + flags
